//! Where `current` was moved by somebody, and why: one JSON line each, never rewritten.
//!
//! Input: a move. Output: a durable record, before the pointer moves; and all moves, oldest first.
//! Invariant: a line that was cut off is passed over, and the next one stands on its own line.
//! Fields are only ever added. Knows nothing of what a version is.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::config::sync_folder;

/// The file's name in the folder of versions.
pub(super) const FILE_NAME: &str = "moves.jsonl";

/// Who lets another version serve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// A person, with `gliznet model rollback` or from an editor.
    #[default]
    Person,
    /// The alarm: a version was corrected more often than the one before it.
    Alarm,
}

/// One version serves instead of another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Move {
    /// When, in seconds since 1970.
    pub time: u64,
    /// The fingerprint of the shipped model.
    pub base: String,
    /// The version that served.
    pub from: u32,
    /// The version that serves instead; 0 is the shipped model.
    pub to: u32,
    /// Who wants it so.
    pub by: By,
    /// Why, in a sentence; empty where nobody said.
    pub reason: String,
}

/// Writes a move down. When this returns, it is on the disk. The lock is held.
pub(super) fn append(folder: &Path, made: &Move) -> io::Result<()> {
    let path = folder.join(FILE_NAME);
    let known = fs::read(&path).unwrap_or_default();
    let mut line = Vec::new();
    if known.last().is_some_and(|last| *last != b'\n') {
        line.push(b'\n'); // Somebody was cut off here.
    }
    line.extend(serde_json::to_vec(made).unwrap_or_default()); // Strings and numbers cannot fail.
    line.push(b'\n');
    let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
    let written = file.write_all(&line).and_then(|()| file.sync_all());
    let written = written.and_then(|()| sync_folder(folder)); // The file may be a new one.
    if written.is_err() {
        let _ = file.set_len(known.len() as u64); // Or the next one begins on a new line.
    }
    written
}

/// All moves that can be read, oldest first.
pub(super) fn read(folder: &Path) -> Vec<Move> {
    let bytes = fs::read(folder.join(FILE_NAME)).unwrap_or_default();
    let lines = bytes.split(|byte| *byte == b'\n');
    lines
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(to: u32) -> Move {
        Move {
            to,
            ..Move::default()
        }
    }

    #[test]
    fn every_cut_keeps_what_was_whole_and_the_next_move_is_read() {
        let dir = tempfile::tempdir().unwrap();
        append(dir.path(), &to(1)).unwrap();
        append(dir.path(), &to(2)).unwrap();
        let path = dir.path().join(FILE_NAME);
        let bytes = fs::read(&path).unwrap();
        for cut in 0..=bytes.len() {
            fs::write(&path, &bytes[..cut]).unwrap();
            let whole = read(dir.path());
            assert!(whole.iter().zip(1..).all(|(made, n)| made.to == n), "{cut}");
            append(dir.path(), &to(9)).unwrap();
            let mut expected = whole;
            expected.push(to(9));
            assert_eq!(read(dir.path()), expected, "{cut}");
        }
    }
}
