//! Means of chosen rows: which rows belong to which target in, one averaged row a target out.
//!
//! Invariant: a target's mean does not depend on the other targets. Knows nothing of labels and texts.

use candle_core::{Device, Result, Tensor};

/// Rows that are averaged into fewer.
pub(super) enum Gather {
    /// Row by row, without padding.
    Sum {
        rows: Tensor,   // [n], u32
        target: Tensor, // [n], u32
        share: Tensor,  // [target, 1]: 1 / number of rows
    },
    /// As a product, each target padded to the one with the most rows: on a GPU a sum row by row
    /// is one thread after the other.
    Product {
        rows: Tensor,   // [target · most], u32; padding is row 0
        shares: Tensor, // [target, 1, most]: 1 / number of rows, 0 for padding
    },
}

impl Gather {
    /// The form that is fast on `device`.
    pub(super) fn new(rows_of_target: &[Vec<u32>], device: &Device) -> Result<Gather> {
        if device.is_cpu() {
            Gather::sum(rows_of_target, device)
        } else {
            Gather::product(rows_of_target, device)
        }
    }

    fn sum(rows_of_target: &[Vec<u32>], device: &Device) -> Result<Gather> {
        let targets = rows_of_target.iter().zip(0_u32..);
        let target: Vec<u32> = targets
            .flat_map(|(rows, target)| rows.iter().map(move |_| target))
            .collect();
        let share: Vec<f32> = rows_of_target.iter().map(|rows| share(rows)).collect();
        Ok(Gather::Sum {
            rows: Tensor::new(rows_of_target.concat(), device)?,
            target: Tensor::new(target, device)?,
            share: Tensor::new(share, device)?.unsqueeze(1)?,
        })
    }

    fn product(rows_of_target: &[Vec<u32>], device: &Device) -> Result<Gather> {
        let most = rows_of_target.iter().map(Vec::len).max().unwrap_or(0);
        let most = most.max(1); // A target without rows is a row of zeros.
        let targets = rows_of_target.len();
        let (mut rows, mut shares) = (Vec::new(), Vec::new());
        for own in rows_of_target {
            rows.extend_from_slice(own);
            rows.resize(rows.len() + most - own.len(), 0);
            shares.resize(shares.len() + own.len(), share(own));
            shares.resize(shares.len() + most - own.len(), 0.0);
        }
        Ok(Gather::Product {
            rows: Tensor::from_vec(rows, targets * most, device)?,
            shares: Tensor::from_vec(shares, (targets, 1, most), device)?,
        })
    }

    /// `[row, size]` of all rows, `map`ped one by one, averaged: `[target, size']`.
    pub(super) fn mean(
        &self,
        states: &Tensor,
        map: impl Fn(&Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        match self {
            Gather::Sum {
                rows,
                target,
                share,
            } => {
                let rows = map(&states.index_select(rows, 0)?)?; // [n, size']
                let sums =
                    Tensor::zeros((share.dim(0)?, rows.dim(1)?), rows.dtype(), rows.device())?;
                sums.index_add(target, &rows, 0)?.broadcast_mul(share)
            }
            Gather::Product { rows, shares } => {
                let (targets, _, most) = shares.dims3()?;
                let rows = map(&states.index_select(rows, 0)?)?; // [target · most, size']
                let rows = rows.reshape((targets, most, ()))?;
                shares.to_dtype(rows.dtype())?.matmul(&rows)?.squeeze(1)
            }
        }
    }
}

fn share(rows: &[u32]) -> f32 {
    1.0 / rows.len().max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_average_the_same_rows() {
        let states = Tensor::new(&[[1.0_f32, 10.0], [2.0, 20.0], [4.0, 40.0]], &Device::Cpu);
        let states = states.unwrap();
        let rows = [vec![1, 2], vec![], vec![0], vec![0, 1, 2]];
        let double = |rows: &Tensor| rows * 2.0;
        let mean = |gather: Gather| gather.mean(&states, double).unwrap().to_vec2::<f32>();
        let sum = mean(Gather::sum(&rows, &Device::Cpu).unwrap()).unwrap();
        let product = mean(Gather::product(&rows, &Device::Cpu).unwrap()).unwrap();
        assert_eq!(sum[..3], [[6.0, 60.0], [0.0, 0.0], [2.0, 20.0]]);
        for (a, b) in sum.concat().iter().zip(product.concat()) {
            assert!((a - b).abs() < 1e-5, "{sum:?} {product:?}");
        }
    }
}
