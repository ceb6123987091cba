//! The inner loops: plain slices in, plain slices out, each compiled for the processor it runs on.
//!
//! `pulp` compiles a closure for AVX-512, AVX2 and NEON, and `Processor` picks one at run time; the
//! loops are written in lanes, because float sums may not be reordered by the compiler.
//! All `unsafe` code of the encoders is here and in the modules below: products that check their
//! bounds once, and not at each number.

mod backward;
mod bytes;
mod dense;
mod panels;
mod processor;
mod tile;

pub(super) use bytes::{BytePanels, ByteRows};
pub(super) use dense::{
    Matrix, product, product_of_transposed, product_with_panels, product_with_transposed,
};
pub(super) use panels::Panels;
pub(super) use processor::Processor;
pub(super) use tile::{Product, Rows, Start};

use processor::ByteProducts;

pub(super) use backward::{gelu_backward, norm_backward, softmax_backward, sum_rows};

/// Lanes of the accumulators: one AVX-512 register of float32.
const LANES: usize = 16;

/// `x = norm(x + residual)`, row by row.
pub(super) fn add_norm(x: &mut [f32], residual: &[f32], weight: &[f32], bias: &[f32], eps: f32) {
    Processor::here().vectorize(
        #[inline(always)]
        || {
            let width = weight.len();
            for (x, residual) in x.chunks_exact_mut(width).zip(residual.chunks_exact(width)) {
                for (x, r) in x.iter_mut().zip(residual) {
                    *x += r;
                }
                normalize_row(x, weight, bias, eps);
            }
        },
    );
}

/// `x = norm(x)`, row by row.
pub(super) fn norm(x: &mut [f32], weight: &[f32], bias: &[f32], eps: f32) {
    Processor::here().vectorize(
        #[inline(always)]
        || {
            for x in x.chunks_exact_mut(weight.len()) {
                normalize_row(x, weight, bias, eps);
            }
        },
    );
}

#[inline(always)]
fn normalize_row(x: &mut [f32], weight: &[f32], bias: &[f32], eps: f32) {
    let n = x.len() as f32;
    let mean = lanes(x, 0.0, |acc, v| acc + v, |a, b| a + b) / n;
    let variance = lanes(x, 0.0, |acc, v| acc + (v - mean) * (v - mean), |a, b| a + b) / n;
    let scale = 1.0 / (variance + eps).sqrt();
    for ((x, w), b) in x.iter_mut().zip(weight).zip(bias) {
        *x = (*x - mean) * scale * w + b;
    }
}

/// The exact GELU, `x · Φ(x)`, in place; within 4e-7 of the exact value.
pub(super) fn gelu(x: &mut [f32]) {
    Processor::here().vectorize(
        #[inline(always)]
        || {
            for x in x.iter_mut() {
                *x = *x * 0.5 * (1.0 + erf(*x * std::f32::consts::FRAC_1_SQRT_2));
            }
        },
    );
}

/// `out = gelu(left) · right`, where a row of `x` is `left`, then `right`.
pub(super) fn gelu_gate(x: &[f32], width: usize, out: &mut [f32]) {
    Processor::here().vectorize(
        #[inline(always)]
        || {
            for (x, out) in x.chunks_exact(2 * width).zip(out.chunks_exact_mut(width)) {
                let (left, right) = x.split_at(width);
                for ((out, x), gate) in out.iter_mut().zip(left).zip(right) {
                    *out = x * 0.5 * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2)) * gate;
                }
            }
        },
    );
}

/// `x += y`.
pub(super) fn add(x: &mut [f32], y: &[f32]) {
    Processor::here().vectorize(
        #[inline(always)]
        || x.iter_mut().zip(y).for_each(|(x, y)| *x += y),
    );
}

/// An exponential below it is 0: what is closed must not become a number too small for the
/// processor's fast paths, with which every product takes a hundred times as long.
const LEAST: f32 = 1e-30;

/// The softmax of `scale · x + added`, row by row, in place.
pub(super) fn softmax(x: &mut [f32], width: usize, scale: f32, added: Option<&[f32]>) {
    Processor::here().vectorize(
        #[inline(always)]
        || {
            for (i, row) in x.chunks_exact_mut(width).enumerate() {
                row.iter_mut().for_each(|x| *x *= scale);
                if let Some(added) = added {
                    let added = &added[i * width..(i + 1) * width];
                    row.iter_mut().zip(added).for_each(|(x, added)| *x += added);
                }
                let share = 1.0 / exp_row_here(row, &mut []);
                for x in row {
                    *x = if *x > LEAST { *x * share } else { 0.0 };
                }
            }
        },
    );
}

