//! Tensors by name: safetensors bytes in, float32 tensors out, and a strict account of the names.
//!
//! Invariant: every value that leaves this module is finite, and has the shape that was asked for.
//! Knows nothing of what the tensors mean.
//! Length: a quarter of it is tests.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use candle_core::{DType, Device, Tensor};
use half::slice::HalfFloatSliceExt;
use safetensors::{Dtype, SafeTensors};

/// The tensors of a checkpoint by name, as float32 on one device.
#[derive(Clone, Debug, Default)]
pub struct Weights {
    tensors: BTreeMap<String, Tensor>,
}

/// Why weights cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// Not a safetensors file, or a damaged one.
    #[error("{file}: not a whole safetensors file ({fact}); fetch it again")]
    Damaged {
        /// Which file.
        file: String,
        /// What the format check said.
        fact: String,
    },
    /// A number type that no model we know uses.
    #[error("{file}: tensor `{name}` is of type {dtype}; only F64, F32, F16 and BF16 are known")]
    Dtype {
        /// Which file.
        file: String,
        /// Which tensor.
        name: String,
        /// Its type.
        dtype: String,
    },
    /// Positions that the encoder would have to compute with, and does not.
    #[error(
        "{file}: tensor `{name}` is of relative positions, as `backbone_config.position_embedding_type` may say; only `absolute` is known: use a checkpoint with it"
    )]
    RelativePositions {
        /// Which file.
        file: String,
        /// Which tensor.
        name: String,
    },
    /// NaN or infinity among the values.
    #[error(
        "{file}: tensor `{name}` holds {value} at index {index}; the training of this checkpoint broke, use another one"
    )]
    NotFinite {
        /// Which file.
        file: String,
        /// Which tensor.
        name: String,
        /// Row-major index of the first bad value.
        index: usize,
        /// `NaN` or an infinity.
        value: f32,
    },
    /// Two files of a sharded checkpoint hold the same tensor.
    #[error(
        "{file}: tensor `{name}` is in another shard too; the checkpoint is mixed up, fetch it again"
    )]
    Twice {
        /// The second file.
        file: String,
        /// Which tensor.
        name: String,
    },
    /// The names or shapes are not those of the configured model.
    #[error("the weights do not fit config.json: {}", .0.join("; "))]
    Mismatch(Vec<String>),
    /// The tensor library failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

impl Weights {
    /// Adds the tensors of one safetensors file; `file` is its name for messages.
    ///
    /// # Errors
    /// A damaged file, an unknown number type, a value that is not finite, a name that is there already.
    pub fn add(&mut self, bytes: &[u8], file: &str, device: &Device) -> Result<(), WeightsError> {
        let damaged = |e: safetensors::SafeTensorError| WeightsError::Damaged {
            file: file.to_owned(),
            fact: e.to_string(),
        };
        let archive = SafeTensors::deserialize(bytes).map_err(damaged)?;
        for (name, view) in archive.iter() {
            if is_buffer(name) {
                continue;
            }
            if name.ends_with(".distance_embedding.weight") {
                return Err(WeightsError::RelativePositions {
                    file: file.to_owned(),
                    name: name.to_owned(),
                });
            }
            let values = to_f32(view.dtype(), view.data()).ok_or_else(|| WeightsError::Dtype {
                file: file.to_owned(),
                name: name.to_owned(),
                dtype: format!("{:?}", view.dtype()),
            })?;
            if let Some(index) = values.iter().position(|v| !v.is_finite()) {
                return Err(WeightsError::NotFinite {
                    file: file.to_owned(),
                    name: name.to_owned(),
                    index,
                    value: values[index],
                });
            }
            let tensor = Tensor::from_vec(values, view.shape(), device)?;
            if self.tensors.insert(name.to_owned(), tensor).is_some() {
                return Err(WeightsError::Twice {
                    file: file.to_owned(),
                    name: name.to_owned(),
                });
            }
        }
        Ok(())
    }

    /// The tensor of this name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// Replaces or adds a tensor.
    pub fn insert(&mut self, name: &str, tensor: Tensor) {
        self.tensors.insert(name.to_owned(), tensor);
    }

    /// All tensors, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.tensors
            .iter()
            .map(|(name, tensor)| (name.as_str(), tensor))
    }
}

/// Registered buffers of older transformers versions: derived, never weights.
fn is_buffer(name: &str) -> bool {
    name.ends_with(".position_ids") || name.ends_with("embeddings.token_type_ids")
}

