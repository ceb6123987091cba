//! One watched folder: its events, its queue, and when all of it is looked at.
//!
//! Input: what happened, and moments. Output: what to do next. Holds no thread and reads no file,
//! but for the rules of what is left out.
//! Invariant: one look at a time; a look that is asked for while one runs is had after it.
//!
//! Length: one folder's state with all that is asked of it, and a quarter of it is tests.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::coalesce::{BackOff, Coalescer, Moment};
use super::mount;
use super::queue::{Job, Queue, Urgency};
use super::read::note_of_lock;
use super::roots::Folder;
use super::tagger::CurrentRun;
use crate::desk::ignored::{Ignored, RULE_FILES};
use crate::sink::SIDECAR_NAME;

/// So many paths are remembered; with more, all is looked at.
const MOST_PATHS: usize = 4_096;
/// So many reasons why notes wait are told at once.
const MOST_HINDRANCES: usize = 20;
/// How often a folder is looked at that the system tells nothing of.
const POLL: Duration = Duration::from_secs(5);
/// How often a folder is looked for that is away, or that could not be looked at.
const AWAY: Duration = Duration::from_secs(5);

/// How a watched folder is.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) folder: Arc<Folder>,
    pub(super) state: &'static str,
    pub(super) waiting: usize,
    /// There is something to do that is being done.
    pub(super) is_busy: bool,
    pub(super) faults: Vec<String>,
}

/// A watched folder.
pub(super) struct Root {
    pub(super) folder: Arc<Folder>,
    pub(super) ignored: Arc<Ignored>,
    pub(super) events: Coalescer,
    pub(super) queue: Queue,
    pub(super) run: Arc<CurrentRun>,
    /// Ends what runs for this root.
    pub(super) cancelled: Arc<AtomicBool>,
    back_off: BackOff,
    /// What is to be looked at, and when; the root or a folder in it.
    due: Option<(Moment, PathBuf)>,
    looking_since: Option<Moment>,
    /// Notes that were read since there was nothing to do.
    pub(super) done: usize,
    /// Why the folder is looked at every few seconds.
    pub(super) deaf: Option<String>,
    pub(super) is_network: bool,
    /// Why nothing is done.
    pub(super) away: Option<&'static str>,
    pub(super) closed: Vec<String>,
    pub(super) elsewhere: usize,
    /// What stands in the way of some of its notes.
    hindrances: BTreeMap<PathBuf, String>,
    /// When notes of it were last seen to have changed.
    recent: VecDeque<Moment>,
    /// It is worked at although it rests, until it was looked at and there is nothing to do.
    pub(super) is_once: bool,
    was_looked_at: bool,
    /// How many searches for what is behind run.
    pub(super) surveys: usize,
    /// Which notes are behind is not known yet, because the model is still being loaded.
    pub(super) is_unsure: bool,
    /// The folder's own number, which changes when another disk is there.
    pub(super) identity: Option<(u64, u64)>,
}

impl Root {
    pub(super) fn new(folder: Folder) -> Root {
        let kind = mount::is_deaf(&folder.path);
        let deaf = match (kind, folder.poll) {
            (Some(kind), _) => Some(format!(
                "on a file system ({kind}) that does not tell of changes; they are looked for every {} seconds",
                POLL.as_secs()
            )),
            (None, true) => Some(String::new()),
            (None, false) => None,
        };
        // Between two looks nobody knows whether a note was quiet.
        let window = match &deaf {
            Some(_) => folder.settle().max(POLL + POLL / 2),
            None => folder.settle(),
        };
        Root {
            ignored: Arc::new(Ignored::new(&folder.path)),
            events: Coalescer::new(window, MOST_PATHS),
            queue: Queue::default(),
            run: Arc::default(),
            cancelled: Arc::default(),
            back_off: BackOff::default(),
            due: None,
            looking_since: None,
            done: 0,
            deaf,
            is_network: kind.is_some(),
            away: None,
            closed: Vec::new(),
            elsewhere: 0,
            hindrances: BTreeMap::new(),
            recent: VecDeque::new(),
            is_once: false,
            was_looked_at: false,
            surveys: 0,
            is_unsure: true,
            identity: None,
            folder: Arc::new(folder),
        }
    }

