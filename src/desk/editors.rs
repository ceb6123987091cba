//! What editors have open, so that nobody writes a file under a text that is being edited.
//!
//! Input: sessions say what they open and close. Output: for a path, its texts and an editor that can
//! change it; and what is closed from now on.
//! Invariant: a path is open as long as one session has it open. Knows no protocol.

pub mod denied;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;

use crate::frontmatter::Edit;

use denied::Denied;

/// What comes of asking an editor to change a text: whether it did, or why it could not be asked.
pub type Applied = Pin<Box<dyn Future<Output = Result<bool, String>> + Send>>;

/// A text as an editor has it.
#[derive(Clone, Debug)]
pub struct OpenText {
    /// The text.
    pub text: Arc<str>,
    /// The editor's number for this state of it.
    pub version: i32,
}

/// An editor that has documents open.
pub trait Editor: Send + Sync {
    /// The text of a file; none where it is not open any more.
    fn text(&self, path: &Path) -> Option<OpenText>;
    /// Changes that version of the text, and no other; `what` says in a few words how.
    fn apply(&self, path: &Path, version: i32, edits: Vec<Edit>, what: String) -> Applied;
}

/// A file that an editor has closed.
#[derive(Clone, Debug)]
pub struct Closed {
    /// Where it is.
    pub path: Arc<Path>,
    /// The text that the editor had, where it said.
    pub text: Option<Arc<str>>,
    /// No other editor has it open.
    pub is_last: bool,
}

/// So many files that were closed are kept for who is slow to hear of them.
const KEPT_NEWS: usize = 64;

/// All editors, by what they have open.
pub struct Editors {
    open: Mutex<HashMap<PathBuf, Vec<Arc<dyn Editor>>>>,
    closed: broadcast::Sender<Closed>,
    /// What was rejected while it stood in an open text.
    pub denied: Denied,
}

impl Default for Editors {
    fn default() -> Editors {
        Editors {
            open: Mutex::default(),
            closed: broadcast::Sender::new(KEPT_NEWS),
            denied: Denied::default(),
        }
    }
}

impl Editors {
    /// An editor has opened a file.
    pub fn opened(&self, path: &Path, editor: &Arc<dyn Editor>) {
        let mut open = self.lock();
        let editors = open.entry(path.to_path_buf()).or_default();
        if !editors.iter().any(|known| is_one(known, editor)) {
            editors.push(Arc::clone(editor));
        }
    }

    /// An editor has closed a file, in which it had this text last.
    pub fn closed(&self, path: &Path, editor: &Arc<dyn Editor>, text: Option<Arc<str>>) {
        let mut open = self.lock();
        if let Some(editors) = open.get_mut(path) {
            editors.retain(|known| !is_one(known, editor));
            let is_last = editors.is_empty();
            if is_last {
                open.remove(path);
            }
            let path = path.into();
            // Nobody may listen.
            let _ = self.closed.send(Closed {
                path,
                text,
                is_last,
            });
        }
    }

    /// The files that are closed from now on, by each editor that has them.
    pub fn closings(&self) -> broadcast::Receiver<Closed> {
        self.closed.subscribe()
    }

    /// An editor is gone.
    pub fn left(&self, editor: &Arc<dyn Editor>) {
        let mut open = self.lock();
        open.retain(|_, editors| {
            editors.retain(|known| !is_one(known, editor));
            !editors.is_empty()
        });
    }

    /// The texts of a file in all editors that have it open.
    pub fn texts(&self, path: &Path) -> Vec<Arc<str>> {
        let open = self.lock().get(path).cloned().unwrap_or_default();
        let texts = open.iter().filter_map(|editor| editor.text(path));
        texts.map(|open| open.text).collect()
    }

    /// The editor that opened a file last, of those that have it open.
    pub fn of(&self, path: &Path) -> Option<Arc<dyn Editor>> {
        self.lock().get(path)?.last().cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, Vec<Arc<dyn Editor>>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether two are the same editor, whatever they are seen as.
fn is_one(a: &Arc<dyn Editor>, b: &Arc<dyn Editor>) -> bool {
    std::ptr::addr_eq(Arc::as_ptr(a), Arc::as_ptr(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;

    impl Editor for Nobody {
        fn text(&self, _: &Path) -> Option<OpenText> {
            None
        }

        fn apply(&self, _: &Path, _: i32, _: Vec<Edit>, _: String) -> Applied {
            Box::pin(async { Ok(false) })
        }
    }

    #[test]
    fn a_file_is_open_as_long_as_one_editor_has_it_open() {
        let editors = Editors::default();
        let (one, two): (Arc<dyn Editor>, Arc<dyn Editor>) = (Arc::new(Nobody), Arc::new(Nobody));
        let path = Path::new("/n/a.md");
        editors.opened(path, &one);
        editors.opened(path, &two);
        editors.opened(path, &two);
        let mut closings = editors.closings();
        editors.closed(path, &two, None);
        let closed = closings.try_recv().unwrap();
        assert!(!closed.is_last && closed.text.is_none());
        assert!(
            editors
                .of(path)
                .is_some_and(|editor| Arc::ptr_eq(&editor, &one))
        );
        editors.opened(Path::new("/n/b.md"), &two);
        assert!(closings.try_recv().is_err());
        editors.closed(path, &one, Some("a".into()));
        let closed = closings.try_recv().unwrap();
        assert_eq!((&*closed.path, closed.text.as_deref()), (path, Some("a")));
        assert!(closed.is_last);
        editors.opened(path, &one);
        editors.left(&one);
        assert!(editors.of(path).is_none());
        assert!(editors.of(Path::new("/n/b.md")).is_some());
        editors.left(&two);
        assert!(editors.lock().is_empty());
    }
}
