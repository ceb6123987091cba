//! Where in a document a tag is being written: text and cursor in, the word to complete out.
//!
//! Reads lines, not YAML: what is being typed is seldom whole. Only what stands before the cursor
//! decides, so a half-written list or an unclosed fence does not matter.
//! Invariant: the word's bytes are on the cursor's line, around the cursor.

use super::scalar::yaml;
use super::{Syntax, TagKeys};
use crate::document::{Format, Span, hashtag_name, is_tag_char, may_precede_hashtag};

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
    /// A part of a YAML string with several tags, where quotes would be part of the tag.
    Part { spaced: bool },
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
            Place::Part { spaced } if yaml(tag, true) != tag || (spaced && tag.contains(' ')) => {
                return None;
            }
            Place::Part { .. } => tag.to_owned(),
            Place::Quoted if tag.contains(['"', '\'', '\\']) => return None,
            Place::Quoted => tag.to_owned(),
            Place::String => serde_json::Value::from(tag).to_string(),
            Place::Org { closed } => {
                let end = if closed { "" } else { ":" };
                format!("{}{end}", tag.replace(['-', ' '], "_"))
            }
            Place::Body => {
                let tag = tag.replace(' ', "-");
                if hashtag_name(&tag) != tag {
                    return None; // It would be read as another tag, or as none.
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
            Some(_) => {
                let cursor = line.yaml(&source[..start], &keys);
                cursor.filter(|cursor| !line.meets_comment(cursor))
            }
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

/// The part of a YAML line that is no comment, from a place on that is in none.
fn uncommented(rest: &str) -> &str {
    let mut gap = false;
    let comment = rest.find(|c: char| {
        let begins = gap && c == '#';
        gap = c.is_whitespace();
        begins
    });
    &rest[..comment.unwrap_or(rest.len())]
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
        let after = match place {
            Place::Flow | Place::Plain => uncommented(self.after),
            _ => self.after,
        };
        let tail = after.split(ends).next().unwrap_or_default();
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

    /// The word in quotes: to the closing one; where that is not typed yet, as far as a bare word
    /// would go. What opens behind the cursor closes there, so an odd quote is the closing one.
    fn quoted(&self, start: usize, quote: char, ends: &[char]) -> TagCursor {
        if self.after.matches(quote).count() % 2 == 1 {
            return self.word(start, &[quote], Place::Quoted);
        }
        let line = Line {
            after: uncommented(self.after),
            ..*self
        };
        line.word(start, &[ends, &[quote]].concat(), Place::Quoted)
    }

    /// Whether the word is part of a comment, or would be one with the comment behind it.
    fn meets_comment(&self, cursor: &TagCursor) -> bool {
        if cursor.place == Place::Quoted {
            return false;
        }
        let tail = &self.after[..cursor.span.end - self.at];
        let word = format!("{}{tail}", cursor.prefix);
        // A lone `#tag` is typed by somebody who is used to that.
        let is_comment = word.starts_with('#') && word.contains(char::is_whitespace);
        let is_before = self.before.ends_with(char::is_whitespace) && self.after.starts_with('#');
        is_comment || is_before || uncommented(&word).len() < word.len()
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
            return is_open.then(|| self.flow(self.before)).flatten();
        }
        let item = self.before.trim_start();
        if !opened.trim().is_empty() && !opened.trim_start().starts_with('#') {
            return None; // A string that goes on is nobody's list.
        }
        match item.strip_prefix('-') {
            Some(word) => {
                let gap = if word.is_empty() { " " } else { "" };
                let mut cursor = self.scalar(word.trim_start(), &[], Place::Plain)?;
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
            return (!list.contains(']')).then(|| self.flow(list)).flatten();
        }
        let quote = trimmed.chars().next().filter(|c| matches!(c, '"' | '\''));
        let inside = &trimmed[quote.map_or(0, char::len_utf8)..];
        let rest = match quote {
            Some(quote) if inside.contains(quote) => return None, // It is closed.
            Some(quote) if self.after.contains(quote) => {
                self.after.split(quote).next().unwrap_or_default()
            }
            _ => uncommented(self.after),
        };
        let has_comma = inside.contains(',') || rest.contains(',');
        let is_marked = quote.is_some() && inside.starts_with('#');
        let mut cursor = if has_comma || split_spaces || is_marked {
            let spaced = !has_comma;
            let separator = if spaced { ' ' } else { ',' };
            let word = inside.rsplit(separator).next().unwrap_or_default();
            let mut word = word.trim_start();
            if is_marked {
                word = word.trim_start_matches('#');
            }
            let ends = [separator, quote.unwrap_or(separator)];
            // The comment is not part of the string.
            let line = Line {
                after: rest,
                ..*self
            };
            line.word(word.len(), &ends, Place::Part { spaced })
        } else {
            self.scalar(trimmed, &[], Place::Plain)?
        };
        if value.is_empty() {
            cursor.lead = " ";
        }
        Some(cursor)
    }

    fn flow(&self, list: &str) -> Option<TagCursor> {
        let word = list.rsplit(['[', ',']).next().unwrap_or_default();
        self.scalar(word.trim_start(), &[',', ']'], Place::Flow)
    }

    fn scalar(&self, word: &str, ends: &[char], place: Place) -> Option<TagCursor> {
        match word.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let is_open = !word[1..].contains(quote);
                is_open.then(|| self.quoted(word.len() - 1, quote, ends))
            }
            _ => Some(self.word(word.len(), ends, place)),
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
            return Some(self.quoted(word.len(), '"', &[',', ']']));
        }
        if list.contains(']') {
            return None;
        }
        let word = list
            .rsplit([',', '\n', '['])
            .next()
            .unwrap_or_default()
            .trim_start();
        let is_word = !word.ends_with('"') && !word.contains('#');
        is_word.then(|| self.word(word.len(), &[',', ']', '#'], Place::String))
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
        let stands_alone = self.before[..hash]
            .chars()
            .next_back()
            .is_none_or(may_precede_hashtag);
        let is_link = ["](", "[["]
            .iter()
            .any(|opened| self.before[..hash].ends_with(opened));
        // A `#` that begins a line may become a heading; with a letter it is a tag.
        let is_heading = hash == 0 && word.is_empty();
        let fences = above.lines().filter(|row| {
            let row = row.trim_start();
            row.starts_with("```") || row.starts_with("~~~")
        });
        let in_code = fences.count() % 2 == 1 || self.before.matches('`').count() % 2 == 1;
        if !word.chars().all(is_tag_char) || !stands_alone || is_link || is_heading || in_code {
            return None;
        }
        let end = self
            .after
            .find(|c| !is_tag_char(c))
            .unwrap_or(self.after.len());
        Some(TagCursor {
            span: Span::new(self.at - word.len() - 1, self.at + end),
            prefix: word.to_owned(),
            place: Place::Body,
            lead: "",
        })
    }
}

#[cfg(test)]
mod tests;