    /// How long a note must be quiet here.
    pub(super) fn window(&self) -> Duration {
        match self.deaf {
            // A look only compares with the last one, so the pause between two is the window.
            Some(_) => self.folder.settle().max(POLL),
            None => self.folder.settle(),
        }
    }

    /// Something happened to a path in it.
    pub(super) fn touch(&mut self, path: &Path, now: Moment) {
        let name = path.file_name().unwrap_or_default();
        if name == SIDECAR_NAME || RULE_FILES.iter().any(|rules| name == *rules) {
            return self.events.touch(path, now);
        }
        if let Some(note) = note_of_lock(path) {
            // Whoever held the note may have let go of it.
            return self.events.touch(&note, now);
        }
        if path == self.folder.path || is_settings(path) || !self.ignored.is_ignored(path, false) {
            self.events.touch(path, now);
        }
    }

    /// All of it, or a folder in it, is to be looked at, soon.
    pub(super) fn look_at(&mut self, from: &Path, now: Moment) {
        let root = &self.folder.path;
        let earliest = match from == root {
            true => self.back_off.earliest(now),
            false => now,
        };
        self.due = Some(match self.due.take() {
            None => (earliest, from.to_path_buf()),
            Some((moment, other)) if from.starts_with(&other) => (moment, other),
            Some((moment, other)) if other.starts_with(from) => {
                (moment.min(earliest), from.to_path_buf())
            }
            Some((moment, _)) => (moment.min(self.back_off.earliest(now)), root.clone()),
        });
    }

    /// The look that should begin now. Call `looked` when it has ended.
    pub(super) fn next_look(&mut self, now: Moment) -> Option<PathBuf> {
        if self.looking_since.is_some() {
            return None;
        }
        let (_, from) = self.due.take_if(|(moment, _)| *moment <= now)?;
        self.looking_since = Some(now);
        Some(from)
    }

    /// A look has ended.
    pub(super) fn looked(&mut self, from: &Path, now: Moment) {
        let began = self.looking_since.take().unwrap_or(now);
        if from != self.folder.path {
            return;
        }
        self.back_off.ended(began, now);
        self.was_looked_at = true;
        let pause = match (self.away, &self.deaf) {
            (Some(_), _) => AWAY,
            // A slow look may not become all that is done.
            (None, Some(_)) => POLL.max((now - began) * 10),
            (None, None) => return,
        };
        if self.due.is_none() {
            self.due = Some((now + pause, self.folder.path.clone()));
        }
    }

    pub(super) fn is_looking(&self) -> bool {
        self.looking_since.is_some()
    }

    /// A note is to be looked at.
    pub(super) fn push(&mut self, path: &Path, urgency: Urgency, earliest: Moment, crowd: usize) {
        self.queue.push(Job {
            path: path.into(),
            urgency,
            earliest,
            crowd,
            is_held: false,
        });
    }

    /// A note is to be looked at again when what stands in its way may be gone.
    pub(super) fn hold(&mut self, job: Job, earliest: Moment) {
        self.queue.push(Job {
            urgency: Urgency::Behind,
            earliest,
            is_held: true,
            ..job
        });
    }

    /// Something stands in the way of a note, which is said until it is done.
    pub(super) fn hinder(&mut self, path: &Path, fact: String) {
        if !self.hindrances.values().any(|known| *known == fact) {
            tracing::warn!(folder = %self.folder.path.display(), "{fact}");
        }
        self.hindrances.insert(path.to_path_buf(), fact);
    }

    /// Nothing stands in the way of a note any more.
    pub(super) fn clear(&mut self, path: &Path) {
        self.hindrances.remove(path);
    }

    /// A note is gone, or has another name.
    pub(super) fn forget(&mut self, path: &Path) {
        self.queue.forget(path);
        self.clear(path);
    }

    /// How many notes change together where `n` were just seen to: those that were seen a moment
    /// ago are of them, and those that are not quiet yet.
    pub(super) fn crowd(&mut self, n: usize, now: Moment) -> usize {
        let since = now.saturating_sub(self.window());
        while self.recent.front().is_some_and(|seen| *seen < since) {
            self.recent.pop_front();
        }
        let crowd = n + self.recent.len() + self.events.held();
        let room = MOST_PATHS.saturating_sub(self.recent.len());
        self.recent.extend(std::iter::repeat_n(now, n.min(room)));
        crowd
    }

