//! What a model's files say about it: `config.json` and file sizes in, a `Summary` out.
//!
//! Invariant: reads no weights, except to hash them when asked. Lenient where the loader is strict:
//! a folder with a strange backbone can still be listed.

use std::io;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::checksum::{hex, sha256_of};
use super::{BundledFiles, Record, StoreError};

/// Who wrote a checkpoint, and so how its input is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// The reference implementation: labels before their `[LAB]`.
    Reference,
    /// This project: `input_layout` is set, and each label comes after its `[LAB]`.
    Own,
}

/// A file of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSize {
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

/// A model at a glance.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Who wrote it.
    pub dialect: Dialect,
    /// The encoder's kind, such as `bert`.
    pub backbone: String,
    /// The published model that the encoder began as.
    pub backbone_model: Option<String>,
    /// Width of the encoder.
    pub hidden_size: Option<u64>,
    /// Depth of the encoder.
    pub layers: Option<u64>,
    /// `cosine`, `dot` or `bilinear`.
    pub similarity: String,
    /// `full` or `isolated`.
    pub label_attention: String,
    /// Its files, by name.
    pub files: Vec<FileSize>,
    /// Where it was pulled from.
    pub record: Option<Record>,
}

impl Summary {
    /// The summary of the model in `folder`.
    pub fn read(folder: &Path) -> Result<Summary, StoreError> {
        let path = folder.join("config.json");
        let config = std::fs::read(&path).map_err(|cause| match cause.kind() {
            io::ErrorKind::NotFound => StoreError::NoConfig {
                path: folder.to_path_buf(),
            },
            _ => StoreError::Unreadable {
                path: path.clone(),
                cause,
            },
        })?;
        let mut summary = Summary::of(&config, &path.display().to_string(), sizes(folder)?)?;
        summary.record = Record::read(folder);
        Ok(summary)
    }

    /// The summary of the files inside the binary.
    pub(super) fn of_bundled(files: BundledFiles) -> Result<Summary, StoreError> {
        let config = files.iter().find(|(name, _)| *name == "config.json");
        let sizes = files.iter().map(|(name, content)| FileSize {
            name: (*name).to_owned(),
            bytes: content.len() as u64,
        });
        let bytes = config.map_or(&b""[..], |(_, content)| content);
        Summary::of(bytes, "bundled config.json", sizes.collect())
    }

    fn of(config: &[u8], place: &str, files: Vec<FileSize>) -> Result<Summary, StoreError> {
        let bad = |fact: String| StoreError::BadConfig {
            place: place.to_owned(),
            fact,
        };
        let config: Value = serde_json::from_slice(config).map_err(|e| bad(e.to_string()))?;
        let text = |key: &str| config[key].as_str().map(str::to_owned);
        let model_type = text("model_type").ok_or_else(|| bad("no `model_type`".to_owned()))?;
        if model_type != "gliznet" {
            return Err(StoreError::OtherModel {
                place: place.to_owned(),
                model_type,
            });
        }
        let backbone = &config["backbone_config"];
        // DistilBERT has its own words for width and depth.
        let number = |keys: [&str; 2]| keys.iter().find_map(|key| backbone[key].as_u64());
        let dialect = match config["input_layout"] {
            Value::Null => Dialect::Reference,
            _ => Dialect::Own,
        };
        Ok(Summary {
            dialect,
            backbone: backbone["model_type"]
                .as_str()
                .unwrap_or("unknown")
                .to_owned(),
            backbone_model: text("backbone_model"),
            hidden_size: number(["hidden_size", "dim"]),
            layers: number(["num_hidden_layers", "n_layers"]),
            similarity: text("similarity_metric").unwrap_or_else(|| "cosine".to_owned()),
            label_attention: text("label_attention").unwrap_or_else(|| "full".to_owned()),
            files,
            record: None,
        })
    }

    /// All its bytes.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Whether scores are calibrated.
    pub fn has_calibration(&self) -> bool {
        self.has("calibration.json")
    }

    /// Whether a model card says what it was trained on.
    pub fn has_card(&self) -> bool {
        self.has("README.md")
    }

    fn has(&self, name: &str) -> bool {
        self.files.iter().any(|file| file.name == name)
    }
}

/// The files of a folder with their sizes, by name.
pub(super) fn sizes(folder: &Path) -> Result<Vec<FileSize>, StoreError> {
    let unreadable = |cause| StoreError::Unreadable {
        path: folder.to_path_buf(),
        cause,
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        // Follows links: a checkpoint in the Hub's own cache is a folder of links.
        let metadata = std::fs::metadata(entry.path()).map_err(unreadable)?;
        if metadata.is_file() {
            files.push(FileSize {
                name: entry.file_name().to_string_lossy().into_owned(),
                bytes: metadata.len(),
            });
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// The SHA-256 of each weights file of a folder, in hexadecimal; reads all of them.
pub fn weights_sha256(folder: &Path) -> Result<Vec<(String, String)>, StoreError> {
    let mut hashes = Vec::new();
    for file in sizes(folder)?.into_iter().filter(|f| is_weights(&f.name)) {
        let path = folder.join(&file.name);
        let hash = sha256_of(&path).map_err(|cause| StoreError::Unreadable { path, cause })?;
        hashes.push((file.name, hash));
    }
    Ok(hashes)
}

/// The same of the files inside the binary.
pub(super) fn bundled_sha256(files: BundledFiles) -> Vec<(String, String)> {
    let weights = files.iter().filter(|(name, _)| is_weights(name));
    weights
        .map(|(name, content)| ((*name).to_owned(), hex(&Sha256::digest(content))))
        .collect()
}

fn is_weights(name: &str) -> bool {
    name.ends_with(".safetensors")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(config: &str) -> Result<Summary, StoreError> {
        Summary::of(config.as_bytes(), "config.json", Vec::new())
    }

    #[test]
    fn a_reference_checkpoint_says_what_it_leaves_out() {
        let summary = summary(
            r#"{"model_type": "gliznet", "backbone_model": "tiny/distil",
                "backbone_config": {"model_type": "distilbert", "dim": 64, "n_layers": 2}}"#,
        )
        .unwrap();
        assert_eq!(summary.dialect, Dialect::Reference);
        assert_eq!((summary.hidden_size, summary.layers), (Some(64), Some(2)));
        assert_eq!(summary.similarity, "cosine");
        assert_eq!(summary.label_attention, "full");
    }

    #[test]
    fn our_own_dialect_is_told_by_the_input_layout() {
        let summary = summary(
            r#"{"model_type": "gliznet", "input_layout": "lab_prefix", "label_attention": "isolated",
                "similarity_metric": "dot", "backbone_config": {"model_type": "bert"}}"#,
        )
        .unwrap();
        assert_eq!(summary.dialect, Dialect::Own);
        assert_eq!(summary.label_attention, "isolated");
        assert_eq!(summary.similarity, "dot");
    }

    #[test]
    fn another_kind_of_model_and_a_broken_file_are_named() {
        let other = summary(r#"{"model_type": "bert"}"#)
            .unwrap_err()
            .to_string();
        assert!(
            other.starts_with("config.json: model_type is `bert`"),
            "{other}"
        );
        let cut = summary(r#"{"model_type": "gl"#).unwrap_err().to_string();
        assert!(cut.contains("line 1 column"), "{cut}");
        let none = summary("[]").unwrap_err().to_string();
        assert!(none.contains("no `model_type`"), "{none}");
    }
}
