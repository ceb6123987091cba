//! What is kept of one client's open documents: their readings, or why there is none; their tasks;
//! what the editor shows and the person was told.
//!
//! Invariant: whoever waits for a reading hears of it, and hears when there will be none, as of a
//! document that is closed or was never open.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tower_lsp::ls_types::Uri;

use super::ahead::Ahead;
use crate::lsp::reading::Reading;
use crate::lsp::settings::Sources;

/// The tasks of one session, and what they found last.
#[derive(Default)]
pub(in crate::lsp) struct Suggestions {
    state: Mutex<State>,
    /// A reading has arrived, or failed to.
    pub(super) arrived: Notify,
    /// Held while hints go to the client, so that the last that it hears of a document is the last
    /// that holds.
    pub(super) publishing: tokio::sync::Mutex<()>,
    /// The client is being asked to ask again.
    pub(super) refreshing: AtomicBool,
    /// What the client asks about is read before the rest.
    pub(super) ahead: Ahead,
}

#[derive(Default)]
pub(super) struct State {
    /// The last task of each open document.
    pub(super) tasks: BTreeMap<String, AbortHandle>,
    pub(super) readings: HashMap<Uri, Arc<Reading>>,
    /// Why documents were not read when they should have been last.
    pub(super) failures: HashMap<Uri, Failure>,
    /// The files that documents' rules came from.
    pub(super) sources: BTreeMap<String, (Uri, Sources)>,
    /// Whether documents have hints in the editor. Of one that is not in here nobody knows: a
    /// server that is gone may have sent some.
    pub(super) marked: HashMap<Uri, bool>,
    /// What was said to the person already.
    pub(super) said: HashSet<String>,
    pub(super) ended: bool,
}

/// Why a document was not read.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) message: String,
    /// Its settings or label set are wrong or missing, which somebody may mend.
    pub(super) is_of_rules: bool,
}

impl State {
    /// The rules of a document are good again: the same fault would be news.
    pub(super) fn forgive(&mut self, uri: &Uri) {
        if let Some(failure) = self.failures.remove(uri)
            && failure.is_of_rules
            && !self
                .failures
                .values()
                .any(|other| other.message == failure.message)
        {
            self.said.remove(&failure.message);
        }
    }
}

impl Suggestions {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last reading of a document that the client asks about, of this version or an older one.
    pub(in crate::lsp) fn of(&self, uri: &Uri) -> Option<Arc<Reading>> {
        self.ahead.ask_about(uri);
        self.last(uri)
    }

    fn last(&self, uri: &Uri) -> Option<Arc<Reading>> {
        self.lock().readings.get(uri).cloned()
    }

    /// The last reading of a document that the client asks about, or the first to come; none where
    /// it cannot be read.
    pub(in crate::lsp) async fn wait_for(
        &self,
        uri: &Uri,
        patience: Duration,
    ) -> Option<Arc<Reading>> {
        self.ahead.ask_about(uri);
        let come = async {
            loop {
                let arrived = self.arrived.notified();
                let reading = self.last(uri);
                if reading.is_some() || self.why_not(uri).is_some() || !self.is_read(uri) {
                    return reading;
                }
                arrived.await;
            }
        };
        tokio::time::timeout(patience, come).await.ok().flatten()
    }

    /// Whether a document is open, so that it is read or was.
    fn is_read(&self, uri: &Uri) -> bool {
        self.lock().tasks.contains_key(uri.as_str())
    }

    /// Why a document could not be read when that was tried last.
    pub(in crate::lsp) fn why_not(&self, uri: &Uri) -> Option<String> {
        let state = self.lock();
        let failure = state.failures.get(uri)?;
        Some(failure.message.clone())
    }

    /// Keeps why a document cannot be read, for those who wait for its reading.
    pub(super) fn fail(&self, uri: &Uri, failure: Failure) {
        self.lock().failures.insert(uri.clone(), failure);
        self.arrived.notify_waiters();
    }

    /// The files that the rules of all open documents came from.
    pub(in crate::lsp) fn sources(&self) -> Vec<(Uri, Sources)> {
        self.lock().sources.values().cloned().collect()
    }

