//! The single threshold with the best F1: tied decisions in, one cut out.
//!
//! Invariant: exact. Every score that occurs is tried, and no other threshold does better.
//! One pass over sorted decisions. Knows nothing of labels or of where weights come from.

use super::reliability::Tied;

/// A threshold and what it gives. A decision is a tag where `score >= threshold`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cut {
    /// The lowest score that gives a tag.
    pub threshold: f32,
    /// The next lower score that occurs: any threshold above it decides the same.
    pub below: Option<f32>,
    /// `2·precision·recall / (precision + recall)` over all decisions.
    pub f1: f64,
}

impl Cut {
    /// The middle between the last score that gives a tag and the first that does not: the threshold
    /// that new data is least likely to find on the wrong side.
    pub fn middle(&self) -> f32 {
        let middle = self
            .below
            .map_or(self.threshold, |below| (self.threshold + below) / 2.0);
        // Two neighbouring floats have no middle; the rounding may fall on the lower one.
        if Some(middle) == self.below {
            self.threshold
        } else {
            middle
        }
    }
}

/// The cut with the highest F1; of equals, the highest threshold. Takes decisions in descending order.
///
/// `None` where nothing is positive: then every threshold is as bad as any other.
pub fn best_f1(descending: impl Iterator<Item = Tied> + Clone) -> Option<Cut> {
    cuts(descending).reduce(|best, cut| if cut.f1 > best.f1 { cut } else { best })
}

/// The lowest cut with at least this F1. Takes decisions in descending order.
pub fn lowest_with(descending: impl Iterator<Item = Tied> + Clone, f1: f64) -> Option<Cut> {
    cuts(descending).filter(|cut| cut.f1 >= f1).last()
}

/// Every cut, from the highest threshold down; none where nothing is positive.
fn cuts(descending: impl Iterator<Item = Tied> + Clone) -> impl Iterator<Item = Cut> {
    let positives: f64 = descending.clone().map(|t| t.positive).sum();
    let (mut hit, mut predicted) = (0.0, 0.0);
    let mut rest = descending.peekable();
    std::iter::from_fn(move || {
        let t = rest.next().filter(|_| positives > 0.0)?;
        hit += t.positive;
        predicted += t.positive + t.negative;
        Some(Cut {
            threshold: t.score,
            below: rest.peek().map(|next| next.score),
            f1: 2.0 * hit / (predicted + positives),
        })
    })
}

/// F1 of one given threshold; 0 where nothing is positive and nothing is predicted.
pub fn f1_at(tied: impl IntoIterator<Item = Tied>, threshold: f32) -> f64 {
    let (mut hit, mut predicted, mut positives) = (0.0, 0.0, 0.0);
    for t in tied {
        positives += t.positive;
        if t.score >= threshold {
            hit += t.positive;
            predicted += t.positive + t.negative;
        }
    }
    if predicted + positives > 0.0 {
        2.0 * hit / (predicted + positives)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tied(score: f32, positive: f64, negative: f64) -> Tied {
        Tied {
            score,
            positive,
            negative,
        }
    }

    #[test]
    fn the_cut_is_where_f1_is_highest() {
        let tied = [
            tied(0.9, 1.0, 0.0),
            tied(0.5, 2.0, 1.0),
            tied(0.1, 0.0, 9.0),
        ];
        let cut = best_f1(tied.iter().copied()).unwrap();
        assert_eq!((cut.threshold, cut.below), (0.5, Some(0.1)));
        assert!((cut.f1 - 6.0 / 7.0).abs() < 1e-12);
        assert!((cut.middle() - 0.3).abs() < 1e-6);
    }

    #[test]
    fn the_lowest_cut_that_is_good_enough_is_found() {
        let tied = [
            tied(0.9, 1.0, 0.0),
            tied(0.5, 2.0, 1.0),
            tied(0.3, 0.0, 1.0),
            tied(0.1, 0.0, 9.0),
        ];
        let cut = |f1| lowest_with(tied.into_iter(), f1).map(|cut| cut.threshold);
        assert_eq!(
            [0.9, 0.8, 0.7, 0.0].map(cut),
            [None, Some(0.5), Some(0.3), Some(0.1)]
        );
    }

    #[test]
    fn without_positives_there_is_no_best_cut() {
        assert_eq!(best_f1([tied(0.9, 0.0, 3.0)].into_iter()), None);
        assert_eq!(best_f1(std::iter::empty()), None);
        assert_eq!(f1_at([], 0.5), 0.0);
    }

    #[test]
    fn the_middle_of_neighbouring_floats_still_separates_them() {
        let below = 0.5_f32;
        let cut = Cut {
            threshold: f32::from_bits(below.to_bits() + 1),
            below: Some(below),
            f1: 1.0,
        };
        assert!(cut.middle() > below);
    }

    proptest! {
        #[test]
        fn no_threshold_beats_the_best(
            counts in prop::collection::vec((0u8..4, 0u8..4), 1..20),
            elsewhere in 0.0f32..=1.0,
        ) {
            let n = counts.len() as f32;
            let tied: Vec<Tied> = counts
                .iter()
                .enumerate()
                .map(|(i, &(p, q))| tied(1.0 - i as f32 / n, f64::from(p), f64::from(q)))
                .collect();
            if let Some(cut) = best_f1(tied.iter().copied()) {
                prop_assert!((f1_at(tied.iter().copied(), cut.threshold) - cut.f1).abs() < 1e-12);
                prop_assert!((f1_at(tied.iter().copied(), cut.middle()) - cut.f1).abs() < 1e-12);
                prop_assert!(f1_at(tied.iter().copied(), elsewhere) <= cut.f1 + 1e-12);
            } else {
                prop_assert!(tied.iter().all(|t| t.positive == 0.0));
            }
        }
    }
}
