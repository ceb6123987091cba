//! A checkpoint that is being trained: sequences and targets in, losses with gradients out.
//!
//! Invariant: what is frozen is no variable, so nothing is computed for its gradient, and below the
//! lowest trained layer no graph is kept at all. The same tensors serve measuring in between: their
//! values move, the model is not built again.
//!
//! Length: loading and what training asks of it share its fields.

mod save;
mod views;

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor, Var};
use serde_json::Value;

use super::batch::{Batch, BatchOptions};
use super::checkpoint::{CheckpointError, CheckpointFiles, GLOSSARY};
use super::config::{Layout, ModelConfig};
use super::delta::Delta;
use super::encoder::{Dropout, Encoder, EncoderInput};
use super::head::{ScoringHead, StateRows};
use super::loss::{LossWeights, Losses, Temperatures, losses};
use super::random::Random;
use super::sequence::Sequence;
use super::store::ModelSource;
use super::tokenizer::Tokenizer;
use super::weights::{Reader, Weights};
use save::{config_json, write};

pub use save::{SaveError, tensor_bytes, write_tensors};
pub use views::{Prepared, Views};

const BCE_SCALE: &str = "loss_fn.bce_scale";
const LOGIT_SCALE: &str = "aggregator.similarity_head.logit_scale";

/// How to load a checkpoint for training.
#[derive(Clone, Debug)]
pub struct TraineeOptions {
    /// Where to compute.
    pub device: Device,
    /// What the encoder's layers compute in; weights and losses are float32.
    pub dtype: DType,
    /// Another layout than the checkpoint's.
    pub layout: Option<Layout>,
    /// Whether the embeddings with their norm stay as they are.
    pub freeze_embeddings: bool,
    /// How many of the lowest layers stay as they are; more than none freezes the embeddings too.
    pub freeze_layers: usize,
}

impl Default for TraineeOptions {
    fn default() -> TraineeOptions {
        TraineeOptions {
            device: Device::Cpu,
            dtype: DType::F32,
            layout: None,
            freeze_embeddings: false,
            freeze_layers: 0,
        }
    }
}

/// What is dropped in one forward pass.
#[derive(Debug, Default)]
pub struct Dropouts {
    hidden: Option<Dropout>,
    head: Option<Dropout>,
}

impl Dropouts {
    /// Drops these shares of the encoder's states and of the projected vectors.
    pub fn new(hidden: f64, head: f64, random: &mut Random) -> Dropouts {
        let [a, b] = [random.bits(), random.bits()];
        Dropouts {
            hidden: Dropout::new(hidden, Random::new(&[a])),
            head: Dropout::new(head, Random::new(&[b])),
        }
    }
}

/// A checkpoint whose tensors are variables.
pub struct Trainee {
    config: ModelConfig,
    config_json: Value,
    tokenizer: Tokenizer,
    files: Vec<(&'static str, Vec<u8>)>,
    encoder: Encoder,
    head: ScoringHead,
    bce_scale: Tensor,
    variables: BTreeMap<String, Var>,
    weights: Weights,
    device: Device,
    dtype: DType,
    frozen_layers: usize,
}

/// What the model says of a batch, with everything that gradients need.
struct Pass {
    similarities: super::head::Similarities,
    row_of_label: Vec<u32>,
    states: Tensor,
    rows: StateRows,
}

impl Trainee {
    /// Loads the checkpoint in folder `dir`.
    ///
    /// # Errors
    /// As loading it for inference.
    pub fn load(dir: &Path, options: &TraineeOptions) -> Result<Trainee, CheckpointError> {
        Trainee::from_files(&CheckpointFiles::open(dir)?, options)
    }

    /// Loads the model at `source`, with what was learnt on top of it.
    ///
    /// # Errors
    /// As `load`.
    pub fn with_delta(
        source: &ModelSource,
        delta: Option<Delta>,
        options: &TraineeOptions,
    ) -> Result<Trainee, CheckpointError> {
        let mut files = CheckpointFiles::of(source)?;
        files.delta = delta;
        Trainee::from_files(&files, options)
    }

