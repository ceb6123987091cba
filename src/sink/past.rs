//! What was ever done: records in order in; which tags are whose, and which writes stand, out.
//!
//! Invariant: a write counts only once its outcome is known; the same records give the same past.
//! Pure: reads no files, not even the ledger's own.
//!
//! Length: every kind of record has its few lines in one match, and what is asked is about the sum.

mod tags;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Bound;
use std::path::{Path, PathBuf};

use super::record::{Cause, Lossless, Record, RunRecord, WriteRecord};
use super::{ContentHash, Sink, moved_path};
use tags::Tags;

/// The number of a run, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Whose the tags of a file are, as far as the ledger knows. Tags that stand in the file and are
/// named nowhere here are a person's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provenance {
    /// Tags that gliznet wrote and that still stand.
    pub machine: Vec<String>,
    /// Tags that gliznet wrote and a person took out: they never return to this file.
    pub withdrawn: Vec<String>,
    /// Tags that an undo took back: they do not return by themselves.
    pub undone: Vec<String>,
}

/// A run, for a list of runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSummary {
    /// Its number.
    pub id: RunId,
    /// When it began, in seconds since 1970.
    pub time: u64,
    /// Who wanted it.
    pub cause: Cause,
    /// Where it put the tags.
    pub sink: Sink,
    /// Which model found them.
    pub model: String,
    /// How many files it wrote.
    pub files: usize,
    /// In how many of them that still stands.
    pub standing: usize,
    /// How many tags it added, in all files.
    pub added: usize,
    /// How many tags it took out.
    pub removed: usize,
    /// One of its files.
    pub example: Option<PathBuf>,
}

/// Everything that was done.
#[derive(Debug, Default)]
pub(super) struct Past {
    runs: BTreeMap<u64, Run>,
    writes: BTreeMap<u64, Write>,
    /// Writes without an outcome: a writer died, or they are just being done.
    pending: BTreeMap<u64, WriteRecord>,
    files: Vec<File>,
    by_path: BTreeMap<PathBuf, usize>,
    /// Also of runs that were forgotten.
    last_run: u64,
    /// Also of writes that came to nothing.
    last_write: u64,
}

#[derive(Debug)]
struct Run {
    record: RunRecord,
    writes: Vec<u64>,
    added: usize,
    removed: usize,
}

/// A write that was done.
#[derive(Clone, Debug)]
pub(super) struct Write {
    pub(super) run: u64,
    file: usize,
    pub(super) sink: Sink,
    /// Where its line stands in the ledger.
    line: (u64, usize),
    /// An undo, or undone.
    is_over: bool,
}

#[derive(Debug, Default)]
struct File {
    path: PathBuf,
    tags: Tags,
    /// What was known of it when it was gone, should it come back with these bytes.
    was: Option<(ContentHash, Tags)>,
    writes: Vec<u64>,
}

impl Past {
    /// Adds a record that stands at `line` of the ledger.
    pub(super) fn apply(&mut self, record: Record, line: (u64, usize)) {
        match record {
            Record::Run(record) => {
                let run = Run {
                    record,
                    writes: Vec::new(),
                    added: 0,
                    removed: 0,
                };
                self.last_run = self.last_run.max(run.record.run);
                self.runs.insert(run.record.run, run);
            }
            Record::Write(record) => {
                let file = self.file(&record.path.clone().into_path());
                let write = Write {
                    run: record.run,
                    file,
                    sink: record.sink,
                    line,
                    is_over: !record.undoes.is_empty(),
                };
                self.last_write = self.last_write.max(record.write);
                self.writes.insert(record.write, write);
                self.pending.insert(record.write, *record);
            }
            Record::Outcome { write, done } => {
                if let Some(record) = self.pending.remove(&write) {
                    match done {
                        true => self.done(record),
                        false => drop(self.writes.remove(&write)),
                    }
                }
            }
            Record::Withdrawn {
                path,
                sink,
                tags,
                time,
            } => {
                let file = self.file(&path.into_path());
                for tag in tags {
                    self.files[file].tags.withdraw(tag, sink, time);
                }
            }
            Record::Lost { path, sink, tags } => {
                let file = self.file(&path.into_path());
                for tag in &tags {
                    self.files[file].tags.forget(tag, sink);
                }
            }
            Record::Unsaved {
                path,
                writes,
                added,
                removed,
            } => {
                for write in writes {
                    if let Some(write) = self.writes.get_mut(&write) {
                        write.is_over = true;
                    }
                }
                let file = self.file(&path.into_path());
                self.files[file].tags.unsaved(&added, removed);
            }
            Record::Gone { path, content } => {
                if let Some(file) = self.by_path.get(&path.into_path()) {
                    let file = &mut self.files[*file];
                    let mut tags = std::mem::take(&mut file.tags);
                    tags.leave_sidecar();
                    file.was = content.map(|content| (content, tags));
                }
            }
            Record::Back { path } => {
                if let Some(file) = self.by_path.get(&path.into_path()) {
                    let file = &mut self.files[*file];
                    if let Some((_, tags)) = file.was.take() {
                        file.tags = tags;
                    }
                }
            }
            Record::Moved { from, to } => self.moved(&from.into_path(), &to.into_path()),
            Record::Pruned { run, write } => {
                self.last_run = self.last_run.max(run);
                self.last_write = self.last_write.max(write);
            }
            Record::File(record) => {
                let file = self.file(&record.path.clone().into_path());
                self.files[file].tags = Tags::of_record(record);
            }
        }
    }

