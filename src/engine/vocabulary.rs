//! A label set made ready for one model: tokenised once, embedded once.

use std::sync::Arc;

use super::EngineError;
use crate::label::{LabelId, LabelSet, LabelText};
use crate::model::Model;

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
    /// The plain embedding of the label alone, where the calibration wants it.
    pub(super) embedding: Option<Arc<[f32]>>,
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
    /// Tokenises the labels of `set` as `form` spells them.
    pub(super) fn tokenize(
        model: &Model,
        set: Arc<LabelSet>,
        form: LabelText,
    ) -> Result<Vocabulary, EngineError> {
        let texts: Vec<_> = set.labels().iter().map(|label| label.text(form)).collect();
        let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
        let longest = longest_label(model);
        let (mut labels, mut unscored) = (Vec::new(), Vec::new());
        for (i, tokens) in model
            .tokenizer()
            .ids_of_all(&texts)?
            .into_iter()
            .enumerate()
        {
            let id = LabelId(i as u32);
            let reason = match tokens.len() {
                0 => "it has no character that the model knows; give it another name".to_owned(),
                n if n > longest => {
                    format!("its name is {n} tokens long and the model takes {longest}; shorten it")
                }
                _ => {
                    labels.push(TokenizedLabel {
                        id,
                        tokens,
                        embedding: None,
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

    /// The same with these labels only; they keep their ids.
    pub fn subset(&self, ids: &[LabelId]) -> Vocabulary {
        let labels = self
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

/// The longest name a label may have, in tokens: a quarter of what the model reads.
fn longest_label(model: &Model) -> usize {
    model.max_tokens() / 4
}
