//! Which notes have which tags, and how the tags are used: the index in, answers out.
//!
//! Invariant: a note that has a tag below the one that is asked for has that one too; a label that
//! is only suggested counts as suggested. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::index::{Notes, below};
use super::note::Note;
use crate::desk::name::uri_of;
use crate::desk::protocol::{
    CountedTag, FindParams, FoundRecord, FoundTag, SimilarTags, TagPair, TagsResult,
};
use crate::frontmatter::may_be_or_below;
use crate::label::derive::{self, DeriveOptions};

/// So many pairs are told.
const MOST_PAIRS: usize = 50;
/// Of a note with more tags than this, the pairs say nothing.
const MOST_PAIRED: usize = 32;

/// The notes that are asked for, by path.
pub(super) fn find(notes: &Notes, asked: &FindParams, within: &[PathBuf]) -> Vec<FoundRecord> {
    let mut wanted = Wanted::new(asked);
    let found = within.iter().flat_map(|folder| below(notes, folder));
    found
        .filter(|(_, note)| wanted.fits(note))
        .map(|(path, note)| FoundRecord {
            path: path.display().to_string(),
            uri: uri_of(path),
            tags: tags_of(note, asked.written),
        })
        .collect()
}

fn tags_of(note: &Note, written: bool) -> Vec<FoundTag> {
    let score = |name: &Arc<str>| {
        let fit = note.fits.iter().find(|fit| fit.name == *name);
        fit.map(|fit| fit.score)
    };
    let held = note.tags.iter().map(|tag| FoundTag {
        tag: tag.name.to_string(),
        origin: if tag.is_ours { "machine" } else { "person" }.to_owned(),
        score: score(&tag.name),
    });
    let suggested = suggested(note).filter(|_| !written).map(|name| FoundTag {
        tag: name.to_string(),
        origin: "suggested".to_owned(),
        score: score(name),
    });
    held.chain(suggested).collect()
}

/// The labels that fit a note and that it does not have.
fn suggested(note: &Note) -> impl Iterator<Item = &Arc<str>> {
    let is_new = |name: &&Arc<str>| note.tags.iter().all(|tag| !is_same(&tag.name, name));
    note.fits.iter().map(|fit| &fit.name).filter(is_new)
}

/// Two spellings of one tag: neither case nor separators count.
pub(super) fn is_same(a: &str, b: &str) -> bool {
    let fold = |c: char| match c {
        '-' | ' ' => '_',
        c => c,
    };
    let folded = |text: &'_ str| text.to_lowercase().chars().map(fold).collect::<String>();
    a == b || folded(a) == folded(b)
}

/// What a note must have, and what of it is known of each name.
struct Wanted<'a> {
    asked: &'a FindParams,
    /// For each name that was met: which of the tags it is, and which of those not wanted.
    met: HashMap<Arc<str>, (Vec<bool>, bool)>,
}

