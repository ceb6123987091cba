//! The inner loops: plain slices in, plain slices out, each compiled for the processor it runs on.
//!
//! `pulp` picks AVX-512, AVX2 or NEON at run time and compiles the closure for it; the loops are
//! written in lanes, because float sums may not be reordered by the compiler. The one `unsafe` call
//! is the matrix product, whose bounds `Matrix` checks.

mod backward;

use std::ops::Range;

use gemm::Parallelism;
use pulp::Arch;

pub(super) use backward::{gelu_backward, norm_backward, sum_rows, weigh_row};

/// Lanes of the accumulators: one AVX-512 register of float32.
const LANES: usize = 16;

/// A matrix inside a slice: `at(i, j) = data[offset + i · row + j · column]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) offset: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) row: usize,
    pub(super) column: usize,
}

impl Shape {
    /// Rows of `columns` values, one after another.
    pub(super) fn dense(rows: usize, columns: usize) -> Shape {
        Shape {
            offset: 0,
            rows,
            columns,
            row: columns,
            column: 1,
        }
    }

    /// These columns of a matrix whose rows are `width` values long.
    pub(super) fn columns(rows: Range<usize>, width: usize, columns: Range<usize>) -> Shape {
        Shape {
            offset: rows.start * width + columns.start,
            rows: rows.len(),
            columns: columns.len(),
            row: width,
            column: 1,
        }
    }

    /// Rows and columns change places.
    pub(super) fn transposed(self) -> Shape {
        Shape {
            rows: self.columns,
            columns: self.rows,
            row: self.column,
            column: self.row,
            ..self
        }
    }

    /// Panics where an element would be outside of a slice of this length: a bug of the caller.
    fn check(&self, length: usize) {
        if self.rows > 0 && self.columns > 0 {
            let last = self.offset + (self.rows - 1) * self.row + (self.columns - 1) * self.column;
            assert!(last < length, "{self:?} reaches beyond {length} values");
        }
    }
}

/// How many threads a product may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Threads {
    One,
    All,
}

/// `out = scale · a b`, or `out += scale · a b` where `add`.
pub(super) fn product(
    (out, out_shape): (&mut [f32], Shape),
    (a, a_shape): (&[f32], Shape),
    (b, b_shape): (&[f32], Shape),
    scale: f32,
    add: bool,
    threads: Threads,
) {
    let (m, k, n) = (a_shape.rows, a_shape.columns, b_shape.columns);
    assert!(
        b_shape.rows == k && out_shape.rows == m && out_shape.columns == n,
        "{a_shape:?} · {b_shape:?} = {out_shape:?}"
    );
    out_shape.check(out.len());
    a_shape.check(a.len());
    b_shape.check(b.len());
    if m == 0 || n == 0 {
        return;
    }
    let parallelism = match threads {
        Threads::One => Parallelism::None,
        Threads::All => Parallelism::Rayon(rayon::current_num_threads()),
    };
    #[expect(unsafe_code, reason = "the product takes raw pointers")]
    // SAFETY: every element that the shapes describe lies inside its slice (checked above), the
    // strides are in elements, and `out` is borrowed mutably, so it overlaps neither operand.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr().add(out_shape.offset),
            out_shape.column as isize,
            out_shape.row as isize,
            add,
            a.as_ptr().add(a_shape.offset),
            a_shape.column as isize,
            a_shape.row as isize,
            b.as_ptr().add(b_shape.offset),
            b_shape.column as isize,
            b_shape.row as isize,
            1.0,
            scale,
            false,
            false,
            false,
            parallelism,
        );
    }
}

/// Fills every row of `out` with `row`.
pub(super) fn fill_rows(out: &mut [f32], row: &[f32]) {
    for out in out.chunks_exact_mut(row.len()) {
        out.copy_from_slice(row);
    }
}

/// `x = norm(x + residual)`, row by row.
pub(super) fn add_norm(x: &mut [f32], residual: &[f32], weight: &[f32], bias: &[f32], eps: f32) {
    Arch::new().dispatch(
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
    Arch::new().dispatch(
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
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for x in x.iter_mut() {
                *x = *x * 0.5 * (1.0 + erf(*x * std::f32::consts::FRAC_1_SQRT_2));
            }
        },
    );
}

/// Exponentials of a row less its largest value, in place, and their sum; `also` takes part in the
/// largest value and the sum (the keys of a label's own tokens).
pub(super) fn exp_row(row: &mut [f32], also: &mut [f32]) -> f32 {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            let most = |x: &[f32]| lanes(x, f32::NEG_INFINITY, f32::max, f32::max);
            let max = most(row).max(most(also));
            for x in row.iter_mut().chain(also.iter_mut()) {
                *x = exp(*x - max);
            }
            let sum = |x: &[f32]| lanes(x, 0.0, |acc, v| acc + v, |a, b| a + b);
            sum(row) + sum(also)
        },
    )
}

/// `Σ a b`.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
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
    // Adding 1.5 · 2^23 leaves the nearest whole number in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let x = x.max(-87.0);
    let n = (x * LOG2_E + ROUND) - ROUND;
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
    let power = f32::from_bits((((n as i32) + 127) << 23) as u32);
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
        let sum = exp_row(&mut row, &mut own);
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

    #[test]
    fn a_product_of_strided_parts_is_that_of_the_parts() {
        // The middle columns of a, transposed rows of b, added into a corner of out.
        let a: Vec<f32> = (0..12).map(|i| i as f32).collect(); // 3 × 4
        let b: Vec<f32> = (0..6).map(|i| i as f32 * 0.5).collect(); // 3 × 2
        let mut out = vec![1.0; 15]; // 3 × 5
        let a_shape = Shape::columns(0..3, 4, 1..3);
        let b_shape = Shape::dense(3, 2).transposed();
        product(
            (&mut out, Shape::columns(0..3, 5, 2..5)),
            (&a, a_shape),
            (&b, b_shape),
            2.0,
            true,
            Threads::One,
        );
        for i in 0..3 {
            for j in 0..5 {
                let sum: f32 = (0..2)
                    .map(|k| a[i * 4 + 1 + k] * b[j.max(2) * 2 - 4 + k])
                    .sum();
                let want = if j < 2 { 1.0 } else { 1.0 + 2.0 * sum };
                assert_eq!(out[i * 5 + j], want, "{i} {j}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "reaches beyond")]
    fn a_product_outside_of_its_slice_is_a_bug() {
        let a = vec![0.0; 5];
        let mut out = vec![0.0; 4];
        product(
            (&mut out, Shape::dense(2, 2)),
            (&a, Shape::dense(2, 3)),
            (&a, Shape::dense(3, 2)),
            1.0,
            false,
            Threads::One,
        );
    }
}
