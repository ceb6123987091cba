//! What a person does with suggestions: commands in, edits of the editor and journal records out.
//!
//! Invariant: an edit is of the version that is open, and the verdict is recorded only when the
//! editor has taken the edit; no command waits for the client without an end.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tower_lsp::jsonrpc::{Error, Result};
use tower_lsp::ls_types::{MessageActionItem, MessageType, WorkspaceEdit};

use super::documents::Open;
use super::edits::workspace_edit;
use super::error::{failed, of_desk};
use super::lens;
use super::reading::Reading;
use super::session::{Session, text_of};
use super::spelling::apply_edit;
use super::words::Words;
use crate::correction::{Said, Source};
use crate::desk::protocol::DocumentName;
use crate::frontmatter::{AddError, Edit, add_tags, replace_tag};

/// How long an editor may take to apply an edit; it may ask its person first.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a command waits for a document that was just opened to be read.
const READING: Duration = Duration::from_secs(5);
/// How long a person may think about a question.
const THOUGHT: Duration = Duration::from_secs(600);

/// The commands of `workspace/executeCommand`.
pub(super) const COMMANDS: [&str; 7] = [
    "gliznet.accept",
    "gliznet.acceptAll",
    "gliznet.reject",
    "gliznet.replaceTag",
    "gliznet.addFrontMatter",
    "gliznet.record",
    ADD_LABEL,
];
/// Makes labels of tags.
pub(super) const ADD_LABEL: &str = "gliznet.addLabel";
/// For clients that do not show suggestions for review themselves.
pub(super) const REVIEW: &str = "gliznet.review";

/// What a command is about; each reads its own fields.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Argument {
    uri: String,
    labels: Vec<String>,
    accepted: Vec<String>,
    rejected: Vec<String>,
    from: String,
    to: String,
}

impl Session {
    pub(super) async fn command(&self, command: &str, arguments: Vec<Value>) -> Result<Value> {
        if command != REVIEW && !COMMANDS.contains(&command) {
            let known = COMMANDS.join(", ");
            return Err(Error::invalid_params(format!(
                "no command `{command}`; there are {known}"
            )));
        }
        let argument = arguments.into_iter().next().unwrap_or_else(|| json!({}));
        let argument: Argument = serde_json::from_value(argument)
            .map_err(|error| Error::invalid_params(format!("`{command}`: {error}")))?;
        let name = DocumentName {
            uri: argument.uri.clone(),
        };
        let open = self.shared.open_document(&name)?;
        match command {
            "gliznet.accept" => self.accept(&open, &argument.labels).await,
            "gliznet.acceptAll" | "gliznet.addFrontMatter" => {
                let labels = self.suggested(&open).await?;
                self.accept(&open, &labels).await
            }
            "gliznet.reject" => self.record(&open, &[], &argument.labels, false).await,
            "gliznet.record" => {
                self.record(&open, &argument.accepted, &argument.rejected, false)
                    .await
            }
            ADD_LABEL => self.add_labels(&open, &argument.labels).await,
            "gliznet.replaceTag" => self.replace(&open, &argument.from, &argument.to).await,
            _ => self.review(&open).await,
        }
    }

    /// The labels that are suggested for a document now.
    async fn suggested(&self, open: &Open) -> Result<Vec<String>> {
        let reading = self.reading(open).await?;
        Ok(labels(&reading, open))
    }

    async fn reading(&self, open: &Open) -> Result<Arc<Reading>> {
        let suggestions = &self.shared.suggestions;
        if let Some(reading) = suggestions.wait_for(&open.uri, READING).await {
            return Ok(reading);
        }
        let uri = open.uri.as_str().to_owned();
        self.shared.open_document(&DocumentName { uri })?; // It may have been closed meanwhile.
        Err(match suggestions.why_not(&open.uri) {
            Some(fault) => failed(&fault),
            None => failed("the document has not been read yet; ask again in a moment"),
        })
    }

    async fn accept(&self, open: &Open, labels: &[String]) -> Result<Value> {
        if labels.is_empty() {
            return Err(failed("nothing is suggested for this document"));
        }
        let labels = &self.of_set(open, labels).await?;
        let edit = acceptance(open, labels).map_err(|error| failed(&error.to_string()))?;
        if let Some(edit) = &edit {
            let what = adding(labels, self.shared.traits().words);
            self.apply(open, std::slice::from_ref(edit), &what).await?;
        }
        self.record(open, labels, &[], edit.is_some()).await
    }

