//! The exam: questions in, what a model answers out, and both models' answers as evidence.
//!
//! Invariant: a model is asked as it serves, through the engine, memory left out.

use std::collections::HashMap;
use std::sync::Arc;

use super::ConsolidateError;
use super::lesson::Lesson;
use super::replay::Space;
use crate::engine::{Engine, EngineOptions, Passage, Request, Vocabulary};
use crate::label::LabelSet;
use crate::learn::gate::{Decision, Row};
use crate::model::Model;
use crate::model::tokenizer::TokenizerError;

/// Texts that are scored together.
const GROUP: usize = 32;

/// A text, its labels, and what is known of each.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) text: String,
    pub(super) labels: Arc<Vec<String>>,
    pub(super) truth: Vec<Option<bool>>,
    pub(super) space: u32,
}

impl Question {
    /// What a lesson asks: its verdicts are known, its other labels are not.
    pub(super) fn of(lesson: &Lesson) -> Question {
        let truth = lesson.labels.iter();
        Question {
            text: lesson.text.clone(),
            labels: Arc::clone(&lesson.labels),
            truth: truth
                .map(|label| lesson.verdicts.get(label).copied())
                .collect(),
            space: 0,
        }
    }

    /// The same of as much of the text as `tokens` hold, cut between words.
    pub(super) fn cut(mut self, model: &Model, tokens: usize) -> Result<Question, TokenizerError> {
        let offsets = model.tokenizer().tokens(&self.text)?.offsets;
        if let Some((end, _)) = offsets.get(tokens) {
            let kept = self.text.get(..*end).unwrap_or_default();
            let word = kept.rfind(char::is_whitespace).unwrap_or(kept.len());
            self.text.truncate(word);
        }
        Ok(self)
    }

    /// What shipped texts ask: all labels of their spaces.
    pub(super) fn of_spaces(spaces: &[Space]) -> Vec<Question> {
        let numbered = (0..).zip(spaces);
        numbered
            .flat_map(|(number, space)| {
                let labels = Arc::new(space.labels.clone());
                space.rows.iter().map(move |(text, truth)| Question {
                    text: text.clone(),
                    labels: Arc::clone(&labels),
                    truth: truth.iter().map(|fits| Some(*fits)).collect(),
                    space: number,
                })
            })
            .collect()
    }
}

/// The probabilities that a model gives, label by label; 0 where it cannot read one.
pub(super) fn answers(
    model: &Arc<Model>,
    questions: &[Question],
) -> Result<Vec<Vec<f32>>, ConsolidateError> {
    let engine = Engine::new(Arc::clone(model), EngineOptions::default());
    let mut ready: HashMap<Arc<Vec<String>>, Option<Arc<Vocabulary>>> = HashMap::new();
    let mut answers = Vec::with_capacity(questions.len());
    for group in questions.chunks(GROUP) {
        let mut asked = Vec::with_capacity(group.len());
        for question in group {
            let vocabulary = match ready.get(&question.labels) {
                Some(known) => known.clone(),
                None => {
                    let (set, _) = LabelSet::from_names_lenient(&*question.labels);
                    let vocabulary = set
                        .map(|set| engine.vocabulary(Arc::new(set)))
                        .transpose()?;
                    let vocabulary = vocabulary.map(Arc::new);
                    ready.insert(Arc::clone(&question.labels), vocabulary.clone());
                    vocabulary
                }
            };
            asked.push((Passage::plain(question.text.as_str()), vocabulary, question));
        }
        let requests: Vec<Request> = asked
            .iter()
            .filter_map(|(passage, vocabulary, _)| {
                Some(Request {
                    passage,
                    vocabulary: vocabulary.as_deref()?,
                })
            })
            .collect();
        let mut predictions = engine.score(&requests)?.into_iter();
        for (_, vocabulary, question) in &asked {
            let mut own = vec![0.0; question.labels.len()];
            if let Some(vocabulary) = vocabulary
                && let Some(prediction) = predictions.next()
            {
                let set = vocabulary.set();
                let places = question.labels.iter().map(|label| set.find(label));
                let places: Vec<_> = places.collect();
                for scored in prediction.scores {
                    for (place, label) in own.iter_mut().zip(&places) {
                        if *label == Some(scored.label) {
                            *place = scored.score.value();
                        }
                    }
                }
            }
            answers.push(own);
        }
    }
    Ok(answers)
}

/// Both models' answers to each question.
pub(super) fn paired(questions: &[Question], before: &[Vec<f32>], after: &[Vec<f32>]) -> Vec<Row> {
    let answered = before.iter().zip(after);
    let rows = questions.iter().zip(answered);
    rows.map(|(question, (before, after))| {
        let both = before.iter().zip(after).zip(&question.truth);
        Row {
            space: question.space,
            decisions: both
                .map(|((before, after), truth)| Decision {
                    before: *before,
                    after: *after,
                    truth: *truth,
                })
                .collect(),
        }
    })
    .collect()
}
