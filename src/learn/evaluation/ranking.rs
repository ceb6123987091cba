//! How well true labels are ranked before others: no threshold is needed.
//!
//! In: rows, and their decisions in descending order. Out: ROC AUC, average precision, LRAP, top-1.
//! Invariant: only the order of scores counts; a monotone change of all of them changes nothing.

use super::{LabelEvaluation, Scored};
use crate::model::calibration::reliability::Tied;

/// How well true labels are ranked before others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranking {
    /// Label ranking average precision: over the true labels of a row, the mean share of true ones
    /// among those ranked as high; a row with no true label, or only true ones, counts as 1.
    pub lrap: f64,
    /// The share of rows whose best label is true, of those that have a true one.
    pub top_1: Option<f64>,
    /// Mean over labels of the chance that a row with the label is scored above one without.
    pub roc_auc_macro: Option<f64>,
    /// That chance over all decisions.
    pub roc_auc_micro: Option<f64>,
    /// Mean over labels of the area under precision and recall.
    pub average_precision_macro: Option<f64>,
    /// That area over all decisions.
    pub average_precision_micro: Option<f64>,
}

pub(super) fn rank(
    rows: &[Scored],
    all: impl Iterator<Item = Tied> + Clone,
    labels: &[LabelEvaluation],
) -> Ranking {
    let mut by_rank = Vec::new();
    let lrap = mean(rows.iter().map(|row| row_precision(row, &mut by_rank)));
    let with_truth = rows.iter().filter(|row| row.has_positive());
    let top_1 = mean(with_truth.map(|row| f64::from(u8::from(row.truth[row.best()]))));
    Ranking {
        lrap: lrap.unwrap_or(1.0),
        top_1,
        roc_auc_macro: mean(labels.iter().filter_map(|label| label.roc_auc)),
        roc_auc_micro: roc_auc(all.clone()),
        average_precision_macro: mean(labels.iter().filter_map(|label| label.average_precision)),
        average_precision_micro: average_precision(all),
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, n) = values.fold((0.0, 0.0), |(sum, n), value| (sum + value, n + 1.0));
    (n > 0.0).then_some(sum / n)
}

/// The label ranking average precision of one row. Equal scores share the worst of their ranks.
fn row_precision(row: &Scored, by_rank: &mut Vec<(f32, bool)>) -> f64 {
    by_rank.clear();
    by_rank.extend(row.decisions().map(|(_, score, truth)| (score, truth)));
    by_rank.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    let (mut rank, mut n_true, mut sum) = (0.0, 0.0, 0.0);
    for tied in by_rank.chunk_by(|a, b| a.0 == b.0) {
        let true_here = tied.iter().filter(|(_, truth)| *truth).count() as f64;
        rank += tied.len() as f64;
        n_true += true_here;
        sum += true_here * n_true / rank;
    }
    if n_true == 0.0 { 1.0 } else { sum / n_true }
}

/// The area under the receiver operating characteristic: a tie is half a win.
///
/// Takes decisions in descending order; `None` where all agree.
pub fn roc_auc(descending: impl IntoIterator<Item = Tied>) -> Option<f64> {
    let (mut above, mut wins, mut negatives) = (0.0, 0.0, 0.0);
    for t in descending {
        wins += t.negative * (above + t.positive / 2.0);
        above += t.positive;
        negatives += t.negative;
    }
    (above > 0.0 && negatives > 0.0).then(|| wins / (above * negatives))
}

/// The area under precision over recall, in steps; `None` where nothing is true.
///
/// Takes decisions in descending order.
pub fn average_precision(descending: impl IntoIterator<Item = Tied>) -> Option<f64> {
    let (mut hits, mut predicted, mut sum) = (0.0, 0.0, 0.0);
    for t in descending {
        hits += t.positive;
        predicted += t.positive + t.negative;
        sum += t.positive * hits / predicted;
    }
    (hits > 0.0).then(|| sum / hits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn precision_of(scores: &[f32], truth: &[bool]) -> f64 {
        let labels: Vec<u32> = (0..scores.len() as u32).collect();
        let row = Scored::new(labels, scores.to_vec(), truth.to_vec()).unwrap();
        row_precision(&row, &mut Vec::new())
    }

    #[test]
    fn a_true_label_in_second_place_is_worth_a_half() {
        assert_eq!(precision_of(&[0.9, 0.5, 0.1], &[false, true, false]), 0.5);
        let two_of_four = precision_of(&[0.9, 0.5, 0.4, 0.1], &[true, false, false, true]);
        assert_eq!(two_of_four, 0.75);
    }

    #[test]
    fn a_tie_is_no_win() {
        assert_eq!(precision_of(&[0.5, 0.5], &[false, true]), 0.5);
        let tied = Tied {
            score: 0.5,
            positive: 3.0,
            negative: 5.0,
        };
        assert_eq!(roc_auc([tied]), Some(0.5));
        assert_eq!(average_precision([tied]), Some(3.0 / 8.0));
    }

    #[test]
    fn a_row_with_nothing_or_everything_true_is_ranked_right() {
        assert_eq!(precision_of(&[0.9, 0.1], &[false, false]), 1.0);
        assert_eq!(precision_of(&[0.9, 0.1], &[true, true]), 1.0);
    }

    #[test]
    fn curves_without_both_classes_are_not_defined() {
        let one = |positive, negative| Tied {
            score: 0.5,
            positive,
            negative,
        };
        assert_eq!(roc_auc([one(2.0, 0.0)]), None);
        assert_eq!(roc_auc([one(0.0, 2.0)]), None);
        assert_eq!(average_precision([one(0.0, 2.0)]), None);
        assert_eq!(average_precision([one(2.0, 0.0)]), Some(1.0));
    }
}
