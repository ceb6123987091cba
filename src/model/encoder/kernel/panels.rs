//! A matrix packed to be multiplied with many rows.
//!
//! It lies in panels of as many columns as two registers hold, row by row, so that the inner loop
//! reads it from end to end. Packed for one processor: another's panels are as wide as its registers.

use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::Processor;
use super::tile::tile_size;

/// 64 bytes at an address that one load can take at once.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// A matrix of `depth` rows and `columns` columns in panels.
#[derive(Clone, Debug, Default)]
pub(in crate::model::encoder) struct Panels {
    pub(super) depth: usize,
    columns: usize,
    /// Columns of a panel; the last one is filled up with zeros.
    pub(super) width: usize,
    lines: Vec<Line>,
}

/// A part of a packed matrix.
#[derive(Clone)]
pub(in crate::model::encoder) struct Part<'a> {
    pub(super) panels: &'a Panels,
    pub(super) depth: Range<usize>,
    /// Begins where a panel does.
    pub(super) columns: Range<usize>,
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

    /// Packs on all threads: `fill` is given a panel's first column, its width and its values,
    /// `[depth, width]`, which are zeros.
    pub(super) fn in_parallel(
        processor: Processor,
        (depth, columns): (usize, usize),
        fill: impl Fn(usize, usize, &mut [f32]) + Sync,
    ) -> Panels {
        let mut panels = Panels::default();
        panels.reset(processor, depth, columns);
        let width = panels.width;
        let panel = (depth * width).max(1);
        let values = panels.values_mut().par_chunks_exact_mut(panel).enumerate();
        values.for_each(|(i, values)| fill(i * width, width, values));
        panels
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

    pub(super) fn values(&self) -> &[f32] {
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
