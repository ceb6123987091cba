//! How good probabilities are on samples, and the threshold that makes the best tags of them.
//!
//! In: samples and what gives their log-odds. Out: losses, calibration errors, a threshold.
//! Invariant: the order of the samples changes nothing but rounding.
//! Knows nothing of how the log-odds came about.

use std::collections::BTreeMap;

use super::newton;
use super::reliability::{Reliability, Tied};
use super::sample::Sample;
use super::threshold;
use crate::score::Score;

/// How good probabilities are on some decisions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quality {
    /// Mean negative log-likelihood.
    pub log_loss: f64,
    /// Expected calibration error over 15 bins of equal width.
    pub error: f64,
    /// The same over 15 bins of equal weight, which looks closer at where most scores are.
    pub equal_mass_error: f64,
}

/// Tried as the distance that a label may be behind the best one, in log-odds; none first.
const MARGINS: [f64; 9] = [f64::INFINITY, 4.0, 3.0, 2.5, 2.0, 1.75, 1.5, 1.25, 1.0];

/// Thresholds whose F1 differ by less are as good as each other: half the standard error that F1 has
/// on some hundred texts.
const AS_GOOD: f64 = 0.01;

/// The threshold that became the default, and what it gives on the fitting data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ThresholdChoice {
    /// The default threshold.
    pub threshold: Score,
    /// How far a label may be behind the best one of its text, in log-odds.
    pub margin: Option<f32>,
    /// Its F1.
    pub f1: f64,
    /// F1 at one half, for comparison.
    pub f1_at_half: f64,
}

/// How good the probabilities are that `log_odds` stands for.
pub fn quality(samples: &[Sample], log_odds: impl Fn(&Sample) -> f64) -> Quality {
    let (mut loss, mut weight) = (0.0, 0.0);
    for s in samples {
        let z = log_odds(s);
        let w = f64::from(s.weight);
        loss += w * newton::softplus(if s.positive { -z } else { z });
        weight += w;
    }
    let scored = samples.iter().map(|s| {
        let score = newton::sigmoid(log_odds(s)) as f32;
        (score, s.positive, f64::from(s.weight))
    });
    let equal_width = Reliability::equal_width(scored, Reliability::BINS);
    let equal_mass = Reliability::equal_mass(
        descending(samples, &log_odds).into_iter(),
        Reliability::BINS,
    );
    Quality {
        log_loss: if weight > 0.0 { loss / weight } else { 0.0 },
        error: equal_width.error(),
        equal_mass_error: equal_mass.error(),
    }
}

/// The lowest threshold with as good as the best F1 on these samples, in the middle of the gap where
/// it may move.
///
/// Why the lowest: a tag too many is struck out with one key, one that is missing has to be thought of.
/// Why with the narrowest margin that is as good there: beside a good tag, weak ones are noise.
/// Why not one half: positives are rare among many labels, so even a good model is seldom more sure
/// than not, and at one half most notes would get no tag at all. Where scores are true probabilities,
/// the best threshold is half of the best F1 that can be reached (Lipton, Elkan, Naryanaswamy 2014):
/// it follows from how good the model is, and one half would be right only for a perfect one.
/// Why not one per data set or label: an unseen label set has no data to choose it on.
/// Why a margin beside it: where all labels of a set are on the text's own subject, all are likely,
/// and only the best of them are meant.
pub fn default_threshold(samples: &[Sample], log_odds: impl Fn(&Sample) -> f64) -> ThresholdChoice {
    let tied = descending(samples, &log_odds);
    let half = Score::new(0.5).expect("one half is in 0..=1");
    let f1_at_half = threshold::f1_at(tied, half.value());
    let mut best: BTreeMap<(u32, u32), f64> = BTreeMap::new();
    for s in samples {
        let best = best.entry((s.group, s.row)).or_insert(f64::NEG_INFINITY);
        *best = best.max(log_odds(s));
    }
    let with_margin = |margin: f64| {
        let kept = |s: &Sample| {
            let odds = log_odds(s);
            let is_near = best[&(s.group, s.row)] - odds <= margin;
            if is_near { odds } else { f64::NEG_INFINITY }
        };
        let tied = descending(samples, &kept);
        let cut = threshold::best_f1(tied.iter().copied())?;
        Some((margin, tied, cut.f1))
    };
    let each: Vec<_> = MARGINS.into_iter().filter_map(with_margin).collect();
    let best = each.iter().reduce(|a, b| if b.2 > a.2 { b } else { a });
    let found = best.and_then(|(_, tied, f1)| {
        let as_good = f1 - AS_GOOD;
        let lowest = threshold::lowest_with(tied.iter().copied(), as_good)?.middle();
        let with = |tied: &[Tied]| threshold::f1_at(tied.iter().copied(), lowest);
        let narrowest = each.iter().rfind(|(_, tied, _)| with(tied) >= as_good);
        let (margin, tied, _) = narrowest?;
        Some((Score::new(lowest)?, *margin, with(tied)))
    });
    match found {
        Some((threshold, margin, f1)) => ThresholdChoice {
            threshold,
            margin: margin.is_finite().then_some(margin as f32),
            f1,
            f1_at_half,
        },
        None => ThresholdChoice {
            threshold: half,
            margin: None,
            f1: f1_at_half,
            f1_at_half,
        },
    }
}

