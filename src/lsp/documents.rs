//! The documents that one client has open: edits in wire order in, texts with their versions out.
//!
//! Invariant: after each notification the text is what the client has, or the notification was
//! stale or senseless and changed nothing. Knows nothing of models.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use tower_lsp::ls_types::{
    DidChangeTextDocumentParams, DidOpenTextDocumentParams, TextDocumentContentChangeEvent, Uri,
};

use super::position::{Encoding, LineIndex};
use crate::document::Format;

/// One open document, as it is now.
#[derive(Clone, Debug)]
pub struct Open {
    /// Its name.
    pub uri: Uri,
    /// The client's word for what it is.
    pub language: String,
    /// The client's number for this state.
    pub version: i32,
    /// The text.
    pub text: Arc<str>,
    /// How the text is read.
    pub format: Format,
    /// When it was opened, in microseconds since 1970.
    pub opened: u64,
}

impl Open {
    /// The folder that it is in; none for what is no file.
    pub fn folder(&self) -> Option<PathBuf> {
        let path = path(&self.uri)?;
        Some(path.parent()?.to_path_buf())
    }

    /// Its name for the desk: of what is no file yet, one that it has until it is closed.
    pub(super) fn name(&self) -> String {
        name(&self.uri).unwrap_or_else(|| format!("{}#{}", self.uri.as_str(), self.opened))
    }
}

/// No system has files with longer paths, and each folder above a file is asked for its settings.
const LONGEST_PATH: usize = if cfg!(windows) { 32_767 } else { 4_096 };

/// The file that a URI names; none for `untitled:` and the like, and where no file can be.
pub(super) fn path(uri: &Uri) -> Option<PathBuf> {
    if !uri.scheme().as_str().eq_ignore_ascii_case("file") {
        return None;
    }
    let path = uri.to_file_path()?;
    (path.as_os_str().len() <= LONGEST_PATH).then(|| path.into_owned())
}

/// A document's name, spelt the same in all clients; none for what is no file yet, since the next such
/// document has the same.
pub(super) fn name(uri: &Uri) -> Option<String> {
    let is_unsaved = uri.scheme().as_str().eq_ignore_ascii_case("untitled");
    let same = path(uri).and_then(Uri::from_file_path);
    (!is_unsaved).then(|| same.as_ref().unwrap_or(uri).as_str().to_owned())
}

/// All that one client has open.
#[derive(Debug, Default)]
pub struct Documents {
    open: HashMap<Uri, Open>,
}

impl Documents {
    /// A document is opened; one that is open already begins anew.
    pub fn open(&mut self, params: DidOpenTextDocumentParams) {
        let item = params.text_document;
        let format = format(&item.language_id, &item.uri);
        let open = Open {
            uri: item.uri.clone(),
            language: item.language_id,
            version: item.version,
            text: item.text.into(),
            format,
            opened: SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .map_or(0, |since| since.as_micros() as u64),
        };
        self.open.insert(item.uri, open);
    }

    /// Applies edits; says whether they were. Those of a document that is not open, or older than
    /// what is there, are not.
    pub fn change(&mut self, params: &DidChangeTextDocumentParams, encoding: Encoding) -> bool {
        let Some(open) = self.open.get_mut(&params.text_document.uri) else {
            return false;
        };
        if params.text_document.version < open.version {
            tracing::debug!(
                uri = open.uri.as_str(),
                has = open.version,
                got = params.text_document.version,
                "a stale edit is left out"
            );
            return false;
        }
        open.text = edited(open.text.to_string(), &params.content_changes, encoding).into();
        open.version = params.text_document.version;
        true
    }

    /// A document is closed.
    pub fn close(&mut self, uri: &Uri) {
        self.open.remove(uri);
    }

    /// A document as it is now.
    pub fn get(&self, uri: &Uri) -> Option<&Open> {
        self.open.get(uri)
    }

    /// Whether a document is open with the very text that it had then. A version does not tell: it
    /// comes again where a document is closed and opened.
    pub fn holds(&self, then: &Open) -> bool {
        let now = self.get(&then.uri);
        now.is_some_and(|now| Arc::ptr_eq(&now.text, &then.text))
    }

    /// All of them, in the order of their names.
    pub fn all(&self) -> Vec<&Open> {
        let mut all: Vec<&Open> = self.open.values().collect();
        all.sort_by(|a, b| a.uri.as_str().cmp(b.uri.as_str()));
        all
    }
}

/// The text after all edits; each is of what the ones before it left.
fn edited(
    mut text: String,
    changes: &[TextDocumentContentChangeEvent],
    encoding: Encoding,
) -> String {
    let mut known = None;
    for change in changes {
        let Some(range) = change.range else {
            change.text.clone_into(&mut text);
            known = None;
            continue;
        };
        let index = known.get_or_insert_with(|| LineIndex::new(&text));
        let start = index.byte(&text, range.start, encoding);
        let end = index.byte(&text, range.end, encoding);
        // A range that ends before it begins is read the other way round.
        let (start, end) = (start.min(end), start.max(end));
        text.replace_range(start..end, &change.text);
        index.follow(&text, start, end - start, change.text.len());
    }
    text
}

