//! What a model said in earlier jobs: questions in, answers out, kept in the cache folder.
//!
//! A job asks the same ordinary texts and old corrections as the one before, and the model without
//! what was learnt of labels answers them alike: reading them again would take nearly all of its time.
//! Invariant: a question is answered from here only where the same model was asked for the same text
//! about the same labels that meant the same; whatever cannot be read or written is asked again.

use std::path::Path;

use super::exam::{Answer, Question};
use crate::engine::Embedding;
use crate::label::Descriptions;
use crate::learn::memory::TextKey;
use crate::learn::memory::impressions::{Impression, Impressions, Kind};
use crate::score::{Logit, Score};

/// Answers by question; none are known where there is no file.
#[derive(Debug, Default)]
pub(super) struct Known(Option<Impressions>);

impl Known {
    /// What the model with this fingerprint said before, as the cache folder has it.
    pub(super) fn open(cache: &Path, fingerprint: &str) -> Known {
        let opened = Impressions::open(cache, fingerprint, Kind::Asked);
        Known(opened.inspect_err(warn).ok())
    }

    /// The answer to a question, if it was asked before.
    pub(super) fn answer(&self, question: &Question, meaning: &Descriptions) -> Option<Answer> {
        let said = self.0.as_ref()?.get(key(question, meaning))?;
        let labels = question.labels.iter();
        let logit = |label: &String| Some(Some(log_odds(*said.scores.get(label)?)?));
        Some(Answer {
            logits: labels.map(logit).collect::<Option<_>>()?,
            text: said.embedding.unit().collect(),
        })
    }

    /// Keeps what was said, but not where a label or the text could not be read.
    pub(super) fn keep(
        &mut self,
        questions: &[Question],
        answers: &[Answer],
        meaning: &Descriptions,
    ) {
        let Some(kept) = &mut self.0 else {
            return;
        };
        let both = questions.iter().zip(answers);
        let made = both.filter_map(|(question, answer)| {
            let labels = question.labels.iter().zip(&answer.logits);
            let score = |(label, logit): (&String, &Option<f32>)| {
                Some((label.clone(), Logit::new((*logit)?)?.sigmoid()))
            };
            let impression = Impression {
                embedding: Embedding::new(&answer.text)?,
                scores: labels.map(score).collect::<Option<_>>()?,
            };
            Some((key(question, meaning), impression))
        });
        if let Err(error) = kept.keep(made.collect()) {
            warn(&error);
        }
    }
}

fn warn(error: &std::io::Error) {
    tracing::warn!("what the model says is not kept between jobs, and asked again: {error}");
}

/// Tells a text with its labels and what they mean from all others. The labels are part of it, since
/// some models read all of them at once.
fn key(question: &Question, meaning: &Descriptions) -> TextKey {
    let mut asked = question.text.clone();
    for label in question.labels.iter() {
        // Separators of records and fields, which nobody types.
        asked.push_str("\n\u{1f}");
        asked.push_str(label);
        if let Some(meant) = meaning.get(label) {
            asked.push('\u{1e}');
            asked.push_str(meant);
        }
    }
    TextKey::new(&asked)
}

/// The log-odds of a probability; none of one that was rounded to a certainty.
fn log_odds(score: Score) -> Option<f32> {
    let p = f64::from(score.value());
    let odds = (p / (1.0 - p)).ln() as f32;
    odds.is_finite().then_some(odds)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn question(text: &str, labels: &[&str]) -> Question {
        Question {
            text: text.to_owned(),
            labels: Arc::new(labels.iter().map(|label| (*label).to_owned()).collect()),
            truth: vec![None; labels.len()],
            space: 0,
        }
    }

    fn answer(logits: &[Option<f32>]) -> Answer {
        let logits = logits.to_vec();
        let text = Embedding::from_codes(vec![3, 4, 0]).unwrap();
        Answer {
            logits,
            text: text.unit().collect(),
        }
    }

    #[test]
    fn a_question_is_answered_again_by_the_same_model_only() {
        let dir = tempfile::tempdir().unwrap();
        let asked = question("Roses want pruning.", &["garden", "tax"]);
        let said = answer(&[Some(2.5), Some(-9.0)]);
        let none = Descriptions::new();
        let mut first = Known::open(dir.path(), "one");
        assert!(first.answer(&asked, &none).is_none());
        first.keep(
            std::slice::from_ref(&asked),
            std::slice::from_ref(&said),
            &none,
        );
        let again = Known::open(dir.path(), "one").answer(&asked, &none);
        let again = again.expect("it was kept");
        for (now, then) in again.logits.iter().zip(&said.logits) {
            assert!((now.unwrap() - then.unwrap()).abs() < 1e-5, "{now:?}");
        }
        let along: f32 = again.text.iter().zip(&said.text).map(|(a, b)| a * b).sum();
        assert!(along > 0.9999, "{along}");
        assert!(
            Known::open(dir.path(), "two")
                .answer(&asked, &none)
                .is_none()
        );
    }

    #[test]
    fn other_texts_labels_and_meanings_are_other_questions() {
        let dir = tempfile::tempdir().unwrap();
        let (asked, none) = (question("Roses.", &["garden", "tax"]), Descriptions::new());
        let mut known = Known::open(dir.path(), "one");
        known.keep(
            std::slice::from_ref(&asked),
            &[answer(&[Some(1.0), Some(2.0)])],
            &none,
        );
        for other in [
            question("Rose.", &["garden", "tax"]),
            question("Roses.", &["tax", "garden"]),
            question("Roses.", &["garden"]),
            question("Roses.", &["garden tax"]),
        ] {
            assert!(known.answer(&other, &none).is_none(), "{other:?}");
        }
        let named = question("Roses.", &["garden", "tax: What is due."]);
        known.keep(&[named], &[answer(&[Some(1.0), Some(2.0)])], &none);
        let meaning = [("tax".to_owned(), "What is due.".to_owned())].into();
        assert!(known.answer(&asked, &meaning).is_none());
        assert!(known.answer(&asked, &none).is_some());
    }

    #[test]
    fn what_could_not_be_read_is_asked_again() {
        let dir = tempfile::tempdir().unwrap();
        let none = Descriptions::new();
        let mut known = Known::open(dir.path(), "one");
        let questions = [
            question("a", &["x"]),
            question("b", &["x"]),
            question("c", &["x"]),
        ];
        let silent = Answer {
            logits: vec![Some(1.0)],
            text: Vec::new(),
        };
        let said = [answer(&[None]), silent, answer(&[Some(60.0)])];
        known.keep(&questions, &said, &none);
        for question in &questions {
            assert!(known.answer(question, &none).is_none(), "{question:?}");
        }
    }

    #[test]
    fn without_a_cache_folder_everything_is_asked() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut known = Known::open(file.path(), "one");
        let (asked, none) = (question("a", &["x"]), Descriptions::new());
        known.keep(std::slice::from_ref(&asked), &[answer(&[Some(1.0)])], &none);
        assert!(known.answer(&asked, &none).is_none());
    }
}
