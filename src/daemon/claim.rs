//! One daemon a data folder: its path in, a lock on it out.
//!
//! Invariant: whoever holds the lock is the only daemon that learns there, whatever build or runtime
//! folder it is of; the system frees it however the daemon ends. The command line needs no lock: it
//! writes whole records under the journal's own. Seen from outside, the lock tells which process
//! works there, also where no socket leads to it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::DaemonError;
use crate::config::{end, has_open, make_private};

const FILE_NAME: &str = "daemon.lock";
/// How long a daemon that was asked to end may take for it. A client waits longer for this one.
const PATIENCE: Duration = Duration::from_secs(8);
const PAUSE: Duration = Duration::from_millis(50);

/// Claims the data folder; none where it cannot be written, which the journal says when it matters.
///
/// # Errors
/// Another daemon has it.
pub(super) fn claim(folder: &Path) -> Result<Option<File>, DaemonError> {
    claim_within(folder, PATIENCE)
}

fn claim_within(folder: &Path, patience: Duration) -> Result<Option<File>, DaemonError> {
    let path = folder.join(FILE_NAME);
    let opened = make_private(folder).and_then(|()| {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        options.open(&path)
    });
    let mut file = match opened {
        Ok(file) => file,
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "the data folder cannot be claimed");
            return Ok(None);
        }
    };
    let deadline = Instant::now() + patience;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                std::thread::sleep(PAUSE);
            }
            Err(TryLockError::WouldBlock) => {
                let owner = signature(&mut file);
                let folder = folder.to_path_buf();
                return Err(DaemonError::Claimed { folder, owner });
            }
            Err(TryLockError::Error(error)) => {
                tracing::warn!(%error, path = %path.display(), "the data folder cannot be claimed");
                return Ok(None);
            }
        }
    }
    // Without its number the next daemon says less, and refuses all the same.
    let _ = sign(&mut file);
    Ok(Some(file))
}

/// The process that has signed; some systems do not let us read it.
fn signature(file: &mut File) -> Option<u32> {
    let mut signed = String::new();
    file.read_to_string(&mut signed).ok()?;
    signed.trim().parse().ok()
}

/// The daemon that has claimed a data folder.
#[derive(Debug)]
pub struct Owner {
    folder: PathBuf,
    /// Its process, where it is known.
    pub process: Option<u32>,
}

impl Owner {
    /// The owner of the folder `data`; none where no daemon works there.
    pub fn of(data: &Path) -> Option<Owner> {
        let mut file = File::open(data.join(FILE_NAME)).ok()?;
        // Shared, so that two who look do not take each other for a daemon.
        let is_claimed = matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
        is_claimed.then(|| Owner {
            folder: data.to_path_buf(),
            process: signature(&mut file),
        })
    }

    /// Whether it still works there.
    pub fn is_there(&self) -> bool {
        Owner::of(&self.folder).is_some_and(|now| now.process == self.process)
    }

    /// Asks its process to end in order; false where that cannot be done, or where it is not
    /// certain that the process of this number is the daemon.
    pub fn ask_to_end(&self) -> bool {
        // A number alone may be another process's by now, or one outside this container.
        let certain = |process: &u32| has_open(*process, &self.folder.join(FILE_NAME));
        self.process.filter(certain).is_some_and(end)
    }

    /// What is wrong where no socket leads to it.
    pub fn unreachable(&self) -> DaemonError {
        DaemonError::Unreachable {
            folder: self.folder.clone(),
            owner: self.process,
        }
    }
}

fn sign(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_refused_with_the_first_ones_number_until_that_ends() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("data");
        let first = claim_within(&folder, PATIENCE).unwrap();
        assert!(first.is_some());
        let refused = claim_within(&folder, Duration::ZERO)
            .unwrap_err()
            .to_string();
        let process = format!("(process {})", std::process::id());
        assert!(
            refused.contains(&process) && refused.contains("GLIZNET_DATA_DIR"),
            "{refused}"
        );
        drop(first);
        assert!(claim_within(&folder, Duration::ZERO).unwrap().is_some());
    }

    #[test]
    fn the_owner_is_known_for_as_long_as_it_works_there() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Owner::of(dir.path()).is_none(), "nobody has been there");
        let claim = claim_within(dir.path(), PATIENCE).unwrap();
        let owner = Owner::of(dir.path()).unwrap();
        assert_eq!(owner.process, Some(std::process::id()));
        assert!(owner.is_there());
        drop(claim);
        assert!(!owner.is_there());
        assert!(
            Owner::of(dir.path()).is_none(),
            "its number is left, and means nothing"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_process_that_is_not_the_daemon_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        let mut stranger = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let mut claim = claim_within(dir.path(), PATIENCE).unwrap().unwrap();
        std::fs::write(&path, stranger.id().to_string()).unwrap();
        let owner = Owner::of(dir.path()).unwrap();
        assert_eq!(owner.process, Some(stranger.id()));
        assert!(!owner.ask_to_end());
        assert!(stranger.try_wait().unwrap().is_none(), "it still runs");
        stranger.kill().unwrap();
        stranger.wait().unwrap();
        sign(&mut claim).unwrap();
    }
}
