//! What is learnt from what: all lessons in, those to learn and those to measure by out.
//!
//! Invariant: what is held out is never learnt from. Pure; the same seed gives the same split.

use std::collections::BTreeSet;

use super::lesson::Lesson;

/// Most new texts of one job; the rest is left to the next.
const MOST_NEW: usize = 256;
/// Most texts that were learnt before and are learnt again.
const MOST_OLD: usize = 256;

/// Why there is nothing to learn from in an empty journal, with the cure.
pub const NO_CORRECTIONS: &str = "there are no corrections; \
     `gliznet correct FILE --add LABEL` and editors record what you say of a note";

/// What is to be learnt from what, and what it is measured by.
pub(super) struct Split<'a> {
    /// Of a vault.
    pub(super) vault: Vec<&'a Lesson>,
    /// Corrections that no version has learnt from.
    pub(super) new: Vec<&'a Lesson>,
    /// Numbers of the corrections behind those that there is no time for.
    pub(super) left: Vec<u64>,
    /// Those that the one that serves has learnt from.
    pub(super) old: Vec<&'a Lesson>,
    /// What is measured by.
    pub(super) held_out: Vec<&'a Lesson>,
    /// The part of them that is of a vault comes first, and is so long.
    pub(super) held_out_of_vault: usize,
    /// All texts that were corrected.
    corrected: usize,
    /// The share of the old ones that there is no time for.
    pub(super) untold: f32,
}

impl<'a> Split<'a> {
    pub(super) fn of(
        lessons: &'a [Lesson],
        vault: &'a [Lesson],
        learnt: &BTreeSet<u64>,
        seed: u64,
    ) -> Split<'a> {
        let (mut held_out, vault): (Vec<&Lesson>, Vec<&Lesson>) =
            vault.iter().partition(|lesson| lesson.is_held_out());
        let held_out_of_vault = held_out.len();
        let (corrected, taught): (Vec<&Lesson>, Vec<&Lesson>) =
            lessons.iter().partition(|lesson| lesson.is_held_out());
        held_out.extend(corrected);
        let (mut new, mut old): (Vec<&Lesson>, Vec<&Lesson>) =
            taught.into_iter().partition(|lesson| lesson.is_new(learnt));
        let rest = newest(&mut new);
        let mut left = numbers(&rest);
        left.retain(|number| !learnt.contains(number));
        // Any of the old ones is as good as another.
        crate::model::random::Random::new(&[seed, 3]).shuffle(&mut old);
        let untold = old.len().saturating_sub(MOST_OLD) as f32 / old.len().max(1) as f32;
        old.truncate(MOST_OLD);
        Split {
            vault,
            new,
            left,
            old,
            held_out,
            held_out_of_vault,
            corrected: lessons.len(),
            untold,
        }
    }

    /// Why there is nothing to learn from, where there is not.
    pub(super) fn lacks(&self) -> Option<String> {
        if !(self.new.is_empty() && self.vault.is_empty()) {
            return None;
        }
        Some(match self.corrected {
            0 => NO_CORRECTIONS.to_owned(),
            n => format!(
                "of {n} corrected texts, none has a verdict that is not learnt yet and not kept for measuring"
            ),
        })
    }
}

/// Keeps those that were said last, in their order, and gives the others. Whatever stands in the way
/// of a job, the next one has others to learn.
fn newest<'a>(new: &mut Vec<&'a Lesson>) -> Vec<&'a Lesson> {
    let surplus = new.len().saturating_sub(MOST_NEW);
    let mut by_age: Vec<usize> = (0..new.len()).collect();
    by_age.sort_by_key(|place| new[*place].corrections.iter().max());
    let oldest: BTreeSet<usize> = by_age.into_iter().take(surplus).collect();
    let mut left = Vec::new();
    for (place, lesson) in std::mem::take(new).into_iter().enumerate() {
        match oldest.contains(&place) {
            true => left.push(lesson),
            false => new.push(lesson),
        }
    }
    left
}

/// Numbers of the corrections behind lessons.
pub(super) fn numbers(lessons: &[&Lesson]) -> Vec<u64> {
    let all = lessons.iter().flat_map(|lesson| &lesson.corrections);
    let all: BTreeSet<u64> = all.copied().collect();
    all.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;

    #[test]
    fn of_too_many_new_ones_the_newest_are_learnt_and_the_others_are_named() {
        let lessons = (1..=600).map(|number| Lesson {
            text: format!("remark {number}"),
            labels: Arc::new(vec!["a".to_owned()]),
            verdicts: BTreeMap::from([("a".to_owned(), true)]),
            corrections: vec![number],
        });
        let mut lessons: Vec<Lesson> = lessons.collect();
        // A text that was judged long ago, and again just now.
        lessons[0].corrections.push(601);
        let is_taught = |lesson: &&Lesson| !lesson.is_held_out();
        let taught: Vec<&Lesson> = lessons.iter().filter(is_taught).collect();
        assert!(taught.len() > MOST_NEW && !lessons[0].is_held_out());
        let first = Split::of(&lessons, &[], &BTreeSet::new(), 7);
        assert_eq!(first.new.len(), MOST_NEW);
        assert_eq!(first.left.len(), taught.len() - MOST_NEW);
        let learnt: BTreeSet<u64> = numbers(&first.new).into_iter().collect();
        assert!(learnt.contains(&601), "it was said last");
        let oldest = learnt.iter().find(|number| **number > 1);
        assert!(first.left.last() < oldest, "{:?}", first.left);
        let second = Split::of(&lessons, &[], &learnt, 7);
        assert_eq!(numbers(&second.new), first.left);
        assert!(second.left.is_empty());
    }
}
