//! Takes back what runs have written: byte for byte, or not at all.
//!
//! Input: which runs or files. Output: each file as it was before, or why it is left as it is.
//! Invariant: what a person has changed since is never overwritten; edits elsewhere in the file
//! stay. The taking back is recorded like any write, before it is done.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::error::shown;
use super::ledger::{Ledger, Open, Preview, Wanted, canonical};
use super::past::{RunId, Write};
use super::place::Place;
use super::plan::{is_among, key};
use super::record::{Added, Cause, WriteRecord};
use super::store::{Edited, Held};
use super::{Run, Sink, SinkError};

/// What is taken back. Conditions add up; without any it is the latest run that still stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UndoSelection {
    /// Only what this run wrote.
    pub run: Option<RunId>,
    /// Only what was written for this file.
    pub file: Option<PathBuf>,
    /// Only what runs wrote that began at this moment or later, in seconds since 1970.
    pub since: Option<u64>,
}

/// Whether anything is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The files are changed.
    Do,
    /// It is only said what would be done.
    Preview,
}

/// What was taken back.
#[derive(Debug, Default)]
pub struct Undone {
    /// The runs that were meant, the first one first.
    pub runs: Vec<RunId>,
    /// Their files.
    pub files: Vec<FileUndone>,
}

/// What became of one file.
#[derive(Debug)]
pub struct FileUndone {
    /// The file.
    pub path: PathBuf,
    /// What was taken back, or why nothing was.
    pub outcome: Result<TakenBack, String>,
}

/// A file as it was before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenBack {
    /// Tags that are gone again.
    pub removed: Vec<String>,
    /// Tags that are back.
    pub added: Vec<String>,
    /// The bytes before and after.
    pub preview: Preview,
}

impl Ledger {
    /// Takes back what is selected, at `time` in seconds since 1970. A file that cannot be taken
    /// back does not hinder the others.
    ///
    /// # Errors
    /// There is no such run, or the ledger cannot be written.
    pub fn undo(
        &self,
        selection: &UndoSelection,
        time: u64,
        mode: Mode,
    ) -> Result<Undone, SinkError> {
        let chosen = self.locked(|open| chosen(open, selection))?;
        let mut runs: Vec<u64> = chosen.iter().flat_map(|file| file.runs.clone()).collect();
        runs.sort_unstable();
        runs.dedup();
        let mut undone = Undone {
            runs: runs.into_iter().map(RunId).collect(),
            files: Vec::new(),
        };
        // A run has one sink, and so has the one that takes it back.
        let mut takers: Vec<Run> = Vec::new();
        for file in chosen {
            let known = takers.iter().position(|taker| taker.sink() == file.sink);
            let taker = known.unwrap_or_else(|| {
                takers.push(Run::new(Cause::Undo, file.sink, String::new(), time));
                takers.len() - 1
            });
            // The lock is given back between files, so that a long undo stops nobody.
            let outcome = self.locked(|open| take_back(open, &takers[taker], &file, mode));
            undone.files.push(FileUndone {
                path: file.path,
                outcome: outcome.map_err(|error| error.to_string()),
            });
        }
        Ok(undone)
    }
}

/// What is taken back in one place of one file, newest first.
struct Chosen {
    path: PathBuf,
    sink: Sink,
    writes: Vec<u64>,
    runs: Vec<u64>,
}

