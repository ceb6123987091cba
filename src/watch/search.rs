//! Which notes have which tags, and how the tags are used: the index in, answers out.
//!
//! Invariant: a note that has a tag below the one that is asked for has that one too, and an alias
//! is its label; a label that is only suggested counts as suggested; what a note costs does not grow
//! with the notes. Pure.
//! Length: a third of it is tests.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use super::aliases::Aliases;
use super::index::{Notes, below, below_after};
use super::note::Note;
use crate::desk::name::{path_of, uri_of};
use crate::desk::protocol::{
    CountedTag, FindParams, FoundRecord, FoundTag, SimilarTags, TagPair, TagsResult,
};
use crate::frontmatter::may_be_or_below;
use crate::label::derive::{self, DeriveOptions};
use crate::sink::tag_key;

/// So many pairs are told.
const MOST_PAIRS: usize = 50;
/// Of a note with more tags than this, the pairs say nothing.
const MOST_PAIRED: usize = 32;

/// The notes that are asked for, by path, without those that are `missing`; and whether there may
/// be more behind them.
pub(super) fn find(
    notes: &Notes,
    missing: &HashSet<PathBuf>,
    asked: &FindParams,
    within: &[PathBuf],
    aliases: &Aliases,
) -> (Vec<FoundRecord>, bool) {
    let after = asked.after.as_deref().and_then(path_of);
    let most = asked.limit.unwrap_or(usize::MAX);
    let mut wanted = Wanted::new(asked, aliases);
    let mut spellings = Spellings::new(aliases);
    let mut folders: Vec<&PathBuf> = within.iter().collect();
    folders.sort_unstable(); // So that whatever comes after a note comes after it in all of them.
    let all = folders
        .into_iter()
        .flat_map(|folder| below_after(notes, folder, after.as_deref()));
    let found: Vec<FoundRecord> = all
        .filter(|(path, note)| !missing.contains(*path) && wanted.fits(note))
        .take(most)
        .map(|(path, note)| FoundRecord {
            path: path.display().to_string(),
            uri: uri_of(path),
            tags: tags_of(note, asked.written, &mut spellings),
        })
        .collect();
    let more = found.len() == most;
    (found, more)
}

fn tags_of(note: &Note, written: bool, spellings: &mut Spellings<'_>) -> Vec<FoundTag> {
    let suggested = match written {
        true => Vec::new(),
        false => suggested(note, spellings),
    };
    let fits = note.fits.iter();
    let fits: Vec<(usize, f32)> = fits
        .map(|fit| (spellings.of(&fit.name), fit.score))
        .collect();
    let held = note.tags.iter().map(|tag| {
        let origin = if tag.is_ours { "machine" } else { "person" };
        (&tag.name, origin)
    });
    let suggested = suggested.into_iter().map(|name| (name, "suggested"));
    let tag = |(name, origin): (&Arc<str>, &str)| {
        let number = spellings.of(name);
        let fit = fits.iter().find(|(fit, _)| *fit == number);
        FoundTag {
            tag: name.to_string(),
            origin: origin.to_owned(),
            score: fit.map(|(_, score)| *score),
        }
    };
    held.chain(suggested).map(tag).collect()
}

/// The labels that fit a note and that it does not have.
fn suggested<'a>(note: &'a Note, spellings: &mut Spellings<'_>) -> Vec<&'a Arc<str>> {
    let held: Vec<usize> = note
        .tags
        .iter()
        .map(|tag| spellings.of(&tag.name))
        .collect();
    let fits = note.fits.iter().map(|fit| &fit.name);
    fits.filter(|name| !held.contains(&spellings.of(name)))
        .collect()
}

/// Numbers for names; two spellings of one tag, and the aliases of one label, have the same. A name
/// is keyed once for all notes.
struct Spellings<'a> {
    aliases: &'a Aliases,
    known: HashMap<Arc<str>, usize>,
    by_key: HashMap<String, usize>,
}

impl Spellings<'_> {
    fn new(aliases: &Aliases) -> Spellings<'_> {
        Spellings {
            aliases,
            known: HashMap::new(),
            by_key: HashMap::new(),
        }
    }

    fn of(&mut self, name: &Arc<str>) -> usize {
        if let Some(number) = self.known.get(name) {
            return *number;
        }
        let next = self.by_key.len();
        let number = *self
            .by_key
            .entry(tag_key(&self.aliases.label(name)))
            .or_insert(next);
        self.known.insert(Arc::clone(name), number);
        number
    }
}

/// What a note must have, and what of it is known of each name.
struct Wanted<'a> {
    asked: &'a FindParams,
    aliases: &'a Aliases,
    /// What is asked for, by the names of labels.
    tags: Vec<String>,
    not: Vec<String>,
    /// For each name that was met: which of the tags it is, and which of those not wanted.
    met: HashMap<Arc<str>, (Vec<bool>, bool)>,
    /// Which of the tags the note at hand has.
    has: Vec<bool>,
}

