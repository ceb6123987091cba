//! What a training is measured on: held-out rows and labelled files in, sets with their truth out.
//!
//! Invariant: each set has a name of its own; a row that cannot be used is told of.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::learn::dataset::{DataSet, DatasetError};
use crate::learn::train::corpus::{Corpus, Faults, TrainRow};
use crate::model::random::Random;

/// What the held-out rows are called.
pub(super) const HELD_OUT: &str = "holdout";
/// What rows are called that were trained on, and are measured where no others are.
pub(super) const SEEN: &str = "rows it was trained on";
/// Most labels that a held-out row is measured against beyond its own, where it says of none that it
/// is wrong.
const OTHERS: usize = 30;

/// A text, its candidate labels, and whether each of them fits.
type Row = (String, Arc<[u32]>, Vec<bool>);

/// One set of rows with known truth.
pub(super) struct Set {
    pub(super) name: String,
    pub(super) labels: Vec<String>,
    pub(super) rows: Vec<Row>,
    /// Whether these are rows that are trained on.
    pub(super) is_seen: bool,
}

impl Set {
    /// Whether some row has labels that are true and labels that are not: else any model ranks all
    /// of them right.
    pub(super) fn can_be_ranked(&self) -> bool {
        self.rows.iter().any(|(_, _, truth)| is_mixed(truth))
    }

    /// Whether some label of some row is true, and some is not: else any model can have all of them
    /// right.
    pub(super) fn can_be_decided(&self) -> bool {
        let has = |which| self.rows.iter().any(|(_, _, truth)| truth.contains(&which));
        has(true) && has(false)
    }
}

/// Whether a row tells how well labels are ranked.
pub(super) fn is_mixed(truth: &[bool]) -> bool {
    truth.contains(&true) && truth.contains(&false)
}

/// At most `most` rows of a labelled file. Those that cannot be used are among `faults`.
///
/// # Errors
/// Files that cannot be read, or where no row names a label.
pub(super) fn of_file(
    path: &Path,
    most: usize,
    seed: u64,
    faults: &mut Faults,
) -> Result<Set, DatasetError> {
    let (set, _) = DataSet::find(path)?;
    let mut n = 0;
    for case in set.cases()? {
        match case {
            Ok(_) => n += 1,
            Err(fault) => faults.add(fault),
        }
    }
    // Which rows is drawn before one is kept: the others need not fit into memory.
    let mut drawn: Vec<usize> = (0..n).collect();
    Random::new(&[seed, 7]).shuffle(&mut drawn);
    drawn.truncate(most);
    let places: HashMap<usize, usize> = drawn.into_iter().zip(0..).collect();
    let usable = set.cases()?.filter_map(Result::ok).enumerate();
    let rows = usable.filter_map(|(at, case)| {
        let row = (case.row.text, case.candidates, case.truth);
        Some((*places.get(&at)?, row))
    });
    let rows: BTreeMap<usize, Row> = rows.collect();
    Ok(Set {
        name: set.name.clone(),
        labels: set.labels.names().to_vec(),
        rows: rows.into_values().collect(),
        is_seen: false,
    })
}

/// Gives sets whose files have one name those of their folders, too.
pub(super) fn name_apart(sets: &mut [(PathBuf, Set)]) {
    for at in 0..sets.len() {
        let is_taken = |sets: &[(PathBuf, Set)], name: &str| {
            let mut others = sets.iter().enumerate().filter(|(other, _)| *other != at);
            name == HELD_OUT || others.any(|(_, (_, other))| other.name == name)
        };
        let mut folders = sets[at].0.clone();
        while is_taken(sets, &sets[at].1.name) {
            if !folders.pop() {
                break;
            }
            match folders.file_name() {
                Some(folder) => {
                    let set = &mut sets[at].1;
                    set.name = format!("{}/{}", folder.to_string_lossy(), set.name);
                }
                None => {
                    sets[at].1.name += " (file)";
                }
            }
        }
    }
}

/// Held-out rows with the labels that each is measured against.
pub(super) fn held_out(corpus: &Corpus, seed: u64) -> Set {
    Set {
        name: HELD_OUT.to_owned(),
        labels: labels(corpus),
        rows: with_candidates(corpus, corpus.held_out.iter(), seed),
        is_seen: false,
    }
}

