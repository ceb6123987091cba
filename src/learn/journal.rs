//! The journal: every correction of this user, one JSON line each, never rewritten.
//!
//! Input: corrections. Output: their number, once they are on disk; on opening, all that were
//! written before, and what of the file could not be read.
//! Invariant: a record that was acknowledged survives a crash at any later moment; bytes that were
//! never acknowledged (a torn last line) are set aside, not read. Knows nothing of what is learnt.

mod record;

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::correction::Correction;
use record::line;

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

/// What a journal held when it was opened.
#[derive(Debug, Default, PartialEq)]
pub struct Replay {
    /// Every record that could be read, in order.
    pub entries: Vec<Entry>,
    /// What could not, with its line.
    pub faults: Vec<String>,
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
    path: PathBuf,
    file: File,
    last: u64,
    /// Bytes that were read or written here; what follows is another process's, or torn.
    length: u64,
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
        let io = |cause| JournalError::Io {
            path: path.clone(),
            cause,
        };
        std::fs::create_dir_all(dir).map_err(io)?;
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&path)
            .map_err(io)?;
        // A new file's name is on disk only when its folder is.
        #[cfg(unix)]
        File::open(dir).and_then(|d| d.sync_all()).map_err(io)?;
        let mut journal = Journal {
            path: path.clone(),
            file,
            last: 0,
            length: 0,
        };
        let replay = journal.locked(Journal::catch_up).map_err(io)?;
        Ok((journal, replay))
    }

    /// Records a correction. When this returns, it is on disk.
    ///
    /// # Errors
    /// The system refuses; nothing was acknowledged, and the next try begins on a clean line.
    pub fn append(&mut self, correction: &Correction, time: u64) -> Result<Recorded, JournalError> {
        let recorded = self.locked(|journal| {
            let missed = journal.catch_up()?;
            let sequence = journal.last + 1;
            journal.write(&line(sequence, time, correction))?;
            journal.last = sequence;
            Ok(Recorded { sequence, missed })
        });
        recorded.map_err(|cause| JournalError::Io {
            path: self.path.clone(),
            cause,
        })
    }

    fn locked<T>(&mut self, act: impl FnOnce(&mut Journal) -> io::Result<T>) -> io::Result<T> {
        self.file.lock()?;
        let acted = act(self);
        self.file.unlock()?;
        acted
    }

    /// Reads what is new behind `length`, and sets a torn end aside. The lock is held, so nobody is
    /// about to complete it.
    fn catch_up(&mut self) -> io::Result<Replay> {
        self.file.seek(SeekFrom::Start(self.length))?;
        let mut bytes = Vec::new();
        self.file.read_to_end(&mut bytes)?;
        let (mut replay, whole) = replay(&bytes);
        if whole < bytes.len() {
            let aside = set_aside(&self.path, &bytes[whole..])?;
            self.file.set_len(self.length + whole as u64)?;
            self.file.sync_all()?;
            replay.faults.push(format!(
                "{}: its end ({} bytes) was cut off while it was written, and was never acknowledged; it is kept in {}",
                self.path.display(),
                bytes.len() - whole,
                aside.display()
            ));
        }
        self.length += whole as u64;
        let newest = replay.entries.iter().map(|entry| entry.sequence).max();
        self.last = self.last.max(newest.unwrap_or(0));
        Ok(replay)
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let written = self
            .file
            .write_all(line)
            .and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            let _ = self.file.set_len(self.length); // Or the next to come sets it aside.
            return Err(error);
        }
        self.length += line.len() as u64; // The caller may tell the user only after this.
        Ok(())
    }

    /// How many corrections were ever recorded here.
    pub fn last(&self) -> u64 {
        self.last
    }
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
    let mut replay = Replay::default();
    let whole = bytes
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |at| at + 1);
    for (number, line) in (1..).zip(bytes[..whole].split_inclusive(|b| *b == b'\n')) {
        if line.trim_ascii().is_empty() {
            continue;
        }
        match record::read(line) {
            Ok(entry) => replay.entries.push(entry),
            Err(fact) => replay
                .faults
                .push(format!("line {number}: {fact}; it is kept, but not read")),
        }
    }
    (replay, whole)
}

/// Adds bytes to the file beside the journal where unreadable ends are kept.
fn set_aside(path: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    let aside = path.with_extension("torn");
    let mut file = OpenOptions::new().append(true).create(true).open(&aside)?;
    file.write_all(bytes)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    Ok(aside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::correction::Source;
    use crate::document::Format;
    use proptest::prelude::*;

    fn correction(text: &str) -> Correction {
        Correction {
            document: Some("file:///a.md".to_owned()),
            text: text.to_owned(),
            format: Format::Markdown,
            labels: vec!["garden".to_owned(), "tax".to_owned()],
            accepted: vec!["garden".to_owned()],
            rejected: vec!["tax".to_owned()],
            source: Source::Script,
            shown: None,
        }
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

    proptest! {
        #[test]
        fn any_bytes_replay(bytes: Vec<u8>) {
            let (_, whole) = replay(&bytes);
            prop_assert!(whole <= bytes.len());
        }
    }
}
