//! What was made ready for the labels of earlier rows, for rows that bring the same ones again.
//!
//! Invariant: what is kept has a bounded number of labels together, so that memory stays flat
//! whatever the rows bring; one set alone may have more. Knows nothing of models.

use std::collections::HashMap;
use std::sync::Arc;

/// Labels of all that is kept: some 150 MB where each has words, of which each token has a state.
const MOST_LABELS: usize = 4_000;

/// Values by the labels they were made of.
pub(super) struct Kept<V> {
    by_labels: HashMap<Vec<String>, Arc<V>>,
    labels: usize,
}

impl<V> Kept<V> {
    pub(super) fn new() -> Kept<V> {
        Kept {
            by_labels: HashMap::new(),
            labels: 0,
        }
    }

    /// What was kept for these labels.
    pub(super) fn get(&self, labels: &[String]) -> Option<Arc<V>> {
        self.by_labels.get(labels).cloned()
    }

    /// Keeps a value; where there is no room for it, all others go.
    pub(super) fn keep(&mut self, labels: Vec<String>, value: Arc<V>) {
        if self.labels + labels.len() > MOST_LABELS {
            *self = Kept::new();
        }
        self.labels += labels.len();
        self.by_labels.insert(labels, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_found_and_stays_bounded() {
        let set = |i: usize| -> Vec<String> { (0..999).map(|j| format!("{i}-{j}")).collect() };
        let mut kept = Kept::new();
        for i in 0..200 {
            kept.keep(set(i), Arc::new(i));
            assert_eq!(kept.get(&set(i)).as_deref(), Some(&i));
            let labels: usize = kept.by_labels.keys().map(Vec::len).sum();
            assert!(labels <= MOST_LABELS && labels == kept.labels, "{labels}");
        }
        assert_eq!(kept.get(&set(0)), None);
    }
}