    /// Records that say of every file what these do, without runs and writes.
    pub(super) fn summary(&self) -> Vec<Record> {
        let (run, write) = (self.last_run, self.last_write);
        let mut records = vec![Record::Pruned { run, write }];
        for (path, file) in &self.by_path {
            let file = &self.files[*file];
            let record = |tags: &Tags| Record::File(tags.record(path));
            // What was known of a file that is gone holds again should its bytes be back.
            if let Some((content, tags)) = &file.was {
                let (path, content) = (Lossless::of_path(path), Some(*content));
                records.extend([record(tags), Record::Gone { path, content }]);
            }
            records.extend((!file.tags.is_nothing()).then(|| record(&file.tags)));
        }
        records
    }

    fn done(&mut self, record: WriteRecord) {
        let Some(write) = self.writes.get(&record.write) else {
            return;
        };
        let begun = self.runs.get(&record.run).map_or(0, |run| run.record.time);
        let file = &mut self.files[write.file];
        file.was = None;
        file.tags.written(&record, begun);
        file.writes.push(record.write);
        if let Some(run) = self.runs.get_mut(&record.run) {
            run.writes.push(record.write);
            run.added += record.added.len();
            run.removed += record.removed.len();
        }
        for undone in &record.undoes {
            if let Some(write) = self.writes.get_mut(undone) {
                write.is_over = true;
            }
        }
    }

    fn file(&mut self, path: &Path) -> usize {
        if let Some(file) = self.by_path.get(path) {
            return *file;
        }
        self.files.push(File {
            path: path.to_path_buf(),
            ..File::default()
        });
        let file = self.files.len() - 1;
        self.by_path.insert(path.to_path_buf(), file);
        file
    }

    /// A file, or all files of a folder, are known by another path from now on. What had that path
    /// before was replaced, and nothing of it can be taken back.
    fn moved(&mut self, from: &Path, to: &Path) {
        let moved = self.below(from).map(|(path, file)| (path.clone(), file));
        let moved: Vec<(PathBuf, usize)> = moved.collect();
        for (old, _) in &moved {
            self.by_path.remove(old);
        }
        for (old, file) in moved {
            let new = moved_path(&old, from, to);
            self.files[file].path = new.clone();
            let Some(replaced) = self.by_path.insert(new, file) else {
                continue;
            };
            for id in &self.files[replaced].writes {
                if let Some(write) = self.writes.get_mut(id) {
                    write.is_over = true;
                }
            }
        }
    }

    /// What is known of at this path, or below it.
    pub(super) fn below(&self, path: &Path) -> impl Iterator<Item = (&PathBuf, usize)> {
        let range = (Bound::Included(path), Bound::Unbounded);
        let from = self.by_path.range::<Path, _>(range);
        let below = from.take_while(move |(known, _)| known.starts_with(path));
        below.map(|(known, file)| (known, *file))
    }

    /// Whose the tags of a file are, in one place or in all.
    pub(super) fn provenance(&self, path: &Path, sink: Option<Sink>) -> Provenance {
        let Some(tags) = self.tags(path) else {
            return Provenance::default();
        };
        Provenance {
            machine: tags.of(sink),
            withdrawn: tags.withdrawn.clone(),
            undone: tags.undone.clone(),
        }
    }

    /// From when on it counts that a person says that a tag fits a file.
    pub(super) fn heard(&self, path: &Path) -> Vec<(String, u64)> {
        let heard = self.tags(path).into_iter().flat_map(|tags| &tags.heard);
        heard.map(|(tag, from)| (tag.clone(), *from)).collect()
    }