fn to_f32(dtype: Dtype, data: &[u8]) -> Option<Vec<f32>> {
    let halves = || data.chunks_exact(2).map(|b| [b[0], b[1]]);
    match dtype {
        Dtype::F32 => Some(
            data.chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect(),
        ),
        Dtype::F16 => {
            let values: Vec<half::f16> = halves().map(half::f16::from_le_bytes).collect();
            let mut wide = vec![0.0; values.len()];
            values.convert_to_f32_slice(&mut wide);
            Some(wide)
        }
        Dtype::BF16 => Some(
            halves()
                .map(|b| half::bf16::from_le_bytes(b).to_f32())
                .collect(),
        ),
        Dtype::F64 => Some(
            data.chunks_exact(8)
                .map(|b| {
                    f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]) as f32
                })
                .collect(),
        ),
        _ => None,
    }
}

/// Hands out tensors by name and keeps the account: what was missing, misshapen, or never asked for.
///
/// A missing tensor comes out as zeros, so that one pass finds every fault; `finish` then refuses.
#[derive(Clone)]
pub(crate) struct Reader<'a> {
    weights: &'a Weights,
    device: &'a Device,
    dtype: DType,
    prefix: String,
    account: Rc<RefCell<Account>>,
}

#[derive(Default)]
struct Account {
    taken: BTreeSet<String>,
    faults: Vec<String>,
    /// Values that were made up for what was not there.
    zeros: usize,
}

/// So many values stand in for what is not there, a gigabyte; a config that wants more is not of
/// these weights.
const MOST_ZEROS: usize = 1 << 28;

