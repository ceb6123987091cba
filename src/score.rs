//! Numbers about a label: the model's raw `Logit`, the calibrated `Score`.
//!
//! Invariant: a `Score` is in `0.0..=1.0` and never NaN; a `Logit` is finite.
//! Knows nothing of labels, models or thresholds' origin.

/// A raw or calibrated log-odds value; finite.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Logit(f32);

impl Logit {
    /// `None` where `value` is NaN or infinite.
    pub fn new(value: f32) -> Option<Logit> {
        value.is_finite().then_some(Logit(value))
    }

    /// The log-odds as a number.
    pub fn value(self) -> f32 {
        self.0
    }

    /// The probability that this log-odds value stands for: `1 / (1 + e^-x)`.
    pub fn sigmoid(self) -> Score {
        // Computed from the side that cannot overflow.
        let x = f64::from(self.0);
        let p = if x >= 0.0 {
            1.0 / (1.0 + (-x).exp())
        } else {
            let e = x.exp();
            e / (1.0 + e)
        };
        Score(p as f32)
    }
}

/// The probabilities of labels that exclude each other: `e^x / Σ e^x`, stable for any finite input.
pub fn softmax(logits: &[Logit]) -> Vec<Score> {
    let max = logits
        .iter()
        .map(|l| f64::from(l.0))
        .fold(f64::NEG_INFINITY, f64::max);
    let exp: Vec<f64> = logits
        .iter()
        .map(|l| (f64::from(l.0) - max).exp())
        .collect();
    let sum: f64 = exp.iter().sum();
    exp.into_iter().map(|e| Score((e / sum) as f32)).collect()
}

/// A probability, in `0.0..=1.0` and never NaN.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Score(f32);

impl Score {
    /// `None` where `value` is outside `0.0..=1.0` or NaN.
    pub fn new(value: f32) -> Option<Score> {
        (0.0..=1.0).contains(&value).then_some(Score(value)) // NaN is in no range.
    }

    /// The probability as a number.
    pub fn value(self) -> f32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logit(x: f32) -> Logit {
        Logit::new(x).unwrap()
    }

    #[test]
    fn a_score_outside_the_unit_interval_cannot_be_made() {
        for bad in [-0.001, 1.001, f32::NAN, f32::INFINITY] {
            assert_eq!(Score::new(bad), None);
        }
        assert_eq!(Score::new(1.0).unwrap().value(), 1.0);
    }

    #[test]
    fn sigmoid_is_a_score_for_any_finite_logit() {
        for x in [-1e30, -100.0, -1.0, 0.0, 1.0, 100.0, 1e30] {
            assert!(Score::new(logit(x).sigmoid().value()).is_some(), "{x}");
        }
        assert_eq!(logit(0.0).sigmoid().value(), 0.5);
        assert!(Logit::new(f32::NAN).is_none());
    }

    #[test]
    fn softmax_sums_to_one_where_a_naive_one_overflows() {
        let scores = softmax(&[logit(-1000.0), logit(1.0), logit(1000.0)]);
        assert_eq!(scores.iter().map(|s| s.value()).sum::<f32>(), 1.0);
        assert_eq!(scores[2].value(), 1.0);
        assert!(softmax(&[]).is_empty());
    }
}
