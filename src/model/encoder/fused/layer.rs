//! One layer, row by row: everything but attention, which needs the other rows.
//!
//! A block of rows goes from the context of one layer's attention to the queries, keys and values
//! of the next while its states stay in the cache.

use super::linear::Linear;
use super::rotary::Rotary;
use super::rows::SequenceRows;
use crate::model::encoder::kernel::{ByteRows, add, add_norm, gelu, gelu_gate, norm};

/// LayerNorm's parameters.
#[derive(Debug)]
pub(super) struct Norm {
    pub(super) weight: Vec<f32>,
    pub(super) bias: Vec<f32>,
    pub(super) eps: f32,
}

impl Norm {
    pub(super) fn apply(&self, x: &mut [f32]) {
        norm(x, &self.weight, &self.bias, self.eps);
    }

    /// `x = norm(x + residual)`.
    fn add(&self, x: &mut [f32], residual: &[f32]) {
        add_norm(x, residual, &self.weight, &self.bias, self.eps);
    }
}

/// Weights of a layer.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) qkv: Linear,
    pub(super) output: Linear,
    pub(super) inner: Linear,
    pub(super) outer: Linear,
    pub(super) form: Form,
    /// Attention sees only tokens within that distance, in positions.
    pub(super) window: Option<u32>,
}

/// Where the norms are, and what the feed-forward part does in the middle.
#[derive(Debug)]
pub(super) enum Form {
    /// BERT: norms after each part.
    After { attention: Norm, feed: Norm },
    /// ModernBERT: norms before each part (the first layer's input is normalised already), a gate in
    /// the middle, positions by rotation.
    Before {
        attention: Option<Norm>,
        feed: Norm,
        /// Which of the encoder's rotations.
        rotary: usize,
    },
}

/// Space to work in.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    context: Vec<f32>,
    normed: Vec<f32>,
    out: Vec<f32>,
    wide: Vec<f32>,
    gated: Vec<f32>,
    bytes: ByteRows,
}

/// A few rows.
pub(super) struct Block<'a> {
    /// `[row, hidden]`.
    pub(super) states: &'a mut [f32],
    /// `[row, 3 · hidden]`.
    pub(super) qkv: &'a mut [f32],
    /// Position of every row of the block.
    pub(super) positions: &'a [u32],
    /// Which row of all the first one is.
    pub(super) first: usize,
}

impl Layer {
    /// The states to queries, keys and values.
    pub(super) fn enter(&self, block: &mut Block, rotaries: &[Rotary], scratch: &mut Scratch) {
        let Scratch { normed, bytes, .. } = scratch;
        let before = match &self.form {
            Form::After { .. } => None,
            Form::Before { attention, .. } => attention.as_ref(),
        };
        match before {
            None => self.qkv.apply(block.states, block.qkv, bytes),
            Some(before) => {
                copy(normed, block.states);
                before.apply(normed);
                self.qkv.apply(normed, block.qkv, bytes);
            }
        }
        if let Form::Before { rotary, .. } = &self.form {
            rotaries[*rotary].turn(block.qkv, block.positions);
        }
    }

    /// Attention's context, which is in `scratch`, to the layer's states.
    pub(super) fn leave(&self, block: &mut Block, scratch: &mut Scratch) {
        let Scratch {
            context,
            normed,
            out,
            wide,
            gated,
            bytes,
        } = scratch;
        let states = &mut *block.states;
        let hidden = self.output.outputs();
        let n = states.len() / hidden;
        out.resize(states.len(), 0.0);
        self.output.apply(context, out, bytes);
        wide.resize(n * self.inner.outputs(), 0.0);
        match &self.form {
            Form::After { attention, feed } => {
                attention.add(states, out);
                self.inner.apply(states, wide, bytes);
                gelu(wide);
                self.outer.apply(wide, out, bytes);
                feed.add(states, out);
            }
            Form::Before { feed, .. } => {
                add(states, out);
                copy(normed, states);
                feed.apply(normed);
                self.inner.apply(normed, wide, bytes);
                gated.resize(wide.len() / 2, 0.0);
                gelu_gate(wide, self.inner.outputs() / 2, gated);
                self.outer.apply(gated, out, bytes);
                add(states, out);
            }
        }
    }
}

impl Scratch {
    /// Lays out the contexts of `n` rows head beside head. `contexts` has them sequence by
    /// sequence, in each head by head; `rows` begins at row `first` of all.
    pub(super) fn gather(
        &mut self,
        contexts: &[f32],
        sequences: &[SequenceRows],
        (first, n): (usize, usize),
        (hidden, dim): (usize, usize),
    ) {
        self.context.resize(n * hidden, 0.0);
        let mut left = &mut self.context[..];
        let start = sequences.partition_point(|sequence| sequence.all.end <= first);
        let mut row = first;
        for sequence in &sequences[start..] {
            let all = &sequence.all;
            let rows = row..all.end.min(first + n);
            let (own, rest) = left.split_at_mut(rows.len() * hidden);
            let heads =
                contexts[all.start * hidden..all.end * hidden].chunks_exact(all.len() * dim);
            for (head, context) in heads.enumerate() {
                let context = context[(rows.start - all.start) * dim..].chunks_exact(dim);
                for (own, context) in own.chunks_exact_mut(hidden).zip(context) {
                    own[head * dim..(head + 1) * dim].copy_from_slice(context);
                }
            }
            (left, row) = (rest, rows.end);
            if left.is_empty() {
                break;
            }
        }
    }
}

fn copy(to: &mut Vec<f32>, from: &[f32]) {
    to.clear();
    to.extend_from_slice(from);
}
