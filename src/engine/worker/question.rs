//! What the worker is asked and what it answers, as values.

use std::sync::Arc;

use crate::document::Document;
use crate::engine::scheduler::{Overloaded, Priority};
use crate::engine::{Passage, Prediction};
use crate::label::{Glossary, LabelId, LabelSet};
use crate::model::label_head::LabelHeads;
use crate::score::Score;

/// A question.
#[derive(Clone, Debug)]
pub struct Question {
    /// The text.
    pub passage: Arc<Passage>,
    /// The labels.
    pub labels: Arc<LabelSet>,
    /// How urgent it is.
    pub priority: Priority,
}

/// Bytes of a token, about, in the languages that have the shortest ones.
const BYTES_PER_TOKEN: usize = 4;
/// Tokens of a label with its mark, about.
const TOKENS_PER_LABEL: usize = 3;

impl Question {
    /// About how many tokens the model reads for it.
    pub(super) fn weight(&self) -> usize {
        let labels = self.labels.labels().len() * TOKENS_PER_LABEL;
        self.passage.text().len() / BYTES_PER_TOKEN + labels
    }
}

/// What the model says, and which model it was.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The scores.
    pub prediction: Arc<Prediction>,
    /// The model that made them.
    pub model: ModelFacts,
    /// They were made before.
    pub cached: bool,
}

/// Which model answers.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelFacts {
    /// Name and start of the fingerprint, as in `name@0123abcd`.
    pub name: Arc<str>,
    /// The whole fingerprint.
    pub fingerprint: Arc<str>,
    /// Where it runs.
    pub device: Arc<str>,
    /// The score from which a label is a tag where nobody says otherwise.
    pub default_threshold: Score,
    /// How far, in log-odds, a label may be behind the best one where nobody says otherwise.
    pub margin: Option<f32>,
    /// Words that it reads with labels that nobody described.
    pub glossary: Arc<Glossary>,
    /// What was learnt of single labels on top of the shipped model.
    pub heads: Arc<LabelHeads>,
    /// Its vectors of texts are those of the checkpoint in this program (`Model::reads_as_shipped`).
    pub reads_as_shipped: bool,
}

/// How far the model is.
#[derive(Clone, Debug, PartialEq)]
pub enum Loading {
    /// It is being read.
    Underway,
    /// It answers.
    Ready(ModelFacts),
    /// It cannot be used; why, and the cure.
    Failed(Arc<str>),
}

/// Why a question has no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WorkerError {
    /// Too many wait.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    /// There is no model.
    #[error("the model could not be loaded: {0}")]
    NoModel(Arc<str>),
    /// The engine failed at this question.
    #[error("{0}")]
    Engine(Arc<str>),
    /// The worker is being stopped.
    #[error("gliznet is stopping; ask again when it runs")]
    Stopping,
}

/// Asks why a label fits.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The text, with its sentences.
    pub document: Arc<Document>,
    /// The labels.
    pub labels: Arc<LabelSet>,
    /// One of them.
    pub label: LabelId,
}
