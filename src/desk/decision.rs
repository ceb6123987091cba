//! Which tags a document has: scores, what is remembered and what a person said of it in; tags out.
//!
//! Invariant: what a person said of the document itself comes before everything else; a tag that
//! the model alone would not give says where it comes from. Pure.

use super::protocol::Origin;
use crate::correction::Verdict;
use crate::label::{LabelId, LabelSet};
use crate::learn::memory::Recall;
use crate::score::{Logit, Score};
use crate::tag::{LabelScore, Selection, best, select, select_from};

/// The log-odds up to which a label that the memory has raised outdoes others: nearly nine to one.
const HIGHEST_BAR: f32 = 2.0;

/// What is known of a document.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// What the model said by itself.
    pub raw: &'a [LabelScore],
    /// The same with what is remembered.
    pub adjusted: &'a [LabelScore],
    /// What is remembered.
    pub recall: &'a Recall,
    /// What a person said of this document.
    pub said: Option<&'a Verdict>,
}

/// A label that fits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    /// Which label.
    pub label: LabelId,
    /// How well it fits; none where the model could not score a label that a person gave.
    pub score: Option<Score>,
    /// Who says so.
    pub origin: Origin,
}

/// What passes its threshold and was not rejected, and what was accepted; first what a person said,
/// then the surest.
pub fn decide(set: &LabelSet, selection: &Selection, facts: Facts) -> Vec<Decision> {
    let by_itself = select(facts.raw, set, selection);
    let is_of_model = |label| {
        let is_pinned = facts.recall.pinned.contains_key(&label);
        !is_pinned && by_itself.iter().any(|tag| tag.label == label)
    };
    let adjusted = select_from(facts.adjusted, best_of(&facts, set), set, selection);
    let mut decisions: Vec<Decision> = adjusted
        .into_iter()
        .map(|tag| Decision {
            label: tag.label,
            score: Some(tag.score),
            origin: if is_of_model(tag.label) {
                Origin::Model
            } else {
                Origin::Memory
            },
        })
        .collect();
    let Some(said) = facts.said else {
        return decisions;
    };
    let fits = |label: LabelId| said.of(set.label(label));
    decisions.retain(|decision| fits(decision.label) != Some(false));
    for decision in &mut decisions {
        if fits(decision.label) == Some(true) {
            decision.origin = Origin::You;
        }
    }
    let labels = (0..set.labels().len()).map(|place| LabelId(place as u32));
    for label in labels.filter(|label| fits(*label) == Some(true)) {
        if decisions.iter().all(|decision| decision.label != label) {
            let scored = facts.adjusted.iter().find(|s| s.label == label);
            decisions.push(Decision {
                label,
                score: scored.map(|s| s.score),
                origin: Origin::You,
            });
        }
    }
    decisions.sort_by_key(|decision| decision.origin != Origin::You);
    decisions
}

/// The best label, which others may not be far behind.
///
/// One that was rejected for this very text counts as before: whoever rejects one tag has not said
/// that weaker ones fit.
fn best_of(facts: &Facts, set: &LabelSet) -> Option<Logit> {
    let is_rejected = |label| facts.recall.pinned.get(&label) == Some(&false);
    let rejected = facts.raw.iter().filter(|s| is_rejected(s.label));
    let rejected = rejected.filter(|s| !set.label(s.label).manual);
    let standing = best(facts.adjusted, &bars(facts), set);
    let all = rejected.map(|s| s.logit).chain(standing);
    all.reduce(|a, b| if b > a { b } else { a })
}

