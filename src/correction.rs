//! What a person says of a document's tags: this one fits, that one does not.
//!
//! Input: names as somebody wrote them. Output: a `Correction` whose names are labels of the set,
//! and `Verdicts`, the sum of all corrections.
//! Invariant: no label is both accepted and rejected; the latest verdict on a label of a document
//! holds. Knows nothing of files or clocks.
//! Length: a verdict and the sum of all verdicts are one matter, and a third of it is tests.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use crate::document::Format;
use crate::label::{Descriptions, Label, LabelSet, lower};
use crate::score::Score;

/// A person's verdict on some labels of one document.
#[derive(Clone, Debug, PartialEq)]
pub struct Correction {
    /// What names the document, its URI for instance; none for a bare text.
    pub document: Option<String>,
    /// The text that the verdict is about, as it is written.
    pub text: String,
    /// How the text is read.
    pub format: Format,
    /// All labels there were to choose from.
    pub labels: Vec<String>,
    /// Labels that fit.
    pub accepted: Vec<String>,
    /// Labels that do not.
    pub rejected: Vec<String>,
    /// What those labels mean, of those that are described.
    pub descriptions: Descriptions,
    /// Where the verdict was given.
    pub source: Source,
    /// What was answered for the text until then; none where there was no answer yet.
    pub shown: Option<Shown>,
}

/// Where a verdict was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// In an editor, by accepting, rejecting, adding or removing a tag.
    #[default]
    Editor,
    /// With `gliznet correct`.
    CommandLine,
    /// In a file of a watched folder, by changing its tags.
    Folder,
    /// By a program that speaks the protocol.
    Script,
    /// In the review queue.
    Review,
    /// In the review queue, of a document that chance brought: it counts for the estimate of how
    /// often tags are right.
    Sample,
    /// In another journal.
    Import,
}

impl Source {
    /// All of them, in the order they are told to people.
    pub const ALL: [Source; 7] = [
        Source::Editor,
        Source::CommandLine,
        Source::Folder,
        Source::Script,
        Source::Review,
        Source::Sample,
        Source::Import,
    ];

    /// The word for it, which `FromStr` reads back.
    pub fn name(self) -> &'static str {
        match self {
            Source::Editor => "editor",
            Source::CommandLine => "command-line",
            Source::Folder => "folder",
            Source::Script => "script",
            Source::Review => "review",
            Source::Sample => "sample",
            Source::Import => "import",
        }
    }
}

/// A word that names no source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no source of corrections is called `{0}`; use one of editor, command-line, folder, script, review, sample, import"
)]
pub struct UnknownSource(String);

impl FromStr for Source {
    type Err = UnknownSource;

    fn from_str(word: &str) -> Result<Source, UnknownSource> {
        let mut all = Source::ALL.into_iter();
        all.find(|source| source.name() == word)
            .ok_or_else(|| UnknownSource(word.to_owned()))
    }
}

/// The answer that a verdict is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// Which model gave it, as `name@fingerprint`.
    pub model: String,
    /// The scores of the labels that were suggested, and of those the verdict is on.
    pub scores: Vec<(String, Score)>,
    /// The labels that were suggested.
    pub suggested: Vec<String>,
}

/// How far the tags of a document were right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Tags that were suggested.
    pub suggested: usize,
    /// Those of them that were taken away.
    pub wrong: usize,
    /// Tags that had to be added.
    pub missing: usize,
}

impl Judged {
    /// Nothing was changed.
    pub fn is_right(&self) -> bool {
        self.wrong == 0 && self.missing == 0
    }
}

/// What somebody says of a text, before anybody has looked whether there are such labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Names of labels that fit.
    pub accepted: Vec<String>,
    /// Names of labels that do not.
    pub rejected: Vec<String>,
    /// Where it was said.
    pub source: Source,
}

/// Why a verdict means nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CorrectionFault {
    /// Neither list names a label.
    #[error("nothing is accepted or rejected; name at least one label")]
    Nothing,
    /// The set has no such label.
    #[error("`{name}` is no label of the set{}", cure(.nearest))]
    Unknown {
        /// As it was written.
        name: String,
        /// The label most like it.
        nearest: Option<String>,
    },
    /// There is neither a text to learn from nor a document that the verdict could hold for.
    #[error("the text is empty, so there is nothing to learn from; give one with words")]
    Empty,
    /// One label, two verdicts.
    #[error("`{0}` is both accepted and rejected; decide for one")]
    Both(String),
}

