//! The records of `gliznet/review`: which documents to look at next.

use serde::{Deserialize, Serialize};

use crate::learn::review::{Accuracy, Why};

/// What `gliznet/review` is asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReviewParams {
    /// Folders, by URI or path; without any, those that the client has open or that are watched.
    pub folders: Vec<String>,
    /// How many documents to look at; 20 without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<usize>,
    /// Chooses which documents chance brings; the day's number without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// A label set by name or file, instead of that of the settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labelset: Option<String>,
}

/// What `gliznet/review` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReviewResult {
    /// The documents, in the order they should be looked at.
    pub queue: Vec<ReviewRecord>,
    /// How many documents nobody has judged yet.
    pub open: usize,
    /// There are more documents than were read for this.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub cut: bool,
    /// How often tags are right, from the judged documents that chance brought.
    pub accuracy: Option<Accuracy>,
    /// The last of those needed hardly any change: looking on is hardly worth it.
    pub enough: bool,
    /// What could not be read or tagged, in words.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub faults: Vec<String>,
}

/// One document to look at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReviewRecord {
    /// Its URI.
    pub uri: String,
    /// Its path below the folder.
    pub name: String,
    /// Its title, where it has one.
    pub title: Option<String>,
    /// How it is read.
    pub format: String,
    /// What is written there.
    pub text: String,
    /// Why it is here.
    pub why: Why,
    /// What was said of it before, where like documents were judged otherwise.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub again: Vec<SaidBefore>,
    /// Every label with its score, the best first.
    pub labels: Vec<ReviewLabel>,
}

/// A verdict that goes badly with those on like documents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SaidBefore {
    /// The label.
    pub label: String,
    /// Whether it was said to fit.
    pub fits: bool,
}

/// A label of a document to look at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReviewLabel {
    /// Its name.
    pub label: String,
    /// How sure the model is.
    pub score: Option<f32>,
    /// It is suggested, or stands in the document already.
    pub suggested: bool,
}
