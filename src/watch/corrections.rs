//! What a person's edit of a note's tags says: the tags before and after in, a verdict out.
//!
//! Invariant: what we did ourselves is no verdict, and neither is what many notes underwent at
//! once (a checkout, a sync); only labels of the set are judged. Pure.

use crate::label::LabelSet;

/// More notes that change at once are not changed by hand.
pub(super) const CROWD: usize = 16;

/// What is known when a note was changed that was read before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change<'a> {
    /// The tags that it had when it was last read.
    pub(super) before: &'a [String],
    /// The tags that it has.
    pub(super) now: &'a [String],
    /// The tags that we ever wrote there, but for those that were taken back by an undo.
    pub(super) ours: &'a [String],
    /// The labels that we would write by ourselves.
    pub(super) expected: &'a [String],
    /// So many notes changed together, this one included.
    pub(super) crowd: usize,
}

/// What a person says by it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Labels that fit.
    pub(super) accepted: Vec<String>,
    /// Labels that do not.
    pub(super) rejected: Vec<String>,
}

impl Verdict {
    pub(super) fn is_empty(&self) -> bool {
        self.accepted.is_empty() && self.rejected.is_empty()
    }
}

/// What the change says of the labels of `set`.
pub(super) fn verdict(change: &Change<'_>, set: &LabelSet) -> Verdict {
    if change.crowd > CROWD {
        return Verdict::default();
    }
    let label = |tag: &String| set.find(tag).map(|id| set.label(id).name.clone());
    let labels = |tags: &[String]| -> Vec<String> { tags.iter().filter_map(label).collect() };
    let [before, now] = [change.before, change.now].map(labels);
    let [ours, expected] = [change.ours, change.expected].map(labels);
    let is_new = |label: &String| {
        // What we would have written, another machine may have.
        !before.contains(label) && !ours.contains(label) && !expected.contains(label)
    };
    let is_gone = |label: &String| ours.contains(label) && !now.contains(label);
    Verdict {
        accepted: now.iter().filter(|label| is_new(label)).cloned().collect(),
        rejected: before
            .iter()
            .filter(|label| is_gone(label))
            .cloned()
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    struct Case {
        before: Vec<String>,
        now: Vec<String>,
        ours: Vec<String>,
        expected: Vec<String>,
        crowd: usize,
    }

    fn case(before: &[&str], now: &[&str], ours: &[&str]) -> Case {
        Case {
            before: strings(before),
            now: strings(now),
            ours: strings(ours),
            expected: Vec::new(),
            crowd: 1,
        }
    }

    #[track_caller]
    fn check(case: &Case, accepted: &[&str], rejected: &[&str]) {
        let set = LabelSet::from_names(["garden", "tax", "machine-learning"]).unwrap();
        let change = Change {
            before: &case.before,
            now: &case.now,
            ours: &case.ours,
            expected: &case.expected,
            crowd: case.crowd,
        };
        let expected = Verdict {
            accepted: strings(accepted),
            rejected: strings(rejected),
        };
        assert_eq!(verdict(&change, &set), expected);
    }

    #[test]
    fn what_we_wrote_and_a_person_took_out_does_not_fit() {
        check(
            &case(&["garden", "tax"], &["tax"], &["garden"]),
            &[],
            &["garden"],
        );
        // It may have been taken out long ago, in a checkout for instance.
        check(&case(&["tax"], &["tax"], &["garden"]), &[], &[]);
    }

    #[test]
    fn what_a_person_adds_fits_if_it_is_a_label() {
        let written = ["Machine Learning", "home", "tax"];
        check(&case(&["tax"], &written, &[]), &["machine-learning"], &[]);
    }

    #[test]
    fn what_was_there_before_us_is_no_verdict() {
        check(&case(&["garden"], &["garden"], &[]), &[], &[]);
        // A person takes out what a person wrote: it may have been a slip of theirs.
        check(&case(&["garden"], &[], &[]), &[], &[]);
    }

    #[test]
    fn what_we_wrote_ourselves_is_no_verdict() {
        check(&case(&[], &["garden"], &["garden"]), &[], &[]);
        let mut by_another_machine = case(&[], &["garden"], &[]);
        by_another_machine.expected = strings(&["garden"]);
        check(&by_another_machine, &[], &[]);
    }

    #[test]
    fn a_checkout_is_no_verdict() {
        let mut checkout = case(&["garden"], &["tax"], &["garden"]);
        check(&checkout, &["tax"], &["garden"]);
        checkout.crowd = CROWD + 1;
        check(&checkout, &[], &[]);
    }
}
