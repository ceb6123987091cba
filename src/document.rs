//! A document as the model reads it: bytes and a format in, blocks of plain text out.
//!
//! ```text
//! bytes ─ decode ─ text ─ Document::parse ─ blocks ─ sentences
//!                           └ front matter, title, tags of the body
//! ```
//!
//! Invariant: every block knows, by byte spans, where in the source its text came from.
//! Blocks are in source order and their spans do not overlap. Pure: no I/O, no tensors.
//! Parsing cannot fail: broken markup is text. Every parser takes time linear in the source.

mod blob;
mod block;
mod builder;
mod encoding;
mod format;
mod hashtag;
mod html;
mod inline;
mod latex;
mod lines;
mod markdown;
mod org;
mod plain;
mod rst;
mod sentence;
mod span;

use std::sync::Arc;

use crate::frontmatter::{self, FrontMatter};

use builder::Builder;

pub use block::{Block, BlockKind, Piece};
pub use encoding::{DecodeError, Decoded, decode};
pub use format::{Format, UnknownFormat};
pub(crate) use hashtag::{is_tag_char, may_precede as may_precede_hashtag, name as hashtag_name};
pub use sentence::sentences;
pub use span::Span;
pub(crate) use span::prefix;

/// A parsed document. Cheap to clone where the source is shared; never changes.
#[derive(Clone, Debug)]
pub struct Document {
    source: Arc<str>,
    format: Format,
    front_matter: Option<FrontMatter>,
    title: Option<String>,
    blocks: Vec<Block>,
    tags: Vec<(String, Span)>,
}

impl Document {
    /// Reads `source` as `format`. Broken markup is read as text.
    pub fn parse(format: Format, source: impl Into<Arc<str>>) -> Document {
        let source: Arc<str> = source.into();
        let front_matter = frontmatter::read(&source, format);
        let bom_len = source.len() - source.trim_start_matches('\u{feff}').len();
        // Org keywords may stand anywhere, so the Org reader sees its own head again.
        let body_start = match &front_matter {
            Some(front_matter) if format != Format::Org => front_matter.extent.end,
            _ => bom_len,
        };
        let body = Span::new(body_start, source.len());
        let mut builder = Builder::new(&source);
        if let Some(front_matter) = &front_matter
            && format != Format::Org
        {
            head(&mut builder, front_matter);
        }
        match format {
            Format::Markdown => markdown::parse(&mut builder, body),
            Format::Org => org::parse(&mut builder, body),
            Format::Rst => rst::parse(&mut builder, body),
            Format::Latex => latex::parse(&mut builder, body),
            Format::Html => html::parse(&mut builder, body),
            Format::Plain => plain::parse(&mut builder, body),
        }
        let parsed = builder.finish();
        Document {
            format,
            front_matter,
            title: parsed.title,
            blocks: parsed.blocks,
            tags: parsed.tags,
            source,
        }
    }

    /// The text that all spans point into.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What the source was read as.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The document's own title (front matter, `#+TITLE`, `\title`, `<title>`), else its first
    /// heading of level 1.
    pub fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    /// The blocks in source order. A title of the document is a heading of level 1 among them,
    /// under which no other block stands; it is left out where the next heading repeats it.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// The settings at the head of the document.
    pub fn front_matter(&self) -> Option<&FrontMatter> {
        self.front_matter.as_ref()
    }

    /// All of the text for the model: the blocks, one a line.
    pub fn text(&self) -> String {
        let texts: Vec<&str> = self.blocks.iter().map(|b| b.text.as_str()).collect();
        texts.join("\n")
    }

    /// What a window onto block `block_idx` should begin with: the title and the headings that
    /// the block stands under, outermost first, nothing twice. Panics where there is no such block.
    pub fn path(&self, block_idx: usize) -> Vec<&str> {
        let mut path: Vec<&str> = Vec::new();
        let headings = self.blocks[block_idx].headings.iter();
        let headings = headings.map(|idx| self.blocks[*idx].text.as_str());
        for text in self.title.as_deref().into_iter().chain(headings) {
            if !path.contains(&text) {
                path.push(text);
            }
        }
        path.retain(|text| *text != self.blocks[block_idx].text);
        path
    }

    /// Where in the source a part of a block's text came from: from the first to the last byte
    /// that it maps to. `None` where none of it stands in the source, or there is no such block.
    pub fn source_span(&self, block_idx: usize, text: Span) -> Option<Span> {
        self.blocks.get(block_idx)?.source_span(text)
    }
}

/// Title and description of the front matter, in the order they were written.
fn head(builder: &mut Builder<'_>, front_matter: &FrontMatter) {
    let title = front_matter.title.as_ref().map(|value| (value, true));
    let description = front_matter.description.as_ref();
    let mut values: Vec<_> = title
        .into_iter()
        .chain(description.map(|value| (value, false)))
        .collect();
    values.sort_by_key(|(value, _)| value.span);
    for (value, is_title) in values {
        builder.value(&value.text, value.span);
        if is_title {
            builder.end_title();
        } else {
            builder.end(BlockKind::Paragraph);
        }
    }
}

/// The tags written into the body (`#tag`; on Org headlines `:tag:`), in order, with repetitions.
/// Those of the front matter are in `FrontMatter::tags`.
pub fn body_tags(document: &Document) -> Vec<(String, Span)> {
    document.tags.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_block_knows_where_it_came_from() {
        let source = "# Oats\n\nBuy **rolled** oats &amp; milk,\r\nthen _rest_.\n";
        let document = Document::parse(Format::Markdown, source);
        let block = &document.blocks()[1];
        assert_eq!(block.text, "Buy rolled oats & milk, then rest.");
        let check = |part: &str, came_from: &str| {
            let start = block.text.find(part).unwrap();
            let span = Span::new(start, start + part.len());
            let source_span = document.source_span(1, span).unwrap();
            assert_eq!(&source[source_span.range()], came_from);
        };
        check("rolled", "rolled");
        check("oll", "oll");
        check("rolled oats", "rolled** oats");
        check("&", "&amp;");
        check("milk, then", "milk,\r\nthen");
        assert_eq!(document.source_span(1, Span::new(3, 3)), None);
        assert_eq!(document.source_span(9, Span::new(0, 1)), None);
    }

    #[test]
    fn a_path_names_title_and_headings_once() {
        let document = Document::parse(
            Format::Markdown,
            "---\ntitle: Kitchen\n---\n# Breakfast\n## Oats\nSoak them.\n",
        );
        assert_eq!(document.title(), Some("Kitchen"));
        assert_eq!(document.path(3), ["Kitchen", "Breakfast", "Oats"]);
        assert_eq!(document.path(0), [""; 0]);
        assert_eq!(document.text(), "Kitchen\nBreakfast\nOats\nSoak them.");
    }

    #[test]
    fn nothing_to_read_gives_nothing() {
        for source in ["", "\u{feff}", " \n\n\t", "---\ntags: [a]\n---\n", "\0\0"] {
            for format in Format::ALL {
                let document = Document::parse(format, source);
                if !source.contains("tags") || format == Format::Markdown {
                    assert!(document.blocks().is_empty(), "{format} {source:?}");
                }
            }
        }
    }
}
