//! A linear map whose result for a row has the same bits whatever rows are beside it.
//!
//! The tensor library chooses its product by the number of rows. Here the weights are packed when
//! they are read, for the kernels of the fused encoder; what is trained, and what is not float32 on
//! a CPU, goes the way of any other map.

use candle_core::{Result, Tensor};

use super::Linear;
use super::affine::affine;
use super::values::{is_ours, values};
use crate::model::encoder::kernel::{Matrix, Panels, Processor, product_with_panels};

/// A linear map `[.., input] -> [.., output]`, row by row.
#[derive(Debug)]
pub(crate) struct LinearByRow {
    plain: Linear,
    /// The weights, where nothing changes them.
    packed: Option<Panels>,
}

impl LinearByRow {
    pub(crate) fn new(plain: Linear) -> Result<LinearByRow> {
        let is_trained = [Some(&plain.weight), plain.bias.as_ref()]
            .into_iter()
            .flatten()
            .any(Tensor::track_op);
        let mut packed = None;
        if is_ours(&plain.weight) && !is_trained {
            let input = plain.weight.dim(1)?;
            let weight = plain.weight.flatten_all()?.to_vec1::<f32>()?;
            let rows = weight.chunks_exact(input);
            packed = Some(Panels::of_columns(Processor::here(), input, rows));
        }
        Ok(LinearByRow { plain, packed })
    }

    /// `[.., input]` -> `[.., output]`.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let Linear { weight, bias } = &self.plain;
        let packed = self.packed.as_ref();
        let Some(packed) = packed.filter(|_| is_ours(x) && !x.track_op()) else {
            return affine(x, weight, bias.as_ref());
        };
        let (output, input) = weight.dims2()?;
        let bias = bias
            .as_ref()
            .map(|bias| bias.to_vec1::<f32>())
            .transpose()?;
        let x = x.contiguous()?;
        let rows = Matrix {
            values: &values(&x)?,
            columns: input,
        };
        let out = product_with_panels(rows, packed, bias.as_deref());
        let mut shape = x.dims().to_vec();
        shape.pop();
        shape.push(output);
        Tensor::from_vec(out, shape, x.device())
    }
}

#[cfg(test)]
mod tests {
    use super::super::gradient_check::random;
    use super::*;

    fn linear() -> Linear {
        Linear {
            weight: random(1, &[40, 50]),
            bias: Some(random(2, &[40])),
        }
    }

    #[test]
    fn a_row_has_the_same_bits_whatever_rows_are_beside_it() {
        let by_row = LinearByRow::new(linear()).unwrap();
        let x = random(3, &[61, 50]);
        let whole = by_row.forward(&x).unwrap().to_vec2::<f32>().unwrap();
        for (first, n) in [(0, 1), (3, 2), (40, 17), (60, 1)] {
            let part = by_row.forward(&x.narrow(0, first, n).unwrap()).unwrap();
            assert_eq!(part.to_vec2::<f32>().unwrap(), whole[first..first + n]);
        }
    }

    #[test]
    fn it_maps_what_the_plain_map_does_and_follows_what_is_trained() {
        let (plain, x) = (linear(), random(3, &[2, 7, 50]));
        let of = |tensor: Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let want = of(plain.forward(&x).unwrap());
        let by_row = LinearByRow::new(plain).unwrap();
        let mapped = by_row.forward(&x).unwrap();
        assert_eq!(mapped.dims(), [2, 7, 40]);
        for (got, want) in of(mapped).iter().zip(&want) {
            assert!((got - want).abs() < 1e-5, "{got} {want}");
        }

        let weight = candle_core::Var::from_tensor(&random(1, &[40, 50])).unwrap();
        let trained = LinearByRow::new(Linear {
            weight: weight.as_tensor().clone(),
            bias: None,
        });
        let trained = trained.unwrap();
        weight.set(&weight.zeros_like().unwrap()).unwrap();
        let mapped = trained.forward(&x).unwrap();
        assert!(mapped.track_op());
        assert!(of(mapped).iter().all(|value| *value == 0.0));
    }
}
