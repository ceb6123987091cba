//! Late interaction: the states of a text's tokens and of labels' tokens in, one cosine a label out.
//!
//! ColBERT's `MaxSim` (Khattab and Zaharia 2020), softened: a label's token is compared with all
//! tokens of the text, and of the nearest of them the log-mean-exp is kept, which is near the largest
//! where one stands out, and near the mean where many are alike; a single token of a long text is
//! near to anything. A label has the mean over its tokens. Both sides were read alone.
//!
//! What an author writes of a label is read with the name as one text. A short note has seldom
//! something of each of its words, and the name alone is nearer then; whichever is nearer counts.
//!
//! Words that say what a label means may speak for it once more, never against it: a text about it
//! holds some of them and not all, so the nearest of them count, each by the one token that it is
//! nearest to, and only where they are nearer than the label is by itself. Where a label has several
//! meanings, that which is nearest counts: a text about one of them holds no word of the others.
//! Invariant: a label's cosine has the same bits whatever labels are beside it.

use std::sync::Arc;

use rayon::prelude::*;

use super::kernel::{Panels, Processor, Product, Rows, Start};

/// So many tokens of a text count for a label's token.
pub(crate) const NEAR: usize = 32;
/// How much nearer a token must be to count e times as much.
pub(crate) const TEMPERATURE: f32 = 0.1;
/// So many words of a label's meaning count.
const NEAR_WORDS: usize = 8;
/// Labels that one thread compares at a time.
const BLOCK: usize = 16;

/// The states of a label's tokens, `[token, hidden]`, each of unit length.
#[derive(Clone, Copy, Debug)]
pub struct LabelStates<'a> {
    /// Of its name's tokens.
    pub name: &'a [f32],
    /// Of the tokens of name and description, read as one text; empty where there is none.
    pub described: &'a [f32],
    /// Of the words of each of its meanings; empty where nobody told any.
    pub meanings: &'a [Arc<[f32]>],
    /// How much of what these are nearer than the label by itself is added to it, 0 to 1.
    pub weight: f32,
}

