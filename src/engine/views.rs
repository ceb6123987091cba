//! What the model says of passages before calibration: plans in, the cosines of every window out.
//!
//! Invariant: a text's views are the same whatever shares the batch.

use rayon::prelude::*;

use super::aggregate::{View, whole};
use super::pass::{Pass, Plan};
use super::{Engine, EngineError, Pause, Request};
use crate::model::calibration::Cosines;
use crate::model::sequence::Sequence;
use crate::model::{LabelStates, token_cosines};

/// Views of one passage: `windows[i][j]` is window `i` with the label in column `j` of the vocabulary.
#[derive(Clone, Debug)]
pub struct PassageViews {
    /// One row a window.
    pub windows: Vec<Vec<Option<View>>>,
    /// Whether the text is longer than what was read.
    pub cut: bool,
    /// The plain embedding of each window, as long as the window, where it was computed.
    pub(super) texts: Vec<Vec<f32>>,
}

impl PassageViews {
    /// What the whole text says of the label in this column; `None` where no window met it.
    pub fn cosines(&self, column: usize) -> Option<Cosines> {
        let windows = self.windows.iter().filter_map(|row| *row.get(column)?);
        whole(&windows.collect::<Vec<_>>())
    }
}

/// A window's text as it is read alone.
struct TextAlone {
    /// Of which request, and which window of it.
    place: (usize, usize),
    /// Number of tokens.
    length: usize,
    /// Its plain embedding, of unit length.
    embedding: Vec<f32>,
    /// The cosine of its tokens with those of each label.
    cosines: Option<Vec<f32>>,
}

impl Engine {
    /// The views of every window and label, before calibration.
    ///
    /// # Errors
    /// Of the tokenizer and the tensor library.
    pub fn views(&self, requests: &[Request]) -> Result<Vec<PassageViews>, EngineError> {
        self.views_in_parts(requests, &mut || true)
    }

    /// The same, with pauses.
    pub(super) fn views_in_parts(
        &self,
        requests: &[Request],
        pause: Pause,
    ) -> Result<Vec<PassageViews>, EngineError> {
        let isolated = self.model.config().layout.is_isolated();
        // Tokenising takes longer than a GPU does for the rest.
        let plans = requests.par_iter().map(|request| self.plan(request));
        let plans: Vec<Plan> = plans.collect::<Result<_, _>>()?;
        let mut views: Vec<PassageViews> = requests
            .iter()
            .zip(&plans)
            .map(|(request, plan)| PassageViews {
                windows: vec![vec![None; request.vocabulary.labels.len()]; plan.windows],
                cut: plan.cut,
                texts: Vec::new(),
            })
            .collect();
        let passes: Vec<(usize, &Pass)> = plans
            .iter()
            .enumerate()
            .flat_map(|(i, plan)| plan.passes.iter().map(move |pass| (i, pass)))
            .collect();
        let scale = self.model.logit_scale();
        let mut texts: Vec<TextAlone> = Vec::new();
        let labels = requests.iter().map(|request| request.vocabulary.tokens());
        let labels: Vec<Option<Vec<LabelStates<'_>>>> = labels.collect();
        let hidden = self.model.config().backbone.hidden_size();
        let sequences: Vec<&Sequence> = passes.iter().map(|(_, pass)| &pass.sequence).collect();
        let tokens = labels.iter().any(Option::is_some);
        self.run(&sequences, tokens, pause, |at, output| {
            let (request, pass) = passes[at];
            let row = &mut views[request].windows[pass.window];
            for (label, logit) in pass.labels.clone().zip(output.logits) {
                row[label] = Some(View {
                    joint: Some(logit / scale),
                    ..View::default()
                });
            }
            // Where a window is read with one part of the labels after the other, once.
            if pass.labels.is_empty() || isolated && pass.labels.start == 0 {
                let both = labels[request].as_ref().zip(output.tokens);
                texts.push(TextAlone {
                    place: (request, pass.window),
                    length: pass.sequence.text_tokens.len(),
                    embedding: output.embedding,
                    cosines: both.map(|(labels, text)| token_cosines(hidden, labels, &text)),
                });
            }
        })?;
        // However they were batched: a sum of floats depends on its order.
        texts.sort_by_key(|text| text.place);
        for text in texts {
            let (request, window) = text.place;
            let labels = requests[request].vocabulary.labels.iter().enumerate();
            for ((column, label), view) in labels.zip(&mut views[request].windows[window]) {
                if let Some(alone) = &label.alone {
                    let view = view.get_or_insert_default();
                    view.embed = Some(dot(&text.embedding, &alone.embedding));
                    view.tokens = text.cosines.as_ref().map(|cosines| cosines[column]);
                }
            }
            let mut vector = text.embedding;
            vector.iter_mut().for_each(|x| *x *= text.length as f32);
            views[request].texts.push(vector);
        }
        Ok(views)
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