impl<'a> Wanted<'a> {
    fn new(asked: &'a FindParams, aliases: &'a Aliases) -> Wanted<'a> {
        let labels = |tags: &[String]| -> Vec<String> {
            let labels = tags.iter().map(|tag| aliases.label(tag).into_owned());
            labels.collect()
        };
        Wanted {
            asked,
            aliases,
            tags: labels(&asked.tags),
            not: labels(&asked.not),
            met: HashMap::new(),
            has: vec![false; asked.tags.len()],
        }
    }

    fn fits(&mut self, note: &Note) -> bool {
        let asked = self.asked;
        self.has.fill(false);
        let held = note.tags.iter().map(|tag| &tag.name);
        let fits = note.fits.iter().map(|fit| &fit.name);
        for name in held.chain(fits.filter(|_| !asked.written)) {
            if !self.met.contains_key(name) {
                let label = self.aliases.label(name);
                let is = |tag: &String| may_be_or_below(&label, tag);
                let is_wanted = self.tags.iter().map(is).collect();
                let is_unwanted = self.not.iter().any(is);
                self.met.insert(Arc::clone(name), (is_wanted, is_unwanted));
            }
            let Some((is_wanted, is_unwanted)) = self.met.get(name) else {
                continue;
            };
            if *is_unwanted {
                return false;
            }
            let all = self.has.iter_mut().zip(is_wanted);
            all.for_each(|(has, is)| *has |= *is);
        }
        match asked.any && !asked.tags.is_empty() {
            true => self.has.contains(&true),
            false => !self.has.contains(&false),
        }
    }
}

/// Names that were met, each with its number and its count.
struct Counts<'a> {
    aliases: &'a Aliases,
    numbers: HashMap<Arc<str>, usize>,
    counted: Vec<CountedTag>,
}

impl Counts<'_> {
    fn new(aliases: &Aliases) -> Counts<'_> {
        Counts {
            aliases,
            numbers: HashMap::new(),
            counted: Vec::new(),
        }
    }

    fn number(&mut self, name: &Arc<str>) -> usize {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let label = self.aliases.label(name);
        if *label != **name {
            let number = self.number(&Arc::from(&*label));
            self.numbers.insert(Arc::clone(name), number);
            return number;
        }
        let number = self.counted.len();
        self.numbers.insert(Arc::clone(name), number);
        self.counted.push(CountedTag {
            tag: name.to_string(),
            notes: 0,
            machine: 0,
            suggested: 0,
        });
        number
    }
}

/// How the tags of the notes are used; `labels` are those of the label sets in force. A tag that is
/// an alias counts as its label, once in a note that has both.
pub(super) fn tags(
    notes: &Notes,
    within: &[PathBuf],
    labels: &BTreeSet<String>,
    aliases: &Aliases,
) -> TagsResult {
    let mut counts = Counts::new(aliases);
    let mut spellings = Spellings::new(aliases);
    let mut pairs: HashMap<(usize, usize), usize> = HashMap::new();
    let mut n_notes = 0;
    for (_, note) in within.iter().flat_map(|folder| below(notes, folder)) {
        n_notes += 1;
        let mut numbers: Vec<usize> = Vec::with_capacity(note.tags.len());
        for tag in &note.tags {
            let number = counts.number(&tag.name);
            if numbers.contains(&number) {
                continue;
            }
            let counted = &mut counts.counted[number];
            counted.notes += 1;
            counted.machine += usize::from(tag.is_ours);
            numbers.push(number);
        }
        for name in suggested(note, &mut spellings) {
            let number = counts.number(name);
            counts.counted[number].suggested += 1;
        }
        if numbers.len() <= MOST_PAIRED {
            numbers.sort_unstable();
            for (at, a) in numbers.iter().enumerate() {
                for b in &numbers[at + 1..] {
                    *pairs.entry((*a, *b)).or_default() += 1;
                }
            }
        }
    }
    let mut tags = counts.counted;
    let together = most(&tags, pairs);
    tags.sort_by(|a, b| (b.notes + b.suggested, &a.tag).cmp(&(a.notes + a.suggested, &b.tag)));
    let used: BTreeSet<String> = tags.iter().map(|tag| tag_key(&tag.tag)).collect();
    let unused = labels
        .iter()
        .filter(|label| !used.contains(&tag_key(label)));
    TagsResult {
        notes: n_notes,
        unused: unused.cloned().collect(),
        together,
        similar: similar(&tags),
        tags,
    }
}