/// At most `most` of the rows that are trained on, always the same, in the same form.
pub(super) fn seen(corpus: &Corpus, most: usize, seed: u64) -> Set {
    let mut rows: Vec<&TrainRow> = corpus.sources.iter().flat_map(|s| &s.rows).collect();
    Random::new(&[seed, 9]).shuffle(&mut rows);
    rows.truncate(most);
    Set {
        name: SEEN.to_owned(),
        labels: labels(corpus),
        rows: with_candidates(corpus, rows.into_iter(), seed),
        is_seen: true,
    }
}

/// The labels of all files, one file after another.
fn labels(corpus: &Corpus) -> Vec<String> {
    let spaces = corpus.spaces.iter();
    spaces
        .flat_map(|space| space.labels.iter().cloned())
        .collect()
}

/// Rows with the labels that each is measured against; a label's number runs over all files.
///
/// Their order is chance's, always the same: where scores are equal the first label is the best one,
/// and some layouts read labels one after another, so a place must not tell which labels fit.
fn with_candidates<'a>(
    corpus: &Corpus,
    rows: impl Iterator<Item = &'a TrainRow>,
    seed: u64,
) -> Vec<Row> {
    let mut starts = vec![0_u32];
    for space in &corpus.spaces {
        starts.push(starts.last().copied().unwrap_or(0) + space.labels.len() as u32);
    }
    let row = |(row, number): (&TrainRow, u64)| {
        let wrong = wrong(row, corpus.spaces[row.space].labels.len(), seed, number);
        let fit = row.labels.iter().map(|label| (*label, true));
        let mut judged: Vec<(u32, bool)> = fit
            .chain(wrong.into_iter().map(|label| (label, false)))
            .collect();
        Random::new(&[seed, 10, number]).shuffle(&mut judged);
        let candidates = judged.iter().map(|(label, _)| starts[row.space] + label);
        let truth = judged.iter().map(|(_, fits)| *fits);
        (row.text.clone(), candidates.collect(), truth.collect())
    };
    rows.zip(0..).map(row).collect()
}

