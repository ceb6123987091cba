//! Suggestions for the documents a client has open, made while it types.
//!
//! Input: a document was opened, edited or corrected, or its settings changed. Output: its reading,
//! kept for all handlers; `gliznet/tagsChanged`, hints, and the wish to ask for lenses again.
//! Invariant: what is kept and told is of the version that is open; a document has one task at most.

mod ahead;
mod kept;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::broadcast::error::RecvError;
use tower_lsp::ls_types::notification::Notification;
use tower_lsp::ls_types::{Diagnostic, MessageType, PublishDiagnosticsParams, Uri};

use super::documents::Open;
use super::mark;
use super::reading::Reading;
use super::session::{Shared, text_of};
use super::settings::Sources;
use super::spelling::PublishDiagnostics;
use crate::desk::protocol::TagsChangedParams;
use crate::desk::{DeskError, Rules, RulesError};
use crate::engine::worker::WorkerError;

use kept::Failure;
pub(super) use kept::Suggestions;

/// How long a writer pauses before we read along.
pub(super) const PAUSE: Duration = Duration::from_millis(200);
/// How long a client may take what it is told.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a person without labels reads.
const NO_LABELS: &str = "no labels yet: write labelset = \"NAME\" into gliznet.toml";

/// `gliznet/tagsChanged`.
struct TagsChanged;

impl Notification for TagsChanged {
    type Params = Value;
    const METHOD: &'static str = "gliznet/tagsChanged";
}

