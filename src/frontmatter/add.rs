//! Adds a tag to a document's own settings: text and a tag in, one edit out.
//!
//! Invariant: after the edit the document has the tags it had, and the new one last; every byte
//! outside the edit stays; the form found is kept, and a new value is a block list. What cannot be
//! written so is refused. Changes nothing itself.
//! Length: half of it are tests, one a form that people write tags in.

use super::scalar::yaml;
use super::{FrontMatter, Syntax, TagsForm, TagsValue, Value, read};
use crate::document::{Format, Span};

/// Bytes of the source, and what is to stand there instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// What is replaced; empty for an insertion.
    pub span: Span,
    /// By what.
    pub text: String,
}

/// Why a tag cannot be added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddError {
    /// It stands there, in some spelling.
    #[error("the document has the tag `{0}` already")]
    Present(String),
    /// The settings cannot be read.
    #[error("the document's front matter is broken ({0}); repair it first")]
    Broken(String),
    /// Documents of this kind have no settings of their own.
    #[error("a {0} document holds no tags of its own; keep them elsewhere")]
    NoPlace(Format),
    /// The value is written in a way that we cannot add to.
    #[error("the tags are written in a way that `{0}` cannot be added to; add it by hand")]
    Unusual(String),
}

/// The edit that adds `tag` to the document `source`.
///
/// # Errors
/// The tag is there, or cannot be written there.
pub fn add_tag(source: &str, format: Format, tag: &str) -> Result<Edit, AddError> {
    let before = read(source, format);
    if let Some(fault) = before.as_ref().and_then(|before| before.fault.clone()) {
        return Err(AddError::Broken(fault));
    }
    let unusual = || AddError::Unusual(tag.to_owned());
    let is_org = format == Format::Org;
    let written = if is_org {
        tag.replace(['-', ' '], "_")
    } else {
        tag.to_owned()
    };
    let mut expected = before
        .as_ref()
        .map_or(Vec::new(), |before| before.tags.clone());
    let mut known = expected.iter().map(|known| known.to_lowercase());
    if known.any(|known| known == written.to_lowercase()) {
        return Err(AddError::Present(written));
    }
    expected.push(written.clone());
    let newline = if source.lines().next().is_some_and(|_| {
        source
            .find('\n')
            .is_some_and(|at| source[..at].ends_with('\r'))
    }) {
        "\r\n"
    } else {
        "\n"
    };
    let writer = Writer {
        source,
        newline,
        tag: &written,
    };
    let edit = match &before {
        None => writer.new_block(format)?,
        Some(before) => match before.tag_values.last() {
            None => writer.new_key(before),
            Some(value) => writer.extended(before.syntax, value),
        }
        .ok_or_else(unusual)?,
    };
    // Whatever was overlooked above shows here, and the document stays as it is.
    let mut after = source.to_owned();
    after.replace_range(edit.span.range(), &edit.text);
    match read(&after, format) {
        Some(after) if after.fault.is_none() && after.tags == expected => Ok(edit),
        _ => Err(unusual()),
    }
}

struct Writer<'a> {
    source: &'a str,
    newline: &'a str,
    tag: &'a str,
}

