//! Lines of a text with their spans, for the formats that are read line by line.
//!
//! Invariant: a line's text is its span of the source, without the line end.

use super::Span;

#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'s> {
    pub(super) text: &'s str,
    pub(super) span: Span,
    /// One past the line end.
    pub(super) next: usize,
}

impl Line<'_> {
    pub(super) fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }

    /// Bytes of white space at its start.
    pub(super) fn indent(&self) -> usize {
        self.text.len() - self.text.trim_start().len()
    }

    /// The span without white space at both ends.
    pub(super) fn trimmed(&self) -> Span {
        let start = self.span.start + self.indent();
        Span::new(start, start + self.text.trim().len())
    }
}

/// The lines of `body`, which is a part of `source`.
pub(super) fn lines(source: &str, body: Span) -> impl Iterator<Item = Line<'_>> {
    let mut at = body.start;
    source[body.range()].split_inclusive('\n').map(move |line| {
        let text = line.trim_end_matches(['\r', '\n']);
        let span = Span::new(at, at + text.len());
        at += line.len();
        Line {
            text,
            span,
            next: at,
        }
    })
}

/// Length of a list bullet with the white space after it, counted after the indentation:
/// `- `, `* `, `+ `, `• `, `1. `, `12) `, `a) `.
pub(super) fn bullet(line: &str) -> Option<usize> {
    let line = line.trim_start();
    let mark = match line.chars().next()? {
        c @ ('-' | '*' | '+' | '\u{2022}' | '\u{2013}') => c.len_utf8(),
        c if c.is_ascii_alphanumeric() || c == '#' => {
            let n_digits = line.bytes().take_while(u8::is_ascii_digit).count();
            let len = if n_digits > 0 { n_digits } else { 1 };
            match line.as_bytes().get(len) {
                Some(b')') if len < 4 => len + 1,
                // A single letter with a dot is an initial, four digits with a dot are a year.
                Some(b'.') if len < 4 && (n_digits > 0 || c == '#') => len + 1,
                _ => return None,
            }
        }
        _ => return None,
    };
    let rest = &line[mark..];
    let space = rest.len() - rest.trim_start_matches([' ', '\t']).len();
    (space > 0 && !rest.trim().is_empty()).then_some(mark + space)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bullets_are_told_from_words() {
        for (line, len) in [
            ("- oats", Some(2)),
            ("  *  oats", Some(3)),
            ("12) oats", Some(4)),
            ("3. oats", Some(3)),
            ("a) oats", Some(3)),
            ("-5 degrees", None),
            ("3.5 litres", None),
            ("2024. A year", None),
            ("J. Doe wrote", None),
            ("-", None),
            ("\u{2022} oats", Some(4)),
        ] {
            assert_eq!(bullet(line), len, "{line}");
        }
    }

    #[test]
    fn line_ends_of_both_kinds_are_left_out() {
        let spans: Vec<_> = lines("x\na\r\n\nb", Span::new(2, 7))
            .map(|l| l.text)
            .collect();
        assert_eq!(spans, ["a", "", "b"]);
    }
}
