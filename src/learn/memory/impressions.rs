//! What a model made of texts, kept on disk, so that a program that runs for a moment need not ask
//! it again.
//!
//! Input: keys of texts, vectors and scores. Output: the same, at the next start. Invariant: a file
//! belongs to one model; a line that cannot be read is as if it were not there, for all of it can be
//! made again. No text is in it.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::text::TextKey;
use crate::engine::Embedding;
use crate::label::LabelSet;
use crate::lines::{Durability, Lines};
use crate::score::Score;

/// Where the files are, in the cache folder.
const FOLDER: &str = "impressions";
/// Files of other models that are kept, of each kind: one may serve again.
const MOST_MODELS: usize = 4;
/// A file with more lines than this, and twice as many as texts, is begun anew.
const MOST_LINES: usize = 4 * super::MOST_ENTRIES;

/// What scores are kept for: part of a file's name. Files without it hold what a version says of
/// texts that it was taught on, at its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The memory, which believes a version less of such texts (`untaught`).
    Untaught,
    /// Jobs of consolidation, which ask a model without what was learnt of labels.
    Asked,
}

impl Kind {
    /// Another number where texts or labels are read in another way.
    fn name(self) -> &'static str {
        match self {
            Kind::Untaught => "untaught-3",
            Kind::Asked => "asked-2",
        }
    }
}

/// What a model made of one text.
#[derive(Clone, Debug, PartialEq)]
pub struct Impression {
    /// What the text is about.
    pub embedding: Embedding,
    /// How well labels fit it, by what the model reads of them.
    pub scores: BTreeMap<String, Score>,
}

/// What one model made of texts.
#[derive(Debug)]
pub struct Impressions {
    lines: Lines,
    known: HashMap<TextKey, Impression>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    text: String,
    vector: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    scores: BTreeMap<String, f32>,
}

impl Impressions {
    /// Opens, or begins, those of this kind of the model with this fingerprint.
    ///
    /// # Errors
    /// The cache folder cannot be read or written.
    pub fn open(cache: &Path, fingerprint: &str, kind: Kind) -> io::Result<Impressions> {
        let path = path(cache, fingerprint, kind);
        if !path.is_file() {
            make_room(&cache.join(FOLDER), kind);
        }
        let mut lines = Lines::open(&path)?;
        let bytes = lines.locked(Lines::news)??.bytes;
        let (mut known, mut count) = (HashMap::new(), 0);
        for line in bytes.split(|byte| *byte == b'\n') {
            count += 1;
            let read: Option<Line> = serde_json::from_slice(line).ok();
            known.extend(read.and_then(Line::read));
        }
        if count > MOST_LINES && count > 2 * known.len() {
            drop(lines);
            std::fs::remove_file(&path)?;
            return Ok(Impressions {
                lines: Lines::open(&path)?,
                known: HashMap::new(),
            });
        }
        Ok(Impressions { lines, known })
    }

    /// What the model made of a text, if these labels were among those that it was asked about.
    pub fn of(&self, text: TextKey, labels: &LabelSet) -> Option<&Impression> {
        let known = self.get(text)?;
        let mut labels = labels.labels().iter();
        let has_all = labels.all(|label| known.scores.contains_key(&*label.described()));
        has_all.then_some(known)
    }

    /// What the model made of a text, whatever it was asked about.
    pub fn get(&self, text: TextKey) -> Option<&Impression> {
        self.known.get(&text)
    }

    /// Keeps what the model made of texts.
    ///
    /// # Errors
    /// They cannot be written; they are known to this process all the same.
    pub fn keep(&mut self, made: Vec<(TextKey, Impression)>) -> io::Result<()> {
        let mut bytes = Vec::new();
        for (text, impression) in &made {
            let line = Line {
                text: text.to_string(),
                vector: hexadecimal(impression.embedding.codes()),
                scores: impression
                    .scores
                    .iter()
                    .map(|(name, score)| (name.clone(), score.value()))
                    .collect(),
            };
            serde_json::to_writer(&mut bytes, &line)?;
            bytes.push(b'\n');
        }
        self.known.extend(made);
        self.lines.locked(|lines| {
            lines.news()?; // What another process wrote meanwhile is its own.
            lines.append(&bytes, Durability::Written)
        })??;
        Ok(())
    }
}

