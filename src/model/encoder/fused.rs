//! BERT for inference on a CPU: sequences lie end to end, no padding is computed, and what
//! belongs together runs together (one product for query, key and value; bias, GELU, residual and
//! norm in one pass each).
//!
//! The same numbers as `bert`, within float32 rounding; it has no gradients. Work is split over
//! threads by whole sequences, so that threads never wait for each other inside a layer.

mod attention;
mod rows;

use candle_core::{Result, Tensor};
use rayon::prelude::*;

use self::attention::{Heads, attend};
use super::kernel::{Shape, Threads, add_norm, fill_rows, gelu, norm, product};
use crate::model::config::{Activation, BertConfig, BertFamily};
use crate::model::sequence::Sequence;
use crate::model::weights::Reader;

pub(crate) use rows::Rows;

/// A BERT-like encoder with packed weights.
#[derive(Debug)]
pub(crate) struct FusedBert {
    /// `[vocabulary, hidden]`.
    word: Tensor,
    /// Position and token type together, `[position, hidden]`.
    position: Vec<f32>,
    norm: Norm,
    layers: Vec<Layer>,
    heads: Heads,
    first_position: usize,
    eps: f32,
}

#[derive(Debug)]
struct Norm {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

/// `weight` is `[output, input]`.
#[derive(Debug)]
struct Linear {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

#[derive(Debug)]
struct Layer {
    qkv: Linear,
    output: Linear,
    attention_norm: Norm,
    inner: Linear,
    outer: Linear,
    output_norm: Norm,
}

impl FusedBert {
    /// Takes the tensors that `Bert` takes; `None` where the fused form does not know the activation.
    pub(crate) fn new(config: &BertConfig, weights: &Reader) -> Result<Option<FusedBert>> {
        if config.activation != Activation::Gelu {
            return Ok(None);
        }
        let hidden = config.hidden_size;
        let embeddings = weights.part("embeddings");
        let mut position = embeddings.get(
            "position_embeddings.weight",
            &[config.max_positions, hidden],
        )?;
        if config.type_vocab_size > 0 {
            let types = embeddings.get(
                "token_type_embeddings.weight",
                &[config.type_vocab_size, hidden],
            )?;
            position = position.broadcast_add(&types.narrow(0, 0, 1)?)?;
        }
        let names = super::bert::names(config.family);
        let layers = match config.family {
            BertFamily::DistilBert => weights.part("transformer.layer"),
            BertFamily::Bert | BertFamily::Roberta => weights.part("encoder.layer"),
        };
        let layer = |i: usize| -> Result<Layer> {
            let weights = layers.part(i);
            let inner = config.intermediate_size;
            Ok(Layer {
                qkv: Linear::stacked(
                    hidden,
                    hidden,
                    &[names.query, names.key, names.value].map(|name| weights.part(name)),
                )?,
                output: Linear::stacked(hidden, hidden, &[weights.part(names.output)])?,
                attention_norm: Norm::new(hidden, &weights.part(names.attention_norm))?,
                inner: Linear::stacked(hidden, inner, &[weights.part(names.inner)])?,
                outer: Linear::stacked(inner, hidden, &[weights.part(names.outer)])?,
                output_norm: Norm::new(hidden, &weights.part(names.output_norm))?,
            })
        };
        Ok(Some(FusedBert {
            word: embeddings.get("word_embeddings.weight", &[config.vocab_size, hidden])?,
            position: position.flatten_all()?.to_vec1()?,
            norm: Norm::new(hidden, &embeddings.part("LayerNorm"))?,
            layers: (0..config.layers).map(layer).collect::<Result<_>>()?,
            heads: Heads {
                n: config.heads,
                hidden,
            },
            first_position: config.first_position() as usize,
            eps: config.norm_eps as f32,
        }))
    }

    /// Last hidden states of all sequences, `[row, hidden]`, and which row is which token.
    pub(crate) fn forward(
        &self,
        sequences: &[&Sequence],
        isolated: bool,
    ) -> Result<(Tensor, Rows)> {
        let rows = Rows::new(sequences, isolated);
        let ids: Vec<u32> = rows
            .tokens
            .iter()
            .map(|(sequence, place)| sequences[*sequence].ids[*place])
            .collect();
        let hidden = self.heads.hidden;
        let n_rows = ids.len();
        let mut states: Vec<f32> = self
            .word
            .index_select(&Tensor::new(ids, self.word.device())?, 0)?
            .flatten_all()?
            .to_vec1()?;
        for (state, (sequence, place)) in states.chunks_exact_mut(hidden).zip(&rows.tokens) {
            let at =
                (sequences[*sequence].positions[*place] as usize + self.first_position) * hidden;
            for (state, position) in state.iter_mut().zip(&self.position[at..at + hidden]) {
                *state += position;
            }
        }
        norm(&mut states, &self.norm.weight, &self.norm.bias, self.eps);
        let mut groups = split(&mut states, &rows, hidden, rayon::current_num_threads());
        match groups.as_mut_slice() {
            [one] => self.run(one, Threads::All),
            many => many
                .par_iter_mut()
                .for_each(|group| self.run(group, Threads::One)),
        }
        Ok((
            Tensor::from_vec(states, (n_rows, hidden), self.word.device())?,
            rows,
        ))
    }

