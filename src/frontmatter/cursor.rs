//! Where in a document a tag is being written: text and cursor in, the word to complete out.
//!
//! Reads lines, not YAML: what is being typed is seldom whole. Only what stands before the cursor
//! decides, so a half-written list or an unclosed fence does not matter.
//! Invariant: the word's bytes are on the cursor's line, around the cursor.
//! Length: a third of it are tests, one a form that people write tags in.

use super::scalar::yaml;
use super::{Syntax, TagKeys};
use crate::document::{Format, Span};

/// A tag that is being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagCursor {
    /// The bytes of the word so far; a chosen tag replaces them.
    pub span: Span,
    /// What of the word stands before the cursor.
    pub prefix: String,
    place: Place,
    /// Goes before a chosen tag, where the list is only begun.
    lead: &'static str,
}

/// How the word is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// YAML between brackets or commas.
    Flow,
    /// YAML, a line of its own or after the key.
    Plain,
    /// Between quotes that stand there already.
    Quoted,
    /// TOML or JSON, quotes needed.
    String,
    /// Between colons.
    Org { closed: bool },
    /// `#tag` in the text.
    Body,
}

impl TagCursor {
    /// The tag as it is written here, or `None` where it cannot be.
    pub fn written(&self, tag: &str) -> Option<String> {
        let word = match self.place {
            Place::Flow => yaml(tag, true),
            Place::Plain => yaml(tag, false),
            Place::Quoted if tag.contains(['"', '\'', '\\']) => return None,
            Place::Quoted => tag.to_owned(),
            Place::String => serde_json::Value::from(tag).to_string(),
            Place::Org { closed } => {
                let end = if closed { "" } else { ":" };
                format!("{}{end}", tag.replace(['-', ' '], "_"))
            }
            Place::Body => {
                let tag = tag.replace(' ', "-");
                let fits = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '/');
                if !tag.chars().all(fits) || tag.chars().all(|c| c.is_ascii_digit()) {
                    return None;
                }
                format!("#{tag}")
            }
        };
        Some(format!("{}{word}", self.lead))
    }

    /// Whether the word stands in the text and not in the document's settings.
    pub fn is_in_body(&self) -> bool {
        self.place == Place::Body
    }
}

/// The tag that is being written at byte `at`, if one is.
pub fn tag_at_cursor(source: &str, format: Format, at: usize) -> Option<TagCursor> {
    let before = source.get(..at)?;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = Line {
        before: &before[start..],
        after: source[at..].split(['\n', '\r']).next().unwrap_or_default(),
        at,
    };
    let keys = TagKeys::in_force();
    match format {
        Format::Org => line.org(&keys),
        Format::Latex => None,
        _ => match head(source, start) {
            Some(Syntax::Toml) => line.toml(&source[..start], &keys),
            Some(_) => line.yaml(&source[..start], &keys),
            None if format == Format::Markdown => line.body(&source[..start]),
            None => None,
        },
    }
}

/// The language of the settings that the line at byte `line` stands in.
fn head(source: &str, line: usize) -> Option<Syntax> {
    let text = source.trim_start_matches('\u{feff}');
    let mut begin = source.len() - text.len();
    let (mut syntax, mut fence) = (None, "");
    for (number, row) in text.split_inclusive('\n').enumerate() {
        let word = row.trim_end();
        match (number, word) {
            (0, "---") => (syntax, fence) = (Some(Syntax::Yaml), "---"),
            (0, "+++") => (syntax, fence) = (Some(Syntax::Toml), "+++"),
            (0, _) => return None,
            _ if begin >= line => return syntax,
            _ if word == fence || (word == "..." && fence == "---") => return None,
            _ => {}
        }
        begin += row.len();
    }
    syntax.filter(|_| line > 0 && source[..line].ends_with('\n'))
}

/// A key at the start of a line that opens a value with tags.
fn tag_key<'a>(line: &'a str, separator: char, keys: &TagKeys) -> Option<&'a str> {
    let (key, value) = line.split_once(separator)?;
    let key = key.trim_end().trim_matches(['"', '\'']);
    let is_key = !key.is_empty() && !line.starts_with([' ', '\t', '-', '#']);
    (is_key && keys.contains(key)).then_some(value)
}

