//! The records of `gliznet/watch`, `gliznet/find` and `gliznet/tags`.
//!
//! Fields are only ever added; `docs/protocol.md` describes them with examples that tests replay.

use serde::{Deserialize, Serialize};

/// What is done to the watched folders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WatchAction {
    /// Nothing: they are told.
    #[default]
    List,
    /// A folder is watched from now on; or what was set for it is set anew.
    Add,
    /// A folder is not watched any more. Its notes stay as they are.
    Remove,
    /// A folder, or all, rest.
    Pause,
    /// A folder, or all, go on.
    Resume,
    /// A folder, or all, are searched now, whatever the hour.
    RunOnce,
}

/// What `gliznet/watch` is asked. What is not said is as it is without it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WatchParams {
    /// What to do.
    pub action: WatchAction,
    /// The folder, as an absolute path. `add` and `remove` need it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// With `add`: all of a home folder or a disk is meant.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub yes: bool,
    /// The label set where no `gliznet.toml` in or above a note's folder names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labelset: Option<String>,
    /// The lowest score that makes a label a tag, from 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f32>,
    /// Where tags are put: `suggest`, `frontmatter`, `xattr` or `sidecar`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sink: Option<String>,
    /// Which files are notes; all kinds that are known where empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<String>,
    /// When nothing is tagged, as `22:00-07:00`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quiet_hours: Option<String>,
    /// How many notes are worked at at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<usize>,
    /// How long a note must be quiet before it is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settle_seconds: Option<f32>,
    /// Look for changes every few seconds, because the system does not tell of them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub poll: bool,
}

/// What `gliznet/watch` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WatchResult {
    /// The folders after what was done.
    pub folders: Vec<FolderRecord>,
    /// What stands in the way of all of them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fault: Option<String>,
}

/// A watched folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FolderRecord {
    /// Its path.
    pub path: String,
    /// `watching`, `polling`, `searching`, `paused`, `quiet` or `waiting` (it is not there).
    pub state: String,
    /// Where tags are put.
    pub sink: String,
    /// What was set for it; absent where nothing was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub labelset: Option<String>,
    /// What was set for it; absent where nothing was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub threshold: Option<f32>,
    /// What was set for it; absent where nothing was.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub extensions: Vec<String>,
    /// What was set for it; absent where nothing was.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub quiet_hours: Option<String>,
    /// Notes that are known.
    pub notes: usize,
    /// Notes whose tags are up to date.
    pub tagged: usize,
    /// Notes that wait.
    pub waiting: usize,
    /// There is something to do that is being done.
    pub busy: bool,
    /// What is wrong, with its cure.
    pub faults: Vec<String>,
}

/// How the watching is, in `StatusResult`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WatchRecord {
    /// How many folders are watched.
    pub folders: usize,
    /// How many notes are known in them.
    pub notes: usize,
    /// How many of them wait for the model.
    pub waiting: usize,
    /// How many were read since there was nothing to do.
    pub done: usize,
    /// A folder is being searched.
    pub searching: bool,
    /// Bytes of the index on disk.
    pub bytes: u64,
    /// What is wrong, with its cure.
    pub faults: Vec<String>,
}

/// What `gliznet/find` is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FindParams {
    /// Tags that a note has, or one below each (`a/b` is below `a`).
    pub tags: Vec<String>,
    /// One of them is enough.
    pub any: bool,
    /// Tags that a note has not.
    pub not: Vec<String>,
    /// Only notes below this folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// Only tags that the notes have, not what is suggested for them.
    pub written: bool,
    /// At most so many notes; all of them where it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Only notes that come after the one of this URI: the last of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// What `gliznet/find` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FindResult {
    /// The notes, by path.
    pub notes: Vec<FoundRecord>,
    /// Some notes have not been read yet, so that there may be more.
    pub partial: bool,
    /// There may be more behind the last one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// A note that was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FoundRecord {
    /// Its path; where that is no text, as it is shown.
    pub path: String,
    /// The same, exactly.
    pub uri: String,
    /// Its tags.
    pub tags: Vec<FoundTag>,
}

/// A tag of a note that was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FoundTag {
    /// Its name.
    pub tag: String,
    /// `person`, `machine`, or `suggested` where the note does not have it.
    pub origin: String,
    /// How sure the model is, where it said so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub score: Option<f32>,
}

/// What `gliznet/tags` is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TagsParams {
    /// Only notes below this folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
}

/// What `gliznet/tags` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TagsResult {
    /// How many notes there are.
    pub notes: usize,
    /// All tags, the most frequent first.
    pub tags: Vec<CountedTag>,
    /// Tags that stand together, the most frequent pairs first.
    pub together: Vec<TagPair>,
    /// Labels of the label sets that no note has, and that none is suggested.
    pub unused: Vec<String>,
    /// Tags that are probably one.
    pub similar: Vec<SimilarTags>,
}

/// A tag with its count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CountedTag {
    /// Its name.
    pub tag: String,
    /// How many notes have it.
    pub notes: usize,
    /// Of them, how many have it from us.
    pub machine: usize,
    /// How many more notes it is suggested for.
    pub suggested: usize,
}

/// Two tags that stand together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TagPair {
    /// One of them.
    pub tag: String,
    /// The other.
    pub with: String,
    /// In how many notes.
    pub notes: usize,
}

/// Tags that are probably one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SimilarTags {
    /// The most frequent of them.
    pub tag: String,
    /// The others.
    pub like: Vec<String>,
}
