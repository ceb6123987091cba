//! All notes of all watched folders: what each has and what fits it.
//!
//! Input: notes, as they are read. Output: the note of a path, those below a folder, and a copy on
//! disk that spares the next daemon the reading.
//! Invariant: what is held here is what the copy holds, or will hold in two seconds.
//! Knows nothing of events and of models.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::note::{Names, Note};
use super::store::{Store, StoreError};

/// Notes by path. Those of a folder stand together, because paths are compared by their parts.
pub(super) type Notes = BTreeMap<PathBuf, Note>;

/// The index.
#[derive(Debug)]
pub(super) struct Index {
    notes: RwLock<Notes>,
    names: Mutex<Names>,
    store: Store,
}

impl Index {
    /// Opens the index in the cache folder. What was wrong with the last one is said.
    pub(super) fn open(dir: &Path) -> Result<(Index, Option<String>), StoreError> {
        let mut notes = Notes::new();
        let mut names = Names::default();
        let (store, said) = Store::open(dir, &mut names, |path, note| {
            notes.insert(path, note);
        })?;
        store.compact(notes.iter());
        let index = Index {
            notes: RwLock::new(notes),
            names: Mutex::new(names),
            store,
        };
        Ok((index, said))
    }

    /// A name, held once for all notes.
    pub(super) fn name(&self, name: &str) -> Arc<str> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.of(name)
    }

    /// All notes, as they are now. Held for a short time only: whoever writes waits.
    pub(super) fn notes(&self) -> RwLockReadGuard<'_, Notes> {
        self.notes.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn notes_mut(&self) -> RwLockWriteGuard<'_, Notes> {
        self.notes.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The note of a path.
    pub(super) fn get(&self, path: &Path) -> Option<Note> {
        self.notes().get(path).cloned()
    }

    /// Keeps what is known of a note.
    pub(super) fn put(&self, path: &Path, note: Note) {
        self.store.put(path, &note);
        self.notes_mut().insert(path.to_path_buf(), note);
    }

    /// Forgets a note.
    pub(super) fn remove(&self, path: &Path) -> Option<Note> {
        self.store.remove(path);
        self.notes_mut().remove(path)
    }

    /// The notes of a folder and of what is in it, and a note of that very path.
    pub(super) fn below(&self, folder: &Path) -> Vec<PathBuf> {
        below(&self.notes(), folder)
            .map(|(path, _)| path.clone())
            .collect()
    }

    /// Bytes on disk.
    pub(super) fn size(&self) -> u64 {
        self.store.size()
    }

    /// Writes everything to disk, in less room where there is much to save.
    pub(super) fn flush(&self) {
        self.store.flush();
        self.store.compact(self.notes().iter());
    }
}

/// The notes of a folder and of what is in it, and a note of that very path.
pub(super) fn below<'a>(
    notes: &'a Notes,
    folder: &'a Path,
) -> impl Iterator<Item = (&'a PathBuf, &'a Note)> {
    below_after(notes, folder, None)
}

/// As `below`, but only those that come after a path.
pub(super) fn below_after<'a>(
    notes: &'a Notes,
    folder: &'a Path,
    after: Option<&Path>,
) -> impl Iterator<Item = (&'a PathBuf, &'a Note)> {
    let start = match after {
        Some(after) if after >= folder => Bound::Excluded(after),
        _ => Bound::Included(folder),
    };
    notes
        .range::<Path, _>((start, Bound::Unbounded))
        .take_while(move |(path, _)| path.starts_with(folder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::ContentHash;
    use crate::watch::note::{Held, Stamp};

    fn note(index: &Index, tag: &str) -> Note {
        Note {
            stamp: Stamp::default(),
            content: ContentHash::of(tag.as_bytes()),
            tags: [Held {
                name: index.name(tag),
                is_ours: false,
            }]
            .into(),
            fits: [].into(),
            basis: None,
            fault: None,
        }
    }

    fn open(dir: &Path) -> Index {
        Index::open(dir).unwrap().0
    }

    #[cfg(unix)]
    #[test]
    fn it_is_closed_to_others_in_an_open_folder_too() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        open(dir.path());
        let made = std::fs::read_dir(dir.path()).unwrap();
        let folders = made.map(|entry| entry.unwrap().metadata().unwrap());
        let modes: Vec<u32> = folders
            .filter(|made| made.is_dir())
            .map(|folder| folder.permissions().mode() & 0o077)
            .collect();
        assert_eq!(modes, [0]);
    }

    #[test]
    fn what_was_put_is_there_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let index = open(dir.path());
        for name in ["/n/a.md", "/n/b/c.md", "/n/b.md"] {
            index.put(Path::new(name), note(&index, name));
        }
        index.remove(Path::new("/n/b.md"));
        let before = index.notes().clone();
        index.flush();
        drop(index);
        let index = open(dir.path());
        assert_eq!(*index.notes(), before);
        assert_eq!(index.below(Path::new("/n/b")), [Path::new("/n/b/c.md")]);
        assert_eq!(index.below(Path::new("/")).len(), 2);
    }

    #[cfg(unix)]
    #[test]
    fn a_name_of_any_bytes_is_kept() {
        use std::os::unix::ffi::OsStrExt;
        let dir = tempfile::tempdir().unwrap();
        let path = Path::new(std::ffi::OsStr::from_bytes(b"/n/\xff\n.md"));
        let index = open(dir.path());
        index.put(path, note(&index, "a"));
        index.flush();
        drop(index);
        assert!(open(dir.path()).get(path).is_some());
    }

    #[test]
    fn a_broken_index_is_moved_aside_and_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("index-1");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("conf"), "no configuration at all").unwrap();
        std::fs::write(folder.join("db"), [7u8; 9000]).unwrap();
        let (index, said) = Index::open(dir.path()).unwrap();
        assert!(said.unwrap().contains("made anew"));
        index.put(Path::new("/n/a.md"), note(&index, "a"));
        assert!(folder.with_extension("broken").join("conf").exists());
    }

    #[test]
    fn an_entry_that_is_no_note_is_a_broken_index() {
        let dir = tempfile::tempdir().unwrap();
        let database = sled::open(dir.path().join("index-1")).unwrap();
        database.insert("/n/a.md", "nonsense").unwrap();
        drop(database);
        let (index, said) = Index::open(dir.path()).unwrap();
        assert!(said.is_some() && index.notes().is_empty());
    }

    #[test]
    fn a_second_process_hears_that_it_is_one() {
        let dir = tempfile::tempdir().unwrap();
        let first = open(dir.path());
        assert!(matches!(Index::open(dir.path()), Err(StoreError::Taken)));
        drop(first);
        open(dir.path());
    }
}
