//! Products of bytes: float32 rows are quantised one by one, weights were when they were loaded.
//!
//! A row `x` is `scale · (q − zero)` with `q` in 0 to 255, by its own smallest and largest value; a
//! column of weights is `scale · w` with `w` in −127 to 127. Sums of `q · w` are whole numbers, and
//! the same on every processor; so is what is made of them.
//! Invariant: a row's result depends on that row alone.

use std::ops::Range;

mod tile;

use self::tile::{MOST_COLUMNS, MOST_ROWS, sum_products};
use super::{ByteProducts, Processor};

/// 64 bytes at an address that one load can take at once.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// A quantised matrix of weights in panels: for each panel, for each group of rows that one
/// instruction takes, the group's bytes (or 16-bit numbers) of every column.
#[derive(Debug)]
pub(in crate::model::encoder) struct BytePanels {
    depth: usize,
    columns: usize,
    layout: Layout,
    lines: Vec<Line>,
    /// What one step of a column means.
    scales: Vec<f32>,
    /// Sum of each column: what `zero` is multiplied with.
    sums: Vec<i32>,
    bias: Vec<f32>,
}

/// How a way to multiply wants its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Layout {
    way: ByteProducts,
    /// Rows of a tile.
    rows: usize,
    /// Columns of a panel.
    width: usize,
    /// Rows of the matrix that one instruction takes.
    group: usize,
    /// Bytes of one number.
    size: usize,
}

impl Layout {
    fn of(way: ByteProducts) -> Layout {
        let (rows, width, group, size) = match way {
            ByteProducts::Plain => (4, 16, 4, 1),
            #[cfg(target_arch = "x86_64")]
            ByteProducts::Avx2 => (6, 16, 2, 2),
            #[cfg(target_arch = "x86_64")]
            ByteProducts::AvxVnni => (6, 16, 4, 1),
            #[cfg(target_arch = "x86_64")]
            ByteProducts::Avx512Vnni => (12, 32, 4, 1),
        };
        Layout {
            way,
            rows,
            width,
            group,
            size,
        }
    }

    /// Bytes of a quantised row.
    fn row(self, depth: usize) -> usize {
        depth.next_multiple_of(self.group) * self.size
    }
}

/// Quantised rows.
#[derive(Debug, Default)]
pub(in crate::model::encoder) struct ByteRows {
    bytes: Vec<u8>,
    /// Bytes of a row.
    stride: usize,
    /// Scale and zero of each row.
    steps: Vec<(f32, i32)>,
}

