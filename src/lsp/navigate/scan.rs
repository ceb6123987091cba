//! Searches the workspace's folders, shows how far it is, and stops when nobody wants it any more.
//!
//! Invariant: the search waits for nobody; a client that does not answer or read loses its progress
//! bar, and nothing else. A withdrawn request ends its search.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tower_lsp::Client;
use tower_lsp::jsonrpc::{Error, Result};
use tower_lsp::ls_types::notification::Progress;
use tower_lsp::ls_types::{
    InitializeParams, ProgressParams, ProgressParamsValue, ProgressToken, WorkDoneProgress,
    WorkDoneProgressBegin, WorkDoneProgressEnd, WorkDoneProgressReport,
};

use crate::desk::index::{Index, Scan, ScanError};
use crate::lsp::documents::path;
use crate::lsp::error::failed;
use crate::lsp::session::Shared;

/// A search of fewer files is over before a progress bar is there.
const MANY: usize = 500;
/// How long a client may take to make room for a progress, or to take one message of it.
const PATIENCE: Duration = Duration::from_secs(5);
/// A progress bar need not move more often.
const STEP: Duration = Duration::from_millis(100);

/// What one client's workspace is.
#[derive(Default)]
pub(in crate::lsp) struct Navigation {
    roots: Mutex<Vec<PathBuf>>,
    index: Arc<Index>,
    /// Searches that run, by their progress's token.
    running: Arc<Mutex<HashMap<ProgressToken, Arc<AtomicBool>>>>,
    next_token: AtomicU64,
}

impl Navigation {
    /// Takes folders from `initialize`.
    pub(in crate::lsp) fn begin(&self, params: &InitializeParams) {
        let folders = params.workspace_folders.iter().flatten();
        let mut roots: Vec<PathBuf> = folders.filter_map(|folder| path(&folder.uri)).collect();
        if roots.is_empty() {
            // What clients said before there were several folders.
            #[expect(deprecated, reason = "older clients send nothing else")]
            let root = params.root_uri.as_ref();
            roots.extend(root.and_then(path));
        }
        *lock(&self.roots) = roots;
    }

    /// The folders that the client has open.
    pub(in crate::lsp) fn roots(&self) -> Vec<PathBuf> {
        lock(&self.roots).clone()
    }

    pub(super) fn change_roots(&self, removed: &[PathBuf], added: Vec<PathBuf>) {
        let mut roots = lock(&self.roots);
        roots.retain(|root| !removed.contains(root) && !added.contains(root));
        roots.extend(added);
    }

    /// Ends the search that a progress tells of.
    pub(super) fn cancel(&self, token: &ProgressToken) {
        if let Some(cancelled) = lock(&self.running).get(token) {
            cancelled.store(true, Ordering::Relaxed);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the search when the request that asked for it is dropped.
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    /// The tags of the workspace's files. Dropping the future ends the search.
    pub(super) async fn scan(&self, token: Option<ProgressToken>) -> Result<Arc<Scan>> {
        let navigation = &self.navigation;
        let roots = navigation.roots();
        let cancelled = Arc::new(AtomicBool::new(false));
        let _guard = CancelOnDrop(Arc::clone(&cancelled));
        let (tx, progress) = watch::channel((0, 0));
        let is_asked = token.is_some();
        let token = token.unwrap_or_else(|| {
            let number = navigation.next_token.fetch_add(1, Ordering::Relaxed);
            ProgressToken::String(format!("gliznet/tags/{number}"))
        });
        let bar = self.client.get().cloned().map(|client| Bar {
            client,
            token,
            progress,
            running: Arc::clone(&navigation.running),
            cancelled: Arc::clone(&cancelled),
        });
        let shows_progress = self.traits().shows_progress;
        let bar = bar.filter(|_| is_asked || shows_progress);
        let bar = bar.map(|bar| tokio::spawn(bar.show(is_asked)));
        let index = Arc::clone(&navigation.index);
        let work = tokio::task::spawn_blocking(move || {
            let mut report = |done, total| {
                tx.send_replace((done, total));
            };
            index.scan(&roots, &cancelled, &mut report)
        });
        let scan = work.await.map_err(|_| Error::internal_error())?;
        if let Some(bar) = bar.filter(|_| is_asked) {
            // A client's own token means nothing after the answer.
            let _ = tokio::time::timeout(PATIENCE, bar).await;
        }
        scan.map(Arc::new).map_err(|error| match error {
            ScanError::Cancelled => Error::request_cancelled(),
            ScanError::TooWide(_) => failed(&error.to_string()),
        })
    }
}

/// A progress bar.
struct Bar {
    client: Client,
    token: ProgressToken,
    progress: watch::Receiver<(usize, usize)>,
    running: Arc<Mutex<HashMap<ProgressToken, Arc<AtomicBool>>>>,
    cancelled: Arc<AtomicBool>,
}

impl Bar {
    /// Shows how far the search is, until it ends. `is_asked`: the client made the token.
    async fn show(mut self, is_asked: bool) {
        if !is_asked {
            let long = self.progress.wait_for(|(_, total)| *total >= MANY);
            // The value's guard may not be kept across an await.
            let is_long = long.await.is_ok();
            if !is_long {
                return; // It is over.
            }
            let created = self.client.create_work_done_progress(self.token.clone());
            if !matches!(tokio::time::timeout(PATIENCE, created).await, Ok(Ok(()))) {
                return;
            }
        }
        lock(&self.running).insert(self.token.clone(), Arc::clone(&self.cancelled));
        self.tell_all().await;
        lock(&self.running).remove(&self.token);
    }

    async fn tell_all(&mut self) {
        let begin = WorkDoneProgressBegin {
            title: "Reading tags".to_owned(),
            cancellable: Some(true),
            message: None,
            percentage: Some(0),
        };
        let mut is_heard = self.tell(WorkDoneProgress::Begin(begin)).await;
        while is_heard && self.progress.changed().await.is_ok() {
            let (done, total) = *self.progress.borrow_and_update();
            let report = WorkDoneProgressReport {
                cancellable: Some(true),
                message: Some(format!("{done} of {total} documents")),
                percentage: Some((done * 100 / total.max(1)) as u32),
            };
            is_heard = self.tell(WorkDoneProgress::Report(report)).await;
            // The search's end ends the pause too.
            let over = async { while self.progress.changed().await.is_ok() {} };
            let _ = tokio::time::timeout(STEP, over).await;
        }
        let message = match self.cancelled.load(Ordering::Relaxed) {
            true => Some("cancelled".to_owned()),
            false => None,
        };
        self.tell(WorkDoneProgress::End(WorkDoneProgressEnd { message }))
            .await;
    }

    /// Says whether the client takes it.
    async fn tell(&self, value: WorkDoneProgress) -> bool {
        let sent = self.client.send_notification::<Progress>(ProgressParams {
            token: self.token.clone(),
            value: ProgressParamsValue::WorkDone(value),
        });
        tokio::time::timeout(PATIENCE, sent).await.is_ok()
    }
}
