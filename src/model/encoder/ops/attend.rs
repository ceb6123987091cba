//! Scaled dot-product attention over sequences that lie end to end, with a gradient.
//!
//! In: queries, keys and values side by side, `[1, token, 3 · hidden]`, each with its heads side by
//! side. Out: contexts, `[1, token, hidden]`.
//! The shares are computed again on the way back: they cost less than keeping them.
//! One task takes one sequence, so the bits do not depend on the number of threads.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, D, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::values::{slice, values};
use crate::model::encoder::kernel::{
    Panels, Processor, Product, Rows, Start, softmax, softmax_backward,
};
use crate::model::encoder::mask::Plan;

/// Attention within the sequences of `plan`.
pub(super) fn attend(qkv: &Tensor, heads: usize, plan: Arc<Plan>) -> Result<Tensor> {
    let hidden = qkv.dim(D::Minus1)? / 3;
    let op = Attend {
        plan,
        heads,
        hidden,
    };
    qkv.contiguous()?.apply_op1(op)
}

struct Attend {
    plan: Arc<Plan>,
    heads: usize,
    hidden: usize,
}

/// What of a row of queries, keys and values is meant.
#[derive(Clone, Copy)]
enum Of {
    Queries,
    Keys,
    Values,
}

/// Some columns of a sequence's rows.
#[derive(Clone, Copy)]
struct Columns<'a> {
    values: &'a [f32],
    /// Values of a row.
    width: usize,
    first: usize,
    n: usize,
}

impl<'a> Columns<'a> {
    fn each(self) -> impl ExactSizeIterator<Item = &'a [f32]> {
        self.values
            .chunks_exact(self.width)
            .map(move |row| &row[self.first..self.first + self.n])
    }

    fn rows(self) -> Rows<'a> {
        Rows {
            values: &self.values[self.first..],
            stride: self.width,
            step: 1,
            n: self.values.len() / self.width,
        }
    }
}

/// One head of one sequence.
#[derive(Clone, Copy)]
struct Head<'a> {
    closed: Option<&'a [f32]>,
    rows: usize,
    hidden: usize,
    /// Its first column of `hidden`.
    first: usize,
    dim: usize,
}

/// Space to work in.
#[derive(Default)]
struct Scratch {
    panels: Panels,
    shares: Vec<f32>,
    of_scores: Vec<f32>,
}

impl<'a> Head<'a> {
    /// Of contexts, `[row, hidden]`.
    fn of_contexts(self, values: &'a [f32]) -> Columns<'a> {
        Columns {
            values,
            width: self.hidden,
            first: self.first,
            n: self.dim,
        }
    }

    /// Of queries, keys and values, `[row, 3 · hidden]`.
    fn of(self, of: Of, values: &'a [f32]) -> Columns<'a> {
        Columns {
            values,
            width: 3 * self.hidden,
            first: self.column(of),
            n: self.dim,
        }
    }

    fn column(self, of: Of) -> usize {
        of as usize * self.hidden + self.first
    }

    /// A square of numbers, `[query, key]`.
    fn square(self, values: &'a [f32]) -> Rows<'a> {
        Rows {
            values,
            stride: self.rows,
            step: 1,
            n: self.rows,
        }
    }

    /// The same with queries and keys exchanged.
    fn turned(self, values: &'a [f32]) -> Rows<'a> {
        Rows {
            stride: 1,
            step: self.rows,
            ..self.square(values)
        }
    }

    /// `out = a · bᵀ`, `[row, row]`.
    fn against(self, a: Columns, b: Columns, panels: &mut Panels, out: &mut [f32]) {
        let processor = Processor::here();
        panels.set_columns(processor, self.dim, b.each());
        processor.run(Product {
            rows: a.rows(),
            panels: panels.whole(),
            start: Start::Zero,
            out,
            out_stride: self.rows,
        });
    }

    /// `out = shares · x`, from a column of rows of `width` values on.
    fn sum(
        self,
        shares: Rows,
        x: Columns,
        panels: &mut Panels,
        (out, width, column): (&mut [f32], usize, usize),
    ) {
        let processor = Processor::here();
        panels.set_rows(processor, self.dim, x.each());
        processor.run(Product {
            rows: shares,
            panels: panels.whole(),
            start: Start::Zero,
            out: &mut out[column..],
            out_stride: width,
        });
    }

    fn scale(self) -> f32 {
        1.0 / (self.dim as f32).sqrt()
    }

    /// The share of every key for every query, into `scratch`.
    fn shares(self, qkv: &[f32], scratch: &mut Scratch) {
        let Scratch { panels, shares, .. } = scratch;
        shares.resize(self.rows * self.rows, 0.0);
        let (queries, keys) = (self.of(Of::Queries, qkv), self.of(Of::Keys, qkv));
        self.against(queries, keys, panels, shares);
        softmax(shares, self.rows, self.scale(), self.closed);
    }
}

impl Attend {
    /// The heads of one sequence.
    fn heads(&self, sequence: usize) -> impl Iterator<Item = Head<'_>> {
        let dim = self.hidden / self.heads;
        (0..self.heads).map(move |head| Head {
            closed: self.plan.closed[sequence].as_deref(),
            rows: self.plan.sequences[sequence].len(),
            hidden: self.hidden,
            first: head * dim,
            dim,
        })
    }

    /// Cuts `x`, rows of `width` values, into those of the sequences, with their numbers.
    fn split<'a>(&self, mut x: &'a mut [f32], width: usize) -> Vec<(usize, &'a mut [f32])> {
        let sequences = self.plan.sequences.iter();
        sequences
            .map(|rows| {
                let (own, rest) = std::mem::take(&mut x).split_at_mut(rows.len() * width);
                x = rest;
                own
            })
            .enumerate()
            .collect()
    }

    fn rows<'a>(&self, sequence: usize, x: &'a [f32], width: usize) -> &'a [f32] {
        let rows = &self.plan.sequences[sequence];
        &x[rows.start * width..rows.end * width]
    }
}