struct Line<'a> {
    before: &'a str,
    after: &'a str,
    at: usize,
}

impl Line<'_> {
    /// The word around the cursor: from `start` bytes before it to the first of `ends` after it.
    fn word(&self, start: usize, ends: &[char], place: Place) -> TagCursor {
        let prefix = &self.before[self.before.len() - start..];
        let tail = self.after.split(ends).next().unwrap_or_default();
        let tail = if prefix.is_empty() && tail.starts_with(' ') {
            ""
        } else {
            tail.trim_end()
        };
        TagCursor {
            span: Span::new(self.at - start, self.at + tail.len()),
            prefix: prefix.to_owned(),
            place,
            lead: "",
        }
    }

    fn yaml(&self, above: &str, keys: &TagKeys) -> Option<TagCursor> {
        if let Some(value) = tag_key(self.before, ':', keys) {
            return self.yaml_value(value, keys.split_spaces);
        }
        let is_below = self.before.starts_with([' ', '\t', '-']) || self.before.is_empty();
        if !is_below {
            return None;
        }
        // The nearest line above that is not part of a value decides.
        let is_part =
            |row: &&str| row.trim().is_empty() || row.starts_with([' ', '\t', '-', ']', '#']);
        let mut value: Vec<&str> = Vec::new();
        let key = above.lines().rev().find(|row| {
            let part = is_part(row);
            if part {
                value.push(row);
            }
            !part
        })?;
        let opened = tag_key(key, ':', keys)?;
        let so_far: String = std::iter::once(opened)
            .chain(value.into_iter().rev())
            .chain([self.before])
            .collect::<Vec<_>>()
            .join("\n");
        if opened.trim_start().starts_with('[') {
            let is_open = !so_far.contains(']');
            return is_open.then(|| self.flow(self.before));
        }
        let item = self.before.trim_start();
        if !opened.trim().is_empty() && !opened.trim_start().starts_with('#') {
            return None; // A string that goes on is nobody's list.
        }
        match item.strip_prefix('-') {
            Some(word) => {
                let gap = if word.is_empty() { " " } else { "" };
                let mut cursor = self.scalar(word.trim_start(), &[]);
                cursor.lead = gap;
                Some(cursor)
            }
            None if item.is_empty() => {
                let mut cursor = self.word(0, &[], Place::Plain);
                cursor.span = Span::new(self.at, self.at);
                cursor.lead = if self.before.is_empty() { "  - " } else { "- " };
                self.after.trim().is_empty().then_some(cursor)
            }
            None => None,
        }
    }

    /// What stands after `tags:`.
    fn yaml_value(&self, value: &str, split_spaces: bool) -> Option<TagCursor> {
        let trimmed = value.trim_start();
        if let Some(list) = trimmed.strip_prefix('[') {
            return (!list.contains(']')).then(|| self.flow(list));
        }
        let mut cursor = match trimmed.rsplit_once(',') {
            Some((_, word)) => self.scalar(word.trim_start(), &[',']),
            None if split_spaces => {
                let word = trimmed.rsplit([' ', '"', '\'']).next().unwrap_or_default();
                self.word(word.len(), &[' ', ',', '"', '\''], Place::Plain)
            }
            None => self.scalar(trimmed, &[',']),
        };
        if value.is_empty() {
            cursor.lead = " ";
        }
        Some(cursor)
    }

    fn flow(&self, list: &str) -> TagCursor {
        let word = list
            .rsplit(['[', ','])
            .next()
            .unwrap_or_default()
            .trim_start();
        self.scalar_in(word, &[',', ']'], Place::Flow)
    }

    fn scalar(&self, word: &str, ends: &[char]) -> TagCursor {
        self.scalar_in(word, ends, Place::Plain)
    }

    fn scalar_in(&self, word: &str, ends: &[char], place: Place) -> TagCursor {
        match word.chars().next() {
            Some(quote @ ('"' | '\'')) => self.word(word.len() - 1, &[quote], Place::Quoted),
            _ => self.word(word.len(), &[ends, &[' ', '#'][..0]].concat(), place),
        }
    }

    fn toml(&self, above: &str, keys: &TagKeys) -> Option<TagCursor> {
        let so_far = match tag_key(self.before, '=', keys) {
            Some(value) => value.to_owned(),
            None => {
                let begin = above.rfind(['=']).and_then(|at| {
                    let line = above[..at].rfind('\n').map_or(0, |newline| newline + 1);
                    tag_key(above[line..].split('\n').next()?, '=', keys)?;
                    Some(at + 1)
                })?;
                format!("{}{}", &above[begin..], self.before)
            }
        };
        let list = so_far.trim_start().strip_prefix('[')?;
        let quotes = list.matches('"').count();
        if quotes % 2 == 1 {
            let word = list.rsplit('"').next().unwrap_or_default();
            return Some(self.word(word.len(), &['"'], Place::Quoted));
        }
        if list.contains(']') {
            return None;
        }
        let word = list
            .rsplit([',', '\n', '['])
            .next()
            .unwrap_or_default()
            .trim_start();
        (!word.ends_with('"')).then(|| self.word(word.len(), &[',', ']'], Place::String))
    }

    fn org(&self, keys: &TagKeys) -> Option<TagCursor> {
        let (keyword, value) = self.before.strip_prefix("#+")?.split_once(':')?;
        if !keys.contains(keyword) {
            return None;
        }
        let word = value.rsplit([':', ' ', '\t']).next().unwrap_or_default();
        let closed = self
            .after
            .trim_start_matches(|c: char| !matches!(c, ':' | ' '))
            .starts_with(':');
        let mut cursor = self.word(word.len(), &[':', ' '], Place::Org { closed });
        if value.trim().is_empty() || !value.contains(':') && word == value.trim() {
            cursor.lead = match value {
                "" => " :",
                _ => ":",
            };
        }
        Some(cursor)
    }

    fn body(&self, above: &str) -> Option<TagCursor> {
        let hash = self.before.rfind('#')?;
        let word = &self.before[hash + 1..];
        let fits = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '/');
        let stands_alone = self.before[..hash]
            .chars()
            .next_back()
            .is_none_or(|c| c.is_whitespace() || matches!(c, '(' | '[' | ','));
        // A `#` that begins a line may become a heading; with a letter it is a tag.
        let is_heading = hash == 0 && word.is_empty();
        let fences = above.lines().filter(|row| {
            let row = row.trim_start();
            row.starts_with("```") || row.starts_with("~~~")
        });
        let in_code = fences.count() % 2 == 1 || self.before.matches('`').count() % 2 == 1;
        if !word.chars().all(fits) || !stands_alone || is_heading || in_code {
            return None;
        }
        let end = self.after.find(|c| !fits(c)).unwrap_or(self.after.len());
        Some(TagCursor {
            span: Span::new(self.at - word.len() - 1, self.at + end),
            prefix: word.to_owned(),
            place: Place::Body,
            lead: "",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The source with `|` for the cursor, and what it becomes when `new-tag` is chosen.
    #[track_caller]
    fn check(format: Format, marked: &str, becomes: Option<&str>) {
        let at = marked.find('|').unwrap();
        let source = marked.replacen('|', "", 1);
        let chosen = tag_at_cursor(&source, format, at).map(|cursor| {
            let mut after = source.clone();
            after.replace_range(cursor.span.range(), &cursor.written("new-tag").unwrap());
            after
        });
        assert_eq!(chosen.as_deref(), becomes, "{marked:?}");
    }

    #[test]
    fn every_form_of_a_yaml_value_is_completed() {
        for (marked, becomes) in [
            ("---\ntags: [|]\n---\n", "---\ntags: [new-tag]\n---\n"),
            (
                "---\ntags: [a, ne|]\n---\n",
                "---\ntags: [a, new-tag]\n---\n",
            ),
            (
                "---\ntags: [a, n|e, b]\n---\n",
                "---\ntags: [a, new-tag, b]\n---\n",
            ),
            (
                "---\ntags: [\"n|\"]\n---\n",
                "---\ntags: [\"new-tag\"]\n---\n",
            ),
            (
                "---\ntags: [a,\n  n|\n]\n---\n",
                "---\ntags: [a,\n  new-tag\n]\n---\n",
            ),
            ("---\ntags: [a, n|", "---\ntags: [a, new-tag"),
            ("---\ntags:|\n---\n", "---\ntags: new-tag\n---\n"),
            ("---\ntags: n|\n---\n", "---\ntags: new-tag\n---\n"),
            ("---\ntags: a, n|\n---\n", "---\ntags: a, new-tag\n---\n"),
            (
                "---\ntitle: x\ntags:\n  - a\n  - n|\n---\n",
                "---\ntitle: x\ntags:\n  - a\n  - new-tag\n---\n",
            ),
            ("---\ntags:\n- n|\n---\n", "---\ntags:\n- new-tag\n---\n"),
            ("---\ntags:\n  -|\n---\n", "---\ntags:\n  - new-tag\n---\n"),
            ("---\ntags:\n  |\n---\n", "---\ntags:\n  - new-tag\n---\n"),
            (
                "---\r\ntags: [n|]\r\n---\r\n",
                "---\r\ntags: [new-tag]\r\n---\r\n",
            ),
        ] {
            check(Format::Markdown, marked, Some(becomes));
        }
    }

    #[test]
    fn outside_of_tags_nothing_is_completed() {
        for marked in [
            "---\ntitle: n|\n---\n",
            "---\ntags: [a]|\n---\n",
            "---\ntitle: x\nlist:\n  - n|\n---\n",
            "---\ntags: [a]\n---\nplain n|\n",
            "---\ntags: [a]\n---\n|",
            "# n|\n",
            "#|\n",
            "a `#n|`\n",
            "```\n#n|\n```\n",
            "http://x/y#n|\n",
            "tags: [n|]\n",
        ] {
            check(Format::Markdown, marked, None);
        }
        check(Format::Plain, "#n|", None);
    }

    #[test]
    fn toml_org_and_the_text_are_completed_in_their_own_way() {
        check(
            Format::Markdown,
            "+++\ntags = [\"a\", \"n|\"]\n+++\n",
            Some("+++\ntags = [\"a\", \"new-tag\"]\n+++\n"),
        );
        check(
            Format::Markdown,
            "+++\ntags = [|]\n+++\n",
            Some("+++\ntags = [\"new-tag\"]\n+++\n"),
        );
        check(
            Format::Markdown,
            "+++\ntags = [\n  \"a\",\n  n|\n]\n+++\n",
            Some("+++\ntags = [\n  \"a\",\n  \"new-tag\"\n]\n+++\n"),
        );
        check(Format::Markdown, "+++\ntitle = \"n|\"\n+++\n", None);
        check(
            Format::Org,
            "#+FILETAGS: :a:n|:\n",
            Some("#+FILETAGS: :a:new_tag:\n"),
        );
        check(
            Format::Org,
            "#+filetags: :a:|\n",
            Some("#+filetags: :a:new_tag:\n"),
        );
        check(
            Format::Org,
            "#+FILETAGS:|\n",
            Some("#+FILETAGS: :new_tag:\n"),
        );
        check(Format::Org, "#+TITLE: n|\n", None);
        check(
            Format::Markdown,
            "Text #n|e and\n",
            Some("Text #new-tag and\n"),
        );
        check(Format::Markdown, "#n|\n", Some("#new-tag\n"));
        check(Format::Markdown, "A list: #|\n", Some("A list: #new-tag\n"));
    }

    #[test]
    fn what_cannot_stand_there_is_not_offered() {
        let at = |source: &str| tag_at_cursor(source, Format::Markdown, source.len()).unwrap();
        assert_eq!(at("text #n").written("C++"), None);
        assert_eq!(
            at("text #n").written("machine learning").as_deref(),
            Some("#machine-learning")
        );
        assert_eq!(
            at("---\ntags: [n").written("2024").as_deref(),
            Some("\"2024\"")
        );
        assert_eq!(at("---\ntags: [\"n").written("a\"b"), None);
    }

    #[test]
    fn no_cursor_is_too_strange() {
        let source = "\u{feff}---\ntags: [é, \"🌱\n  - x:\n#a\n---\n#é🌱 ```\n";
        for format in [Format::Markdown, Format::Org, Format::Plain] {
            for at in 0..=source.len() + 1 {
                if let Some(cursor) = tag_at_cursor(source, format, at) {
                    assert!(source.get(cursor.span.range()).is_some());
                }
            }
        }
    }
}
