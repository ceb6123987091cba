//! Lines and columns: bytes of a text to positions of a client, and back.
//!
//! A column counts bytes, UTF-16 units or characters, as was agreed. Lines end with LF, CRLF or CR.
//! Invariant: a position made of a byte leads back to it; one that points beyond a line means the
//! line's end, one beyond the text the text's end, one inside a character that character's start.

use tower_lsp::ls_types::{Position, PositionEncodingKind, Range};

use crate::document::Span;

/// What a column counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Bytes.
    Utf8,
    /// UTF-16 units, what the protocol had first.
    #[default]
    Utf16,
    /// Characters.
    Utf32,
}

impl Encoding {
    /// What we count in, of all that a client can: bytes where it may be, since nothing has to be
    /// counted then.
    pub fn negotiate(offered: Option<&[PositionEncodingKind]>) -> Encoding {
        let offers = |kind| offered.is_some_and(|offered| offered.contains(&kind));
        if offers(PositionEncodingKind::UTF8) {
            Encoding::Utf8
        } else if offers(PositionEncodingKind::UTF32) && !offers(PositionEncodingKind::UTF16) {
            Encoding::Utf32
        } else {
            Encoding::Utf16
        }
    }

    /// The protocol's word for it.
    pub fn kind(self) -> PositionEncodingKind {
        match self {
            Encoding::Utf8 => PositionEncodingKind::UTF8,
            Encoding::Utf16 => PositionEncodingKind::UTF16,
            Encoding::Utf32 => PositionEncodingKind::UTF32,
        }
    }

    fn width(self, c: char) -> usize {
        match self {
            Encoding::Utf8 => c.len_utf8(),
            Encoding::Utf16 => c.len_utf16(),
            Encoding::Utf32 => 1,
        }
    }
}

/// Where the lines of a text begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineIndex {
    starts: Vec<usize>,
}

impl LineIndex {
    /// The index of `text`.
    pub fn new(text: &str) -> LineIndex {
        let found = (1..=text.len()).filter(|at| begins_line(text, *at));
        LineIndex {
            starts: std::iter::once(0).chain(found).collect(),
        }
    }

    /// Follows one edit: at byte `at`, `removed` bytes have given way to `inserted` ones of `text`.
    /// Many edits of a long text are cheap this way, which a new index for each is not.
    pub(super) fn follow(&mut self, text: &str, at: usize, removed: usize, inserted: usize) {
        // The line break may be in two halves, one of them outside the edit.
        let from = self.starts.partition_point(|start| *start < at.max(1));
        let to = self.starts.partition_point(|start| *start <= at + removed);
        for start in &mut self.starts[to..] {
            *start = *start - removed + inserted;
        }
        let found = (at.max(1)..=at + inserted).filter(|at| begins_line(text, *at));
        self.starts.splice(from..to, found);
    }

    /// The byte that a position of `text`, whose index this is, means.
    pub fn byte(&self, text: &str, position: Position, encoding: Encoding) -> usize {
        let line = position.line as usize;
        let Some(start) = self.starts.get(line).copied() else {
            return text.len();
        };
        let end = self.starts.get(line + 1).copied().unwrap_or(text.len());
        let line = text[start..end].trim_end_matches(['\r', '\n']);
        let wanted = position.character as usize;
        let mut column = 0;
        for (at, c) in line.char_indices() {
            column += encoding.width(c);
            if column > wanted {
                return start + at;
            }
        }
        start + line.len()
    }

    /// The position of a byte of `text`, whose index this is; of its character's start where it is
    /// inside one.
    pub fn position(&self, text: &str, byte: usize, encoding: Encoding) -> Position {
        let mut byte = byte.min(text.len());
        while !text.is_char_boundary(byte) {
            byte -= 1;
        }
        let line = self.starts.partition_point(|start| *start <= byte) - 1;
        let before = text[self.starts[line]..byte].chars();
        let column: usize = before.map(|c| encoding.width(c)).sum();
        Position::new(line as u32, column as u32)
    }

    /// The range of a span of `text`, whose index this is.
    pub fn range(&self, text: &str, span: Span, encoding: Encoding) -> Range {
        Range::new(
            self.position(text, span.start, encoding),
            self.position(text, span.end, encoding),
        )
    }
}

