//! From passages to predictions: windows, batches, and the model that runs them.
//!
//! ```text
//! passage ─ plan (windows, labels) ─ batches ─ model ─ views ─ aggregate ─ calibration ─ label heads ─ scores
//! ```
//!
//! Invariant: a prediction depends on its own passage and labels only, never on what shares the
//! batch; every label of the vocabulary is scored or said to be unscored, with the reason.
//! Knows nothing of files, formats or thresholds.

pub mod aggregate;
mod alone;
pub mod batcher;
pub mod cache;
mod embedding;
pub mod explain;
pub mod kept;
mod pass;
mod passage;
pub mod scheduler;
mod views;
mod vocabulary;
pub mod window;
pub mod worker;

use std::sync::{Arc, Mutex, PoisonError};

use crate::label::LabelSet;
use crate::model::calibration::Calibration;
use crate::model::device::is_out_of_memory;
use crate::model::sequence::Sequence;
use crate::model::tokenizer::TokenizerError;
use crate::model::{Model, Output};
use crate::score::{Logit, Score, softmax};
use crate::tag::LabelScore;

use alone::{Alone, Readings};
use batcher::Shape;
use kept::Kept;
use pass::{Plan, Reading, plan};

pub use aggregate::View;
pub use embedding::Embedding;
pub use pass::Pass;
pub use passage::Passage;
pub use views::PassageViews;
pub use vocabulary::{Unscored, Vocabulary, heads_of};

/// Tokens that keep a GPU busy: with fewer, starting its kernels takes longer than they run.
const GPU_BATCH_TOKENS: usize = 16_384;
/// Labels that are kept as they were read alone: 80 MB where the glossary has words for each.
const READ_LABELS: usize = 2_000;

/// Labels that are read one part after the other, so that what is made of them on the way takes
/// little memory.
const READ_TOGETHER: usize = 1_024;

/// Asked between two batches of long work: whether to go on.
type Pause<'a> = &'a mut dyn FnMut() -> bool;

/// How the engine runs a model.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Most tokens in one batch on a processor, padding included where there is any; a GPU takes more.
    pub batch_tokens: usize,
    /// Most windows of one text, of the length that the model can read; the rest of the text is not
    /// read, and the prediction says so.
    pub max_windows: usize,
    /// Text tokens in a window; the checkpoint's own wish where absent.
    pub window_tokens: Option<usize>,
    /// Labels exclude each other: scores are shares of one.
    pub multi_class: bool,
    /// Cut and score as the reference implementation does: one window, no calibration.
    pub compat: bool,
    /// Predictions hold the text's embedding, at the cost of one more pass where labels and text
    /// see each other.
    pub embedding: bool,
}

impl Default for EngineOptions {
    fn default() -> EngineOptions {
        EngineOptions {
            batch_tokens: 2048,
            max_windows: 16,
            window_tokens: None,
            multi_class: false,
            compat: false,
            embedding: false,
        }
    }
}

/// Why a passage has no prediction.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The text or a label could not be tokenised.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The tensor library failed.
    #[error("the model could not run: {0}")]
    Tensor(#[from] candle_core::Error),
    /// A score was NaN or infinite.
    #[error(
        "the model gave a score that is not a number; its weights are broken, use another model"
    )]
    NotFinite,
    /// A pause said so.
    #[error("the work was given up before its end, for nobody waits for it any more")]
    GivenUp,
}

/// What the model says of one passage.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// Every label that was scored, in the set's order.
    pub scores: Vec<LabelScore>,
    /// Every label that was not.
    pub unscored: Vec<Unscored>,
    /// How many windows were read; 0 for a text without any token.
    pub windows: usize,
    /// Whether the text is longer than what was read.
    pub cut: bool,
    /// What the text is about, whatever the labels; where the engine was asked for it.
    pub embedding: Option<Embedding>,
}

/// One text to score.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The text.
    pub passage: &'a Passage,
    /// The labels.
    pub vocabulary: &'a Vocabulary,
}

/// A model with the options it is run under.
pub struct Engine {
    model: Arc<Model>,
    calibration: Calibration,
    options: EngineOptions,
    /// Labels that were read alone: sets share them, and a set that is edited keeps most of its own.
    read: Mutex<Kept<Readings, Alone>>,
}

