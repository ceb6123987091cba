//! What a client has open, for those who would otherwise write the file under it.
//!
//! Input: documents are opened and closed. Output: the desk knows it, and may have the client edit
//! them. Invariant: a file is open under the one path that it had when its document was opened, also
//! where there was no file yet; an edit names the version that it was made for, and the watcher's is
//! never the second for one version; nobody waits for the client without an end but whoever asked for
//! the edit.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tower_lsp::ls_types::Uri;

use super::documents::{self, Open};
use super::edits::workspace_edit;
use super::session::Shared;
use super::spelling::apply_edit;
use crate::desk::editors::{Applied, Editor, OpenText};
use crate::frontmatter::Edit;

/// How long an editor may take to apply an edit that nobody at the screen has asked for.
const PATIENCE: Duration = Duration::from_secs(15);

/// The file of a document, by the one path that it has without links.
pub(super) fn file(uri: &Uri) -> Option<PathBuf> {
    Some(without_links(&documents::path(uri)?))
}

/// The path without links. What is not there yet will be in the folder that is.
fn without_links(path: &Path) -> PathBuf {
    if let Ok(found) = path.canonicalize() {
        return found;
    }
    let found = path.ancestors().skip(1).find_map(|above| {
        let found = above.canonicalize().ok()?;
        Some(found.join(path.strip_prefix(above).ok()?))
    });
    found.unwrap_or_else(|| path.to_path_buf())
}

/// The versions of documents for which the client was asked to apply an edit. It may tell of the
/// text that came of it long after it answered, so another edit would be for what is no more.
#[derive(Debug, Default)]
pub(super) struct Edited(Mutex<HashMap<Uri, i32>>);

impl Edited {
    /// An edit is asked for.
    pub(super) fn begins(&self, open: &Open) {
        self.lock().insert(open.uri.clone(), open.version);
    }

    /// It was not taken.
    pub(super) fn failed(&self, open: &Open) {
        self.lock().remove(&open.uri);
    }

    /// Whether one was asked for, and the client has not told of another text since.
    fn is_edited(&self, open: &Open) -> bool {
        self.lock().get(&open.uri) == Some(&open.version)
    }

