//! Which of the verdicts of a front matter are a person's: what the daemon made of it in, the same
//! without the tags that GliZNet wrote by itself out.
//!
//! Invariant: what GliZNet wrote speaks neither for its label nor against it, and of a note in which
//! nothing else stands nothing is said, for nobody may have tagged it yet.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::note::Note;
use super::show::Record;
use crate::cli::setup::{LabelArgs, Surroundings};
use crate::cli::whose::{Whose, verdict_on};
use crate::desk::Unsaid;
use crate::label::LabelSet;
use crate::sink::is_same_tag;

/// What is known of the notes of a run.
pub(super) struct Fronts<'a> {
    whose: Whose,
    labels: &'a LabelArgs,
    /// The label sets of folders.
    sets: HashMap<PathBuf, Option<LabelSet>>,
}

impl<'a> Fronts<'a> {
    pub(super) fn new(here: &Surroundings, labels: &'a LabelArgs) -> anyhow::Result<Fronts<'a>> {
        Ok(Fronts {
            whose: Whose::of(&here.folders.data)?,
            labels,
            sets: HashMap::new(),
        })
    }

    /// What is left of a note in which nothing stands but what GliZNet wrote: nothing, so that nobody
    /// need be asked what would be suggested for it.
    pub(super) fn of_machine(&mut self, note: &Note) -> Option<Record> {
        let file = note.file.as_deref()?;
        let set = set_of(&mut self.sets, self.labels, file);
        let machine = self.whose.machines(file, &note.tags, set);
        let is_all = !machine.is_empty() && machine.len() == note.tags.len();
        is_all.then(|| persons(note.unasked(), &note.tags, machine, set))
    }

    /// What the front matter of a note says but for what GliZNet wrote there.
    pub(super) fn without_machine(&mut self, record: Record, note: &Note) -> Record {
        let Some(file) = note.file.as_deref().filter(|_| record.error.is_none()) else {
            return record;
        };
        let set = set_of(&mut self.sets, self.labels, file);
        let machine = self.whose.machines(file, &note.tags, set);
        let record = persons(record, &note.tags, machine, set);
        let said = self.whose.said(file);
        let is_known = said.is_some_and(|said| {
            let is_said = |labels: &[String], fits| {
                let mut labels = labels.iter();
                labels.all(|label| verdict_on(said, label, set) == Some(fits))
            };
            is_said(&record.accepted, true) && is_said(&record.rejected, false)
        });
        match record.is_verdict() && is_known {
            true => record.unsaid(Unsaid::Known.to_string()),
            false => record,
        }
    }
}

/// The labels of a file's folder. Where they cannot be read the daemon says so, and names are compared
/// as they stand.
fn set_of<'s>(
    sets: &'s mut HashMap<PathBuf, Option<LabelSet>>,
    labels: &LabelArgs,
    file: &Path,
) -> Option<&'s LabelSet> {
    let folder = file.parent().unwrap_or(Path::new("/"));
    let set = sets.entry(folder.to_owned());
    let set = set.or_insert_with(|| labels.resolve(&Surroundings::of(folder).ok()?).ok()?);
    set.as_ref()
}

/// The verdict of a note with `tags`, without what stands there by `machine` alone.
fn persons(
    mut record: Record,
    tags: &[String],
    machine: Vec<String>,
    set: Option<&LabelSet>,
) -> Record {
    if machine.is_empty() {
        return record;
    }
    let is_of = |tag: &String, label: &str| match set {
        Some(set) => set.find(tag).is_some() && set.find(tag) == set.find(label),
        None => is_same_tag(tag, label),
    };
    let by_person: Vec<&String> = tags.iter().filter(|tag| !machine.contains(tag)).collect();
    record.accepted.retain(|label| {
        by_person.iter().any(|tag| is_of(tag, label))
            || !machine.iter().any(|tag| is_of(tag, label))
    });
    record.machine = machine;
    let is_nothing = record.accepted.is_empty() && record.rejected.is_empty();
    match record.is_verdict() && (by_person.is_empty() || is_nothing) {
        true => record.unsaid("GliZNet wrote its tags, and nobody has said that they fit".into()),
        false => record,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[track_caller]
    fn check(tags: &[&str], machine: &[&str], accepted: &[&str], unsaid: bool) {
        let source = "[[label]]\nname = 'tax'\n[[label]]\nname = 'earth'\naliases = ['soil']\n\
                      [[label]]\nname = 'garden'\n";
        let set = LabelSet::parse(source).unwrap();
        let label = |tag: &&str| Some(set.label(set.find(tag)?).name.clone());
        let mut all: Vec<String> = tags.iter().filter_map(label).collect();
        all.dedup();
        let record = Record {
            accepted: all,
            rejected: strings(&["garden"]),
            ..Record::default()
        };
        let record = persons(record, &strings(tags), strings(machine), Some(&set));
        assert_eq!(record.unsaid.is_some(), unsaid, "{record:?}");
        if !unsaid {
            assert_eq!(record.accepted, accepted);
            assert_eq!(record.rejected, ["garden"]);
        }
    }

    #[test]
    fn what_the_machine_wrote_is_no_verdict_and_what_a_person_wrote_is() {
        check(&["Tax", "soil"], &[], &["tax", "earth"], false);
        check(&["Tax", "soil"], &["soil"], &["tax"], false);
        check(&["Tax", "soil"], &["Tax"], &["earth"], false);
        check(&["soil", "earth"], &["soil"], &["earth"], false);
        check(&["home", "soil"], &["soil"], &[], false);
        check(&["Tax", "soil"], &["Tax", "soil"], &[], true);
    }
}
