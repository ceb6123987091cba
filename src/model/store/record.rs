//! Where a pulled model came from: the `source.json` beside its files.
//!
//! Invariant: fields are only ever added, so that an older version reads a newer record.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The record's file name.
pub const RECORD_FILE: &str = "source.json";

/// What was pulled, and what its bytes must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// `OWNER/NAME` on the Hub.
    pub repository: String,
    /// The branch, tag or commit that the user asked for.
    pub revision: String,
    /// The commit it stood for.
    pub commit: String,
    /// The address it came from.
    pub endpoint: String,
    /// The verified checksum of each file, as `sha256:…` or `git-blob:…`.
    pub files: BTreeMap<String, String>,
}

impl Record {
    /// The record of a folder; `None` where there is none that can be read.
    pub fn read(folder: &Path) -> Option<Record> {
        let bytes = std::fs::read(folder.join(RECORD_FILE)).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Writes the record into a folder.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let mut json = serde_json::to_vec_pretty(self)?;
        json.push(b'\n');
        crate::config::replace(&folder.join(RECORD_FILE), &json)
    }

    /// As `gliznet model pull` takes it.
    pub fn repository_at_revision(&self) -> String {
        match self.revision.as_str() {
            "main" => self.repository.clone(),
            revision => format!("{}@{revision}", self.repository),
        }
    }
}
