//! Judges the labels of a set together: names against each other, parents against names.
//!
//! Input: labels that are good in themselves. Output: the set, or faults added to the list.
//! Invariant: a set is made only where no fault was added; its cost grows with the number of
//! labels, not with its square.

use std::collections::HashMap;

use super::fault::shown;
use super::read::{Draft, DraftLabel, Lined};
use super::{Label, LabelSet, LabelSetFault, LabelSetProblem, spelling};

/// "Did you mean" compares with every label; beyond this many unknown parents it says less.
const MOST_GUESSES: usize = 20;

pub(super) fn check(draft: Draft, faults: &mut Vec<LabelSetFault>) -> Option<LabelSet> {
    let before = faults.len();
    names(&draft.labels, faults);
    let parents = parents(&draft.labels, faults);
    circles(&draft.labels, &parents, faults);
    if faults.len() > before || draft.labels.is_empty() {
        return None;
    }

    let names: Vec<String> = draft.labels.iter().map(|l| l.name.value.clone()).collect();
    let labels = draft
        .labels
        .into_iter()
        .zip(parents)
        .map(|(label, parent)| Label {
            name: label.name.value,
            description: label.description,
            aliases: label.aliases.into_iter().map(|alias| alias.value).collect(),
            // Under the name that the parent has, however it was spelled here.
            parent: parent.map(|idx| names[idx].clone()),
            threshold: label.threshold,
            manual: label.manual,
        });
    let mut set = LabelSet::new(labels.collect());
    set.name = draft.name.unwrap_or_default();
    set.description = draft.description;
    set.language = draft.language;
    set.threshold = draft.threshold;
    Some(set)
}

/// A spelling that is taken, and by which label.
struct Taken<'a> {
    spelling: &'a Lined<String>,
    label_idx: usize,
}

fn names(labels: &[DraftLabel], faults: &mut Vec<LabelSetFault>) {
    let mut by_lower: HashMap<String, Taken<'_>> = HashMap::new();
    let mut by_fold: HashMap<String, Taken<'_>> = HashMap::new();
    // Names before aliases: a name is what a label is called, so the alias has to give way.
    for (label_idx, label) in labels.iter().enumerate() {
        let name = &label.name;
        let problem = if let Some(taken) = by_lower.get(&spelling::lower(&name.value)) {
            LabelSetProblem::Duplicate {
                name: name.value.clone(),
                first: taken.spelling.line,
            }
        } else if let Some(taken) = by_fold.get(&spelling::fold(&name.value)) {
            looks_alike(name, taken)
        } else {
            let taken = |spelling| Taken {
                spelling,
                label_idx,
            };
            by_lower.insert(spelling::lower(&name.value), taken(name));
            by_fold.insert(spelling::fold(&name.value), taken(name));
            continue;
        };
        faults.push(LabelSetFault {
            line: name.line,
            problem,
        });
    }
    for (label_idx, label) in labels.iter().enumerate() {
        for alias in &label.aliases {
            let problem = match by_lower.get(&spelling::lower(&alias.value)) {
                Some(taken) if taken.label_idx == label_idx => LabelSetProblem::AliasRepeated {
                    alias: alias.value.clone(),
                },
                Some(taken) => LabelSetProblem::AliasTaken {
                    alias: alias.value.clone(),
                    owner: labels[taken.label_idx].name.value.clone(),
                    first: taken.spelling.line,
                },
                None => match by_fold.get(&spelling::fold(&alias.value)) {
                    Some(taken) if taken.label_idx != label_idx => looks_alike(alias, taken),
                    // A second spelling of the same label in nothing but `_` and `-`: needless,
                    // but not wrong.
                    _ => {
                        let taken = |spelling| Taken {
                            spelling,
                            label_idx,
                        };
                        by_lower.insert(spelling::lower(&alias.value), taken(alias));
                        by_fold
                            .entry(spelling::fold(&alias.value))
                            .or_insert(taken(alias));
                        continue;
                    }
                },
            };
            faults.push(LabelSetFault {
                line: alias.line,
                problem,
            });
        }
    }
}

fn looks_alike(name: &Lined<String>, taken: &Taken<'_>) -> LabelSetProblem {
    LabelSetProblem::LooksAlike {
        name: name.value.clone(),
        other: taken.spelling.value.clone(),
        first: taken.spelling.line,
    }
}

/// For each label the index of its parent.
fn parents(labels: &[DraftLabel], faults: &mut Vec<LabelSetFault>) -> Vec<Option<usize>> {
    let mut by_fold: HashMap<String, usize> = HashMap::new();
    for (idx, label) in labels.iter().enumerate() {
        by_fold
            .entry(spelling::fold(&label.name.value))
            .or_insert(idx);
    }
    for (idx, label) in labels.iter().enumerate() {
        for alias in &label.aliases {
            by_fold.entry(spelling::fold(&alias.value)).or_insert(idx);
        }
    }
    let mut n_guesses = 0;
    let mut find = |parent: &Lined<String>| {
        if let Some(&idx) = by_fold.get(&spelling::fold(&parent.value)) {
            return Some(idx);
        }
        let mut guess = None;
        if n_guesses < MOST_GUESSES {
            n_guesses += 1;
            let names = labels.iter().map(|label| label.name.value.as_str());
            guess = spelling::nearest(&parent.value, names);
        }
        let cure = match guess {
            Some(name) => format!("did you mean `{}`?", shown(name)),
            None => "add a `[[label]]` of that name, or remove the key".to_owned(),
        };
        let problem = LabelSetProblem::UnknownParent {
            parent: parent.value.clone(),
            cure,
        };
        faults.push(LabelSetFault {
            line: parent.line,
            problem,
        });
        None
    };
    labels
        .iter()
        .map(|label| find(label.parent.as_ref()?))
        .collect()
}

/// Every circle of parents once, at the `parent` key of its first label.
fn circles(labels: &[DraftLabel], parents: &[Option<usize>], faults: &mut Vec<LabelSetFault>) {
    // Which walk has seen a label; a walk that meets itself has gone in a circle.
    let mut seen_by: Vec<Option<usize>> = vec![None; labels.len()];
    for start in 0..labels.len() {
        let mut next = Some(start);
        while let Some(idx) = next.filter(|&idx| seen_by[idx].is_none()) {
            seen_by[idx] = Some(start);
            next = parents[idx];
        }
        let Some(entry) = next.filter(|&idx| seen_by[idx] == Some(start)) else {
            continue;
        };
        let mut circle = vec![entry];
        let mut next = parents[entry];
        while let Some(idx) = next.filter(|&idx| idx != entry) {
            circle.push(idx);
            next = parents[idx];
        }
        // Told from the label that comes first in the file.
        let first = (0..circle.len())
            .min_by_key(|&at| circle[at])
            .unwrap_or_default();
        circle.rotate_left(first);
        let line = labels[circle[0]]
            .parent
            .as_ref()
            .map_or(1, |parent| parent.line);
        let names = circle
            .iter()
            .map(|&idx| labels[idx].name.value.clone())
            .collect();
        faults.push(LabelSetFault {
            line,
            problem: LabelSetProblem::Cycle { labels: names },
        });
    }
}