fn cure(nearest: &Option<String>) -> String {
    match nearest {
        Some(name) => format!("; did you mean `{name}`?"),
        None => "; add it to the label set first".to_owned(),
    }
}

impl Said {
    /// Resolves the names against the set, whatever their case or separators: `(accepted, rejected)`.
    ///
    /// # Errors
    /// A name that is no label, a label in both lists, and two empty lists.
    pub fn resolve(&self, set: &LabelSet) -> Result<(Vec<String>, Vec<String>), CorrectionFault> {
        let accepted = resolved(set, &self.accepted)?;
        let rejected = resolved(set, &self.rejected)?;
        if accepted.is_empty() && rejected.is_empty() {
            return Err(CorrectionFault::Nothing);
        }
        if let Some(both) = accepted.iter().find(|name| rejected.contains(name)) {
            return Err(CorrectionFault::Both(both.clone()));
        }
        Ok((accepted, rejected))
    }
}

impl Correction {
    /// What was said of a text, in the set's own names.
    ///
    /// # Errors
    /// A name that is no label, a label in both lists, and two empty lists.
    pub fn new(
        text: String,
        format: Format,
        set: &LabelSet,
        said: &Said,
    ) -> Result<Correction, CorrectionFault> {
        let (accepted, rejected) = said.resolve(set)?;
        let labels = set.labels().iter().map(|label| label.name.clone());
        let mut descriptions = set.descriptions();
        descriptions.retain(|name, _| accepted.contains(name) || rejected.contains(name));
        Ok(Correction {
            document: None,
            text,
            format,
            labels: labels.collect(),
            accepted,
            rejected,
            descriptions,
            source: said.source,
            shown: None,
        })
    }

    /// How far the tags were right that were suggested; none where it is not known what was.
    pub fn judged(&self) -> Option<Judged> {
        let suggested = &self.shown.as_ref()?.suggested;
        let among = |names: &[String]| names.iter().filter(|name| suggested.contains(name)).count();
        Some(Judged {
            suggested: suggested.len(),
            wrong: among(&self.rejected),
            missing: self.accepted.len() - among(&self.accepted),
        })
    }

    /// The labels that were judged, with the verdict: whether each fits.
    pub fn verdicts(&self) -> impl Iterator<Item = (&str, bool)> {
        let accepted = self.accepted.iter().map(|label| (label.as_str(), true));
        let rejected = self.rejected.iter().map(|label| (label.as_str(), false));
        accepted.chain(rejected)
    }
}

/// The labels that `names` mean, each once, in the order they were named.
fn resolved<S: AsRef<str>>(set: &LabelSet, names: &[S]) -> Result<Vec<String>, CorrectionFault> {
    let mut found: Vec<String> = Vec::new();
    for name in names.iter().map(AsRef::as_ref) {
        let Some(id) = set.find(name) else {
            let nearest = set.nearest(name);
            return Err(CorrectionFault::Unknown {
                name: name.to_owned(),
                nearest: nearest.map(|id| set.label(id).name.clone()),
            });
        };
        let label = &set.label(id).name;
        if !found.contains(label) {
            found.push(label.clone());
        }
    }
    Ok(found)
}

/// The verdicts that hold, of all documents that have a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdicts {
    documents: BTreeMap<String, Verdict>,
    /// The documents that chance brought, the latest verdict last.
    sampled: Vec<(String, Judged)>,
    count: usize,
}

/// The verdicts that hold for one document; labels in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What is left of each correction, the latest last: its time, and whether a label fits. A
    /// label is in one of them. A set may have given two of them one name since, so their order is
    /// kept.
    said: Vec<(u64, BTreeMap<String, bool>)>,
}

impl Verdicts {
    /// Adds a later correction to the sum, of `time` in seconds since 1970.
    pub fn apply(&mut self, correction: &Correction, time: u64) {
        self.count += 1;
        let Some(document) = &correction.document else {
            return;
        };
        if correction.source == Source::Sample
            && let Some(judged) = correction.judged()
        {
            // Who judges again has changed their mind; the document counts once.
            self.sampled.retain(|(name, _)| name != document);
            self.sampled.push((document.clone(), judged));
        }
        let verdict = self.documents.entry(document.clone()).or_default();
        let mut said: BTreeMap<String, bool> = BTreeMap::new();
        for (name, fits) in correction.verdicts() {
            // Builds that told accents apart took two spellings of one label for two labels.
            *said.entry(lower(name)).or_default() |= fits;
        }
        for (_, earlier) in &mut verdict.said {
            earlier.retain(|name, _| !said.contains_key(name));
        }
        verdict.said.push((time, said));
        verdict.said.retain(|(_, said)| !said.is_empty());
    }

