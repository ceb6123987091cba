//! What was learnt on top of a checkpoint: some of its tensors with other values, heads of labels,
//! and perhaps another calibration.
//!
//! Invariant: a delta that applies replaces tensors of this checkpoint only, shape for shape, and
//! holds no value that is not finite. Heads lie among its tensors, so that a program that does not
//! know them refuses the delta. Knows nothing of versions and folders.

use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::{Device, Tensor};

use super::calibration::Calibration;
use super::label_head::LabelHeads;
use super::trainee::{SaveError, tensor_bytes};
use super::weights::{Weights, WeightsError};

/// The name that messages have for the tensors of a delta.
pub const FILE_NAME: &str = "delta.safetensors";
/// What the names of heads begin with.
const HEAD: &str = "label_head/";
const HEAD_OF_VAULT: &str = "vault_head/";
/// Scalars that belong to training, and that a checkpoint need not hold.
const OF_TRAINING: [&str; 2] = [
    "loss_fn.bce_scale",
    "aggregator.similarity_head.logit_scale",
];

/// Tensors that replace a checkpoint's, and a calibration that does.
#[derive(Clone, Debug)]
pub struct Delta {
    weights: Arc<[u8]>,
    calibration: Option<Calibration>,
}

/// What a delta holds.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// The tensors that replace the checkpoint's, by name.
    pub tensors: BTreeMap<String, Tensor>,
    /// The heads of labels.
    pub heads: LabelHeads,
    /// The part of those heads that tagged notes taught, and that corrections are learnt on top of.
    pub of_vault: LabelHeads,
}

impl Delta {
    /// A delta as it is stored; whether it fits shows when a checkpoint is loaded with it.
    pub fn new(weights: impl Into<Arc<[u8]>>, calibration: Option<Calibration>) -> Delta {
        Delta {
            weights: weights.into(),
            calibration,
        }
    }

    /// A delta of these values.
    ///
    /// # Errors
    /// Of the tensor library.
    pub fn of(parts: &Parts, calibration: Option<Calibration>) -> Result<Delta, SaveError> {
        let heads = parts.heads.tensors(HEAD)?;
        let of_vault = parts.of_vault.tensors(HEAD_OF_VAULT)?;
        let named = parts.tensors.iter().chain(&heads).chain(&of_vault);
        let named = named.map(|(name, tensor)| (name.as_str(), tensor));
        Ok(Delta::new(tensor_bytes(named)?, calibration))
    }

    /// The tensors, in the safetensors format.
    pub fn weights(&self) -> &[u8] {
        &self.weights
    }

    /// The calibration that goes with them, where it is not the checkpoint's own.
    pub fn calibration(&self) -> Option<&Calibration> {
        self.calibration.as_ref()
    }

    /// The same with another calibration.
    pub fn with_calibration(self, calibration: Option<Calibration>) -> Delta {
        Delta {
            calibration,
            ..self
        }
    }

    /// What it holds.
    ///
    /// # Errors
    /// A damaged file, a value that is not finite.
    pub fn parts(&self, device: &Device) -> Result<Parts, WeightsError> {
        let mut changed = Weights::default();
        changed.add(&self.weights, FILE_NAME, device)?;
        let mut parts = Parts::default();
        for (name, tensor) in changed.iter() {
            if let Some(label) = name.strip_prefix(HEAD) {
                parts.heads.take(label, tensor)?;
            } else if let Some(label) = name.strip_prefix(HEAD_OF_VAULT) {
                parts.of_vault.take(label, tensor)?;
            } else {
                parts.tensors.insert(name.to_owned(), tensor.clone());
            }
        }
        Ok(parts)
    }

    /// Puts its tensors in the place of the checkpoint's.
    pub(crate) fn apply(&self, weights: &mut Weights, device: &Device) -> Result<(), WeightsError> {
        let mut faults = Vec::new();
        for (name, tensor) in self.parts(device)?.tensors {
            match weights.get(&name) {
                Some(own) if own.dims() != tensor.dims() => faults.push(format!(
                    "`{name}` has shape {:?} in the version, {:?} in the model",
                    tensor.dims(),
                    own.dims()
                )),
                None if !OF_TRAINING.contains(&name.as_str()) => {
                    faults.push(format!("`{name}` is not a tensor of this model"));
                }
                _ => weights.insert(&name, tensor),
            }
        }
        match faults.is_empty() {
            true => Ok(()),
            false => Err(WeightsError::Mismatch(faults)),
        }
    }
}

