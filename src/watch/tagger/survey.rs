//! What the tagger knows of all notes of a folder: which are behind, how many are up to date, and
//! why some are left out.
//!
//! Invariant: settings are read while nobody waits for the index. Opens no note.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Tagger;
use crate::sink::is_among;
use crate::watch::index::below;
use crate::watch::note::{Basis, Note};
use crate::watch::roots::Folder;

/// So many reasons are told at once.
const MOST_REASONS: usize = 20;

impl Tagger {
    /// Whether another process has written into the ledger since this was asked last.
    pub(in crate::watch) fn is_taken_back(&self) -> bool {
        let ledger = self.ledger.as_ref().ok();
        ledger.is_some_and(|ledger| ledger.has_foreign_news().unwrap_or(false))
    }

    /// The notes of a folder that should be tagged again, and those whose tags beside the file were
    /// taken back, which the file does not show. Reads settings.
    pub(in crate::watch) fn behind(&self, folder: &Folder, cancelled: &AtomicBool) -> Vec<PathBuf> {
        let dirs: BTreeSet<PathBuf> = {
            let notes = self.index.notes();
            let dirs = below(&notes, &folder.path).filter_map(|(path, _)| path.parent());
            dirs.map(Path::to_path_buf).collect()
        };
        // Settings are read while nobody waits for the index.
        let mut rules = HashMap::new();
        for dir in dirs {
            if cancelled.load(Ordering::Relaxed) {
                return Vec::new();
            }
            let of_dir = self.rules.of(folder, &dir);
            rules.insert(dir, of_dir.ok().map(|rules| rules.print));
        }
        let model = self.model();
        let machine = self.ledger.as_ref().ok();
        let machine = machine.and_then(|ledger| ledger.machine_tags().ok());
        let notes = self.index.notes();
        let is_taken_back = |path: &Path, note: &Note| {
            let Some(machine) = &machine else {
                return false;
            };
            let known = machine.get(path);
            let stands = |tag: &str| known.is_some_and(|known| is_among(tag, known));
            let mut ours = note.tags.iter().filter(|tag| tag.is_ours);
            ours.any(|tag| !stands(&tag.name))
        };
        let is_behind = |path: &Path, note: &Note| {
            if is_taken_back(path, note) {
                return true;
            }
            if note.fault.is_some() && note.basis.is_none() {
                return false; // It could not even be read.
            }
            let Some(print) = path.parent().and_then(|dir| rules.get(dir)) else {
                return false;
            };
            let now = print.map(|print| self.print_of(path, print));
            match (note.basis, now, model) {
                (basis, Some(rules), Some(model)) => basis != Some(Basis { model, rules }),
                // While there is no model, it may be the one that was asked before.
                (Some(basis), Some(rules), None) => basis.rules != rules,
                (None, Some(_), None) => false,
                (basis, None, _) => basis.is_some(),
            }
        };
        below(&notes, &folder.path)
            .filter(|(path, note)| is_behind(path, note))
            .map(|(path, _)| path.clone())
            .collect()
    }

    /// The notes of a folder of which a person has taken a tag out beside the file, which the file
    /// does not show. Reads attributes and sidecars.
    pub(in crate::watch) fn taken_out(&self, folder: &Folder) -> Vec<PathBuf> {
        let ledger = self.ledger.as_ref().ok();
        let gone = ledger.and_then(|ledger| ledger.taken_out_beside(&folder.path).ok());
        let gone = gone.unwrap_or_default();
        let notes = self.index.notes();
        // Of what is no machine's any more it is known.
        let is_news = |(path, gone): &(PathBuf, Vec<String>)| {
            let note = notes.get(path);
            let mut ours = note.into_iter().flat_map(|note| note.tags.iter());
            ours.any(|tag| tag.is_ours && is_among(&tag.name, gone))
        };
        let news = gone.into_iter().filter(is_news);
        news.map(|(path, _)| path).collect()
    }

    /// How many notes of a folder are up to date, and how many there are.
    pub(in crate::watch) fn counts(
        &self,
        folder: &Path,
        missing: &HashSet<PathBuf>,
    ) -> (usize, usize) {
        let notes = self.index.notes();
        let (mut tagged, mut all) = (0, 0);
        for (_, note) in below(&notes, folder).filter(|(path, _)| !missing.contains(*path)) {
            all += 1;
            tagged += usize::from(note.basis.is_some() && note.fault.is_none());
        }
        (tagged, all)
    }

    /// Why some notes of a folder have no tags: each reason once, with a note.
    pub(in crate::watch) fn left_out(&self, folder: &Path) -> Vec<String> {
        let notes = self.index.notes();
        let mut reasons: BTreeMap<Arc<str>, (PathBuf, usize)> = BTreeMap::new();
        for (path, note) in below(&notes, folder) {
            if let Some(fault) = &note.fault {
                let (_, count) = reasons
                    .entry(Arc::clone(fault))
                    .or_insert_with(|| (path.clone(), 0));
                *count += 1;
            }
        }
        let shown = reasons.into_iter().map(|(reason, (path, count))| {
            let name = path.display();
            match count {
                1 if reason.contains(&*name.to_string()) => reason.to_string(),
                1 => format!("{name}: {reason}"),
                more => format!("{name} and {} more: {reason}", more - 1),
            }
        });
        shown.take(MOST_REASONS).collect()
    }
}
