//! What the manifests and moves of a model say of the jobs before: folders in, facts out.
//!
//! Invariant: pure but for the reading; a daemon that begins knows what the last one knew.

use crate::desk::protocol::LastRecord;
use crate::learn::versions::manifest::{Lessons, Outcome};
use crate::learn::versions::{By, Found, Manifest, Move, Versions};

/// What is known of the jobs before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct History {
    /// The highest number of the journal that a finished job has seen.
    pub(super) finished: u64,
    /// Corrections up to that number that the last job had no time for, if what came of it serves.
    pub(super) left: Vec<u64>,
    /// The version that came of that job.
    of_left: u32,
    /// Jobs in a row that came to nothing good.
    pub(super) refusals: u32,
    /// The newest version, whatever came of it.
    pub(super) newest: Option<(u32, Outcome)>,
    /// What happened last.
    pub(super) last: Option<LastRecord>,
    /// When each version was last chosen by somebody.
    moves: Vec<Move>,
}

impl History {
    /// Reads what is known of the shipped model `base`.
    pub(super) fn read(versions: &Versions, base: &str) -> History {
        let all = versions.list();
        let history = History::of(base, &all, versions.moves(base));
        history.serving(&all, versions.current(base))
    }

    /// The same where version `serves` does: what somebody went back from has left nothing to go on
    /// with.
    fn serving(mut self, all: &[Found], serves: u32) -> History {
        let mut at = serves;
        while at > 0 && at != self.of_left {
            let manifest = all.iter().find(|found| found.number == at);
            let manifest = manifest.and_then(|found| found.manifest.as_ref().ok());
            // A parent is older, so this comes to an end.
            at = manifest.map_or(0, |m| m.parent.min(at - 1));
        }
        if at == 0 {
            self.left.clear();
        }
        self
    }

    fn of(base: &str, all: &[Found], moves: Vec<Move>) -> History {
        let manifests = all.iter().filter_map(|found| found.manifest.as_ref().ok());
        let manifests: Vec<&Manifest> = manifests.filter(|m| m.base == base).collect();
        let of_journal = manifests
            .iter()
            .filter(|m| m.lessons == Lessons::Corrections);
        let taken_back = |number: u32| {
            let by_alarm = |made: &&Move| made.from == number && made.by == By::Alarm;
            moves.iter().any(|made| by_alarm(&made))
        };
        let is_bad = |m: &&&Manifest| m.outcome == Outcome::Refused || taken_back(m.number);
        let bad = of_journal.clone().rev().take_while(is_bad).count();
        // After a refusal the next job waits for more, and has these to choose from again.
        let left = of_journal.clone().next_back().filter(|m| !is_bad(m));
        let (of_left, left) = left.map_or((0, Vec::new()), |m| (m.number, m.left.clone()));
        let newest = manifests.last();
        let of_manifest = newest.map(|m| LastRecord {
            outcome: match m.outcome {
                Outcome::Accepted => "accepted",
                Outcome::Refused => "refused",
            }
            .to_owned(),
            version: Some(m.number),
            reason: m.reasons.last().cloned().unwrap_or_default(),
            time: m.time,
        });
        let of_move = moves.last().filter(|made| made.to < made.from);
        let of_move = of_move.map(|made| LastRecord {
            outcome: "taken-back".to_owned(),
            version: Some(made.from),
            reason: match (&*made.reason, made.to) {
                ("", 0) => "somebody went back to the shipped model".to_owned(),
                ("", to) => format!("somebody went back to version {to}"),
                (reason, _) => reason.to_owned(),
            },
            time: made.time,
        });
        History {
            finished: of_journal.map(|m| m.last).max().unwrap_or(0),
            left,
            of_left,
            refusals: u32::try_from(bad).unwrap_or(u32::MAX),
            newest: newest.map(|m| (m.number, m.outcome)),
            last: of_manifest
                .into_iter()
                .chain(of_move)
                .max_by_key(|last| last.time),
            moves,
        }
    }

    /// When somebody last chose version `number`, in seconds since 1970: what was said of it before
    /// is known to them.
    pub(super) fn chosen(&self, number: u32) -> u64 {
        let chosen = self.moves.iter().filter(|made| made.to == number);
        chosen.map(|made| made.time).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(number: u32, outcome: Outcome) -> Found {
        Found {
            number,
            manifest: Ok(Manifest {
                number,
                base: "aaaa".to_owned(),
                outcome,
                last: 10 * u64::from(number),
                time: u64::from(number),
                ..Manifest::default()
            }),
            has_weights: outcome == Outcome::Accepted,
        }
    }

    #[test]
    fn what_there_was_no_time_for_waits_unless_the_job_was_refused() {
        use Outcome::{Accepted, Refused};
        let mut all = [found(1, Accepted), found(2, Refused)];
        for found in &mut all {
            found.manifest.as_mut().unwrap().left = vec![3, 4];
        }
        assert_eq!(History::of("aaaa", &all[..1], Vec::new()).left, [3, 4]);
        assert!(History::of("aaaa", &all, Vec::new()).left.is_empty());
    }

    #[test]
    fn what_there_was_no_time_for_does_not_undo_a_rollback() {
        let mut all = [found(1, Outcome::Accepted), found(2, Outcome::Accepted)];
        all[0].manifest.as_mut().unwrap().left = vec![3, 4];
        // What a vault taught stands on what was learnt before.
        let vault = all[1].manifest.as_mut().unwrap();
        (vault.lessons, vault.parent) = (Lessons::Vault, 1);
        let left = |serves| {
            let history = History::of("aaaa", &all, Vec::new());
            history.serving(&all, serves).left
        };
        assert_eq!((left(1), left(2)), (vec![3, 4], vec![3, 4]));
        assert!(left(0).is_empty() && left(9).is_empty());
    }

    #[test]
    fn refusals_in_a_row_count_and_so_does_what_the_alarm_took_back() {
        use Outcome::{Accepted, Refused};
        let all = [Refused, Accepted, Refused, Refused];
        let all: Vec<Found> = (1..).zip(all).map(|(n, o)| found(n, o)).collect();
        let history = History::of("aaaa", &all, Vec::new());
        assert_eq!((history.finished, history.refusals), (40, 2));
        assert_eq!(history.newest, Some((4, Refused)));
        assert_eq!(history.last.unwrap().outcome, "refused");
        assert_eq!(History::of("bbbb", &all, Vec::new()), History::default());
        let made = Move {
            time: 9,
            from: 2,
            to: 0,
            by: By::Alarm,
            reason: "worse".to_owned(),
            ..Move::default()
        };
        let history = History::of("aaaa", &all[..2], vec![made]);
        assert_eq!((history.finished, history.refusals), (20, 2));
        assert_eq!((history.chosen(0), history.chosen(2)), (9, 0));
        let last = history.last.unwrap();
        assert_eq!(
            (last.outcome, last.reason),
            ("taken-back".to_owned(), "worse".to_owned())
        );
    }
}