/// Exponentials of a row less its largest value, in place, and their sum; `also` takes part in the
/// largest value and the sum (the keys of a label's own tokens). For whoever is compiled for the
/// processor already.
#[inline(always)]
pub(super) fn exp_row_here(row: &mut [f32], also: &mut [f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let most = |x: &[f32]| lanes(x, f32::NEG_INFINITY, larger, larger);
    let max = larger(most(row), most(also));
    row.iter_mut().for_each(|x| *x = exp(*x - max));
    also.iter_mut().for_each(|x| *x = exp(*x - max));
    let sum = |x: &[f32]| lanes(x, 0.0, |acc, v| acc + v, |a, b| a + b);
    sum(row) + sum(also)
}

/// `Σ a b`, for whoever is compiled for the processor already.
#[inline(always)]
pub(super) fn dot_here(a: &[f32], b: &[f32]) -> f32 {
    let mut acc = [0.0_f32; LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for ((acc, a), b) in acc.iter_mut().zip(a).zip(b) {
            *acc += a * b;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    acc.into_iter().sum::<f32>() + rest
}

/// Folds a slice in lanes, then the lanes.
#[inline(always)]
fn lanes(
    x: &[f32],
    start: f32,
    step: impl Fn(f32, f32) -> f32,
    join: impl Fn(f32, f32) -> f32,
) -> f32 {
    let mut acc = [start; LANES];
    let chunks = x.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (acc, v) in acc.iter_mut().zip(chunk) {
            *acc = step(*acc, *v);
        }
    }
    for (acc, v) in acc.iter_mut().zip(rest) {
        *acc = step(*acc, *v);
    }
    acc.into_iter().fold(start, join)
}

/// `e^x` for `x <= 88`, within 2e-7 relative (Cody and Waite's reduction, a polynomial of degree 6).
#[inline(always)]
fn exp(x: f32) -> f32 {
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    // Adding 1.5 · 2^23 leaves the nearest whole number in the low bits. (A cast to i32 would do as
    // well, but what it does with NaN keeps the compiler from doing sixteen at once.)
    const ROUND: f32 = 12_582_912.0;
    let x = x.max(-87.0);
    let rounded = x * LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = x - n * LN2_HIGH - n * LN2_LOW;
    let mut p = 1.987_569_1e-4;
    for c in [
        1.398_199_9e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        0.5,
    ] {
        p = p * r + c;
    }
    let power = f32::from_bits((rounded.to_bits() << 23).wrapping_add(127 << 23));
    (p * r * r + r + 1.0) * power
}

/// The error function, within 2e-7 (Abramowitz and Stegun 7.1.26).
#[inline(always)]
fn erf(x: f32) -> f32 {
    let a = x.abs();
    let t = 1.0 / (1.0 + 0.327_591_1 * a);
    let mut p = 1.061_405_4_f32;
    for c in [-1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6] {
        p = p * t + c;
    }
    (1.0 - p * t * exp(-a * a)).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_agrees_with_the_library() {
        for i in -870..=100 {
            let x = i as f32 / 10.0;
            let (got, want) = (f64::from(exp(x)), f64::from(x).exp());
            assert!((got - want).abs() <= want * 3e-7, "{x}: {got} {want}");
        }
        assert!(exp(-1e9) < 1e-37);
    }

    #[test]
    fn gelu_agrees_with_candle() {
        let x: Vec<f32> = (-600..=600).map(|i| i as f32 / 100.0).collect();
        let want = candle_core::Tensor::new(x.as_slice(), &candle_core::Device::Cpu)
            .unwrap()
            .gelu_erf()
            .unwrap();
        let mut got = x;
        gelu(&mut got);
        for (got, want) in got.iter().zip(want.to_vec1::<f32>().unwrap()) {
            assert!((got - want).abs() <= 1e-6, "{got} {want}");
        }
    }

    #[test]
    fn a_row_and_its_own_keys_share_one_softmax() {
        let (mut row, mut own) = (vec![1.0, 2.0, 3.0], vec![5.0]);
        let sum = exp_row_here(&mut row, &mut own);
        assert!((own[0] - 1.0).abs() < 1e-6);
        assert!(
            (sum - (1.0 + (-2.0_f32).exp() + (-3.0_f32).exp() + (-4.0_f32).exp())).abs() < 1e-6
        );
    }

    #[test]
    fn a_norm_has_mean_zero_and_variance_one() {
        let mut x: Vec<f32> = (0..38).map(|i| (i * i % 17) as f32).collect();
        let residual = vec![1.0; 38];
        add_norm(&mut x, &residual, &[1.0; 19], &[0.0; 19], 1e-12);
        for row in x.chunks(19) {
            let mean = row.iter().sum::<f32>() / 19.0;
            let variance = row.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>() / 19.0;
            assert!(mean.abs() < 1e-5 && (variance - 1.0).abs() < 1e-5);
        }
    }
}