    async fn replace(&self, open: &Open, from: &str, to: &str) -> Result<Value> {
        let to = &self.of_set(open, &[to.to_owned()]).await?[0];
        let edits = replace_tag(&open.text, open.format, from, to)
            .map_err(|error| failed(&error.to_string()))?;
        if edits.is_empty() {
            return Err(without_tag(from));
        }
        let what = self.shared.traits().words.replace(from, to);
        self.apply(open, &edits, &what).await?;
        Ok(json!({ "applied": true, "accepted": [], "rejected": [] }))
    }

    /// The set that a label could be added to; none where there is no such set.
    pub(super) async fn growing_set(&self, open: &Open) -> Option<String> {
        let folder = self.shared.folder_of(open);
        let choice = self.shared.choice_in(folder.as_deref());
        let desk = Arc::clone(&self.shared.desk);
        let read = move || desk.growing_set(folder.as_deref(), &choice);
        tokio::task::spawn_blocking(read).await.ok()?
    }

    /// Adds labels to the set of the document, and says which file has them now.
    async fn add_labels(&self, open: &Open, labels: &[String]) -> Result<Value> {
        let words = self.shared.traits().words;
        let mut file = String::new();
        for label in labels {
            let folder = self.shared.folder_of(open);
            let choice = self.shared.choice_in(folder.as_deref());
            let (desk, new) = (Arc::clone(&self.shared.desk), label.clone());
            let add = move || desk.add_label(folder.as_deref(), &choice, &new);
            let added = tokio::task::spawn_blocking(add).await;
            let added = added.map_err(|_| Error::internal_error())?;
            let path = added.map_err(|error| failed(&error.to_string()))?;
            file = path.display().to_string();
        }
        if file.is_empty() {
            return Err(Error::invalid_params("`labels` names no label"));
        }
        // Every document of the set is measured against them from now on.
        self.shared.suggest_all();
        let said = words.label_added(&labels.join("`, `"), &file);
        self.shared.say_once(MessageType::INFO, &said).await;
        Ok(json!({ "file": file, "labels": labels }))
    }

    /// The labels as the set spells them. The vocabulary is closed: what is in no label set is
    /// never written.
    async fn of_set(&self, open: &Open, labels: &[String]) -> Result<Vec<String>> {
        let rules = self.rules_of(open).await?;
        let said = Said {
            accepted: labels.to_vec(),
            ..Said::default()
        };
        let (labels, _) = said
            .resolve(&rules.labels)
            .map_err(|fault| Error::invalid_params(fault.to_string()))?;
        Ok(labels)
    }

    /// Records a verdict, durably, and shows what follows from it.
    async fn record(
        &self,
        open: &Open,
        accepted: &[String],
        rejected: &[String],
        applied: bool,
    ) -> Result<Value> {
        let rules = self.rules_of(open).await?;
        let said = Said {
            accepted: accepted.to_vec(),
            rejected: rejected.to_vec(),
            source: Source::Editor,
        };
        let recorded = self.shared.desk.correct(text_of(open), rules, said).await;
        let (_, correction) = recorded.map_err(|error| of_desk(&error))?;
        // The document is read again because it was corrected; what was rejected goes at once.
        if !correction.rejected.is_empty()
            && let Some(reading) = self.shared.withdraw(&open.uri, &correction.rejected)
        {
            self.shared.tell(&open.uri, &reading).await;
        }
        self.shared.refresh();
        let mut answer = json!({
            "applied": applied,
            "accepted": correction.accepted,
            "rejected": correction.rejected,
        });
        if has_no_place(open, accepted) {
            answer["unwritten"] = json!(true);
        }
        Ok(answer)
    }

