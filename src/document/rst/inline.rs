//! What is inside a reStructuredText paragraph: emphasis, literals, links, roles, references.
//!
//! Marks go, words stay. A mark without its partner is text.

use crate::document::builder::{Builder, MATH_LIMIT};
use crate::document::inline::{Closers, before};
use crate::document::{Span, prefix};

pub(super) fn read(builder: &mut Builder<'_>, span: Span) {
    let source = builder.source();
    let mut reader = Reader {
        builder,
        source,
        span,
        closers: Closers::default(),
    };
    let mut plain = span.start;
    let mut at = span.start;
    while at < span.end {
        let rest = &source[at..span.end];
        let Some(found) = rest.find(['`', '*', ':', '[', '_', '\\']) else {
            break;
        };
        at += found;
        match reader.markup(at) {
            Some(Found { words, end }) => {
                reader.builder.copy(plain..at);
                if let Some(words) = words {
                    reader.builder.copy(words);
                }
                at = end;
                plain = end;
            }
            None => at += 1,
        }
    }
    reader.builder.copy(plain..span.end);
}

/// Markup that ends at `end` and reads as the source text `words`.
struct Found {
    words: Option<Span>,
    end: usize,
}

struct Reader<'b, 's> {
    builder: &'b mut Builder<'s>,
    source: &'s str,
    span: Span,
    closers: Closers,
}

impl Reader<'_, '_> {
    fn markup(&mut self, at: usize) -> Option<Found> {
        let rest = &self.source[at..self.span.end];
        if rest.starts_with("``") {
            self.enclosed(at, "``")
        } else if rest.starts_with('`') {
            self.interpreted(at, "")
        } else if rest.starts_with("**") {
            self.enclosed(at, "**")
        } else if rest.starts_with('*') {
            self.enclosed(at, "*")
        } else if rest.starts_with(':') {
            let window = prefix(rest, 40);
            let len = window.find(":`")?;
            let role = &window[1..len.max(1)];
            let is_role = !role.is_empty()
                && role
                    .chars()
                    .all(|c| c.is_alphanumeric() || ":-_.+".contains(c));
            is_role.then(|| self.interpreted(at + len + 1, role))?
        } else if rest.starts_with('[') {
            // `[1]_`, `[#note]_`, `[Smith2020]_`.
            let window = prefix(rest, 60);
            let len = window.find("]_")?;
            (!window[..len].contains(' ')).then_some(Found {
                words: None,
                end: at + len + 2,
            })
        } else if rest.starts_with('_') {
            self.reference(at)
        } else if let Some(behind) = rest.strip_prefix('\\') {
            let escaped = behind.chars().next()?;
            let end = at + 1 + escaped.len_utf8();
            // An escaped space joins what stands around it.
            let words = (!escaped.is_whitespace()).then(|| Span::new(at + 1, end));
            Some(Found { words, end })
        } else {
            None
        }
    }

    /// Text between two `mark`s that hug it.
    fn enclosed(&mut self, at: usize, mark: &'static str) -> Option<Found> {
        let start = at + mark.len();
        self.opens(at, start)?;
        let (source, span) = (self.source, self.span);
        let closes = |end: usize| {
            let is_tight = before(source, span.start, end).is_some_and(|c| !c.is_whitespace());
            let after = source[end + mark.len()..span.end].chars().next();
            let is_free = after.is_none_or(|c| !c.is_alphanumeric() && !mark.contains(c));
            is_tight && is_free && end > start
        };
        let end = self
            .closers
            .find_if(source, (start, span.end), mark, closes)?;
        Some(Found {
            words: Some(Span::new(start, end)),
            end: end + mark.len(),
        })
    }

    /// `` `text` ``, `` `text <target>`_ ``, `` :role:`text` ``; `at` is the first backquote.
    fn interpreted(&mut self, at: usize, role: &str) -> Option<Found> {
        let start = at + 1;
        if role.is_empty() {
            self.opens(at, start)?;
        }
        let end = self
            .closers
            .find(self.source, (start, self.span.end), "`")?;
        let inner = &self.source[start..end];
        let mut words = Span::new(start, end);
        if let Some(len) = inner.rfind('<').filter(|_| inner.ends_with('>')) {
            let target = Span::new(start + len + 1, end - 1);
            words = Span::new(start, start + len).trimmed(self.source);
            if words.is_empty() {
                words = target; // `` `<https://…>`_ `` has no other words.
            }
        }
        let is_formula = role == "math" && words.len() > MATH_LIMIT;
        let is_dropped = is_formula || role.starts_with("cite") || role == "raw";
        let after = &self.source[end + 1..self.span.end];
        let n_marks = after.bytes().take(2).take_while(|b| *b == b'_').count();
        // A role may follow its text, too.
        Some(Found {
            words: (!is_dropped).then_some(words),
            end: end + 1 + n_marks,
        })
    }

    /// The underscore of `name_` and `name__` goes.
    fn reference(&mut self, at: usize) -> Option<Found> {
        let is_word = |c: char| c.is_alphanumeric();
        if !before(self.source, self.span.start, at).is_some_and(is_word) {
            return None;
        }
        let rest = &self.source[at..self.span.end];
        let n_marks = rest.bytes().take_while(|b| *b == b'_').count();
        let after = rest[n_marks..].chars().next();
        (n_marks <= 2 && !after.is_some_and(is_word)).then_some(Found {
            words: None,
            end: at + n_marks,
        })
    }

    /// Whether a mark at `at` may open: nothing wordy before it, no space after it.
    fn opens(&self, at: usize, start: usize) -> Option<()> {
        let is_free = before(self.source, self.span.start, at).is_none_or(|c| !c.is_alphanumeric());
        let next = self.source[start..self.span.end].chars().next()?;
        (is_free && !next.is_whitespace()).then_some(())
    }
}