impl<'a> Reader<'a> {
    pub(crate) fn new(weights: &'a Weights, device: &'a Device) -> Reader<'a> {
        Reader {
            weights,
            device,
            dtype: DType::F32,
            prefix: String::new(),
            account: Rc::default(),
        }
    }

    /// Where the tensors are.
    pub(crate) fn device(&self) -> &Device {
        self.device
    }

    /// A reader for a part that computes in `dtype`; what it hands out is float32 all the same.
    pub(crate) fn computing_in(self, dtype: DType) -> Reader<'a> {
        Reader { dtype, ..self }
    }

    /// What the products of this part are computed in.
    pub(crate) fn dtype(&self) -> DType {
        self.dtype
    }

    /// A reader of the names under `part.`.
    pub(crate) fn part(&self, part: impl std::fmt::Display) -> Reader<'a> {
        Reader {
            prefix: format!("{}{part}.", self.prefix),
            ..self.clone()
        }
    }

    /// The tensor `name`, of exactly this shape.
    pub(crate) fn get(&self, name: &str, shape: &[usize]) -> candle_core::Result<Tensor> {
        let name = format!("{}{name}", self.prefix);
        let mut account = self.account.borrow_mut();
        let fault = match self.weights.get(&name) {
            Some(tensor) if tensor.dims() == shape => {
                account.taken.insert(name);
                return Ok(tensor.clone());
            }
            Some(tensor) => format!(
                "`{name}` has shape {:?}, the config says {shape:?}",
                tensor.dims()
            ),
            None => format!("`{name}` is missing"),
        };
        account.faults.push(fault);
        account.taken.insert(name);
        let size = shape
            .iter()
            .try_fold(1, |size: usize, n| size.checked_mul(*n));
        account.zeros = size.map_or(usize::MAX, |size| account.zeros.saturating_add(size));
        if account.zeros > MOST_ZEROS {
            // What the config says may be larger than any memory.
            let faults = std::mem::take(&mut account.faults);
            candle_core::bail!("{}; and maybe more", WeightsError::Mismatch(faults));
        }
        Tensor::zeros(shape, DType::F32, self.device)
    }

    /// The tensor `name` where the checkpoint has it.
    pub(crate) fn get_if_there(
        &self,
        name: &str,
        shape: &[usize],
    ) -> candle_core::Result<Option<Tensor>> {
        let there = self
            .weights
            .get(&format!("{}{name}", self.prefix))
            .is_some();
        there.then(|| self.get(name, shape)).transpose()
    }

    /// Accepts the tensors under this reader's prefix without using them.
    pub(crate) fn skip(&self) {
        let mut account = self.account.borrow_mut();
        let names = self
            .weights
            .tensors
            .keys()
            .filter(|name| name.starts_with(&self.prefix));
        account.taken.extend(names.cloned());
    }

    /// # Errors
    /// `Mismatch` with every tensor that was missing, misshapen, or never asked for.
    pub(crate) fn finish(self) -> Result<(), WeightsError> {
        let mut account = self.account.borrow_mut();
        let mut faults = std::mem::take(&mut account.faults);
        for name in self.weights.tensors.keys() {
            if !account.taken.contains(name) {
                faults.push(format!("`{name}` is not a tensor of this model"));
            }
        }
        if faults.is_empty() {
            Ok(())
        } else {
            Err(WeightsError::Mismatch(faults))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::tensor::TensorView;

    fn file(tensors: &[(&str, &[f32])]) -> Vec<u8> {
        let bytes: Vec<(String, Vec<u8>, usize)> = tensors
            .iter()
            .map(|(name, v)| {
                (
                    (*name).to_owned(),
                    v.iter().flat_map(|x| x.to_le_bytes()).collect(),
                    v.len(),
                )
            })
            .collect();
        let views = bytes.iter().map(|(name, data, n)| {
            (
                name.as_str(),
                TensorView::new(Dtype::F32, vec![*n], data).unwrap(),
            )
        });
        safetensors::serialize(views, None).unwrap()
    }

    fn read(tensors: &[(&str, &[f32])]) -> Result<Weights, WeightsError> {
        let mut weights = Weights::default();
        weights.add(&file(tensors), "model.safetensors", &Device::Cpu)?;
        Ok(weights)
    }

    #[test]
    fn every_missing_misshapen_and_extra_tensor_is_listed_at_once() {
        let weights = read(&[("a.w", &[1.0, 2.0]), ("a.b", &[1.0]), ("c.d", &[0.0])]).unwrap();
        let reader = Reader::new(&weights, &Device::Cpu);
        let a = reader.part("a");
        a.get("w", &[2]).unwrap();
        a.get("b", &[3]).unwrap();
        a.get("z", &[1]).unwrap();
        let message = reader.finish().unwrap_err().to_string();
        assert!(
            message.contains("`a.b` has shape [1], the config says [3]"),
            "{message}"
        );
        assert!(message.contains("`a.z` is missing"), "{message}");
        assert!(
            message.contains("`c.d` is not a tensor of this model"),
            "{message}"
        );
        assert!(!message.contains("`a.w`"), "{message}");
    }

    #[test]
    fn what_is_missing_takes_no_memory_that_nobody_has() {
        let weights = read(&[("a", &[1.0])]).unwrap();
        for shape in [[1 << 24, 1 << 16], [usize::MAX, 2]] {
            let reader = Reader::new(&weights, &Device::Cpu);
            let message = reader.get("a", &shape).unwrap_err().to_string();
            assert!(
                message.contains("`a` has shape [1], the config says"),
                "{message}"
            );
        }
    }

    #[test]
    fn a_value_that_is_not_finite_is_refused_with_its_place() {
        let error = read(&[("x", &[0.0, f32::NAN])]).unwrap_err().to_string();
        assert!(error.contains("`x` holds NaN at index 1"), "{error}");
        assert!(read(&[("x", &[f32::INFINITY])]).is_err());
    }

    #[test]
    fn relative_positions_are_refused_by_the_key_that_asks_for_them() {
        let name = "backbone.encoder.layer.0.attention.self.distance_embedding.weight";
        let error = read(&[(name, &[0.0])]).unwrap_err().to_string();
        for part in [name, "position_embedding_type", "use a checkpoint"] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_cut_file_is_refused_at_every_length() {
        let whole = file(&[("x", &[1.0, 2.0, 3.0])]);
        for length in 0..whole.len() {
            let error = Weights::default()
                .add(&whole[..length], "f", &Device::Cpu)
                .unwrap_err();
            assert!(
                matches!(error, WeightsError::Damaged { .. }),
                "{length}: {error}"
            );
        }
    }

    #[test]
    fn half_precision_widens_exactly() {
        let data: Vec<u8> = [1.5_f32, -0.25, 65504.0]
            .iter()
            .flat_map(|x| half::f16::from_f32(*x).to_le_bytes())
            .collect();
        assert_eq!(to_f32(Dtype::F16, &data).unwrap(), [1.5, -0.25, 65504.0]);
    }
}
