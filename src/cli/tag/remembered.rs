//! What corrections mean for the documents of one run: the journal in, decisions out.
//!
//! Invariant: nothing of it is asked for where nobody has corrected anything; where the journal
//! cannot be read, the model alone answers, and a warning says so.

use std::path::Path;
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
    memory: Option<(Memory, String)>,
    verdicts: Verdicts,
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

    /// Also what they mean for other texts, as the engine's model sees it.
    pub(super) fn with_memory(
        mut self,
        entries: &[Entry],
        engine: &Engine,
        cache: &Path,
    ) -> Remembered {
        if entries.is_empty() {
            return self;
        }
        let tell = |texts| {
            if texts >= MANY {
                super::super::remark(format!("this model reads {texts} corrected texts, once"));
            }
        };
        match recollect(entries, engine, cache, tell) {
            Ok(memory) => {
                let fingerprint = engine.model().fingerprint().to_owned();
                self.memory = Some((memory, fingerprint));
            }
            Err(error) => tracing::warn!("{error}"),
        }
        self
    }

    /// What is remembered that bears on a text.
    pub(super) fn recall(&self, source: &str, prediction: &Prediction, set: &LabelSet) -> Recall {
        let Some((memory, model)) = &self.memory else {
            return Recall::default();
        };
        let seen = prediction.embedding.as_ref();
        memory.recall(source, seen.map(|seen| (seen, model.as_str())), set)
    }

    /// What a person said of a document.
    pub(super) fn said(&self, document: Option<&Arc<str>>) -> Option<&Verdict> {
        self.verdicts.of(document?)
    }
}
