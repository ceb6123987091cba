//! Collects blocks: a parser names source spans in order, the builder keeps text and mapping.
//!
//! Invariant: whatever a parser does, pieces are ordered, disjoint, inside the source and on
//! character boundaries; a piece whose two lengths are equal is byte-identical to the source.
//! White space is single outside code, blocks are never empty. Knows no markup.
//! Length: one invariant; text, pieces, gaps and cuts change together or not at all.

use super::{Block, BlockKind, Piece, Span, blob, prefix};

/// Bytes of one code block that are kept. A listing says what it is about in its first screen;
/// the rest would only drown the prose around it.
pub(super) const CODE_LIMIT: usize = 2_000;

/// Bytes of a formula that are kept: `$n$` and `$E = mc^2$` read like words, longer ones do not.
pub(super) const MATH_LIMIT: usize = 48;

/// What stands between the text so far and the text to come.
#[derive(Clone, Copy)]
enum Gap {
    None,
    /// White space; with its offset where it is one plain space of the source.
    Space(Option<usize>),
    /// The border of two table cells.
    Cell,
}

/// What a parser hands back: the blocks, the title, and the tags found in the body.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) blocks: Vec<Block>,
    pub(super) title: Option<String>,
    pub(super) tags: Vec<(String, Span)>,
}

pub(super) struct Builder<'s> {
    source: &'s str,
    blocks: Vec<Block>,
    /// Level and block index of the headings that the next block stands under.
    open: Vec<(u8, usize)>,
    text: String,
    pieces: Vec<Piece>,
    gap: Gap,
    /// The code block has all it may have.
    full: bool,
    /// Every piece so far ends at or before this source offset.
    mapped: usize,
    title: Option<usize>,
    tags: Vec<(String, Span)>,
}

impl<'s> Builder<'s> {
    pub(super) fn new(source: &'s str) -> Builder<'s> {
        Builder {
            source,
            blocks: Vec::new(),
            open: Vec::new(),
            text: String::new(),
            pieces: Vec::new(),
            gap: Gap::None,
            full: false,
            mapped: 0,
            title: None,
            tags: Vec::new(),
        }
    }

    pub(super) fn source(&self) -> &'s str {
        self.source
    }

    /// Whether nothing was added since the last block ended.
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Whether a document title was found.
    pub(super) fn has_title(&self) -> bool {
        self.title.is_some()
    }

    /// Adds source text as it is, runs of white space as one space.
    pub(super) fn copy(&mut self, span: impl Into<Span>) {
        let span = span.into();
        let mut word = None;
        for (idx, c) in self.source[span.range()].char_indices() {
            let at = span.start + idx;
            if is_space(c) {
                if let Some(start) = word.take() {
                    self.word(Span::new(start, at));
                }
                self.space((c == ' ').then_some(at));
            } else if word.is_none() {
                word = Some(at);
            }
        }
        if let Some(start) = word {
            self.word(Span::new(start, span.end));
        }
    }

    /// Adds `text`, which stands for other bytes of the source (an entity, an escape).
    pub(super) fn decoded(&mut self, text: &str, span: impl Into<Span>) {
        let span = span.into();
        if text == &self.source[span.range()] {
            return self.copy(span);
        }
        if text.starts_with(is_space) {
            self.space(None);
        }
        let inner = text.trim_matches(is_space);
        if inner.is_empty() {
            return;
        }
        self.close_gap();
        let start = self.text.len();
        for (idx, word) in inner.split(is_space).filter(|w| !w.is_empty()).enumerate() {
            if idx > 0 {
                self.text.push(' ');
            }
            self.text.push_str(word);
        }
        let piece = Span::new(start, self.text.len());
        // A piece of equal lengths promises equal bytes, which these are not: it stays unmapped.
        if piece.len() != span.len() {
            self.map(piece, span);
        }
        if text.ends_with(is_space) {
            self.space(None);
        }
    }

    /// Adds `text` as far as it stands in `span` as it is (without quotes or marks around it),
    /// else as decoded.
    pub(super) fn value(&mut self, text: &str, span: impl Into<Span>) {
        let span = span.into();
        match self.source[span.range()].find(text) {
            Some(at) => self.copy(span.start + at..span.start + at + text.len()),
            None => self.decoded(text, span),
        }
    }

    /// Adds text that stands nowhere in the source.
    pub(super) fn insert(&mut self, text: &str) {
        self.close_gap();
        self.text.push_str(text);
    }

    /// Separates what comes from what was, by one space.
    pub(super) fn gap(&mut self) {
        self.space(None);
    }

    /// Ends a table cell.
    pub(super) fn cell(&mut self) {
        self.gap = Gap::Cell;
    }

