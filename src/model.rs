//! GliZNet itself: checkpoint in, logits out.
//!
//! `checkpoint` reads files, `tokenizer` and `sequence` lay out what the encoder reads, `encoder`
//! and `head` compute, `calibration` turns cosines into probabilities, `verify` compares all of
//! it with golden cases. Knows nothing of queues, editors or where documents come from.

mod backbone;
mod batch;
#[cfg(feature = "bundled-model")]
mod bundled;
pub mod calibration;
pub mod checkpoint;
pub mod config;
pub mod delta;
pub mod device;
mod encoder;
mod head;
pub mod hub;
pub mod label_head;
pub mod loss;
mod output;
mod precision;
pub mod random;
mod run;
pub mod sequence;
pub mod store;
pub mod tokenizer;
pub mod trainee;
pub mod verify;
pub mod weights;

use std::path::Path;
use std::sync::Arc;

use candle_core::Device;

use crate::label::Glossary;
use crate::model::calibration::Calibration;
pub use encoder::{LabelStates, token_cosines};
pub use output::{Inspection, Output};
pub use precision::Precision;

use backbone::Backbone;
use checkpoint::{CheckpointError, CheckpointFiles};
use config::ModelConfig;
use delta::Delta;
use head::ScoringHead;
use label_head::LabelHeads;
use sequence::Sequence;
use store::ModelSource;
use tokenizer::Tokenizer;
use weights::Reader;

/// How to load a checkpoint.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Where to compute.
    pub device: Device,
    /// Read special tokens inside texts as the reference does.
    pub compat: bool,
    /// Run the plain encoder even where there is a fused one.
    pub plain: bool,
    /// What the encoder computes in. The plain ones know no bytes, the fused ones no bfloat16; what
    /// they do not know they compute in float32.
    pub precision: Precision,
}

impl Default for LoadOptions {
    fn default() -> LoadOptions {
        LoadOptions {
            device: Device::Cpu,
            compat: false,
            plain: false,
            precision: Precision::default(),
        }
    }
}

/// A loaded checkpoint: immutable, and shared between threads by reference.
pub struct Model {
    name: String,
    checkpoint_fingerprint: String,
    fingerprint: String,
    config: ModelConfig,
    tokenizer: Tokenizer,
    encoder: Backbone,
    head: ScoringHead,
    calibration: Calibration,
    glossary: Arc<Glossary>,
    label_heads: LabelHeads,
    device: Device,
    precision: Precision,
    reads_as_shipped: bool,
}

impl Model {
    /// Loads the checkpoint in folder `dir`.
    ///
    /// # Errors
    /// Whatever makes the checkpoint less than whole; nothing is repaired silently.
    pub fn load(dir: &Path, options: &LoadOptions) -> Result<Model, CheckpointError> {
        let name = dir.file_name().map_or_else(
            || "model".into(),
            |name| name.to_string_lossy().into_owned(),
        );
        Model::from_files(&name, &CheckpointFiles::open(dir)?, options)
    }

    /// Loads the checkpoint that is compiled into this binary.
    ///
    /// # Errors
    /// As `load`; a test keeps them from happening.
    #[cfg(feature = "bundled-model")]
    pub fn bundled(options: &LoadOptions) -> Result<Model, CheckpointError> {
        Model::from_files(store::BUNDLED_NAME, &bundled::files(), options)
    }

    /// This binary was built without a checkpoint.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(feature = "bundled-model"))]
    pub fn bundled(_options: &LoadOptions) -> Result<Model, CheckpointError> {
        Err(CheckpointError::NoFile {
            path: store::BUNDLED_NAME.into(),
        })
    }

    /// Loads the model at `source`, with what version `number` has learnt on top of it.
    ///
    /// # Errors
    /// As `load`; a version that was learnt on top of another model.
    pub fn with_version(
        source: &ModelSource,
        version: Option<(u32, Delta)>,
        options: &LoadOptions,
    ) -> Result<Model, CheckpointError> {
        let mut files = CheckpointFiles::of(source)?;
        let mut name = match source {
            ModelSource::Bundled => store::BUNDLED_NAME.to_owned(),
            ModelSource::Folder(dir) => dir.file_name().map_or_else(
                || "model".to_owned(),
                |name| name.to_string_lossy().into_owned(),
            ),
        };
        if let Some((number, delta)) = version {
            name = format!("{name}+{number}");
            files.delta = Some(delta);
        }
        Model::from_files(&name, &files, options)
    }

