//! Decisions to fit a calibration on: labelled files in, samples of all views out.
//!
//! Every file is a label space of its own. Rows are drawn by the hash of their text, so that the
//! same files give the same samples; each row meets its own labels and a draw of the others, in
//! the numbers that label sets have.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::dataset::{Case, DataSet};
use super::scoring::{ScoringError, views};
use crate::engine::Engine;
use crate::model::calibration::sample::{Sample, row_weight};

/// How rows and labels are drawn.
#[derive(Clone, Copy, Debug)]
pub struct Draw {
    /// Most rows of one file.
    pub rows: usize,
    /// Most labels that a row meets, its own included.
    pub labels: usize,
}

/// How decisions of rows with many and few labels are balanced: halfway (see `row_weight`).
const ROW_WEIGHT_POWER: f32 = 0.5;

/// The cases of a data set that are drawn, each with a draw of its candidates. Twice as many as are
/// drawn are held at most.
pub fn draw(cases: impl IntoIterator<Item = Case>, draw: &Draw) -> Vec<Case> {
    let mut keyed: Vec<(u64, Case)> = Vec::new();
    let cut = |keyed: &mut Vec<(u64, Case)>| {
        keyed.sort_by_key(|(key, _)| *key);
        keyed.truncate(draw.rows);
    };
    for case in cases {
        keyed.push((hash(&[case.row.text.as_bytes()]), case));
        if keyed.len() > draw.rows.saturating_mul(2) {
            cut(&mut keyed);
        }
    }
    cut(&mut keyed);
    keyed
        .into_iter()
        .map(|(key, case)| with_drawn_labels(case, key, draw.labels))
        .collect()
}

/// The case with its true labels and so many others that the total varies from a fifth of `most` to `most`.
fn with_drawn_labels(case: Case, key: u64, most: usize) -> Case {
    let fewest = most / 5;
    let wanted = fewest + (key % (most - fewest + 1) as u64) as usize;
    let mut order: Vec<usize> = (0..case.candidates.len()).collect();
    let rank = |i: &usize| {
        (
            !case.truth[*i],
            hash(&[&key.to_le_bytes(), &case.candidates[*i].to_le_bytes()]),
        )
    };
    order.sort_by_key(rank);
    order.truncate(wanted.max(case.truth.iter().filter(|t| **t).count() + 1));
    order.sort_unstable(); // True labels must not stand first.
    let candidates: Arc<[u32]> = order.iter().map(|i| case.candidates[*i]).collect();
    let truth = order.iter().map(|i| case.truth[*i]).collect();
    Case {
        row: case.row,
        candidates,
        truth,
    }
}

/// The decisions of drawn cases, as label space `group`.
///
/// # Errors
/// Of the engine.
pub fn samples(
    engine: &Engine,
    set: &DataSet,
    cases: &[Case],
    group: u32,
) -> Result<Vec<Sample>, ScoringError> {
    let mut samples = Vec::new();
    for (row, (case, (candidates, views))) in
        (0..).zip(cases.iter().zip(views(engine, set, cases)?))
    {
        let weight = row_weight(case.candidates.len(), ROW_WEIGHT_POWER);
        for (label, positive) in candidates.labels.iter().zip(&case.truth) {
            let column = label.and_then(|label| candidates.vocabulary.column(label));
            if let Some(cosines) = column.and_then(|column| views.cosines(column)) {
                samples.push(Sample {
                    joint: cosines.joint,
                    embed: cosines.embed.unwrap_or(0.0),
                    tokens: cosines.tokens.unwrap_or(0.0),
                    positive: *positive,
                    weight,
                    group,
                    row,
                });
            }
        }
    }
    Ok(samples)
}

fn hash(parts: &[&[u8]]) -> u64 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    let digest = hash.finalize();
    u64::from_le_bytes(digest[..8].try_into().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::learn::dataset::{Row, RowKind};

    fn case(text: &str, truth: &[usize]) -> Case {
        Case {
            row: Row {
                text: text.into(),
                labels: Vec::new(),
                not_labels: Vec::new(),
                source: None,
                line: 1,
                kind: RowKind::Plain,
            },
            candidates: (0..100).collect(),
            truth: (0..100).map(|i| truth.contains(&i)).collect(),
        }
    }

    #[test]
    fn a_drawn_row_keeps_all_its_true_labels_and_some_others() {
        let drawn = draw(
            [case("a", &[3, 99]), case("b", &[50])],
            &Draw {
                rows: 9,
                labels: 20,
            },
        );
        for case in &drawn {
            assert!(
                (4..=20).contains(&case.candidates.len()),
                "{}",
                case.candidates.len()
            );
            assert!(case.candidates.is_sorted());
            let n_true = case.truth.iter().filter(|t| **t).count();
            assert_eq!(n_true, if case.row.text == "a" { 2 } else { 1 });
        }
        assert_eq!(drawn.len(), 2);
    }

    #[test]
    fn rows_that_are_not_drawn_are_let_go_before_all_are_read() {
        let rows = || (0..100).map(|i| case(&format!("text {i}"), &[i]));
        let some = |rows| Draw { rows, labels: 10 };
        let mut expected = draw(rows(), &some(usize::MAX));
        assert_eq!(expected.len(), 100);
        expected.truncate(3);
        // Each case that is held holds this list.
        let list: Arc<[u32]> = (0..100).collect();
        let most = Cell::new(0);
        let counted = rows().map(|case| {
            most.set(most.get().max(Arc::strong_count(&list) - 1));
            let candidates = Arc::clone(&list);
            Case { candidates, ..case }
        });
        assert_eq!(draw(counted, &some(3)), expected);
        assert!(most.get() <= 6, "{}", most.get());
        assert!(draw(rows(), &some(0)).is_empty());
    }

    #[test]
    fn the_draw_does_not_depend_on_the_order_of_rows() {
        let rows = || (0..30).map(|i| case(&format!("text {i}"), &[i]));
        let some = Draw {
            rows: 7,
            labels: 10,
        };
        assert_eq!(draw(rows(), &some), draw(rows().rev(), &some));
        assert_eq!(draw(rows(), &some).len(), 7);
    }
}
