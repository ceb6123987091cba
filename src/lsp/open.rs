//! What a client has open, for those who would otherwise write the file under it.
//!
//! Input: documents are opened and closed. Output: the desk knows it, and may have the client edit
//! them. Invariant: an edit names the version that it was made for; nobody waits for the client
//! without an end but whoever asked for the edit.

use std::path::{Path, PathBuf};
use std::sync::Arc;
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
    let path = documents::path(uri)?;
    Some(path.canonicalize().unwrap_or(path))
}

impl Shared {
    /// The client has opened a document.
    pub(super) fn hold(self: &Arc<Shared>, uri: &Uri) {
        if let Some(path) = file(uri) {
            let editor: Arc<dyn Editor> = Arc::clone(self) as Arc<dyn Editor>;
            self.desk.editors.opened(&path, &editor);
        }
    }

    /// The client has closed a document.
    pub(super) fn let_go(self: &Arc<Shared>, uri: &Uri) {
        if let Some(path) = file(uri) {
            let editor: Arc<dyn Editor> = Arc::clone(self) as Arc<dyn Editor>;
            self.desk.editors.closed(&path, &editor);
        }
    }

    /// The client is gone.
    pub(super) fn let_all_go(self: &Arc<Shared>) {
        let editor: Arc<dyn Editor> = Arc::clone(self) as Arc<dyn Editor>;
        self.desk.editors.left(&editor);
    }

    fn open_at(&self, path: &Path) -> Option<Open> {
        let documents = self.documents();
        let mut all = documents.all().into_iter();
        let is_it = |open: &&Open| file(&open.uri).is_some_and(|file| file == path);
        all.find(is_it).cloned()
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
        let (client, traits) = (self.client.get().cloned(), self.traits());
        let edit = open.as_ref().map(|open| {
            let edit = workspace_edit(open, &edits, &what, self.encoding(), traits);
            self.spellings.given_back(edit)
        });
        Box::pin(async move {
            let (Some(edit), Some(client)) = (edit, client) else {
                return Ok(false); // It has changed, or is closed.
            };
            if !traits.applies_edits {
                return Err("the editor applies no edits of a server".to_owned());
            }
            match tokio::time::timeout(PATIENCE, apply_edit(&client, edit)).await {
                Ok(Ok(answer)) => Ok(answer.applied),
                Ok(Err(error)) => Err(error.message.into_owned()),
                Err(_) => Err("the editor did not answer".to_owned()),
            }
        })
    }
}
