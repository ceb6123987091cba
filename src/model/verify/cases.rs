//! The record of `cases.json`. Every value is optional: a file may hold fewer stages.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::VerifyError;

#[derive(Deserialize)]
pub(super) struct Cases {
    pub(super) cases: Vec<Case>,
    #[serde(default)]
    pub(super) batches: BTreeMap<String, PaddedBatch>,
}

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
}

/// A padded batch; `logits` run through its rows' labels.
#[derive(Deserialize)]
pub(super) struct PaddedBatch {
    pub(super) examples: Vec<(String, Vec<String>)>,
    pub(super) input_ids: Option<Vec<Vec<u32>>>,
    pub(super) lmask: Option<Vec<Vec<u32>>>,
    pub(super) logits: Option<Vec<f32>>,
    /// One row a sequence; −100: not there, or not known.
    pub(super) targets: Option<Vec<Vec<f32>>>,
    pub(super) supcon: Option<f32>,
    pub(super) repulsion: Option<f32>,
    pub(super) bce: Option<f32>,
    pub(super) loss: Option<f32>,
    pub(super) gradients: Option<BTreeMap<String, Gradient>>,
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
        let cases: Cases = serde_json::from_str(&text).map_err(|e| fault(e.to_string()))?;
        if cases.cases.is_empty() && cases.batches.is_empty() {
            return Err(fault("it holds no cases".into()));
        }
        Ok(cases)
    }
}
