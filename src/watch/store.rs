//! Where the index is kept between two daemons: paths and notes, in sled.
//!
//! Only what can be found out again is kept here. Whatever goes wrong on opening, the folder is
//! moved aside and a new one begun; whatever goes wrong later is lost until the next start.
//! Invariant: one process has it, by a lock of our own; it takes at most `BLOAT` times what is in
//! it, or it is written anew. Knows nothing of folders and tags.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::note::{FORM, Names, Note, decode, encode};
use crate::config::make_private;

/// The folder may be so many times what is in it.
const BLOAT: u64 = 6;
/// A smaller one is not worth the work.
const SMALL: u64 = 32 << 20;
/// Memory that sled may use for its pages.
const PAGES: u64 = 4 << 20;

/// What is kept on disk.
#[derive(Debug)]
pub(super) struct Store {
    folder: PathBuf,
    /// None while it is written anew, and after that failed.
    database: Mutex<Option<sled::Db>>,
    complained: AtomicBool,
    /// Held as long as the database is open.
    _lock: File,
}

/// Why there is no index.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    /// Another process has it.
    #[error("another gliznet watches already; end it with `gliznet stop`, or wait until it ends")]
    Taken,
    /// The system refuses.
    #[error("{0}: the index cannot be kept here ({1}); make the folder writable or make room")]
    Io(PathBuf, std::io::Error),
    /// sled refuses even a new folder.
    #[error("{0}: the index cannot be kept here ({1}); make the folder writable or make room")]
    Sled(PathBuf, String),
}

impl Store {
    /// Opens the index in folder `dir`, and reads all that is in it. What was moved aside is said.
    pub(super) fn open(
        dir: &Path,
        names: &mut Names,
        mut each: impl FnMut(PathBuf, Note),
    ) -> Result<(Store, Option<String>), StoreError> {
        let io = |error| StoreError::Io(dir.to_path_buf(), error);
        make_private(dir).map_err(io)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(dir.join("index.lock"))
            .map_err(io)?;
        if lock.try_lock().is_err() {
            return Err(StoreError::Taken);
        }
        let folder = dir.join(format!("index-{FORM}"));
        let opened = open(&folder).and_then(|database| {
            let read = read(&database, names)?;
            Ok((database, read))
        });
        let mut said = None;
        let (database, notes) = match opened {
            Ok(opened) => opened,
            Err(reason) => {
                let aside = move_aside(&folder).map_err(io)?;
                tracing::warn!(
                    reason,
                    aside = %aside.display(),
                    "the index could not be used and is made anew"
                );
                said = Some(format!(
                    "the index could not be used ({reason}); it was moved to {} and is made anew",
                    aside.display()
                ));
                let new = open(&folder).map_err(|e| StoreError::Sled(folder.clone(), e))?;
                (new, Vec::new())
            }
        };
        for (path, note) in notes {
            each(path, note);
        }
        let store = Store {
            folder,
            database: Mutex::new(Some(database)),
            complained: AtomicBool::new(false),
            _lock: lock,
        };
        Ok((store, said))
    }

    /// Keeps a note under its path.
    pub(super) fn put(&self, path: &Path, note: &Note) {
        let Some(key) = key(path) else {
            return; // It is found out again after a restart.
        };
        self.with(|database| database.insert(key, encode(note)).map(|_| ()));
    }

    /// Forgets a path.
    pub(super) fn remove(&self, path: &Path) {
        let Some(key) = key(path) else { return };
        self.with(|database| database.remove(key).map(|_| ()));
    }

    /// Writes everything to disk.
    pub(super) fn flush(&self) {
        self.with(|database| database.flush().map(|_| ()));
    }

    /// Bytes on disk.
    pub(super) fn size(&self) -> u64 {
        let database = self.lock();
        let size = database.as_ref().map(sled::Db::size_on_disk);
        size.and_then(Result::ok).unwrap_or(0)
    }

