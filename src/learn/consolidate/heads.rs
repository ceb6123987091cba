//! What a label means to one person: verdicts on texts in, a direction in the space of texts out.
//!
//! A label's head is a logistic regression on the text's plain embedding, on top of what the encoder
//! says of the label by itself, which stands as its prior: without verdicts a head is zero. It moves
//! its own label only, so nothing else that the model knows is forgotten.
//! Pure; the same verdicts give the same heads.

mod regression;

use std::collections::BTreeSet;

use rayon::prelude::*;

use super::exam::{Answer, Question};
use crate::model::label_head::{LabelHead, LabelHeads};
use regression::{Row, Space, balance, fit, sigmoid};

/// How much an ordinary text counts, of which is kept what the shipped model says.
const ORDINARY: f32 = 0.3;
/// How much a label counts that was suggested, and that nobody has judged.
const UNJUDGED: f32 = 0.3;

/// Questions, and what the model without any heads says.
pub(super) type Asked<'a> = (&'a [Question], &'a [Answer]);

/// Everything that heads are fitted to.
pub(super) struct Taught<'a> {
    /// Texts with verdicts.
    pub(super) lessons: Asked<'a>,
    /// Texts that nobody has judged. They say where texts lie.
    pub(super) ordinary: Asked<'a>,
    /// The probabilities that the shipped model gives those.
    pub(super) shipped: &'a [Vec<f32>],
    /// Shipped texts with labels of their own.
    pub(super) replay: Asked<'a>,
    /// The probabilities that the shipped model gives those.
    pub(super) replay_shipped: &'a [Vec<f32>],
    /// From which probability a label is suggested.
    pub(super) threshold: f32,
    /// What the head of a label that is judged here starts from, and is pulled to.
    pub(super) prior: &'a LabelHeads,
    /// The heads of all other labels.
    pub(super) kept: &'a LabelHeads,
}

/// The heads of all labels that were ever judged.
pub(super) fn learn(taught: &Taught) -> LabelHeads {
    let (lessons, ordinary) = (taught.lessons, taught.ordinary);
    let Some(space) = Space::of(ordinary.1.iter().map(|answer| &answer.text)) else {
        return taught.kept.clone();
    };
    let places = |(_, answers): Asked| -> Vec<Vec<f32>> {
        let places = answers.iter().map(|answer| space.place(&answer.text));
        places.collect()
    };
    let lesson_texts = places(lessons);
    let imitated = [
        (places(ordinary), ordinary, taught.shipped),
        (places(taught.replay), taught.replay, taught.replay_shipped),
    ];
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for question in lessons.0 {
        let judged = question.labels.iter().zip(&question.truth);
        names.extend(judged.filter_map(|(name, truth)| truth.map(|_| name.as_str())));
    }
    let of_label = |name: &str| -> Option<LabelHead> {
        let mut rows: Vec<Row> = Vec::new();
        for (text, (question, answer)) in lesson_texts.iter().zip(lessons.0.iter().zip(lessons.1)) {
            if let Some((column, logit)) = found(question, answer, name) {
                let (target, weight) = target(question, column, logit, taught.threshold);
                rows.push(Row {
                    text,
                    logit,
                    target,
                    weight,
                });
            }
        }
        // A text is asked once a label set; once is enough.
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        for (texts, (questions, answers), shipped) in &imitated {
            let asked = questions.iter().zip(*answers).zip(*shipped);
            for (text, ((question, answer), shipped)) in texts.iter().zip(asked) {
                if let Some((column, logit)) = found(question, answer, name)
                    && seen.insert(&question.text)
                {
                    rows.push(Row {
                        text,
                        logit,
                        target: shipped[column],
                        weight: ORDINARY,
                    });
                }
            }
        }
        balance(&mut rows);
        let prior = taught.prior.get(name).map(|head| space.inward(head));
        let from = prior.unwrap_or_else(|| vec![0.0; space.middle.len() + 1]);
        space.outward(&fit(&rows, &from))
    };
    let learnt: Vec<(String, LabelHead)> = names
        .par_iter()
        .filter_map(|name| Some(((*name).to_owned(), of_label(name)?)))
        .collect();
    let others = taught.kept.iter();
    let others = others.filter(|(name, _)| !names.contains(name));
    let others = others.map(|(name, head)| (name.to_owned(), LabelHead::clone(head)));
    learnt.into_iter().chain(others).collect()
}

