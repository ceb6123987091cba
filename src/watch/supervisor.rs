//! The thread that watches: events, looks and notes of all folders, one after the other.
//!
//! Input: events of the system, commands, and what its tasks bring back. Output: tasks, and the
//! state that others read.
//! Invariant: it decides, and waits for nothing but news; files are read in tasks, of which there
//! are no more than the folders allow. Time is monotonic: no clock can stop or hurry it.
//!
//! Length: one loop and what it does with each kind of news; apart they would share all its state.

mod paths;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinSet;

use super::coalesce::Moment;
use super::index::Index;
use super::note::Stamp;
use super::notifier::{Happened, Notifier};
use super::queue::{Job, Urgency};
use super::root::Root;
use super::roots::Folder;
use super::scan::{Look, Seen};
use super::shared::{Command, Shared};
use super::tagger::{Outcome, Tagger};
use crate::desk::editors::Closed;
use crate::desk::name::path_of;
use crate::desk::watching::Progress;
use crate::engine::worker::Loading;

/// How often it looks at what nobody tells of: settings outside the folders, disks, the clock.
const PULSE: Duration = Duration::from_secs(5);
/// A note that is gone is remembered for a while: it may come back under another name.
const GRACE: Duration = Duration::from_secs(3);
/// How many events are taken in one go.
const GULP: usize = 1_024;

/// What a task brings back.
enum News {
    Looked(PathBuf, Box<Seen>),
    Ran(PathBuf, Job, Outcome),
    /// Notes of a folder that are to be tagged again, and whether all that are behind were known;
    /// and those that a person changed beside the file.
    Behind(PathBuf, Vec<PathBuf>, bool, Vec<PathBuf>),
}

/// What happens to the folders.
pub(super) struct Supervisor {
    shared: Arc<Shared>,
    index: Arc<Index>,
    tagger: Arc<Tagger>,
    notifier: Arc<Notifier>,
    events: Receiver<Happened>,
    begin: Instant,
    roots: Vec<Root>,
    tasks: JoinSet<News>,
    /// Notes that are gone, since when, and what they looked like.
    missing: HashMap<PathBuf, (Moment, Stamp)>,
    next_pulse: Moment,
    /// Something was written since the index was flushed.
    is_dirty: bool,
}

impl Supervisor {
    pub(super) fn new(shared: Arc<Shared>, index: Arc<Index>, tagger: Arc<Tagger>) -> Supervisor {
        let (tx, events) = tokio::sync::mpsc::channel(8_192);
        Supervisor {
            shared,
            index,
            tagger,
            notifier: Arc::new(Notifier::new(tx)),
            events,
            begin: Instant::now(),
            roots: Vec::new(),
            tasks: JoinSet::new(),
            missing: HashMap::new(),
            next_pulse: Moment::ZERO,
            is_dirty: false,
        }
    }

    fn now(&self) -> Moment {
        self.begin.elapsed()
    }

