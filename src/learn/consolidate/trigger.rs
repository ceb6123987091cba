//! When to learn for good: how much is new and how long nobody has asked in, yes or no out.
//!
//! Invariant: pure; counts what is new since the last job, so nothing fires twice for the same
//! corrections, and a gate that keeps refusing is asked more and more rarely.

use std::time::Duration;

/// So many new corrections are enough.
pub const ENOUGH: usize = 16;
/// So many are enough after a pause.
pub const ENOUGH_WHEN_IDLE: usize = 4;
/// How long a pause is.
pub const PAUSE: Duration = Duration::from_secs(600);
/// Refusals after which waiting grows no further.
const MOST_DOUBLINGS: u32 = 4;

/// What is known when the question comes up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Situation {
    /// Corrections since the last job.
    pub new: usize,
    /// How long nobody has asked or corrected anything.
    pub idle: Duration,
    /// Jobs in a row whose result the gate refused.
    pub refusals: u32,
}

/// Whether to learn now.
pub fn is_due(situation: Situation) -> bool {
    let factor = 1 << situation.refusals.min(MOST_DOUBLINGS);
    let idle = situation.idle >= PAUSE;
    situation.new >= ENOUGH * factor || idle && situation.new >= ENOUGH_WHEN_IDLE * factor
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_fire_at_once_and_four_after_ten_minutes() {
        let due = |new, minutes: u64, refusals| {
            is_due(Situation {
                new,
                idle: Duration::from_secs(60 * minutes),
                refusals,
            })
        };
        let table = [
            (15, 0, 0, false),
            (16, 0, 0, true),
            (17, 0, 0, true), // Not only when the count is hit exactly.
            (4, 9, 0, false),
            (4, 10, 0, true),
            (3, 600, 0, false),
            (0, 600, 0, false),
            (16, 0, 1, false),
            (32, 0, 1, true),
            (4, 10, 1, false),
            (8, 10, 1, true),
            (255, 0, 9, false),
            (256, 0, 9, true),
        ];
        for (new, minutes, refusals, expected) in table {
            assert_eq!(
                due(new, minutes, refusals),
                expected,
                "{new} {minutes} {refusals}"
            );
        }
    }
}
