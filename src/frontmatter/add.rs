//! Adds a tag to a document's own settings: text and a tag in, one edit out.
//!
//! Invariant: after the edit the document has the tags it had, and the new one, which is the last of
//! its key; every byte outside the edit stays; the form found is kept, and a new value is a block list. What cannot be
//! written so is refused. Changes nothing itself.

mod writer;

use super::{FrontMatter, extent, read};
use crate::document::{Format, Span};
use crate::label::is_same;

use writer::Writer;

/// What is wrong where settings do not end. Others go above them, and then they are text.
const UNCLOSED: &str = "line 1: its fence has no other that closes it; write one below the settings, or an empty line above if this is text";

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
    let tag = spelt(tag, format);
    let expected = before
        .as_ref()
        .map_or(Vec::new(), |before| before.tags.clone());
    if expected.iter().any(|known| is_same(known, &tag)) {
        return Err(AddError::Present(tag));
    }
    let tags = [tag];
    let edit = addition(source, format, before.as_ref(), &tags)?;
    // Whatever was overlooked there shows here, and the document stays as it is.
    let mut after = source.to_owned();
    after.replace_range(edit.span.range(), &edit.text);
    match read(&after, format) {
        Some(after) if after.fault.is_none() && are_joined(&after.tags, expected.iter(), &tags) => {
            Ok(edit)
        }
        _ => {
            let [tag] = tags;
            Err(AddError::Unusual(tag))
        }
    }
}

/// What keeps tags out of the document's settings: that they are broken, with the line.
pub fn fault(source: &str, format: Format) -> Option<String> {
    match read(source, format) {
        Some(found) => found.fault,
        None => {
            (format == Format::Markdown && extent::is_open(source)).then(|| UNCLOSED.to_owned())
        }
    }
}

/// A tag as documents of this kind spell it: Org allows neither `-` nor a space.
pub(super) fn spelt(tag: &str, format: Format) -> String {
    match format {
        Format::Org => tag.replace(['-', ' '], "_"),
        _ => tag.to_owned(),
    }
}

/// Whether the tags `now` are those of `before` and those that were `added`, each in their order.
pub(super) fn are_joined<'t>(
    now: &[String],
    before: impl Iterator<Item = &'t String>,
    added: &[String],
) -> bool {
    let (new, old): (Vec<&String>, Vec<&String>) = now.iter().partition(|tag| added.contains(tag));
    new.into_iter().eq(added) && old.into_iter().eq(before)
}

/// The edit that should add `tags`, which are not there and at least one; it is the caller's to
/// prove that it does.
pub(super) fn addition(
    source: &str,
    format: Format,
    before: Option<&FrontMatter>,
    tags: &[String],
) -> Result<Edit, AddError> {
    let writer = Writer::new(source, before, tags);
    if let Some(fault) = fault(source, format) {
        return Err(AddError::Broken(fault));
    }
    let Some(before) = before else {
        return writer.new_block(format);
    };
    let edit = match before.place() {
        None => writer.new_key(before),
        Some(value) => writer.extended(before.syntax, value),
    };
    edit.ok_or_else(|| AddError::Unusual(tags.join(", ")))
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

    #[test]
    fn no_settings_go_above_those_that_do_not_end() {
        for source in [
            "---\ntags: [a]\n\nText\n",
            "\u{feff}---\r\ntitle: x\r\n",
            "+++\ntags = [\"a\"]\n",
            "---\nชื่อเรื่องของบันทึก: x\nText\n",
            "---\ncle\u{301}: x\nText\n",
        ] {
            let refused = added(source, Format::Markdown, "new");
            let Err(AddError::Broken(fault)) = refused else {
                panic!("{source:?}: {refused:?}");
            };
            assert!(fault.starts_with("line 1: its fence"), "{fault}");
            assert_eq!(super::fault(source, Format::Markdown), Some(fault));
            assert_eq!(super::fault(source, Format::Plain), None);
        }
        // These are rules and a text.
        check(
            "---\n\ntags: a\n",
            "---\ntags:\n  - new\n---\n\n---\n\ntags: a\n",
        );
        check(
            "---\nSo be it.\n",
            "---\ntags:\n  - new\n---\n\n---\nSo be it.\n",
        );
        for text in [
            "---\n- Call Anna: at five\n- Bread\n",
            "---\n- a: b\n- c\n---\nText\n",
        ] {
            check(text, &format!("---\ntags:\n  - new\n---\n\n{text}"));
        }
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
