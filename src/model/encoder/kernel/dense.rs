//! Products of whole matrices on all threads, as training makes them: linear maps, their way back.
//!
//! Invariant: an element's sum runs in the same order whatever the number of threads, so a training
//! gives the same bits with any.

use rayon::prelude::*;

use super::{Panels, Processor, Product, Rows, Start};

/// Rows of the result that one task computes: tiles of 12 and of 6 fill it.
const ROWS: usize = 48;
/// Rows that are summed at a time where the sum runs over them: with a panel's, what a near cache holds.
const DEPTH: usize = 512;

/// A row-major matrix.
#[derive(Clone, Copy)]
pub(in crate::model::encoder) struct Matrix<'a> {
    pub(in crate::model::encoder) values: &'a [f32],
    pub(in crate::model::encoder) columns: usize,
}

impl Matrix<'_> {
    fn rows(self) -> usize {
        self.values.len() / self.columns.max(1)
    }

    /// It, in panels.
    fn panels(self, processor: Processor) -> Panels {
        let (depth, columns) = (self.rows(), self.columns);
        Panels::in_parallel(processor, (depth, columns), |first, width, panel| {
            let own = width.min(columns - first);
            let rows = self.values.chunks_exact(columns);
            for (to, row) in panel.chunks_exact_mut(width).zip(rows) {
                to[..own].copy_from_slice(&row[first..first + own]);
            }
        })
    }

    /// It with rows and columns exchanged, in panels.
    fn transposed_panels(self, processor: Processor) -> Panels {
        let (depth, columns) = (self.columns, self.rows());
        Panels::in_parallel(processor, (depth, columns), |first, width, panel| {
            let rows = self.values.chunks_exact(depth).skip(first).take(width);
            for (i, row) in rows.enumerate() {
                for (to, value) in panel[i..].iter_mut().step_by(width).zip(row) {
                    *to = *value;
                }
            }
        })
    }
}

/// `a b`, `[a.rows, b.columns]`.
pub(in crate::model::encoder) fn product(a: Matrix, b: Matrix) -> Vec<f32> {
    assert_eq!(a.columns, b.rows(), "a matrix cannot be multiplied");
    let processor = Processor::here();
    rows_times_panels(processor, a, &b.panels(processor), Start::Zero)
}

/// `a bᵀ + bias`, `[a.rows, b.rows]`.
pub(in crate::model::encoder) fn product_with_transposed(
    a: Matrix,
    b: Matrix,
    bias: Option<&[f32]>,
) -> Vec<f32> {
    product_with_panels(a, &b.transposed_panels(Processor::here()), bias)
}

/// `a panels + bias`, `[a.rows, panels.columns]`.
pub(in crate::model::encoder) fn product_with_panels(
    a: Matrix,
    panels: &Panels,
    bias: Option<&[f32]>,
) -> Vec<f32> {
    assert_eq!(a.columns, panels.depth, "a matrix cannot be multiplied");
    let start = bias.map_or(Start::Zero, Start::Bias);
    rows_times_panels(Processor::here(), a, panels, start)
}

fn rows_times_panels(processor: Processor, a: Matrix, panels: &Panels, start: Start) -> Vec<f32> {
    let columns = panels.columns();
    let mut out = vec![0.0; a.rows() * columns];
    let rows = a.values.par_chunks((ROWS * a.columns).max(1));
    out.par_chunks_mut((ROWS * columns).max(1))
        .zip(rows)
        .for_each(|(out, values)| {
            processor.run(Product {
                rows: Rows {
                    values,
                    stride: a.columns,
                    step: 1,
                    n: values.len() / a.columns,
                },
                panels: panels.whole(),
                start,
                out,
                out_stride: columns,
            });
        });
    out
}

