//! A document as the model reads it: bytes and a format in, blocks of plain text out.
//!
//! Invariant: every block knows, by byte spans, where in the source its text came from.
//! Blocks are in source order and their spans do not overlap. Pure: no I/O, no tensors.

mod block;
mod format;
mod span;

pub use block::{Block, BlockKind, Piece};
pub use format::Format;
pub use span::Span;
