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
/// Relative to the gradient's norm; of one value, relative to the value and what `FLOOR` adds.
const GRADIENTS: f64 = 1e-3;
/// The share of the norm that rounding makes of a value; a GPU sums in other orders.
const FLOOR: f64 = 1e-2;
const FLOOR_GPU: f64 = 1.0;
/// Golden values are written down with seven digits behind the point.
const WRITTEN: f64 = 6e-8;
/// A norm below this is rounding: a bias on all keys alike, say, changes no softmax.
const NOTHING: f64 = 1e-6;
/// What rounding makes of any value, as a share of the batch's largest norm: large gradients that
/// cancel out leave it. On tiny random models PyTorch's and ours were up to 1.8e-6 from float64.
const ROUNDING: f64 = 2e-6;
/// What a loss does to a cosine is of this size, however little of it reaches the weights.
const LEAST: f64 = 0.25;

/// A checkpoint with every tensor trained.
pub(super) struct Training {
    trainee: Trainee,
    floor: f64,
}

impl Training {
    pub(super) fn load(dir: &Path, options: &LoadOptions) -> Result<Training, VerifyError> {
        let options = TraineeOptions {
            device: options.device.clone(),
            ..TraineeOptions::default()
        };
        Ok(Training {
            trainee: Trainee::load(dir, &options)?,
            floor: match options.device.is_cpu() {
                true => FLOOR,
                false => FLOOR_GPU,
            },
        })
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
        let trainee = &self.trainee;
        let mut targets: Vec<f32> = Vec::new();
        for (row, sequence) in all.iter().zip(sequences) {
            let mut row = row.clone();
            row.resize(sequence.label_tokens.len(), UNKNOWN);
            targets.extend(row);
        }
        let config = trainee.config().loss;
        let weights = LossWeights {
            supcon: config.supcon,
            supcon_temperature: None,
            repulsion: config.repulsion,
            repulsion_threshold: config.repulsion_threshold,
            bce: config.bce,
            bce_bias: 0.0,
        };
        let losses = trainee.losses(sequences, &targets, &weights, &Dropouts::default())?;
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
        let norms = golden.values().map(|golden| golden.norm);
        let rounding = Rounding {
            floor: self.floor,
            value: ROUNDING * norms.fold(LEAST, f64::max),
        };
        let mut apart: Vec<&String> = Vec::new();
        for (name, variable) in trainee.variables() {
            let got: Vec<f32> = match gradients.get(variable) {
                Some(gradient) => gradient.flatten_all()?.to_vec1()?,
                None => vec![0.0; variable.elem_count()], // No loss depends on it.
            };
            match golden.get(name) {
                Some(golden) => {
                    let place = format!("{place}, {name}");
                    compare(golden, &got, rounding, &place, stages);
                }
                None if norm(&got) < rounding.nothing() => {}
                None => apart.push(name),
            }
        }
        // A tensor that has a gradient on one side only is compared with nothing.
        let there = golden
            .iter()
            .filter(|(_, golden)| !golden.norm.is_finite() || golden.norm >= rounding.nothing());
        let unknown = |name: &&String| !trainee.variables().contains_key(*name);
        apart.extend(there.map(|(name, _)| name).filter(unknown));
        let place = match apart.first() {
            Some(name) => format!("{place}, {name}"),
            None => place.to_owned(),
        };
        let (got, want) = (vec![1; apart.len()], vec![0; apart.len()]);
        stages.equal("trained tensors", &place, &got, Some(&want));
        Ok(())
    }
}

/// What of a gradient may be rounding.
#[derive(Clone, Copy)]
struct Rounding {
    /// The share of its own norm that one of its values may be off.
    floor: f64,
    /// How far a value or a norm may be off, whatever it is.
    value: f64,
}

impl Rounding {
    /// A norm below this is rounding.
    fn nothing(self) -> f64 {
        self.value.max(NOTHING)
    }
}

fn norm(gradient: &[f32]) -> f64 {
    let squares = gradient.iter().map(|g| f64::from(*g).powi(2));
    squares.sum::<f64>().sqrt()
}

