//! One paragraph-like piece of a document.

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