    /// Writes the whole index anew where it takes much more room than `notes`.
    pub(super) fn compact<'a>(&self, notes: impl Iterator<Item = (&'a PathBuf, &'a Note)>) {
        let size = self.size();
        if size < SMALL {
            return;
        }
        let entries: Vec<(Vec<u8>, Vec<u8>)> = notes
            .filter_map(|(path, note)| Some((key(path)?, encode(note))))
            .collect();
        let held: u64 = entries
            .iter()
            .map(|(key, value)| (key.len() + value.len()) as u64)
            .sum();
        if size < BLOAT * held {
            return;
        }
        let mut database = self.lock();
        *database = None; // Its files are let go of.
        let written = move_aside(&self.folder)
            .map_err(|error| error.to_string())
            .and_then(|aside| {
                let new = open(&self.folder)?;
                for (key, value) in entries {
                    new.insert(key, value).map_err(|error| error.to_string())?;
                }
                new.flush().map_err(|error| error.to_string())?;
                // What was moved aside is whole: nobody misses it.
                let _ = std::fs::remove_dir_all(aside);
                Ok(new)
            });
        match written {
            Ok(new) => *database = Some(new),
            Err(error) => tracing::warn!(error, "the index is not kept until the next start"),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<sled::Db>> {
        self.database
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn with(&self, act: impl FnOnce(&sled::Db) -> sled::Result<()>) {
        let database = self.lock();
        let Some(database) = database.as_ref() else {
            return;
        };
        // sled panics at some faults of the disk instead of saying so.
        let acted = catch_unwind(AssertUnwindSafe(|| act(database)));
        let error = match acted {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "its files are broken".to_owned(),
        };
        if !self.complained.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                error,
                "the index cannot be kept; it is made anew at the next start"
            );
        }
    }
}

fn open(folder: &Path) -> Result<sled::Db, String> {
    make_private(folder).map_err(|error| error.to_string())?;
    let config = sled::Config::new()
        .path(folder)
        .cache_capacity(PAGES)
        .flush_every_ms(Some(2_000));
    let opened = catch_unwind(AssertUnwindSafe(|| config.open()));
    match opened {
        Ok(Ok(database)) => Ok(database),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("its files are broken".to_owned()),
    }
}

fn read(database: &sled::Db, names: &mut Names) -> Result<Vec<(PathBuf, Note)>, String> {
    let all = catch_unwind(AssertUnwindSafe(|| {
        let mut notes = Vec::new();
        for entry in database.iter() {
            let (key, value) = entry.map_err(|error| error.to_string())?;
            let note = path(&key).zip(decode(&value, names));
            notes.push(note.ok_or("an entry is broken")?);
        }
        Ok(notes)
    }));
    all.unwrap_or_else(|_| Err("its files are broken".to_owned()))
}

/// Renames a folder that cannot be used; the one moved aside before goes for good.
fn move_aside(folder: &Path) -> std::io::Result<PathBuf> {
    let aside = folder.with_extension("broken");
    match std::fs::remove_dir_all(&aside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    std::fs::rename(folder, &aside)?;
    Ok(aside)
}

/// The bytes of a path; none where the system's names are no bytes and this one is no text.
#[cfg(unix)]
fn key(path: &Path) -> Option<Vec<u8>> {
    use std::os::unix::ffi::OsStrExt;
    Some(path.as_os_str().as_bytes().to_vec())
}

#[cfg(not(unix))]
fn key(path: &Path) -> Option<Vec<u8>> {
    path.to_str().map(|text| text.as_bytes().to_vec())
}

#[cfg(unix)]
fn path(key: &[u8]) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    Some(PathBuf::from(OsStr::from_bytes(key)))
}

#[cfg(not(unix))]
fn path(key: &[u8]) -> Option<PathBuf> {
    let text: &OsStr = OsStr::new(std::str::from_utf8(key).ok()?);
    Some(PathBuf::from(text))
}
