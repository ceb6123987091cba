//! Which labels hold for the notes of a folder, without reading the settings for every note.
//!
//! Input: a watched folder and a folder in it. Output: rules, and a number that is another one as
//! soon as they mean something else.
//! Invariant: a `gliznet.toml` in or above a note's folder goes before what was said when the
//! folder was added, and that before the user's own; but where tags are put only one below the
//! watched folder may change, and none makes a folder be written that only suggests. Blocks.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::aliases::Aliases;
use super::roots::Folder;
use crate::config::{self, Folders, Settings};
use crate::desk::{Choice, Desk, Rules, read_rules};
use crate::score::Score;
use crate::sink::Sink;

/// What holds for some notes.
#[derive(Debug)]
pub(super) struct InForce {
    pub(super) rules: Rules,
    /// Where tags are put.
    pub(super) sink: Sink,
    /// Tells labels, thresholds and sink from others.
    pub(super) print: u64,
}

/// Rules that were read.
pub(super) struct RuleBook {
    desk: Arc<Desk>,
    folders: Folders,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By watched folder and the folder in it.
    known: HashMap<(PathBuf, PathBuf), Known>,
    /// The files outside the watched folders that they came from, as they were then.
    sources: BTreeMap<PathBuf, Option<(SystemTime, u64)>>,
    /// How often all was forgotten.
    epoch: u64,
}

/// What was read for a folder in a watched folder.
struct Known {
    /// The watched folder, as it was to be watched then.
    folder: Folder,
    rules: Result<Arc<InForce>, String>,
}