    /// The bytes that a file had when it was gone, if those bring back what was known of it.
    pub(super) fn was(&self, path: &Path) -> Option<ContentHash> {
        let file = &self.files[*self.by_path.get(path)?];
        file.was.as_ref().map(|(content, _)| *content)
    }

    /// The tags of a file that editors may not have saved yet, if it holds these bytes.
    pub(super) fn given_to(&self, path: &Path, now: ContentHash) -> &[String] {
        let given = self.tags(path).map(|tags| tags.given_to(now));
        given.unwrap_or_default()
    }

    fn tags(&self, path: &Path) -> Option<&Tags> {
        self.by_path.get(path).map(|file| &self.files[*file].tags)
    }

    /// The machine's tags of each file that has any; of one place, where that is given.
    pub(super) fn machine_tags(&self, sink: Option<Sink>) -> HashMap<PathBuf, Vec<String>> {
        let files = self.by_path.iter();
        let all = files.map(|(path, file)| (path.clone(), self.files[*file].tags.of(sink)));
        all.filter(|(_, tags)| !tags.is_empty()).collect()
    }

    /// Files that are gone, and of which all is known again should they be back.
    pub(super) fn gone(&self) -> Vec<PathBuf> {
        let files = self.by_path.iter();
        let gone = files.filter(|(_, file)| self.files[**file].was.is_some());
        gone.map(|(path, _)| path.clone()).collect()
    }

    /// The places that the machine's tags of a file are in.
    pub(super) fn sinks_of(&self, path: &Path) -> Vec<Sink> {
        let tags = self.tags(path).into_iter().flat_map(|tags| &tags.machine);
        let mut sinks: Vec<Sink> = tags.map(|(sink, _)| *sink).collect();
        sinks.sort_unstable();
        sinks.dedup();
        sinks
    }

    /// All runs that wrote something, the first one first.
    pub(super) fn runs(&self) -> Vec<RunSummary> {
        let summary = |(id, run): (&u64, &Run)| {
            let writes = run.writes.iter().filter_map(|id| self.writes.get(id));
            let mut files: Vec<usize> = writes.clone().map(|write| write.file).collect();
            let example = files.first().map(|file| self.files[*file].path.clone());
            let count = |files: &mut Vec<usize>| {
                files.sort_unstable();
                files.dedup();
                files.len()
            };
            let standing = writes.filter(|write| !write.is_over);
            let mut standing: Vec<usize> = standing.map(|write| write.file).collect();
            RunSummary {
                id: RunId(*id),
                time: run.record.time,
                cause: run.record.cause,
                sink: run.record.sink,
                model: run.record.model.clone(),
                files: count(&mut files),
                standing: count(&mut standing),
                added: run.added,
                removed: run.removed,
                example,
            }
        };
        let runs = self.runs.iter().filter(|(_, run)| !run.writes.is_empty());
        runs.map(summary).collect()
    }

    /// The writes that stand, newest first, of each file that has any.
    pub(super) fn standing(&self) -> impl Iterator<Item = (&Path, Vec<(u64, &Write)>)> {
        let of = |file: &File| {
            let writes = file.writes.iter().rev();
            let writes = writes.filter_map(|id| Some((*id, self.writes.get(id)?)));
            writes
                .filter(|(_, write)| !write.is_over)
                .collect::<Vec<_>>()
        };
        self.by_path.iter().filter_map(move |(path, file)| {
            let writes = of(&self.files[*file]);
            (!writes.is_empty()).then_some((path.as_path(), writes))
        })
    }

    /// When a run began.
    pub(super) fn time_of(&self, run: u64) -> Option<u64> {
        self.runs.get(&run).map(|run| run.record.time)
    }

    /// Writes that have no outcome.
    pub(super) fn pending(&self) -> Vec<WriteRecord> {
        self.pending.values().cloned().collect()
    }

    /// Where the file of a pending write is now.
    pub(super) fn path_of(&self, write: u64) -> Option<&Path> {
        let write = self.writes.get(&write)?;
        Some(&self.files[write.file].path)
    }

    /// Where the line of a write stands, if the write does.
    pub(super) fn line_of(&self, write: u64) -> Option<(u64, usize)> {
        let write = self.writes.get(&write)?;
        (!write.is_over).then_some(write.line)
    }

    /// The number of the next run, and of the next write.
    pub(super) fn next(&self) -> (u64, u64) {
        (self.last_run + 1, self.last_write + 1)
    }
}
