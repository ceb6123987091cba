//! BERT, RoBERTa, XLM-RoBERTa and DistilBERT (transformers: `BertModel`, `RobertaModel`,
//! `XLMRobertaModel`, `DistilBertModel`): one architecture under three sets of names.

use candle_core::{Module, Result, Tensor};
use candle_nn::Embedding;

use super::EncoderInput;
use super::ops::{FeedForward, LayerNorm, Linear, linear, self_attention};
use crate::model::config::{BertConfig, BertFamily};
use crate::model::weights::Reader;

#[derive(Debug)]
pub(crate) struct Bert {
    word: Embedding,
    position: Embedding,
    /// Row 0 of the token type embedding: GliZNet has one type.
    token_type: Option<Tensor>,
    norm: LayerNorm,
    layers: Vec<Layer>,
    first_position: f64,
}

impl Bert {
    pub(crate) fn new(config: &BertConfig, weights: &Reader) -> Result<Bert> {
        let hidden = config.hidden_size;
        let embeddings = weights.part("embeddings");
        let table = |name: &str, rows: usize| -> Result<Embedding> {
            Ok(Embedding::new(
                embeddings.part(name).get("weight", &[rows, hidden])?,
                hidden,
            ))
        };
        let token_type = if config.type_vocab_size > 0 {
            let table = embeddings
                .part("token_type_embeddings")
                .get("weight", &[config.type_vocab_size, hidden])?;
            Some(table.narrow(0, 0, 1)?) // [1, hidden]
        } else {
            None
        };
        let layers = match config.family {
            BertFamily::DistilBert => weights.part("transformer.layer"),
            BertFamily::Bert | BertFamily::Roberta => weights.part("encoder.layer"),
        };
        Ok(Bert {
            word: table("word_embeddings", config.vocab_size)?,
            position: table("position_embeddings", config.max_positions)?,
            token_type,
            norm: LayerNorm::new(hidden, config.norm_eps, true, &embeddings.part("LayerNorm"))?,
            layers: (0..config.layers)
                .map(|i| Layer::new(config, &layers.part(i)))
                .collect::<Result<_>>()?,
            first_position: f64::from(config.first_position()),
        })
    }

    pub(crate) fn forward(&self, input: &EncoderInput) -> Result<Tensor> {
        self.upper(self.lower(input, 0)?, input, 0)
    }

    /// The embeddings and the `layers` lowest layers.
    pub(super) fn lower(&self, input: &EncoderInput, layers: usize) -> Result<Tensor> {
        let mut positions = input.positions.clone();
        if self.first_position > 0.0 {
            positions = (positions + self.first_position)?;
        }
        let mut states = (self.word.forward(input.ids)? + self.position.forward(&positions)?)?;
        if let Some(token_type) = &self.token_type {
            states = states.broadcast_add(token_type)?;
        }
        states = input.enter(self.norm.forward(&states)?)?; // [batch, token, hidden]
        for layer in self.layers.iter().take(layers) {
            states = layer.forward(&states, input)?;
        }
        Ok(states)
    }

    /// The layers above the `layers` lowest.
    pub(super) fn upper(
        &self,
        mut states: Tensor,
        input: &EncoderInput,
        layers: usize,
    ) -> Result<Tensor> {
        for layer in self.layers.iter().skip(layers) {
            states = layer.forward(&states, input)?;
        }
        Ok(states)
    }
}

#[derive(Debug)]
struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    attention_norm: LayerNorm,
    feed_forward: FeedForward,
    output_norm: LayerNorm,
    heads: usize,
}

/// Where a layer's tensors are, under the layer's prefix.
pub(super) struct Names {
    pub(super) query: &'static str,
    pub(super) key: &'static str,
    pub(super) value: &'static str,
    pub(super) output: &'static str,
    pub(super) attention_norm: &'static str,
    pub(super) inner: &'static str,
    pub(super) outer: &'static str,
    pub(super) output_norm: &'static str,
}

/// The names of a family.
pub(super) fn names(family: BertFamily) -> Names {
    match family {
        BertFamily::Bert | BertFamily::Roberta => BERT,
        BertFamily::DistilBert => DISTILBERT,
    }
}

const BERT: Names = Names {
    query: "attention.self.query",
    key: "attention.self.key",
    value: "attention.self.value",
    output: "attention.output.dense",
    attention_norm: "attention.output.LayerNorm",
    inner: "intermediate.dense",
    outer: "output.dense",
    output_norm: "output.LayerNorm",
};

const DISTILBERT: Names = Names {
    query: "attention.q_lin",
    key: "attention.k_lin",
    value: "attention.v_lin",
    output: "attention.out_lin",
    attention_norm: "sa_layer_norm",
    inner: "ffn.lin1",
    outer: "ffn.lin2",
    output_norm: "output_layer_norm",
};

impl Layer {
    fn new(config: &BertConfig, weights: &Reader) -> Result<Layer> {
        let names = names(config.family);
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let square = |name: &str| linear(hidden, hidden, true, &weights.part(name));
        let norm = |name: &str| LayerNorm::new(hidden, config.norm_eps, true, &weights.part(name));
        Ok(Layer {
            query: square(names.query)?,
            key: square(names.key)?,
            value: square(names.value)?,
            output: square(names.output)?,
            attention_norm: norm(names.attention_norm)?,
            feed_forward: FeedForward {
                inner: linear(hidden, inner, true, &weights.part(names.inner))?,
                outer: linear(inner, hidden, true, &weights.part(names.outer))?,
                activation: config.activation,
            },
            output_norm: norm(names.output_norm)?,
            heads: config.heads,
        })
    }

    /// `[batch, token, hidden]` -> `[batch, token, hidden]`.
    fn forward(&self, states: &Tensor, input: &EncoderInput) -> Result<Tensor> {
        let maps = [&self.query, &self.key, &self.value];
        let context = self_attention(states, maps, self.heads, input.mask)?;
        let attended = input.drop(self.output.forward(&context)?)?;
        let states = self.attention_norm.forward(&(attended + states)?)?;
        let fed = input.drop(self.feed_forward.forward(&states)?)?;
        self.output_norm.forward(&(fed + &states)?)
    }
}
