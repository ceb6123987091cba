//! The stored form of a calibration: JSON in, `Calibration` out, and back.
//!
//! Invariant: what is printed parses to the same value. Strict: an unknown version, an unknown field
//! or a number out of range is refused, because a calibration half understood gives wrong scores.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Calibration, CalibrationError, Coefficients, Origin};
use crate::config::json_fault;
use crate::score::Score;

const VERSION: u64 = 1;

/// Read first and alone, so that a record of the future is told by its version, not by its fields.
#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    version: u64,
    joint: f32,
    embed: f32,
    #[serde(default, skip_serializing_if = "is_zero")]
    tokens: f32,
    bias: f32,
    threshold: f32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    margin: Option<f32>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    label_bias: BTreeMap<String, f32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<OriginRecord>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OriginRecord {
    fitted_on: String,
    n_decisions: u64,
    log_loss: f64,
    calibration_error: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cross_validated_error: Option<f64>,
}

fn is_zero(x: &f32) -> bool {
    *x == 0.0
}

pub(super) fn parse(text: &str) -> Result<Calibration, CalibrationError> {
    let malformed = |error: serde_json::Error| CalibrationError::Malformed {
        fact: json_fault(&error),
    };
    let Versioned { version } = serde_json::from_str(text).map_err(malformed)?;
    if version != VERSION {
        return Err(CalibrationError::UnknownVersion {
            version,
            known: VERSION,
        });
    }
    let record: Record = serde_json::from_str(text).map_err(malformed)?;
    let threshold = Score::new(record.threshold).ok_or(CalibrationError::OutOfRange {
        field: "threshold".to_owned(),
        value: record.threshold,
        rule: "in 0..=1",
    })?;
    let coefficients = Coefficients {
        joint: record.joint,
        embed: record.embed,
        tokens: record.tokens,
        bias: record.bias,
    };
    let mut calibration = Calibration::new(coefficients, threshold)?.with_margin(record.margin)?;
    for (label, bias) in record.label_bias {
        calibration = calibration.with_label_bias(&label, bias)?;
    }
    Ok(match record.origin {
        Some(origin) => calibration.with_origin(origin.into()),
        None => calibration,
    })
}

pub(super) fn print(calibration: &Calibration) -> String {
    let Coefficients {
        joint,
        embed,
        tokens,
        bias,
    } = calibration.coefficients;
    let record = Record {
        version: VERSION,
        joint,
        embed,
        tokens,
        bias,
        threshold: calibration.threshold.value(),
        margin: calibration.margin,
        label_bias: calibration.label_bias.clone(),
        origin: calibration.origin.as_ref().map(OriginRecord::from),
    };
    let json = serde_json::to_string_pretty(&record)
        .expect("numbers, strings and a map with string keys are always JSON");
    json + "\n"
}

impl From<OriginRecord> for Origin {
    fn from(record: OriginRecord) -> Origin {
        Origin {
            fitted_on: record.fitted_on,
            n_decisions: record.n_decisions,
            log_loss: record.log_loss,
            calibration_error: record.calibration_error,
            cross_validated_error: record.cross_validated_error,
        }
    }
}

impl From<&Origin> for OriginRecord {
    fn from(origin: &Origin) -> OriginRecord {
        OriginRecord {
            fitted_on: origin.fitted_on.clone(),
            n_decisions: origin.n_decisions,
            log_loss: origin.log_loss,
            calibration_error: origin.calibration_error,
            cross_validated_error: origin.cross_validated_error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_error(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn what_is_printed_parses_to_the_same_calibration() {
        let coefficients = Coefficients {
            joint: 5.123_457,
            embed: 0.1,
            tokens: 2.5,
            bias: -3.0e-7,
        };
        let calibration = Calibration::new(coefficients, Score::new(0.3).unwrap())
            .unwrap()
            .with_label_bias("\"quoted\" é", 0.7)
            .unwrap()
            .with_margin(Some(1.25))
            .unwrap()
            .with_origin(Origin {
                fitted_on: "notes and topics".to_owned(),
                n_decisions: 12_345,
                log_loss: 0.1,
                calibration_error: 0.012,
                cross_validated_error: None,
            });
        assert_eq!(parse(&print(&calibration)).unwrap(), calibration);
    }

    #[test]
    fn a_record_of_another_version_is_refused_with_its_cure() {
        // It has fields of the future, too; the version is what is reported.
        let message = parse_error(r#"{"version": 2, "temperature": 1.5}"#);
        assert!(message.contains("version 2"), "{message}");
        assert!(message.contains("update gliznet"), "{message}");
    }

    #[test]
    fn nothing_unknown_missing_or_out_of_range_is_accepted() {
        let good = r#"{"version": 1, "joint": 1.0, "embed": 0.0, "bias": 0.0, "threshold": 0.5}"#;
        assert!(parse(good).is_ok());
        for (from, to, fact) in [
            (
                "\"bias\": 0.0",
                "\"bias\": 0.0, \"slope\": 1.0",
                "no key `slope` is known",
            ),
            (", \"bias\": 0.0", "", "`bias` is missing"),
            ("\"version\": 1, ", "", "`version` is missing"),
            ("0.5}", "1.5}", "`threshold` is 1.5"),
            ("0.5}", "0.5, \"margin\": -1.0}", "`margin` is -1"),
            ("0.5}", "null}", "null is not a number"),
            ("\"joint\": 1.0", "\"joint\": -1.0", "`joint` is -1"),
            ("\"joint\": 1.0", "\"joint\": 1e39", "number out of range"),
            ("0.5}", "0.5} {}", "trailing characters"),
        ] {
            let message = parse_error(&good.replace(from, to));
            assert!(message.contains(fact), "{message}");
        }
    }
}
