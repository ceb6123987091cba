//! The thread that owns the engine: questions in from anywhere, answers out to those who wait.
//!
//! The model is loaded on this thread too, so nobody waits for it who has no question. A question
//! whose answer is in the cache never waits behind others.
//! Invariant: every question gets one answer, an error included, of one model; one that nobody
//! waits for any more is not computed. Another model takes over between two questions.
//! Knows nothing of documents, editors or files.
//!
//! Length: what the thread does and how it is asked share one state.

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
    /// The model that answers the next question.
    next: Option<Next>,
    /// What everybody is told from now on; the thread ends.
    refusal: Option<WorkerError>,
}

/// A model that is to take over, and who waits for it.
struct Next {
    model: Arc<Model>,
    told: oneshot::Sender<ModelFacts>,
}

/// What the thread does next.
enum Turn {
    Job(Key, Job),
    Swap(Next),
    End,
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
                next: None,
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

    /// Lets another model answer, from the question after the running one on. A model that waits to
    /// take over and is overtaken never answers; whoever handed it in is told it is stopping.
    ///
    /// # Errors
    /// The worker ends, or a newer model was handed in meanwhile.
    pub async fn swap(&self, model: Arc<Model>) -> Result<ModelFacts, WorkerError> {
        let (told, facts) = oneshot::channel();
        {
            let mut state = self.shared.lock();
            if let Some(refusal) = &state.refusal {
                return Err(refusal.clone());
            }
            state.next = Some(Next { model, told });
        }
        self.shared.wake.notify_one();
        facts.await.map_err(|_| WorkerError::Stopping)
    }

    /// How far the model is, now and later; after a swap, the new one.
    pub fn loading(&self) -> watch::Receiver<Loading> {
        self.loading.clone()
    }

    /// How many questions of a priority are without an answer.
    pub fn open(&self, priority: Priority) -> usize {
        self.shared.lock().queue.open(priority)
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
            state.next = None;
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
    let (engine, mut facts) = match loaded {
        Ok((model, device)) => prepared(&model, &options, device.into()),
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
    loop {
        let (key, job) = match wait(shared) {
            Turn::Job(key, job) => (key, job),
            Turn::Swap(Next { model, told }) => {
                let (engine, other) = prepared(&model, &options, Arc::clone(&facts.device));
                // Vocabularies were made ready for the old one, so they go with it.
                (bench, facts) = (Bench::new(engine), other);
                tracing::info!(model = %facts.name, "another version of the model answers");
                tell.send_replace(Loading::Ready(facts.clone()));
                let _ = told.send(facts.clone()); // Whoever asked may have left.
                continue;
            }
            Turn::End => return,
        };
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

/// The engine of a model, and what everybody is told of it.
fn prepared(model: &Arc<Model>, options: &EngineOptions, device: Arc<str>) -> (Engine, ModelFacts) {
    let short: String = model.fingerprint().chars().take(8).collect();
    let engine = Engine::new(Arc::clone(model), options.clone());
    let facts = ModelFacts {
        name: format!("{}@{short}", model.name()).into(),
        fingerprint: model.fingerprint().into(),
        device,
        default_threshold: engine.default_threshold(),
        margin: engine.margin(),
        heads: Arc::new(model.label_heads().clone()),
    };
    (engine, facts)
}

/// What is to be done next: a new model before the next question.
fn wait(shared: &Shared) -> Turn {
    let mut state = shared.lock();
    loop {
        if state.refusal.is_some() {
            return Turn::End;
        }
        if let Some(next) = state.next.take() {
            return Turn::Swap(next);
        }
        if let Some((key, job)) = state.queue.next(oneshot::Sender::is_closed) {
            return Turn::Job(key, job);
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
    use crate::model::delta::Delta;
    use crate::model::delta::Parts;
    use crate::model::store::ModelSource;
    use std::collections::HashMap;
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
        while worker.open(Priority::Interactive) < 2 {
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

    /// The tiny model with another bias, as a version of it would be.
    fn version(number: u32) -> Arc<Model> {
        let dir =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parity/bert-isolated-proj");
        let name = "aggregator.text_projector.1.bias".to_owned();
        let bias = candle_core::Tensor::full(number as f32 / 10.0, 24, &candle_core::Device::Cpu);
        let parts = Parts {
            tensors: [(name, bias.unwrap())].into(),
            ..Parts::default()
        };
        let delta = Delta::of(&parts, None).unwrap();
        let source = ModelSource::Folder(dir);
        let options = LoadOptions::default();
        Arc::new(Model::with_version(&source, Some((number, delta)), &options).unwrap())
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_swap_under_load_fails_no_question_and_mixes_no_two_models() {
        let worker = Arc::new(Worker::start(options(None, 64), tiny).unwrap());
        let mut askers = tokio::task::JoinSet::new();
        for asker in 0..4 {
            let worker = Arc::clone(&worker);
            askers.spawn(async move {
                let mut answers = Vec::new();
                for _ in 0..40 {
                    let text = format!("Roses need pruning, says {asker}.");
                    answers.push(worker.ask(question(&text)).await.unwrap());
                    tokio::task::yield_now().await;
                }
                (asker, answers)
            });
        }
        for number in 1..=5 {
            let model = version(number);
            let facts = worker.swap(Arc::clone(&model)).await.unwrap();
            assert_eq!(&*facts.fingerprint, model.fingerprint());
            assert_eq!(*worker.loading().borrow(), Loading::Ready(facts));
        }
        while let Some(asked) = askers.join_next().await {
            let (asker, answers) = asked.unwrap();
            // What each model says of this text when it is asked alone.
            let mut alone: HashMap<Arc<str>, Arc<crate::engine::Prediction>> = HashMap::new();
            for answer in answers {
                let known = alone
                    .entry(Arc::clone(&answer.model.fingerprint))
                    .or_insert_with(|| Arc::clone(&answer.prediction));
                assert_eq!(*known, answer.prediction, "asker {asker}");
            }
        }
        let last = worker.ask(question("At the end.")).await.unwrap();
        assert!(last.model.name.contains("+5@"), "{}", last.model.name);
        worker.stop();
        assert!(worker.swap(version(6)).await.is_err());
    }

    #[tokio::test]
    async fn answers_of_the_old_model_are_not_taken_from_the_cache() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path(), 1 << 20).unwrap();
        let worker = Worker::start(options(Some(cache), 4), tiny).unwrap();
        let old = worker.ask(question("Roses.")).await.unwrap();
        worker.swap(version(3)).await.unwrap();
        let new = worker.ask(question("Roses.")).await.unwrap();
        assert!(!new.cached && new.prediction != old.prediction);
        assert!(worker.ask(question("Roses.")).await.unwrap().cached);
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
