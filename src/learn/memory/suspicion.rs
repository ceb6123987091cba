//! Verdicts that do not go with those on near texts: the memory in, what to ask again out.
//!
//! Invariant: only what holds is asked again, and not what somebody has said twice of the same
//! document. Only texts that are near say anything: most wrong verdicts stand alone, and are not found this way
//! (`docs/decisions.md` has the figures). Pure.

use std::collections::{BTreeMap, HashSet};

use super::{Entry, Memory, Verdict, resolved};
use crate::label::{LabelId, LabelSet};
use crate::learn::memory::neighbours::Likeness;

/// Together the texts that say otherwise must be this near: one at a centred cosine of 0.84, or two
/// at 0.74.
const LEAST_AGAINST: f32 = 0.35;
/// And so many times as near as those that say the same.
const OUTWEIGHED: f32 = 2.0;

/// A verdict that the verdicts on near texts contradict.
#[derive(Clone, Debug, PartialEq)]
pub struct Suspicion {
    /// The document it was said of.
    pub document: String,
    /// The label.
    pub label: String,
    /// What was said.
    pub fits: bool,
    /// How near the texts are that say otherwise.
    pub against: f32,
}

impl Memory {
    /// The verdicts on labels of `set` and on documents that near texts contradict, the surest
    /// contradiction first, one a document and label.
    pub fn suspicions(&self, set: &LabelSet) -> Vec<Suspicion> {
        let mut names: Vec<Option<Option<LabelId>>> = vec![None; self.names.len()];
        let mut label =
            |name: usize| *names[name].get_or_insert_with(|| set.find(&self.names[name]));
        let overruled = self.overruled(&mut label);
        let mut of_label: BTreeMap<LabelId, Vec<Said>> = BTreeMap::new();
        // What was said of a document under another name of the label was said before.
        let mut before: HashSet<(&str, LabelId, bool)> = HashSet::new();
        for entry in self.entries.values() {
            for old in &entry.verdicts {
                if overruled.contains(&(old.said, old.name))
                    && let (Some(document), Some(label)) = (&entry.document, label(old.name))
                {
                    before.insert((document, label, old.fits));
                }
            }
            let Some(likeness) = &entry.likeness else {
                continue;
            };
            for (label, verdict) in resolved(entry, &mut label, &overruled) {
                of_label
                    .entry(label)
                    .or_default()
                    .push((entry, verdict, likeness));
            }
        }
        let mut found = Vec::new();
        for (label, said) in of_label {
            let has = |fits: bool| said.iter().any(|(_, verdict, _)| verdict.fits == fits);
            if !(has(true) && has(false)) {
                continue;
            }
            for one in &said {
                let (entry, verdict, _) = one;
                let Some(document) = entry.document.as_ref().filter(|_| !verdict.twice) else {
                    continue;
                };
                if before.contains(&(document.as_str(), label, verdict.fits)) {
                    continue;
                }
                let others = said.iter().filter(|other| !std::ptr::eq(other.0, *entry));
                let (mut with, mut against) = (0.0, 0.0);
                for other in others {
                    let nearness = self.nearness(one.2, other.2);
                    match other.1.fits == verdict.fits {
                        true => with += nearness,
                        false => against += nearness,
                    }
                }
                if against >= LEAST_AGAINST && against > OUTWEIGHED * with {
                    found.push(Suspicion {
                        document: document.clone(),
                        label: set.label(label).name.clone(),
                        fits: verdict.fits,
                        against,
                    });
                }
            }
        }
        found.sort_by(|a, b| b.against.total_cmp(&a.against));
        found
    }

    /// The directions of the texts that were judged last, at most so many.
    pub fn directions(&self, most: usize) -> Vec<Vec<f32>> {
        let latest = self.entries.values().rev();
        let known = latest.filter_map(|entry| Some(entry.likeness.as_ref()?.unit()));
        known.take(most).collect()
    }

    fn nearness(&self, here: &Likeness, there: &Likeness) -> f32 {
        self.background.as_ref().map_or(0.0, |background| {
            background.nearness(here.cosine(there), here, there, &self.constants)
        })
    }
}

type Said<'a> = (&'a Entry, &'a Verdict, &'a Likeness);