    /// It is to be brought up to date now, even if it rests.
    pub(super) fn once(&mut self, now: Moment) {
        self.is_once = true;
        self.was_looked_at = false;
        self.queue.release(now);
        let root = self.folder.path.clone();
        self.look_at(&root, now);
    }

    /// How it is, for others.
    pub(super) fn view(&self, minute_of_day: u16) -> View {
        View {
            folder: Arc::clone(&self.folder),
            state: self.state(minute_of_day),
            waiting: self.waiting(),
            is_busy: !self.is_idle() && (self.is_working(minute_of_day) || self.is_looking()),
            faults: self.faults(),
        }
    }

    /// How many notes wait. What happened to a folder, such as one that was removed, is looked into
    /// as well, but is no note.
    fn waiting(&self) -> usize {
        let touched = self.events.paths();
        let touched = touched.filter(|path| self.folder.is_note(path)).count();
        self.queue.waiting() + self.queue.running() + touched
    }

    /// Whether its notes may be worked at.
    pub(super) fn is_working(&self, minute_of_day: u16) -> bool {
        let rests = self.folder.paused || self.is_quiet(minute_of_day);
        self.away.is_none() && (self.is_once || !rests)
    }

    pub(super) fn is_quiet(&self, minute_of_day: u16) -> bool {
        let hours = self.folder.quiet_hours;
        hours.is_some_and(|hours| hours.contains(minute_of_day))
    }

    /// When to ask again; never where there is nothing to do.
    pub(super) fn next(&mut self, is_working: bool) -> Option<Moment> {
        let due = self.due.as_ref().map(|(moment, _)| *moment);
        let due = due.filter(|_| !self.is_looking());
        let has_room = self.queue.running() < self.folder.concurrency();
        let waiting = match is_working && has_room {
            true => self.queue.next(),
            false => None,
        };
        [due, waiting, self.events.next()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Whether there is anything to do.
    pub(super) fn is_idle(&self) -> bool {
        let polls = self.deaf.is_some() || self.away.is_some();
        // What is held will be done when it can be, and nobody knows when.
        let waiting = self.queue.waiting() - self.queue.held();
        waiting + self.queue.running() + self.events.held() == 0
            && !self.is_looking()
            && self.surveys == 0
            && (!self.is_once || (self.was_looked_at && !self.is_unsure))
            && (polls || self.due.is_none())
    }

    /// What it is doing, in a word.
    pub(super) fn state(&self, minute_of_day: u16) -> &'static str {
        if self.away.is_some() {
            "waiting"
        } else if self.folder.paused && !self.is_once {
            "paused"
        } else if self.is_quiet(minute_of_day) && !self.is_once {
            "quiet"
        } else if self.is_looking() && self.deaf.is_none() {
            "searching"
        } else if self.deaf.is_some() {
            "polling"
        } else {
            "watching"
        }
    }

    /// What is wrong, with its cure.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        faults.extend(self.away.map(|fact| {
            format!("{fact}; what is known of it is kept, and it is looked for every few seconds")
        }));
        faults.extend(self.deaf.clone().filter(|fact| !fact.is_empty()));
        let hindrances: BTreeSet<&String> = self.hindrances.values().collect();
        faults.extend(hindrances.into_iter().take(MOST_HINDRANCES).cloned());
        faults.extend(self.closed.iter().cloned());
        if self.elsewhere > 0 {
            faults.push(format!(
                "{} files are not on this machine (cloud); they are read when they are",
                self.elsewhere
            ));
        }
        faults
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }
}

