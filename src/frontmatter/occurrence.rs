//! Every tag of a document where it stands: text in, names with the bytes of each out.
//!
//! Invariant: occurrences are in source order and do not overlap; each knows which list it is an
//! item of, so that it can be taken out without a hole. Reads only.

use super::{FrontMatter, Syntax, TagsForm, TagsValue, Value, read};
use crate::document::{Document, Format, Span, body_tags};

/// How a tag is written, which decides how another one is written in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A whole string or number: in brackets, on a line with a dash, or after the key.
    Flow,
    Block,
    Alone,
    /// A part of a string: between commas, or `#a #b`.
    Comma,
    Spaced,
    /// A part of a string whose bytes are not those of the tag.
    Opaque,
    /// Between colons or spaces: an Org keyword, an Org headline.
    Colons,
    Headline,
    /// `#tag` in the text.
    Body,
}

/// A tag where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Occurrence {
    pub(super) name: String,
    /// The bytes of the name; with quotes where it is written with escapes.
    pub(super) word: Span,
    /// The same with its quotes and its `#`.
    pub(super) item: Span,
    pub(super) kind: Kind,
    /// Which of the document's lists it is an item of.
    pub(super) list: usize,
    pub(super) syntax: Syntax,
}

impl Occurrence {
    /// It stands in the text or on a headline, and not in the settings.
    pub(super) fn is_in_text(&self) -> bool {
        matches!(self.kind, Kind::Body | Kind::Headline)
    }
}

/// The tags of a document in order, with their bytes: without quotes and `#`, where these are
/// not part of the name's spelling. A tag that stands there twice is there twice.
pub fn occurrences(source: &str, format: Format) -> Vec<(String, Span)> {
    let found = all(source, format).into_iter();
    found.map(|found| (found.name, found.word)).collect()
}

pub(super) fn all(source: &str, format: Format) -> Vec<Occurrence> {
    let mut found = match read(source, format) {
        Some(front_matter) => settings(source, &front_matter),
        None => Vec::new(),
    };
    let mut list = found.last().map_or(0, |last| last.list + 1);
    let document = Document::parse(format, source);
    let mut body = body_tags(&document);
    body.sort_by_key(|(_, span)| *span);
    body.dedup();
    let mut before = None;
    for (name, item) in body {
        let (kind, skip) = match source[item.range()].starts_with('#') {
            true => (Kind::Body, 1),
            false => (Kind::Headline, 0),
        };
        // The tags of one headline are a list.
        let is_next =
            before.is_some_and(|end: usize| source[end..item.start].trim_matches(':').is_empty());
        list += usize::from(!is_next || kind == Kind::Body);
        before = Some(item.end);
        found.push(Occurrence {
            name,
            word: Span::new(item.start + skip, item.end),
            item,
            kind,
            list,
            syntax: Syntax::Org,
        });
    }
    found
}

pub(super) fn settings(source: &str, front_matter: &FrontMatter) -> Vec<Occurrence> {
    let mut found = Vec::new();
    for (list, value) in front_matter.tag_values.iter().enumerate() {
        // The tags of one string have its span.
        for tags in value.items.chunk_by(|a, b| a.span == b.span) {
            let scalar = Scalar::new(source, front_matter.syntax, value, tags[0].span);
            found.extend(scalar.tags(tags, list));
        }
    }
    found.sort_by_key(|found| found.item);
    found
}

/// One string or number, as written.
struct Scalar<'a> {
    source: &'a str,
    syntax: Syntax,
    whole: Span,
    /// Without its quotes.
    content: Span,
    kind: Kind,
}

