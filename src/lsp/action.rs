//! Code actions: a place in a document in, what can be done with its tags out.
//!
//! All are `quickfix`, so nothing runs when a file is saved. They are offered on the line of the
//! suggestions, in the settings, and wherever a person asks by hand.
//! Invariant: an action's edit is made for the version that is open when it is chosen.

use serde::{Deserialize, Serialize};
use serde_json::json;
use tower_lsp::jsonrpc::{Error, Result};
use tower_lsp::ls_types::{
    CodeAction, CodeActionKind, CodeActionOrCommand, CodeActionParams, CodeActionResponse,
    CodeActionTriggerKind, Command, Diagnostic, NumberOrString,
};

use super::command::{self, acceptance, adding, as_action, without_tag};
use super::documents::Open;
use super::error::failed;
use super::lens::{shown, tags_line};
use super::mark;
use super::position::LineIndex;
use super::reading::Reading;
use super::session::Session;
use crate::desk::protocol::DocumentName;
use crate::frontmatter::{self, replace_tag};
use crate::label::LabelSet;

/// So many suggestions have actions of their own.
const MOST: usize = 8;

/// What an action does, to be worked out when it is chosen.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Plan {
    Accept {
        uri: String,
        labels: Vec<String>,
    },
    Replace {
        uri: String,
        from: String,
        to: String,
    },
}

impl Session {
    pub(super) async fn actions(
        &self,
        params: CodeActionParams,
    ) -> Result<Option<CodeActionResponse>> {
        let uri = params.text_document.uri.as_str().to_owned();
        let open = self.shared.open_document(&DocumentName { uri })?;
        let wanted = params.context.only.as_deref();
        let is_wanted = wanted.is_none_or(|kinds| {
            kinds.iter().any(|kind| {
                let kind = kind.as_str();
                kind.is_empty() || kind == "quickfix"
            })
        });
        if !is_wanted {
            return Ok(None);
        }
        let mut actions = self.repairs(&open, &params.context.diagnostics).await;
        let by_hand = params.context.trigger_kind == Some(CodeActionTriggerKind::INVOKED);
        if let Some(reading) = self.shared.suggestions.of(&open.uri)
            && (by_hand || self.is_near(&open, params.range.start.line))
        {
            actions.extend(self.of_suggestions(&open, &reading));
        }
        Ok(Some(
            actions
                .into_iter()
                .map(CodeActionOrCommand::CodeAction)
                .collect(),
        ))
    }

    /// Whether a line is where suggestions are shown, or part of the document's settings.
    fn is_near(&self, open: &Open, line: u32) -> bool {
        let encoding = self.shared.encoding();
        if line == tags_line(open, encoding) {
            return true;
        }
        let found = frontmatter::read(&open.text, open.format);
        found.is_some_and(|found| {
            let index = LineIndex::new(&open.text);
            line < index.position(&open.text, found.extent.end, encoding).line
        })
    }

    fn of_suggestions(&self, open: &Open, reading: &Reading) -> Vec<CodeAction> {
        let words = self.shared.traits().words;
        let suggested = reading.suggested(open);
        let uri = open.uri.as_str();
        let mut actions = Vec::new();
        for (rank, tag) in suggested.iter().take(MOST).enumerate() {
            let plan = Plan::Accept {
                uri: uri.to_owned(),
                labels: vec![tag.label.clone()],
            };
            if let Some(mut action) = self.planned(open, words.add(&shown(tag)), plan) {
                action.is_preferred = Some(rank == 0);
                actions.push(action);
            }
        }
        let labels: Vec<String> = suggested.iter().map(|tag| tag.label.clone()).collect();
        let has_settings = frontmatter::read(&open.text, open.format).is_some();
        if labels.len() > 1 {
            let title = words.add_all(labels.len());
            let plan = Plan::Accept {
                uri: uri.to_owned(),
                labels: labels.clone(),
            };
            actions.extend(self.planned(open, title, plan));
        }
        if !has_settings && !labels.is_empty() && matches!(acceptance(open, &labels), Ok(Some(_))) {
            let plan = Plan::Accept {
                uri: uri.to_owned(),
                labels,
            };
            let title = words.add_front_matter();
            actions.extend(self.planned(open, title, plan));
        }
        for tag in suggested.iter().take(MOST) {
            let title = words.never_here(&tag.label);
            let argument = json!({ "uri": uri, "labels": [tag.label] });
            actions.push(CodeAction {
                title: title.clone(),
                kind: Some(CodeActionKind::QUICKFIX),
                command: Some(Command {
                    title,
                    command: "gliznet.reject".to_owned(),
                    arguments: Some(vec![argument]),
                }),
                ..CodeAction::default()
            });
        }
        actions
    }

