//! The ledger while it is locked: caught up, settled, and written before the files are.
//!
//! Input: the lines of the ledger, runs and what they want. Output: records, and files replaced.
//! Invariant: nobody else writes meanwhile, so what has no outcome has lost its writer.

use std::path::Path;

use super::super::past::{Past, RunId};
use super::super::place::Place;
use super::super::plan::{Known, Plan, is_among, plan};
use super::super::record::{Added, Cause, Lossless, Record, RunRecord, WriteRecord, parse};
use super::super::store::{Edited, Held, draft};
use super::super::{ContentHash, Run, Sink, SinkError, Wish, replace, writer};
use crate::lines::{Durability, Lines};

/// What is to be written into a file.
#[derive(Debug)]
pub(in crate::sink) struct Wanted {
    pub(in crate::sink) edited: Edited,
    pub(in crate::sink) added: Vec<Added>,
    pub(in crate::sink) removed: Vec<String>,
    pub(in crate::sink) withdrawn: Vec<String>,
    pub(in crate::sink) lost: Vec<String>,
}

/// The ledger, locked and up to date.
pub(in crate::sink) struct Open<'a> {
    pub(super) lines: &'a mut Lines,
    pub(in crate::sink) past: &'a mut Past,
    pub(super) faults: &'a mut Vec<String>,
    pub(super) has_foreign_news: &'a mut bool,
}

impl Open<'_> {
    /// Reads what others have recorded, and settles what has no outcome: the lock is held, so its
    /// writer is no more.
    pub(super) fn catch_up(&mut self) -> Result<(), SinkError> {
        let news = self.lines.news().map_err(|cause| self.fault(cause))?;
        self.faults.extend(news.torn);
        if news.was_replaced {
            *self.past = Past::default(); // Another process has forgotten old runs.
        }
        *self.has_foreign_news |= !news.bytes.is_empty();
        let mut at = news.start;
        for line in news.bytes.split_inclusive(|byte| *byte == b'\n') {
            match parse(line) {
                _ if line.trim_ascii().is_empty() => {}
                Ok(record) => self.past.apply(record, (at, line.len())),
                Err(fault) => {
                    let path = self.lines.path().display();
                    self.faults.push(format!("{path}, byte {at}: {fault}"));
                }
            }
            at += line.len() as u64;
        }
        for record in self.past.pending() {
            let Some(path) = self.past.path_of(record.write).map(Path::to_path_buf) else {
                continue;
            };
            if let Some(done) = was_done(&path, &record) {
                let write = record.write;
                self.append(vec![Record::Outcome { write, done }], Durability::Written)?;
            }
        }
        Ok(())
    }

    /// A file that was gone is there again with the bytes that it had: what was known of it holds.
    pub(super) fn welcome(&mut self, path: &Path, now: ContentHash) -> Result<(), SinkError> {
        if self.past.was(path) != Some(now) {
            return Ok(());
        }
        let path = Lossless::of_path(path);
        self.append(vec![Record::Back { path }], Durability::Synced)
    }

    /// The same of all that were gone.
    pub(super) fn welcome_all(&mut self) -> Result<(), SinkError> {
        for path in self.past.gone() {
            if let Ok(bytes) = replace::read(&path) {
                self.welcome(&path, ContentHash::of(&bytes))?;
            }
        }
        Ok(())
    }

    /// All lines of the ledger.
    pub(in crate::sink) fn all(&mut self) -> Result<Vec<u8>, SinkError> {
        let all = self.lines.all();
        all.map_err(|cause| self.fault(cause))
    }

    /// Puts other lines in the place of all there are.
    pub(in crate::sink) fn replace(&mut self, lines: &[Vec<u8>]) -> Result<(), SinkError> {
        let written = self.lines.rewrite(lines.iter().cloned());
        written.map_err(|cause| self.fault(cause))?;
        *self.past = Past::default();
        let mut at = 0;
        for line in lines {
            // What is no record was named when it was read first.
            if let Ok(record) = parse(line) {
                self.past.apply(record, (at, line.len()));
            }
            at += line.len() as u64;
        }
        Ok(())
    }

    /// What a wish means for the bytes that hold a file's tags.
    pub(super) fn wanted(
        &self,
        held: &Held,
        run: &Run,
        wish: &Wish<'_>,
    ) -> Result<Wanted, SinkError> {
        let (standing, elsewhere) = held.standing()?;
        let mut provenance = self.past.provenance(&held.path, Some(run.sink));
        if run.cause == Cause::Person {
            // Whoever is not the daemon does not know what editors have: what one was given and did
            // not save yet, nobody took out.
            let given = self.past.given_to(&held.path, held.hash());
            provenance.machine.retain(|tag| !is_among(tag, given));
        }
        let known = Known {
            standing,
            elsewhere,
            machine: provenance.machine,
            withdrawn: provenance.withdrawn,
            undone: provenance.undone,
            heard: self.past.heard(&held.path),
            is_bare: held.is_bare()?,
        };
        let Plan {
            add,
            remove,
            withdrawn,
            lost,
        } = plan(&known, wish, run.cause);
        let names: Vec<String> = add.iter().map(|wish| wish.name.clone()).collect();
        let edited = held.edited(&remove, &names)?;
        let is_written = |tag: &str| !is_among(tag, &edited.unwritable);
        let added = add.into_iter().filter(|wish| is_written(&wish.name));
        Ok(Wanted {
            added: added
                .map(|wish| Added {
                    tag: wish.name,
                    score: wish.score,
                    said: wish.said,
                })
                .collect(),
            removed: remove.into_iter().filter(|tag| is_written(tag)).collect(),
            withdrawn,
            lost,
            edited,
        })
    }

    /// Records the intent, replaces the bytes, records the outcome.
    pub(in crate::sink) fn put(
        &mut self,
        run: &Run,
        held: &Held,
        wanted: &Wanted,
        undoes: Vec<u64>,
    ) -> Result<(), SinkError> {
        if held.sink() == Sink::Frontmatter && wanted.edited.after != held.content {
            // Before anything is recorded: it may be so for days.
            writer::check(&held.path)?;
        }
        let temporary = replace::temporary(self.past.next().1);
        let write = self.begin(run, held, wanted, undoes, temporary.clone(), None)?;
        let after = &wanted.edited.after;
        let put = held.put(after, &temporary);
        // What may not be on disk yet stands there all the same.
        let stands = |now: Held| now.content == *after;
        let done = put.is_ok() || Held::read(&held.path, held.sink()).is_ok_and(stands);
        // Should it be lost, the file itself tells.
        let outcome = self.append(vec![Record::Outcome { write, done }], Durability::Written);
        put.and(outcome)
    }

    /// Records a write before it is done. One without a temporary file an editor has done already:
    /// its outcome is recorded with it, or a crash in between would leave its tags to nobody.
    pub(super) fn begin(
        &mut self,
        run: &Run,
        held: &Held,
        wanted: &Wanted,
        undoes: Vec<u64>,
        temporary: String,
        file: Option<ContentHash>,
    ) -> Result<u64, SinkError> {
        let (next_run, write) = self.past.next();
        let id = run.id().map_or(next_run, |id| id.0);
        let mut records = vanished(&held.path, run, wanted);
        // A long run may be forgotten while it still writes.
        if self.past.time_of(id).is_none() {
            records.push(Record::Run(RunRecord {
                run: id,
                time: run.time,
                cause: run.cause,
                sink: run.sink,
                model: run.model.clone(),
            }));
        }
        let is_done = temporary.is_empty();
        let places = wanted.edited.places.iter();
        records.push(Record::Write(Box::new(WriteRecord {
            write,
            run: id,
            path: Lossless::of_path(&held.path),
            sink: held.sink(),
            before: held.hash(),
            after: ContentHash::of(&wanted.edited.after),
            file,
            places: places.map(Place::record).collect(),
            added: wanted.added.clone(),
            removed: wanted.removed.clone(),
            undoes,
            temporary,
        })));
        records.extend(is_done.then_some(Record::Outcome { write, done: true }));
        self.append(records, Durability::Synced)?;
        let _ = run.id.set(RunId(id)); // It is the same where it was set.
        Ok(write)
    }

    /// Records what was found to be gone, where nothing is written.
    pub(super) fn settle(
        &mut self,
        path: &Path,
        run: &Run,
        wanted: &Wanted,
    ) -> Result<(), SinkError> {
        match vanished(path, run, wanted) {
            records if records.is_empty() => Ok(()),
            records => self.append(records, Durability::Synced),
        }
    }

    pub(super) fn append(
        &mut self,
        records: Vec<Record>,
        durability: Durability,
    ) -> Result<(), SinkError> {
        let lines: Vec<Vec<u8>> = records.iter().map(Record::line).collect();
        let appended = self.lines.append(&lines.concat(), durability);
        let mut at = appended.map_err(|cause| self.fault(cause))?;
        for (record, line) in records.into_iter().zip(lines) {
            self.past.apply(record, (at, line.len()));
            at += line.len() as u64;
        }
        Ok(())
    }

    /// The full record of a write.
    pub(in crate::sink) fn record_at(
        &mut self,
        line: (u64, usize),
    ) -> Result<WriteRecord, SinkError> {
        let bytes = self.lines.at(line.0, line.1);
        let bytes = bytes.map_err(|cause| self.fault(cause))?;
        match parse(&bytes) {
            Ok(Record::Write(record)) => Ok(*record),
            _ => Err(self.fault(std::io::Error::other("its lines have changed"))),
        }
    }

    fn fault(&self, cause: std::io::Error) -> SinkError {
        SinkError::Ledger {
            path: self.lines.path().to_path_buf(),
            cause,
        }
    }
}

