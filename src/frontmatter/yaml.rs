//! YAML and JSON settings to fields, by `saphyr-parser`'s events.
//!
//! Lists in lists are read flat, since `tags: [[a]]` is what an unquoted wiki link becomes;
//! mappings inside are passed over. Keeps what was read before a fault.

mod anchors;
mod joined;
mod place;

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::TagsForm;
use super::fields::{Field, Fields, Scalar, fault};
use crate::document::{Span, is_tag_char};
use anchors::Anchors;
use joined::{FILLER, with_brackets_joined, with_pairs_joined};
use place::{block_extent, list_form, quoted};

/// `None` where the text between the fences is no mapping: then the fences were rules.
pub(super) fn read(source: &str, content: Span) -> Option<Fields> {
    let text = &source[content.range()];
    if is_template(text) {
        return None;
    }
    let is_json = text.trim_start().starts_with('{');
    if is_json && let Some(text) = with_pairs_joined(text) {
        let mut reader = Reader::new(source, content, &text);
        reader.run();
        return Some(reader.fields);
    }
    let mut reader = Reader::new(source, content, text);
    reader.run();
    if reader.fields.fault.is_some()
        && let Some(joined) = with_brackets_joined(text)
    {
        let mut again = Reader::new(source, content, &joined);
        again.run();
        if again.fields.fault.is_none() {
            return again.is_mapping.then_some(again.fields);
        }
    }
    let is_mapping = match reader.fields.fault {
        // Broken: front matter if it begins like an object, or any line looks like `key:`.
        Some(_) => reader.is_mapping || is_json || text.lines().any(looks_like_a_key),
        None => reader.is_mapping || !reader.has_value,
    };
    is_mapping.then_some(reader.fields)
}

/// JSON is YAML, but for tabs, which YAML does not allow everywhere, and pairs of escapes.
pub(super) fn read_json(source: &str, content: Span) -> Fields {
    let text = source[content.range()].replace('\t', " ");
    let text = with_pairs_joined(&text).unwrap_or(text);
    let mut reader = Reader::new(source, content, &text);
    reader.run();
    reader.fields
}

/// Whether the text is a template's or an attribute's braces (`{{< figure >}}`, `{% include %}`,
/// `{# remark #}`, `{: .class}`), which YAML may read as a mapping. Beside keys they are front matter
/// that is not filled in yet.
fn is_template(text: &str) -> bool {
    let inside = text.trim_start().strip_prefix('{');
    inside.is_some_and(|inside| inside.starts_with(['{', '%', '#', ':']))
        && !text.lines().any(looks_like_a_key)
}

pub(super) fn looks_like_a_key(line: &str) -> bool {
    line.split_once(':').is_some_and(|(key, value)| {
        let is_word = |c: char| " \"'".contains(c) || (c != '/' && is_tag_char(c));
        !key.is_empty()
            && key.chars().count() < 40
            && key.chars().all(is_word)
            && (value.is_empty() || value.starts_with([' ', '\t']))
    })
}

struct Reader<'s, 't> {
    source: &'s str,
    /// Offset of the text in the source.
    base: usize,
    text: &'t str,
    /// Byte offset of each character where the text is not ASCII: markers count characters.
    chars: Option<Vec<usize>>,
    fields: Fields,
    /// The text begins with a brace, as JSON does.
    is_object: bool,
    is_mapping: bool,
    /// There is something that is neither null nor a mapping.
    has_value: bool,
    /// Open lists and mappings, true for a mapping.
    open: Vec<bool>,
    /// How many of `open` are mappings.
    n_mappings: usize,
    key: Option<(String, usize)>,
    anchors: Anchors,
    /// Where the last scalar or bracket ends.
    last_end: usize,
}

impl<'s, 't> Reader<'s, 't> {
    fn new(source: &'s str, content: Span, text: &'t str) -> Reader<'s, 't> {
        Reader {
            source,
            base: content.start,
            text,
            chars: (!text.is_ascii()).then(|| text.char_indices().map(|(at, _)| at).collect()),
            fields: Fields::default(),
            is_object: text.trim_start().starts_with('{'),
            is_mapping: false,
            has_value: false,
            open: Vec::new(),
            n_mappings: 0,
            key: None,
            anchors: Anchors::default(),
            last_end: content.start,
        }
    }

