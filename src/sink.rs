//! Where tags are put, and how it is taken back.
//!
//! Input: the tags that fit a file, and the hash of what they were found for. Output: the file
//! with these tags, changed in its tags value alone; and a ledger of every change.
//! Invariant: what is to be written is on disk in the ledger before it is written; a tag that a
//! person wrote is never taken out, and one that a person took out never comes back.
//! Knows nothing of models, watchers or editors.

mod attribute;
mod error;
mod hash;
mod ledger;
mod note;
mod past;
mod place;
mod plan;
mod prune;
mod record;
mod replace;
mod sidecar;
mod store;
mod undo;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::label::LabelSet;

pub use crate::config::Sink;
pub use error::SinkError;
pub use hash::ContentHash;
pub use ledger::{Change, FILE_NAME as LEDGER_NAME, Ledger, Preview, Written};
pub use past::{Provenance, RunId, RunSummary};
pub use plan::{TagWish, is_among, is_same_tag, key as tag_key};
pub use prune::Pruned;
pub use record::Cause;
pub use replace::{MOST_BYTES, is_temporary};
pub use sidecar::FILE_NAME as SIDECAR_NAME;
pub use undo::{FileUndone, Mode, TakenBack, UndoSelection, Undone};

/// One run of writing: what its files have in common. Nothing is recorded before its first write.
#[derive(Debug)]
pub struct Run {
    cause: Cause,
    sink: Sink,
    model: String,
    time: u64,
    id: OnceLock<RunId>,
}

impl Run {
    /// A run that begins at `time`, in seconds since 1970.
    pub fn new(cause: Cause, sink: Sink, model: String, time: u64) -> Run {
        Run {
            cause,
            sink,
            model,
            time,
            id: OnceLock::new(),
        }
    }

    /// Its number, once it has written something.
    pub fn id(&self) -> Option<RunId> {
        self.id.get().copied()
    }

    /// Where it puts the tags.
    pub fn sink(&self) -> Sink {
        self.sink
    }
}

/// The tags that a file should have.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// The file.
    pub path: &'a Path,
    /// What its bytes were when its tags were found.
    pub seen: ContentHash,
    /// The tags that fit it, best first.
    pub tags: &'a [TagWish],
    /// The labels that were asked about: tags of the machine that are none of these stay as they
    /// are. Where it is `None`, all that do not fit are taken out.
    pub labels: Option<&'a [String]>,
    /// The set that they are of: an alias is another spelling of the same tag.
    pub set: Option<&'a LabelSet>,
    /// Many files changed together with it, so that no person took out what is gone.
    pub in_crowd: bool,
}

/// The path by which the ledger knows a file: no link in it.
pub fn known_path(path: &Path) -> PathBuf {
    ledger::canonical(path)
}

/// The path of what is called `from`, or lies below it, once that is called `to`.
pub fn moved_path(path: &Path, from: &Path, to: &Path) -> PathBuf {
    match path.strip_prefix(from) {
        Ok(rest) if !rest.as_os_str().is_empty() => to.join(rest),
        _ => to.to_path_buf(), // Joining an empty path would add a slash.
    }
}

/// The hash and the bytes of a file, where it is small enough to be written.
///
/// # Errors
/// It is no file, too large, or cannot be read.
pub fn read(path: &Path) -> Result<(Vec<u8>, ContentHash), SinkError> {
    let bytes = replace::read(path)?;
    let hash = ContentHash::of(&bytes);
    Ok((bytes, hash))
}
