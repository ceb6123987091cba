//! The operations that encoders share.
//!
//! Invariant: what depends on a trained tensor has a gradient. The library's fused operations cut it
//! silently, so they serve inference only; a tensor that is tracked goes through our own.

mod affine;
mod attend;
mod by_row;
mod dropout;
mod gelu;
#[cfg(test)]
mod gradient_check;
mod norm;
mod softmax;
mod values;

use candle_core::{D, Result, Tensor};

pub(crate) use affine::affine;
pub(crate) use by_row::LinearByRow;
pub(crate) use dropout::Dropout;
pub(super) use values::values;

use super::mask::AttentionMask;
use crate::model::config::Activation;
use crate::model::weights::Reader;

/// Layer normalisation with an optional bias, `y = (x - mean) / sqrt(var + eps) · w + b`.
#[derive(Debug)]
pub(crate) struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f32,
}

impl LayerNorm {
    /// Takes `weight` and `bias`, each `[size]`; without `bias` it is zero.
    pub(crate) fn new(size: usize, eps: f64, bias: bool, weights: &Reader) -> Result<LayerNorm> {
        let weight = weights.get("weight", &[size])?;
        let bias = if bias {
            weights.get("bias", &[size])?
        } else {
            weight.zeros_like()?
        };
        Ok(LayerNorm {
            weight,
            bias,
            eps: eps as f32,
        })
    }

    /// `[.., size]` -> `[.., size]`.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if x.track_op() || self.weight.track_op() {
            return norm::layer_norm(x, &self.weight, &self.bias, self.eps);
        }
        // In the weights' float32, whatever the states are.
        let wide = x.contiguous()?.to_dtype(self.weight.dtype())?;
        candle_nn::ops::layer_norm(&wide, &self.weight, &self.bias, self.eps)?.to_dtype(x.dtype())
    }
}

/// A linear map `[.., input] -> [.., output]`.
#[derive(Debug)]
pub(crate) struct Linear {
    weight: Tensor, // [output, input]
    bias: Option<Tensor>,
}

impl Linear {
    /// `[.., input]` -> `[.., output]`.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let plain = x.dtype() == self.weight.dtype() && x.device().is_cpu();
        if x.track_op() || self.weight.track_op() || !plain {
            return affine::affine(x, &self.weight, self.bias.as_ref());
        }
        candle_core::Module::forward(
            &candle_nn::Linear::new(self.weight.clone(), self.bias.clone()),
            x,
        )
    }

    /// The same of `gelu(x)`, which is not kept where it is computed anew on the way back.
    fn forward_gelu(&self, x: &Tensor) -> Result<Tensor> {
        match x.track_op() && values::is_ours(x) {
            true => affine::affine_of_gelu(x, &self.weight, self.bias.as_ref()),
            false => self.forward(&Activation::Gelu.forward(x)?),
        }
    }

    /// Maps of one input as one map, their outputs one after another; `None` where only some have
    /// a bias.
    fn joined(parts: &[&Linear]) -> Result<Option<Linear>> {
        let weights: Vec<&Tensor> = parts.iter().map(|part| &part.weight).collect();
        let biases: Vec<&Tensor> = parts.iter().filter_map(|part| part.bias.as_ref()).collect();
        let bias = match biases.len() {
            0 => None,
            n if n == parts.len() => Some(Tensor::cat(&biases, 0)?),
            _ => return Ok(None),
        };
        let weight = Tensor::cat(&weights, 0)?;
        Ok(Some(Linear { weight, bias }))
    }
}

/// The linear map with `weight` and, where asked, `bias`, in what the part computes in.
pub(crate) fn linear(input: usize, output: usize, bias: bool, weights: &Reader) -> Result<Linear> {
    let get = |name: &str, shape: &[usize]| weights.get(name, shape)?.to_dtype(weights.dtype());
    Ok(Linear {
        weight: get("weight", &[output, input])?,
        bias: bias.then(|| get("bias", &[output])).transpose()?,
    })
}

impl Activation {
    pub(crate) fn forward(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Activation::Gelu if x.track_op() => gelu::gelu(x),
            Activation::Gelu => x.gelu_erf(),
            Activation::GeluNew => x.gelu(),
            Activation::Relu => x.relu(),
            Activation::Silu => x.silu(),
        }
    }
}

/// The feed-forward part of BERT and DeBERTa: `dense(act(dense(x)))`.
#[derive(Debug)]
pub(crate) struct FeedForward {
    pub(crate) inner: Linear,
    pub(crate) outer: Linear,
    pub(crate) activation: Activation,
}

