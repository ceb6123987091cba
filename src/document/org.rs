//! Org to blocks, line by line.
//!
//! Headlines lose their TODO keyword, priority and tags; drawers, planning lines, comments and
//! keywords other than title and description are left out. `inline` reads what is inside a line.
//! Unclosed blocks and drawers are text.

mod inline;

use std::collections::HashMap;

use unicode_normalization_alignments::char::is_combining_mark;

use super::builder::Builder;
use super::lines::{Line, bullet, lines};
use super::{BlockKind, Span};
use crate::frontmatter::org_keyword;

/// The workflow words that people use most; `#+TODO:` adds a file's own.
const TODO_WORDS: [&str; 24] = [
    "TODO",
    "DONE",
    "NEXT",
    "WAITING",
    "WAIT",
    "HOLD",
    "STARTED",
    "INPROGRESS",
    "IN-PROGRESS",
    "DOING",
    "REVIEW",
    "SOMEDAY",
    "MAYBE",
    "PROJ",
    "PROJECT",
    "IDEA",
    "STRT",
    "KILL",
    "LOOP",
    "CANCELLED",
    "CANCELED",
    "DEFERRED",
    "DELEGATED",
    "FIXME",
];

pub(super) fn parse(builder: &mut Builder<'_>, body: Span) {
    let lines: Vec<Line<'_>> = lines(builder.source(), body).collect();
    let mut reader = Reader {
        builder,
        ends: ends(&lines),
        todo_words: TODO_WORDS.map(str::to_owned).to_vec(),
        kind: BlockKind::Paragraph,
        quotes: 0,
        paragraph: None,
    };
    let mut idx = 0;
    while idx < lines.len() {
        idx = reader.line(&lines, idx);
    }
    reader.flush();
}

/// Where `:END:`, headlines (both under an own name) and `#+end_NAME` lines stand.
fn ends(lines: &[Line<'_>]) -> HashMap<String, Vec<usize>> {
    let mut ends: HashMap<String, Vec<usize>> = HashMap::new();
    for (idx, line) in lines.iter().enumerate() {
        let text = line.text.trim();
        let name = if headline_level(line.text).is_some() {
            "*".to_owned()
        } else if text.eq_ignore_ascii_case(":end:") {
            ":end:".to_owned()
        } else if let Some((name, _)) = block_mark(text, "#+end_") {
            name
        } else {
            continue;
        };
        ends.entry(name).or_default().push(idx);
    }
    ends
}

/// The lower-case name behind `#+begin_` or `#+end_`, and what follows it.
fn block_mark<'t>(text: &'t str, mark: &str) -> Option<(String, &'t str)> {
    let head = text.get(..mark.len())?;
    if !head.eq_ignore_ascii_case(mark) {
        return None;
    }
    let rest = &text[mark.len()..];
    let len = rest.find(char::is_whitespace).unwrap_or(rest.len());
    (len > 0).then(|| (rest[..len].to_ascii_lowercase(), rest[len..].trim()))
}

fn headline_level(line: &str) -> Option<usize> {
    let level = line.bytes().take_while(|b| *b == b'*').count();
    let is_headline = level > 0 && line[level..].starts_with([' ', '\t']);
    is_headline.then_some(level)
}

struct Reader<'b, 's> {
    builder: &'b mut Builder<'s>,
    ends: HashMap<String, Vec<usize>>,
    todo_words: Vec<String>,
    /// What the open paragraph is.
    kind: BlockKind,
    /// How many quote blocks are open.
    quotes: usize,
    paragraph: Option<Span>,
}

