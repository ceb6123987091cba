//! Vocabularies of earlier rows, for rows that bring the same labels again.
//!
//! Invariant: they hold a bounded number of labels together, so that memory stays flat whatever
//! the rows bring.

use std::collections::HashMap;
use std::sync::Arc;

use crate::engine::Vocabulary;

/// Labels of all that is kept: some 100 MB with an embedding each. One set alone may have more.
const MOST_LABELS: usize = 50_000;

/// Ready vocabularies by their labels.
#[derive(Default)]
pub(super) struct Kept {
    by_labels: HashMap<Vec<String>, Arc<Vocabulary>>,
    labels: usize,
}

impl Kept {
    /// The vocabulary of these labels, if it is kept.
    pub(super) fn get(&self, labels: &[String]) -> Option<Arc<Vocabulary>> {
        self.by_labels.get(labels).cloned()
    }

    /// Keeps a vocabulary; where there is no room, all others go.
    pub(super) fn keep(&mut self, labels: Vec<String>, vocabulary: Arc<Vocabulary>) {
        if self.labels + labels.len() > MOST_LABELS {
            *self = Kept::default();
        }
        self.labels += labels.len();
        self.by_labels.insert(labels, vocabulary);
    }
}
