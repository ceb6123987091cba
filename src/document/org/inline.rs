//! What is inside an Org paragraph: emphasis, links, footnotes, time stamps, formulas.
//!
//! Marks go, words stay. A mark without its partner is text.

use crate::document::builder::{Builder, MATH_LIMIT};
use crate::document::inline::{Closers, before};
use crate::document::{Span, prefix};

pub(super) fn read(builder: &mut Builder<'_>, span: Span) {
    let mut reader = Reader {
        source: builder.source(),
        builder,
        span,
        closers: Closers::default(),
        open: Vec::new(),
    };
    reader.read();
}

struct Reader<'b, 's> {
    builder: &'b mut Builder<'s>,
    source: &'s str,
    span: Span,
    closers: Closers,
    /// Emphasis marks whose closing mark is ahead: the mark, and where it closes.
    open: Vec<(&'static str, usize)>,
}

impl Reader<'_, '_> {
    fn read(&mut self) {
        let mut plain = self.span.start;
        let mut at = plain;
        while at < self.span.end {
            let c = self.source.as_bytes()[at];
            match self.markup(c, at) {
                Some(next) => plain = next.max(at + 1),
                None => {
                    at += 1;
                    while !self.source.is_char_boundary(at) {
                        at += 1;
                    }
                    // Text is added as a whole when something interrupts it.
                    if at < self.span.end && !is_special(self.source.as_bytes()[at]) {
                        continue;
                    }
                    self.builder.copy(plain..at);
                    plain = at;
                    continue;
                }
            }
            at = plain;
        }
        if plain < self.span.end {
            self.builder.copy(plain..self.span.end);
        }
    }

    /// Reads markup at `at`; the offset behind it, or `None` where there is none.
    fn markup(&mut self, c: u8, at: usize) -> Option<usize> {
        let rest = &self.source[at..self.span.end];
        match c {
            b'[' if rest.starts_with("[[") => self.link(at),
            b'[' if rest.starts_with("[fn:") => self.footnote(at),
            b'[' if rest.starts_with("[cite") => self.dropped(at, "]"),
            b'[' => bracketed(rest).map(|len| at + len),
            b'<' if rest.starts_with("<<") => self.target(at),
            b'<' => {
                let len = prefix(rest, 60).find('>')?;
                is_date(&rest[1..len]).then_some(at + len + 1)
            }
            b'{' if rest.starts_with("{{{") => self.dropped(at, "}}}"),
            b'@' if rest.starts_with("@@") => {
                let end = self
                    .closers
                    .find(self.source, (at + 2, self.span.end), "@@")?;
                Some(end + 2)
            }
            b'\\' if rest.starts_with("\\(") => self.formula(at, "\\)"),
            b'\\' if rest.starts_with("\\[") => self.formula(at, "\\]"),
            b'\\' if rest.starts_with("\\\\") => {
                self.builder.gap();
                Some(at + 2)
            }
            b'$' if rest.starts_with("$$") => self.formula(at, "$$"),
            b'*' => self.emphasis(at, "*"),
            b'/' => self.emphasis(at, "/"),
            b'_' => self.emphasis(at, "_"),
            b'+' => self.emphasis(at, "+"),
            b'=' => self.emphasis(at, "="),
            b'~' => self.emphasis(at, "~"),
            _ => None,
        }
    }

    /// `[[target][words]]` or `[[target]]`.
    fn link(&mut self, at: usize) -> Option<usize> {
        let end = self
            .closers
            .find(self.source, (at + 2, self.span.end), "]]")?;
        let inner = &self.source[at + 2..end];
        let (start, words) = match inner.split_once("][") {
            Some((target, words)) => (at + 2 + target.len() + 2, words),
            None => {
                let (scheme, path) = inner.split_once(':').unwrap_or(("", inner));
                let is_name = !matches!(scheme, "id" | "attachment" | "img") && !is_picture(path);
                let path = match scheme {
                    "file" => path.trim_start_matches("./"),
                    _ => inner,
                };
                (end - path.len(), if is_name { path } else { "" })
            }
        };
        if !is_picture(words) {
            self.builder.copy(start..start + words.len());
        }
        Some(end + 2)
    }

    /// `[fn:1]` goes, the text of `[fn:: text]` stays.
    fn footnote(&mut self, at: usize) -> Option<usize> {
        let end = self
            .closers
            .find(self.source, (at + 4, self.span.end), "]")?;
        if let Some((name, text)) = self.source[at + 4..end].split_once(':') {
            let start = at + 4 + name.len() + 1;
            self.builder.gap();
            self.builder.copy(start..start + text.len());
        }
        Some(end + 1)
    }

