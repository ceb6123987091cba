//! An evaluation for others to read: JSON for programs, one row of headline numbers for tables.
//!
//! Invariant: what is not defined is `null`, never a made-up 0; field names only ever grow in number.

use serde_json::{Value, json};

use super::{CalibrationQuality, Decisions, Evaluation, LabelEvaluation, PrecisionRecall};
use crate::model::calibration::reliability::Reliability;

impl Evaluation {
    /// The whole evaluation as JSON; `names[i]` is the label of index `i`.
    pub fn to_json(&self, names: &[impl AsRef<str>]) -> Value {
        let ranking = &self.ranking;
        json!({
            "rows": self.n_rows,
            "labels": self.n_labels,
            "decisions": self.n_decisions,
            "positives": self.n_positives,
            "default_threshold": number(self.default_threshold),
            "at_default": decisions(&self.at_default),
            "best_threshold": self.best_threshold.map(number),
            "at_best": self.at_best.as_ref().map(decisions),
            "lrap": ranking.lrap,
            "top_1": ranking.top_1,
            "roc_auc": { "macro": ranking.roc_auc_macro, "micro": ranking.roc_auc_micro },
            "average_precision": {
                "macro": ranking.average_precision_macro,
                "micro": ranking.average_precision_micro,
            },
            "calibration": calibration(&self.calibration),
            "multi_class": self.multi_class.as_ref().map(|m| json!({
                "rows": m.n_rows,
                "accuracy": m.accuracy,
                "macro_f1": m.macro_f1,
                "mcc": m.mcc,
                "ece_of_best": m.top_label.error(),
            })),
            "per_label": self.labels.iter().map(|l| label(l, names)).collect::<Vec<_>>(),
        })
    }

    /// The numbers that a table shows.
    pub fn headline(&self) -> Headline {
        let best = self.at_best.as_ref();
        Headline {
            top_1: self.ranking.top_1,
            lrap: Some(self.ranking.lrap),
            f1: Some(self.at_default.micro.f1),
            macro_f1: Some(self.at_default.macro_mean.f1),
            best_f1: best.map(|d| d.micro.f1),
            best_macro_f1: best.map(|d| d.macro_mean.f1),
            best_threshold: self.best_threshold.map(f64::from),
            mcc: Some(self.at_default.mcc),
            roc_auc: self.ranking.roc_auc_macro,
            hamming_loss: Some(self.at_default.hamming_loss),
            calibration_error: Some(self.calibration.equal_width.error()),
            mean_tags: Some(self.at_default.mean_tags),
        }
    }
}

/// The numbers that a table shows, of one data set or as a mean of several.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Headline {
    /// The share of rows whose best label is true.
    pub top_1: Option<f64>,
    /// Label ranking average precision.
    pub lrap: Option<f64>,
    /// Micro-F1 at the default threshold.
    pub f1: Option<f64>,
    /// Macro-F1 at the default threshold.
    pub macro_f1: Option<f64>,
    /// Micro-F1 at the best threshold.
    pub best_f1: Option<f64>,
    /// Macro-F1 at that threshold.
    pub best_macro_f1: Option<f64>,
    /// The best threshold.
    pub best_threshold: Option<f64>,
    /// Matthews correlation at the default threshold.
    pub mcc: Option<f64>,
    /// Mean ROC AUC of the labels.
    pub roc_auc: Option<f64>,
    /// Hamming loss at the default threshold.
    pub hamming_loss: Option<f64>,
    /// Expected calibration error.
    pub calibration_error: Option<f64>,
    /// Labels that a row gets at the default threshold, on average.
    pub mean_tags: Option<f64>,
}

