//! The scoring head: hidden states in, one similarity a label out.
//!
//! Port of the reference's `LabelAggregator` and `SimilarityHead`.

use candle_core::{D, Device, Module, Result, Tensor};
use candle_nn::Linear;

use super::config::{ModelConfig, Similarity};
use super::encoder::{LayerNorm, linear};
use super::sequence::Sequence;
use super::weights::Reader;

/// Epsilon of the projectors' LayerNorm (PyTorch's default; the config has no key for it).
const PROJECTOR_EPS: f64 = 1e-5;
/// Smallest norm that a vector is divided by (PyTorch: `F.normalize`).
const MIN_NORM: f64 = 1e-12;

/// Projectors and similarity.
#[derive(Debug)]
pub(crate) struct ScoringHead {
    text_projector: Option<Projector>,
    label_projector: Option<Projector>,
    similarity: SimilarityHead,
}

/// Linear, then LayerNorm.
#[derive(Debug)]
struct Projector {
    linear: Linear,
    norm: LayerNorm,
}

#[derive(Debug)]
enum SimilarityHead {
    /// `exp(logit_scale) · cos(text, label)`.
    Cosine { scale: f32 },
    /// `w · (text ∘ label) + b`.
    Dot(Linear),
    /// `textᵀ W label + b`; `weight` is `[1, size, size]`, `bias` `[1]`.
    Bilinear { weight: Tensor, bias: Tensor },
}

/// Which rows of the states stand for what, in a batch of sequences.
pub(crate) struct StateRows {
    /// Each sequence's `[CLS]`.
    cls: Tensor, // [sequence], u32
    /// The tokens that stand for each label; labels are numbered through the batch.
    labels: Gather,
    /// The sequence of each label.
    sequence_of_label: Tensor, // [label], u32
    /// The text's own tokens of each sequence.
    texts: Gather,
    /// Each sequence's first and last token.
    ends: Vec<(usize, usize)>,
}

/// Rows that are averaged into fewer.
struct Gather {
    rows: Tensor,   // [n], u32
    target: Tensor, // [n], u32
    share: Tensor,  // [target, 1]: 1 / number of rows
}

impl Gather {
    fn new(rows_of_target: &[Vec<u32>], device: &Device) -> Result<Gather> {
        let targets = rows_of_target.iter().zip(0_u32..);
        let target: Vec<u32> = targets
            .flat_map(|(rows, target)| rows.iter().map(move |_| target))
            .collect();
        let share: Vec<f32> = rows_of_target
            .iter()
            .map(|rows| 1.0 / rows.len().max(1) as f32)
            .collect();
        Ok(Gather {
            rows: Tensor::new(rows_of_target.concat(), device)?,
            target: Tensor::new(target, device)?,
            share: Tensor::new(share, device)?.unsqueeze(1)?,
        })
    }

    /// `[row, size]` of all rows, `map`ped one by one, averaged: `[target, size']`.
    fn mean(&self, states: &Tensor, map: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
        let rows = map(&states.index_select(&self.rows, 0)?)?; // [n, size']
        let sums = Tensor::zeros(
            (self.share.dim(0)?, rows.dim(1)?),
            rows.dtype(),
            rows.device(),
        )?;
        sums.index_add(&self.target, &rows, 0)?
            .broadcast_mul(&self.share)
    }
}

impl StateRows {
    /// `row(i, place)` is the row of the state at a place of the `i`-th sequence.
    pub(crate) fn new(
        sequences: &[&Sequence],
        row: impl Fn(usize, usize) -> usize,
        device: &Device,
    ) -> Result<StateRows> {
        let rows = |i: usize, places: &[usize]| {
            places
                .iter()
                .map(|place| row(i, *place) as u32)
                .collect::<Vec<u32>>()
        };
        let numbered = || sequences.iter().enumerate();
        let cls: Vec<u32> = numbered().map(|(i, _)| row(i, 0) as u32).collect();
        let labels: Vec<Vec<u32>> = numbered()
            .flat_map(|(i, s)| s.label_tokens.iter().map(move |own| (i, own)))
            .map(|(i, own)| rows(i, own))
            .collect();
        let sequence_of_label: Vec<u32> = numbered()
            .flat_map(|(i, s)| s.label_tokens.iter().map(move |_| i as u32))
            .collect();
        let texts: Vec<Vec<u32>> = numbered().map(|(i, s)| rows(i, &s.text_tokens)).collect();
        Ok(StateRows {
            cls: Tensor::new(cls, device)?,
            labels: Gather::new(&labels, device)?,
            sequence_of_label: Tensor::new(sequence_of_label, device)?,
            texts: Gather::new(&texts, device)?,
            ends: numbered()
                .map(|(i, s)| (row(i, 0), row(i, s.len() - 1)))
                .collect(),
        })
    }

