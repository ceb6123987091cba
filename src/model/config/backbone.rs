//! The encoders that a checkpoint may have, and their sizes.
//!
//! Plain values; `record` reads them from what transformers writes.

use serde::Deserialize;

/// The encoder of a checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub enum BackboneConfig {
    /// BERT, RoBERTa, XLM-RoBERTa and DistilBERT: one architecture, three sets of names.
    Bert(BertConfig),
    /// ModernBERT: rotary positions, alternating attention, gated MLP.
    ModernBert(ModernBertConfig),
    /// DeBERTa-v2 and v3: disentangled relative attention.
    Deberta(DebertaConfig),
}

/// A non-linearity by its transformers name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `x · Φ(x)`, exact.
    #[serde(alias = "gelu_python")]
    Gelu,
    /// The tanh approximation.
    #[serde(
        alias = "gelu_pytorch_tanh",
        alias = "gelu_python_tanh",
        alias = "gelu_accurate",
        alias = "gelu_fast"
    )]
    GeluNew,
    /// `max(x, 0)`.
    Relu,
    /// `x · sigmoid(x)`.
    #[serde(alias = "swish")]
    Silu,
}

/// Which names the tensors of a BERT-like encoder have, and how positions are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BertFamily {
    /// BERT itself.
    Bert,
    /// RoBERTa, XLM-RoBERTa, CamemBERT: positions start at `pad_token_id + 1`.
    Roberta,
    /// DistilBERT: no token types, other names.
    DistilBert,
}

/// Sizes of a BERT-like encoder.
#[derive(Clone, Debug, PartialEq)]
pub struct BertConfig {
    /// Names and position counting.
    pub family: BertFamily,
    /// Rows of the word embedding.
    pub vocab_size: usize,
    /// Width of a state.
    pub hidden_size: usize,
    /// Number of layers.
    pub layers: usize,
    /// Attention heads of a layer.
    pub heads: usize,
    /// Width of the feed-forward part.
    pub intermediate_size: usize,
    /// Non-linearity of the feed-forward part.
    pub activation: Activation,
    /// Rows of the position embedding.
    pub max_positions: usize,
    /// Rows of the token type embedding; 0 without one.
    pub type_vocab_size: usize,
    /// LayerNorm's epsilon.
    pub norm_eps: f64,
    /// Padding token, from which RoBERTa counts positions.
    pub pad_token_id: u32,
}

impl BertConfig {
    /// The row of the position embedding that the first token takes.
    pub fn first_position(&self) -> u32 {
        match self.family {
            BertFamily::Roberta => self.pad_token_id + 1,
            BertFamily::Bert | BertFamily::DistilBert => 0,
        }
    }
}

/// Sizes of a ModernBERT encoder.
#[derive(Clone, Debug, PartialEq)]
pub struct ModernBertConfig {
    /// Rows of the word embedding (may exceed the tokenizer's vocabulary).
    pub vocab_size: usize,
    /// Width of a state.
    pub hidden_size: usize,
    /// Attention heads of a layer.
    pub heads: usize,
    /// Width of the gated feed-forward part.
    pub intermediate_size: usize,
    /// Non-linearity of the gate.
    pub activation: Activation,
    /// Longest sequence.
    pub max_positions: usize,
    /// LayerNorm's epsilon.
    pub norm_eps: f64,
    /// Whether norms have a bias.
    pub norm_bias: bool,
    /// Whether attention projections have a bias.
    pub attention_bias: bool,
    /// Whether MLP projections have a bias.
    pub mlp_bias: bool,
    /// A token of a sliding layer sees tokens at most this far away, in positions.
    pub window: u32,
    /// The attention of each layer, in order.
    pub layers: Vec<RotaryAttention>,
    /// Padding token.
    pub pad_token_id: u32,
}

/// The attention of one ModernBERT layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RotaryAttention {
    /// Rotary base frequency.
    pub theta: f64,
    /// Whether the layer sees a window only.
    pub sliding: bool,
}

/// Sizes of a DeBERTa-v2 or v3 encoder.
#[derive(Clone, Debug, PartialEq)]
pub struct DebertaConfig {
    /// Rows of the word embedding.
    pub vocab_size: usize,
    /// Width of the word embedding; projected where it differs from `hidden_size`.
    pub embedding_size: usize,
    /// Width of a state.
    pub hidden_size: usize,
    /// Number of layers.
    pub layers: usize,
    /// Attention heads of a layer.
    pub heads: usize,
    /// Width of the feed-forward part.
    pub intermediate_size: usize,
    /// Non-linearity of the feed-forward part.
    pub activation: Activation,
    /// Longest sequence.
    pub max_positions: usize,
    /// Whether absolute positions are added to the input.
    pub position_biased_input: bool,
    /// Rows of the token type embedding; 0 without one.
    pub type_vocab_size: usize,
    /// LayerNorm's epsilon.
    pub norm_eps: f64,
    /// Terms that the scale of the scores counts: the content's, and one for each kind that
    /// `pos_att_type` names, also where there is no relative attention.
    pub score_terms: usize,
    /// Which kinds of relative attention there are.
    pub relative: Option<RelativeAttention>,
    /// Padding token.
    pub pad_token_id: u32,
}

