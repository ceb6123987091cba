//! DeBERTa-v2 and v3 (transformers: `DebertaV2Model`): content and relative position attend to
//! each other in separate terms.

use candle_core::{D, Module, Result, Tensor};
use candle_nn::Embedding;

use super::EncoderInput;
use super::mask::AttentionMask;
use super::ops::{
    FeedForward, LayerNorm, Linear, in_row_blocks, linear, merge_heads, softmax, split_heads,
};
use crate::model::config::{DebertaConfig, RelativeAttention};
use crate::model::weights::Reader;

#[derive(Debug)]
pub(crate) struct Deberta {
    word: Embedding,
    position: Option<Embedding>,
    token_type: Option<Tensor>,
    embedding_projection: Option<Linear>,
    norm: LayerNorm,
    /// Kinds of relative attention, the embedding `[2·span, hidden]`, and its norm.
    relative: Option<(RelativeAttention, Tensor, Option<LayerNorm>)>,
    layers: Vec<Layer>,
}

impl Deberta {
    pub(crate) fn new(config: &DebertaConfig, weights: &Reader) -> Result<Deberta> {
        let (hidden, width) = (config.hidden_size, config.embedding_size);
        let embeddings = weights.part("embeddings");
        let table = |name: &str, rows: usize| embeddings.part(name).get("weight", &[rows, width]);
        let position = config
            .position_biased_input
            .then(|| table("position_embeddings", config.max_positions));
        let token_type = (config.type_vocab_size > 0)
            .then(|| table("token_type_embeddings", config.type_vocab_size)?.narrow(0, 0, 1));
        let encoder = weights.part("encoder");
        let relative = match &config.relative {
            Some(relative) => {
                let table = encoder
                    .part("rel_embeddings")
                    .get("weight", &[2 * relative.span(), hidden])?;
                let norm = relative.norm.then(|| {
                    LayerNorm::new(hidden, config.norm_eps, true, &encoder.part("LayerNorm"))
                });
                Some((relative.clone(), table, norm.transpose()?))
            }
            None => {
                // transformers makes this norm for its name alone, and then has nothing to normalise.
                encoder.part("LayerNorm").skip();
                None
            }
        };
        Ok(Deberta {
            word: Embedding::new(table("word_embeddings", config.vocab_size)?, width),
            position: position
                .transpose()?
                .map(|table| Embedding::new(table, width)),
            token_type: token_type.transpose()?,
            embedding_projection: (width != hidden)
                .then(|| linear(width, hidden, false, &embeddings.part("embed_proj")))
                .transpose()?,
            norm: LayerNorm::new(hidden, config.norm_eps, true, &embeddings.part("LayerNorm"))?,
            layers: (0..config.layers)
                .map(|i| Layer::new(config, &encoder.part(format!("layer.{i}"))))
                .collect::<Result<_>>()?,
            relative,
        })
    }

    pub(crate) fn forward(&self, input: &EncoderInput) -> Result<Tensor> {
        let mut states = self.word.forward(input.ids)?;
        if let Some(position) = &self.position {
            states = (states + position.forward(input.positions)?)?;
        }
        if let Some(token_type) = &self.token_type {
            states = states.broadcast_add(token_type)?;
        }
        if let Some(projection) = &self.embedding_projection {
            states = projection.forward(&states)?;
        }
        states = input.enter(self.norm.forward(&states)?)?; // [batch, token, hidden]
        let relative = match &self.relative {
            Some((kinds, table, norm)) => Some(Relative {
                kinds,
                // Normalised anew each time: training moves both the table and the norm.
                table: match norm {
                    Some(norm) => norm.forward(table)?.unsqueeze(0)?,
                    None => table.unsqueeze(0)?,
                }
                .to_dtype(input.dtype)?,
                distances: distances(kinds, input)?,
            }),
            None => None,
        };
        for layer in &self.layers {
            states = layer.forward(&states, relative.as_ref(), input)?;
        }
        Ok(states)
    }
}

