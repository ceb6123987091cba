//! The formulas of LaTeX: short ones are read like words, long ones are passed over.

use super::{Reader, has_blank_line};
use crate::document::builder::MATH_LIMIT;

impl Reader<'_, '_> {
    /// `$…$` and `$$…$$`.
    pub(super) fn formula(&mut self, at: usize) -> usize {
        let mark = match self.source[at..self.end].starts_with("$$") {
            true => "$$",
            false => "$",
        };
        let start = at + mark.len();
        let source = self.source;
        let close = self.closers.find_if(source, (start, self.end), mark, |at| {
            !source[..at].ends_with('\\')
        });
        match close {
            // A formula has no blank line: without its partner, the sign is a price's.
            Some(close) if mark == "$$" || !has_blank_line(&source[start..close]) => {
                self.math(start, close);
                close + mark.len()
            }
            _ => {
                self.builder.copy(at..start);
                start
            }
        }
    }

    pub(super) fn delimited(&mut self, start: usize, mark: &'static str) -> usize {
        match self.closers.find(self.source, (start, self.end), mark) {
            Some(close) => {
                self.math(start, close);
                close + mark.len()
            }
            None => start,
        }
    }

    fn math(&mut self, start: usize, close: usize) {
        if close - start <= MATH_LIMIT {
            self.builder.copy(start..close);
        }
    }
}
