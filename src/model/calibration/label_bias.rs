//! How far a label moves by its own verdicts: what people said about it in, `d_label` out.
//!
//! Invariant: between -2 and 2, 0 without verdicts, and small for few. Knows nothing of other labels.

use super::LARGEST_LABEL_BIAS;
use super::newton::{sigmoid, softplus};

/// What a person said about a label on one text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// The calibrated log-odds without any bias of the label.
    pub logit: f32,
    /// Whether the label fits.
    pub positive: bool,
}

/// Verdicts that are needed before half of the estimate counts.
const PRIOR_VERDICTS: f64 = 10.0;

/// The spread, in log-odds, that labels are expected to have around the common bias.
const PRIOR_VARIANCE: f64 = 4.0;

/// The bias that these verdicts of one label speak for, shrunk by how few they are.
pub fn label_bias(verdicts: &[Verdict]) -> f32 {
    shrunk(verdicts.len(), estimate(verdicts))
}

/// `n/(n+10) · estimate`, at most 2 in either direction.
pub fn shrunk(n_verdicts: usize, estimate: f64) -> f32 {
    let n = n_verdicts as f64;
    let most = f64::from(LARGEST_LABEL_BIAS);
    (n / (n + PRIOR_VERDICTS) * estimate).clamp(-most, most) as f32
}

/// The most likely bias under a normal prior, which keeps verdicts that all agree finite.
///
/// The derivative falls from above 0 to below it within the bounds, so halving finds its zero; it is
/// as quick as it needs to be, and nothing can go wrong with it.
pub fn estimate(verdicts: &[Verdict]) -> f64 {
    let slope = |bias: f64| {
        let errors: f64 = verdicts
            .iter()
            .map(|v| f64::from(u8::from(v.positive)) - sigmoid(f64::from(v.logit) + bias))
            .sum();
        errors - bias / PRIOR_VARIANCE
    };
    // |bias| / variance cannot exceed the sum of errors, and that not the number of verdicts.
    let bound = PRIOR_VARIANCE * verdicts.len() as f64;
    let (mut low, mut high) = (-bound, bound);
    while high - low > 1e-9 * (1.0 + bound) {
        let middle = (low + high) / 2.0;
        if slope(middle) > 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low + high) / 2.0
}

/// Mean negative log-likelihood of the verdicts under a bias: what a gate compares.
pub fn log_loss(verdicts: &[Verdict], bias: f64) -> f64 {
    let losses: f64 = verdicts
        .iter()
        .map(|v| {
            let z = f64::from(v.logit) + bias;
            softplus(if v.positive { -z } else { z })
        })
        .sum();
    losses / verdicts.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(logit: f32, n_positive: usize, n_negative: usize) -> Vec<Verdict> {
        let verdict = |positive| Verdict { logit, positive };
        let mut all = vec![verdict(true); n_positive];
        all.extend(vec![verdict(false); n_negative]);
        all
    }

    #[test]
    fn without_verdicts_a_label_stays() {
        assert_eq!(label_bias(&[]), 0.0);
        assert_eq!(log_loss(&[], 0.0), 0.0);
    }

    #[test]
    fn many_verdicts_find_the_bias_they_speak_for() {
        // Predicted one in two, true three in four: log-odds 0 -> ln 3.
        let estimate = estimate(&verdicts(0.0, 7500, 2500));
        assert!((estimate - 3f64.ln()).abs() < 0.01, "{estimate}");
        let bias = label_bias(&verdicts(0.0, 7500, 2500));
        assert!((bias - 3f32.ln()).abs() < 0.01, "{bias}");
    }

    #[test]
    fn one_verdict_moves_little_and_in_its_direction() {
        let up = label_bias(&verdicts(0.0, 1, 0));
        let down = label_bias(&verdicts(0.0, 0, 1));
        assert!(up > 0.05 && up < 0.2, "{up}");
        assert!((up + down).abs() < 1e-6);
    }

    #[test]
    fn verdicts_that_all_agree_stay_in_bounds() {
        for n in [1, 10, 100, 10_000] {
            let bias = label_bias(&verdicts(-3.0, n, 0));
            assert!(bias > 0.0 && bias <= LARGEST_LABEL_BIAS, "{n}: {bias}");
        }
        assert_eq!(label_bias(&verdicts(-3.0, 10_000, 0)), LARGEST_LABEL_BIAS);
        assert_eq!(shrunk(10, 1.0), 0.5);
        assert_eq!(shrunk(1_000_000, -9.0), -LARGEST_LABEL_BIAS);
    }

    #[test]
    fn the_estimate_lowers_the_loss() {
        let verdicts = verdicts(0.5, 2, 9);
        assert!(log_loss(&verdicts, estimate(&verdicts)) < log_loss(&verdicts, 0.0));
    }
}
