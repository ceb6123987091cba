//! What is predicted against what is true: yes or no for each decision in, counts and rates out.
//!
//! Invariant: micro metrics weigh decisions alike, macro metrics labels; one pass over the rows.
//! Knows nothing of scores and thresholds: whoever calls says what is predicted.

use super::Scored;

/// Precision, recall and their harmonic mean; 0 where one is not defined, as scikit-learn has it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PrecisionRecall {
    /// The share of what is predicted that is true.
    pub precision: f64,
    /// The share of what is true that is predicted.
    pub recall: f64,
    /// `2·precision·recall / (precision + recall)`.
    pub f1: f64,
}

/// How good a set of predictions is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decisions {
    /// Over all decisions.
    pub micro: PrecisionRecall,
    /// Means over all labels that were a candidate.
    pub macro_mean: PrecisionRecall,
    /// Matthews correlation over all decisions; 0 where one side never varies.
    pub mcc: f64,
    /// The share of decisions that are wrong.
    pub hamming_loss: f64,
    /// The share of rows with exactly the true labels.
    pub exact_match: f64,
    /// How many labels a row gets, on average.
    pub mean_tags: f64,
    /// The share of rows that get none.
    pub share_untagged: f64,
    /// How many labels a row has in truth, on average.
    pub mean_true: f64,
}

/// Decisions by prediction and truth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    true_positive: u64,
    false_positive: u64,
    false_negative: u64,
    true_negative: u64,
}

impl Counts {
    fn add(&mut self, predicted: bool, truth: bool) {
        *match (predicted, truth) {
            (true, true) => &mut self.true_positive,
            (true, false) => &mut self.false_positive,
            (false, true) => &mut self.false_negative,
            (false, false) => &mut self.true_negative,
        } += 1;
    }

    pub(super) fn n(&self) -> u64 {
        self.n_predicted() + self.false_negative + self.true_negative
    }

    pub(super) fn n_true(&self) -> u64 {
        self.true_positive + self.false_negative
    }

    pub(super) fn n_predicted(&self) -> u64 {
        self.true_positive + self.false_positive
    }

    pub(super) fn precision_recall(&self) -> PrecisionRecall {
        PrecisionRecall {
            precision: share(self.true_positive, self.n_predicted()),
            recall: share(self.true_positive, self.n_true()),
            f1: share(2 * self.true_positive, self.n_predicted() + self.n_true()),
        }
    }

    fn mcc(&self) -> f64 {
        let [tp, fp, fneg, tn] = [
            self.true_positive,
            self.false_positive,
            self.false_negative,
            self.true_negative,
        ]
        .map(|count| count as f64);
        // Roots before products: the product of four counts of ten million would lose digits.
        let scale = (tp + fp).sqrt() * (tp + fneg).sqrt() * (tn + fp).sqrt() * (tn + fneg).sqrt();
        if scale > 0.0 {
            (tp * tn - fp * fneg) / scale
        } else {
            0.0
        }
    }
}

/// `part / whole`, 0 where there is no whole.
pub(super) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

/// Counts what `predicted` says of each row, overall and by label index.
pub(super) fn count(
    rows: &[Scored],
    predicted: impl Fn(&Scored, &mut Vec<bool>),
) -> (Decisions, Vec<Counts>) {
    let n_labels = rows
        .iter()
        .flat_map(|row| row.labels.iter())
        .max()
        .map_or(0, |last| *last as usize + 1);
    let mut by_label = vec![Counts::default(); n_labels];
    let mut all = Counts::default();
    let (mut n_exact, mut n_untagged) = (0, 0);
    let mut row_predicted = Vec::new();
    for row in rows {
        row_predicted.clear();
        predicted(row, &mut row_predicted);
        for ((label, _, truth), predicted) in row.decisions().zip(&row_predicted) {
            by_label[label as usize].add(*predicted, truth);
            all.add(*predicted, truth);
        }
        n_exact += u64::from(row_predicted == row.truth);
        n_untagged += u64::from(!row_predicted.contains(&true));
    }
    let n_rows = rows.len() as u64;
    let decisions = Decisions {
        micro: all.precision_recall(),
        macro_mean: macro_mean(&by_label),
        mcc: all.mcc(),
        hamming_loss: share(all.false_positive + all.false_negative, all.n()),
        exact_match: share(n_exact, n_rows),
        mean_tags: share(all.n_predicted(), n_rows),
        share_untagged: share(n_untagged, n_rows),
        mean_true: share(all.n_true(), n_rows),
    };
    (decisions, by_label)
}

fn macro_mean(by_label: &[Counts]) -> PrecisionRecall {
    let mut sum = PrecisionRecall::default();
    let mut n = 0.0;
    for label in by_label.iter().filter(|counts| counts.n() > 0) {
        let one = label.precision_recall();
        sum.precision += one.precision;
        sum.recall += one.recall;
        sum.f1 += one.f1;
        n += 1.0;
    }
    let n = f64::max(n, 1.0);
    PrecisionRecall {
        precision: sum.precision / n,
        recall: sum.recall / n,
        f1: sum.f1 / n,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlation_stays_exact_for_ten_million_decisions() {
        let counts = Counts {
            true_positive: 2_500_000,
            false_positive: 2_500_000,
            false_negative: 2_500_000,
            true_negative: 2_500_001,
        };
        assert!(counts.mcc().abs() < 1e-6);
        let perfect = Counts {
            true_positive: 5_000_000,
            true_negative: 5_000_000,
            ..Counts::default()
        };
        assert!((perfect.mcc() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn rates_without_anything_to_rate_are_zero() {
        let nothing = Counts {
            true_negative: 5,
            ..Counts::default()
        };
        assert_eq!(nothing.precision_recall(), PrecisionRecall::default());
        assert_eq!(nothing.mcc(), 0.0);
    }
}
