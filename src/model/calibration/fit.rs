//! Fits a calibration: scored decisions in, `Calibration` and a report of its quality out.
//!
//! Invariant: the same samples give the same calibration, in any order of theirs up to rounding.
//! The fit is exact (a convex loss, a finite set of sign choices), so there is nothing to tune but
//! the ridge. Knows nothing of texts, labels or files.
//!
//! Length: one fit with its report, and a test for each promise.

use super::cross_validation::{self, CrossValidation};
use super::level::levelled;
use super::newton::{self, Active, Minimum, Point, VIEWS};
use super::quality::{Quality, ThresholdChoice, default_threshold, quality};
use super::sample::Sample;
use super::{Calibration, Coefficients, Origin};

pub use super::error::FitError;

/// Which cosines the calibration may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Views {
    /// The joint one alone.
    Joint,
    /// The joint one, the plain embeddings and the tokens.
    All,
}

/// Whether a coefficient may be negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signs {
    /// A closer match never lowers a score: a coefficient that would be negative becomes 0.
    NotNegative,
    /// Whatever fits best. A negative joint coefficient makes no [`Calibration`].
    Free,
}

/// How to fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Which cosines to use.
    pub views: Views,
    /// Which signs to accept.
    pub signs: Signs,
    /// The penalty on `(a² + c² + t²)/2`, against the sum of weighted losses. Keeps separable data finite.
    pub ridge: f64,
    /// Most folds of the cross-validation.
    pub n_folds: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            views: Views::All,
            signs: Signs::NotNegative,
            ridge: 1e-3,
            n_folds: 5,
        }
    }
}

/// The best coefficients, in full precision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// `a`.
    pub joint: f64,
    /// `c`.
    pub embed: f64,
    /// `t`.
    pub tokens: f64,
    /// `b`.
    pub bias: f64,
    /// Newton steps that it took.
    pub n_steps: usize,
}

impl Fit {
    /// The coefficients as a calibration stores them.
    pub fn coefficients(&self) -> Coefficients {
        Coefficients {
            joint: self.joint as f32,
            embed: self.embed as f32,
            tokens: self.tokens as f32,
            bias: self.bias as f32,
        }
    }

    pub(super) fn point(&self) -> Point {
        [self.joint, self.embed, self.tokens, self.bias]
    }
}

/// What was fitted, on what, and how well.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// All decisions.
    pub n_decisions: usize,
    /// Those that are true.
    pub n_positives: usize,
    /// The coefficients.
    pub fit: Fit,
    /// Quality of the calibration that was there before.
    pub before: Quality,
    /// Quality of the new one, on the data it was fitted on.
    pub after: Quality,
    /// The same on the data that moved its level and not its ranking, where there is such.
    pub level: Option<Quality>,
    /// The default threshold.
    pub threshold: ThresholdChoice,
    /// Quality on label spaces that a fit has not seen; `None` where there is only one.
    pub cross_validation: Option<CrossValidation>,
}

/// Fits, chooses the default threshold, cross-validates. `fitted_on` names the data in words.
///
/// `level` are further decisions, whose truth may be incomplete: they move how sure the model is and
/// from where a label is a tag, and not the ranking.
pub fn calibrate(
    samples: &[Sample],
    level: &[Sample],
    before: &Calibration,
    options: &Options,
    fitted_on: &str,
) -> Result<(Calibration, Report), FitError> {
    let fit = levelled(fit(samples, options)?, samples, level, options)?;
    if fit.point()[..VIEWS].iter().all(|x| *x as f32 == 0.0) {
        return Err(FitError::SaysNothing);
    }
    let odds = |s: &Sample| newton::log_odds(&fit.point(), s);
    let after = quality(samples, odds);
    let threshold = default_threshold(&[samples, level].concat(), odds);
    let cross_validation = cross_validation::run(samples, level, options)?;
    let calibration =
        Calibration::new(fit.coefficients(), threshold.threshold)?.with_margin(threshold.margin)?;
    let calibration = calibration.with_origin(Origin {
        fitted_on: fitted_on.to_owned(),
        n_decisions: samples.len() as u64,
        log_loss: after.log_loss,
        calibration_error: after.error,
        cross_validated_error: cross_validation.as_ref().map(|c| c.pooled.error),
    });
    let Coefficients {
        joint,
        embed,
        tokens,
        bias,
    } = before.coefficients();
    let old = [joint, embed, tokens, bias].map(f64::from);
    let report = Report {
        n_decisions: samples.len(),
        n_positives: samples.iter().filter(|s| s.positive).count(),
        fit,
        before: quality(samples, |s| newton::log_odds(&old, s)),
        after,
        level: (!level.is_empty()).then(|| quality(level, odds)),
        threshold,
        cross_validation,
    };
    Ok((calibration, report))
}

