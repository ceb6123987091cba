//! Predictions that were made before: a key in, the prediction out, across restarts.
//!
//! Only what can be computed again is kept here. Whatever goes wrong on opening, the folder is
//! moved aside and a new one begun; whatever goes wrong later is a miss.
//! Invariant: the entries hold at most the limit; two generations share it, and the older one
//! goes when the younger is full.

mod record;

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

use super::{Passage, Prediction};
use crate::config::make_private;
use record::{FORM, decode, encode};

/// The folder on disk may be so many times the limit before it is begun anew: sled frees late.
const BALLOON: u64 = 4;
/// Memory that sled may use for its pages.
const PAGES: u64 = 8 << 20;

/// Tells one question from all others: text, labels, model and options.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key([u8; 32]);

impl Key {
    /// The key of scoring `passage` with the label set of this fingerprint.
    pub fn new(passage: &Passage, labels: &str) -> Key {
        let mut hash = Sha256::new();
        hash.update((passage.text().len() as u64).to_le_bytes());
        hash.update(passage.text());
        for start in passage.breaks() {
            // A heading is part of every window below it, so it is part of the question.
            let heading = passage.heading_at(start);
            hash.update((start as u64).to_le_bytes());
            hash.update((heading.len() as u64).to_le_bytes());
            hash.update(heading);
        }
        hash.update(labels.as_bytes());
        Key(hash.finalize().into())
    }

    /// The same question to the model of this fingerprint, run under these options.
    pub fn for_model(&self, model: &str, options: &str) -> Key {
        let mut hash = Sha256::new();
        for part in [&self.0[..], model.as_bytes(), options.as_bytes()] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Key(hash.finalize().into())
    }
}

/// A cache that is open.
pub struct Cache {
    db: sled::Db,
    generations: [sled::Tree; 2],
    /// Which generation is the younger one, and how many bytes its entries hold.
    young: Mutex<(usize, u64)>,
    limit: u64,
    hits: AtomicU64,
    misses: AtomicU64,
    /// Held as long as the database is open: sled's own refusal cannot be told from a fault.
    _lock: File,
}

/// Why there is no cache. The daemon works without one.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// Another process has it.
    #[error(
        "{0}: another gliznet has this cache open; answers are not kept until the daemon is restarted"
    )]
    Taken(PathBuf),
    /// The system refuses.
    #[error("{0}: cannot keep answers here ({1}); make the folder writable")]
    Io(PathBuf, std::io::Error),
    /// sled refuses even a new folder.
    #[error("{0}: cannot keep answers here ({1})")]
    Sled(PathBuf, String),
}

impl Cache {
    /// Opens the cache in folder `dir`, whose entries may hold `limit` bytes.
    ///
    /// # Errors
    /// Another process holds it, or the folder cannot be written at all.
    pub fn open(dir: &Path, limit: u64) -> Result<Cache, CacheError> {
        let io = |error| CacheError::Io(dir.to_path_buf(), error);
        make_private(dir).map_err(io)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(dir.join("predictions.lock"))
            .map_err(io)?;
        if lock.try_lock().is_err() {
            return Err(CacheError::Taken(dir.to_path_buf()));
        }
        for form in 1..FORM {
            // What an older build kept can be read by nobody any more.
            let _ = std::fs::remove_dir_all(dir.join(format!("predictions-{form}")));
        }
        let folder = dir.join(format!("predictions-{FORM}"));
        let opened = open_database(&folder).and_then(|db| {
            let size = db.size_on_disk().map_err(|error| error.to_string())?;
            if size > BALLOON * limit.max(1 << 20) {
                return Err(format!("it has grown to {size} bytes"));
            }
            Ok(db)
        });
        let db = match opened {
            Ok(db) => db,
            Err(reason) => {
                let aside = move_aside(&folder).map_err(io)?;
                tracing::warn!(
                    reason,
                    aside = %aside.display(),
                    "the cache could not be used and is begun anew"
                );
                open_database(&folder).map_err(|e| CacheError::Sled(folder.clone(), e))?
            }
        };
        let tree = |name: &str| {
            db.open_tree(name)
                .map_err(|e| CacheError::Sled(folder.clone(), e.to_string()))
        };
        let generations = [tree("a")?, tree("b")?];
        let young = usize::from(matches!(db.get("young"), Ok(Some(name)) if &*name == b"b"));
        let bytes = generations[young].iter().flatten();
        let bytes = bytes.map(|(key, value)| (key.len() + value.len()) as u64);
        let bytes = bytes.sum();
        Ok(Cache {
            db,
            generations,
            young: Mutex::new((young, bytes)),
            limit,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            _lock: lock,
        })
    }