impl Writer<'_> {
    /// Settings for a document that has none.
    fn new_block(&self, format: Format) -> Result<Edit, AddError> {
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
                let list = self.block_list("");
                format!("---{newline}{list}---{newline}{gap}")
            }
            Format::Org => format!("#+FILETAGS: :{}:{newline}", self.tag),
            _ => return Err(AddError::NoPlace(format)),
        };
        Ok(insert(start, text))
    }

    /// A key for settings that have none with tags.
    fn new_key(&self, before: &FrontMatter) -> Option<Edit> {
        let content = before.content;
        let newline = self.newline;
        let quoted = serde_json::Value::from(self.tag).to_string();
        match before.syntax {
            Syntax::Yaml if self.source[content.range()].trim_start().starts_with('{') => None,
            Syntax::Yaml => Some(insert(content.end, self.block_list(""))),
            // Before the first table, or it would belong to that.
            Syntax::Toml => Some(insert(content.start, format!("tags = [{quoted}]{newline}"))),
            Syntax::Json => {
                let brace = content.start + self.source[content.range()].find('{')?;
                let is_empty = self.source[brace + 1..].trim_start().starts_with('}');
                let comma = if is_empty { "" } else { "," };
                Some(insert(brace + 1, format!("\"tags\": [{quoted}]{comma}")))
            }
            Syntax::Org => Some(insert(
                content.start,
                format!("#+FILETAGS: :{}:{newline}", self.tag),
            )),
        }
    }

    /// `tags:` with one item.
    fn block_list(&self, indent: &str) -> String {
        let newline = self.newline;
        format!(
            "{indent}tags:{newline}{indent}  - {}{newline}",
            yaml(self.tag, false)
        )
    }

    /// A value that is there, with one more.
    fn extended(&self, syntax: Syntax, value: &TagsValue) -> Option<Edit> {
        let written = &self.source[value.span.range()];
        match value.form {
            TagsForm::Flow => self.flow(syntax, value),
            TagsForm::Block => {
                let line = self.source[..value.span.start]
                    .rfind('\n')
                    .map_or(0, |at| at + 1);
                let indent = &self.source[line..value.span.start];
                if !indent.trim().is_empty() || !written.starts_with('-') {
                    return None;
                }
                let item = format!("{}{indent}- {}", self.newline, yaml(self.tag, false));
                Some(insert(self.line_end(value.span.end), item))
            }
            TagsForm::Null if written.is_empty() && syntax == Syntax::Yaml => {
                let item = format!("{}  - {}", self.newline, yaml(self.tag, false));
                Some(insert(self.line_end(value.span.end), item))
            }
            TagsForm::Null => Some(Edit {
                span: value.span,
                text: format!("[{}]", self.item(syntax)),
            }),
            TagsForm::Scalar if syntax == Syntax::Yaml => self.scalar(value),
            // TOML and JSON have lists for this.
            TagsForm::Scalar => Some(Edit {
                span: value.span,
                text: format!("[{written}, {}]", self.item(syntax)),
            }),
            TagsForm::Org => Some(insert(
                value.span.start + written.trim_end().len(),
                match written.trim_end() {
                    "" => format!(":{}:", self.tag),
                    list if list.ends_with(':') => format!("{}:", self.tag),
                    _ => format!(" {}", self.tag),
                },
            )),
        }
    }

    fn flow(&self, syntax: Syntax, value: &TagsValue) -> Option<Edit> {
        let item = self.item(syntax);
        let Some(Value { span: last, .. }) = value.items.last() else {
            let inside = self.source[value.span.range()]
                .strip_prefix('[')?
                .strip_suffix(']')?;
            return inside
                .trim()
                .is_empty()
                .then(|| insert(value.span.start + 1, item));
        };
        // A list with one item a line gets another line.
        let line = self.source[..last.start].rfind('\n').map_or(0, |at| at + 1);
        let indent = &self.source[line..last.start];
        let gap = if line > value.span.start && indent.trim().is_empty() {
            format!("{}{indent}", self.newline)
        } else {
            " ".to_owned()
        };
        Some(insert(last.end, format!(",{gap}{item}")))
    }

    /// `a`, `a, b` or `#a #b`, quoted or not.
    fn scalar(&self, value: &TagsValue) -> Option<Edit> {
        let written = &self.source[value.span.range()];
        let quote = written.chars().next().filter(|c| matches!(c, '"' | '\''));
        let is_plain = yaml(self.tag, true) == self.tag;
        if !is_plain || self.tag.contains(',') {
            return None;
        }
        let inside = written.trim_matches(['"', '\'']);
        let more = if inside.trim_start().starts_with('#') && !inside.contains(',') {
            format!(" #{}", self.tag)
        } else {
            format!(", {}", self.tag)
        };
        let end = value.span.end - quote.map_or(0, char::len_utf8);
        Some(insert(end, more))
    }

    /// The tag as an item of a list between brackets.
    fn item(&self, syntax: Syntax) -> String {
        match syntax {
            Syntax::Yaml => yaml(self.tag, true),
            _ => serde_json::Value::from(self.tag).to_string(),
        }
    }

    /// Where the line of this byte ends, before its line break.
    fn line_end(&self, byte: usize) -> usize {
        let rest = &self.source[byte..];
        let line = rest.split('\n').next().unwrap_or_default();
        byte + line.strip_suffix('\r').unwrap_or(line).len()
    }
}

