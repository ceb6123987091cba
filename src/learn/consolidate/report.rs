//! What a job says of itself while it runs, as lines of JSON: a process in, another one out.
//!
//! Invariant: a line that is not understood is passed over, so that a newer program's job can be
//! followed. Fields are only ever added. Knows no processes.

use serde::{Deserialize, Serialize};

use super::{ConsolidateError, Stage};
use crate::learn::versions::Manifest;
use crate::learn::versions::manifest::Outcome;

/// One line of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "line")]
pub enum Line {
    /// Models are loaded and asked what they say now.
    Preparing,
    /// A step is being made.
    Practising {
        /// Which, from 1.
        step: usize,
        /// Of how many.
        of: usize,
    },
    /// The gate looks at a candidate.
    Judging {
        /// The share of what was learnt.
        share: f64,
    },
    /// It is over.
    Ended {
        /// How.
        how: Ending,
        /// The version that came of it, whether it serves or not.
        version: Option<u32>,
        /// Why, in a sentence.
        reason: String,
    },
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// A version passed the gate and serves.
    Accepted,
    /// None did.
    Refused,
    /// There was nothing that the model did not know.
    Nothing,
    /// Another job runs.
    Busy,
    /// Somebody ended it.
    Cancelled,
    /// Something stood in the way.
    Failed,
}

impl Ending {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Ending::Accepted => "accepted",
            Ending::Refused => "refused",
            Ending::Nothing => "nothing",
            Ending::Busy => "busy",
            Ending::Cancelled => "cancelled",
            Ending::Failed => "failed",
        }
    }
}

impl From<Stage> for Line {
    fn from(stage: Stage) -> Line {
        match stage {
            Stage::Preparing | Stage::Reading { .. } => Line::Preparing,
            Stage::Practising { step, of } => Line::Practising { step, of },
            Stage::Judging { share } => Line::Judging { share },
        }
    }
}

impl Line {
    /// The last line of a job.
    pub fn of(learnt: &Result<Manifest, ConsolidateError>) -> Line {
        match learnt {
            Ok(manifest) => Line::Ended {
                how: match manifest.outcome {
                    Outcome::Accepted => Ending::Accepted,
                    Outcome::Refused => Ending::Refused,
                },
                version: Some(manifest.number),
                reason: manifest.reasons.last().cloned().unwrap_or_default(),
            },
            Err(error) => Line::Ended {
                how: match error {
                    ConsolidateError::Nothing { .. } => Ending::Nothing,
                    ConsolidateError::Busy => Ending::Busy,
                    ConsolidateError::Cancelled | ConsolidateError::Forgotten => Ending::Cancelled,
                    _ => Ending::Failed,
                },
                version: None,
                reason: error.to_string(),
            },
        }
    }

    /// The line with its end.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).unwrap_or_default(); // Strings and numbers cannot fail.
        bytes.push(b'\n');
        bytes
    }

    /// A line as it came; none where it is not one of ours.
    pub fn read(line: &[u8]) -> Option<Line> {
        serde_json::from_slice(line).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written_and_others_are_passed_over() {
        let all = [
            Line::Preparing,
            Line::Practising { step: 3, of: 60 },
            Line::Judging { share: 0.5 },
            Line::Ended {
                how: Ending::Nothing,
                version: None,
                reason: "no corrections".to_owned(),
            },
        ];
        for line in all {
            let bytes = line.bytes();
            assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 1);
            assert_eq!(Line::read(&bytes), Some(line));
        }
        assert_eq!(Line::read(b"{\"line\":\"dreaming\"}"), None);
        assert_eq!(Line::read(b"warning: what is this"), None);
    }
}
