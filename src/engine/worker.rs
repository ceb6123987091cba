//! The thread that owns the engine: questions in from anywhere, answers out to those who wait.
//!
//! The model is loaded on this thread too, so nobody waits for it who has no question. A question
//! whose answer is in the cache never waits behind others; bulk questions are answered together,
//! as many as make one batch of the engine.
//! Invariant: every question gets one answer, an error included, of one model; one that nobody
//! waits for any more is not computed. Another model takes over between two questions. A question
//! that takes long, such as the first with a large label set, is put aside between two batches for
//! short ones, and is given up where nobody waits for it any more.
//! Knows nothing of documents, editors or files.
//!
//! Length: one thread and those who talk to it, which would say less apart.

mod bench;
mod question;

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{oneshot, watch};

use super::cache::{Cache, Key};
use super::explain::Evidence;
use super::scheduler::{IN_A_ROW, Limits, Priority, Scheduler};
use super::{Engine, EngineOptions, Passage};
use crate::label::LabelSet;
use crate::model::Model;

use bench::{Bench, Meanwhile};
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
    Jobs(Vec<(Key, Job)>),
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

    /// Lets the running batch end, refuses all questions that need more, and ends the thread.
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
        let jobs = match wait(shared, bench.room()) {
            Turn::Jobs(jobs) => jobs,
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
        let mut pauses = 0;
        serve(shared, &mut bench, &facts, &jobs, &mut |bench| {
            pauses += 1;
            between(shared, bench, &facts, pauses)
        });
    }
}

/// Does jobs that were begun together, and tells all who wait for them.
fn serve(
    shared: &Shared,
    bench: &mut Bench,
    facts: &ModelFacts,
    jobs: &[(Key, Job)],
    meanwhile: Meanwhile,
) {
    let replies = replies(shared, bench, facts, jobs, meanwhile);
    let (askers, refusal) = {
        let mut state = shared.lock();
        (state.queue.finish(), state.refusal.clone())
    };
    for (askers, reply) in askers.into_iter().zip(replies) {
        // What was given up because the thread ends has no fault of its own.
        let reply = match &refusal {
            Some(refusal) => reply.map_err(|_| refusal.clone()),
            None => reply,
        };
        for asker in askers {
            let _ = asker.send(reply.clone()); // It may have left.
        }
    }
}

/// Answers short questions between two parts of a long one: those of people who look at the screen,
/// and one of the others, among them the editors' suggestions, where this is not one of its first
/// pauses: what has few parts is over soon, and notes are read faster together. Says whether to go on
/// with the long one.
fn between(shared: &Shared, bench: &mut Bench, facts: &ModelFacts, pauses: usize) -> bool {
    let people = std::iter::repeat_n(Priority::Interactive, IN_A_ROW);
    let others = (pauses >= IN_A_ROW).then_some(Priority::Bulk);
    for priority in people.chain(others) {
        let short = {
            let mut state = shared.lock();
            if state.refusal.is_some() || state.queue.abandon(oneshot::Sender::is_closed) {
                return false;
            }
            // Asked once a set: hundreds of questions may wait with one large set, and everybody who
            // asks another waits for this lock.
            let known: RefCell<HashMap<*const LabelSet, bool>> = RefCell::default();
            let has_ready = |labels: &Arc<LabelSet>| {
                let mut known = known.borrow_mut();
                let is_ready = known.entry(Arc::as_ptr(labels));
                *is_ready.or_insert_with(|| bench.has_ready(labels))
            };
            let is_short = |job: &Job| match job {
                Job::Score(question) => bench.is_small(question) && has_ready(&question.labels),
                Job::Explain(asked) => has_ready(&asked.labels),
            };
            let is_gone = oneshot::Sender::is_closed;
            state.queue.between(priority, is_short, is_gone)
        };
        let Some(short) = short else { continue };
        // Short ones are not put aside in their turn.
        serve(shared, bench, facts, &[short], &mut |_| true);
    }
    true
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
        glossary: Arc::clone(model.glossary()),
        heads: Arc::new(model.label_heads().clone()),
        reads_as_shipped: model.reads_as_shipped(),
    };
    (engine, facts)
}

/// What is to be done next: a new model before the next questions, of which bulk ones weigh `room`
/// together.
fn wait(shared: &Shared, room: usize) -> Turn {
    let mut state = shared.lock();
    loop {
        if state.refusal.is_some() {
            return Turn::End;
        }
        if let Some(next) = state.next.take() {
            return Turn::Swap(next);
        }
        let jobs = state
            .queue
            .next(room, Job::weight, oneshot::Sender::is_closed);
        if !jobs.is_empty() {
            return Turn::Jobs(jobs);
        }
        state = shared
            .wake
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner);
    }
}

/// One reply a job, in their order.
fn replies(
    shared: &Shared,
    bench: &mut Bench,
    facts: &ModelFacts,
    jobs: &[(Key, Job)],
    meanwhile: Meanwhile,
) -> Vec<Reply> {
    let mut open = Vec::new();
    let known: Vec<Option<Reply>> = jobs
        .iter()
        .map(|(key, job)| match job {
            Job::Score(question) => {
                // An equal question may have been answered since this one was put in the queue.
                let known = shared.cached(key, facts);
                if known.is_none() {
                    open.push(question);
                }
                known.map(|answer| Ok(Outcome::Scored(answer)))
            }
            Job::Explain(asked) => {
                let evidence = bench.explain(asked, meanwhile).map_err(broken);
                Some(evidence.map(|evidence| Outcome::Explained(Arc::new(evidence))))
            }
        })
        .collect();
    let mut scored = bench.score(&open, meanwhile).into_iter();
    let reply = |((key, _), known): (&(Key, Job), Option<Reply>)| {
        if let Some(known) = known {
            return known;
        }
        let scored = scored.next().unwrap_or_else(|| Err("no answer".to_owned()));
        let prediction = scored.map_err(broken)?;
        if let Some(cache) = &shared.cache {
            let key = key.for_model(&facts.fingerprint, &shared.options);
            cache.put(&key, &prediction);
        }
        Ok(Outcome::Scored(Answer {
            prediction: Arc::new(prediction),
            model: facts.clone(),
            cached: false,
        }))
    };
    jobs.iter().zip(known).map(reply).collect()
}

fn broken(reason: String) -> WorkerError {
    WorkerError::Engine(reason.into())
}

impl Job {
    /// About how many tokens it is.
    fn weight(&self) -> usize {
        match self {
            Job::Score(question) => question.weight(),
            Job::Explain(asked) => asked.document.source().len(),
        }
    }
}

/// Keys tell the kinds of jobs apart, so nobody is handed the other kind.
fn mistaken() -> WorkerError {
    broken("the model answered another question".to_owned())
}

#[cfg(test)]
mod tests;