/// Whether the line before byte `at`, which is not the first, ends there.
fn begins_line(text: &str, at: usize) -> bool {
    let bytes = text.as_bytes();
    match bytes[at - 1] {
        b'\n' => true,
        b'\r' => bytes.get(at) != Some(&b'\n'),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: [Encoding; 3] = [Encoding::Utf8, Encoding::Utf16, Encoding::Utf32];

    #[test]
    fn columns_count_what_was_agreed() {
        let text = "é🌱x\r\ny\rz";
        let index = LineIndex::new(text);
        let column = |encoding| index.position(text, 6, encoding).character;
        assert_eq!(ALL.map(column), [6, 3, 2]);
        assert_eq!(
            index.position(text, text.len(), Encoding::Utf16),
            Position::new(2, 1)
        );
    }

    #[test]
    fn positions_outside_the_text_are_its_nearest_place() {
        let text = "ab\r\n🌱\n";
        let index = LineIndex::new(text);
        let byte = |line, column| index.byte(text, Position::new(line, column), Encoding::Utf16);
        assert_eq!(byte(0, 99), 2);
        assert_eq!(byte(9, 0), text.len());
        assert_eq!(byte(u32::MAX, u32::MAX), text.len());
        assert_eq!(byte(1, 1), 4, "the middle of a pair is its start");
        assert_eq!(byte(2, 0), text.len());
    }

    #[test]
    fn the_client_is_met_where_it_can_count() {
        use PositionEncodingKind as Kind;
        let negotiate = |kinds: &[Kind]| Encoding::negotiate(Some(kinds));
        assert_eq!(Encoding::negotiate(None), Encoding::Utf16);
        assert_eq!(negotiate(&[Kind::UTF16, Kind::UTF8]), Encoding::Utf8);
        assert_eq!(negotiate(&[Kind::UTF32]), Encoding::Utf32);
        assert_eq!(negotiate(&[Kind::UTF32, Kind::UTF16]), Encoding::Utf16);
        assert_eq!(negotiate(&[Kind::new("utf-7")]), Encoding::Utf16);
    }

    fn text() -> impl Strategy<Value = String> {
        let pieces = prop::sample::select(vec!["a", "é", "🌱", "\n", "\r\n", "\r", "漢", " "]);
        prop::collection::vec(pieces, 0..30).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn a_byte_leads_to_a_position_and_back(text in text(), at: prop::sample::Index) {
            let boundaries: Vec<usize> = (0..=text.len())
                .filter(|at| text.is_char_boundary(*at))
                // Between CR and LF there is no position: it is the line's end.
                .filter(|at| !(text[..*at].ends_with('\r') && text[*at..].starts_with('\n')))
                .collect();
            let byte = boundaries[at.index(boundaries.len())];
            let index = LineIndex::new(&text);
            for encoding in ALL {
                let position = index.position(&text, byte, encoding);
                prop_assert_eq!(index.byte(&text, position, encoding), byte);
            }
        }

        #[test]
        fn an_index_that_follows_edits_is_that_of_the_new_text(
            mut text in text(),
            edits in prop::collection::vec(
                (any::<prop::sample::Index>(), any::<prop::sample::Index>(), text()), 0..6,
            ),
        ) {
            let mut index = LineIndex::new(&text);
            for (a, b, new) in edits {
                let places: Vec<usize> =
                    (0..=text.len()).filter(|at| text.is_char_boundary(*at)).collect();
                let (a, b) = (places[a.index(places.len())], places[b.index(places.len())]);
                let (start, end) = (a.min(b), a.max(b));
                text.replace_range(start..end, &new);
                index.follow(&text, start, end - start, new.len());
                prop_assert_eq!(&index, &LineIndex::new(&text));
            }
        }

        #[test]
        fn any_position_is_a_place_of_the_text(text in text(), line in 0u32..40, column in 0u32..40) {
            let index = LineIndex::new(&text);
            for encoding in ALL {
                let byte = index.byte(&text, Position::new(line, column), encoding);
                prop_assert!(text.is_char_boundary(byte));
            }
        }
    }
}
