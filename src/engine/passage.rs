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

    /// The blocks of a document, one a line; empty where none holds a letter: a daily note that has
    /// nothing but its date is about nothing, and the model would answer all the same.
    pub fn of(document: &Document) -> Passage {
        let mut blocks = document.blocks().iter();
        if !blocks.any(|block| block.text.contains(char::is_alphabetic)) {
            return Passage::default();
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Format;
    use proptest::prelude::*;

    const NOTE: &str = "---\ntitle: Kitchen\n---\n# Breakfast\n## Oats\nSoak them.\n\n- in milk\n";

    fn note() -> Passage {
        Passage::of(&Document::parse(Format::Markdown, NOTE))
    }

    #[test]
    fn a_document_is_its_blocks_one_a_line() {
        assert_eq!(
            note().text(),
            "Kitchen\nBreakfast\nOats\nSoak them.\nin milk"
        );
        let starts: Vec<usize> = note().breaks().collect();
        assert_eq!(starts, [0, 8, 18, 23, 34]);
    }

    #[test]
    fn a_byte_knows_the_headings_above_its_block() {
        let passage = note();
        for (part, heading) in [
            ("Kitchen", ""),
            ("Breakfast", "Kitchen"),
            ("Soak", "Kitchen: Breakfast: Oats"),
            ("them.", "Kitchen: Breakfast: Oats"),
            ("milk", "Kitchen: Breakfast: Oats"),
        ] {
            let byte = passage.text().find(part).unwrap();
            assert_eq!(passage.heading_at(byte), heading, "{part}");
        }
        // The newline after a block still belongs to it.
        assert_eq!(passage.heading_at(7), "");
        assert_eq!(passage.heading_at(usize::MAX), "Kitchen: Breakfast: Oats");
    }

    #[test]
    fn a_text_without_structure_has_no_breaks_and_no_headings() {
        let passage = Passage::plain("# not a heading\n\ntext");
        assert_eq!(passage.text(), "# not a heading\n\ntext");
        assert_eq!(passage.breaks().count(), 0);
        assert_eq!((passage.heading_at(0), passage.heading_at(99)), ("", ""));
    }

    #[test]
    fn a_document_without_a_letter_gives_an_empty_passage() {
        for note in ["# 2025-01-16\n", "---\n\n- [ ] \n- 1\n", "🚲 🚲\n"] {
            let document = Document::parse(Format::Markdown, note);
            assert_eq!(Passage::of(&document), Passage::default(), "{note}");
        }
        let document = Document::parse(Format::Markdown, "# 2025-01-16\n\n走\n");
        assert_eq!(Passage::of(&document).text(), "2025-01-16\n走");
    }

    #[test]
    fn an_empty_document_gives_an_empty_passage() {
        let passage = Passage::of(&Document::parse(Format::Markdown, "---\ntags: [a]\n---\n"));
        assert_eq!(passage, Passage::default());
        assert_eq!(passage.heading_at(0), "");
    }

    proptest! {
        #[test]
        fn breaks_ascend_and_each_block_stands_where_its_break_says(
            source in "(# |## |- |> |\\| a \\||```\n|\n|é|word ){0,40}",
        ) {
            let document = Document::parse(Format::Markdown, source);
            let passage = Passage::of(&document);
            if !document.text().contains(char::is_alphabetic) {
                prop_assert_eq!(passage, Passage::default());
                return Ok(());
            }
            prop_assert_eq!(passage.text(), document.text());
            let breaks: Vec<usize> = passage.breaks().collect();
            prop_assert!(breaks.is_sorted());
            prop_assert_eq!(breaks.len(), document.blocks().len());
            for (i, (at, block)) in breaks.iter().zip(document.blocks()).enumerate() {
                prop_assert!(passage.text()[*at..].starts_with(&block.text));
                prop_assert_eq!(passage.heading_at(*at), document.path(i).join(": "));
            }
        }
    }
}
