//! How good predictions are: scores with their truth in, one `Evaluation` out.
//!
//! Rows may have different candidate labels (each site its own tags): every metric is over *decisions*,
//! a row with one of its candidates, and a label's own metrics over the rows that it was a candidate of.
//! Definitions are scikit-learn's, ties included; `tests/evaluation.rs` holds them against it.
//! Invariant: the order of rows and labels changes nothing but rounding, and only `top_1` and the
//! multi-class metrics look at the order of candidates, to break ties as the tagger does.
//! Knows nothing of models, texts or files.
//!
//! Rows without any positive label count in everything that scikit-learn counts them in: their LRAP is
//! 1 (as that of a row with all labels is), they are an exact match when nothing is predicted. They are
//! left out of `top_1`, accuracy and R_k, where there is nothing to hit. A label that is neither true
//! nor predicted has precision, recall and F1 of 0, and counts in the macro means. ROC AUC is over
//! labels with both classes, average precision over labels with positives. What is not defined is `None`.

pub mod decisions;
mod grouped;
pub mod multi_class;
pub mod ranking;
mod report;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::calibration::reliability::{Reliability, Tied};
use crate::model::calibration::threshold;

pub use decisions::{Decisions, PrecisionRecall};
pub use multi_class::MultiClass;
pub use ranking::Ranking;
pub use report::Headline;

use grouped::Grouped;

/// One row: the scores of its candidate labels, and which of them are true.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    labels: Arc<[u32]>,
    scores: Vec<f32>,
    truth: Vec<bool>,
}

/// Why a row cannot be evaluated.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ScoredError {
    /// Three lists that must be parallel are not.
    #[error(
        "{labels} candidate labels, {scores} scores and {truth} truths; \
         give one score and one truth for each candidate"
    )]
    Lengths {
        /// Candidates.
        labels: usize,
        /// Scores.
        scores: usize,
        /// Truths.
        truth: usize,
    },
    /// Nothing to decide.
    #[error("a row without candidate labels; leave it out of the evaluation")]
    NoCandidates,
    /// Not a probability.
    #[error("score {value} of candidate {index} is not in 0..=1; evaluate calibrated scores")]
    NotAScore {
        /// Position among the candidates.
        index: usize,
        /// What it is.
        value: f32,
    },
}

impl Scored {
    /// A row whose `scores[i]` and `truth[i]` are of label `labels[i]`, an index into the label list.
    pub fn new(
        labels: impl Into<Arc<[u32]>>,
        mut scores: Vec<f32>,
        truth: Vec<bool>,
    ) -> Result<Scored, ScoredError> {
        let labels = labels.into();
        if labels.len() != scores.len() || labels.len() != truth.len() {
            return Err(ScoredError::Lengths {
                labels: labels.len(),
                scores: scores.len(),
                truth: truth.len(),
            });
        }
        if labels.is_empty() {
            return Err(ScoredError::NoCandidates);
        }
        for (index, value) in scores.iter_mut().enumerate() {
            if !(0.0..=1.0).contains(value) {
                let value = *value;
                return Err(ScoredError::NotAScore { index, value });
            }
            *value += 0.0; // -0 becomes 0, so that equal scores have equal bits.
        }
        Ok(Scored {
            labels,
            scores,
            truth,
        })
    }

    /// The candidates with their scores and truths.
    pub fn decisions(&self) -> impl Iterator<Item = (u32, f32, bool)> + '_ {
        let scored = self.scores.iter().zip(&self.truth);
        self.labels
            .iter()
            .zip(scored)
            .map(|(label, (score, truth))| (*label, *score, *truth))
    }

    fn has_positive(&self) -> bool {
        self.truth.contains(&true)
    }

    /// Position of the best candidate; of equals the first, as the tagger orders them.
    fn best(&self) -> usize {
        let mut best = 0;
        for (at, score) in self.scores.iter().enumerate() {
            if *score > self.scores[best] {
                best = at;
            }
        }
        best
    }
}

/// From which score a label is predicted.
#[derive(Clone, Debug, PartialEq)]
pub struct Thresholds {
    default: f32,
    margin: Option<f32>,
    labels: BTreeMap<u32, f32>,
}

impl Thresholds {
    /// One threshold for all labels.
    pub fn single(threshold: f32) -> Thresholds {
        Thresholds {
            default: threshold,
            margin: None,
            labels: BTreeMap::new(),
        }
    }

    /// The same, with another threshold for one label.
    pub fn with_label(mut self, label: u32, threshold: f32) -> Thresholds {
        self.labels.insert(label, threshold);
        self
    }

    /// The same, where a label without a threshold of its own may be at most so far behind the best
    /// one of its row, in log-odds.
    pub fn with_margin(mut self, margin: Option<f32>) -> Thresholds {
        self.margin = margin;
        self
    }

    /// The threshold of labels that have none of their own.
    pub fn default_threshold(&self) -> f32 {
        self.default
    }

    /// Which candidates of a row are predicted.
    pub fn predicted<'a>(&'a self, row: &'a Scored) -> impl Iterator<Item = bool> + 'a {
        let best = log_odds(row.scores[row.best()]);
        row.decisions().map(move |(label, score, _)| {
            let own = self.labels.get(&label);
            let near = || {
                self.margin
                    .is_none_or(|m| best - log_odds(score) <= f64::from(m))
            };
            score >= *own.unwrap_or(&self.default) && (own.is_some() || near())
        })
    }
}

/// Of a probability; finite, since float32 holds no more of one that is nearly certain.
fn log_odds(score: f32) -> f64 {
    let p = f64::from(score).clamp(1e-12, 1.0 - 1e-12);
    (p / (1.0 - p)).ln()
}

