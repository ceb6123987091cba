//! Groups sequences into padded batches. Pure: lengths in, groups of indices out.
//!
//! Invariant: every sequence is in exactly one batch, and no batch exceeds the token budget,
//! padding included, unless a single sequence does.

/// Groups sequences of these lengths; the longest come first, so that padding stays small.
pub fn batches(lengths: &[usize], budget: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|i| std::cmp::Reverse(lengths[*i])); // Stable: equal lengths keep their order.
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut longest = 0;
    for i in order {
        match batches.last_mut() {
            Some(batch) if (batch.len() + 1) * longest <= budget => batch.push(i),
            _ => {
                longest = lengths[i];
                batches.push(vec![i]);
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn like_lengths_share_a_batch_under_the_budget() {
        assert_eq!(
            batches(&[10, 100, 12, 90, 11], 200),
            [vec![1, 3], vec![2, 4, 0]]
        );
    }

    #[test]
    fn a_sequence_over_the_budget_runs_alone() {
        assert_eq!(batches(&[500, 10], 200), [vec![0], vec![1]]);
        assert!(batches(&[], 200).is_empty());
    }

    proptest! {
        #[test]
        fn nothing_is_lost_nothing_doubled_nothing_over_budget(
            lengths in prop::collection::vec(1_usize..600, 0..80), budget in 1_usize..4000,
        ) {
            let got = batches(&lengths, budget);
            let mut all: Vec<usize> = got.iter().flatten().copied().collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..lengths.len()).collect::<Vec<_>>());
            for batch in &got {
                let longest = batch.iter().map(|i| lengths[*i]).max().unwrap_or(0);
                prop_assert!(batch.len() == 1 || batch.len() * longest <= budget);
            }
        }
    }
}
