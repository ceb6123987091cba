//! The journal in a form to keep or to carry: corrections in, JSON Lines out, and back.
//!
//! Invariant: a record that is imported twice is there once; its time and source are kept, its
//! number is not. Lines are of the same form as the journal's own. A foreign line is named by its
//! number, and is nobody's loss but its own.

use std::collections::HashSet;

use sha2::{Digest, Sha256};

use super::record::{self, Record, line};
use super::replay::{Replaying, Told};
use super::{Entry, Journal, JournalError, Replay};
use crate::correction::Correction;
use crate::lines::Durability;

/// So many bytes are written before the disk is waited for.
const BATCH: usize = 4 << 20;

/// A correction as a line, its end included.
pub fn export(entry: &Entry) -> Vec<u8> {
    line(entry.sequence, entry.time, &entry.correction)
}

/// What a file of exported corrections holds.
#[derive(Debug, Default, PartialEq)]
pub struct Parcel {
    /// The corrections, each under its document's last name.
    pub entries: Vec<Entry>,
    /// Lines that cannot be read.
    pub foreign: Vec<Unreadable>,
}

/// A line that is no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub fact: String,
}

/// What of a parcel was taken.
#[derive(Debug, Default, PartialEq)]
pub struct Imported {
    /// How many were new.
    pub added: usize,
    /// How many were here already.
    pub known: usize,
    /// What other processes have recorded meanwhile.
    pub missed: Replay,
}

/// Whether a line is one of a journal.
pub fn is_record(line: &[u8]) -> bool {
    record::read(line).is_ok()
}

/// Reads exported corrections, or a whole journal.
pub fn unpack(bytes: &[u8]) -> Parcel {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let (mut replay, mut foreign) = (Replaying::default(), Vec::new());
    for (line, bytes) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        match record::read(bytes) {
            _ if bytes.trim_ascii().is_empty() => {}
            Ok(Record::Correction(entry)) => match unfit(&entry.correction) {
                Some(fact) => foreign.push(Unreadable { line, fact }),
                None => replay.tell(Told::Correction(entry)),
            },
            Ok(Record::Moved(moved)) => replay.tell(Told::Moved(moved)),
            Ok(Record::Rewritten(_)) => {}
            Err(fact) => foreign.push(Unreadable { line, fact }),
        }
    }
    Parcel {
        entries: replay.finish(Vec::new(), false).entries,
        foreign,
    }
}

/// What no program of ours would have written.
fn unfit(correction: &Correction) -> Option<String> {
    let both = correction.accepted.iter();
    let mut both = both.filter(|label| correction.rejected.contains(label));
    if let Some(label) = both.next() {
        return Some(format!("`{label}` is both accepted and rejected"));
    }
    let is_empty = correction.accepted.is_empty() && correction.rejected.is_empty();
    is_empty.then(|| "nothing is accepted or rejected".to_owned())
}

impl Journal {
    /// Records corrections of another journal that are not here yet, with new numbers. When this
    /// returns, they are on disk.
    ///
    /// # Errors
    /// The system refuses. Some may have been recorded; those are known when it is done again.
    pub fn import(&mut self, entries: &[Entry]) -> Result<Imported, JournalError> {
        self.locked(|journal| {
            let missed = journal.catch_up()?;
            let bytes = std::fs::read(journal.lines.path())?;
            let here = unpack(&bytes).entries;
            let mut known: HashSet<[u8; 32]> = here.iter().map(identity).collect();
            let mut imported = Imported {
                missed,
                ..Imported::default()
            };
            let mut batch: Vec<u8> = Vec::new();
            let flush = |journal: &mut Journal, batch: &mut Vec<u8>, last, count| {
                journal.lines.append(batch, Durability::Synced)?;
                batch.clear();
                journal.count = count;
                if last > journal.last() {
                    journal.numbers.of(last);
                }
                Ok::<(), std::io::Error>(())
            };
            let (mut last, mut count) = (journal.last(), journal.count);
            for entry in entries {
                if !known.insert(identity(entry)) {
                    imported.known += 1;
                    continue;
                }
                (last, count) = (last + 1, count + 1);
                batch.extend(line(last, entry.time, &entry.correction));
                imported.added += 1;
                if batch.len() >= BATCH {
                    flush(journal, &mut batch, last, count)?;
                }
            }
            flush(journal, &mut batch, last, count)?;
            journal.latest = None; // What was said before that is not the last word.
            Ok(imported)
        })
    }
}

/// What makes a record the same: when was said what of which text. Its document may have another
/// name by now.
fn identity(entry: &Entry) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    add(&entry.time.to_string());
    add(&entry.correction.text);
    add(entry.correction.source.name());
    let mut verdicts: Vec<(&str, bool)> = entry.correction.verdicts().collect();
    verdicts.sort_unstable();
    for (label, fits) in verdicts {
        add(label);
        add(if fits { "fits" } else { "fits not" });
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::super::tests::correction;
    use super::*;
    use crate::correction::Source;

    #[test]
    fn what_is_carried_to_another_journal_is_there_once_with_its_time_and_source() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (mut journal, _) = Journal::open(here.path()).unwrap();
        journal.append(&correction("a\nb"), 5).unwrap();
        journal.append(&correction("ü 🌱"), 6).unwrap();
        let entries = super::super::read(here.path()).unwrap().entries;
        let mut bytes: Vec<u8> = entries.iter().flat_map(export).collect();
        bytes.extend(b"no record\n");
        let parcel = unpack(&bytes);
        assert_eq!(
            (parcel.entries.clone(), parcel.foreign[0].line),
            (entries, 3)
        );
        let (mut other, _) = Journal::open(there.path()).unwrap();
        other.append(&correction("before"), 1).unwrap();
        let twice = [&parcel.entries[..], &parcel.entries[..1]].concat();
        let imported = other.import(&twice).unwrap();
        assert_eq!((imported.added, imported.known), (2, 1));
        let imported = other.import(&parcel.entries).unwrap();
        assert_eq!((imported.added, imported.known), (0, 2));
        let kept = super::super::read(there.path()).unwrap().entries;
        let facts: Vec<(u64, u64)> = kept.iter().map(|e| (e.sequence, e.time)).collect();
        assert_eq!(facts, [(1, 1), (2, 5), (3, 6)]);
        assert_eq!(kept[2].correction.source, Source::Script);
        assert_eq!((other.last(), other.count()), (3, 3));
    }

    #[test]
    fn a_line_that_says_nothing_or_two_things_is_foreign() {
        let mut none = correction("a");
        (none.accepted, none.rejected) = (Vec::new(), Vec::new());
        let mut both = correction("a");
        both.rejected = both.accepted.clone();
        let bytes = [line(1, 1, &none), line(2, 1, &both)].concat();
        let facts: Vec<String> = unpack(&bytes).foreign.into_iter().map(|f| f.fact).collect();
        assert_eq!(
            facts,
            [
                "nothing is accepted or rejected",
                "`garden` is both accepted and rejected"
            ]
        );
    }
}