    /// The states of the first and the last token of the `i`-th sequence: `[row, hidden]` -> two of `[hidden]`.
    pub(crate) fn ends(&self, states: &Tensor, i: usize) -> Result<(Tensor, Tensor)> {
        let (first, last) = self.ends[i];
        Ok((states.get(first)?, states.get(last)?))
    }

    /// Mean of each sequence's text states, of unit length: `[row, hidden]` -> `[sequence, hidden]`.
    pub(crate) fn text_embeddings(&self, states: &Tensor) -> Result<Tensor> {
        normalize(&self.texts.mean(states, |rows| Ok(rows.clone()))?)
    }
}

/// What the head says of a batch.
pub(crate) struct Similarities {
    /// Projected, not normalised `[CLS]` states, `[sequence, size]`.
    pub(crate) text: Tensor,
    /// What the checkpoint calls logits, `[label]`.
    pub(crate) logits: Tensor,
}

impl ScoringHead {
    /// Takes `aggregator.*` and `loss_fn.*` from `weights`.
    pub(crate) fn new(config: &ModelConfig, weights: &Reader) -> Result<ScoringHead> {
        weights.part("loss_fn").skip(); // Belongs to training.
        let weights = weights.part("aggregator");
        let hidden = config.backbone.hidden_size();
        let projector = |name: &str| -> Result<Option<Projector>> {
            let Some(size) = config.projection else {
                return Ok(None);
            };
            let weights = weights.part(name);
            Ok(Some(Projector {
                linear: linear(hidden, size, true, &weights.part(0))?,
                norm: LayerNorm::new(size, PROJECTOR_EPS, true, &weights.part(1))?,
            }))
        };
        let similarity = weights.part("similarity_head");
        let size = config.vector_size();
        // Saved for every metric; a model with a fixed temperature may lack it.
        let scale = if config.learn_temperature && config.similarity == Similarity::Cosine {
            Some(similarity.get("logit_scale", &[])?)
        } else {
            similarity.get_if_there("logit_scale", &[])?
        };
        let scale = match scale {
            Some(scale) => scale.to_scalar::<f32>()?,
            None => config.logit_scale_init as f32,
        };
        Ok(ScoringHead {
            text_projector: projector("text_projector")?,
            label_projector: projector("label_projector")?,
            similarity: match config.similarity {
                Similarity::Cosine => SimilarityHead::Cosine { scale: scale.exp() },
                Similarity::Dot => {
                    SimilarityHead::Dot(linear(size, 1, true, &similarity.part("classifier"))?)
                }
                Similarity::Bilinear => SimilarityHead::Bilinear {
                    weight: similarity.get("classifier.weight", &[1, size, size])?,
                    bias: similarity.get("classifier.bias", &[1])?,
                },
            },
        })
    }

    /// The factor between a cosine and the logit; 1 for other similarities.
    pub(crate) fn scale(&self) -> f32 {
        match self.similarity {
            SimilarityHead::Cosine { scale } => scale,
            SimilarityHead::Dot(_) | SimilarityHead::Bilinear { .. } => 1.0,
        }
    }

    /// `states`: `[row, hidden]`.
    pub(crate) fn forward(&self, states: &Tensor, rows: &StateRows) -> Result<Similarities> {
        let text = project(
            self.text_projector.as_ref(),
            &states.index_select(&rows.cls, 0)?,
        )?; // [sequence, size]
        // Projected first, averaged then, as the reference does.
        let label = rows.labels.mean(states, |states| {
            project(self.label_projector.as_ref(), states)
        })?; // [label, size]
        let text_of_label = text.index_select(&rows.sequence_of_label, 0)?; // [label, size]
        let logits = match &self.similarity {
            SimilarityHead::Cosine { scale } => {
                ((normalize(&text_of_label)? * normalize(&label)?)?.sum(D::Minus1)?
                    * f64::from(*scale))?
            }
            SimilarityHead::Dot(classifier) => {
                classifier.forward(&(text_of_label * label)?)?.squeeze(1)?
            }
            SimilarityHead::Bilinear { weight, bias } => {
                let turned = text_of_label.matmul(&weight.squeeze(0)?)?; // [label, size]
                (turned * label)?.sum(D::Minus1)?.broadcast_add(bias)?
            }
        };
        Ok(Similarities { text, logits })
    }
}

fn project(projector: Option<&Projector>, x: &Tensor) -> Result<Tensor> {
    match projector {
        Some(Projector { linear, norm }) => norm.forward(&linear.forward(x)?),
        None => Ok(x.clone()),
    }
}

/// Rows of unit length, `[n, size]` -> `[n, size]`.
fn normalize(x: &Tensor) -> Result<Tensor> {
    let norm = x.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?.maximum(MIN_NORM)?;
    x.broadcast_div(&norm)
}
