//! What every edge asks: tag this, this was right and that wrong, how are you.
//!
//! Joins settings, label sets, the worker and the journal; one desk serves all clients.
//! Invariant: a correction is acknowledged only when it is on disk, and holds for every answer
//! from then on; a rejected label never comes back for its document.
//! Knows no protocol: URIs, versions and positions are its callers' business.

mod corrections;
pub mod decision;
pub mod editors;
pub mod ignored;
pub mod index;
mod labelsets;
pub mod learning;
pub mod name;
mod new_label;
pub mod protocol;
mod remembering;
pub mod review;
mod shelf;
mod status;
mod tagged;
pub mod tally;
pub mod watching;
mod written;

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

use tokio::sync::{Notify, broadcast, watch};

use crate::config::Folders;
use crate::correction::{CorrectionFault, Verdicts};
use crate::document::{Document, Format, body_tags};
use crate::engine::Passage;
use crate::engine::explain::Evidence;
use crate::engine::scheduler::Priority;
use crate::engine::worker::{Explanation, Loading, ModelFacts, Question, Worker, WorkerError};
use crate::frontmatter::is_without_tags;
use crate::label::{LabelId, LabelSet};
use crate::learn::journal::{self, Journal, JournalError};
use crate::learn::memory::{Memory, Recall};
use crate::model::Model;
use crate::score::Score;
use crate::tag::Selection;

use decision::{Decision, Facts, decide};
use editors::Editors;
use learning::Learning;
use protocol::{Origin, TagRecord};
use shelf::Shelf;
use watching::Watching;

pub use labelsets::{Choice, Listed, Rules, RulesError, SetChangeError, Shown};
pub use labelsets::{called_so, change_set, of_name, read_rules};
pub use new_label::NewLabelError;
pub use tagged::Tagged;
pub use written::{Unsaid, Written};

/// So many corrections are kept for a client that is slow to hear of them.
const KEPT_NEWS: usize = 64;

/// One for all clients.
pub struct Desk {
    worker: Worker,
    folders: Folders,
    shelf: Shelf,
    journal: Mutex<Result<Journal, JournalError>>,
    /// Written under the journal's lock, so that both tell the same story.
    verdicts: RwLock<Verdicts>,
    /// What verdicts mean for other texts.
    memory: RwLock<Memory>,
    /// The memory has something to learn.
    unlearnt: Notify,
    /// How often it has learnt or forgotten something.
    learnt: watch::Sender<u64>,
    build: String,
    started: Instant,
    clients: AtomicUsize,
    /// Names of documents that were corrected.
    corrected: broadcast::Sender<Arc<str>>,
    watching: RwLock<Option<Arc<dyn Watching>>>,
    learning: RwLock<Option<Arc<dyn Learning>>>,
    /// When somebody last wrote or asked for something.
    touched: Mutex<Instant>,
    /// What editors have open.
    pub editors: Editors,
}

/// A text with what is known of it.
#[derive(Clone, Debug)]
pub struct Text {
    /// What is written there.
    pub source: Arc<str>,
    /// How it is to be read.
    pub format: Format,
    /// What names the document, where it has a name; corrections are kept under it.
    pub name: Option<String>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// Nothing to choose from.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// The model does not answer.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// The verdict means nothing.
    #[error(transparent)]
    Correction(#[from] CorrectionFault),
    /// The verdict could not be recorded.
    #[error("{0}")]
    Journal(String),
    /// A thread of the daemon broke down.
    #[error("the daemon broke down at this text; the others are not affected")]
    Broken,
}

impl Desk {
    /// Opens the journal in the data folder and serves from now on.
    pub fn new(worker: Worker, folders: Folders, build: String) -> Desk {
        let mut verdicts = Verdicts::default();
        let mut memory = Memory::default();
        let journal = Journal::open(&folders.data).map(|(journal, replay)| {
            for fault in &replay.faults {
                tracing::warn!("journal: {fault}");
            }
            corrections::hear(&mut verdicts, &mut memory, &replay);
            journal
        });
        if let Err(error) = &journal {
            tracing::warn!("{error}");
            // Where nothing can be written, what was said before still holds.
            if let Ok(replay) = journal::read(&folders.data) {
                corrections::hear(&mut verdicts, &mut memory, &replay);
            }
        }
        Desk {
            worker,
            folders,
            shelf: Shelf::default(),
            journal: Mutex::new(journal),
            verdicts: RwLock::new(verdicts),
            memory: RwLock::new(memory),
            unlearnt: Notify::new(),
            learnt: watch::Sender::new(0),
            build,
            started: Instant::now(),
            clients: AtomicUsize::new(0),
            corrected: broadcast::Sender::new(KEPT_NEWS),
            watching: RwLock::new(None),
            learning: RwLock::new(None),
            touched: Mutex::new(Instant::now()),
            editors: Editors::default(),
        }
    }

    /// The rules for a document in folder `dir`. Reads files.
    ///
    /// # Errors
    /// Of settings and label sets.
    pub fn rules(&self, dir: Option<&Path>, choice: &Choice) -> Result<Rules, RulesError> {
        let choice = self.with_watched(dir, choice);
        labelsets::rules(&self.folders, &self.shelf, dir, &choice)
    }