fn chosen(open: &mut Open<'_>, selection: &UndoSelection) -> Result<Vec<Chosen>, SinkError> {
    let runs = open.past.runs();
    if let Some(run) = selection.run
        && runs.iter().all(|known| known.id != run)
    {
        return Err(SinkError::NoRun(run.0));
    }
    let mut selection = selection.clone();
    if selection == UndoSelection::default() {
        let latest = runs.iter().rev().find(|run| run.standing > 0);
        match latest {
            Some(run) => selection.run = Some(run.id),
            None => return Ok(Vec::new()),
        }
    }
    let file = selection.file.as_deref().map(canonical);
    let is_meant = |write: &Write| {
        let is_of_run = selection.run.is_none_or(|run| run.0 == write.run);
        let begun = open.past.time_of(write.run).unwrap_or(0);
        is_of_run && selection.since.is_none_or(|since| begun >= since)
    };
    let mut all = Vec::new();
    for (path, writes) in open.past.standing() {
        if file.as_deref().is_some_and(|file| file != path) {
            continue;
        }
        for sink in Sink::ALL {
            let meant = writes.iter();
            let meant = meant.filter(|(_, write)| write.sink == sink && is_meant(write));
            let (writes, runs): (Vec<u64>, Vec<u64>) =
                meant.map(|(id, write)| (*id, write.run)).unzip();
            if !writes.is_empty() {
                all.push(Chosen {
                    path: path.to_path_buf(),
                    sink,
                    writes,
                    runs,
                });
            }
        }
    }
    Ok(all)
}

fn take_back(
    open: &mut Open<'_>,
    taker: &Run,
    file: &Chosen,
    mode: Mode,
) -> Result<TakenBack, SinkError> {
    let held = match Held::read(&file.path, file.sink) {
        // Where its folder is there, it is on no disk that may come back.
        Err(gone @ SinkError::Gone(_)) if file.path.parent().is_some_and(Path::is_dir) => {
            conclude(
                open,
                taker,
                &Held::nothing(&file.path, file.sink),
                file,
                mode,
            )?;
            return Err(gone);
        }
        held => held?,
    };
    let mut records = Vec::new();
    for id in &file.writes {
        records.push((*id, record(open, &file.path, *id)?));
    }
    let before = before(records.iter().map(|(_, record)| record));
    let mut content = held.content.clone();
    let (mut removed, mut added): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for (id, record) in records {
        let now = held.with(content);
        let is_back = now.hash() == record.before;
        let places: Vec<Place> = record.places.into_iter().map(Place::of_record).collect();
        let tags = record.added.into_iter().map(|added| added.tag);
        extend(&mut removed, tags);
        let back = match is_back {
            true => Some(now.content), // A person has done it already.
            false => now.taken_back(&places, record.after),
        };
        match back {
            Some(back) => content = back,
            None => return hindered(open, taker, &held, file, id, &before, mode),
        }
        removed.retain(|tag| !is_among(tag, &record.removed));
        extend(&mut added, record.removed);
    }
    let after = held.with(content);
    let (standing, _) = after.standing()?;
    let stands = |tag: &String| is_among(tag, &standing);
    if removed.iter().any(stands) {
        let newest = file.writes[0];
        return hindered(open, taker, &held, file, newest, &before, mode);
    }
    added.retain(stands);
    let back = TakenBack {
        preview: Preview {
            target: held.target(),
            before: held.content.clone(),
            after: after.content,
            added: added.clone(),
            removed: removed.clone(),
            unwritable: Vec::new(),
        },
        removed,
        added,
    };
    match mode {
        Mode::Do => put(open, taker, &held, file, &back)?,
        Mode::Preview => held.check(&back.preview.after)?,
    }
    Ok(back)
}

/// Adds tags that are not among those that are there: two writes may have put in the same one, where
/// it was lost between them.
fn extend(tags: &mut Vec<String>, more: impl IntoIterator<Item = String>) {
    for tag in more {
        if !is_among(&tag, tags) {
            tags.push(tag);
        }
    }
}

fn put(
    open: &mut Open<'_>,
    taker: &Run,
    held: &Held,
    file: &Chosen,
    back: &TakenBack,
) -> Result<(), SinkError> {
    let added = back.added.iter().cloned();
    let wanted = Wanted {
        edited: Edited {
            places: Vec::new(),
            after: back.preview.after.clone(),
            edits: Vec::new(),
            unwritable: Vec::new(),
        },
        added: added
            .map(|tag| Added {
                tag,
                score: None,
                said: None,
            })
            .collect(),
        removed: back.removed.clone(),
        withdrawn: Vec::new(),
        lost: Vec::new(),
    };
    open.put(taker, held, &wanted, file.writes.clone())
}