/// `aᵀ b`, `[a.columns, b.columns]`: a sum over all rows of both.
pub(in crate::model::encoder) fn product_of_transposed(a: Matrix, b: Matrix) -> Vec<f32> {
    assert_eq!(a.rows(), b.rows(), "a matrix cannot be multiplied");
    let processor = Processor::here();
    let panels = b.panels(processor);
    let (depth, columns) = (b.rows(), b.columns);
    let mut out = vec![0.0; a.columns * columns];
    let tasks = out.par_chunks_mut((ROWS * columns).max(1)).enumerate();
    tasks.for_each_init(Vec::new, |near, (task, out)| {
        let first = task * ROWS;
        let n = out.len() / columns;
        for from in (0..depth).step_by(DEPTH) {
            let to = depth.min(from + DEPTH);
            // What lies far apart is read once, and not once a panel.
            near.clear();
            for row in a.values[from * a.columns..to * a.columns].chunks_exact(a.columns) {
                near.extend_from_slice(&row[first..first + n]);
            }
            processor.run(Product {
                rows: Rows {
                    values: near,
                    stride: 1,
                    step: n,
                    n,
                },
                panels: panels.part_of_rows(from..to),
                start: Start::Out,
                out,
                out_stride: columns,
            });
        }
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::random::Random;

    fn floats(seed: u64, n: usize) -> Vec<f32> {
        let mut random = Random::new(&[seed]);
        (0..n).map(|_| random.unit() as f32 - 0.5).collect()
    }

    /// `Σ_k a(i, k) b(k, j)`, as it is defined.
    fn defined(
        (rows, depth, columns): (usize, usize, usize),
        a: impl Fn(usize, usize) -> f32,
        b: impl Fn(usize, usize) -> f32,
    ) -> Vec<f32> {
        let mut out = Vec::with_capacity(rows * columns);
        for (i, j) in (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j))) {
            let terms = (0..depth).map(|k| f64::from(a(i, k)) * f64::from(b(k, j)));
            out.push(terms.sum::<f64>() as f32);
        }
        out
    }

    fn assert_near(got: &[f32], want: &[f32]) {
        assert_eq!(got.len(), want.len());
        for (got, want) in got.iter().zip(want) {
            assert!((got - want).abs() < 1e-4, "{got} {want}");
        }
    }

    #[test]
    fn products_are_those_of_the_definition_in_any_shape() {
        for (n, m, k) in [(1, 1, 1), (50, 33, 7), (97, 64, 48), (3, 5, 1300)] {
            let (x, y) = (floats(1, n * k), floats(2, m * k));
            let row_of = |values, columns| Matrix { values, columns };
            let bias = floats(3, m);

            let got = product_with_transposed(row_of(&x, k), row_of(&y, k), Some(&bias));
            let mut want = defined((n, k, m), |i, l| x[i * k + l], |l, j| y[j * k + l]);
            for row in want.chunks_exact_mut(m) {
                row.iter_mut().zip(&bias).for_each(|(x, b)| *x += b);
            }
            assert_near(&got, &want);

            let got = product(row_of(&x, k), row_of(&y, m));
            let want = defined((n, k, m), |i, l| x[i * k + l], |l, j| y[l * m + j]);
            assert_near(&got, &want);

            let got = product_of_transposed(row_of(&x, n), row_of(&y, m));
            let want = defined((n, k, m), |i, l| x[l * n + i], |l, j| y[l * m + j]);
            assert_near(&got, &want);
        }
    }

    #[test]
    fn the_number_of_threads_does_not_change_a_bit() {
        let (x, y) = (floats(1, 600 * 70), floats(2, 600 * 90));
        let of = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.unwrap().install(|| {
                let matrix = |values, columns| Matrix { values, columns };
                product_of_transposed(matrix(&x, 70), matrix(&y, 90))
            })
        };
        assert_eq!(of(1), of(3));
    }

    #[test]
    fn nothing_times_anything_is_nothing() {
        let matrix = |values, columns| Matrix { values, columns };
        assert!(product(matrix(&[], 3), matrix(&[1.0; 6], 2)).is_empty());
        assert_eq!(
            product_of_transposed(matrix(&[], 3), matrix(&[], 2)),
            [0.0; 6]
        );
    }
}
