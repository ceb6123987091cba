//! A vault as a teacher: notes with the tags that a person gave them in, lessons out.
//!
//! Invariant: what a note is asked is what stands in it without its tags; of a note that has tags, a
//! label that it lacks does not fit, if another note has it; labels that no note has are not judged.
//! Pure; the order of the notes changes nothing but which of the same texts is named.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::lesson::{Lesson, digest};
use crate::document::{Document, body_tags};
use crate::engine::Passage;
use crate::label::{Descriptions, LabelId, LabelSet};
use crate::model::random::Random;

/// So many notes with tags are needed.
pub const LEAST: usize = 10;

/// A note, and the tags in it that say nothing: a machine wrote them, and nobody has agreed.
#[derive(Clone, Debug)]
pub struct VaultNote {
    /// The note.
    pub document: Document,
    /// Tags of its front matter that do not count, for their label or against it.
    pub uncounted: Vec<String>,
}

impl From<Document> for VaultNote {
    fn from(document: Document) -> VaultNote {
        VaultNote {
            document,
            uncounted: Vec::new(),
        }
    }
}

/// Tagged notes as lessons.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vault {
    /// What names it.
    pub name: String,
    /// One a text.
    pub lessons: Vec<Lesson>,
    /// What the labels mean.
    pub descriptions: Descriptions,
    /// Tags that are no label of the set, with how many notes have each.
    pub unknown: BTreeMap<String, usize>,
    /// Notes in which no label of the set stands as a tag.
    pub untagged: usize,
    /// Notes that read as another one does, or that hold nothing to read.
    pub repeated: usize,
    /// Notes that there is no time for.
    pub left: usize,
}

impl Vault {
    /// What notes teach of the labels of `set`, from no more notes than `most`; chance says which.
    pub fn of(
        name: String,
        notes: impl IntoIterator<Item = VaultNote>,
        set: &LabelSet,
        most: usize,
        seed: u64,
    ) -> Vault {
        let mut vault = Vault {
            name,
            descriptions: set.descriptions(),
            ..Vault::default()
        };
        let mut texts: Vec<(String, Given)> = Vec::new();
        let mut by_text: HashMap<u64, usize> = HashMap::new();
        for note in notes {
            let given = vault.given(&note, set);
            if given.fit.is_empty() {
                vault.untagged += 1;
                continue;
            }
            let text = untagged_text(&note.document);
            if text.trim().is_empty() {
                vault.repeated += 1;
                continue;
            }
            let place = *by_text.entry(digest(&text)).or_insert(texts.len());
            match texts.get_mut(place) {
                Some((_, known)) => {
                    known.fit.extend(given.fit);
                    known.open.extend(given.open);
                    vault.repeated += 1;
                }
                None => texts.push((text, given)),
            }
        }
        texts.sort_by_key(|(text, _)| digest(text));
        Random::new(&[seed, 7]).shuffle(&mut texts);
        vault.left = texts.len().saturating_sub(most);
        texts.truncate(most);
        let used = texts.iter().flat_map(|(_, given)| &given.fit);
        let used: BTreeSet<LabelId> = used.copied().collect();
        let names: Vec<String> = set.labels().iter().map(|l| l.name.clone()).collect();
        let labels = Arc::new(names);
        let lessons = texts.into_iter().map(|(text, Given { fit: given, open })| {
            // `garden/roses` says nothing against `garden`.
            let mut unsaid: BTreeSet<LabelId> = given
                .iter()
                .flat_map(|id| ancestors(&set.label(*id).name, set))
                .collect();
            unsaid.extend(open);
            let judged = used
                .iter()
                .filter(|id| given.contains(id) || !unsaid.contains(id));
            Lesson {
                verdicts: judged
                    .map(|id| (set.label(*id).name.clone(), given.contains(id)))
                    .collect(),
                text,
                labels: Arc::clone(&labels),
                corrections: Vec::new(),
            }
        });
        vault.lessons = lessons.collect();
        vault
    }

    /// The labels that stand in a note as tags; what else stands there is counted.
    fn given(&mut self, note: &VaultNote, set: &LabelSet) -> Given {
        let head = note.document.front_matter();
        let mut tags: BTreeSet<String> = head.into_iter().flat_map(|h| h.tags.clone()).collect();
        tags.retain(|tag| !note.uncounted.contains(tag));
        tags.extend(body_tags(&note.document).into_iter().map(|(tag, _)| tag));
        let open = note.uncounted.iter();
        let open = open.filter_map(|tag| set.find(tag).or_else(|| ancestors(tag, set).next()));
        let mut given = Given {
            open: open.collect(),
            ..Given::default()
        };
        for tag in tags {
            match set.find(&tag).or_else(|| ancestors(&tag, set).next()) {
                // A label that the model is not to give is none that it should learn.
                Some(id) if set.label(id).manual => {}
                Some(id) => {
                    given.fit.insert(id);
                }
                None => *self.unknown.entry(tag).or_default() += 1,
            }
        }
        given
    }
}

/// What stands in a note.
#[derive(Debug, Default)]
struct Given {
    fit: BTreeSet<LabelId>,
    /// Labels of which nobody has said whether they fit.
    open: BTreeSet<LabelId>,
}

/// The labels that a nested tag lies below, the nearest first.
fn ancestors<'a>(tag: &'a str, set: &'a LabelSet) -> impl Iterator<Item = LabelId> + 'a {
    let places = tag.rmatch_indices('/').map(|(at, _)| at);
    places.filter_map(|at| set.find(&tag[..at]))
}

