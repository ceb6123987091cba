//! A checkpoint against its golden cases: `cases.json` in, the largest deviation of each stage out.
//!
//! The stages are those a port can go wrong in, in order, so that the first one that fails names
//! the place: ids and masks, hidden states, logits, scores, padded batches, isolation.

mod cases;
mod stage;

use std::path::Path;

use serde::Serialize;

use self::cases::{Case, Cases, PaddedBatch};
use self::stage::Stages;
use super::sequence::{Sequence, truncate_like_reference};
use super::{CheckpointError, LoadOptions, Model};
use crate::model::config::Layout;
use crate::model::tokenizer::TokenizerError;
use crate::score::{Logit, softmax};

pub use self::stage::Stage;

/// Float32 tolerances, as the golden cases' README gives them.
const HIDDEN: f64 = 1e-4;
const LOGITS: f64 = 1e-3;
const SCORES: f64 = 1e-3;
/// Largest change of an isolated label's logit when other labels come and go.
const ISOLATION: f64 = 1e-5;

/// What a verification found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Number of cases in the file.
    pub cases: usize,
    /// The stages that the file has values for, in order.
    pub stages: Vec<Stage>,
}

impl Report {
    /// Whether every stage is within its tolerance.
    pub fn passed(&self) -> bool {
        self.stages.iter().all(|stage| stage.passed)
    }
}

/// Why a checkpoint could not be verified at all.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The checkpoint does not load.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The golden cases are not readable.
    #[error(
        "{path}: {fact}; `model verify` needs golden cases in the format of tests/fixtures/parity"
    )]
    Cases {
        /// Which file.
        path: std::path::PathBuf,
        /// What is wrong.
        fact: String,
    },
    /// A text could not be tokenised.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The tensor library failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

/// Loads the checkpoint in `dir` as the reference would and compares it with `dir/cases.json`.
///
/// # Errors
/// A checkpoint that does not load or cases that cannot be read; deviations are in the report.
pub fn verify(dir: &Path, options: &LoadOptions) -> Result<Report, VerifyError> {
    verify_with(dir, &dir.join("cases.json"), options)
}

/// The same with the cases in another file.
///
/// # Errors
/// As `verify`.
pub fn verify_with(dir: &Path, cases: &Path, options: &LoadOptions) -> Result<Report, VerifyError> {
    let cases = Cases::read(cases)?;
    let model = Model::load(
        dir,
        &LoadOptions {
            compat: true,
            ..options.clone()
        },
    )?;
    let mut stages = Stages::default();
    for (number, case) in cases.cases.iter().enumerate() {
        check_case(&model, case, &format!("case {number}"), &mut stages)?;
    }
    for (name, batch) in &cases.batches {
        check_batch(&model, batch, name, &mut stages)?;
    }
    Ok(Report {
        cases: cases.cases.len(),
        stages: stages.finish(),
    })
}

/// Lays out text and labels as the reference does, cutting where it cuts.
fn lay_out(model: &Model, text: &str, labels: &[String]) -> Result<Sequence, VerifyError> {
    let text = model.tokenizer().tokens(text)?.ids;
    let names: Vec<&str> = labels.iter().map(String::as_str).collect();
    let labels = model.tokenizer().ids_of_all(&names)?;
    let mut kept = (text.len(), labels.len());
    if model.config().layout == Layout::Reference {
        let lengths: Vec<usize> = labels.iter().map(Vec::len).collect();
        kept = truncate_like_reference(text.len(), &lengths, model.max_tokens());
    }
    let labels: Vec<&[u32]> = labels[..kept.1].iter().map(Vec::as_slice).collect();
    Ok(model.sequence(&text[..kept.0], &labels))
}