fn insert(at: usize, text: String) -> Edit {
    Edit {
        span: Span::new(at, at),
        text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn added(source: &str, format: Format, tag: &str) -> Result<String, AddError> {
        let edit = add_tag(source, format, tag)?;
        let mut after = source.to_owned();
        after.replace_range(edit.span.range(), &edit.text);
        Ok(after)
    }

    #[track_caller]
    fn check(source: &str, after: &str) {
        assert_eq!(added(source, Format::Markdown, "new").as_deref(), Ok(after));
    }

    #[test]
    fn the_form_that_is_found_is_kept() {
        check(
            "---\ntags: [a, b] # c\n---\n",
            "---\ntags: [a, b, new] # c\n---\n",
        );
        check("---\ntags: []\n---\n", "---\ntags: [new]\n---\n");
        check(
            "---\ntags: [a,\n  'b',\n]\n---\n",
            "---\ntags: [a,\n  'b',\n  new,\n]\n---\n",
        );
        check(
            "---\ntags:\n- a # c\nx: 1\n---\n",
            "---\ntags:\n- a # c\n- new\nx: 1\n---\n",
        );
        check(
            "---\ntags:\n    - a\n---\n",
            "---\ntags:\n    - a\n    - new\n---\n",
        );
        check("---\ntags: a\n---\n", "---\ntags: a, new\n---\n");
        check(
            "---\ntags: \"a, b\"\n---\n",
            "---\ntags: \"a, b, new\"\n---\n",
        );
        check(
            "---\ntags: '#a #b'\n---\n",
            "---\ntags: '#a #b #new'\n---\n",
        );
        check(
            "---\ntags:\nx: 1\n---\n",
            "---\ntags:\n  - new\nx: 1\n---\n",
        );
        check(
            "---\ntags: # none\n---\n",
            "---\ntags: # none\n  - new\n---\n",
        );
        check("---\ntags: ~\n---\n", "---\ntags: [new]\n---\n");
        check(
            "+++\ntags = ['a']\n+++\n",
            "+++\ntags = ['a', \"new\"]\n+++\n",
        );
        check(
            "+++\ntags = 'a'\n+++\n",
            "+++\ntags = ['a', \"new\"]\n+++\n",
        );
        check(
            "{\"tags\": [\"a\"]}\n\nx",
            "{\"tags\": [\"a\", \"new\"]}\n\nx",
        );
        check(
            "\u{feff}---\r\ntags:\r\n  - a\r\n---\r\nx",
            "\u{feff}---\r\ntags:\r\n  - a\r\n  - new\r\n---\r\nx",
        );
    }

    #[test]
    fn what_is_missing_is_made() {
        check("", "---\ntags:\n  - new\n---\n");
        check(
            "# Title\r\n",
            "---\r\ntags:\r\n  - new\r\n---\r\n\r\n# Title\r\n",
        );
        check("\u{feff}Text", "\u{feff}---\ntags:\n  - new\n---\n\nText");
        check(
            "---\ntitle: x\n---\nText",
            "---\ntitle: x\ntags:\n  - new\n---\nText",
        );
        check("---\n---\n", "---\ntags:\n  - new\n---\n");
        check(
            "+++\n[a]\nb = 1\n+++\n",
            "+++\ntags = [\"new\"]\n[a]\nb = 1\n+++\n",
        );
        check("{}\n", "{\"tags\": [\"new\"]}\n");
        let org = |source: &str| added(source, Format::Org, "new-tag").unwrap();
        assert_eq!(org("Text\n"), "#+FILETAGS: :new_tag:\nText\n");
        assert_eq!(org("#+FILETAGS: :a:\n"), "#+FILETAGS: :a:new_tag:\n");
        assert_eq!(
            org("#+TITLE: x\nText\n"),
            "#+FILETAGS: :new_tag:\n#+TITLE: x\nText\n"
        );
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        let refused = |source: &str, format, tag: &str| added(source, format, tag).unwrap_err();
        let markdown = Format::Markdown;
        assert_eq!(
            refused("---\ntags: [New]\n---\n", markdown, "new"),
            AddError::Present("new".to_owned())
        );
        assert!(matches!(
            refused("---\ntags: [a\n---\n", markdown, "b"),
            AddError::Broken(_)
        ));
        assert_eq!(
            refused("x", Format::Latex, "b"),
            AddError::NoPlace(Format::Latex)
        );
        assert!(matches!(
            refused("---\ntags: a\n---\n", markdown, "b, c"),
            AddError::Unusual(_)
        ));
        assert!(matches!(
            refused("", Format::Org, "a:b"),
            AddError::Unusual(_)
        ));
    }

    const SOURCES: [&str; 14] = [
        "",
        "Text\nwithout end",
        "---\ntitle: é # x\n---\nText\n",
        "---\r\ntags: [a, \"b c\"] # why\r\n---\r\n",
        "---\ntags:\n  - a # c\n\n  # d\n  - 'b'\n# e\nx: &y 1\nz: *y\n---\n",
        "---\ntags:\n- \n- a\n---\n",
        "---\ntags: a b\n---\n",
        "---\ntags: 2024\n---\n",
        "---\ntags: [[wiki]]\n---\n",
        "---\ntags:\nx: |\n  tags: [no]\n---\n",
        "+++\ntags = [ 'a', ] # c\n[x]\ny = 1\n+++\n",
        "\u{feff}---\ntags: \"a\"\n...\n",
        "---\n{\"tags\": [\"a\"]}\n---\n",
        "{\n\t\"tags\": [\n\t\t\"a\"\n\t]\n}\n",
    ];

    proptest! {
        #[test]
        fn a_tag_is_added_whole_or_refused(
            source in prop::sample::select(SOURCES.to_vec()),
            tag in "[\\PC]{1,12}|[a-z:#,'\"\\[\\]{}&* -]{1,10}",
        ) {
            for format in Format::ALL {
                let Ok(edit) = add_tag(source, format, &tag) else { continue };
                let mut after = source.to_owned();
                after.replace_range(edit.span.range(), &edit.text);
                let before = read(source, format).map_or(Vec::new(), |f| f.tags);
                let now = read(&after, format).unwrap().tags;
                prop_assert_eq!(&now[..before.len()], &before[..]);
                prop_assert_eq!(now.len(), before.len() + 1);
            }
        }

        #[test]
        fn a_plain_tag_can_be_added_to_every_markdown(
            source in prop::sample::select(SOURCES.to_vec()),
            tag in "[b-z][a-z/-]{3,10}[a-z]",
        ) {
            prop_assert!(add_tag(source, Format::Markdown, &tag).is_ok(), "{source:?}");
        }
    }
}