    fn run(&mut self) {
        let mut parser = Parser::new_from_str(self.text);
        let mut n_documents = 0;
        while let Some(next) = parser.next_event() {
            let (event, span) = match next {
                Ok(event) => event,
                Err(error) => {
                    let at = self.offset(error.marker().index());
                    self.fields.fault = Some(fault(self.source, at, error.info()));
                    return;
                }
            };
            let span = {
                let (start, end) = (span.start.index(), span.end.index());
                let start = self.offset(start);
                Span::new(start, self.offset(end).max(start))
            };
            n_documents += usize::from(matches!(event, Event::DocumentStart(_)));
            if n_documents > 1 {
                return; // Only the first document is the settings.
            }
            self.event(event, span);
            if self.fields.fault.is_some() {
                return;
            }
        }
    }

    fn event(&mut self, event: Event<'_>, span: Span) {
        match event {
            Event::MappingStart(..) => {
                self.is_mapping |= self.open.is_empty();
                self.begin_value(span, TagsForm::Other);
                self.open.push(true);
                self.n_mappings += 1;
            }
            Event::SequenceStart(anchor, _) => {
                self.anchors.begin(anchor, self.open.len());
                self.has_value |= self.open.is_empty();
                if self.is_top() {
                    let (form, start) = list_form(self.source, span.start);
                    self.begin_value(Span::new(start, span.end.max(start)), form);
                }
                self.open.push(false);
            }
            Event::MappingEnd | Event::SequenceEnd => {
                // The scanner's end of a bracket takes the comment behind it along.
                let is_bracket = self.source[span.start..].starts_with([']', '}']);
                let end = span.start + usize::from(is_bracket);
                if is_bracket {
                    self.last_end = self.last_end.max(end);
                }
                if let Some(true) = self.open.pop() {
                    self.n_mappings -= 1;
                }
                let depth = self.open.len();
                self.anchors.end(depth);
                if self.open.len() == 1 {
                    self.end_value(Span::new(span.start, end));
                }
            }
            Event::Scalar(text, style, anchor, _) => {
                self.anchors.scalar(anchor, &text);
                self.scalar(&text, style, span);
            }
            Event::Alias(anchor) => self.alias(anchor, span),
            _ => {}
        }
    }

    /// What an object begins with if it is no settings: braces in braces, or no key at all.
    fn refuse_first_key(&mut self, span: Span) {
        if self.is_object && self.fields.fields.is_empty() {
            let what = "braces begin with a key; write one, or an empty line above if this is text";
            self.fields.fault = Some(fault(self.source, span.start, what));
        }
    }

    /// Whether the reader stands directly in the top-level mapping.
    fn is_top(&self) -> bool {
        self.open.len() == 1 && self.open[0]
    }

