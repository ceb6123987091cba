//! What was last read of an open document, and what follows from it for its present text.
//!
//! Pure: a reading and a text in, suggestions out. Invariant: a tag that the text has is not
//! suggested, however it is spelt there.

use std::sync::Arc;

use super::documents::Open;
use crate::desk::protocol::{Origin, TagRecord};
use crate::desk::{Shown, Tagged};
use crate::frontmatter;
use crate::label::{LabelId, LabelSet};
use crate::score::Score;

/// What the desk said of one version of a document.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) version: i32,
    pub(super) tagged: Arc<Tagged>,
    pub(super) shown: Shown,
}

impl Reading {
    pub(super) fn labels(&self) -> &Arc<LabelSet> {
        &self.tagged.labels
    }

    /// What fits and is not there, best first.
    pub(super) fn suggested(&self, open: &Open) -> Vec<&TagRecord> {
        let set = self.labels();
        let known = frontmatter::read(&open.text, open.format).map(|found| found.tags);
        let known = known.iter().flatten().filter_map(|tag| set.find(tag));
        let known: Vec<LabelId> = known.chain(self.tagged.in_body.iter().copied()).collect();
        // Where a document has no place for tags, one that was accepted is done with.
        let has_no_place = frontmatter::is_without_tags(open.format);
        let tags = self.tagged.tags.iter();
        let tags = tags.filter(|tag| !(has_no_place && tag.origin == Origin::You));
        tags.filter(|tag| !set.find(&tag.label).is_some_and(|id| known.contains(&id)))
            .collect()
    }

    /// The score of a label, where it was scored.
    pub(super) fn score(&self, label: LabelId) -> Option<Score> {
        let mut scores = self.tagged.answer.prediction.scores.iter();
        scores.find(|s| s.label == label).map(|s| s.score)
    }

    /// From which score a label is a tag.
    pub(super) fn threshold(&self, label: LabelId) -> Score {
        self.tagged.selection.threshold_of(label, self.labels())
    }

    /// All labels with their scores, best first; those that were not scored last.
    pub(super) fn ranked(&self) -> Vec<(LabelId, Option<Score>)> {
        let labels = self.labels().labels();
        let ids = (0..).map(LabelId).take(labels.len());
        let mut ranked: Vec<_> = ids.map(|id| (id, self.score(id))).collect();
        let value = |score: Option<Score>| score.map_or(-1.0, Score::value);
        ranked.sort_by(|a, b| value(b.1).total_cmp(&value(a.1)));
        ranked
    }
}

/// A score as people read it.
pub(super) fn percent(score: Score) -> String {
    format!("{:.0} %", f64::from(score.value()) * 100.0)
}
