//! What the model's thread keeps at hand: the engine and the label sets made ready for it.
//!
//! Input: jobs. Output: what the engine says, or why it cannot. Invariant: a text that breaks the
//! model breaks its own job only, whatever it is asked together with; between two parts of long work
//! the bench is lent out, and what is done on it then changes nothing of that work.
//! Knows nothing of queues and of those who wait.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::{Explanation, Question};
use crate::engine::explain::Evidence;
use crate::engine::kept::Kept;
use crate::engine::{Engine, EngineError, Prediction, Request, Vocabulary};
use crate::label::LabelSet;

/// Labels of all the sets that are kept ready for the model.
const MOST_LABELS: usize = 4_000;
/// A set of so few labels is made ready in about the time of one batch.
const FEW_LABELS: usize = 300;
/// Batches that a short job has at most.
const FEW_BATCHES: usize = 4;

/// The engine with what it has made ready.
pub(super) struct Bench {
    engine: Arc<Engine>,
    /// Label sets made ready, by their fingerprint.
    vocabularies: Kept<String, Vocabulary>,
}

/// What is done on the bench between two parts of long work; says whether to go on with that.
pub(super) type Meanwhile<'a> = &'a mut dyn FnMut(&mut Bench) -> bool;

/// Why there are no scores.
enum Failed {
    GivenUp,
    Broken(String),
}

impl From<EngineError> for Failed {
    fn from(error: EngineError) -> Failed {
        match error {
            EngineError::GivenUp => Failed::GivenUp,
            error => Failed::Broken(error.to_string()),
        }
    }
}

impl From<Failed> for String {
    fn from(failed: Failed) -> String {
        match failed {
            Failed::GivenUp => EngineError::GivenUp.to_string(),
            Failed::Broken(reason) => reason,
        }
    }
}

impl Bench {
    pub(super) fn new(engine: Engine) -> Bench {
        Bench {
            engine: Arc::new(engine),
            vocabularies: Kept::of(MOST_LABELS),
        }
    }

    /// Whether a question takes little time where its labels are ready, so that it may be answered
    /// between two parts of another.
    pub(super) fn is_small(&self, question: &Question) -> bool {
        question.weight() <= FEW_BATCHES * self.room()
    }

    /// Whether a label set is ready, or soon would be.
    pub(super) fn has_ready(&self, set: &LabelSet) -> bool {
        set.labels().len() <= FEW_LABELS || self.vocabularies.has(&set.fingerprint())
    }

    /// About how many tokens are worth asking together: one batch of the engine, so that whoever
    /// comes then need not wait for a second.
    pub(super) fn room(&self) -> usize {
        self.engine.batch_tokens()
    }

    /// The scores of each text.
    pub(super) fn score(
        &mut self,
        questions: &[&Question],
        meanwhile: Meanwhile,
    ) -> Vec<Result<Prediction, String>> {
        if questions.is_empty() {
            return Vec::new();
        }
        match unbroken(|| self.scores(questions, meanwhile)) {
            Ok(scored) if scored.len() == questions.len() => scored.into_iter().map(Ok).collect(),
            Err(Failed::GivenUp) => {
                let reason = String::from(Failed::GivenUp);
                questions.iter().map(|_| Err(reason.clone())).collect()
            }
            _ if questions.len() > 1 => {
                // One of them breaks the model; which one shows when each is asked alone.
                let alone = questions.iter();
                alone
                    .flat_map(|question| self.score(&[question], meanwhile))
                    .collect()
            }
            Ok(_) => vec![Err("no answer".to_owned())],
            Err(failed) => vec![Err(failed.into())],
        }
    }

    fn scores(
        &mut self,
        questions: &[&Question],
        meanwhile: Meanwhile,
    ) -> Result<Vec<Prediction>, Failed> {
        let sets = questions.iter().map(|question| &question.labels);
        let vocabularies = sets.map(|set| self.vocabulary(set, meanwhile));
        let vocabularies = vocabularies.collect::<Result<Vec<_>, _>>()?;
        let requests: Vec<Request> = questions
            .iter()
            .zip(&vocabularies)
            .map(|(question, vocabulary)| Request {
                passage: &question.passage,
                vocabulary,
            })
            .collect();
        let engine = Arc::clone(&self.engine);
        Ok(engine.score_in_parts(&requests, &mut || meanwhile(self))?)
    }

    /// The sentences that speak for a label.
    pub(super) fn explain(
        &mut self,
        asked: &Explanation,
        meanwhile: Meanwhile,
    ) -> Result<Vec<Evidence>, String> {
        let explained = unbroken(|| {
            let vocabulary = self.vocabulary(&asked.labels, meanwhile)?;
            let tags = [asked.label];
            let mut explained = self.engine.explain(&asked.document, &vocabulary, &tags)?;
            let none = || Failed::Broken("no answer".to_owned());
            explained.pop().ok_or_else(none)
        });
        explained.map_err(String::from)
    }

    fn vocabulary(
        &mut self,
        set: &Arc<LabelSet>,
        meanwhile: Meanwhile,
    ) -> Result<Arc<Vocabulary>, Failed> {
        let fingerprint = set.fingerprint();
        if let Some(ready) = self.vocabularies.get(&fingerprint) {
            return Ok(ready);
        }
        let engine = Arc::clone(&self.engine);
        let ready = engine.vocabulary_in_parts(Arc::clone(set), &mut || meanwhile(self))?;
        let ready = Arc::new(ready);
        self.vocabularies
            .keep(fingerprint, set.labels().len(), Arc::clone(&ready));
        Ok(ready)
    }
}

/// One text that breaks the model must not end the thread that serves all.
fn unbroken<T>(job: impl FnOnce() -> Result<T, Failed>) -> Result<T, Failed> {
    let broken = || Failed::Broken("the model broke down at this text".to_owned());
    catch_unwind(AssertUnwindSafe(job)).unwrap_or_else(|_| Err(broken()))
}