/// The cosine of each label with a text, token by token; 0 where either has no token.
///
/// `text`: the states of its tokens, as the labels'.
pub fn token_cosines(hidden: usize, labels: &[LabelStates<'_>], text: &[f32]) -> Vec<f32> {
    let processor = Processor::here();
    let text = Panels::of_columns(processor, hidden, text.chunks_exact(hidden));
    let of_block = |labels: &[LabelStates<'_>]| {
        // One product a block: the text is read once for all of it.
        let states = labels.iter().flat_map(|label| {
            let meanings = label.meanings.iter().map(AsRef::as_ref);
            [label.name, label.described].into_iter().chain(meanings)
        });
        let states: Vec<&[f32]> = states.collect();
        let states = states.concat();
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
        // Where the text has no token, there are no rows.
        let of_labels = labels.iter().map(|label| {
            let mut mean = |states: &[f32]| {
                let n = states.len() / hidden;
                let sum: f32 = rows.by_ref().take(n).map(of_nearest).sum();
                (n > 0).then(|| sum / n as f32)
            };
            let (name, described) = (mean(label.name), mean(label.described));
            // `None` is less than any number.
            let own = match name < described {
                true => described,
                false => name,
            };
            let own = own.unwrap_or(0.0);
            let meanings = label.meanings.iter().filter_map(|words| {
                let words = rows.by_ref().take(words.len() / hidden);
                of_nearest_words(words.map(|row| largest(row)).collect())
            });
            let more = meanings.map(|words| words - own).fold(0.0, f32::max);
            own + label.weight * more
        });
        of_labels.collect::<Vec<f32>>()
    };
    labels.par_chunks(BLOCK).flat_map_iter(of_block).collect()
}

/// The mean of the largest of these; nothing where there is none.
fn of_nearest_words(mut words: Vec<f32>) -> Option<f32> {
    words.sort_unstable_by(|a, b| b.total_cmp(a)); // A sum of floats depends on its order.
    words.truncate(NEAR_WORDS);
    let sum: f32 = words.iter().sum();
    (!words.is_empty()).then_some(sum / words.len() as f32)
}

fn largest(row: &[f32]) -> f32 {
    row.iter().copied().fold(f32::NEG_INFINITY, f32::max)
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

    fn bare(tokens: &[f32]) -> LabelStates<'_> {
        LabelStates {
            name: tokens,
            described: &[],
            meanings: &[],
            weight: 0.0,
        }
    }

    fn log_mean_exp(values: &[f32]) -> f32 {
        let sum: f32 = values.iter().map(|x| (x / TEMPERATURE).exp()).sum();
        TEMPERATURE * (sum / values.len() as f32).ln()
    }

    #[test]
    fn each_token_of_a_label_has_the_soft_maximum_over_the_text() {
        let labels = [at(&[0.0]), at(&[90.0, 180.0]), at(&[])];
        let labels = labels.each_ref().map(|label| bare(label));
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
    fn the_name_or_the_name_with_its_description_counts_whichever_is_nearer() {
        let text = at(&[0.0, 5.0]);
        let of = |name: &[f32], described: &[f32]| {
            let (name, described) = (at(name), at(described));
            let label = LabelStates {
                described: &described,
                ..bare(&name)
            };
            token_cosines(2, &[label], &text)[0]
        };
        let (near, far) = (&[0.0][..], &[0.0, 90.0, 120.0][..]);
        assert_eq!(of(near, far), of(near, &[]));
        assert_eq!(of(far, near), of(near, &[]));
        assert_eq!(of(&[], near), of(near, &[]));
        // It may be far from the text, too.
        assert!(of(&[], &[180.0]) < 0.0 && of(&[], &[]) == 0.0);
    }

    #[test]
    fn what_is_far_from_a_label_does_not_count() {
        let label = at(&[0.0]);
        let near: Vec<f32> = (0..NEAR).map(|i| i as f32).collect();
        let far = vec![170.0; 100];
        assert_eq!(
            token_cosines(2, &[bare(&label)], &at(&near)),
            token_cosines(2, &[bare(&label)], &at(&[far, near].concat()))
        );
    }

    #[test]
    fn the_nearest_words_of_its_meaning_speak_for_a_label_and_never_against_it() {
        let text = at(&[0.0, 90.0]);
        let tokens = at(&[45.0]);
        let of_all = |meanings: &[&[f32]]| {
            let meanings: Vec<Arc<[f32]>> = meanings.iter().map(|words| at(words).into()).collect();
            let told = LabelStates {
                name: &tokens,
                described: &[],
                meanings: &meanings,
                weight: 0.4,
            };
            token_cosines(2, &[told], &text)[0]
        };
        let of = |words: &[f32]| of_all(&[words]);
        let alone = of(&[]);
        assert!((alone - 0.5_f32.sqrt()).abs() < 1e-6, "{alone}");
        let raised = |words: f32| alone + 0.4 * (words - alone);
        // A word is as near as the nearest token, and words beyond the eighth do not count.
        let (near, far) = (vec![0.0; NEAR_WORDS - 1], vec![150.0; 5]);
        let sum = 0.75_f32.sqrt() + near.len() as f32;
        let words = [&[30.0], &near[..], &far[..]].concat();
        assert!((of(&words) - raised(sum / NEAR_WORDS as f32)).abs() < 1e-6);
        // Fewer than eight are a mean of what there is; their order changes no bit.
        assert!((of(&[30.0]) - raised(0.75_f32.sqrt())).abs() < 1e-6);
        assert_eq!(of(&[30.0, 70.0, 10.0]), of(&[10.0, 30.0, 70.0]));
        assert_eq!(of(&[150.0, 200.0]), alone);
        // Of several meanings the nearest counts, whichever comes first.
        assert_eq!(
            of_all(&[&[150.0], &[30.0, 10.0], &[45.0]]),
            of(&[10.0, 30.0])
        );
        assert_eq!(of_all(&[&[30.0, 10.0], &[150.0]]), of(&[10.0, 30.0]));
        assert_eq!(of_all(&[&[150.0], &[200.0]]), alone);
        assert_eq!(of_all(&[]), alone);
        let told = LabelStates {
            name: &tokens,
            described: &[],
            meanings: &[tokens.clone().into()],
            weight: 0.4,
        };
        assert_eq!(token_cosines(2, &[told], &[]), [0.0]);
    }

    #[test]
    fn neighbours_and_blocks_change_no_bit() {
        let wave = |n: usize, seed: usize| -> Vec<f32> {
            (0..n * 8)
                .map(|i| ((i * 7 + seed * 13) % 101) as f32 / 101.0 - 0.5)
                .collect()
        };
        let labels: Vec<Vec<f32>> = (0..900).map(|i| wave(i % 5, i)).collect();
        let meanings = |i: usize| [wave(i % 13, i + 5).into(), wave(i % 4, i + 9).into()];
        let meanings: Vec<[Arc<[f32]>; 2]> = (0..900).map(meanings).collect();
        let both = labels.iter().zip(&meanings);
        let both = both.map(|(name, meanings)| LabelStates {
            name,
            described: &[],
            meanings,
            weight: 0.4,
        });
        let labels: Vec<LabelStates<'_>> = both.collect();
        let text = wave(150, 3);
        let all = token_cosines(8, &labels, &text);
        assert_eq!(all.len(), 900);
        for i in [0, 1, 449, 899] {
            let alone = token_cosines(8, &labels[i..=i], &text);
            assert_eq!(alone, [all[i]], "label {i}");
        }
    }
}
