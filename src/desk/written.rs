//! What the tags say that stand in a document: its front matter and the model's tags in, a verdict
//! out.
//!
//! Invariant: a document without a list of tags says nothing, for nobody may have tagged it yet, and
//! neither does a key with nothing after it, which templates leave; an empty list says that nothing
//! fits. A tag in the body is never rejected. Records nothing.

use std::fmt;
use std::sync::{Arc, PoisonError};

use super::{Desk, DeskError, Rules, Text};
use crate::correction::Verdict;
use crate::document::{Document, body_tags};
use crate::engine::scheduler::Priority;
use crate::frontmatter::{TagsForm, TagsValue};
use crate::label::LabelSet;

/// What the tags of a document say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Labels that stand there.
    pub accepted: Vec<String>,
    /// Labels that are suggested and do not stand there.
    pub rejected: Vec<String>,
    /// Tags that stand there and are no labels.
    pub ignored: Vec<String>,
    /// Why all of this is no verdict.
    pub unsaid: Option<Unsaid>,
}

/// Why the tags of a document are no verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsaid {
    /// There is no list of tags.
    NoTags,
    /// The front matter cannot be read.
    Broken(String),
    /// No tag is a label, and no label is suggested.
    NoLabels,
    /// It was said before.
    Known,
}

impl fmt::Display for Unsaid {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unsaid::NoTags => write!(out, "there are no tags in its front matter"),
            Unsaid::Broken(fault) => write!(out, "its front matter cannot be read ({fault})"),
            Unsaid::NoLabels => write!(out, "no tag is a label, and no label is suggested"),
            Unsaid::Known => write!(out, "it was said before"),
        }
    }
}

impl Desk {
    /// What the tags of a text say. Asks the model what it would suggest.
    ///
    /// # Errors
    /// Of the worker.
    pub async fn written(&self, text: &Text, rules: &Rules) -> Result<Written, DeskError> {
        let (source, format) = (Arc::clone(&text.source), text.format);
        let parsed =
            tokio::task::spawn_blocking(move || standing(&Document::parse(format, source)));
        let standing = match parsed.await.map_err(|_| DeskError::Broken)? {
            Ok(standing) => standing,
            Err(unsaid) => {
                return Ok(Written {
                    unsaid: Some(unsaid),
                    ..Written::default()
                });
            }
        };
        let tagged = self
            .tag(text.clone(), rules.clone(), Priority::Bulk)
            .await?;
        let suggested: Vec<String> = tagged.tags.into_iter().map(|tag| tag.label).collect();
        let mut written = compared(&standing, &suggested, &rules.labels);
        let verdicts = self.verdicts.read().unwrap_or_else(PoisonError::into_inner);
        let known = text.name.as_deref().and_then(|name| verdicts.of(name));
        let is_known = known.is_some_and(|known| written.adds_nothing_to(known, &rules.labels));
        if written.unsaid.is_none() && is_known {
            written.unsaid = Some(Unsaid::Known);
        }
        Ok(written)
    }
}

impl Written {
    fn adds_nothing_to(&self, known: &Verdict, set: &LabelSet) -> bool {
        let is_said = |label: &String, fits| {
            let label = set.find(label);
            label.is_some_and(|label| known.of(set.label(label)) == Some(fits))
        };
        self.accepted.iter().all(|label| is_said(label, true))
            && self.rejected.iter().all(|label| is_said(label, false))
    }
}

/// The tags in a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Standing {
    in_front: Vec<String>,
    in_body: Vec<String>,
}

fn standing(document: &Document) -> Result<Standing, Unsaid> {
    let front = document.front_matter().ok_or(Unsaid::NoTags)?;
    if let Some(fault) = &front.fault {
        return Err(Unsaid::Broken(fault.clone()));
    }
    let mut values = front.tag_values.iter();
    if !values.any(|value| !value.items.is_empty() || is_empty_list(value, document.source())) {
        return Err(Unsaid::NoTags);
    }
    Ok(Standing {
        in_front: front.tags.clone(),
        in_body: body_tags(document)
            .into_iter()
            .map(|(tag, _)| tag)
            .collect(),
    })
}

/// Whether somebody wrote that there are no tags: `[]`.
fn is_empty_list(value: &TagsValue, source: &str) -> bool {
    let written = source.get(value.span.range()).unwrap_or_default();
    let inside = written.strip_prefix('[').and_then(|w| w.strip_suffix(']'));
    value.form == TagsForm::Flow && inside.is_some_and(|inside| inside.trim().is_empty())
}