    /// The choice with the label set of the watched folder that `dir` is in, where nobody who goes
    /// before that names labels.
    fn with_watched<'a>(&self, dir: Option<&Path>, choice: &'a Choice) -> Cow<'a, Choice> {
        let of_folder = |dir: &Path| {
            if labelsets::is_chosen(&self.folders, dir, choice) {
                return None;
            }
            self.watching().ok()?.labelset_of(dir)
        };
        match dir.and_then(of_folder) {
            Some(labelset) => Cow::Owned(Choice {
                labelset: Some(labelset),
                ..choice.clone()
            }),
            None => Cow::Borrowed(choice),
        }
    }

    /// The files whose change may change the rules of documents in folder `dir`. Reads files.
    pub fn settings_files(&self, dir: &Path, choice: &Choice) -> Vec<PathBuf> {
        labelsets::files(&self.folders, dir, &self.with_watched(Some(dir), choice))
    }

    /// All label sets that may be named. Reads files.
    pub fn labelsets(&self) -> Vec<Listed> {
        labelsets::list(&self.folders, &self.shelf)
    }

    /// Tags a text. Dropping the future withdraws the question.
    ///
    /// # Errors
    /// Of the worker.
    pub async fn tag(
        &self,
        text: Text,
        rules: Rules,
        priority: Priority,
    ) -> Result<Tagged, DeskError> {
        let (name, source) = (text.name.clone(), Arc::clone(&text.source));
        let (format, labels) = (text.format, Arc::clone(&rules.labels));
        // A long document takes milliseconds to parse, which no other client should wait for.
        let parse = move || {
            let document = Document::parse(text.format, text.source);
            let body_tags = body_tags(&document).into_iter().map(|(tag, _)| tag);
            let in_body = body_tags.filter_map(|tag| labels.find(&tag)).collect();
            let settings = document.front_matter().map(|front| front.tags.iter());
            let settings = settings.into_iter().flatten();
            let in_settings = settings.filter_map(|tag| labels.find(tag)).collect();
            (Passage::of(&document), in_settings, in_body)
        };
        let (passage, in_settings, in_body) = tokio::task::spawn_blocking(parse)
            .await
            .map_err(|_| DeskError::Broken)?;
        let question = Question {
            passage: Arc::new(passage),
            labels: Arc::clone(&rules.labels),
            priority,
        };
        let mut answer = self.worker.ask(question).await?;
        let selection = Selection {
            threshold: rules.threshold,
            default_threshold: answer.model.default_threshold,
            margin: answer.model.margin,
            top: None,
            multi_class: false,
        };
        let raw = Arc::clone(&answer.prediction);
        let (prediction, recall) = self.recalled(&source, &answer, &rules.labels);
        answer.prediction = prediction;
        let mut tagged = Tagged {
            tags: Vec::new(),
            labels: rules.labels,
            answer,
            raw,
            selection,
            in_settings,
            in_body,
        };
        tagged.tags = self.decide(&tagged, &recall, name.as_deref(), format);
        Ok(tagged)
    }

    /// The two sentences that speak for a label, best first. Dropping the future withdraws it.
    ///
    /// # Errors
    /// Of the worker.
    pub async fn explain(
        &self,
        text: Text,
        labels: Arc<LabelSet>,
        label: LabelId,
    ) -> Result<Arc<Vec<Evidence>>, DeskError> {
        let parse = move || Document::parse(text.format, text.source);
        let document = tokio::task::spawn_blocking(parse)
            .await
            .map_err(|_| DeskError::Broken)?;
        let asked = Explanation {
            document: Arc::new(document),
            labels,
            label,
        };
        Ok(self.worker.explain(asked).await?)
    }

    fn decide(
        &self,
        tagged: &Tagged,
        recall: &Recall,
        name: Option<&str>,
        format: Format,
    ) -> Vec<TagRecord> {
        let set = &*tagged.labels;
        let has_no_place = is_without_tags(format);
        let verdicts = self.verdicts.read().unwrap_or_else(PoisonError::into_inner);
        let facts = Facts {
            raw: &tagged.raw.scores,
            adjusted: &tagged.answer.prediction.scores,
            recall,
            said: name.and_then(|name| verdicts.of(name)),
        };
        let record = |decision: Decision| TagRecord {
            label: set.label(decision.label).name.clone(),
            score: decision.score.map(Score::value),
            origin: decision.origin,
            present: tagged.has(decision.label) || (has_no_place && decision.origin == Origin::You),
        };
        let decisions = decide(set, &tagged.selection, facts).into_iter();
        decisions.map(record).collect()
    }

    /// Whether a person said last that a label of the set does not fit a document.
    pub fn rejects(&self, document: &str, label: &str, set: &LabelSet) -> bool {
        let verdicts = self.verdicts.read().unwrap_or_else(PoisonError::into_inner);
        let said = verdicts.of(document).zip(set.find(label));
        said.is_some_and(|(verdict, label)| verdict.of(set.label(label)) == Some(false))
    }

    /// The folders of this user.
    pub fn folders(&self) -> &Folders {
        &self.folders
    }

    /// The names of documents that are corrected from now on, by whomever.
    pub fn corrections(&self) -> broadcast::Receiver<Arc<str>> {
        self.corrected.subscribe()
    }

    /// How far the model is, now and later.
    pub fn loading(&self) -> tokio::sync::watch::Receiver<Loading> {
        self.worker.loading()
    }

    /// Lets another version of the model answer, from the question after the running one on.
    ///
    /// # Errors
    /// The worker ends, or there is no model to take over from.
    pub async fn swap(&self, model: Arc<Model>) -> Result<ModelFacts, WorkerError> {
        self.worker.swap(model).await
    }

    /// Counts a client until the guard is dropped.
    pub fn enter(self: &Arc<Desk>) -> Presence {
        self.clients.fetch_add(1, Ordering::Relaxed);
        self.unlearnt.notify_one(); // Who comes may correct: the memory gets ready.
        Presence(Arc::clone(self))
    }

    /// Ends the worker: the batch that runs is computed, and what needs more is refused.
    pub fn close(&self) {
        self.worker.stop();
    }
}

/// A client that is connected.
pub struct Presence(Arc<Desk>);

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.clients.fetch_sub(1, Ordering::Relaxed);
    }
}
