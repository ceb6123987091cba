//! Attention of one sequence over packed rows: shared keys for all, own keys for a label.
//!
//! The shared keys and values are computed once a layer, whatever the number of labels, and the
//! scores of label tokens against other labels are never computed at all.

use std::ops::Range;

use super::rows::SequenceRows;
use crate::model::encoder::kernel::{Shape, Threads, dot, exp_row, product};

/// Query rows that are scored at a time: with 512 keys, 256 KiB of scores.
const QUERY_ROWS: usize = 128;

/// Sizes of a layer's attention.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heads {
    pub(super) n: usize,
    pub(super) hidden: usize,
}

impl Heads {
    fn dim(self) -> usize {
        self.hidden / self.n
    }

    /// Columns of a head in the query (0), key (1) or value (2) part of a row.
    fn columns(self, part: usize, head: usize) -> Range<usize> {
        let start = part * self.hidden + head * self.dim();
        start..start + self.dim()
    }

    fn row(self) -> usize {
        3 * self.hidden
    }
}

/// Writes the context of every row of `sequence` into `context`, `[row, hidden]`, from `qkv`,
/// `[row, 3 · hidden]`. `scores` is scratch space.
pub(super) fn attend(
    heads: Heads,
    sequence: &SequenceRows,
    qkv: &[f32],
    context: &mut [f32],
    scores: &mut Vec<f32>,
) {
    let shared = &sequence.shared;
    for head in 0..heads.n {
        for block in blocks(shared.clone()) {
            attend_block(heads, head, shared, block, &[], qkv, context, scores);
        }
        for labels in label_blocks(&sequence.labels) {
            let rows = labels[0].start..labels[labels.len() - 1].end;
            attend_block(heads, head, shared, rows, labels, qkv, context, scores);
        }
    }
}

fn blocks(rows: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    rows.clone()
        .step_by(QUERY_ROWS)
        .map(move |start| start..rows.end.min(start + QUERY_ROWS))
}

/// Consecutive labels of about `QUERY_ROWS` rows together.
fn label_blocks(labels: &[Range<usize>]) -> Vec<&[Range<usize>]> {
    let mut blocks = Vec::new();
    let mut first = 0;
    for (i, label) in labels.iter().enumerate() {
        if label.end - labels[first].start > QUERY_ROWS && i > first {
            blocks.push(&labels[first..i]);
            first = i;
        }
    }
    if first < labels.len() {
        blocks.push(&labels[first..]);
    }
    blocks
}

/// One head, the query rows of one block; `labels` split the block, each with its own keys.
#[expect(
    clippy::too_many_arguments,
    reason = "the inner function of one loop nest; a struct would be made for each call"
)]
fn attend_block(
    heads: Heads,
    head: usize,
    shared: &Range<usize>,
    rows: Range<usize>,
    labels: &[Range<usize>],
    qkv: &[f32],
    context: &mut [f32],
    scores: &mut Vec<f32>,
) {
    let (width, n_keys) = (heads.row(), shared.len());
    let query = Shape::columns(rows.clone(), width, heads.columns(0, head));
    let key = Shape::columns(shared.clone(), width, heads.columns(1, head));
    let value = Shape::columns(shared.clone(), width, heads.columns(2, head));
    let scale = 1.0 / (heads.dim() as f32).sqrt();
    let table = Shape::dense(rows.len(), n_keys);
    scores.clear();
    scores.resize(rows.len() * n_keys, 0.0);
    product(
        (scores, table),
        (qkv, query),
        (qkv, key.transposed()),
        scale,
        false,
        Threads::One,
    );

    // Softmax: exponentials now, the division at the end, over fewer values.
    let mut sums = Vec::with_capacity(rows.len());
    let mut own_shares: Vec<f32> = Vec::new();
    let part = |row: usize, part: usize| {
        let columns = heads.columns(part, head);
        &qkv[row * width + columns.start..row * width + columns.end]
    };
    let mut own_of_row: Vec<(Range<usize>, Range<usize>)> = Vec::new(); // (own keys, their place in own_shares)
    let mut label = labels.iter().peekable();
    for (row, scores) in rows.clone().zip(scores.chunks_exact_mut(n_keys.max(1))) {
        while label.peek().is_some_and(|label| label.end <= row) {
            label.next();
        }
        let keys = label.peek().map_or(0..0, |label| (*label).clone());
        let start = own_shares.len();
        own_shares.extend(
            keys.clone()
                .map(|key| scale * dot(part(row, 0), part(key, 1))),
        );
        sums.push(exp_row(scores, &mut own_shares[start..]));
        own_of_row.push((keys, start..own_shares.len()));
    }
    let out = Shape::columns(rows.clone(), heads.hidden, heads.columns(0, head));
    product(
        (context, out),
        (scores, table),
        (qkv, value),
        1.0,
        false,
        Threads::One,
    );
    for ((row, sum), (keys, shares)) in rows.zip(sums).zip(own_of_row) {
        let columns = heads.columns(0, head);
        let context =
            &mut context[row * heads.hidden + columns.start..row * heads.hidden + columns.end];
        for (key, share) in keys.zip(&own_shares[shares]) {
            for (context, value) in context.iter_mut().zip(part(key, 2)) {
                *context += share * value;
            }
        }
        for value in context {
            *value /= sum;
        }
    }
}
