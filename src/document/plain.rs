//! Plain text: paragraphs between blank lines, hard-wrapped lines joined.
//!
//! A line that begins like a list item begins a block of its own. Knows no other markup.

use super::builder::Builder;
use super::lines::{Line, bullet, lines};
use super::{BlockKind, Span, hashtag};

pub(super) fn parse(builder: &mut Builder<'_>, body: Span) {
    let mut kind = BlockKind::Paragraph;
    // Indentation of the open item, and whether a line of it hangs further in.
    let mut item = (0, false);
    for line in lines(builder.source(), body) {
        if line.is_blank() {
            builder.end(kind);
            kind = BlockKind::Paragraph;
            continue;
        }
        let start = match bullet(line.text) {
            Some(len) => {
                builder.end(kind);
                kind = BlockKind::ListItem;
                item = (line.indent(), false);
                line.span.start + line.indent() + len
            }
            None => {
                let hangs = line.indent() > item.0;
                if kind == BlockKind::ListItem && item.1 && !hangs {
                    builder.end(kind);
                    kind = BlockKind::Paragraph;
                }
                item.1 = hangs;
                line.span.start
            }
        };
        add(builder, &line, start);
    }
    builder.end(kind);
}

fn add(builder: &mut Builder<'_>, line: &Line<'_>, start: usize) {
    // A row of dashes or signs under or between lines says nothing.
    if line.text.chars().any(char::is_alphanumeric) || line.text.trim().len() < 4 {
        builder.copy(start..line.span.end);
    }
    hashtag::scan(builder, Span::new(start, line.span.end));
    builder.gap();
}
