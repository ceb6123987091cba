//! The two kinds of tables of reStructuredText, row by row.
//!
//! A cell of several lines gives several rows: the words are all there, which is what counts.

use super::{Reader, inline};
use crate::document::lines::Line;
use crate::document::{BlockKind, Span};

impl<'s> Reader<'_, 's, '_> {
    /// `+---+---+`, or `=== ===`, which also begins and ends a simple table.
    pub(super) fn is_table_border(&mut self, idx: usize) -> bool {
        let text = self.lines[idx].text.trim();
        let is_grid = text.starts_with('+')
            && text.ends_with('+')
            && text.len() > 2
            && text.bytes().all(|b| b"+-=".contains(&b));
        let is_simple = text.starts_with("==")
            && text.contains(' ')
            && text.bytes().all(|b| b == b'=' || b == b' ');
        if is_simple {
            // The table goes on after its second border, and ends where a blank line or the
            // end of the text follows a border.
            let next = self.lines.get(idx + 1);
            self.simple_table = next.is_some_and(|line| !line.is_blank());
        }
        is_grid || is_simple
    }

    /// A row whose cells stand two spaces apart.
    pub(super) fn simple_row(&mut self, line: Line<'s>) {
        let mut at = line.span.start;
        for cell in line.text.split("  ") {
            let span = Span::new(at, at + cell.len());
            at = span.end + 2;
            if !cell.trim().is_empty() {
                inline::read(self.builder, span);
                self.builder.cell();
            }
        }
        self.builder.end(BlockKind::TableRow);
    }

    /// A row whose cells stand between bars.
    pub(super) fn grid_row(&mut self, line: Line<'s>) {
        let span = line.trimmed();
        let mut at = span.start;
        for cell in self.builder.source()[span.range()].split('|') {
            let cell_span = Span::new(at, at + cell.len());
            at = cell_span.end + 1;
            let is_border = cell.trim().bytes().all(|b| b"-+=".contains(&b));
            if !is_border {
                inline::read(self.builder, cell_span);
                self.builder.cell();
            }
        }
        self.builder.end(BlockKind::TableRow);
    }
}
