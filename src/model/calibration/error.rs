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
