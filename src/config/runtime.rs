//! The folder of the daemon's socket, and the rank of a process among others.
//!
//! Input: the environment and the system's conventions. Output: a path that is the same for all
//! processes of one user, and no other's. Creates nothing.

use std::path::PathBuf;

use super::env;

/// Where the daemon's socket is (`GLIZNET_RUNTIME_DIR`): the session's own folder where the system
/// has one, else a folder with the user's number among the temporary files.
pub fn runtime_folder() -> PathBuf {
    if let Some(path) = env::read("GLIZNET_RUNTIME_DIR") {
        return PathBuf::from(path);
    }
    let usual = directories::ProjectDirs::from("", "", "gliznet");
    let usual = usual.and_then(|dirs| dirs.runtime_dir().map(PathBuf::from));
    usual.unwrap_or_else(temporary_folder)
}

/// The folder for sockets whose usual path would be too long for the system.
pub fn temporary_folder() -> PathBuf {
    std::env::temp_dir().join(format!("gliznet-{}", user_number()))
}

/// The number of the user who runs this process.
#[cfg(unix)]
pub fn user_number() -> u32 {
    rustix::process::getuid().as_raw()
}

/// The system has no user numbers; its temporary folder is each user's own.
#[cfg(not(unix))]
pub fn user_number() -> u32 {
    0
}

/// Lets other processes go first, for as long as this one lives. Where the system refuses, it does
/// its work all the same.
///
/// Call it before the first thread starts: the system ranks threads.
#[cfg(unix)]
pub fn give_way() {
    let _ = rustix::process::nice(LAST); // Nobody is harmed by a refusal.
}

/// The system is told so by whoever starts the process.
#[cfg(not(unix))]
pub fn give_way() {}

/// The lowest rank that there is: whatever an editor asks goes first.
#[cfg(unix)]
const LAST: i32 = 19;