impl Reader<'_, '_> {
    /// Reads line `idx` (and what belongs to it); returns the index of the next line.
    fn line(&mut self, lines: &[Line<'_>], idx: usize) -> usize {
        let line = &lines[idx];
        let text = line.text.trim();
        if text.is_empty() {
            self.flush();
            return idx + 1;
        }
        if let Some(level) = headline_level(line.text) {
            self.flush();
            return self.headline(lines, idx, level);
        }
        if text.starts_with("#+") {
            self.flush();
            return self.keyword(lines, idx, text);
        }
        if text == "#" || text.starts_with("# ") {
            return idx + 1; // A comment, which does not even end a paragraph.
        }
        if is_drawer(text)
            && let Some(end) = self.end_before_headline(":end:", idx)
        {
            self.flush();
            return end + 1;
        }
        if is_planning(text) {
            self.flush();
            return idx + 1;
        }
        if text == ":" || text.starts_with(": ") {
            self.flush();
            return self.fixed_width(lines, idx);
        }
        if text.starts_with('|') {
            self.flush();
            self.table_row(line);
            return idx + 1;
        }
        if text.len() >= 5 && text.bytes().all(|b| b == b'-') {
            self.flush();
            return idx + 1;
        }
        self.text(line);
        idx + 1
    }

    fn text(&mut self, line: &Line<'_>) {
        let mut span = line.trimmed();
        // A star at the start of a line is a headline, so only an indented one is a bullet.
        if let Some(len) = bullet(line.text).filter(|_| !line.text.starts_with('*')) {
            self.flush();
            self.kind = BlockKind::ListItem;
            span.start += len;
            let item = &self.builder.source()[span.range()];
            for mark in ["[ ] ", "[X] ", "[x] ", "[-] "] {
                if item.starts_with(mark) {
                    span.start += mark.len();
                    break;
                }
            }
        } else if let Some(len) = footnote_mark(line.text) {
            self.flush();
            span.start = (line.span.start + len).min(span.end);
        }
        self.paragraph = Some(match self.paragraph {
            Some(open) => Span::new(open.start, span.end),
            None => span,
        });
    }

    fn flush(&mut self) {
        if let Some(span) = self.paragraph.take() {
            inline::read(self.builder, span);
        }
        let kind = match self.kind {
            BlockKind::Paragraph if self.quotes > 0 => BlockKind::Quote,
            kind => kind,
        };
        self.builder.end(kind);
        self.kind = BlockKind::Paragraph;
    }

    fn headline(&mut self, lines: &[Line<'_>], idx: usize, level: usize) -> usize {
        let line = &lines[idx];
        let source = self.builder.source();
        let mut span = Span::new(line.span.start + level, line.span.end).trimmed(source);
        let text = |span: Span| &source[span.range()];
        let first = text(span).split_whitespace().next().unwrap_or_default();
        if self.todo_words.iter().any(|word| word == first) {
            span = Span::new(span.start + first.len(), span.end).trimmed(source);
        }
        if text(span).starts_with("[#") && text(span).as_bytes().get(3) == Some(&b']') {
            span = Span::new(span.start + 4, span.end).trimmed(source);
        }
        let is_comment = text(span) == "COMMENT" || text(span).starts_with("COMMENT ");
        if is_comment {
            // Its whole subtree is hidden from every reader of the document.
            let next = self.ends.get("*").map_or(&[][..], Vec::as_slice);
            let from = next.partition_point(|at| *at <= idx);
            let is_sibling =
                |at: &&usize| headline_level(lines[**at].text).is_some_and(|other| other <= level);
            return next[from..]
                .iter()
                .find(is_sibling)
                .copied()
                .unwrap_or(lines.len());
        }
        let tags = headline_tags(text(span));
        let tags_start = span.end - tags.len();
        let mut at = tags_start;
        for tag in tags.split_inclusive(':') {
            let name = tag.trim_end_matches(':');
            if !name.is_empty() {
                self.builder.tag(name, Span::new(at, at + name.len()));
            }
            at += tag.len();
        }
        inline::read(self.builder, Span::new(span.start, tags_start));
        self.builder.end(BlockKind::Heading(level.min(6) as u8));
        idx + 1
    }

    fn keyword(&mut self, lines: &[Line<'_>], idx: usize, text: &str) -> usize {
        if let Some((name, _)) = block_mark(text, "#+begin_") {
            let ends = self.ends.get(&name).map_or(&[][..], Vec::as_slice);
            let end = ends.get(ends.partition_point(|at| *at <= idx)).copied();
            let Some(end) = end else {
                return idx + 1; // Never closed: what follows is text.
            };
            return match name.as_str() {
                "src" | "example" => {
                    let first = lines[idx].next;
                    self.builder.code(first..lines[end].span.start.max(first));
                    self.builder.end(BlockKind::Code);
                    end + 1
                }
                "comment" | "export" => end + 1,
                "quote" | "verse" => {
                    self.quotes += 1;
                    idx + 1
                }
                _ => idx + 1,
            };
        }
        if let Some((name, _)) = block_mark(text, "#+end_") {
            if name == "quote" || name == "verse" {
                self.quotes = self.quotes.saturating_sub(1);
            }
            return idx + 1;
        }
        if let Some((key, value)) = org_keyword(text) {
            let end = lines[idx].trimmed().end;
            let span = Span::new(end - value.len(), end);
            match key.to_ascii_lowercase().as_str() {
                "title" => {
                    inline::read(self.builder, span);
                    self.builder.end_title();
                }
                "subtitle" | "description" | "caption" => {
                    inline::read(self.builder, span);
                    self.builder.end(BlockKind::Paragraph);
                }
                "todo" | "seq_todo" | "typ_todo" => {
                    let words = value.split_whitespace();
                    let words = words.map(|w| w.split('(').next().unwrap_or(w).to_owned());
                    self.todo_words.extend(words.filter(|w| w != "|").take(20));
                    self.todo_words.truncate(200);
                }
                _ => {}
            }
        }
        idx + 1
    }

    fn fixed_width(&mut self, lines: &[Line<'_>], mut idx: usize) -> usize {
        while let Some(line) = lines.get(idx) {
            let text = line.text.trim();
            if text != ":" && !text.starts_with(": ") {
                break;
            }
            let start = (line.span.start + line.indent() + 2).min(line.span.end);
            self.builder.code(start..line.next.max(start));
            idx += 1;
        }
        self.builder.end(BlockKind::Code);
        idx
    }

    fn table_row(&mut self, line: &Line<'_>) {
        let span = line.trimmed();
        let text = &self.builder.source()[span.range()];
        if text.starts_with("|-") {
            return;
        }
        let mut at = span.start;
        for cell in text.split('|') {
            let cell_span = Span::new(at, at + cell.len());
            at = cell_span.end + 1;
            // `<l20>` and the like only set a column's width.
            let is_width = cell.trim().starts_with('<') && cell.trim().len() < 6;
            if !cell.trim().is_empty() && !is_width {
                inline::read(self.builder, cell_span);
                self.builder.cell();
            }
        }
        self.builder.end(BlockKind::TableRow);
    }

    /// The next line called `name` after `idx`, if no headline stands before it.
    fn end_before_headline(&self, name: &str, idx: usize) -> Option<usize> {
        let next = |name: &str| {
            let at = self.ends.get(name)?;
            at.get(at.partition_point(|at| *at <= idx)).copied()
        };
        let end = next(name)?;
        next("*")
            .is_none_or(|headline| end < headline)
            .then_some(end)
    }
}

/// `:a:b:` at the end of a headline, or nothing.
fn headline_tags(text: &str) -> &str {
    let last = text.rsplit([' ', '\t']).next().unwrap_or_default();
    let is_char = |c: char| is_letter(c) || "_@#%:-".contains(c);
    let is_tags = last.len() > 2
        && last.starts_with(':')
        && last.ends_with(':')
        && last.chars().all(is_char)
        && last.chars().any(char::is_alphanumeric);
    if is_tags { last } else { "" }
}

/// A letter, a digit, or what many scripts put above, below and behind their letters: Org's
/// `[:alnum:]`.
fn is_letter(c: char) -> bool {
    c.is_alphanumeric() || is_combining_mark(c)
}

fn is_drawer(text: &str) -> bool {
    text.len() > 2
        && text.starts_with(':')
        && text.ends_with(':')
        && text[1..text.len() - 1]
            .chars()
            .all(|c| is_letter(c) || "_-".contains(c))
}

fn is_planning(text: &str) -> bool {
    ["SCHEDULED:", "DEADLINE:", "CLOSED:", "CLOCK:"]
        .iter()
        .any(|word| text.starts_with(word))
}

/// Length of `[fn:name]` at the start of a line, where it begins the footnote's text.
fn footnote_mark(line: &str) -> Option<usize> {
    let rest = line.strip_prefix("[fn:")?;
    let len = rest.find(']')?;
    let is_name = rest[..len]
        .chars()
        .all(|c| is_letter(c) || "_-".contains(c));
    is_name.then_some("[fn:".len() + len + 1)
}
