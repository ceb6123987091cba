//! The exam: questions in, what a model answers out, and both models' answers as evidence.
//!
//! Invariant: a model is asked as it serves, through the engine, memory left out.

use std::collections::HashMap;
use std::sync::Arc;

use super::ConsolidateError;
use super::lesson::Lesson;
use super::replay::Space;
use crate::engine::{Embedding, Engine, EngineOptions, Passage, Request, Vocabulary, heads_of};
use crate::label::{Descriptions, LabelSet};
use crate::learn::gate::{Decision, Row};
use crate::learn::memory::ordinary;
use crate::model::Model;
use crate::model::label_head::{LabelHead, LabelHeads};
use crate::model::tokenizer::TokenizerError;
use crate::score::Logit;

/// Texts that are scored together.
const GROUP: usize = 32;
/// One ordinary text in so many asks a label set that is not the first.
const OF_OTHER_SETS: usize = 3;

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

    /// What ordinary texts ask: the labels that most of these lessons choose from, and no more label
    /// sets than `most`. All texts ask the first set, some of them the others: reading takes most of
    /// a job's time, and one set's labels say little of another's.
    pub(super) fn of_ordinary(lessons: &[Question], most: usize) -> Vec<Question> {
        let mut sets: Vec<(&Arc<Vec<String>>, usize)> = Vec::new();
        for lesson in lessons {
            match sets
                .iter_mut()
                .find(|(labels, _)| **labels == lesson.labels)
            {
                Some((_, lessons)) => *lessons += 1,
                None => sets.push((&lesson.labels, 1)),
            }
        }
        sets.sort_by_key(|(_, lessons)| std::cmp::Reverse(*lessons));
        let sets = sets.into_iter().take(most).enumerate();
        sets.flat_map(|(rank, (labels, _))| {
            let step = if rank == 0 { 1 } else { OF_OTHER_SETS };
            ordinary().step_by(step).map(|text| Question {
                text,
                labels: Arc::clone(labels),
                truth: vec![None; labels.len()],
                space: 0,
            })
        })
        .collect()
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

/// What a model says of a question.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// The log-odds of each label; none of one that it cannot read.
    pub(super) logits: Vec<Option<f32>>,
    /// What the text is about, as a vector of length 1, where that was asked for; empty for a text
    /// that holds nothing to read.
    pub(super) text: Vec<f32>,
}

impl Answer {
    /// The probability of each label; 0 of one that cannot be read.
    pub(super) fn scores(&self) -> Vec<f32> {
        let score = |logit: &Option<f32>| {
            let logit = logit.and_then(Logit::new);
            logit.map_or(0.0, |logit| logit.sigmoid().value())
        };
        self.logits.iter().map(score).collect()
    }
}

/// The probabilities that a model gives, label by label; 0 where it cannot read one.
pub(super) fn answers(
    model: &Arc<Model>,
    questions: &[Question],
    descriptions: &Descriptions,
) -> Result<Vec<Vec<f32>>, ConsolidateError> {
    let answers = asked(model, questions, descriptions, false)?;
    Ok(answers.iter().map(Answer::scores).collect())
}

/// What a model would answer with these heads that has none: the same, and what they add.
pub(super) fn shifted(
    questions: &[Question],
    plain: &[Answer],
    heads: &LabelHeads,
) -> Vec<Vec<f32>> {
    let mut known: HashMap<&[String], Vec<Option<Arc<LabelHead>>>> = HashMap::new();
    let both = questions.iter().zip(plain);
    both.map(|(question, answer)| {
        let heads = known
            .entry(&question.labels)
            .or_insert_with(|| heads_by_column(&question.labels, heads));
        let both = answer.logits.iter().zip(heads.iter());
        let logits = both.map(|(logit, head)| {
            let shift = head.as_ref().map_or(0.0, |head| head.shift(&answer.text));
            logit.map(|logit| logit + shift)
        });
        let shifted = Answer {
            logits: logits.collect(),
            text: Vec::new(),
        };
        shifted.scores()
    })
    .collect()
}

fn heads_by_column(labels: &[String], heads: &LabelHeads) -> Vec<Option<Arc<LabelHead>>> {
    let (set, _) = LabelSet::from_names_lenient(labels);
    let Some(set) = set else {
        return vec![None; labels.len()];
    };
    let given = heads_of(&set, heads);
    let of = |label: &String| given.get(&set.find(label)?).cloned();
    labels.iter().map(of).collect()
}

/// All that a model says of labels that mean this; `embedding` where the texts' vectors are wanted too.
pub(super) fn asked(
    model: &Arc<Model>,
    questions: &[Question],
    descriptions: &Descriptions,
    embedding: bool,
) -> Result<Vec<Answer>, ConsolidateError> {
    let options = EngineOptions {
        embedding,
        ..EngineOptions::default()
    };
    let engine = Engine::new(Arc::clone(model), options);
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
                        .map(|set| engine.vocabulary(Arc::new(set.with_descriptions(descriptions))))
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
            let mut own = Answer {
                logits: vec![None; question.labels.len()],
                text: Vec::new(),
            };
            if let Some(vocabulary) = vocabulary
                && let Some(prediction) = predictions.next()
            {
                let set = vocabulary.set();
                let places = question.labels.iter().map(|label| set.find(label));
                let places: Vec<_> = places.collect();
                for scored in prediction.scores {
                    for (place, label) in own.logits.iter_mut().zip(&places) {
                        if *label == Some(scored.label) {
                            *place = Some(scored.logit.value());
                        }
                    }
                }
                let text = prediction.embedding.iter();
                own.text = text.flat_map(Embedding::unit).collect();
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
