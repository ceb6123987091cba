//! From cosines to log-odds that mean something: `a·joint + c·embed + t·tokens + b + d_label`.
//!
//! In: the cosines of a text and a label in each view. Out: a `Logit` whose sigmoid is a probability.
//! Invariant: every coefficient is finite, and the joint one is not negative, so that a better match
//! never scores lower. Stored as `calibration.json` beside a checkpoint, in a versioned record.
//! Knows nothing of windows or the user's own thresholds.
//!
//! Length: one type with the rules of its numbers, and a test for each.

pub mod cross_validation;
mod error;
pub mod fit;
mod level;
mod newton;
pub mod quality;
mod record;
pub mod reliability;
pub mod sample;
pub mod threshold;

use std::collections::BTreeMap;
use std::path::Path;

use crate::score::{Logit, Score};

pub use error::CalibrationError;

/// The name of the file beside a checkpoint's weights.
pub const FILE_NAME: &str = "calibration.json";

/// The most that verdicts may move one label, in log-odds.
pub const LARGEST_LABEL_BIAS: f32 = 2.0;

/// What turns a checkpoint's cosines into probabilities.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    coefficients: Coefficients,
    threshold: Score,
    margin: Option<f32>,
    label_bias: BTreeMap<String, f32>,
    origin: Option<Origin>,
}

/// The numbers of the formula that hold for every label.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coefficients {
    /// `a`: what the cosine of the joint encoding counts.
    pub joint: f32,
    /// `c`: what the cosine of the plain embeddings counts; 0 means that view is not needed.
    pub embed: f32,
    /// `t`: what the cosines of single tokens count; 0 means that view is not needed.
    pub tokens: f32,
    /// `b`: the log-odds where all cosines are 0.
    pub bias: f32,
}

/// What the views say of a text and a label; none of a view that was not asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cosines {
    /// The cosine (or similarity) of the joint encoding.
    pub joint: f32,
    /// The cosine of the two plain embeddings.
    pub embed: Option<f32>,
    /// The cosine of each token of the label with the nearest ones of the text, their mean.
    pub tokens: Option<f32>,
}

/// Where a fitted calibration comes from, and how good it was there.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    /// The data sets, in words.
    pub fitted_on: String,
    /// How many decisions (a text with a label) they held.
    pub n_decisions: u64,
    /// Mean negative log-likelihood of a decision.
    pub log_loss: f64,
    /// Expected calibration error on the fitting data itself.
    pub calibration_error: f64,
    /// The same on label sets that the fit had not seen, where that was measured.
    pub cross_validated_error: Option<f64>,
}

fn checked(
    field: &str,
    value: f32,
    rule: &'static str,
    holds: impl Fn(f32) -> bool,
) -> Result<f32, CalibrationError> {
    if holds(value) {
        Ok(value)
    } else {
        Err(CalibrationError::OutOfRange {
            field: field.to_owned(),
            value,
            rule,
        })
    }
}

impl Calibration {
    /// A calibration of these coefficients, and the score from which a label is a tag by default.
    pub fn new(
        coefficients: Coefficients,
        threshold: Score,
    ) -> Result<Calibration, CalibrationError> {
        let Coefficients {
            joint,
            embed,
            tokens,
            bias,
        } = coefficients;
        let not_negative = "a finite number of at least 0";
        checked("joint", joint, not_negative, |x| x.is_finite() && x >= 0.0)?;
        checked("embed", embed, "a finite number", f32::is_finite)?;
        checked("tokens", tokens, "a finite number", f32::is_finite)?;
        checked("bias", bias, "a finite number", f32::is_finite)?;
        Ok(Calibration {
            coefficients,
            threshold,
            margin: None,
            label_bias: BTreeMap::new(),
            origin: None,
        })
    }

    /// What a checkpoint without the file means: its own logits, `scale · cosine`, and a threshold of one half.
    ///
    /// `scale` is the checkpoint's `exp(logit_scale)`; 1 where the similarity has none (`dot`, `bilinear`).
    pub fn uncalibrated(scale: f32) -> Result<Calibration, CalibrationError> {
        let coefficients = Coefficients {
            joint: scale,
            embed: 0.0,
            tokens: 0.0,
            bias: 0.0,
        };
        let half = Score::new(0.5).expect("one half is in 0..=1");
        Calibration::new(coefficients, half)
    }

    /// The same, with one label moved by verdicts; beyond [`LARGEST_LABEL_BIAS`] it is cut off there.
    pub fn with_label_bias(mut self, label: &str, bias: f32) -> Result<Self, CalibrationError> {
        let field = format!("label_bias of {label:?}");
        let bias = checked(&field, bias, "a finite number", f32::is_finite)?;
        let bias = bias.clamp(-LARGEST_LABEL_BIAS, LARGEST_LABEL_BIAS);
        self.label_bias.insert(label.to_owned(), bias);
        Ok(self)
    }