    /// How many corrections there were.
    pub fn count(&self) -> usize {
        self.count
    }

    /// How far the tags of the documents were right that chance brought, the latest last.
    pub fn sampled(&self) -> Vec<Judged> {
        self.sampled.iter().map(|(_, judged)| *judged).collect()
    }

    /// A document has another name. What holds for it goes before what held for that name.
    pub fn rename(&mut self, from: &str, to: &str) {
        let Some(verdict) = self.documents.remove(from) else {
            return; // Nobody has judged it: what holds for a document of that name may stay.
        };
        self.documents.insert(to.to_owned(), verdict);
        self.sampled.retain(|(name, _)| name != to);
        for (name, _) in self.sampled.iter_mut().filter(|(name, _)| name == from) {
            to.clone_into(name);
        }
    }

    /// There is no such document any more: what comes under its name is another.
    pub fn gone(&mut self, document: &str) {
        self.documents.remove(document);
        self.sampled.retain(|(name, _)| name != document);
    }

    /// The documents for which something else holds than in `before`.
    pub fn changed_since<'a>(&'a self, before: &'a Verdicts) -> Vec<&'a str> {
        let names = self.documents.keys().chain(before.documents.keys());
        let changed = names.filter(|name| self.of(name) != before.of(name));
        let changed: BTreeSet<&str> = changed.map(String::as_str).collect();
        changed.into_iter().collect()
    }

    /// What holds for a document.
    pub fn of(&self, document: &str) -> Option<&Verdict> {
        self.documents.get(document)
    }
}

impl Verdict {
    /// What a person said last of a label here, under whatever name it has now or had before:
    /// whether it fits. Of labels that became one it is enough that one fits, where one correction
    /// judged them.
    pub fn of(&self, label: &Label) -> Option<bool> {
        Some(self.last(label)?.1)
    }

    /// When a person said that a label fits here, if that is what holds.
    pub fn accepted_at(&self, label: &Label) -> Option<u64> {
        let (time, fits) = self.last(label)?;
        fits.then_some(time)
    }