/// Removes all that is kept: texts that are to be forgotten may have been among them.
///
/// # Errors
/// The folder cannot be removed.
pub fn forget_all(cache: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(cache.join(FOLDER)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn path(cache: &Path, fingerprint: &str, kind: Kind) -> PathBuf {
    // What it is computed in stands behind the hash.
    let (hash, precision) = fingerprint.split_once('-').unwrap_or((fingerprint, "f32"));
    let short = hash.get(..16).unwrap_or(hash);
    let name = format!("{short}.{precision}.{}", ending(kind));
    cache.join(FOLDER).join(name)
}

fn ending(kind: Kind) -> String {
    format!("{}.jsonl", kind.name())
}

/// Removes the files of a kind whose models were not asked for longest.
fn make_room(folder: &Path, kind: Kind) {
    let Ok(files) = std::fs::read_dir(folder) else {
        return;
    };
    let ending = ending(kind);
    let mut files: Vec<_> = files
        .filter_map(|file| {
            let file = file.ok()?;
            let is_of_kind = file.file_name().to_string_lossy().ends_with(&ending);
            is_of_kind.then_some(())?;
            Some((file.metadata().ok()?.modified().ok()?, file.path()))
        })
        .collect();
    files.sort();
    let surplus = (files.len() + 1).saturating_sub(MOST_MODELS);
    for (_, path) in files.into_iter().take(surplus) {
        let _ = std::fs::remove_file(path); // It is a cache; the next to come tries again.
    }
}

impl Line {
    fn read(self) -> Option<(TextKey, Impression)> {
        let codes = bytes(&self.vector)?.into_iter().map(u8::cast_signed);
        let scores = self.scores.into_iter();
        let scores = scores.map(|(name, score)| Some((name, Score::new(score)?)));
        let impression = Impression {
            embedding: Embedding::from_codes(codes.collect())?,
            scores: scores.collect::<Option<_>>()?,
        };
        Some((self.text.parse().ok()?, impression))
    }
}

fn hexadecimal(codes: &[i8]) -> String {
    let digits = |code: &i8| format!("{:02x}", code.cast_unsigned());
    codes.iter().map(digits).collect()
}

pub(super) fn bytes(hexadecimal: &str) -> Option<Vec<u8>> {
    if !hexadecimal.len().is_multiple_of(2) {
        return None;
    }
    let digits = hexadecimal.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn impression(score: f32) -> Impression {
        Impression {
            embedding: Embedding::from_codes(vec![-128, 0, 5, 127]).unwrap(),
            scores: BTreeMap::from([("tax".to_owned(), Score::new(score).unwrap())]),
        }
    }

    #[test]
    fn what_was_kept_is_there_at_the_next_start_and_the_latest_holds() {
        let dir = tempfile::tempdir().unwrap();
        let text = TextKey::new("a note");
        let mut first = Impressions::open(dir.path(), "model", Kind::Untaught).unwrap();
        first.keep(vec![(text, impression(0.25))]).unwrap();
        let mut second = Impressions::open(dir.path(), "model", Kind::Untaught).unwrap();
        let set = |names: &[&str]| LabelSet::from_names(names).unwrap();
        assert_eq!(second.of(text, &set(&["tax"])), Some(&impression(0.25)));
        second.keep(vec![(text, impression(0.75))]).unwrap();
        let third = Impressions::open(dir.path(), "model", Kind::Untaught).unwrap();
        assert_eq!(third.of(text, &set(&["tax"])), Some(&impression(0.75)));
        assert_eq!(third.of(text, &set(&["tax", "heron"])), None);
        let described = [("tax".to_owned(), "What is due.".to_owned())];
        let described = set(&["tax"]).with_descriptions(&described.into());
        assert_eq!(third.of(text, &described), None);
        for (model, kind) in [("other", Kind::Untaught), ("model", Kind::Asked)] {
            let other = Impressions::open(dir.path(), model, kind).unwrap();
            assert_eq!(other.of(text, &set(&["tax"])), None);
        }
    }

    #[test]
    fn lines_that_make_no_sense_are_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let text = TextKey::new("a note");
        let mut kept = Impressions::open(dir.path(), "model", Kind::Untaught).unwrap();
        kept.keep(vec![(text, impression(0.25))]).unwrap();
        let path = path(dir.path(), "model", Kind::Untaught);
        let mut bytes = std::fs::read(&path).unwrap();
        for line in [
            "{}",
            "nonsense",
            r#"{"text":"zz","vector":"7f"}"#,
            r#"{"text":"00","vector":"7"}"#,
        ] {
            bytes.extend(line.as_bytes());
            bytes.push(b'\n');
        }
        bytes.extend(br#"{"text":"torn"#);
        std::fs::write(&path, bytes).unwrap();
        let read = Impressions::open(dir.path(), "model", Kind::Untaught).unwrap();
        assert_eq!(read.known.len(), 1);
        let set = LabelSet::from_names(["tax"]).unwrap();
        assert_eq!(read.of(text, &set), Some(&impression(0.25)));
    }

    #[test]
    fn files_of_few_models_are_kept_and_all_can_be_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        for model in 0..10 {
            for kind in [Kind::Untaught, Kind::Asked] {
                Impressions::open(dir.path(), &format!("model {model}"), kind).unwrap();
            }
        }
        let files = std::fs::read_dir(dir.path().join(FOLDER)).unwrap().count();
        assert_eq!(files, 2 * MOST_MODELS);
        forget_all(dir.path()).unwrap();
        forget_all(dir.path()).unwrap();
        assert!(!dir.path().join(FOLDER).exists());
    }
}
