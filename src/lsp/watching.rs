//! The methods `gliznet/watch`, `gliznet/find` and `gliznet/tags`; and how far the watching is.
//!
//! Input: the records of `desk::protocol`. Output: what whoever watches folders answers.
//! Invariant: no handler's thread waits for a disk; a client that does not answer loses its
//! progress bar, and nothing else.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch::Receiver;
use tower_lsp::Client;
use tower_lsp::jsonrpc::{Error, Result};
use tower_lsp::ls_types::ProgressToken;

use super::error::failed;
use super::session::{Session, Shared};
use super::words::Words;
use crate::desk::protocol::{
    FindParams, FindResult, TagsParams, TagsResult, WatchAction, WatchParams, WatchResult,
};
use crate::desk::watching::{Progress, WatchError, Watching};

/// Fewer notes are read before a progress bar is there.
const MANY: usize = 50;
/// How long a client may take to make room for a progress.
const PATIENCE: Duration = Duration::from_secs(10);
/// A progress bar need not move more often.
const STEP: Duration = Duration::from_millis(500);
/// How the tokens of our progress begin; a number follows.
const TOKEN: &str = "gliznet/watching/";

impl Session {
    pub(super) async fn watch(&self, params: WatchParams) -> Result<WatchResult> {
        self.ask_watching(move |watching| watching.change(&params))
            .await
    }

    pub(super) async fn find(&self, params: FindParams) -> Result<FindResult> {
        self.ask_watching(move |watching| watching.find(&params))
            .await
    }

    pub(super) async fn tags(&self, params: TagsParams) -> Result<TagsResult> {
        self.ask_watching(move |watching| watching.tags(&params))
            .await
    }

    /// Pauses the folders that are being worked at, where the token is of their progress. Says
    /// whether it is.
    pub(super) fn cancel_watching(&self, token: &ProgressToken) -> bool {
        let is_ours = matches!(token, ProgressToken::String(token) if token.starts_with(TOKEN));
        if is_ours && let Ok(watching) = self.shared.desk.watching() {
            // The person sees in the progress that it has ended.
            drop(tokio::task::spawn_blocking(move || pause(&*watching)));
        }
        is_ours
    }

    async fn ask_watching<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&dyn Watching) -> std::result::Result<T, WatchError> + Send + 'static,
    ) -> Result<T> {
        let desk = Arc::clone(&self.shared.desk);
        let asked = tokio::task::spawn_blocking(move || {
            let watching = desk.watching()?;
            ask(&*watching)
        });
        let answer = asked.await.map_err(|_| Error::internal_error())?;
        answer.map_err(|error| failed(&error.to_string()))
    }
}

impl Shared {
    /// Shows how far the watched folders are whenever much is to be read, until the client leaves.
    pub(super) async fn show_watching(self: Arc<Shared>) {
        let Ok(watching) = self.desk.watching() else {
            return;
        };
        // What the client can do is known when it has introduced itself.
        while self.client.get().is_none() || self.traits.get().is_none() {
            tokio::time::sleep(STEP).await;
        }
        if !self.traits().shows_progress {
            return;
        }
        let mut progress = watching.progress();
        drop(watching);
        let mut number = 0_u64;
        loop {
            let much = progress
                .wait_for(|now| now.at_work() >= MANY)
                .await
                .map(drop);
            let Some(client) = self.client.get().filter(|_| much.is_ok()) else {
                return;
            };
            number += 1;
            let token = ProgressToken::String(format!("{TOKEN}{number}"));
            let words = self.traits().words;
            let is_shown = show(client, token, words, &mut progress).await;
            let is_over = progress.wait_for(Progress::is_still).await.map(drop);
            if !is_shown || is_over.is_err() {
                return;
            }
        }
    }
}

/// Shows one progress until there is nothing to do; says whether the client takes it.
async fn show(
    client: &Client,
    token: ProgressToken,
    words: Words,
    progress: &mut Receiver<Progress>,
) -> bool {
    let created = client.create_work_done_progress(token.clone());
    if !matches!(tokio::time::timeout(PATIENCE, created).await, Ok(Ok(()))) {
        return false;
    }
    let bar = client
        .progress(token, words.tagging_folders())
        .with_percentage(0)
        .with_cancel_button()
        .begin()
        .await;
    loop {
        let now = *progress.borrow_and_update();
        if now.is_still() {
            break;
        }
        let all = (now.done + now.at_work()).max(1);
        let percentage = u32::try_from(now.done * 100 / all).unwrap_or(100);
        let message = words.of_notes(now.done, all);
        let told = bar.report_with_message(message, percentage, None);
        if tokio::time::timeout(PATIENCE, told).await.is_err() {
            return false;
        }
        let over = progress.wait_for(Progress::is_still);
        let _ = tokio::time::timeout(STEP, over).await; // It goes on.
        if progress.has_changed().is_err() {
            break;
        }
    }
    let told = match progress.borrow().resting {
        0 => String::new(),
        resting => words.notes_rest(resting),
    };
    let told = bar.finish_with_message(told);
    tokio::time::timeout(PATIENCE, told).await.is_ok()
}

/// Pauses every folder that is being worked at; one that has its quiet hours is left to them.
fn pause(watching: &dyn Watching) {
    let paused = watching.change(&WatchParams::default()).and_then(|now| {
        let mut busy = now.folders.into_iter().filter(|folder| folder.busy);
        busy.try_for_each(|folder| {
            let asked = WatchParams {
                action: WatchAction::Pause,
                path: Some(folder.path),
                ..WatchParams::default()
            };
            watching.change(&asked).map(drop)
        })
    });
    if let Err(error) = paused {
        tracing::warn!(%error, "the watched folders could not be paused");
    }
}
