//! What the watcher's thread and those who ask it have in common.
//!
//! Invariant: what is told is how it was a moment ago; nobody who asks holds up the thread.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::root::View;
use super::roots::Folder;
use super::tagger::Tagger;
use crate::desk::watching::Progress;

/// What the thread is told.
#[derive(Debug)]
pub(super) enum Command {
    /// These are the folders from now on.
    Folders(Vec<Folder>, SyncSender<()>),
    /// A folder, or all, are to be brought up to date now.
    RunOnce(Option<PathBuf>, SyncSender<()>),
}

/// What both know.
pub(super) struct Shared {
    state: Mutex<State>,
    progress: watch::Sender<Progress>,
}

#[derive(Default)]
struct State {
    views: Vec<View>,
    /// Notes that are known and not there: removed, or on their way to another name.
    missing: Arc<HashSet<PathBuf>>,
    /// What does the work; none before the index is open.
    tagger: Option<Arc<Tagger>>,
    /// Why nothing is watched, or what should be known of all folders.
    fault: Option<String>,
}

impl Shared {
    pub(super) fn new() -> Shared {
        Shared {
            state: Mutex::default(),
            progress: watch::Sender::new(Progress::default()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells how the folders are.
    pub(super) fn publish(&self, progress: Progress, views: Vec<View>) {
        self.lock().views = views;
        self.progress.send_if_modified(|known| {
            let is_news = *known != progress;
            *known = progress;
            is_news
        });
    }

    /// Tells which notes are not there, where that is news.
    pub(super) fn set_missing<'a>(
        &self,
        missing: impl ExactSizeIterator<Item = &'a PathBuf> + Clone,
    ) {
        let known = self.missing();
        let is_same = known.len() == missing.len();
        if !is_same || !missing.clone().all(|path| known.contains(path)) {
            self.lock().missing = Arc::new(missing.cloned().collect());
        }
    }

    pub(super) fn missing(&self) -> Arc<HashSet<PathBuf>> {
        Arc::clone(&self.lock().missing)
    }

    pub(super) fn set_tagger(&self, tagger: Arc<Tagger>) {
        self.lock().tagger = Some(tagger);
    }

    pub(super) fn set_fault(&self, fault: Option<String>) {
        self.lock().fault = fault;
    }

    pub(super) fn views(&self) -> Vec<View> {
        self.lock().views.clone()
    }

    pub(super) fn tagger(&self) -> Option<Arc<Tagger>> {
        self.lock().tagger.clone()
    }

    pub(super) fn fault(&self) -> Option<String> {
        self.lock().fault.clone()
    }

    pub(super) fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }
}
