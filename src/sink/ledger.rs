//! The ledger: every change of a file by gliznet, recorded before it is made.
//!
//! Input: wishes. Output: files with their tags, and a line for each in `runs.jsonl`.
//! Invariant: an intent is on disk before its file is touched; whatever has no outcome, because its
//! writer died, is settled by what the file holds, before anything else is done. All processes of
//! a user share one ledger and write one after the other. Reads no clock.

mod beside;
mod names;
mod open;
mod unsaved;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::error::shown;
use super::past::{Past, Provenance, RunSummary};
use super::plan::is_among;
use super::store::Held;
use super::{ContentHash, Run, Sink, SinkError, Wish, replace};
use crate::frontmatter::Edit;
use crate::lines::Lines;

use unsaved::AllUnsaved;

pub(super) use open::{Open, Wanted};

/// The ledger's name in the data folder.
pub const FILE_NAME: &str = "runs.jsonl";

/// An open ledger. Every call waits for the disk.
#[derive(Debug)]
pub struct Ledger {
    inner: Mutex<Inner>,
    unsaved: Mutex<AllUnsaved>,
}

#[derive(Debug)]
struct Inner {
    lines: Lines,
    past: Past,
    /// What of the ledger could not be read.
    faults: Vec<String>,
    /// Another process has written since somebody asked.
    has_foreign_news: bool,
}

/// What came of a wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Tags that the file got.
    pub added: Vec<String>,
    /// Tags of the machine that it lost.
    pub removed: Vec<String>,
    /// Tags of the machine that a person was found to have taken out.
    pub withdrawn: Vec<String>,
    /// Tags that cannot be written there.
    pub unwritable: Vec<String>,
    /// The hash of the file's own bytes now.
    pub after: ContentHash,
    /// Whether anything was written.
    pub changed: bool,
}

/// What would come of a wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// What is changed: the file, its attribute or its sidecar.
    pub target: String,
    /// Its bytes.
    pub before: Vec<u8>,
    /// What they would be.
    pub after: Vec<u8>,
    /// Tags that the file would get.
    pub added: Vec<String>,
    /// Tags of the machine that it would lose.
    pub removed: Vec<String>,
    /// Tags that cannot be written there.
    pub unwritable: Vec<String>,
}

/// What is to be done to a text that is open in an editor.
#[derive(Debug)]
pub struct Change {
    /// The edits, in order; none where nothing is to be done.
    pub edits: Vec<Edit>,
    /// Tags that the text gets.
    pub added: Vec<String>,
    /// Tags of the machine that it loses.
    pub removed: Vec<String>,
    wanted: Wanted,
}

impl Ledger {
    /// Opens the ledger in folder `dir`, or begins it there, and settles what a crash has left.
    /// The second value names what could not be read.
    ///
    /// # Errors
    /// The folder or file cannot be written.
    pub fn open(dir: &Path) -> Result<(Ledger, Vec<String>), SinkError> {
        let path = dir.join(FILE_NAME);
        let lines =
            Lines::open_replaceable(&path).map_err(|cause| SinkError::Ledger { path, cause })?;
        let ledger = Ledger {
            inner: Mutex::new(Inner {
                lines,
                past: Past::default(),
                faults: Vec::new(),
                has_foreign_news: false,
            }),
            unsaved: Mutex::default(),
        };
        let faults = ledger.locked(|open| Ok(std::mem::take(open.faults)))?;
        Ok((ledger, faults))
    }

    /// Whether there is a ledger in folder `dir` in which anything was ever written.
    pub fn is_in(dir: &Path) -> bool {
        let ledger = dir.join(FILE_NAME).metadata();
        ledger.is_ok_and(|ledger| ledger.is_file() && ledger.len() > 0)
    }

    /// Gives a file the tags that it should have. Writes nothing where it has them.
    ///
    /// # Errors
    /// The file has changed, or cannot be written; it is then as it was.
    pub fn write(&self, run: &Run, wish: &Wish<'_>) -> Result<Written, SinkError> {
        let path = canonical(wish.path);
        self.locked(|open| {
            let held = seen(&path, run.sink, wish)?;
            open.welcome(&path, wish.seen)?;
            let wanted = open.wanted(&held, run, wish)?;
            let changed = !wanted.edited.places.is_empty();
            match changed {
                true => open.put(run, &held, &wanted, Vec::new())?,
                false => open.settle(&path, run, &wanted)?,
            }
            let after = match run.sink {
                Sink::Frontmatter if changed => ContentHash::of(&wanted.edited.after),
                _ => wish.seen, // What is put beside a file leaves its bytes.
            };
            Ok(Written {
                added: wanted.added.into_iter().map(|added| added.tag).collect(),
                removed: wanted.removed,
                withdrawn: wanted.withdrawn,
                unwritable: wanted.edited.unwritable,
                after,
                changed,
            })
        })
    }

    /// What `write` would do.
    ///
    /// # Errors
    /// As of `write`.
    pub fn preview(&self, run: &Run, wish: &Wish<'_>) -> Result<Preview, SinkError> {
        let path = canonical(wish.path);
        self.locked(|open| {
            let held = seen(&path, run.sink, wish)?;
            open.welcome(&path, wish.seen)?;
            let wanted = open.wanted(&held, run, wish)?;
            let changed = !wanted.edited.places.is_empty();
            if changed {
                held.check(&wanted.edited.after)?;
            }
            Ok(Preview {
                target: held.target(),
                after: match changed {
                    true => wanted.edited.after,
                    false => held.content.clone(),
                },
                before: held.content,
                added: wanted.added.into_iter().map(|added| added.tag).collect(),
                removed: wanted.removed,
                unwritable: wanted.edited.unwritable,
            })
        })
    }

