//! What a journal says, record after record in; all its corrections out, under today's names.
//!
//! Invariant: a correction has the name that its document has after all moves that follow it; of a
//! document that was overwritten by another, the texts stay, and the name goes. Pure.

use std::collections::HashMap;

use super::{Entry, Moved};

/// What a journal held when it was read.
#[derive(Debug, Default, PartialEq)]
pub struct Replay {
    /// Every correction that could be read, in order; of those that were known before, none.
    pub entries: Vec<Entry>,
    /// Documents that have other names: what was known of them before holds under these. In
    /// `entries` they have them already.
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
    /// A document has another name.
    Moved(Moved),
}

/// A replay that is not over.
#[derive(Debug, Default)]
pub(super) struct Replaying {
    entries: Vec<Entry>,
    moved: Vec<Moved>,
    by_document: HashMap<String, Vec<usize>>,
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
        for overwritten in self.by_document.remove(&moved.to).into_iter().flatten() {
            self.entries[overwritten].correction.document = None;
        }
        for place in &places {
            self.entries[*place].correction.document = Some(moved.to.clone());
        }
        self.by_document.insert(moved.to.clone(), places);
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
