//! Products with a matrix that was packed beforehand: float32 rows in, float32 rows out.
//!
//! A tile of rows times one panel stays in registers for the whole depth.
//! Invariant: an element's sum runs along the depth in order, whatever tile it falls into, so a row's
//! result does not depend on the rows beside it.

use pulp::{Simd, WithSimd};

use super::panels::Part;

/// Largest number of rows in a tile, and of columns in a panel.
const MOST_ROWS: usize = 12;
const MOST_COLUMNS: usize = 32;

/// Rows to multiply: value `k` of row `i` is at `i · stride + k · step`.
#[derive(Clone, Copy)]
pub(in crate::model::encoder) struct Rows<'a> {
    pub(in crate::model::encoder) values: &'a [f32],
    pub(in crate::model::encoder) stride: usize,
    /// 1, or the width of a matrix whose columns are multiplied as rows.
    pub(in crate::model::encoder) step: usize,
    pub(in crate::model::encoder) n: usize,
}

impl Rows<'_> {
    /// These rows from number `first` on.
    #[inline(always)]
    fn from(self, first: usize) -> Self {
        Rows {
            values: &self.values[first * self.stride..],
            n: self.n - first,
            ..self
        }
    }

    /// How many values there must be for this depth.
    #[inline(always)]
    fn end(self, depth: usize) -> usize {
        match (self.n, depth) {
            (0, _) | (_, 0) => 0,
            (n, depth) => (n - 1) * self.stride + (depth - 1) * self.step + 1,
        }
    }
}

/// What the sums of a product begin with.
#[derive(Clone, Copy)]
pub(in crate::model::encoder) enum Start<'a> {
    Zero,
    /// One value a column.
    Bias(&'a [f32]),
    /// What `out` holds.
    Out,
}

/// `out = rows · panels + start`, each row of `out` `out_stride` after the one before.
pub(in crate::model::encoder) struct Product<'a> {
    pub(in crate::model::encoder) rows: Rows<'a>,
    pub(in crate::model::encoder) panels: Part<'a>,
    pub(in crate::model::encoder) start: Start<'a>,
    pub(in crate::model::encoder) out: &'a mut [f32],
    pub(in crate::model::encoder) out_stride: usize,
}

impl Product<'_> {
    /// Panics where a row would be outside of its slice: a bug of the caller.
    fn check(&self) {
        let (depth, columns) = (self.panels.depth.len(), self.panels.columns.len());
        let n = self.rows.n;
        if n > 0 {
            let values = self.rows.values.len();
            assert!(self.rows.end(depth) <= values, "{n} rows of {depth}");
            let last = (n - 1) * self.out_stride + columns;
            assert!(last <= self.out.len(), "{n} rows of {columns}");
        }
        if let Start::Bias(bias) = self.start {
            let n = bias.len();
            assert!(n == columns, "{n} biases for {columns} columns");
        }
    }
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        self.check();
        match tile_size::<S>() {
            (12, 2) => self.run::<S, 12, 2>(simd),
            (6, 2) => self.run::<S, 6, 2>(simd),
            (rows, _) => {
                debug_assert_eq!(rows, 2);
                self.run::<S, 2, 16>(simd);
            }
        }
    }
}

/// Rows of a tile and registers of a panel's row: what fits into the registers there are.
#[inline(always)]
pub(super) fn tile_size<S: Simd>() -> (usize, usize) {
    match S::F32_LANES {
        16 | 4 => (12, 2), // AVX-512 and NEON: 32 registers.
        8 => (6, 2),       // AVX2: 16 registers.
        _ => (2, 16),      // One by one: as the compiler likes.
    }
}

