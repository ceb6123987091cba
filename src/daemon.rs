//! One process that keeps the model warm for all: where it is met, how it is started and asked.
//!
//! `place` names the socket, `door` keeps it where it is looked for, `claim` keeps the data folder
//! for one daemon, `server` runs the daemon, `client` finds or starts one, `shim` is what
//! an editor starts, and `learning` teaches the model. Knows how a process lives; what is spoken is the session's business.

mod claim;
mod client;
mod door;
mod learning;
mod place;
mod replay;
mod server;
mod shim;
mod socket;

use std::io;
use std::path::PathBuf;

pub use claim::Owner;
pub use client::{Control, find, find_or_start, meet};
pub use learning::Models;
pub use place::Place;
pub use server::run;
pub use shim::{Ended, pump};

/// Why there is no daemon.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The socket's folder cannot be used.
    #[error(
        "{path}: cannot be used for the daemon's socket ({cause}); name another folder in GLIZNET_RUNTIME_DIR"
    )]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// No path is short enough.
    #[error(
        "{path}: too long for a socket; name a folder with a shorter path in GLIZNET_RUNTIME_DIR"
    )]
    TooLong {
        /// The socket.
        path: PathBuf,
    },
    /// There is one already.
    #[error("a daemon of this build runs already; `gliznet status` asks it how it is")]
    Runs,
    /// A daemon of another build or another runtime folder learns in the same data folder.
    #[error("{folder}: another daemon{} works in this data folder; end it with `gliznet stop`, or give this one a folder of its own in GLIZNET_DATA_DIR", process(.owner))]
    Claimed {
        /// The data folder.
        folder: PathBuf,
        /// The daemon's process, where it is known.
        owner: Option<u32>,
    },
    /// A daemon of an older build runs.
    #[error(
        "a daemon of an older build ({build}) runs; the next editor has a newer one take its place, and `gliznet stop` ends it"
    )]
    Older {
        /// Its build.
        build: String,
    },
    /// A daemon works in the data folder, and no socket leads to it.
    #[error("{folder}: a daemon{} works in this data folder and cannot be reached; end it with `gliznet stop`", process(.owner))]
    Unreachable {
        /// The data folder.
        folder: PathBuf,
        /// The daemon's process, where it is known.
        owner: Option<u32>,
    },
    /// It was started, and nobody answers.
    #[error("the daemon was started but does not answer ({0}); run `gliznet daemon` to see why")]
    Mute(String),
    /// It answered what nobody understands, or nothing.
    #[error("the daemon does not answer as it should ({0}); end it with `gliznet stop`")]
    Odd(String),
    /// It ended before it answered.
    #[error(
        "the daemon ended before it answered ({0}); ask again, and `gliznet doctor` if it goes on"
    )]
    Gone(String),
    /// It understood and refuses, with the reason and the cure.
    #[error("{0}")]
    Refused(String),
    /// The editor's bytes are no messages.
    #[error("standard input is no language server protocol ({0}); `gliznet lsp` is for editors")]
    Editor(String),
    /// Its worker could not be started.
    #[error("the daemon could not be started: {0}")]
    Start(String),
}

fn process(owner: &Option<u32>) -> String {
    owner.map_or_else(String::new, |pid| format!(" (process {pid})"))
}

/// The file of this program. Where it was replaced while it runs, the new one.
fn program() -> io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    // Linux says so of a file that was replaced.
    let shown = path.to_string_lossy();
    Ok(match shown.strip_suffix(" (deleted)") {
        Some(replaced) => PathBuf::from(replaced),
        None => path,
    })
}
