//! The thread that owns the engine: questions in from anywhere, answers out to those who wait.
//!
//! The model is loaded on this thread too, so nobody waits for it who has no question. A question
//! whose answer is in the cache never waits behind others.
//! Invariant: every question gets one answer, an error included; one that nobody waits for any
//! more is not computed. Knows nothing of documents, editors or files.

mod bench;
mod question;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{oneshot, watch};

use super::cache::{Cache, Key};
use super::explain::Evidence;
use super::scheduler::{Limits, Priority, Scheduler};
use super::{Engine, EngineOptions, Passage};
use crate::model::Model;

use bench::Bench;
pub use question::{Answer, Explanation, Loading, ModelFacts, Question, WorkerError};

/// What the model's thread does.
enum Job {
    Score(Question),
    Explain(Explanation),
}

/// What comes of it.
#[derive(Clone)]
enum Outcome {
    Scored(Answer),
    Explained(Arc<Vec<Evidence>>),
}

type Reply = Result<Outcome, WorkerError>;
type Queue = Scheduler<Key, Job, oneshot::Sender<Reply>>;

struct State {
    queue: Queue,
    /// What everybody is told from now on; the thread ends.
    refusal: Option<WorkerError>,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    cache: Option<Cache>,
    /// What of the options changes scores.
    options: String,
}

