//! A checkpoint's files: a folder, or the one compiled in, read into a `Model`.
//!
//! Invariant: a checkpoint that loads is whole: every tensor is there, has the configured shape
//! and is finite; the tokenizer and the config name the same `[LAB]`.
//!
//! Length: one folder, and what each of its files must hold.

mod bytes;
mod error;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use memmap2::Mmap;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::calibration::{self, Calibration};
use super::config::{ConfigError, ModelConfig};
use super::delta::Delta;
use super::encoder::word_embedding_name;
use super::label_head::LabelHeads;
use super::store::ModelSource;
use super::tokenizer::Tokenizer;
use super::weights::{Weights, WeightsError};
use crate::config::json_fault;
use crate::label::Glossary;

pub(crate) use bytes::Bytes;
pub use error::CheckpointError;

/// The name of the file with words for labels, one line a label: `name<TAB>words`.
pub(crate) const GLOSSARY: &str = "glossary.tsv";

/// The files of a checkpoint, in memory or mapped.
pub(crate) struct CheckpointFiles {
    /// The folder, or `bundled` for messages.
    pub(crate) path: PathBuf,
    pub(crate) config: Bytes,
    pub(crate) tokenizer: Bytes,
    pub(crate) tokenizer_config: Option<Bytes>,
    pub(crate) calibration: Option<Bytes>,
    pub(crate) glossary: Option<Bytes>,
    /// File names and contents of the weights.
    pub(crate) weights: Vec<(String, Bytes)>,
    /// What was learnt on top.
    pub(crate) delta: Option<Delta>,
    /// They are compiled into this program.
    pub(crate) is_shipped: bool,
}

impl CheckpointFiles {
    /// Opens the files of a checkpoint folder.
    pub(crate) fn open(dir: &Path) -> Result<CheckpointFiles, CheckpointError> {
        let need = |name: &str| {
            read(&dir.join(name))?.ok_or_else(|| CheckpointError::NoFile {
                path: dir.join(name),
            })
        };
        Ok(CheckpointFiles {
            path: dir.to_owned(),
            config: need("config.json")?,
            tokenizer: need("tokenizer.json")?,
            tokenizer_config: read(&dir.join("tokenizer_config.json"))?,
            calibration: read(&dir.join(calibration::FILE_NAME))?,
            glossary: read(&dir.join(GLOSSARY))?,
            weights: weights(dir)?,
            delta: None,
            is_shipped: false,
        })
    }

    /// The files of a model, wherever they are.
    pub(crate) fn of(source: &ModelSource) -> Result<CheckpointFiles, CheckpointError> {
        match source {
            ModelSource::Folder(dir) => CheckpointFiles::open(dir),
            #[cfg(feature = "bundled-model")]
            ModelSource::Bundled => Ok(super::bundled::files()),
            #[cfg(not(feature = "bundled-model"))]
            ModelSource::Bundled => Err(CheckpointError::NoFile {
                path: super::store::BUNDLED_NAME.into(),
            }),
        }
    }

    /// The parsed `config.json`.
    pub(crate) fn model_config(&self) -> Result<ModelConfig, CheckpointError> {
        let path = self.path.join("config.json");
        let text = std::str::from_utf8(&self.config).map_err(|_| CheckpointError::Config {
            path: path.clone(),
            error: ConfigError {
                faults: vec!["not UTF-8; fetch the checkpoint again".into()],
            },
        })?;
        ModelConfig::parse(text).map_err(|error| CheckpointError::Config { path, error })
    }

    /// The tokenizer, with `[LAB]` added where it lacks it.
    pub(crate) fn tokenizer(
        &self,
        config: &ModelConfig,
        compat: bool,
    ) -> Result<Tokenizer, CheckpointError> {
        Tokenizer::new(
            &self.tokenizer,
            self.tokenizer_config.as_deref(),
            config.lab_token_id,
            compat,
        )
        .map_err(|error| CheckpointError::Tokenizer {
            path: self.path.clone(),
            error,
        })
    }

