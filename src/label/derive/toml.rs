//! A derived set as a label set, and as TOML with what is known of each label.
//!
//! Input: a `Derived`. Output: TOML that `LabelSet::parse` reads as the set of `label_set`.
//! Invariant: comments hold spellings without control characters, one line each.

use std::fmt::Write;

use super::super::{Label, LabelSet, write};
use super::{Derived, DerivedLabel};

impl Derived {
    /// The set, called `name`; `None` where no label was found.
    pub fn label_set(&self, name: &str) -> Option<LabelSet> {
        if self.labels.is_empty() {
            return None;
        }
        let mut set = LabelSet::new(self.labels.iter().map(DerivedLabel::label).collect());
        set.name = name.to_owned();
        Some(set)
    }

    /// The set as TOML, called `name` where that is not empty, with what is known of each label in a comment above it.
    pub fn to_toml(&self, name: &str) -> String {
        let mut toml = String::new();
        let (n_tagged, n_notes) = (self.n_tagged, self.n_notes);
        let head = format!("# Derived from the tags of {n_tagged} of {n_notes} notes.\n");
        toml.push_str(&head);
        toml.push_str("# A `description` of a few words makes a label sharper.\n\n");
        if !name.is_empty() {
            write::text(&mut toml, "name", name);
            toml.push('\n');
        }
        for (place, label) in self.labels.iter().enumerate() {
            if place > 0 {
                toml.push('\n');
            }
            label.comment(&self.labels, &mut toml);
            write::label(&mut toml, &label.label());
        }
        toml
    }
}

impl DerivedLabel {
    fn label(&self) -> Label {
        Label {
            parent: self.parent.clone(),
            ..Label::named(self.name.clone())
        }
    }

    /// `labels` are all that stand in the set.
    fn comment(&self, labels: &[DerivedLabel], toml: &mut String) {
        let notes = if self.count == 1 { "note" } else { "notes" };
        write!(toml, "# {} {notes}", self.count).expect("a String takes any text");
        if !self.spellings.is_empty() {
            let spellings: Vec<String> = self
                .spellings
                .iter()
                .map(|(s, count)| format!("{s} ({count})"))
                .collect();
            write!(toml, "; also written {}", spellings.join(", "))
                .expect("a String takes any text");
        }
        toml.push('\n');
        let is_label = |name: &&String| labels.iter().any(|label| label.name == **name);
        let (stand, gone): (Vec<&String>, Vec<&String>) =
            self.similar.iter().partition(|name| is_label(name));
        for (names, cure) in [
            (
                stand,
                "? Then delete that label and write it into `aliases` here.",
            ),
            (
                gone,
                ", which is left out? Then write it into `aliases` here.",
            ),
        ] {
            if !names.is_empty() {
                let names: Vec<&str> = names.into_iter().map(String::as_str).collect();
                writeln!(toml, "# The same as {}{cure}", names.join(", "))
                    .expect("a String takes any text");
            }
        }
    }
}
