//! Attention of one head of one sequence over packed rows: shared keys for all, own keys for a label.
//!
//! The shared keys and values are packed once, whatever the number of labels, and the scores of
//! label tokens against other labels are never computed at all. The scores of a few query rows at
//! a time stay in the nearest cache.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::rows::SequenceRows;
use crate::model::encoder::kernel::{
    Panels, Processor, Product, Rows as Matrix, Start, dot_here, exp_row_here,
};

/// Query rows that are scored at a time: with 512 keys, 48 KiB of scores.
const QUERY_ROWS: usize = 24;

/// Sizes of a layer's attention.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heads {
    pub(super) n: usize,
    pub(super) hidden: usize,
}

impl Heads {
    pub(super) fn dim(self) -> usize {
        self.hidden / self.n
    }

    /// What queries are multiplied with.
    pub(super) fn scale(self) -> f32 {
        1.0 / (self.dim() as f32).sqrt()
    }

    /// A head's query (part 0), key (1) or value (2) in the row of `[row, 3 · hidden]`.
    #[inline(always)]
    fn part(self, qkv: &[f32], row: usize, part: usize, head: usize) -> &[f32] {
        let start = (3 * row + part) * self.hidden + head * self.dim();
        &qkv[start..start + self.dim()]
    }
}

/// Space to work in.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    keys: Panels,
    values: Panels,
    scores: Vec<f32>,
    own: Vec<f32>,
}

/// One head of one sequence.
pub(super) struct Attend<'a> {
    pub(super) heads: Heads,
    pub(super) head: usize,
    /// Only tokens within that distance, in positions.
    pub(super) window: Option<u32>,
    pub(super) sequence: &'a SequenceRows,
    /// Position of every row.
    pub(super) positions: &'a [u32],
    /// `[row, 3 · hidden]` of all sequences; queries are scaled already.
    pub(super) qkv: &'a [f32],
    /// `[row of this sequence, dim]`.
    pub(super) context: &'a mut [f32],
    pub(super) scratch: &'a mut Scratch,
}

impl Attend<'_> {
    pub(super) fn run(self) {
        Processor::here().run(self);
    }

    /// The shared keys that are near one of these positions.
    fn near(&self, positions: Range<u32>) -> Range<usize> {
        let shared = &self.positions[self.sequence.shared.clone()];
        let Some(window) = self.window else {
            return 0..shared.len();
        };
        let (first, last) = (
            positions.start.saturating_sub(window),
            (positions.end - 1).saturating_add(window),
        );
        // Shared rows are in the order of their positions.
        let start = shared.partition_point(|p| *p < first);
        start..shared.partition_point(|p| *p <= last).max(start)
    }

    /// The keys of the row's own label that it sees.
    fn own_keys(&self, row: usize, label: Range<usize>) -> Range<usize> {
        let Some(window) = self.window else {
            return label;
        };
        let near = |key: &usize| self.positions[*key].abs_diff(self.positions[row]) <= window;
        let start = label.clone().find(near).unwrap_or(label.end);
        start..label.rev().find(near).map_or(start, |last| last + 1)
    }
}

impl WithSimd for Attend<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let dim = self.heads.dim();
        let part = |row, part| self.heads.part(self.qkv, row, part, self.head);
        let mut scratch = std::mem::take(self.scratch);
        let shared = self.sequence.shared.clone();
        let processor = Processor::here();
        let keys = shared.clone().map(|row| part(row, 1));
        scratch.keys.set_columns(processor, dim, keys);
        let values = shared.clone().map(|row| part(row, 2));
        scratch.values.set_rows(processor, dim, values);
        let mut labels = self.sequence.labels.iter().peekable();
        let all = self.sequence.all.clone();
        for first in all.clone().step_by(QUERY_ROWS) {
            let rows = first..all.end.min(first + QUERY_ROWS);
            let positions = &self.positions[rows.clone()];
            let (low, high) = (positions.iter().min(), positions.iter().max());
            let near = match (low, high) {
                (Some(low), Some(high)) => self.near(*low..high + 1),
                _ => return,
            };
            let (first_key, part_of_keys) = scratch.keys.part_of_columns(near.clone());
            let width = near.end - first_key;
            scratch
                .scores
                .resize((QUERY_ROWS * width).max(scratch.scores.len()), 0.0);
            let queries = (3 * rows.start) * self.heads.hidden + self.head * dim;
            simd.vectorize(Product {
                rows: Matrix {
                    values: &self.qkv[queries..],
                    stride: 3 * self.heads.hidden,
                    step: 1,
                    n: rows.len(),
                },
                panels: part_of_keys,
                start: Start::Zero,
                out: &mut scratch.scores,
                out_stride: width,
            });

            // Softmax: exponentials now, the division at the end, over fewer values.
            let mut sums = [0.0; QUERY_ROWS];
            let mut own_keys = [const { (0, 0) }; QUERY_ROWS];
            scratch.own.clear();
            for (i, row) in rows.clone().enumerate() {
                while labels.peek().is_some_and(|label| label.end <= row) {
                    labels.next();
                }
                let own = labels.peek().filter(|label| label.contains(&row));
                let own = own.map_or(0..0, |label| self.own_keys(row, (*label).clone()));
                own_keys[i] = (own.start, own.end);
                let start = scratch.own.len();
                let query = part(row, 0);
                scratch
                    .own
                    .extend(own.map(|key| dot_here(query, part(key, 1))));
                let scores = &mut scratch.scores[i * width..(i + 1) * width];
                let position = self.positions[row];
                let seen = self.near(position..position + 1);
                scores[..seen.start - first_key].fill(f32::NEG_INFINITY);
                scores[seen.end - first_key..].fill(f32::NEG_INFINITY);
                sums[i] = exp_row_here(scores, &mut scratch.own[start..]);
            }
            let context = &mut self.context[(rows.start - all.start) * dim..];
            simd.vectorize(Product {
                rows: Matrix {
                    values: &scratch.scores,
                    stride: width,
                    step: 1,
                    n: rows.len(),
                },
                panels: scratch.values.part_of_rows(first_key..near.end),
                start: Start::Zero,
                out: context,
                out_stride: dim,
            });
            let mut shares = scratch.own.iter();
            for (i, context) in context.chunks_exact_mut(dim).take(rows.len()).enumerate() {
                let own = own_keys[i].0..own_keys[i].1;
                for (key, share) in own.zip(&mut shares) {
                    for (context, value) in context.iter_mut().zip(part(key, 2)) {
                        *context += share * value;
                    }
                }
                let scale = 1.0 / sums[i];
                context.iter_mut().for_each(|value| *value *= scale);
            }
        }
        *self.scratch = scratch;
    }
}
