//! All decisions sorted by label and score, so that every curve is one pass.
//!
//! In: rows. Out: tied decisions in descending order of score, of one label or of all.
//! Invariant: two sorts in all, whatever the number of labels; a decision takes eight bytes, once.
//! Knows nothing of metrics.

use rayon::slice::ParallelSliceMut;

use super::Scored;
use crate::model::calibration::reliability::Tied;

/// Label (31 bits), score (32), truth (1), so that sorting numbers sorts decisions.
type Packed = u64;

/// Scores are in `0.0..=1.0`, where the bits of floats are in the order of their values.
fn pack(label: u32, score: f32, truth: bool) -> Packed {
    debug_assert!(label < 1 << 31, "a label list is shorter than that");
    u64::from(label) << 33 | u64::from(score.to_bits()) << 1 | u64::from(truth)
}

fn label(packed: Packed) -> u32 {
    (packed >> 33) as u32
}

/// What is left without the label: score and truth.
fn scored(packed: Packed) -> Packed {
    packed & ((1 << 33) - 1)
}

/// Decisions, ascending by label and then by score.
pub(super) struct Grouped(Vec<Packed>);

/// The same without their labels, ascending by score.
pub(super) struct Pooled(Vec<Packed>);

impl Grouped {
    pub(super) fn of(rows: &[Scored]) -> Grouped {
        let mut packed: Vec<Packed> = rows
            .iter()
            .flat_map(Scored::decisions)
            .map(|(label, score, truth)| pack(label, score, truth))
            .collect();
        packed.par_sort_unstable();
        Grouped(packed)
    }

    /// Each label that was a candidate, in order, with its decisions.
    pub(super) fn by_label(
        &self,
    ) -> impl Iterator<Item = (u32, impl Iterator<Item = Tied> + Clone)> {
        self.0
            .chunk_by(|a, b| label(*a) == label(*b))
            .map(|of_label| (label(of_label[0]), descending(of_label)))
    }

    /// The decisions of all labels together.
    pub(super) fn pooled(self) -> Pooled {
        let mut all = self.0;
        all.iter_mut().for_each(|packed| *packed = scored(*packed));
        all.par_sort_unstable();
        Pooled(all)
    }
}

impl Pooled {
    pub(super) fn tied(&self) -> impl Iterator<Item = Tied> + Clone {
        descending(&self.0)
    }
}

fn descending(ascending: &[Packed]) -> impl Iterator<Item = Tied> + Clone {
    ascending
        .chunk_by(|a, b| scored(*a) >> 1 == scored(*b) >> 1)
        .rev()
        .map(|tied| {
            let positive = tied.iter().map(|packed| packed & 1).sum::<u64>() as f64;
            Tied {
                score: f32::from_bits((scored(tied[0]) >> 1) as u32),
                positive,
                negative: tied.len() as f64 - positive,
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_come_out_by_label_and_score_with_ties_together() {
        let row = |labels: Vec<u32>, scores: Vec<f32>, truth: Vec<bool>| {
            Scored::new(labels, scores, truth).unwrap()
        };
        let grouped = Grouped::of(&[
            row(vec![7, 2], vec![0.5, -0.0], vec![true, false]),
            row(vec![2, 7], vec![0.0, 0.5], vec![true, false]),
            row(vec![7], vec![1.0], vec![true]),
        ]);
        let tied = |score, positive, negative| Tied {
            score,
            positive,
            negative,
        };
        let by_label: Vec<(u32, Vec<Tied>)> = grouped
            .by_label()
            .map(|(label, tied)| (label, tied.collect()))
            .collect();
        assert_eq!(
            by_label,
            [
                (2, vec![tied(0.0, 1.0, 1.0)]),
                (7, vec![tied(1.0, 1.0, 0.0), tied(0.5, 1.0, 1.0)]),
            ]
        );
        assert_eq!(
            grouped.pooled().tied().collect::<Vec<_>>(),
            [
                tied(1.0, 1.0, 0.0),
                tied(0.5, 1.0, 1.0),
                tied(0.0, 1.0, 1.0)
            ]
        );
    }
}
