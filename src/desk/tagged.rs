//! What fits a text: tags with all that they come of, and the record of them for clients.

use std::sync::Arc;

use super::protocol::{ScoreRecord, TagRecord, TagResult};
use crate::engine::Prediction;
use crate::engine::worker::Answer;
use crate::label::{LabelId, LabelSet};
use crate::tag::Selection;

/// What fits a text.
#[derive(Clone, Debug)]
pub struct Tagged {
    /// Labels that fit, best first.
    pub tags: Vec<TagRecord>,
    /// The labels that were asked about.
    pub labels: Arc<LabelSet>,
    /// The scores of all labels, with what is remembered of corrections.
    pub answer: Answer,
    /// What the model said by itself.
    pub raw: Arc<Prediction>,
    /// From which scores labels are tags.
    pub selection: Selection,
    /// The labels that stand in the text's settings, however they are spelt there.
    pub in_settings: Vec<LabelId>,
    /// The labels that stand in its body.
    pub in_body: Vec<LabelId>,
}

impl Tagged {
    /// Whether the text has a label as a tag.
    pub fn has(&self, label: LabelId) -> bool {
        self.in_settings.contains(&label) || self.in_body.contains(&label)
    }

    /// The record for clients; `all` adds every score.
    pub fn record(&self, version: Option<i32>, all: bool) -> TagResult {
        let prediction = &self.answer.prediction;
        let name = |label| self.labels.label(label).name.clone();
        let scores = prediction.scores.iter().map(|s| ScoreRecord {
            label: name(s.label),
            logit: s.logit.value(),
            score: s.score.value(),
        });
        let unscored = prediction.unscored.iter();
        TagResult {
            tags: self.tags.clone(),
            scores: all.then(|| scores.collect()),
            model: self.answer.model.name.to_string(),
            version,
            cached: self.answer.cached,
            windows: prediction.windows,
            cut: prediction.cut,
            unscored: unscored.map(|u| name(u.label)).collect(),
        }
    }
}