/// The coefficients with the least penalised negative log-likelihood.
pub fn fit(samples: &[Sample], options: &Options) -> Result<Fit, FitError> {
    check(samples)?;
    let allowed = match options.views {
        Views::Joint => [true, false, false],
        Views::All => [true; VIEWS],
    };
    let ridge = options.ridge.max(0.0);
    let fits =
        |m: &Minimum| options.signs == Signs::Free || m.at[..VIEWS].iter().all(|x| *x >= 0.0);
    let whole = newton::minimise(samples, allowed, ridge);
    let minimum = if fits(&whole) {
        whole
    } else {
        // The loss is convex: the best point without negative coefficients has some of them at 0,
        // and is the best of its face. There are seven faces, so all are tried.
        (0..(1 << VIEWS) - 1)
            .map(|face: usize| std::array::from_fn(|view| face >> view & 1 == 1))
            .filter(|active: &Active| active.iter().zip(allowed).all(|(on, may)| may || !on))
            .map(|active| newton::minimise(samples, active, ridge))
            .filter(fits)
            .min_by(|a, b| a.loss.total_cmp(&b.loss))
            .expect("with all coefficients at 0 none is negative")
    };
    let [joint, embed, tokens, bias] = minimum.at;
    Ok(Fit {
        joint,
        embed,
        tokens,
        bias,
        n_steps: minimum.n_steps,
    })
}