impl Headline {
    /// The mean of each number over the data sets that have it.
    pub fn mean(of: &[Headline]) -> Headline {
        let mean = |get: fn(&Headline) -> Option<f64>| {
            let values: Vec<f64> = of.iter().filter_map(get).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        Headline {
            top_1: mean(|h| h.top_1),
            lrap: mean(|h| h.lrap),
            f1: mean(|h| h.f1),
            macro_f1: mean(|h| h.macro_f1),
            best_f1: mean(|h| h.best_f1),
            best_macro_f1: mean(|h| h.best_macro_f1),
            best_threshold: mean(|h| h.best_threshold),
            mcc: mean(|h| h.mcc),
            roc_auc: mean(|h| h.roc_auc),
            hamming_loss: mean(|h| h.hamming_loss),
            calibration_error: mean(|h| h.calibration_error),
            mean_tags: mean(|h| h.mean_tags),
        }
    }

    /// The numbers with their column titles, in the order of a table.
    pub fn columns(&self) -> [(&'static str, Option<f64>); 12] {
        [
            ("top-1", self.top_1),
            ("LRAP", self.lrap),
            ("F1", self.f1),
            ("macro-F1", self.macro_f1),
            ("best F1", self.best_f1),
            ("best macro", self.best_macro_f1),
            ("at", self.best_threshold),
            ("MCC", self.mcc),
            ("ROC AUC", self.roc_auc),
            ("Hamming", self.hamming_loss),
            ("ECE", self.calibration_error),
            ("tags", self.mean_tags),
        ]
    }

    /// The same numbers for programs.
    pub fn to_json(&self) -> Value {
        json!({
            "top_1": self.top_1,
            "lrap": self.lrap,
            "f1": self.f1,
            "macro_f1": self.macro_f1,
            "best_f1": self.best_f1,
            "best_macro_f1": self.best_macro_f1,
            "best_threshold": self.best_threshold,
            "mcc": self.mcc,
            "roc_auc": self.roc_auc,
            "hamming_loss": self.hamming_loss,
            "ece": self.calibration_error,
            "mean_tags": self.mean_tags,
        })
    }
}

/// The shortest decimal that is this `f32`, rather than the exact value of its bits: 0.3, not
/// 0.30000001192092896.
fn number(value: f32) -> Value {
    value
        .to_string()
        .parse::<f64>()
        .map_or(Value::Null, Value::from)
}

fn precision_recall(rates: &PrecisionRecall) -> Value {
    json!({ "precision": rates.precision, "recall": rates.recall, "f1": rates.f1 })
}

fn decisions(d: &Decisions) -> Value {
    json!({
        "micro": precision_recall(&d.micro),
        "macro": precision_recall(&d.macro_mean),
        "mcc": d.mcc,
        "hamming_loss": d.hamming_loss,
        "exact_match": d.exact_match,
        "mean_tags": d.mean_tags,
        "mean_true": d.mean_true,
        "share_untagged": d.share_untagged,
    })
}

fn calibration(c: &CalibrationQuality) -> Value {
    json!({
        "ece": c.equal_width.error(),
        "largest_gap": c.equal_width.largest_gap(),
        "ece_equal_mass": c.equal_mass.error(),
        "ece_of_predicted": c.predicted.error(),
        "brier": c.brier,
        "log_loss": c.log_loss,
        "bins": bins(&c.equal_width),
        "bins_equal_mass": bins(&c.equal_mass),
    })
}

fn bins(reliability: &Reliability) -> Vec<Value> {
    let bin = |b: &crate::model::calibration::reliability::Bin| json!({ "n": b.weight, "score": b.mean_score, "true": b.share_positive });
    reliability.bins.iter().map(bin).collect()
}

fn label(l: &LabelEvaluation, names: &[impl AsRef<str>]) -> Value {
    json!({
        "label": names.get(l.label as usize).map(AsRef::as_ref),
        "candidates": l.n_candidates,
        "positives": l.n_positives,
        "predicted": l.n_predicted,
        "precision": l.at_default.precision,
        "recall": l.at_default.recall,
        "f1": l.at_default.f1,
        "roc_auc": l.roc_auc,
        "average_precision": l.average_precision,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Scored, Task, Thresholds, evaluate};
    use super::*;

    fn evaluation(task: Task) -> Evaluation {
        let row = |scores: [f32; 2], truth: [bool; 2]| {
            Scored::new(vec![0, 1], scores.to_vec(), truth.to_vec()).unwrap()
        };
        let rows = [
            row([0.9, 0.1], [true, false]),
            row([0.2, 0.1], [false, false]),
        ];
        evaluate(&rows, &Thresholds::single(0.3), task).unwrap()
    }

    #[test]
    fn what_is_not_defined_is_null() {
        let json = evaluation(Task::MultiLabel).to_json(&["tax", "travel"]);
        assert_eq!(json["per_label"][1]["label"], "travel");
        assert_eq!(json["per_label"][1]["roc_auc"], Value::Null);
        assert_eq!(json["per_label"][0]["roc_auc"], 1.0);
        assert_eq!(json["multi_class"], Value::Null);
        assert_eq!(json["default_threshold"], 0.3);
        assert_eq!(json["best_threshold"], 0.9);
        assert_eq!(json["calibration"]["bins"][0]["n"], 2.0);
    }

    #[test]
    fn labels_that_exclude_each_other_add_their_own_metrics() {
        let json = evaluation(Task::MultiClass).to_json(&["tax", "travel"]);
        assert_eq!(json["multi_class"]["accuracy"], 1.0);
        assert_eq!(json["at_default"]["mean_tags"], 1.0);
    }

    #[test]
    fn a_mean_is_over_the_sets_that_have_the_number() {
        let with = |top_1, lrap| Headline {
            top_1,
            lrap,
            ..Headline::default()
        };
        let mean = Headline::mean(&[with(Some(0.5), Some(1.0)), with(None, Some(0.0))]);
        assert_eq!(
            (mean.top_1, mean.lrap, mean.f1),
            (Some(0.5), Some(0.5), None)
        );
        assert_eq!(Headline::mean(&[]), Headline::default());
    }
}
