//! What can be wrong with a checkpoint: one variant a cause, each with place, fact and cure.

use std::io;
use std::path::PathBuf;

use crate::model::config::ConfigError;
use crate::model::tokenizer::TokenizerError;
use crate::model::weights::WeightsError;

/// Why a checkpoint cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The folder has no such file.
    #[error(
        "{path}: no such file; a checkpoint folder needs config.json, tokenizer.json and model.safetensors"
    )]
    NoFile {
        /// The missing file.
        path: PathBuf,
    },
    /// The weights are a pickle file.
    #[error(
        "{path}: a pickle file can run any code when it is loaded and is refused; save the model as safetensors"
    )]
    Pickle {
        /// The refused file.
        path: PathBuf,
    },
    /// A file could not be read.
    #[error("{path}: {error}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// `config.json` is not usable.
    #[error("{path}: {error}")]
    Config {
        /// Which file.
        path: PathBuf,
        /// All its faults.
        error: ConfigError,
    },
    /// The index of a sharded checkpoint is not usable.
    #[error("{path}: {fact}; fetch the checkpoint again")]
    Index {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        fact: String,
    },
    /// The tokenizer is not usable.
    #[error("{path}: {error}")]
    Tokenizer {
        /// The checkpoint.
        path: PathBuf,
        /// What is wrong.
        error: TokenizerError,
    },
    /// The tokenizer has tokens that the embedding has no rows for.
    #[error(
        "{path}: tokenizer.json knows {tokenizer} tokens, the model's embedding has {rows} rows; it is the tokenizer of another model"
    )]
    Vocabulary {
        /// The checkpoint.
        path: PathBuf,
        /// Size of the tokenizer's vocabulary.
        tokenizer: usize,
        /// Rows of the embedding.
        rows: usize,
    },
    /// The tokenizer and the config number the padding token differently.
    #[error(
        "{path}: tokenizer.json pads with token {tokenizer}, config.json with {config}; it is the tokenizer of another model"
    )]
    Padding {
        /// The checkpoint.
        path: PathBuf,
        /// What the tokenizer says.
        tokenizer: u32,
        /// What the config says.
        config: u32,
    },
    /// The weights are not usable.
    #[error("{path}: {error}")]
    Weights {
        /// The checkpoint.
        path: PathBuf,
        /// What is wrong.
        error: WeightsError,
    },
    /// The calibration or the glossary is not usable.
    #[error("{path}: {fact}")]
    Beside {
        /// Which file.
        path: PathBuf,
        /// What is wrong, with its cure.
        fact: String,
    },
}
