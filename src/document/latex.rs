//! LaTeX to blocks, in one pass over the characters.
//!
//! Of the preamble only the title is kept; comments, citations, labels and long formulas go;
//! commands go and the text in their arguments stays. `braces` finds partners, `commands` knows
//! names. An unclosed group, environment or `\iffalse` is text.

mod braces;
mod commands;
mod conditionals;
mod environments;
mod formulas;
#[cfg(test)]
mod tests;

use super::builder::Builder;
use super::inline::Closers;
use super::{BlockKind, Span, prefix};
use braces::Braces;
use commands::Command;
use conditionals::Conditionals;

pub(super) fn parse(builder: &mut Builder<'_>, body: Span) {
    let source = builder.source();
    let text = &source[body.range()];
    let begin = text.find("\\begin{document}").map(|at| body.start + at);
    let end = text.find("\\end{document}").map(|at| body.start + at);
    let mut reader = Reader {
        builder,
        source,
        end: end.unwrap_or(body.end),
        braces: Braces::new(source, body),
        conditionals: Conditionals::new(source, body),
        closers: Closers::default(),
        kind: BlockKind::Paragraph,
        n_lists: 0,
        n_quotes: 0,
        n_tables: 0,
        stops: Vec::new(),
    };
    let mut at = body.start;
    if let Some(begin) = begin.filter(|begin| *begin < reader.end) {
        reader.preamble(body.start, begin);
        at = begin + "\\begin{document}".len();
    }
    reader.read(at);
    reader.flush();
}

/// What to do where a group closes.
#[derive(Clone, Copy)]
enum Close {
    /// End the block, as a heading of this level.
    Heading(u8),
    /// End the block, as the title.
    Title,
    /// Separate what was said from the text beside it.
    Aside,
}

struct Reader<'b, 's> {
    builder: &'b mut Builder<'s>,
    source: &'s str,
    end: usize,
    braces: Braces,
    conditionals: Conditionals,
    closers: Closers,
    kind: BlockKind,
    n_lists: usize,
    n_quotes: usize,
    n_tables: usize,
    /// Offsets of closing braces that mean something, innermost last.
    stops: Vec<(usize, Close)>,
}

impl Reader<'_, '_> {
    fn preamble(&mut self, start: usize, end: usize) {
        let mark = "\\title";
        for (found, _) in self.source[start..end].match_indices(mark) {
            let at = self.skip_optional(start + found + mark.len());
            let line_start = self.source[..at].rfind('\n').map_or(0, |at| at + 1);
            let is_comment = self.source[line_start..at].contains('%');
            if let Some(close) = self.group(at)
                && !is_comment
                && !self.conditionals.are_around(at)
                && !self.builder.has_title()
            {
                let body_end = std::mem::replace(&mut self.end, close);
                self.read(at + 1);
                self.end = body_end;
                self.builder.end_title();
            }
        }
    }

    fn read(&mut self, start: usize) {
        let mut at = start;
        while at < self.end {
            let rest = &self.source[at..self.end];
            let len = rest
                .find(['\\', '{', '}', '%', '$', '~', '&', '\n', '`', '\''])
                .unwrap_or(rest.len());
            self.builder.copy(at..at + len);
            at += len;
            if at < self.end {
                at = self.special(at).max(at + 1);
            }
        }
    }

    /// Reads the special character at `at`; returns the offset behind what it means.
    fn special(&mut self, at: usize) -> usize {
        let rest = &self.source[at..self.end];
        match rest.as_bytes()[0] {
            b'\\' => self.command(at),
            b'%' => {
                // A comment takes its line end with it, and the next line's indentation.
                let Some(len) = rest.find('\n') else {
                    return self.end;
                };
                let next = &rest[len + 1..];
                let indent = next.len() - next.trim_start_matches([' ', '\t']).len();
                at + len + 1 + indent
            }
            b'{' => at + 1,
            b'}' => {
                if let Some((stop, close)) = self.stops.last().copied()
                    && stop == at
                {
                    self.stops.pop();
                    match close {
                        Close::Heading(level) => self.builder.end(BlockKind::Heading(level)),
                        Close::Title => self.builder.end_title(),
                        Close::Aside => self.builder.gap(),
                    }
                }
                at + 1
            }
            b'$' => self.formula(at),
            b'~' => {
                self.builder.gap();
                at + 1
            }
            b'&' if self.n_tables > 0 => {
                self.builder.cell();
                at + 1
            }
            b'\n' => {
                let blank = rest[1..].trim_start_matches([' ', '\t', '\r']);
                if blank.starts_with('\n') && self.stops.is_empty() {
                    self.flush();
                }
                self.builder.gap();
                at + 1
            }
            b'`' if rest.starts_with("``") => self.spelled("\u{201c}", at, 2),
            b'\'' if rest.starts_with("''") => self.spelled("\u{201d}", at, 2),
            b'`' => self.spelled("\u{2018}", at, 1),
            _ => {
                self.builder.copy(at..at + 1);
                at + 1
            }
        }
    }

    fn spelled(&mut self, text: &str, at: usize, len: usize) -> usize {
        self.builder.decoded(text, at..at + len);
        at + len
    }

