//! Watched folders: notes get their tags as they are written or arrive.
//!
//! ```text
//! system ─ notifier ─ coalesce ─ supervisor ─ queue ─ tagger ─ desk: which labels fit
//!              folders ─ scan ──────┘                    ├ sink: into the file, recorded
//!                                                        └ index: found, and known after a restart
//! ```
//!
//! Invariant: nothing is written that the ledger does not know; a note that did not change is not
//! read again; whatever the index holds can be found out again. Knows no protocol but its records.

mod aliases;
mod answers;
mod coalesce;
mod corrections;
mod follow;
mod index;
mod mount;
mod note;
mod notifier;
mod queue;
mod quiet;
mod read;
mod root;
mod roots;
mod rules;
mod scan;
mod search;
mod shared;
mod store;
mod supervisor;
mod tagger;

use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::config::Folders;
use crate::desk::Desk;
use crate::desk::protocol::{WatchAction, WatchParams};
use crate::sink::{Ledger, Sink};
use index::Index;
use roots::{Folder, RootsError};
use rules::RuleBook;
use shared::{Command, Shared};
use store::StoreError;
use supervisor::Supervisor;
use tagger::Tagger;

pub use quiet::{NoHours, QuietHours};

/// How long the thread may take to hear a command.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is tried to open an index that another daemon has.
const AGAIN: Duration = Duration::from_secs(2);
/// A daemon that was just ended has it for a moment: so often it is tried before that is said.
const IN_A_MOMENT: (usize, Duration) = (10, Duration::from_millis(200));

/// The watcher of one daemon.
pub struct Watch {
    desk: Arc<Desk>,
    folders: Folders,
    runtime: Handle,
    shared: Arc<Shared>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    watched: Vec<Folder>,
    thread: Option<(Sender<Command>, JoinHandle<()>)>,
    is_closed: bool,
}

impl Watch {
    /// Watches the folders that were added before, and those that will be.
    pub fn start(desk: Arc<Desk>, folders: Folders, runtime: Handle) -> Arc<Watch> {
        let watch = Arc::new(Watch {
            desk,
            folders,
            runtime,
            shared: Arc::new(Shared::new()),
            state: Mutex::default(),
        });
        let mut fault = None;
        match roots::read(&watch.file()) {
            Ok(watched) => {
                let state = &mut *watch.lock();
                state.watched = watched;
                if !state.watched.is_empty() {
                    watch.begin(state);
                }
            }
            Err(error) => {
                tracing::warn!("{error}");
                fault = Some(error.to_string());
                watch.shared.set_fault(fault.clone());
            }
        }
        let of_watch = Arc::downgrade(&watch);
        let file = watch.file();
        watch.runtime.spawn(follow::follow(of_watch, file, fault));
        watch
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self) -> PathBuf {
        self.folders.config.join(roots::FILE_NAME)
    }

    /// Whether a folder is watched, so that the daemon should stay.
    pub fn is_watching(&self) -> bool {
        self.lock().watched.iter().any(|folder| !folder.paused)
    }

    /// Ends the thread; what was found out is on disk then.
    pub fn close(&self) {
        let thread = {
            let mut state = self.lock();
            state.is_closed = true;
            state.thread.take()
        };
        if let Some((commands, thread)) = thread {
            drop(commands); // It hears that nobody will tell it anything any more.
            if thread.join().is_err() {
                tracing::error!("the watcher's thread has panicked");
            }
        }
    }

    /// Starts the thread, unless it runs.
    fn begin(&self, state: &mut State) {
        if state.thread.is_some() || state.is_closed {
            return;
        }
        let (tx, commands) = channel(16);
        let (shared, runtime) = (Arc::clone(&self.shared), self.runtime.clone());
        let (desk, folders) = (Arc::clone(&self.desk), self.folders.clone());
        let watched = state.watched.clone();
        let thread = std::thread::Builder::new()
            .name("gliznet-watch".to_owned())
            .spawn(move || runtime.block_on(watch(shared, desk, folders, watched, commands)));
        match thread {
            Ok(thread) => state.thread = Some((tx, thread)),
            Err(error) => {
                let fault = format!(
                    "the watcher cannot be started ({error}); `gliznet stop`, then try again"
                );
                self.shared.set_fault(Some(fault));
            }
        }
    }