fn check(samples: &[Sample]) -> Result<(), FitError> {
    for (index, s) in samples.iter().enumerate() {
        let weight_is_good = s.weight.is_finite() && s.weight > 0.0;
        for (field, value, good) in [
            ("joint", s.joint, s.joint.is_finite()),
            ("embed", s.embed, s.embed.is_finite()),
            ("tokens", s.tokens, s.tokens.is_finite()),
            ("weight", s.weight, weight_is_good),
        ] {
            if !good {
                return Err(FitError::NotFinite {
                    index,
                    field,
                    value,
                });
            }
        }
    }
    let n_positives = samples.iter().filter(|s| s.positive).count();
    if n_positives == 0 || n_positives == samples.len() {
        return Err(FitError::OneClass {
            n_samples: samples.len(),
            n_positives,
        });
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::{reliability::Tied, threshold::f1_at};
    use super::*;
    use proptest::prelude::*;

    /// Evenly spread, so that the numbers are the same everywhere without a generator.
    fn spread(i: usize, step: f64) -> f32 {
        ((i as f64 * step).fract() * 2.0 - 1.0) as f32
    }

    /// Each point twice, once with each truth, weighted by how likely that truth is: the samples
    /// follow the curve exactly, so the fit must find it.
    pub(in crate::model::calibration) fn drawn_from(
        joint: f64,
        embed: f64,
        bias: f64,
        group: u32,
    ) -> Vec<Sample> {
        (0..2000)
            .flat_map(|i| {
                let x = [spread(i, 0.618_033_988), spread(i, 0.754_877_666)];
                let p = newton::sigmoid(joint * f64::from(x[0]) + embed * f64::from(x[1]) + bias);
                [(true, p), (false, 1.0 - p)].map(|(positive, weight)| Sample {
                    joint: x[0],
                    embed: x[1],
                    tokens: 0.0,
                    positive,
                    weight: weight as f32,
                    group,
                    row: i as u32,
                })
            })
            .collect()
    }

    #[test]
    fn the_coefficients_that_made_the_data_are_found() {
        let samples = drawn_from(5.0, 3.0, -2.0, 0);
        let options = Options {
            ridge: 1e-9,
            ..Options::default()
        };
        let fit = fit(&samples, &options).unwrap();
        assert!((fit.joint - 5.0).abs() < 1e-3, "{fit:?}");
        assert!((fit.embed - 3.0).abs() < 1e-3, "{fit:?}");
        assert!((fit.bias + 2.0).abs() < 1e-3, "{fit:?}");
    }

    #[test]
    fn calibrating_makes_the_promise_true_and_says_where_it_comes_from() {
        let samples: Vec<Sample> = (0..4).flat_map(|g| drawn_from(5.0, 3.0, -4.0, g)).collect();
        let before = Calibration::uncalibrated(7.0).unwrap();
        let (calibration, report) =
            calibrate(&samples, &[], &before, &Options::default(), "made up").unwrap();
        assert!(report.before.error > 0.15, "{report:?}");
        assert!(report.after.error < 0.01, "{report:?}");
        assert!(report.after.log_loss < report.before.log_loss);
        assert!(report.cross_validation.unwrap().pooled.error < 0.01);
        assert!(report.threshold.f1 > report.threshold.f1_at_half);
        assert!(calibration.needs_alone());
        let origin = calibration.origin().unwrap();
        assert_eq!(
            (origin.fitted_on.as_str(), origin.n_decisions),
            ("made up", 16_000)
        );
        // The theorem that the default threshold stands on: F1 is best at half of itself.
        let tied = samples.iter().map(|s| Tied {
            score: newton::sigmoid(newton::log_odds(&report.fit.point(), s)) as f32,
            positive: f64::from(u8::from(s.positive)) * f64::from(s.weight),
            negative: f64::from(u8::from(!s.positive)) * f64::from(s.weight),
        });
        let f1_of = |cut: f64| f1_at(tied.clone(), cut as f32);
        let best = (1..100).fold(0.0, |best, i| f1_of(f64::from(i) / 100.0).max(best));
        assert!((f1_of(best / 2.0) - best).abs() < 1e-3, "{best}");
        // Of thresholds that are as good, the lowest.
        let chosen = f64::from(calibration.threshold().value());
        assert!(chosen < best / 2.0 && report.threshold.f1 > best - 0.011);
    }

    #[test]
    fn a_view_that_speaks_against_itself_is_left_out() {
        let samples = drawn_from(4.0, -2.0, -1.0, 0);
        let free = Options {
            signs: Signs::Free,
            ..Options::default()
        };
        assert!(fit(&samples, &free).unwrap().embed < -1.0);
        let kept = fit(&samples, &Options::default()).unwrap();
        assert_eq!(kept.embed, 0.0);
        assert!(kept.joint > 2.0, "{kept:?}");

        // The joint view against itself: no calibration if that is asked for, the other view if not.
        let samples = drawn_from(-4.0, 2.0, -1.0, 0);
        let kept = fit(&samples, &Options::default()).unwrap();
        assert_eq!(kept.joint, 0.0);
        assert!(kept.embed > 1.0, "{kept:?}");
        let before = Calibration::uncalibrated(1.0).unwrap();
        let refused = calibrate(&samples, &[], &before, &free, "").unwrap_err();
        assert!(refused.to_string().contains("`joint` is -"), "{refused}");
        let samples = drawn_from(-4.0, -2.0, -1.0, 0);
        let nothing = fit(&samples, &Options::default()).unwrap();
        assert_eq!((nothing.joint, nothing.embed), (0.0, 0.0));
        let refused = calibrate(&samples, &[], &before, &Options::default(), "").unwrap_err();
        assert!(matches!(refused, FitError::SaysNothing), "{refused}");
    }

    #[test]
    fn the_joint_view_alone_leaves_the_other_at_zero() {
        let options = Options {
            views: Views::Joint,
            ..Options::default()
        };
        let fit = fit(&drawn_from(5.0, 3.0, -2.0, 0), &options).unwrap();
        assert_eq!(fit.embed, 0.0);
        assert!(fit.joint > 2.0);
    }

    #[test]
    fn a_weight_counts_like_so_many_samples() {
        let mut weighted = drawn_from(2.0, 1.0, 0.0, 0);
        weighted.truncate(100);
        for s in &mut weighted {
            s.weight = 1.0;
        }
        let mut repeated = weighted.clone();
        repeated.extend_from_slice(&weighted[..10]);
        repeated.extend_from_slice(&weighted[..10]);
        for s in &mut weighted[..10] {
            s.weight = 3.0;
        }
        let options = Options::default();
        let (a, b) = (
            fit(&weighted, &options).unwrap(),
            fit(&repeated, &options).unwrap(),
        );
        assert!((a.joint - b.joint).abs() < 1e-6, "{a:?} {b:?}");
        assert!((a.bias - b.bias).abs() < 1e-6, "{a:?} {b:?}");
    }

    #[test]
    fn what_cannot_be_fitted_is_said_with_its_place() {
        let options = Options::default();
        let all = drawn_from(2.0, 1.0, 0.0, 0);
        let positives: Vec<Sample> = all.iter().filter(|s| s.positive).copied().collect();
        for one_class in [&positives[..], &[]] {
            let error = fit(one_class, &options).unwrap_err();
            assert!(matches!(error, FitError::OneClass { .. }), "{error}");
        }
        let mut broken = all;
        broken[7].embed = f32::NAN;
        let message = fit(&broken, &options).unwrap_err().to_string();
        assert!(message.starts_with("decision 7: embed is NaN"), "{message}");
        broken[7].embed = 0.0;
        broken[3].weight = 0.0;
        let message = fit(&broken, &options).unwrap_err().to_string();
        assert!(message.starts_with("decision 3: weight is 0"), "{message}");
    }

    proptest! {
        #[test]
        fn any_data_with_both_classes_gives_a_finite_fit(
            points in prop::collection::vec(([-1.0f32..=1.0, -1.0..=1.0, -1.0..=1.0], any::<bool>()), 2..40),
        ) {
            let samples: Vec<Sample> = points
                .iter()
                .map(|&([joint, embed, tokens], positive)| Sample {
                    joint,
                    embed,
                    tokens,
                    positive,
                    weight: 1.0,
                    group: 0,
                    row: 0,
                })
                .collect();
            match fit(&samples, &Options::default()) {
                Ok(fit) => {
                    prop_assert!(fit.point().iter().all(|x| x.is_finite()), "{fit:?}");
                    prop_assert!(fit.joint >= 0.0 && fit.embed >= 0.0 && fit.tokens >= 0.0);
                }
                Err(error) => prop_assert!(matches!(error, FitError::OneClass { .. }), "{error}"),
            }
        }
    }
}
