//! Whether a version is corrected more often than the one before it: verdicts in, an alarm out.
//!
//! A cumulative sum of log-likelihood ratios (Page): it rises with each label that had to be
//! corrected, falls with each that was right, and rings when the evidence for much higher odds than
//! the usual ones is strong. Invariant: pure; a version that is as good as the last rings rarely, and one that
//! shows nothing never.

/// The odds that ring, as a multiple of the usual ones. Odds, because a rate cannot rise above 1: to
/// somebody who only ever says what is wrong, every version looks wrong, and must not ring for that.
const FACTOR: f64 = 3.0;
/// The usual rate is taken to be at least this.
const LEAST: f64 = 0.05;
/// Above this rate nothing is left to get worse, or nobody ever says what is right.
const MOST: f64 = 0.9;
/// The sum at which the alarm rings: odds of about 150 to 1.
const LIMIT: f64 = 5.0;
/// Labels whose truth was told under the earlier version before its rate is believed.
const ENOUGH: usize = 20;

/// How often one version was right, of the labels that somebody has judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Labels that were judged.
    pub judged: usize,
    /// Of them, those that were corrected.
    pub corrected: usize,
}

/// The sum of evidence against a version.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alarm {
    usual: f64,
    sum: f64,
}

impl Alarm {
    /// An alarm that knows how often the version before was corrected; `None` where that is not
    /// known well enough to compare with.
    pub fn after(before: Record) -> Option<Alarm> {
        if before.judged < ENOUGH {
            return None;
        }
        // What was seen of few labels is taken for less sure than it looks.
        let n = before.judged as f64;
        let rate = (before.corrected as f64 + 1.0) / (n + 2.0);
        let doubt = (rate * (1.0 - rate) / n).sqrt();
        (rate <= MOST).then_some(Alarm {
            usual: (rate + doubt).max(LEAST),
            sum: 0.0,
        })
    }

    /// A label was judged under the new version. Says whether the alarm rings.
    pub fn hear(&mut self, was_corrected: bool) -> bool {
        let usual = self.usual;
        let odds = FACTOR * usual / (1.0 - usual);
        let high = odds / (1.0 + odds);
        let evidence = match was_corrected {
            true => (high / usual).ln(),
            false => ((1.0 - high) / (1.0 - usual)).ln(),
        };
        self.sum = (self.sum + evidence).max(0.0);
        self.sum >= LIMIT
    }
}

/// Whether the verdicts under a version, in order, ring the alarm that knows the version before.
pub fn rings(before: Record, verdicts: impl IntoIterator<Item = bool>) -> bool {
    let Some(mut alarm) = Alarm::after(before) else {
        return false;
    };
    verdicts.into_iter().any(|corrected| alarm.hear(corrected))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::random::Random;
    use proptest::prelude::*;

    const TENTH: Record = Record {
        judged: 100,
        corrected: 10,
    };

    fn verdicts(rate: f64, n: usize, seed: u64) -> Vec<bool> {
        let mut random = Random::new(&[seed]);
        (0..n).map(|_| random.chance(rate)).collect()
    }

    #[test]
    fn a_version_that_is_corrected_four_times_as_often_rings_soon() {
        for seed in 0..20 {
            assert!(rings(TENTH, verdicts(0.4, 120, seed)), "{seed}");
        }
    }

    #[test]
    fn a_version_as_good_as_the_last_rings_rarely_and_a_better_one_never() {
        let rung = (0..200).filter(|seed| rings(TENTH, verdicts(0.1, 100, *seed)));
        let rung = rung.count();
        assert!(rung <= 10, "{rung} of 200");
        assert!((0..200).all(|seed| !rings(TENTH, verdicts(0.03, 100, seed))));
    }

    #[test]
    fn whoever_only_says_what_is_wrong_does_not_ring_by_that() {
        let all = |judged| Record {
            judged,
            corrected: judged,
        };
        assert!(!rings(all(20), [true; 500]));
        for share in [5, 7, 8] {
            let before = Record {
                judged: 100,
                corrected: 10 * share,
            };
            let as_ever = |seed: &u64| rings(before, verdicts(share as f64 / 10.0, 100, *seed));
            let rung = (0..200).filter(as_ever).count();
            assert!(rung <= 12, "{share}: {rung} of 200");
        }
    }

    #[test]
    fn too_little_is_known_of_the_version_before() {
        let before = Record {
            judged: 19,
            corrected: 0,
        };
        assert!(!rings(before, [true; 50]));
    }

    proptest! {
        #[test]
        fn a_label_that_was_right_never_makes_it_ring(
            judged in 20_usize..500, share in 0.0_f64..=1.0, heard in prop::collection::vec(any::<bool>(), 0..60),
        ) {
            let corrected = (judged as f64 * share) as usize;
            let Some(mut alarm) = Alarm::after(Record { judged, corrected }) else {
                return Ok(());
            };
            for corrected in heard {
                let before = alarm.sum;
                let rang = alarm.hear(corrected);
                prop_assert!(alarm.sum.is_finite() && alarm.sum >= 0.0);
                if !corrected {
                    prop_assert!(alarm.sum <= before);
                    prop_assert!(!rang || before >= LIMIT);
                }
            }
        }
    }
}
