//! The journal: every correction of this user, one JSON line each, kept until it is to be forgotten.
//!
//! Input: corrections, and that documents have other names. Output: their number, once they are on
//! disk; on opening, all that were written before, each under its document's name of today, and
//! what of the file could not be read.
//! Invariant: a record that was acknowledged survives a crash at any later moment; a number is given
//! once, and one that comes again, from another journal, is replaced by a new one. Of what is learnt
//! it knows only how far versions have read, to begin above that.
//! Length: a third of it is tests.

mod exchange;
mod forget;
mod known;
mod numbers;
mod record;
mod replay;

use std::io;
use std::path::{Path, PathBuf};

use crate::correction::Correction;
use crate::label::Descriptions;
use crate::learn::versions;
use crate::lines::{Durability, Lines};
use numbers::{MOST, Numbers};
use record::{Record, line, moved_line};

pub use exchange::{Imported, Parcel, Unreadable, export, is_record, unpack};
pub use forget::{Forgotten, Selection, preview};
pub use replay::Replay;
use replay::{Replaying, Told};

/// The journal's name in the data folder.
pub const FILE_NAME: &str = "corrections.jsonl";

/// A correction with its place in the journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its number, from 1, ascending.
    pub sequence: u64,
    /// When it was made, in seconds since 1970.
    pub time: u64,
    /// What was said.
    pub correction: Correction,
}

/// What judged labels mean, each as the last correction of it has that.
pub fn descriptions(entries: &[Entry]) -> Descriptions {
    let mut descriptions = Descriptions::new();
    for correction in entries.iter().map(|entry| &entry.correction) {
        for name in correction.accepted.iter().chain(&correction.rejected) {
            match correction.descriptions.get(name) {
                Some(meaning) => descriptions.insert(name.clone(), meaning.clone()),
                None => descriptions.remove(name),
            };
        }
    }
    descriptions
}

/// A document that has another name now: what was said of it holds under that one. Or there is no
/// such document any more: what was said of it holds for no other of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The name that it had.
    pub from: String,
    /// The name that it has, if there is such a document.
    pub to: Option<String>,
}

/// Why a correction was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The system refuses.
    #[error(
        "{path}: cannot record corrections ({cause}); make room or make the file writable, then correct again"
    )]
    Io {
        /// The journal.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
}

/// An open journal. Daemons of two builds may have it open; each locks it while it writes.
#[derive(Debug)]
pub struct Journal {
    lines: Lines,
    numbers: Numbers,
    /// Numbers up to this one were given by journals that stood here before.
    floor: u64,
    /// How many corrections it holds.
    count: u64,
}

/// What came of recording a correction.
#[derive(Debug, PartialEq)]
pub struct Recorded {
    /// Its number.
    pub sequence: u64,
    /// What other processes have recorded meanwhile, before it.
    pub missed: Replay,
}

impl Journal {
    /// Opens the journal in folder `dir`, or begins it there.
    ///
    /// # Errors
    /// The folder or file cannot be written.
    pub fn open(dir: &Path) -> Result<(Journal, Replay), JournalError> {
        let path = dir.join(FILE_NAME);
        let lines = Lines::open_replaceable(&path);
        let lines = lines.map_err(|cause| JournalError::Io { path, cause })?;
        let mut journal = Journal {
            lines,
            numbers: Numbers::default(),
            floor: Some(versions::highest_heard(dir))
                .filter(|heard| *heard <= MOST)
                .unwrap_or(0),
            count: 0,
        };
        let replay = journal.locked(Journal::catch_up)?;
        Ok((journal, replay))
    }

    /// Records a correction. When this returns, it is on disk.
    ///
    /// # Errors
    /// The system refuses; nothing was acknowledged, and the next try begins on a clean line.
    pub fn append(&mut self, correction: &Correction, time: u64) -> Result<Recorded, JournalError> {
        self.locked(|journal| {
            let missed = journal.catch_up()?;
            let sequence = journal.last() + 1;
            journal
                .lines
                .append(&line(sequence, time, correction), Durability::Synced)?;
            journal.numbers.of(sequence); // The caller may tell the user only after this.
            journal.count += 1;
            Ok(Recorded { sequence, missed })
        })
    }

    /// Records that documents have other names, or none any more. Gives what other processes have recorded before.
    ///
    /// # Errors
    /// As of `append`.
    pub fn moved(&mut self, moved: &[Moved], time: u64) -> Result<Replay, JournalError> {
        let lines: Vec<u8> = moved.iter().flat_map(|one| moved_line(time, one)).collect();
        self.locked(|journal| {
            let missed = journal.catch_up()?;
            journal.lines.append(&lines, Durability::Synced)?;
            Ok(missed)
        })
    }