/// What the layers need to know of relative positions in one batch.
struct Relative<'a> {
    kinds: &'a RelativeAttention,
    table: Tensor, // [1, 2·span, hidden]
    distances: Tensor,
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
    score_terms: usize,
    /// Own projections of the relative embedding, where the content's are not shared.
    position_key: Option<Linear>,
    position_query: Option<Linear>,
}

impl Layer {
    fn new(config: &DebertaConfig, weights: &Reader) -> Result<Layer> {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let square = |name: &str| linear(hidden, hidden, true, &weights.part(name));
        let norm = |name: &str| LayerNorm::new(hidden, config.norm_eps, true, &weights.part(name));
        let own = config
            .relative
            .as_ref()
            .filter(|relative| !relative.share_att_key);
        let position_key = own
            .filter(|r| r.c2p)
            .map(|_| square("attention.self.pos_key_proj"));
        let position_query = own
            .filter(|r| r.p2c)
            .map(|_| square("attention.self.pos_query_proj"));
        Ok(Layer {
            query: square("attention.self.query_proj")?,
            key: square("attention.self.key_proj")?,
            value: square("attention.self.value_proj")?,
            output: square("attention.output.dense")?,
            attention_norm: norm("attention.output.LayerNorm")?,
            feed_forward: FeedForward {
                inner: linear(hidden, inner, true, &weights.part("intermediate.dense"))?,
                outer: linear(inner, hidden, true, &weights.part("output.dense"))?,
                activation: config.activation,
            },
            output_norm: norm("output.LayerNorm")?,
            heads: config.heads,
            score_terms: config.score_terms,
            position_key: position_key.transpose()?,
            position_query: position_query.transpose()?,
        })
    }

    /// `[batch, token, hidden]` -> `[batch, token, hidden]`.
    fn forward(
        &self,
        states: &Tensor,
        relative: Option<&Relative>,
        input: &EncoderInput,
    ) -> Result<Tensor> {
        let context = self.attend(states, relative, input.mask)?;
        let attended = input.drop(self.output.forward(&merge_heads(&context)?)?)?;
        let states = self.attention_norm.forward(&(attended + states)?)?;
        let fed = input.drop(self.feed_forward.forward(&states)?)?;
        self.output_norm.forward(&(fed + &states)?)
    }

    /// Disentangled attention: `[batch, token, hidden]` -> `[batch, heads, token, dim]`.
    fn attend(
        &self,
        states: &Tensor,
        relative: Option<&Relative>,
        mask: &AttentionMask,
    ) -> Result<Tensor> {
        let query = split_heads(&self.query.forward(states)?, self.heads)?;
        let key = split_heads(&self.key.forward(states)?, self.heads)?;
        let value = split_heads(&self.value.forward(states)?, self.heads)?;
        let keys = key.t()?;
        let (mut c2p, mut p2c) = (None, None);
        if let Some(Relative { kinds, table, .. }) = relative {
            // The relative embedding as keys or queries, [1, heads, dim, 2·span].
            let position = |projection: &Linear| {
                split_heads(&projection.forward(table)?, self.heads)?
                    .t()?
                    .contiguous()
            };
            if kinds.c2p {
                let keys = position(self.position_key.as_ref().unwrap_or(&self.key))?;
                c2p = Some(query.broadcast_matmul(&keys)?); // [batch, heads, query, 2·span]
            }
            if kinds.p2c {
                let queries = position(self.position_query.as_ref().unwrap_or(&self.query))?;
                p2c = Some(key.broadcast_matmul(&queries)?); // [batch, heads, key, 2·span]
            }
        }
        let scale = 1.0 / ((query.dim(D::Minus1)? * self.score_terms) as f64).sqrt();
        let heads = (query.dim(0)?, self.heads);
        in_row_blocks(mask.tokens(), 2, |rows| {
            let mut scores = query
                .narrow(2, rows.start, rows.len())?
                .contiguous()?
                .matmul(&keys)?; // [batch, heads, rows, token]
            if let Some(Relative { distances, .. }) = relative {
                let index = distances.narrow(2, rows.start, rows.len())?; // [batch, 1, rows, token]
                if let Some(c2p) = &c2p {
                    let c2p = c2p.narrow(2, rows.start, rows.len())?.contiguous()?;
                    scores = (scores + c2p.gather(&over_heads(&index, heads)?, D::Minus1)?)?;
                }
                if let Some(p2c) = &p2c {
                    // Gathered by key, then turned to rows of queries.
                    scores = (scores
                        + p2c
                            .gather(&over_heads(&index.t()?, heads)?, D::Minus1)?
                            .t()?)?;
                }
            }
            let added = mask.rows(rows, None)?.to_dtype(scores.dtype())?;
            softmax(&(scores * scale)?.broadcast_add(&added)?)?.matmul(&value)
        })
    }
}

