//! Dropout: each value vanishes with a probability, and those that stay grow to keep the mean.
//!
//! Invariant: the same seed drops the same values, whatever the number of threads.

use std::cell::RefCell;

use candle_core::{Result, Tensor};

use crate::model::random::Random;

/// Drops values of the tensors that are given to it, one after another.
#[derive(Debug)]
pub(crate) struct Dropout {
    probability: f64,
    random: RefCell<Random>,
}

impl Dropout {
    /// `None` where nothing is ever dropped.
    pub(crate) fn new(probability: f64, random: Random) -> Option<Dropout> {
        (probability > 0.0).then(|| Dropout {
            probability,
            random: RefCell::new(random),
        })
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let n = x.elem_count();
        let kept = (1.0 / (1.0 - self.probability)) as f32;
        // Four values share 64 bits: 16 are more than a probability needs.
        let limit = (self.probability * f64::from(1_u32 << 16)) as u64;
        let mut mask = Vec::with_capacity(n + 3);
        let mut random = self.random.borrow_mut();
        while mask.len() < n {
            let bits = random.bits();
            mask.extend((0..4).map(|i| {
                let dropped = (bits >> (16 * i)) & 0xffff < limit;
                if dropped { 0.0 } else { kept }
            }));
        }
        mask.truncate(n);
        x * Tensor::from_vec(mask, x.shape(), x.device())?.to_dtype(x.dtype())?
    }
}

#[cfg(test)]
mod tests {
    use super::super::gradient_check::{check, random};
    use super::*;

    fn dropped(seed: u64, x: &Tensor) -> Result<Tensor> {
        Dropout::new(0.3, Random::new(&[seed])).unwrap().forward(x)
    }

    #[test]
    fn it_drops_its_share_and_keeps_the_mean() {
        let ones = random(1, &[100, 100]).ones_like().unwrap();
        let got: Vec<f32> = dropped(5, &ones)
            .unwrap()
            .flatten_all()
            .unwrap()
            .to_vec1()
            .unwrap();
        let zeros = got.iter().filter(|x| **x == 0.0).count();
        let mean = got.iter().sum::<f32>() / got.len() as f32;
        assert!(
            (2800..3200).contains(&zeros) && (mean - 1.0).abs() < 0.05,
            "{zeros} {mean}"
        );
        let again: Vec<f32> = dropped(5, &ones)
            .unwrap()
            .flatten_all()
            .unwrap()
            .to_vec1()
            .unwrap();
        assert_eq!(got, again);
    }

    #[test]
    fn its_gradient_is_that_of_finite_differences() {
        check(&[random(1, &[3, 7])], |x| dropped(5, &x[0]));
    }
}
