//! Tensors and config of a trained checkpoint, written to the disk.
//!
//! Invariant: what is reported as written is synced. Putting a whole folder in place is the caller's.

use std::io::Write;
use std::path::{Path, PathBuf};

use candle_core::Tensor;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;

use super::CheckpointFiles;
use crate::model::config::{Layout, ModelConfig};

/// Why a trained checkpoint could not be written.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// The disk is full, or the folder cannot be written to.
    #[error("{path}: {error}; free some space or choose another folder")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The tensor library failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// The weights do not fit the format.
    #[error("{path}: {error}")]
    Format {
        /// Which file.
        path: PathBuf,
        /// What the format said.
        error: safetensors::SafeTensorError,
    },
}

/// Writes float32 tensors as one safetensors file, synced to the disk.
///
/// # Errors
/// A full disk, a folder that cannot be written to.
pub fn write_tensors<'a>(
    path: &Path,
    tensors: impl Iterator<Item = (&'a str, &'a Tensor)>,
) -> Result<(), SaveError> {
    let archive = tensor_bytes(tensors).map_err(|error| match error {
        SaveError::Format { error, .. } => SaveError::Format {
            path: path.to_owned(),
            error,
        },
        other => other,
    })?;
    write(path, &archive)
}

/// Float32 tensors in the safetensors format.
///
/// # Errors
/// Of the tensor library.
pub fn tensor_bytes<'a>(
    tensors: impl Iterator<Item = (&'a str, &'a Tensor)>,
) -> Result<Vec<u8>, SaveError> {
    let mut bytes: Vec<(&str, Vec<usize>, Vec<u8>)> = Vec::new();
    for (name, tensor) in tensors {
        let values: Vec<f32> = tensor.flatten_all()?.to_vec1()?;
        let data = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        bytes.push((name, tensor.dims().to_vec(), data));
    }
    let format = |error| SaveError::Format {
        path: "model.safetensors".into(),
        error,
    };
    let views: Vec<(&str, TensorView)> = bytes
        .iter()
        .map(|(name, shape, data)| {
            let view = TensorView::new(Dtype::F32, shape.clone(), data).map_err(format)?;
            Ok((*name, view))
        })
        .collect::<Result<_, SaveError>>()?;
    // Readers of other programs ask for this key.
    let metadata = [("format".to_owned(), "pt".to_owned())]
        .into_iter()
        .collect();
    safetensors::serialize(views, Some(metadata)).map_err(format)
}

pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), SaveError> {
    let written = std::fs::File::create(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|error| SaveError::Io {
        path: path.to_owned(),
        error,
    })
}

/// Says of the weights what they are now, where something is said of them.
fn written_as(json: &mut Value) {
    for key in ["dtype", "torch_dtype"] {
        if json.get(key).is_some_and(Value::is_string) {
            json[key] = "float32".into();
        }
    }
}

/// `config.json` as it was, with the layout and the vocabulary of what is trained.
pub(super) fn config_json(files: &CheckpointFiles, config: &ModelConfig) -> Value {
    let mut json: Value = serde_json::from_slice(&files.config).unwrap_or_default();
    let attention = match config.layout {
        Layout::Reference => None,
        Layout::PrefixFull => Some("full"),
        Layout::PrefixIsolated => Some("isolated"),
    };
    if let Some(attention) = attention {
        json["input_layout"] = "lab_prefix".into();
        json["label_attention"] = attention.into();
    }
    json["backbone_config"]["vocab_size"] = config.backbone.vocab_size().into();
    written_as(&mut json);
    written_as(&mut json["backbone_config"]);
    json
}