    /// Has the editor apply edits, or says why it did not.
    async fn apply(&self, open: &Open, edits: &[Edit], what: &str) -> Result<()> {
        let shared = &self.shared;
        let (Some(client), true) = (shared.client.get(), shared.traits().applies_edits) else {
            return Err(failed(
                "this editor does not apply edits of a server (workspace/applyEdit); use its code actions",
            ));
        };
        // Not every client looks at the version of an edit.
        if !shared.documents().holds(open) {
            return Err(failed("the document has changed meanwhile; try again"));
        }
        let edit = workspace_edit(open, edits, what, shared.encoding(), shared.traits());
        let edit = shared.spellings.given_back(edit);
        // The watcher, which hears of the verdict next, waits for the text that comes of this.
        shared.edited.begins(open);
        let applied = match tokio::time::timeout(PATIENCE, apply_edit(client, edit)).await {
            Ok(Ok(answer)) if answer.applied => Ok(()),
            Ok(Ok(answer)) => Err(failed(&match answer.failure_reason {
                Some(reason) => format!("the editor did not take the edit: {reason}"),
                None => "the editor did not take the edit; the document may have changed meanwhile, try again".to_owned(),
            })),
            Ok(Err(error)) => Err(failed(&format!(
                "the editor refused the edit: {}",
                error.message
            ))),
            Err(_) => Err(failed(
                "the editor did not answer; look whether it asks something",
            )),
        };
        if applied.is_err() {
            shared.edited.failed(open);
        }
        applied
    }

    /// Asks the person with the means every editor has: a message with buttons.
    async fn review(&self, open: &Open) -> Result<Value> {
        let reading = self.reading(open).await?;
        let Some(client) = self.shared.client.get() else {
            return Err(Error::internal_error()); // Whoever asks is the client.
        };
        let suggested = reading.suggested(open);
        let Some(best) = suggested.first() else {
            return Err(failed("nothing is suggested for this document"));
        };
        let shown: Vec<String> = suggested.iter().map(|tag| lens::shown(tag)).collect();
        let words = self.shared.traits().words;
        let (question, choices) = words.question(&best.label, &shown.join(", "));
        let [add, never, add_all] = choices;
        let items = choices.map(|title| MessageActionItem {
            title: title.to_owned(),
            properties: std::collections::HashMap::new(),
        });
        let asked = client.show_message_request(MessageType::INFO, question, Some(items.to_vec()));
        let answer = tokio::time::timeout(THOUGHT, asked).await;
        let best = [best.label.clone()];
        match answer
            .ok()
            .and_then(Result::ok)
            .flatten()
            .map(|item| item.title)
            .as_deref()
        {
            Some(said) if said == add => self.accept(open, &best).await,
            Some(said) if said == never => self.record(open, &[], &best, false).await,
            Some(said) if said == add_all => self.accept(open, &labels(&reading, open)).await,
            _ => Ok(json!({ "applied": false, "accepted": [], "rejected": [] })),
        }
    }
}

fn labels(reading: &Reading, open: &Open) -> Vec<String> {
    let suggested = reading.suggested(open).into_iter();
    suggested.map(|tag| tag.label.clone()).collect()
}

/// The edit that adds the labels; none where they stand there, and where documents of this kind
/// have no place for tags: the verdict counts all the same.
pub(super) fn acceptance(
    open: &Open,
    labels: &[String],
) -> std::result::Result<Option<Edit>, AddError> {
    match add_tags(&open.text, open.format, labels) {
        Err(AddError::NoPlace(_)) => Ok(None),
        other => other,
    }
}

/// The document has nothing to replace.
pub(super) fn without_tag(tag: &str) -> Error {
    failed(&format!("the document's settings have no tag `{tag}`"))
}

/// Whether the document is of a kind that cannot say that these labels fit it.
fn has_no_place(open: &Open, labels: &[String]) -> bool {
    let edit = add_tags(&open.text, open.format, labels);
    matches!(edit, Err(AddError::NoPlace(_)))
}

pub(super) fn adding(labels: &[String], words: Words) -> String {
    match labels {
        [one] => words.add(one),
        many => words.add_many(many.len()),
    }
}

/// An edit for a code action, as the client takes it.
pub(super) fn as_action(
    session: &Session,
    open: &Open,
    edits: &[Edit],
    what: &str,
) -> WorkspaceEdit {
    workspace_edit(
        open,
        edits,
        what,
        session.shared.encoding(),
        session.shared.traits(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lsp::tests::{URI, begun, change, desk};

    #[tokio::test]
    async fn an_edit_of_a_text_that_has_changed_is_not_asked_for() {
        let root = tempfile::tempdir().unwrap();
        let (desk, release) = desk(root.path());
        let (shared, mut service, _socket) = begun(Arc::clone(&desk), "Roses.\n").await;
        let then = shared.documents().get(&URI.parse().unwrap()).cloned();
        change(&mut service, 2, "Tulips.\n").await;
        let session = Session { shared };
        let refused = session.apply(&then.unwrap(), &[], "").await.unwrap_err();
        assert!(refused.message.contains("has changed"), "{refused}");
        drop(release);
        desk.close();
    }
}