impl Product<'_> {
    #[inline(always)]
    fn run<S: Simd, const R: usize, const V: usize>(&mut self, simd: S) {
        let Part {
            panels,
            depth,
            columns,
        } = self.panels.clone();
        let width = panels.width;
        assert!(
            width == V * S::F32_LANES,
            "the panels are another processor's"
        );
        for first in columns.clone().step_by(width) {
            let own = width.min(columns.end - first);
            let start = first * panels.depth;
            let packed = start + width * depth.start..start + width * depth.end;
            let packed = &panels.values()[packed];
            let first = first - columns.start;
            let mut bias = [0.0; MOST_COLUMNS];
            if let Start::Bias(all) = self.start {
                bias[..own].copy_from_slice(&all[first..first + own]);
            }
            let bias = match self.start {
                Start::Out => None,
                Start::Zero | Start::Bias(_) => Some(&bias),
            };
            for start in (0..self.rows.n).step_by(R) {
                let mut rows = self.rows.from(start);
                rows.n = rows.n.min(R);
                let out = &mut self.out[start * self.out_stride + first..];
                if own == width {
                    let to = (out, self.out_stride);
                    tile_of::<S, R, V>(simd, rows, packed, bias, to);
                } else {
                    let mut whole = [0.0; MOST_ROWS * MOST_COLUMNS];
                    let to_whole = whole.chunks_exact_mut(width).take(rows.n).enumerate();
                    for (i, row) in to_whole {
                        row[..own].copy_from_slice(&out[i * self.out_stride..][..own]);
                    }
                    tile_of::<S, R, V>(simd, rows, packed, bias, (&mut whole[..], width));
                    for (i, row) in whole.chunks_exact(width).take(rows.n).enumerate() {
                        out[i * self.out_stride..][..own].copy_from_slice(&row[..own]);
                    }
                }
            }
        }
    }
}

/// The rows of a tile, which are at most `R`. Without a bias, sums begin with what is there.
#[inline(always)]
fn tile_of<S: Simd, const R: usize, const V: usize>(
    simd: S,
    rows: Rows,
    panel: &[f32],
    bias: Option<&[f32; MOST_COLUMNS]>,
    to: (&mut [f32], usize),
) {
    macro_rules! of {
        ($($n:literal)*) => {
            match rows.n {
                $($n if $n <= R => tile::<S, $n, V>(simd, rows, panel, bias, to),)*
                _ => unreachable!("a tile has at most {R} rows"),
            }
        };
    }
    of!(1 2 3 4 5 6 7 8 9 10 11 12);
}