/// How high each label stands among those that others may not be far behind.
///
/// What like texts have taught counts as it does of the model itself, up to a point: the memory's
/// shifts are large. What was said of this very text does not count, for whoever accepts one tag has
/// not rejected the others.
fn bars(facts: &Facts) -> Vec<LabelScore> {
    let highest = Logit::new(HIGHEST_BAR);
    let both = facts.raw.iter().zip(facts.adjusted);
    both.map(|(raw, adjusted)| {
        let raised = match highest {
            Some(highest) if adjusted.logit > highest => highest,
            _ => adjusted.logit,
        };
        let is_pinned = facts.recall.pinned.contains_key(&raw.label);
        match raised > raw.logit && !is_pinned {
            true => LabelScore {
                logit: raised,
                ..*raw
            },
            false => *raw,
        }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::correction::{Correction, Said, Source, Verdicts};
    use crate::document::Format;
    use std::collections::BTreeMap;

    fn set() -> LabelSet {
        LabelSet::from_names(["garden", "tax", "heron", "mopsy"]).unwrap()
    }

    fn scores(logits: [f32; 3]) -> Vec<LabelScore> {
        let scored = |(label, logit): (usize, f32)| {
            let logit = Logit::new(logit).unwrap();
            LabelScore {
                label: LabelId(label as u32),
                logit,
                score: logit.sigmoid(),
            }
        };
        logits.into_iter().enumerate().map(scored).collect()
    }

    fn decided(recall: &Recall, adjusted: [f32; 3], said: Option<&Verdict>) -> Vec<(u32, Origin)> {
        let selection = Selection {
            threshold: None,
            default_threshold: Score::new(0.5).unwrap(),
            margin: None,
            top: None,
            multi_class: false,
        };
        let facts = Facts {
            raw: &scores([2.0, -2.0, -2.0]),
            adjusted: &scores(adjusted),
            recall,
            said,
        };
        let decisions = decide(&set(), &selection, facts);
        decisions.iter().map(|d| (d.label.0, d.origin)).collect()
    }

    #[test]
    fn a_tag_says_who_gives_it() {
        let none = Recall::default();
        assert_eq!(
            decided(&none, [2.0, -2.0, -2.0], None),
            [(0, Origin::Model)]
        );
        let recall = Recall {
            pinned: BTreeMap::from([(LabelId(0), true)]),
            shifts: BTreeMap::from([(LabelId(1), 5.0)]),
        };
        assert_eq!(
            decided(&recall, [8.0, 3.0, -2.0], None),
            [(0, Origin::Memory), (1, Origin::Memory)]
        );
    }

    #[test]
    fn what_like_texts_have_taught_outdoes_weak_tags_and_a_verdict_on_the_text_itself_none() {
        let selection = Selection {
            threshold: None,
            default_threshold: Score::new(0.2).unwrap(),
            margin: Some(1.75),
            top: None,
            multi_class: false,
        };
        let given = |recall: &Recall, adjusted| -> Vec<u32> {
            let (raw, adjusted) = (scores([0.5, -0.5, -3.0]), scores(adjusted));
            let facts = Facts {
                raw: &raw,
                adjusted: &adjusted,
                recall,
                said: None,
            };
            let decisions = decide(&set(), &selection, facts);
            decisions.iter().map(|d| d.label.0).collect()
        };
        assert_eq!(given(&Recall::default(), [0.5, -0.5, -3.0]), [0, 1]);
        let taught = Recall {
            shifts: BTreeMap::from([(LabelId(2), 12.0)]),
            ..Recall::default()
        };
        assert_eq!(given(&taught, [0.5, -0.5, 9.0]), [2, 0]);
        let accepted = Recall {
            pinned: BTreeMap::from([(LabelId(2), true)]),
            ..Recall::default()
        };
        assert_eq!(given(&accepted, [0.5, -0.5, 8.0]), [2, 0, 1]);
        // Nor does a rejected tag let in what was too far behind it; what like texts lowered does.
        let rejected = Recall {
            pinned: BTreeMap::from([(LabelId(0), false)]),
            ..Recall::default()
        };
        assert_eq!(given(&rejected, [-6.0, -0.5, -1.3]), [1]);
        let lowered = Recall {
            shifts: BTreeMap::from([(LabelId(0), -6.5)]),
            ..Recall::default()
        };
        assert_eq!(given(&lowered, [-6.0, -0.5, -1.3]), [1, 2]);
    }

    #[test]
    fn what_was_said_of_the_document_comes_first_even_of_labels_that_have_no_score() {
        let said = Said {
            accepted: vec!["Heron".into(), "mopsy".into()],
            rejected: vec!["garden".into()],
            source: Source::Script,
        };
        let mut correction = Correction::new("a".into(), Format::Plain, &set(), &said).unwrap();
        correction.document = Some("file:///a".into());
        let mut verdicts = Verdicts::default();
        verdicts.apply(&correction, 1);
        assert_eq!(
            decided(
                &Recall::default(),
                [2.0, 1.0, -2.0],
                verdicts.of("file:///a")
            ),
            [
                (2, Origin::You),
                (3, Origin::You),
                (1, Origin::Memory) // The adjusted score alone has it.
            ]
        );
    }
}
