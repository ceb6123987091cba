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
mod record;
mod replace;
mod sidecar;
mod store;
mod undo;

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

pub use error::SinkError;
pub use hash::ContentHash;
pub use ledger::{Applied, Change, FILE_NAME as LEDGER_NAME, Ledger, Preview, Written};
pub use past::{Provenance, RunId, RunSummary};
pub use plan::TagWish;
pub use record::Cause;
pub use replace::{MOST_BYTES, is_temporary};
pub use sidecar::FILE_NAME as SIDECAR_NAME;
pub use undo::{FileUndone, Mode, TakenBack, UndoSelection, Undone};

/// Where the tags of a file are put.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Sink {
    /// Nowhere: they are suggested where they are asked for.
    #[default]
    Suggest,
    /// Into the settings at the head of the file.
    Frontmatter,
    /// Into the file's extended attribute `user.xdg.tags`; on macOS also into the Finder's tags.
    Xattr,
    /// Into a file `.gliznet-tags.jsonl` beside it.
    Sidecar,
    /// To standard output, as JSON Lines.
    Stdout,
}

impl Sink {
    /// All of them, in the order they are told to people.
    pub const ALL: [Sink; 5] = [
        Sink::Suggest,
        Sink::Frontmatter,
        Sink::Xattr,
        Sink::Sidecar,
        Sink::Stdout,
    ];

    /// The word for it, which `FromStr` reads back.
    pub fn name(self) -> &'static str {
        match self {
            Sink::Suggest => "suggest",
            Sink::Frontmatter => "frontmatter",
            Sink::Xattr => "xattr",
            Sink::Sidecar => "sidecar",
            Sink::Stdout => "stdout",
        }
    }

    /// Whether it puts tags into files.
    pub fn writes(self) -> bool {
        matches!(self, Sink::Frontmatter | Sink::Xattr | Sink::Sidecar)
    }
}

impl fmt::Display for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A word that names no sink.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no sink is called `{0}`; use one of suggest, frontmatter, xattr, sidecar, stdout")]
pub struct UnknownSink(String);

impl FromStr for Sink {
    type Err = UnknownSink;

    fn from_str(word: &str) -> Result<Sink, UnknownSink> {
        let mut all = Sink::ALL.into_iter();
        all.find(|sink| sink.name() == word)
            .ok_or_else(|| UnknownSink(word.to_owned()))
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sink_is_read_from_its_word() {
        for sink in Sink::ALL {
            assert_eq!(sink.to_string().parse(), Ok(sink));
            let json = serde_json::to_string(&sink).unwrap();
            assert_eq!(json, format!("\"{sink}\""));
        }
        let error = "Frontmatter".parse::<Sink>().unwrap_err();
        assert!(
            error
                .to_string()
                .contains("use one of suggest, frontmatter")
        );
        assert!(!Sink::default().writes());
    }
}
