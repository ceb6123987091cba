//! `x wᵀ + b` with a gradient that is computed only for what is trained.
//!
//! candle's own product computes the gradients of both sides, frozen or not.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::values::{is_ours, slice, values};
use crate::model::encoder::kernel::{Shape as Matrix, Threads, fill_rows, product, sum_rows};

/// Rows that one task sums.
const ROWS: usize = 64;

/// `[.., input]` -> `[.., output]`; `weight` is `[output, input]`, `bias` `[output]`.
pub(super) fn affine(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    if is_ours(x) {
        let x = x.contiguous()?;
        return match bias {
            Some(bias) => x.apply_op3(weight, bias, Affine),
            None => x.apply_op2(weight, Affine),
        };
    }
    let (output, input) = weight.dims2()?;
    let dtype = x.dtype();
    let rows = x.reshape(((), input))?;
    let mut out = rows.matmul(&weight.to_dtype(dtype)?.t()?)?;
    if let Some(bias) = bias {
        out = out.broadcast_add(&bias.to_dtype(dtype)?)?;
    }
    let mut shape = x.dims().to_vec();
    shape.pop();
    shape.push(output);
    out.reshape(shape)
}

struct Affine;

impl Affine {
    fn forward(
        (x, x_layout): (&CpuStorage, &Layout),
        (weight, weight_layout): (&CpuStorage, &Layout),
        bias: Option<&[f32]>,
    ) -> Result<(CpuStorage, Shape)> {
        let (output, input) = weight_layout.shape().dims2()?;
        let x = slice(x, x_layout)?;
        let rows = x.len() / input;
        let mut out = vec![0.0; rows * output];
        if let Some(bias) = bias {
            fill_rows(&mut out, bias);
        }
        product(
            (&mut out, Matrix::dense(rows, output)),
            (x, Matrix::dense(rows, input)),
            (
                slice(weight, weight_layout)?,
                Matrix::dense(output, input).transposed(),
            ),
            1.0,
            bias.is_some(),
            Threads::All,
        );
        let mut shape = x_layout.shape().dims().to_vec();
        shape.pop();
        shape.push(output);
        Ok((CpuStorage::F32(out), shape.into()))
    }

    /// Gradients of `x` and `weight`, each where it is wanted.
    fn backward(
        x: &Tensor,
        weight: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (output, input) = weight.dims2()?;
        let rows = x.elem_count() / input;
        let gradient = values(gradient)?;
        let of_result = Matrix::dense(rows, output);
        let mut of_x = None;
        if x.track_op() {
            let mut out = vec![0.0; rows * input];
            product(
                (&mut out, Matrix::dense(rows, input)),
                (&gradient, of_result),
                (&values(weight)?, Matrix::dense(output, input)),
                1.0,
                false,
                Threads::All,
            );
            of_x = Some(Tensor::from_vec(out, x.shape(), x.device())?);
        }
        let mut of_weight = None;
        if weight.track_op() {
            let mut out = vec![0.0; output * input];
            product(
                (&mut out, Matrix::dense(output, input)),
                (&gradient, of_result.transposed()),
                (&values(x)?, Matrix::dense(rows, input)),
                1.0,
                false,
                Threads::All,
            );
            of_weight = Some(Tensor::from_vec(out, weight.shape(), weight.device())?);
        }
        Ok((of_x, of_weight))
    }
}

impl CustomOp2 for Affine {
    fn name(&self) -> &'static str {
        "affine"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        Affine::forward((x, x_layout), (weight, weight_layout), None)
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Affine::backward(x, weight, &gradient.contiguous()?)
    }
}

impl CustomOp3 for Affine {
    fn name(&self) -> &'static str {
        "affine with bias"
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
        let bias = slice(bias, bias_layout)?;
        Affine::forward((x, x_layout), (weight, weight_layout), Some(bias))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let gradient = gradient.contiguous()?;
        let (of_x, of_weight) = Affine::backward(x, weight, &gradient)?;
        let mut of_bias = None;
        if bias.track_op() {
            let gradient = values(&gradient)?;
            let gradient: &[f32] = &gradient;
            let width = bias.elem_count();
            let parts: Vec<Vec<f32>> = gradient
                .par_chunks(ROWS * width)
                .map(|rows| {
                    let mut sum = vec![0.0; width];
                    sum_rows(rows, &mut sum);
                    sum
                })
                .collect();
            let mut sum = vec![0.0; width];
            parts.iter().for_each(|part| sum_rows(part, &mut sum));
            of_bias = Some(Tensor::from_vec(sum, width, bias.device())?);
        }
        Ok((of_x, of_weight, of_bias))
    }
}

#[cfg(test)]
mod tests {
    use super::super::gradient_check::{check, random};
    use super::*;

    #[test]
    fn its_gradients_are_those_of_finite_differences() {
        let inputs = [random(1, &[2, 3, 5]), random(2, &[4, 5]), random(3, &[4])];
        check(&inputs, |x| affine(&x[0], &x[1], Some(&x[2])));
        check(&inputs[..2], |x| affine(&x[0], &x[1], None));
    }

    #[test]
    fn nothing_is_computed_for_what_is_frozen() {
        let x = random(1, &[3, 5]);
        let weight = candle_core::Var::from_tensor(&random(2, &[4, 5])).unwrap();
        let loss = affine(&x, &weight, None).unwrap().sum_all().unwrap();
        let gradients = loss.backward().unwrap();
        assert!(gradients.get(&x).is_none() && gradients.get(&weight).is_some());
    }
}
