//! Groups sequences into batches. Pure: lengths in, groups of indices out.
//!
//! Invariant: every sequence is in exactly one batch, and no batch exceeds the token budget, padding
//! included where there is any, unless a single sequence does.

use crate::model::Model;

/// How the sequences of a batch lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Each is padded to the longest.
    Padded,
    /// End to end.
    Packed,
}

impl Shape {
    /// How a model reads them.
    pub fn of(model: &Model) -> Shape {
        match model.reads_unpadded() {
            true => Shape::Packed,
            false => Shape::Padded,
        }
    }
}

/// Groups sequences of these lengths; the longest come first, so that padding stays small.
pub fn batches(lengths: &[usize], budget: usize, shape: Shape) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|i| std::cmp::Reverse(lengths[*i])); // Stable: equal lengths keep their order.
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let (mut longest, mut sum) = (0, 0);
    for i in order {
        let more = |batch: &[usize]| match shape {
            Shape::Padded => (batch.len() + 1) * longest,
            Shape::Packed => sum + lengths[i],
        };
        match batches.last_mut() {
            Some(batch) if more(batch) <= budget => batch.push(i),
            _ => {
                (longest, sum) = (lengths[i], 0);
                batches.push(vec![i]);
            }
        }
        sum += lengths[i];
    }
    batches
}

/// Runs `items` together; where that is `too_much`, one half after the other, down to one item.
///
/// # Errors
/// The first failure that is not `too_much`, and one item that alone is.
pub fn in_halves<T, O, E>(
    items: &[T],
    too_much: &impl Fn(&E) -> bool,
    run: &mut impl FnMut(&[T]) -> Result<Vec<O>, E>,
) -> Result<Vec<O>, E> {
    match run(items) {
        Err(error) if items.len() > 1 && too_much(&error) => {
            let (left, right) = items.split_at(items.len() / 2);
            let mut outputs = in_halves(left, too_much, run)?;
            outputs.extend(in_halves(right, too_much, run)?);
            Ok(outputs)
        }
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn like_lengths_share_a_batch_under_the_budget() {
        assert_eq!(
            batches(&[10, 100, 12, 90, 11], 200, Shape::Padded),
            [vec![1, 3], vec![2, 4, 0]]
        );
        assert_eq!(
            batches(&[10, 100, 12, 90, 11], 202, Shape::Packed),
            [vec![1, 3, 2], vec![4, 0]]
        );
    }

    #[test]
    fn a_sequence_over_the_budget_runs_alone() {
        for shape in [Shape::Padded, Shape::Packed] {
            assert_eq!(batches(&[500, 10], 200, shape), [vec![0], vec![1]]);
            assert!(batches(&[], 200, shape).is_empty());
        }
    }

    /// Runs 0..7 where `room` items fit at once; sizes of the runs, and what came out.
    fn run_with_room(room: usize) -> (Vec<usize>, Result<Vec<u32>, &'static str>) {
        let items: Vec<u32> = (0..7).collect();
        let mut sizes = Vec::new();
        let too_much = |error: &&str| *error == "out of memory";
        let result = in_halves(&items, &too_much, &mut |items: &[u32]| {
            sizes.push(items.len());
            match items {
                items if room == 2 && items == [5, 6] => Err("broken"),
                items if items.len() > room => Err("out of memory"),
                items => Ok(items.to_vec()),
            }
        });
        (sizes, result)
    }

    #[test]
    fn what_is_too_much_is_halved_and_comes_out_whole_and_in_order() {
        let all: Vec<u32> = (0..7).collect();
        assert_eq!(run_with_room(7), (vec![7], Ok(all.clone())));
        assert_eq!(run_with_room(3), (vec![7, 3, 4, 2, 2], Ok(all)));
    }

    #[test]
    fn another_failure_and_an_item_too_large_alone_are_handed_up() {
        assert_eq!(run_with_room(0), (vec![7, 3, 1], Err("out of memory")));
        assert_eq!(run_with_room(2).1, Err("broken"));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_nothing_doubled_nothing_over_budget(
            lengths in prop::collection::vec(1_usize..600, 0..80), budget in 1_usize..4000,
            shape in prop::sample::select(vec![Shape::Padded, Shape::Packed]),
        ) {
            let got = batches(&lengths, budget, shape);
            let mut all: Vec<usize> = got.iter().flatten().copied().collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..lengths.len()).collect::<Vec<_>>());
            for batch in &got {
                let of_batch = batch.iter().map(|i| lengths[*i]);
                let tokens = match shape {
                    Shape::Padded => batch.len() * of_batch.max().unwrap_or(0),
                    Shape::Packed => of_batch.sum(),
                };
                prop_assert!(batch.len() == 1 || tokens <= budget);
            }
        }
    }
}