/// `[batch, 1, a, b]` -> `[batch, heads, a, b]`, laid out as `gather` wants it.
fn over_heads(index: &Tensor, (batch, heads): (usize, usize)) -> Result<Tensor> {
    let (_, _, a, b) = index.dims4()?;
    index.broadcast_as((batch, heads, a, b))?.contiguous()
}

/// Row of the relative embedding for every query and key of a batch, `[batch, 1, query, key]`, u32
/// (transformers: `build_relative_position` with `make_log_bucket_position`).
fn distances(kinds: &RelativeAttention, input: &EncoderInput) -> Result<Tensor> {
    let (batch, tokens) = input.positions.dims2()?;
    let positions = input.mask.positions();
    let furthest = positions.iter().copied().max().unwrap_or(0) as usize;
    let rows: Vec<u32> = (0..=2 * furthest)
        .map(|i| row(kinds, i as i64 - furthest as i64))
        .collect();
    let mut index = Vec::with_capacity(batch * tokens * tokens);
    for row_positions in positions.chunks_exact(tokens) {
        for query in row_positions {
            index.extend(
                row_positions
                    .iter()
                    .map(|key| rows[*query as usize + furthest - *key as usize]),
            );
        }
    }
    Tensor::from_vec(index, (batch, 1, tokens, tokens), input.positions.device())
}

/// Row of the relative embedding for the distance `query - key`.
fn row(kinds: &RelativeAttention, distance: i64) -> u32 {
    let span = kinds.span() as i64;
    let bucket = if kinds.buckets == 0 {
        distance
    } else {
        log_bucket(distance, kinds.buckets, kinds.max_distance)
    };
    (bucket + span).clamp(0, 2 * span - 1) as u32
}

