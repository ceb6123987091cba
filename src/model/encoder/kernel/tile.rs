//! Products with a matrix that was packed beforehand: float32 rows in, float32 rows out.
//!
//! The packed matrix lies in panels of as many columns as two registers hold, row by row, so that
//! the inner loop reads it from end to end. A tile of rows times one panel stays in registers for
//! the whole depth.
//! Invariant: an element's sum runs along the depth in order, whatever tile it falls into, so a row's
//! result does not depend on the rows beside it.
//!
//! Length: packing and multiplying share one layout, and a third are tests.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::Processor;

/// Largest number of rows in a tile, and of columns in a panel.
const MOST_ROWS: usize = 12;
const MOST_COLUMNS: usize = 32;

/// 64 bytes at an address that one load can take at once.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// A matrix of `depth` rows and `columns` columns in panels.
#[derive(Clone, Debug, Default)]
pub(in crate::model::encoder) struct Panels {
    depth: usize,
    columns: usize,
    /// Columns of a panel; the last one is filled up with zeros.
    width: usize,
    lines: Vec<Line>,
}

/// A part of a packed matrix.
#[derive(Clone)]
pub(in crate::model::encoder) struct Part<'a> {
    panels: &'a Panels,
    depth: Range<usize>,
    /// Begins where a panel does.
    columns: Range<usize>,
}

/// Rows to multiply: row `i` begins at `i · stride`.
#[derive(Clone, Copy)]
pub(in crate::model::encoder) struct Rows<'a> {
    pub(in crate::model::encoder) values: &'a [f32],
    pub(in crate::model::encoder) stride: usize,
    pub(in crate::model::encoder) n: usize,
}

impl Panels {
    /// Packs a matrix that is given by its columns, one after another, each of `depth` values.
    pub(in crate::model::encoder) fn of_columns<'a>(
        processor: Processor,
        depth: usize,
        columns: impl ExactSizeIterator<Item = &'a [f32]>,
    ) -> Panels {
        let mut panels = Panels::default();
        panels.set_columns(processor, depth, columns);
        panels
    }

    /// The same in place, without asking for memory where there is enough.
    pub(in crate::model::encoder) fn set_columns<'a>(
        &mut self,
        processor: Processor,
        depth: usize,
        columns: impl ExactSizeIterator<Item = &'a [f32]>,
    ) {
        self.reset(processor, depth, columns.len());
        let width = self.width;
        let values = self.values_mut();
        for (j, column) in columns.enumerate() {
            let start = j / width * width * depth + j % width;
            let places = values[start..].iter_mut().step_by(width);
            for (place, value) in places.zip(&column[..depth]) {
                *place = *value;
            }
        }
    }

    /// Packs a matrix that is given by its rows, each of `columns` values.
    pub(in crate::model::encoder) fn set_rows<'a>(
        &mut self,
        processor: Processor,
        columns: usize,
        rows: impl ExactSizeIterator<Item = &'a [f32]>,
    ) {
        let depth = rows.len();
        self.reset(processor, depth, columns);
        let width = self.width;
        let values = self.values_mut();
        for (k, row) in rows.enumerate() {
            for (panel, row) in row[..columns].chunks(width).enumerate() {
                let start = (panel * depth + k) * width;
                values[start..start + row.len()].copy_from_slice(row);
            }
        }
    }

    fn reset(&mut self, processor: Processor, depth: usize, columns: usize) {
        struct Width;
        impl WithSimd for Width {
            type Output = usize;
            #[inline(always)]
            fn with_simd<S: Simd>(self, _: S) -> usize {
                tile_size::<S>().1 * S::F32_LANES
            }
        }
        let width = processor.floats.dispatch(Width);
        (self.depth, self.columns, self.width) = (depth, columns, width);
        let values = depth * columns.next_multiple_of(width);
        self.lines.clear();
        self.lines.resize(values.div_ceil(16), Line([0.0; 16]));
    }

    fn values_mut(&mut self) -> &mut [f32] {
        #[expect(unsafe_code, reason = "lines are read as the floats they are made of")]
        // SAFETY: `Line` is sixteen floats without padding, and the borrow is the lines' own.
        unsafe {
            std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.lines.len() * 16)
        }
    }

    fn values(&self) -> &[f32] {
        #[expect(unsafe_code, reason = "lines are read as the floats they are made of")]
        // SAFETY: as above.
        unsafe {
            std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.lines.len() * 16)
        }
    }

    /// All of it.
    pub(in crate::model::encoder) fn whole(&self) -> Part<'_> {
        Part {
            panels: self,
            depth: 0..self.depth,
            columns: 0..self.columns,
        }
    }

    /// Some of its rows, all columns.
    pub(in crate::model::encoder) fn part_of_rows(&self, rows: Range<usize>) -> Part<'_> {
        assert!(rows.start <= rows.end && rows.end <= self.depth);
        Part {
            depth: rows,
            ..self.whole()
        }
    }

    /// The panels that hold these columns, whole but for the last: the part's first column, and it.
    pub(in crate::model::encoder) fn part_of_columns(
        &self,
        columns: Range<usize>,
    ) -> (usize, Part<'_>) {
        assert!(columns.start <= columns.end && columns.end <= self.columns);
        let first = columns.start / self.width.max(1) * self.width;
        let part = Part {
            columns: first..columns.end,
            ..self.whole()
        };
        (first, part)
    }

    /// Rows of the matrix.
    pub(in crate::model::encoder) fn depth(&self) -> usize {
        self.depth
    }

    /// Columns of the matrix.
    pub(in crate::model::encoder) fn columns(&self) -> usize {
        self.columns
    }
}

