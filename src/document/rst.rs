//! reStructuredText to blocks, line by line.
//!
//! Sections by their underlines; directives by name: admonitions keep their body, code becomes
//! code, tables of contents and settings go. Comments, targets and substitutions go. Indentation
//! matters only for what is skipped or verbatim, so any depth of nesting is read flat.

mod inline;
mod tables;

use super::builder::Builder;
use super::lines::{Line, bullet, lines};
use super::{BlockKind, Span};

/// Directives that are left out with all they hold.
const DROPPED: [&str; 24] = [
    "contents",
    "toctree",
    "raw",
    "include",
    "meta",
    "role",
    "default-role",
    "index",
    "highlight",
    "image",
    "sectnum",
    "header",
    "footer",
    "target-notes",
    "bibliography",
    "currentmodule",
    "module",
    "autosummary",
    "tabularcolumns",
    "graphviz",
    "plot",
    "only-latex",
    "class",
    "rst-class",
];

/// Directives whose body is verbatim.
const CODE: [&str; 9] = [
    "code",
    "code-block",
    "sourcecode",
    "parsed-literal",
    "literalinclude",
    "prompt",
    "ipython",
    "doctest",
    "testcode",
];

pub(super) fn parse(builder: &mut Builder<'_>, body: Span) {
    let lines: Vec<Line<'_>> = lines(builder.source(), body).collect();
    let mut reader = Reader {
        builder,
        lines: &lines,
        adornments: Vec::new(),
        paragraph: None,
        kind: BlockKind::Paragraph,
        literal_below: None,
        simple_table: false,
        in_head: true,
    };
    let mut idx = 0;
    while idx < lines.len() {
        idx = reader.line(idx);
    }
    reader.flush();
}

struct Reader<'b, 's, 'l> {
    builder: &'b mut Builder<'s>,
    lines: &'l [Line<'s>],
    /// Underline characters (with overline or not) in the order of their levels.
    adornments: Vec<(char, bool)>,
    paragraph: Option<Span>,
    kind: BlockKind,
    /// The last paragraph ended with `::`, at this indentation.
    literal_below: Option<usize>,
    simple_table: bool,
    /// Only titles and field lists were seen: such fields are settings.
    in_head: bool,
}

impl<'s> Reader<'_, 's, '_> {
    /// Reads line `idx` and what belongs to it; returns the index of the next line.
    fn line(&mut self, idx: usize) -> usize {
        let line = self.lines[idx];
        let text = line.text.trim();
        if text.is_empty() {
            self.flush();
            return idx + 1;
        }
        if let Some(indent) = self.literal_below.take()
            && self.paragraph.is_none()
            && line.indent() > indent
        {
            return self.code(idx, indent);
        }
        if self.paragraph.is_none()
            && let Some(next) = self.section(idx)
        {
            return next;
        }
        if self.is_table_border(idx) {
            self.flush();
            return idx + 1;
        }
        if self.simple_table {
            self.simple_row(line);
            return idx + 1;
        }
        if self.paragraph.is_none() {
            if text == ".." || text.starts_with(".. ") {
                self.in_head = false;
                return self.explicit(idx);
            }
            if text.starts_with("__ ") {
                return idx + 1; // An anonymous target.
            }
            if let Some(next) = self.field(idx) {
                return next;
            }
            if text.starts_with('|') && text.ends_with('|') && text.len() > 2 {
                self.grid_row(line);
                return idx + 1;
            }
        }
        self.in_head = false;
        self.text(line);
        idx + 1
    }

    fn text(&mut self, line: Line<'s>) {
        let mut span = line.trimmed();
        let text = &self.builder.source()[span.range()];
        if text.starts_with("| ") {
            self.flush(); // A line block: its line ends are meant.
            span.start += 2;
        } else if text.starts_with(">>> ") {
            self.kind = BlockKind::Code;
        } else if let Some(len) = bullet(text) {
            let lone = text.starts_with('#') && !text.starts_with("#.");
            if !lone && (self.paragraph.is_none() || self.kind == BlockKind::ListItem) {
                self.flush();
                self.kind = BlockKind::ListItem;
                span.start += len;
            }
        }
        self.paragraph = Some(match self.paragraph {
            Some(open) => Span::new(open.start, span.end),
            None => span,
        });
        // `::` at the end of a paragraph announces a literal block.
        let is_literal = self.builder.source()[span.range()].ends_with("::");
        self.literal_below = is_literal.then(|| line.indent());
    }

