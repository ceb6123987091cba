//! What corrections teach: the journal's entries in, one lesson a text out.
//!
//! Invariant: the latest verdict on a label of a text, or of a document, holds; a label that has
//! another name now teaches under that, and one that its set has lost teaches nothing; a text that
//! is held out once is held out for ever, whatever it is tagged with. Pure; knows nothing of models.
//! Length: nearly half of it is tests.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::iter;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::correction::Correction;
use crate::document::Document;
use crate::engine::Passage;
use crate::label::{Label, lower};
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

    /// Whether a correction in it is not among `learnt`.
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

/// What labels are called today, by the names that they had before. Sets differ: one name may have
/// become several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renamed(BTreeMap<String, BTreeSet<String>>);

impl Renamed {
    /// By the aliases of these labels.
    pub fn of<'a>(labels: impl IntoIterator<Item = &'a Label>) -> Renamed {
        let mut renamed = Renamed::default();
        for label in labels {
            for alias in &label.aliases {
                renamed.add(alias, &label.name);
            }
        }
        renamed
    }

    fn add(&mut self, before: &str, today: &str) {
        let names = self.0.entry(lower(before)).or_default();
        names.insert(lower(today));
    }

    /// What a label was called, and what it may be called today, in lower case.
    pub fn names(&self, name: &str) -> BTreeSet<String> {
        let name = lower(name);
        let mut names = self.0.get(&name).cloned().unwrap_or_default();
        names.insert(name);
        names
    }

    /// What a label of `labels` is called today that was called `name`; none where it is not there.
    /// As in a label set, case does not count.
    fn now<'a>(&self, name: &str, labels: &'a [String]) -> Option<&'a str> {
        if let Some(same) = labels.iter().find(|label| *label == name) {
            return Some(same);
        }
        let name = lower(name);
        let today = self.0.get(&name).into_iter().flatten();
        let mut names = iter::once(&name).chain(today);
        names
            .find_map(|name| {
                let mut labels = labels.iter();
                labels.find(|label| lower(label) == *name)
            })
            .map(String::as_str)
    }
}

/// What the journal teaches, oldest first. Texts without any verdict that still counts are left out.
pub fn lessons(entries: &[Entry], renamed: &Renamed) -> Vec<Lesson> {
    let mut lessons: Vec<Lesson> = Vec::new();
    // What was said of each lesson's text, and by which entry.
    let mut said: Vec<BTreeMap<String, (usize, bool)>> = Vec::new();
    let mut by_text: HashMap<u64, usize> = HashMap::new();
    let mut by_document: HashMap<&str, Vec<usize>> = HashMap::new();
    let sets = LabelSets::of(entries, renamed);
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
            let now = renamed.now(name, &labels).unwrap_or(name);
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
            let now = renamed.now(&name, &labels)?;
            Some((now.to_owned(), said))
        });
        let verdicts = merged(known).into_iter();
        lesson.verdicts = verdicts.map(|(name, (_, fits))| (name, fits)).collect();
    }
    lessons.retain(|lesson| !lesson.verdicts.is_empty());
    lessons
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

/// A list of labels, and when it was seen.
struct Seen<'a> {
    labels: &'a [String],
    /// The same in lower case.
    names: BTreeSet<String>,
    first: usize,
    last: usize,
}

impl Seen<'_> {
    /// Whether this list is an older form of the set that `newer` is a form of. Whoever takes it for
    /// one drops what it says of labels that are not there any more, and sets of two folders may
    /// share many labels, so much is asked: that none is lost; or that they never were seen in turn,
    /// and share more than half of the larger one.
    fn became(&self, newer: &Seen, renamed: &Renamed) -> bool {
        let today = self.names.iter().map(|name| {
            let names = renamed.0.get(name).into_iter().flatten();
            let mut names = iter::once(name).chain(names);
            names.find(|name| newer.names.contains(*name))
        });
        let today: Vec<Option<&String>> = today.collect();
        let lost = today.iter().filter(|name| name.is_none()).count();
        let shared = today.iter().flatten().collect::<BTreeSet<_>>().len();
        let larger = (shared + lost).max(newer.names.len());
        lost == 0 || self.last < newer.first && 2 * shared > larger
    }
}

