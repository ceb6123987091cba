//! What the encoder learns: lessons and shipped texts in, its weights before and after practice out.
//!
//! It is what may change every label at once, for better and for worse, and takes most of a job's
//! time; see `docs/decisions.md` for what that brings. Invariant: nothing is stored here.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use candle_core::Tensor;

use super::exam::{Question, answers};
use super::practice::{Exercise, Exercises, Plan, Practised, practise};
use super::replay::{self, Half};
use super::{ConsolidateError, Job, Stage};
use crate::label::Descriptions;
use crate::model::Model;
use crate::model::config::BackboneConfig;
use crate::model::delta::{Delta, between};
use crate::model::trainee::{Trainee, TraineeOptions};

/// Layers at the top that learn.
const TOP_LAYERS: usize = 2;
/// Tokens of a text that are practised.
const TEXT_TOKENS: usize = 128;
/// Most labels of a text that are practised.
const LABELS: usize = 20;
/// What a label should have at most that nobody gave to a text whose tags somebody looked through,
/// and how much that counts.
const ASSUMED: (f32, f32) = (0.02, 0.3);

/// What is practised by whom.
pub(super) struct Pupil<'a> {
    /// The model as it is shipped.
    pub(super) shipped: &'a Arc<Model>,
    /// The model that serves.
    pub(super) served: &'a Arc<Model>,
    /// What it has learnt on top of the shipped one.
    pub(super) delta: Option<&'a Delta>,
    /// What no version has learnt yet, with what serves now says of it.
    pub(super) new: (&'a [Question], &'a [Vec<f32>]),
    /// What an earlier one has.
    pub(super) old: (&'a [Question], &'a [Vec<f32>]),
}

/// The encoder's weights, before and after.
pub(super) struct Learnt {
    start: BTreeMap<String, Tensor>,
    end: BTreeMap<String, Tensor>,
    pub(super) practised: Practised,
    /// Shipped texts that were practised.
    pub(super) replayed: usize,
}

impl Learnt {
    /// The weights at a share of the way.
    pub(super) fn at(&self, share: f64) -> candle_core::Result<BTreeMap<String, Tensor>> {
        between(&self.start, &self.end, share)
    }
}

/// Practises.
pub(super) fn learn(
    job: &Job,
    pupil: &Pupil,
    tell: &mut dyn FnMut(Stage) -> ControlFlow<()>,
) -> Result<Learnt, ConsolidateError> {
    let served = pupil.served;
    let spaces = replay::spaces(Half::Practice);
    // What a text's beginning is to say is what the shipped model says of that, not of all of it.
    let questions: Vec<Question> = Question::of_spaces(&spaces)
        .into_iter()
        .map(|question| question.cut(served, text_tokens(served)))
        .collect::<Result<_, _>>()?;
    let replayed = answers(pupil.shipped, &questions, &Descriptions::new())?;
    let exercises = Exercises {
        new: exercises(served, pupil.new.0, pupil.new.1, job.seed)?,
        old: exercises(served, pupil.old.0, pupil.old.1, job.seed)?,
        replay: imitations(served, &questions, &replayed, job.seed)?,
    };
    let options = TraineeOptions {
        freeze_embeddings: true,
        freeze_layers: layers(served).saturating_sub(TOP_LAYERS),
        ..TraineeOptions::default()
    };
    let trainee = Trainee::with_delta(&job.source, pupil.delta.cloned(), &options)?;
    let start = values(&trainee)?;
    let home = match pupil.delta {
        None => start.clone(),
        Some(_) => values(&Trainee::with_delta(&job.source, None, &options)?)?,
    };
    let plan = Plan {
        seed: job.seed,
        ..Plan::default()
    };
    let practised = practise(
        &trainee,
        served.calibration(),
        &exercises,
        &home,
        &plan,
        &mut |step, of| tell(Stage::Practising { step, of }),
    )?;
    Ok(Learnt {
        start,
        end: values(&trainee)?,
        practised,
        replayed: exercises.replay.len(),
    })
}

/// Copies of what is trained.
fn values(trainee: &Trainee) -> candle_core::Result<BTreeMap<String, Tensor>> {
    let copies = trainee.variables().iter();
    copies
        .map(|(name, variable)| Ok((name.clone(), variable.as_tensor().copy()?.detach())))
        .collect()
}

/// Tokens of a text that this model practises.
fn text_tokens(model: &Model) -> usize {
    TEXT_TOKENS.min(model.max_tokens() / 2)
}

fn layers(model: &Model) -> usize {
    match &model.config().backbone {
        BackboneConfig::Bert(config) => config.layers,
        BackboneConfig::ModernBert(config) => config.layers.len(),
        BackboneConfig::Deberta(config) => config.layers,
    }
}

/// Lessons as they are practised: verdicts as they are, the other labels as they are likely to be.
fn exercises(
    model: &Model,
    questions: &[Question],
    before: &[Vec<f32>],
    seed: u64,
) -> Result<Vec<Exercise>, ConsolidateError> {
    let both = questions.iter().zip(before);
    both.map(|(question, scores)| {
        let positives = question.truth.iter().filter(|t| **t == Some(true)).count();
        let target = |i: usize| match question.truth[i] {
            Some(true) => (1.0, 1.0),
            Some(false) => (0.0, 1.0),
            // Whoever gave some tags has looked at the others.
            None if positives > 0 => (scores[i].min(ASSUMED.0), ASSUMED.1),
            None => (scores[i], ASSUMED.1),
        };
        exercise(model, question, seed, target)
    })
    .collect()
}

/// Shipped texts as they are practised: the shipped model's own probabilities.
fn imitations(
    model: &Model,
    questions: &[Question],
    before: &[Vec<f32>],
    seed: u64,
) -> Result<Vec<Exercise>, ConsolidateError> {
    let both = questions.iter().zip(before);
    both.map(|(question, scores)| exercise(model, question, seed, |i| (scores[i], 1.0)))
        .collect()
}

/// A question with a draw of its labels: those with a verdict, and then any.
fn exercise(
    model: &Model,
    question: &Question,
    seed: u64,
    target: impl Fn(usize) -> (f32, f32),
) -> Result<Exercise, ConsolidateError> {
    let mut text = model.tokenizer().tokens(&question.text)?.ids;
    text.truncate(text_tokens(model));
    let mut order: Vec<usize> = (0..question.labels.len()).collect();
    crate::model::random::Random::new(&[seed, 5, text.len() as u64]).shuffle(&mut order);
    order.sort_by_key(|i| question.truth[*i].is_none());
    let mut exercise = Exercise {
        text,
        ..Exercise::default()
    };
    let names: Vec<&str> = order.iter().map(|i| question.labels[*i].as_str()).collect();
    let tokens = model.tokenizer().ids_of_all(&names)?;
    for (i, tokens) in order.into_iter().zip(tokens).take(LABELS) {
        if tokens.is_empty() || tokens.len() > model.max_tokens() / 4 {
            continue; // The engine does not score these either.
        }
        let (target, weight) = target(i);
        exercise.labels.push(tokens);
        exercise.targets.push(target);
        exercise.weights.push(weight);
    }
    Ok(exercise)
}
