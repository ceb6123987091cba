//! The records of `gliznet/*`: what editors and scripts send, and what they get.
//!
//! Fields are only ever added; `docs/protocol.md` describes them with examples that tests replay.
//! A rename inside cannot change them. Knows no transport.

mod learn;
pub mod review;
mod watch;

use serde::{Deserialize, Serialize};

pub use learn::{LastRecord, LearningRecord, TrainAction, TrainParams};
pub use watch::{
    CountedTag, FindParams, FindResult, FolderRecord, FoundRecord, FoundTag, SimilarTags, TagPair,
    TagsParams, TagsResult, WatchAction, WatchParams, WatchRecord, WatchResult,
};

/// The version of these records, in `gliznet/status`.
pub const VERSION: u32 = 1;
/// How the command line calls itself in `initialize`; it asks and leaves, so it is not counted.
pub const COMMAND_LINE: &str = "gliznet";

/// Names an open document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentName {
    /// Its URI.
    pub uri: String,
}

/// What `gliznet/tag` is asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TagParams {
    /// An open document; or
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_document: Option<DocumentName>,
    /// a text, plain unless `format` says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// `markdown`, `org`, `rst`, `latex`, `html` or `plain`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// The document that the text is of: its folder's settings and earlier verdicts on it hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// The labels, instead of those of the settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// A label set by name or file, instead of that of the settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labelset: Option<String>,
    /// The lowest score that makes a label a tag, from 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f32>,
    /// Answer with the scores of all labels too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
}

/// What `gliznet/tag` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TagResult {
    /// Labels that fit, best first.
    pub tags: Vec<TagRecord>,
    /// With `all`: every label that was scored, in the label set's order.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub scores: Option<Vec<ScoreRecord>>,
    /// The model that answered, as `name@fingerprint`.
    pub model: String,
    /// The version of the document that was read; null for a text.
    pub version: Option<i32>,
    /// The answer was known.
    pub cached: bool,
    /// How many windows of the text were read.
    pub windows: usize,
    /// The text is longer than what was read; absent where it is not.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub cut: bool,
    /// Labels that could not be scored.
    pub unscored: Vec<String>,
}

/// A label that fits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TagRecord {
    /// Its name.
    pub label: String,
    /// How sure the model is; null where the model could not score a label that you accepted.
    pub score: Option<f32>,
    /// Who says so.
    pub origin: Origin,
    /// The document has it already, however it is spelt there; where documents of its kind have no
    /// place for tags, a person accepted it.
    pub present: bool,
}

/// Who says that a label fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The model.
    Model,
    /// Corrections of this text or of texts like it; the model alone would not.
    Memory,
    /// A person, by an earlier correction of this document.
    You,
}

/// The score of one label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoreRecord {
    /// Its name.
    pub label: String,
    /// Calibrated log-odds.
    pub logit: f32,
    /// The probability.
    pub score: f32,
}

/// What `gliznet/correct` is told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CorrectParams {
    /// An open document; or
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_document: Option<DocumentName>,
    /// a text, plain unless `format` says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// `markdown`, `org`, `rst`, `latex`, `html` or `plain`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// The document that the text is of; the verdict holds for it from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// `editor`, `command-line`, `folder`, `script`, `review`, `sample` or `import`; `editor` for an open
    /// document and `script` for a text where it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The labels there were to choose from, instead of those of the settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// A label set by name or file, instead of that of the settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labelset: Option<String>,
    /// Labels that fit.
    pub accepted: Vec<String>,
    /// Labels that do not; they never come back for this document.
    pub rejected: Vec<String>,
    /// Instead of both: the tags in the front matter are right. They are accepted, and what is
    /// suggested besides is rejected.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub front_matter: bool,
    /// Answer what would be recorded, and record nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

/// What `gliznet/correct` answers, once the record is on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorrectResult {
    /// The record's number in the journal, from 1; 0 where nothing was recorded.
    pub sequence: u64,
    /// Labels that were accepted, as the set spells them.
    pub accepted: Vec<String>,
    /// Labels that were rejected, as the set spells them.
    pub rejected: Vec<String>,
    /// Of a front matter: tags in it that are no labels, and say nothing.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub ignored: Vec<String>,
    /// Of a front matter: why nothing was recorded; absent where something was, or would be.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unsaid: Option<String>,
}

/// What `gliznet/refresh` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshResult {
    /// How many corrections are kept.
    pub corrections: u64,
}

/// What `gliznet/tagsChanged` tells: a document's suggestions are there, or are others than before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TagsChangedParams {
    /// The document.
    pub uri: String,
    /// The version of it that was read.
    pub version: i32,
    /// Labels that fit, best first.
    pub tags: Vec<TagRecord>,
    /// The model that says so.
    pub model: String,
}

/// What `gliznet/labelsets` is asked; both fields may be absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LabelsetsParams {
    /// An open document whose label set is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_document: Option<DocumentName>,
}

/// What `gliznet/labelsets` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelsetsResult {
    /// All sets that may be named.
    pub labelsets: Vec<LabelsetRecord>,
    /// The set that holds for the document: its labels, or why there are none.
    pub current: CurrentRecord,
}

/// A set that may be named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelsetRecord {
    /// Its name.
    pub name: String,
    /// Its file; null where it is bundled.
    pub path: Option<String>,
    /// Its labels, in order; empty where it cannot be used.
    pub labels: Vec<String>,
    /// Why it cannot be used.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fault: Option<String>,
}

/// The labels that hold for a document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurrentRecord {
    /// Its name; empty for bare labels.
    pub name: String,
    /// Its labels, in order.
    pub labels: Vec<LabelRecord>,
    /// Why there are none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fault: Option<String>,
    /// There are none because nobody names any yet.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub unset: bool,
}

/// One label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelRecord {
    /// Its name.
    pub name: String,
    /// What it means.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub description: Option<String>,
}

/// What `gliznet/status` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusResult {
    /// The version of the program.
    pub version: String,
    /// Tells one build from another.
    pub build: String,
    /// The version of these records.
    pub protocol: u32,
    /// The daemon's process.
    pub pid: u32,
    /// Seconds since it began.
    pub uptime: u64,
    /// The model.
    pub model: ModelRecord,
    /// How many editors and scripts are connected; the command line does not count.
    pub clients: usize,
    /// How many texts wait for the model that somebody waits for.
    pub queue: usize,
    /// How many others do: those of watched folders and of the memory.
    #[serde(default)]
    pub background: usize,
    /// The answers that are kept; null where none are.
    pub cache: Option<CacheRecord>,
    /// The corrections.
    pub journal: JournalRecord,
    /// The watched folders; absent where there are none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub watch: Option<WatchRecord>,
    /// How the learning from corrections is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub learning: Option<LearningRecord>,
    /// Bytes of memory that the daemon uses; null where the system does not say.
    pub memory: Option<u64>,
}

/// The model, in `StatusResult`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelRecord {
    /// `loading`, `ready` or `failed`.
    pub state: String,
    /// `name@fingerprint`, when it is ready.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// Where it runs, when it is ready.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub device: Option<String>,
    /// Why it failed, and the cure.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fault: Option<String>,
}

/// The cache, in `StatusResult`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheRecord {
    /// Answers that came from it since the start.
    pub hits: u64,
    /// Questions that it had no answer to since the start.
    pub misses: u64,
    /// Answers in it.
    pub entries: usize,
    /// Its size on disk.
    pub bytes: u64,
}

/// The journal, in `StatusResult`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalRecord {
    /// How many corrections are kept.
    pub corrections: u64,
    /// Why corrections cannot be recorded.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fault: Option<String>,
}