impl FeedForward {
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let inner = self.inner.forward(x)?;
        match self.activation {
            Activation::Gelu => self.outer.forward_gelu(&inner),
            other => self.outer.forward(&other.forward(&inner)?),
        }
    }
}

/// `[batch, token, heads · dim]` -> `[batch, heads, token, dim]`.
pub(crate) fn split_heads(x: &Tensor, heads: usize) -> Result<Tensor> {
    let (batch, tokens, hidden) = x.dims3()?;
    x.reshape((batch, tokens, heads, hidden / heads))?
        .transpose(1, 2)?
        .contiguous()
}

/// `[batch, heads, token, dim]` -> `[batch, token, heads · dim]`.
pub(crate) fn merge_heads(x: &Tensor) -> Result<Tensor> {
    let (batch, heads, tokens, dim) = x.dims4()?;
    x.transpose(1, 2)?.reshape((batch, tokens, heads * dim))
}

/// Shares of each row of the last dimension.
pub(crate) fn softmax(x: &Tensor) -> Result<Tensor> {
    if x.track_op() {
        softmax::softmax(x)
    } else {
        candle_nn::ops::softmax_last_dim(x)
    }
}

/// Attention of states to themselves, by maps to queries, keys and values.
///
/// Where it is trained on a CPU, the three are one map: one product is faster than three, and so is
/// its way back.
pub(crate) fn self_attention(
    states: &Tensor,
    [query, key, value]: [&Linear; 3],
    heads: usize,
    mask: &AttentionMask,
) -> Result<Tensor> {
    let is_trained = states.track_op() || query.weight.track_op();
    if is_trained
        && values::is_ours(states)
        && let Some(joined) = Linear::joined(&[query, key, value])?
    {
        return attend::attend(&joined.forward(states)?, heads, mask.plan(None));
    }
    attention(
        &query.forward(states)?,
        &key.forward(states)?,
        &value.forward(states)?,
        heads,
        mask,
        None,
    )
}

/// Scaled dot-product attention: `q`, `k`, `v` are `[batch, token, hidden]`, heads side by side;
/// the result too.
pub(crate) fn attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    heads: usize,
    mask: &AttentionMask,
    window: Option<u32>,
) -> Result<Tensor> {
    if mask.is_packed() || q.track_op() && values::is_ours(q) {
        let qkv = Tensor::cat(&[q, k, v], D::Minus1)?;
        return attend::attend(&qkv, heads, mask.plan(window));
    }
    let context = attention_of_heads(
        &split_heads(q, heads)?,
        &split_heads(k, heads)?,
        &split_heads(v, heads)?,
        mask,
        window,
    )?;
    merge_heads(&context)
}

/// The same over `[batch, heads, token, dim]`.
///
/// Queries are taken in blocks, so that memory grows with the length and not with its square.
fn attention_of_heads(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    mask: &AttentionMask,
    window: Option<u32>,
) -> Result<Tensor> {
    // The queries are scaled: they are fewer numbers than the scores.
    let q = (q * (1.0 / (q.dim(D::Minus1)? as f64).sqrt()))?;
    let columns = mask.columns(q.dim(1)?, q.dtype(), window)?;
    let (q, keys) = match &columns {
        Some((queries, keys)) => (
            Tensor::cat(&[&q, queries], D::Minus1)?,
            Tensor::cat(&[k, keys], D::Minus1)?.t()?,
        ),
        None => (q, k.t()?),
    };
    let block = |rows: std::ops::Range<usize>| -> Result<Tensor> {
        let q = q.narrow(2, rows.start, rows.len())?;
        let scores = q.contiguous()?.matmul(&keys)?; // [batch, heads, rows, token]
        let scores = match columns {
            Some(_) => scores,
            None => {
                let added = mask.rows(rows, window)?.to_dtype(scores.dtype())?;
                scores.broadcast_add(&added)?
            }
        };
        softmax(&scores)?.matmul(v)
    };
    in_row_blocks(q.dim(2)?, 2, block)
}

/// Runs `block` over ranges of `0..tokens` and joins the results along `dim`.
pub(crate) fn in_row_blocks(
    tokens: usize,
    dim: usize,
    block: impl Fn(std::ops::Range<usize>) -> Result<Tensor>,
) -> Result<Tensor> {
    const ROWS: usize = 1024;
    if tokens <= ROWS {
        return block(0..tokens);
    }
    let parts: Vec<Tensor> = (0..tokens)
        .step_by(ROWS)
        .map(|start| block(start..tokens.min(start + ROWS)))
        .collect::<Result<_>>()?;
    Tensor::cat(&parts, dim)
}
