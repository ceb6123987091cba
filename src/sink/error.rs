//! Why a file did not get its tags, each with place, fact and cure.

use std::io;
use std::path::{Path, PathBuf};

use crate::document::Format;

/// Why a file was left as it is.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The system refuses.
    #[error("{path}: {what} ({cause}); {cure}")]
    Io {
        /// The file.
        path: String,
        /// What was tried.
        what: &'static str,
        /// What the system says.
        cause: io::Error,
        /// What helps.
        cure: &'static str,
    },
    /// The ledger cannot be written, and without it nothing is.
    #[error(
        "{path}: cannot record what is written ({cause}); make room or make the file writable, then try again"
    )]
    Ledger {
        /// The ledger.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// The file is not the one that the tags were found for.
    #[error("{0}: it changed while it was tagged, and was left alone; tag it again")]
    Changed(String),
    /// A rename would take the file from under the program that writes it.
    #[error(
        "{path}: {program} has it open for writing, and what that writes next would be lost; close it there, then tag it again"
    )]
    InUse {
        /// The file.
        path: String,
        /// The program.
        program: String,
    },
    /// There is no such file any more.
    #[error("{0}: it is gone; check the path")]
    Gone(String),
    /// Too much to be held in memory.
    #[error(
        "{path}: {megabytes} MB are too much to be rewritten, the most are {most} MB; use the sink `xattr` or `sidecar`"
    )]
    TooLarge {
        /// The file.
        path: String,
        /// Its size.
        megabytes: u64,
        /// The largest that is taken.
        most: u64,
    },
    /// A folder, a device, a pipe.
    #[error("{0}: not a file; name a file")]
    NoFile(String),
    /// Its owner does not want it written.
    #[error("{0}: it may not be written; change its permissions, or use the sink `sidecar`")]
    ReadOnly(String),
    /// It has several names, which a replacement would cut apart.
    #[error(
        "{path}: it is {links} files in one (hard links), which rewriting would part; use the sink `xattr` or `sidecar`"
    )]
    Links {
        /// The file.
        path: String,
        /// How many names it has.
        links: u64,
    },
    /// A sidecar that may be any file.
    #[error(
        "{0}: it is a link, and what it leads to is not written; remove it, or use another sink"
    )]
    Link(String),
    /// It is no text, or one that we cannot write.
    #[error("{path}: {fact}")]
    Encoding {
        /// The file.
        path: String,
        /// What it is, and what helps.
        fact: String,
    },
    /// Its settings cannot be read.
    #[error("{path}: its front matter is broken ({fault}) and was left alone; repair it first")]
    Broken {
        /// The file.
        path: String,
        /// What is wrong with it.
        fault: String,
    },
    /// Documents of this kind have no settings of their own.
    #[error("{path}: a {format} document has no front matter; use the sink `sidecar` or `xattr`")]
    NoPlace {
        /// The file.
        path: String,
        /// Its kind.
        format: Format,
    },
    /// This sink puts nothing into files.
    #[error("the sink `{0}` writes nothing into files; choose `frontmatter`, `xattr` or `sidecar`")]
    NoFileSink(super::Sink),
    /// What was written cannot be taken back.
    #[error("{0}")]
    Undone(String),
    /// There is no such run.
    #[error("there is no run {0}; `gliznet log` lists them")]
    NoRun(u64),
}

impl SinkError {
    /// Whether the file itself has moved on: it should be tagged again.
    pub fn is_stale(&self) -> bool {
        matches!(self, SinkError::Changed(_) | SinkError::Gone(_))
    }

    pub(super) fn io(path: &Path, what: &'static str, cause: io::Error) -> SinkError {
        let cure = match cause.kind() {
            io::ErrorKind::NotFound => return SinkError::Gone(shown(path)),
            io::ErrorKind::PermissionDenied => "change its permissions, or those of its folder",
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "make room; nothing was changed"
            }
            io::ErrorKind::ReadOnlyFilesystem => "the disk is read-only; use the sink `stdout`",
            io::ErrorKind::Unsupported => "this disk cannot do that; use the sink `sidecar`",
            _ => "nothing was changed; try again",
        };
        SinkError::Io {
            path: shown(path),
            what,
            cause,
            cure,
        }
    }
}

/// A path as messages show it: a name may hold line breaks or terminal commands.
pub(super) fn shown(path: &Path) -> String {
    let shown = path.display().to_string();
    let plain = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    shown.chars().map(plain).collect()
}