fn check_case(
    model: &Model,
    case: &Case,
    name: &str,
    stages: &mut Stages,
) -> Result<(), VerifyError> {
    let sequence = lay_out(model, &case.text, &case.labels)?;
    stages.equal("input_ids", name, &sequence.ids, case.input_ids.as_deref());
    stages.equal("lmask", name, &sequence.label_mask, case.lmask.as_deref());
    stages.equal(
        "positions",
        name,
        &sequence.positions,
        case.positions.as_deref(),
    );
    stages.equal(
        "segments",
        name,
        &sequence.segments,
        case.segments.as_deref(),
    );
    let label_ids: Vec<u32> = (1..=sequence.label_tokens.len() as u32).collect();
    stages.equal("label_ids", name, &label_ids, case.label_ids.as_deref());

    let alone = model.inspect(&sequence, 0)?;
    stages.near(
        "hidden_cls",
        name,
        HIDDEN,
        &alone.hidden_cls,
        case.hidden_cls.as_deref(),
    );
    stages.near(
        "hidden_last",
        name,
        HIDDEN,
        &alone.hidden_last,
        case.hidden_last.as_deref(),
    );
    stages.near(
        "text_embedding",
        name,
        LOGITS,
        &alone.text_embedding,
        case.text_embedding.as_deref(),
    );
    let cosines: Vec<f32> = alone
        .logits
        .iter()
        .map(|logit| logit / model.logit_scale())
        .collect();
    stages.near("cosines", name, LOGITS, &cosines, case.cosines.as_deref());
    stages.near(
        "logits",
        name,
        LOGITS,
        &alone.logits,
        case.logits.as_deref(),
    );
    let logits: Vec<Logit> = alone
        .logits
        .iter()
        .filter_map(|logit| Logit::new(*logit))
        .collect();
    let sigmoids: Vec<f32> = logits.iter().map(|logit| logit.sigmoid().value()).collect();
    stages.near(
        "scores_multi_label",
        name,
        SCORES,
        &sigmoids,
        case.scores_multi_label.as_deref(),
    );
    let shares: Vec<f32> = softmax(&logits).iter().map(|score| score.value()).collect();
    stages.near(
        "scores_multi_class",
        name,
        SCORES,
        &shares,
        case.scores_multi_class.as_deref(),
    );

    let padded = model.inspect(&sequence, sequence.len() + 7)?;
    stages.near(
        "padding changes nothing",
        name,
        HIDDEN,
        &padded.logits,
        Some(&alone.logits),
    );
    if model.config().layout.is_isolated() && case.labels.len() > 1 {
        // Backwards, and each label of the first few alone.
        let backwards: Vec<String> = case.labels.iter().rev().cloned().collect();
        let mut logits = model
            .inspect(&lay_out(model, &case.text, &backwards)?, 0)?
            .logits;
        logits.reverse();
        stages.near("isolation", name, ISOLATION, &logits, Some(&alone.logits));
        for (i, label) in case.labels.iter().enumerate().take(3) {
            let one = model
                .inspect(&lay_out(model, &case.text, std::slice::from_ref(label))?, 0)?
                .logits;
            stages.near(
                "isolation",
                name,
                ISOLATION,
                &one,
                Some(&alone.logits[i..=i]),
            );
        }
    }
    Ok(())
}

fn check_batch(
    model: &Model,
    batch: &PaddedBatch,
    name: &str,
    stages: &mut Stages,
) -> Result<(), VerifyError> {
    let sequences: Vec<Sequence> = batch
        .examples
        .iter()
        .map(|(text, labels)| lay_out(model, text, labels))
        .collect::<Result<_, _>>()?;
    for (row, sequence) in sequences.iter().enumerate() {
        let place = format!("batch {name}, row {row}");
        let unpadded = |padded: &Vec<Vec<u32>>| {
            padded
                .get(row)
                .map(|ids| ids[..sequence.len().min(ids.len())].to_vec())
        };
        stages.equal(
            "batch ids",
            &place,
            &sequence.ids,
            batch.input_ids.as_ref().and_then(unpadded).as_deref(),
        );
        stages.equal(
            "batch lmask",
            &place,
            &sequence.label_mask,
            batch.lmask.as_ref().and_then(unpadded).as_deref(),
        );
    }
    let together = model.forward(&sequences.iter().collect::<Vec<_>>())?;
    let logits: Vec<f32> = together
        .iter()
        .flat_map(|output| output.logits.iter().copied())
        .collect();
    stages.near(
        "batch logits",
        &format!("batch {name}"),
        LOGITS,
        &logits,
        batch.logits.as_deref(),
    );
    for (row, sequence) in sequences.iter().enumerate() {
        let alone = model.forward(&[sequence])?;
        let place = format!("batch {name}, row {row}");
        stages.near(
            "row alone",
            &place,
            HIDDEN,
            &alone[0].logits,
            Some(&together[row].logits),
        );
    }
    Ok(())
}
