//! What a training tells of itself, and of what it reads: files of JSON lines, each of a step.
//!
//! Invariant: a training that is taken up again has the lines of one that was not cut off, also where
//! the power was.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::TrainError;

/// The numbers of one step; losses are without their weights, but `loss`.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "the recipes' README explains each")]
pub struct StepRecord {
    pub step: usize,
    pub loss: f64,
    pub supcon: f64,
    pub repulsion: f64,
    pub bce: f64,
    pub embedding: f64,
    pub label_embedding: f64,
    pub learning_rate: f64,
    pub gradient_norm: f64,
    pub rows: usize,
    pub tokens: usize,
    pub seconds: f64,
}

impl StepRecord {
    pub(super) fn to_json(&self) -> Value {
        json!({
            "step": self.step, "loss": self.loss, "supcon": self.supcon,
            "repulsion": self.repulsion, "bce": self.bce, "embedding": self.embedding,
            "label_embedding": self.label_embedding, "learning_rate": self.learning_rate,
            "gradient_norm": self.gradient_norm, "rows": self.rows, "tokens": self.tokens,
            "seconds": self.seconds,
        })
    }
}

/// A file of JSON lines, each of which has its `step`.
pub(super) struct Records {
    path: PathBuf,
    file: File,
}

impl Records {
    /// Opens the file, and drops what is of later steps than `done` or was cut off.
    pub(super) fn open(path: &Path, done: usize) -> Result<Records, TrainError> {
        // Of a pipe or a device nothing can be dropped.
        if !fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            keep(path, done)?;
        }
        let file = File::options().append(true).open(path);
        Ok(Records {
            path: path.to_owned(),
            file: file.map_err(TrainError::io(path))?,
        })
    }

    pub(super) fn write(&mut self, record: &Value) -> Result<(), TrainError> {
        let line = format!("{record}\n");
        self.file
            .write_all(line.as_bytes())
            .map_err(TrainError::io(&self.path))
    }

    /// Makes the lines last, which a checkpoint of the same step must not outlive. A pipe or a device
    /// keeps nothing.
    pub(super) fn sync(&self) -> Result<(), TrainError> {
        match self.file.metadata().is_ok_and(|found| found.is_file()) {
            true => self.file.sync_data().map_err(TrainError::io(&self.path)),
            false => Ok(()),
        }
    }

    /// All lines so far.
    pub(super) fn lines(&self) -> Result<Vec<Value>, TrainError> {
        let text = fs::read_to_string(&self.path).map_err(TrainError::io(&self.path))?;
        Ok(text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect())
    }
}

/// Whether batches may be written to the file at `path`: what is somebody else's is not replaced.
///
/// # Errors
/// A file that holds something, unless a training goes on and these are lines of batches.
pub(super) fn may_write(path: &Path, resumes: bool) -> Result<(), TrainError> {
    if !fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() > 0) {
        return Ok(());
    }
    let bytes = fs::read(path).map_err(TrainError::io(path))?;
    match resumes && are_batches(&String::from_utf8_lossy(&bytes)) {
        true => Ok(()),
        false => Err(TrainError::Batches {
            path: path.to_owned(),
        }),
    }
}

/// Whether all lines that are whole are batches.
fn are_batches(text: &str) -> bool {
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().all(|line| {
        let line: Option<Value> = serde_json::from_str(line).ok();
        line.is_some_and(|line| line["step"].is_u64() && line["rows"].is_array())
    })
}

/// Leaves in the file what is of steps up to `done`.
fn keep(path: &Path, done: usize) -> Result<(), TrainError> {
    // A line that was cut off may end within a character.
    let bytes = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let kept = text.lines().filter(|line| {
        let line: Option<Value> = serde_json::from_str(line).ok();
        let step = line.and_then(|line| line["step"].as_u64());
        step.is_some_and(|step| step as usize <= done)
    });
    let kept: String = kept.flat_map(|line| [line, "\n"]).collect();
    crate::config::replace(path, kept.as_bytes()).map_err(TrainError::io(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_holds_something_is_no_place_for_batches_unless_they_are_ours() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.jsonl");
        assert!(may_write(&path, false).is_ok());
        fs::write(&path, "").unwrap();
        assert!(may_write(&path, false).is_ok());
        // The last line was cut off.
        fs::write(&path, "{\"step\":1,\"part\":0,\"rows\":[]}\n{\"st").unwrap();
        assert!(may_write(&path, false).is_err() && may_write(&path, true).is_ok());
        fs::write(&path, "a diary\n").unwrap();
        let said = may_write(&path, true).unwrap_err().to_string();
        assert!(said.contains("b.jsonl is there already"), "{said}");
    }

    #[cfg(unix)]
    #[test]
    fn what_keeps_nothing_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        for path in [Path::new("/dev/null"), &folder.path().join("b.jsonl")] {
            let mut records = Records::open(path, 0).unwrap();
            records.write(&json!({"step": 1})).unwrap();
            records.sync().unwrap();
        }
    }
}
