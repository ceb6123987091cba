//! The checkpoint that is compiled into the binary, so that it works offline from the first second.

use std::path::PathBuf;

use super::checkpoint::{Bytes, CheckpointFiles};

/// Its name in `gliznet model list`.
pub(crate) const NAME: &str = "gliznet-minilm-l6";

macro_rules! file {
    ($name:literal) => {
        Bytes::Static(include_bytes!(concat!(
            "../../train/checkpoints/gliznet-minilm-l6/",
            $name
        )))
    };
}

/// Its files; the weights stay in the binary's pages and are read once.
pub(crate) fn files() -> CheckpointFiles {
    CheckpointFiles {
        path: PathBuf::from(NAME),
        config: file!("config.json"),
        tokenizer: file!("tokenizer.json"),
        tokenizer_config: Some(file!("tokenizer_config.json")),
        calibration: Some(file!("calibration.json")),
        weights: vec![("model.safetensors".into(), file!("model.safetensors"))],
    }
}
