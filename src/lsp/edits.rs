//! Edits of a document as the client takes them: bytes and a version in, a `WorkspaceEdit` out.
//!
//! Invariant: an edit names the version that it was made for, where the client can check that.

use std::collections::HashMap;

use tower_lsp::ls_types::{
    AnnotatedTextEdit, ChangeAnnotation, DocumentChanges, OneOf,
    OptionalVersionedTextDocumentIdentifier, TextDocumentEdit, TextEdit, WorkspaceEdit,
};

use super::documents::Open;
use super::position::{Encoding, LineIndex};
use super::traits::Traits;
use crate::frontmatter::Edit;

/// What the editor shows where it shows what an edit is.
const ANNOTATION: &str = "gliznet";

/// `edits` of `open`; `what` says in a few words what they do.
pub(super) fn workspace_edit(
    open: &Open,
    edits: &[Edit],
    what: &str,
    encoding: Encoding,
    traits: Traits,
) -> WorkspaceEdit {
    let index = LineIndex::new(&open.text);
    let edits = edits.iter().map(|edit| TextEdit {
        range: index.range(&open.text, edit.span, encoding),
        new_text: edit.text.clone(),
    });
    if !traits.versioned_edits {
        return WorkspaceEdit::new(HashMap::from([(open.uri.clone(), edits.collect())]));
    }
    let edits = edits.map(|text_edit| {
        if traits.annotations {
            OneOf::Right(AnnotatedTextEdit {
                text_edit,
                annotation_id: ANNOTATION.to_owned(),
            })
        } else {
            OneOf::Left(text_edit)
        }
    });
    let annotation = ChangeAnnotation {
        label: what.to_owned(),
        needs_confirmation: Some(false),
        description: None,
    };
    WorkspaceEdit {
        changes: None,
        document_changes: Some(DocumentChanges::Edits(vec![TextDocumentEdit {
            text_document: OptionalVersionedTextDocumentIdentifier {
                uri: open.uri.clone(),
                version: Some(open.version),
            },
            edits: edits.collect(),
        }])),
        change_annotations: traits
            .annotations
            .then(|| HashMap::from([(ANNOTATION.to_owned(), annotation)])),
    }
}