/// The most frequent pairs, of those that are no accident.
fn most(tags: &[CountedTag], pairs: HashMap<(usize, usize), usize>) -> Vec<TagPair> {
    let often = pairs.into_iter().filter(|(_, notes)| *notes > 1);
    let named = often.map(|((a, b), notes)| {
        let (a, b) = (&tags[a].tag, &tags[b].tag);
        (notes, a.min(b), a.max(b))
    });
    let mut pairs: Vec<(usize, &String, &String)> = named.collect();
    pairs.sort_by(|a, b| (b.0, a.1, a.2).cmp(&(a.0, b.1, b.2)));
    pairs.truncate(MOST_PAIRS);
    let pair = |(notes, tag, with): (usize, &String, &String)| TagPair {
        tag: tag.clone(),
        with: with.clone(),
        notes,
    };
    pairs.into_iter().map(pair).collect()
}

/// Tags that are probably one, of those that stand in notes.
fn similar(tags: &[CountedTag]) -> Vec<SimilarTags> {
    let held: BTreeMap<&str, usize> = tags
        .iter()
        .filter(|tag| tag.notes > 0)
        .map(|tag| (tag.tag.as_str(), tag.notes))
        .collect();
    let derived = derive::from_counts(held, DeriveOptions { min_count: 1 });
    let alike = derived.labels.into_iter();
    let mut alike: Vec<SimilarTags> = alike
        .filter(|label| !label.similar.is_empty() || !label.spellings.is_empty())
        .map(|label| SimilarTags {
            tag: label.name,
            like: label
                .spellings
                .into_iter()
                .map(|(spelling, _)| spelling)
                .chain(label.similar)
                .collect(),
        })
        .collect();
    alike.sort_by(|a, b| a.tag.cmp(&b.tag));
    alike
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::ContentHash;
    use crate::watch::note::{Fit, Held, Stamp};

    /// Notes with the tags that they have (ours with `+`) and those that fit them.
    fn notes(all: &[(&str, &[&str], &[&str])]) -> Notes {
        let note = |(path, tags, fits): &(&str, &[&str], &[&str])| {
            let held = tags.iter().map(|tag| Held {
                name: tag.trim_start_matches('+').into(),
                is_ours: tag.starts_with('+'),
            });
            let fits = fits.iter().map(|name| Fit {
                name: (*name).into(),
                score: 0.5,
            });
            let note = Note {
                stamp: Stamp::default(),
                content: ContentHash::of(b""),
                tags: held.collect(),
                fits: fits.collect(),
                basis: None,
                fault: None,
            };
            (PathBuf::from(path), note)
        };
        all.iter().map(note).collect()
    }

    fn found(notes: &Notes, tags: &[&str], change: fn(&mut FindParams)) -> Vec<String> {
        let mut asked = FindParams {
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            ..FindParams::default()
        };
        change(&mut asked);
        let within = [PathBuf::from("/n")];
        let (found, _) = find(notes, &HashSet::new(), &asked, &within, &Aliases::default());
        found.into_iter().map(|note| note.path).collect()
    }

    #[test]
    fn notes_are_found_by_all_or_any_or_without() {
        let notes = notes(&[
            ("/n/a.md", &["garden/roses", "tax"], &[]),
            ("/n/b.md", &["Garden"], &["tax"]),
            ("/n/c.md", &[], &["garden"]),
            ("/o/d.md", &["garden"], &[]),
        ]);
        let all = ["/n/a.md", "/n/b.md", "/n/c.md"];
        assert_eq!(found(&notes, &["garden"], |_| ()), all);
        assert_eq!(found(&notes, &["garden", "tax"], |_| ()), all[..2]);
        assert_eq!(
            found(&notes, &["garden", "tax"], |asked| asked.any = true),
            all
        );
        assert_eq!(
            found(&notes, &["garden"], |asked| asked.written = true),
            all[..2]
        );
        assert_eq!(
            found(&notes, &[], |asked| asked.not = vec!["tax".to_owned()]),
            all[2..]
        );
        assert_eq!(found(&notes, &["gard"], |_| ()), [""; 0]);
    }

    #[test]
    fn a_tag_has_the_score_of_its_label_however_it_is_spelt() {
        let (held, fits) = (["cafe\u{301}", "+To_Do", "mine"], ["Café", "to-do", "tax"]);
        let notes = notes(&[("/n/a.md", &held, &fits)]);
        let aliases = Aliases::default();
        let note = notes.values().next().unwrap();
        let tags = tags_of(note, false, &mut Spellings::new(&aliases));
        let shown = tags.iter().map(|tag| {
            let score = tag.score.map_or(String::new(), |score| format!(" {score}"));
            format!("{} {}{score}", tag.origin, tag.tag)
        });
        assert_eq!(
            shown.collect::<Vec<_>>(),
            [
                "person cafe\u{301} 0.5",
                "machine To_Do 0.5",
                "person mine",
                "suggested tax 0.5"
            ]
        );
    }

    #[test]
    fn a_note_that_is_not_there_is_not_found_though_it_is_known() {
        let notes = notes(&[("/n/a.md", &["garden"], &[]), ("/n/b.md", &["garden"], &[])]);
        let asked = FindParams {
            tags: vec!["garden".to_owned()],
            limit: Some(1),
            ..FindParams::default()
        };
        let missing = HashSet::from([PathBuf::from("/n/a.md")]);
        let within = [PathBuf::from("/n")];
        let (found, more) = find(&notes, &missing, &asked, &within, &Aliases::default());
        let paths: Vec<&str> = found.iter().map(|note| note.path.as_str()).collect();
        assert_eq!(paths, ["/n/b.md"]);
        assert!(more);
    }

    #[test]
    fn page_after_page_is_what_is_found_at_once() {
        let names: Vec<String> = (0..23)
            .map(|i| format!("/{}/{}/{i}.md", ["n", "o", "n a"][i % 3], i % 5))
            .collect();
        let all: Vec<(&str, &[&str], &[&str])> = names
            .iter()
            .enumerate()
            .map(|(i, name)| {
                let tags: &[&str] = if i % 4 == 0 { &[] } else { &["garden"] };
                (name.as_str(), tags, &[] as &[&str])
            })
            .collect();
        let notes = notes(&all);
        let within = ["/o", "/n", "/n a"].map(PathBuf::from);
        let mut asked = FindParams {
            tags: vec!["garden".to_owned()],
            ..FindParams::default()
        };
        let (whole, more) = find(
            &notes,
            &HashSet::new(),
            &asked,
            &within,
            &Aliases::default(),
        );
        assert_eq!((whole.len(), more), (17, false));
        for limit in 1..19 {
            asked.limit = Some(limit);
            asked.after = None;
            let mut paged = Vec::new();
            loop {
                let (page, more) = find(
                    &notes,
                    &HashSet::new(),
                    &asked,
                    &within,
                    &Aliases::default(),
                );
                assert!(page.len() <= limit);
                asked.after = page.last().map(|note| note.uri.clone());
                paged.extend(page);
                if !more {
                    break;
                }
            }
            assert_eq!(paged, whole, "{limit} a page");
        }
    }

    #[test]
    fn tags_are_counted_paired_and_compared() {
        let notes = notes(&[
            ("/n/a.md", &["garden", "+tax"], &["tax", "travel"]),
            ("/n/b.md", &["garden", "tax"], &[]),
            ("/n/c.md", &["gardens"], &["garden"]),
        ]);
        let labels = ["garden", "travel", "work"].map(str::to_owned).into();
        let result = tags(&notes, &[PathBuf::from("/n")], &labels, &Aliases::default());
        let garden = &result.tags[0];
        assert_eq!(
            (garden.tag.as_str(), garden.notes, garden.suggested),
            ("garden", 2, 1)
        );
        let tax = result.tags.iter().find(|tag| tag.tag == "tax").unwrap();
        assert_eq!((tax.notes, tax.machine, tax.suggested), (2, 1, 0));
        let pair = &result.together[0];
        assert_eq!(
            (pair.tag.as_str(), pair.with.as_str(), pair.notes),
            ("garden", "tax", 2)
        );
        assert_eq!(result.unused, ["work"]);
        assert_eq!(result.similar[0].like, ["gardens"]);
    }

    #[test]
    fn an_alias_is_found_and_counted_as_its_label() {
        let notes = notes(&[
            ("/n/a.md", &["soil"], &["earth"]),
            ("/n/b.md", &["earth", "Soil"], &[]),
            ("/n/c.md", &["soil/clay"], &[]),
        ]);
        let set = "[[label]]\nname = 'earth'\naliases = ['soil']\n";
        let set = crate::label::LabelSet::parse(set).unwrap();
        let aliases = Aliases::of([&set]);
        let within = [PathBuf::from("/n")];
        for tag in ["earth", "soil"] {
            let asked = FindParams {
                tags: vec![tag.to_owned()],
                ..FindParams::default()
            };
            let (found, _) = find(&notes, &HashSet::new(), &asked, &within, &aliases);
            assert_eq!(found.len(), 3, "{tag}");
            assert_eq!(found[0].tags.len(), 1, "it has what is suggested");
        }
        let result = tags(&notes, &within, &["earth".to_owned()].into(), &aliases);
        let counted = result.tags.iter().map(|tag| (tag.tag.as_str(), tag.notes));
        let counted: Vec<_> = counted.collect();
        assert_eq!(counted, [("earth", 2), ("earth/clay", 1)]);
        assert_eq!(result.unused, [""; 0]);
    }
}
