//! Scaled dot-product attention over sequences that lie end to end, with a gradient.
//!
//! In: queries, keys and values, `[1, token, hidden]`, heads side by side. Out: contexts of that shape.
//! The shares are computed again on the way back: they cost less than keeping them.
//! One task takes one sequence, so the bits do not depend on the number of threads.

use std::ops::Range;
use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::values::{slice, values};
use crate::model::encoder::kernel::{Shape as Matrix, Threads, exp_row, product, weigh_row};
use crate::model::encoder::mask::Plan;

/// Attention of `q`, `k` and `v` within the sequences of `plan`.
pub(super) fn attend(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    heads: usize,
    plan: Arc<Plan>,
) -> Result<Tensor> {
    let hidden = q.dims().last().copied().unwrap_or(heads);
    let op = Attend {
        plan,
        heads,
        hidden,
    };
    q.contiguous()?
        .apply_op3(&k.contiguous()?, &v.contiguous()?, op)
}

struct Attend {
    plan: Arc<Plan>,
    heads: usize,
    hidden: usize,
}

/// One head of one sequence.
struct Head<'a> {
    q: &'a [f32],
    k: &'a [f32],
    v: &'a [f32],
    closed: Option<&'a [f32]>,
    rows: usize,
    hidden: usize,
    columns: Range<usize>,
}

impl Head<'_> {
    fn matrix(&self) -> Matrix {
        Matrix::columns(0..self.rows, self.hidden, self.columns.clone())
    }

    fn table(&self) -> Matrix {
        Matrix::dense(self.rows, self.rows)
    }

    fn scale(&self) -> f32 {
        1.0 / (self.columns.len() as f32).sqrt()
    }

    /// The share of every key for every query.
    fn shares(&self, shares: &mut [f32]) {
        product(
            (shares, self.table()),
            (self.q, self.matrix()),
            (self.k, self.matrix().transposed()),
            self.scale(),
            false,
            Threads::One,
        );
        if let Some(closed) = self.closed {
            shares.iter_mut().zip(closed).for_each(|(x, c)| *x += c);
        }
        for row in shares.chunks_exact_mut(self.rows) {
            let share = 1.0 / exp_row(row, &mut []);
            row.iter_mut().for_each(|x| *x *= share);
        }
    }
}

impl Attend {
    /// The heads of one sequence, of slices that hold its rows only.
    fn heads<'a>(
        &'a self,
        sequence: usize,
        (q, k, v): (&'a [f32], &'a [f32], &'a [f32]),
    ) -> impl Iterator<Item = Head<'a>> {
        let dim = self.hidden / self.heads;
        (0..self.heads).map(move |head| Head {
            q,
            k,
            v,
            closed: self.plan.closed[sequence].as_deref(),
            rows: self.plan.sequences[sequence].len(),
            hidden: self.hidden,
            columns: head * dim..(head + 1) * dim,
        })
    }

    /// Cuts `x` into the sequences' rows.
    fn split<'a>(&self, mut x: &'a mut [f32]) -> Vec<&'a mut [f32]> {
        let sequences = self.plan.sequences.iter();
        sequences
            .map(|rows| {
                let (own, rest) = std::mem::take(&mut x).split_at_mut(rows.len() * self.hidden);
                x = rest;
                own
            })
            .collect()
    }

    fn rows<'a>(&self, sequence: usize, x: &'a [f32]) -> &'a [f32] {
        let rows = &self.plan.sequences[sequence];
        &x[rows.start * self.hidden..rows.end * self.hidden]
    }
}

impl CustomOp3 for Attend {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        layout: &Layout,
        k: &CpuStorage,
        k_layout: &Layout,
        v: &CpuStorage,
        v_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (q, k, v) = (slice(q, layout)?, slice(k, k_layout)?, slice(v, v_layout)?);
        let mut out = vec![0.0; q.len()];
        let tasks: Vec<_> = self.split(&mut out).into_iter().enumerate().collect();
        tasks.into_par_iter().for_each(|(i, out)| {
            let qkv = (self.rows(i, q), self.rows(i, k), self.rows(i, v));
            let mut shares = vec![0.0; self.plan.sequences[i].len().pow(2)];
            for head in self.heads(i, qkv) {
                head.shares(&mut shares);
                product(
                    (out, head.matrix()),
                    (&shares, head.table()),
                    (head.v, head.matrix()),
                    1.0,
                    false,
                    Threads::One,
                );
            }
        });
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let contiguous = gradient.contiguous()?;
        let (q_values, k_values) = (values(q)?, values(k)?);
        let (v_values, gradient) = (values(v)?, values(&contiguous)?);
        let (q_values, k_values): (&[f32], &[f32]) = (&q_values, &k_values);
        let (v_values, gradient): (&[f32], &[f32]) = (&v_values, &gradient);
        let n = q_values.len();
        let (mut of_q, mut of_k, mut of_v) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
        let outs = self.split(&mut of_q).into_iter().zip(self.split(&mut of_k));
        let tasks: Vec<_> = outs.zip(self.split(&mut of_v)).enumerate().collect();
        tasks.into_par_iter().for_each(|(i, ((of_q, of_k), of_v))| {
            let qkv = (
                self.rows(i, q_values),
                self.rows(i, k_values),
                self.rows(i, v_values),
            );
            let gradient = self.rows(i, gradient);
            let size = self.plan.sequences[i].len().pow(2);
            let (mut shares, mut of_scores) = (vec![0.0; size], vec![0.0; size]);
            for head in self.heads(i, qkv) {
                head.shares(&mut shares);
                let (matrix, table) = (head.matrix(), head.table());
                let multiply = |out: (&mut [f32], Matrix), a, b, scale| {
                    product(out, a, b, scale, false, Threads::One);
                };
                let shares_t = (&shares[..], table.transposed());
                multiply((&mut *of_v, matrix), shares_t, (gradient, matrix), 1.0);
                let values = (head.v, matrix.transposed());
                multiply((&mut of_scores, table), (gradient, matrix), values, 1.0);
                for (of, shares) in of_scores
                    .chunks_exact_mut(head.rows)
                    .zip(shares.chunks_exact(head.rows))
                {
                    weigh_row(shares, of);
                }
                let scale = head.scale();
                let scores = (&of_scores[..], table);
                multiply((&mut *of_q, matrix), scores, (head.k, matrix), scale);
                let scores_t = (&of_scores[..], table.transposed());
                multiply((&mut *of_k, matrix), scores_t, (head.q, matrix), scale);
            }
        });
        let tensor = |values| Tensor::from_vec(values, q.shape(), q.device());
        Ok((
            Some(tensor(of_q)?),
            Some(tensor(of_k)?),
            Some(tensor(of_v)?),
        ))
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
            let inputs = [1, 2, 3].map(|seed| random(seed, &[1, 9, 8]));
            check(&inputs, |x| {
                attend(&x[0], &x[1], &x[2], 2, mask.plan(window))
            });
        }
    }
}
