//! What a journal says, record after record in; all its corrections out, under today's names.
//!
//! Invariant: a correction has the name that its document has after all moves that follow it; of a
//! document that was overwritten by another, or is no more, the texts stay, and the name goes. Pure.

use std::collections::HashMap;

use super::{Entry, Moved};

/// What a journal held when it was read.
#[derive(Debug, Default, PartialEq)]
pub struct Replay {
    /// Every correction that could be read, in order; of those that were known before, none.
    pub entries: Vec<Entry>,
    /// Documents that have other names, or none any more: what was known of them before holds under
    /// these, or for none. In `entries` they have them already.
    pub moved: Vec<Moved>,
    /// What could not be read, with its line.
    pub faults: Vec<String>,
    /// All that was read before counts no more: `entries` are all there are.
    pub was_replaced: bool,
}

/// What one record says.
#[derive(Debug)]
pub(super) enum Told {
    /// What a person said of a text.
    Correction(Entry),
    /// A document has another name, or is no more.
    Moved(Moved),
}

/// A replay that is not over.
#[derive(Debug, Default)]
pub(super) struct Replaying {
    entries: Vec<Entry>,
    moved: Vec<Moved>,
    by_document: HashMap<String, Vec<usize>>,
    /// Of corrections of documents that are no more, the last name: place in the journal to name.
    pub(super) ended: HashMap<usize, String>,
}

impl Replaying {
    pub(super) fn tell(&mut self, told: Told) {
        match told {
            Told::Correction(entry) => {
                if let Some(name) = &entry.correction.document {
                    let places = self.by_document.entry(name.clone()).or_default();
                    places.push(self.entries.len());
                }
                self.entries.push(entry);
            }
            Told::Moved(moved) => {
                self.rename(&moved);
                self.moved.push(moved);
            }
        }
    }

    fn rename(&mut self, moved: &Moved) {
        // A temporary file that becomes a note is no other note, as long as nobody judged it.
        let Some(places) = self.by_document.remove(&moved.from) else {
            return;
        };
        for place in &places {
            self.entries[*place].correction.document = moved.to.clone();
        }
        let Some(to) = &moved.to else {
            let ended = places.into_iter().map(|place| (place, moved.from.clone()));
            return self.ended.extend(ended);
        };
        let overwritten = self.by_document.insert(to.clone(), places);
        for place in overwritten.into_iter().flatten() {
            self.entries[place].correction.document = None;
        }
    }

    pub(super) fn finish(self, faults: Vec<String>, was_replaced: bool) -> Replay {
        Replay {
            entries: self.entries,
            moved: self.moved,
            faults,
            was_replaced,
        }
    }
}