/// The labels that are wrong for a row: those it says are, else the others of its file's `n_labels`,
/// at most `OTHERS`, always the same. Of what a correction does not speak, nothing is known.
fn wrong(row: &TrainRow, n_labels: usize, seed: u64, number: u64) -> Vec<u32> {
    if row.is_correction || !row.not_labels.is_empty() {
        return row.not_labels.clone();
    }
    let others = (0..n_labels as u32).filter(|label| !row.labels.contains(label));
    let mut others: Vec<u32> = others.collect();
    Random::new(&[seed, 8, number]).shuffle(&mut others);
    others.truncate(OTHERS);
    others
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::train::corpus::Space;

    fn row(labels: &[u32], not_labels: &[u32]) -> TrainRow {
        TrainRow {
            text: "Bread.".to_owned(),
            labels: labels.to_vec(),
            not_labels: not_labels.to_vec(),
            space: 0,
            is_correction: false,
        }
    }

    #[test]
    fn a_row_that_says_of_no_label_that_it_is_wrong_is_measured_against_the_others_of_its_file() {
        let mut others = wrong(&row(&[1, 3], &[]), 5, 7, 0);
        others.sort_unstable();
        assert_eq!(others, [0, 2, 4]);
    }

    #[test]
    fn what_a_row_says_is_wrong_is_all_that_is() {
        assert_eq!(wrong(&row(&[1], &[4, 2]), 9, 7, 0), [4, 2]);
        let correction = TrainRow {
            is_correction: true,
            ..row(&[1], &[])
        };
        assert!(wrong(&correction, 9, 7, 0).is_empty());
    }

    #[test]
    fn of_many_others_some_are_taken_and_each_time_the_same() {
        let of = |number| wrong(&row(&[1], &[]), 2_000, 7, number);
        assert_eq!(of(0).len(), OTHERS);
        assert!(!of(0).contains(&1));
        assert_eq!(of(0), of(0));
        assert_ne!(of(0), of(1));
    }

    #[test]
    fn the_place_of_a_label_does_not_tell_whether_it_fits() {
        let mut space = Space::default();
        ["sun", "rain", "snow", "wind", "fog"]
            .iter()
            .for_each(|label| _ = space.number(label));
        let corpus = Corpus {
            sources: Vec::new(),
            spaces: vec![space],
            held_out: (0..200).map(|_| row(&[1, 3], &[])).collect(),
            faults: Faults::default(),
        };
        let set = held_out(&corpus, 7);
        let mut first_fits = 0;
        for (_, candidates, truth) in &set.rows {
            let fit = candidates.iter().zip(truth).filter(|(_, fits)| **fits);
            let mut fit: Vec<u32> = fit.map(|(label, _)| *label).collect();
            fit.sort_unstable();
            assert_eq!((candidates.len(), fit), (5, vec![1, 3]));
            first_fits += usize::from(truth[0]);
        }
        // Two of five fit.
        assert!((60..100).contains(&first_fits), "{first_fits} of 200");
        assert_eq!(held_out(&corpus, 7).rows, set.rows);
    }

    fn set(name: &str, truths: &[&[bool]]) -> Set {
        let row = |truth: &&[bool]| {
            let candidates = (0..truth.len() as u32).collect();
            (String::new(), candidates, truth.to_vec())
        };
        Set {
            name: name.to_owned(),
            labels: Vec::new(),
            rows: truths.iter().map(row).collect(),
            is_seen: false,
        }
    }

    #[test]
    fn what_any_model_has_right_tells_nothing() {
        let of = |truths: &[&[bool]]| {
            let set = set("x", truths);
            (set.can_be_ranked(), set.can_be_decided())
        };
        assert_eq!(of(&[]), (false, false));
        assert_eq!(of(&[&[true, true], &[true]]), (false, false));
        assert_eq!(of(&[&[false]]), (false, false));
        assert_eq!(of(&[&[true], &[false]]), (false, true));
        assert_eq!(of(&[&[true], &[true, false]]), (true, true));
    }

    #[test]
    fn sets_of_one_name_are_told_apart_by_their_folders() {
        let paths = [
            "d/x/test.jsonl",
            "d/y/test.jsonl",
            "d/other.jsonl",
            "holdout.jsonl",
        ];
        let names = ["test", "test", "other", HELD_OUT];
        let sets = paths.iter().zip(names);
        let mut sets: Vec<(PathBuf, Set)> = sets
            .map(|(path, name)| (PathBuf::from(path), set(name, &[])))
            .collect();
        name_apart(&mut sets);
        let names: Vec<&str> = sets.iter().map(|(_, set)| set.name.as_str()).collect();
        assert_eq!(names, ["x/test", "test", "other", "holdout (file)"]);
    }

    #[test]
    fn of_many_rows_chance_draws_some_and_each_time_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.jsonl");
        let row = |n: usize| format!("{{\"text\": \"row {n}\", \"labels\": [\"x\"]}}\n");
        let rows: Vec<String> = (0..30).map(row).collect();
        std::fs::write(&path, format!("rubbish\n{}", rows.concat())).unwrap();
        let mut expected: Vec<String> = (0..30).map(|n| format!("row {n}")).collect();
        Random::new(&[5, 7]).shuffle(&mut expected);
        for most in [4, 100] {
            let set = of_file(&path, most, 5, &mut Faults::default()).unwrap();
            let texts: Vec<&String> = set.rows.iter().map(|(text, _, _)| text).collect();
            let expected: Vec<&String> = expected.iter().take(most).collect();
            assert_eq!(texts, expected);
        }
    }

    #[test]
    fn a_row_that_cannot_be_used_is_told_of() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.jsonl");
        std::fs::write(
            &path,
            "{\"text\": \"a\", \"labels\": [\"x\"]}\n{\"text\": \"b\", \"labels\": [\"z\"]}\nrubbish\n",
        )
        .unwrap();
        std::fs::write(folder.path().join("d.labels.json"), r#"["x", "y"]"#).unwrap();
        let mut faults = Faults::default();
        let set = of_file(&path, 10, 7, &mut faults).unwrap();
        assert_eq!((set.rows.len(), faults.count), (1, 2));
        assert!(
            faults.named[0].contains("d.jsonl:2: label `z`"),
            "{faults:?}"
        );
    }
}
