//! Checkpoints to packed weights: the names are those of the plain encoders.

use std::sync::Mutex;

use candle_core::Result;

use super::attention::Heads;
use super::layer::{Form, Layer, Norm};
use super::linear::{Packing, Unpacked};
use super::{FusedEncoder, Rotation};
use crate::model::config::{Activation, BertConfig, BertFamily, ModernBertConfig};
use crate::model::encoder::bert;
use crate::model::weights::Reader;

pub(super) fn load_bert(
    config: &BertConfig,
    weights: &Reader,
    packing: Packing,
) -> Result<Option<FusedEncoder>> {
    if config.activation != Activation::Gelu {
        return Ok(None);
    }
    let hidden = config.hidden_size;
    let heads = Heads {
        n: config.heads,
        hidden,
    };
    let embeddings = weights.part("embeddings");
    let shape = [config.max_positions, hidden];
    let mut position = embeddings.get("position_embeddings.weight", &shape)?;
    if config.type_vocab_size > 0 {
        let shape = [config.type_vocab_size, hidden];
        let types = embeddings.get("token_type_embeddings.weight", &shape)?;
        position = position.broadcast_add(&types.narrow(0, 0, 1)?)?;
    }
    let names = bert::names(config.family);
    let layers = match config.family {
        BertFamily::DistilBert => weights.part("transformer.layer"),
        BertFamily::Bert | BertFamily::Roberta => weights.part("encoder.layer"),
    };
    let norm = |weights: Reader| Norm::read(hidden, config.norm_eps, true, &weights);
    let layer = |i: usize| -> Result<Layer> {
        let weights = layers.part(i);
        let inner = config.intermediate_size;
        let qkv = [names.query, names.key, names.value].map(|name| weights.part(name));
        let linear = |input, output, name: &str| -> Result<_> {
            let read = Unpacked::read(input, output, true, &[weights.part(name)])?;
            Ok(read.pack(packing))
        };
        Ok(Layer {
            qkv: Unpacked::read(hidden, hidden, true, &qkv)?
                .scale(hidden, heads.scale())
                .pack(packing),
            output: linear(hidden, hidden, names.output)?,
            inner: linear(hidden, inner, names.inner)?,
            outer: linear(inner, hidden, names.outer)?,
            form: Form::After {
                attention: norm(weights.part(names.attention_norm))?,
                feed: norm(weights.part(names.output_norm))?,
            },
            window: None,
        })
    };
    Ok(Some(FusedEncoder {
        word: embeddings.get("word_embeddings.weight", &[config.vocab_size, hidden])?,
        position: position.flatten_all()?.to_vec1()?,
        first_position: config.first_position() as usize,
        norm: norm(embeddings.part("LayerNorm"))?,
        layers: (0..config.layers).map(layer).collect::<Result<_>>()?,
        rotations: Vec::new(),
        final_norm: None,
        heads,
        spare: Mutex::default(),
    }))
}

pub(super) fn load_modernbert(
    config: &ModernBertConfig,
    weights: &Reader,
    packing: Packing,
) -> Result<Option<FusedEncoder>> {
    if config.activation != Activation::Gelu {
        return Ok(None);
    }
    let hidden = config.hidden_size;
    let heads = Heads {
        n: config.heads,
        hidden,
    };
    let embeddings = weights.part("embeddings");
    let norm = |weights: Reader| Norm::read(hidden, config.norm_eps, config.norm_bias, &weights);
    let mut rotations: Vec<Rotation> = Vec::new();
    let mut layers = Vec::with_capacity(config.layers.len());
    for (i, kind) in config.layers.iter().enumerate() {
        let weights = weights.part(format!("layers.{i}"));
        let inner = config.intermediate_size;
        let linear = |input, output, bias, name: &str| -> Result<_> {
            Unpacked::read(input, output, bias, &[weights.part(name)])
        };
        let known = rotations.iter().position(|known| known.theta == kind.theta);
        if known.is_none() {
            rotations.push(Rotation { theta: kind.theta });
        }
        let (attention_bias, mlp_bias) = (config.attention_bias, config.mlp_bias);
        layers.push(Layer {
            qkv: linear(hidden, 3 * hidden, attention_bias, "attn.Wqkv")?
                .scale(hidden, heads.scale())
                .pack(packing),
            output: linear(hidden, hidden, attention_bias, "attn.Wo")?.pack(packing),
            inner: linear(hidden, 2 * inner, mlp_bias, "mlp.Wi")?.pack(packing),
            outer: linear(inner, hidden, mlp_bias, "mlp.Wo")?.pack(packing),
            form: Form::Before {
                attention: match i {
                    0 => None, // Its input is normalised already.
                    _ => Some(norm(weights.part("attn_norm"))?),
                },
                feed: norm(weights.part("mlp_norm"))?,
                rotary: known.unwrap_or(rotations.len() - 1),
            },
            window: kind.sliding.then_some(config.window),
        });
    }
    Ok(Some(FusedEncoder {
        word: embeddings.get("tok_embeddings.weight", &[config.vocab_size, hidden])?,
        position: Vec::new(),
        first_position: 0,
        norm: norm(embeddings.part("norm"))?,
        layers,
        rotations,
        final_norm: Some(norm(weights.part("final_norm"))?),
        heads,
        spare: Mutex::default(),
    }))
}

impl Norm {
    fn read(size: usize, eps: f64, has_bias: bool, weights: &Reader) -> Result<Norm> {
        Ok(Norm {
            weight: weights.get("weight", &[size])?.to_vec1()?,
            bias: match has_bias {
                true => weights.get("bias", &[size])?.to_vec1()?,
                false => vec![0.0; size],
            },
            eps: eps as f32,
        })
    }
}