    /// The same, where a label may be at most so far behind the best one, in log-odds.
    pub fn with_margin(self, margin: Option<f32>) -> Result<Self, CalibrationError> {
        if let Some(margin) = margin {
            let rule = "a finite number of at least 0";
            checked("margin", margin, rule, |x| x.is_finite() && x >= 0.0)?;
        }
        Ok(Calibration { margin, ..self })
    }

    /// The same, knowing where it comes from.
    pub fn with_origin(self, origin: Origin) -> Calibration {
        Calibration {
            origin: Some(origin),
            ..self
        }
    }

    /// The calibrated log-odds that `label` fits the text.
    ///
    /// A view may be absent where its coefficient is 0; `label` is the name that verdicts were given
    /// for. `None` where a cosine is not a number or a needed one is absent: a guess would be worse
    /// than saying so.
    pub fn logit(&self, cosines: &Cosines, label: Option<&str>) -> Option<Logit> {
        let Coefficients {
            joint,
            embed,
            tokens,
            bias,
        } = self.coefficients;
        // In f64 the sum cannot overflow, and what f32 cannot hold is as certain as it can be.
        let mut sum = f64::from(joint) * f64::from(cosines.joint) + f64::from(bias);
        for (coefficient, cosine) in [(embed, cosines.embed), (tokens, cosines.tokens)] {
            if coefficient != 0.0 {
                sum += f64::from(coefficient) * f64::from(cosine?);
            }
        }
        let moved = label
            .and_then(|name| self.label_bias.get(name))
            .copied()
            .unwrap_or(0.0);
        let most = f64::from(f32::MAX);
        Logit::new((sum + f64::from(moved)).clamp(-most, most) as f32)
    }

    /// The coefficients.
    pub fn coefficients(&self) -> Coefficients {
        self.coefficients
    }

    /// The score from which a label is a tag, where neither the reader nor the label set says otherwise.
    pub fn threshold(&self) -> Score {
        self.threshold
    }

    /// How far, in log-odds, a label may be behind the best one to be a tag, where the default
    /// threshold holds; `None`: however far.
    pub fn margin(&self) -> Option<f32> {
        self.margin
    }

    /// How far verdicts have moved single labels, by name.
    pub fn label_bias(&self) -> &BTreeMap<String, f32> {
        &self.label_bias
    }

    /// Where it was fitted; `None` where it was not.
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// Whether text and label are also compared as each is read alone: by embedding, or by tokens.
    pub fn needs_alone(&self) -> bool {
        self.coefficients.embed != 0.0 || self.coefficients.tokens != 0.0
    }

    /// Reads the record that [`to_json`](Self::to_json) writes; strictly, so that no field is ignored.
    pub fn from_json(text: &str) -> Result<Calibration, CalibrationError> {
        record::parse(text)
    }

    /// The record as it is stored, ending in a line break.
    pub fn to_json(&self) -> String {
        record::print(self)
    }

    /// Reads a calibration file.
    pub fn read(path: &Path) -> Result<Calibration, CalibrationError> {
        let text = std::fs::read_to_string(path).map_err(|source| CalibrationError::Io {
            path: path.to_owned(),
            action: "read",
            source,
        })?;
        Calibration::from_json(&text).map_err(|fault| CalibrationError::InFile {
            path: path.to_owned(),
            fault: Box::new(fault),
        })
    }

