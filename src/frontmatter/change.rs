//! Several tags at once, as one edit; and the places where tags stand.
//!
//! Invariant: what `add_tags` leaves out was there already or cannot be written; every byte outside
//! its one edit stays.

use super::occurrence::{Kind, Occurrence, settings};
use super::{AddError, Edit, add_tag, read, retag};
use crate::document::{Document, Format, Span, body_tags};

/// A tag where it stands in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagPlace {
    /// The tag, without `#` and quotes.
    pub name: String,
    /// Its bytes: quotes belong to it in the settings, `#` in the text.
    pub span: Span,
    /// It stands in the text and not in the settings.
    pub in_body: bool,
}

/// The edit that adds those of `tags` that are not there; none where all are.
///
/// # Errors
/// The first tag that cannot be written.
pub fn add_tags(source: &str, format: Format, tags: &[String]) -> Result<Option<Edit>, AddError> {
    let mut retagged = retag(source, format, &[], tags)?;
    match retagged.unwritable.pop() {
        Some(tag) => Err(AddError::Unusual(tag)),
        None => Ok(retagged.edits.pop()), // What is added is one edit.
    }
}

/// Whether documents of this kind have no place for tags.
pub fn is_without_tags(format: Format) -> bool {
    let tag = "tag";
    matches!(add_tag("", format, tag), Err(AddError::NoPlace(_)))
}

/// The tags of the document's settings, where they stand.
pub fn settings_tags(source: &str, format: Format) -> Vec<TagPlace> {
    let Some(front_matter) = read(source, format) else {
        return Vec::new();
    };
    let found = settings(source, &front_matter).into_iter();
    let place = |found: Occurrence| TagPlace {
        // The `#` of one in a string of several is not its bytes.
        span: match found.kind {
            Kind::Comma | Kind::Spaced => found.word,
            _ => found.item,
        },
        name: found.name,
        in_body: false,
    };
    found.map(place).collect()
}

/// All tags of a document, where they stand: those of its settings, then those of its text.
pub fn tag_places(source: &str, format: Format) -> Vec<TagPlace> {
    let mut places = settings_tags(source, format);
    let document = Document::parse(format, source);
    places.extend(
        body_tags(&document)
            .into_iter()
            .map(|(name, span)| TagPlace {
                name,
                span,
                in_body: true,
            }),
    );
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(source: &str, tags: &[&str]) -> String {
        let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
        let edit = add_tags(source, Format::Markdown, &tags).unwrap();
        let mut after = source.to_owned();
        if let Some(edit) = edit {
            after.replace_range(edit.span.range(), &edit.text);
        }
        after
    }

    #[test]
    fn several_tags_are_one_edit_and_those_that_are_there_stay_alone() {
        let source = "---\ntags: [a, b] # mine\n---\nText\n";
        assert_eq!(
            changed(source, &["c", "A", "d"]),
            "---\ntags: [a, b, c, d] # mine\n---\nText\n"
        );
        assert_eq!(
            add_tags(source, Format::Markdown, &["b".to_owned()]),
            Ok(None)
        );
        assert_eq!(
            changed("é\n", &["é", "ê"]),
            "---\ntags:\n  - é\n  - ê\n---\n\né\n"
        );
        assert_eq!(
            changed("---\ntags:\n  - é\n---\n", &["ê"]),
            "---\ntags:\n  - é\n  - ê\n---\n"
        );
    }

    #[test]
    fn a_document_without_settings_is_told_so() {
        assert!(is_without_tags(Format::Plain) && !is_without_tags(Format::Markdown));
        let error = add_tags("text", Format::Plain, &["a".to_owned()]).unwrap_err();
        assert!(matches!(error, AddError::NoPlace(Format::Plain)), "{error}");
    }

    #[test]
    fn every_tag_has_its_own_place() {
        let shown = |source: &str, format| -> Vec<String> {
            let places = tag_places(source, format).into_iter();
            places
                .map(|place| format!("{}={}", place.name, &source[place.span.range()]))
                .collect()
        };
        let markdown = |source: &str| shown(source, Format::Markdown);
        assert_eq!(
            markdown("---\ntags: a, ab, a b\n---\nx #c-d.\n"),
            ["a=a", "ab=ab", "a b=a b", "c-d=#c-d"]
        );
        assert_eq!(
            markdown("---\ntags: [\"x y\", z]\n---\n"),
            ["x y=\"x y\"", "z=z"]
        );
        assert_eq!(
            markdown("---\ntags:\n  - z # note\n  - 'q'\n---\n"),
            ["z=z", "q='q'"]
        );
        assert_eq!(
            shown("#+FILETAGS: :a:b_c:\n", Format::Org),
            ["a=a", "b_c=b_c"]
        );
    }
}
