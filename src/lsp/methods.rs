//! The methods `gliznet/*` of one client.
//!
//! Input: the records of `desk::protocol`. Output: what the desk answers, for the version that was
//! asked about. Invariant: an answer for a version that is not the client's any more is not given.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use tower_lsp::jsonrpc::{Error, Result};

use super::documents::Open;
use super::error::{failed, of_desk, stale};
use super::session::{Asked, Session};
use crate::correction::{Said, Source, UnknownSource};
use crate::desk::protocol::{
    CorrectParams, CorrectResult, CurrentRecord, LabelRecord, LabelsetRecord, LabelsetsParams,
    LabelsetsResult, RefreshResult, StatusResult, TagParams, TagResult,
};
use crate::desk::{Choice, RulesError};
use crate::engine::scheduler::Priority;
use crate::score::Score;

impl Session {
    pub(super) async fn tag(&self, params: TagParams) -> Result<TagResult> {
        let shared = &self.shared;
        let subject = shared.subject(Asked {
            document: params.text_document.as_ref(),
            text: params.text,
            format: params.format.as_deref(),
            uri: params.uri.as_deref(),
        })?;
        let folder = subject.folder.as_deref();
        let choice = self.choice(folder, params.labels, params.labelset, params.threshold)?;
        let rules = self.rules(subject.folder, choice).await?;
        let tagged = shared
            .desk
            .tag(subject.text, rules, Priority::Interactive)
            .await
            .map_err(|error| of_desk(&error))?;
        let version = subject.open.as_ref().map(|open| open.version);
        let is_other = |open: &Open| !shared.documents().holds(open);
        if subject.open.as_ref().is_some_and(is_other) {
            return Err(stale());
        }
        Ok(tagged.record(version, params.all))
    }

    pub(super) async fn correct(&self, params: CorrectParams) -> Result<CorrectResult> {
        let source = match &params.source {
            Some(word) => word
                .parse()
                .map_err(|error: UnknownSource| Error::invalid_params(error.to_string()))?,
            None if params.text_document.is_some() => Source::Editor,
            None => Source::Script,
        };
        let subject = self.shared.subject(Asked {
            document: params.text_document.as_ref(),
            text: params.text,
            format: params.format.as_deref(),
            uri: params.uri.as_deref(),
        })?;
        let folder = subject.folder.as_deref();
        let choice = self.choice(folder, params.labels, params.labelset, None)?;
        let rules = self.rules(subject.folder, choice).await?;
        let mut said = Said {
            accepted: params.accepted,
            rejected: params.rejected,
            source,
        };
        let (mut ignored, desk) = (Vec::new(), &self.shared.desk);
        if params.front_matter {
            if !(said.accepted.is_empty() && said.rejected.is_empty()) {
                return Err(Error::invalid_params(
                    "give either `frontMatter` or labels that are accepted or rejected, not both",
                ));
            }
            let written = desk.written(&subject.text, &rules).await;
            let written = written.map_err(|error| of_desk(&error))?;
            ignored = written.ignored;
            (said.accepted, said.rejected) = (written.accepted, written.rejected);
            if let Some(unsaid) = written.unsaid {
                return Ok(CorrectResult {
                    sequence: 0,
                    accepted: said.accepted,
                    rejected: said.rejected,
                    ignored,
                    unsaid: Some(unsaid.to_string()),
                });
            }
        }
        if params.dry_run {
            let understood = said.resolve(&rules.labels);
            let (accepted, rejected) = understood.map_err(|error| of_desk(&error.into()))?;
            return Ok(CorrectResult {
                sequence: 0,
                accepted,
                rejected,
                ignored,
                unsaid: None,
            });
        }
        let recorded = desk.correct(subject.text, rules, said).await;
        let (sequence, correction) = recorded.map_err(|error| of_desk(&error))?;
        Ok(CorrectResult {
            sequence,
            accepted: correction.accepted,
            rejected: correction.rejected,
            ignored,
            unsaid: None,
        })
    }

