//! What the model's thread keeps at hand: the engine and the label sets made ready for it.
//!
//! Input: jobs. Output: what the engine says, or why it cannot. Invariant: a text that breaks the
//! model breaks its own job only, whatever it is asked together with. Knows nothing of queues and of those who wait.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::{Explanation, Question};
use crate::engine::explain::Evidence;
use crate::engine::kept::Kept;
use crate::engine::{Engine, Prediction, Request, Vocabulary};
use crate::label::LabelSet;

/// Labels of all the sets that are kept ready for the model.
const MOST_LABELS: usize = 4_000;

/// The engine with what it has made ready.
pub(super) struct Bench {
    engine: Engine,
    vocabularies: Vocabularies,
}

impl Bench {
    pub(super) fn new(engine: Engine) -> Bench {
        Bench {
            engine,
            vocabularies: Vocabularies(Kept::of(MOST_LABELS)),
        }
    }

    /// About how many tokens are worth asking together: one batch of the engine, so that whoever
    /// comes then need not wait for a second.
    pub(super) fn room(&self) -> usize {
        self.engine.batch_tokens()
    }

    /// The scores of each text.
    pub(super) fn score(&mut self, questions: &[&Question]) -> Vec<Result<Prediction, String>> {
        if questions.is_empty() {
            return Vec::new();
        }
        match unbroken(|| self.scores(questions)) {
            Ok(scored) if scored.len() == questions.len() => scored.into_iter().map(Ok).collect(),
            _ if questions.len() > 1 => {
                // One of them breaks the model; which one shows when each is asked alone.
                let alone = questions.iter();
                alone.flat_map(|question| self.score(&[question])).collect()
            }
            Ok(_) => vec![Err("no answer".to_owned())],
            Err(reason) => vec![Err(reason)],
        }
    }

    fn scores(&mut self, questions: &[&Question]) -> Result<Vec<Prediction>, String> {
        let sets = questions.iter().map(|question| &question.labels);
        let vocabularies = sets.map(|set| self.vocabularies.of(&self.engine, set));
        let vocabularies = vocabularies.collect::<Result<Vec<_>, _>>()?;
        let requests: Vec<Request> = questions
            .iter()
            .zip(&vocabularies)
            .map(|(question, vocabulary)| Request {
                passage: &question.passage,
                vocabulary,
            })
            .collect();
        let scored = self.engine.score(&requests);
        scored.map_err(|error| error.to_string())
    }

    /// The sentences that speak for a label.
    pub(super) fn explain(&mut self, asked: &Explanation) -> Result<Vec<Evidence>, String> {
        unbroken(|| {
            let vocabulary = self.vocabularies.of(&self.engine, &asked.labels)?;
            let tags = [asked.label];
            let explained = self.engine.explain(&asked.document, &vocabulary, &tags);
            let mut explained = explained.map_err(|error| error.to_string())?;
            explained.pop().ok_or_else(|| "no answer".to_owned())
        })
    }
}

/// One text that breaks the model must not end the thread that serves all.
fn unbroken<T>(job: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(job))
        .unwrap_or_else(|_| Err("the model broke down at this text".to_owned()))
}

/// Label sets made ready, by their fingerprint.
struct Vocabularies(Kept<String, Vocabulary>);

impl Vocabularies {
    fn of(&mut self, engine: &Engine, set: &Arc<LabelSet>) -> Result<Arc<Vocabulary>, String> {
        let fingerprint = set.fingerprint();
        if let Some(ready) = self.0.get(&fingerprint) {
            return Ok(ready);
        }
        let ready = engine
            .vocabulary(Arc::clone(set))
            .map_err(|error| error.to_string())?;
        let ready = Arc::new(ready);
        self.0
            .keep(fingerprint, set.labels().len(), Arc::clone(&ready));
        Ok(ready)
    }
}