/// A note as the model reads it, but for the tags in its body: it shall not learn to read them off.
fn untagged_text(note: &Document) -> String {
    let mut source = note.source().to_owned();
    let mut spans: Vec<(usize, usize)> = body_tags(note)
        .into_iter()
        .map(|(_, span)| (span.start, span.end))
        .collect();
    spans.sort_unstable();
    for (start, end) in spans.into_iter().rev() {
        let start = start - usize::from(source[..start].ends_with('#'));
        source.replace_range(start..end, "");
    }
    let bare = Document::parse(note.format(), source);
    Passage::of(&bare).text().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Format;

    fn taught(notes: &[&str], labels: &[&str], most: usize) -> Vault {
        let set = LabelSet::from_names(labels).unwrap();
        let notes = notes
            .iter()
            .map(|note| Document::parse(Format::Markdown, *note).into());
        Vault::of("notes".to_owned(), notes, &set, most, 1)
    }

    fn lesson<'a>(vault: &'a Vault, word: &str) -> &'a Lesson {
        let mut found = vault.lessons.iter().filter(|l| l.text.contains(word));
        found.next().unwrap()
    }

    fn verdicts(lesson: &Lesson) -> Vec<(&str, bool)> {
        let all = lesson.verdicts.iter();
        all.map(|(name, fits)| (name.as_str(), *fits)).collect()
    }

    #[test]
    fn what_stands_as_a_tag_fits_and_what_other_notes_have_does_not() {
        let vault = taught(
            &[
                "---\ntags: [Garden, weather]\n---\nRoses.\n",
                "Taxes are due. #tax #unheard\n",
                "No tags here.\n",
                "---\ntags: [unheard]\n---\nNothing known.\n",
            ],
            &["garden", "tax", "never used"],
            100,
        );
        assert_eq!(
            verdicts(lesson(&vault, "Roses")),
            [("garden", true), ("tax", false)]
        );
        let taxes = lesson(&vault, "Taxes");
        assert_eq!(verdicts(taxes), [("garden", false), ("tax", true)]);
        assert_eq!(taxes.text.trim(), "Taxes are due.");
        assert_eq!(taxes.labels.len(), 3);
        assert_eq!((vault.lessons.len(), vault.untagged), (2, 2));
        let unknown: Vec<_> = vault.unknown.into_iter().collect();
        assert_eq!(
            unknown,
            [("unheard".to_owned(), 2), ("weather".to_owned(), 1)]
        );
    }

    #[test]
    fn a_tag_that_does_not_count_speaks_neither_for_its_label_nor_against_it() {
        let set = LabelSet::from_names(["garden", "tax", "weather"]).unwrap();
        let note = |source: &str, uncounted: &[&str]| VaultNote {
            document: Document::parse(Format::Markdown, source),
            uncounted: uncounted.iter().map(|tag| (*tag).to_owned()).collect(),
        };
        let notes = [
            note("---\ntags: [garden, tax]\n---\nRoses.\n", &["tax"]),
            note("---\ntags: [tax, weather]\n---\nTaxes.\n", &[]),
            note("---\ntags: [tax]\n---\nRain.\n", &["tax"]),
        ];
        let vault = Vault::of("notes".to_owned(), notes, &set, 100, 1);
        assert_eq!(
            verdicts(lesson(&vault, "Roses")),
            [("garden", true), ("weather", false)]
        );
        assert_eq!((vault.lessons.len(), vault.untagged), (2, 1));
    }

    #[test]
    fn a_nested_tag_says_nothing_against_what_it_is_nested_in() {
        let vault = taught(
            &[
                "Roses. #garden/roses\n",
                "Beans. #garden/beans\n",
                "Spades. #garden\n",
                "Taxes. #tax\n",
            ],
            &["garden", "garden/roses", "tax"],
            100,
        );
        assert_eq!(
            verdicts(lesson(&vault, "Roses")),
            [("garden/roses", true), ("tax", false)]
        );
        // What the set does not have counts for what it is nested in.
        let all = [("garden", true), ("garden/roses", false), ("tax", false)];
        assert_eq!(verdicts(lesson(&vault, "Beans")), all);
        assert_eq!(verdicts(lesson(&vault, "Spades")), all);
    }

    #[test]
    fn the_same_text_teaches_once_and_chance_takes_as_many_as_there_is_time_for() {
        let notes: Vec<String> = (0..30).map(|i| format!("Note {i}. #tax\n")).collect();
        let mut notes: Vec<&str> = notes.iter().map(String::as_str).collect();
        notes.push("note  0. #garden\n");
        notes.push("#tax\n");
        let labels = ["garden", "tax"];
        let all = taught(&notes, &labels, 100);
        assert_eq!((all.lessons.len(), all.repeated, all.left), (30, 2, 0));
        assert_eq!(
            verdicts(lesson(&all, "Note 0.")),
            [("garden", true), ("tax", true)]
        );
        let few = taught(&notes, &labels, 12);
        assert_eq!((few.lessons.len(), few.left), (12, 18));
        notes.reverse();
        let texts = |vault: &Vault| -> BTreeSet<String> {
            let texts = vault
                .lessons
                .iter()
                .map(|lesson| lesson.text.to_lowercase());
            texts.map(|text| text.replace("  ", " ")).collect()
        };
        assert_eq!(texts(&taught(&notes, &labels, 12)), texts(&few));
    }
}
