//! Why a model was not found, in sentences for the person who named it.
//!
//! Invariant: every message names the place, the fact and the cure.

use std::io;
use std::path::PathBuf;

/// Why a model was not found or not understood.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No model has this name.
    #[error("no model `{name}` on this machine{}; `gliznet model list` shows all", did_you_mean(.near))]
    Unknown {
        /// The name asked for.
        name: String,
        /// A name that is like it.
        near: Option<String>,
    },
    /// The path leads nowhere.
    #[error(
        "{path}: no such folder; give the folder that holds the model's config.json, or fetch a model from the Hub with `gliznet model pull OWNER/NAME`"
    )]
    NoFolder {
        /// The path.
        path: PathBuf,
    },
    /// The path leads to a file.
    #[error("{path}: a file, not a model; give the folder it is in")]
    NotFolder {
        /// The path.
        path: PathBuf,
    },
    /// The folder holds no configuration.
    #[error(
        "{path}: no config.json; a model's folder holds config.json, tokenizer.json and model.safetensors"
    )]
    NoConfig {
        /// The folder.
        path: PathBuf,
    },
    /// The configuration is not JSON or says impossible things.
    #[error("{place}: {fact}; fetch the model again, or repair the file")]
    BadConfig {
        /// The file.
        place: String,
        /// What is wrong.
        fact: String,
    },
    /// The model is of another kind.
    #[error(
        "{place}: model_type is `{model_type}`, not `gliznet`; only GliZNet checkpoints can tag"
    )]
    OtherModel {
        /// The file.
        place: String,
        /// What the file says.
        model_type: String,
    },
    /// There is no model at all.
    #[error(
        "this build has no bundled model and none is chosen; fetch one with `gliznet model pull OWNER/NAME`, then `gliznet model use NAME`"
    )]
    None,
    /// The chosen model is gone.
    #[error(
        "{file}: `model` names what is not there; choose another with `gliznet model use NAME`"
    )]
    Chosen {
        /// The settings file.
        file: PathBuf,
        /// What is wrong with it.
        source: Box<StoreError>,
    },
    /// The system refused to read.
    #[error("{path}: cannot be read ({cause}); check its permissions")]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
}

fn did_you_mean(near: &Option<String>) -> String {
    near.as_ref()
        .map_or_else(String::new, |near| format!(" (did you mean `{near}`?)"))
}
