//! The records of `gliznet/train`: learning from corrections, and which version serves.
//!
//! Fields are only ever added; `docs/protocol.md` describes them with examples that tests replay.

use serde::{Deserialize, Serialize};

/// What is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TrainAction {
    /// Nothing: how it is is told.
    #[default]
    Status,
    /// The model learns now, unless it does already.
    Start,
    /// What is being learnt is dropped.
    Cancel,
    /// Another version serves from now on.
    Rollback,
    /// The version that should serve is looked up: somebody may have chosen another.
    Reload,
}

/// What `gliznet/train` is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TrainParams {
    /// What to do.
    pub action: TrainAction,
    /// With `start`: the encoder practises too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub encoder: bool,
    /// Answer when nothing is being learnt any more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub wait: bool,
    /// With `rollback`: the version; the one before without it, and 0 is the shipped model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<u32>,
}

/// What `gliznet/train` answers, and how the learning is, in `StatusResult`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LearningRecord {
    /// `idle`, `preparing`, `practising`, `judging` or `loading`.
    pub state: String,
    /// It begins by itself when there are enough corrections.
    pub automatic: bool,
    /// Corrections since the last job.
    pub new: usize,
    /// The version that serves; 0 is the shipped model, null while there is no model.
    pub version: Option<u32>,
    /// Which step is practised, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<usize>,
    /// Of how many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<usize>,
    /// Which share of what was learnt is judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// What happened last; absent where nothing has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<LastRecord>,
    /// What is wrong, with its cure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// What came of learning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LastRecord {
    /// `accepted`, `refused`, `nothing`, `cancelled`, `failed` or `taken-back`.
    pub outcome: String,
    /// The version that came of it, or that was taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Why, in a sentence.
    pub reason: String,
    /// When, in seconds since 1970.
    pub time: u64,
}