    /// All tensors, with a row of the word embedding for every token of `tokenizer`.
    ///
    /// `config` is told the new number of rows. Rows are added only where the vocabulary really
    /// exceeds the table (ModernBERT's has spare rows), each the mean of the old ones.
    pub(crate) fn weights(
        &self,
        config: &mut ModelConfig,
        tokenizer: &Tokenizer,
        device: &Device,
    ) -> Result<Weights, CheckpointError> {
        let fail = |error| CheckpointError::Weights {
            path: self.path.clone(),
            error,
        };
        let mut weights = Weights::default();
        for (name, bytes) in &self.weights {
            weights.add(bytes, name, device).map_err(fail)?;
        }
        // Two tokenizers may be of one size: where special tokens differ, all others do too.
        let (padding, expected) = (tokenizer.special().pad, config.backbone.pad_token_id());
        if padding != expected {
            return Err(CheckpointError::Padding {
                path: self.path.clone(),
                tokenizer: padding,
                config: expected,
            });
        }
        let rows = config.backbone.vocab_size();
        let needed = tokenizer.vocab_size();
        let added = tokenizer.special().lab as usize == rows && needed == rows + 1;
        if needed > rows && !added {
            return Err(CheckpointError::Vocabulary {
                path: self.path.clone(),
                tokenizer: needed,
                rows,
            });
        }
        let name = format!("backbone.{}", word_embedding_name(&config.backbone));
        if let Some(table) = weights
            .get(&name)
            .filter(|table| added && table.dim(0).is_ok_and(|n| n == rows))
        {
            let grown = grow(table).map_err(|e| fail(e.into()))?;
            weights.insert(&name, grown);
            config.backbone.set_vocab_size(needed);
        }
        if let Some(delta) = &self.delta {
            delta.apply(&mut weights, device).map_err(fail)?;
        }
        Ok(weights)
    }

    /// What turns similarities into probabilities, where it was fitted.
    pub(crate) fn calibration(&self) -> Result<Option<Calibration>, CheckpointError> {
        if let Some(learnt) = self.delta.as_ref().and_then(Delta::calibration) {
            return Ok(Some(learnt.clone()));
        }
        let Some(bytes) = &self.calibration else {
            return Ok(None);
        };
        let unusable = |fact| self.unusable(calibration::FILE_NAME, fact);
        let text = std::str::from_utf8(bytes).map_err(|_| {
            unusable("not UTF-8; fit it again with `gliznet model calibrate`".into())
        })?;
        let parsed = Calibration::from_json(text);
        parsed.map(Some).map_err(|e| unusable(e.to_string()))
    }

    /// What its labels are read with, where they are not described; empty where the checkpoint has none.
    pub(crate) fn glossary(&self) -> Result<Glossary, CheckpointError> {
        let unusable = |fact| self.unusable(GLOSSARY, fact);
        let text = std::str::from_utf8(self.glossary.as_deref().unwrap_or_default())
            .map_err(|_| unusable("not UTF-8; write it anew, or remove it".into()))?;
        Glossary::parse(text).map_err(|e| unusable(format!("{e}, or remove the file")))
    }

    fn unusable(&self, file: &str, fact: String) -> CheckpointError {
        let path = self.path.join(file);
        CheckpointError::Beside { path, fact }
    }

    /// What was learnt of single labels, for texts as vectors of `hidden` numbers.
    pub(crate) fn label_heads(&self, hidden: usize) -> Result<LabelHeads, CheckpointError> {
        let Some(delta) = &self.delta else {
            return Ok(LabelHeads::default());
        };
        let fail = |error| CheckpointError::Weights {
            path: self.path.clone(),
            error,
        };
        let heads = delta.parts(&Device::Cpu).map_err(fail)?.heads;
        let others = heads.iter().filter(|(_, h)| h.weights().len() != hidden);
        let faults: Vec<String> = others
            .map(|(name, head)| {
                format!(
                    "the head of label `{name}` has {} weights in the version, the model {hidden}",
                    head.weights().len()
                )
            })
            .collect();
        match faults.is_empty() {
            true => Ok(heads),
            false => Err(fail(WeightsError::Mismatch(faults))),
        }
    }

    /// Whether the version on top, if there is one, leaves the encoder as it is. One that cannot be
    /// read does not: it has been refused before.
    pub(crate) fn has_own_encoder(&self) -> bool {
        let parts = self.delta.as_ref().map(|delta| delta.parts(&Device::Cpu));
        parts.is_none_or(|parts| parts.is_ok_and(|parts| parts.tensors.is_empty()))
    }

    /// Hash over everything that scores depend on, 16 hex digits.
    pub(crate) fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        let mut add = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_le_bytes()); // So that parts cannot run into each other.
            hash.update(bytes);
        };
        for part in [
            Some(&self.config),
            Some(&self.tokenizer),
            self.tokenizer_config.as_ref(),
            self.calibration.as_ref(),
        ]
        .into_iter()
        .chain(self.weights.iter().map(|(_, bytes)| Some(bytes)))
        {
            add(part.map_or(&[], |bytes| bytes));
        }
        // Only where there is one: a checkpoint without keeps the fingerprint that it had.
        if let Some(glossary) = &self.glossary {
            add(glossary);
        }
        if let Some(delta) = &self.delta {
            add(delta.weights());
            let calibration = delta.calibration().map(Calibration::to_json);
            add(calibration.unwrap_or_default().as_bytes());
        }
        hash.finalize()
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// The table with one more row: the mean of all others.
fn grow(table: &Tensor) -> candle_core::Result<Tensor> {
    Tensor::cat(&[table, &table.mean_keepdim(0)?], 0)
}

