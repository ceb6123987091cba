//! Late interaction: the states of a text's tokens and of labels' tokens in, one cosine a label out.
//!
//! ColBERT's `MaxSim` (Khattab and Zaharia 2020), softened: a label's token is compared with all
//! tokens of the text, and of the nearest of them the log-mean-exp is kept, which is near the largest
//! where one stands out, and near the mean where many are alike; a single token of a long text is
//! near to anything. A label has the mean over its tokens. Both sides were read alone.
//! Invariant: a label's cosine has the same bits whatever labels are beside it.

use rayon::prelude::*;

use super::kernel::{Panels, Processor, Product, Rows, Start};

/// So many tokens of a text count for a label's token.
pub(crate) const NEAR: usize = 32;
/// How much nearer a token must be to count e times as much.
pub(crate) const TEMPERATURE: f32 = 0.1;
/// Labels that one thread compares at a time.
const BLOCK: usize = 16;

/// The cosine of each label with a text, token by token; 0 where either has no token.
///
/// `labels`: of each the states of its tokens, `[token, hidden]`, of unit length, as the text's in
/// `text`.
pub fn token_cosines(hidden: usize, labels: &[&[f32]], text: &[f32]) -> Vec<f32> {
    let processor = Processor::here();
    let text = Panels::of_columns(processor, hidden, text.chunks_exact(hidden));
    let of_block = |labels: &[&[f32]]| {
        let states = labels.concat(); // One product a block: the text is read once for all of it.
        let n = states.len() / hidden;
        let mut all = vec![0.0; n * text.columns()]; // [label token, text token]
        processor.run(Product {
            rows: Rows {
                values: &states,
                stride: hidden,
                step: 1,
                n,
            },
            panels: text.whole(),
            start: Start::Zero,
            out: &mut all,
            out_stride: text.columns(),
        });
        let mut rows = all.chunks_exact_mut(text.columns().max(1));
        let of_labels = labels.iter().map(|label| {
            let n = label.len() / hidden;
            // Where the text has no token, there are no rows.
            let sum: f32 = rows.by_ref().take(n).map(of_nearest).sum();
            sum / n.max(1) as f32
        });
        of_labels.collect::<Vec<f32>>()
    };
    labels.par_chunks(BLOCK).flat_map_iter(of_block).collect()
}

/// The log-mean-exp of the largest of these, of which there is at least one.
fn of_nearest(cosines: &mut [f32]) -> f32 {
    let n = cosines.len().min(NEAR);
    if n < cosines.len() {
        cosines.select_nth_unstable_by(n - 1, |a, b| b.total_cmp(a));
    }
    let near = &mut cosines[..n];
    near.sort_unstable_by(|a, b| b.total_cmp(a)); // A sum of floats depends on its order.
    let largest = near[0];
    let sum: f32 = near
        .iter()
        .map(|x| ((x - largest) / TEMPERATURE).exp())
        .sum();
    largest + TEMPERATURE * (sum / n as f32).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Unit vectors of two dimensions, by their angles in degrees.
    fn at(degrees: &[f32]) -> Vec<f32> {
        let unit = |angle: &f32| [angle.to_radians().cos(), angle.to_radians().sin()];
        degrees.iter().flat_map(unit).collect()
    }

    fn log_mean_exp(values: &[f32]) -> f32 {
        let sum: f32 = values.iter().map(|x| (x / TEMPERATURE).exp()).sum();
        TEMPERATURE * (sum / values.len() as f32).ln()
    }

    #[test]
    fn each_token_of_a_label_has_the_soft_maximum_over_the_text() {
        let labels = [at(&[0.0]), at(&[90.0, 180.0]), at(&[])];
        let labels = labels.each_ref().map(Vec::as_slice);
        let found = token_cosines(2, &labels, &at(&[60.0, 0.0, 240.0]));
        let (half, sine) = (0.5, 0.75_f32.sqrt());
        let right = log_mean_exp(&[half, 1.0, -half]);
        let up = log_mean_exp(&[sine, 0.0, -sine]);
        let left = log_mean_exp(&[-half, -1.0, half]);
        for (found, expected) in found.iter().zip([right, (up + left) / 2.0, 0.0]) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
        assert_eq!(token_cosines(2, &labels, &[]), [0.0; 3]);
        assert!(token_cosines(2, &[], &at(&[1.0])).is_empty());
    }

    #[test]
    fn what_is_far_from_a_label_does_not_count() {
        let label = at(&[0.0]);
        let near: Vec<f32> = (0..NEAR).map(|i| i as f32).collect();
        let far = vec![170.0; 100];
        assert_eq!(
            token_cosines(2, &[&label], &at(&near)),
            token_cosines(2, &[&label], &at(&[far, near].concat()))
        );
    }

    #[test]
    fn neighbours_and_blocks_change_no_bit() {
        let wave = |n: usize, seed: usize| -> Vec<f32> {
            (0..n * 8)
                .map(|i| ((i * 7 + seed * 13) % 101) as f32 / 101.0 - 0.5)
                .collect()
        };
        let labels: Vec<Vec<f32>> = (0..900).map(|i| wave(i % 5, i)).collect();
        let labels: Vec<&[f32]> = labels.iter().map(Vec::as_slice).collect();
        let text = wave(150, 3);
        let all = token_cosines(8, &labels, &text);
        assert_eq!(all.len(), 900);
        for i in [0, 1, 449, 899] {
            let alone = token_cosines(8, &labels[i..=i], &text);
            assert_eq!(alone, [all[i]], "label {i}");
        }
    }
}
