//! What the system tells of changes: folders in, paths out.
//!
//! Where the system tells of one folder at a time (inotify), each folder is watched that is not
//! left out; where it tells of whole trees, the root is. No cache of files is kept.
//! Invariant: an event is passed on, or `lost` is set, or the folder was never watched and whoever
//! asked for it was told. Never blocks the system's thread.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use notify::event::{Flag, ModifyKind, RenameMode};
use notify::{ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc::Sender;

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Happened {
    /// To this path.
    Touched(PathBuf),
    /// It has another name.
    Renamed(PathBuf, PathBuf),
}

/// Why a folder is not watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Deaf {
    /// The system watches no more folders for this user.
    Limit,
    /// It refuses.
    Refused(String),
}

/// The system's watcher.
pub(super) struct Notifier {
    state: Mutex<State>,
    /// Events were lost.
    pub(super) lost: Arc<AtomicBool>,
}

struct State {
    watcher: Result<RecommendedWatcher, Deaf>,
    watched: BTreeSet<PathBuf>,
    /// It was told once that there is a limit.
    is_full: bool,
}

/// Whether folders are watched one by one.
const ONE_BY_ONE: bool = cfg!(any(target_os = "linux", target_os = "android"));

impl Notifier {
    /// Tells `tx` what happens in the folders that will be watched.
    pub(super) fn new(tx: Sender<Happened>) -> Notifier {
        let lost = Arc::new(AtomicBool::new(false));
        let of_handler = Arc::clone(&lost);
        let handler = move |told: notify::Result<Event>| {
            let lose = |_| of_handler.store(true, Ordering::Relaxed);
            match told {
                Ok(event) if event.need_rescan() => lose(()),
                Ok(event) => {
                    for happened in happened(event) {
                        // A full channel loses it, and everything is looked at instead.
                        let _ = tx.try_send(happened).map_err(|_| lose(()));
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "the system's watcher");
                    lose(());
                }
            }
        };
        let watcher = RecommendedWatcher::new(handler, notify::Config::default());
        Notifier {
            state: Mutex::new(State {
                watcher: watcher.map_err(|error| Deaf::of(&error)),
                watched: BTreeSet::new(),
                is_full: false,
            }),
            lost,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches what is in a folder that the walk of a root has come to.
    pub(super) fn watch(&self, folder: &Path) -> Result<(), Deaf> {
        let state = &mut *self.lock();
        if state.watched.contains(folder) {
            return Ok(());
        }
        let mode = match ONE_BY_ONE {
            true => RecursiveMode::NonRecursive,
            false => RecursiveMode::Recursive,
        };
        if !ONE_BY_ONE && state.watched.iter().any(|known| folder.starts_with(known)) {
            return Ok(()); // The root's watch tells of it.
        }
        if state.is_full {
            return Err(Deaf::Limit);
        }
        let watcher = state.watcher.as_mut().map_err(|deaf| deaf.clone())?;
        match watcher.watch(folder, mode) {
            Ok(()) => {
                state.watched.insert(folder.to_path_buf());
                Ok(())
            }
            Err(error) if matches!(error.kind, ErrorKind::PathNotFound) => Ok(()), // It went away.
            Err(error) if is_closed(&error) => Ok(()), // Who looks into it says so.
            Err(error) => {
                let deaf = Deaf::of(&error);
                state.is_full = deaf == Deaf::Limit;
                Err(deaf)
            }
        }
    }

    /// A folder was removed, or has another name: the system has let go of it, and of all below.
    pub(super) fn forget(&self, folder: &Path) {
        let state = &mut *self.lock();
        let below: Vec<PathBuf> = state
            .watched
            .range(folder.to_path_buf()..)
            .take_while(|known| known.starts_with(folder))
            .cloned()
            .collect();
        for known in below {
            state.watched.remove(&known);
            if let Ok(watcher) = &mut state.watcher {
                let _ = watcher.unwatch(&known); // It may have let go of it by itself.
            }
        }
        state.is_full = false;
    }

    #[cfg(test)]
    fn watched(&self) -> usize {
        self.lock().watched.len()
    }
}

/// Whether a folder may not be read. The system tells of all others.
fn is_closed(error: &notify::Error) -> bool {
    let denied = std::io::ErrorKind::PermissionDenied;
    matches!(&error.kind, ErrorKind::Io(cause) if cause.kind() == denied)
}

impl Deaf {
    fn of(error: &notify::Error) -> Deaf {
        /// "Too many open files": so many watchers of one user are too many.
        const TOO_MANY: i32 = 24;
        match &error.kind {
            ErrorKind::MaxFilesWatch => Deaf::Limit,
            ErrorKind::Io(cause) if cause.raw_os_error() == Some(TOO_MANY) => Deaf::Limit,
            _ => Deaf::Refused(error.to_string()),
        }
    }

    /// What a person reads, with the cure.
    pub(super) fn shown(&self) -> String {
        match self {
            Deaf::Limit => "the system tells of no more folders (fs.inotify.max_user_watches); \
                changes are looked for every few seconds until \
                `sudo sysctl fs.inotify.max_user_watches=1048576` and `gliznet stop`"
                .to_owned(),
            Deaf::Refused(fact) => {
                format!(
                    "the system does not tell of changes ({fact}); they are looked for every few seconds"
                )
            }
        }
    }
}

/// What matters of an event. Reading a file changes nothing, and most events tell of that.
fn happened(event: Event) -> Vec<Happened> {
    if event.flag() == Some(Flag::Rescan) {
        return Vec::new();
    }
    match event.kind {
        EventKind::Access(notify::event::AccessKind::Close(notify::event::AccessMode::Write)) => {}
        EventKind::Access(_) => return Vec::new(),
        EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => {
            if let [from, to] = event.paths.as_slice() {
                return vec![Happened::Renamed(from.clone(), to.clone())];
            }
        }
        _ => {}
    }
    event.paths.into_iter().map(Happened::Touched).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::{AccessKind, AccessMode, CreateKind};

    #[test]
    fn reading_a_file_is_no_change_and_a_rename_is_one_event() {
        let event = |kind| Event::new(kind).add_path("/n/a.md".into());
        let read = EventKind::Access(AccessKind::Open(AccessMode::Any));
        assert_eq!(happened(event(read)), []);
        let touched = [Happened::Touched("/n/a.md".into())];
        let written = EventKind::Access(AccessKind::Close(AccessMode::Write));
        assert_eq!(happened(event(written)), touched);
        assert_eq!(
            happened(event(EventKind::Create(CreateKind::File))),
            touched
        );
        let renamed = EventKind::Modify(ModifyKind::Name(RenameMode::Both));
        let renamed = event(renamed).add_path("/n/b.md".into());
        let expected = [Happened::Renamed("/n/a.md".into(), "/n/b.md".into())];
        assert_eq!(happened(renamed), expected);
    }

    #[test]
    fn a_full_channel_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let (tx, mut rx) = tokio::sync::mpsc::channel(1);
        let notifier = Notifier::new(tx);
        notifier.watch(dir.path()).unwrap();
        for name in ["a.md", "b.md", "c.md"] {
            std::fs::write(dir.path().join(name), "text").unwrap();
        }
        assert!(rx.blocking_recv().is_some());
        while !notifier.lost.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_folder_that_was_removed_and_made_again_is_watched_again() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("sub");
        let (tx, mut rx) = tokio::sync::mpsc::channel(1_000);
        let notifier = Notifier::new(tx);
        std::fs::create_dir(&folder).unwrap();
        notifier.watch(&folder).unwrap();
        std::fs::remove_dir(&folder).unwrap();
        std::fs::create_dir(&folder).unwrap();
        notifier.forget(&folder);
        notifier.watch(&folder).unwrap();
        assert_eq!(notifier.watched(), 1);
        let path = folder.join("a.md");
        std::fs::write(&path, "text").unwrap();
        while rx.blocking_recv() != Some(Happened::Touched(path.clone())) {}
    }
}
