//! From scores to tags: which labels a reader is shown.
//!
//! Pure: takes scores and thresholds, gives tags. A higher threshold never adds a tag.

use crate::label::{LabelId, LabelSet};
use crate::score::{Logit, Score};

/// What the model says about one label of a set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LabelScore {
    /// Which label.
    pub label: LabelId,
    /// Calibrated log-odds.
    pub logit: Logit,
    /// The probability: `sigmoid(logit)`, or its share under softmax where labels exclude each other.
    pub score: Score,
}

/// A label that the document gets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tag {
    /// Which label.
    pub label: LabelId,
    /// How sure the model is.
    pub score: Score,
}

/// Which scores become tags.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Selection {
    /// Overrides every threshold of the label set.
    pub threshold: Option<Score>,
    /// The default where neither the reader nor the label set says anything.
    pub default_threshold: Score,
    /// At most so many tags.
    pub top: Option<usize>,
    /// Labels exclude each other: the best one is the tag.
    pub multi_class: bool,
}

/// The tags of a document, best first; equal scores keep the label set's order.
pub fn select(scores: &[LabelScore], set: &LabelSet, selection: &Selection) -> Vec<Tag> {
    let limit = |s: &LabelScore| {
        let label = set.label(s.label);
        selection
            .threshold
            .or(label.threshold)
            .or(set.threshold)
            .unwrap_or(selection.default_threshold)
    };
    let mut tags: Vec<Tag> = scores
        .iter()
        .filter(|s| !set.label(s.label).manual)
        .filter(|s| selection.multi_class && selection.threshold.is_none() || s.score >= limit(s))
        .map(|s| Tag {
            label: s.label,
            score: s.score,
        })
        .collect();
    tags.sort_by(|a, b| {
        b.score
            .value()
            .total_cmp(&a.score.value())
            .then(a.label.cmp(&b.label))
    });
    let at_most = if selection.multi_class {
        selection.top.unwrap_or(1)
    } else {
        selection.top.unwrap_or(usize::MAX)
    };
    tags.truncate(at_most);
    tags
}