/// Whether a file may say which labels hold.
pub(super) fn is_settings(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "toml")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Duration::from_secs(seconds)
    }

    fn root() -> Root {
        Root::new(Folder::new("/no/such/notes".into()))
    }

    fn path(name: &str) -> PathBuf {
        Path::new("/no/such/notes").join(name)
    }

    #[test]
    fn a_look_that_is_asked_for_during_one_is_had_after_it() {
        let mut root = root();
        let all = root.folder.path.clone();
        root.look_at(&path("a"), at(0));
        root.look_at(&path("a/b"), at(0));
        assert_eq!(root.next_look(at(0)), Some(path("a")));
        root.look_at(&path("c"), at(1));
        root.look_at(&path("d"), at(1));
        assert_eq!(root.next_look(at(1)), None);
        root.looked(&path("a"), at(2));
        assert_eq!(root.next_look(at(2)), Some(all.clone()));
        root.looked(&all, at(3));
        assert!(root.next_look(at(999)).is_none() && root.is_idle());
    }

    #[test]
    fn a_folder_that_is_away_is_looked_for_and_not_worked_at() {
        let mut root = root();
        let all = root.folder.path.clone();
        root.look_at(&all, at(0));
        assert!(root.next_look(at(0)).is_some());
        root.away = Some("it is not there");
        root.looked(&all, at(1));
        assert!(!root.is_working(0) && root.state(0) == "waiting");
        assert_eq!(root.next_look(at(2)), None);
        assert!(root.next_look(at(1) + AWAY).is_some());
    }

    #[test]
    fn who_rests_works_only_when_asked_to() {
        let mut root = Root::new(Folder {
            paused: true,
            ..Folder::new("/no/such/notes".into())
        });
        assert!(!root.is_working(0) && root.state(0) == "paused");
        root.is_once = true;
        assert!(root.is_working(0));
    }

    #[test]
    fn who_is_to_be_brought_up_to_date_waits_for_the_model_and_nobody_else_does() {
        let mut root = root();
        assert!(root.is_idle() && root.is_unsure);
        let all = root.folder.path.clone();
        root.once(at(0));
        assert!(root.next_look(at(0)).is_some());
        root.looked(&all, at(1));
        assert!(!root.is_idle() && root.view(0).is_busy);
        root.is_unsure = false;
        assert!(root.is_idle() && !root.view(0).is_busy);
    }

    #[test]
    fn a_note_that_is_held_is_waited_for_by_nobody_until_somebody_asks_again() {
        let mut root = root();
        let note = path("a.md");
        root.push(&note, Urgency::Fresh, at(0), 1);
        assert!(!root.is_idle());
        let job = root.queue.pop(at(0)).unwrap();
        root.queue.done(&note);
        root.hinder(&note, "it is open elsewhere".to_owned());
        root.hold(job, at(5));
        root.clear(&path("b.md"));
        assert!(root.is_idle() && root.queue.waiting() == 1);
        assert_eq!(root.faults(), ["it is open elsewhere"]);
        root.once(at(1));
        root.is_once = false;
        assert!(!root.is_idle() && root.queue.pop(at(1)).is_some());
        root.clear(&note);
        assert!(root.faults().is_empty());
    }

    #[test]
    fn only_notes_are_said_to_wait_though_folders_are_looked_into_too() {
        let mut root = root();
        for name in ["removed", "removed/too", "a.md"] {
            root.touch(&path(name), at(0));
        }
        root.push(&path("b.md"), Urgency::Behind, at(0), 1);
        assert_eq!(root.view(0).waiting, 2);
        assert_eq!(root.events.ready(at(9)).paths.len(), 3);
        root.queue.forget(&path("b.md"));
        assert_eq!(root.view(0).waiting, 0);
    }

    #[test]
    fn notes_that_become_quiet_one_after_the_other_are_one_crowd() {
        let mut root = root();
        for name in ["a.md", "b.md"] {
            root.events.touch(&path(name), at(0));
        }
        assert_eq!(root.crowd(3, at(1)), 5);
        assert_eq!(root.crowd(1, at(2)), 6);
        root.events.ready(at(99));
        assert_eq!(root.crowd(1, at(9)), 1);
    }

    #[test]
    fn what_is_left_out_is_no_event_but_rules_locks_and_settings_are() {
        let mut root = root();
        for name in ["a.md~", ".git/index", "node_modules/a.md", "x.tmp"] {
            root.touch(&path(name), at(0));
            assert_eq!(root.events.held(), 0, "{name}");
        }
        for name in ["a.md", ".gitignore", "gliznet.toml", ".#b.md"] {
            root.touch(&path(name), at(0));
        }
        let ready = root.events.ready(at(9)).paths;
        let expected = [".gitignore", "a.md", "b.md", "gliznet.toml"].map(path);
        assert_eq!(ready, expected);
    }
}
