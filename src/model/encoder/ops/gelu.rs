//! The exact GELU with an exact gradient (candle's is cut to six digits).

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::values::{is_ours, slice, values};
use crate::model::encoder::kernel::{gelu as gelu_kernel, gelu_backward};

/// Values that one task takes.
const BLOCK: usize = 1 << 14;

/// `x · Φ(x)`.
pub(super) fn gelu(x: &Tensor) -> Result<Tensor> {
    if is_ours(x) {
        x.contiguous()?.apply_op1(Gelu)
    } else {
        x.gelu_erf()
    }
}

/// `x · Φ(x)`, value by value.
pub(super) fn of_values(x: &[f32]) -> Vec<f32> {
    let mut out = x.to_vec();
    out.par_chunks_mut(BLOCK).for_each(gelu_kernel);
    out
}

/// Makes the gradient of `gelu(x)` that of `x`.
pub(super) fn back_to_values(x: &[f32], gradient: &mut [f32]) {
    let blocks = gradient.par_chunks_mut(BLOCK).zip(x.par_chunks(BLOCK));
    blocks.for_each(|(gradient, x)| gelu_backward(x, gradient));
}

struct Gelu;

impl CustomOp1 for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let out = of_values(slice(x, layout)?);
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _result: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let contiguous = gradient.contiguous()?;
        let (input, gradient) = (values(x)?, values(&contiguous)?);
        let mut out = gradient.to_vec();
        back_to_values(&input, &mut out);
        Ok(Some(Tensor::from_vec(out, x.shape(), x.device())?))
    }
}

#[cfg(test)]
mod tests {
    use super::super::gradient_check::{check, random};
    use super::*;

    #[test]
    fn its_gradient_is_that_of_finite_differences() {
        check(&[(random(1, &[4, 37]) * 2.0).unwrap()], |x| gelu(&x[0]));
    }
}