    fn last(&self, label: &Label) -> Option<(u64, bool)> {
        let names = std::iter::once(&label.name).chain(&label.aliases);
        let names: Vec<String> = names.map(|name| lower(name)).collect();
        self.said.iter().rev().find_map(|(time, said)| {
            let fits = names.iter().filter_map(|name| said.get(name).copied());
            Some((*time, fits.reduce(|one, other| one || other)?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> LabelSet {
        LabelSet::from_names(["machine-learning", "garden", "tax"]).unwrap()
    }

    fn correct(accepted: &[&str], rejected: &[&str]) -> Result<Correction, CorrectionFault> {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let said = Said {
            accepted: names(accepted),
            rejected: names(rejected),
            source: Source::Script,
        };
        let correction = Correction::new("text".to_owned(), Format::Plain, &set(), &said)?;
        Ok(Correction {
            document: Some("a.md".to_owned()),
            ..correction
        })
    }

    #[test]
    fn names_are_the_sets_own_however_they_were_written() {
        let correction = correct(&["Machine Learning", "machine_learning"], &["GARDEN"]).unwrap();
        assert_eq!(correction.accepted, ["machine-learning"]);
        assert_eq!(correction.rejected, ["garden"]);
        assert_eq!(correction.labels, ["machine-learning", "garden", "tax"]);
    }

    #[test]
    fn a_verdict_without_meaning_is_refused_with_its_cure() {
        let fault = |accepted: &[&str], rejected: &[&str]| {
            correct(accepted, rejected).unwrap_err().to_string()
        };
        assert_eq!(
            fault(&["gardn"], &[]),
            "`gardn` is no label of the set; did you mean `garden`?"
        );
        assert_eq!(
            fault(&[], &["weather"]),
            "`weather` is no label of the set; add it to the label set first"
        );
        assert_eq!(
            fault(&["tax"], &["Tax"]),
            "`tax` is both accepted and rejected; decide for one"
        );
        assert!(fault(&[], &[]).starts_with("nothing is accepted"));
    }

    #[test]
    fn a_source_is_read_back_from_its_word() {
        for source in Source::ALL {
            assert_eq!(source.name().parse(), Ok(source));
        }
        let error = "mail".parse::<Source>().unwrap_err().to_string();
        assert!(
            error.ends_with("folder, script, review, sample, import"),
            "{error}"
        );
    }

    #[test]
    fn the_latest_verdict_holds_and_only_for_its_document() {
        let mut verdicts = Verdicts::default();
        let set = LabelSet::from_names(["Tax", "garden"]).unwrap();
        let said = |verdicts: &Verdicts| {
            let verdict = verdicts.of("a.md").unwrap();
            let said: Vec<Option<bool>> = set.labels().iter().map(|l| verdict.of(l)).collect();
            said
        };
        verdicts.apply(&correct(&[], &["tax"]).unwrap(), 1);
        assert_eq!(said(&verdicts), [Some(false), None]);
        assert_eq!(verdicts.of("b.md"), None);
        verdicts.apply(&correct(&["tax"], &["garden"]).unwrap(), 2);
        assert_eq!(said(&verdicts), [Some(true), Some(false)]);
    }

    #[test]
    fn what_was_said_of_a_label_holds_under_its_new_name() {
        let mut verdicts = Verdicts::default();
        verdicts.apply(&correct(&["garden"], &["tax"]).unwrap(), 1);
        let verdict = verdicts.of("a.md").unwrap();
        let toml = "[[label]]\nname = 'beds'\naliases = ['Garden', 'tax']\n[[label]]\nname = 'duty'\naliases = ['tax2', 'TAX3']\n[[label]]\nname = 'tax4'\naliases = ['TAX5']\n";
        let set = LabelSet::parse(&toml.replace("TAX5", "x")).unwrap();
        let said: Vec<Option<bool>> = set.labels().iter().map(|l| verdict.of(l)).collect();
        assert_eq!(said, [Some(true), None, None]);
        let set = LabelSet::parse("[[label]]\nname = 'duty'\naliases = ['Tax']\n").unwrap();
        let duty = &set.labels()[0];
        assert_eq!(verdict.of(duty), Some(false));
        assert_eq!(verdict.accepted_at(duty), None);
        // What is said under the new name is later, and so is what is said under the old one again.
        let of = |accepted: &[&str], rejected: &[&str]| Correction {
            accepted: accepted.iter().map(|name| (*name).to_owned()).collect(),
            rejected: rejected.iter().map(|name| (*name).to_owned()).collect(),
            ..correct(&["tax"], &[]).unwrap()
        };
        verdicts.apply(&of(&["tax"], &[]), 2);
        verdicts.apply(&of(&[], &["duty"]), 3);
        assert_eq!(verdicts.of("a.md").unwrap().of(duty), Some(false));
        verdicts.apply(&of(&["Tax"], &[]), 4);
        let verdict = verdicts.of("a.md").unwrap();
        assert_eq!(
            (verdict.of(duty), verdict.accepted_at(duty)),
            (Some(true), Some(4))
        );
    }

    #[test]
    fn of_two_spellings_that_were_judged_apart_it_is_enough_that_one_fits() {
        let mut verdicts = Verdicts::default();
        let old = Correction {
            accepted: vec!["cafe\u{301}".to_owned()],
            rejected: vec!["Café".to_owned(), "tax".to_owned()],
            ..correct(&["tax"], &[]).unwrap()
        };
        verdicts.apply(&old, 1);
        let verdict = verdicts.of("a.md").unwrap();
        let set = LabelSet::from_names(["café", "tax"]).unwrap();
        let said: Vec<Option<bool>> = set.labels().iter().map(|l| verdict.of(l)).collect();
        assert_eq!(said, [Some(true), Some(false)]);
    }

    #[test]
    fn of_a_document_that_is_no_more_nothing_holds_for_the_next_of_its_name() {
        let mut verdicts = Verdicts::default();
        verdicts.apply(&correct(&["garden"], &["tax"]).unwrap(), 1);
        verdicts.gone("a.md");
        assert_eq!(verdicts.of("a.md"), None);
        verdicts.apply(&correct(&["tax"], &[]).unwrap(), 2);
        let verdict = verdicts.of("a.md").unwrap();
        let set = LabelSet::from_names(["tax", "garden"]).unwrap();
        let said: Vec<Option<bool>> = set.labels().iter().map(|l| verdict.of(l)).collect();
        assert_eq!(said, [Some(true), None]);
    }
}
