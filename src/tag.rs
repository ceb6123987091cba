//! From scores to tags: which labels a reader is shown.
//!
//! Pure: takes scores and thresholds, gives tags. A higher threshold never adds a tag.
//! A score never depends on other labels; which of the scores by default become tags does, for a label
//! far behind the best one is seldom meant.

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
    /// How far, in log-odds, a label may be behind the best one where its threshold is the default.
    pub margin: Option<f32>,
    /// At most so many tags.
    pub top: Option<usize>,
    /// Labels exclude each other: the best one is the tag.
    pub multi_class: bool,
}

impl Selection {
    /// The score from which a label of `set` is a tag.
    pub fn threshold_of(&self, label: LabelId, set: &LabelSet) -> Score {
        self.asked_for(label, set).unwrap_or(self.default_threshold)
    }

    /// The threshold that somebody has asked for: whoever reads, or whoever wrote the label set.
    fn asked_for(&self, label: LabelId, set: &LabelSet) -> Option<Score> {
        let of_reader = self.threshold.or(set.label(label).threshold);
        of_reader.or(set.threshold)
    }

    fn passes(&self, scored: &LabelScore, best: Logit, set: &LabelSet) -> bool {
        match self.asked_for(scored.label, set) {
            _ if self.multi_class && self.threshold.is_none() => true,
            Some(threshold) => scored.score >= threshold,
            None => {
                let behind = best.value() - scored.logit.value();
                scored.score >= self.default_threshold && self.margin.is_none_or(|m| behind <= m)
            }
        }
    }
}

/// The tags of a document, best first; equal scores keep the label set's order.
pub fn select(scores: &[LabelScore], set: &LabelSet, selection: &Selection) -> Vec<Tag> {
    select_from(scores, best(scores, scores, set), set, selection)
}

/// The best of the labels that may be given, where the scores were moved by what was learnt of single
/// labels; none where none may be given.
///
/// A label that was raised above all others does not outdo them for it: the best one is that of
/// `before`, as far as it was not lowered. The two are parallel.
pub fn best(scores: &[LabelScore], before: &[LabelScore], set: &LabelSet) -> Option<Logit> {
    let lower = |(now, then): (&LabelScore, &LabelScore)| {
        if then.logit < now.logit {
            then.logit
        } else {
            now.logit
        }
    };
    let may_be_given = scores
        .iter()
        .zip(before)
        .filter(|(s, _)| !set.label(s.label).manual);
    may_be_given
        .map(lower)
        .reduce(|a, b| if b > a { b } else { a })
}

