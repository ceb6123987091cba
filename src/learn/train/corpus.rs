//! All rows of a recipe in memory: files in, sources with their label spaces and held-out rows out.
//!
//! Invariant: what is held out is decided by the text alone, so it stays out whatever else changes.

mod files;
mod journal;

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use super::TrainError;
use super::recipe::{Format, Recipe};
use crate::label::{MAX_NAME_CHARS, fold};
use crate::learn::dataset::{Row, RowKind, open_any};
use crate::model::random::Random;
pub(super) use files::files;
use files::of_sources;

/// How many faulty rows are named.
const NAMED: usize = 10;

/// The rows that are trained on, and those that are not.
pub(super) struct Corpus {
    pub(super) sources: Vec<Source>,
    pub(super) spaces: Vec<Space>,
    pub(super) held_out: Vec<TrainRow>,
    pub(super) faults: Faults,
}

/// Rows with one weight.
pub(super) struct Source {
    pub(super) weight: f64,
    pub(super) rows: Vec<TrainRow>,
}

/// A row whose labels are numbers in its file's space.
#[derive(Clone)]
pub(super) struct TrainRow {
    pub(super) text: String,
    pub(super) labels: Vec<u32>,
    pub(super) not_labels: Vec<u32>,
    pub(super) space: usize,
    pub(super) is_correction: bool,
}

/// The labels of one file, each once: spellings that differ in case, `_`, `-` and blanks are one.
#[derive(Default)]
pub(super) struct Space {
    /// As they are spelled first.
    pub(super) labels: Vec<String>,
    /// What makes each of them one label, whatever its file.
    pub(super) folded: Vec<String>,
    /// Hashes of each label's trigrams, ascending.
    pub(super) trigrams: Vec<Vec<u32>>,
    /// By `folded`.
    numbers: HashMap<String, u32>,
}

/// Rows that could not be used.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// How many.
    pub count: usize,
    /// The first ten, with file and line.
    pub named: Vec<String>,
}

impl Faults {
    /// One more.
    pub(super) fn add(&mut self, fault: impl ToString) {
        self.count += 1;
        if self.named.len() < NAMED {
            self.named.push(fault.to_string());
        }
    }
}

impl Space {
    /// The number of a label, a new one where it has none.
    pub(super) fn number(&mut self, label: &str) -> u32 {
        let folded = fold(label);
        if let Some(number) = self.numbers.get(&folded) {
            return *number;
        }
        let number = self.labels.len() as u32;
        self.labels.push(label.to_owned());
        self.trigrams.push(trigrams(label));
        self.folded.push(folded.clone());
        self.numbers.insert(folded, number);
        number
    }

    /// Shared trigrams of two labels, as a share of both.
    pub(super) fn likeness(&self, a: u32, b: u32) -> f64 {
        let (a, b) = (&self.trigrams[a as usize], &self.trigrams[b as usize]);
        let shared = a.iter().filter(|x| b.binary_search(x).is_ok()).count();
        2.0 * shared as f64 / (a.len() + b.len()).max(1) as f64
    }
}

fn trigrams(label: &str) -> Vec<u32> {
    let padded: Vec<char> = format!(" {} ", label.to_lowercase()).chars().collect();
    let hashes = padded.windows(3).map(|three| {
        three
            .iter()
            .fold(17_u32, |hash, c| hash.wrapping_mul(0x0100_0193) ^ *c as u32)
    });
    hashes.collect::<BTreeSet<_>>().into_iter().collect()
}

