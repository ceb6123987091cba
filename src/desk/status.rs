//! How the daemon is, as a record: the model, the cache, the journal, memory.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use super::Desk;
use super::protocol::{self, CacheRecord, JournalRecord, ModelRecord, StatusResult};
use crate::engine::scheduler::Priority;
use crate::engine::worker::Loading;
use crate::learn::journal::Journal;

impl Desk {
    /// Whether somebody has corrected a tag or lets a folder be watched, and so knows how to begin.
    pub fn is_in_use(&self) -> bool {
        let verdicts = self.verdicts.read().unwrap_or_else(PoisonError::into_inner);
        let has_corrected = verdicts.count() > 0;
        drop(verdicts);
        has_corrected || self.watching().is_ok_and(|it| it.is_watching())
    }

    /// How things are.
    pub fn status(&self) -> StatusResult {
        let model = match &*self.worker.loading().borrow() {
            Loading::Underway => ModelRecord {
                state: "loading".to_owned(),
                ..ModelRecord::default()
            },
            Loading::Ready(facts) => ModelRecord {
                state: "ready".to_owned(),
                name: Some(facts.name.to_string()),
                device: Some(facts.device.to_string()),
                fault: None,
            },
            Loading::Failed(reason) => ModelRecord {
                state: "failed".to_owned(),
                fault: Some(reason.to_string()),
                ..ModelRecord::default()
            },
        };
        let cache = self.worker.cache().map(|cache| {
            let statistics = cache.statistics();
            CacheRecord {
                hits: statistics.hits,
                misses: statistics.misses,
                entries: statistics.entries,
                bytes: statistics.bytes_on_disk,
            }
        });
        let journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        StatusResult {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            build: self.build.clone(),
            protocol: protocol::VERSION,
            pid: std::process::id(),
            uptime: self.started.elapsed().as_secs(),
            model,
            clients: self.clients.load(Ordering::Relaxed),
            queue: self.worker.open(Priority::Interactive),
            background: self.worker.open(Priority::Bulk),
            cache,
            journal: JournalRecord {
                corrections: journal.as_ref().map_or(0, Journal::count),
                fault: journal.as_ref().err().map(ToString::to_string),
            },
            watch: self.watching().ok().and_then(|watching| watching.status()),
            learning: self.learning().ok().map(|l| l.state().borrow().record()),
            memory: memory(),
        }
    }
}

/// Bytes of this process in memory, where the system says so in a file.
fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes * 1024)
}