/// Whether labels exclude each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Any number of labels may be true; all at or above their threshold are predicted.
    MultiLabel,
    /// One label is true; the best one is predicted, whatever its score.
    MultiClass,
}

/// How good predictions are.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Rows.
    pub n_rows: usize,
    /// Labels that were a candidate of some row.
    pub n_labels: usize,
    /// Rows with their candidates.
    pub n_decisions: u64,
    /// Decisions that are true.
    pub n_positives: u64,
    /// The threshold of labels without their own.
    pub default_threshold: f32,
    /// What is predicted as it comes: at the given thresholds, or the best label of each row.
    pub at_default: Decisions,
    /// The single threshold with the best micro-F1; `None` where nothing is true.
    pub best_threshold: Option<f32>,
    /// What is predicted there.
    pub at_best: Option<Decisions>,
    /// How well true labels are ranked before others.
    pub ranking: Ranking,
    /// Whether probabilities come true.
    pub calibration: CalibrationQuality,
    /// Where labels exclude each other: the classic metrics.
    pub multi_class: Option<MultiClass>,
    /// Each label, in the order of their indices.
    pub labels: Vec<LabelEvaluation>,
}

/// Whether probabilities come true.
#[derive(Clone, Debug, PartialEq)]
pub struct CalibrationQuality {
    /// 15 bins of equal width over all decisions: the expected calibration error and its diagram.
    pub equal_width: Reliability,
    /// 15 bins of equal weight: a closer look at where most scores are.
    pub equal_mass: Reliability,
    /// Bins of equal width over what is predicted: can the number beside a tag be believed?
    ///
    /// Nearly all decisions are easy negatives, and a model can be right about those alone.
    pub predicted: Reliability,
    /// Mean squared distance of score and truth.
    pub brier: f64,
    /// Mean negative log-likelihood; scores of 0 and 1 count as 1e-15 and 1 - 1e-15.
    pub log_loss: f64,
}

/// How good predictions of one label are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LabelEvaluation {
    /// Its index.
    pub label: u32,
    /// Rows that it was a candidate of.
    pub n_candidates: u64,
    /// Rows that have it.
    pub n_positives: u64,
    /// Rows that it was predicted for.
    pub n_predicted: u64,
    /// Precision, recall and F1 of what is predicted as it comes.
    pub at_default: PrecisionRecall,
    /// `None` where all rows agree about it.
    pub roc_auc: Option<f64>,
    /// `None` where no row has it.
    pub average_precision: Option<f64>,
}

/// Evaluates rows; `None` where there are none.
pub fn evaluate(rows: &[Scored], thresholds: &Thresholds, task: Task) -> Option<Evaluation> {
    if rows.is_empty() {
        return None;
    }
    let predicted = |row: &Scored, out: &mut Vec<bool>| match task {
        Task::MultiLabel => out.extend(thresholds.predicted(row)),
        Task::MultiClass => {
            let best = row.best();
            out.extend((0..row.labels.len()).map(|at| at == best));
        }
    };
    let grouped = Grouped::of(rows);
    let (at_default, counts) = decisions::count(rows, predicted);
    let labels: Vec<LabelEvaluation> = grouped
        .by_label()
        .map(|(label, tied)| {
            let counts = counts[label as usize];
            LabelEvaluation {
                label,
                n_candidates: counts.n(),
                n_positives: counts.n_true(),
                n_predicted: counts.n_predicted(),
                at_default: counts.precision_recall(),
                roc_auc: ranking::roc_auc(tied.clone()),
                average_precision: ranking::average_precision(tied),
            }
        })
        .collect();
    let pooled = grouped.pooled();
    let cut = threshold::best_f1(pooled.tied());
    let at_best = cut.map(|cut| {
        let above = |row: &Scored, out: &mut Vec<bool>| {
            out.extend(row.scores.iter().map(|score| *score >= cut.threshold));
        };
        decisions::count(rows, above).0
    });
    Some(Evaluation {
        n_rows: rows.len(),
        n_labels: labels.len(),
        n_decisions: labels.iter().map(|l| l.n_candidates).sum(),
        n_positives: labels.iter().map(|l| l.n_positives).sum(),
        default_threshold: thresholds.default,
        at_default,
        best_threshold: cut.map(|cut| cut.threshold),
        at_best,
        ranking: ranking::rank(rows, pooled.tied(), &labels),
        calibration: calibration(rows, pooled.tied(), predicted),
        multi_class: (task == Task::MultiClass).then(|| multi_class::evaluate(rows)),
        labels,
    })
}

fn calibration(
    rows: &[Scored],
    all: impl Iterator<Item = Tied> + Clone,
    predicted: impl Fn(&Scored, &mut Vec<bool>),
) -> CalibrationQuality {
    let decisions = || rows.iter().flat_map(Scored::decisions);
    let mut shown = Vec::new();
    rows.iter().for_each(|row| predicted(row, &mut shown));
    let (mut squared, mut log, mut n) = (0.0, 0.0, 0.0);
    for (_, score, truth) in decisions() {
        let score = f64::from(score);
        let likelihood = if truth { score } else { 1.0 - score };
        squared += (1.0 - likelihood).powi(2);
        log -= likelihood.clamp(1e-15, 1.0 - 1e-15).ln();
        n += 1.0;
    }
    let weighted = |(_, score, truth): (u32, f32, bool)| (score, truth, 1.0);
    let shown_only = decisions()
        .zip(&shown)
        .filter(|(_, shown)| **shown)
        .map(|(decision, _)| weighted(decision));
    CalibrationQuality {
        equal_width: Reliability::equal_width(decisions().map(weighted), Reliability::BINS),
        equal_mass: Reliability::equal_mass(all, Reliability::BINS),
        predicted: Reliability::equal_width(shown_only, Reliability::BINS),
        brier: squared / n,
        log_loss: log / n,
    }
}
