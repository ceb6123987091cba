//! Labels and label sets that were made ready, for questions that bring the same ones again.
//!
//! Invariant: what is kept has a bounded number of labels together, so that memory stays flat
//! whatever is asked; one set that has more by itself stands beside the others, or each question
//! about another one would have it read anew. Knows nothing of models.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

/// Values by what they were made of.
pub struct Kept<K, V> {
    values: HashMap<K, Entry<V>>,
    labels: usize,
    most: usize,
    /// Counts what was asked, to know what was not asked for longest.
    asked: u64,
}

struct Entry<V> {
    value: Arc<V>,
    labels: usize,
    asked: u64,
}

impl<K: Clone + Eq + Hash, V> Kept<K, V> {
    /// Room for so many labels: some 38 kB each where it has words, of which each token has a state.
    pub fn of(most: usize) -> Kept<K, V> {
        Kept {
            values: HashMap::new(),
            labels: 0,
            most,
            asked: 0,
        }
    }

    /// What was kept under this key.
    pub fn get<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<Arc<V>>
    where
        K: Borrow<Q>,
    {
        self.asked += 1;
        let entry = self.values.get_mut(key)?;
        entry.asked = self.asked;
        Some(Arc::clone(&entry.value))
    }

    /// Keeps a value that has so many labels; where there is no room for it, what was not asked for
    /// longest goes. One that is larger than all room takes the place of the last such.
    pub fn keep(&mut self, key: K, labels: usize, value: Arc<V>) {
        self.forget(&key);
        let is_large = labels > self.most;
        while (is_large || self.labels + labels > self.most)
            && let Some(oldest) = self.oldest(is_large)
        {
            self.forget(&oldest);
        }
        self.asked += 1;
        self.labels += if is_large { 0 } else { labels };
        let asked = self.asked;
        let entry = Entry {
            value,
            labels,
            asked,
        };
        self.values.insert(key, entry);
    }

    /// Whether there is something under this key, which does not count as asking for it.
    pub fn has<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.values.contains_key(key)
    }

    fn oldest(&self, is_large: bool) -> Option<K> {
        let values = self.values.iter();
        let alike = values.filter(|(_, entry)| (entry.labels > self.most) == is_large);
        let oldest = alike.min_by_key(|(_, entry)| entry.asked);
        oldest.map(|(key, _)| key.clone())
    }

    fn forget(&mut self, key: &K) {
        if let Some(entry) = self.values.remove(key)
            && entry.labels <= self.most
        {
            self.labels -= entry.labels;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST_LABELS: usize = 4_000;

    fn sum(kept: &Kept<usize, usize>) -> usize {
        kept.values.values().map(|entry| entry.labels).sum()
    }

    #[test]
    fn what_is_kept_is_found_and_stays_bounded() {
        let mut kept = Kept::of(MOST_LABELS);
        for i in 0..200 {
            kept.keep(i, 999, Arc::new(i));
            assert_eq!(kept.get(&i).as_deref(), Some(&i));
            assert_eq!(sum(&kept), kept.labels);
            assert!(kept.labels <= MOST_LABELS, "{}", kept.labels);
        }
        assert_eq!(kept.get(&0), None);
        assert_eq!(kept.get(&196).as_deref(), Some(&196));
    }

    #[test]
    fn what_was_not_asked_for_longest_goes_first() {
        let mut kept = Kept::of(MOST_LABELS);
        for i in 0..4 {
            kept.keep(i, 1_000, Arc::new(i));
        }
        assert!(kept.get(&0).is_some());
        kept.keep(4, 1_500, Arc::new(4));
        let left: Vec<usize> = (0..5).filter(|i| kept.get(i).is_some()).collect();
        assert_eq!(left, [0, 3, 4]);
    }

    #[test]
    fn a_set_that_is_larger_than_all_room_is_kept_beside_the_others_until_another_comes() {
        let mut kept = Kept::of(MOST_LABELS);
        kept.keep(1, 10, Arc::new(1));
        kept.keep(2, 2 * MOST_LABELS, Arc::new(2));
        kept.keep(3, MOST_LABELS - 10, Arc::new(3));
        assert!(kept.has(&1) && kept.has(&2) && kept.has(&3));
        kept.keep(4, 10, Arc::new(4));
        assert!(!kept.has(&1) && kept.has(&2) && kept.has(&3));
        kept.keep(5, 3 * MOST_LABELS, Arc::new(5));
        assert!(!kept.has(&2) && kept.has(&3) && kept.has(&4) && kept.has(&5));
        kept.keep(5, 10, Arc::new(5));
        assert_eq!((kept.labels, sum(&kept)), (20, 20));
    }

    #[test]
    fn a_key_that_is_kept_again_counts_once() {
        let mut kept = Kept::of(MOST_LABELS);
        kept.keep(1, 10, Arc::new(1));
        kept.keep(1, 20, Arc::new(2));
        assert_eq!((kept.labels, sum(&kept)), (20, 20));
        assert_eq!(kept.get(&1).as_deref(), Some(&2));
    }
}