    fn flush(&mut self) {
        let kind = std::mem::replace(&mut self.kind, BlockKind::Paragraph);
        if let Some(mut span) = self.paragraph.take() {
            if kind == BlockKind::Code {
                self.builder.code(span);
                return self.builder.end(kind);
            }
            if self.literal_below.is_some() {
                // `text::` reads `text:`, and a lone `::` reads nothing.
                let text = self.builder.source()[span.range()].trim_end_matches(':');
                let keeps_colon = text.ends_with(|c: char| !c.is_whitespace());
                span.end = span.start + text.len() + usize::from(keeps_colon);
            }
            inline::read(self.builder, span);
        }
        self.builder.end(kind);
    }

    /// A title with its underline, and perhaps an overline.
    fn section(&mut self, idx: usize) -> Option<usize> {
        let line = self.lines[idx];
        let (over, title_idx) = match adornment(line.text) {
            Some(over) => (Some(over), idx + 1),
            None => (None, idx),
        };
        let title = self.lines.get(title_idx)?;
        let under = self
            .lines
            .get(title_idx + 1)
            .and_then(|l| adornment(l.text));
        let is_title = !title.is_blank() && adornment(title.text).is_none();
        let (sign, len) = match (over, under) {
            _ if !is_title => (None, 0),
            (None, Some((sign, len))) if title.indent() == 0 => (Some(sign), len),
            (Some((over, _)), Some((sign, len))) if over == sign => (Some(sign), len),
            _ => (None, 0),
        };
        let width = title.text.trim().chars().count();
        match sign {
            // docutils warns of short underlines and takes them from four signs on.
            Some(sign) if len >= width.min(4) && !(sign == '=' && title.text.contains("  ==")) => {
                let key = (sign, over.is_some());
                let level = self.adornments.iter().position(|a| *a == key);
                let level = level.unwrap_or_else(|| {
                    self.adornments.push(key);
                    self.adornments.len() - 1
                });
                self.flush();
                inline::read(self.builder, title.trimmed());
                self.builder.end(BlockKind::Heading(level.min(5) as u8 + 1));
                Some(title_idx + 2)
            }
            // A row of signs alone is a transition.
            _ => over.is_some().then_some(idx + 1),
        }
    }

    /// What begins with `.. `: a directive, a footnote, a target, or a comment.
    fn explicit(&mut self, idx: usize) -> usize {
        let line = self.lines[idx];
        let span = line.trimmed();
        let text = self.builder.source()[span.range()]
            .trim_start_matches('.')
            .trim_start();
        let start = span.end - text.len();
        if text.starts_with('[')
            && let Some(len) = text.find(']')
        {
            self.paragraph = Some(Span::new(start + len + 1, span.end)); // A footnote's text.
            return idx + 1;
        }
        let Some((name, argument)) = text.split_once("::").filter(|(name, _)| is_name(name)) else {
            return self.skip_body(idx, line.indent());
        };
        let argument =
            Span::new(span.end - argument.len(), span.end).trimmed(self.builder.source());
        let name = name.to_ascii_lowercase();
        if CODE.contains(&name.as_str()) {
            let body = self.skip_options(idx + 1, line.indent(), &[]);
            return self.code(body, line.indent());
        }
        if name == "math" {
            return self.skip_body(idx, line.indent());
        }
        if name == "image" || name == "figure" {
            let body = self.skip_options(idx + 1, line.indent(), &["alt"]);
            return if name == "image" {
                self.skip_body(body - 1, line.indent())
            } else {
                body
            };
        }
        if DROPPED.contains(&name.as_str()) || name.starts_with("auto") {
            return self.skip_body(idx, line.indent());
        }
        // Titles of topics and admonitions, names of functions, versions.
        let says_something =
            !matches!(name.as_str(), "csv-table" | "list-table" | "figure") || !argument.is_empty();
        if says_something && !matches!(name.as_str(), "container" | "only" | "figure" | "tab-set") {
            inline::read(self.builder, argument);
            self.builder.end(BlockKind::Paragraph);
        }
        self.skip_options(idx + 1, line.indent(), &[])
    }

