//! What a text is about, as a direction: vectors in, cosines out.
//!
//! Invariant: eight bits a dimension, so that the copy in a cache is the original bit for bit, and
//! ten thousand are compared in a millisecond; a cosine is within 0.01 of the vectors' own.
//! Knows nothing of texts.

use std::sync::Arc;

/// A direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Embedding {
    codes: Arc<[i8]>,
    /// The sum of the squares of `codes`.
    square: u32,
}

impl Embedding {
    /// The direction of a vector; `None` for one that has none, or is not finite.
    pub fn new(vector: &[f32]) -> Option<Embedding> {
        let largest = vector.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
        if !(largest.is_finite() && largest > 0.0) || vector.iter().any(|x| x.is_nan()) {
            return None;
        }
        let code = |x: &f32| (x / largest * f32::from(i8::MAX)).round() as i8;
        Embedding::from_codes(vector.iter().map(code).collect())
    }

    /// The direction that all of these have in common, each counted by its length.
    pub(super) fn mean(vectors: &[Vec<f32>]) -> Option<Embedding> {
        let mut sum = vectors.first()?.clone();
        for vector in &vectors[1..] {
            sum.iter_mut().zip(vector).for_each(|(sum, x)| *sum += x);
        }
        Embedding::new(&sum)
    }

    /// What `codes` gave; `None` for what it cannot have given.
    pub fn from_codes(codes: Vec<i8>) -> Option<Embedding> {
        let square = dot(&codes, &codes) as u32;
        // A vector of more dimensions could overflow the sum; no encoder has as many.
        (square > 0 && codes.len() <= 1 << 16).then(|| Embedding {
            codes: codes.into(),
            square,
        })
    }

    /// It as bytes, one a dimension.
    pub fn codes(&self) -> &[i8] {
        &self.codes
    }

    /// Its vector, of length 1.
    pub fn unit(&self) -> impl Iterator<Item = f32> {
        let length = (f64::from(self.square)).sqrt() as f32;
        self.codes.iter().map(move |code| f32::from(*code) / length)
    }

    /// How much alike two directions are, from -1 to 1; 0 where they are not of the same space.
    pub fn cosine(&self, other: &Embedding) -> f32 {
        if self.codes.len() != other.codes.len() {
            return 0.0;
        }
        let both = f64::from(self.square) * f64::from(other.square);
        (f64::from(dot(&self.codes, &other.codes)) / both.sqrt()) as f32
    }
}

fn dot(a: &[i8], b: &[i8]) -> i32 {
    let product = |(a, b): (&i8, &i8)| i32::from(i16::from(*a) * i16::from(*b));
    a.iter().zip(b).map(product).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn exact(a: &[f32], b: &[f32]) -> f32 {
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    }

    #[test]
    fn what_has_no_direction_is_none() {
        for vector in [&[][..], &[0.0, 0.0], &[1.0, f32::NAN], &[f32::INFINITY]] {
            assert_eq!(Embedding::new(vector), None, "{vector:?}");
        }
        assert_eq!(Embedding::mean(&[]), None);
        let one = Embedding::new(&[1.0]).unwrap();
        assert_eq!(one.cosine(&Embedding::new(&[1.0, 0.0]).unwrap()), 0.0);
    }

    #[test]
    fn the_mean_lies_between() {
        let mean = Embedding::mean(&[vec![1.0, 0.0], vec![0.0, 1.0]]).unwrap();
        let between = Embedding::new(&[3.0, 3.0]).unwrap();
        assert!((mean.cosine(&between) - 1.0).abs() < 1e-6);
    }

    proptest! {
        #[test]
        fn a_cosine_is_that_of_the_vectors(
            pairs in prop::collection::vec((-1.0_f32..1.0, -1.0_f32..1.0), 64..400)
        ) {
            let (a, b): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
            let (left, right) = (Embedding::new(&a).unwrap(), Embedding::new(&b).unwrap());
            prop_assert!((left.cosine(&right) - exact(&a, &b)).abs() < 0.01);
            prop_assert!((left.cosine(&left) - 1.0).abs() < 1e-6);
            prop_assert_eq!(Embedding::from_codes(left.codes().to_vec()), Some(left));
        }
    }
}
