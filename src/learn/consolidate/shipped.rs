//! What the shipped model says of the shipped texts: those that are practised, and those that the
//! gate measures by.
//!
//! It is the same in every job of everybody, and reading them takes a third of one. Input: bytes
//! that are compiled in. Output: answers. Invariant: for a model that reads as the shipped one does
//! (`Model::reads_as_shipped`), and for these texts with these labels.

use std::collections::HashMap;
use std::sync::Arc;

use super::ConsolidateError;
use super::exam::{self, Answer, Question};
use super::replay::{Half, spaces};
use crate::engine::Embedding;
use crate::label::Descriptions;
use crate::model::Model;

/// A text after the other: the log-odds of each label as float32, little-endian, NaN where the
/// model cannot read it; then the text's vector, a byte a dimension. Written by
/// `cargo bench --bench consolidation -- --write-answers FILE`.
const SAID: &[u8] = include_bytes!("shipped.bin");

/// Everything that is asked of shipped texts, in the order of the bytes.
fn questions() -> Vec<Question> {
    let halves = [Half::Measure, Half::Practice];
    let spaces = halves.map(spaces).concat();
    Question::of_spaces(&spaces)
}

/// The answers to `questions`, which are some of the shipped texts; none where one is another.
pub(super) fn answers(questions: &[Question]) -> Option<Vec<Answer>> {
    let all = self::questions();
    let said = decoded(SAID, &all)?;
    let pairs = all.iter().zip(&said);
    let known: HashMap<_, _> = pairs
        .map(|(question, answer)| ((&question.text, &question.labels), answer))
        .collect();
    let answers = questions.iter().map(|question| {
        let said = known.get(&(&question.text, &question.labels))?;
        Some((*said).clone())
    });
    answers.collect()
}

/// What this model says of them, as bytes.
///
/// # Errors
/// Of the engine.
pub fn said_by(model: &Arc<Model>) -> Result<Vec<u8>, ConsolidateError> {
    let questions = questions();
    let mut bytes = Vec::new();
    for answer in exam::asked(model, &questions, &Descriptions::new(), true)? {
        for logit in answer.logits {
            bytes.extend(logit.unwrap_or(f32::NAN).to_le_bytes());
        }
        let text = Embedding::new(&answer.text);
        let codes = text.iter().flat_map(Embedding::codes);
        bytes.extend(codes.map(|code| code.cast_unsigned()));
    }
    Ok(bytes)
}

fn decoded(bytes: &[u8], questions: &[Question]) -> Option<Vec<Answer>> {
    let logits: usize = questions.iter().map(|question| question.labels.len()).sum();
    let codes = bytes.len().checked_sub(4 * logits)?;
    let dimensions = codes.checked_div(questions.len())?;
    if dimensions * questions.len() != codes {
        return None;
    }
    let mut left = bytes;
    let mut take = |n: usize| left.split_off(..n);
    let answers = questions.iter().map(|question| {
        let logits = take(4 * question.labels.len())?.as_chunks::<4>().0.iter();
        let logits = logits.map(|bytes| Some(f32::from_le_bytes(*bytes)).filter(|x| !x.is_nan()));
        let logits = logits.collect();
        let codes = take(dimensions)?.iter().map(|code| code.cast_signed());
        let text = Embedding::from_codes(codes.collect())?;
        Some(Answer {
            logits,
            text: text.unit().collect(),
        })
    });
    answers.collect()
}

#[cfg(all(test, feature = "bundled-model"))]
mod tests {
    use super::*;
    use crate::model::LoadOptions;

    /// When it fails, the model or the texts have changed: write the answers anew.
    #[test]
    fn the_shipped_answers_are_what_the_shipped_model_says() {
        let questions = questions();
        let shipped = answers(&questions).expect("they are of these texts");
        let model = Arc::new(Model::bundled(&LoadOptions::default()).unwrap());
        // A model takes its time in a test: a few of them, from all spaces.
        for (question, shipped) in questions.iter().zip(&shipped).step_by(29) {
            let question_alone = std::slice::from_ref(question);
            let own = exam::asked(&model, question_alone, &Descriptions::new(), true).unwrap();
            let logits = own[0].logits.iter().zip(&shipped.logits);
            for (own, shipped) in logits {
                let (own, shipped) = (own.unwrap(), shipped.unwrap());
                assert!((own - shipped).abs() < 1e-3, "{}: {own}", question.text);
            }
            let along: f32 = own[0]
                .text
                .iter()
                .zip(&shipped.text)
                .map(|(a, b)| a * b)
                .sum();
            assert!(along > 0.9999, "{}: {along}", question.text);
        }
    }

    #[test]
    fn answers_to_other_questions_are_none() {
        let mut questions = questions();
        assert_eq!(answers(&questions[5..9]).map(|said| said.len()), Some(4));
        assert!(decoded(SAID, &questions[1..]).is_none());
        assert!(decoded(&[], &questions).is_none());
        assert!(decoded(SAID, &[]).is_none());
        questions[3].text.push('.');
        assert!(answers(&questions).is_none());
    }
}