/// The tags where the best label stands at `best`; none where there is no such.
pub fn select_from(
    scores: &[LabelScore],
    best: Option<Logit>,
    set: &LabelSet,
    selection: &Selection,
) -> Vec<Tag> {
    let Some(best) = best else {
        return Vec::new();
    };
    let mut tags: Vec<Tag> = scores
        .iter()
        .filter(|s| !set.label(s.label).manual)
        .filter(|s| selection.passes(s, best, set))
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn score(value: f32) -> Score {
        Score::new(value).unwrap()
    }

    /// Scores of a set's labels in order; a set may have more labels than scores.
    fn scores(values: &[f32]) -> Vec<LabelScore> {
        (0..)
            .map(LabelId)
            .zip(values)
            .map(|(label, value)| LabelScore {
                label,
                logit: Logit::new(0.0).unwrap(),
                score: score(*value),
            })
            .collect()
    }

    fn selection() -> Selection {
        Selection {
            threshold: None,
            default_threshold: score(0.5),
            margin: None,
            top: None,
            multi_class: false,
        }
    }

    fn names(set: &LabelSet, values: &[f32], selection: &Selection) -> Vec<String> {
        select(&scores(values), set, selection)
            .iter()
            .map(|tag| set.label(tag.label).name.clone())
            .collect()
    }

    #[test]
    fn the_nearest_threshold_counts_reader_then_label_then_set_then_model() {
        let set = LabelSet::parse(
            "threshold = 0.4\n[[label]]\nname = 'a'\nthreshold = 0.8\n[[label]]\nname = 'b'\n",
        )
        .unwrap();
        let bare = LabelSet::from_names(["a", "b"]).unwrap();
        let given = |threshold: f32| Selection {
            threshold: Some(score(threshold)),
            ..selection()
        };
        assert_eq!(names(&set, &[0.7, 0.7], &selection()), ["b"]);
        assert_eq!(names(&set, &[0.8, 0.4], &selection()), ["a", "b"]);
        assert_eq!(names(&set, &[0.7, 0.7], &given(0.6)), ["a", "b"]);
        assert_eq!(names(&set, &[0.9, 0.9], &given(0.95)), [""; 0]);
        assert_eq!(names(&bare, &[0.5, 0.49], &selection()), ["a"]);
    }

    #[test]
    fn a_label_far_behind_the_best_is_no_tag_unless_somebody_set_its_threshold() {
        let set = LabelSet::parse(
            "[[label]]\nname = 'a'\n[[label]]\nname = 'b'\n[[label]]\nname = 'c'\n\
             [[label]]\nname = 'd'\nthreshold = 0.3\n[[label]]\nname = 'e'\nmanual = true\n",
        )
        .unwrap();
        let scored = |logits: [f32; 5]| -> Vec<LabelScore> {
            let logits = logits.map(|logit| Logit::new(logit).unwrap());
            let ids = (0..).map(LabelId);
            ids.zip(logits)
                .map(|(label, logit)| LabelScore {
                    label,
                    logit,
                    score: logit.sigmoid(),
                })
                .collect()
        };
        let close = Selection {
            default_threshold: score(0.3),
            margin: Some(1.0),
            ..selection()
        };
        let now = scored([3.0, 2.0, 1.9, 0.0, 9.0]);
        assert_eq!(ids(&select(&now, &set, &close)), [0, 1, 3].map(LabelId));
        let all = Selection {
            threshold: Some(score(0.3)),
            ..close
        };
        assert_eq!(ids(&select(&now, &set, &all)), [0, 1, 2, 3].map(LabelId));
        // What was raised by something learnt does not push others out; what was lowered lets them in.
        let before = scored([1.2, 2.0, 1.9, 0.0, 9.0]);
        let tags = select_from(&now, best(&now, &before, &set), &set, &close);
        assert_eq!(ids(&tags), [0, 1, 2, 3].map(LabelId));
        let lowered = scored([-5.0, 2.0, 1.9, 0.0, 9.0]);
        let tags = select_from(&lowered, best(&lowered, &now, &set), &set, &close);
        assert_eq!(ids(&tags), [1, 2, 3].map(LabelId));
    }

    #[test]
    fn the_best_come_first_and_equals_keep_the_sets_order() {
        let set = LabelSet::from_names(["a", "b", "c", "d"]).unwrap();
        let values = [0.6, 0.9, 0.6, 0.7];
        assert_eq!(names(&set, &values, &selection()), ["b", "d", "a", "c"]);
    }

    #[test]
    fn labels_that_exclude_each_other_give_the_best_one_however_low() {
        let set = LabelSet::from_names(["a", "b", "c"]).unwrap();
        let one = Selection {
            multi_class: true,
            ..selection()
        };
        assert_eq!(names(&set, &[0.2, 0.3, 0.1], &one), ["b"]);
        // Unless the reader asks for more of them, or for a score that none has.
        let two = Selection {
            top: Some(2),
            ..one
        };
        assert_eq!(names(&set, &[0.2, 0.3, 0.1], &two), ["b", "a"]);
        let sure = Selection {
            threshold: Some(score(0.5)),
            ..one
        };
        assert_eq!(names(&set, &[0.2, 0.3, 0.1], &sure), [""; 0]);
    }

    prop_compose! {
        /// A set of labels with and without thresholds and `manual`, and a score for each.
        fn scored()(
            labels in prop::collection::vec((prop::option::of(0_u8..=10), any::<bool>(), 0_u8..=10), 1..12),
            default in prop::option::of(0_u8..=10),
        ) -> (LabelSet, Vec<LabelScore>) {
            let mut source = default.map_or(String::new(), |t| format!("threshold = {}\n", f32::from(t) / 10.0));
            for (i, (threshold, manual, _)) in labels.iter().enumerate() {
                source += &format!("[[label]]\nname = 'label {i}'\nmanual = {manual}\n");
                if let Some(threshold) = threshold {
                    source += &format!("threshold = {}\n", f32::from(*threshold) / 10.0);
                }
            }
            let values: Vec<f32> = labels.iter().map(|(.., value)| f32::from(*value) / 10.0).collect();
            (LabelSet::parse(&source).unwrap(), scores(&values))
        }
    }

    prop_compose! {
        fn any_selection()(
            threshold in prop::option::of(0.0_f32..=1.0), default in 0.0_f32..=1.0,
            top in prop::option::of(0_usize..5), multi_class in any::<bool>(),
            margin in prop::option::of(0.0_f32..=1.0),
        ) -> Selection {
            Selection {
                threshold: threshold.map(score), default_threshold: score(default), margin, top, multi_class,
            }
        }
    }

    fn ids(tags: &[Tag]) -> Vec<LabelId> {
        tags.iter().map(|tag| tag.label).collect()
    }

    proptest! {
        #[test]
        fn a_higher_threshold_never_adds_a_tag(
            (set, scores) in scored(), selection in any_selection(),
            low in 0.0_f32..=1.0, high in 0.0_f32..=1.0,
        ) {
            let (low, high) = (low.min(high), low.max(high));
            let tags = |threshold| ids(&select(&scores, &set, &Selection { threshold: Some(score(threshold)), ..selection }));
            let (many, few) = (tags(low), tags(high));
            // Those that stay are the best of those there were, in the same order.
            prop_assert_eq!(&many[..few.len()], few);
            let tags = |default| ids(&select(&scores, &set, &Selection { threshold: None, default_threshold: score(default), ..selection }));
            let (many, few) = (tags(low), tags(high));
            prop_assert!(few.len() <= many.len());
            if selection.top.is_none() {
                prop_assert!(few.iter().all(|label| many.contains(label)));
            }
        }

        #[test]
        fn the_top_k_are_the_first_k_of_all(
            (set, scores) in scored(), selection in any_selection(), k in 0_usize..12,
        ) {
            let wide = Selection { top: Some(usize::MAX), ..selection };
            let all = select(&scores, &set, &wide);
            let top = select(&scores, &set, &Selection { top: Some(k), ..wide });
            prop_assert_eq!(&all[..k.min(all.len())], top);
        }

        #[test]
        fn a_tag_is_never_manual_never_twice_and_has_the_score_it_was_given(
            (set, scores) in scored(), selection in any_selection(),
        ) {
            let tags = select(&scores, &set, &selection);
            for tag in &tags {
                prop_assert!(!set.label(tag.label).manual);
                prop_assert!(scores.iter().any(|s| s.label == tag.label && s.score == tag.score));
            }
            let mut labels = ids(&tags);
            labels.sort_unstable();
            labels.dedup();
            prop_assert_eq!(labels.len(), tags.len());
            prop_assert!(tags.is_sorted_by(|a, b| (b.score, a.label) <= (a.score, b.label)));
        }

        #[test]
        fn multi_class_gives_exactly_one_where_any_label_may_be_given((set, scores) in scored()) {
            let one = Selection { multi_class: true, ..selection() };
            let givable = set.labels().iter().any(|label| !label.manual);
            prop_assert_eq!(select(&scores, &set, &one).len(), usize::from(givable));
        }
    }
}
