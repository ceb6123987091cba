//! A label set made ready for one model: tokenised once, embedded once.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::alone::{Alone, Readings};
use super::{EngineError, Pause};
use crate::label::{LabelId, LabelSet};
use crate::model::label_head::{LabelHead, LabelHeads};
use crate::model::{LabelStates, Model};

/// So many labels are tokenised from one pause to the next.
const FROM_PAUSE_TO_PAUSE: usize = 256;

/// A label set as one model reads it.
#[derive(Clone, Debug)]
pub struct Vocabulary {
    set: Arc<LabelSet>,
    /// Labels that can be scored, with their tokens, in the set's order.
    pub(super) labels: Vec<TokenizedLabel>,
    unscored: Vec<Unscored>,
}

#[derive(Clone, Debug)]
pub(super) struct TokenizedLabel {
    pub(super) id: LabelId,
    pub(super) tokens: Vec<u32>,
    /// What is read of the label alone.
    pub(super) readings: Readings,
    /// The label read alone, where the calibration wants it.
    pub(super) alone: Option<Alone>,
    /// What was learnt of the label on top of the checkpoint.
    pub(super) head: Option<Arc<LabelHead>>,
}

/// A label that the model cannot score, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unscored {
    /// Which label.
    pub label: LabelId,
    /// The fact and the cure.
    pub reason: String,
}

impl Vocabulary {
    /// Tokenises the labels of `set`, with pauses.
    pub(super) fn tokenize(
        model: &Model,
        set: Arc<LabelSet>,
        pause: Pause,
    ) -> Result<Vocabulary, EngineError> {
        let names: Vec<&str> = set.labels().iter().map(|l| l.name.as_str()).collect();
        let names = model.tokenizer().ids_of_all(&names)?;
        let longest = longest_label(model);
        let (mut labels, mut unscored) = (Vec::new(), Vec::new());
        for (i, tokens) in names.into_iter().enumerate() {
            if i > 0 && i % FROM_PAUSE_TO_PAUSE == 0 && !pause() {
                return Err(EngineError::GivenUp);
            }
            let id = LabelId(i as u32);
            let reason = match tokens.len() {
                0 => "it has no character that the model knows; give it another name".to_owned(),
                n if n > longest => {
                    format!("its name is {n} tokens long and the model takes {longest}; shorten it")
                }
                _ => {
                    labels.push(TokenizedLabel {
                        id,
                        readings: Readings::of(model, &set, id, &tokens, longest)?,
                        tokens,
                        alone: None,
                        head: None,
                    });
                    continue;
                }
            };
            unscored.push(Unscored { label: id, reason });
        }
        Ok(Vocabulary {
            set,
            labels,
            unscored,
        })
    }

    /// Gives each label what was learnt of it.
    pub(super) fn give_heads(&mut self, heads: &LabelHeads) {
        let given = heads_of(&self.set, heads);
        for label in &mut self.labels {
            label.head = given.get(&label.id).cloned();
        }
    }

    /// Whether anything was learnt of one of its labels.
    pub(super) fn has_heads(&self) -> bool {
        self.labels.iter().any(|label| label.head.is_some())
    }

    /// The states of each label's tokens alone, where there are labels and all were read alone.
    pub(super) fn tokens(&self) -> Option<Vec<LabelStates<'_>>> {
        let labels = self.labels.iter();
        let all = labels.map(|label| Some(label.alone.as_ref()?.states()));
        let all: Option<Vec<_>> = all.collect();
        all.filter(|all| !all.is_empty())
    }

    /// The same with these labels only; they keep their ids.
    pub fn subset(&self, ids: &[LabelId]) -> Vocabulary {
        let labels: Vec<TokenizedLabel> = self
            .labels
            .iter()
            .filter(|label| ids.contains(&label.id))
            .cloned()
            .collect();
        Vocabulary {
            set: self.set.clone(),
            labels,
            unscored: Vec::new(),
        }
    }

    /// The column of a label in `PassageViews`; `None` where it cannot be scored.
    pub fn column(&self, id: LabelId) -> Option<usize> {
        self.labels.binary_search_by_key(&id, |label| label.id).ok()
    }

    /// The label set behind it.
    pub fn set(&self) -> &Arc<LabelSet> {
        &self.set
    }

    /// Labels that this model cannot score.
    pub fn unscored(&self) -> &[Unscored] {
        &self.unscored
    }
}

/// What was learnt of each label of a set, under its name or else under one that it also has.
pub fn heads_of(set: &LabelSet, heads: &LabelHeads) -> BTreeMap<LabelId, Arc<LabelHead>> {
    let mut given: BTreeMap<LabelId, Arc<LabelHead>> = BTreeMap::new();
    for (name, head) in heads.iter() {
        let Some(id) = set.find(name) else { continue };
        if set.label(id).name == name || !given.contains_key(&id) {
            given.insert(id, Arc::clone(head));
        }
    }
    given
}

/// The longest name a label may have, in tokens: a quarter of what the model reads.
fn longest_label(model: &Model) -> usize {
    model.max_tokens() / 4
}
