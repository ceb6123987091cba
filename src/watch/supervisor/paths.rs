//! What the supervisor makes of paths: which notes are to be read, which only have another name,
//! and which are gone.
//!
//! Invariant: a note that is gone is remembered for a while, so that one that comes back under
//! another name keeps what was said of it.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::{GRACE, Supervisor};
use crate::desk::ignored::RULE_FILES;
use crate::sink::{SIDECAR_NAME, moved_path};
use crate::watch::coalesce::{Moment, Ready};
use crate::watch::corrections::CROWD;
use crate::watch::index::below;
use crate::watch::note::{Note, Stamp};
use crate::watch::queue::Urgency;
use crate::watch::root::{Root, is_settings};
use crate::watch::scan::renamed;

/// The name that a note has between two of others, where two have exchanged theirs at once.
const BETWEEN: &str = ".gliznet-exchanged";

impl Supervisor {
    /// Looks at paths that were quiet.
    pub(super) fn look_into(&mut self, at: usize, ready: Ready) {
        let now = self.now();
        let root_path = self.roots[at].folder.path.clone();
        if ready.everything {
            self.roots[at].look_at(&root_path, now);
            return;
        }
        for (turn, (from, to)) in ready.moves.iter().enumerate() {
            let earlier = &ready.moves[..turn];
            if earlier
                .iter()
                .any(|(other, there)| other == to && there == from)
            {
                if self.is_file_of(to, to) {
                    continue; // It was there for a moment, over another note, and is back.
                }
                if self.is_file_of(from, to) && self.is_file_of(to, from) {
                    self.exchange(from, to);
                    continue;
                }
            }
            // Where notes change names, one has a third name for a moment.
            let end = led_to(&ready.moves[turn..]).unwrap_or(to);
            let is_free = std::fs::symlink_metadata(from).is_err();
            if (is_free && end.exists()) || self.has_made_room(from, end) {
                self.rename_all(from, to);
            }
        }
        let mut come: Vec<(PathBuf, Stamp)> = Vec::new();
        let mut beside: Vec<&PathBuf> = Vec::new();
        let (mut settings_changed, mut sidecar_changed) = (false, false);
        for path in &ready.paths {
            let root = &mut self.roots[at];
            let name = path.file_name().unwrap_or_default();
            if RULE_FILES.iter().any(|rules| name == *rules) {
                root.ignored.forget();
                root.look_at(&root_path, now);
                continue;
            }
            if name == SIDECAR_NAME {
                sidecar_changed = true;
                continue;
            }
            settings_changed |= is_settings(path);
            let metadata = std::fs::symlink_metadata(path);
            match metadata {
                Err(_) => {
                    if *path == root_path {
                        root.look_at(&root_path, now);
                        continue;
                    }
                    self.notifier.forget(path);
                    self.miss(path, now);
                }
                Ok(metadata) if metadata.is_dir() => {
                    if !root.ignored.is_ignored(path, true) {
                        // It may be another folder than the one that was watched.
                        self.notifier.forget(path);
                        root.look_at(path, now);
                    }
                }
                Ok(metadata) => {
                    let is_note = metadata.is_file()
                        && root.folder.is_note(path)
                        && !root.ignored.is_ignored(path, false);
                    let stamp = Stamp::of(&metadata);
                    let known = self.index.notes().get(path).map(|note| note.stamp);
                    if !is_note {
                        if known.is_some() {
                            self.miss(path, now);
                        }
                    } else if known != Some(stamp) {
                        come.push((path.clone(), stamp));
                    } else {
                        self.missing.remove(path); // It is back as it was.
                        // Or its attributes are not.
                        beside.extend(self.has_our_tags(path).then_some(path));
                    }
                }
            }
        }
        for path in &beside {
            self.roots[at].push(path, Urgency::Fresh, now, beside.len());
        }
        self.push(at, come, &ready.moves, Urgency::Fresh, now);
        if settings_changed {
            self.tagger.rules.forget();
            self.check_behind();
        } else if sidecar_changed {
            self.spawn_behind(at);
        }
    }

    fn has_our_tags(&self, path: &Path) -> bool {
        let notes = self.index.notes();
        let mut tags = notes.get(path).into_iter().flat_map(|note| &note.tags);
        tags.any(|tag| tag.is_ours)
    }

