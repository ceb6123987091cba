//! How tags are written into settings that are there, or are made for them: one edit, unproven.
//!
//! Input: a text, what its settings say, and tags. Output: the edit that adds them all, or none
//! where the form found has no place for them. The form found is kept; a new value is a block
//! list. Whether the edit reads back as it should is the caller's to prove.

use super::super::scalar::yaml;
use super::super::{FrontMatter, Syntax, TagsForm, TagsValue, Value, org};
use super::{AddError, Edit};
use crate::document::{Format, Span};

/// Writes these tags into this text.
pub(super) struct Writer<'a> {
    source: &'a str,
    newline: &'static str,
    tags: &'a [String],
    /// The settings are JSON, whatever is around them.
    is_json: bool,
}

impl<'a> Writer<'a> {
    pub(super) fn new(
        source: &'a str,
        before: Option<&FrontMatter>,
        tags: &'a [String],
    ) -> Writer<'a> {
        let first_end = source.find('\n');
        let newline = match first_end.is_some_and(|at| source[..at].ends_with('\r')) {
            true => "\r\n",
            false => "\n",
        };
        let is_object = |before: &FrontMatter| {
            let content = &source[before.content.range()];
            before.syntax == Syntax::Yaml && content.trim_start().starts_with('{')
        };
        Writer {
            source,
            newline,
            tags,
            is_json: before.is_some_and(|b| b.syntax == Syntax::Json || is_object(b)),
        }
    }

    /// Settings for a document that has none.
    pub(super) fn new_block(&self, format: Format) -> Result<Edit, AddError> {
        let start = self.source.len() - self.source.trim_start_matches('\u{feff}').len();
        let newline = self.newline;
        let text = match format {
            Format::Markdown => {
                let rest = &self.source[start..];
                let gap = if rest.is_empty() || rest.starts_with(['\n', '\r']) {
                    ""
                } else {
                    newline
                };
                let list = self.block_list();
                format!("---{newline}{list}---{newline}{gap}")
            }
            Format::Org => return Ok(self.org_keyword(start)),
            _ => return Err(AddError::NoPlace(format)),
        };
        Ok(insert(start, text))
    }

    /// A key for settings that have none with tags.
    pub(super) fn new_key(&self, before: &FrontMatter) -> Option<Edit> {
        let content = before.content;
        let newline = self.newline;
        // A key of its own would hide the tags that come from elsewhere.
        if before.is_merged {
            return None;
        }
        if self.is_json {
            let brace = content.start + self.source[content.range()].find('{')?;
            let is_empty = self.source[brace + 1..].trim_start().starts_with('}');
            let comma = if is_empty { "" } else { "," };
            let list = self.items(quoted);
            return Some(insert(brace + 1, format!("\"tags\": [{list}]{comma}")));
        }
        match before.syntax {
            Syntax::Yaml => Some(insert(content.end, self.block_list())),
            // Before the first table, or it would belong to that.
            Syntax::Toml => Some(insert(
                content.start,
                format!("tags = [{}]{newline}", self.items(quoted)),
            )),
            Syntax::Json => None,
            Syntax::Org => Some(self.org_keyword(content.start)),
        }
    }

    /// A line of its own at the head of an Org document.
    fn org_keyword(&self, start: usize) -> Edit {
        let at = org::first_place(self.source, start);
        let line = format!("#+FILETAGS: :{}:", self.tags.join(":"));
        let newline = self.newline;
        match self.source[..at].ends_with('\n') || at == start {
            true => insert(at, format!("{line}{newline}")),
            false => insert(at, format!("{newline}{line}")), // The drawer ends the file.
        }
    }

    /// `tags:` with one item a line.
    fn block_list(&self) -> String {
        let newline = self.newline;
        let items = self.tags.iter();
        let items = items.map(|tag| format!("  - {}{newline}", yaml(tag, false)));
        format!("tags:{newline}{}", items.collect::<String>())
    }

    /// A value that is there, with more.
    pub(super) fn extended(&self, syntax: Syntax, value: &TagsValue) -> Option<Edit> {
        let written = &self.source[value.span.range()];
        match value.form {
            TagsForm::Flow => self.flow(syntax, value),
            TagsForm::Block => {
                let item = self.item_like(value);
                let lines = self.lines(self.indent(value)?, |tag| item(tag, false));
                Some(insert(self.line_end(value.span.end), lines))
            }
            TagsForm::Null if written.is_empty() && syntax == Syntax::Yaml && !self.is_json => {
                let lines = self.lines("  ", |tag| yaml(tag, false));
                Some(insert(self.line_end(value.span.end), lines))
            }
            TagsForm::Null => Some(Edit {
                span: value.span,
                text: format!("[{}]", self.items(self.item(syntax))),
            }),
            TagsForm::Other => None,
            TagsForm::Scalar if syntax == Syntax::Yaml && !self.is_json => self.scalar(value),
            // TOML and JSON have lists for this.
            TagsForm::Scalar if value.items.is_empty() => Some(Edit {
                span: value.span,
                text: format!("[{}]", self.items(self.item(syntax))),
            }),
            TagsForm::Scalar => Some(Edit {
                span: value.span,
                text: format!("[{written}, {}]", self.items(self.item(syntax))),
            }),
            TagsForm::Org => Some(insert(
                value.span.start + written.trim_end().len(),
                match written.trim_end() {
                    "" => format!(":{}:", self.tags.join(":")),
                    list if list.ends_with(':') => format!("{}:", self.tags.join(":")),
                    _ => format!(" {}", self.tags.join(" ")),
                },
            )),
        }
    }

    /// What stands before the dashes of a list.
    fn indent(&self, value: &TagsValue) -> Option<&str> {
        let head = |byte: usize| {
            let start = self.source[..byte].rfind('\n').map_or(0, |at| at + 1);
            &self.source[start..byte]
        };
        // An anchor stands between the key and its list.
        let last = value.items.last().map(|last| head(last.span.start));
        if let Some((indent, "")) = last.and_then(|last| last.trim_end().split_once('-'))
            && indent.trim().is_empty()
        {
            return Some(indent);
        }
        let indent = head(value.span.start);
        let is_list = self.source[value.span.range()].starts_with('-');
        (is_list && indent.trim().is_empty()).then_some(indent)
    }

    fn flow(&self, syntax: Syntax, value: &TagsValue) -> Option<Edit> {
        let like = self.item_like(value);
        let item = self.item(syntax);
        let item = |tag: &str| match syntax {
            Syntax::Yaml if !self.is_json => like(tag, true),
            _ => item(tag),
        };
        let Some(Value { span: last, .. }) = value.items.last() else {
            let inside = self.source[value.span.range()]
                .strip_prefix('[')?
                .strip_suffix(']')?;
            return inside
                .trim()
                .is_empty()
                .then(|| insert(value.span.start + 1, self.items(item)));
        };
        // Behind the list that the last item is the end of, if it is in one of its own: a wiki link
        // without quotes stays what it is.
        let tail = &self.source[last.end..value.span.end];
        let inner = tail.strip_suffix(']')?;
        let is_nested = inner
            .chars()
            .all(|c| c == ']' || c == ',' || c.is_whitespace());
        let at = match inner.rfind(']').filter(|_| is_nested) {
            Some(bracket) => last.end + bracket + 1,
            None => last.end,
        };
        // A list with one item a line gets more lines.
        let line = self.source[..last.start].rfind('\n').map_or(0, |at| at + 1);
        let indent = &self.source[line..last.start];
        let is_lines = line > value.span.start && indent.trim().is_empty();
        let gap = match is_lines {
            true => format!("{}{indent}", self.newline),
            false => " ".to_owned(),
        };
        let more = self.tags.iter();
        let more: String = more.map(|tag| format!(",{gap}{}", item(tag))).collect();
        // A comment beside the last item is of that item.
        let line_end = self.line_end(at);
        let rest = &self.source[at..line_end];
        let (comma, comment) = match rest.trim_start().strip_prefix(',') {
            Some(comment) => (",", comment),
            None => ("", rest),
        };
        if is_lines && comment.trim_start().starts_with('#') {
            let more = more.strip_prefix(',').unwrap_or_default();
            return Some(match comma {
                "" => Edit {
                    span: Span::new(at, line_end),
                    text: format!(",{rest}{more}"),
                },
                comma => insert(line_end, format!("{more}{comma}")),
            });
        }
        Some(insert(at, more))
    }

    /// `a`, `a, b`, `#a #b` or (where spaces separate) `a b`, quoted or not.
    fn scalar(&self, value: &TagsValue) -> Option<Edit> {
        let written = &self.source[value.span.range()];
        let quote = written.chars().next().filter(|c| matches!(c, '"' | '\''));
        let is_plain = |tag: &String| yaml(tag, true) == *tag && !tag.contains(',');
        if !self.tags.iter().all(is_plain) {
            return None;
        }
        let inside = written.trim_matches(['"', '\'']);
        let end = value.span.end - quote.map_or(0, char::len_utf8);
        let lead = match value.is_spaced {
            true if inside.trim_start().starts_with('#') => " #",
            true => " ",
            false => ", ",
        };
        let more: String = self.tags.iter().flat_map(|tag| [lead, tag]).collect();
        if value.items.is_empty() {
            let start = value.span.start + quote.map_or(0, char::len_utf8);
            return Some(Edit {
                span: Span::new(start, end),
                text: more.trim_start_matches([',', ' ']).to_owned(),
            });
        }
        // The comma may stand there already, and what is behind it.
        let known = match inside.trim_end().ends_with(',') {
            true if inside.ends_with(',') => ",",
            true => ", ",
            false => "",
        };
        Some(insert(end, more[known.len()..].to_owned()))
    }

    /// A tag as an item of a list between brackets.
    fn item(&self, syntax: Syntax) -> fn(&str) -> String {
        match syntax {
            Syntax::Yaml if !self.is_json => |tag| yaml(tag, true),
            _ => quoted,
        }
    }

    /// A tag as the items of this YAML list are written: quoted where all of them are.
    fn item_like(&self, value: &TagsValue) -> impl Fn(&str, bool) -> String + use<> {
        let begins_with = |quote: char| {
            let mut items = value.items.iter();
            !value.items.is_empty()
                && items.all(|item| self.source[item.span.range()].starts_with(quote))
        };
        let (single, double) = (begins_with('\''), begins_with('"'));
        move |tag, in_flow| match yaml(tag, in_flow) {
            bare if bare == tag && double => quoted(tag),
            bare if bare == tag && single => format!("'{tag}'"),
            written => written,
        }
    }

    fn items(&self, written: impl Fn(&str) -> String) -> String {
        let items: Vec<String> = self.tags.iter().map(|tag| written(tag)).collect();
        items.join(", ")
    }

    fn lines(&self, indent: &str, written: impl Fn(&str) -> String) -> String {
        let newline = self.newline;
        let lines = self.tags.iter();
        let lines = lines.map(|tag| format!("{newline}{indent}- {}", written(tag)));
        lines.collect()
    }

    /// Where the line of this byte ends, before its line break.
    fn line_end(&self, byte: usize) -> usize {
        let rest = &self.source[byte..];
        let line = rest.split('\n').next().unwrap_or_default();
        byte + line.strip_suffix('\r').unwrap_or(line).len()
    }
}

/// JSON's strings are YAML's and TOML's.
fn quoted(tag: &str) -> String {
    serde_json::Value::from(tag).to_string()
}

fn insert(at: usize, text: String) -> Edit {
    Edit {
        span: Span::new(at, at),
        text,
    }
}