    /// Tells the thread, and waits until it has heard.
    fn tell(
        &self,
        state: &State,
        command: impl FnOnce(std::sync::mpsc::SyncSender<()>) -> Command,
    ) {
        if let Some((commands, _)) = &state.thread {
            let (done, heard) = sync_channel(1);
            if commands.try_send(command(done)).is_ok() {
                let _ = heard.recv_timeout(PATIENCE); // It hears it later.
            }
        }
    }

    fn changed(&self, asked: &WatchParams) -> Result<(), RootsError> {
        let state = &mut *self.lock();
        let path = asked.path.as_deref().map(Path::new);
        if let Some(path) = path.filter(|path| !path.is_absolute()) {
            return Err(RootsError::Relative(path.to_path_buf()));
        }
        let named = || path.ok_or_else(|| RootsError::Value("name a folder".to_owned()));
        let mut watched = roots::read(&self.file())?;
        match asked.action {
            WatchAction::List => {
                if watched == state.watched {
                    return Ok(());
                }
            }
            WatchAction::RunOnce => {
                let folder = path.map(|path| roots::find(&watched, path));
                let folder = folder.transpose()?.map(|at| watched[at].path.clone());
                self.tell(state, |done| Command::RunOnce(folder, done));
                return Ok(());
            }
            WatchAction::Add => {
                let path = roots::resolved(named()?)?;
                roots::add(&mut watched, folder_of(path, asked)?, asked.yes)?;
            }
            WatchAction::Remove => {
                let at = roots::find(&watched, named()?)?;
                watched.remove(at);
            }
            WatchAction::Pause | WatchAction::Resume => {
                let at = path.map(|path| roots::find(&watched, path)).transpose()?;
                let is_paused = asked.action == WatchAction::Pause;
                for (idx, folder) in watched.iter_mut().enumerate() {
                    if at.is_none_or(|at| at == idx) {
                        folder.paused = is_paused;
                    }
                }
            }
        }
        if asked.action != WatchAction::List {
            roots::write(&self.file(), &watched)?;
        }
        state.watched.clone_from(&watched);
        self.begin(state);
        self.tell(state, |done| Command::Folders(watched, done));
        Ok(())
    }
}

/// How many folders are watched, and what their files say of why one would not be: known without a
/// daemon. Reads files.
///
/// # Errors
/// What is wrong with the file that names the folders, and the cure.
pub fn check(folders: &Folders) -> Result<(usize, Vec<String>), String> {
    let watched = roots::read(&folders.config.join(roots::FILE_NAME));
    let watched = watched.map_err(|error| error.to_string())?;
    let faults = watched.iter().filter_map(|folder| {
        let fault = rules::read(folders, folder).err()?;
        Some(format!("{}: {fault}", folder.path.display()))
    });
    Ok((watched.len(), faults.collect()))
}

/// The label set of the watched folder that `dir` is in or is, and the file that says so; none where
/// that file says nothing, or cannot be read, which `gliznet watch list` tells. Reads files.
pub fn labelset_of(folders: &Folders, dir: &Path) -> Option<(String, PathBuf)> {
    let file = folders.config.join(roots::FILE_NAME);
    let watched = roots::read(&file).ok()?;
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_path_buf());
    let mut holding = watched.into_iter().filter(|one| dir.starts_with(&one.path));
    Some((holding.next()?.labelset?, file))
}