impl CustomOp1 for Attend {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(&self, qkv: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let qkv = slice(qkv, layout)?;
        let mut out = vec![0.0; qkv.len() / 3];
        let tasks = self.split(&mut out, self.hidden);
        let work = |scratch: &mut Scratch, (i, out): (usize, &mut [f32])| {
            let qkv = self.rows(i, qkv, 3 * self.hidden);
            for head in self.heads(i) {
                head.shares(qkv, scratch);
                let (shares, values) = (head.square(&scratch.shares), head.of(Of::Values, qkv));
                let to = (&mut *out, self.hidden, head.first);
                head.sum(shares, values, &mut scratch.panels, to);
            }
        };
        tasks.into_par_iter().for_each_init(Scratch::default, work);
        let mut shape = layout.shape().dims().to_vec();
        shape.pop();
        shape.push(self.hidden);
        Ok((CpuStorage::F32(out), shape.into()))
    }

    fn bwd(&self, qkv: &Tensor, _result: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let contiguous = gradient.contiguous()?;
        let (input, gradient) = (values(qkv)?, values(&contiguous)?);
        let (input, gradient): (&[f32], &[f32]) = (&input, &gradient);
        let width = 3 * self.hidden;
        let mut of_input = vec![0.0; input.len()];
        let tasks = self.split(&mut of_input, width);
        let work = |scratch: &mut Scratch, (i, out): (usize, &mut [f32])| {
            let qkv = self.rows(i, input, width);
            let gradient = self.rows(i, gradient, self.hidden);
            for head in self.heads(i) {
                head.shares(qkv, scratch);
                let Scratch {
                    panels,
                    shares,
                    of_scores,
                } = scratch;
                let gradient = head.of_contexts(gradient);
                let mut sum = |of, shares, x, panels: &mut Panels| {
                    head.sum(shares, x, panels, (&mut *out, width, head.column(of)));
                };
                sum(Of::Values, head.turned(shares), gradient, panels);
                of_scores.resize(head.rows * head.rows, 0.0);
                head.against(gradient, head.of(Of::Values, qkv), panels, of_scores);
                softmax_backward(shares, of_scores, head.rows, head.scale());
                let (queries, keys) = (head.of(Of::Queries, qkv), head.of(Of::Keys, qkv));
                sum(Of::Queries, head.square(of_scores), keys, panels);
                sum(Of::Keys, head.turned(of_scores), queries, panels);
            }
        };
        tasks.into_par_iter().for_each_init(Scratch::default, work);
        Ok(Some(Tensor::from_vec(of_input, qkv.shape(), qkv.device())?))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::super::gradient_check::{check, random};
    use super::*;
    use crate::model::encoder::AttentionMask;

    #[test]
    fn its_gradients_are_those_of_finite_differences() {
        let segments = vec![0, 0, 1, 2, 2, 0, 0, 0, 0];
        let mask =
            AttentionMask::packed(vec![0..6, 6..9], segments, (0..9).collect(), &Device::Cpu);
        for window in [None, Some(1)] {
            let qkv = random(1, &[1, 9, 24]);
            check(&[qkv], |x| attend(&x[0], 2, mask.plan(window)));
        }
    }
}
