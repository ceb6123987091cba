//! The edit that renames a tag in many documents, open and closed.
//!
//! Invariant: all of it or nothing; an open document's part names its version, a closed one's has
//! none, and is marked as such where the client can show that.

use std::collections::HashMap;
use std::path::PathBuf;

use tower_lsp::ls_types::{
    AnnotatedTextEdit, ChangeAnnotation, DocumentChanges, OneOf,
    OptionalVersionedTextDocumentIdentifier, TextDocumentEdit, TextEdit, Uri, WorkspaceEdit,
};

use crate::desk::index::Tags;
use crate::frontmatter;
use crate::lsp::documents::Open;
use crate::lsp::position::{Encoding, LineIndex};
use crate::lsp::traits::Traits;

/// The name of the annotation of files that are not open.
const CLOSED: &str = "gliznet.closed";

/// A document, open or not.
pub(super) enum Subject {
    /// As the client has it.
    Open(Open),
    /// A file.
    Closed(PathBuf),
}

/// A document with its tags.
pub(super) struct Found {
    pub(super) subject: Subject,
    pub(super) tags: Tags,
}

impl Subject {
    pub(super) fn uri(&self) -> Option<Uri> {
        match self {
            Subject::Open(open) => Some(open.uri.clone()),
            Subject::Closed(path) => Uri::from_file_path(path),
        }
    }
}

/// What gives tag `names.0` the name `names.1` in all of `subjects`, or why that cannot be.
pub(super) fn renaming(
    subjects: &[Subject],
    names: (&str, &str),
    encoding: Encoding,
    traits: Traits,
) -> Result<WorkspaceEdit, String> {
    let mut changes: Vec<(Uri, Option<i32>, Vec<TextEdit>)> = Vec::new();
    for subject in subjects {
        let (Some(uri), Some(text)) = (subject.uri(), subject.text()) else {
            continue; // It has gone since.
        };
        let edits = frontmatter::rename_tag(&text, subject.format(), names.0, names.1)
            .map_err(|error| format!("{}: {error}", uri.as_str()))?;
        if edits.is_empty() {
            continue;
        }
        let index = LineIndex::new(&text);
        let edits = edits.into_iter().map(|edit| TextEdit {
            range: index.range(&text, edit.span, encoding),
            new_text: edit.text,
        });
        let version = subject.open().map(|open| open.version);
        changes.push((uri, version, edits.collect()));
    }
    if !traits.versioned_edits {
        let changes = changes.into_iter().map(|(uri, _, edits)| (uri, edits));
        return Ok(WorkspaceEdit::new(changes.collect()));
    }
    let is_asked = traits.annotations && changes.iter().any(|change| change.1.is_none());
    let annotation = ChangeAnnotation {
        label: format!("Rename tag {} to {}", names.0, names.1),
        // VS Code leaves out what needs it, but for what a person ticks file by file.
        needs_confirmation: Some(false),
        description: Some("in files that are not open".to_owned()),
    };
    let edits = changes.into_iter().map(|(uri, version, edits)| {
        let is_annotated = version.is_none() && traits.annotations;
        let edits = edits.into_iter().map(|text_edit| match is_annotated {
            true => OneOf::Right(AnnotatedTextEdit {
                text_edit,
                annotation_id: CLOSED.to_owned(),
            }),
            false => OneOf::Left(text_edit),
        });
        TextDocumentEdit {
            text_document: OptionalVersionedTextDocumentIdentifier { uri, version },
            edits: edits.collect(),
        }
    });
    Ok(WorkspaceEdit {
        changes: None,
        document_changes: Some(DocumentChanges::Edits(edits.collect())),
        change_annotations: is_asked.then(|| HashMap::from([(CLOSED.to_owned(), annotation)])),
    })
}
