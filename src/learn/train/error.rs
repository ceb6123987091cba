//! Why a training stops: place, fact, cure.

use std::path::PathBuf;

use crate::learn::dataset::DatasetError;
use crate::model::checkpoint::CheckpointError;
use crate::model::tokenizer::TokenizerError;
use crate::model::trainee::SaveError;

use super::recipe::RecipeError;

/// Why a training does not start, or stops.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The recipe.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The checkpoint to start from.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The data.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A text.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// Writing a checkpoint.
    #[error("{0}; the last good checkpoint is kept")]
    Save(#[from] SaveError),
    /// The tensor library: out of memory, a device that went away.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// No checkpoint is named.
    #[error("no checkpoint to start from; give --init, or `init` in the recipe")]
    NoInit,
    /// A CPU computes in float32.
    #[error("`precision` other than \"f32\" needs a GPU; set it to \"f32\"")]
    Precision,
    /// Patterns that match no file.
    #[error("no file matches {0}; paths are relative to the recipe's folder")]
    NoFiles(String),
    /// A pattern that is none.
    #[error("`{pattern}` is not a path pattern: {fact}")]
    Pattern {
        /// Which.
        pattern: String,
        /// What is wrong.
        fact: String,
    },
    /// Nothing to train on.
    #[error("no usable row in {files} files ({faults} faulty rows); check the data")]
    NoRows {
        /// Files that were read.
        files: usize,
        /// Rows with faults.
        faults: usize,
    },
    /// The loss is no number any more.
    #[error(
        "the loss of step {step} is {loss}; lower `optimizer.learning_rate`, or raise `schedule.warmup`; the last good checkpoint is kept"
    )]
    NotFinite {
        /// Which step.
        step: usize,
        /// What it is.
        loss: f32,
    },
    /// A folder that holds another training.
    #[error(
        "{path} holds a training already; add --resume to go on with it, or choose another folder"
    )]
    Occupied {
        /// Which.
        path: PathBuf,
    },
    /// Another recipe than the one that was begun with.
    #[error(
        "{path} was begun with another recipe; resume with the same one, or choose another folder"
    )]
    OtherRecipe {
        /// Which folder.
        path: PathBuf,
    },
    /// A file of the training's folder.
    #[error("{path}: {error}; the last good checkpoint is kept")]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// A report that could not be drawn.
    #[error("the report could not be drawn: {0}")]
    Report(String),
}

impl TrainError {
    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> TrainError {
        let path = path.into();
        move |error| TrainError::Io { path, error }
    }
}
