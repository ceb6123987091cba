//! Byte ranges of a text.
//!
//! Invariant: `start <= end`. Knows nothing of the text it points into.

use std::ops::Range;

/// A byte range `start..end` of a source text, on character boundaries, `start <= end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The span `start..end`. Panics where `start > end`: that is a bug of the caller.
    pub fn new(start: usize, end: usize) -> Span {
        assert!(start <= end, "span {start}..{end} runs backwards");
        Span { start, end }
    }

    /// Length in bytes.
    pub fn len(self) -> usize {
        self.end - self.start
    }

    /// Whether no byte is in it.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// As a range, to index a `str` with.
    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }

    /// The same span in a text that has `offset` more bytes before it.
    pub fn shifted(self, offset: usize) -> Span {
        Span::new(self.start + offset, self.end + offset)
    }

    /// Without the white space at both ends; empty at the start where nothing else is in it.
    pub fn trimmed(self, source: &str) -> Span {
        let text = &source[self.range()];
        let start = self.start + (text.len() - text.trim_start().len());
        Span::new(start, start + text.trim().len())
    }
}

/// The first `max_len` bytes of `text`, or a little less where that would cut a character.
pub(crate) fn prefix(text: &str, max_len: usize) -> &str {
    let mut len = max_len.min(text.len());
    while !text.is_char_boundary(len) {
        len -= 1;
    }
    &text[..len]
}

impl From<Range<usize>> for Span {
    fn from(range: Range<usize>) -> Span {
        Span::new(range.start, range.end)
    }
}
