//! Takes over `watch.toml` whenever somebody has edited it.
//!
//! Input: the file, as it looks from outside. Output: the folders are watched as it says, or it is
//! said why not; until it is mended, those hold that held before.
//! Invariant: it ends with the watch. Blocks no thread of the runtime.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::Watch;
use super::note::Stamp;
use crate::desk::protocol::WatchParams;

/// How often somebody looks.
const PULSE: Duration = Duration::from_secs(2);

/// Looks at the file until the watch is dropped; `said` is what was wrong with it at first.
pub(super) async fn follow(watch: Weak<Watch>, file: PathBuf, mut said: Option<String>) {
    let mut known = look(&file);
    loop {
        tokio::time::sleep(PULSE).await;
        let now = look(&file);
        let Some(watch) = watch.upgrade() else {
            return;
        };
        if now == known {
            continue;
        }
        known = now;
        let taken = tokio::task::spawn_blocking(move || take(&watch, said)).await;
        let Ok(fault) = taken else {
            return;
        };
        said = fault;
    }
}

/// Takes the file over; what is wrong with it is said, and not any more when it is mended.
fn take(watch: &Arc<Watch>, said: Option<String>) -> Option<String> {
    let fault = watch.changed(&WatchParams::default()).err();
    let fault = fault.map(|error| error.to_string());
    if let Some(fault) = &fault {
        tracing::warn!("{fault}");
    }
    if fault.is_some() || watch.shared.fault() == said {
        watch.shared.set_fault(fault.clone());
    }
    fault
}

fn look(file: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(file).ok()?;
    Some(Stamp::of(&metadata))
}