/// Where a label is among a question's, and the log-odds that it was given.
fn found(question: &Question, answer: &Answer, name: &str) -> Option<(usize, f32)> {
    let column = question.labels.iter().position(|label| label == name)?;
    Some((column, answer.logits[column]?))
}

/// The probability that a label of a judged text should have, and how much that counts.
fn target(question: &Question, column: usize, logit: f32, threshold: f32) -> (f32, f32) {
    let said = sigmoid(logit);
    match question.truth[column] {
        Some(true) => (1.0, 1.0),
        Some(false) => (0.0, 1.0),
        // Whoever gave some tags has looked at the others, and has not missed this one.
        None if question.truth.contains(&Some(true)) && said < threshold => (0.0, 1.0),
        None => (said, UNJUDGED),
    }
}

#[cfg(test)]
mod tests {
    use super::regression::dot;
    use super::*;
    use std::sync::Arc;

    /// Sixteen directions that ordinary texts point in; a text is near one of them.
    const DIMENSIONS: usize = 16;

    fn text(direction: usize, and: usize) -> Vec<f32> {
        let mut text = vec![0.0; DIMENSIONS];
        text[direction] += 0.9;
        text[and] += 0.3;
        let length = dot(&text, &text).sqrt();
        text.iter().map(|x| x / length).collect()
    }

    fn question(text: &str, labels: &[&str], truth: &[Option<bool>]) -> Question {
        Question {
            text: text.to_owned(),
            labels: Arc::new(labels.iter().map(|name| (*name).to_owned()).collect()),
            truth: truth.to_vec(),
            space: 0,
        }
    }

    fn answer(text: Vec<f32>, logits: &[Option<f32>]) -> Answer {
        Answer {
            logits: logits.to_vec(),
            text,
        }
    }

    const LABELS: &[&str] = &["sourdough", "garden"];
    const COLD: &[Option<f32>] = &[Some(-4.0), Some(-4.0)];

    /// What is learnt when `judged` texts have these verdicts on `sourdough`, and nothing was known.
    fn learnt(judged: &[(Vec<f32>, bool)], before: &LabelHeads, untold: f32) -> LabelHeads {
        let numbered = judged.iter().enumerate();
        let questions: Vec<Question> = numbered
            .map(|(i, (_, fits))| question(&i.to_string(), LABELS, &[Some(*fits), None]))
            .collect();
        let answers: Vec<Answer> = judged
            .iter()
            .map(|(text, _)| answer(text.clone(), COLD))
            .collect();
        let plain: Vec<(Question, Answer)> = (0..DIMENSIONS)
            .map(|i| {
                let asked = question(&format!("plain {i}"), LABELS, &[None, None]);
                (asked, answer(text(i, (i + 5) % DIMENSIONS), COLD))
            })
            .collect();
        let (asked, said): (Vec<Question>, Vec<Answer>) = plain.into_iter().unzip();
        let shipped: Vec<Vec<f32>> = said.iter().map(Answer::scores).collect();
        learn(&Taught {
            lessons: (&questions, &answers),
            ordinary: (&asked, &said),
            shipped: &shipped,
            replay: (&[], &[]),
            replay_shipped: &[],
            threshold: 0.25,
            prior: &LabelHeads::default().plus(before, untold),
            kept: before,
        })
    }

    /// What a head makes of a text that was scored -4.
    fn score(heads: &LabelHeads, label: &str, text: &[f32]) -> f32 {
        let shift = heads.get(label).map_or(0.0, |head| head.shift(text));
        sigmoid(-4.0 + shift)
    }

    #[test]
    fn a_label_is_found_on_texts_like_those_it_was_given_to_and_on_no_others() {
        let judged = [
            (text(0, 3), true),
            (text(0, 7), true),
            (text(1, 4), false),
            (text(2, 9), false),
        ];
        let heads = learnt(&judged, &LabelHeads::default(), 0.0);
        assert!(score(&heads, "sourdough", &text(0, 11)) > 0.5);
        for other in 1..DIMENSIONS {
            let score = score(&heads, "sourdough", &text(other, 11));
            assert!(score < 0.25, "direction {other}: {score}");
        }
        assert!(heads.get("garden").is_none(), "nobody has judged it");
    }

