//! Layer normalisation with a gradient.
//!
//! On a CPU, in float32: our own kernels, forward and back. Elsewhere: composed of operations that
//! have gradients. Rows are summed in blocks of a fixed size, so that the bits of a weight's
//! gradient do not depend on the number of threads.

use candle_core::{CpuStorage, CustomOp3, D, DType, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::values::{is_ours, slice, values};
use crate::model::encoder::kernel::{norm, norm_backward, sum_rows};

/// Rows that one task takes.
const ROWS: usize = 64;

/// `(x - mean) / sqrt(var + eps) · weight + bias` over the last dimension.
pub(super) fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f32) -> Result<Tensor> {
    if is_ours(x) {
        return x.contiguous()?.apply_op3(weight, bias, Norm { eps });
    }
    let (dtype, size) = (x.dtype(), x.dim(D::Minus1)? as f64);
    let x = x.to_dtype(DType::F32)?;
    let centred = x.broadcast_sub(&(x.sum_keepdim(D::Minus1)? / size)?)?;
    let variance = (centred.sqr()?.sum_keepdim(D::Minus1)? / size)?;
    let normed = centred.broadcast_div(&(variance + f64::from(eps))?.sqrt()?)?;
    normed
        .broadcast_mul(&weight.to_dtype(DType::F32)?)?
        .broadcast_add(&bias.to_dtype(DType::F32)?)?
        .to_dtype(dtype)
}

struct Norm {
    eps: f32,
}

impl CustomOp3 for Norm {
    fn name(&self) -> &'static str {
        "layer_norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (weight, bias) = (slice(weight, weight_layout)?, slice(bias, bias_layout)?);
        let mut out = slice(x, x_layout)?.to_vec();
        out.par_chunks_mut(ROWS * weight.len())
            .for_each(|rows| norm(rows, weight, bias, self.eps));
        Ok((CpuStorage::F32(out), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let contiguous = gradient.contiguous()?;
        let (input, gradient) = (values(x)?, values(&contiguous)?);
        let scale = values(weight)?;
        let width = scale.len();
        let (input, gradient, scale): (&[f32], &[f32], &[f32]) = (&input, &gradient, &scale);
        let mut out = vec![0.0; input.len()];
        let block = ROWS * width;
        let parts: Vec<[Vec<f32>; 2]> = out
            .par_chunks_mut(block)
            .zip(input.par_chunks(block).zip(gradient.par_chunks(block)))
            .map(|(out, (input, gradient))| {
                let mut of_weight = vec![0.0; width];
                let mut of_bias = vec![0.0; width];
                let sums = (&mut of_weight[..], &mut of_bias[..]);
                norm_backward(input, gradient, (scale, self.eps), out, sums);
                [of_weight, of_bias]
            })
            .collect();
        let sum = |which: usize| {
            let mut sum = vec![0.0; width];
            for part in &parts {
                sum_rows(&part[which], &mut sum);
            }
            Tensor::from_vec(sum, width, weight.device())
        };
        Ok((
            Some(Tensor::from_vec(out, x.shape(), x.device())?),
            weight.track_op().then(|| sum(0)).transpose()?,
            bias.track_op().then(|| sum(1)).transpose()?,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::super::gradient_check::{check, random};
    use super::*;

    #[test]
    fn its_gradient_is_that_of_finite_differences() {
        let inputs = [random(1, &[3, 2, 19]), random(2, &[19]), random(3, &[19])];
        check(&inputs, |x| layer_norm(&x[0], &x[1], &x[2], 1e-5));
    }

    #[test]
    fn it_is_what_the_library_computes() {
        let (x, weight, bias) = (random(1, &[70, 19]), random(2, &[19]), random(3, &[19]));
        let ours = layer_norm(&x, &weight, &bias, 1e-5).unwrap();
        let library = candle_nn::ops::layer_norm(&x, &weight, &bias, 1e-5).unwrap();
        let difference = (ours - library).unwrap().abs().unwrap();
        let most: f32 = difference.max_all().unwrap().to_scalar().unwrap();
        assert!(most < 1e-5, "{most}");
    }
}
