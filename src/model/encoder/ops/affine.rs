//! `x wᵀ + b` with a gradient that is computed only for what is trained.
//!
//! candle's own product computes the gradients of both sides, frozen or not.

use std::borrow::Cow;

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::gelu;
use super::values::{is_ours, slice, values};
use crate::model::encoder::kernel::{
    Matrix, product, product_of_transposed, product_with_transposed, sum_rows,
};

/// Rows that one task sums.
const ROWS: usize = 64;

/// `[.., input]` -> `[.., output]`; `weight` is `[output, input]`, `bias` `[output]`.
pub(crate) fn affine(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    if is_ours(x) {
        let x = x.contiguous()?;
        return apply(&x, weight, bias, Affine { of_gelu: false });
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

/// `gelu(x) wᵀ + b`, in float32 on a CPU. The activations are the largest tensor of an encoder; here
/// they are nobody's argument, so neither they nor their gradient are kept or added up.
pub(super) fn affine_of_gelu(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    apply(&x.contiguous()?, weight, bias, Affine { of_gelu: true })
}

fn apply(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, op: Affine) -> Result<Tensor> {
    match bias {
        Some(bias) => x.apply_op3(weight, bias, op),
        None => x.apply_op2(weight, op),
    }
}

fn of(values: &[f32], columns: usize) -> Matrix<'_> {
    Matrix { values, columns }
}

struct Affine {
    of_gelu: bool,
}

impl Affine {
    /// What is multiplied.
    fn input<'a>(&self, x: &'a [f32]) -> Cow<'a, [f32]> {
        match self.of_gelu {
            true => gelu::of_values(x).into(),
            false => x.into(),
        }
    }

    fn forward(
        &self,
        (x, x_layout): (&CpuStorage, &Layout),
        (weight, weight_layout): (&CpuStorage, &Layout),
        bias: Option<&[f32]>,
    ) -> Result<(CpuStorage, Shape)> {
        let (output, input) = weight_layout.shape().dims2()?;
        let out = product_with_transposed(
            of(&self.input(slice(x, x_layout)?), input),
            of(slice(weight, weight_layout)?, input),
            bias,
        );
        let mut shape = x_layout.shape().dims().to_vec();
        shape.pop();
        shape.push(output);
        Ok((CpuStorage::F32(out), shape.into()))
    }

    /// Gradients of `x` and `weight`, each where it is wanted.
    fn backward(
        &self,
        x: &Tensor,
        weight: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (output, input) = weight.dims2()?;
        let gradient = values(gradient)?;
        let gradient = of(&gradient, output);
        let mut of_x = None;
        if x.track_op() {
            let mut out = product(gradient, of(&values(weight)?, input));
            if self.of_gelu {
                gelu::back_to_values(&values(x)?, &mut out);
            }
            of_x = Some(Tensor::from_vec(out, x.shape(), x.device())?);
        }
        let mut of_weight = None;
        if weight.track_op() {
            let out = product_of_transposed(gradient, of(&self.input(&values(x)?), input));
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
        self.forward((x, x_layout), (weight, weight_layout), None)
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        self.backward(x, weight, &gradient.contiguous()?)
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
        self.forward((x, x_layout), (weight, weight_layout), Some(bias))
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
        let (of_x, of_weight) = self.backward(x, weight, &gradient)?;
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
        check(&inputs, |x| affine_of_gelu(&x[0], &x[1], Some(&x[2])));
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