    fn target(&mut self, at: usize) -> Option<usize> {
        let end = self
            .closers
            .find(self.source, (at + 2, self.span.end), ">>")?;
        let inner = Span::new(at + 2, end);
        let is_short = inner.len() < 80 && !self.source[inner.range()].contains('\n');
        if !is_short {
            return None;
        }
        let text = self.source[inner.range()].trim_matches(['<', '>']);
        self.builder.value(text, inner);
        Some(end + 2 + usize::from(self.source[end + 2..self.span.end].starts_with('>')))
    }

    fn dropped(&mut self, at: usize, close: &'static str) -> Option<usize> {
        let end = self
            .closers
            .find(self.source, (at + 1, self.span.end), close)?;
        Some(end + close.len())
    }

    fn formula(&mut self, at: usize, close: &'static str) -> Option<usize> {
        let end = self
            .closers
            .find(self.source, (at + 2, self.span.end), close)?;
        if end - (at + 2) <= MATH_LIMIT {
            self.builder.copy(at + 2..end);
        }
        Some(end + 2)
    }

    /// `*bold*`, `/italic/`, `_underlined_`, `+struck+`, `=verbatim=`, `~code~`.
    fn emphasis(&mut self, at: usize, mark: &'static str) -> Option<usize> {
        if let Some(idx) = self
            .open
            .iter()
            .position(|(m, end)| *m == mark && *end == at)
        {
            self.open.remove(idx);
            return Some(at + 1);
        }
        if self.open.iter().any(|(m, end)| *m == mark && *end > at) {
            return None;
        }
        let opens = before(self.source, self.span.start, at)
            .is_none_or(|c| c.is_whitespace() || "-({'\"*/_+=~".contains(c));
        let next = self.source[at + 1..self.span.end].chars().next()?;
        if !opens || next.is_whitespace() {
            return None;
        }
        let (source, span) = (self.source, self.span);
        let closes = |end: usize| {
            let is_tight = before(source, span.start, end).is_some_and(|c| !c.is_whitespace());
            let after = source[end + 1..span.end].chars().next();
            is_tight
                && end > at + 1
                && after.is_none_or(|c| c.is_whitespace() || "-.,:!?;'\")}[*/_+=~".contains(c))
        };
        let end = self
            .closers
            .find_if(source, (at + 1, span.end), mark, closes)?;
        if mark == "=" || mark == "~" {
            self.builder.copy(at + 1..end);
            return Some(end + 1);
        }
        // What closes inside of verbatim text was passed over, and would be looked at for ever.
        self.open.retain(|(_, end)| *end > at);
        self.open.push((mark, end));
        Some(at + 1)
    }
}

fn is_special(c: u8) -> bool {
    b"[<{@\\$*/_+=~".contains(&c)
}

/// Length of a time stamp or a progress cookie (`[3/7]`, `[40%]`).
fn bracketed(rest: &str) -> Option<usize> {
    let window = prefix(rest, 60);
    let len = window.find(']')?;
    let inner = &rest[1..len];
    let is_cookie = !inner.is_empty()
        && inner.contains(['/', '%'])
        && inner
            .bytes()
            .all(|b| b.is_ascii_digit() || b == b'/' || b == b'%');
    (is_cookie || is_date(inner)).then_some(len + 1)
}

/// `2026-11-23 Mon 10:00`.
fn is_date(text: &str) -> bool {
    let digits = |range: std::ops::Range<usize>| {
        let bytes = text.as_bytes().get(range);
        bytes.is_some_and(|b| b.iter().all(u8::is_ascii_digit))
    };
    text.len() >= 10
        && digits(0..4)
        && digits(5..7)
        && digits(8..10)
        && text.as_bytes()[4] == b'-'
        && text.as_bytes()[7] == b'-'
}

fn is_picture(path: &str) -> bool {
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    let is_one_word = !path.contains(char::is_whitespace);
    is_one_word && ["png", "jpg", "jpeg", "gif", "svg", "webp"].contains(&extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_that_close_in_verbatim_text_are_not_kept() {
        let source = "*/_+=".repeat(1_000);
        let mut builder = Builder::new(&source);
        let mut reader = Reader {
            source: &source,
            builder: &mut builder,
            span: Span::new(0, source.len()),
            closers: Closers::default(),
            open: Vec::new(),
        };
        reader.read();
        assert!(reader.open.len() <= 4, "{} of 4 marks", reader.open.len());
    }
}