    /// What an alias stands for is read where it stands; nothing is written there.
    fn alias(&mut self, anchor: usize, span: Span) {
        let is_top = self.is_top();
        if is_top {
            self.begin_value(span, TagsForm::Other);
        }
        self.last_end = self.last_end.max(span.end);
        let is_listed = self.n_mappings == 1 && self.open.first() == Some(&true);
        if let Some(field) = self.fields.fields.last_mut().filter(|_| is_listed) {
            let Some(texts) = self.anchors.texts(anchor) else {
                let what = "its aliases stand for too much; write less by alias (`*`)";
                self.fields.fault = Some(fault(self.source, span.start, what));
                return;
            };
            field.scalars.extend(texts.iter().map(|text| Scalar {
                text: text.clone(),
                span,
                is_null: text.is_empty(),
            }));
        }
        if is_top {
            self.end_value(span);
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, span: Span) {
        let is_null =
            style == ScalarStyle::Plain && matches!(text, "" | "~" | "null" | "Null" | "NULL");
        self.has_value |= self.open.is_empty() && !is_null;
        if self.is_top() && self.key.is_none() {
            self.key = Some((text.to_owned(), span.end));
            if is_null && text.is_empty() {
                self.refuse_first_key(span);
            }
            return;
        }
        // The scanner's end of a quoted string takes the comment behind it along.
        let span = match style {
            ScalarStyle::DoubleQuoted | ScalarStyle::SingleQuoted => quoted(self.source, span),
            _ => span,
        };
        // A null's span may begin anywhere after the key: it is put right behind the colon.
        let span = match &self.key {
            Some((_, end)) if is_null && text.is_empty() && self.is_top() => self.behind(*end),
            _ => span,
        };
        if !text.is_empty() {
            self.last_end = self.last_end.max(span.end);
        }
        let scalar = Scalar {
            text: text.replace(FILLER, ""),
            span,
            is_null,
        };
        if self.is_top() {
            self.begin_value(span, TagsForm::Scalar);
            self.fields.fields.last_mut().into_iter().for_each(|field| {
                field.scalars.push(scalar.clone());
            });
            self.end_value(span);
        } else if self.n_mappings == 1
            && self.open.first() == Some(&true)
            && let Some(field) = self.fields.fields.last_mut()
        {
            field.scalars.push(scalar);
        }
    }

    fn behind(&self, key_end: usize) -> Span {
        let rest = self.source[key_end..].trim_start();
        let at = match rest.strip_prefix(':') {
            Some(rest) => self.source.len() - rest.len(),
            None => key_end,
        };
        let at = at.min(self.base + self.text.len());
        Span::new(at, at)
    }

    fn begin_value(&mut self, span: Span, form: TagsForm) {
        if self.is_top() {
            if self.key.is_none() {
                self.refuse_first_key(span);
            }
            let key = match &self.key {
                Some((key, _)) => key.clone(),
                // A list or mapping as a key: a nameless field takes its value.
                None => String::new(),
            };
            self.fields.fields.push(Field {
                key,
                form,
                span,
                scalars: Vec::new(),
            });
        }
    }

    fn end_value(&mut self, span: Span) {
        if !self.is_top() {
            return;
        }
        if self.key.take().is_none() {
            self.key = Some((String::new(), span.end)); // It was the key; its value comes next.
        }
        if let Some(field) = self.fields.fields.last_mut() {
            let content = Span::new(self.base, self.base + self.text.len());
            field.span = match field.form {
                TagsForm::Block => {
                    let items = Span::new(field.span.start, self.last_end.max(field.span.start));
                    block_extent(self.source, content, items)
                }
                _ => Span::new(field.span.start, span.end.max(field.span.start)),
            };
        }
    }

    fn offset(&self, idx: usize) -> usize {
        let at = match &self.chars {
            Some(chars) => chars.get(idx).copied().unwrap_or(self.text.len()),
            None => idx.min(self.text.len()),
        };
        self.base + at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_bytes_though_markers_count_characters() {
        let source =
            "---\r\ntitre: Crème\r\ntitle: \"Été\"\r\ntags:\r\n  - brûlée\r\n  - 2024\r\n---\r\n";
        let content = Span::new(5, source.len() - 5);
        let fields = read(source, content).unwrap().fields;
        let written: Vec<(&str, Vec<&str>)> = fields
            .iter()
            .map(|f| {
                let scalars = f.scalars.iter().map(|s| &source[s.span.range()]);
                (&source[f.span.range()], scalars.collect())
            })
            .collect();
        assert_eq!(
            written,
            [
                ("Crème", vec!["Crème"]),
                ("\"Été\"", vec!["\"Été\""]),
                ("- brûlée\r\n  - 2024", vec!["brûlée", "2024"]),
            ]
        );
    }

    #[test]
    fn a_deep_nest_is_no_stack() {
        let source = "a: ".to_owned() + &"[".repeat(100_000);
        assert!(
            read(&source, Span::new(0, source.len()))
                .unwrap()
                .fault
                .is_some()
        );
    }

    #[test]
    fn a_few_lines_of_aliases_cannot_fill_the_memory() {
        let read = |source: &str| read(source, Span::new(0, source.len())).unwrap();
        let items = |n: usize| {
            (0..n)
                .map(|n| format!("t{n}"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let bomb = |n_items: usize, n_aliases: usize| {
            let aliases = vec!["*b"; n_aliases].join(", ");
            read(&format!("base: &b [{}]\nx: [{aliases}]\n", items(n_items)))
        };
        let fault = bomb(10_000, 10_000).fault.unwrap();
        assert!(
            fault.starts_with("line 2: its aliases stand for"),
            "{fault}"
        );
        let used = bomb(1_000, 5);
        assert_eq!((used.fields[1].scalars.len(), used.fault), (5_000, None));
        let (open, close): (String, String) = (
            (0..200).map(|n| format!("&a{n} [")).collect(),
            "]".repeat(200),
        );
        let nested = read(&format!("x: {open}{}{close}\ny: *a199\n", items(9_000)));
        assert_eq!(nested.fields[1].scalars.len(), 9_000);
    }

    #[test]
    fn a_long_line_of_lists_and_nulls_is_no_burden() {
        let n = 100_000;
        let source = format!("{{{}}}\n]\n", "a: [], b, ".repeat(n)) + &"]\n".repeat(n);
        assert!(read(&source, Span::new(0, source.len())).is_some());
    }
}
