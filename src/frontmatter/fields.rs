//! What the readers of all syntaxes hand on: top-level keys with their scalar values.
//!
//! Invariant: spans point into the whole source. Knows no syntax.

use super::TagsForm;
use crate::document::{Span, prefix};

/// A string, number or the like.
#[derive(Clone, Debug)]
pub(super) struct Scalar {
    pub(super) text: String,
    /// As written, quotes included.
    pub(super) span: Span,
    pub(super) is_null: bool,
}

/// A top-level key; a value that is a mapping has the form `Other`, and no scalars.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) key: String,
    pub(super) form: TagsForm,
    /// The whole value.
    pub(super) span: Span,
    /// The value, or the items of its list.
    pub(super) scalars: Vec<Scalar>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    pub(super) fields: Vec<Field>,
    pub(super) fault: Option<String>,
}

/// The fault's sentence, with the line of `at` in the source.
pub(super) fn fault(source: &str, at: usize, what: &str) -> String {
    let line = 1 + prefix(source, at).matches('\n').count();
    format!("line {line}: {what}")
}
