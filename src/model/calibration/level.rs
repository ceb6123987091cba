//! How sure a calibration is: a fit and further decisions in, the same ranking at another level out.
//!
//! Invariant: the views keep their shares. Knows nothing of texts, labels or files.

use super::fit::{self, Fit, FitError, Options, Views};
use super::newton;
use super::sample::Sample;

/// The same ranking, as sure as it is right on all decisions together: a slope and a shift on the
/// log-odds (Platt 1999). Which view counts how much is better learnt from texts that are tagged
/// completely; how often a label that fits is also given is learnt from tags as their authors gave
/// them.
pub(super) fn levelled(
    fit: Fit,
    samples: &[Sample],
    level: &[Sample],
    options: &Options,
) -> Result<Fit, FitError> {
    if level.is_empty() {
        return Ok(fit);
    }
    let all = samples.iter().chain(level).map(|s| Sample {
        joint: newton::log_odds(&fit.point(), s) as f32,
        embed: 0.0,
        tokens: 0.0,
        ..*s
    });
    let all: Vec<Sample> = all.collect();
    let one = Options {
        views: Views::Joint,
        ..*options
    };
    let moved = fit::fit(&all, &one)?;
    Ok(Fit {
        joint: moved.joint * fit.joint,
        embed: moved.joint * fit.embed,
        tokens: moved.joint * fit.tokens,
        bias: moved.joint * fit.bias + moved.bias,
        n_steps: fit.n_steps + moved.n_steps,
    })
}

#[cfg(test)]
mod tests {
    use super::super::Calibration;
    use super::super::fit::calibrate;
    use super::super::fit::tests::drawn_from;
    use super::super::quality::{default_threshold, quality};
    use super::*;

    #[test]
    fn data_for_the_level_move_how_sure_it_is_and_not_the_ranking() {
        let samples: Vec<Sample> = (0..2).flat_map(|g| drawn_from(5.0, 3.0, -2.0, g)).collect();
        // The same views, but half of what fits is not given.
        let level: Vec<Sample> = (2..4).flat_map(|g| drawn_from(5.0, 3.0, -3.0, g)).collect();
        let before = Calibration::uncalibrated(7.0).unwrap();
        let options = Options::default();
        let of = |level: &[Sample]| calibrate(&samples, level, &before, &options, "").unwrap();
        let ((_, without), (calibration, with)) = (of(&[]), of(&level));
        assert_eq!(without.level, None);
        let (a, b) = (without.fit, with.fit);
        assert!(
            (a.joint / a.embed - b.joint / b.embed).abs() < 1e-6,
            "{a:?} {b:?}"
        );
        let error_before = quality(&level, |s| newton::log_odds(&a.point(), s)).error;
        assert!(with.level.unwrap().error < 0.7 * error_before);
        // It is between what either says, and the threshold is the best for both together.
        assert!(b.bias < a.bias && b.bias > -3.0 - 0.5, "{b:?}");
        let both = [samples.as_slice(), &level].concat();
        let best = default_threshold(&both, |s| newton::log_odds(&b.point(), s));
        assert_eq!(calibration.threshold(), best.threshold);
        assert!(calibration.threshold().value() < without.threshold.threshold.value());
    }
}
