//! The place of an unfinished download, and its one step to being a model.
//!
//! Invariant: one process at a time has it open; `finish` is a rename, so the model's folder is
//! either whole or not there.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use super::error::at;
use super::{HubError, Store};
use crate::config::make_private;
use crate::model::store::{INCOMING, RECORD_FILE, Record};

/// `models/.incoming/NAME`, held by this process.
pub(super) struct Incoming {
    folder: PathBuf,
    /// Where an older model waits while the new one takes its place.
    aside: PathBuf,
    /// Held while this lives; the system lets go of it even if the process is killed.
    _lock: File,
}

impl Incoming {
    /// Takes the place for `name`.
    pub(super) fn open(store: &Store, name: &str) -> Result<Incoming, HubError> {
        let all = store.folder().join(INCOMING);
        make_private(&all).map_err(at(&all))?;
        // No model's name begins with a dot, so these two stand in nobody's way.
        let path = all.join(format!(".{name}.lock"));
        let lock = File::create(&path).map_err(at(&path))?;
        // On a file system without locks, two pulls at once end in a checksum error at worst.
        if let Err(TryLockError::WouldBlock) = lock.try_lock() {
            return Err(HubError::Busy {
                name: name.to_owned(),
            });
        }
        Ok(Incoming {
            folder: all.join(name),
            aside: all.join(format!(".{name}.old")),
            _lock: lock,
        })
    }

    /// Where the files are gathered.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes the place ready for the commit of `record`; what another commit left is of no use.
    pub(super) fn begin(&self, record: &Record) -> Result<(), HubError> {
        let same = Record::read(&self.folder)
            .is_some_and(|old| old.repository == record.repository && old.commit == record.commit);
        if !same {
            self.discard()?;
        }
        fs::create_dir_all(&self.folder).map_err(at(&self.folder))?;
        record.write(&self.folder).map_err(at(&self.folder))
    }

    /// Removes what is there.
    pub(super) fn discard(&self) -> Result<(), HubError> {
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder).map_err(at(&self.folder))?;
        }
        Ok(())
    }

    /// Makes the gathered files the model at `target`, in place of an older one; the files `kept`
    /// stay as the older one has them.
    pub(super) fn finish(
        &self,
        record: &Record,
        target: &Path,
        kept: &[&str],
    ) -> Result<(), HubError> {
        record.write(&self.folder).map_err(at(&self.folder))?;
        for entry in fs::read_dir(&self.folder).map_err(at(&self.folder))? {
            let entry = entry.map_err(at(&self.folder))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name != RECORD_FILE && !record.files.contains_key(&name) {
                fs::remove_file(entry.path()).map_err(at(&entry.path()))?;
            }
        }
        for name in kept {
            let new = self.folder.join(name);
            fs::copy(target.join(name), &new).map_err(at(&new))?;
        }
        let aside = &self.aside;
        if aside.exists() {
            fs::remove_dir_all(aside).map_err(at(aside))?;
        }
        if target.exists() {
            fs::rename(target, aside).map_err(at(target))?;
        }
        if let Err(error) = fs::rename(&self.folder, target) {
            let _ = fs::rename(aside, target); // The older model comes back; the error is told.
            return Err(at(target)(error));
        }
        if aside.exists() {
            fs::remove_dir_all(aside).map_err(at(aside))?;
        }
        Ok(())
    }
}
