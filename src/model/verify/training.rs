//! Losses and gradients of a golden batch, against what PyTorch's autograd says.

use std::path::Path;

use super::VerifyError;
use super::cases::{Gradient, PaddedBatch};
use super::stage::Stages;
use crate::model::LoadOptions;
use crate::model::loss::{LossWeights, UNKNOWN};
use crate::model::sequence::Sequence;
use crate::model::trainee::{Dropouts, Trainee, TraineeOptions};

const LOSSES: f64 = 1e-4;
/// Relative to the gradient's norm.
const GRADIENTS: f64 = 1e-3;
/// A norm below this is rounding: a bias on all keys alike, say, changes no softmax.
const NOTHING: f64 = 1e-6;

/// A checkpoint with every tensor trained.
pub(super) struct Training(Trainee);

impl Training {
    pub(super) fn load(dir: &Path, options: &LoadOptions) -> Result<Training, VerifyError> {
        let options = TraineeOptions {
            device: options.device.clone(),
            ..TraineeOptions::default()
        };
        Ok(Training(Trainee::load(dir, &options)?))
    }

    pub(super) fn batch(
        &self,
        batch: &PaddedBatch,
        sequences: &[&Sequence],
        place: &str,
        stages: &mut Stages,
    ) -> Result<(), VerifyError> {
        let Some(all) = &batch.targets else {
            return Ok(());
        };
        let mut targets: Vec<f32> = Vec::new();
        for (row, sequence) in all.iter().zip(sequences) {
            let mut row = row.clone();
            row.resize(sequence.label_tokens.len(), UNKNOWN);
            targets.extend(row);
        }
        let config = self.0.config().loss;
        let weights = LossWeights {
            supcon: config.supcon,
            supcon_temperature: None,
            repulsion: config.repulsion,
            repulsion_threshold: config.repulsion_threshold,
            bce: config.bce,
            bce_bias: 0.0,
        };
        let losses = self
            .0
            .losses(sequences, &targets, &weights, &Dropouts::default())?;
        for (got, want) in [
            (&losses.supcon, batch.supcon),
            (&losses.repulsion, batch.repulsion),
            (&losses.bce, batch.bce),
            (&losses.total, batch.loss),
        ] {
            let want = want.map(|want| vec![want]);
            let got = [got.to_scalar::<f32>()?];
            stages.near("losses", place, LOSSES, &got, want.as_deref());
        }
        let Some(golden) = &batch.gradients else {
            return Ok(());
        };
        let gradients = losses.total.backward()?;
        for (name, variable) in self.0.variables() {
            let Some(golden) = golden.get(name) else {
                continue;
            };
            let place = format!("{place}, {name}");
            let got: Vec<f32> = match gradients.get(variable) {
                Some(gradient) => gradient.flatten_all()?.to_vec1()?,
                None => vec![f32::NAN; variable.elem_count()],
            };
            compare(golden, &got, &place, stages);
        }
        let missing = golden
            .keys()
            .filter(|name| !self.0.variables().contains_key(*name));
        let missing = [missing.count() as u32];
        stages.equal("trained tensors", place, &missing, Some(&[0]));
        Ok(())
    }
}

fn compare(golden: &Gradient, got: &[f32], place: &str, stages: &mut Stages) {
    let norm = got
        .iter()
        .map(|g| f64::from(*g).powi(2))
        .sum::<f64>()
        .sqrt();
    if golden.norm < NOTHING {
        stages.near(
            "gradients of nothing",
            place,
            NOTHING,
            &[norm as f32],
            Some(&[0.0]),
        );
        return;
    }
    let share = |value: f64| (value / golden.norm) as f32;
    stages.near(
        "gradient norms",
        place,
        GRADIENTS,
        &[share(norm)],
        Some(&[1.0]),
    );
    let got: Vec<f32> = got
        .iter()
        .take(golden.head.len())
        .map(|g| share(f64::from(*g)))
        .collect();
    let want: Vec<f32> = golden.head.iter().map(|g| share(f64::from(*g))).collect();
    stages.near("gradients", place, GRADIENTS, &got, Some(&want));
}
