//! Why nothing was learnt, in words that say what to do.

use crate::engine::EngineError;
use crate::learn::journal::JournalError;
use crate::learn::versions::VersionError;
use crate::model::checkpoint::CheckpointError;
use crate::model::tokenizer::TokenizerError;
use crate::model::trainee::SaveError;
use crate::model::weights::WeightsError;

/// Why nothing was learnt.
#[derive(Debug, thiserror::Error)]
pub enum ConsolidateError {
    /// Nothing that the model does not know.
    #[error("nothing new to learn: {fact}")]
    Nothing {
        /// Why.
        fact: String,
    },
    /// Another job runs.
    #[error("the model learns already; wait until it has")]
    Busy,
    /// Somebody ended it.
    #[error("learning was cancelled; nothing has changed")]
    Cancelled,
    /// Another version serves now than at the start.
    #[error(
        "another version of the model was chosen meanwhile; what was learnt is dropped, learn again"
    )]
    Overtaken,
    /// What was learnt from is not to be known any more.
    #[error(
        "a text that was being learnt from was forgotten meanwhile; what was learnt is dropped, learn again"
    )]
    Forgotten,
    /// Weights broke.
    #[error("learning gave numbers that are none; nothing has changed, please report it")]
    NotFinite,
    /// Nobody knows whether something was forgotten.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The model cannot be loaded.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The model cannot be run.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A text cannot be read.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// What was learnt cannot be written.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// What was learnt cannot be laid out.
    #[error(transparent)]
    Save(#[from] SaveError),
    /// What was learnt cannot be read back.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The tensor library failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// The system gives no thread.
    #[error("learning could not be started: {0}")]
    Thread(std::io::Error),
}
