//! The record of `cases.json`. Every value is optional: a file may hold fewer stages, but not none,
//! no key that is not known, and no value that is `null`: such would be compared with nothing.
//! Invariant: in a batch that was read, each example has its row, and each label its target.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::VerifyError;
use crate::config::json_fault;
use crate::model::loss::UNKNOWN;

#[derive(Deserialize)]
pub(super) struct Cases {
    pub(super) cases: Vec<Case>,
    #[serde(default)]
    pub(super) batches: BTreeMap<String, PaddedBatch>,
    #[serde(flatten)]
    others: Others,
}

/// Keys that are not read.
type Others = BTreeMap<String, IgnoredAny>;

/// Those that a file may have: where it comes from, and what others held it to.
const OF_FILE: [&str; 3] = ["head", "reference", "tolerance"];

/// One text with its labels, and what the reference computes for it.
#[derive(Deserialize)]
pub(super) struct Case {
    pub(super) text: String,
    pub(super) labels: Vec<String>,
    pub(super) input_ids: Option<Vec<u32>>,
    pub(super) lmask: Option<Vec<u32>>,
    pub(super) positions: Option<Vec<u32>>,
    pub(super) segments: Option<Vec<u32>>,
    pub(super) label_ids: Option<Vec<u32>>,
    pub(super) hidden_cls: Option<Vec<f32>>,
    pub(super) hidden_last: Option<Vec<f32>>,
    pub(super) text_embedding: Option<Vec<f32>>,
    pub(super) cosines: Option<Vec<f32>>,
    pub(super) logits: Option<Vec<f32>>,
    pub(super) scores_multi_label: Option<Vec<f32>>,
    pub(super) scores_multi_class: Option<Vec<f32>>,
    #[serde(flatten)]
    others: Others,
}

/// A padded batch; `logits` run through its rows' labels.
#[derive(Deserialize)]
pub(super) struct PaddedBatch {
    pub(super) examples: Vec<(String, Vec<String>)>,
    pub(super) input_ids: Option<Vec<Vec<u32>>>,
    pub(super) attention_mask: Option<Vec<Vec<u32>>>,
    pub(super) lmask: Option<Vec<Vec<u32>>>,
    pub(super) positions: Option<Vec<Vec<u32>>>,
    pub(super) segments: Option<Vec<Vec<u32>>>,
    /// Each label's number in its row, and that row, through all rows.
    pub(super) label_ids: Option<Vec<u32>>,
    pub(super) batch_indices: Option<Vec<u32>>,
    pub(super) logits: Option<Vec<f32>>,
    /// One row a sequence; −100: not there, or not known.
    pub(super) targets: Option<Vec<Vec<f32>>>,
    pub(super) supcon: Option<f32>,
    pub(super) repulsion: Option<f32>,
    pub(super) bce: Option<f32>,
    pub(super) loss: Option<f32>,
    pub(super) gradients: Option<BTreeMap<String, Gradient>>,
    #[serde(flatten)]
    others: Others,
}

/// A gradient's norm and its first values.
#[derive(Deserialize)]
pub(super) struct Gradient {
    pub(super) norm: f64,
    pub(super) head: Vec<f32>,
}

impl Cases {
    pub(super) fn read(path: &Path) -> Result<Cases, VerifyError> {
        let fault = |fact: String| VerifyError::Cases {
            path: path.to_owned(),
            fact,
        };
        let text = fs::read_to_string(path).map_err(|e| fault(e.to_string()))?;
        let cases: Cases = serde_json::from_str(&text).map_err(|e| fault(json_fault(&e)))?;
        if cases.cases.is_empty() && cases.batches.is_empty() {
            return Err(fault("it holds no cases".into()));
        }
        if let Some((place, key)) = cases.unknown_key() {
            return Err(fault(format!("{place}: no key `{key}` is known")));
        }
        let json: Value = serde_json::from_str(&text).map_err(|e| fault(e.to_string()))?;
        if let Some(place) = ["cases", "batches"].iter().find_map(|key| {
            let within = json.get(key)?;
            null(within, key)
        }) {
            return Err(fault(format!(
                "{place} is null; give its value, or leave it out"
            )));
        }
        let has_values = cases.cases.iter().any(Case::has_values)
            || cases.batches.values().any(PaddedBatch::has_values);
        if !has_values {
            return Err(fault(
                "it holds no value to compare with, such as `logits`".into(),
            ));
        }
        for (name, batch) in &cases.batches {
            if let Some(fact) = batch.misshapen() {
                return Err(fault(format!("batch {name}: {fact}")));
            }
        }
        Ok(cases)
    }