    /// For each of our hints: the nearest label instead, and the tag as a new label.
    async fn repairs(&self, open: &Open, diagnostics: &[Diagnostic]) -> Vec<CodeAction> {
        let code = NumberOrString::String(mark::CODE.to_owned());
        let ours = diagnostics
            .iter()
            .filter(|hint| hint.code.as_ref() == Some(&code));
        if ours.clone().next().is_none() {
            return Vec::new();
        }
        // Not every client gives back what it does not show.
        let known = match ours.clone().any(|hint| hint.data.is_none()) {
            true => self.hints_now(open).await,
            false => Vec::new(),
        };
        let set = self.growing_set(open).await;
        let actions = ours.flat_map(|hint| {
            let same = known.iter().find(|known| known.range == hint.range);
            let data = hint
                .data
                .as_ref()
                .or(same.and_then(|same| same.data.as_ref()));
            let field = |key: &str| Some(data?.get(key)?.as_str()?.to_owned());
            let tag = field("tag");
            let replaced = tag.clone().zip(field("nearest")).and_then(|(from, to)| {
                let title = self.shared.traits().words.replace(&from, &to);
                let uri = open.uri.as_str().to_owned();
                let mut action = self.planned(open, title, Plan::Replace { uri, from, to })?;
                action.is_preferred = Some(true);
                Some(action)
            });
            let added = tag.zip(set.as_deref());
            let added = added.and_then(|(tag, set)| self.new_label(open, &tag, set));
            replaced.into_iter().chain(added).map(|mut action| {
                action.diagnostics = Some(vec![hint.clone()]);
                action
            })
        });
        actions.collect()
    }

    /// The action that makes a label of a tag; none where it could not be one.
    fn new_label(&self, open: &Open, tag: &str, set: &str) -> Option<CodeAction> {
        LabelSet::from_names([tag]).ok()?;
        let title = self.shared.traits().words.add_label(tag, set);
        let argument = json!({ "uri": open.uri.as_str(), "labels": [tag] });
        Some(CodeAction {
            title: title.clone(),
            kind: Some(CodeActionKind::QUICKFIX),
            command: Some(Command {
                title,
                command: command::ADD_LABEL.to_owned(),
                arguments: Some(vec![argument]),
            }),
            ..CodeAction::default()
        })
    }

    async fn hints_now(&self, open: &Open) -> Vec<Diagnostic> {
        let Ok(rules) = self.rules_of(open).await else {
            return Vec::new(); // Without labels no tag is misspelt.
        };
        let (encoding, words) = (self.shared.encoding(), self.shared.traits().words);
        mark::diagnostics(open, &rules.labels, encoding, words)
    }

    /// An action that is worked out when it is chosen, or now where the client cannot ask again;
    /// none where it could not be carried out then.
    fn planned(&self, open: &Open, title: String, plan: Plan) -> Option<CodeAction> {
        let mut action = CodeAction {
            title,
            kind: Some(CodeActionKind::QUICKFIX),
            ..CodeAction::default()
        };
        if self.shared.traits().resolves_edits {
            action.data = serde_json::to_value(plan).ok();
        } else {
            self.carry_out(open, &plan, &mut action).ok()?;
        }
        Some(action)
    }

    fn carry_out(&self, open: &Open, plan: &Plan, action: &mut CodeAction) -> Result<()> {
        let words = self.shared.traits().words;
        let refused = |fault: &dyn std::fmt::Display| failed(&fault.to_string());
        let (edits, what) = match plan {
            Plan::Accept { labels, .. } => {
                let edit = acceptance(open, labels).map_err(|error| refused(&error))?;
                (edit.map(|edit| vec![edit]), adding(labels, words))
            }
            Plan::Replace { from, to, .. } => {
                let edits = replace_tag(&open.text, open.format, from, to);
                let edits = edits.map_err(|error| refused(&error))?;
                if edits.is_empty() {
                    return Err(without_tag(from));
                }
                (Some(edits), words.replace(from, to))
            }
        };
        if let Plan::Accept { uri, labels } = plan {
            action.command = Some(Command {
                title: words.record(),
                command: "gliznet.record".to_owned(),
                arguments: Some(vec![
                    json!({ "uri": uri, "accepted": labels, "rejected": [] }),
                ]),
            });
        }
        // Without an edit the verdict is still recorded: not every document has a place for tags.
        action.edit = edits.map(|edits| as_action(self, open, &edits, &what));
        Ok(())
    }

    pub(super) fn resolve(&self, mut action: CodeAction) -> Result<CodeAction> {
        let Some(data) = action.data.take() else {
            return Ok(action);
        };
        let plan: Plan = serde_json::from_value(data).map_err(|error| {
            Error::invalid_params(format!("`data` is not of this server: {error}"))
        })?;
        let uri = match &plan {
            Plan::Accept { uri, .. } | Plan::Replace { uri, .. } => uri.clone(),
        };
        let open = self.shared.open_document(&DocumentName { uri })?;
        self.carry_out(&open, &plan, &mut action)?;
        Ok(action)
    }
}

/// The commands that this client is offered.
pub(super) fn commands(reviews: bool) -> Vec<String> {
    let own = (!reviews).then_some(command::REVIEW);
    let all = command::COMMANDS.into_iter().chain(own);
    all.map(str::to_owned).collect()
}
