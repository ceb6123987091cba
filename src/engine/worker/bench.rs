//! What the model's thread keeps at hand: the engine and the label sets made ready for it.
//!
//! Input: a job. Output: what the engine says, or why it cannot. Invariant: a text that breaks the
//! model breaks its own job only. Knows nothing of queues and of those who wait.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::{Explanation, Question};
use crate::engine::explain::Evidence;
use crate::engine::{Engine, Prediction, Request, Vocabulary};
use crate::label::LabelSet;

/// Label sets that are kept ready for the model.
const KEPT_VOCABULARIES: usize = 32;

/// The engine with what it has made ready.
pub(super) struct Bench {
    engine: Engine,
    vocabularies: Vocabularies,
}

impl Bench {
    pub(super) fn new(engine: Engine) -> Bench {
        Bench {
            engine,
            vocabularies: Vocabularies::default(),
        }
    }

    /// The scores of a text.
    pub(super) fn score(&mut self, question: &Question) -> Result<Prediction, String> {
        unbroken(|| {
            let vocabulary = self.vocabularies.of(&self.engine, &question.labels)?;
            let request = Request {
                passage: &question.passage,
                vocabulary: &vocabulary,
            };
            let scored = self.engine.score(&[request]);
            let mut scored = scored.map_err(|error| error.to_string())?;
            scored.pop().ok_or_else(|| "no answer".to_owned())
        })
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
#[derive(Default)]
struct Vocabularies(HashMap<String, Arc<Vocabulary>>);

impl Vocabularies {
    fn of(&mut self, engine: &Engine, set: &Arc<LabelSet>) -> Result<Arc<Vocabulary>, String> {
        let fingerprint = set.fingerprint();
        if let Some(ready) = self.0.get(&fingerprint) {
            return Ok(Arc::clone(ready));
        }
        let ready = engine
            .vocabulary(Arc::clone(set))
            .map_err(|error| error.to_string())?;
        if self.0.len() >= KEPT_VOCABULARIES {
            self.0.clear(); // Rare; they are made ready again when they are asked for.
        }
        let ready = Arc::new(ready);
        self.0.insert(fingerprint, Arc::clone(&ready));
        Ok(ready)
    }
}
