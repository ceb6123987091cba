//! The encoders: token ids, positions and a mask in, hidden states out.
//!
//! `bert`, `modernbert` and `deberta` are line-by-line ports of the transformers classes they name,
//! with two differences that candle-transformers' own ports do not offer: positions are given, not
//! counted, and the mask is a full query-by-key one (`label_attention: isolated` needs both).
//! `fused` computes what `bert` and `modernbert` compute, for inference on a CPU, without padding;
//! `late` compares the hidden states of tokens with each other.

mod bert;
mod deberta;
mod fused;
mod kernel;
mod late;
mod mask;
mod modernbert;
mod ops;

use candle_core::{DType, Result, Tensor};

pub(crate) use fused::FusedEncoder;
pub use late::{LabelStates, token_cosines};
pub(crate) use late::{NEAR, TEMPERATURE};
pub(crate) use mask::{AttentionMask, PADDING, TEXT};
pub(crate) use ops::{Dropout, LayerNorm, LinearByRow, affine, linear};

use crate::model::config::BackboneConfig;
use crate::model::weights::Reader;

/// One padded batch for an encoder.
pub(crate) struct EncoderInput<'a> {
    /// Token ids, `[batch, token]`, u32.
    pub(crate) ids: &'a Tensor,
    /// Positions, `[batch, token]`, u32, counted from 0.
    pub(crate) positions: &'a Tensor,
    /// Who sees whom.
    pub(crate) mask: &'a AttentionMask,
    /// What drops states while training.
    pub(crate) dropout: Option<&'a Dropout>,
    /// What the layers compute in. A trained model's weights are float32 in any case; those of
    /// one that only serves were cast when it was loaded.
    pub(crate) dtype: DType,
}

impl EncoderInput<'_> {
    /// The embeddings as the first layer takes them.
    fn enter(&self, states: Tensor) -> Result<Tensor> {
        self.drop(states.to_dtype(self.dtype)?)
    }

    /// The states, some of them dropped while training.
    fn drop(&self, states: Tensor) -> Result<Tensor> {
        match self.dropout {
            Some(dropout) => dropout.forward(&states),
            None => Ok(states),
        }
    }
}

/// An encoder of one of the known architectures.
#[derive(Debug)]
pub(crate) enum Encoder {
    Bert(bert::Bert),
    ModernBert(modernbert::ModernBert),
    Deberta(deberta::Deberta),
}

impl Encoder {
    /// Takes the encoder's tensors from `weights`, whose prefix is the backbone's.
    pub(crate) fn new(config: &BackboneConfig, weights: &Reader) -> Result<Encoder> {
        Ok(match config {
            BackboneConfig::Bert(c) => Encoder::Bert(bert::Bert::new(c, weights)?),
            BackboneConfig::ModernBert(c) => {
                Encoder::ModernBert(modernbert::ModernBert::new(c, weights)?)
            }
            BackboneConfig::Deberta(c) => Encoder::Deberta(deberta::Deberta::new(c, weights)?),
        })
    }

    /// Whether it can read sequences end to end; relative attention needs them one a row.
    pub(crate) fn reads_packed(&self) -> bool {
        !matches!(self, Encoder::Deberta(_))
    }

    /// What the embeddings and the `layers` lowest layers make of the input, `[batch, token, hidden]`.
    pub(crate) fn lower(&self, input: &EncoderInput, layers: usize) -> Result<Tensor> {
        match self {
            Encoder::Bert(encoder) => encoder.lower(input, layers),
            Encoder::ModernBert(encoder) => encoder.lower(input, layers),
            Encoder::Deberta(_) => candle_core::bail!("this encoder reads whole batches only"),
        }
    }

    /// What the layers above those make of it.
    pub(crate) fn upper(
        &self,
        states: Tensor,
        input: &EncoderInput,
        layers: usize,
    ) -> Result<Tensor> {
        match self {
            Encoder::Bert(encoder) => encoder.upper(states, input, layers),
            Encoder::ModernBert(encoder) => encoder.upper(states, input, layers),
            Encoder::Deberta(_) => candle_core::bail!("this encoder reads whole batches only"),
        }
    }

    /// The last hidden states, `[batch, token, hidden]`.
    pub(crate) fn forward(&self, input: &EncoderInput) -> Result<Tensor> {
        match self {
            Encoder::Bert(encoder) => encoder.forward(input),
            Encoder::ModernBert(encoder) => encoder.forward(input),
            Encoder::Deberta(encoder) => encoder.forward(input),
        }
    }
}

/// Name of the word embedding under the backbone's prefix; `[LAB]` may need a new row there.
pub(crate) fn word_embedding_name(config: &BackboneConfig) -> &'static str {
    match config {
        BackboneConfig::ModernBert(_) => "embeddings.tok_embeddings.weight",
        BackboneConfig::Bert(_) | BackboneConfig::Deberta(_) => "embeddings.word_embeddings.weight",
    }
}
