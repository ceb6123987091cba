//! Softmax over the last dimension with a gradient.

use candle_core::{CpuStorage, CustomOp1, D, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::values::{is_ours, slice, values};
use crate::model::encoder::kernel::{softmax as softmax_kernel, softmax_backward};

/// Rows that one task takes.
const ROWS: usize = 64;

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
        let width = width(layout.shape());
        out.par_chunks_mut(ROWS * width)
            .for_each(|rows| softmax_kernel(rows, width, 1.0, None));
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, result: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let contiguous = gradient.contiguous()?;
        let (shares, gradient) = (values(result)?, values(&contiguous)?);
        let shares: &[f32] = &shares;
        let mut out = gradient.to_vec();
        let width = width(x.shape());
        out.par_chunks_mut(ROWS * width)
            .zip(shares.par_chunks(ROWS * width))
            .for_each(|(out, shares)| softmax_backward(shares, out, width, 1.0));
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