    /// Watches until it is told to stop; `once` are folders that were to be brought up to date
    /// before there was an index.
    pub(super) async fn run(
        mut self,
        mut commands: Receiver<Command>,
        folders: Vec<Folder>,
        once: Vec<Option<PathBuf>>,
    ) {
        // Listened to before the first look: a model that comes in between is heard of.
        let mut loading = self.tagger.desk.loading();
        self.set_folders(folders);
        for folder in once {
            self.run_once(folder.as_deref());
        }
        let mut corrections = self.tagger.desk.corrections();
        let mut closings = self.tagger.desk.editors.closings();
        loop {
            self.tick();
            let pause = self.next().saturating_sub(self.now());
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Folders(folders, done)) => {
                        self.set_folders(folders);
                        self.publish(); // Whoever asks next is told how it is now.
                        let _ = done.send(()); // The asker may have left.
                    }
                    Some(Command::RunOnce(folder, done)) => {
                        self.run_once(folder.as_deref());
                        let _ = done.send(());
                    }
                    None => break,
                },
                Some(happened) = self.events.recv() => self.take_in(happened),
                Some(news) = self.tasks.join_next(), if !self.tasks.is_empty() => match news {
                    Ok(news) => self.hear(news),
                    Err(error) => tracing::error!(%error, "a task of the watcher broke down"),
                },
                changed = loading.changed() => match changed {
                    Ok(()) => self.look_for_behind(&loading.borrow_and_update().clone()),
                    Err(_) => break, // The worker has ended.
                },
                heard = corrections.recv() => match heard {
                    Ok(name) => self.corrected(&name),
                    Err(RecvError::Lagged(_)) => self.check_behind(),
                    Err(RecvError::Closed) => break, // There is no desk any more.
                },
                closed = closings.recv() => match closed {
                    Ok(closed) => self.closed(&closed),
                    Err(RecvError::Lagged(_)) => self.closed_unheard(),
                    Err(RecvError::Closed) => break, // There is no desk any more.
                },
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.roots.clear(); // Cancels what runs.
        self.tasks.shutdown().await;
        self.index.flush();
    }

    /// Takes over the folders as they are to be watched from now on.
    fn set_folders(&mut self, folders: Vec<Folder>) {
        let now = self.now();
        let mut before: Vec<Root> = std::mem::take(&mut self.roots);
        self.tagger.rules.forget();
        for folder in folders {
            let known = before
                .iter()
                .position(|root| root.folder.path == folder.path);
            let mut root = match known.map(|at| before.swap_remove(at)) {
                // What waits goes on waiting; what holds is looked at anew.
                Some(mut root)
                    if root.folder.settle() == folder.settle()
                        && root.folder.poll == folder.poll =>
                {
                    root.folder = Arc::new(folder);
                    root.ignored.forget();
                    root
                }
                _ => Root::new(folder),
            };
            let path = root.folder.path.clone();
            root.look_at(&path, now);
            self.roots.push(root);
        }
        for root in before {
            self.notifier.forget(&root.folder.path);
        }
        let known: Vec<PathBuf> = self.index.below(Path::new("/"));
        let is_watched = |path: &&PathBuf| {
            self.roots
                .iter()
                .any(|root| path.starts_with(&root.folder.path))
        };
        for path in known.iter().filter(|path| !is_watched(path)) {
            self.index.remove(path);
        }
        self.check_behind();
    }

    fn run_once(&mut self, folder: Option<&Path>) {
        let now = self.now();
        for root in &mut self.roots {
            let path = root.folder.path.clone();
            if folder.is_none_or(|folder| folder == path) {
                root.once(now);
            }
        }
        self.publish();
    }

    fn root_of(&mut self, path: &Path) -> Option<&mut Root> {
        self.roots
            .iter_mut()
            .find(|root| path.starts_with(&root.folder.path))
    }

    fn take_in(&mut self, first: Happened) {
        let now = self.now();
        let mut next = Some(first);
        let mut room = GULP;
        while let Some(happened) = next {
            match happened {
                Happened::Touched(path) => {
                    if let Some(root) = self.root_of(&path) {
                        root.touch(&path, now);
                    }
                }
                Happened::Renamed(from, to) => {
                    // The note has its name now, whatever was done to it meanwhile.
                    for path in [&from, &to] {
                        if let Some(root) = self.root_of(path) {
                            root.touch(path, now);
                        }
                    }
                    if let Some(root) = self.root_of(&to) {
                        root.events.rename(&from, &to, now);
                    }
                }
            }
            room -= 1;
            next = match room {
                0 => None, // What else is due comes first.
                _ => self.events.try_recv().ok(),
            };
        }
    }

    /// Does all that is due.
    fn tick(&mut self) {
        let now = self.now();
        if self.notifier.lost.swap(false, Ordering::Relaxed) {
            tracing::info!("more changed at once than the system tells of; all is looked at");
            self.roots
                .iter_mut()
                .for_each(|root| root.events.overflow(now));
        }
        if self.next_pulse <= now {
            self.next_pulse = now + PULSE;
            self.pulse();
        }
        for at in 0..self.roots.len() {
            let ready = self.roots[at].events.ready(now);
            self.look_into(at, ready);
        }
        self.let_go(now);
        let minute = minute_of_day();
        for root in &mut self.roots {
            if let Some(from) = root.next_look(now) {
                let look = Look {
                    folder: Arc::clone(&root.folder),
                    from,
                    ignored: Arc::clone(&root.ignored),
                    index: Arc::clone(&self.index),
                    is_deaf: root.is_network,
                    notifier: Arc::clone(&self.notifier),
                    tells: root.deaf.is_none(),
                    cancelled: Arc::clone(&root.cancelled),
                };
                let path = root.folder.path.clone();
                self.tasks
                    .spawn_blocking(move || News::Looked(path, Box::new(look.look())));
            }
            let is_working = root.is_working(minute);
            while is_working && root.queue.running() < root.folder.concurrency() {
                let Some(job) = root.queue.pop(now) else {
                    break;
                };
                let (tagger, folder) = (Arc::clone(&self.tagger), Arc::clone(&root.folder));
                let (run, is_network) = (Arc::clone(&root.run), root.is_network);
                self.tasks.spawn(async move {
                    let root = folder.path.clone();
                    let outcome = tagger.run(folder, run, is_network, job.clone()).await;
                    News::Ran(root, job, outcome)
                });
            }
            if root.is_idle() {
                root.is_once = false;
                root.done = 0;
                root.run.end();
            }
        }
        if self.is_dirty && self.roots.iter().all(Root::is_idle) {
            self.is_dirty = false;
            let index = Arc::clone(&self.index);
            // Nobody waits for it.
            drop(tokio::task::spawn_blocking(move || index.flush()));
        }
        self.publish();
    }

    /// When to tick again.
    fn next(&mut self) -> Moment {
        let minute = minute_of_day();
        let roots = self.roots.iter_mut().filter_map(|root| {
            let is_working = root.is_working(minute);
            root.next(is_working)
        });
        roots.min().unwrap_or(self.next_pulse).min(self.next_pulse)
    }

    /// Looks at what nobody tells of.
    fn pulse(&mut self) {
        let now = self.now();
        for root in &mut self.roots {
            let identity = identity(&root.folder.path);
            if identity != root.identity && root.identity.is_some() {
                // Another disk is there, or none: the system tells nothing of the new one.
                self.notifier.forget(&root.folder.path);
                let path = root.folder.path.clone();
                root.look_at(&path, now);
            }
            root.identity = identity;
        }
        if self.tagger.rules.look_again() || self.tagger.is_taken_back() {
            self.check_behind();
        }
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Looked(root, seen) => self.looked(&root, *seen),
            News::Ran(root, job, outcome) => self.ran(&root, job, outcome),
            News::Behind(root, paths, is_all, taken_out) => {
                let now = self.now();
                if let Some(root) = self
                    .roots
                    .iter_mut()
                    .find(|known| known.folder.path == root)
                {
                    root.surveys = root.surveys.saturating_sub(1);
                    root.is_unsure &= !is_all;
                    for path in paths {
                        // They need not have changed, so they are no crowd.
                        root.push(&path, Urgency::Behind, now, 1);
                    }
                    for path in &taken_out {
                        root.push(path, Urgency::Behind, now, taken_out.len());
                    }
                }
            }
        }
    }

    fn looked(&mut self, root: &Path, seen: Seen) {
        let now = self.now();
        let Some(at) = self
            .roots
            .iter()
            .position(|known| known.folder.path == root)
        else {
            return; // It is not watched any more.
        };
        let is_whole = seen.from == root;
        let known = &mut self.roots[at];
        if is_whole {
            if known.away != seen.is_away {
                match seen.is_away {
                    Some(fact) => {
                        tracing::warn!(folder = %root.display(), fact, "a watched folder is away")
                    }
                    None => tracing::info!(folder = %root.display(), "a watched folder is back"),
                }
            }
            known.away = seen.is_away;
            known.closed = seen.closed;
            known.elsewhere = seen.elsewhere;
        }
        if let Some(deaf) = &seen.deaf
            && known.deaf.is_none()
        {
            let fact = deaf.shown();
            tracing::warn!(folder = %root.display(), "{fact}");
            known.deaf = Some(fact);
        }
        known.looked(&seen.from, now);
        if seen.is_cancelled || (is_whole && seen.is_away.is_some()) {
            return;
        }
        for path in &seen.gone {
            self.miss(path, now);
        }
        // A look sees a file once, and does not know how long it was quiet.
        let earliest = now + self.roots[at].window();
        self.push(at, seen.changed, &[], Urgency::Behind, earliest);
        if is_whole {
            self.spawn_behind(at);
        }
    }

    fn ran(&mut self, root: &Path, job: Job, outcome: Outcome) {
        let now = self.now();
        let path = &*Arc::clone(&job.path);
        self.is_dirty = true;
        let Some(root) = self
            .roots
            .iter_mut()
            .find(|known| known.folder.path == root)
        else {
            self.index.remove(path); // It came too late.
            return;
        };
        root.queue.done(path);
        root.done += 1;
        match outcome {
            Outcome::Done => root.clear(path),
            Outcome::Gone => self.miss(path, now),
            Outcome::Stuck(fault) => root.hinder(path, fault),
            Outcome::Unsettled => root.events.touch(path, now),
            Outcome::Later(pause, fault) => {
                root.hinder(path, fault);
                root.hold(job, now + pause);
            }
        }
    }

    /// A person has said something of a note, in an editor for instance.
    fn corrected(&mut self, name: &str) {
        let now = self.now();
        let Some(path) = path_of(name) else { return };
        let note = self.index.get(&path);
        let Some(root) = self.root_of(&path) else {
            return;
        };
        if root.queue.is_running(&path) {
            // Its answer may be older than the verdict; where it is not, it is only looked at.
            return root.push(&path, Urgency::Fresh, now, 1);
        }
        let Some(mut note) = note else { return };
        root.push(&path, Urgency::Fresh, now, 1);
        note.basis = None;
        self.index.put(&path, note);
    }

    /// An editor has closed a note. What it was given may not be in the file.
    fn closed(&mut self, closed: &Closed) {
        self.tagger.closed(closed);
        self.look_when_saved(&closed.path);
    }

    /// More notes were closed at once than are told of one by one, as where an editor ends. Those that
    /// are open still are left alone when they are looked at.
    fn closed_unheard(&mut self) {
        let ledger = self.tagger.ledger.as_ref();
        for path in ledger.map_or_else(|_| Vec::new(), |ledger| ledger.in_editors()) {
            self.look_when_saved(&path);
        }
    }

    fn look_when_saved(&mut self, path: &Path) {
        let now = self.now();
        let is_known = self.index.notes().contains_key(path);
        if let Some(root) = self.root_of(path).filter(|_| is_known) {
            // It may just be saved.
            let earliest = now + root.window();
            root.push(path, Urgency::Behind, earliest, 1);
        }
    }

    fn look_for_behind(&mut self, loading: &Loading) {
        match loading {
            Loading::Ready(_) => self.check_behind(),
            Loading::Failed(_) => self
                .roots
                .iter_mut()
                .for_each(|root| root.is_unsure = false),
            Loading::Underway => {}
        }
    }

    /// Looks for notes whose labels, thresholds or model are not those that they were tagged by.
    fn check_behind(&mut self) {
        for at in 0..self.roots.len() {
            self.spawn_behind(at);
        }
    }

    fn spawn_behind(&mut self, at: usize) {
        let root = &mut self.roots[at];
        root.surveys += 1;
        let (folder, tagger) = (Arc::clone(&root.folder), Arc::clone(&self.tagger));
        let cancelled = Arc::clone(&root.cancelled);
        self.tasks.spawn_blocking(move || {
            // Without a model nobody knows which notes another one has tagged.
            let is_all = !matches!(*tagger.desk.loading().borrow(), Loading::Underway);
            let paths = tagger.behind(&folder, &cancelled);
            let taken_out = tagger.taken_out(&folder);
            News::Behind(folder.path.clone(), paths, is_all, taken_out)
        });
    }

    /// Tells others how things are.
    fn publish(&mut self) {
        let minute = minute_of_day();
        let (mut progress, mut views) = (Progress::default(), Vec::new());
        for root in &self.roots {
            let view = root.view(minute);
            progress.waiting += view.waiting;
            progress.is_unsettled |= root.events.held() > 0;
            progress.resting += match root.is_working(minute) {
                true => root.queue.held(),
                false => view.waiting,
            };
            views.push(view);
            progress.done += root.done;
            progress.is_searching |= root.is_looking() && (root.deaf.is_none() || root.is_once);
        }
        self.shared.publish(progress, views);
        self.shared.set_missing(self.missing.keys());
    }
}

/// What tells one disk from another.
#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> Option<(u64, u64)> {
    path.is_dir().then_some((0, 0))
}

/// The minute of the day, as people here have it.
fn minute_of_day() -> u16 {
    let now = jiff::ZonedDateTime::now();
    u16::try_from(now.hour()).unwrap_or(0) * 60 + u16::try_from(now.minute()).unwrap_or(0)
}
