//! All rows of a recipe in memory: files in, sources with their label spaces and held-out rows out.
//!
//! Invariant: what is held out is decided by the text alone, so it stays out whatever else changes.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use globset::GlobBuilder;

use super::TrainError;
use super::recipe::{Format, Paths, Recipe};
use crate::learn::dataset::{Row, RowKind, open_any};
use crate::model::random::Random;

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

/// The labels of one file.
#[derive(Default)]
pub(super) struct Space {
    pub(super) labels: Vec<String>,
    /// Hashes of each label's trigrams, ascending.
    pub(super) trigrams: Vec<Vec<u32>>,
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

impl Space {
    /// The number of a label, a new one where it has none.
    pub(super) fn number(&mut self, label: &str) -> u32 {
        if let Some(number) = self.numbers.get(label) {
            return *number;
        }
        let number = self.labels.len() as u32;
        self.labels.push(label.to_owned());
        self.trigrams.push(trigrams(label));
        self.numbers.insert(label.to_owned(), number);
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
    /// Reads all files of the recipe.
    pub(super) fn read(recipe: &Recipe) -> Result<Corpus, TrainError> {
        let mut corpus = Corpus {
            sources: Vec::new(),
            spaces: Vec::new(),
            held_out: Vec::new(),
            faults: Faults::default(),
        };
        let mut n_files = 0;
        for source in &recipe.data {
            let mut files = files(&source.files)?;
            let excluded: BTreeSet<PathBuf> = files_if_any(&source.exclude)?.into_iter().collect();
            files.retain(|file| !excluded.contains(file));
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
                faults: corpus.faults.count,
            });
        }
        Random::new(&[recipe.seed, 3]).shuffle(&mut corpus.held_out);
        corpus.held_out.truncate(recipe.evaluation.rows);
        Ok(corpus)
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
        let mut rows = Vec::new();
        for row in open_any(path)? {
            let fault = match row {
                Ok(row) => match self.row(row, space, format) {
                    Ok(row) => {
                        let share = (hash(row.text.trim()) >> 11) as f64 / (1_u64 << 53) as f64;
                        let rows = if share < holdout {
                            &mut self.held_out
                        } else {
                            &mut rows
                        };
                        rows.push(row);
                        continue;
                    }
                    Err((line, fact)) => format!("{}:{line}: {fact}", path.display()),
                },
                Err(fault) => fault.to_string(),
            };
            self.faults.count += 1;
            if self.faults.named.len() < NAMED {
                self.faults.named.push(fault);
            }
        }
        if self.spaces[space].labels.is_empty() && !rows.is_empty() {
            // Rows that nothing fits teach only beside labels that fit others.
            self.faults.count += rows.len();
            let fault = format!("{}: no row of this file has a label", path.display());
            self.faults.named.push(fault);
            self.faults.named.truncate(NAMED);
            rows.clear();
        }
        Ok(rows)
    }

    fn row(
        &mut self,
        row: Row,
        space: usize,
        format: Format,
    ) -> Result<TrainRow, (usize, &'static str)> {
        let fail = |fact| Err((row.line, fact));
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
        let own = &mut self.spaces[space];
        let numbers = |own: &mut Space, labels: &[String]| {
            labels.iter().map(|label| own.number(label)).collect()
        };
        Ok(TrainRow {
            labels: numbers(own, &row.labels),
            not_labels: numbers(own, &row.not_labels),
            text: row.text,
            space,
            is_correction: row.kind == RowKind::Correction,
        })
    }
}

/// FNV-1a: the same on every machine and in every version.
pub(super) fn hash(text: &str) -> u64 {
    let bytes = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    Random::new(&[bytes]).bits() // Its own high bits are poor for short texts.
}

/// The files that paths and patterns name, sorted; each must name one.
pub(super) fn files(paths: &Paths) -> Result<Vec<PathBuf>, TrainError> {
    let mut files = Vec::new();
    for pattern in paths.all() {
        let found = matching(pattern)?;
        if found.is_empty() {
            return Err(TrainError::NoFiles(pattern.clone()));
        }
        files.extend(found);
    }
    files.sort();
    files.dedup();
    Ok(files)
}

fn files_if_any(paths: &Paths) -> Result<Vec<PathBuf>, TrainError> {
    let found: Result<Vec<_>, _> = paths
        .all()
        .iter()
        .map(|pattern| matching(pattern))
        .collect();
    Ok(found?.concat())
}

fn matching(pattern: &str) -> Result<Vec<PathBuf>, TrainError> {
    let path = Path::new(pattern);
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let glob = GlobBuilder::new(pattern).literal_separator(true).build();
    let glob = glob.map_err(|error| TrainError::Pattern {
        pattern: pattern.to_owned(),
        fact: error.kind().to_string(),
    })?;
    let is_plain = |part: &std::path::Component| {
        let text = part.as_os_str().to_string_lossy();
        !text.contains(['*', '?', '[', '{'])
    };
    let base: PathBuf = path.components().take_while(is_plain).collect();
    let mut found = Vec::new();
    collect(&base, &glob.compile_matcher(), &mut found);
    Ok(found)
}

fn collect(folder: &Path, glob: &globset::GlobMatcher, found: &mut Vec<PathBuf>) {
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let path = path.strip_prefix("./").map(Path::to_owned).unwrap_or(path);
        if path.is_dir() {
            collect(&path, glob, found);
        } else if glob.is_match(&path) {
            found.push(path);
        }
    }
}
