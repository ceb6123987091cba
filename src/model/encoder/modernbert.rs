//! ModernBERT (transformers: `ModernBertModel`): rotary positions, every third layer sees
//! everything, the others a window; gated MLP; norms before each part.

use candle_core::{D, Device, Module, Result, Tensor};
use candle_nn::Embedding;

use super::EncoderInput;
use super::ops::{LayerNorm, Linear, attention, linear};
use crate::model::config::{Activation, ModernBertConfig, RotaryAttention};
use crate::model::weights::Reader;

#[derive(Debug)]
pub(crate) struct ModernBert {
    word: Embedding,
    norm: LayerNorm,
    layers: Vec<Layer>,
    final_norm: LayerNorm,
    head_dim: usize,
}

impl ModernBert {
    pub(crate) fn new(config: &ModernBertConfig, weights: &Reader) -> Result<ModernBert> {
        let hidden = config.hidden_size;
        let norm = |name: &str| {
            LayerNorm::new(
                hidden,
                config.norm_eps,
                config.norm_bias,
                &weights.part(name),
            )
        };
        let embeddings = weights.part("embeddings.tok_embeddings");
        let layers = config.layers.iter().enumerate();
        Ok(ModernBert {
            word: Embedding::new(
                embeddings.get("weight", &[config.vocab_size, hidden])?,
                hidden,
            ),
            norm: norm("embeddings.norm")?,
            layers: layers
                .map(|(i, kind)| {
                    Layer::new(config, *kind, i == 0, &weights.part(format!("layers.{i}")))
                })
                .collect::<Result<_>>()?,
            final_norm: norm("final_norm")?,
            head_dim: hidden / config.heads,
        })
    }

    pub(crate) fn forward(&self, input: &EncoderInput) -> Result<Tensor> {
        self.upper(self.lower(input, 0)?, input, 0)
    }

    /// The embeddings and the `layers` lowest layers.
    pub(super) fn lower(&self, input: &EncoderInput, layers: usize) -> Result<Tensor> {
        let states = self.norm.forward(&self.word.forward(input.ids)?)?;
        let states = input.enter(states)?; // [batch, token, hidden]
        Self::through(
            self.layers.iter().take(layers),
            states,
            input,
            self.head_dim,
        )
    }

    /// The layers above the `layers` lowest, and the norm.
    pub(super) fn upper(
        &self,
        states: Tensor,
        input: &EncoderInput,
        layers: usize,
    ) -> Result<Tensor> {
        let layers = self.layers.iter().skip(layers);
        let states = Self::through(layers, states, input, self.head_dim)?;
        self.final_norm.forward(&states)
    }

    fn through<'a>(
        layers: impl Iterator<Item = &'a Layer>,
        mut states: Tensor,
        input: &EncoderInput,
        head_dim: usize,
    ) -> Result<Tensor> {
        let mut rotations: Vec<(f64, Rotation)> = Vec::new();
        for layer in layers {
            let theta = layer.kind.theta;
            if !rotations.iter().any(|(known, _)| *known == theta) {
                rotations.push((theta, Rotation::new(input, theta, head_dim)?));
            }
            for (_, rotation) in rotations.iter().filter(|(known, _)| *known == theta) {
                states = layer.forward(&states, rotation, input)?;
            }
        }
        Ok(states)
    }
}

#[derive(Debug)]
struct Layer {
    kind: RotaryAttention,
    window: Option<u32>,
    heads: usize,
    /// The first layer's input is normalised already.
    attention_norm: Option<LayerNorm>,
    qkv: Linear,
    output: Linear,
    mlp_norm: LayerNorm,
    /// Input and gate in one product, `[2 · intermediate, hidden]`.
    mlp_input: Linear,
    mlp_output: Linear,
    activation: Activation,
}

