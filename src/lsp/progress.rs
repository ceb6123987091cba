//! What takes longer, shown where the editor shows such things.

use std::sync::Arc;
use std::time::Duration;

use tower_lsp::ls_types::ProgressToken;

use super::session::Shared;
use crate::engine::worker::Loading;

/// How long a client may take to make room for a progress.
const PATIENCE: Duration = Duration::from_secs(10);

impl Shared {
    /// Shows that the model is being loaded, while it is.
    pub(super) fn show_loading(self: &Arc<Shared>) {
        let mut loading = self.desk.loading();
        let is_underway = *loading.borrow() == Loading::Underway;
        if !is_underway || !self.traits().shows_progress {
            return;
        }
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            let Some(client) = shared.client.get() else {
                return;
            };
            let token = ProgressToken::String("gliznet/loading".to_owned());
            let created = client.create_work_done_progress(token.clone());
            let Ok(Ok(())) = tokio::time::timeout(PATIENCE, created).await else {
                return;
            };
            let progress = client
                .progress(token, shared.traits().words.loading())
                .begin()
                .await;
            let ended = loading.wait_for(|now| *now != Loading::Underway).await;
            let ended = ended.map(|now| now.clone()); // The guard may not be kept across an await.
            let message = match ended {
                Ok(Loading::Ready(facts)) => format!("{} on {}", facts.name, facts.device),
                Ok(Loading::Failed(reason)) => reason.to_string(),
                _ => "stopped".to_owned(),
            };
            progress.finish_with_message(message).await;
        });
    }
}