impl BytePanels {
    /// Quantises and packs `weight`, `[columns, depth]`.
    pub(in crate::model::encoder) fn new(
        processor: Processor,
        weight: &[f32],
        bias: Vec<f32>,
    ) -> BytePanels {
        let columns = bias.len();
        let depth = weight.len() / columns;
        let layout = Layout::of(processor.bytes);
        let Layout {
            width, group, size, ..
        } = layout;
        let groups = depth.div_ceil(group);
        let bytes = columns.div_ceil(width) * groups * group * width * size;
        let mut packed = vec![0_u8; bytes];
        let (mut scales, mut sums) = (Vec::with_capacity(columns), Vec::with_capacity(columns));
        for (j, column) in weight.chunks_exact(depth).enumerate() {
            let largest = column.iter().fold(0.0_f32, |most, w| most.max(w.abs()));
            let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 };
            let mut sum = 0;
            for (k, w) in column.iter().enumerate() {
                let w = (w / scale).round_ties_even() as i8;
                let place =
                    ((j / width * groups + k / group) * width + j % width) * group + k % group;
                match size {
                    1 => packed[place] = w.cast_unsigned(),
                    _ => packed[2 * place..2 * place + 2]
                        .copy_from_slice(&i16::from(w).to_ne_bytes()),
                }
                sum += i32::from(w);
            }
            scales.push(scale);
            sums.push(sum);
        }
        let lines = packed.chunks(64).map(|chunk| {
            let mut line = Line([0; 64]);
            line.0[..chunk.len()].copy_from_slice(chunk);
            line
        });
        BytePanels {
            depth,
            columns,
            layout,
            lines: lines.collect(),
            scales,
            sums,
            bias,
        }
    }

    #[cfg(test)]
    fn depth(&self) -> usize {
        self.depth
    }

    /// Columns of the matrix.
    pub(in crate::model::encoder) fn columns(&self) -> usize {
        self.columns
    }

    /// `out = rows · self + bias`; `x` is `[row, depth]`, `out` `[row, columns]`, `quantised` space
    /// to work in.
    pub(in crate::model::encoder) fn product(
        &self,
        processor: Processor,
        x: &[f32],
        quantised: &mut ByteRows,
        out: &mut [f32],
    ) {
        let n = x.len() / self.depth;
        assert!(
            out.len() == n * self.columns,
            "{n} rows of {}",
            self.columns
        );
        processor.vectorize(
            #[inline(always)]
            || {
                quantised.set(self.layout, x, self.depth);
                self.multiply(quantised, out);
            },
        );
    }

    #[inline(always)]
    fn multiply(&self, rows: &ByteRows, out: &mut [f32]) {
        let Layout {
            rows: most,
            width,
            group,
            size,
            ..
        } = self.layout;
        let panel_bytes = self.depth.div_ceil(group) * group * width * size;
        let mut sums = [0_i32; MOST_ROWS * MOST_COLUMNS];
        for (panel, first) in (0..self.columns).step_by(width).enumerate() {
            let own = first..self.columns.min(first + width);
            let packed = panel * panel_bytes..(panel + 1) * panel_bytes;
            for (start, steps) in (0..).step_by(most).zip(rows.steps.chunks(most)) {
                let bytes = &rows.bytes[start * rows.stride..(start + steps.len()) * rows.stride];
                let panel = &self.bytes()[packed.clone()];
                sum_products(
                    self.layout.way,
                    (steps.len(), bytes, rows.stride),
                    panel,
                    &mut sums,
                );
                for (i, (step, sums)) in steps.iter().zip(sums.chunks_exact(width)).enumerate() {
                    let row = (start + i) * self.columns;
                    let out = &mut out[row + own.start..row + own.end];
                    self.finish(*step, &sums[..own.len()], own.clone(), out);
                }
            }
        }
    }

    /// Sums of the columns `own` to what they mean.
    #[inline(always)]
    fn finish(&self, (scale, zero): (f32, i32), sums: &[i32], own: Range<usize>, out: &mut [f32]) {
        let (scales, totals) = (&self.scales[own.clone()], &self.sums[own.clone()]);
        let bias = &self.bias[own];
        let meant = |sum: i32, total: i32, column: f32, bias: f32| {
            (sum - zero * total) as f32 * (scale * column) + bias
        };
        // Arrays, whose lengths the compiler knows.
        let (out, out_rest) = out.as_chunks_mut::<16>();
        let (sums, sums_rest) = sums.as_chunks::<16>();
        let (scales, scales_rest) = scales.as_chunks::<16>();
        let (totals, totals_rest) = totals.as_chunks::<16>();
        let (bias, bias_rest) = bias.as_chunks::<16>();
        let columns = totals.iter().zip(scales).zip(bias);
        for ((out, sums), ((totals, scales), bias)) in out.iter_mut().zip(sums).zip(columns) {
            let mut meanings = [0.0; 16];
            for i in 0..16 {
                meanings[i] = meant(sums[i], totals[i], scales[i], bias[i]);
            }
            *out = meanings;
        }
        for (i, out) in out_rest.iter_mut().enumerate() {
            *out = meant(sums_rest[i], totals_rest[i], scales_rest[i], bias_rest[i]);
        }
    }

    fn bytes(&self) -> &[u8] {
        #[expect(unsafe_code, reason = "lines are read as the bytes they are made of")]
        // SAFETY: `Line` is 64 bytes without padding, and the borrow is the lines' own.
        unsafe {
            std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.lines.len() * 64)
        }
    }
}