/// The folder that `gliznet/watch` asks for.
fn folder_of(path: PathBuf, asked: &WatchParams) -> Result<Folder, RootsError> {
    let value = |error: String| RootsError::Value(error);
    let sink = match &asked.sink {
        Some(name) => name
            .parse::<Sink>()
            .map_err(|error| value(error.to_string()))?,
        None => Sink::default(),
    };
    let hours = asked.quiet_hours.as_ref().map(|hours| hours.parse());
    let hours = hours
        .transpose()
        .map_err(|error: NoHours| value(error.to_string()))?;
    let extensions = asked.extensions.iter();
    let extensions = extensions.map(|name| name.trim().trim_start_matches('.').to_lowercase());
    Ok(Folder {
        labelset: asked.labelset.clone(),
        threshold: asked.threshold,
        sink,
        extensions: extensions.filter(|name| !name.is_empty()).collect(),
        quiet_hours: hours,
        concurrency: asked.concurrency,
        settle_seconds: asked.settle_seconds,
        poll: asked.poll,
        ..Folder::new(path)
    })
}

/// Opens what is needed, and watches until there are no more commands.
async fn watch(
    shared: Arc<Shared>,
    desk: Arc<Desk>,
    folders: Folders,
    mut watched: Vec<Folder>,
    mut commands: Receiver<Command>,
) {
    let mut once = Vec::new();
    let mut tries = 0;
    let index = loop {
        let error = match Index::open(&folders.cache) {
            Ok((index, said)) => {
                shared.set_fault(said);
                break Arc::new(index);
            }
            Err(error) => error,
        };
        tries += 1;
        let is_taken = matches!(error, StoreError::Taken);
        let (moments, moment) = IN_A_MOMENT;
        let is_passing = is_taken && tries <= moments;
        let error = error.to_string();
        if !is_passing && shared.fault().as_deref() != Some(error.as_str()) {
            tracing::warn!("{error}");
            shared.set_fault(Some(error));
        }
        let pause = match is_taken {
            _ if is_passing => moment,
            true => AGAIN,
            false => AGAIN * 15,
        };
        match tokio::time::timeout(pause, commands.recv()).await {
            Ok(None) => return,
            Ok(Some(Command::Folders(folders, _))) => watched = folders,
            Ok(Some(Command::RunOnce(folder, _))) => once.push(folder),
            Err(_) => {}
        }
    };
    let ledger = Ledger::open(&folders.data);
    let ledger = ledger.map(|(ledger, faults)| {
        for fault in faults {
            tracing::warn!("{fault}");
        }
        Arc::new(ledger)
    });
    let tagger = Arc::new(Tagger {
        rules: Arc::new(RuleBook::new(Arc::clone(&desk), folders)),
        ledger: ledger.map_err(|error| error.to_string()),
        index: Arc::clone(&index),
        desk,
    });
    shared.set_tagger(Arc::clone(&tagger));
    tracing::info!(
        folders = watched.len(),
        notes = index.notes().len(),
        "watching"
    );
    Supervisor::new(Arc::clone(&shared), index, tagger)
        .run(commands, watched, once)
        .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watched_folder_lends_its_label_set_to_all_that_is_in_it() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let folders = Folders {
            config: root.join("config"),
            data: root.join("data"),
            cache: root.join("cache"),
        };
        let notes = root.join("notes");
        std::fs::create_dir_all(notes.join("deep")).unwrap();
        assert_eq!(labelset_of(&folders, &notes), None);
        let folder = Folder {
            labelset: Some("gtd".to_owned()),
            ..Folder::new(notes.clone())
        };
        let file = folders.config.join(roots::FILE_NAME);
        roots::write(&file, &[folder]).unwrap();
        let said = Some(("gtd".to_owned(), file));
        assert_eq!(labelset_of(&folders, &notes), said);
        assert_eq!(labelset_of(&folders, &notes.join("deep/../deep")), said);
        assert_eq!(labelset_of(&folders, &root), None);
    }
}