fn compared(standing: &Standing, suggested: &[String], set: &LabelSet) -> Written {
    let mut written = Written::default();
    for tag in &standing.in_front {
        match set.find(tag).map(|id| set.label(id).name.clone()) {
            Some(label) if written.accepted.contains(&label) => {}
            Some(label) => written.accepted.push(label),
            None => written.ignored.push(tag.clone()),
        }
    }
    let in_body = |label: &String| {
        let labels = standing.in_body.iter().filter_map(|tag| set.find(tag));
        labels.into_iter().any(|id| set.label(id).name == *label)
    };
    let rejected = suggested.iter();
    let rejected = rejected.filter(|label| !written.accepted.contains(label) && !in_body(label));
    written.rejected = rejected.cloned().collect();
    if written.accepted.is_empty() && written.rejected.is_empty() {
        written.unsaid = Some(Unsaid::NoLabels);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::correction::{Correction, Source, Verdicts};
    use crate::document::Format;
    use crate::label::Descriptions;

    #[track_caller]
    fn check(source: &str, suggested: &[&str]) -> Written {
        let set = LabelSet::from_names(["garden", "tax", "machine-learning"]).unwrap();
        let suggested: Vec<String> = suggested.iter().map(|s| (*s).to_owned()).collect();
        let document = Document::parse(Format::Markdown, source);
        compared(&standing(&document).unwrap(), &suggested, &set)
    }

    #[test]
    fn what_stands_there_fits_and_what_is_suggested_besides_does_not() {
        let source = "---\ntags: [Machine Learning, home]\n---\nText with #tax.\n";
        let written = check(source, &["garden", "tax", "machine-learning"]);
        assert_eq!(written.accepted, ["machine-learning"]);
        assert_eq!(written.rejected, ["garden"]);
        assert_eq!(
            (written.ignored, written.unsaid),
            (vec!["home".to_owned()], None)
        );
    }

    #[test]
    fn what_a_label_was_called_meanwhile_makes_no_old_verdict_the_latest() {
        let said = |accepted: &[&str], rejected: &[&str]| {
            let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            Correction {
                document: Some("a.md".to_owned()),
                text: "text".to_owned(),
                format: Format::Markdown,
                labels: Vec::new(),
                accepted: names(accepted),
                rejected: names(rejected),
                descriptions: Descriptions::new(),
                source: Source::Editor,
                shown: None,
            }
        };
        // It was `garden`, then `beds`, and is `garden` again.
        let set = "[[label]]\nname = 'garden'\naliases = ['beds']\n";
        let set = LabelSet::parse(set).unwrap();
        let mut verdicts = Verdicts::default();
        verdicts.apply(&said(&["garden"], &[]), 1);
        verdicts.apply(&said(&[], &["beds"]), 2);
        let written = Written {
            accepted: vec!["garden".to_owned()],
            ..Written::default()
        };
        let is_known =
            |verdicts: &Verdicts| written.adds_nothing_to(verdicts.of("a.md").unwrap(), &set);
        assert!(!is_known(&verdicts), "the latest says that it does not fit");
        verdicts.apply(&said(&["garden"], &[]), 3);
        assert!(is_known(&verdicts));
    }

    #[test]
    fn an_empty_list_says_that_nothing_fits_and_no_list_says_nothing() {
        assert_eq!(
            check("---\ntags: []\n---\nText.\n", &["tax"]).rejected,
            ["tax"]
        );
        let of = |source: &str| standing(&Document::parse(Format::Markdown, source)).unwrap_err();
        assert_eq!(of("Text.\n"), Unsaid::NoTags);
        assert_eq!(of("---\ntitle: T\n---\nText.\n"), Unsaid::NoTags);
        for value in ["", " null", " ''", " ['']", "\n-", "\n  -\n  -", " {}"] {
            let source = format!("---\ntags:{value}\n---\nText.\n");
            assert_eq!(of(&source), Unsaid::NoTags, "{source}");
        }
        assert_eq!(of("+++\ntags = \"\"\n+++\nText.\n"), Unsaid::NoTags);
        assert_eq!(
            check("+++\ntags = [ ]\n+++\nText.\n", &["tax"]).rejected,
            ["tax"]
        );
        assert!(matches!(
            of("---\ntags: [a\n---\nText.\n"),
            Unsaid::Broken(_)
        ));
    }

    #[test]
    fn tags_of_another_vocabulary_are_no_verdict() {
        let written = check("---\ntags: home\n---\nText.\n", &[]);
        assert_eq!(written.unsaid, Some(Unsaid::NoLabels));
    }
}