    /// All layers over one group of sequences.
    fn run(&self, group: &mut Group, threads: Threads) {
        let hidden = self.heads.hidden;
        let n = group.states.len() / hidden;
        let inner = self
            .layers
            .first()
            .map_or(0, |layer| layer.inner.bias.len());
        let mut wide = vec![0.0; n * inner.max(3 * hidden)];
        let mut context = vec![0.0; n * hidden];
        let mut out = vec![0.0; n * hidden];
        let mut scores = Vec::new();
        for layer in &self.layers {
            let qkv = &mut wide[..n * 3 * hidden];
            layer.qkv.apply(group.states, qkv, threads);
            for sequence in &group.sequences {
                attend(self.heads, sequence, qkv, &mut context, &mut scores);
            }
            layer.output.apply(&context, &mut out, threads);
            add_norm(
                group.states,
                &out,
                &layer.attention_norm.weight,
                &layer.attention_norm.bias,
                self.eps,
            );
            let wide = &mut wide[..n * inner];
            layer.inner.apply(group.states, wide, threads);
            gelu(wide);
            layer.outer.apply(wide, &mut out, threads);
            add_norm(
                group.states,
                &out,
                &layer.output_norm.weight,
                &layer.output_norm.bias,
                self.eps,
            );
        }
    }
}

impl Norm {
    fn new(size: usize, weights: &Reader) -> Result<Norm> {
        let get = |name: &str| weights.get(name, &[size])?.to_vec1();
        Ok(Norm {
            weight: get("weight")?,
            bias: get("bias")?,
        })
    }
}

impl Linear {
    /// Several maps of the same input, their outputs one after another.
    fn stacked(input: usize, output: usize, parts: &[Reader]) -> Result<Linear> {
        let (mut weight, mut bias) = (Vec::new(), Vec::new());
        for part in parts {
            weight.extend(
                part.get("weight", &[output, input])?
                    .flatten_all()?
                    .to_vec1::<f32>()?,
            );
            bias.extend(part.get("bias", &[output])?.to_vec1::<f32>()?);
        }
        Ok(Linear { weight, bias })
    }

    /// `x`: `[row, input]` -> `out`: `[row, output]`.
    fn apply(&self, x: &[f32], out: &mut [f32], threads: Threads) {
        let output = self.bias.len();
        let input = self.weight.len() / output;
        let rows = x.len() / input;
        fill_rows(out, &self.bias);
        let weight = (&self.weight[..], Shape::dense(output, input).transposed());
        product(
            (out, Shape::dense(rows, output)),
            (x, Shape::dense(rows, input)),
            weight,
            1.0,
            true,
            threads,
        );
    }
}

/// Consecutive sequences that one thread runs.
struct Group<'a> {
    /// `[row, hidden]` of these sequences only.
    states: &'a mut [f32],
    /// Their rows, counted from the group's first.
    sequences: Vec<rows::SequenceRows>,
}

/// Splits the states into at most `n` groups of whole sequences with about the same number of rows.
fn split<'a>(states: &'a mut [f32], rows: &Rows, hidden: usize, n: usize) -> Vec<Group<'a>> {
    let share = rows.tokens.len().div_ceil(n.max(1));
    let mut groups = Vec::new();
    let mut left = states;
    let mut start = 0;
    let mut sequences: Vec<rows::SequenceRows> = Vec::new();
    let shifted = |range: &std::ops::Range<usize>, by: usize| range.start - by..range.end - by;
    for (i, sequence) in rows.sequences.iter().enumerate() {
        sequences.push(rows::SequenceRows {
            all: shifted(&sequence.all, start),
            shared: shifted(&sequence.shared, start),
            labels: sequence
                .labels
                .iter()
                .map(|label| shifted(label, start))
                .collect(),
        });
        let is_last = i + 1 == rows.sequences.len();
        if is_last || sequence.all.end - start >= share {
            let (own, rest) =
                std::mem::take(&mut left).split_at_mut((sequence.all.end - start) * hidden);
            groups.push(Group {
                states: own,
                sequences: std::mem::take(&mut sequences),
            });
            left = rest;
            start = sequence.all.end;
        }
    }
    groups
}
