//! What is wrong with a document's tags: a text and a set in, marks out.
//!
//! Tags that are in no label set are hints, each with the nearest label; settings that are broken, so
//! that no tag can be read or written, are a warning. Pure, and needs no model.

use serde_json::json;
use tower_lsp::ls_types::{Diagnostic, DiagnosticSeverity, NumberOrString, Position, Range};

use super::documents::Open;
use super::position::{Encoding, LineIndex};
use super::words::Words;
use crate::frontmatter::{self, settings_tags};
use crate::label::LabelSet;

/// The code of hints at tags that are in no label set.
pub(super) const CODE: &str = "unknown-tag";
/// The code of a warning that the settings are broken.
const BROKEN: &str = "broken-front-matter";

/// The marks of a document.
pub(super) fn diagnostics(
    open: &Open,
    set: &LabelSet,
    encoding: Encoding,
    words: Words,
) -> Vec<Diagnostic> {
    let index = LineIndex::new(&open.text);
    if let Some(fault) = frontmatter::read(&open.text, open.format).and_then(|found| found.fault) {
        return vec![broken(&fault)];
    }
    let tags = settings_tags(&open.text, open.format).into_iter();
    let unknown = tags.filter(|tag| set.find(&tag.name).is_none());
    unknown
        .map(|tag| {
            let nearest = set.nearest(&tag.name).map(|id| &*set.label(id).name);
            Diagnostic {
                range: index.range(&open.text, tag.span, encoding),
                severity: Some(DiagnosticSeverity::HINT),
                code: Some(NumberOrString::String(CODE.to_owned())),
                source: Some("gliznet".to_owned()),
                message: words.unknown(&tag.name, nearest),
                data: Some(json!({ "tag": tag.name, "nearest": nearest })),
                ..Diagnostic::default()
            }
        })
        .collect()
}

/// A warning at the line that a fault names.
fn broken(fault: &str) -> Diagnostic {
    let said = fault.strip_prefix("line ");
    let said = said.and_then(|rest| rest.split_once(": "));
    let number = said.and_then(|(number, _)| number.parse::<u32>().ok());
    let row = number.map_or(0, |number| number.saturating_sub(1));
    let fact = said
        .filter(|_| number.is_some())
        .map_or(fault, |(_, fact)| fact);
    Diagnostic {
        range: Range::new(Position::new(row, 0), Position::new(row + 1, 0)),
        severity: Some(DiagnosticSeverity::WARNING),
        code: Some(NumberOrString::String(BROKEN.to_owned())),
        source: Some("gliznet".to_owned()),
        message: format!("broken front matter, so no tags are read or added: {fact}"),
        ..Diagnostic::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Format;

    #[test]
    fn settings_that_are_broken_are_marked_where_they_break() {
        let set = LabelSet::from_names(["a"]).unwrap();
        let marks = |text: &str| {
            let open = Open {
                uri: "file:///note.md".parse().unwrap(),
                language: "markdown".to_owned(),
                version: 1,
                text: text.into(),
                format: Format::Markdown,
                opened: 0,
            };
            diagnostics(&open, &set, Encoding::Utf16, Words::English)
        };
        let broken = marks("---\ntitle: x: y\ntags: [b]\n---\nText\n");
        assert_eq!(broken.len(), 1);
        assert_eq!(broken[0].severity, Some(DiagnosticSeverity::WARNING));
        assert_eq!(broken[0].range.start, Position::new(1, 0));
        let hints = marks("---\ntags: [b, a]\n---\n");
        assert_eq!(hints.len(), 1);
        assert_eq!(hints[0].severity, Some(DiagnosticSeverity::HINT));
        assert_eq!(marks("Text\n"), []);
    }
}