    /// A document was closed. Says whether the editor may show hints in it.
    pub(in crate::lsp) fn forget(&self, uri: &Uri) -> bool {
        let mut state = self.lock();
        state.readings.remove(uri);
        state.failures.remove(uri);
        state.sources.remove(uri.as_str());
        if let Some(task) = state.tasks.remove(uri.as_str()) {
            task.abort();
        }
        let may_have_hints = state.marked.remove(uri) != Some(false);
        drop(state);
        self.arrived.notify_waiters();
        may_have_hints
    }

    /// The client leaves.
    pub(in crate::lsp) fn end(&self) {
        let mut state = self.lock();
        state.ended = true;
        for task in std::mem::take(&mut state.tasks).into_values() {
            task.abort();
        }
        drop(state);
        self.arrived.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3_600);

    fn uri(name: &str) -> Uri {
        format!("file:///notes/{name}").parse().unwrap()
    }

    fn failure(message: &str, is_of_rules: bool) -> Failure {
        Failure {
            message: message.to_owned(),
            is_of_rules,
        }
    }

    /// As when a document is opened.
    fn read(kept: &Suggestions, uri: &Uri) {
        let task = tokio::spawn(std::future::pending::<()>());
        let mut state = kept.lock();
        state
            .tasks
            .insert(uri.as_str().to_owned(), task.abort_handle());
    }

    #[tokio::test]
    async fn nobody_waits_for_a_document_that_is_closed_or_was_never_open() {
        let kept = Arc::new(Suggestions::default());
        let uri = uri("a.md");
        assert!(kept.wait_for(&uri, LONG).await.is_none());
        for is_closed in [true, false] {
            read(&kept, &uri);
            let waiting = tokio::spawn({
                let (kept, uri) = (Arc::clone(&kept), uri.clone());
                async move { kept.wait_for(&uri, LONG).await.is_none() }
            });
            tokio::task::yield_now().await; // It waits now.
            assert!(!waiting.is_finished());
            match is_closed {
                true => assert!(kept.forget(&uri)),
                false => kept.end(), // The client has gone.
            }
            assert!(waiting.await.unwrap());
        }
    }

    #[tokio::test]
    async fn nobody_waits_for_a_reading_that_will_not_come() {
        let kept = Arc::new(Suggestions::default());
        let uri = uri("a.md");
        read(&kept, &uri);
        let waiting = tokio::spawn({
            let (kept, uri) = (Arc::clone(&kept), uri.clone());
            async move { kept.wait_for(&uri, LONG).await.is_none() }
        });
        tokio::task::yield_now().await; // It waits now.
        kept.fail(&uri, failure("no labels", true));
        assert!(waiting.await.unwrap());
        // Whoever comes later is told why at once.
        assert!(kept.wait_for(&uri, LONG).await.is_none());
        assert_eq!(kept.why_not(&uri).as_deref(), Some("no labels"));
    }

    #[test]
    fn a_fault_that_was_mended_everywhere_may_be_told_again() {
        let kept = Suggestions::default();
        let said = |message: &str| kept.lock().said.contains(message);
        kept.lock()
            .said
            .extend(["broken", "no model"].map(str::to_owned));
        kept.fail(&uri("a.md"), failure("broken", true));
        kept.fail(&uri("b.md"), failure("broken", true));
        kept.lock().forgive(&uri("a.md"));
        assert!(said("broken"), "another document has it still");
        kept.lock().forgive(&uri("b.md"));
        assert!(!said("broken") && kept.why_not(&uri("b.md")).is_none());
        // That there is no model was told for the session.
        kept.fail(&uri("a.md"), failure("no model", false));
        kept.lock().forgive(&uri("a.md"));
        assert!(said("no model"));
    }

    #[test]
    fn a_document_may_have_hints_until_they_were_taken_back() {
        let kept = Suggestions::default();
        assert!(kept.forget(&uri("a.md")), "of a server that is gone");
        kept.lock().marked.insert(uri("a.md"), true);
        assert!(kept.forget(&uri("a.md")));
        kept.lock().marked.insert(uri("a.md"), false);
        assert!(!kept.forget(&uri("a.md")));
    }
}
