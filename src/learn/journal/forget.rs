//! Takes corrections out of the journal for good: which ones in, the journal without them out.
//!
//! Invariant: whenever the power goes, the journal is the old one or the new one; every other line
//! stays byte for byte, those that cannot be read too; numbers are not given again. What was set
//! aside of torn lines goes as well, for nobody knows what is in it.

use std::collections::HashMap;

use super::record::{self, Record, rewritten_line};
use super::{Entry, Journal, JournalError, Moved};

/// What is to be forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// What was said of the document that has this name today.
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
                journal.lines.forget_aside()?;
                return Ok(plan.forgotten);
            }
            let head = std::iter::once(rewritten_line(time, journal.last()));
            let kept = plan.kept.iter().map(|line| line.to_vec());
            journal.lines.rewrite(head.chain(kept))?;
            journal.count -= plan.forgotten.entries.len() as u64;
            journal.latest = None; // It may be among them.
            Ok(plan.forgotten)
        })
    }
}

/// What `forget` would forget of a journal's bytes.
pub fn preview(bytes: &[u8], selection: &Selection) -> Forgotten {
    plan(bytes, selection).forgotten
}

struct Plan<'a> {
    kept: Vec<&'a [u8]>,
    forgotten: Forgotten,
}

/// A line that can be read.
enum Line {
    /// With the moves that its document went through.
    Correction(Box<Entry>, Vec<usize>),
    Moved(Moved),
    Rewritten,
    Other,
}

fn plan<'a>(bytes: &'a [u8], selection: &Selection) -> Plan<'a> {
    let mut lines: Vec<(&[u8], Line)> = Vec::new();
    let mut by_document: HashMap<String, Vec<usize>> = HashMap::new();
    let mut forgotten = Forgotten::default();
    for (number, bytes) in (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
        let at = lines.len();
        let line = match record::read(bytes) {
            _ if bytes.trim_ascii().is_empty() => Line::Other,
            Ok(Record::Correction(entry)) => {
                if let Some(name) = &entry.correction.document {
                    by_document.entry(name.clone()).or_default().push(at);
                }
                Line::Correction(Box::new(entry), Vec::new())
            }
            Ok(Record::Moved(moved)) => {
                rename(&moved, at, &mut by_document, &mut lines);
                Line::Moved(moved)
            }
            Ok(Record::Rewritten(_)) => Line::Rewritten,
            Err(_) => {
                forgotten.unreadable.push(number);
                Line::Other
            }
        };
        lines.push((bytes, line));
    }
    let mut is_needed = vec![false; lines.len()];
    let mut is_touched = vec![false; lines.len()];
    for (_, line) in &lines {
        if let Line::Correction(entry, moves) = line {
            let marks = match selection.takes(entry) {
                true => &mut is_touched,
                false => &mut is_needed,
            };
            moves.iter().for_each(|place| marks[*place] = true);
        }
    }
    let mut kept = Vec::with_capacity(lines.len());
    for (at, (bytes, line)) in lines.into_iter().enumerate() {
        match line {
            Line::Correction(entry, _) if selection.takes(&entry) => forgotten.entries.push(*entry),
            // The names of a forgotten document are forgotten, too.
            Line::Moved(_) if is_touched[at] && !is_needed[at] => {}
            Line::Moved(moved) if moved.is_last_of(selection) && !is_needed[at] => {}
            Line::Rewritten => {}
            Line::Correction(..) | Line::Moved(_) | Line::Other => kept.push(bytes),
        }
    }
    Plan { kept, forgotten }
}

impl Moved {
    /// Whether it tells of the last name of what is to be forgotten.
    fn is_last_of(&self, selection: &Selection) -> bool {
        let last = self.to.as_ref().unwrap_or(&self.from);
        matches!(selection, Selection::Document(name) if name == last)
    }
}

/// As `Replaying` does it, but remembers which moves a document went through; and one that is no
/// more can be forgotten by the name that it had.
fn rename(
    moved: &Moved,
    at: usize,
    by_document: &mut HashMap<String, Vec<usize>>,
    lines: &mut [(&[u8], Line)],
) {
    let Some(places) = by_document.remove(&moved.from) else {
        return;
    };
    let overwritten = moved.to.as_ref().and_then(|to| by_document.remove(to));
    for place in overwritten.into_iter().flatten() {
        if let Line::Correction(entry, moves) = &mut lines[place].1 {
            entry.correction.document = None;
            moves.push(at);
        }
    }
    for place in &places {
        if let Line::Correction(entry, moves) = &mut lines[*place].1 {
            if moved.to.is_some() {
                entry.correction.document = moved.to.clone();
            }
            moves.push(at);
        }
    }
    if let Some(to) = &moved.to {
        by_document.insert(to.clone(), places);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::correction;
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
    fn words_and_times_select_too_and_what_selects_nothing_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(dir.path()).unwrap();
        for (time, text) in [(1, "Dr. Miller called"), (5, "roses"), (9, "Miller again")] {
            journal.append(&of("a.md", text), time).unwrap();
        }
        let path = dir.path().join(super::super::FILE_NAME);
        let before = std::fs::read(&path).unwrap();
        let nothing = journal.forget(&Selection::Text("Smith".to_owned()), 9);
        assert_eq!(nothing.unwrap(), Forgotten::default());
        assert_eq!(std::fs::read(&path).unwrap(), before);
        let old = journal.forget(&Selection::Before(5), 9).unwrap();
        assert_eq!(texts(&old.entries), ["Dr. Miller called"]);
        let named = journal.forget(&Selection::Text("Miller".to_owned()), 9);
        assert_eq!(texts(&named.unwrap().entries), ["Miller again"]);
        assert_eq!((journal.count(), journal.last()), (1, 3));
    }
}
