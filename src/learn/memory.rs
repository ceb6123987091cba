//! What corrections have taught, at once: verdicts in; what they mean for another text out.
//!
//! The same text, or one that hardly differs, gets the verdict itself. Otherwise the corrected
//! texts that are most like it move the scores of the labels that were judged there, by how wrong
//! the model was. The formula stands in `docs/learning.md`, its constants' reasons in
//! `docs/decisions.md`.
//! Invariant: at most `MOST_ENTRIES` texts and `MOST_OF_A_LABEL` verdicts on a label; a later verdict
//! replaces an earlier one on the same text or document; a vector is compared only with vectors of
//! the same model, so nothing counts twice after the model has learnt it.
//! Pure: no files, clocks or models.
//! Length: its maps change together, so that none is forgotten.

pub mod impressions;
mod neighbours;
mod ordinary;
mod recollect;
mod suspicion;
mod text;
mod untaught;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::correction::Correction;
use crate::engine::{Embedding, Prediction};
use crate::label::{LabelId, LabelSet};
use crate::score::{Logit, Score};

pub use neighbours::Constants;
use neighbours::{Background, Likeness};
pub use ordinary::{any_label, ordinary, ordinary_vectors};
pub use recollect::{RecollectError, recollect};
pub use suspicion::Suspicion;
pub use text::TextKey;
pub use untaught::untaught;

/// So many texts are remembered; those that were not used for longest go first.
pub const MOST_ENTRIES: usize = 10_000;
/// So many go at a time, where there are too many.
const SPARE: usize = MOST_ENTRIES / 32;
/// So many verdicts on one label; the oldest go first.
pub const MOST_OF_A_LABEL: usize = 200;

/// The log-odds of a verdict on the same text: surer than any threshold asks.
const PINNED: f32 = 8.0;

/// All that is remembered.
#[derive(Debug, Default)]
pub struct Memory {
    entries: BTreeMap<u64, Entry>,
    by_text: HashMap<TextKey, u64>,
    by_document: HashMap<String, BTreeSet<u64>>,
    /// Names as they were judged; an entry holds their places here.
    names: Vec<String>,
    by_name: HashMap<String, usize>,
    of_name: Vec<BTreeSet<u64>>,
    /// The model that the vectors are of.
    model: String,
    background: Option<Background>,
    constants: Constants,
    clock: AtomicU64,
}

/// One corrected text.
#[derive(Debug)]
struct Entry {
    text: TextKey,
    document: Option<String>,
    verdicts: Vec<Verdict>,
    /// What the model makes of it; none until it was asked, or where it is another model now.
    likeness: Option<Likeness>,
    used: AtomicU64,
}

#[derive(Debug)]
struct Verdict {
    name: usize,
    fits: bool,
    /// The correction that says so.
    said: u64,
    /// What the model said is missing to the verdict.
    residual: f32,
    /// The same was said of the same text or document before.
    twice: bool,
}

/// What is remembered of a text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recall {
    /// Verdicts on this very text, or one that hardly differs.
    pub pinned: BTreeMap<LabelId, bool>,
    /// What is added to the log-odds of other labels.
    pub shifts: BTreeMap<LabelId, f32>,
}

