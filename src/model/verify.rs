//! A checkpoint against its golden cases: `cases.json` in, the largest deviation of each stage out.
//!
//! The stages are those a port can go wrong in, in order, so that the first one that fails names
//! the place: ids and masks, hidden states, logits, scores, padded batches, isolation, losses,
//! gradients.

mod cases;
mod stage;
mod tolerance;
mod training;

use std::path::Path;

use serde::Serialize;

use self::cases::{Case, Cases, PaddedBatch};
use self::stage::Stages;
use self::tolerance::Tolerances;
use self::training::Training;
use super::sequence::{Sequence, truncate_like_reference};
use super::{CheckpointError, Inspection, LoadOptions, Model};
use crate::model::config::Layout;
use crate::model::tokenizer::TokenizerError;
use crate::score::{Logit, softmax};

pub use self::stage::Stage;

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
    let plain = LoadOptions {
        compat: true,
        plain: true,
        ..options.clone()
    };
    let serving = LoadOptions {
        plain: false,
        ..plain.clone()
    };
    let mut comparison = Comparison {
        model: Model::load(dir, &plain)?,
        serving: Model::load(dir, &serving)?,
        training: Training::load(dir, options)?,
        stages: Stages::default(),
        allowed: Tolerances::of(options),
    };
    for (number, case) in cases.cases.iter().enumerate() {
        comparison.case(case, &format!("case {number}"))?;
    }
    for (name, batch) in &cases.batches {
        comparison.batch(batch, name)?;
    }
    Ok(Report {
        cases: cases.cases.len(),
        stages: comparison.stages.finish(),
    })
}

/// A checkpoint under comparison: in the plain form, in the one that answers requests, and in the
/// one that is trained.
struct Comparison {
    model: Model,
    serving: Model,
    training: Training,
    stages: Stages,
    allowed: Tolerances,
}

impl Comparison {
    fn case(&mut self, case: &Case, name: &str) -> Result<(), VerifyError> {
        let sequence = self.lay_out(&case.text, &case.labels)?;
        self.ids(case, &sequence, name);
        let plain = self.model.inspect(&sequence, 0)?;
        self.states_and_scores(case, &plain, name);
        let allowed = self.allowed;
        let stages = &mut self.stages;
        let padded = self.model.inspect(&sequence, sequence.len() + 7)?.logits;
        stages.near(
            "padding",
            name,
            allowed.padding,
            &padded,
            Some(&plain.logits),
        );
        let served = self.serving.inspect(&sequence, 0)?;
        let hidden = Some(plain.hidden_cls.as_slice());
        stages.near(
            "served hidden",
            name,
            allowed.hidden,
            &served.hidden_cls,
            hidden,
        );
        let logits = case.logits.as_deref();
        stages.near(
            "served logits",
            name,
            allowed.logits,
            &served.logits,
            logits,
        );
        if self.model.config().layout.is_isolated() && case.labels.len() > 1 {
            self.isolation(case, &served.logits, name)?;
        }
        Ok(())
    }

    fn ids(&mut self, case: &Case, sequence: &Sequence, name: &str) {
        let label_ids: Vec<u32> = (1..=sequence.label_tokens.len() as u32).collect();
        for (stage, got, want) in [
            ("input_ids", &sequence.ids, &case.input_ids),
            ("lmask", &sequence.label_mask, &case.lmask),
            ("positions", &sequence.positions, &case.positions),
            ("segments", &sequence.segments, &case.segments),
            ("label_ids", &label_ids, &case.label_ids),
        ] {
            self.stages.equal(stage, name, got, want.as_deref());
        }
    }

    fn states_and_scores(&mut self, case: &Case, got: &Inspection, name: &str) {
        let allowed = self.allowed;
        let logits: Vec<Logit> = got.logits.iter().filter_map(|x| Logit::new(*x)).collect();
        let sigmoids: Vec<f32> = logits.iter().map(|x| x.sigmoid().value()).collect();
        let shares: Vec<f32> = softmax(&logits).iter().map(|x| x.value()).collect();
        let (cls, last) = (&got.hidden_cls, &got.hidden_last);
        for (stage, tolerance, got, want) in [
            ("hidden_cls", allowed.hidden, cls, &case.hidden_cls),
            ("hidden_last", allowed.hidden, last, &case.hidden_last),
            (
                "text_embedding",
                allowed.text,
                &got.text_embedding,
                &case.text_embedding,
            ),
            ("cosines", allowed.cosines, &got.cosines, &case.cosines),
            ("logits", allowed.logits, &got.logits, &case.logits),
            (
                "scores_multi_label",
                allowed.scores,
                &sigmoids,
                &case.scores_multi_label,
            ),
            (
                "scores_multi_class",
                allowed.scores,
                &shares,
                &case.scores_multi_class,
            ),
        ] {
            self.stages
                .near(stage, name, tolerance, got, want.as_deref());
        }
    }