    fn command(&mut self, at: usize) -> usize {
        let name_start = at + 1;
        let rest = &self.source[name_start..self.end];
        let len = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        if len == 0 {
            return self.sign(at);
        }
        let name = &rest[..len];
        let mut behind = name_start + len;
        if self.source[behind..self.end].starts_with('*') {
            behind += 1;
        }
        match commands::lookup(name) {
            Command::Begin => self.begin(behind),
            Command::End => self.end_environment(behind),
            Command::Heading(level) => {
                self.flush();
                self.open(behind, Close::Heading(level))
            }
            Command::Title => {
                self.flush();
                self.open(behind, Close::Title)
            }
            Command::Aside => {
                self.builder.gap();
                self.open(behind, Close::Aside)
            }
            Command::Item => {
                self.flush();
                self.kind = BlockKind::ListItem;
                self.item_label(behind)
            }
            Command::Paragraph => {
                self.flush();
                behind
            }
            Command::Accent(accent) => self.accent(accent, at, self.skip_spaces(behind)),
            Command::Spelled(text) => {
                let next = self.skip_spaces(behind);
                // The space behind a command only ends its name; `{}` does so, too.
                let next = match self.source[next..self.end].starts_with("{}") {
                    true => next + 2,
                    false => next,
                };
                self.builder.decoded(text, at..behind);
                next
            }
            Command::False => self.skip_false(at, behind),
            Command::Verb => self.verb(behind),
            Command::Dropped(n_arguments) => self.skip_arguments(behind, n_arguments),
            Command::Kept => {
                let next = self.skip_optional(behind);
                if next == behind {
                    self.skip_spaces(next)
                } else {
                    next
                }
            }
        }
    }

    /// `\%`, `\\`, `\'e`, `\(`: a command named by one sign.
    fn sign(&mut self, at: usize) -> usize {
        let Some(sign) = self.source[at + 1..self.end].chars().next() else {
            return at + 1;
        };
        let behind = at + 1 + sign.len_utf8();
        match sign {
            '\\' => {
                if self.n_tables > 0 {
                    self.builder.end(BlockKind::TableRow);
                } else {
                    self.builder.gap();
                }
                self.skip_optional(behind)
            }
            '(' => self.delimited(behind, "\\)"),
            '[' => self.delimited(behind, "\\]"),
            '\'' | '`' | '^' | '"' | '~' | '=' | '.' => self.accent(sign, at, behind),
            '%' | '&' | '$' | '#' | '_' | '{' | '}' => self.spelled(&sign.to_string(), at, 2),
            ',' | ' ' | ';' | ':' | '\n' | '\t' => {
                self.builder.gap();
                behind
            }
            _ => behind, // `\-`, `\/`, `\!`: nothing to read.
        }
    }

    fn accent(&mut self, accent: char, at: usize, behind: usize) -> usize {
        let group = self.source[behind..self.end].starts_with('{');
        let start = behind + usize::from(group);
        let rest = &self.source[start..self.end];
        // `\i` is an i without its dot, made to carry an accent.
        let (letter, len) = match rest.strip_prefix('\\').and_then(|r| r.chars().next()) {
            Some(c @ ('i' | 'j')) => (c, 2),
            _ => match rest.chars().next() {
                Some(c) => (c, c.len_utf8()),
                None => return behind,
            },
        };
        let Some(composed) = commands::accented(accent, letter) else {
            return behind;
        };
        let mut end = start + len;
        end += usize::from(group && self.source[end..self.end].starts_with('}'));
        self.builder
            .decoded(composed.encode_utf8(&mut [0; 4]), at..end);
        end
    }

    /// Goes into the group behind a command that means something where it closes.
    fn open(&mut self, behind: usize, close: Close) -> usize {
        let at = self.skip_optional(behind);
        match self.group(at) {
            Some(stop) => {
                self.stops.push((stop, close));
                at + 1
            }
            None => at,
        }
    }

    fn item_label(&mut self, behind: usize) -> usize {
        let label_end = self.skip_optional(behind);
        if label_end > behind {
            let at = self.skip_spaces(behind);
            let source = self.source;
            let label = Span::new(at + 1, (label_end - 1).max(at + 1)).trimmed(source);
            if source[label.range()].contains(char::is_alphanumeric) {
                self.builder.copy(label);
                self.builder.insert(":");
                self.builder.gap();
            }
        }
        label_end
    }

    fn verb(&mut self, behind: usize) -> usize {
        let Some(mark) = self.source[behind..self.end].chars().next() else {
            return behind;
        };
        let start = behind + mark.len_utf8();
        let line = self.source[start..self.end]
            .split('\n')
            .next()
            .unwrap_or_default();
        match prefix(line, 1000).find(mark) {
            Some(len) => {
                self.builder.copy(start..start + len);
                start + len + mark.len_utf8()
            }
            None => behind,
        }
    }

    /// The partner of the brace at `at` (white space before it is skipped by the callers).
    fn group(&self, at: usize) -> Option<usize> {
        self.braces.close(at).filter(|close| *close < self.end)
    }

    fn skip_spaces(&self, at: usize) -> usize {
        let rest = &self.source[at..self.end];
        at + (rest.len() - rest.trim_start_matches([' ', '\t']).len())
    }

    /// Behind the `[…]` arguments at `at`.
    fn skip_optional(&self, at: usize) -> usize {
        let mut at = at;
        loop {
            let start = self.skip_spaces(at);
            let rest = &self.source[start..self.end];
            let window = prefix(rest, 400);
            match window.find(']').filter(|_| window.starts_with('[')) {
                Some(len) if !has_blank_line(&window[..len]) => at = start + len + 1,
                _ => return at,
            }
        }
    }

    /// Behind at most `n_arguments` groups, and the options between them.
    fn skip_arguments(&self, at: usize, n_arguments: usize) -> usize {
        let mut at = self.skip_optional(at);
        for _ in 0..n_arguments {
            let start = self.skip_spaces(at);
            match self.group(start) {
                Some(close) => at = self.skip_optional(close + 1),
                None => break,
            }
        }
        at
    }
}

fn has_blank_line(text: &str) -> bool {
    text.split('\n').skip(1).any(|line| line.trim().is_empty()) && text.matches('\n').count() > 1
}