impl<'a> Scalar<'a> {
    fn new(source: &'a str, syntax: Syntax, value: &TagsValue, whole: Span) -> Scalar<'a> {
        let written = &source[whole.range()];
        let is_quoted = syntax != Syntax::Org
            && written.len() > 1
            && ['"', '\'']
                .iter()
                .any(|q| written.starts_with(*q) && written.ends_with(*q));
        let content = match is_quoted {
            true => Span::new(whole.start + 1, whole.end - 1),
            false => whole,
        };
        let text = &source[content.range()];
        let kind = match value.form {
            // What an alias stands for is written elsewhere.
            _ if syntax == Syntax::Yaml && written.starts_with('*') => Kind::Opaque,
            TagsForm::Other => Kind::Opaque,
            TagsForm::Org => Kind::Colons,
            TagsForm::Flow => Kind::Flow,
            TagsForm::Block => Kind::Block,
            _ if text.contains(',') => Kind::Comma,
            _ if value.is_spaced => Kind::Spaced,
            _ => Kind::Alone,
        };
        Scalar {
            source,
            syntax,
            whole,
            content,
            kind,
        }
    }

    /// Where the tags of this scalar stand in it.
    fn tags(&self, tags: &[Value], list: usize) -> Vec<Occurrence> {
        let parts = match self.kind {
            Kind::Colons => self.parts(|c| matches!(c, ':' | ' ' | '\t')),
            Kind::Comma => self.parts(|c| c == ','),
            Kind::Spaced => self.parts(char::is_whitespace),
            _ => self.parts(|_| false),
        };
        let names = parts.iter().map(|(word, _)| &self.source[word.range()]);
        let is_plain = names.eq(tags.iter().map(|tag| tag.text.as_str()));
        let is_whole = matches!(self.kind, Kind::Flow | Kind::Block | Kind::Alone);
        let places: Vec<(Span, Span)> = match (is_plain, is_whole) {
            (true, true) => parts.iter().map(|(word, _)| (*word, self.whole)).collect(),
            (true, false) => parts,
            (false, _) => vec![(self.whole, self.whole); tags.len()],
        };
        let kind = match is_plain || is_whole {
            true => self.kind,
            false => Kind::Opaque,
        };
        let tags = tags.iter().zip(places);
        tags.map(|(tag, (word, item))| Occurrence {
            name: tag.text.clone(),
            word,
            item,
            kind,
            list,
            syntax: self.syntax,
        })
        .collect()
    }

    /// The parts between separators: each name's bytes, without and with what is before it.
    fn parts(&self, is_separator: impl Fn(char) -> bool) -> Vec<(Span, Span)> {
        let mut at = self.content.start;
        let mut parts = Vec::new();
        for part in self.source[self.content.range()].split(is_separator) {
            let item = Span::new(at, at + part.len()).trimmed(self.source);
            let written = &self.source[item.range()];
            let hashes = written.len() - written.trim_start_matches('#').len();
            let word = Span::new(item.start + hashes, item.end).trimmed(self.source);
            if !word.is_empty() {
                parts.push((word, item));
            }
            // Every separator is one byte, but for white space of other scripts.
            at += part.len();
            at += self.source[at..self.content.end]
                .chars()
                .next()
                .map_or(0, char::len_utf8);
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(format: Format, source: &str, expected: &[&str]) {
        let found = occurrences(source, format);
        let shown: Vec<String> = found
            .iter()
            .map(|(name, span)| match &source[span.range()] {
                written if written == name => name.clone(),
                written => format!("{name} as {written}"),
            })
            .collect();
        assert_eq!(shown, expected, "{source:?}");
        assert!(found.windows(2).all(|two| two[0].1.end <= two[1].1.start));
    }

    #[test]
    fn each_tag_has_its_own_bytes() {
        for (source, expected) in [
            (
                "---\ntags: [a, \"b c\", 'd']\n---\n#e x #f/g.\n",
                &["a", "b c", "d", "e", "f/g"][..],
            ),
            ("---\ntags: a, ab, a b\n---\n", &["a", "ab", "a b"]),
            ("---\ntags: \"#a #b\"\n---\n", &["a", "b"]),
            (
                "---\ntags:\n- a # c\n- 'b'\ntag: c\n---\n#a\n",
                &["a", "b", "c", "a"],
            ),
            ("---\ntags: [\"\\u0061\"]\n---\n", &["a as \"\\u0061\""]),
            ("---\ntags: [\"#a\"]\n---\n", &["a"]),
            ("+++\ntags = ['a', \"b\", 2024]\n+++\n", &["a", "b", "2024"]),
            ("{\"tags\": \"a,b\"}\n\nx", &["a", "b"]),
            ("\u{feff}---\r\ntags: é,🌱\r\n---\r\n", &["é", "🌱"]),
            ("---\ntags: [a\n---\n#b\n", &["b"]),
            ("", &[]),
        ] {
            check(Format::Markdown, source, expected);
        }
        let org = "#+FILETAGS: :a:b:\n#+filetags: c\n* Head :d:e:\nText #no\n* Next :f:\n";
        check(Format::Org, org, &["a", "b", "c", "d", "e", "f"]);
    }

    #[test]
    fn only_the_tags_of_one_headline_are_one_list() {
        let lists = |source: &str| -> Vec<usize> {
            let found = all(source, Format::Org).into_iter();
            found.map(|found| found.list).collect()
        };
        assert_eq!(lists("* A :a:b:\n* B :c:\n"), [1, 1, 2]);
    }
}
