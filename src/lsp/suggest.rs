//! Suggestions for the documents a client has open, made while it types.
//!
//! Input: a document was opened, edited or corrected. Output: `gliznet/tagsChanged`, a moment after
//! the last of that.
//! Invariant: what is told is of the version that is open; a document has one task at most.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::AbortHandle;
use tower_lsp::ls_types::Uri;
use tower_lsp::ls_types::notification::Notification;

use super::session::{Shared, text_of};
use crate::desk::DeskError;
use crate::desk::protocol::{TagRecord, TagsChangedParams};
use crate::engine::scheduler::Priority;
use crate::engine::worker::WorkerError;

/// How long a writer pauses before we read along.
const PAUSE: Duration = Duration::from_millis(200);
/// When to ask again after the queue was full.
const RETRY: Duration = Duration::from_secs(1);
/// How long a client may take a notification.
const PATIENCE: Duration = Duration::from_secs(10);

/// `gliznet/tagsChanged`.
struct TagsChanged;

impl Notification for TagsChanged {
    type Params = TagsChangedParams;
    const METHOD: &'static str = "gliznet/tagsChanged";
}

/// The tasks of one session, and what they told last.
#[derive(Default)]
pub(super) struct Suggestions(Mutex<State>);

#[derive(Default)]
struct State {
    tasks: BTreeMap<String, AbortHandle>,
    told: HashMap<Uri, Vec<TagRecord>>,
    ended: bool,
}

impl Suggestions {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A document was closed.
    pub(super) fn forget(&self, uri: &Uri) {
        let mut state = self.lock();
        state.told.remove(uri);
        if let Some(task) = state.tasks.remove(uri.as_str()) {
            task.abort();
        }
    }

    /// The client leaves.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.ended = true;
        for task in std::mem::take(&mut state.tasks).into_values() {
            task.abort();
        }
    }
}

impl Shared {
    /// Reads the document again after a pause. An earlier reading of it is given up.
    pub(super) fn suggest_soon(self: &Arc<Shared>, uri: &Uri) {
        let mut state = self.suggestions.lock();
        if state.ended {
            return;
        }
        let shared = Arc::clone(self);
        let of_task = uri.clone();
        let task = tokio::spawn(async move {
            tokio::time::sleep(PAUSE).await;
            shared.suggest(&of_task).await;
        });
        if let Some(earlier) = state
            .tasks
            .insert(uri.as_str().to_owned(), task.abort_handle())
        {
            earlier.abort();
        }
    }

    async fn suggest(&self, uri: &Uri) {
        let Some(open) = self.documents().get(uri).cloned() else {
            return;
        };
        let choice = self.choice().clone();
        let desk = Arc::clone(&self.desk);
        let folder = open.folder();
        let rules = tokio::task::spawn_blocking(move || desk.rules(folder.as_deref(), &choice));
        let Ok(Ok(rules)) = rules.await else {
            return; // Without labels there is nothing to suggest; `gliznet/tag` says why.
        };
        let tagged = loop {
            let answer = self
                .desk
                .tag(text_of(&open), rules.clone(), Priority::Bulk)
                .await;
            match answer {
                Ok(tagged) => break tagged,
                Err(DeskError::Worker(WorkerError::Overloaded(_))) => {
                    tokio::time::sleep(RETRY).await;
                }
                Err(error) => {
                    return tracing::debug!(uri = uri.as_str(), %error, "no suggestions");
                }
            }
        };
        // The last gate: what has changed meanwhile is read again by a newer task.
        let now = self.documents().get(uri).map(|now| now.version);
        if now != Some(open.version) {
            return;
        }
        let told = self
            .suggestions
            .lock()
            .told
            .insert(uri.clone(), tagged.tags.clone());
        if told.as_ref() == Some(&tagged.tags) {
            return;
        }
        let Some(client) = self.client.get() else {
            return;
        };
        let params = TagsChangedParams {
            uri: uri.as_str().to_owned(),
            version: open.version,
            tags: tagged.tags,
            model: tagged.answer.model.name.to_string(),
        };
        let sent = client.send_notification::<TagsChanged>(params);
        if tokio::time::timeout(PATIENCE, sent).await.is_err() {
            // It will be told again with the next change.
            self.suggestions.lock().told.remove(uri);
        }
    }
}
