//! One step: passes in, moved weights and what the losses were out.
//!
//! Invariant: a step whose gradients are not finite moves nothing.

use std::collections::{BTreeMap, BTreeSet};

use candle_core::{D, Tensor};

use super::TrainError;
use super::metrics::StepRecord;
use super::optimizer::{AdamW, norm};
use super::passes::Example;
use super::recipe::{Precision, Recipe};
use super::state::Progress;
use crate::model::loss::LossWeights;
use crate::model::random::Random;
use crate::model::sequence::Sequence;
use crate::model::trainee::{Dropouts, Trainee};

/// Steps without overflow after which half precision's loss scale doubles.
const PATIENCE: usize = 2000;

/// What half-precision losses are multiplied by at first; 1 where nothing can underflow.
pub(super) fn first_scale(precision: Precision) -> f64 {
    match precision {
        Precision::F16 => 65_536.0,
        Precision::F32 | Precision::Bf16 => 1.0,
    }
}

/// Makes steps.
pub(super) struct Stepper<'a> {
    recipe: &'a Recipe,
    weights: LossWeights,
    trainee: &'a Trainee,
    /// The encoder at the start, which the embeddings stay close to.
    teacher: Option<&'a Trainee>,
}

impl<'a> Stepper<'a> {
    pub(super) fn new(
        recipe: &'a Recipe,
        weights: LossWeights,
        trainee: &'a Trainee,
        teacher: Option<&'a Trainee>,
    ) -> Stepper<'a> {
        Stepper {
            recipe,
            weights,
            trainee,
            teacher,
        }
    }

    /// Makes the step after `progress`; its time is the caller's to measure.
    pub(super) fn step(
        &mut self,
        optimizer: &mut AdamW,
        progress: &mut Progress,
        parts: &[Vec<Example>],
    ) -> Result<StepRecord, TrainError> {
        let recipe = self.recipe;
        let number = progress.step + 1;
        let mut record = StepRecord {
            step: number,
            ..StepRecord::default()
        };
        let mut gradients: BTreeMap<String, Tensor> = BTreeMap::new();
        for (part, pass) in parts.iter().enumerate() {
            let seeds = [recipe.seed, 8, number as u64, part as u64];
            let model = &recipe.model;
            let mut random = Random::new(&seeds);
            let dropouts = Dropouts::new(model.hidden_dropout, model.head_dropout, &mut random);
            let pass: Vec<&Example> = pass.iter().filter(|e| !e.labels.is_empty()).collect();
            if pass.is_empty() {
                continue;
            }
            let share = 1.0 / parts.len() as f64;
            let loss = self.loss(&pass, &dropouts, share, &mut record)?;
            let loss = (loss * (share * progress.loss_scale))?;
            let store = loss.backward()?;
            for (name, variable) in self.trainee.variables() {
                let Some(gradient) = store.get(variable) else {
                    continue;
                };
                let sum = match gradients.remove(name) {
                    Some(sum) => (sum + gradient)?,
                    None => gradient.clone(),
                };
                gradients.insert(name.clone(), sum);
            }
        }
        if !record.loss.is_finite() {
            return Err(TrainError::NotFinite {
                step: number,
                loss: record.loss as f32,
            });
        }
        let norm = norm(&gradients)? / progress.loss_scale;
        record.gradient_norm = norm;
        record.learning_rate = recipe.optimizer.learning_rate * recipe.schedule.share(number);
        progress.step = number;
        if !norm.is_finite() {
            if recipe.precision != Precision::F16 || progress.loss_scale <= 1.0 {
                return Err(TrainError::NotFinite {
                    step: number,
                    loss: f32::NAN,
                });
            }
            progress.loss_scale /= 2.0;
            progress.since_scaled = 0;
            return Ok(record);
        }
        let clip = recipe.optimizer.clip;
        let clipped = if clip > 0.0 && norm > clip {
            clip / norm
        } else {
            1.0
        };
        let factor = clipped / progress.loss_scale;
        let share = recipe.schedule.share(number);
        optimizer.step(self.trainee.variables(), &gradients, factor, share)?;
        progress.updates = optimizer.steps();
        progress.since_scaled += 1;
        if recipe.precision == Precision::F16 && progress.since_scaled >= PATIENCE {
            progress.loss_scale *= 2.0;
            progress.since_scaled = 0;
        }
        Ok(record)
    }

    /// What is minimised, of one pass; its parts go into the record, each with its share.
    fn loss(
        &self,
        pass: &[&Example],
        dropouts: &Dropouts,
        share: f64,
        record: &mut StepRecord,
    ) -> Result<Tensor, TrainError> {
        let (trainee, recipe) = (self.trainee, &self.recipe.loss);
        let sequences: Vec<&Sequence> = pass.iter().map(|example| &example.sequence).collect();
        let targets: Vec<f32> = pass
            .iter()
            .flat_map(|example| example.targets.iter().copied())
            .collect();
        let (losses, embeddings) =
            trainee.losses_and_embeddings(&sequences, &targets, &self.weights, dropouts)?;
        let mut total = losses.total;
        let value = |x: &Tensor| -> Result<f64, TrainError> {
            Ok(f64::from(x.to_scalar::<f32>()?) * share)
        };
        record.supcon += value(&losses.supcon)?;
        record.repulsion += value(&losses.repulsion)?;
        record.bce += value(&losses.bce)?;
        record.rows += pass.len();
        record.tokens += sequences
            .iter()
            .map(|sequence| sequence.len())
            .sum::<usize>();
        if let Some(teacher) = self.teacher {
            if recipe.embedding > 0.0 {
                let texts: Vec<Sequence> = pass
                    .iter()
                    .map(|e| trainee.sequence(&e.text_ids, &[]))
                    .collect();
                let texts: Vec<&Sequence> = texts.iter().collect();
                let now = match trainee.config().layout.is_isolated() {
                    true => embeddings,
                    false => trainee.embeddings(&texts, dropouts)?,
                };
                let away = away(&now, &teacher.embeddings(&texts, &Dropouts::default())?)?;
                record.embedding += value(&away)?;
                total = (total + (away * recipe.embedding)?)?;
            }
            if recipe.label_embedding > 0.0 {
                let labels: BTreeSet<&[u32]> = pass
                    .iter()
                    .flat_map(|e| e.label_ids.iter().map(Vec::as_slice))
                    .collect();
                let labels: Vec<Sequence> = labels
                    .into_iter()
                    .map(|ids| trainee.sequence(ids, &[]))
                    .collect();
                let labels: Vec<&Sequence> = labels.iter().collect();
                let now = trainee.embeddings(&labels, dropouts)?;
                let away = away(&now, &teacher.embeddings(&labels, &Dropouts::default())?)?;
                record.label_embedding += value(&away)?;
                total = (total + (away * recipe.label_embedding)?)?;
            }
        }
        record.loss += value(&total)?;
        Ok(total)
    }
}

/// Mean of `1 − cos` of unit vectors.
fn away(now: &Tensor, start: &Tensor) -> candle_core::Result<Tensor> {
    let cosines = (now * start.detach())?.sum(D::Minus1)?;
    cosines.mean_all()?.affine(-1.0, 1.0)
}