    /// Notes that are new or look other than they did are to be read, unless they only have
    /// another name.
    pub(super) fn push(
        &mut self,
        at: usize,
        come: Vec<(PathBuf, Stamp)>,
        told: &[(PathBuf, PathBuf)],
        urgency: Urgency,
        earliest: Moment,
    ) {
        for (one, other) in self.exchanged(&come) {
            self.exchange(&one, &other);
        }
        let is_new = |(path, _): &&(PathBuf, Stamp)| !self.index.notes().contains_key(path);
        let new: Vec<(PathBuf, Stamp)> = come.iter().filter(is_new).cloned().collect();
        let now = self.now();
        for path in self.left_for(&new) {
            self.miss(&path, now);
        }
        if !new.is_empty() && !self.missing.is_empty() {
            let mut gone: Vec<(PathBuf, Stamp)> = self
                .missing
                .iter()
                .map(|(path, (_, stamp))| (path.clone(), *stamp))
                .collect();
            gone.sort_by(|a, b| a.0.cmp(&b.0));
            for (from, to) in renamed(&gone, &new, told) {
                self.rename_all(&from, &to);
            }
        }
        let is_echo = |(path, _): &&(PathBuf, Stamp)| {
            let notes = self.index.notes();
            notes
                .get(path)
                .is_some_and(|note| note.stamp == Stamp::default())
        };
        let n_echoes = come.iter().filter(is_echo).count();
        let crowd = self.roots[at].crowd(come.len() - n_echoes, now);
        for (path, stamp) in come {
            let before = self.missing.remove(&path).map(|(_, before)| before);
            let is_other = |before: Stamp| before != Stamp::default() && before != stamp;
            if before.is_some_and(is_other) && crowd <= CROWD && !self.is_as_it_was(&path) {
                // Another note has the name of one that was gone.
                let content = self.index.remove(&path).map(|note| note.content);
                self.tagger.gone(&[(path.clone(), content)]);
            }
            // After a rename it may be known by its look.
            let known = self.index.notes().get(&path).map(|note| note.stamp);
            if known != Some(stamp) {
                self.roots[at].push(&path, urgency, earliest, crowd);
            }
        }
    }

    /// Whether a note that looks other than it did says the same: it is back from a bin, or from a
    /// checkout.
    fn is_as_it_was(&self, path: &Path) -> bool {
        let known = self.index.get(path).map(|note| note.content);
        let now = crate::sink::read(path).ok().map(|(_, content)| content);
        known.is_some() && known == now
    }

    /// Whether a note has another name although there is a note of its old one again, as when a
    /// diary begins a new day. Backups of editors, which are no notes, do not count.
    fn has_made_room(&self, from: &Path, to: &Path) -> bool {
        self.is_file_of(from, to) && !self.is_file_of(from, from) && self.is_note(to)
    }

    /// Whether the file of a note that is known as `note` is now at `path`, where files are
    /// numbered.
    fn is_file_of(&self, note: &Path, path: &Path) -> bool {
        let known = self.index.get(note).map(|note| note.stamp.inode);
        let metadata = std::fs::symlink_metadata(path).ok();
        let now = metadata.map(|metadata| Stamp::of(&metadata).inode);
        known.is_some_and(|known| known != 0) && known == now
    }

    /// Two notes have each other's name.
    fn exchange(&mut self, one: &Path, other: &Path) {
        // No note is called that: hidden files are left out.
        let between = one.with_file_name(BETWEEN);
        self.rename_all(one, &between);
        self.rename_all(other, one);
        self.rename_all(&between, other);
    }

    /// Pairs of known notes of which each looks as the other did: they have exchanged their names
    /// while nobody told of it, as where no daemon ran.
    fn exchanged(&self, come: &[(PathBuf, Stamp)]) -> Vec<(PathBuf, PathBuf)> {
        let notes = self.index.notes();
        let by_look: HashMap<Stamp, &PathBuf> = come
            .iter()
            .filter(|(_, stamp)| stamp.inode != 0)
            .map(|(path, stamp)| (*stamp, path))
            .collect();
        let pair = |(path, stamp): &(PathBuf, Stamp)| {
            let other = *by_look.get(&notes.get(path)?.stamp)?;
            let is_pair = path < other && notes.get(other)?.stamp == *stamp;
            is_pair.then(|| (path.clone(), other.clone()))
        };
        come.iter().filter_map(pair).collect()
    }

