//! The scoring head: hidden states in, one similarity a label out.
//!
//! Port of the reference's `LabelAggregator` and `SimilarityHead`.

use candle_core::{D, Device, Module, Result, Tensor};
use candle_nn::Linear;

use super::config::{ModelConfig, Similarity};
use super::encoder::{LayerNorm, linear};
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

/// Where the states of a batch's labels are.
pub(crate) struct LabelTokens {
    /// Row of `[batch · token]` of every token that stands for a label, `[n]`, u32.
    pub(crate) tokens: Tensor,
    /// The label (numbered through the batch) that each of them belongs to, `[n]`, u32.
    pub(crate) label_of_token: Tensor,
    /// `1 / number of tokens` of each label, `[label, 1]`.
    pub(crate) share: Tensor,
    /// The batch row of each label, `[label]`, u32.
    pub(crate) row_of_label: Tensor,
}

/// What the head says of a batch.
pub(crate) struct Similarities {
    /// Projected, not normalised `[CLS]` states, `[batch, size]`.
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

    /// `states`: `[batch, token, hidden]`.
    pub(crate) fn forward(&self, states: &Tensor, labels: &LabelTokens) -> Result<Similarities> {
        let (batch, tokens, hidden) = states.dims3()?;
        let cls = states.narrow(1, 0, 1)?.reshape((batch, hidden))?;
        let text = project(self.text_projector.as_ref(), &cls)?; // [batch, size]
        let label_states = states
            .reshape((batch * tokens, hidden))?
            .index_select(&labels.tokens, 0)?;
        let label_states = project(self.label_projector.as_ref(), &label_states)?; // [n, size]
        // Projected first, averaged then, as the reference does.
        let (n_labels, size) = (labels.row_of_label.dim(0)?, text.dim(1)?);
        let label = Tensor::zeros((n_labels, size), states.dtype(), states.device())?
            .index_add(&labels.label_of_token, &label_states, 0)?
            .broadcast_mul(&labels.share)?; // [label, size]
        let text_of_label = text.index_select(&labels.row_of_label, 0)?; // [label, size]
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
pub(crate) fn normalize(x: &Tensor) -> Result<Tensor> {
    let norm = x.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?.maximum(MIN_NORM)?;
    x.broadcast_div(&norm)
}

impl LabelTokens {
    /// `tokens_of_label[i]`: batch row and places of the `i`-th label's tokens, in rows of `tokens`.
    pub(crate) fn new(
        tokens_of_label: &[(usize, Vec<usize>)],
        tokens: usize,
        device: &Device,
    ) -> Result<LabelTokens> {
        let mut places = Vec::new();
        let mut label_of_token = Vec::new();
        for (label, (row, own)) in tokens_of_label.iter().enumerate() {
            places.extend(own.iter().map(|token| (row * tokens + token) as u32));
            label_of_token.extend(own.iter().map(|_| label as u32));
        }
        let share = tokens_of_label
            .iter()
            .map(|(_, own)| 1.0 / own.len().max(1) as f32);
        let rows = tokens_of_label.iter().map(|(row, _)| *row as u32);
        Ok(LabelTokens {
            tokens: Tensor::new(places, device)?,
            label_of_token: Tensor::new(label_of_token, device)?,
            share: Tensor::from_iter(share, device)?.unsqueeze(1)?,
            row_of_label: Tensor::from_iter(rows, device)?,
        })
    }
}
