//! What can be wrong with a calibration: place, fact, cure.
//!
//! Invariant: every message says what to do. Knows nothing of how a calibration is made.

use std::path::PathBuf;

/// Why there is no calibration.
#[derive(Debug, thiserror::Error)]
pub enum CalibrationError {
    /// The file cannot be read or written.
    #[error(
        "{path}: cannot {action} the calibration: {source}; check the folder and its permissions"
    )]
    Io {
        /// Which file.
        path: PathBuf,
        /// `read` or `write`.
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The text is not the record that a calibration is stored as.
    #[error("not a calibration: {fact}; fit it anew with `gliznet model calibrate`")]
    Malformed {
        /// What is wrong with it.
        fact: String,
    },
    /// Written by a newer program.
    #[error(
        "calibration record of version {version}, and only version {known} is known here; \
         update gliznet, or fit it anew with `gliznet model calibrate`"
    )]
    UnknownVersion {
        /// The version found.
        version: u64,
        /// The version that this build reads and writes.
        known: u64,
    },
    /// A number is out of its range.
    #[error(
        "`{field}` is {value}, which is not {rule}; fit the calibration anew with `gliznet model calibrate`"
    )]
    OutOfRange {
        /// Which number.
        field: String,
        /// What it is.
        value: f32,
        /// What it should be.
        rule: &'static str,
    },
    /// Any of the others, in a file.
    #[error("{path}: {fault}")]
    InFile {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        fault: Box<CalibrationError>,
    },
}

/// Why nothing was fitted.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// Both kinds of decisions are needed.
    #[error(
        "of {n_samples} decisions {n_positives} are positive; \
         a calibration needs both positive and negative ones: add rows, or labels that do not fit"
    )]
    OneClass {
        /// All decisions.
        n_samples: usize,
        /// Those that are true.
        n_positives: usize,
    },
    /// A number that cannot be fitted.
    #[error(
        "decision {index}: {field} is {value}; \
         cosines must be finite and weights positive: check the model that made them"
    )]
    NotFinite {
        /// Which sample, from 0.
        index: usize,
        /// Which of its numbers.
        field: &'static str,
        /// What it is.
        value: f32,
    },
    /// No view tells the two kinds apart.
    #[error(
        "on these rows labels that fit are no nearer to their texts than others, so the best \
         calibration gives every label one score: check the rows' labels, add rows, or use another model"
    )]
    SaysNothing,
    /// The best fit breaks a calibration's rules.
    #[error(transparent)]
    Calibration(#[from] CalibrationError),
}
