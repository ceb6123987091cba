//! What the watcher answers: how its folders are, and what is found in them.
//!
//! Input: the records of `desk::protocol`, and the index. Output: records.
//! Invariant: an answer holds up neither the watcher's thread nor whoever writes to the index for
//! longer than it takes to go through all notes in memory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch::Receiver as Watched;

use super::roots::RootsError;
use super::tagger::Tagger;
use super::{Watch, search};
use crate::desk::protocol::{
    FindParams, FindResult, FolderRecord, TagsParams, TagsResult, WatchParams, WatchRecord,
    WatchResult,
};
use crate::desk::watching::{OPENING, Progress, WatchError, Watching};
use crate::frontmatter::tag_name;

impl Watch {
    fn result(&self) -> WatchResult {
        let tagger = self.shared.tagger();
        let (views, missing) = (self.shared.views(), self.shared.missing());
        let fault = self.shared.fault();
        let watched = self.lock().watched.clone();
        let folders = watched.iter().map(|folder| {
            let view = views.iter().find(|view| view.folder.path == folder.path);
            let (tagged, notes) = tagger
                .as_ref()
                .map_or((0, 0), |tagger| tagger.counts(&folder.path, &missing));
            let mut faults = view.map_or_else(Vec::new, |view| view.faults.clone());
            if let Some(tagger) = &tagger {
                faults.extend(tagger.rules.faults(&folder.path));
                faults.extend(tagger.left_out(&folder.path));
            }
            FolderRecord {
                path: folder.path.display().to_string(),
                state: view.map_or("waiting", |view| view.state).to_owned(),
                sink: folder.sink.to_string(),
                labelset: folder.labelset.clone(),
                threshold: folder.threshold,
                extensions: folder.extensions.clone(),
                quiet_hours: folder.quiet_hours.map(|hours| hours.to_string()),
                notes,
                tagged,
                waiting: view.map_or(0, |view| view.waiting),
                // Before the index is open, nobody knows.
                busy: view.map_or(tagger.is_none() && fault.is_none(), |view| view.is_busy),
                faults,
            }
        });
        WatchResult {
            folders: folders.collect(),
            fault,
        }
    }

    /// What searches need.
    fn searched(&self, folder: Option<&str>) -> Result<(Arc<Tagger>, Vec<PathBuf>), WatchError> {
        let watched = self.lock().watched.clone();
        if watched.is_empty() {
            let fact = "no folder is watched; `gliznet watch add FOLDER` makes one searchable";
            return Err(WatchError(fact.to_owned()));
        }
        let fault = || {
            let fault = self.shared.fault();
            WatchError(fault.unwrap_or_else(|| OPENING.to_owned()))
        };
        let tagger = self.shared.tagger().ok_or_else(fault)?;
        let Some(folder) = folder else {
            let all = watched.into_iter().map(|folder| folder.path);
            return Ok((tagger, all.collect()));
        };
        let path = Path::new(folder);
        let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        if !watched
            .iter()
            .any(|known| path.starts_with(&known.path) || known.path.starts_with(&path))
        {
            return Err(WatchError(RootsError::Unknown(path).to_string()));
        }
        Ok((tagger, vec![path]))
    }
}

impl Watching for Watch {
    fn change(&self, asked: &WatchParams) -> Result<WatchResult, WatchError> {
        let changed = self.changed(asked);
        changed.map_err(|error| WatchError(error.to_string()))?;
        Ok(self.result())
    }

    fn find(&self, asked: &FindParams) -> Result<FindResult, WatchError> {
        for tag in asked.tags.iter().chain(&asked.not) {
            tag_name(tag).map_err(|error| WatchError(error.to_string()))?;
        }
        let (tagger, within) = self.searched(asked.folder.as_deref())?;
        let (notes, more) = search::find(
            &tagger.index.notes(),
            &self.shared.missing(),
            asked,
            &within,
            &tagger.rules.aliases(),
        );
        Ok(FindResult {
            notes,
            more,
            partial: !self.shared.progress().borrow().is_over(),
        })
    }

    fn tags(&self, asked: &TagsParams) -> Result<TagsResult, WatchError> {
        let (tagger, within) = self.searched(asked.folder.as_deref())?;
        let (labels, aliases) = (tagger.rules.labels(), tagger.rules.aliases());
        let notes = tagger.index.notes();
        Ok(search::tags(&notes, &within, &labels, &aliases))
    }

    fn status(&self) -> Option<WatchRecord> {
        let watched = self.lock().watched.clone();
        let fault = self.shared.fault();
        if watched.is_empty() && fault.is_none() {
            return None;
        }
        let progress = *self.shared.progress().borrow();
        let tagger = self.shared.tagger();
        let index = tagger.as_ref().map(|tagger| &tagger.index);
        let views = self.shared.views();
        let faults = views.iter().flat_map(|view| {
            let faults = view.faults.iter();
            faults.map(|fault| format!("{}: {fault}", view.folder.path.display()))
        });
        // Without labels nothing is tagged, and nothing waits either.
        let without_rules = watched.iter().flat_map(|folder| {
            let faults = tagger
                .iter()
                .flat_map(|tagger| tagger.rules.faults(&folder.path));
            faults.map(|fault| format!("{}: {fault}", folder.path.display()))
        });
        Some(WatchRecord {
            folders: watched.len(),
            notes: index.map_or(0, |index| {
                let missing = self.shared.missing();
                let notes = index.notes();
                notes.keys().filter(|path| !missing.contains(*path)).count()
            }),
            waiting: progress.waiting,
            done: progress.done,
            searching: progress.is_searching,
            bytes: index.map_or(0, |index| index.size()),
            faults: fault
                .into_iter()
                .chain(faults)
                .chain(without_rules)
                .collect(),
        })
    }

    fn progress(&self) -> Watched<Progress> {
        self.shared.progress()
    }

    fn is_watching(&self) -> bool {
        Watch::is_watching(self)
    }

    fn labelset_of(&self, dir: &Path) -> Option<String> {
        let (labelset, _) = super::labelset_of(&self.folders, dir)?;
        Some(labelset)
    }
}