/// `R` rows times one panel of `V` registers a row.
#[expect(
    clippy::needless_range_loop,
    reason = "iterators over arrays are not compiled into registers in every build"
)]
#[inline(always)]
fn tile<S: Simd, const R: usize, const V: usize>(
    simd: S,
    rows: Rows,
    panel: &[f32],
    bias: Option<&[f32; MOST_COLUMNS]>,
    (out, out_stride): (&mut [f32], usize),
) {
    let lanes = S::F32_LANES;
    let width = V * lanes;
    let depth = panel.len() / width;
    assert!(width <= MOST_COLUMNS);
    assert!(rows.n == R && rows.end(depth) <= rows.values.len());
    assert!((R - 1) * out_stride + width <= out.len());
    #[expect(unsafe_code, reason = "no test of bounds within the innermost loop")]
    // SAFETY: `panel` is read in whole rows of `width` values; row `r < R`, column `k < depth` of
    // `rows` and row `r`, column `< width` of `out` lie inside (asserted above); `f32s` is `lanes`
    // floats, for which any bits and (unaligned) address will do. (Wrapping sums are not checked in
    // builds with assertions, and the addresses after the last are never read.)
    unsafe {
        let load = |from: *const f32| from.cast::<S::f32s>().read_unaligned();
        let mut sums = [[simd.splat_f32s(0.0); V]; R];
        let (start, start_stride) = match bias {
            Some(bias) => (bias.as_ptr(), 0),
            None => (out.as_ptr(), out_stride),
        };
        for r in 0..R {
            for v in 0..V {
                sums[r][v] = load(start.wrapping_add(r.wrapping_mul(start_stride) + v * lanes));
            }
        }
        let mut row = panel.as_ptr();
        let mut values = rows.values.as_ptr();
        for _ in 0..depth {
            let mut columns = [simd.splat_f32s(0.0); V];
            for v in 0..V {
                columns[v] = load(row.wrapping_add(v * lanes));
            }
            for r in 0..R {
                let value = simd.splat_f32s(*values.wrapping_add(r.wrapping_mul(rows.stride)));
                for v in 0..V {
                    sums[r][v] = simd.mul_add_e_f32s(value, columns[v], sums[r][v]);
                }
            }
            row = row.wrapping_add(width);
            values = values.wrapping_add(rows.step);
        }
        for r in 0..R {
            for v in 0..V {
                let to = out.as_mut_ptr().add(r * out_stride + v * lanes);
                to.cast::<S::f32s>().write_unaligned(sums[r][v]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::encoder::kernel::{Panels, Processor};
    use crate::model::random::Random;

    fn floats(random: &mut Random, n: usize) -> Vec<f32> {
        (0..n).map(|_| random.unit() as f32 - 0.5).collect()
    }

    #[test]
    fn a_product_is_that_of_the_definition_in_every_shape_on_every_processor() {
        let mut random = Random::new(&[7]);
        for processor in Processor::all() {
            for (n, depth, columns) in [
                (1, 1, 1),
                (13, 5, 33),
                (12, 32, 32),
                (29, 40, 70),
                (6, 70, 8),
            ] {
                let (stride, out_stride) = (depth + 3, columns + 2);
                let values = floats(&mut random, n * stride);
                let matrix = floats(&mut random, columns * depth);
                let bias = floats(&mut random, columns);
                let columns_of = matrix.chunks_exact(depth);
                let panels = Panels::of_columns(processor, depth, columns_of);
                let mut out = vec![9.0; n * out_stride];
                processor.floats.dispatch(Product {
                    rows: Rows {
                        values: &values,
                        stride,
                        step: 1,
                        n,
                    },
                    panels: panels.whole(),
                    start: Start::Bias(&bias),
                    out: &mut out,
                    out_stride,
                });
                for i in 0..n {
                    for j in 0..columns {
                        let sum: f64 = (0..depth)
                            .map(|k| {
                                f64::from(values[i * stride + k]) * f64::from(matrix[j * depth + k])
                            })
                            .sum();
                        let want = sum + f64::from(bias[j]);
                        let got = f64::from(out[i * out_stride + j]);
                        assert!(
                            (got - want).abs() < 1e-5,
                            "{processor:?} {i} {j}: {got} {want}"
                        );
                    }
                    assert_eq!(out[i * out_stride + columns..][..2], [9.0, 9.0]);
                }
            }
        }
    }

    #[test]
    fn a_row_has_the_same_bits_in_every_tile() {
        let mut random = Random::new(&[8]);
        for processor in Processor::all() {
            let (depth, columns, n) = (50, 40, 31);
            let values = floats(&mut random, n * depth);
            let rows: Vec<Vec<f32>> = (0..depth).map(|_| floats(&mut random, columns)).collect();
            let mut panels = Panels::default();
            panels.set_rows(processor, columns, rows.iter().map(Vec::as_slice));
            let product = |first: usize, n: usize| {
                let mut out = vec![0.0; n * columns];
                processor.floats.dispatch(Product {
                    rows: Rows {
                        values: &values[first * depth..],
                        stride: depth,
                        step: 1,
                        n,
                    },
                    panels: panels.whole(),
                    start: Start::Zero,
                    out: &mut out,
                    out_stride: columns,
                });
                out
            };
            let whole = product(0, n);
            for (first, n) in [(0, 1), (7, 2), (11, 13), (30, 1)] {
                assert_eq!(
                    product(first, n),
                    whole[first * columns..(first + n) * columns]
                );
            }
        }
    }
}