    /// What other processes have recorded meanwhile.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn news(&mut self) -> Result<Replay, JournalError> {
        self.locked(Journal::catch_up)
    }

    fn locked<T>(
        &mut self,
        act: impl FnOnce(&mut Journal) -> io::Result<T>,
    ) -> Result<T, JournalError> {
        let acted = self.lines.lock().and_then(|()| {
            let held = Locked(self);
            act(held.0)
        });
        acted.map_err(|cause| JournalError::Io {
            path: self.lines.path().to_path_buf(),
            cause,
        })
    }

    fn catch_up(&mut self) -> io::Result<Replay> {
        let mut replay = Replaying::default();
        let (faults, was_replaced) = self.each_new(&mut |told| replay.tell(told))?;
        Ok(replay.finish(faults, was_replaced))
    }

    /// Tells what is new, with the lock held. Gives what could not be read, and whether all that
    /// was told before is to be forgotten.
    fn each_new(&mut self, tell: &mut dyn FnMut(Told)) -> io::Result<(Vec<String>, bool)> {
        let (mut faults, mut number) = (Vec::new(), 0);
        if self.lines.is_replaced() {
            // All is told anew, as whoever reads the file for the first time is told it.
            self.floor = self.last();
            self.numbers = Numbers::default();
        }
        let (numbers, mut count) = (&mut self.numbers, 0);
        let caught = self.lines.each_new(|line| {
            number += 1;
            match record::read(line) {
                _ if line.trim_ascii().is_empty() => {}
                Ok(Record::Correction(mut entry)) => {
                    entry.sequence = numbers.of(entry.sequence);
                    count += 1;
                    tell(Told::Correction(entry));
                }
                Ok(Record::Moved(moved)) => tell(Told::Moved(moved)),
                Ok(Record::Rewritten(given)) => numbers.given(given),
                Err(fact) => faults.push(fault(number, &fact)),
            }
        })?;
        self.count = match caught.was_replaced {
            true => count,
            false => self.count + count,
        };
        faults.extend(caught.torn);
        Ok((faults, caught.was_replaced))
    }

    /// The highest number that was ever given here.
    pub fn last(&self) -> u64 {
        self.numbers.last().max(self.floor)
    }

    /// How many corrections are kept.
    pub fn count(&self) -> u64 {
        self.count
    }
}

/// A journal whose file is locked. It is unlocked also when what is done with it panics, or all who
/// come later would wait for ever.
struct Locked<'a>(&'a mut Journal);

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        let _ = self.0.lines.unlock(); // What was written is on the disk.
    }
}

fn fault(line: usize, fact: &str) -> String {
    format!("line {line}: {fact}; it is kept, but not read")
}

/// All that the journal in folder `dir` holds, read without its lock: a record that is being
/// written now may be missing.
///
/// # Errors
/// The system refuses; a journal that is not there is an empty one.
pub fn read(dir: &Path) -> Result<Replay, JournalError> {
    let path = dir.join(FILE_NAME);
    match std::fs::read(&path) {
        Ok(bytes) => Ok(replay(&bytes).0),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(Replay::default()),
        Err(cause) => Err(JournalError::Io { path, cause }),
    }
}

/// What of a journal's bytes cannot be read.
pub fn faults(bytes: &[u8]) -> Vec<String> {
    let (replay, whole) = replay(bytes);
    let mut faults = replay.faults;
    if whole < bytes.len() {
        let torn = bytes.len() - whole;
        faults.push(format!(
            "its end ({torn} bytes) is torn; the next daemon sets it aside"
        ));
    }
    faults
}