/// DeBERTa's disentangled attention.
#[derive(Clone, Debug, PartialEq)]
pub struct RelativeAttention {
    /// Largest relative distance.
    pub max_distance: usize,
    /// Logarithmic buckets of distance; 0 for one bucket a distance.
    pub buckets: usize,
    /// Content attends to position.
    pub c2p: bool,
    /// Position attends to content.
    pub p2c: bool,
    /// Positions share the content's key and query projections.
    pub share_att_key: bool,
    /// Whether the relative embedding is normalised.
    pub norm: bool,
}

impl RelativeAttention {
    /// Half the rows of the relative embedding.
    pub fn span(&self) -> usize {
        if self.buckets > 0 {
            self.buckets
        } else {
            self.max_distance
        }
    }
}

impl BackboneConfig {
    /// Width of a state.
    pub fn hidden_size(&self) -> usize {
        match self {
            BackboneConfig::Bert(c) => c.hidden_size,
            BackboneConfig::ModernBert(c) => c.hidden_size,
            BackboneConfig::Deberta(c) => c.hidden_size,
        }
    }

    /// Width between the two halves of a layer's feed-forward part.
    pub fn intermediate_size(&self) -> usize {
        match self {
            BackboneConfig::Bert(c) => c.intermediate_size,
            BackboneConfig::ModernBert(c) => c.intermediate_size,
            BackboneConfig::Deberta(c) => c.intermediate_size,
        }
    }

    /// Attention heads of a layer.
    pub fn heads(&self) -> usize {
        match self {
            BackboneConfig::Bert(c) => c.heads,
            BackboneConfig::ModernBert(c) => c.heads,
            BackboneConfig::Deberta(c) => c.heads,
        }
    }

    /// Number of layers.
    pub fn layers(&self) -> usize {
        match self {
            BackboneConfig::Bert(c) => c.layers,
            BackboneConfig::ModernBert(c) => c.layers.len(),
            BackboneConfig::Deberta(c) => c.layers,
        }
    }

    /// Rows of the word embedding.
    pub fn vocab_size(&self) -> usize {
        match self {
            BackboneConfig::Bert(c) => c.vocab_size,
            BackboneConfig::ModernBert(c) => c.vocab_size,
            BackboneConfig::Deberta(c) => c.vocab_size,
        }
    }

    /// Says that the word embedding has another number of rows now.
    pub(crate) fn set_vocab_size(&mut self, rows: usize) {
        match self {
            BackboneConfig::Bert(c) => c.vocab_size = rows,
            BackboneConfig::ModernBert(c) => c.vocab_size = rows,
            BackboneConfig::Deberta(c) => c.vocab_size = rows,
        }
    }

    /// The longest sequence whose positions the encoder knows.
    pub fn max_tokens(&self) -> usize {
        match self {
            BackboneConfig::Bert(c) => c.max_positions.saturating_sub(c.first_position() as usize),
            BackboneConfig::ModernBert(c) => c.max_positions,
            BackboneConfig::Deberta(c) => c.max_positions,
        }
    }

    /// Padding token.
    pub fn pad_token_id(&self) -> u32 {
        match self {
            BackboneConfig::Bert(c) => c.pad_token_id,
            BackboneConfig::ModernBert(c) => c.pad_token_id,
            BackboneConfig::Deberta(c) => c.pad_token_id,
        }
    }

    /// The transformers name of the architecture.
    pub fn name(&self) -> &'static str {
        match self {
            BackboneConfig::Bert(c) => match c.family {
                BertFamily::Bert => "bert",
                BertFamily::Roberta => "roberta",
                BertFamily::DistilBert => "distilbert",
            },
            BackboneConfig::ModernBert(_) => "modernbert",
            BackboneConfig::Deberta(_) => "deberta-v2",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activations_go_by_their_transformers_names() {
        for (name, activation) in [
            ("gelu", Activation::Gelu),
            ("gelu_new", Activation::GeluNew),
            ("gelu_python", Activation::Gelu),
            ("gelu_pytorch_tanh", Activation::GeluNew),
            ("gelu_python_tanh", Activation::GeluNew),
            ("gelu_accurate", Activation::GeluNew),
            ("gelu_fast", Activation::GeluNew),
            ("relu", Activation::Relu),
            ("silu", Activation::Silu),
            ("swish", Activation::Silu),
        ] {
            let read = serde_json::from_value::<Activation>(name.into());
            assert_eq!(read.unwrap(), activation, "{name}");
        }
        assert!(serde_json::from_value::<Activation>("mish".into()).is_err());
    }
}