    fn from_files(
        files: &CheckpointFiles,
        options: &TraineeOptions,
    ) -> Result<Trainee, CheckpointError> {
        let mut config = files.model_config()?;
        let tokenizer = files.tokenizer(&config, false)?;
        files.glossary()?; // It is copied; what cannot be read would make the result no model.
        let device = &options.device;
        let mut weights = files.weights(&mut config, &tokenizer, device)?;
        let fail = |error| CheckpointError::Weights {
            path: files.path.clone(),
            error,
        };
        let tensor = |error: candle_core::Error| fail(error.into());
        if let Some(layout) = options.layout {
            config.layout = layout;
        }
        for (name, start) in [
            (BCE_SCALE, 1.0),
            (LOGIT_SCALE, config.logit_scale_init as f32),
        ] {
            if weights.get(name).is_none() {
                weights.insert(name, Tensor::new(start, device).map_err(tensor)?);
            }
        }
        let kept = weights
            .iter()
            .filter(|(name, _)| !name.starts_with("backbone.pooler."));
        let mut own = Weights::default();
        let mut variables = BTreeMap::new();
        for (name, value) in kept {
            let is_fixed = name == LOGIT_SCALE && !config.learn_temperature
                || is_frozen(name, options.freeze_embeddings, options.freeze_layers);
            if is_fixed {
                own.insert(name, value.clone());
            } else {
                let variable = Var::from_tensor(value).map_err(tensor)?;
                own.insert(name, variable.as_tensor().clone());
                variables.insert(name.to_owned(), variable);
            }
        }
        let weights = own;
        let reader = Reader::new(&weights, device);
        let encoder = Encoder::new(&config.backbone, &reader.part("backbone")).map_err(tensor)?;
        let head = ScoringHead::new(&config, &reader).map_err(tensor)?;
        let bce_scale = reader.get(BCE_SCALE, &[]).map_err(tensor)?;
        reader.finish().map_err(fail)?;
        Ok(Trainee {
            config_json: config_json(files, &config),
            files: [
                Some(("tokenizer.json", files.tokenizer.to_vec())),
                files
                    .tokenizer_config
                    .as_ref()
                    .map(|bytes| ("tokenizer_config.json", bytes.to_vec())),
                // What labels mean stays true of other weights; their calibration does not.
                files
                    .glossary
                    .as_ref()
                    .map(|bytes| (GLOSSARY, bytes.to_vec())),
            ]
            .into_iter()
            .flatten()
            .collect(),
            config,
            tokenizer,
            encoder,
            head,
            bce_scale,
            variables,
            weights,
            device: device.clone(),
            dtype: options.dtype,
            frozen_layers: options.freeze_layers,
        })
    }

    /// What `config.json` says, with the layout that is trained.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Its tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// What is trained, by name.
    pub fn variables(&self) -> &BTreeMap<String, Var> {
        &self.variables
    }

    /// The longest sequence that the encoder has positions for.
    pub fn max_tokens(&self) -> usize {
        let known = self.config.backbone.max_tokens();
        self.tokenizer
            .max_length()
            .map_or(known, |made_for| made_for.min(known))
    }

    /// Lays out a text and labels as this checkpoint reads them; nothing is cut.
    pub fn sequence(&self, text: &[u32], labels: &[&[u32]]) -> Sequence {
        let special = self.tokenizer.special();
        let vector = self.config.label_vector;
        let mut sequence = Sequence::new(self.config.layout, vector, &special, text, labels);
        let last = self.config.backbone.max_tokens() as u32 - 1;
        for position in &mut sequence.positions {
            *position = last.min(*position);
        }
        sequence
    }

    /// The losses of a batch; `targets` has one value a label, sequence after sequence.
    ///
    /// # Errors
    /// Of the tensor library.
    pub fn losses(
        &self,
        sequences: &[&Sequence],
        targets: &[f32],
        weights: &LossWeights,
        dropouts: &Dropouts,
    ) -> candle_core::Result<Losses> {
        let both = self.losses_and_embeddings(sequences, targets, weights, dropouts)?;
        Ok(both.0)
    }

    /// The losses, and each text's mean-pooled state of unit length, `[sequence, hidden]`; under
    /// isolated attention that state knows nothing of the labels.
    ///
    /// # Errors
    /// Of the tensor library.
    pub fn losses_and_embeddings(
        &self,
        sequences: &[&Sequence],
        targets: &[f32],
        weights: &LossWeights,
        dropouts: &Dropouts,
    ) -> candle_core::Result<(Losses, Tensor)> {
        let pass = self.pass(sequences, dropouts)?;
        let temperatures = Temperatures {
            scale: &self.head.trained_scale()?,
            bce_scale: &self.bce_scale,
        };
        let (said, rows) = (&pass.similarities, &pass.row_of_label);
        let losses = losses(said, rows, targets, &temperatures, weights)?;
        Ok((losses, pass.rows.text_embeddings(&pass.states)?))
    }

    /// The probability of each label, sequence after sequence, as the cross-entropy is trained.
    ///
    /// # Errors
    /// Of the tensor library.
    pub fn probabilities(
        &self,
        sequences: &[&Sequence],
        bce_bias: f64,
    ) -> candle_core::Result<Vec<f32>> {
        let pass = self.pass(sequences, &Dropouts::default())?;
        let raw = pass
            .similarities
            .logits
            .broadcast_div(&self.head.trained_scale()?)?;
        let scale = self.bce_scale.abs()?.clamp(0.1_f32, 10_f32)?;
        let logits = (raw.broadcast_mul(&scale)? + bce_bias)?;
        candle_nn::ops::sigmoid(&logits)?.to_vec1()
    }