/// What is gone from a file, and whether a person took it out.
fn vanished(path: &Path, run: &Run, wanted: &Wanted) -> Vec<Record> {
    let sink = run.sink;
    let mut records = Vec::new();
    if !wanted.lost.is_empty() {
        records.push(Record::Lost {
            path: Lossless::of_path(path),
            sink,
            tags: wanted.lost.clone(),
        });
    }
    if !wanted.withdrawn.is_empty() {
        records.push(Record::Withdrawn {
            path: Lossless::of_path(path),
            sink,
            tags: wanted.withdrawn.clone(),
            time: run.time,
        });
    }
    records
}

/// Whether a write whose writer died was done; `None` where that cannot be told yet.
fn was_done(path: &Path, record: &WriteRecord) -> Option<bool> {
    if !record.temporary.is_empty() {
        // What stands there was never renamed.
        let _ = std::fs::remove_file(draft(path, &record.temporary));
    }
    let held = match Held::read(path, record.sink) {
        Ok(held) => held,
        // A file is gone for good only if its folder is there: that one may be mounted again.
        Err(SinkError::Gone(_)) => return path.parent()?.is_dir().then_some(false),
        Err(_) => return None,
    };
    match held.hash() {
        now if now == record.after => Some(true),
        now if now == record.before => Some(false),
        // Somebody has changed it since. What stands there now was written.
        _ => {
            let (standing, _) = held.standing().ok()?;
            let stands = |tag: &String| is_among(tag, &standing);
            let is_in = record.added.iter().all(|added| stands(&added.tag));
            Some(is_in && !record.removed.iter().any(stands))
        }
    }
}