impl Memory {
    /// Takes note of a correction: from now on its text has its verdict. What it means for other
    /// texts is known after `learn`.
    pub fn add(&mut self, id: u64, correction: &Correction) {
        let text = TextKey::new(&correction.text);
        let document = correction.document.clone();
        let names: Vec<(usize, bool)> = correction
            .verdicts()
            .map(|(name, fits)| (self.name(name), fits))
            .collect();
        // What was said before of the same text or document is said anew.
        let mut earlier = BTreeSet::new();
        earlier.extend(self.by_text.get(&text).copied());
        let of_document = document
            .as_ref()
            .and_then(|name| self.by_document.get(name));
        earlier.extend(of_document.into_iter().flatten().copied());
        let mut twice = BTreeSet::new();
        for (name, fits) in &names {
            for entry in &earlier {
                if self.drop_verdict(*entry, *name) == Some(*fits) {
                    twice.insert(*name);
                }
            }
        }
        let mut verdicts: Vec<Verdict> = Vec::new();
        // The rest of what was said of the same text moves here: a text has one entry.
        if let Some(same) = self.by_text.get(&text).copied()
            && let Some(entry) = self.remove(same)
        {
            verdicts.extend(entry.verdicts);
        }
        verdicts.extend(names.into_iter().map(|(name, fits)| Verdict {
            name,
            fits,
            said: id,
            residual: 0.0,
            twice: twice.contains(&name),
        }));
        if verdicts.is_empty() {
            return;
        }
        for verdict in &verdicts {
            self.of_name[verdict.name].insert(id);
        }
        self.by_text.insert(text, id);
        if let Some(document) = &document {
            let of_document = self.by_document.entry(document.clone()).or_default();
            of_document.insert(id);
        }
        let judged: Vec<usize> = verdicts.iter().map(|verdict| verdict.name).collect();
        let entry = Entry {
            text,
            document,
            verdicts,
            likeness: None,
            used: AtomicU64::new(self.tick()),
        };
        self.entries.insert(id, entry);
        self.make_room(&judged);
    }

    fn make_room(&mut self, judged: &[usize]) {
        for name in judged {
            while self.of_name[*name].len() > MOST_OF_A_LABEL
                && let Some(oldest) = self.of_name[*name].first().copied()
            {
                self.drop_verdict(oldest, *name);
            }
        }
        if self.entries.len() <= MOST_ENTRIES {
            return;
        }
        // Some more go than must, so that not every text that comes has to look all others over.
        let by_use = self.entries.iter();
        let mut by_use: Vec<(u64, u64)> = by_use
            .map(|(id, entry)| (entry.used.load(Ordering::Relaxed), *id))
            .collect();
        by_use.sort_unstable();
        let surplus = self.entries.len() - MOST_ENTRIES + SPARE;
        for (_, idle) in by_use.into_iter().take(surplus) {
            self.remove(idle);
        }
    }

    /// Forgets a correction. Says whether it was remembered.
    pub fn forget(&mut self, id: u64) -> bool {
        self.remove(id).is_some()
    }

    /// A document has another name. What was said of the one that had that name before is kept as
    /// said of a bare text.
    pub fn rename(&mut self, from: &str, to: &str) {
        let Some(ids) = self.by_document.remove(from) else {
            return;
        };
        let overwritten = self.by_document.remove(to).unwrap_or_default();
        let names = [(&overwritten, None), (&ids, Some(to))];
        for (ids, name) in names {
            for id in ids {
                if let Some(entry) = self.entries.get_mut(id) {
                    entry.document = name.map(str::to_owned);
                }
            }
        }
        self.by_document.insert(to.to_owned(), ids);
    }

