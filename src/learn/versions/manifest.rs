//! What is known of a version, as `manifest.json` has it.
//!
//! Fields are only ever added. Knows no files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::learn::gate::Verdict;
use crate::model::calibration::{Calibration, CalibrationError};

/// The version of these records.
pub const VERSION: u32 = 1;

/// What came of a training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It passed the gate, and its weights are kept.
    Accepted,
    /// It did not; the manifest says why, and there are no weights.
    #[default]
    Refused,
}

/// What a version was learnt from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lessons {
    /// The journal.
    #[default]
    Corrections,
    /// A folder of tagged notes.
    Vault,
}

/// One version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Manifest {
    /// The version of this record.
    pub v: u32,
    /// Its number, from 1; the shipped model is 0.
    pub number: u32,
    /// The version that it was trained from.
    pub parent: u32,
    /// The fingerprint of the shipped model that it is learnt on top of.
    pub base: String,
    /// That model's name.
    pub model: String,
    /// When it was made, in seconds since 1970.
    pub time: u64,
    /// What it was learnt from.
    pub lessons: Lessons,
    /// Whether it may serve.
    pub outcome: Outcome,
    /// Why, in sentences.
    pub reasons: Vec<String>,
    /// The share of what was learnt of single labels that was taken: 1, ½ or ¼.
    pub alpha: Option<f64>,
    /// The same of what the encoder practised; 0 where it did not, or that was refused.
    pub encoder: f64,
    /// The same of labels that general texts have too, where it is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub general: Option<f64>,
    /// The folders of tagged notes that it was learnt from, and how many notes of each.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub vaults: BTreeMap<String, usize>,
    /// What cross-validation says of those notes, where they were learnt now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cross: Option<CrossRecord>,
    /// Start of every random choice.
    pub seed: u64,
    /// Numbers of the corrections that were learnt from.
    pub corrections: Vec<u64>,
    /// Numbers of the corrections that it was measured by, and that no version learns from.
    pub held_out: Vec<u64>,
    /// Numbers of those that there was no time for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<u64>,
    /// The highest number that the journal held.
    pub last: u64,
    /// Everything that was tried.
    pub candidates: Vec<Candidate>,
    /// How it was trained.
    pub training: Training,
    /// Its calibration, where it is not the shipped model's, as `calibration.json` has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibration: Option<serde_json::Value>,
    /// The SHA-256 of its weights, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The version of the program that made it.
    pub program: String,
}

/// What a model says of tagged notes that it has not learnt from, against the shipped one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CrossRecord {
    /// Notes.
    pub notes: usize,
    /// Parts; each is tagged by what was learnt from the others.
    pub folds: usize,
    /// Micro-F1 at the default threshold: of the shipped model, and of what was learnt.
    pub f1: [f64; 2],
    /// Macro-F1 there.
    pub macro_f1: [f64; 2],
    /// Label ranking average precision.
    pub lrap: [f64; 2],
}

/// A candidate and what the gate said of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Candidate {
    /// The share of what was learnt of single labels.
    pub alpha: f64,
    /// The same of what the encoder practised.
    pub encoder: f64,
    /// The same of labels that general texts have too, where it is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub general: Option<f64>,
    /// Whether it passed.
    pub passed: bool,
    /// Each check.
    pub checks: Vec<CheckRecord>,
}

/// One check of the gate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CheckRecord {
    /// What was looked at.
    pub check: String,
    /// Whether it passed.
    pub passed: bool,
    /// What was found.
    pub finding: String,
}

/// How a version was trained.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Training {
    /// Texts with verdicts that were learnt from.
    pub examples: usize,
    /// Of them, those that no version had learnt from before.
    pub new: usize,
    /// Shipped texts that were practised beside them.
    pub replayed: usize,
    /// Steps.
    pub steps: usize,
    /// The mean loss of the first steps and of the last.
    pub loss: [f64; 2],
    /// How long it took in all.
    pub seconds: f64,
}

impl CrossRecord {
    /// In a sentence.
    pub fn words(&self) -> String {
        let [before, after] = self.f1;
        format!(
            "{} notes, each tagged by what the others teach: micro-F1 {before:.2} → {after:.2}, \
             ranking {:.2} → {:.2}",
            self.notes, self.lrap[0], self.lrap[1]
        )
    }
}

impl Candidate {
    /// The record of a verdict.
    pub fn new(alpha: f64, encoder: f64, general: Option<f64>, verdict: &Verdict) -> Candidate {
        let checks = verdict.checks.iter().map(|check| CheckRecord {
            check: check.subject.name().to_owned(),
            passed: check.passed,
            finding: check.finding.clone(),
        });
        Candidate {
            alpha,
            encoder,
            general,
            passed: verdict.passed(),
            checks: checks.collect(),
        }
    }
}

impl Manifest {
    /// Its calibration, where it has one of its own.
    ///
    /// # Errors
    /// A record that no calibration can be read from.
    pub fn own_calibration(&self) -> Result<Option<Calibration>, CalibrationError> {
        let json = self.calibration.as_ref().map(ToString::to_string);
        json.map(|json| Calibration::from_json(&json)).transpose()
    }
}