    fn unknown_key(&self) -> Option<(String, &str)> {
        let of_file = other_than(&self.others, &OF_FILE).map(|key| ("the file".to_owned(), key));
        let mut cases = self.cases.iter().enumerate();
        let mut batches = self.batches.iter();
        of_file
            .or_else(|| {
                cases.find_map(|(i, case)| {
                    Some((format!("case {i}"), other_than(&case.others, &[])?))
                })
            })
            .or_else(|| {
                batches.find_map(|(name, batch)| {
                    Some((format!("batch {name}"), other_than(&batch.others, &[])?))
                })
            })
    }
}

fn other_than<'a>(others: &'a Others, known: &[&str]) -> Option<&'a str> {
    let mut names = others.keys().map(String::as_str);
    names.find(|name| !known.contains(name))
}

/// Where the first null is.
fn null(value: &Value, place: &str) -> Option<String> {
    match value {
        Value::Null => Some(format!("`{place}`")),
        Value::Array(values) => values
            .iter()
            .enumerate()
            .find_map(|(at, value)| null(value, &format!("{place}[{at}]"))),
        Value::Object(values) => values
            .iter()
            .find_map(|(key, value)| null(value, &format!("{place}.{key}"))),
        _ => None,
    }
}

fn is_there<T>(values: Option<&Vec<T>>) -> bool {
    values.is_some_and(|values| !values.is_empty())
}

impl Case {
    fn has_values(&self) -> bool {
        let whole = [
            &self.input_ids,
            &self.lmask,
            &self.positions,
            &self.segments,
            &self.label_ids,
        ];
        let numbers = [
            &self.hidden_cls,
            &self.hidden_last,
            &self.text_embedding,
            &self.cosines,
            &self.logits,
            &self.scores_multi_label,
            &self.scores_multi_class,
        ];
        whole.into_iter().any(|values| is_there(values.as_ref()))
            || numbers.into_iter().any(|values| is_there(values.as_ref()))
    }
}

impl PaddedBatch {
    /// Values that are compared only where there are examples.
    fn has_values(&self) -> bool {
        let losses = [self.supcon, self.repulsion, self.bce, self.loss];
        let rows = [
            &self.input_ids,
            &self.attention_mask,
            &self.lmask,
            &self.positions,
            &self.segments,
        ];
        let values = rows.into_iter().any(|rows| is_there(rows.as_ref()))
            || is_there(self.label_ids.as_ref())
            || is_there(self.batch_indices.as_ref())
            || is_there(self.logits.as_ref())
            || losses.iter().any(Option::is_some)
            || self.gradients.as_ref().is_some_and(|all| !all.is_empty());
        values && !self.examples.is_empty()
    }