    /// There is no such document any more. What was said of it is kept as said of a bare text.
    pub fn gone(&mut self, document: &str) {
        for id in self.by_document.remove(document).unwrap_or_default() {
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.document = None;
            }
        }
    }

    /// From now on the vectors are of this model: those of another one are of no use.
    /// `background` are ordinary texts that nobody has judged, as that model sees them.
    pub fn begin(&mut self, model: &str, background: &[Embedding]) {
        self.model = model.to_owned();
        self.background = Background::new(background);
        for entry in self.entries.values_mut() {
            entry.likeness = None;
        }
    }

    /// The model that the vectors are of.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// What the model of `begin` makes of a remembered text: its vector, and what it would say of each
    /// label that was judged if it had not been taught on it (`untaught`). Of another model it is left
    /// out.
    pub fn learn(
        &mut self,
        id: u64,
        model: &str,
        embedding: &Embedding,
        score: impl Fn(&str) -> Option<Score>,
    ) {
        let (Some(entry), Some(background)) = (self.entries.get_mut(&id), &self.background) else {
            return;
        };
        if model != self.model {
            return;
        }
        for verdict in &mut entry.verdicts {
            let said = score(&self.names[verdict.name]).map_or(0.5, Score::value);
            verdict.residual = f32::from(u8::from(verdict.fits)) - said;
        }
        entry.likeness = Some(background.likeness(embedding));
    }

    /// Corrections whose texts the present model has not been asked about.
    pub fn unlearnt(&self) -> BTreeSet<u64> {
        let unlearnt = self.entries.iter();
        let unlearnt = unlearnt.filter(|(_, entry)| entry.likeness.is_none());
        unlearnt.map(|(id, _)| *id).collect()
    }

    /// The labels that were judged in a correction.
    pub fn judged(&self, id: u64) -> Vec<String> {
        let verdicts = self.entries.get(&id).map(|entry| entry.verdicts.as_slice());
        let names = verdicts.unwrap_or(&[]).iter();
        names
            .map(|verdict| self.names[verdict.name].clone())
            .collect()
    }

    /// How many texts are remembered.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What is remembered that bears on a text, in the labels of `set`. `seen` is the text's vector
    /// and the model it is of.
    pub fn recall(&self, text: &str, seen: Option<(&Embedding, &str)>, set: &LabelSet) -> Recall {
        let mut recall = Recall::default();
        if self.entries.is_empty() {
            return recall;
        }
        // Names are looked up when they are needed: a set changes at any time.
        let mut found: Vec<Option<Option<LabelId>>> = vec![None; self.names.len()];
        let mut label =
            |name: usize| *found[name].get_or_insert_with(|| set.find(&self.names[name]));
        let overruled = self.overruled(&mut label);
        if let Some(entry) = self
            .by_text
            .get(&TextKey::new(text))
            .and_then(|id| self.entries.get(id))
        {
            self.pin(entry, &mut label, &overruled, &mut recall);
        }
        let (Some((embedding, model)), Some(background)) = (seen, &self.background) else {
            return recall;
        };
        if model != self.model {
            return recall;
        }
        let here = background.likeness(embedding);
        let mut weight = background.weight(&here, &self.constants);
        let mut votes: BTreeMap<LabelId, f32> = BTreeMap::new();
        // A document that was judged tag by tag has a text for each, since an editor puts the tag in;
        // it is one neighbour all the same.
        let mut documents: HashMap<&str, f32> = HashMap::new();
        // The latest verdict holds, so the latest are asked first.
        for entry in self.entries.values().rev() {
            let Some(there) = &entry.likeness else {
                continue;
            };
            let cosine = here.cosine(there);
            if cosine >= self.constants.duplicate {
                self.pin(entry, &mut label, &overruled, &mut recall);
            }
            let nearness = background.nearness(cosine, &here, there, &self.constants);
            if nearness == 0.0 {
                continue;
            }
            let judged = resolved(entry, &mut label, &overruled);
            if judged.is_empty() {
                continue; // What was said of other labels alone says nothing of these.
            }
            weight += match &entry.document {
                Some(document) => {
                    let known = documents.entry(document).or_default();
                    let nearer = (nearness - *known).max(0.0);
                    *known += nearer;
                    nearer
                }
                None => nearness,
            };
            entry.used.store(self.tick(), Ordering::Relaxed);
            for (label, verdict) in judged {
                *votes.entry(label).or_default() += nearness * verdict.residual;
            }
        }
        let share = self.constants.strength / (self.constants.doubt + weight);
        recall.shifts = votes
            .into_iter()
            .filter(|(label, _)| !recall.pinned.contains_key(label))
            .map(|(label, votes)| (label, votes * share))
            .collect();
        recall
    }

    fn pin(
        &self,
        entry: &Entry,
        label: &mut impl FnMut(usize) -> Option<LabelId>,
        overruled: &BTreeSet<(u64, usize)>,
        recall: &mut Recall,
    ) {
        entry.used.store(self.tick(), Ordering::Relaxed);
        for (label, verdict) in resolved(entry, label, overruled) {
            recall.pinned.entry(label).or_insert(verdict.fits);
        }
    }

    /// The verdicts, each with its correction and its name, that a later one on the same document
    /// overrules under another name of the label. Under the same name `add` has dropped them.
    fn overruled(
        &self,
        label: &mut impl FnMut(usize) -> Option<LabelId>,
    ) -> BTreeSet<(u64, usize)> {
        let mut names: BTreeMap<LabelId, Vec<usize>> = BTreeMap::new();
        for name in 0..self.names.len() {
            if let Some(label) = label(name) {
                names.entry(label).or_default().push(name);
            }
        }
        let mut overruled = BTreeSet::new();
        for names in names.values().filter(|names| names.len() > 1) {
            let mut last: HashMap<&str, u64> = HashMap::new();
            let mut said: Vec<(&str, u64, usize)> = Vec::new();
            for name in names {
                for entry in self.of_name[*name]
                    .iter()
                    .filter_map(|id| self.entries.get(id))
                {
                    let verdict = entry.verdicts.iter().find(|one| one.name == *name);
                    if let (Some(document), Some(verdict)) = (&entry.document, verdict) {
                        let last = last.entry(document).or_default();
                        *last = verdict.said.max(*last);
                        said.push((document, verdict.said, *name));
                    }
                }
            }
            let old = said
                .into_iter()
                .filter(|(of, said, _)| last.get(of) > Some(said));
            overruled.extend(old.map(|(_, said, name)| (said, name)));
        }
        overruled
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }

    fn name(&mut self, name: &str) -> usize {
        if let Some(known) = self.by_name.get(name) {
            return *known;
        }
        self.names.push(name.to_owned());
        self.of_name.push(BTreeSet::new());
        self.by_name.insert(name.to_owned(), self.names.len() - 1);
        self.names.len() - 1
    }

    /// Says what the verdict was, where there was one.
    fn drop_verdict(&mut self, id: u64, name: usize) -> Option<bool> {
        self.of_name[name].remove(&id);
        let verdicts = &mut self.entries.get_mut(&id)?.verdicts;
        let place = verdicts.iter().position(|verdict| verdict.name == name);
        let dropped = place.map(|place| verdicts.remove(place).fits);
        if verdicts.is_empty() {
            self.remove(id);
        }
        dropped
    }

    fn remove(&mut self, id: u64) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        if self.by_text.get(&entry.text) == Some(&id) {
            self.by_text.remove(&entry.text);
        }
        for verdict in &entry.verdicts {
            self.of_name[verdict.name].remove(&id);
        }
        if let Some(document) = &entry.document
            && let Some(of_document) = self.by_document.get_mut(document)
        {
            of_document.remove(&id);
            if of_document.is_empty() {
                self.by_document.remove(document);
            }
        }
        Some(entry)
    }
}