    /// Mean of each sequence's text states, of unit length, `[sequence, hidden]`.
    ///
    /// # Errors
    /// Of the tensor library.
    pub fn embeddings(
        &self,
        sequences: &[&Sequence],
        dropouts: &Dropouts,
    ) -> candle_core::Result<Tensor> {
        let (states, rows) = self.states(sequences, dropouts)?;
        rows.text_embeddings(&states)
    }

    fn pass(&self, sequences: &[&Sequence], dropouts: &Dropouts) -> candle_core::Result<Pass> {
        let (states, rows) = self.states(sequences, dropouts)?;
        let labels = sequences.iter().zip(0_u32..);
        Ok(Pass {
            similarities: self
                .head
                .forward_with(&states, &rows, dropouts.head.as_ref())?,
            row_of_label: labels
                .flat_map(|(sequence, row)| sequence.label_tokens.iter().map(move |_| row))
                .collect(),
            states,
            rows,
        })
    }

    /// Last hidden states, `[row, hidden]`, float32, and which row is which token.
    fn states(
        &self,
        sequences: &[&Sequence],
        dropouts: &Dropouts,
    ) -> candle_core::Result<(Tensor, StateRows)> {
        let options = BatchOptions {
            pad: self.tokenizer.special().pad,
            isolated: self.config.layout.is_isolated(),
            device: &self.device,
        };
        let is_packed =
            self.device.is_cpu() && self.dtype == DType::F32 && self.encoder.reads_packed();
        let (batch, starts) = if is_packed {
            Batch::packed(sequences, &options)?
        } else {
            let batch = Batch::new(sequences, 0, &options)?;
            let tokens = batch.ids.dim(1)?;
            (batch, (0..sequences.len()).map(|i| i * tokens).collect())
        };
        let states = self.encoder.forward(&EncoderInput {
            ids: &batch.ids,
            positions: &batch.positions,
            mask: &batch.mask,
            dropout: dropouts.hidden.as_ref(),
            dtype: self.dtype,
        })?; // [batch, token, hidden]
        let rows = StateRows::new(sequences, |i, place| starts[i] + place, &self.device)?;
        Ok((states.flatten(0, 1)?.to_dtype(DType::F32)?, rows))
    }

    /// Copies values into the variables, by name; all of them must be there.
    ///
    /// # Errors
    /// A name or shape that is not this model's.
    pub fn restore(&self, values: &BTreeMap<String, Tensor>) -> candle_core::Result<()> {
        for (name, variable) in &self.variables {
            match values.get(name) {
                Some(value) => variable.set(value)?,
                None => candle_core::bail!("the saved weights have no `{name}`"),
            }
        }
        Ok(())
    }

    /// Writes config, tokenizer and weights into the folder `dir`, each synced to the disk.
    ///
    /// # Errors
    /// A full disk, a folder that cannot be written to.
    pub fn save(&self, dir: &Path) -> Result<(), SaveError> {
        let config = format!("{:#}\n", self.config_json);
        write(&dir.join("config.json"), config.as_bytes())?;
        for (name, bytes) in &self.files {
            write(&dir.join(name), bytes)?;
        }
        write_tensors(&dir.join("model.safetensors"), self.weights.iter())
    }
}

/// Whether the tensor `name` belongs to what is frozen.
fn is_frozen(name: &str, embeddings: bool, layers: usize) -> bool {
    let Some(name) = name.strip_prefix("backbone.") else {
        return false;
    };
    if name.starts_with("embeddings.") {
        return embeddings || layers > 0;
    }
    let number = ["encoder.layer.", "transformer.layer.", "layers."]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .and_then(|rest| rest.split('.').next()?.parse::<usize>().ok());
    number.is_some_and(|number| number < layers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embeddings_and_lower_layers_are_told_by_name_in_every_architecture() {
        for layer in ["encoder.layer.1.x", "transformer.layer.1.x", "layers.1.x"] {
            let name = format!("backbone.{layer}");
            assert!(
                is_frozen(&name, false, 2) && !is_frozen(&name, true, 1),
                "{name}"
            );
        }
        let embedding = "backbone.embeddings.word_embeddings.weight";
        assert!(is_frozen(embedding, true, 0) && is_frozen(embedding, false, 1));
        assert!(!is_frozen(embedding, false, 0));
        assert!(!is_frozen("aggregator.text_projector.0.weight", true, 99));
    }

    #[test]
    fn a_glossary_that_cannot_be_read_is_refused_and_not_copied() {
        let golden =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parity/bert-isolated-proj");
        let dir = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(golden).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
        }
        let load = || Trainee::load(dir.path(), &TraineeOptions::default());
        assert!(load().is_ok());
        std::fs::write(dir.path().join(GLOSSARY), "no tab").unwrap();
        let message = load().err().unwrap().to_string();
        assert!(
            message.contains("glossary.tsv") && message.contains("no tab"),
            "{message}"
        );
    }
}