    fn forget(&self, uri: &Uri) {
        self.lock().remove(uri);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uri, i32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The files of open documents. Links may lead elsewhere by the time that a document is closed.
#[derive(Debug, Default)]
pub(super) struct Held(Mutex<HashMap<Uri, PathBuf>>);

impl Held {
    fn hold(&self, uri: &Uri, path: &Path) {
        self.lock().insert(uri.clone(), path.to_path_buf());
    }

    /// The file of a document that was closed; none where another document is of it too.
    fn let_go(&self, uri: &Uri) -> Option<PathBuf> {
        let mut held = self.lock();
        let path = held.remove(uri)?;
        let is_held = held.values().any(|other| *other == path);
        (!is_held).then_some(path)
    }

    /// The first document of a file, in the order of their names.
    fn document(&self, path: &Path) -> Option<Uri> {
        let held = self.lock();
        let of_path = held.iter().filter(|(_, held)| *held == path);
        let uris = of_path.map(|(uri, _)| uri);
        uris.min_by_key(|uri| uri.as_str()).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uri, PathBuf>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// The client has opened a document.
    pub(super) fn hold(self: &Arc<Shared>, uri: &Uri) {
        self.release(uri, None); // It may be opened a second time.
        if let Some(path) = file(uri) {
            self.held.hold(uri, &path);
            let editor: Arc<dyn Editor> = Arc::clone(self) as Arc<dyn Editor>;
            self.desk.editors.opened(&path, &editor);
        }
    }

    /// The client has closed a document.
    pub(super) fn let_go(self: &Arc<Shared>, uri: &Uri) {
        let text = self.documents().get(uri).map(|open| Arc::clone(&open.text));
        self.release(uri, text);
    }

    fn release(self: &Arc<Shared>, uri: &Uri, text: Option<Arc<str>>) {
        self.edited.forget(uri); // Versions come again.
        if let Some(path) = self.held.let_go(uri) {
            let editor: Arc<dyn Editor> = Arc::clone(self) as Arc<dyn Editor>;
            self.desk.editors.closed(&path, &editor, text);
        }
    }

    /// The client is gone, or the daemon `is_ending`: then the client has its texts still, and
    /// brings them to the next.
    pub(super) fn let_all_go(self: &Arc<Shared>, is_ending: bool) {
        if !is_ending {
            let all: Vec<Uri> = self.held.lock().keys().cloned().collect();
            all.iter().for_each(|uri| self.let_go(uri));
        }
        let editor: Arc<dyn Editor> = Arc::clone(self) as Arc<dyn Editor>;
        self.desk.editors.left(&editor);
    }

    fn open_at(&self, path: &Path) -> Option<Open> {
        let uri = self.held.document(path)?;
        self.documents().get(&uri).cloned()
    }
}

impl Editor for Shared {
    fn text(&self, path: &Path) -> Option<OpenText> {
        let open = self.open_at(path)?;
        Some(OpenText {
            text: Arc::clone(&open.text),
            version: open.version,
        })
    }

    fn apply(&self, path: &Path, version: i32, edits: Vec<Edit>, what: String) -> Applied {
        let open = self.open_at(path).filter(|open| open.version == version);
        let open = open.filter(|open| !self.edited.is_edited(open));
        let (client, traits) = (self.client.get().cloned(), self.traits());
        let edited = Arc::clone(&self.edited);
        let edit = open.map(|open| {
            let edit = workspace_edit(&open, &edits, &what, self.encoding(), traits);
            (self.spellings.given_back(edit), open)
        });
        Box::pin(async move {
            let (Some((edit, open)), Some(client)) = (edit, client) else {
                return Ok(false); // It has changed, or is closed.
            };
            if !traits.applies_edits {
                return Err("the editor applies no edits of a server".to_owned());
            }
            edited.begins(&open);
            let applied = match tokio::time::timeout(PATIENCE, apply_edit(&client, edit)).await {
                Ok(Ok(answer)) => Ok(answer.applied),
                Ok(Err(error)) => Err(error.message.into_owned()),
                Err(_) => Err("the editor did not answer".to_owned()),
            };
            if applied != Ok(true) {
                edited.failed(&open);
            }
            applied
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(path: &Path) -> Uri {
        Uri::from_file_path(path).unwrap()
    }

    #[cfg(unix)]
    #[test]
    fn a_note_behind_a_linked_folder_has_one_path_before_there_is_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("notes")).unwrap();
        std::os::unix::fs::symlink(root.join("notes"), root.join("link")).unwrap();
        for name in ["new.md", "new/folder/new.md"] {
            let found = file(&uri(&root.join("link").join(name)));
            assert_eq!(found, Some(root.join("notes").join(name)));
        }
        // However many folders are not there, the stack holds.
        let deep = root.join("link").join("a/".repeat(20_000));
        let found = without_links(&deep);
        assert!(found.starts_with(root.join("notes")) && found.ends_with("a/a"));
    }

    #[test]
    fn one_edit_is_asked_for_a_version_unless_it_is_not_taken() {
        let edited = Edited::default();
        let name = uri(Path::new("/notes/a.md"));
        let at = |version| Open {
            uri: name.clone(),
            language: "markdown".to_owned(),
            version,
            text: "Roses.".into(),
            format: crate::document::Format::Markdown,
            opened: 0,
        };
        assert!(!edited.is_edited(&at(1)));
        edited.begins(&at(1));
        assert!(edited.is_edited(&at(1)) && !edited.is_edited(&at(2)));
        edited.failed(&at(1));
        assert!(!edited.is_edited(&at(1)));
        edited.begins(&at(2));
        edited.forget(&name);
        assert!(!edited.is_edited(&at(2)));
    }

    #[test]
    fn a_file_is_held_until_its_last_document_is_closed() {
        let held = Held::default();
        let (link, note) = (Path::new("/link/a.md"), Path::new("/notes/a.md"));
        held.hold(&uri(link), note);
        held.hold(&uri(note), note);
        assert_eq!(held.document(note), Some(uri(link)));
        assert_eq!(held.let_go(&uri(link)), None);
        assert_eq!(held.document(note), Some(uri(note)));
        assert_eq!(held.let_go(&uri(note)).as_deref(), Some(note));
        assert_eq!(held.let_go(&uri(note)), None);
    }
}