impl RuleBook {
    pub(super) fn new(desk: Arc<Desk>, folders: Folders) -> RuleBook {
        RuleBook {
            desk,
            folders,
            state: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What holds in `dir`, a folder in `folder` or that itself; or why nothing does.
    pub(super) fn of(&self, folder: &Folder, dir: &Path) -> Result<Arc<InForce>, String> {
        let key = (folder.path.clone(), dir.to_path_buf());
        let epoch = {
            let state = self.lock();
            let known = state.known.get(&key);
            // Whoever is still at work for the folder as it was before reads for it as it was.
            if let Some(known) = known.filter(|known| known.folder == *folder) {
                return known.rules.clone();
            }
            state.epoch
        };
        let choice = choice(&self.folders, folder, dir);
        let mut sources = BTreeMap::new();
        let read = choice.and_then(|(choice, sink)| {
            // Looked at before they are read, so that no change falls between.
            for file in self.desk.settings_files(dir, &choice) {
                // The system tells of those in the folder.
                if folder.poll || !file.starts_with(&folder.path) {
                    let look = look(&file);
                    sources.insert(file, look);
                }
            }
            let rules = self.desk.rules(Some(dir), &choice);
            let rules = rules.map_err(|error| error.to_string())?;
            let print = print(&rules, sink);
            Ok(Arc::new(InForce { rules, sink, print }))
        });
        let state = &mut *self.lock();
        // What was forgotten while it was read is not known again by this.
        if state.epoch == epoch {
            state.sources.extend(sources);
            let (folder, rules) = (folder.clone(), read.clone());
            state.known.insert(key, Known { folder, rules });
        }
        read
    }

    /// Reads all rules again when they are asked for.
    pub(super) fn forget(&self) {
        let state = &mut *self.lock();
        *state = State {
            epoch: state.epoch + 1,
            ..State::default()
        };
    }

    /// Looks at the files outside the watched folders; says whether one has changed, and then all
    /// is forgotten.
    pub(super) fn look_again(&self) -> bool {
        let known = self.lock().sources.clone();
        let has_changed = known.iter().any(|(file, then)| look(file) != *then);
        if has_changed {
            self.forget();
        }
        has_changed
    }

    /// What is wrong with the rules of a watched folder, each once.
    pub(super) fn faults(&self, folder: &Path) -> Vec<String> {
        let state = self.lock();
        let known = state.known.iter();
        // Their order is made by the set below.
        let faults = known
            .filter(|((root, _), _)| root == folder)
            .filter_map(|(_, known)| known.rules.as_ref().err().cloned());
        let faults: BTreeSet<String> = faults.collect();
        faults.into_iter().collect()
    }

    /// What the labels that hold somewhere are also called.
    pub(super) fn aliases(&self) -> Aliases {
        let state = self.lock();
        let sets = state.known.values().flat_map(|known| &known.rules);
        Aliases::of(sets.map(|rules| &*rules.rules.labels))
    }

    /// The names of all labels that hold somewhere.
    pub(super) fn labels(&self) -> BTreeSet<String> {
        let state = self.lock();
        let mut labels = BTreeSet::new();
        for rules in state.known.values().flat_map(|known| &known.rules) {
            let set = &rules.rules.labels;
            labels.extend(set.labels().iter().map(|label| label.name.clone()));
        }
        labels
    }
}

/// What holds for notes directly in a watched folder, read without a desk; or why nothing does.
pub(super) fn read(folders: &Folders, folder: &Folder) -> Result<Rules, String> {
    let (choice, _) = choice(folders, folder, &folder.path)?;
    read_rules(folders, Some(&folder.path), &choice).map_err(|error| error.to_string())
}

fn choice(folders: &Folders, folder: &Folder, dir: &Path) -> Result<(Choice, Sink), String> {
    let settings = Settings::load(folders, dir).map_err(|error| error.to_string())?;
    let choice = Choice {
        labelset: match settings.labelset_of_workspace(folders) {
            Some(_) => None,
            None => folder.labelset.clone(),
        },
        threshold: folder.threshold.and_then(Score::new),
        ..Choice::default()
    };
    Ok((choice, sink(folder, settings.sink)))
}

fn look(file: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// Where the tags of a folder's notes are put, of which the settings that hold there say this.
fn sink(folder: &Folder, chosen: Option<config::Choice<Sink>>) -> Sink {
    let is_below = |file: &Path| {
        let dir = file.parent();
        dir.is_some_and(|dir| dir != folder.path && dir.starts_with(&folder.path))
    };
    match chosen {
        Some(chosen) if folder.sink.writes() && is_below(&chosen.file) => chosen.value,
        _ => folder.sink,
    }
}

/// Another number where the tags of notes, or descriptions of labels, are read otherwise than by the
/// build before: what that kept of notes is not true any more. A tag that it took for another one
/// would count as one that a person has changed.
const READING: u8 = 2;

fn print(rules: &Rules, sink: Sink) -> u64 {
    let threshold = rules.threshold.map(Score::value);
    number(&format!(
        "{} {threshold:?} {sink:?} {READING}",
        rules.labels.fingerprint()
    ))
}

/// A text as a number that another text does not have.
pub(super) fn number(text: &str) -> u64 {
    let digest = Sha256::digest(text.as_bytes());
    let (head, _) = digest.split_at(8);
    head.iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::EngineOptions;
    use crate::engine::scheduler::Limits;
    use crate::engine::worker::{Worker, WorkerOptions};

    /// Rules of a user with settings below `root`, whose model cannot be loaded.
    fn book(root: &Path) -> RuleBook {
        let folders = Folders {
            config: root.join("config"),
            data: root.join("data"),
            cache: root.join("cache"),
        };
        let options = WorkerOptions {
            engine: EngineOptions::default(),
            limits: Limits {
                interactive: 1,
                bulk: 1,
            },
            cache: None,
        };
        let worker = Worker::start(options, || Err("no checkpoint".to_owned())).unwrap();
        let desk = Desk::new(worker, folders.clone(), String::new());
        RuleBook::new(Arc::new(desk), folders)
    }

    #[test]
    fn what_was_read_for_a_folder_as_it_was_does_not_hold_for_it_as_it_is() {
        let root = tempfile::tempdir().unwrap();
        let (book, dir) = (book(root.path()), root.path().join("notes"));
        let suggests = Folder {
            labelset: Some("gtd".to_owned()),
            ..Folder::new(dir.clone())
        };
        let writes = Folder {
            sink: Sink::Frontmatter,
            ..suggests.clone()
        };
        book.forget(); // The folder is to be written from now on, and a task knew it before.
        let before = book.of(&suggests, &dir).unwrap();
        let now = book.of(&writes, &dir).unwrap();
        assert_eq!((before.sink, now.sink), (Sink::Suggest, Sink::Frontmatter));
        assert_ne!(before.print, now.print);
        assert!(Arc::ptr_eq(&now, &book.of(&writes, &dir).unwrap()));
    }

    #[test]
    fn what_a_build_that_read_notes_otherwise_has_kept_is_found_out_again() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("notes");
        let folder = Folder {
            labelset: Some("gtd".to_owned()),
            ..Folder::new(dir.clone())
        };
        let now = book(root.path()).of(&folder, &dir).unwrap();
        let rules = format!("{} None Suggest", now.rules.labels.fingerprint());
        assert_eq!(now.print, number(&format!("{rules} {READING}")));
        assert_ne!(now.print, number(&rules), "of the first builds");
    }

    #[test]
    fn settings_below_a_watched_folder_say_where_its_tags_go_but_never_that_it_is_written() {
        let folder = |sink| Folder {
            sink,
            ..Folder::new("/n".into())
        };
        let chosen = |file: &str, value| {
            let file = file.into();
            Some(config::Choice { value, file })
        };
        let written = folder(Sink::Frontmatter);
        let below = "/n/private/gliznet.toml";
        assert_eq!(sink(&written, chosen(below, Sink::Suggest)), Sink::Suggest);
        assert_eq!(sink(&written, chosen(below, Sink::Xattr)), Sink::Xattr);
        for file in ["/n/gliznet.toml", "/gliznet.toml", "/home/gliznet.toml"] {
            let other = chosen(file, Sink::Suggest);
            assert_eq!(sink(&written, other), Sink::Frontmatter, "{file}");
        }
        let suggested = folder(Sink::Suggest);
        let written = chosen(below, Sink::Frontmatter);
        assert_eq!(sink(&suggested, written), Sink::Suggest);
        assert_eq!(sink(&suggested, None), Sink::Suggest);
    }
}