/// By the client's word, else by the file's name.
fn format(language: &str, uri: &Uri) -> Format {
    match language {
        "markdown" | "quarto" | "rmd" | "mdx" => Format::Markdown,
        "org" => Format::Org,
        "restructuredtext" | "rst" => Format::Rst,
        "latex" | "tex" | "plaintex" => Format::Latex,
        "html" => Format::Html,
        _ => Format::from_path(Path::new(uri.path().as_str())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tower_lsp::ls_types::{Position, Range, TextDocumentItem, VersionedTextDocumentIdentifier};

    fn uri() -> Uri {
        "file:///notes/a.md".parse().unwrap()
    }

    fn opened(text: &str) -> Documents {
        let mut documents = Documents::default();
        documents.open(DidOpenTextDocumentParams {
            text_document: TextDocumentItem::new(uri(), "markdown".into(), 1, text.into()),
        });
        documents
    }

    fn change(version: i32, range: Option<Range>, text: &str) -> DidChangeTextDocumentParams {
        DidChangeTextDocumentParams {
            text_document: VersionedTextDocumentIdentifier::new(uri(), version),
            content_changes: vec![TextDocumentContentChangeEvent {
                range,
                range_length: None,
                text: text.to_owned(),
            }],
        }
    }

    #[test]
    fn a_stale_edit_changes_nothing() {
        let mut documents = opened("a");
        assert!(documents.change(&change(5, None, "b"), Encoding::Utf16));
        assert!(!documents.change(&change(4, None, "c"), Encoding::Utf16));
        let open = documents.get(&uri()).unwrap();
        assert_eq!((&*open.text, open.version), ("b", 5));
        documents.close(&uri());
        assert!(!documents.change(&change(6, None, "d"), Encoding::Utf16));
    }

    #[test]
    fn a_document_that_is_opened_again_under_the_same_number_is_another_one() {
        let mut documents = opened("a");
        let then = documents.get(&uri()).unwrap().clone();
        assert!(documents.holds(&then));
        documents.close(&uri());
        assert!(!documents.holds(&then));
        documents.open(DidOpenTextDocumentParams {
            text_document: TextDocumentItem::new(uri(), "markdown".into(), 1, "b".into()),
        });
        assert!(!documents.holds(&then));
    }

    #[test]
    fn only_files_have_a_folder() {
        let folder = opened("").get(&uri()).unwrap().folder();
        assert_eq!(folder, Some(PathBuf::from("/notes")));
        for other in ["untitled:Untitled-1", "git:/notes/a.md?x", "http://a/b.md"] {
            assert_eq!(path(&other.parse().unwrap()), None, "{other}");
        }
        let deep = |folders: usize| format!("file:///{}a.md", "a/".repeat(folders));
        assert!(path(&deep(1_000).parse().unwrap()).is_some());
        assert_eq!(path(&deep(20_000).parse().unwrap()), None);
    }

    #[test]
    fn each_edit_of_a_notification_is_of_what_the_ones_before_it_left() {
        let mut documents = opened("one\r\ntwo\nthree");
        let edit = |line, from, to, text: &str| TextDocumentContentChangeEvent {
            range: Some(Range::new(
                Position::new(line, from),
                Position::new(line, to),
            )),
            range_length: None,
            text: text.to_owned(),
        };
        let mut changes = change(2, None, "");
        changes.content_changes = vec![
            edit(1, 0, 3, "2\n2b"),
            edit(3, 0, 5, "3"),
            edit(2, 0, 2, ""),
            edit(0, 0, 3, "1"),
            edit(0, 1, 1, "\n"),
        ];
        assert!(documents.change(&changes, Encoding::Utf16));
        assert_eq!(&*documents.get(&uri()).unwrap().text, "1\n\r\n2\n\n3");
        // A whole text among them is a new beginning.
        changes.content_changes = vec![
            edit(0, 0, 1, "x"),
            change(3, None, "a\nb").content_changes.remove(0),
            edit(1, 1, 1, "c"),
        ];
        assert!(documents.change(&changes, Encoding::Utf16));
        assert_eq!(&*documents.get(&uri()).unwrap().text, "a\nbc");
    }

    /// Positions and replacement of one edit, as fractions of the text it meets.
    fn edits() -> impl Strategy<Value = Vec<(prop::sample::Index, prop::sample::Index, String)>> {
        let piece = prop::sample::select(vec!["", "x", "é🌱", "\n", "\r\n", "漢字\n"]);
        let edit = (
            any::<prop::sample::Index>(),
            any::<prop::sample::Index>(),
            piece.prop_map(str::to_owned),
        );
        prop::collection::vec(edit, 0..12)
    }

    proptest! {
        #[test]
        fn incremental_edits_give_the_text_that_the_client_has(edits in edits()) {
            for encoding in [Encoding::Utf8, Encoding::Utf16, Encoding::Utf32] {
                let mut client = "première 🌱 ligne\nsecond\n".to_owned();
                let mut documents = opened(&client);
                for (version, (a, b, text)) in (2..).zip(&edits) {
                    // Places an editor's cursor can be at: not between CR and LF.
                    let places: Vec<usize> = (0..=client.len())
                        .filter(|at| client.is_char_boundary(*at))
                        .filter(|at| {
                            !(client[..*at].ends_with('\r') && client[*at..].starts_with('\n'))
                        })
                        .collect();
                    let (a, b) = (places[a.index(places.len())], places[b.index(places.len())]);
                    let (start, end) = (a.min(b), a.max(b));
                    let index = LineIndex::new(&client);
                    let range = Range::new(
                        index.position(&client, start, encoding),
                        index.position(&client, end, encoding),
                    );
                    documents.change(&change(version, Some(range), text), encoding);
                    client.replace_range(start..end, text);
                }
                prop_assert_eq!(&*documents.get(&uri()).unwrap().text, &client);
            }
        }

        #[test]
        fn no_range_is_too_strange(l1: u32, c1: u32, l2 in 0u32..4, c2 in 0u32..20) {
            let mut documents = opened("a🌱\nb\n");
            let range = Range::new(Position::new(l1, c1), Position::new(l2, c2));
            let changed = documents.change(&change(2, Some(range), "x"), Encoding::Utf16);
            prop_assert!(changed);
        }
    }
}