/// The samples' scores, highest first, equal ones together.
fn descending(samples: &[Sample], log_odds: &impl Fn(&Sample) -> f64) -> Vec<Tied> {
    let mut scored: Vec<(f32, bool, f32)> = samples
        .iter()
        .map(|s| {
            let score = newton::sigmoid(log_odds(s)) as f32;
            (score, s.positive, s.weight)
        })
        .collect();
    scored.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    let mut tied: Vec<Tied> = Vec::new();
    for (score, is_positive, weight) in scored {
        if tied.last().is_none_or(|t| t.score != score) {
            tied.push(Tied {
                score,
                positive: 0.0,
                negative: 0.0,
            });
        }
        if let Some(t) = tied.last_mut() {
            let side = if is_positive {
                &mut t.positive
            } else {
                &mut t.negative
            };
            *side += f64::from(weight);
        }
    }
    tied
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(joint: f32, positive: bool) -> Sample {
        Sample {
            joint,
            embed: 0.0,
            tokens: 0.0,
            positive,
            weight: 1.0,
            group: 0,
            row: 0,
        }
    }

    #[test]
    fn a_margin_is_chosen_where_all_labels_of_a_text_are_likely() {
        let of = |row: u32, joint: f32, positive: bool| Sample {
            row,
            ..sample(joint, positive)
        };
        // The first text's wrong labels are likelier than the second's right one.
        let samples = [
            of(0, 4.0, true),
            of(0, 2.0, false),
            of(0, 1.8, false),
            of(1, 1.0, true),
            of(1, -2.0, false),
        ];
        let choice = default_threshold(&samples, |s| f64::from(s.joint));
        assert_eq!((choice.margin, choice.f1), (Some(1.0), 1.0));
        assert!(choice.threshold.value() < newton::sigmoid(1.0) as f32);
    }

    #[test]
    fn a_coin_that_is_called_a_coin_has_one_bit_of_loss_and_no_error() {
        let quality = quality(&[sample(0.0, true), sample(0.0, false)], |_| 0.0);
        assert!((quality.log_loss - 2f64.ln()).abs() < 1e-12);
        assert_eq!((quality.error, quality.equal_mass_error), (0.0, 0.0));
    }

    #[test]
    fn the_default_threshold_is_in_the_gap_below_the_last_tag() {
        let samples = [sample(-1.0, true), sample(-2.0, true), sample(-4.0, false)];
        let choice = default_threshold(&samples, |s| f64::from(s.joint));
        let middle = (newton::sigmoid(-2.0) + newton::sigmoid(-4.0)) / 2.0;
        assert!((f64::from(choice.threshold.value()) - middle).abs() < 1e-6);
        assert_eq!((choice.f1, choice.f1_at_half), (1.0, 0.0));
    }

    #[test]
    fn without_positives_the_threshold_is_one_half() {
        let choice = default_threshold(&[sample(0.0, false)], |_| -3.0);
        assert_eq!((choice.threshold.value(), choice.f1), (0.5, 0.0));
    }
}
