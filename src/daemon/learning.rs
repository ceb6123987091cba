//! Learning in the background: when there is enough to learn, in a process of its own, and served
//! as soon as it is good.
//!
//! ```text
//! corrections ─ course: due? ─ child ─ version ─ loaded ─ swapped ─ documents read again
//!                 └ corrected more often than before? back to the version before
//! ```
//!
//! Invariant: one job at a time; nobody waits for one who does not ask to. What serves follows
//! `versions/current`, whoever moves it. Knows no protocol.

mod child;
mod course;
mod history;
mod models;

use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::desk::Desk;
use crate::desk::learning::{Learning, LearningError, State};
use course::{Course, Word};

pub use models::Models;

/// How long the thread may take to hear; it may be loading a version.
const PATIENCE: Duration = Duration::from_secs(60);
/// So many words may wait for it.
const WAITING: usize = 64;

/// Teaches the model of one daemon.
pub(super) struct Learner {
    words: SyncSender<Word>,
    state: watch::Sender<State>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Learner {
    /// Begins to look after the model of `desk`.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(
        desk: Arc<Desk>,
        models: Arc<Models>,
        runtime: Handle,
    ) -> std::io::Result<Arc<Learner>> {
        let (words, inbox) = sync_channel(WAITING);
        let state = watch::Sender::new(State::default());
        let course = Course::new(desk, models, runtime, words.clone(), state.clone());
        let thread = std::thread::Builder::new()
            .name("gliznet-learn".to_owned())
            .spawn(move || course.run(&inbox))?;
        Ok(Arc::new(Learner {
            words,
            state,
            thread: Mutex::new(Some(thread)),
        }))
    }

    /// Ends the job that runs, and the thread.
    pub(super) fn close(&self) {
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let _ = self.words.send(Word::Close); // It may have ended.
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the thread that learns has panicked");
        }
    }

    fn ask<T>(&self, word: impl FnOnce(SyncSender<T>) -> Word) -> Result<T, LearningError> {
        let mute = || LearningError("the learning does not answer; ask again later".to_owned());
        let (tell, told) = sync_channel(1);
        self.words.send(word(tell)).map_err(|_| mute())?;
        told.recv_timeout(PATIENCE).map_err(|_| mute())
    }
}

impl Learning for Learner {
    fn start(&self, encoder: bool) -> Result<(), LearningError> {
        self.ask(|tell| Word::Start(encoder, tell))?
            .map_err(LearningError)
    }

    fn cancel(&self) -> Result<bool, LearningError> {
        self.ask(Word::Cancel)
    }

    fn roll_back(&self, to: Option<u32>) -> Result<(), LearningError> {
        self.ask(|tell| Word::RollBack(to, tell))?
            .map_err(LearningError)
    }

    fn look(&self) -> Result<(), LearningError> {
        self.ask(Word::Look)
    }

    fn heard(&self) {
        match self.words.try_send(Word::Heard) {
            // It has other news, and looks at the journal after each.
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }

    fn state(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{TryRecvError, channel};

    use super::*;
    use crate::config::{Folders, Settings};
    use crate::engine::EngineOptions;
    use crate::engine::scheduler::Limits;
    use crate::engine::worker::{Worker, WorkerOptions};

    #[test]
    fn who_asks_while_the_model_is_loaded_waits_for_it_and_is_refused_only_where_there_is_none() {
        let root = tempfile::tempdir().unwrap();
        let folders = Folders {
            config: root.path().join("config"),
            data: root.path().join("data"),
            cache: root.path().join("cache"),
        };
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (load, loading) = channel::<()>();
        let options = WorkerOptions {
            engine: EngineOptions::default(),
            limits: Limits {
                interactive: 1,
                bulk: 1,
            },
            cache: None,
        };
        let worker = Worker::start(options, move || {
            let _ = loading.recv();
            Err("no checkpoint".to_owned())
        });
        let models = Arc::new(Models::new(&folders, &Settings::default()));
        let desk = Arc::new(Desk::new(worker.unwrap(), folders, String::new()));
        let learner = Learner::start(desk, models, runtime.handle().clone()).unwrap();
        let (tell, told) = sync_channel(1);
        learner.words.send(Word::Start(false, tell)).unwrap();
        learner.look().unwrap(); // It has heard all that came before.
        assert_eq!(told.try_recv(), Err(TryRecvError::Empty));
        load.send(()).unwrap();
        let refused = told.recv_timeout(PATIENCE).unwrap().unwrap_err();
        assert!(refused.contains("no model yet"), "{refused}");
        learner.close();
    }
}
