//! The checkpoint that is compiled into the binary, so that it works offline from the first second.

use std::path::PathBuf;

use super::calibration::FILE_NAME as CALIBRATION;
use super::checkpoint::{Bytes, CheckpointFiles, GLOSSARY};
use super::store::{BUNDLED_NAME, BundledFiles};

macro_rules! file {
    ($name:literal) => {
        (
            $name,
            include_bytes!(concat!("../../train/checkpoints/gliznet-minilm-l6/", $name)) as &[u8],
        )
    };
}

/// Its files, by name.
pub(crate) static FILES: BundledFiles = &[
    file!("config.json"),
    file!("tokenizer.json"),
    file!("tokenizer_config.json"),
    file!("calibration.json"),
    file!("glossary.tsv"),
    file!("model.safetensors"),
    file!("README.md"),
];

/// The same as a checkpoint; the weights stay in the binary's pages and are read once.
pub(crate) fn files() -> CheckpointFiles {
    let file = |name: &str| {
        let found = FILES.iter().find(|(known, _)| *known == name);
        Bytes::Static(found.map_or(&[], |(_, bytes)| bytes))
    };
    CheckpointFiles {
        path: PathBuf::from(BUNDLED_NAME),
        config: file("config.json"),
        tokenizer: file("tokenizer.json"),
        tokenizer_config: Some(file("tokenizer_config.json")),
        calibration: Some(file(CALIBRATION)),
        glossary: Some(file(GLOSSARY)),
        weights: vec![("model.safetensors".into(), file("model.safetensors"))],
        delta: None,
        is_shipped: true,
    }
}