/// `(1 - share) · from + share · to`, name by name.
///
/// # Errors
/// Of the tensor library; a name that `to` lacks.
pub fn between(
    from: &BTreeMap<String, Tensor>,
    to: &BTreeMap<String, Tensor>,
    share: f64,
) -> candle_core::Result<BTreeMap<String, Tensor>> {
    let mixed = from.iter().map(|(name, start)| {
        let Some(end) = to.get(name) else {
            candle_core::bail!("`{name}` is missing on one side");
        };
        if share == 1.0 {
            return Ok((name.clone(), end.clone()));
        }
        let mixed = ((start * (1.0 - share))? + (end * share)?)?;
        Ok((name.clone(), mixed))
    });
    mixed.collect()
}

#[cfg(test)]
mod tests {
    use super::super::label_head::LabelHead;
    use super::*;

    fn tensors(pairs: &[(&str, &[f32])]) -> BTreeMap<String, Tensor> {
        let tensor = |values: &[f32]| Tensor::new(values, &Device::Cpu).unwrap();
        pairs
            .iter()
            .map(|(name, values)| ((*name).to_owned(), tensor(values)))
            .collect()
    }

    fn base() -> Weights {
        let mut weights = Weights::default();
        for (name, tensor) in tensors(&[("a", &[1.0, 2.0]), ("b", &[3.0])]) {
            weights.insert(&name, tensor);
        }
        weights
    }

    fn applied(pairs: &[(&str, &[f32])]) -> Result<Weights, WeightsError> {
        let mut weights = base();
        let parts = Parts {
            tensors: tensors(pairs),
            ..Parts::default()
        };
        let delta = Delta::of(&parts, None).unwrap();
        delta.apply(&mut weights, &Device::Cpu)?;
        Ok(weights)
    }

    #[test]
    fn what_it_names_is_replaced_and_the_rest_stays() {
        let weights = applied(&[("b", &[9.0]), ("loss_fn.bce_scale", &[1.0])]).unwrap();
        let value = |name: &str| weights.get(name).unwrap().to_vec1::<f32>().unwrap();
        assert_eq!((value("a"), value("b")), (vec![1.0, 2.0], vec![9.0]));
    }

    #[test]
    fn every_part_comes_back_as_itself() {
        let head = |weight: f32| LabelHead::new(vec![weight, 0.5], -1.0).unwrap();
        let parts = Parts {
            tensors: tensors(&[("a", &[1.0, 2.0])]),
            heads: [("garden/roses".to_owned(), head(1.0))]
                .into_iter()
                .collect(),
            of_vault: [("tax".to_owned(), head(2.0))].into_iter().collect(),
        };
        let read = Delta::of(&parts, None).unwrap();
        let read = read.parts(&Device::Cpu).unwrap();
        assert_eq!(read.tensors.keys().collect::<Vec<_>>(), ["a"]);
        assert_eq!((read.heads, read.of_vault), (parts.heads, parts.of_vault));
    }

    #[test]
    fn a_delta_of_another_model_is_refused_with_all_faults() {
        let error = applied(&[("a", &[1.0]), ("z", &[1.0])]).unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains("`a` has shape [1] in the version"),
            "{message}"
        );
        assert!(message.contains("`z` is not a tensor"), "{message}");
    }

    #[test]
    fn a_value_that_is_no_number_is_refused() {
        assert!(matches!(
            applied(&[("b", &[f32::NAN])]),
            Err(WeightsError::NotFinite { .. })
        ));
    }

    #[test]
    fn halfway_is_the_mean() {
        let (from, to) = (
            tensors(&[("a", &[0.0, 4.0])]),
            tensors(&[("a", &[2.0, 0.0])]),
        );
        let half = between(&from, &to, 0.5).unwrap();
        assert_eq!(half["a"].to_vec1::<f32>().unwrap(), [1.0, 2.0]);
        assert!(between(&from, &tensors(&[]), 0.5).is_err());
    }
}