/// The norm, and each of the first values. A value is held to a share of itself, or a small one of
/// them would not be held to anything.
fn compare(golden: &Gradient, got: &[f32], rounding: Rounding, place: &str, stages: &mut Stages) {
    let (norm, nothing) = (norm(got), rounding.nothing());
    if golden.norm < nothing {
        let got = (norm / nothing * NOTHING) as f32;
        stages.near("gradients of nothing", place, NOTHING, &[got], Some(&[0.0]));
        return;
    }
    let size = golden.norm + rounding.value / GRADIENTS;
    stages.near(
        "gradient norms",
        place,
        GRADIENTS,
        &[(norm / size) as f32],
        Some(&[(golden.norm / size) as f32]),
    );
    let share = |value: f32, want: f32| {
        let rounded = golden.norm * rounding.floor + (WRITTEN + rounding.value) / GRADIENTS;
        (f64::from(value) / (f64::from(want).abs() + rounded)) as f32
    };
    let head = || golden.head.iter().copied();
    let got: Vec<f32> = got.iter().zip(head()).map(|(g, w)| share(*g, w)).collect();
    let want: Vec<f32> = head().map(|w| share(w, w)).collect();
    stages.near("gradients", place, GRADIENTS, &got, Some(&want));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agrees(norm: f64, head: &[f32], got: &[f32]) -> bool {
        agrees_beside(0.0, norm, head, got)
    }

    /// In a batch whose largest norm is this.
    fn agrees_beside(largest: f64, norm: f64, head: &[f32], got: &[f32]) -> bool {
        let golden = Gradient {
            norm,
            head: head.to_vec(),
        };
        let mut stages = Stages::default();
        let rounding = Rounding {
            floor: FLOOR,
            value: ROUNDING * largest,
        };
        compare(&golden, got, rounding, "", &mut stages);
        stages.finish().iter().all(|stage| stage.passed)
    }

    #[test]
    fn a_value_that_is_small_beside_the_norm_is_held_to_itself() {
        let got = [1.0, 1e-3, -2e-4];
        assert!(agrees(1.0, &[1.0, 1e-3, -2e-4], &got));
        let rounded = agrees(6e-4, &[1.5e-6], &[1.549e-6, 6e-4]);
        assert!(rounded, "the rest was not written down");
        assert!(agrees(1.0, &[1.0, 1.001e-3, -2.01e-4], &got));
        for altered in [
            [1.0, 1.1e-3, -2e-4],
            [1.0, 1e-3, -2.2e-4],
            [1.1, 1e-3, -2e-4],
        ] {
            assert!(!agrees(1.0, &altered, &got), "{altered:?}");
        }
    }

    #[test]
    fn a_gradient_that_is_there_where_none_should_be_does_not_agree_nor_does_one_that_is_none() {
        assert!(agrees(0.0, &[0.0], &[1e-8]));
        assert!(!agrees(0.0, &[0.0], &[1e-3]));
        assert!(!agrees(1.0, &[1.0], &[f32::NAN]));
    }

    #[test]
    fn what_large_gradients_leave_when_they_cancel_out_is_rounding() {
        // A key's bias beside a gradient of 311, as PyTorch and we compute it; it is 2e-14.
        let (pytorch, ours) = ([-8.27e-7_f32; 9], [3.1e-7_f32; 9]);
        assert!(agrees_beside(311.0, 2.5e-6, &pytorch, &ours));
        assert!(!agrees_beside(0.1, 2.5e-6, &pytorch, &ours));
        assert!(!agrees_beside(311.0, 2.5e-6, &pytorch, &[1e-3; 9]));
        // A temperature's: −6.9572e-5 in float64.
        assert!(agrees_beside(0.8, 6.9543e-5, &[-6.9543e-5], &[-6.9705e-5]));
        assert!(!agrees_beside(0.8, 6.9543e-5, &[-6.9543e-5], &[-7.5e-5]));
    }
}
