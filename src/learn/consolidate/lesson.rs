//! What corrections teach: the journal's entries in, one lesson a text out.
//!
//! Invariant: the latest verdict on a label of a text, or of a document, holds; a label that has
//! another name now teaches under that, and one that its set has lost teaches nothing; a text that
//! is held out once is held out for ever, whatever it is tagged with. Pure; knows nothing of models.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::correction::Correction;
use crate::document::Document;
use crate::engine::Passage;
use crate::learn::journal::Entry;

/// One text in so many is never learnt from.
const HELD_OUT: u64 = 5;

/// A text with what a person says of its labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Lesson {
    /// The text, as the model reads it.
    pub text: String,
    /// All labels that there are to choose from.
    pub labels: Arc<Vec<String>>,
    /// Whether a label fits, of those that somebody has judged.
    pub verdicts: BTreeMap<String, bool>,
    /// Numbers of the corrections that say so.
    pub corrections: Vec<u64>,
}

impl Lesson {
    /// Whether it is kept for measuring.
    pub fn is_held_out(&self) -> bool {
        is_held_out(&self.text)
    }

    /// Whether no correction in it is among `learnt`.
    pub fn is_new(&self, learnt: &BTreeSet<u64>) -> bool {
        self.corrections
            .iter()
            .any(|number| !learnt.contains(number))
    }
}

/// Whether a text is kept for measuring: one in five, by its words alone.
pub fn is_held_out(text: &str) -> bool {
    fold(text) == 0
}

/// Which of so many equal parts a text is in, by its words alone; the first is kept for measuring.
pub(super) const FOLDS: usize = HELD_OUT as usize;
pub(super) fn fold(text: &str) -> usize {
    (digest(text) % HELD_OUT) as usize
}

/// The same for texts that differ in case and white space only.
pub(super) fn digest(text: &str) -> u64 {
    let mut hash = Sha256::new();
    for word in text.split_whitespace() {
        hash.update(word.to_lowercase());
        hash.update(b" ");
    }
    let digest = hash.finalize();
    u64::from_le_bytes(digest[..8].try_into().unwrap_or_default())
}

/// The text of a correction as the model reads it.
pub fn text_of(correction: &Correction) -> String {
    let document = Document::parse(correction.format, correction.text.as_str());
    Passage::of(&document).text().to_owned()
}

/// What labels are called today, by the names that they had before.
pub type Renamed = BTreeMap<String, String>;

/// What the journal teaches, oldest first. Texts without any verdict that still counts are left out.
pub fn lessons(entries: &[Entry], renamed: &Renamed) -> Vec<Lesson> {
    let mut lessons: Vec<Lesson> = Vec::new();
    // What was said of each lesson's text, and by which entry.
    let mut said: Vec<BTreeMap<String, (usize, bool)>> = Vec::new();
    let mut by_text: HashMap<u64, usize> = HashMap::new();
    let mut by_document: HashMap<&str, Vec<usize>> = HashMap::new();
    let sets = LabelSets::of(entries);
    for (age, entry) in entries.iter().enumerate() {
        let correction = &entry.correction;
        let text = text_of(correction);
        if text.trim().is_empty() {
            continue;
        }
        let labels = sets.now(&correction.labels);
        let place = *by_text.entry(digest(&text)).or_insert(lessons.len());
        if place == lessons.len() {
            lessons.push(Lesson {
                text,
                labels: Arc::clone(&labels),
                verdicts: BTreeMap::new(),
                corrections: Vec::new(),
            });
            said.push(BTreeMap::new());
        }
        let judged = correction.verdicts().map(|(name, fits)| {
            let now = now(name, &labels, renamed).unwrap_or(name);
            (now.to_owned(), (age, fits))
        });
        let judged = merged(judged);
        if let Some(document) = &correction.document {
            // The document may read differently now; what was said of it then is overruled.
            let places = by_document.entry(document).or_default();
            for earlier in places.iter().filter(|earlier| **earlier != place) {
                said[*earlier].retain(|name, _| !judged.contains_key(name));
            }
            if !places.contains(&place) {
                places.push(place);
            }
        }
        let lesson = &mut lessons[place];
        lesson.labels = labels;
        lesson.corrections.push(entry.sequence);
        said[place].extend(judged);
    }
    for (lesson, said) in lessons.iter_mut().zip(said) {
        let labels = Arc::clone(&lesson.labels);
        let known = said.into_iter().filter_map(|(name, said)| {
            let now = now(&name, &labels, renamed)?;
            Some((now.to_owned(), said))
        });
        let verdicts = merged(known).into_iter();
        lesson.verdicts = verdicts.map(|(name, (_, fits))| (name, fits)).collect();
    }
    lessons.retain(|lesson| !lesson.verdicts.is_empty());
    lessons
}

