//! Products of matrices that lie anywhere in slices, by the crate `gemm`; for training, and whatever
//! is multiplied once.

use std::ops::Range;

use gemm::Parallelism;

/// A matrix inside a slice: `at(i, j) = data[offset + i · row + j · column]`.
#[derive(Clone, Copy, Debug)]
pub(in crate::model::encoder) struct Shape {
    pub(in crate::model::encoder) offset: usize,
    pub(in crate::model::encoder) rows: usize,
    pub(in crate::model::encoder) columns: usize,
    pub(in crate::model::encoder) row: usize,
    pub(in crate::model::encoder) column: usize,
}

impl Shape {
    /// Rows of `columns` values, one after another.
    pub(in crate::model::encoder) fn dense(rows: usize, columns: usize) -> Shape {
        Shape {
            offset: 0,
            rows,
            columns,
            row: columns,
            column: 1,
        }
    }

    /// These columns of a matrix whose rows are `width` values long.
    pub(in crate::model::encoder) fn columns(
        rows: Range<usize>,
        width: usize,
        columns: Range<usize>,
    ) -> Shape {
        Shape {
            offset: rows.start * width + columns.start,
            rows: rows.len(),
            columns: columns.len(),
            row: width,
            column: 1,
        }
    }

    /// Rows and columns change places.
    pub(in crate::model::encoder) fn transposed(self) -> Shape {
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
pub(in crate::model::encoder) enum Threads {
    One,
    All,
}

/// `out = scale · a b`, or `out += scale · a b` where `add`.
pub(in crate::model::encoder) fn product(
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

#[cfg(test)]
mod tests {
    use super::*;

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