    /// The prediction that was put under this key.
    pub fn get(&self, key: &Key) -> Option<Prediction> {
        let young = self.young().0;
        let found = [young, 1 - young].into_iter().find_map(|generation| {
            let bytes = self.generations[generation].get(key.0).ok()??;
            Some((generation, bytes))
        });
        let prediction = found.as_ref().and_then(|(_, bytes)| decode(bytes));
        let counter = if prediction.is_some() {
            &self.hits
        } else {
            &self.misses
        };
        counter.fetch_add(1, Ordering::Relaxed);
        // What is used stays: it moves to the younger generation.
        if let (Some((generation, bytes)), Some(_)) = (found, &prediction)
            && generation != young
        {
            self.insert(key, &bytes);
        }
        prediction
    }

    /// Keeps a prediction.
    pub fn put(&self, key: &Key, prediction: &Prediction) {
        self.insert(key, &encode(prediction));
    }

    fn insert(&self, key: &Key, bytes: &[u8]) {
        let mut young = self.young();
        let size = (key.0.len() + bytes.len()) as u64;
        if young.1 + size > self.limit / 2 {
            let next = 1 - young.0;
            let switched = self.generations[next]
                .clear()
                .and_then(|()| self.db.insert("young", if next == 1 { "b" } else { "a" }));
            if let Err(error) = switched {
                return tracing::debug!(%error, "the cache could not make room");
            }
            *young = (next, 0);
        }
        match self.generations[young.0].insert(key.0, bytes) {
            Ok(None) => young.1 += size,
            Ok(Some(_)) => {}
            Err(error) => tracing::debug!(%error, "an answer could not be kept"),
        }
    }

    fn young(&self) -> std::sync::MutexGuard<'_, (usize, u64)> {
        // Two numbers that are always whole: a panic elsewhere cannot have broken them.
        self.young
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// How many answers came from here, how many did not, and the bytes on disk.
    pub fn statistics(&self) -> Statistics {
        Statistics {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            entries: self.generations.iter().map(sled::Tree::len).sum(),
            bytes_on_disk: self.db.size_on_disk().unwrap_or(0),
        }
    }

    /// Writes everything to disk.
    pub fn flush(&self) {
        if let Err(error) = self.db.flush() {
            tracing::debug!(%error, "the cache could not be flushed");
        }
    }
}

/// What `gliznet status` says of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// Answers that came from it since the start.
    pub hits: u64,
    /// Questions that it had no answer to since the start.
    pub misses: u64,
    /// Answers in it.
    pub entries: usize,
    /// Its size.
    pub bytes_on_disk: u64,
}

fn open_database(folder: &Path) -> Result<sled::Db, String> {
    make_private(folder).map_err(|error| error.to_string())?;
    let config = sled::Config::new()
        .path(folder)
        .cache_capacity(PAGES)
        .flush_every_ms(Some(2_000));
    // sled 0.34 panics on some broken files instead of saying so.
    let opened = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| config.open()));
    match opened {
        Ok(Ok(db)) => Ok(db),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("its files are broken".to_owned()),
    }
}