/// Reads a small file; `None` where there is none.
fn read(path: &Path) -> Result<Option<Bytes>, CheckpointError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(Bytes::Read(bytes))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CheckpointError::Io {
            path: path.to_owned(),
            error,
        }),
    }
}

#[derive(Deserialize)]
struct Index {
    weight_map: std::collections::BTreeMap<String, String>,
}

/// Maps `model.safetensors`, or the shards that its index names.
fn weights(dir: &Path) -> Result<Vec<(String, Bytes)>, CheckpointError> {
    let single = dir.join("model.safetensors");
    if let Some(bytes) = map(&single)? {
        return Ok(vec![("model.safetensors".into(), bytes)]);
    }
    let path = dir.join("model.safetensors.index.json");
    if let Some(index) = read(&path)? {
        let fault = |fact| CheckpointError::Index {
            path: path.clone(),
            fact,
        };
        let index: Index = serde_json::from_slice(&index).map_err(|e| fault(json_fault(&e)))?;
        let names: std::collections::BTreeSet<String> = index.weight_map.into_values().collect();
        return names
            .into_iter()
            .map(|name| {
                // A name with a folder in it could reach outside of the checkpoint.
                if Path::new(&name).components().count() != 1 || name.starts_with("..") {
                    return Err(fault(format!(
                        "the shard `{name}` is not a plain file name"
                    )));
                }
                let shard = dir.join(&name);
                let bytes = map(&shard)?.ok_or(CheckpointError::NoFile { path: shard })?;
                Ok((name, bytes))
            })
            .collect();
    }
    for pickle in [
        "pytorch_model.bin",
        "pytorch_model.bin.index.json",
        "model.pt",
        "model.pth",
    ] {
        if dir.join(pickle).exists() {
            return Err(CheckpointError::Pickle {
                path: dir.join(pickle),
            });
        }
    }
    Err(CheckpointError::NoFile { path: single })
}

/// Maps a file of weights; `None` where there is none.
fn map(path: &Path) -> Result<Option<Bytes>, CheckpointError> {
    let io = |error| CheckpointError::Io {
        path: path.to_owned(),
        error,
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    if file.metadata().map_err(io)?.len() == 0 {
        return Ok(Some(Bytes::Read(Vec::new()))); // An empty file cannot be mapped; the format check names it.
    }
    #[expect(
        unsafe_code,
        reason = "read once while loading; model folders are replaced, never rewritten in place"
    )]
    let map = unsafe { Mmap::map(&file) }.map_err(io)?;
    Ok(Some(Bytes::Mapped(map)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Bytes {
        Bytes::Read(text.into())
    }

    fn files() -> CheckpointFiles {
        CheckpointFiles {
            path: "notes".into(),
            config: bytes("config"),
            tokenizer: bytes("tokenizer"),
            tokenizer_config: Some(bytes("settings")),
            calibration: None,
            glossary: None,
            weights: vec![("model.safetensors".into(), bytes("weights"))],
            delta: None,
            is_shipped: false,
        }
    }

    #[test]
    fn a_new_row_is_the_mean_of_the_old_ones() {
        let table = Tensor::new(&[[1.0_f32, 2.0], [3.0, 6.0], [5.0, 1.0]], &Device::Cpu).unwrap();
        let grown = grow(&table).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(grown, [[1.0, 2.0], [3.0, 6.0], [5.0, 1.0], [3.0, 3.0]]);
    }

    #[test]
    fn the_fingerprint_follows_every_file_and_not_the_folder() {
        let changes: [fn(&mut CheckpointFiles); 7] = [
            |files| files.config = bytes("other"),
            |files| files.tokenizer = bytes("other"),
            |files| files.tokenizer_config = None,
            |files| files.calibration = Some(bytes("other")),
            |files| files.weights[0].1 = bytes("other"),
            |files| files.delta = Some(Delta::new(*b"learnt", None)),
            // A byte that moves from one file to the next.
            |files| (files.config, files.tokenizer) = (bytes("configt"), bytes("okenizer")),
        ];
        let print = |change: fn(&mut CheckpointFiles)| {
            let mut files = files();
            change(&mut files);
            files.fingerprint()
        };
        let original = files().fingerprint();
        assert_eq!(print(|files| files.path = "elsewhere".into()), original);
        let mut prints = [vec![original], changes.map(print).to_vec()].concat();
        prints.sort();
        prints.dedup();
        assert_eq!(prints.len(), 8);
    }
}
