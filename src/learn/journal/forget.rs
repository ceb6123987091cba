//! Takes corrections out of the journal for good: which ones in, the journal without them out.
//!
//! Invariant: whenever the power goes, the journal is the old one or the new one; every other
//! correction keeps its number and its document's name of today, and is written anew only where
//! these stood not in its line, the last name of one that ended stays known; lines that cannot be
//! read stay as they are; numbers are not given again. What was set aside of torn lines goes as well, for nobody knows what is in it; where
//! nothing is forgotten, nothing changes.

use std::borrow::Cow;
use std::collections::HashMap;

use super::numbers::Numbers;
use super::record::{self, Record, rewritten, rewritten_line};
use super::replay::{Replaying, Told};
use super::{Entry, Journal, JournalError};

/// What is to be forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// What was said of the document that has this name today, or had it when it ended.
    Document(String),
    /// What was said of texts that hold these words.
    Text(String),
    /// What was said before this time, in seconds since 1970.
    Before(u64),
}

impl Selection {
    /// Whether `entry`, under its document's name of today, is meant.
    pub fn takes(&self, entry: &Entry) -> bool {
        match self {
            Selection::Document(name) => entry.correction.document.as_ref() == Some(name),
            Selection::Text(words) => entry.correction.text.contains(words.as_str()),
            Selection::Before(time) => entry.time < *time,
        }
    }
}

/// What was forgotten.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forgotten {
    /// The corrections, under their documents' names of today.
    pub entries: Vec<Entry>,
    /// Lines that cannot be read and therefore stay: they may hold anything.
    pub unreadable: Vec<usize>,
}

impl Journal {
    /// Takes corrections out for good. When this returns, they are not on disk any more.
    ///
    /// # Errors
    /// The system refuses; nothing was forgotten.
    pub fn forget(&mut self, selection: &Selection, time: u64) -> Result<Forgotten, JournalError> {
        self.locked(|journal| {
            journal.each_new(&mut |_| {})?;
            let bytes = std::fs::read(journal.lines.path())?;
            let plan = plan(&bytes, selection);
            if plan.forgotten.entries.is_empty() {
                return Ok(plan.forgotten);
            }
            let head = std::iter::once(rewritten_line(time, journal.last()));
            let kept = plan.kept.into_iter().map(Cow::into_owned);
            journal.lines.rewrite(head.chain(kept))?;
            journal.count -= plan.forgotten.entries.len() as u64;
            Ok(plan.forgotten)
        })
    }
}

/// What `forget` would forget of a journal's bytes.
pub fn preview(bytes: &[u8], selection: &Selection) -> Forgotten {
    plan(bytes, selection).forgotten
}

struct Plan<'a> {
    kept: Vec<Cow<'a, [u8]>>,
    forgotten: Forgotten,
}

/// A line that stays, unless it is a correction that is meant.
enum Line {
    /// With the number and the name that stand in it.
    Correction(u64, Option<String>),
    Other,
}

fn plan<'a>(bytes: &'a [u8], selection: &Selection) -> Plan<'a> {
    let mut lines: Vec<(&[u8], Line)> = Vec::new();
    let (mut replay, mut numbers) = (Replaying::default(), Numbers::default());
    let mut forgotten = Forgotten::default();
    // Of documents that were no more when the journal was written anew.
    let mut before: HashMap<usize, String> = HashMap::new();
    let mut n_corrections = 0;
    for (number, bytes) in (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
        let line = match record::read(bytes) {
            _ if bytes.trim_ascii().is_empty() => Line::Other,
            Ok(Record::Correction(mut entry)) => {
                let stored = entry.sequence;
                entry.sequence = numbers.of(stored);
                let name = entry.correction.document.clone();
                replay.tell(Told::Correction(entry));
                before.extend(record::ended(bytes).map(|name| (n_corrections, name)));
                n_corrections += 1;
                Line::Correction(stored, name)
            }
            // Each correction is kept under its name of today, so the way there can be forgotten.
            Ok(Record::Moved(moved)) => {
                replay.tell(Told::Moved(moved));
                continue;
            }
            Ok(Record::Rewritten(given)) => {
                numbers.given(given);
                continue;
            }
            Err(_) => {
                forgotten.unreadable.push(number);
                Line::Other
            }
        };
        lines.push((bytes, line));
    }
    let mut ended = std::mem::take(&mut replay.ended);
    ended.extend(before);
    let entries = replay.finish(Vec::new(), false).entries;
    let mut entries = entries.into_iter().enumerate();
    let mut kept = Vec::with_capacity(lines.len());
    for (bytes, line) in lines {
        let Line::Correction(stored, name) = line else {
            kept.push(Cow::Borrowed(bytes));
            continue;
        };
        let Some((at, entry)) = entries.next() else {
            break;
        }; // There is one a line.
        let had = ended.get(&at);
        let is_meant = matches!(selection, Selection::Document(name) if had == Some(name));
        if is_meant || selection.takes(&entry) {
            forgotten.entries.push(entry);
        } else if entry.sequence == stored && entry.correction.document == name {
            kept.push(Cow::Borrowed(bytes));
        } else {
            let had = had.map(String::as_str);
            kept.push(Cow::Owned(rewritten(bytes, &entry, had)));
        }
    }
    Plan { kept, forgotten }
}