impl Shared {
    /// Reads the document again after a pause. An earlier reading of it is given up.
    pub(super) fn suggest_soon(self: &Arc<Shared>, uri: &Uri, pause: Duration) {
        let mut state = self.suggestions.lock();
        if state.ended {
            return;
        }
        let shared = Arc::clone(self);
        let of_task = uri.clone();
        let task = tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            shared.suggest(&of_task).await;
        });
        let earlier = state
            .tasks
            .insert(uri.as_str().to_owned(), task.abort_handle());
        if let Some(earlier) = earlier {
            earlier.abort();
        }
    }

    /// Reads all open documents again: what holds for them has changed.
    pub(super) fn suggest_all(self: &Arc<Shared>) {
        let open: Vec<Uri> = self
            .documents()
            .all()
            .iter()
            .map(|d| d.uri.clone())
            .collect();
        for uri in open {
            self.suggest_soon(&uri, Duration::ZERO);
        }
    }

    /// Reads the open documents again that were read: the memory has changed. What is being read for
    /// the first time gets the memory of the moment anyway, and would lose its turn.
    pub(super) fn suggest_again(self: &Arc<Shared>) {
        let read: Vec<Uri> = self.suggestions.lock().readings.keys().cloned().collect();
        for uri in read {
            self.suggest_soon(&uri, Duration::ZERO);
        }
    }

    /// Reads documents again that somebody corrects, in this editor or another, until the client
    /// leaves.
    pub(super) async fn follow_corrections(self: Arc<Shared>) {
        let mut corrections = self.desk.corrections();
        loop {
            match corrections.recv().await {
                Ok(name) => {
                    let is_it = |open: &&Open| text_of(open).name.as_deref() == Some(&*name);
                    let found = self.documents().all().into_iter().find(is_it).cloned();
                    if let Some(open) = found {
                        self.suggest_soon(&open.uri, Duration::ZERO);
                    }
                }
                Err(RecvError::Lagged(_)) => self.suggest_all(),
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// Takes rejected labels out of what is suggested, before the document is read again.
    pub(super) fn withdraw(&self, uri: &Uri, rejected: &[String]) -> Option<Arc<Reading>> {
        let mut state = self.suggestions.lock();
        let reading = state.readings.get_mut(uri)?;
        let mut tagged = (*reading.tagged).clone();
        tagged.tags.retain(|tag| !rejected.contains(&tag.label));
        let amended = Arc::new(Reading {
            tagged: Arc::new(tagged),
            ..(**reading).clone()
        });
        *reading = Arc::clone(&amended);
        Some(amended)
    }

    async fn suggest(self: &Arc<Shared>, uri: &Uri) {
        let Some(open) = self.documents().get(uri).cloned() else {
            return;
        };
        let Some(rules) = self.rules_or_say_why(&open).await else {
            return;
        };
        self.mark(&open, Some(&rules)).await;
        let tagged = match self.tagged(&open, &rules).await {
            Ok(tagged) => tagged,
            Err(error) => {
                let failure = Failure {
                    message: error.to_string(),
                    is_of_rules: false,
                };
                self.suggestions.fail(uri, failure);
                if let DeskError::Worker(WorkerError::NoModel(_)) = &error {
                    self.say_once(MessageType::ERROR, &error.to_string()).await;
                }
                return tracing::debug!(uri = uri.as_str(), %error, "no suggestions");
            }
        };
        let reading = Arc::new(Reading {
            version: open.version,
            tagged: Arc::new(tagged),
            shown: rules.shown,
        });
        let before = {
            let mut state = self.suggestions.lock();
            // The last gate: what has changed meanwhile is read again by a newer task.
            if !self.documents().holds(&open) {
                return;
            }
            state.readings.insert(uri.clone(), Arc::clone(&reading))
        };
        self.suggestions.arrived.notify_waiters();
        let is_news = before
            .as_ref()
            .is_none_or(|before| before.tagged.tags != reading.tagged.tags);
        if is_news {
            self.tell(uri, &reading).await;
        }
        let looks_other = before.is_none_or(|before| before.shown != reading.shown);
        if is_news || looks_other {
            self.refresh();
        }
    }

    async fn rules_or_say_why(self: &Arc<Shared>, open: &Open) -> Option<Rules> {
        let folder = self.folder_of(open);
        let choice = self.choice_in(folder.as_deref());
        let desk = Arc::clone(&self.desk);
        let read = tokio::task::spawn_blocking(move || {
            // Looked at before they are read, so that no change falls between.
            let files = folder
                .iter()
                .flat_map(|folder| desk.settings_files(folder, &choice));
            let sources = Sources::look(files);
            (sources, desk.rules(folder.as_deref(), &choice))
        });
        let (sources, rules) = read.await.ok()?;
        let of_document = (open.uri.clone(), sources);
        self.suggestions
            .lock()
            .sources
            .insert(open.uri.as_str().to_owned(), of_document);
        match rules {
            Ok(rules) => {
                self.suggestions.lock().forgive(&open.uri);
                Some(rules)
            }
            Err(error) => {
                self.give_up(open, &error).await;
                None
            }
        }
    }

    /// Takes back what was suggested under rules that do not hold any more, and says why.
    async fn give_up(self: &Arc<Shared>, open: &Open, error: &RulesError) {
        // Some editors stop at a message that is longer than a line.
        let message = match error {
            RulesError::NoLabels => NO_LABELS.to_owned(),
            error => error.to_string(),
        };
        let before = {
            let mut state = self.suggestions.lock();
            // The one before was of other rules, or it is the same and said already.
            if state
                .failures
                .get(&open.uri)
                .is_some_and(|known| known.message != message)
            {
                state.forgive(&open.uri);
            }
            state.readings.remove(&open.uri)
        };
        let failure = Failure {
            message: message.clone(),
            is_of_rules: true,
        };
        self.suggestions.fail(&open.uri, failure);
        self.mark(open, None).await;
        if let Some(before) = before {
            let mut tagged = (*before.tagged).clone();
            tagged.tags.clear();
            let nothing = Reading {
                version: open.version,
                tagged: Arc::new(tagged),
                ..(*before).clone()
            };
            self.tell(&open.uri, &nothing).await;
            self.refresh();
        }
        // Who uses it elsewhere has no labels here on purpose; hover and commands still say so.
        let is_meant = matches!(error, RulesError::NoLabels) && self.desk.is_in_use();
        if !is_meant {
            self.say_once(MessageType::WARNING, &message).await;
        }
    }

    pub(super) async fn tell(&self, uri: &Uri, reading: &Reading) {
        let Some(client) = self.client.get() else {
            return;
        };
        let told = TagsChangedParams {
            uri: uri.as_str().to_owned(),
            version: reading.version,
            tags: reading.tagged.tags.clone(),
            model: reading.tagged.answer.model.name.to_string(),
        };
        let told = self.spellings.given_back(told);
        let sent = client.send_notification::<TagsChanged>(told);
        if tokio::time::timeout(PATIENCE, sent).await.is_err() {
            // It will be told again with the next change.
            self.suggestions.lock().readings.remove(uri);
        }
    }

    /// Shows or clears hints at tags that are in no label set; without rules there are none.
    async fn mark(&self, open: &Open, rules: Option<&Rules>) {
        let diagnostics = match rules.filter(|rules| rules.shown.diagnostics) {
            Some(rules) => {
                let (open, labels) = (open.clone(), Arc::clone(&rules.labels));
                let (encoding, words) = (self.encoding(), self.traits().words);
                // A long text takes a while, in which a task that is given up would go on.
                let find = move || mark::diagnostics(&open, &labels, encoding, words);
                match tokio::task::spawn_blocking(find).await {
                    Ok(found) => found,
                    Err(_) => return,
                }
            }
            None => Vec::new(),
        };
        let has_some = !diagnostics.is_empty();
        let _turn = self.suggestions.publishing.lock().await;
        let had_some = {
            let mut state = self.suggestions.lock();
            if !self.documents().holds(open) {
                return; // It is closed, or a newer task marks it.
            }
            state.marked.insert(open.uri.clone(), has_some) != Some(false)
        };
        if has_some || had_some {
            self.publish(open.uri.clone(), diagnostics, Some(open.version))
                .await;
        }
    }

    /// Takes back the hints in a document that was closed. Whatever was on its way to the client
    /// goes before.
    pub(super) async fn unmark(&self, uri: Uri) {
        let _turn = self.suggestions.publishing.lock().await;
        if self.documents().get(&uri).is_none() {
            self.publish(uri.clone(), Vec::new(), None).await;
            self.spellings.forget(uri.as_str());
        }
    }

    async fn publish(&self, uri: Uri, diagnostics: Vec<Diagnostic>, version: Option<i32>) {
        if let Some(client) = self.client.get() {
            let told = PublishDiagnosticsParams::new(uri, diagnostics, version);
            let told = self.spellings.given_back(told);
            let sent = client.send_notification::<PublishDiagnostics>(told);
            let _ = tokio::time::timeout(PATIENCE, sent).await; // The next change shows them.
        }
    }

    /// Asks the client to ask for what it shows. Waits for its answer elsewhere.
    pub(super) fn refresh(self: &Arc<Shared>) {
        let traits = self.traits();
        let shows = traits.refreshes_lenses || traits.refreshes_hints;
        if !shows || self.suggestions.refreshing.swap(true, Ordering::AcqRel) {
            return;
        }
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            // Many documents that are read at the same time need one refresh.
            tokio::time::sleep(Duration::from_millis(20)).await;
            shared
                .suggestions
                .refreshing
                .store(false, Ordering::Release);
            let Some(client) = shared.client.get() else {
                return;
            };
            let asked = async {
                if traits.refreshes_lenses {
                    let _ = client.code_lens_refresh().await; // A refusal changes nothing.
                }
                if traits.refreshes_hints {
                    let _ = client.inlay_hint_refresh().await;
                }
            };
            let _ = tokio::time::timeout(PATIENCE, asked).await;
        });
    }

    /// Says something to the person, once.
    pub(super) async fn say_once(&self, kind: MessageType, message: &str) {
        if !self.suggestions.lock().said.insert(message.to_owned()) {
            return;
        }
        if let Some(client) = self.client.get() {
            let said = client.show_message(kind, message);
            let _ = tokio::time::timeout(PATIENCE, said).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::Choice;
    use crate::lsp::tests::{URI, ask, begun, desk};
    use serde_json::json;

    #[tokio::test]
    async fn a_document_that_was_closed_meanwhile_is_not_marked() {
        let root = tempfile::tempdir().unwrap();
        let (desk, release) = desk(root.path());
        let text = "---\ntags: [gardn]\n---\n";
        let (shared, mut service, _socket) = begun(Arc::clone(&desk), text).await;
        shared.suggestions.end(); // Its own task would mark it too.
        let uri: Uri = URI.parse().unwrap();
        let open = shared.documents().get(&uri).cloned().unwrap();
        let choice = Choice {
            labels: Some(vec!["garden".to_owned()]),
            ..Choice::default()
        };
        let rules = desk.rules(None, &choice).unwrap();
        let is_marked = || shared.suggestions.lock().marked.get(&uri).copied();
        shared.mark(&open, Some(&rules)).await;
        assert_eq!(is_marked(), Some(true));
        let params = json!({ "textDocument": { "uri": URI } });
        ask(&mut service, "textDocument/didClose", None, params).await;
        shared.mark(&open, Some(&rules)).await;
        assert_eq!(is_marked(), None);
        drop(release);
        desk.close();
    }
}