    /// The calibration beside a checkpoint's weights, or the plain one where there is no such file.
    pub fn beside(checkpoint: &Path, scale: f32) -> Result<Calibration, CalibrationError> {
        match Calibration::read(&checkpoint.join(FILE_NAME)) {
            Err(CalibrationError::Io { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                Calibration::uncalibrated(scale)
            }
            read => read,
        }
    }

    /// Writes the file in one step: a reader sees the old record or the new one, never half of one.
    pub fn write(&self, path: &Path) -> Result<(), CalibrationError> {
        crate::config::replace(path, self.to_json().as_bytes()).map_err(|source| {
            CalibrationError::Io {
                path: path.to_owned(),
                action: "write",
                source,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn both_views() -> Calibration {
        let coefficients = Coefficients {
            joint: 5.0,
            embed: 3.0,
            tokens: 0.0,
            bias: -2.5,
        };
        Calibration::new(coefficients, Score::new(0.3).unwrap()).unwrap()
    }

    fn cosines(joint: f32, embed: Option<f32>) -> Cosines {
        Cosines {
            joint,
            embed,
            tokens: None,
        }
    }

    fn value(logit: Option<Logit>) -> f32 {
        logit.unwrap().value()
    }

    #[test]
    fn the_views_and_the_bias_add_up() {
        let calibration = both_views().with_label_bias("tax", 0.5).unwrap();
        let seen = cosines(0.5, Some(0.25));
        assert_eq!(value(calibration.logit(&seen, None)), 0.75);
        assert_eq!(value(calibration.logit(&seen, Some("tax"))), 1.25);
        assert_eq!(value(calibration.logit(&seen, Some("Tax"))), 0.75);

        let coefficients = Coefficients {
            tokens: 2.0,
            ..calibration.coefficients()
        };
        let with_tokens = Calibration::new(coefficients, calibration.threshold()).unwrap();
        assert_eq!(with_tokens.logit(&seen, None), None);
        let tokens = Some(0.5);
        assert_eq!(
            value(with_tokens.logit(&Cosines { tokens, ..seen }, None)),
            1.75
        );
    }

    #[test]
    fn an_uncalibrated_checkpoint_keeps_its_logits() {
        let plain = Calibration::uncalibrated(7.389_056).unwrap();
        assert!(!plain.needs_alone());
        let seen = cosines(0.5, None);
        assert_eq!(value(plain.logit(&seen, None)), 7.389_056 / 2.0);
        assert_eq!(plain.threshold().value(), 0.5);
        assert_eq!(plain.origin(), None);
    }

    #[test]
    fn a_missing_view_or_a_cosine_that_is_no_number_gives_no_logit() {
        assert!(both_views().needs_alone());
        let logit = |joint, embed| both_views().logit(&cosines(joint, embed), None);
        assert_eq!(logit(0.5, None), None);
        assert_eq!(logit(f32::NAN, Some(0.0)), None);
        assert_eq!(logit(0.0, Some(f32::NAN)), None);
    }

    #[test]
    fn coefficients_that_break_the_rules_are_refused_by_name() {
        let half = Score::new(0.5).unwrap();
        let coefficients = |joint, embed, tokens, bias| Coefficients {
            joint,
            embed,
            tokens,
            bias,
        };
        for (bad, field) in [
            (coefficients(-1.0, 0.0, 0.0, 0.0), "joint"),
            (coefficients(f32::NAN, 0.0, 0.0, 0.0), "joint"),
            (coefficients(1.0, f32::INFINITY, 0.0, 0.0), "embed"),
            (coefficients(1.0, 0.0, f32::NAN, 0.0), "tokens"),
            (coefficients(1.0, 0.0, 0.0, f32::NAN), "bias"),
        ] {
            let message = Calibration::new(bad, half).unwrap_err().to_string();
            assert!(message.starts_with(&format!("`{field}` is")), "{message}");
        }
        assert!(both_views().with_label_bias("x", f32::NAN).is_err());
    }

    #[test]
    fn verdicts_move_a_label_only_so_far() {
        let calibration = both_views().with_label_bias("x", -7.0).unwrap();
        assert_eq!(calibration.label_bias()["x"], -LARGEST_LABEL_BIAS);
    }

    #[test]
    fn a_checkpoint_without_the_file_is_uncalibrated_and_one_with_it_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let plain = Calibration::uncalibrated(7.0).unwrap();
        assert_eq!(Calibration::beside(folder.path(), 7.0).unwrap(), plain);

        both_views().write(&folder.path().join(FILE_NAME)).unwrap();
        assert_eq!(
            Calibration::beside(folder.path(), 7.0).unwrap(),
            both_views()
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_broken_file_is_named_and_not_taken_for_a_missing_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        std::fs::write(&path, "{").unwrap();
        let message = Calibration::beside(folder.path(), 7.0)
            .unwrap_err()
            .to_string();
        assert!(
            message.starts_with(&path.display().to_string()),
            "{message}"
        );
        assert!(message.contains("gliznet model calibrate"), "{message}");
    }

    proptest! {
        #[test]
        fn a_better_match_never_scores_lower(
            (low, high) in (-1.0f32..1.0, -1.0f32..1.0).prop_map(|(x, y)| (x.min(y), x.max(y))),
            embed in -1.0f32..1.0,
        ) {
            let logit = |joint| value(both_views().logit(&cosines(joint, Some(embed)), None));
            prop_assert!(logit(low) <= logit(high));
        }

        #[test]
        fn the_logit_is_finite_for_any_finite_similarity(
            joint in proptest::num::f32::NORMAL, embed in proptest::num::f32::NORMAL,
        ) {
            prop_assert!(both_views().logit(&cosines(joint, Some(embed)), None).is_some());
        }
    }
}