    /// Adds lines of code verbatim (line ends become `\n`), as far as `CODE_LIMIT` allows.
    pub(super) fn code(&mut self, span: impl Into<Span>) {
        let span = span.into();
        let mut at = span.start;
        if self.full {
            return;
        }
        for line in self.source[span.range()].split_inclusive('\n') {
            let end = at + line.len();
            if self.text.len() + line.len() > CODE_LIMIT {
                // The rest of a line that is too long by itself is not worth a cut inside it,
                // unless it is all there is.
                let room = CODE_LIMIT.saturating_sub(self.text.len());
                if self.text.is_empty() {
                    self.word(Span::new(at, at + prefix(line, room).len()));
                }
                self.full = true;
                return;
            }
            let body = line.trim_end_matches(['\r', '\n']);
            self.word(Span::new(at, at + body.len()));
            if line.ends_with('\n') {
                self.append(Span::new(end - 1, end));
            }
            at = end;
        }
    }

    /// Ends the block. Nothing happens where nothing was added.
    pub(super) fn end(&mut self, kind: BlockKind) {
        if let Some(idx) = self.push(kind)
            && let BlockKind::Heading(level) = kind
        {
            self.open.retain(|(other, _)| *other < level);
            self.blocks[idx].headings = self.open.iter().map(|(_, idx)| *idx).collect();
            self.open.push((level, idx));
        }
    }

    /// Ends the block as the document's title, where it has none yet.
    pub(super) fn end_title(&mut self) {
        if self.title.is_some() {
            return self.end(BlockKind::Paragraph);
        }
        // The title is above all headings rather than the first of them, so it is not put on
        // their stack; `Document::path` adds it.
        self.title = self.push(BlockKind::Heading(1));
    }

    /// Remembers a tag that the author wrote into the body.
    pub(super) fn tag(&mut self, name: &str, span: Span) {
        self.tags.push((name.to_owned(), span));
    }

    pub(super) fn finish(mut self) -> Parsed {
        self.end(BlockKind::Paragraph);
        let title = match self.title {
            Some(idx) => Some(self.blocks[idx].text.clone()),
            None => self
                .blocks
                .iter()
                .find(|block| block.kind == BlockKind::Heading(1))
                .map(|block| block.text.clone()),
        };
        if let Some(idx) = self.title {
            self.drop_repeated_title(idx);
        }
        Parsed {
            blocks: self.blocks,
            title,
            tags: self.tags,
        }
    }

    /// A front matter title is often said again as the first heading: once is enough.
    fn drop_repeated_title(&mut self, idx: usize) {
        let repeated = self.blocks.get(idx + 1).is_some_and(|next| {
            matches!(next.kind, BlockKind::Heading(_))
                && next.text.to_lowercase() == self.blocks[idx].text.to_lowercase()
        });
        if repeated {
            self.blocks.remove(idx);
            for heading in self.blocks.iter_mut().flat_map(|b| &mut b.headings) {
                *heading -= usize::from(*heading > idx);
            }
        }
    }

    fn push(&mut self, kind: BlockKind) -> Option<usize> {
        self.gap = Gap::None;
        self.full = false;
        if kind == BlockKind::Code {
            self.trim_code();
        }
        if self.text.trim().is_empty() {
            self.text.clear();
            self.pieces.clear();
            return None;
        }
        self.blocks.push(Block {
            kind,
            text: std::mem::take(&mut self.text),
            pieces: std::mem::take(&mut self.pieces),
            headings: self.open.iter().map(|(_, idx)| *idx).collect(),
        });
        Some(self.blocks.len() - 1)
    }

    /// Code ends with its last line that says something.
    fn trim_code(&mut self) {
        self.text.truncate(prefix(&self.text, CODE_LIMIT).len());
        let end = self.text.trim_end().len();
        self.text.truncate(end);
        while let Some(last) = self.pieces.last_mut() {
            let is_verbatim = last.text.len() == last.source.len();
            if last.text.start >= end || last.text.end > end && !is_verbatim {
                self.pieces.pop();
                continue;
            }
            let cut = last.text.end.saturating_sub(end);
            last.text.end -= cut;
            last.source.end -= cut;
            break;
        }
    }

    fn space(&mut self, at: Option<usize>) {
        self.gap = match self.gap {
            Gap::None => Gap::Space(at),
            Gap::Space(_) => Gap::Space(None),
            Gap::Cell => Gap::Cell,
        };
    }

    /// Adds text verbatim, less its blobs.
    fn word(&mut self, span: Span) {
        for run in blob::others(self.source, span) {
            self.append(run);
        }
    }

