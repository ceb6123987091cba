//! What this user's corrections teach this user's model: folders and settings in, a `Job` out.

use std::time::SystemTime;

use crate::cli::complain;
use crate::cli::labelset::renamed;
use crate::config::{Folders, Settings};
use crate::learn::consolidate::lesson::lessons;
use crate::learn::consolidate::{Job, pinned};
use crate::learn::journal::{self, Journal};
use crate::learn::versions::Versions;
use crate::model::store::Store;

/// The user's folders and settings, whichever folder this is: the model is one for all.
pub(super) fn surroundings() -> anyhow::Result<(Folders, Settings)> {
    let folders = Folders::of_this_user()?;
    let settings = Settings::load(&folders, &folders.config)?;
    if let Some(threads) = settings.threads {
        crate::config::limit_threads(threads.into());
    }
    Ok((folders, settings))
}

/// The job that learns whatever the journal holds; `encoder` practises too where it is wanted.
pub(super) fn job(folders: &Folders, settings: &Settings, encoder: bool) -> anyhow::Result<Job> {
    let (journal, replay) = Journal::open(&folders.data)?;
    for fault in &replay.faults {
        complain(fault);
    }
    let pinned = pinned(&folders.data);
    pinned.faults.iter().for_each(complain);
    let store = Store::new(folders, crate::model::bundled_files());
    Ok(Job {
        source: store.current(settings)?.source,
        versions: Versions::new(folders),
        cache: folders.cache.clone(),
        lessons: lessons(&replay.entries, &renamed(folders, &replay.entries)),
        journal: Some(folders.data.clone()),
        pinned,
        descriptions: journal::descriptions(&replay.entries),
        vault: None,
        encoder,
        last: journal.last(),
        seed: journal.last(),
        time: now(),
    })
}

/// Seconds since 1970.
pub(in crate::cli) fn now() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs())
}