impl Corpus {
    /// Reads all files of the recipe; what the training has `written` is no data.
    pub(super) fn read(recipe: &Recipe, written: &[PathBuf]) -> Result<Corpus, TrainError> {
        let mut corpus = Corpus {
            sources: Vec::new(),
            spaces: Vec::new(),
            held_out: Vec::new(),
            faults: Faults::default(),
        };
        let mut n_files = 0;
        for (source, files) in recipe.data.iter().zip(of_sources(recipe, written)?) {
            let mut rows = Vec::new();
            for file in &files {
                let mut own = corpus.file(file, source.format, recipe.evaluation.holdout)?;
                if let Some(cap) = source.cap.filter(|cap| *cap < own.len()) {
                    let salt = hash(
                        file.file_name()
                            .map_or("".into(), |n| n.to_string_lossy())
                            .as_ref(),
                    );
                    Random::new(&[recipe.seed, 2, salt]).shuffle(&mut own);
                    own.truncate(cap);
                }
                rows.extend(own);
            }
            n_files += files.len();
            corpus.sources.push(Source {
                weight: source.weight,
                rows,
            });
        }
        corpus.sources.retain(|source| !source.rows.is_empty());
        if corpus.sources.is_empty() {
            return Err(TrainError::NoRows {
                files: n_files,
                held_out: corpus.held_out.len(),
                faults: corpus.faults,
            });
        }
        Random::new(&[recipe.seed, 3]).shuffle(&mut corpus.held_out);
        corpus.held_out.truncate(recipe.evaluation.rows);
        Ok(corpus)
    }

    /// A number that is another one for other rows.
    pub(super) fn identity(&self) -> u64 {
        let trained = self.sources.iter().flat_map(|source| &source.rows);
        let all = trained.chain(&self.held_out);
        all.fold(0, |sum, row| {
            let labels = &self.spaces[row.space].labels;
            let names = |numbers: &[u32]| {
                let names = numbers.iter().map(|n| labels[*n as usize].as_str());
                names.collect::<Vec<_>>().join("\n")
            };
            let row = [&row.text, &names(&row.labels), &names(&row.not_labels)];
            row.iter().fold(sum, |sum, part| {
                Random::new(&[sum, hash(part)]).bits() // In their order.
            })
        })
    }

    /// The rows of one file that are trained on; the others go where they belong.
    fn file(
        &mut self,
        path: &Path,
        format: Format,
        holdout: f64,
    ) -> Result<Vec<TrainRow>, TrainError> {
        let space = self.spaces.len();
        self.spaces.push(Space::default());
        let (mut rows, mut held_out) = (Vec::new(), Vec::new());
        let may_be_ours = matches!(format, Format::Auto | Format::Corrections);
        let ours = may_be_ours.then(|| journal::rows(path)).flatten();
        let all = match ours {
            Some(rows) => rows,
            None => Box::new(open_any(path)?.map(|row| row.map_err(|fault| fault.to_string()))),
        };
        for row in all {
            let row = row.and_then(|row| {
                let row = self.row(row, space, format);
                row.map_err(|(line, fact)| format!("{}:{line}: {fact}", path.display()))
            });
            match row {
                Ok(row) => {
                    let share = (hash(row.text.trim()) >> 11) as f64 / (1_u64 << 53) as f64;
                    let is_held_out = share < holdout;
                    let rows = match is_held_out {
                        true => &mut held_out,
                        false => &mut rows,
                    };
                    rows.push(row);
                }
                Err(fault) => self.faults.add(fault),
            }
        }
        if self.spaces[space].labels.is_empty() && !(rows.is_empty() && held_out.is_empty()) {
            // Rows that nothing fits teach and tell something only beside labels that fit others.
            self.faults.add(format_args!(
                "{}: no row of this file has a label",
                path.display()
            ));
            self.faults.count += rows.len() + held_out.len() - 1;
            return Ok(Vec::new());
        }
        self.held_out.append(&mut held_out);
        Ok(rows)
    }