impl<'a> Wanted<'a> {
    fn new(asked: &'a FindParams) -> Wanted<'a> {
        Wanted {
            asked,
            met: HashMap::new(),
        }
    }

    fn fits(&mut self, note: &Note) -> bool {
        let asked = self.asked;
        let mut has = vec![false; asked.tags.len()];
        let held = note.tags.iter().map(|tag| &tag.name);
        let fits = note.fits.iter().map(|fit| &fit.name);
        for name in held.chain(fits.filter(|_| !asked.written)) {
            let (is, is_unwanted) = self.met.entry(Arc::clone(name)).or_insert_with(|| {
                let is = |tag: &String| may_be_or_below(name, tag);
                (
                    asked.tags.iter().map(is).collect(),
                    asked.not.iter().any(is),
                )
            });
            if *is_unwanted {
                return false;
            }
            has.iter_mut().zip(is).for_each(|(has, is)| *has |= *is);
        }
        match asked.any && !asked.tags.is_empty() {
            true => has.contains(&true),
            false => !has.contains(&false),
        }
    }
}

/// How the tags of the notes are used; `labels` are those of the label sets in force.
pub(super) fn tags(notes: &Notes, within: &[PathBuf], labels: &BTreeSet<String>) -> TagsResult {
    let mut counts: BTreeMap<Arc<str>, CountedTag> = BTreeMap::new();
    let mut pairs: HashMap<(Arc<str>, Arc<str>), usize> = HashMap::new();
    let mut n_notes = 0;
    let mut held: Vec<(PathBuf, Vec<String>)> = Vec::new();
    for (path, note) in within.iter().flat_map(|folder| below(notes, folder)) {
        n_notes += 1;
        let mut counted = |name: &Arc<str>, add: &dyn Fn(&mut CountedTag)| {
            let count = counts
                .entry(Arc::clone(name))
                .or_insert_with(|| CountedTag {
                    tag: name.to_string(),
                    notes: 0,
                    machine: 0,
                    suggested: 0,
                });
            add(count);
        };
        for tag in &note.tags {
            counted(&tag.name, &|count| {
                count.notes += 1;
                count.machine += usize::from(tag.is_ours);
            });
        }
        for name in suggested(note) {
            counted(name, &|count| count.suggested += 1);
        }
        if note.tags.len() <= MOST_PAIRED {
            let mut names: Vec<&Arc<str>> = note.tags.iter().map(|tag| &tag.name).collect();
            names.sort();
            for (at, a) in names.iter().enumerate() {
                for b in &names[at + 1..] {
                    *pairs.entry((Arc::clone(a), Arc::clone(b))).or_default() += 1;
                }
            }
        }
        if !note.tags.is_empty() {
            let names = note.tags.iter().map(|tag| tag.name.to_string());
            held.push((path.clone(), names.collect()));
        }
    }
    let mut tags: Vec<CountedTag> = counts.into_values().collect();
    tags.sort_by(|a, b| (b.notes + b.suggested, &a.tag).cmp(&(a.notes + a.suggested, &b.tag)));
    let is_used = |label: &&String| tags.iter().any(|tag| is_same(&tag.tag, label));
    let unused = labels.iter().filter(|label| !is_used(label)).cloned();
    TagsResult {
        notes: n_notes,
        unused: unused.collect(),
        together: most(pairs),
        similar: similar(held),
        tags,
    }
}

/// The most frequent pairs, of those that are no accident.
fn most(pairs: HashMap<(Arc<str>, Arc<str>), usize>) -> Vec<TagPair> {
    let often = pairs.into_iter().filter(|(_, notes)| *notes > 1);
    let mut pairs: Vec<TagPair> = often
        .map(|((tag, with), notes)| TagPair {
            tag: tag.to_string(),
            with: with.to_string(),
            notes,
        })
        .collect();
    pairs.sort_by(|a, b| (b.notes, &a.tag, &a.with).cmp(&(a.notes, &b.tag, &b.with)));
    pairs.truncate(MOST_PAIRS);
    pairs
}

fn similar(held: Vec<(PathBuf, Vec<String>)>) -> Vec<SimilarTags> {
    let notes = held
        .iter()
        .map(|(path, tags)| (path.as_path() as &Path, tags.clone()));
    let derived = derive::from_tags(notes, DeriveOptions { min_count: 1 });
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
        let found = find(notes, &asked, &[PathBuf::from("/n")]);
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
    fn tags_are_counted_paired_and_compared() {
        let notes = notes(&[
            ("/n/a.md", &["garden", "+tax"], &["tax", "travel"]),
            ("/n/b.md", &["garden", "tax"], &[]),
            ("/n/c.md", &["gardens"], &["garden"]),
        ]);
        let labels = ["garden", "travel", "work"].map(str::to_owned).into();
        let result = tags(&notes, &[PathBuf::from("/n")], &labels);
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
}