impl Layer {
    fn new(
        config: &ModernBertConfig,
        kind: RotaryAttention,
        first: bool,
        weights: &Reader,
    ) -> Result<Layer> {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let norm = |name: &str| {
            LayerNorm::new(
                hidden,
                config.norm_eps,
                config.norm_bias,
                &weights.part(name),
            )
        };
        Ok(Layer {
            kind,
            window: kind.sliding.then_some(config.window),
            heads: config.heads,
            attention_norm: if first {
                None
            } else {
                Some(norm("attn_norm")?)
            },
            qkv: linear(
                hidden,
                3 * hidden,
                config.attention_bias,
                &weights.part("attn.Wqkv"),
            )?,
            output: linear(
                hidden,
                hidden,
                config.attention_bias,
                &weights.part("attn.Wo"),
            )?,
            mlp_norm: norm("mlp_norm")?,
            mlp_input: linear(hidden, 2 * inner, config.mlp_bias, &weights.part("mlp.Wi"))?,
            mlp_output: linear(inner, hidden, config.mlp_bias, &weights.part("mlp.Wo"))?,
            activation: config.activation,
        })
    }

    /// `[batch, token, hidden]` -> `[batch, token, hidden]`.
    fn forward(
        &self,
        states: &Tensor,
        rotation: &Rotation,
        input: &EncoderInput,
    ) -> Result<Tensor> {
        let normed = match &self.attention_norm {
            Some(norm) => norm.forward(states)?,
            None => states.clone(),
        };
        let qkv = self.qkv.forward(&normed)?.chunk(3, D::Minus1)?; // 3 of [batch, token, hidden]
        let query = rotation.turn(&qkv[0], self.heads)?;
        let key = rotation.turn(&qkv[1], self.heads)?;
        let context = attention(&query, &key, &qkv[2], self.heads, input.mask, self.window)?;
        let states = (states + input.drop(self.output.forward(&context)?)?)?;
        let parts = self
            .mlp_input
            .forward(&self.mlp_norm.forward(&states)?)?
            .chunk(2, D::Minus1)?;
        let gated = (self.activation.forward(&parts[0].contiguous()?)? * &parts[1])?;
        &states + input.drop(self.mlp_output.forward(&gated)?)?
    }
}

/// Rotary position embedding at the positions of one batch (transformers: `rotate_half`).
struct Rotation {
    cos: Tensor, // [batch, token, 1, head_dim]
    sin: Tensor,
}

impl Rotation {
    fn new(input: &EncoderInput, theta: f64, head_dim: usize) -> Result<Rotation> {
        let (batch, tokens) = input.positions.dims2()?;
        let device: &Device = input.positions.device();
        let half = head_dim / 2;
        // Angles in f64: float32 loses the phase of far positions.
        let angles: Vec<f64> = input
            .mask
            .positions()
            .iter()
            .flat_map(|p| {
                (0..head_dim)
                    .map(move |i| f64::from(*p) / theta.powf((i % half) as f64 / half as f64))
            })
            .collect();
        let shape = (batch, tokens, 1, head_dim);
        let table = |f: fn(f64) -> f64| {
            Tensor::from_iter(angles.iter().map(|a| f(*a) as f32), device)?.reshape(shape)
        };
        Ok(Rotation {
            cos: table(f64::cos)?,
            sin: table(f64::sin)?,
        })
    }

    /// `[batch, token, hidden]`, each head rotated by its token's position.
    fn turn(&self, x: &Tensor, heads: usize) -> Result<Tensor> {
        let (batch, tokens, hidden) = x.dims3()?;
        let x = x.reshape((batch, tokens, heads, hidden / heads))?;
        let half = hidden / heads / 2;
        let (left, right) = (
            x.narrow(D::Minus1, 0, half)?,
            x.narrow(D::Minus1, half, half)?,
        );
        let turned = Tensor::cat(&[&right.neg()?, &left], D::Minus1)?;
        let (cos, sin) = (self.cos.to_dtype(x.dtype())?, self.sin.to_dtype(x.dtype())?);
        (x.broadcast_mul(&cos)? + turned.broadcast_mul(&sin)?)?.flatten_from(2)
    }
}
