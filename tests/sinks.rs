//! Real files through every sink: what is written, whose it is, and the way back.

#![cfg(test)]

mod sinks {
    mod bad_files;
    mod ledger;
    mod losses;
    mod undo;
}

use std::path::{Path, PathBuf};

use gliznet::sink::{
    Cause, ContentHash, Ledger, Run, Sink, SinkError, TagWish, UndoSelection, Wish, Written,
};

/// A folder of notes, and a ledger in another.
struct Vault {
    notes: tempfile::TempDir,
    data: tempfile::TempDir,
    ledger: Ledger,
}

impl Vault {
    fn new() -> Vault {
        let data = tempfile::tempdir().unwrap();
        Vault {
            notes: tempfile::tempdir().unwrap(),
            ledger: Ledger::open(data.path()).unwrap().0,
            data,
        }
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.notes.path().join(name)
    }

    fn put(&self, name: impl AsRef<Path>, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    fn get(&self, name: impl AsRef<Path>) -> String {
        String::from_utf8(std::fs::read(self.path(name)).unwrap()).unwrap()
    }

    /// Writes tags into a file as a run of its own.
    fn write(
        &self,
        sink: Sink,
        name: impl AsRef<Path>,
        tags: &[&str],
    ) -> Result<Written, SinkError> {
        let run = Run::new(Cause::Watch, sink, "m".to_owned(), 1_000);
        self.write_in(&run, name, tags)
    }

    fn write_in(
        &self,
        run: &Run,
        name: impl AsRef<Path>,
        tags: &[&str],
    ) -> Result<Written, SinkError> {
        let path = self.path(name);
        let tags = wishes(tags);
        let wish = Wish {
            path: &path,
            seen: gliznet::sink::read(&path)?.1,
            tags: &tags,
            labels: None,
            set: None,
            in_crowd: false,
        };
        self.ledger.write(run, &wish)
    }

    /// Takes back all that was written, and says what went wrong.
    fn undo(&self, selection: &UndoSelection) -> Vec<String> {
        let undone = self
            .ledger
            .undo(selection, 2_000, gliznet::sink::Mode::Do)
            .unwrap();
        let files = undone.files.into_iter();
        files.filter_map(|file| file.outcome.err()).collect()
    }

    /// What is in the folder of notes, sorted.
    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.notes.path()).unwrap();
        let name = |e: std::io::Result<std::fs::DirEntry>| e.unwrap().file_name();
        let mut names: Vec<String> = entries.map(|e| name(e).to_string_lossy().into()).collect();
        names.sort();
        names
    }
}

fn wishes(tags: &[&str]) -> Vec<TagWish> {
    let wish = |tag: &&str| TagWish {
        name: (*tag).to_owned(),
        score: Some(0.75),
        said: None,
    };
    tags.iter().map(wish).collect()
}

fn everything() -> UndoSelection {
    UndoSelection {
        since: Some(0),
        ..UndoSelection::default()
    }
}

fn hash(bytes: impl AsRef<[u8]>) -> ContentHash {
    ContentHash::of(bytes.as_ref())
}