impl<'a> LabelSets<'a> {
    fn of(entries: &'a [Entry], renamed: &Renamed) -> LabelSets<'a> {
        let mut seen: HashMap<&[String], Seen> = HashMap::new();
        for (age, entry) in entries.iter().enumerate() {
            let labels = entry.correction.labels.as_slice();
            let new = || Seen {
                labels,
                names: labels.iter().map(|name| lower(name)).collect(),
                first: age,
                last: age,
            };
            seen.entry(labels).or_insert_with(new).last = age;
        }
        // The same list counts where it was seen last.
        let mut lists: Vec<Seen> = seen.into_values().collect();
        lists.sort_by_key(|list| std::cmp::Reverse(list.last));
        let shared: Vec<Arc<Vec<String>>> = lists
            .iter()
            .map(|list| Arc::new(list.labels.to_vec()))
            .collect();
        let newest = |i: usize| {
            let mut newer = 0..i;
            newer
                .find(|j| lists[i].became(&lists[*j], renamed))
                .unwrap_or(i)
        };
        let now = (0..lists.len()).map(|i| (lists[i].labels, Arc::clone(&shared[newest(i)])));
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
    use crate::label::LabelSet;

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
        lessons(entries, &Renamed::default())
    }

    fn renamed(names: &[(&str, &str)]) -> Renamed {
        let mut renamed = Renamed::default();
        for (before, today) in names {
            renamed.add(before, today);
        }
        renamed
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
        let today = renamed(&[("a", "alpha"), ("b", "alpha"), ("z", "c")]);
        let taught = lessons(&entries, &today);
        assert_eq!(verdicts(&taught[0]), [("alpha", true), ("b", false)]);
        assert_eq!(verdicts(&taught[1]), [("c", true)]);
        // A set that still has the old name keeps it.
        assert_eq!(verdicts(&taught[2]), [("a", true)]);
        // Two labels became one, and one of them fits.
        let merged = [
            entry(1, (None, "one"), ABC, &["a"], &["b"]),
            entry(2, (None, "two"), &["alpha", "c"], &["c"], &[]),
        ];
        let taught = lessons(&merged, &renamed(&[("a", "alpha"), ("b", "alpha")]));
        assert_eq!(verdicts(&taught[0]), [("alpha", true)]);
    }

    #[test]
    fn what_was_said_last_holds_whatever_the_label_was_called_then() {
        let renamed = renamed(&[("a", "alpha")]);
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
    fn what_was_said_with_one_set_outlives_a_verdict_with_another_that_shares_labels_with_it() {
        let birds = &["heron", "owl", "todo", "idea"];
        let few = &["todo", "idea"];
        let work = &["todo", "idea", "invoice", "client"];
        let taught = taught(&[
            entry(1, (None, "one"), birds, &["heron"], &["todo"]),
            entry(2, (None, "two"), few, &["todo"], &[]),
            entry(3, (None, "three"), work, &["client"], &[]),
        ]);
        assert_eq!(verdicts(&taught[0]), [("heron", true), ("todo", false)]);
        assert_eq!(*taught[0].labels, *birds);
        // Nothing is lost where a set has only grown.
        assert_eq!(*taught[1].labels, *work);
    }

    #[test]
    fn sets_that_were_used_in_turn_are_two_however_many_labels_they_share() {
        let more = &["a", "b", "c", "d"];
        let taught = taught(&[
            entry(1, (None, "one"), ABC, &["a"], &[]),
            entry(2, (None, "two"), more, &["d"], &[]),
            entry(3, (None, "three"), ABC, &["a"], &[]),
        ]);
        assert_eq!(verdicts(&taught[1]), [("d", true)]);
    }

    #[test]
    fn a_rename_that_changes_case_alone_is_one() {
        let entries = [
            entry(1, (None, "one"), &["Heron", "tax"], &["Heron"], &[]),
            entry(2, (None, "two"), &["heron", "tax"], &["tax"], &[]),
        ];
        assert_eq!(verdicts(&taught(&entries)[0]), [("heron", true)]);
    }

    #[test]
    fn an_alias_of_two_sets_is_the_label_that_the_set_of_the_verdict_has() {
        let sets = [
            "[[label]]\nname = 'beds'\naliases = ['garden']\n[[label]]\nname = 'tax'\n",
            "[[label]]\nname = 'yard'\naliases = ['Garden']\n[[label]]\nname = 'bikes'\n",
        ];
        let sets = sets.map(|toml| LabelSet::parse(toml).unwrap());
        let renamed = Renamed::of(sets.iter().flat_map(|set| set.labels()));
        let entries = [
            entry(1, (None, "one"), &["garden", "tax"], &["garden"], &[]),
            entry(2, (None, "two"), &["garden", "bikes"], &[], &["garden"]),
            entry(3, (None, "three"), &["beds", "tax"], &["tax"], &[]),
            entry(4, (None, "four"), &["yard", "bikes"], &["bikes"], &[]),
        ];
        let taught = lessons(&entries, &renamed);
        assert_eq!(verdicts(&taught[0]), [("beds", true)]);
        assert_eq!(verdicts(&taught[1]), [("yard", false)]);
    }

    #[test]
    fn front_matter_and_white_space_do_not_decide_what_is_held_out() {
        let plain = "Pruned the roses today.";
        let tagged = "---\ntags: [a]\n---\nPruned  the\nroses today.\n";
        let taught = lessons(
            &[entry(1, (None, tagged), ABC, &["a"], &[])],
            &Renamed::default(),
        );
        assert_eq!(taught[0].is_held_out(), is_held_out(plain));
        let held = (0..1000).filter(|i| is_held_out(&format!("note {i}")));
        let held = held.count();
        assert!((150..250).contains(&held), "{held} of 1000");
    }

    #[test]
    fn a_text_without_a_word_teaches_nothing() {
        let empty = [entry(1, (None, " \n"), ABC, &["a"], &[])];
        assert_eq!(lessons(&empty, &Renamed::default()), []);
    }
}