/// What a label of `labels` is called today that was called `name`; none where it is not there.
fn now<'a>(name: &'a str, labels: &[String], renamed: &'a Renamed) -> Option<&'a str> {
    let names = [Some(name), renamed.get(name).map(String::as_str)];
    let is_known = |name: &&str| labels.iter().any(|label| label == name);
    names.into_iter().flatten().find(is_known)
}

/// What was said last of each label. Of labels that became one it is enough that one fits, where
/// one correction judged them.
fn merged(said: impl Iterator<Item = (String, (usize, bool))>) -> BTreeMap<String, (usize, bool)> {
    let mut last = BTreeMap::new();
    for (name, said) in said {
        let known = last.entry(name).or_insert(said);
        *known = said.max(*known);
    }
    last
}

/// The label sets of a journal, each as it was last seen.
struct LabelSets<'a> {
    /// Each list, as it is now.
    now: HashMap<&'a [String], Arc<Vec<String>>>,
}

impl<'a> LabelSets<'a> {
    fn of(entries: &'a [Entry]) -> LabelSets<'a> {
        // Lists by age; the same list counts where it was seen last.
        let mut last: HashMap<&[String], usize> = HashMap::new();
        for (age, entry) in entries.iter().enumerate() {
            last.insert(&entry.correction.labels, age);
        }
        let mut lists: Vec<(&[String], usize)> = last.into_iter().collect();
        lists.sort_by_key(|(_, age)| std::cmp::Reverse(*age));
        let shared: Vec<Arc<Vec<String>>> = lists
            .iter()
            .map(|(list, _)| Arc::new(list.to_vec()))
            .collect();
        let words: Vec<BTreeSet<&String>> = lists
            .iter()
            .map(|(list, _)| list.iter().collect())
            .collect();
        // A list that shares half of its labels with a newer one is an older form of the same set.
        let newest = |i: usize| {
            let same = |j: &usize| {
                let shared = words[i].intersection(&words[*j]).count();
                2 * shared >= words[i].len().min(words[*j].len()).max(1)
            };
            (0..i).find(same).unwrap_or(i)
        };
        let now = (0..lists.len()).map(|i| (lists[i].0, Arc::clone(&shared[newest(i)])));
        LabelSets { now: now.collect() }
    }

    fn now(&self, labels: &[String]) -> Arc<Vec<String>> {
        let known = self.now.get(labels);
        known.map_or_else(|| Arc::new(labels.to_vec()), Arc::clone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::correction::Source;
    use crate::document::Format;

    fn entry(
        sequence: u64,
        (document, text): (Option<&str>, &str),
        labels: &[&str],
        accepted: &[&str],
        rejected: &[&str],
    ) -> Entry {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Entry {
            sequence,
            time: 0,
            correction: Correction {
                document: document.map(str::to_owned),
                text: text.to_owned(),
                format: Format::Markdown,
                labels: names(labels),
                accepted: names(accepted),
                rejected: names(rejected),
                descriptions: Default::default(),
                source: Source::Editor,
                shown: None,
            },
        }
    }

    fn verdicts(lesson: &Lesson) -> Vec<(&str, bool)> {
        let all = lesson.verdicts.iter();
        all.map(|(name, fits)| (name.as_str(), *fits)).collect()
    }

    const ABC: &[&str] = &["a", "b", "c"];

    fn taught(entries: &[Entry]) -> Vec<Lesson> {
        lessons(entries, &Renamed::new())
    }

    #[test]
    fn a_later_verdict_on_the_same_text_or_document_holds() {
        let taught = taught(&[
            entry(1, (None, "Roses."), ABC, &["a", "b"], &[]),
            entry(2, (None, "  roses. "), ABC, &["c"], &["a"]),
            entry(3, (Some("n.md"), "Old words."), ABC, &["a"], &["b"]),
            entry(4, (Some("n.md"), "New words."), ABC, &[], &["a"]),
        ]);
        assert_eq!(taught.len(), 3);
        assert_eq!(
            verdicts(&taught[0]),
            [("a", false), ("b", true), ("c", true)]
        );
        assert_eq!(taught[0].corrections, [1, 2]);
        assert_eq!(verdicts(&taught[1]), [("b", false)]);
        assert_eq!(verdicts(&taught[2]), [("a", false)]);
    }

    #[test]
    fn a_label_that_was_renamed_teaches_under_its_name_of_today() {
        let entries = [
            entry(1, (None, "one"), ABC, &["a"], &["b"]),
            entry(2, (None, "two"), &["alpha", "b", "c"], &["c"], &[]),
            entry(3, (None, "three"), &["x", "y", "a"], &["a"], &[]),
        ];
        let renamed = [("a", "alpha"), ("b", "alpha"), ("z", "c")];
        let renamed = renamed.map(|(from, to)| (from.to_owned(), to.to_owned()));
        let taught = lessons(&entries, &renamed.into());
        assert_eq!(verdicts(&taught[0]), [("alpha", true), ("b", false)]);
        assert_eq!(verdicts(&taught[1]), [("c", true)]);
        // A set that still has the old name keeps it.
        assert_eq!(verdicts(&taught[2]), [("a", true)]);
        // Two labels became one, and one of them fits.
        let merged = [
            entry(1, (None, "one"), ABC, &["a"], &["b"]),
            entry(2, (None, "two"), &["alpha", "c"], &["c"], &[]),
        ];
        let renamed = [("a", "alpha"), ("b", "alpha")];
        let renamed = renamed.map(|(from, to)| (from.to_owned(), to.to_owned()));
        let taught = lessons(&merged, &renamed.into());
        assert_eq!(verdicts(&taught[0]), [("alpha", true)]);
    }

    #[test]
    fn what_was_said_last_holds_whatever_the_label_was_called_then() {
        let renamed = Renamed::from([("a".to_owned(), "alpha".to_owned())]);
        let now = &["alpha", "b", "c"];
        let entries = [
            entry(1, (Some("n.md"), "one"), ABC, &["a"], &[]),
            entry(2, (Some("n.md"), "one"), now, &[], &["alpha"]),
            entry(3, (Some("m.md"), "Old words."), ABC, &["a", "b"], &[]),
            entry(4, (Some("m.md"), "New words."), now, &[], &["alpha"]),
        ];
        let taught = lessons(&entries, &renamed);
        let taught: Vec<_> = taught.iter().map(verdicts).collect();
        assert_eq!(taught[0], [("alpha", false)]);
        assert_eq!(taught[1], [("b", true)]);
        assert_eq!(taught[2], [("alpha", false)]);
        // Nothing is left of this set by which it could be known again.
        let entries = [
            entry(5, (None, "two"), &["a"], &["a"], &[]),
            entry(6, (None, "two"), &["alpha"], &[], &["alpha"]),
        ];
        assert_eq!(
            verdicts(&lessons(&entries, &renamed)[0]),
            [("alpha", false)]
        );
    }

    #[test]
    fn a_label_that_was_dropped_teaches_nothing_and_one_that_was_added_can_be_chosen() {
        let taught = taught(&[
            entry(1, (None, "one"), ABC, &["a"], &["c"]),
            entry(2, (None, "two"), ABC, &["c"], &[]),
            entry(3, (None, "three"), &["a", "b", "d"], &["d"], &[]),
            entry(4, (None, "four"), &["x", "y"], &["x"], &[]),
        ]);
        let texts: Vec<&str> = taught.iter().map(|lesson| lesson.text.as_str()).collect();
        assert_eq!(texts, ["one", "three", "four"]);
        assert_eq!(verdicts(&taught[0]), [("a", true)]);
        assert_eq!(*taught[0].labels, ["a", "b", "d"]);
        assert_eq!(*taught[2].labels, ["x", "y"]);
    }

    #[test]
    fn front_matter_and_white_space_do_not_decide_what_is_held_out() {
        let plain = "Pruned the roses today.";
        let tagged = "---\ntags: [a]\n---\nPruned  the\nroses today.\n";
        let taught = lessons(
            &[entry(1, (None, tagged), ABC, &["a"], &[])],
            &Renamed::new(),
        );
        assert_eq!(taught[0].is_held_out(), is_held_out(plain));
        let held = (0..1000).filter(|i| is_held_out(&format!("note {i}")));
        let held = held.count();
        assert!((150..250).contains(&held), "{held} of 1000");
    }

    #[test]
    fn a_text_without_a_word_teaches_nothing() {
        let empty = [entry(1, (None, " \n"), ABC, &["a"], &[])];
        assert_eq!(lessons(&empty, &Renamed::new()), []);
    }
}