    pub(super) async fn refresh(&self, _: Value) -> Result<RefreshResult> {
        let desk = Arc::clone(&self.shared.desk);
        let refreshed = tokio::task::spawn_blocking(move || desk.refresh()).await;
        let refreshed = refreshed.map_err(|_| Error::internal_error())?;
        let corrections = refreshed.map_err(|error| of_desk(&error))?;
        Ok(RefreshResult { corrections })
    }

    pub(super) async fn status(&self, _: Value) -> Result<StatusResult> {
        let desk = Arc::clone(&self.shared.desk);
        let status = tokio::task::spawn_blocking(move || desk.status()).await;
        status.map_err(|_| Error::internal_error())
    }

    pub(super) async fn labelsets(&self, params: LabelsetsParams) -> Result<LabelsetsResult> {
        let open = match &params.text_document {
            Some(name) => Some(self.shared.open_document(name)?),
            None => None,
        };
        let folder = open.and_then(|open| self.shared.folder_of(&open));
        let choice = self.choice(folder.as_deref(), None, None, None)?;
        let desk = Arc::clone(&self.shared.desk);
        let read = tokio::task::spawn_blocking(move || {
            (desk.labelsets(), desk.rules(folder.as_deref(), &choice))
        });
        let (listed, rules) = read.await.map_err(|_| Error::internal_error())?;
        let labelsets = listed.into_iter().map(|set| {
            let (labels, fault) = match set.labels {
                Ok(labels) => (labels, None),
                Err(fault) => (Vec::new(), Some(fault)),
            };
            LabelsetRecord {
                name: set.name,
                path: set.path.map(|path| path.display().to_string()),
                labels,
                fault,
            }
        });
        let current = match rules {
            Ok(rules) => CurrentRecord {
                name: rules.labels.name.clone(),
                labels: rules
                    .labels
                    .labels()
                    .iter()
                    .map(|label| LabelRecord {
                        name: label.name.clone(),
                        description: label.description.clone(),
                    })
                    .collect(),
                fault: None,
                unset: false,
            },
            Err(error) => CurrentRecord {
                fault: Some(error.to_string()),
                unset: matches!(error, RulesError::NoLabels),
                ..CurrentRecord::default()
            },
        };
        Ok(LabelsetsResult {
            labelsets: labelsets.collect(),
            current,
        })
    }

    pub(super) async fn stop(&self, _: Value) -> Result<Value> {
        // A full channel means that somebody has asked already.
        let _ = self.shared.stop.try_send(());
        Ok(json!({ "pid": std::process::id() }))
    }

    /// What the request chooses, over what the client chose.
    fn choice(
        &self,
        folder: Option<&Path>,
        labels: Option<Vec<String>>,
        labelset: Option<String>,
        threshold: Option<f32>,
    ) -> Result<Choice> {
        if labels.is_some() && labelset.is_some() {
            return Err(Error::invalid_params(
                "give either `labels` or `labelset`, not both",
            ));
        }
        let mut choice = self.shared.choice_in(folder);
        if let Some(value) = threshold {
            let score = Score::new(value);
            choice.threshold = Some(score.ok_or_else(|| {
                Error::invalid_params(format!("`threshold` is {value}, and not from 0 to 1"))
            })?);
        }
        if labels.is_some() || labelset.is_some() {
            choice.labels = labels;
            choice.labelset = labelset;
        }
        Ok(choice)
    }

    /// What holds for a document.
    pub(super) async fn rules_of(&self, open: &Open) -> Result<crate::desk::Rules> {
        let folder = self.shared.folder_of(open);
        let choice = self.shared.choice_in(folder.as_deref());
        self.rules(folder, choice).await
    }

    pub(super) async fn rules(
        &self,
        folder: Option<PathBuf>,
        choice: Choice,
    ) -> Result<crate::desk::Rules> {
        let desk = Arc::clone(&self.shared.desk);
        let read = tokio::task::spawn_blocking(move || desk.rules(folder.as_deref(), &choice));
        let rules = read.await.map_err(|_| Error::internal_error())?;
        rules.map_err(|error| failed(&error.to_string()))
    }
}
