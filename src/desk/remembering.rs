//! Brings the memory into answers, and keeps it in step with the model that serves.
//!
//! Input: answers, corrections, and which model serves. Output: answers as the memory would have
//! them. Invariant: nobody waits for the memory to learn, but the one who corrects; while another
//! model takes over, only the verdicts on the same text hold, so nothing counts twice.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use tokio::sync::watch;

use super::{Desk, Tagged};
use crate::correction::Correction;
use crate::document::Document;
use crate::engine::scheduler::Priority;
use crate::engine::worker::{Answer, Loading, ModelFacts, Question, WorkerError};
use crate::engine::{Embedding, Passage, Prediction};
use crate::label::LabelSet;
use crate::learn::journal;
use crate::learn::memory::{Memory, Recall, any_label, ordinary, ordinary_vectors, untaught};

/// When to ask again after the queue was full.
const RETRY: Duration = Duration::from_millis(500);

/// Why the memory stops learning for now.
enum Halt {
    /// Another model serves: begin anew.
    OtherModel,
    /// There is nobody to ask any more.
    End,
}

impl Desk {
    /// Learns in the background what corrections mean to the model that serves, whenever that is
    /// another one. Ends with the worker.
    pub async fn remember(self: Arc<Desk>) {
        let mut loading = self.loading();
        loop {
            let facts = match &*loading.borrow_and_update() {
                Loading::Ready(facts) => Some(facts.clone()),
                Loading::Underway | Loading::Failed(_) => None,
            };
            if let Some(facts) = facts {
                match self.catch_up(&facts).await {
                    Ok(()) | Err(Halt::OtherModel) => {}
                    Err(Halt::End) => return,
                }
            }
            tokio::select! {
                changed = loading.changed() => if changed.is_err() { return },
                () = self.unlearnt.notified() => {}
            }
        }
    }

    async fn catch_up(&self, facts: &ModelFacts) -> Result<(), Halt> {
        if self.memory().model() != &*facts.fingerprint && facts.reads_as_shipped {
            self.memory_mut()
                .begin(&facts.fingerprint, &ordinary_vectors());
        }
        if self.memory().is_empty() && self.clients.load(Ordering::Relaxed) == 0 {
            return Ok(()); // Nothing is remembered, and there is nobody who could correct anything.
        }
        if self.memory().model() != &*facts.fingerprint {
            let mut background = Vec::new();
            let Some(any) = any_label() else {
                return Ok(());
            };
            for text in ordinary() {
                let seen = self.see(Passage::plain(&text), &any, facts).await?;
                background.extend(seen.and_then(|answer| answer.prediction.embedding.clone()));
            }
            self.memory_mut().begin(&facts.fingerprint, &background);
        }
        let unlearnt = self.memory().unlearnt();
        if unlearnt.is_empty() {
            return Ok(());
        }
        let data = self.folders.data.clone();
        let read = tokio::task::spawn_blocking(move || journal::read(&data)).await;
        let Ok(Ok(replay)) = read else {
            return Ok(()); // The journal says so itself, to those who write there.
        };
        let descriptions = journal::descriptions(&replay.entries);
        for entry in replay.entries {
            if unlearnt.contains(&entry.sequence) {
                let judged = self.memory().judged(entry.sequence);
                let (Some(labels), _) = LabelSet::from_names_lenient(&judged) else {
                    continue;
                };
                let labels = Arc::new(labels.with_descriptions(&descriptions));
                let Correction { text, format, .. } = entry.correction;
                let passage = Passage::of(&Document::parse(format, text));
                if let Some(answer) = self.see(passage, &labels, facts).await?
                    && let Some(embedding) = &answer.prediction.embedding
                {
                    self.learn(entry.sequence, &answer, &labels, embedding);
                }
            }
        }
        self.tell_learnt();
        Ok(())
    }

    /// Those who show answers have to ask again.
    pub(super) fn tell_learnt(&self) {
        self.learnt.send_modify(|times| *times += 1);
    }

    /// Changes whenever the memory has learnt or forgotten something: answers given before may be
    /// others now.
    pub fn learnt(&self) -> watch::Receiver<u64> {
        self.learnt.subscribe()
    }

    /// What the model makes of a text; none where it cannot.
    async fn see(
        &self,
        passage: Passage,
        labels: &Arc<LabelSet>,
        facts: &ModelFacts,
    ) -> Result<Option<Answer>, Halt> {
        let passage = Arc::new(passage);
        loop {
            let question = Question {
                passage: Arc::clone(&passage),
                labels: Arc::clone(labels),
                priority: Priority::Bulk,
            };
            match self.worker.ask(question).await {
                Ok(answer) if answer.model.fingerprint != facts.fingerprint => {
                    return Err(Halt::OtherModel);
                }
                Ok(answer) => return Ok(Some(answer)),
                Err(WorkerError::Overloaded(_)) => tokio::time::sleep(RETRY).await,
                Err(WorkerError::Engine(_)) => return Ok(None),
                Err(WorkerError::NoModel(_) | WorkerError::Stopping) => return Err(Halt::End),
            }
        }
    }

    fn learn(&self, id: u64, answer: &Answer, labels: &LabelSet, embedding: &Embedding) {
        let model = &answer.model;
        let score = untaught(&answer.prediction, labels, &model.heads);
        self.memory_mut()
            .learn(id, &model.fingerprint, embedding, score);
    }

    /// Takes note of a correction, and of what its answer was: it holds from the next answer on.
    pub(super) fn memorise(&self, id: u64, correction: &Correction, answered: Option<&Tagged>) {
        self.memory_mut().add(id, correction);
        // A text that was judged before has labels that this answer may not know.
        if let Some(tagged) = answered
            && let Some(embedding) = &tagged.raw.embedding
            && self.knows_all(id, &tagged.labels)
        {
            let answer = Answer {
                prediction: Arc::clone(&tagged.raw),
                ..tagged.answer.clone()
            };
            self.learn(id, &answer, &tagged.labels, embedding);
        }
        let is_unlearnt = self.memory().unlearnt().contains(&id);
        match is_unlearnt {
            true => self.unlearnt.notify_one(),
            false => self.tell_learnt(),
        }
    }

    fn knows_all(&self, id: u64, labels: &LabelSet) -> bool {
        let judged = self.memory().judged(id);
        judged.iter().all(|name| labels.find(name).is_some())
    }

    /// An answer as the memory would have it, and what it remembers.
    pub(super) fn recalled(
        &self,
        text: &str,
        answer: &Answer,
        set: &LabelSet,
    ) -> (Arc<Prediction>, Recall) {
        let seen = answer.prediction.embedding.as_ref();
        let seen = seen.map(|embedding| (embedding, &*answer.model.fingerprint));
        let recall = self.memory().recall(text, seen, set);
        if recall == Recall::default() {
            return (Arc::clone(&answer.prediction), recall);
        }
        (Arc::new(recall.applied_to(&answer.prediction)), recall)
    }

    /// Labels that were judged so far, for those who ask how much is remembered.
    pub(super) fn memory(&self) -> RwLockReadGuard<'_, Memory> {
        self.memory.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn memory_mut(&self) -> RwLockWriteGuard<'_, Memory> {
        self.memory.write().unwrap_or_else(PoisonError::into_inner)
    }
}
