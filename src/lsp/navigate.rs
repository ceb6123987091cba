//! Tags across the workspace: where they are, and what renaming one changes.
//!
//! Input: a tag under the cursor, or a query. Output: places, symbols, one edit for all documents.
//! Invariant: an open document is what the client has, whatever its file says; files are read
//! beside the asynchronous threads; nothing is written, the client applies the edit.

mod places;
mod scan;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use tower_lsp::jsonrpc::{Error, Result};
use tower_lsp::ls_types::{
    DidChangeWorkspaceFoldersParams, DocumentHighlight, DocumentHighlightKind,
    DocumentHighlightParams, Location, PrepareRenameResponse, ReferenceParams, RenameParams,
    SymbolKind, TextDocumentPositionParams, WorkDoneProgressCancelParams, WorkspaceEdit,
    WorkspaceSymbol, WorkspaceSymbolParams, WorkspaceSymbolResponse,
};
use tower_lsp::ls_types::{OneOf, ProgressToken};

use super::documents::{Open, path};
use super::error::{failed, stale};
use super::open::file;
use super::position::LineIndex;
use super::session::Session;
use crate::desk::index::{MOST_DOCUMENTS, merged};
use crate::desk::protocol::DocumentName;
use crate::desk::tally::{matching, tallies};
use crate::document::{Format, Span};
use crate::frontmatter::{RenameError, may_be_or_below, occurrences, places_of, tag_name};

use places::{Found, Subject, renaming};
pub(super) use scan::Navigation;

/// Symbols that a person looks at.
const MOST_SYMBOLS: usize = 200;

impl Session {
    /// `workspace/symbol`: one symbol a tag.
    pub(super) async fn symbols(
        &self,
        params: WorkspaceSymbolParams,
    ) -> Result<Option<WorkspaceSymbolResponse>> {
        let token = params.work_done_progress_params.work_done_token;
        let (documents, _) = self.tagged(token).await?;
        let encoding = self.shared.encoding();
        let symbols = blocking(move || {
            let all = tallies(documents.iter().map(|document| &*document.tags));
            let mut found = matching(all, &params.query);
            found.truncate(MOST_SYMBOLS);
            let symbols = found.into_iter().filter_map(|tally| {
                let (at, span) = tally.first;
                let text = documents[at].subject.text()?;
                let range = LineIndex::new(&text).range(&text, span, encoding);
                let count = match tally.documents {
                    1 => "1 document".to_owned(),
                    n => format!("{n} documents"),
                };
                Some(WorkspaceSymbol {
                    name: tally.name,
                    kind: SymbolKind::KEY,
                    tags: None,
                    container_name: Some(count),
                    location: OneOf::Left(Location::new(documents[at].subject.uri()?, range)),
                    data: None,
                })
            });
            symbols.collect()
        })
        .await?;
        Ok(Some(WorkspaceSymbolResponse::Nested(symbols)))
    }

    /// `textDocument/references`: where else the tag under the cursor stands.
    pub(super) async fn tag_references(
        &self,
        params: ReferenceParams,
    ) -> Result<Option<Vec<Location>>> {
        let Some((_, (tag, _))) = self.tag_at(params.text_document_position).await? else {
            return Ok(None);
        };
        let token = params.work_done_progress_params.work_done_token;
        let (mut documents, _) = self.tagged(token).await?;
        let encoding = self.shared.encoding();
        let locations = blocking(move || {
            documents.retain(|document| document.may_have(&tag));
            let mut locations = Vec::new();
            for document in documents {
                let subject = document.subject;
                let (Some(text), Some(uri)) = (subject.text(), subject.uri()) else {
                    continue; // It has gone since.
                };
                let index = LineIndex::new(&text);
                let places = places_of(&text, subject.format(), &tag).into_iter();
                let ranges = places.map(|span| index.range(&text, span, encoding));
                locations.extend(ranges.map(|range| Location::new(uri.clone(), range)));
            }
            locations
        })
        .await?;
        Ok(Some(locations))
    }

    /// `textDocument/documentHighlight`: where else in this document.
    pub(super) async fn tag_highlights(
        &self,
        params: DocumentHighlightParams,
    ) -> Result<Option<Vec<DocumentHighlight>>> {
        let at = params.text_document_position_params;
        let Some((open, (tag, _))) = self.tag_at(at).await? else {
            return Ok(None);
        };
        let encoding = self.shared.encoding();
        let highlights = blocking(move || {
            let index = LineIndex::new(&open.text);
            let places = places_of(&open.text, open.format, &tag).into_iter();
            let highlight = |span| DocumentHighlight {
                range: index.range(&open.text, span, encoding),
                kind: Some(DocumentHighlightKind::TEXT),
            };
            places.map(highlight).collect()
        })
        .await?;
        Ok(Some(highlights))
    }

    /// `textDocument/prepareRename`: the tag under the cursor, if there is one.
    pub(super) async fn tag_to_rename(
        &self,
        at: TextDocumentPositionParams,
    ) -> Result<Option<PrepareRenameResponse>> {
        let found = self.tag_at(at).await?;
        Ok(found.map(|(open, (tag, span))| {
            let range = LineIndex::new(&open.text).range(&open.text, span, self.shared.encoding());
            PrepareRenameResponse::RangeWithPlaceholder {
                range,
                placeholder: tag,
            }
        }))
    }

