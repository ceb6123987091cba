//! Where clients come in: a lock and a socket, in a folder that anybody may clear away.
//!
//! Invariant: who holds the lock is the only daemon here. What was removed while it runs is there
//! again after the next look, unless another daemon has taken the place meanwhile.

use std::fs::{File, OpenOptions};

use super::DaemonError;
use super::place::Place;
use super::socket::{Listener, is_at};

/// Takes the place.
///
/// # Errors
/// A daemon has it already, or its folder cannot be written.
pub(super) fn lock(place: &Place) -> Result<File, DaemonError> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(place.lock())
        .map_err(|cause| place.io(cause))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(DaemonError::Runs),
        Err(std::fs::TryLockError::Error(cause)) => Err(place.io(cause)),
    }
}

/// A place that is taken, with its socket. The lock is its owner's, and outlives it.
pub(super) struct Door<'a> {
    place: &'a Place,
    lock: &'a mut File,
    pub(super) listener: Listener,
}

impl Door<'_> {
    /// Begins to listen.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub(super) fn open<'a>(place: &'a Place, lock: &'a mut File) -> Result<Door<'a>, DaemonError> {
        let listener = Listener::bind(place).map_err(|cause| place.io(cause))?;
        Ok(Door {
            place,
            lock,
            listener,
        })
    }

    /// Makes again what was removed; says whether something was.
    ///
    /// # Errors
    /// `DaemonError::Runs` where another daemon is here now; else it cannot be made now.
    pub(super) fn mend(&mut self) -> Result<bool, DaemonError> {
        let is_locked = is_at(self.lock, &self.place.lock());
        let is_found = self.listener.is_found();
        if is_locked && is_found {
            return Ok(false);
        }
        self.place.prepare()?;
        if !is_locked {
            *self.lock = lock(self.place)?;
        }
        if !is_found {
            self.listener = Listener::bind(self.place).map_err(|cause| self.place.io(cause))?;
        }
        Ok(true)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::daemon::socket::connect;

    fn place(dir: &tempfile::TempDir) -> Place {
        Place {
            folder: dir.path().join("run"),
            build: "build".to_owned(),
        }
    }

    #[tokio::test]
    async fn what_is_removed_is_there_again() {
        let dir = tempfile::tempdir().unwrap();
        let place = place(&dir);
        place.prepare().unwrap();
        let mut taken = lock(&place).unwrap();
        let mut door = Door::open(&place, &mut taken).unwrap();
        assert!(!door.mend().unwrap());
        std::fs::remove_file(place.socket()).unwrap();
        assert!(connect(&place).await.is_err());
        assert!(door.mend().unwrap());
        let (accepted, connected) = tokio::join!(door.listener.accept(), connect(&place));
        assert!(accepted.is_ok() && connected.is_ok());
        std::fs::remove_dir_all(&place.folder).unwrap();
        assert!(door.mend().unwrap());
        assert!(place.is_taken() && connect(&place).await.is_ok());
        assert!(!door.mend().unwrap());
    }

    #[tokio::test]
    async fn a_place_that_another_daemon_has_taken_is_left_to_it() {
        let dir = tempfile::tempdir().unwrap();
        let place = place(&dir);
        place.prepare().unwrap();
        let mut taken = lock(&place).unwrap();
        let mut door = Door::open(&place, &mut taken).unwrap();
        std::fs::remove_dir_all(&place.folder).unwrap();
        place.prepare().unwrap();
        let mut of_other = lock(&place).unwrap();
        let _other = Door::open(&place, &mut of_other).unwrap();
        assert!(matches!(door.mend(), Err(DaemonError::Runs)));
        drop(door);
        assert!(
            connect(&place).await.is_ok(),
            "the other's socket is not ours to remove"
        );
    }
}
