//! What corrections mean for the documents of one run: the journal in, decisions out.
//!
//! Invariant: nothing of it is asked for where nobody has corrected anything, and the model reads no
//! corrected text before there is one to tag; where the journal cannot be read, the model alone
//! answers, and a warning says so.

use std::cell::{Cell, OnceCell};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::correction::{Verdict, Verdicts};
use crate::engine::{Engine, Prediction};
use crate::label::LabelSet;
use crate::learn::journal::{self, Entry};
use crate::learn::memory::{Memory, Recall, recollect};

/// Reading fewer texts than this takes a moment, of which nobody needs to be told.
const MANY: usize = 200;

/// What is remembered.
#[derive(Default)]
pub(super) struct Remembered {
    verdicts: Verdicts,
    /// What the memory is made of when it is asked first.
    entries: Cell<Vec<Entry>>,
    cache: PathBuf,
    memory: OnceCell<Option<Memory>>,
}

/// All that was ever said; nothing where that cannot be read, for that is no reason to stop.
pub(super) fn entries(data: &Path) -> Vec<Entry> {
    match journal::read(data) {
        Ok(replay) => replay.entries,
        Err(error) => {
            tracing::warn!("corrections do not count: {error}");
            Vec::new()
        }
    }
}

impl Remembered {
    /// What holds for the documents themselves.
    pub(super) fn of_documents(entries: &[Entry]) -> Remembered {
        let mut remembered = Remembered::default();
        for entry in entries {
            remembered.verdicts.apply(&entry.correction, entry.time);
        }
        remembered
    }

    /// Also what they mean for other texts. What the model makes of corrected texts is kept in the
    /// folder `cache`.
    pub(super) fn with_memory(self, entries: Vec<Entry>, cache: &Path) -> Remembered {
        Remembered {
            entries: Cell::new(entries),
            cache: cache.to_owned(),
            ..self
        }
    }

    /// What is remembered that bears on a text, as the engine's model sees it.
    pub(super) fn recall(
        &self,
        source: &str,
        prediction: &Prediction,
        set: &LabelSet,
        engine: &Engine,
    ) -> Recall {
        let memory = self.memory.get_or_init(|| self.recollected(engine));
        let Some(memory) = memory else {
            return Recall::default();
        };
        let seen = prediction.embedding.as_ref();
        let model = engine.model().fingerprint();
        memory.recall(source, seen.map(|seen| (seen, model)), set)
    }

    fn recollected(&self, engine: &Engine) -> Option<Memory> {
        let entries = self.entries.take();
        if entries.is_empty() {
            return None;
        }
        let tell = |texts| {
            if texts >= MANY {
                super::super::remark(format!("this model reads {texts} corrected texts, once"));
            }
        };
        let memory = recollect(&entries, engine, &self.cache, tell);
        memory.inspect_err(|error| tracing::warn!("{error}")).ok()
    }

    /// What a person said of a document.
    pub(super) fn said(&self, document: Option<&Arc<str>>) -> Option<&Verdict> {
        self.verdicts.of(document?)
    }
}