#[cfg(test)]
mod tests {
    use super::super::tests::correction;
    use super::super::{Moved, Replay, read};
    use super::*;
    use crate::correction::Correction;

    fn of(document: &str, text: &str) -> Correction {
        Correction {
            document: Some(document.to_owned()),
            ..correction(text)
        }
    }

    fn moved(from: &str, to: &str) -> Moved {
        Moved {
            from: from.to_owned(),
            to: Some(to.to_owned()),
        }
    }

    fn texts(entries: &[Entry]) -> Vec<&str> {
        let texts = entries.iter().map(|entry| entry.correction.text.as_str());
        texts.collect()
    }

    #[test]
    fn a_document_is_forgotten_under_all_its_names_and_nothing_else_is() {
        let dir = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(dir.path()).unwrap();
        let (mut other, _) = Journal::open(dir.path()).unwrap();
        journal.append(&of("a.md", "first secret"), 1).unwrap();
        journal.append(&of("b.md", "plain"), 2).unwrap();
        journal
            .moved(&[moved("a.md", "secret.md"), moved("b.md", "c.md")], 3)
            .unwrap();
        journal
            .append(&of("secret.md", "second secret"), 4)
            .unwrap();
        let path = dir.path().join(super::super::FILE_NAME);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend(b"a foreign line\n");
        std::fs::write(&path, &bytes).unwrap();
        std::fs::write(path.with_extension("torn"), "a secret").unwrap();
        let selection = Selection::Document("secret.md".to_owned());
        assert_eq!(texts(&preview(&bytes, &selection).entries).len(), 2);
        let forgotten = journal.forget(&selection, 9).unwrap();
        assert_eq!(texts(&forgotten.entries), ["first secret", "second secret"]);
        assert_eq!(forgotten.unreadable, [6]);
        for entry in std::fs::read_dir(dir.path()).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            let text = String::from_utf8(bytes).unwrap();
            assert!(!text.contains("secret") && !text.contains("a.md"), "{text}");
            assert!(text.contains("a foreign line"), "{text}");
        }
        // Who had it open hears of it, and no number comes again.
        let recorded = other.append(&of("d.md", "new"), 10).unwrap();
        assert_eq!(recorded.sequence, 4);
        assert!(recorded.missed.was_replaced);
        assert_eq!(texts(&recorded.missed.entries), ["plain"]);
        let (journal, replay) = Journal::open(dir.path()).unwrap();
        assert_eq!(texts(&replay.entries), ["plain", "new"]);
        assert_eq!(
            replay.entries[0].correction.document.as_deref(),
            Some("c.md")
        );
        assert_eq!((journal.count(), journal.last()), (2, 4));
    }

    fn facts(replay: &Replay) -> Vec<(u64, Option<&str>, &str)> {
        let facts = replay.entries.iter().map(|entry| {
            let correction = &entry.correction;
            (
                entry.sequence,
                correction.document.as_deref(),
                correction.text.as_str(),
            )
        });
        facts.collect()
    }

    #[test]
    fn a_verdict_on_a_note_that_was_overwritten_does_not_come_back_on_another() {
        let dir = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(dir.path()).unwrap();
        journal.append(&of("c.md", "heron"), 1).unwrap();
        journal.append(&of("a.md", "form"), 2).unwrap();
        journal.append(&of("b.md", "letter"), 3).unwrap();
        journal.moved(&[moved("a.md", "c.md")], 4).unwrap();
        journal.append(&of("a.md", "another"), 5).unwrap();
        let selection = Selection::Document("c.md".to_owned());
        let forgotten = journal.forget(&selection, 9).unwrap();
        assert_eq!(texts(&forgotten.entries), ["form"]);
        let kept = [
            (1, None, "heron"),
            (3, Some("b.md"), "letter"),
            (4, Some("a.md"), "another"),
        ];
        assert_eq!(facts(&read(dir.path()).unwrap()), kept);
        assert_eq!(facts(&Journal::open(dir.path()).unwrap().1), kept);
    }

    #[test]
    fn joined_journals_keep_the_numbers_that_they_had_before_something_was_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(super::super::FILE_NAME);
        let part = |name: &str| -> Vec<u8> {
            let lines = (1..=3_u64).flat_map(|n| {
                record::line(
                    n,
                    n,
                    &of(&format!("{name}{n}.md"), &format!("text of {name}{n}")),
                )
            });
            lines.collect()
        };
        let moves = record::moved_line(4, &moved("a2.md", "z.md"));
        std::fs::write(&path, [part("a"), moves, part("b")].concat()).unwrap();
        let (mut journal, replay) = Journal::open(dir.path()).unwrap();
        let before: Vec<u64> = replay.entries.iter().map(|entry| entry.sequence).collect();
        assert_eq!(before, [1, 2, 3, 4, 5, 6]);
        let of_b2 = Selection::Document("b2.md".to_owned());
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(preview(&bytes, &of_b2).entries[0].sequence, 5);
        let forgotten = journal.forget(&of_b2, 9).unwrap();
        assert_eq!(forgotten.entries[0].sequence, 5);
        let kept = [
            (1, Some("a1.md"), "text of a1"),
            (2, Some("z.md"), "text of a2"),
            (3, Some("a3.md"), "text of a3"),
            (4, Some("b1.md"), "text of b1"),
            (6, Some("b3.md"), "text of b3"),
        ];
        assert_eq!(facts(&read(dir.path()).unwrap()), kept);
        let of_a1 = journal.forget(&Selection::Document("a1.md".to_owned()), 9);
        assert_eq!(of_a1.unwrap().entries[0].sequence, 1);
        assert_eq!(facts(&read(dir.path()).unwrap()), kept[1..]);
        assert_eq!(journal.append(&of("c.md", "new"), 10).unwrap().sequence, 7);
    }

    #[test]
    fn a_document_that_is_no_more_is_forgotten_by_the_name_that_it_had() {
        let dir = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(dir.path()).unwrap();
        journal.append(&of("secret.md", "a secret"), 1).unwrap();
        let gone = Moved {
            from: "secret.md".to_owned(),
            to: None,
        };
        journal.moved(&[gone], 2).unwrap();
        journal
            .append(&of("secret.md", "another secret"), 3)
            .unwrap();
        journal.append(&of("b.md", "plain"), 4).unwrap();
        let (_, replay) = Journal::open(dir.path()).unwrap();
        let names = replay
            .entries
            .iter()
            .map(|entry| &entry.correction.document);
        let names: Vec<Option<&str>> = names.map(Option::as_deref).collect();
        assert_eq!(names, [None, Some("secret.md"), Some("b.md")]);
        let selection = Selection::Document("secret.md".to_owned());
        let forgotten = journal.forget(&selection, 9).unwrap();
        assert_eq!(texts(&forgotten.entries), ["a secret", "another secret"]);
        let left = std::fs::read_to_string(dir.path().join(super::super::FILE_NAME)).unwrap();
        assert!(!left.contains("secret") && left.contains("plain"), "{left}");
    }

    #[test]
    fn a_document_that_is_no_more_is_forgotten_also_after_others_were() {
        let dir = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(dir.path()).unwrap();
        journal.append(&of("secret.md", "one"), 1).unwrap();
        let gone = Moved {
            from: "secret.md".to_owned(),
            to: None,
        };
        journal.moved(&[gone], 2).unwrap();
        for (name, time) in [("a.md", 3), ("b.md", 4), ("secret.md", 5)] {
            journal.append(&of(name, "plain"), time).unwrap();
        }
        for name in ["a.md", "b.md"] {
            let one = journal.forget(&Selection::Document(name.to_owned()), 9);
            assert_eq!(one.unwrap().entries.len(), 1);
        }
        // It is nobody's name today, but that of the note that has it now.
        let kept = [(1, None, "one"), (4, Some("secret.md"), "plain")];
        assert_eq!(facts(&read(dir.path()).unwrap()), kept);
        let forgotten = journal.forget(&Selection::Document("secret.md".to_owned()), 9);
        assert_eq!(texts(&forgotten.unwrap().entries), ["one", "plain"]);
    }

    #[test]
    fn words_and_times_select_too_and_what_selects_nothing_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(dir.path()).unwrap();
        for (time, text) in [(1, "Dr. Miller called"), (5, "roses"), (9, "Miller again")] {
            journal.append(&of("a.md", text), time).unwrap();
        }
        let path = dir.path().join(super::super::FILE_NAME);
        let before = std::fs::read(&path).unwrap();
        std::fs::write(path.with_extension("torn"), "Smi").unwrap();
        let nothing = journal.forget(&Selection::Text("Smith".to_owned()), 9);
        assert_eq!(nothing.unwrap(), Forgotten::default());
        assert_eq!(std::fs::read(&path).unwrap(), before);
        assert!(path.with_extension("torn").exists());
        let old = journal.forget(&Selection::Before(5), 9).unwrap();
        assert_eq!(texts(&old.entries), ["Dr. Miller called"]);
        let named = journal.forget(&Selection::Text("Miller".to_owned()), 9);
        assert_eq!(texts(&named.unwrap().entries), ["Miller again"]);
        assert_eq!((journal.count(), journal.last()), (1, 3));
    }
}
