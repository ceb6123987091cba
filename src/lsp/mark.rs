//! Tags that are in no label set: a text and a set in, hints out, each with the nearest label.
//!
//! Pure, and needs no model.

use serde_json::json;
use tower_lsp::ls_types::{Diagnostic, DiagnosticSeverity, NumberOrString};

use super::documents::Open;
use super::position::{Encoding, LineIndex};
use super::words::Words;
use crate::frontmatter::settings_tags;
use crate::label::LabelSet;

/// The code of these hints.
pub(super) const CODE: &str = "unknown-tag";

/// The hints of a document.
pub(super) fn diagnostics(
    open: &Open,
    set: &LabelSet,
    encoding: Encoding,
    words: Words,
) -> Vec<Diagnostic> {
    let index = LineIndex::new(&open.text);
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
                data: nearest.map(|nearest| json!({ "tag": tag.name, "nearest": nearest })),
                ..Diagnostic::default()
            }
        })
        .collect()
}
