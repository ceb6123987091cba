//! Softmax over the last dimension with a gradient.

use candle_core::{CpuStorage, CustomOp1, D, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::values::{is_ours, slice, values};
use crate::model::encoder::kernel::{exp_row, weigh_row};

/// Shares of each row of the last dimension.
pub(super) fn softmax(x: &Tensor) -> Result<Tensor> {
    if is_ours(x) {
        return x.contiguous()?.apply_op1(Softmax);
    }
    // The largest value is a constant: a softmax does not change when it does.
    let most = x.max_keepdim(D::Minus1)?.detach();
    let exp = x.broadcast_sub(&most)?.exp()?;
    exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)
}

struct Softmax;

impl CustomOp1 for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut out = slice(x, layout)?.to_vec();
        out.par_chunks_mut(width(layout.shape())).for_each(|row| {
            let sum = exp_row(row, &mut []);
            row.iter_mut().for_each(|value| *value /= sum);
        });
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, result: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let contiguous = gradient.contiguous()?;
        let (shares, gradient) = (values(result)?, values(&contiguous)?);
        let shares: &[f32] = &shares;
        let mut out = gradient.to_vec();
        let width = width(x.shape());
        out.par_chunks_mut(width)
            .zip(shares.par_chunks(width))
            .for_each(|(out, shares)| weigh_row(shares, out));
        Ok(Some(Tensor::from_vec(out, x.shape(), x.device())?))
    }
}

fn width(shape: &Shape) -> usize {
    shape.dims().last().copied().unwrap_or(1).max(1)
}

#[cfg(test)]
mod tests {
    use super::super::gradient_check::{check, random};
    use super::*;

    #[test]
    fn its_gradient_is_that_of_finite_differences() {
        check(&[(random(1, &[2, 3, 21]) * 2.0).unwrap()], |x| {
            softmax(&x[0])
        });
    }
}