/// All records of a journal's bytes, and where its last whole line ends.
fn replay(bytes: &[u8]) -> (Replay, usize) {
    let (mut replay, mut faults) = (Replaying::default(), Vec::new());
    let mut numbers = Numbers::default();
    let whole = bytes
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |at| at + 1);
    for (number, line) in (1..).zip(bytes[..whole].split_inclusive(|b| *b == b'\n')) {
        match record::read(line) {
            _ if line.trim_ascii().is_empty() => {}
            Ok(Record::Correction(mut entry)) => {
                entry.sequence = numbers.of(entry.sequence);
                replay.tell(Told::Correction(entry));
            }
            Ok(Record::Moved(moved)) => replay.tell(Told::Moved(moved)),
            Ok(Record::Rewritten(given)) => numbers.given(given),
            Err(fact) => faults.push(fault(number, &fact)),
        }
    }
    (replay.finish(faults, false), whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::correction::Source;
    use crate::document::Format;
    use proptest::prelude::*;

    pub(super) fn correction(text: &str) -> Correction {
        Correction {
            document: Some("file:///a.md".to_owned()),
            text: text.to_owned(),
            format: Format::Markdown,
            labels: vec!["garden".to_owned(), "tax".to_owned()],
            accepted: vec!["garden".to_owned()],
            rejected: vec!["tax".to_owned()],
            descriptions: Descriptions::new(),
            source: Source::Script,
            shown: None,
        }
    }

    #[test]
    fn a_label_means_what_its_last_correction_says() {
        let entry = |sequence, described: &[(&str, &str)]| {
            let described = described.iter();
            let described = described.map(|(name, it)| ((*name).to_owned(), (*it).to_owned()));
            Entry {
                sequence,
                time: 7,
                correction: Correction {
                    descriptions: described.collect(),
                    ..correction("a")
                },
            }
        };
        let entries = [
            entry(1, &[("garden", "What grows."), ("tax", "What is due.")]),
            entry(2, &[("garden", "Roses.")]),
        ];
        let said: Vec<_> = descriptions(&entries).into_iter().collect();
        assert_eq!(said, [("garden".to_owned(), "Roses.".to_owned())]);
    }

    fn written(texts: &[&str]) -> Vec<u8> {
        let lines = (1..).zip(texts);
        lines
            .flat_map(|(seq, text)| line(seq, 7, &correction(text)))
            .collect()
    }

    #[test]
    fn what_was_recorded_is_there_again() {
        let dir = tempfile::tempdir().unwrap();
        {
            let (mut journal, replay) = Journal::open(dir.path()).unwrap();
            assert_eq!(replay, Replay::default());
            assert_eq!(journal.append(&correction("a\nb"), 5).unwrap().sequence, 1);
            assert_eq!(journal.append(&correction("é 🌱"), 6).unwrap().sequence, 2);
        }
        let (journal, replay) = Journal::open(dir.path()).unwrap();
        assert_eq!(replay.faults, [""; 0]);
        assert_eq!(replay.entries[1].correction, correction("é 🌱"));
        assert_eq!((replay.entries[0].time, journal.last()), (5, 2));
    }

    #[test]
    fn every_cut_replays_what_was_whole_and_goes_on_after_it() {
        let bytes = written(&["first", "zwölf", "third"]);
        for cut in 0..=bytes.len() {
            let whole = bytes[..cut].iter().filter(|b| **b == b'\n').count();
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join(FILE_NAME), &bytes[..cut]).unwrap();
            let (mut journal, replay) = Journal::open(dir.path()).unwrap();
            assert_eq!(replay.entries.len(), whole, "cut at {cut}");
            let is_torn = cut > 0 && bytes[cut - 1] != b'\n';
            assert_eq!(replay.faults.len(), usize::from(is_torn), "cut at {cut}");
            assert_eq!(
                journal.append(&correction("next"), 8).unwrap().sequence,
                whole as u64 + 1
            );
            drop(journal);
            let (_, replay) = Journal::open(dir.path()).unwrap();
            assert_eq!(replay.entries.len(), whole + 1, "cut at {cut}");
            assert_eq!(replay.faults, [""; 0], "cut at {cut}");
        }
    }

    #[test]
    fn a_bad_line_in_the_middle_is_named_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        let mut bytes = written(&["first"]);
        bytes.extend(b"{\"v\": 1, \"seq\"\n\n");
        bytes.extend(br#"{"v":9,"seq":2,"time":1,"text":"","labels":[],"accepted":[],"rejected":[],"mood":"?"}"#);
        bytes.push(b'\n');
        bytes.extend(line(3, 7, &correction("third")));
        std::fs::write(&path, &bytes).unwrap();
        let (_, replay) = Journal::open(dir.path()).unwrap();
        assert_eq!(replay.entries.len(), 2);
        assert!(replay.faults[0].starts_with("line 2: not a correction"));
        assert!(replay.faults[1].starts_with("line 4: written by a newer"));
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }

    #[test]
    fn a_byte_order_mark_hides_no_record() {
        let dir = tempfile::tempdir().unwrap();
        let mark = b"\xEF\xBB\xBF".to_vec();
        let joined = [
            mark.clone(),
            written(&["first"]),
            mark,
            written(&["second"]),
        ]
        .concat();
        std::fs::write(dir.path().join(FILE_NAME), joined).unwrap();
        let read = super::read(dir.path()).unwrap();
        assert_eq!((read.entries.len(), read.faults.len()), (2, 0));
        let (_, replay) = Journal::open(dir.path()).unwrap();
        assert_eq!(replay.entries, read.entries);
    }

    #[test]
    fn a_shorter_journal_that_is_written_into_its_place_is_read_anew() {
        let dir = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(dir.path()).unwrap();
        for text in ["a", "b", "c"] {
            journal.append(&correction(text), 1).unwrap();
        }
        let backup = written(&["a"]);
        std::fs::write(dir.path().join(FILE_NAME), &backup).unwrap();
        let news = journal.news().unwrap();
        assert!(news.was_replaced);
        assert_eq!((news.entries.len(), journal.count()), (1, 1));
        // Numbers that were given stay given.
        assert_eq!(journal.append(&correction("d"), 2).unwrap().sequence, 4);
        let read = super::read(dir.path()).unwrap();
        assert_eq!((read.entries.len(), read.faults.len()), (2, 0));
    }

    #[test]
    fn two_writers_of_one_journal_number_their_records_in_one_row() {
        let dir = tempfile::tempdir().unwrap();
        let (mut old, _) = Journal::open(dir.path()).unwrap();
        let (mut new, _) = Journal::open(dir.path()).unwrap();
        assert_eq!(old.append(&correction("a"), 1).unwrap().sequence, 1);
        let second = new.append(&correction("b"), 2).unwrap();
        assert_eq!(second.sequence, 2);
        assert_eq!(second.missed.entries[0].correction, correction("a"));
        assert_eq!(old.append(&correction("c"), 3).unwrap().sequence, 3);
        let (_, replay) = Journal::open(dir.path()).unwrap();
        let sequences: Vec<u64> = replay.entries.iter().map(|e| e.sequence).collect();
        assert_eq!((sequences, replay.faults.len()), (vec![1, 2, 3], 0));
    }

    #[test]
    fn a_number_that_comes_again_or_is_beyond_all_is_replaced_by_a_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        let (mut before, _) = Journal::open(dir.path()).unwrap();
        let joined = [written(&["a", "b"]), written(&["c", "d", "e"])].concat();
        let odd = line(u64::MAX, 7, &correction("f"));
        std::fs::write(&path, [joined, odd].concat()).unwrap();
        let numbers = |replay: &Replay| -> Vec<u64> {
            let entries = replay.entries.iter();
            entries.map(|entry| entry.sequence).collect()
        };
        let (mut journal, replay) = Journal::open(dir.path()).unwrap();
        assert_eq!(numbers(&replay), [1, 2, 3, 4, 5, 6]);
        assert_eq!(numbers(&before.news().unwrap()), numbers(&replay));
        assert_eq!(journal.append(&correction("g"), 8).unwrap().sequence, 7);
        assert_eq!(numbers(&before.news().unwrap()), [7]);
        let read = super::read(dir.path()).unwrap();
        assert_eq!(numbers(&read), [1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn numbers_go_on_where_the_file_was_removed_and_above_what_versions_have_heard() {
        let dir = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(dir.path()).unwrap();
        journal.append(&correction("a"), 1).unwrap();
        journal.append(&correction("b"), 2).unwrap();
        std::fs::remove_file(dir.path().join(FILE_NAME)).unwrap();
        assert_eq!(journal.append(&correction("c"), 3).unwrap().sequence, 3);
        std::fs::remove_file(dir.path().join(FILE_NAME)).unwrap();
        let version = dir.path().join("versions/0002");
        std::fs::create_dir_all(&version).unwrap();
        std::fs::write(version.join("manifest.json"), r#"{"last": 30}"#).unwrap();
        let (mut journal, _) = Journal::open(dir.path()).unwrap();
        assert_eq!(journal.append(&correction("d"), 4).unwrap().sequence, 31);
        assert_eq!(super::read(dir.path()).unwrap().entries[0].sequence, 31);
    }

    #[test]
    fn a_panic_in_the_middle_of_a_record_keeps_nobody_else_from_writing() {
        let dir = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(dir.path()).unwrap();
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _ = journal.locked(|_| -> io::Result<()> { panic!("odd") });
        }));
        assert!(caught.is_err());
        let (other, _) = Journal::open(dir.path()).unwrap();
        let other = std::fs::File::open(other.lines.path()).unwrap();
        assert!(other.try_lock().is_ok());
    }

    proptest! {
        #[test]
        fn any_bytes_replay(bytes: Vec<u8>) {
            let (_, whole) = replay(&bytes);
            prop_assert!(whole <= bytes.len());
        }
    }
}