/// `out = rows · panels + bias`, each row of `out` `out_stride` after the one before.
pub(in crate::model::encoder) struct Product<'a> {
    pub(in crate::model::encoder) rows: Rows<'a>,
    pub(in crate::model::encoder) panels: Part<'a>,
    /// One value a column.
    pub(in crate::model::encoder) bias: Option<&'a [f32]>,
    pub(in crate::model::encoder) out: &'a mut [f32],
    pub(in crate::model::encoder) out_stride: usize,
}

impl Product<'_> {
    /// Panics where a row would be outside of its slice: a bug of the caller.
    fn check(&self) {
        let (depth, columns) = (self.panels.depth.len(), self.panels.columns.len());
        let Rows { values, stride, n } = self.rows;
        if n > 0 {
            assert!(
                (n - 1) * stride + depth <= values.len(),
                "{n} rows of {depth}"
            );
            let last = (n - 1) * self.out_stride + columns;
            assert!(last <= self.out.len(), "{n} rows of {columns}");
        }
        let bias = self.bias.map_or(columns, <[f32]>::len);
        assert!(bias == columns, "{bias} biases for {columns} columns");
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
fn tile_size<S: Simd>() -> (usize, usize) {
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
            if let Some(all) = self.bias {
                bias[..own].copy_from_slice(&all[first..first + own]);
            }
            for start in (0..self.rows.n).step_by(R) {
                let rows = R.min(self.rows.n - start);
                let values = &self.rows.values[start * self.rows.stride..];
                let out = &mut self.out[start * self.out_stride + first..];
                if own == width {
                    let to = (out, self.out_stride);
                    tile_of::<S, R, V>(simd, rows, values, self.rows.stride, packed, &bias, to);
                } else {
                    let mut whole = [0.0; MOST_ROWS * MOST_COLUMNS];
                    let to = (&mut whole[..], width);
                    tile_of::<S, R, V>(simd, rows, values, self.rows.stride, packed, &bias, to);
                    for (i, row) in whole.chunks_exact(width).take(rows).enumerate() {
                        out[i * self.out_stride..][..own].copy_from_slice(&row[..own]);
                    }
                }
            }
        }
    }
}

/// `rows` of the at most `R` rows of a tile.
#[inline(always)]
fn tile_of<S: Simd, const R: usize, const V: usize>(
    simd: S,
    rows: usize,
    values: &[f32],
    stride: usize,
    panel: &[f32],
    bias: &[f32; MOST_COLUMNS],
    to: (&mut [f32], usize),
) {
    macro_rules! of {
        ($($n:literal)*) => {
            match rows {
                $($n if $n <= R => tile::<S, $n, V>(simd, values, stride, panel, bias, to),)*
                _ => unreachable!("a tile has at most {R} rows"),
            }
        };
    }
    of!(1 2 3 4 5 6 7 8 9 10 11 12);
}

/// `R` rows times one panel of `V` registers a row.
#[inline(always)]
fn tile<S: Simd, const R: usize, const V: usize>(
    simd: S,
    values: &[f32],
    stride: usize,
    panel: &[f32],
    bias: &[f32; MOST_COLUMNS],
    (out, out_stride): (&mut [f32], usize),
) {
    let lanes = S::F32_LANES;
    let width = V * lanes;
    let depth = panel.len() / width;
    assert!(width <= MOST_COLUMNS);
    assert!((R - 1) * stride + depth <= values.len() || depth == 0);
    assert!((R - 1) * out_stride + width <= out.len());
    #[expect(unsafe_code, reason = "no test of bounds within the innermost loop")]
    // SAFETY: `panel` is read in whole rows of `width` values; row `r < R`, column `k < depth` of
    // `values` and row `r`, column `< width` of `out` lie inside (asserted above); `f32s` is `lanes`
    // floats, for which any bits and (unaligned) address will do.
    unsafe {
        let load = |from: *const f32| from.cast::<S::f32s>().read_unaligned();
        let mut sums = [[simd.splat_f32s(0.0); V]; R];
        for sums in &mut sums {
            for (v, sum) in sums.iter_mut().enumerate() {
                *sum = load(bias.as_ptr().add(v * lanes));
            }
        }
        let mut row = panel.as_ptr();
        for k in 0..depth {
            let mut columns = [simd.splat_f32s(0.0); V];
            for (v, column) in columns.iter_mut().enumerate() {
                *column = load(row.add(v * lanes));
            }
            row = row.add(width);
            for (r, sums) in sums.iter_mut().enumerate() {
                let value = simd.splat_f32s(*values.as_ptr().add(r * stride + k));
                for (sum, column) in sums.iter_mut().zip(columns) {
                    *sum = simd.mul_add_e_f32s(value, column, *sum);
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            for (v, sum) in sums.iter().enumerate() {
                let to = out.as_mut_ptr().add(r * out_stride + v * lanes);
                to.cast::<S::f32s>().write_unaligned(*sum);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
                        n,
                    },
                    panels: panels.whole(),
                    bias: Some(&bias),
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
                        n,
                    },
                    panels: panels.whole(),
                    bias: None,
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
