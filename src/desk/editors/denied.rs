//! What a person said no to while it stood in the text that they had before them: verdicts in,
//! which tags of a note are no new word out.
//!
//! Invariant: a label is denied from such a verdict on until it is accepted, or is seen to stand
//! there no more: who adds it after that means it. Of verdicts before the daemon began nothing is
//! known. Knows no files.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::correction::{Correction, Source};
use crate::document::{Document, Format, body_tags};
use crate::label::LabelSet;

/// Labels that were denied where they stood, by the names of documents.
#[derive(Debug, Default)]
pub struct Denied(Mutex<HashMap<String, BTreeSet<String>>>);

impl Denied {
    /// Takes note of a verdict, given the labels that stood in its text.
    pub(in crate::desk) fn heard(&self, correction: &Correction, standing: &[String]) {
        let Some(document) = &correction.document else {
            return;
        };
        let mut all = self.lock();
        let denied = all.entry(document.clone()).or_default();
        denied.retain(|label| !correction.accepted.contains(label));
        // What is gone from a file does not stand in what is open of it for long.
        if correction.source != Source::Folder {
            let rejected = correction.rejected.iter();
            denied.extend(rejected.filter(|label| standing.contains(label)).cloned());
        }
        if denied.is_empty() {
            all.remove(document);
        }
    }

    /// A document has another name, or is no more.
    pub(in crate::desk) fn follow(&self, from: &str, to: Option<&str>) {
        let mut all = self.lock();
        if let (Some(denied), Some(to)) = (all.remove(from), to) {
            all.insert(to.to_owned(), denied);
        }
    }

    /// Whether a label was denied although it stood in the document's text.
    pub fn holds(&self, document: &str, label: &str) -> bool {
        let all = self.lock();
        all.get(document)
            .is_some_and(|denied| denied.contains(label))
    }

    /// Whether anything is denied of a document.
    pub fn has(&self, document: &str) -> bool {
        self.lock().contains_key(document)
    }

    /// These labels stand in a document now, in its file or where it is open.
    pub fn seen(&self, document: &str, standing: &[String]) {
        let mut all = self.lock();
        if let Some(denied) = all.get_mut(document) {
            denied.retain(|label| standing.contains(label));
            if denied.is_empty() {
                all.remove(document);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, BTreeSet<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The labels that stand in a text as its tags, by the names that the set has for them.
pub fn standing(text: &str, format: Format, set: &LabelSet) -> Vec<String> {
    let document = Document::parse(format, text);
    let body = body_tags(&document).into_iter().map(|(tag, _)| tag);
    let settings = document.front_matter().map(|front| front.tags.clone());
    let tags = settings.into_iter().flatten().chain(body);
    let labels = tags.filter_map(|tag| Some(set.label(set.find(&tag)?).name.clone()));
    labels.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::correction::Said;

    const TEXT: &str = "---\ntags: [Duty]\n---\nRoses. #garden\n";

    fn set() -> LabelSet {
        let set = "[[label]]\nname = 'garden'\n[[label]]\nname = 'tax'\naliases = ['duty']\n";
        LabelSet::parse(set).unwrap()
    }

    fn verdict(accepted: &[&str], rejected: &[&str], source: Source) -> Correction {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let said = Said {
            accepted: names(accepted),
            rejected: names(rejected),
            source,
        };
        let correction = Correction::new(TEXT.to_owned(), Format::Markdown, &set(), &said);
        Correction {
            document: Some("a.md".to_owned()),
            ..correction.unwrap()
        }
    }

    #[test]
    fn what_stands_in_a_text_is_told_by_the_names_of_the_set() {
        assert_eq!(standing(TEXT, Format::Markdown, &set()), ["tax", "garden"]);
    }

    #[test]
    fn what_was_denied_where_it_stood_is_no_new_word_until_it_stood_there_no_more() {
        let denied = Denied::default();
        let tax = ["tax".to_owned()];
        denied.heard(&verdict(&[], &["tax", "garden"], Source::Editor), &tax);
        assert!(denied.holds("a.md", "tax") && !denied.holds("a.md", "garden"));
        assert!(!denied.holds("b.md", "tax"));
        denied.seen("a.md", &tax);
        assert!(denied.holds("a.md", "tax"));
        denied.seen("a.md", &[]);
        assert!(!denied.has("a.md"));
    }

    #[test]
    fn what_was_denied_follows_its_document_and_ends_with_it() {
        let denied = Denied::default();
        let tax = ["tax".to_owned()];
        denied.heard(&verdict(&[], &["tax"], Source::Editor), &tax);
        denied.follow("a.md", Some("b.md"));
        assert!(denied.holds("b.md", "tax") && !denied.has("a.md"));
        denied.follow("b.md", None);
        assert!(!denied.has("b.md"));
    }

    #[test]
    fn who_accepts_it_after_that_has_said_so() {
        let denied = Denied::default();
        let tax = ["tax".to_owned()];
        denied.heard(&verdict(&[], &["tax"], Source::Editor), &tax);
        denied.heard(&verdict(&["tax"], &[], Source::Editor), &tax);
        assert!(!denied.holds("a.md", "tax") && !denied.has("a.md"));
        denied.heard(&verdict(&[], &["tax"], Source::Folder), &tax);
        assert!(!denied.holds("a.md", "tax"));
    }
}