    /// `textDocument/rename`: one edit for the whole workspace, or none at all.
    pub(super) async fn rename_tag(&self, params: RenameParams) -> Result<Option<WorkspaceEdit>> {
        let refuse = |error: RenameError| Error::invalid_params(error.to_string());
        let to = tag_name(&params.new_name).map_err(refuse)?.to_owned();
        let at = params.text_document_position;
        let Some((_, (tag, _))) = self.tag_at(at).await? else {
            return Err(failed("no tag stands here; put the cursor on one"));
        };
        let token = params.work_done_progress_params.work_done_token;
        let (mut documents, cut) = self.tagged(token).await?;
        if cut {
            return Err(failed(&format!(
                "the workspace has more than {MOST_DOCUMENTS} documents, and the tag would be \
                 renamed in some of them only; open a smaller folder"
            )));
        }
        let encoding = self.shared.encoding();
        let traits = self.shared.traits();
        let (edit, open) = blocking(move || {
            documents.retain(|document| document.may_have(&tag));
            let subjects: Vec<Subject> = documents.into_iter().map(|it| it.subject).collect();
            let open: Vec<Open> = subjects.iter().filter_map(Subject::open).cloned().collect();
            let edit = renaming(&subjects, (&tag, &to), encoding, traits);
            edit.map(|edit| (edit, open))
        })
        .await?
        .map_err(|refusal| failed(&refusal))?;
        // A client that cannot check versions is told here that its documents have changed.
        let documents = self.shared.documents();
        if !open.iter().all(|open| documents.holds(open)) {
            return Err(stale());
        }
        Ok(Some(edit))
    }

    /// `workspace/didChangeWorkspaceFolders`.
    pub(super) fn folders_changed(&self, params: DidChangeWorkspaceFoldersParams) {
        let paths = |folders: Vec<tower_lsp::ls_types::WorkspaceFolder>| -> Vec<PathBuf> {
            folders
                .iter()
                .filter_map(|folder| path(&folder.uri))
                .collect()
        };
        let navigation = &self.shared.navigation;
        navigation.change_roots(&paths(params.event.removed), paths(params.event.added));
        self.shared.suggest_all(); // The first folder's settings hold for what is no file.
    }

    /// `window/workDoneProgress/cancel`.
    pub(super) async fn cancel_progress(&self, params: WorkDoneProgressCancelParams) {
        if !self.cancel_watching(&params.token) && !self.cancel_learning(&params.token).await {
            self.shared.navigation.cancel(&params.token);
        }
    }

    /// The tag at a position of an open document, with its bytes.
    async fn tag_at(
        &self,
        at: TextDocumentPositionParams,
    ) -> Result<Option<(Open, (String, Span))>> {
        let open = self.shared.open_document(&DocumentName {
            uri: at.text_document.uri.as_str().to_owned(),
        })?;
        let encoding = self.shared.encoding();
        blocking(move || {
            let text = &open.text;
            let byte = LineIndex::new(text).byte(text, at.position, encoding);
            let is_here = |span: Span| {
                let hash = usize::from(text[..span.start].ends_with('#'));
                (span.start - hash..=span.end).contains(&byte)
            };
            let mut found = occurrences(text, open.format).into_iter();
            let found = found.find(|(_, span)| is_here(*span));
            found.map(|found| (open, found))
        })
        .await
    }

    /// All documents of the workspace with their tags, the open ones first; and whether there are
    /// more of them.
    async fn tagged(&self, token: Option<ProgressToken>) -> Result<(Vec<Found>, bool)> {
        let scan = self.shared.scan(token).await?;
        let open: Vec<Open> = self.shared.documents().all().into_iter().cloned().collect();
        let documents = blocking(move || {
            // By their own paths and by those without links, since folders may be reached by either.
            let paths = open
                .iter()
                .flat_map(|open| [path(&open.uri), file(&open.uri)]);
            let paths: HashSet<PathBuf> = paths.flatten().collect();
            let closed = merged(&scan, &paths).into_iter().map(|file| Found {
                tags: file.tags,
                subject: Subject::Closed(file.path),
            });
            let open = open.into_iter().map(|open| Found {
                tags: occurrences(&open.text, open.format).into(),
                subject: Subject::Open(open),
            });
            (open.chain(closed).collect(), scan.cut)
        });
        documents.await
    }
}

impl Found {
    /// Whether the tag, or one below it, may be in it.
    fn may_have(&self, tag: &str) -> bool {
        self.tags.iter().any(|(name, _)| may_be_or_below(name, tag))
    }
}

impl Subject {
    fn format(&self) -> Format {
        match self {
            Subject::Open(open) => open.format,
            Subject::Closed(path) => Format::from_path(path),
        }
    }

    fn open(&self) -> Option<&Open> {
        match self {
            Subject::Open(open) => Some(open),
            Subject::Closed(_) => None,
        }
    }

    fn text(&self) -> Option<Arc<str>> {
        match self {
            Subject::Open(open) => Some(Arc::clone(&open.text)),
            Subject::Closed(path) => crate::desk::index::text(path).map(Arc::from),
        }
    }
}

/// Does what takes milliseconds beside the asynchronous threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Error::internal_error())
}
