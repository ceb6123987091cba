//! `gliznet/review`: the documents of some folders in, those to look at next out.
//!
//! Invariant: the folders are searched beside the asynchronous threads, and a request that is
//! withdrawn stops its search. Knows nothing of how they are chosen.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use tower_lsp::jsonrpc::{Error, Result};
use tower_lsp::ls_types::Uri;

use super::documents::path;
use super::error::{failed, of_desk};
use super::session::Session;
use super::spelling::lawful;
use crate::desk::index::documents;
use crate::desk::protocol::review::{ReviewParams, ReviewResult};
use crate::desk::review::Reviewable;

/// How many documents a person looks at in one go, unless they say otherwise.
const USUAL: usize = 20;
/// Nobody looks at more without asking again.
const MOST: usize = 200;

impl Session {
    pub(super) async fn review_queue(&self, params: ReviewParams) -> Result<ReviewResult> {
        let shared = &self.shared;
        let mut roots = Vec::with_capacity(params.folders.len());
        for folder in &params.folders {
            roots.push(folder_of(folder)?);
        }
        if roots.is_empty() {
            roots = shared.navigation.roots();
        }
        if roots.is_empty() {
            return Err(failed("no folder is open; name one in `folders`"));
        }
        let count = params.count.unwrap_or(USUAL);
        if count == 0 || count > MOST {
            return Err(Error::invalid_params(format!(
                "`count` is {count}, and not from 1 to {MOST}"
            )));
        }
        let cancelled = CancelOnDrop::default();
        let flag = Arc::clone(&cancelled.0);
        let found = tokio::task::spawn_blocking(move || {
            let (paths, _) = documents(&roots, &flag)?;
            let documents = paths
                .into_iter()
                .filter_map(|path| reviewable(path, &roots));
            Ok(documents.collect())
        });
        let found: std::result::Result<Vec<Reviewable>, crate::desk::index::ScanError> =
            found.await.map_err(|_| Error::internal_error())?;
        let found = found.map_err(|error| failed(&error.to_string()))?;
        let mut choice = shared.choice_in(None);
        if params.labelset.is_some() {
            (choice.labels, choice.labelset) = (None, params.labelset);
        }
        let seed = params.seed.unwrap_or_else(today);
        let desk = Arc::clone(&shared.desk);
        desk.review(found, &choice, count, seed)
            .await
            .map_err(|error| of_desk(&error))
    }
}

/// Ends the search when the request is dropped.
#[derive(Default)]
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A folder or file by URI or path.
fn folder_of(named: &str) -> Result<PathBuf> {
    let spelt = lawful(named);
    let of_uri = spelt.as_deref().unwrap_or(named).parse::<Uri>();
    let of_uri = of_uri.ok().filter(|_| named.contains("://"));
    let found = match of_uri {
        Some(uri) => path(&uri),
        None => Some(PathBuf::from(named)).filter(|path| path.is_absolute()),
    };
    let found = found.filter(|path| path.exists());
    found.ok_or_else(|| {
        Error::invalid_params(format!(
            "`{named}` is no folder or file here; give its whole path or its URI"
        ))
    })
}

fn reviewable(path: PathBuf, roots: &[PathBuf]) -> Option<Reviewable> {
    let uri = Uri::from_file_path(&path)?.as_str().to_owned();
    let below = roots.iter().find_map(|root| path.strip_prefix(root).ok());
    let name = below.filter(|below| *below != Path::new(""));
    Some(Reviewable {
        name: name.unwrap_or(&path).display().to_string(),
        uri,
        path,
    })
}

/// The day's number: a queue that is asked for again today is made of the same documents.
fn today() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs() / 86_400)
}