    fn append(&mut self, span: Span) {
        if span.is_empty() {
            return;
        }
        if let Gap::Space(Some(at)) = self.gap
            && at + 1 == span.start
            && self.last_is_open_at(at)
        {
            // One plain space between two verbatim words: the piece goes on through it.
            self.gap = Gap::None;
            self.append(Span::new(at, span.start));
        }
        self.close_gap();
        let start = self.text.len();
        let goes_on = self.last_is_open_at(span.start);
        self.text.push_str(&self.source[span.range()]);
        if goes_on && let Some(last) = self.pieces.last_mut() {
            last.text.end = self.text.len();
            last.source.end = span.end;
            self.mapped = span.end;
        } else {
            self.map(Span::new(start, self.text.len()), span);
        }
    }

    /// Whether the last piece is verbatim, ends the text, and ends at source offset `at`.
    fn last_is_open_at(&self, at: usize) -> bool {
        self.pieces.last().is_some_and(|last| {
            last.text.len() == last.source.len()
                && last.text.end == self.text.len()
                && last.source.end == at
        })
    }

    fn map(&mut self, text: Span, source: Span) {
        // A parser that looks back (a label that is moved, an overlapping event) may add text,
        // but never a piece that breaks the order.
        if source.start >= self.mapped && !source.is_empty() {
            self.mapped = source.end;
            self.pieces.push(Piece { text, source });
        }
    }

    fn close_gap(&mut self) {
        let gap = std::mem::replace(&mut self.gap, Gap::None);
        if !self.text.is_empty() {
            match gap {
                Gap::None => {}
                Gap::Space(_) => self.text.push(' '),
                Gap::Cell => self.text.push_str(" | "),
            }
        }
    }
}

/// White space, and NUL: a NUL in a text file separates, it does not spell.
fn is_space(c: char) -> bool {
    c.is_whitespace() || c == '\0'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(source: &str, build: impl FnOnce(&mut Builder<'_>)) -> Vec<Block> {
        let mut builder = Builder::new(source);
        build(&mut builder);
        builder.finish().blocks
    }

    #[test]
    fn white_space_collapses_and_a_lone_space_stays_mapped() {
        let source = "  one two\r\n\tthree ";
        let blocks = built(source, |b| b.copy(0..source.len()));
        assert_eq!(blocks[0].text, "one two three");
        let pieces = [
            Piece {
                text: Span::new(0, 7),
                source: Span::new(2, 9),
            },
            Piece {
                text: Span::new(8, 13),
                source: Span::new(12, 17),
            },
        ];
        assert_eq!(blocks[0].pieces, pieces);
    }

    #[test]
    fn decoded_text_of_equal_length_is_not_passed_off_as_verbatim() {
        let blocks = built("a---b", |b| {
            b.copy(0..1);
            b.decoded("\u{2014}", 1..4); // Three bytes for three bytes, and different ones.
            b.copy(4..5);
        });
        assert_eq!(blocks[0].text, "a\u{2014}b");
        assert_eq!(blocks[0].pieces.len(), 2);
    }

    #[test]
    fn a_parser_that_runs_backwards_cannot_break_the_order_of_pieces() {
        let blocks = built("one two", |b| {
            b.copy(4..7);
            b.gap();
            b.copy(0..3);
        });
        assert_eq!(blocks[0].text, "two one");
        assert_eq!(blocks[0].pieces.len(), 1);
    }

    #[test]
    fn long_code_is_cut_at_a_line() {
        let source = "let x = 1; // é\r\n".repeat(500);
        let blocks = built(&source, |b| {
            b.code(0..source.len());
            b.end(BlockKind::Code);
        });
        assert!(blocks[0].text.len() <= CODE_LIMIT);
        assert!(blocks[0].text.ends_with("// é"));
        assert!(!blocks[0].text.contains('\r'));
    }

    #[test]
    fn a_heading_closes_the_headings_of_its_level_and_below() {
        let source = "abcd";
        let blocks = built(source, |b| {
            for (at, level) in [(0, 1), (1, 2), (2, 3), (3, 2)] {
                b.copy(at..at + 1);
                b.end(BlockKind::Heading(level));
            }
        });
        let headings: Vec<_> = blocks.iter().map(|b| b.headings.clone()).collect();
        assert_eq!(headings, [vec![], vec![0], vec![0, 1], vec![0]]);
    }

    #[test]
    fn a_title_said_twice_is_kept_once() {
        let blocks = built("Oats oats x", |b| {
            b.copy(0..4);
            b.end_title();
            b.copy(5..9);
            b.end(BlockKind::Heading(1));
            b.copy(10..11);
        });
        assert_eq!(blocks.len(), 2);
        assert_eq!(blocks[1].headings, [0]);
    }
}
