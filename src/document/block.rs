//! One paragraph-like piece of a document, and how its text maps to the source.
//!
//! Invariant: pieces are ordered and disjoint on both sides. Knows no markup and no parser.

use super::Span;

/// What a block was in the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKind {
    /// A heading of level 1 (outermost) to 6. A document title (front matter, `#+TITLE`,
    /// `\title`, `<title>`) is level 1 too.
    Heading(u8),
    /// Running text.
    Paragraph,
    /// One item of a list.
    ListItem,
    /// One row of a table, its cells separated by ` | `.
    TableRow,
    /// Quoted text.
    Quote,
    /// Program text, verbatim.
    Code,
}

/// Text of `Block::text` and where it stands in the source.
///
/// `text` and `source` have the same length where the source was copied verbatim; where an
/// entity, an escape or markup was decoded (`&amp;` to `&`), the lengths differ and the piece
/// maps as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Byte range in `Block::text`.
    pub text: Span,
    /// Byte range in the document's source.
    pub source: Span,
}

/// One paragraph-like piece: plain text without markup, ready to be tokenised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What it was.
    pub kind: BlockKind,
    /// Its text; never empty, no line breaks except in `Code`.
    pub text: String,
    /// Maps `text` to the source, in order. Separators that a parser inserted are in no piece.
    pub pieces: Vec<Piece>,
    /// Indices (into the document's blocks) of the headings this block stands under, outermost first.
    pub headings: Vec<usize>,
}

impl Block {
    /// Where in the source a part of `text` came from: from the first to the last byte that it
    /// maps to. `None` where none of it stands in the source.
    pub fn source_span(&self, text: Span) -> Option<Span> {
        let first = self.pieces.partition_point(|p| p.text.end <= text.start);
        let after = self.pieces.partition_point(|p| p.text.start < text.end);
        let pieces = self.pieces.get(first..after)?;
        let (first, last) = (pieces.first()?, pieces.last()?);
        let start = match text.start.checked_sub(first.text.start) {
            Some(inside) if first.is_verbatim() => first.source.start + inside,
            _ => first.source.start,
        };
        let end = match last.text.end.checked_sub(text.end) {
            Some(after) if last.is_verbatim() => last.source.end - after,
            _ => last.source.end,
        };
        (start < end).then(|| Span::new(start, end))
    }

    /// From the first to the last source byte of the block.
    pub fn source_extent(&self) -> Option<Span> {
        self.source_span(Span::new(0, self.text.len()))
    }
}

impl Piece {
    /// Whether the text is the source, byte for byte.
    pub fn is_verbatim(&self) -> bool {
        self.text.len() == self.source.len()
    }
}
