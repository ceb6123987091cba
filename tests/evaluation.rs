//! Our metrics and our fit against scikit-learn's, and what must not change them.
//!
//! The fixtures are written by `train/reference/metrics_golden.py`; nothing here needs Python.

#![expect(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and takes what they share for library code"
)]

use gliznet::learn::evaluation::{
    Decisions, Evaluation, MultiClass, Scored, Task, Thresholds, evaluate,
};
use gliznet::model::calibration::fit::{Options, Signs, fit};
use gliznet::model::calibration::quality::quality;
use gliznet::model::calibration::sample::Sample;
use proptest::prelude::*;
use serde_json::Value;

const TOLERANCE: f64 = 1e-6;

fn golden(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

fn floats(list: &Value) -> Vec<f32> {
    let numbers = list.as_array().unwrap().iter();
    numbers.map(|x| x.as_f64().unwrap() as f32).collect()
}

fn truths(list: &Value) -> Vec<bool> {
    let truths = list.as_array().unwrap().iter();
    truths.map(|x| x.as_bool().unwrap()).collect()
}

fn rows(case: &Value) -> Vec<Scored> {
    let row = |row: &Value| {
        let labels = row["labels"].as_array().unwrap().iter();
        let labels: Vec<u32> = labels.map(|x| x.as_u64().unwrap() as u32).collect();
        Scored::new(labels, floats(&row["scores"]), truths(&row["truth"])).unwrap()
    };
    case["rows"].as_array().unwrap().iter().map(row).collect()
}

/// Everything that scikit-learn says about a case and is missing or different in ours.
struct Comparison {
    case: String,
    differences: Vec<String>,
    n_compared: usize,
}

impl Comparison {
    fn number(&mut self, what: &str, ours: Option<f64>, theirs: &Value) {
        self.n_compared += 1;
        let same = match (ours, theirs.as_f64()) {
            (Some(ours), Some(theirs)) => (ours - theirs).abs() <= TOLERANCE,
            (None, None) => theirs.is_null(),
            _ => false,
        };
        if !same {
            let case = &self.case;
            self.differences
                .push(format!("{case}: {what} is {ours:?}, not {theirs}"));
        }
    }

    fn decisions(&mut self, at: &str, ours: &Decisions, theirs: &Value) {
        for (mean, ours) in [("micro", ours.micro), ("macro", ours.macro_mean)] {
            for (i, ours) in [ours.precision, ours.recall, ours.f1]
                .into_iter()
                .enumerate()
            {
                self.number(&format!("{at} {mean} {i}"), Some(ours), &theirs[mean][i]);
            }
        }
        for (name, ours) in [
            ("mcc", ours.mcc),
            ("hamming_loss", ours.hamming_loss),
            ("exact_match", ours.exact_match),
            ("mean_tags", ours.mean_tags),
            ("share_untagged", ours.share_untagged),
        ] {
            self.number(&format!("{at} {name}"), Some(ours), &theirs[name]);
        }
    }

    fn multi_class(&mut self, ours: &MultiClass, theirs: &Value) {
        for (name, ours) in [
            ("accuracy", ours.accuracy),
            ("macro_f1", ours.macro_f1),
            ("mcc", ours.mcc),
            ("top_label_error", ours.top_label.error()),
        ] {
            self.number(name, Some(ours), &theirs[name]);
        }
    }

    fn evaluation(&mut self, ours: &Evaluation, theirs: &Value) {
        self.number(
            "best_threshold",
            ours.best_threshold.map(f64::from),
            &theirs["best_threshold"],
        );
        if let Some(at_best) = &ours.at_best {
            self.decisions("at_best", at_best, &theirs["at_best"]);
        }
        let ranking = &ours.ranking;
        let calibration = &ours.calibration;
        for (name, ours) in [
            ("lrap", Some(ranking.lrap)),
            ("top_1", ranking.top_1),
            ("roc_auc_macro", ranking.roc_auc_macro),
            ("roc_auc_micro", ranking.roc_auc_micro),
            ("average_precision_macro", ranking.average_precision_macro),
            ("average_precision_micro", ranking.average_precision_micro),
            ("brier", Some(calibration.brier)),
            ("log_loss", Some(calibration.log_loss)),
            ("ece", Some(calibration.equal_width.error())),
        ] {
            self.number(name, ours, &theirs[name]);
        }
        if !theirs["ece_equal_mass"].is_null() {
            let ours = calibration.equal_mass.error();
            self.number("ece_equal_mass", Some(ours), &theirs["ece_equal_mass"]);
        }
    }
}

#[test]
fn every_metric_is_scikit_learns() {
    let cases = golden(include_str!("fixtures/evaluation/metrics.json"));
    let mut n_compared = 0;
    for case in cases.as_array().unwrap() {
        let mut comparison = Comparison {
            case: case["name"].as_str().unwrap().to_owned(),
            differences: Vec::new(),
            n_compared: 0,
        };
        let rows = rows(case);
        let mut thresholds = Thresholds::single(case["threshold"].as_f64().unwrap() as f32);
        for (label, threshold) in case["label_thresholds"].as_object().unwrap() {
            let threshold = threshold.as_f64().unwrap() as f32;
            thresholds = thresholds.with_label(label.parse().unwrap(), threshold);
        }
        let expected = &case["expected"];
        let ours = evaluate(&rows, &thresholds, Task::MultiLabel).unwrap();
        comparison.decisions("at_default", &ours.at_default, &expected["at_default"]);
        comparison.evaluation(&ours, expected);
        if expected["multi_class"].is_object() {
            let ours = evaluate(&rows, &thresholds, Task::MultiClass).unwrap();
            let multi_class = ours.multi_class.as_ref().unwrap();
            comparison.multi_class(multi_class, &expected["multi_class"]);
            // With one true label and one prediction a row, micro-F1 is accuracy.
            let accuracy = multi_class.accuracy;
            assert!((ours.at_default.micro.f1 - accuracy).abs() < TOLERANCE);
        }
        assert_eq!(comparison.differences, Vec::<String>::new());
        n_compared += comparison.n_compared;
    }
    assert!(n_compared > 250, "only {n_compared} numbers were compared");
}

#[test]
fn the_fit_is_scikit_learns_logistic_regression() {
    let golden = golden(include_str!("fixtures/evaluation/logistic.json"));
    let [joint, embed, tokens] = ["joint", "embed", "tokens"].map(|view| floats(&golden[view]));
    let (positive, weight) = (truths(&golden["positive"]), floats(&golden["weight"]));
    let samples: Vec<Sample> = (0..joint.len())
        .map(|i| Sample {
            joint: joint[i],
            embed: embed[i],
            tokens: tokens[i],
            positive: positive[i],
            weight: weight[i],
            group: 0,
            row: i as u32,
        })
        .collect();
    for expected in golden["fits"].as_array().unwrap() {
        let options = Options {
            ridge: expected["ridge"].as_f64().unwrap(),
            signs: Signs::Free,
            ..Options::default()
        };
        let ours = fit(&samples, &options).unwrap();
        let odds = |s: &Sample| {
            ours.joint * f64::from(s.joint)
                + ours.embed * f64::from(s.embed)
                + ours.tokens * f64::from(s.tokens)
                + ours.bias
        };
        for (name, ours) in [
            ("joint", ours.joint),
            ("embed", ours.embed),
            ("tokens", ours.tokens),
            ("bias", ours.bias),
            ("log_loss", quality(&samples, odds).log_loss),
        ] {
            let theirs = expected[name].as_f64().unwrap();
            assert!(
                (ours - theirs).abs() < TOLERANCE,
                "{name}: {ours}, not {theirs}"
            );
        }
    }
}

/// Rows with candidates of their own, and scores that often tie.
fn any_rows() -> impl Strategy<Value = Vec<Scored>> {
    let candidate = (0u32..8, 0u8..=16, any::<bool>());
    let row = prop::collection::vec(candidate, 1..8).prop_map(|mut candidates| {
        candidates.sort_by_key(|(label, ..)| *label);
        candidates.dedup_by_key(|(label, ..)| *label);
        let labels: Vec<u32> = candidates.iter().map(|c| c.0).collect();
        let scores = candidates.iter().map(|c| f32::from(c.1) / 16.0).collect();
        Scored::new(labels, scores, candidates.iter().map(|c| c.2).collect()).unwrap()
    });
    prop::collection::vec(row, 1..20)
}

fn map_scores(rows: &[Scored], f: impl Fn(f32) -> f32) -> Vec<Scored> {
    let map = |row: &Scored| {
        let labels: Vec<u32> = row.decisions().map(|d| d.0).collect();
        let scores = row.decisions().map(|d| f(d.1)).collect();
        Scored::new(labels, scores, row.decisions().map(|d| d.2).collect()).unwrap()
    };
    rows.iter().map(map).collect()
}

fn of(rows: &[Scored], task: Task) -> Evaluation {
    evaluate(rows, &Thresholds::single(0.5), task).unwrap()
}

/// The evaluation as text, with numbers rounded to where the order of sums cannot be seen.
fn rounded(evaluation: &Evaluation) -> String {
    fn round(value: Value) -> Value {
        match value {
            Value::Number(n) => {
                let n = (n.as_f64().unwrap() * 1e9).round() / 1e9;
                Value::from(n + 0.0) // -0 prints differently.
            }
            Value::Array(list) => list.into_iter().map(round).collect(),
            Value::Object(map) => map.into_iter().map(|(k, v)| (k, round(v))).collect(),
            other => other,
        }
    }
    round(evaluation.to_json(&[""; 8])).to_string()
}

proptest! {
    #[test]
    fn the_order_of_rows_changes_nothing(rows in any_rows(), turn in 0usize..20) {
        let mut moved = rows.clone();
        moved.rotate_left(turn % rows.len());
        moved.reverse();
        for task in [Task::MultiLabel, Task::MultiClass] {
            prop_assert_eq!(rounded(&of(&rows, task)), rounded(&of(&moved, task)));
        }
    }

    #[test]
    fn a_monotone_change_of_scores_moves_only_thresholds_and_calibration(rows in any_rows()) {
        // x² keeps the order on 0..=1, and 1/16 steps stay apart; the threshold moves along.
        let bent = map_scores(&rows, |x| x * x);
        let before = of(&rows, Task::MultiLabel);
        let after = evaluate(&bent, &Thresholds::single(0.25), Task::MultiLabel).unwrap();
        prop_assert_eq!(&before.at_default, &after.at_default);
        prop_assert_eq!(&before.at_best, &after.at_best);
        prop_assert_eq!(&before.ranking, &after.ranking);
        prop_assert_eq!(before.best_threshold.map(|t| t * t), after.best_threshold);
    }

    #[test]
    fn no_threshold_beats_the_best_one(rows in any_rows(), threshold in 0.0f32..=1.0) {
        if let Some(best) = of(&rows, Task::MultiLabel).at_best {
            let other = evaluate(&rows, &Thresholds::single(threshold), Task::MultiLabel).unwrap();
            prop_assert!(other.at_default.micro.f1 <= best.micro.f1 + 1e-12);
        }
    }

    #[test]
    fn a_higher_threshold_never_predicts_more(rows in any_rows(), (a, b) in (0.0f32..=1.0, 0.0f32..=1.0)) {
        let tags = |t| evaluate(&rows, &Thresholds::single(t), Task::MultiLabel).unwrap().at_default.mean_tags;
        prop_assert!(tags(a.max(b)) <= tags(a.min(b)));
    }

    #[test]
    fn a_perfect_model_is_perfect_in_everything(rows in any_rows()) {
        let perfect: Vec<Scored> = rows
            .iter()
            .map(|row| {
                let labels: Vec<u32> = row.decisions().map(|d| d.0).collect();
                let truth: Vec<bool> = row.decisions().map(|d| d.2).collect();
                let scores = truth.iter().map(|t| f32::from(u8::from(*t))).collect();
                Scored::new(labels, scores, truth).unwrap()
            })
            .collect();
        let result = of(&perfect, Task::MultiLabel);
        prop_assert_eq!(result.ranking.lrap, 1.0);
        prop_assert_eq!(result.ranking.top_1.unwrap_or(1.0), 1.0);
        prop_assert_eq!(result.ranking.roc_auc_macro.unwrap_or(1.0), 1.0);
        prop_assert_eq!(result.at_default.exact_match, 1.0);
        prop_assert_eq!(result.at_default.hamming_loss, 0.0);
        prop_assert_eq!(result.calibration.equal_width.error(), 0.0);
    }
}

#[test]
fn rows_that_make_no_sense_are_refused() {
    let message = |labels: &[u32], scores: &[f32], truth: &[bool]| {
        Scored::new(labels, scores.to_vec(), truth.to_vec())
            .unwrap_err()
            .to_string()
    };
    assert!(message(&[1], &[0.5, 0.1], &[true]).contains("1 candidate labels, 2 scores"));
    assert!(message(&[], &[], &[]).contains("without candidate labels"));
    assert!(message(&[1, 2], &[0.5, f32::NAN], &[true, false]).contains("candidate 1"));
    assert!(message(&[1], &[1.5], &[true]).contains("1.5"));
    assert_eq!(
        evaluate(&[], &Thresholds::single(0.5), Task::MultiLabel),
        None
    );
}
