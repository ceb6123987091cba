//! YAML and JSON settings to fields, by `saphyr-parser`'s events.
//!
//! Lists in lists are read flat, since `tags: [[a]]` is what an unquoted wiki link becomes;
//! mappings inside are passed over. Keeps what was read before a fault.

mod joined;

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::TagsForm;
use super::fields::{Field, Fields, Scalar, fault};
use crate::document::Span;
use joined::{FILLER, with_brackets_joined, with_pairs_joined};

/// `None` where the text between the fences is no mapping: then the fences were rules.
pub(super) fn read(source: &str, content: Span) -> Option<Fields> {
    let text = &source[content.range()];
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

fn looks_like_a_key(line: &str) -> bool {
    line.split_once(':').is_some_and(|(key, value)| {
        let is_word = |c: char| c.is_alphanumeric() || "_- \"'".contains(c);
        !key.is_empty()
            && key.len() < 40
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
    is_mapping: bool,
    /// There is something that is neither null nor a mapping.
    has_value: bool,
    /// Open lists and mappings, true for a mapping.
    open: Vec<bool>,
    /// How many of `open` are mappings.
    n_mappings: usize,
    key: Option<(String, usize)>,
    /// The strings that an anchor stands for, as far as they were read.
    anchors: BTreeMap<usize, Vec<String>>,
    /// Anchored lists that are open: the anchor, and how many values are open around it.
    anchored: Vec<(usize, usize)>,
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
            is_mapping: false,
            has_value: false,
            open: Vec::new(),
            n_mappings: 0,
            key: None,
            anchors: BTreeMap::new(),
            anchored: Vec::new(),
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
                if anchor > 0 {
                    self.anchored.push((anchor, self.open.len()));
                }
                self.has_value |= self.open.is_empty();
                // The bracket may be the first item of a block list.
                let (before, rest) = self.source.split_at(span.start);
                let head = before.rsplit('\n').next().unwrap_or_default();
                let is_flow = rest.starts_with('[') && !head.trim_start().starts_with("- ");
                let form = if is_flow {
                    TagsForm::Flow
                } else {
                    TagsForm::Block
                };
                self.begin_value(span, form);
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
                self.anchored.pop_if(|(_, around)| *around == depth);
                if self.open.len() == 1 {
                    self.end_value(Span::new(span.start, end));
                }
            }
            Event::Scalar(text, style, anchor, _) => {
                let open = self.anchored.iter().map(|(anchor, _)| *anchor);
                for anchor in open.chain((anchor > 0).then_some(anchor)) {
                    self.anchors
                        .entry(anchor)
                        .or_default()
                        .push(text.to_string());
                }
                self.scalar(&text, style, span);
            }
            Event::Alias(anchor) => self.alias(anchor, span),
            _ => {}
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
            let texts = self.anchors.get(&anchor).into_iter().flatten();
            field.scalars.extend(texts.map(|text| Scalar {
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
        let colon = self.source[key_end..].find(':').map_or(0, |at| at + 1);
        let at = (key_end + colon).min(self.base + self.text.len());
        Span::new(at, at)
    }

    fn begin_value(&mut self, span: Span, form: TagsForm) {
        if self.is_top() {
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

/// From the opening quote of a string to its closing one.
fn quoted(source: &str, span: Span) -> Span {
    let mut chars = source[span.range()].char_indices().peekable();
    let Some((_, quote @ ('"' | '\''))) = chars.next() else {
        return span;
    };
    while let Some((at, c)) = chars.next() {
        let is_doubled = |next: Option<&(usize, char)>| next.is_some_and(|(_, c)| *c == quote);
        match c {
            '\\' if quote == '"' => drop(chars.next()),
            '\'' if quote == '\'' && is_doubled(chars.peek()) => drop(chars.next()),
            _ if c == quote => return Span::new(span.start, span.start + at + 1),
            _ => {}
        }
    }
    span
}

/// From the dash of the first item to the end of the last: the scanner's list begins behind the
/// dash where the list is not indented, and it knows no place for empty items.
fn block_extent(source: &str, content: Span, items: Span) -> Span {
    let is_empty_item = |line: &str| line.trim() == "-";
    let mut start = items.start;
    let mut lines = source[content.start..start].split('\n').rev();
    let head = lines.next().unwrap_or_default();
    if head.trim_start().starts_with('-') {
        start -= head.trim_start().len();
    }
    let mut line_start = items.start - head.len();
    for line in lines.take_while(|line| is_empty_item(line)) {
        line_start -= line.len() + 1;
        start = line_start + (line.len() - line.trim_start().len());
    }
    // A lone empty item has no bytes of its own but its dash.
    let is_bare = items.is_empty() && source[start..].starts_with('-');
    let mut end = items.end.max(start + usize::from(is_bare));
    let mut at = end;
    for (idx, line) in source[end..content.end].split_inclusive('\n').enumerate() {
        at += line.len();
        match idx {
            0 => {} // The rest of the last item's line is a comment at most.
            _ if is_empty_item(line) => end = at - line.len() + line.trim_end().len(),
            _ => break,
        }
    }
    Span::new(start, end)
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
}
