//! Which imported records are here already, and what of the others holds: a journal in, answers out.
//!
//! Invariant: each record makes one imported record known; a verdict that was given later here, on
//! the same label of the same document or text, whatever it was called then, is not overruled by an
//! older one that comes after it. Pure.

use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};

use super::Entry;
use crate::learn::consolidate::lesson::Renamed;
use crate::learn::memory::TextKey;

/// The names of one record's document: as it was written down, and today.
type Names = [Option<String>; 2];

/// Tells records apart, but for their documents.
type Mark = [u8; 32];

/// By what a record's document is the same.
#[derive(Clone, Copy)]
enum Same {
    /// Its name of today.
    Now,
    /// The name that it had.
    Then,
    /// One of them has none.
    Nameless,
}

impl Same {
    /// From the surest on.
    const ALL: [Same; 3] = [Same::Now, Same::Then, Same::Nameless];
}

/// What a verdict is on.
#[derive(PartialEq, Eq, Hash)]
enum Subject {
    Document(String),
    /// A text that was judged without a document.
    Bare(TextKey),
    /// A text, of whatever document.
    Text(TextKey),
}

/// What a journal knows.
pub(super) struct Known<'a> {
    renamed: &'a Renamed,
    records: HashMap<Mark, Vec<Names>>,
    /// When a label was judged last, by the name it had then and those it may have today.
    judged: HashMap<(Subject, String), u64>,
}

impl Known<'_> {
    /// Of these corrections, in whose lines stand these names of documents.
    pub(super) fn of(
        entries: Vec<Entry>,
        stored: Vec<Option<String>>,
        renamed: &Renamed,
    ) -> Known<'_> {
        let mut known = Known {
            renamed,
            records: HashMap::new(),
            judged: HashMap::new(),
        };
        for (entry, stored) in entries.into_iter().zip(stored) {
            let text = TextKey::new(&entry.correction.text);
            let labels = entry.correction.verdicts();
            for label in labels.flat_map(|(label, _)| renamed.names(label)) {
                let document = match &entry.correction.document {
                    Some(document) => Subject::Document(document.clone()),
                    None => Subject::Bare(text),
                };
                for subject in [document, Subject::Text(text)] {
                    let last = known.judged.entry((subject, label.clone()));
                    let last = last.or_default();
                    *last = entry.time.max(*last);
                }
            }
            let records = known.records.entry(identity(&entry)).or_default();
            records.push([stored, entry.correction.document]);
        }
        known
    }

    /// Which of these records are here; each of ours makes one of them known. Journals that were put
    /// together have some twice, with their numbers.
    pub(super) fn all_of(&mut self, entries: &[Entry]) -> Vec<bool> {
        let marks: Vec<Mark> = entries.iter().map(identity).collect();
        let mut seen = HashSet::new();
        let both = entries.iter().zip(&marks);
        let mut are_known: Vec<bool> = both
            .map(|(entry, mark)| {
                let document = entry.correction.document.as_deref();
                !seen.insert((mark, entry.sequence, document))
            })
            .collect();
        // What surely is the same is found first, and takes no other one's place.
        for same in Same::ALL {
            let rows = entries.iter().zip(&marks).zip(&mut are_known);
            for ((entry, mark), is_known) in rows {
                *is_known = *is_known || self.take(entry, mark, same);
            }
        }
        are_known
    }

    /// Whether what is left of a record is here.
    pub(super) fn take_left(&mut self, entry: &Entry) -> bool {
        let mark = identity(entry);
        let mut same = Same::ALL.into_iter();
        same.any(|same| self.take(entry, &mark, same))
    }

    fn take(&mut self, entry: &Entry, mark: &Mark, same: Same) -> bool {
        let Some(records) = self.records.get_mut(mark) else {
            return false;
        };
        let document = &entry.correction.document;
        let place = records.iter().position(|[stored, today]| match same {
            Same::Now => today == document,
            Same::Then => stored == document,
            Same::Nameless => today.is_none() || document.is_none(),
        });
        if let Some(place) = place {
            records.swap_remove(place);
        }
        place.is_some()
    }

    /// What of a record was not judged here later; none where that is nothing.
    pub(super) fn left_of(&self, entry: &Entry) -> Option<Entry> {
        let text = TextKey::new(&entry.correction.text);
        let subjects = || match &entry.correction.document {
            Some(document) => vec![Subject::Document(document.clone()), Subject::Bare(text)],
            None => vec![Subject::Text(text)],
        };
        let was_later = |subject, label| {
            let last = self.judged.get(&(subject, label));
            last.is_some_and(|last| *last > entry.time)
        };
        let holds = |label: &String| {
            let mut names = self.renamed.names(label).into_iter();
            !names.any(|name| {
                let mut subjects = subjects().into_iter();
                subjects.any(|subject| was_later(subject, name.clone()))
            })
        };
        let mut left = entry.clone();
        let correction = &mut left.correction;
        correction.accepted.retain(holds);
        correction.rejected.retain(holds);
        if *correction == entry.correction {
            return Some(left);
        }
        // What was shown was judged as a whole.
        correction.shown = None;
        let is_empty = correction.accepted.is_empty() && correction.rejected.is_empty();
        (!is_empty).then_some(left)
    }
}

/// What makes a record the same, but for its document: when was said what of which text.
fn identity(entry: &Entry) -> Mark {
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