/// Renames a folder that cannot be used; the one moved aside before goes for good.
fn move_aside(folder: &Path) -> std::io::Result<PathBuf> {
    let aside = folder.with_extension("broken");
    match std::fs::remove_dir_all(&aside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    std::fs::rename(folder, &aside)?;
    Ok(aside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Embedding, Unscored};
    use crate::label::LabelId;
    use crate::score::Logit;
    use crate::tag::LabelScore;
    use proptest::prelude::*;

    fn prediction(n: u32) -> Prediction {
        let logit = Logit::new(n as f32 / 8.0 - 3.0).unwrap();
        Prediction {
            scores: (0..n)
                .map(|label| LabelScore {
                    label: LabelId(label),
                    logit,
                    score: logit.sigmoid(),
                })
                .collect(),
            unscored: vec![Unscored {
                label: LabelId(n),
                reason: "trop long, coupé".to_owned(),
            }],
            windows: n as usize,
            cut: n % 2 == 1,
            embedding: Embedding::new(&vec![0.5; n as usize % 3]),
        }
    }

    fn key(text: &str) -> Key {
        Key::new(&Passage::plain(text), "set").for_model("model", "options")
    }

    #[test]
    fn an_answer_survives_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        for round in 0..2 {
            let cache = Cache::open(dir.path(), 1 << 20).unwrap();
            if round == 0 {
                assert_eq!(cache.get(&key("a")), None);
                cache.put(&key("a"), &prediction(3));
                cache.flush();
            }
            assert_eq!(cache.get(&key("a")), Some(prediction(3)));
        }
    }

    #[cfg(unix)]
    #[test]
    fn it_is_closed_to_others_in_an_open_folder_too() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        Cache::open(dir.path(), 1 << 20).unwrap();
        let folder = dir.path().join(format!("predictions-{FORM}"));
        assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o077, 0);
    }

    #[test]
    fn every_part_of_the_question_counts() {
        let base = Key::new(&Passage::plain("text"), "set");
        let keys = [
            base.for_model("m", "o"),
            base.for_model("mo", ""),
            base.for_model("n", "o"),
            Key::new(&Passage::plain("texts"), "et").for_model("m", "o"),
            Key::new(&Passage::plain("text"), "other").for_model("m", "o"),
        ];
        let distinct: std::collections::HashSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
    }

    #[test]
    fn a_broken_cache_is_moved_aside_and_begun_anew() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join(format!("predictions-{FORM}"));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("conf"), "no configuration at all").unwrap();
        std::fs::write(folder.join("db"), [7u8; 9000]).unwrap();
        let cache = Cache::open(dir.path(), 1 << 20).unwrap();
        cache.put(&key("a"), &prediction(1));
        assert_eq!(cache.get(&key("a")), Some(prediction(1)));
        assert!(folder.with_extension("broken").join("conf").exists());
    }

    #[test]
    fn a_second_process_goes_without() {
        let dir = tempfile::tempdir().unwrap();
        let first = Cache::open(dir.path(), 1 << 20).unwrap();
        assert!(matches!(
            Cache::open(dir.path(), 1 << 20),
            Err(CacheError::Taken(_))
        ));
        drop(first);
        Cache::open(dir.path(), 1 << 20).unwrap();
    }

    #[test]
    fn its_size_is_bounded_and_what_is_used_stays() {
        let dir = tempfile::tempdir().unwrap();
        let limit = 64 << 10;
        let cache = Cache::open(dir.path(), limit).unwrap();
        let keep = key("kept");
        cache.put(&keep, &prediction(10));
        for i in 0..3_000 {
            cache.put(&key(&format!("note {i}")), &prediction(10));
            assert!(cache.get(&keep).is_some(), "gone after {i}");
        }
        let held: u64 = cache
            .generations
            .iter()
            .flat_map(|tree| tree.iter().flatten())
            .map(|(key, value)| (key.len() + value.len()) as u64)
            .sum();
        assert!(held <= limit, "{held}");
        assert_eq!(cache.get(&key("note 0")), None);
    }

    #[test]
    fn forty_labels_take_half_a_kilobyte() {
        assert_eq!(encode(&prediction(40)).len(), 14 + 40 * 12 + 8 + 17 + 4 + 1);
    }

    proptest! {
        #[test]
        fn a_prediction_comes_back_as_it_went_in(n in 0u32..60) {
            prop_assert_eq!(decode(&encode(&prediction(n))), Some(prediction(n)));
        }

        #[test]
        fn a_damaged_entry_is_a_miss_or_another_whole_one(n in 0u32..9, cut: prop::sample::Index) {
            let bytes = encode(&prediction(n));
            let cut = cut.index(bytes.len());
            prop_assert_eq!(decode(&bytes[..cut]), None);
        }

        #[test]
        fn no_bytes_are_too_strange(bytes: Vec<u8>) {
            decode(&bytes);
        }
    }
}
