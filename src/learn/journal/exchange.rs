//! The journal in a form to keep or to carry: corrections in, JSON Lines out, and back.
//!
//! Invariant: a record that is imported twice is there once; its time and source are kept, its
//! number is not; what was said here later of the same holds on. Lines are of the same form as the
//! journal's own. A foreign line is named by its number, and is nobody's loss but its own.

use super::known::Known;
use super::record::{self, Record, line};
use super::replay::{Replaying, Told};
use super::{Entry, Journal, JournalError, Replay};
use crate::correction::Correction;
use crate::learn::consolidate::lesson::Renamed;
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
    /// Of how many nothing was left that is not judged otherwise here, later.
    pub overruled: usize,
    /// What other processes have recorded meanwhile.
    pub missed: Replay,
}

/// Whether a line is one of a journal.
pub fn is_record(line: &[u8]) -> bool {
    record::read(line).is_ok()
}

/// Reads exported corrections, or a whole journal.
pub fn unpack(bytes: &[u8]) -> Parcel {
    opened(bytes).0
}

/// The same, with the names of documents that stand in the lines.
fn opened(bytes: &[u8]) -> (Parcel, Vec<Option<String>>) {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let (mut replay, mut foreign, mut stored) = (Replaying::default(), Vec::new(), Vec::new());
    for (line, bytes) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        match record::read(bytes) {
            _ if bytes.trim_ascii().is_empty() => {}
            Ok(Record::Correction(entry)) => match unfit(&entry.correction) {
                Some(fact) => foreign.push(Unreadable { line, fact }),
                None => {
                    stored.push(entry.correction.document.clone());
                    replay.tell(Told::Correction(entry));
                }
            },
            Ok(Record::Moved(moved)) => replay.tell(Told::Moved(moved)),
            Ok(Record::Rewritten(_)) => {}
            Err(fact) => foreign.push(Unreadable { line, fact }),
        }
    }
    let parcel = Parcel {
        entries: replay.finish(Vec::new(), false).entries,
        foreign,
    };
    (parcel, stored)
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
    /// returns, they are on disk. What labels were called before is in `renamed`.
    ///
    /// # Errors
    /// The system refuses. Some may have been recorded; those are known when it is done again.
    pub fn import(
        &mut self,
        entries: &[Entry],
        renamed: &Renamed,
    ) -> Result<Imported, JournalError> {
        self.locked(|journal| {
            let missed = journal.catch_up()?;
            let bytes = std::fs::read(journal.lines.path())?;
            let (here, stored) = opened(&bytes);
            let mut known = Known::of(here.entries, stored, renamed);
            let are_known = known.all_of(entries);
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
            for (entry, is_known) in entries.iter().zip(are_known) {
                if is_known {
                    imported.known += 1;
                    continue;
                }
                let Some(entry) = known.left_of(entry) else {
                    imported.overruled += 1;
                    continue;
                };
                if known.take_left(&entry) {
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
            Ok(imported)
        })
    }
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
        let imported = other.import(&twice, &Renamed::default()).unwrap();
        assert_eq!((imported.added, imported.known), (2, 1));
        let imported = other.import(&parcel.entries, &Renamed::default()).unwrap();
        assert_eq!((imported.added, imported.known), (0, 2));
        let kept = super::super::read(there.path()).unwrap().entries;
        let facts: Vec<(u64, u64)> = kept.iter().map(|e| (e.sequence, e.time)).collect();
        assert_eq!(facts, [(1, 1), (2, 5), (3, 6)]);
        assert_eq!(kept[2].correction.source, Source::Script);
        assert_eq!((other.last(), other.count()), (3, 3));
    }

    fn said(document: Option<&str>, fits: bool) -> Correction {
        let labels = vec!["tax".to_owned()];
        let (accepted, rejected) = match fits {
            true => (labels, Vec::new()),
            false => (Vec::new(), labels),
        };
        Correction {
            document: document.map(str::to_owned),
            accepted,
            rejected,
            ..correction("Form 12.")
        }
    }

    fn judged(dir: &std::path::Path) -> Vec<(Option<String>, bool)> {
        let entries = super::super::read(dir).unwrap().entries.into_iter();
        let facts = entries.map(|entry| {
            let correction = entry.correction;
            (correction.document, !correction.accepted.is_empty())
        });
        facts.collect()
    }

    #[test]
    fn what_was_said_of_two_documents_or_again_and_again_in_one_second_is_all_there() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (mut journal, _) = Journal::open(here.path()).unwrap();
        let all = [
            (Some("a.md"), true),
            (Some("b.md"), true),
            (Some("c.md"), false),
            (Some("c.md"), true),
            (Some("c.md"), false),
            (None, true),
        ];
        for (document, fits) in all {
            journal.append(&said(document, fits), 5).unwrap();
        }
        let (mut other, _) = Journal::open(there.path()).unwrap();
        let entries = super::super::read(here.path()).unwrap().entries;
        let some = other.import(&entries[..3], &Renamed::default()).unwrap();
        assert_eq!((some.added, some.known), (3, 0));
        let rest = other.import(&entries, &Renamed::default()).unwrap();
        assert_eq!((rest.added, rest.known, rest.overruled), (3, 3, 0));
        assert_eq!(judged(there.path()), judged(here.path()));
        assert_eq!(
            other.import(&entries, &Renamed::default()).unwrap().known,
            6
        );
        // Under another name they are what they were.
        let moved = [("a.md", "d.md"), ("d.md", "e.md")].map(|(from, to)| super::super::Moved {
            from: from.to_owned(),
            to: Some(to.to_owned()),
        });
        other.moved(&moved, 6).unwrap();
        assert_eq!(
            other.import(&entries, &Renamed::default()).unwrap().known,
            6
        );
    }

    #[test]
    fn what_was_said_later_here_holds_against_what_is_imported() {
        let dir = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(dir.path()).unwrap();
        journal.append(&said(Some("c.md"), false), 8).unwrap();
        let entry = |time, correction| Entry {
            sequence: time,
            time,
            correction,
        };
        let mut more = said(Some("c.md"), true);
        more.accepted.push("garden".to_owned());
        let parcel = [
            entry(5, said(Some("c.md"), true)),
            entry(6, more),
            entry(7, said(None, true)),
            entry(7, said(Some("d.md"), true)),
            entry(9, said(Some("c.md"), true)),
        ];
        let imported = journal.import(&parcel, &Renamed::default()).unwrap();
        assert_eq!((imported.added, imported.overruled), (3, 2));
        let kept = super::super::read(dir.path()).unwrap().entries;
        assert_eq!(kept[1].correction.accepted, ["garden"]);
        assert_eq!(kept[2].correction.document.as_deref(), Some("d.md"));
        assert_eq!((kept[3].time, kept[3].correction.accepted.len()), (9, 1));
        let again = journal.import(&parcel, &Renamed::default()).unwrap();
        assert_eq!((again.added, again.known + again.overruled), (0, 5));
    }

    #[test]
    fn what_was_said_later_holds_whatever_its_label_was_called_then() {
        let set = "[[label]]\nname = 'duty'\naliases = ['Tax']\n";
        let set = crate::label::LabelSet::parse(set).unwrap();
        let renamed = Renamed::of(set.labels());
        let under = |name: &str, time| {
            let mut correction = said(Some("c.md"), true);
            correction.accepted = vec![name.to_owned()];
            Entry {
                sequence: time,
                time,
                correction,
            }
        };
        for (here, there) in [("duty", "tax"), ("tax", "duty")] {
            let dir = tempfile::tempdir().unwrap();
            let (mut journal, _) = Journal::open(dir.path()).unwrap();
            let later = under(here, 8).correction;
            journal.append(&later, 8).unwrap();
            let older = journal.import(&[under(there, 5)], &renamed).unwrap();
            assert_eq!((older.added, older.overruled), (0, 1), "{there}");
            let newer = journal.import(&[under(there, 9)], &renamed).unwrap();
            assert_eq!(newer.added, 1, "{there}");
        }
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
