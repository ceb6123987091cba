//! Where labels exclude each other: the best label of each row against the true one.
//!
//! Invariant: rows without a true label do not count. A row with several true labels counts as having
//! the predicted one, if that is among them, else the first.

use super::Scored;
use super::decisions::share;
use crate::model::calibration::reliability::Reliability;

/// How often the best label is the true one.
#[derive(Clone, Debug, PartialEq)]
pub struct MultiClass {
    /// Rows with a true label.
    pub n_rows: u64,
    /// The share of them whose best label is true.
    pub accuracy: f64,
    /// Mean F1 over the labels that are true or predicted anywhere.
    pub macro_f1: f64,
    /// Matthews correlation for many classes (R_k); 0 where one side never varies.
    pub mcc: f64,
    /// Bins over the best scores alone: does the winner's probability come true?
    pub top_label: Reliability,
}

#[derive(Clone, Copy, Default)]
struct Class {
    hits: u64,
    n_true: u64,
    n_predicted: u64,
}

pub(super) fn evaluate(rows: &[Scored]) -> MultiClass {
    let last = rows.iter().flat_map(|row| row.labels.iter()).max();
    let mut classes = vec![Class::default(); last.map_or(0, |last| *last as usize + 1)];
    let (mut n_rows, mut n_hits) = (0, 0);
    let mut best_scores = Vec::new();
    for row in rows {
        let best = row.best();
        let Some(first) = row.truth.iter().position(|truth| *truth) else {
            continue;
        };
        let truth = if row.truth[best] { best } else { first };
        let hit = u64::from(truth == best);
        n_rows += 1;
        n_hits += hit;
        classes[row.labels[truth] as usize].n_true += 1;
        classes[row.labels[best] as usize].n_predicted += 1;
        classes[row.labels[best] as usize].hits += hit;
        best_scores.push((row.scores[best], truth == best, 1.0));
    }
    MultiClass {
        n_rows,
        accuracy: share(n_hits, n_rows),
        macro_f1: macro_f1(&classes),
        mcc: correlation(&classes, n_rows, n_hits),
        top_label: Reliability::equal_width(best_scores, Reliability::BINS),
    }
}

fn macro_f1(classes: &[Class]) -> f64 {
    let seen = |class: &&Class| class.n_true + class.n_predicted > 0;
    let (sum, n) = classes
        .iter()
        .filter(seen)
        .map(|class| share(2 * class.hits, class.n_true + class.n_predicted))
        .fold((0.0, 0.0), |(sum, n), f1| (sum + f1, n + 1.0));
    if n > 0.0 { sum / n } else { 0.0 }
}

/// Gorodkin's R_k, which needs no table of confusions: only its sums and its diagonal.
fn correlation(classes: &[Class], n_rows: u64, n_hits: u64) -> f64 {
    let n = n_rows as f64;
    let sum = |of: fn(&Class) -> f64| classes.iter().map(of).sum::<f64>();
    let both = sum(|class| class.n_true as f64 * class.n_predicted as f64);
    let truth = sum(|class| (class.n_true as f64).powi(2));
    let predicted = sum(|class| (class.n_predicted as f64).powi(2));
    let scale = (n * n - predicted).sqrt() * (n * n - truth).sqrt();
    if scale > 0.0 {
        (n_hits as f64 * n - both) / scale
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(scores: [f32; 3], truth: [bool; 3]) -> Scored {
        Scored::new(vec![0, 1, 2], scores.to_vec(), truth.to_vec()).unwrap()
    }

    #[test]
    fn rows_without_a_label_do_not_count_and_one_of_several_is_a_hit() {
        let rows = [
            row([0.6, 0.3, 0.1], [true, false, true]),
            row([0.2, 0.2, 0.6], [true, false, true]),
            row([0.2, 0.6, 0.2], [true, false, true]),
            row([0.2, 0.6, 0.2], [false, false, false]),
        ];
        let result = evaluate(&rows);
        assert_eq!(result.n_rows, 3);
        assert!((result.accuracy - 2.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn always_the_same_answer_has_no_correlation() {
        let rows = [
            row([0.6, 0.3, 0.1], [true, false, false]),
            row([0.6, 0.3, 0.1], [false, true, false]),
        ];
        assert_eq!(evaluate(&rows).mcc, 0.0);
        assert_eq!(evaluate(&rows[..1]).accuracy, 1.0);
    }
}