    /// What has another number of rows or values than the examples ask for.
    fn misshapen(&self) -> Option<String> {
        let n = self.examples.len();
        let count = |rows: &Option<Vec<Vec<u32>>>| rows.as_ref().map(Vec::len);
        let counts = [
            ("input_ids", count(&self.input_ids)),
            ("attention_mask", count(&self.attention_mask)),
            ("lmask", count(&self.lmask)),
            ("positions", count(&self.positions)),
            ("segments", count(&self.segments)),
            ("targets", self.targets.as_ref().map(Vec::len)),
        ];
        let mut counts = counts.into_iter();
        if let Some((key, found)) = counts.find_map(|(key, found)| {
            let found = found.filter(|found| *found != n)?;
            Some((key, found))
        }) {
            return Some(format!(
                "`{key}` has {found} rows for {n} examples; give each its row"
            ));
        }
        let Some(targets) = &self.targets else {
            let losses = [self.supcon, self.repulsion, self.bce, self.loss];
            let is_trained = losses.iter().any(Option::is_some) || self.gradients.is_some();
            return is_trained.then(|| {
                "losses or gradients without `targets`; say which labels are true".to_owned()
            });
        };
        for (at, (row, (_, labels))) in targets.iter().zip(&self.examples).enumerate() {
            let (own, beyond) = row.split_at(labels.len().min(row.len()));
            if own.len() < labels.len() || beyond.iter().any(|target| *target != UNKNOWN) {
                return Some(format!(
                    "row {at} of `targets` is not that of {} labels; give each a target, and \
                     -100 only to what is no label",
                    labels.len()
                ));
            }
        }
        let mut gradients = self.gradients.iter().flatten();
        let (name, _) = gradients.find(|(_, gradient)| gradient.head.is_empty())?;
        Some(format!(
            "`{name}` has a gradient without values; list the first in `head`"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(json: &str) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cases.json");
        std::fs::write(&path, json).unwrap();
        Cases::read(&path).err().map(|error| error.to_string())
    }

    #[test]
    fn a_file_that_holds_nothing_to_compare_is_refused() {
        for (json, words) in [
            (
                r#"{"cases": [{"text": "a", "labels": ["b"]}]}"#,
                "no value to compare with",
            ),
            (
                r#"{"cases": [{"text": "a", "labels": [], "logits": []}]}"#,
                "no value to compare with",
            ),
            (
                r#"{"cases": [{"text": "a", "labels": ["b"], "logit": [5.0], "input_ids": [1]}]}"#,
                "case 0: no key `logit` is known",
            ),
            (
                r#"{"cases": [], "batches": {"x": {"examples": [], "loss": 1.0}}}"#,
                "no value to compare with",
            ),
            (
                r#"{"cases": [], "batches": {"x": {"examples": [], "losses": 1.0}}}"#,
                "batch x: no key `losses` is known",
            ),
            (r#"{"cases": [], "batch": {}}"#, "it holds no cases"),
            (
                r#"{"cases": [{"text": "a", "labels": ["b"], "logits": null, "input_ids": [1]}]}"#,
                "`cases[0].logits` is null",
            ),
        ] {
            let message = refused(json).unwrap_or_default();
            assert!(message.contains(words), "{json}: {message}");
        }
    }

    #[test]
    fn a_batch_in_which_an_example_lacks_its_row_is_refused() {
        let examples = r#"[["a", ["x", "y"]], ["b", ["x"]]]"#;
        for (values, words) in [
            (
                r#""targets": [[1, 0]], "loss": 1"#,
                "`targets` has 1 rows for 2 examples",
            ),
            (
                r#""input_ids": [[1], [2], [3]]"#,
                "`input_ids` has 3 rows for 2 examples",
            ),
            (
                r#""attention_mask": [[0]]"#,
                "`attention_mask` has 1 rows for 2 examples",
            ),
            (
                r#""targets": [[1], [0]], "loss": 1"#,
                "row 0 of `targets` is not that of 2 labels",
            ),
            (
                r#""targets": [[1, 0], [0, 1]], "loss": 1"#,
                "row 1 of `targets` is not that of 1 labels",
            ),
            (r#""loss": 1"#, "without `targets`"),
            (
                r#""targets": [[1, 0], [0]], "gradients": {"w": {"norm": 1, "head": []}}"#,
                "`w` has a gradient without values",
            ),
        ] {
            let json = format!(
                r#"{{"cases": [], "batches": {{"x": {{"examples": {examples}, {values}}}}}}}"#
            );
            let message = refused(&json).unwrap_or_default();
            assert!(message.contains(words), "{json}: {message}");
        }
        let padded = format!(
            r#"{{"cases": [], "batches": {{"x": {{"examples": {examples},
                "targets": [[1, 0], [0, -100]], "loss": 1}}}}}}"#
        );
        assert_eq!(refused(&padded), None);
    }

    #[test]
    fn one_value_is_enough() {
        let json = r#"{"head": "x", "cases": [{"text": "a", "labels": ["b"], "input_ids": [1]}]}"#;
        assert_eq!(refused(json), None);
    }
}
