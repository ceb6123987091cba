//! Label sets that were read before: the same text is the same set in memory.
//!
//! A thousand open documents hold one set, not a thousand copies of it, and an unchanged file is
//! not parsed again at every pause of a writer.
//! Invariant: what is given back was made of exactly this text; a text with faults is not kept.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::label::LabelSet;

/// Sets that are kept. A person uses a few; more of them are only read more often.
const KEPT: usize = 16;

type Key = [u8; 32];

/// The sets used last, the latest first.
#[derive(Default)]
pub(super) struct Shelf(Mutex<VecDeque<(Key, Arc<LabelSet>)>>);

impl Shelf {
    /// The set of these `parts`, which are all that it depends on; made where it is not here.
    ///
    /// # Errors
    /// Of `make`.
    pub(super) fn get<E>(
        &self,
        parts: &[&str],
        make: impl FnOnce() -> Result<LabelSet, E>,
    ) -> Result<Arc<LabelSet>, E> {
        let key = key(parts);
        if let Some(set) = self.take(&key) {
            return Ok(set);
        }
        let set = Arc::new(make()?);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_front((key, Arc::clone(&set)));
        kept.truncate(KEPT);
        Ok(set)
    }

    /// The set of this key, which is the latest from now on.
    fn take(&self, key: &Key) -> Option<Arc<LabelSet>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(of, _)| of == key)?;
        let found = kept.remove(at)?;
        let set = Arc::clone(&found.1);
        kept.push_front(found);
        Some(set)
    }
}

fn key(parts: &[&str]) -> Key {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(shelf: &Shelf, names: &[&str]) -> Arc<LabelSet> {
        shelf.get(names, || LabelSet::from_names(names)).unwrap()
    }

    #[test]
    fn the_same_text_is_the_same_set_until_others_push_it_out() {
        let shelf = Shelf::default();
        let first = get(&shelf, &["a", "b"]);
        assert!(Arc::ptr_eq(&first, &get(&shelf, &["a", "b"])));
        let other = get(&shelf, &["ab"]);
        assert_eq!(other.labels().len(), 1);
        for i in 0..KEPT {
            get(&shelf, &[i.to_string().as_str()]);
        }
        assert!(!Arc::ptr_eq(&first, &get(&shelf, &["a", "b"])));
    }

    #[test]
    fn a_text_with_faults_is_read_again() {
        let shelf = Shelf::default();
        assert_eq!(shelf.get(&["a"], || Err("broken")).unwrap_err(), "broken");
        let read = shelf.get(&["a"], || LabelSet::from_names(["a"]));
        assert_eq!(read.unwrap().labels().len(), 1);
    }
}