    fn row(&mut self, row: Row, space: usize, format: Format) -> Result<TrainRow, (usize, String)> {
        let fail = |fact: &str| Err((row.line, fact.to_owned()));
        match (format, row.kind) {
            (Format::Jsonl, RowKind::Gliclass | RowKind::Correction) => {
                return fail("not a row with `labels`, as `format = \"jsonl\"` says");
            }
            (Format::Gliclass, RowKind::Plain | RowKind::Correction) => {
                return fail("no `true_labels`, as `format = \"gliclass\"` says");
            }
            (Format::Corrections, RowKind::Plain | RowKind::Gliclass) => {
                return fail("no `accepted` or `rejected`, as `format = \"corrections\"` says");
            }
            _ => {}
        }
        if row.text.trim().is_empty() {
            return fail("the text is empty; remove the row");
        }
        let says_nothing = row.labels.is_empty() && row.not_labels.is_empty();
        if says_nothing && row.kind == RowKind::Correction {
            return fail("nothing accepted and nothing rejected; remove the row");
        }
        let mut all = row.labels.iter().chain(&row.not_labels);
        if all.any(|label| label.chars().count() > MAX_NAME_CHARS) {
            return fail(&format!(
                "a label has more than {MAX_NAME_CHARS} characters, and no label set takes it; shorten it"
            ));
        }
        let fits: BTreeSet<String> = row.labels.iter().map(|label| fold(label)).collect();
        let (twice, not_labels): (Vec<String>, Vec<String>) = row
            .not_labels
            .into_iter()
            .partition(|label| fits.contains(&fold(label)));
        // Of all candidates of a row some may be there twice.
        if !twice.is_empty() && row.kind == RowKind::Plain {
            return fail(
                "a label is in `labels` and, spelled otherwise, in `not_labels`; remove it from one",
            );
        }
        let own = &mut self.spaces[space];
        Ok(TrainRow {
            labels: numbers(own, &row.labels),
            not_labels: numbers(own, &not_labels),
            text: row.text,
            space,
            is_correction: row.kind == RowKind::Correction,
        })
    }
}

/// The numbers of labels, each once.
fn numbers(space: &mut Space, labels: &[String]) -> Vec<u32> {
    let mut seen = BTreeSet::new();
    let numbers = labels.iter().map(|label| space.number(label));
    numbers.filter(|number| seen.insert(*number)).collect()
}

/// FNV-1a: the same on every machine and in every version.
pub(super) fn hash(text: &str) -> u64 {
    let bytes = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    Random::new(&[bytes]).bits() // Its own high bits are poor for short texts.
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of a file, and what is wrong with the others.
    fn read(rows: &str) -> (Corpus, Faults) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.jsonl"), rows).unwrap();
        let recipe = Recipe {
            folder: folder.path().to_owned(),
            ..Recipe::parse("[[data]]\nfiles = \"a.jsonl\"\n").unwrap()
        };
        let mut corpus = Corpus::read(&recipe, &[]).unwrap();
        let faults = std::mem::take(&mut corpus.faults);
        (corpus, faults)
    }

    #[test]
    fn spellings_of_a_label_are_one_label() {
        let (corpus, faults) = read(
            "{\"text\": \"a\", \"labels\": [\"Sourdough Bread\", \"sourdough-bread\", \"C++\"]}\n\
             {\"text\": \"b\", \"labels\": [\"sourdough_bread\"], \"not_labels\": [\"c\"]}\n\
             {\"text\": \"c\", \"all_labels\": [\"C\", \"c++\"], \"true_labels\": [\"c\"]}\n\
             {\"text\": \"d\", \"all_labels\": [\"C\", \"c\"], \"true_labels\": [\"c\"]}\n",
        );
        assert_eq!(faults.count, 0, "{faults:?}");
        assert_eq!(corpus.spaces[0].labels, ["Sourdough Bread", "C++", "c"]);
        let rows = corpus.sources[0].rows.iter();
        let numbers: Vec<_> = rows
            .map(|row| (&row.labels[..], &row.not_labels[..]))
            .collect();
        assert_eq!(
            numbers,
            [
                (&[0, 1][..], &[][..]),
                (&[0], &[2]),
                (&[2], &[1]),
                (&[2], &[])
            ]
        );
    }

    #[test]
    fn a_label_that_fits_and_does_not_in_two_spellings_and_one_that_is_no_name_are_faults() {
        let long = "x".repeat(MAX_NAME_CHARS + 1);
        let (corpus, faults) = read(&format!(
            "{{\"text\": \"a\", \"labels\": [\"Sea\"], \"not_labels\": [\"sea\"]}}\n\
             {{\"text\": \"b\", \"labels\": [\"{long}\"]}}\n\
             {{\"text\": \"c\", \"labels\": [\"{}\"]}}\n",
            &long[1..]
        ));
        assert_eq!(corpus.sources[0].rows.len(), 1);
        assert_eq!(corpus.spaces[0].labels, [&long[1..]]);
        assert!(
            faults.named[0].contains("a.jsonl:1: a label is in `labels` and"),
            "{faults:?}"
        );
        assert!(
            faults.named[1].contains("a.jsonl:2: a label has more than 200"),
            "{faults:?}"
        );
    }
}
