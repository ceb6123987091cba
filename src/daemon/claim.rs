//! One daemon a data folder: its path in, a lock on it out.
//!
//! Invariant: whoever holds the lock is the only daemon that learns there, whatever build or runtime
//! folder it is of; the system frees it however the daemon ends. The command line needs no lock: it
//! writes whole records under the journal's own.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use super::DaemonError;

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
    let opened = std::fs::create_dir_all(folder).and_then(|()| {
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
                let mut owner = String::new();
                let read = file.read_to_string(&mut owner); // Some systems do not let us.
                let owner = read.ok().and_then(|_| owner.trim().parse().ok());
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
}