    #[test]
    fn a_label_that_was_given_where_it_does_not_fit_is_taken_back_there() {
        let wrong = [(text(0, 3), false), (text(0, 7), false)];
        let questions = wrong
            .iter()
            .map(|_| question("a", &["x"], &[Some(false)]))
            .collect::<Vec<_>>();
        let sure = wrong
            .iter()
            .map(|(text, _)| answer(text.clone(), &[Some(1.0)]))
            .collect::<Vec<_>>();
        let ordinary: Vec<Answer> = (0..DIMENSIONS)
            .map(|i| answer(text(i, 5), &[Some(1.0)]))
            .collect();
        let asked: Vec<Question> = (0..DIMENSIONS)
            .map(|i| question(&format!("plain {i}"), &["x"], &[None]))
            .collect();
        let shipped: Vec<Vec<f32>> = ordinary.iter().map(Answer::scores).collect();
        let heads = learn(&Taught {
            lessons: (&questions, &sure),
            ordinary: (&asked, &ordinary),
            shipped: &shipped,
            replay: (&[], &[]),
            replay_shipped: &[],
            threshold: 0.25,
            prior: &LabelHeads::default(),
            kept: &LabelHeads::default(),
        });
        let head = heads.get("x").unwrap();
        assert!(head.shift(&text(0, 9)) < -1.0);
        // Elsewhere the shipped model's word still holds.
        assert!(head.shift(&text(4, 9)).abs() < 1.0);
    }

    #[test]
    fn what_there_is_no_time_to_learn_again_is_kept() {
        let first = learnt(&[(text(0, 3), true)], &LabelHeads::default(), 0.0);
        let other = [(text(8, 3), true), (text(2, 3), false)];
        let kept = learnt(&other, &first, 1.0);
        let lost = learnt(&other, &first, 0.0);
        let asked = text(0, 12);
        assert!(score(&kept, "sourdough", &asked) > 0.25);
        assert!(score(&lost, "sourdough", &asked) < 0.25);
        assert!(score(&kept, "sourdough", &text(8, 12)) > 0.25);
    }

    #[test]
    fn labels_that_nobody_judges_now_keep_their_heads() {
        let garden = LabelHead::new(vec![1.0; DIMENSIONS], 0.5).unwrap();
        let before: LabelHeads = [("garden".to_owned(), garden.clone())]
            .into_iter()
            .collect();
        let heads = learnt(&[(text(0, 3), true)], &before, 0.0);
        assert_eq!(**heads.get("garden").unwrap(), garden);
        assert_eq!(heads.len(), 2);
    }

    #[test]
    fn the_same_verdicts_give_the_same_heads_in_any_order() {
        let mut judged = vec![(text(0, 3), true), (text(1, 4), false), (text(5, 6), true)];
        let one = learnt(&judged, &LabelHeads::default(), 0.0);
        assert_eq!(one, learnt(&judged, &LabelHeads::default(), 0.0));
        judged.reverse();
        let other = learnt(&judged, &LabelHeads::default(), 0.0);
        for direction in 0..DIMENSIONS {
            let asked = text(direction, 13);
            let [one, other] = [&one, &other].map(|heads| score(heads, "sourdough", &asked));
            assert!((one - other).abs() < 1e-3, "{one} {other}");
        }
    }

    #[test]
    fn without_texts_that_can_be_read_nothing_is_learnt() {
        let before = LabelHeads::default();
        let heads = learn(&Taught {
            lessons: (&[], &[]),
            ordinary: (&[], &[]),
            shipped: &[],
            replay: (&[], &[]),
            replay_shipped: &[],
            threshold: 0.25,
            prior: &before,
            kept: &before,
        });
        assert!(heads.is_empty());
        let unread = [
            question("", LABELS, &[Some(true), None]),
            question("plain", LABELS, &[None, None]),
            question("plainer", LABELS, &[None, None]),
        ];
        let silent = [
            answer(Vec::new(), &[None, None]),
            answer(text(0, 1), &[None, None]),
            answer(text(2, 1), &[None, None]),
        ];
        let heads = learn(&Taught {
            lessons: (&unread[..1], &silent[..1]),
            ordinary: (&unread[1..], &silent[1..]),
            shipped: &[vec![0.0, 0.0], vec![0.0, 0.0]],
            replay: (&[], &[]),
            replay_shipped: &[],
            threshold: 0.25,
            prior: &before,
            kept: &before,
        });
        let head = heads.get("sourdough").unwrap();
        assert_eq!(head.shift(&text(3, 4)), 0.0);
    }
}
