//! The closed vocabulary: labels and the sets they live in.
//!
//! Invariant: names are unique in their set (case-insensitively) and not empty; a set is not empty.
//! Pure: parses from `&str`, reads no files.

use crate::score::Score;

/// Index of a label in its set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabelId(pub u32);

/// One class that a document may have.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// What is written as the tag.
    pub name: String,
    /// What it means, in a sentence; sharpens the label for the reader.
    pub description: Option<String>,
    /// Other spellings of the same tag.
    pub aliases: Vec<String>,
    /// The name of a broader label of the same set.
    pub parent: Option<String>,
    /// The lowest score that gives the tag; the set's or the model's default where absent.
    pub threshold: Option<Score>,
    /// Only a person gives this tag; it is scored but never suggested.
    pub manual: bool,
}

/// A closed vocabulary, in the order its author gave it.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelSet {
    /// Short name, as in `--labelset NAME`.
    pub name: String,
    /// What the set is for.
    pub description: Option<String>,
    /// Default threshold of the set.
    pub threshold: Option<Score>,
    labels: Vec<Label>,
}

impl LabelSet {
    /// The labels, in order; `LabelId(i)` is the `i`-th.
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// The label with this index. Panics where `id` is of another set.
    pub fn label(&self, id: LabelId) -> &Label {
        &self.labels[id.0 as usize]
    }
}