    /// All labels backwards, and each of the first few alone.
    fn isolation(&mut self, case: &Case, logits: &[f32], name: &str) -> Result<(), VerifyError> {
        let allowed = self.allowed.isolation;
        let backwards: Vec<String> = case.labels.iter().rev().cloned().collect();
        let sequence = self.lay_out(&case.text, &backwards)?;
        let mut reversed = self.serving.inspect(&sequence, 0)?.logits;
        reversed.reverse();
        self.stages
            .near("isolation", name, allowed, &reversed, Some(logits));
        for (i, label) in case.labels.iter().enumerate().take(3) {
            let sequence = self.lay_out(&case.text, std::slice::from_ref(label))?;
            let alone = self.serving.inspect(&sequence, 0)?.logits;
            self.stages
                .near("isolation", name, allowed, &alone, Some(&logits[i..=i]));
        }
        Ok(())
    }

    fn batch(&mut self, batch: &PaddedBatch, name: &str) -> Result<(), VerifyError> {
        let examples = batch.examples.iter();
        let sequences: Vec<Sequence> = examples
            .map(|(text, labels)| self.lay_out(text, labels))
            .collect::<Result<_, _>>()?;
        self.rows(batch, &sequences, name);
        let allowed = self.allowed;
        let all: Vec<&Sequence> = sequences.iter().collect();
        let place = format!("batch {name}");
        for (stage, model) in [
            ("batch logits", &self.model),
            ("served batch", &self.serving),
        ] {
            let together = model.forward(&all)?;
            let logits: Vec<f32> = together
                .iter()
                .flat_map(|o| o.logits.iter().copied())
                .collect();
            self.stages.near(
                stage,
                &place,
                allowed.logits,
                &logits,
                batch.logits.as_deref(),
            );
            for (sequence, together) in all.iter().zip(&together) {
                let alone = &model.forward(&[sequence])?[0].logits;
                self.stages.near(
                    "row alone",
                    &place,
                    allowed.padding,
                    alone,
                    Some(&together.logits),
                );
            }
        }
        self.training.batch(batch, &all, &place, &mut self.stages)
    }

    /// Rows as they are padded: a token where a row has ended is as wrong as one that is missing.
    fn rows(&mut self, batch: &PaddedBatch, sequences: &[Sequence], name: &str) {
        let pad = self.model.tokenizer().special().pad;
        for (row, sequence) in sequences.iter().enumerate() {
            let place = format!("batch {name}, row {row}");
            let real = vec![1; sequence.len()];
            for (stage, got, fill, want) in [
                ("batch ids", &sequence.ids, pad, &batch.input_ids),
                ("batch mask", &real, 0, &batch.attention_mask),
                ("batch lmask", &sequence.label_mask, 0, &batch.lmask),
                ("batch positions", &sequence.positions, 0, &batch.positions),
                ("batch segments", &sequence.segments, 0, &batch.segments),
            ] {
                let want = want.as_ref().and_then(|rows| rows.get(row));
                let mut got = got.clone();
                got.resize(got.len().max(want.map_or(0, Vec::len)), fill);
                self.stages
                    .equal(stage, &place, &got, want.map(Vec::as_slice));
            }
        }
        let (mut label_ids, mut rows) = (Vec::new(), Vec::new());
        for (row, sequence) in (0..).zip(sequences) {
            let n = sequence.label_tokens.len() as u32;
            label_ids.extend(1..=n);
            rows.extend((0..n).map(|_| row));
        }
        let place = format!("batch {name}");
        for (stage, got, want) in [
            ("batch label_ids", &label_ids, &batch.label_ids),
            ("batch indices", &rows, &batch.batch_indices),
        ] {
            self.stages.equal(stage, &place, got, want.as_deref());
        }
    }

    /// Lays out text and labels as the reference does, cutting where it cuts.
    fn lay_out(&self, text: &str, labels: &[String]) -> Result<Sequence, VerifyError> {
        let (model, tokenizer) = (&self.model, self.model.tokenizer());
        let text = tokenizer.tokens(text)?.ids;
        let names: Vec<&str> = labels.iter().map(String::as_str).collect();
        let labels = tokenizer.ids_of_all(&names)?;
        let mut kept = (text.len(), labels.len());
        if model.config().layout == Layout::Reference {
            let lengths: Vec<usize> = labels.iter().map(Vec::len).collect();
            kept = truncate_like_reference(text.len(), &lengths, model.max_tokens());
        }
        let labels: Vec<&[u32]> = labels[..kept.1].iter().map(Vec::as_slice).collect();
        Ok(model.sequence(&text[..kept.0], &labels))
    }
}
