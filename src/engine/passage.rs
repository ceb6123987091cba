//! What the model is given of a document: its text, where its blocks start, and what they stand under.

use crate::document::Document;

/// A text with the places where it may be cut.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passage {
    text: String,
    /// Byte at which each block starts, and the headings above it, ascending.
    blocks: Vec<(usize, String)>,
}

impl Passage {
    /// A text without structure.
    pub fn plain(text: impl Into<String>) -> Passage {
        Passage {
            text: text.into(),
            blocks: Vec::new(),
        }
    }

    /// The blocks of a document, one a line.
    pub fn of(document: &Document) -> Passage {
        let mut passage = Passage::default();
        for (i, block) in document.blocks().iter().enumerate() {
            if !passage.text.is_empty() {
                passage.text.push('\n');
            }
            passage
                .blocks
                .push((passage.text.len(), document.path(i).join(": ")));
            passage.text.push_str(&block.text);
        }
        passage
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Bytes at which blocks start, ascending.
    pub(crate) fn breaks(&self) -> impl Iterator<Item = usize> + '_ {
        self.blocks.iter().map(|(start, _)| *start)
    }

    /// Title and headings above the block that holds this byte; empty for an unstructured text.
    pub(crate) fn heading_at(&self, byte: usize) -> &str {
        let after = self.blocks.partition_point(|(start, _)| *start <= byte);
        self.blocks[..after]
            .last()
            .map_or("", |(_, heading)| heading)
    }
}