impl ByteRows {
    /// Quantises `x`, `[row, depth]`.
    #[inline(always)]
    fn set(&mut self, layout: Layout, x: &[f32], depth: usize) {
        self.stride = layout.row(depth);
        self.steps.clear();
        self.bytes.clear();
        self.bytes.resize(x.len() / depth * self.stride, 0);
        let rows = x
            .chunks_exact(depth)
            .zip(self.bytes.chunks_exact_mut(self.stride));
        for (x, bytes) in rows {
            let (low, high) = range(x);
            // 254 steps leave the rounding of `zero` its place.
            let scale = ((high - low) / 254.0).max(f32::MIN_POSITIVE);
            let inverse = 1.0 / scale;
            let zero = (-low * inverse).round_ties_even();
            self.steps.push((scale, zero as i32));
            let quantised = x.iter().map(|x| {
                // Adding 1.5 · 2^23 leaves the nearest whole number in the low bits.
                const ROUND: f32 = 12_582_912.0;
                (x * inverse + zero + ROUND).to_bits() as u8
            });
            if layout.size == 1 {
                bytes.iter_mut().zip(quantised).for_each(|(to, q)| *to = q);
            } else {
                let pairs = bytes.as_chunks_mut::<2>().0.iter_mut();
                pairs
                    .zip(quantised)
                    .for_each(|(to, q)| *to = u16::from(q).to_ne_bytes());
            }
        }
    }
}

/// The smallest and the largest of some values and 0.
#[inline(always)]
fn range(x: &[f32]) -> (f32, f32) {
    const LANES: usize = 16;
    let (mut low, mut high) = ([0.0_f32; LANES], [0.0_f32; LANES]);
    let (chunks, rest) = x.as_chunks::<LANES>();
    for chunk in chunks {
        for (i, x) in chunk.iter().enumerate() {
            low[i] = if *x < low[i] { *x } else { low[i] };
            high[i] = if *x > high[i] { *x } else { high[i] };
        }
    }
    let low = low.iter().chain(rest).fold(0.0_f32, |low, x| low.min(*x));
    let high = high
        .iter()
        .chain(rest)
        .fold(0.0_f32, |high, x| high.max(*x));
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::random::Random;

    fn floats(random: &mut Random, n: usize) -> Vec<f32> {
        (0..n).map(|_| random.unit() as f32 * 3.0 - 1.0).collect()
    }

    fn product(panels: &BytePanels, processor: Processor, x: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; x.len() / panels.depth() * panels.columns()];
        panels.product(processor, x, &mut ByteRows::default(), &mut out);
        out
    }

    #[test]
    fn every_processor_computes_what_the_plain_way_computes_bit_by_bit() {
        let mut random = Random::new(&[3]);
        for (n, depth, columns) in [(1, 1, 1), (7, 30, 33), (25, 384, 96), (12, 5, 32)] {
            let mut x = floats(&mut random, n * depth);
            x[0] = 40.0; // A value far from the others, and below a row of zeros.
            x[(n - 1) * depth..].fill(0.0);
            let weight = floats(&mut random, columns * depth);
            let bias = floats(&mut random, columns);
            let plain = Processor::all()[0];
            let want = BytePanels::new(plain, &weight, bias.clone());
            let want = product(&want, plain, &x);
            assert_eq!(want[(n - 1) * columns..], bias);
            for processor in Processor::all() {
                let panels = BytePanels::new(processor, &weight, bias.clone());
                assert_eq!(product(&panels, processor, &x), want, "{processor:?}");
            }
        }
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        let depth = 4096;
        let x = vec![2.0; depth];
        for processor in Processor::all() {
            let panels = BytePanels::new(processor, &vec![-0.5; depth], vec![0.0]);
            let got = product(&panels, processor, &x)[0];
            assert!((got + 4096.0).abs() < 20.0, "{processor:?}: {got}");
        }
    }

    #[test]
    fn a_product_is_near_the_exact_one_and_does_not_depend_on_other_rows() {
        let mut random = Random::new(&[4]);
        let (n, depth, columns) = (20, 256, 40);
        let x = floats(&mut random, n * depth);
        let weight = floats(&mut random, columns * depth);
        let processor = Processor::here();
        let panels = BytePanels::new(processor, &weight, vec![0.0; columns]);
        let got = product(&panels, processor, &x);
        for (i, x) in x.chunks_exact(depth).enumerate() {
            for (j, w) in weight.chunks_exact(depth).enumerate() {
                let want: f32 = x.iter().zip(w).map(|(x, w)| x * w).sum();
                // Each number is off by half a step at most, 256 of them by sixteen times that in
                // the mean; four times as much is seldom.
                assert!((got[i * columns + j] - want).abs() < 1.5, "{i} {j}");
            }
            let alone = product(&panels, processor, x);
            assert_eq!(alone, got[i * columns..(i + 1) * columns]);
        }
    }
}