    /// Passes the `:option: value` lines of a directive; the values of `kept` become text.
    fn skip_options(&mut self, mut idx: usize, indent: usize, kept: &[&str]) -> usize {
        while let Some(line) = self.lines.get(idx) {
            let text = line.text.trim();
            let option = text.strip_prefix(':').and_then(|rest| rest.split_once(':'));
            let Some((name, value)) = option.filter(|_| line.indent() > indent) else {
                break;
            };
            if kept.contains(&name) {
                let end = line.trimmed().end;
                inline::read(self.builder, Span::new(end - value.len(), end));
                self.builder.end(BlockKind::Paragraph);
            }
            idx += 1;
        }
        idx
    }

    /// The index of the next line that is not indented more than `indent`.
    fn body_end(&self, from: usize, indent: usize) -> usize {
        let is_outside = |line: &Line<'_>| !line.is_blank() && line.indent() <= indent;
        let outside = self.lines[from.min(self.lines.len())..]
            .iter()
            .position(is_outside);
        outside.map_or(self.lines.len(), |n| from + n)
    }

    fn skip_body(&mut self, idx: usize, indent: usize) -> usize {
        self.body_end(idx + 1, indent)
    }

    fn code(&mut self, from: usize, indent: usize) -> usize {
        let end = self.body_end(from, indent);
        let lines = &self.lines[from.min(end)..end];
        let inner = lines.iter().filter(|line| !line.is_blank());
        let margin = inner.map(Line::indent).min().unwrap_or(0);
        for line in lines {
            let start = line.span.start + margin.min(line.text.len());
            // White space may be wider than a byte.
            if self.builder.source().is_char_boundary(start)
                && !(self.builder.is_empty() && line.is_blank())
            {
                self.builder.code(start..line.next);
            }
        }
        self.builder.end(BlockKind::Code);
        end
    }

    /// `:name: value`. At the head of the document it is a setting, below it is text.
    fn field(&mut self, idx: usize) -> Option<usize> {
        let line = self.lines[idx];
        let span = line.trimmed();
        let (name, value) = self.builder.source()[span.range()]
            .strip_prefix(':')?
            .split_once(':')?;
        let is_field = !name.is_empty()
            && !name.starts_with(' ')
            && (value.is_empty() || value.starts_with([' ', '\t']));
        if !is_field {
            return None;
        }
        let is_told = matches!(name.to_ascii_lowercase().as_str(), "abstract" | "summary");
        if self.in_head && !is_told {
            return Some(self.skip_body(idx, line.indent()));
        }
        // `:param oats: how many` is about oats.
        let about = name
            .split_whitespace()
            .last()
            .filter(|_| name.contains(' '));
        if let Some(about) = about {
            let end = span.end - value.len() - 1;
            self.builder.copy(end - about.len()..end);
            self.builder.insert(": ");
        }
        self.paragraph =
            Some(Span::new(span.end - value.len(), span.end).trimmed(self.builder.source()));
        self.kind = BlockKind::ListItem;
        Some(idx + 1)
    }
}

/// The sign and length of a line that is one sign over and over.
fn adornment(line: &str) -> Option<(char, usize)> {
    let text = line.trim_end();
    let sign = text.chars().next().filter(char::is_ascii_punctuation)?;
    let is_row = text.len() > 1 && text.chars().all(|c| c == sign);
    // Two colons announce code, two dots begin a comment, `--` may be prose.
    (is_row && (text.len() > 2 || !":.-`".contains(sign))).then_some((sign, text.len()))
}

fn is_name(name: &str) -> bool {
    let is_char = |c: char| c.is_alphanumeric() || "-_:.+| ".contains(c);
    !name.is_empty() && name.chars().all(is_char) && !name.trim_end().contains(": ")
}