/// A running worker.
pub struct Worker {
    shared: Arc<Shared>,
    loading: watch::Receiver<Loading>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// How a worker is run.
pub struct WorkerOptions {
    /// How the engine runs the model.
    pub engine: EngineOptions,
    /// How many questions may wait.
    pub limits: Limits,
    /// Where answers are kept.
    pub cache: Option<Cache>,
}

impl Worker {
    /// Starts the thread; `load` runs on it first, and says where the model runs.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        options: WorkerOptions,
        load: impl FnOnce() -> Result<(Arc<Model>, String), String> + Send + 'static,
    ) -> std::io::Result<Worker> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                queue: Scheduler::new(options.limits),
                refusal: None,
            }),
            wake: Condvar::new(),
            cache: options.cache,
            options: format!("{:?}", options.engine),
        });
        let (tell, loading) = watch::channel(Loading::Underway);
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("gliznet-model".to_owned())
            .spawn(move || run(&of_thread, options.engine, load, &tell))?;
        Ok(Worker {
            shared,
            loading,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Answers a question. Dropping the future withdraws it.
    ///
    /// # Errors
    /// The queue is full, the model cannot be loaded, or it fails at this text.
    pub async fn ask(&self, question: Question) -> Result<Answer, WorkerError> {
        let key = Key::new(&question.passage, &question.labels.fingerprint());
        let ready = self.loading.borrow().clone();
        if let Loading::Ready(model) = ready
            && let Some(answer) = self.shared.cached(&key, &model)
        {
            return Ok(answer);
        }
        let priority = question.priority;
        match self.queue(key, Job::Score(question), priority).await? {
            Outcome::Scored(answer) => Ok(answer),
            Outcome::Explained(_) => Err(mistaken()),
        }
    }

    /// The two sentences that speak for a label, best first. Dropping the future withdraws it.
    ///
    /// # Errors
    /// As `ask`.
    pub async fn explain(&self, asked: Explanation) -> Result<Arc<Vec<Evidence>>, WorkerError> {
        let labels = format!("{} of {}", asked.label.0, asked.labels.fingerprint());
        let key = Key::new(&Passage::plain(asked.document.source()), &labels);
        match self
            .queue(key, Job::Explain(asked), Priority::Interactive)
            .await?
        {
            Outcome::Explained(evidence) => Ok(evidence),
            Outcome::Scored(_) => Err(mistaken()),
        }
    }

    async fn queue(&self, key: Key, job: Job, priority: Priority) -> Reply {
        if let Loading::Failed(reason) = &*self.loading.borrow() {
            return Err(WorkerError::NoModel(Arc::clone(reason)));
        }
        let (tx, rx) = oneshot::channel();
        {
            let mut state = self.shared.lock();
            if let Some(refusal) = &state.refusal {
                return Err(refusal.clone());
            }
            state
                .queue
                .admit(key, job, tx, priority, oneshot::Sender::is_closed)?;
        }
        self.shared.wake.notify_one();
        rx.await.unwrap_or(Err(WorkerError::Stopping))
    }

    /// How far the model is, now and later.
    pub fn loading(&self) -> watch::Receiver<Loading> {
        self.loading.clone()
    }

    /// How many questions wait, the running one included.
    pub fn queued(&self) -> usize {
        let state = self.shared.lock();
        state.queue.waiting() + usize::from(state.queue.is_running())
    }

    /// The cache, where there is one.
    pub fn cache(&self) -> Option<&Cache> {
        self.shared.cache.as_ref()
    }

    /// Lets the running question end, refuses those that wait, and ends the thread.
    pub fn stop(&self) {
        self.shared.refuse(&WorkerError::Stopping);
        let thread = self.thread.lock().map(|mut thread| thread.take());
        if let Ok(Some(thread)) = thread
            && thread.join().is_err()
        {
            tracing::error!("the model's thread has panicked");
        }
        if let Some(cache) = &self.shared.cache {
            cache.flush();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The queue is whole after each call on it, whatever happened to the caller.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers all who wait, and all who come, with an error.
    fn refuse(&self, refusal: &WorkerError) {
        let waiting = {
            let mut state = self.lock();
            state.refusal = Some(refusal.clone());
            state.queue.clear()
        };
        self.wake.notify_all();
        for asker in waiting {
            let _ = asker.send(Err(refusal.clone())); // It may have left.
        }
    }

    fn cached(&self, key: &Key, model: &ModelFacts) -> Option<Answer> {
        let key = key.for_model(&model.fingerprint, &self.options);
        let prediction = self.cache.as_ref()?.get(&key)?;
        Some(Answer {
            prediction: Arc::new(prediction),
            model: model.clone(),
            cached: true,
        })
    }
}

fn run(
    shared: &Shared,
    options: EngineOptions,
    load: impl FnOnce() -> Result<(Arc<Model>, String), String>,
    tell: &watch::Sender<Loading>,
) {
    let loaded = std::panic::catch_unwind(std::panic::AssertUnwindSafe(load))
        .unwrap_or_else(|_| Err("the checkpoint could not be read; use another model".to_owned()));
    let (engine, facts) = match loaded {
        Ok((model, device)) => {
            let short: String = model.fingerprint().chars().take(8).collect();
            let engine = Engine::new(Arc::clone(&model), options);
            let facts = ModelFacts {
                name: format!("{}@{short}", model.name()).into(),
                fingerprint: model.fingerprint().into(),
                device: device.into(),
                default_threshold: engine.default_threshold(),
            };
            (engine, facts)
        }
        Err(reason) => {
            let reason: Arc<str> = reason.into();
            tracing::error!(%reason, "no model");
            tell.send_replace(Loading::Failed(Arc::clone(&reason)));
            return shared.refuse(&WorkerError::NoModel(reason));
        }
    };
    tracing::info!(model = %facts.name, device = %facts.device, "the model is ready");
    tell.send_replace(Loading::Ready(facts.clone()));
    let mut bench = Bench::new(engine);
    while let Some((key, job)) = wait(shared) {
        let reply = match &job {
            Job::Score(question) => answer(shared, &mut bench, &facts, &key, question),
            Job::Explain(asked) => bench
                .explain(asked)
                .map(|evidence| Outcome::Explained(Arc::new(evidence)))
                .map_err(|reason| WorkerError::Engine(reason.into())),
        };
        for asker in shared.lock().queue.finish() {
            let _ = asker.send(reply.clone()); // It may have left.
        }
    }
}

/// The next question, or `None` when the worker is to end.
fn wait(shared: &Shared) -> Option<(Key, Job)> {
    let mut state = shared.lock();
    loop {
        if state.refusal.is_some() {
            return None;
        }
        if let Some(next) = state.queue.next(oneshot::Sender::is_closed) {
            return Some(next);
        }
        state = shared
            .wake
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner);
    }
}

fn answer(
    shared: &Shared,
    bench: &mut Bench,
    facts: &ModelFacts,
    key: &Key,
    question: &Question,
) -> Reply {
    // An equal question may have been answered since this one was put in the queue.
    if let Some(answer) = shared.cached(key, facts) {
        return Ok(Outcome::Scored(answer));
    }
    let scored = bench.score(question);
    let prediction = scored.map_err(|reason| WorkerError::Engine(reason.into()))?;
    if let Some(cache) = &shared.cache {
        let key = key.for_model(&facts.fingerprint, &shared.options);
        cache.put(&key, &prediction);
    }
    Ok(Outcome::Scored(Answer {
        prediction: Arc::new(prediction),
        model: facts.clone(),
        cached: false,
    }))
}

/// Keys tell the kinds of jobs apart, so nobody is handed the other kind.
fn mistaken() -> WorkerError {
    WorkerError::Engine("the model answered another question".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::label::LabelSet;
    use crate::model::LoadOptions;
    use std::path::Path;

    fn tiny() -> Result<(Arc<Model>, String), String> {
        let dir =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parity/bert-isolated-proj");
        let model = Model::load(&dir, &LoadOptions::default()).map_err(|e| e.to_string())?;
        Ok((Arc::new(model), "cpu".to_owned()))
    }

    fn options(cache: Option<Cache>, interactive: usize) -> WorkerOptions {
        WorkerOptions {
            engine: EngineOptions::default(),
            limits: Limits {
                interactive,
                bulk: 4,
            },
            cache,
        }
    }

    fn question(text: &str) -> Question {
        Question {
            passage: Arc::new(Passage::plain(text)),
            labels: Arc::new(LabelSet::from_names(["garden", "tax"]).unwrap()),
            priority: Priority::Interactive,
        }
    }

    #[tokio::test]
    async fn the_same_text_labels_and_model_never_run_twice() {
        let dir = tempfile::tempdir().unwrap();
        for round in 0..2 {
            let cache = Cache::open(dir.path(), 1 << 20).unwrap();
            let worker = Worker::start(options(Some(cache), 4), tiny).unwrap();
            let first = worker.ask(question("Roses need pruning.")).await.unwrap();
            let again = worker.ask(question("Roses need pruning.")).await.unwrap();
            assert_eq!(first.cached, round == 1);
            assert!(again.cached);
            assert_eq!(again.prediction, first.prediction);
            assert_eq!(first.prediction.scores.len(), 2);
            worker.stop();
        }
    }

    #[tokio::test]
    async fn questions_wait_for_the_model_and_a_full_queue_refuses() {
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let load = move || {
            let _ = wait.recv();
            tiny()
        };
        let worker = Arc::new(Worker::start(options(None, 2), load).unwrap());
        let ask = |text: &'static str| {
            let worker = Arc::clone(&worker);
            tokio::spawn(async move { worker.ask(question(text)).await })
        };
        let (first, second) = (ask("one"), ask("two"));
        while worker.queued() < 2 {
            tokio::task::yield_now().await;
        }
        let refused = worker.ask(question("three")).await;
        assert!(matches!(refused, Err(WorkerError::Overloaded(_))));
        // A withdrawn question gives its place away.
        second.abort();
        assert!(second.await.unwrap_err().is_cancelled());
        let third = ask("three");
        go.send(()).unwrap();
        assert!(first.await.unwrap().is_ok());
        assert!(third.await.unwrap().is_ok());
        worker.stop();
    }

    #[tokio::test]
    async fn without_a_model_everybody_hears_why() {
        let load = || Err("no such model; run `gliznet model list`".to_owned());
        let worker = Worker::start(options(None, 4), load).unwrap();
        for _ in 0..2 {
            let error = worker.ask(question("text")).await.unwrap_err();
            assert!(error.to_string().contains("no such model"), "{error}");
        }
        worker.stop();
        let error = worker.ask(question("text")).await.unwrap_err();
        assert!(matches!(
            error,
            WorkerError::NoModel(_) | WorkerError::Stopping
        ));
    }
}