impl Engine {
    /// An engine that runs `model` under `options`.
    pub fn new(model: Arc<Model>, options: EngineOptions) -> Engine {
        let calibration = if options.compat {
            model.uncalibrated()
        } else {
            model.calibration().clone()
        };
        Engine {
            model,
            calibration,
            options,
            read: Mutex::new(Kept::of(READ_LABELS)),
        }
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Most tokens of one batch where the model runs, padding included.
    pub fn batch_tokens(&self) -> usize {
        match self.model.device().is_cpu() {
            true => self.options.batch_tokens,
            false => self.options.batch_tokens.max(GPU_BATCH_TOKENS),
        }
    }

    /// The score from which a label is a tag where nobody says otherwise.
    pub fn default_threshold(&self) -> Score {
        self.calibration.threshold()
    }

    /// How far, in log-odds, a label may be behind the best one to be a tag by default.
    pub fn margin(&self) -> Option<f32> {
        self.calibration.margin()
    }

    /// Makes a label set ready: tokenised and, where the calibration wants it, read alone.
    ///
    /// # Errors
    /// Of the tokenizer and the tensor library.
    pub fn vocabulary(&self, set: Arc<LabelSet>) -> Result<Vocabulary, EngineError> {
        self.vocabulary_in_parts(set, &mut || true)
    }

    /// The same, with pauses.
    fn vocabulary_in_parts(
        &self,
        set: Arc<LabelSet>,
        pause: Pause,
    ) -> Result<Vocabulary, EngineError> {
        let mut vocabulary = Vocabulary::tokenize(&self.model, set, pause)?;
        if self.calibration.needs_alone() {
            self.read_in_parts(&mut vocabulary, pause)?;
        }
        if !self.options.compat {
            vocabulary.give_heads(self.model.label_heads());
        }
        Ok(vocabulary)
    }

    /// Reads every label alone, so that `views` has every view whatever the calibration.
    /// What it means too: the cost of a text grows with what the joint encoding reads only.
    ///
    /// # Errors
    /// Of the tensor library.
    pub fn read_alone(&self, vocabulary: &mut Vocabulary) -> Result<(), EngineError> {
        self.read_in_parts(vocabulary, &mut || true)
    }

    fn read_in_parts(&self, vocabulary: &mut Vocabulary, pause: Pause) -> Result<(), EngineError> {
        let mut kept = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        for label in &mut vocabulary.labels {
            let read = kept.get(&label.readings);
            label.alone = read.map(|alone| Alone::clone(&alone));
        }
        drop(kept); // Nobody waits for it while the model runs.
        let unread = vocabulary.labels.iter_mut();
        let mut unread: Vec<_> = unread.filter(|label| label.alone.is_none()).collect();
        for (n, part) in unread.chunks_mut(READ_TOGETHER).enumerate() {
            if n > 0 && !pause() {
                return Err(EngineError::GivenUp);
            }
            let texts = part.iter().flat_map(|label| label.readings.texts());
            let texts: Vec<Sequence> = texts.map(|ids| self.model.sequence(ids, &[])).collect();
            let mut read: Vec<Option<Output>> = texts.iter().map(|_| None).collect();
            self.run(
                &texts.iter().collect::<Vec<_>>(),
                true,
                pause,
                |i, output| {
                    read[i] = Some(output);
                },
            )?;
            let mut outputs = read.into_iter().flatten();
            // Never during a pause: who is served then may read labels too.
            let mut kept = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            for label in part {
                label.alone = label.readings.read(&mut outputs);
                if let Some(alone) = &label.alone {
                    kept.keep(label.readings.clone(), 1, Arc::new(alone.clone()));
                }
            }
        }
        Ok(())
    }

    /// Scores passages; predictions come in the order of the requests.
    ///
    /// # Errors
    /// Of the tokenizer and the tensor library, and scores that are not numbers.
    pub fn score(&self, requests: &[Request]) -> Result<Vec<Prediction>, EngineError> {
        self.score_in_parts(requests, &mut || true)
    }

    /// The same, with pauses.
    fn score_in_parts(
        &self,
        requests: &[Request],
        pause: Pause,
    ) -> Result<Vec<Prediction>, EngineError> {
        let views = self.views_in_parts(requests, pause)?;
        requests
            .iter()
            .zip(views)
            .map(|(request, views)| self.predict(request.vocabulary, &views))
            .collect()
    }

    /// The sequences that `score` runs for a passage, for who wants to run them elsewhere.
    ///
    /// # Errors
    /// Of the tokenizer.
    pub fn passes(&self, request: &Request) -> Result<Vec<Pass>, EngineError> {
        Ok(self.plan(request)?.passes)
    }

    fn plan(&self, request: &Request) -> Result<Plan, EngineError> {
        let vocabulary = request.vocabulary;
        let first = vocabulary.labels.first();
        let embedded = first.is_some_and(|label| label.alone.is_some());
        let embedding = embedded || vocabulary.has_heads() || self.options.embedding;
        let read = match (embedding, self.model.config().layout.is_isolated()) {
            (true, false) => Reading::Apart,
            (_, true) if embedded => Reading::LabelsOnce,
            _ => Reading::Together,
        };
        plan(
            &self.model,
            request.passage,
            vocabulary,
            &self.options,
            read,
        )
    }

    /// Runs sequences in batches of like lengths, with a pause between two; `done` hears of each by its
    /// index, with the states of its text's `tokens` where they are wanted.
    fn run(
        &self,
        sequences: &[&Sequence],
        tokens: bool,
        pause: Pause,
        mut done: impl FnMut(usize, Output),
    ) -> Result<(), EngineError> {
        let lengths: Vec<usize> = sequences.iter().map(|sequence| sequence.len()).collect();
        let shape = Shape::of(&self.model);
        let batches = batcher::batches(&lengths, self.batch_tokens(), shape);
        for (n, batch) in batches.into_iter().enumerate() {
            if n > 0 && !pause() {
                return Err(EngineError::GivenUp);
            }
            let rows: Vec<&Sequence> = batch.iter().map(|i| sequences[*i]).collect();
            let too_much = |error: &candle_core::Error| {
                let full = is_out_of_memory(error);
                if full {
                    tracing::info!("the device's memory is full: the batch is halved");
                }
                full
            };
            let outputs = batcher::in_halves(&rows, &too_much, &mut |rows| {
                self.model.forward_with_tokens(rows, tokens)
            })?;
            for (i, output) in batch.into_iter().zip(outputs) {
                done(i, output);
            }
        }
        Ok(())
    }

    /// Calibrates the views of a passage and makes one score a label of its windows.
    fn predict(
        &self,
        vocabulary: &Vocabulary,
        views: &PassageViews,
    ) -> Result<Prediction, EngineError> {
        let mut unscored = vocabulary.unscored().to_vec();
        let embedding = match self.options.embedding || vocabulary.has_heads() {
            true => Embedding::mean(&views.texts),
            false => None,
        };
        let text: Vec<f32> = embedding.iter().flat_map(Embedding::unit).collect();
        let mut labels = Vec::new();
        let mut logits: Vec<Logit> = Vec::new();
        for (j, label) in vocabulary.labels.iter().enumerate() {
            let name = &vocabulary.set().label(label.id).name;
            match views.cosines(j) {
                Some(cosines) => {
                    let logit = self.calibration.logit(&cosines, Some(name));
                    let logit = logit.ok_or(EngineError::NotFinite)?.value();
                    let shift = label.head.as_ref().map_or(0.0, |head| head.shift(&text));
                    labels.push(label.id);
                    logits.push(Logit::new(logit + shift).ok_or(EngineError::NotFinite)?);
                }
                None => {
                    let reason = if views.windows.is_empty() {
                        "the text holds nothing to read".to_owned()
                    } else {
                        "it did not fit beside the text, as in the reference; leave --compat out"
                            .to_owned()
                    };
                    unscored.push(Unscored {
                        label: label.id,
                        reason,
                    });
                }
            }
        }
        let scores: Vec<Score> = if self.options.multi_class {
            softmax(&logits)
        } else {
            logits.iter().map(|logit| logit.sigmoid()).collect()
        };
        let scored = labels.into_iter().zip(logits).zip(scores);
        Ok(Prediction {
            scores: scored
                .map(|((label, logit), score)| LabelScore {
                    label,
                    logit,
                    score,
                })
                .collect(),
            unscored,
            windows: views.windows.len(),
            cut: views.cut,
            embedding: embedding.filter(|_| self.options.embedding),
        })
    }
}