/// Near distances keep a bucket each; far ones share buckets that widen logarithmically.
fn log_bucket(distance: i64, buckets: usize, max_distance: usize) -> i64 {
    let mid = (buckets / 2) as i64;
    if distance.abs() <= mid {
        return distance;
    }
    // float32, as in the original: the ceiling must fall on the same side.
    let (far, middle) = (distance.abs() as f32, mid as f32);
    let log = (far / middle).ln() / ((max_distance as f32 - 1.0) / middle).ln() * (middle - 1.0);
    (log.ceil() as i64 + mid) * distance.signum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::config::Activation;
    use crate::model::weights::Weights;
    use candle_core::{DType, Device};

    #[test]
    fn near_distances_keep_their_bucket_and_far_ones_share() {
        let buckets: Vec<i64> = [0, 1, -3, 16, 17, 60, -60, 511]
            .map(|d| log_bucket(d, 32, 512))
            .to_vec();
        assert_eq!(&buckets[..4], [0, 1, -3, 16]);
        assert!(
            buckets[4] > 16 && buckets[5] > buckets[4] && buckets[7] == 31,
            "{buckets:?}"
        );
        assert_eq!(buckets[6], -buckets[5]);
    }

    /// Shapes of the tensors of `without_relative_attention`.
    const TENSORS: [(&str, &[usize]); 22] = [
        ("embeddings.word_embeddings.weight", &[6, 4]),
        ("embeddings.position_embeddings.weight", &[8, 4]),
        ("embeddings.LayerNorm.weight", &[4]),
        ("embeddings.LayerNorm.bias", &[4]),
        ("encoder.layer.0.attention.self.query_proj.weight", &[4, 4]),
        ("encoder.layer.0.attention.self.query_proj.bias", &[4]),
        ("encoder.layer.0.attention.self.key_proj.weight", &[4, 4]),
        ("encoder.layer.0.attention.self.key_proj.bias", &[4]),
        ("encoder.layer.0.attention.self.value_proj.weight", &[4, 4]),
        ("encoder.layer.0.attention.self.value_proj.bias", &[4]),
        ("encoder.layer.0.attention.output.dense.weight", &[4, 4]),
        ("encoder.layer.0.attention.output.dense.bias", &[4]),
        ("encoder.layer.0.attention.output.LayerNorm.weight", &[4]),
        ("encoder.layer.0.attention.output.LayerNorm.bias", &[4]),
        ("encoder.layer.0.intermediate.dense.weight", &[6, 4]),
        ("encoder.layer.0.intermediate.dense.bias", &[6]),
        ("encoder.layer.0.output.dense.weight", &[4, 6]),
        ("encoder.layer.0.output.dense.bias", &[4]),
        ("encoder.layer.0.output.LayerNorm.weight", &[4]),
        ("encoder.layer.0.output.LayerNorm.bias", &[4]),
        // Made for its name alone.
        ("encoder.LayerNorm.weight", &[4]),
        ("encoder.LayerNorm.bias", &[4]),
    ];

    /// The last states of tokens 1 to 4; value `i` of a tensor is the sine of `i` and the length of
    /// its name.
    fn without_relative_attention(score_terms: usize) -> Vec<Vec<f32>> {
        let config = DebertaConfig {
            vocab_size: 6,
            embedding_size: 4,
            hidden_size: 4,
            layers: 1,
            heads: 2,
            intermediate_size: 6,
            activation: Activation::Gelu,
            max_positions: 8,
            position_biased_input: true,
            type_vocab_size: 0,
            norm_eps: 1e-7,
            score_terms,
            relative: None,
            pad_token_id: 0,
        };
        let mut weights = Weights::default();
        for (name, shape) in TENSORS {
            let n: usize = shape.iter().product();
            let values = (0..n).map(|i| ((i + name.len()) as f64).sin() as f32);
            let values: Vec<f32> = values.collect();
            let tensor = Tensor::from_vec(values, shape, &Device::Cpu).unwrap();
            weights.insert(name, tensor);
        }
        let reader = Reader::new(&weights, &Device::Cpu);
        let encoder = Deberta::new(&config, &reader).unwrap();
        reader.finish().unwrap();
        let positions = vec![0, 1, 2, 3];
        let row = |values: &[u32]| Tensor::from_slice(values, (1, 4), &Device::Cpu).unwrap();
        let states = encoder.forward(&EncoderInput {
            ids: &row(&[1, 2, 3, 4]),
            positions: &row(&positions),
            mask: &AttentionMask::new(1, 4, vec![0; 4], positions.clone(), &Device::Cpu),
            dropout: None,
            dtype: DType::F32,
        });
        states.unwrap().squeeze(0).unwrap().to_vec2().unwrap()
    }

    #[test]
    fn without_relative_attention_the_scale_still_counts_its_kinds() {
        // transformers 5.23.0, `relative_attention` false, `pos_att_type` of two kinds and of none.
        for (terms, first) in [
            (3, [0.8024, -0.2955, 1.1244, 0.4644]),
            (1, [0.7172, -0.2946, 1.1350, 0.3228]),
        ] {
            let states = without_relative_attention(terms);
            for (got, want) in states[0].iter().zip(first) {
                assert!((got - want).abs() < 1e-4, "{terms}: {states:?}");
            }
        }
    }
}
