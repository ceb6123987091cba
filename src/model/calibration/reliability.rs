//! Do probabilities mean what they say: scored decisions in, reliability bins and their error out.
//!
//! Invariant: every decision is in exactly one bin, bins are in order, and no bin is empty.
//! Equal scores always share a bin, so the order of the decisions changes nothing.
//! Knows nothing of labels or rows.

/// All decisions that share one score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tied {
    /// Their score.
    pub score: f32,
    /// The weight of those that are true.
    pub positive: f64,
    /// The weight of those that are not.
    pub negative: f64,
}

/// Decisions with similar scores: one point of a reliability diagram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bin {
    /// The weight of the decisions in it; their number, where none is weighted.
    pub weight: f64,
    /// What the scores promise: their mean.
    pub mean_score: f64,
    /// What came true: the share of positives.
    pub share_positive: f64,
}

impl Bin {
    fn of(sums: Sums) -> Option<Bin> {
        (sums.weight > 0.0).then(|| Bin {
            weight: sums.weight,
            mean_score: sums.score / sums.weight,
            share_positive: sums.positive / sums.weight,
        })
    }

    /// How far promise and truth are apart.
    pub fn gap(&self) -> f64 {
        (self.mean_score - self.share_positive).abs()
    }
}

#[derive(Clone, Copy, Default)]
struct Sums {
    weight: f64,
    score: f64,
    positive: f64,
}

impl Sums {
    fn add(&mut self, score: f32, positive: f64, negative: f64) {
        self.weight += positive + negative;
        self.score += f64::from(score) * (positive + negative);
        self.positive += positive;
    }
}

/// The bins of a reliability diagram, lowest scores first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reliability {
    /// Bins that hold at least one decision.
    pub bins: Vec<Bin>,
}

impl Reliability {
    /// How many bins the literature uses, and so do we.
    pub const BINS: usize = 15;

    /// Bins of equal width over `0..=1`, each with its upper edge: `(score, is positive, weight)` in.
    pub fn equal_width(
        decisions: impl IntoIterator<Item = (f32, bool, f64)>,
        n_bins: usize,
    ) -> Reliability {
        let mut sums = vec![Sums::default(); n_bins.max(1)];
        for (score, positive, weight) in decisions {
            let upper = (f64::from(score) * n_bins as f64).ceil() as usize;
            let bin = upper.saturating_sub(1).min(sums.len() - 1);
            let (positive, negative) = if positive {
                (weight, 0.0)
            } else {
                (0.0, weight)
            };
            sums[bin].add(score, positive, negative);
        }
        Reliability {
            bins: sums.into_iter().filter_map(Bin::of).collect(),
        }
    }

    /// Bins of about equal weight. Takes tied decisions in ascending or descending order of score.
    ///
    /// A tie is never cut, so a bin may be heavier than its share, and there may be fewer bins.
    pub fn equal_mass(tied: impl Iterator<Item = Tied> + Clone, n_bins: usize) -> Reliability {
        let total: f64 = tied.clone().map(|t| t.positive + t.negative).sum();
        let share = total / n_bins.max(1) as f64;
        let mut bins = Vec::with_capacity(n_bins);
        let (mut sums, mut passed, mut edge) = (Sums::default(), 0.0, share);
        for t in tied {
            sums.add(t.score, t.positive, t.negative);
            passed += t.positive + t.negative;
            // The slack keeps a sum of floating point shares from missing the edge it stands on.
            if passed >= edge - share * 1e-9 {
                bins.extend(Bin::of(std::mem::take(&mut sums)));
                edge = ((passed / share + 1e-9).floor() + 1.0) * share;
            }
        }
        bins.extend(Bin::of(sums));
        bins.sort_by(|a, b| a.mean_score.total_cmp(&b.mean_score));
        Reliability { bins }
    }

    /// Expected calibration error: the mean gap, weighted by the decisions. 0 where there are none.
    pub fn error(&self) -> f64 {
        let weight: f64 = self.bins.iter().map(|b| b.weight).sum();
        if weight == 0.0 {
            return 0.0;
        }
        self.bins.iter().map(|b| b.weight * b.gap()).sum::<f64>() / weight
    }

    /// The widest gap of any bin. 0 where there are no decisions.
    pub fn largest_gap(&self) -> f64 {
        self.bins.iter().map(Bin::gap).fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ties(scores: &[(f32, bool)]) -> Vec<Tied> {
        scores
            .iter()
            .map(|&(score, positive)| Tied {
                score,
                positive: f64::from(u8::from(positive)),
                negative: f64::from(u8::from(!positive)),
            })
            .collect()
    }

    #[test]
    fn a_promise_that_is_kept_has_no_error() {
        // One in four comes true, and the score says so.
        let kept = [true, false, false, false].map(|p| (0.25, p, 1.0));
        let reliability = Reliability::equal_width(kept, 15);
        assert_eq!(reliability.bins.len(), 1);
        assert_eq!(reliability.error(), 0.0);
    }

    #[test]
    fn the_error_weighs_bins_by_their_decisions() {
        // Three decisions at 0.9 that all fail, one at 0.1 that succeeds: (3·0.9 + 1·0.9) / 4.
        let broken = [(0.9, false), (0.9, false), (0.9, false), (0.1, true)];
        let reliability = Reliability::equal_width(broken.map(|(s, p)| (s, p, 1.0)), 15);
        assert!((reliability.error() - 0.9).abs() < 1e-6);
        // A weight of three says the same as three decisions.
        let weighted =
            Reliability::equal_width([(0.9, false, 3.0), (0.1, true, 1.0), (0.5, true, 0.0)], 15);
        assert_eq!(weighted, reliability);
    }

    #[test]
    fn zero_and_one_are_in_the_outermost_bins() {
        let bins = Reliability::equal_width([(0.0, false, 1.0), (1.0, true, 1.0)], 15).bins;
        assert_eq!(bins.len(), 2);
        assert_eq!((bins[0].mean_score, bins[1].mean_score), (0.0, 1.0));
    }

    #[test]
    fn equal_mass_bins_hold_their_share_and_never_cut_a_tie() {
        let even: Vec<(f32, bool)> = (0..30).map(|i| (i as f32 / 30.0, i % 2 == 0)).collect();
        let bins = Reliability::equal_mass(ties(&even).into_iter(), 15).bins;
        assert_eq!(bins.len(), 15);
        assert!(bins.iter().all(|b| b.weight == 2.0));

        let mut heavy = ties(&even[..3]);
        heavy[1].negative = 100.0;
        let bins = Reliability::equal_mass(heavy.into_iter(), 15).bins;
        let weights: Vec<f64> = bins.iter().map(|b| b.weight).collect();
        assert_eq!(weights.iter().sum::<f64>(), 102.0);
        assert_eq!(weights, [101.0, 1.0]);
    }

    #[test]
    fn no_decisions_make_no_error() {
        assert_eq!(Reliability::equal_width([], 15).error(), 0.0);
        assert_eq!(
            Reliability::equal_mass(std::iter::empty(), 15),
            Reliability::default()
        );
    }
}