/// What an entry says of each label, under whatever name it was judged: what was said last holds.
/// Of labels that became one it is enough that one fits, where one correction judged them.
fn resolved<'a>(
    entry: &'a Entry,
    label: &mut impl FnMut(usize) -> Option<LabelId>,
    overruled: &BTreeSet<(u64, usize)>,
) -> BTreeMap<LabelId, &'a Verdict> {
    let mut resolved: BTreeMap<LabelId, &Verdict> = BTreeMap::new();
    let verdicts = entry.verdicts.iter();
    for verdict in verdicts.filter(|one| !overruled.contains(&(one.said, one.name))) {
        let Some(label) = label(verdict.name) else {
            continue;
        };
        let known = resolved.entry(label).or_insert(verdict);
        let order = |one: &Verdict| (one.said, one.fits);
        if order(verdict) > order(known)
            || order(verdict) == order(known) && verdict.residual > known.residual
        {
            *known = verdict;
        }
    }
    resolved
}

impl Recall {
    /// The prediction with what is remembered added to it.
    pub fn applied_to(&self, prediction: &Prediction) -> Prediction {
        let mut prediction = prediction.clone();
        for scored in &mut prediction.scores {
            let before = scored.logit.value();
            let after = match (
                self.pinned.get(&scored.label),
                self.shifts.get(&scored.label),
            ) {
                (Some(true), _) => before.max(PINNED),
                (Some(false), _) => before.min(-PINNED),
                (None, Some(shift)) => before + shift,
                (None, None) => continue,
            };
            if let Some(logit) = Logit::new(after) {
                scored.logit = logit;
                scored.score = logit.sigmoid();
            }
        }
        prediction
    }
}

#[cfg(test)]
mod tests;