/// Of these writes nothing is left that could be taken back: they stand no more.
fn conclude(
    open: &mut Open<'_>,
    taker: &Run,
    held: &Held,
    file: &Chosen,
    mode: Mode,
) -> Result<TakenBack, SinkError> {
    let back = TakenBack {
        removed: Vec::new(),
        added: Vec::new(),
        preview: Preview {
            target: held.target(),
            before: held.content.clone(),
            after: held.content.clone(),
            added: Vec::new(),
            removed: Vec::new(),
            unwritable: Vec::new(),
        },
    };
    if mode == Mode::Do {
        put(open, taker, held, file, &back)?;
    }
    Ok(back)
}

/// The full record of a write of a file, if it still stands.
fn record(open: &mut Open<'_>, path: &Path, id: u64) -> Result<WriteRecord, SinkError> {
    let over = || {
        SinkError::Undone(format!(
            "{}: it was taken back meanwhile, and was left alone; `gliznet log` shows what stands",
            shown(path)
        ))
    };
    let line = open.past.line_of(id).ok_or_else(over)?;
    open.record_at(line)
}

/// Which tags stood before these writes, the newest first, of those that they put in or took out.
fn before<'a>(writes: impl Iterator<Item = &'a WriteRecord>) -> BTreeMap<String, (String, bool)> {
    let mut before = BTreeMap::new();
    for write in writes {
        let added = write.added.iter().map(|added| (&added.tag, false));
        let removed = write.removed.iter().map(|tag| (tag, true));
        for (tag, stood) in added.chain(removed) {
            before.insert(key(tag), (tag.clone(), stood));
        }
    }
    before
}

/// Why a file is left as it is, whose tags are not those that it had `before`.
fn hindered(
    open: &mut Open<'_>,
    taker: &Run,
    held: &Held,
    file: &Chosen,
    write: u64,
    before: &BTreeMap<String, (String, bool)>,
    mode: Mode,
) -> Result<TakenBack, SinkError> {
    let path = shown(&file.path);
    let newer = open.past.standing().filter(|(path, _)| *path == file.path);
    let newer = newer.flat_map(|(_, writes)| writes);
    let newer = newer.filter(|(id, newer)| *id > write && newer.sink == file.sink);
    let newer = newer.filter(|(id, _)| !file.writes.contains(id));
    if let Some(run) = newer.map(|(_, write)| write.run).max() {
        return Err(SinkError::Undone(format!(
            "{path}: run {run} has written there since; undo that one first (`gliznet undo --run {run}`)"
        )));
    }
    let (standing, _) = held.standing()?;
    let standing: BTreeSet<String> = standing.iter().map(|tag| key(tag)).collect();
    let is_gone = std::fs::symlink_metadata(&file.path).is_err();
    let due = |should: bool| {
        let due = before.iter().filter(|(key, (_, stood))| {
            *stood == should && standing.contains(*key) != should && !(should && is_gone)
        });
        let due: Vec<String> = due.map(|(_, (tag, _))| format!("`{tag}`")).collect();
        due.join(", ")
    };
    let cure = match (due(false).as_str(), due(true).as_str()) {
        ("", "") => return conclude(open, taker, held, file, mode),
        (out, "") => format!("take {out} out by hand"),
        ("", back) => format!("put {back} back by hand"),
        (out, back) => format!("take {out} out and put {back} back by hand"),
    };
    Err(SinkError::Undone(format!(
        "{path}: its tags have been changed since, and it was left alone; {cure}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_second_is_told_of_which_file() {
        let dir = tempfile::tempdir().unwrap();
        let (ledger, _) = Ledger::open(dir.path()).unwrap();
        let second = ledger.locked(|open| record(open, Path::new("/n/a.md"), 7));
        let fault = second.unwrap_err().to_string();
        assert!(
            fault.starts_with("/n/a.md: it was taken back meanwhile"),
            "{fault}"
        );
    }
}