    /// Known notes that look like new ones and are not there any more, or another note is: a note
    /// may be seen under its new name before it is missed under the old one.
    fn left_for(&self, new: &[(PathBuf, Stamp)]) -> Vec<PathBuf> {
        let looks: HashSet<Stamp> = new
            .iter()
            .map(|(_, stamp)| *stamp)
            .filter(|stamp| stamp.inode != 0)
            .collect();
        if looks.is_empty() {
            return Vec::new();
        }
        let notes = self.index.notes();
        let alike = notes.iter().filter(|(_, note)| looks.contains(&note.stamp));
        let is_gone = |(path, note): &(&PathBuf, &Note)| {
            let metadata = std::fs::symlink_metadata(path);
            metadata.map_or(true, |now| Stamp::of(&now).inode != note.stamp.inode)
        };
        let gone = alike.filter(is_gone);
        gone.map(|(path, _)| path.clone()).collect()
    }

    /// A path, and all that is known below it, has another name.
    fn rename_all(&mut self, from: &Path, to: &Path) {
        let below = self.index.below(from);
        let have_ours = below.iter().any(|path| self.has_our_tags(path));
        let mut replaced = Vec::new();
        for old in &below {
            let new = moved_path(old, from, to);
            self.missing.remove(old);
            self.missing.remove(&new);
            if let Some(root) = self.root_of(old) {
                root.forget(old);
            }
            if let Some(note) = self.index.get(&new) {
                replaced.push((new.clone(), Some(note.content)));
            }
            if let Some(note) = self.index.remove(old)
                && self.root_of(&new).is_some()
            {
                self.index.put(&new, note);
                self.is_dirty = true;
            }
        }
        if !below.is_empty() {
            tracing::info!(from = %from.display(), to = %to.display(), notes = below.len(), "renamed");
            if !replaced.is_empty() {
                self.tagger.gone(&replaced);
            }
            self.tagger.moved(from, to, &below, have_ours);
        }
    }

    /// A path is not there. Its notes are remembered for a while.
    pub(super) fn miss(&mut self, path: &Path, now: Moment) {
        let notes = self.index.notes();
        let below: Vec<(PathBuf, Stamp)> = below(&notes, path)
            .map(|(path, note)| (path.clone(), note.stamp))
            .collect();
        drop(notes);
        for (path, stamp) in below {
            if let Some(root) = self.root_of(&path) {
                root.forget(&path);
            }
            self.missing.entry(path).or_insert((now, stamp));
        }
    }

    /// Forgets what did not come back.
    pub(super) fn let_go(&mut self, now: Moment) {
        if self.missing.is_empty() || self.roots.iter().any(Root::is_looking) {
            return;
        }
        let longest = self
            .roots
            .iter()
            .map(Root::window)
            .max()
            .unwrap_or_default();
        let mut over: Vec<PathBuf> = self
            .missing
            .extract_if(|_, (since, _)| *since + GRACE + longest <= now)
            .map(|(path, _)| path)
            .collect();
        over.sort();
        let is_there = |path: &PathBuf| std::fs::symlink_metadata(path).is_ok();
        over.retain(|path| !is_there(path) || !self.is_note(path));
        // A crowd may come back in another checkout, and so may a folder with what was in it.
        let is_crowd = over.len() > CROWD;
        let mut gone = Vec::new();
        for path in over {
            let content = self.index.remove(&path).map(|note| note.content);
            self.is_dirty = true;
            if !is_there(&path) && path.parent().is_some_and(Path::is_dir) {
                gone.push((path, content));
            }
        }
        if !is_crowd && !gone.is_empty() {
            self.tagger.gone(&gone);
        }
    }

    fn is_note(&self, path: &Path) -> bool {
        let root = self
            .roots
            .iter()
            .find(|root| path.starts_with(&root.folder.path));
        root.is_some_and(|root| root.folder.is_note(path) && !root.ignored.is_ignored(path, false))
    }
}

/// Where the first of these renames led in the end.
fn led_to(moves: &[(PathBuf, PathBuf)]) -> Option<&Path> {
    let ((_, first), later) = moves.split_first()?;
    let mut end = first;
    for (from, to) in later {
        if from == end {
            end = to;
        }
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_for_a_moment_leads_to_the_one_that_stays() {
        let moves = [("a", "x"), ("b", "a"), ("x", "b"), ("c", "d")];
        let moves = moves.map(|(from, to)| (PathBuf::from(from), PathBuf::from(to)));
        let ends: Vec<_> = (0..moves.len()).map(|at| led_to(&moves[at..])).collect();
        assert_eq!(ends, ["b", "a", "b", "d"].map(|end| Some(Path::new(end))));
    }
}