    /// The fingerprint that the model at `source` has without any version on top. Reads all of it.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn fingerprint_of(source: &ModelSource) -> Result<String, CheckpointError> {
        Ok(CheckpointFiles::of(source)?.fingerprint())
    }

    fn from_files(
        name: &str,
        files: &CheckpointFiles,
        options: &LoadOptions,
    ) -> Result<Model, CheckpointError> {
        // Hashing takes as long as reading: they share the two cores.
        std::thread::scope(|scope| {
            let fingerprint = scope.spawn(|| files.fingerprint());
            let mut config = files.model_config()?;
            let tokenizer = files.tokenizer(&config, options.compat)?;
            let weights = files.weights(&mut config, &tokenizer, &options.device)?;
            let fail = |error| CheckpointError::Weights {
                path: files.path.clone(),
                error,
            };
            let reader = Reader::new(&weights, &options.device);
            // transformers' AutoModel saves a pooler that GliZNet never uses.
            reader.part("backbone.pooler").skip();
            let backbone = reader.part("backbone");
            let encoder = Backbone::new(&config, &backbone, options).map_err(|e| fail(e.into()))?;
            let head = ScoringHead::new(&config, &reader).map_err(|e| fail(e.into()))?;
            reader.finish().map_err(fail)?;
            let calibration = files
                .calibration()?
                .unwrap_or_else(|| uncalibrated(head.scale()));
            let glossary = Arc::new(files.glossary()?);
            let label_heads = files.label_heads(config.backbone.hidden_size())?;
            let fingerprint = fingerprint
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            let precision = encoder.precision(options.precision);
            let in_bytes = precision == Precision::Int8;
            Ok(Model {
                calibration,
                glossary,
                label_heads,
                name: name.to_owned(),
                fingerprint: format!("{fingerprint}{}", if in_bytes { "-int8" } else { "" }),
                checkpoint_fingerprint: fingerprint,
                config,
                tokenizer,
                encoder,
                head,
                device: options.device.clone(),
                precision,
                reads_as_shipped: precision == Precision::F32
                    && files.is_shipped
                    && files.has_own_encoder(),
            })
        })
    }

    /// The name it was asked for by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Hash over weights, tokenizer, config and calibration, and what it is computed in where that
    /// changes scores: models of one fingerprint give the same answers.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The hash alone: what a version is learnt on top of, whatever it is computed in.
    pub fn checkpoint_fingerprint(&self) -> &str {
        &self.checkpoint_fingerprint
    }

    /// Whether it makes of texts what the checkpoint in this program makes of them in float32, if
    /// there is one: no version on top has moved its encoder.
    pub fn reads_as_shipped(&self) -> bool {
        self.reads_as_shipped
    }

    /// What its encoder computes in; never `Auto`.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// What `config.json` says.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Where it computes.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Whether sequences lie end to end in its encoder, and isolated labels cost their tokens alone.
    pub fn reads_unpadded(&self) -> bool {
        matches!(self.encoder, Backbone::Fused(_))
    }

    /// Its tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The factor between a cosine and a logit; 1 where logits are not cosines.
    pub fn logit_scale(&self) -> f32 {
        self.head.scale()
    }

    /// What turns its similarities into probabilities; its own logits where nothing was fitted.
    pub fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    /// Words for labels that nobody described; it knows none where the checkpoint brings no file.
    pub fn glossary(&self) -> &Arc<Glossary> {
        &self.glossary
    }

    /// What was learnt of single labels on top of the checkpoint.
    pub fn label_heads(&self) -> &LabelHeads {
        &self.label_heads
    }

    /// Its own logits and a threshold of one half, whatever was fitted.
    pub fn uncalibrated(&self) -> Calibration {
        uncalibrated(self.logit_scale())
    }

    /// The longest sequence whose positions the encoder knows and the checkpoint was made for.
    pub fn max_tokens(&self) -> usize {
        let known = self.config.backbone.max_tokens();
        self.tokenizer
            .max_length()
            .map_or(known, |made_for| made_for.min(known))
    }

    /// Lays out a text and labels as this checkpoint reads them; nothing is cut.
    pub fn sequence(&self, text: &[u32], labels: &[&[u32]]) -> Sequence {
        let special = self.tokenizer.special();
        let mut sequence = Sequence::new(
            self.config.layout,
            self.config.label_vector,
            &special,
            text,
            labels,
        );
        // Isolated labels of a very long text share the last position that the encoder knows.
        let last = self.config.backbone.max_tokens() as u32 - 1;
        for position in &mut sequence.positions {
            *position = last.min(*position);
        }
        sequence
    }
}

/// The files of the checkpoint that is compiled in, for those who list models.
pub fn bundled_files() -> Option<store::BundledFiles> {
    #[cfg(feature = "bundled-model")]
    return Some(bundled::FILES);
    #[cfg(not(feature = "bundled-model"))]
    None
}

fn uncalibrated(scale: f32) -> Calibration {
    Calibration::uncalibrated(scale).expect("a finite temperature is a valid coefficient")
}