    /// What is to be done to a file whose text is open in an editor, which should do it itself.
    /// The wish's hash is of the file as it is meanwhile.
    ///
    /// # Errors
    /// The text cannot be given its tags.
    pub fn change(&self, run: &Run, wish: &Wish<'_>, text: &str) -> Result<Change, SinkError> {
        let held = Held::of_text(&canonical(wish.path), text);
        self.given(&held.path, wish.seen, None);
        self.locked(|open| {
            let mut wanted = open.wanted(&held, run, wish)?;
            Ok(Change {
                edits: std::mem::take(&mut wanted.edited.edits),
                added: wanted.added.iter().map(|added| added.tag.clone()).collect(),
                removed: wanted.removed.clone(),
                wanted,
            })
        })
    }

    /// Records that an editor has made a change to this text.
    ///
    /// # Errors
    /// It cannot be recorded.
    pub fn applied(
        &self,
        run: &Run,
        wish: &Wish<'_>,
        text: &str,
        change: &Change,
    ) -> Result<(), SinkError> {
        let held = Held::of_text(&canonical(wish.path), text);
        let write = self.locked(|open| {
            // It may hold what was typed since, and has no byte order mark.
            let file = Some(wish.seen).filter(|file| *file != held.hash());
            let wanted = &change.wanted;
            open.begin(run, &held, wanted, Vec::new(), String::new(), file)
        })?;
        self.given(&held.path, wish.seen, Some((write, &change.wanted)));
        Ok(())
    }

    /// Whose the tags of a file are. Reads the file, to tell what a person has taken out since.
    ///
    /// # Errors
    /// The ledger or the file cannot be read.
    pub fn provenance(&self, path: &Path) -> Result<Provenance, SinkError> {
        let path = canonical(path);
        self.locked(|open| {
            if open.past.was(&path).is_some() {
                let now = ContentHash::of(&replace::read(&path)?);
                open.welcome(&path, now)?;
            }
            let mut all = open.past.provenance(&path, None);
            all.machine.clear();
            for sink in open.past.sinks_of(&path) {
                let held = Held::read(&path, sink)?;
                let (standing, _) = held.standing()?;
                let machine = open.past.provenance(&path, Some(sink)).machine;
                let stands = |tag: &String| is_among(tag, &standing);
                let (stands, gone): (Vec<_>, Vec<_>) = machine.into_iter().partition(stands);
                all.machine.extend(stands);
                if !held.is_bare()? {
                    all.withdrawn.extend(gone);
                }
            }
            let mut machine: Vec<String> = Vec::new();
            for tag in all.machine {
                // One tag may stand in several places.
                if !is_among(&tag, &machine) && !is_among(&tag, &all.withdrawn) {
                    machine.push(tag);
                }
            }
            Ok(Provenance { machine, ..all })
        })
    }

    /// Whether another process has written here since this was asked last, or before the first time.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn has_foreign_news(&self) -> Result<bool, SinkError> {
        self.locked(|open| Ok(std::mem::take(open.has_foreign_news)))
    }

    /// The tags that gliznet wrote and that were not taken back, of each file that has any. Reads
    /// no file.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn machine_tags(&self) -> Result<HashMap<PathBuf, Vec<String>>, SinkError> {
        self.locked(|open| Ok(open.past.machine_tags(None)))
    }

    /// The same of one place alone: a tag that was put beside a file says nothing of one in it. Reads
    /// files that were gone, to tell whether they are back.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn machine_tags_in(&self, sink: Sink) -> Result<HashMap<PathBuf, Vec<String>>, SinkError> {
        self.locked(|open| {
            open.welcome_all()?;
            Ok(open.past.machine_tags(Some(sink)))
        })
    }

    /// The tags that gliznet wrote into front matters, by the bytes that it left there: a file that has
    /// them has its tags, whatever it is called now.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn machine_tags_by_content(&self) -> Result<HashMap<ContentHash, Vec<String>>, SinkError> {
        self.locked(|open| Ok(open.past.by_content()))
    }

    /// All runs that wrote something, the first one first.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn runs(&self) -> Result<Vec<RunSummary>, SinkError> {
        self.locked(|open| Ok(open.past.runs()))
    }

    /// Does something with the ledger as it is now, while no other process writes.
    pub(super) fn locked<T>(
        &self,
        act: impl FnOnce(&mut Open<'_>) -> Result<T, SinkError>,
    ) -> Result<T, SinkError> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let Inner {
            lines,
            past,
            faults,
            has_foreign_news,
        } = &mut *inner;
        let path = lines.path().to_path_buf();
        let acted = lines.locked(|lines| {
            let mut open = Open {
                lines,
                past,
                faults,
                has_foreign_news,
            };
            open.catch_up()?;
            act(&mut open)
        });
        acted.map_err(|cause| SinkError::Ledger { path, cause })?
    }
}

/// What holds the tags of a file, if that is still the one that they were found for.
fn seen(path: &Path, sink: Sink, wish: &Wish<'_>) -> Result<Held, SinkError> {
    let content = replace::read(path)?;
    if ContentHash::of(&content) != wish.seen {
        return Err(SinkError::Changed(shown(path)));
    }
    match sink {
        // The very bytes that were compared: somebody may write the file in this moment.
        Sink::Frontmatter => Ok(Held::of_text(path, content)),
        beside => Held::read(path, beside),
    }
}

/// The one path by which a file is known: no link in it, whether the file is there or not.
pub(super) fn canonical(path: &Path) -> PathBuf {
    if let Ok(real) = path.canonicalize() {
        return real;
    }
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    match (
        absolute.parent().map(Path::canonicalize),
        absolute.file_name(),
    ) {
        (Some(Ok(folder)), Some(name)) => folder.join(name),
        _ => absolute,
    }
}
