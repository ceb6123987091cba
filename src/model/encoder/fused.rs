//! BERT and ModernBERT for inference on a CPU: sequences lie end to end, no padding is computed,
//! weights are packed once, and what belongs together runs together.
//!
//! The same numbers as the plain encoders, within float32 rounding (or that of bytes, if asked
//! for); no gradients. A layer is two steps: attention, of which each head of each sequence is a
//! task, and all the rest up to the next layer's queries, of which each block of rows is one.
//! Invariant: a row's result has the same bits whatever the blocks, the threads and the other
//! sequences are.

mod attention;
mod layer;
mod linear;
mod load;
mod probe;
mod rotary;
mod rows;

use std::cell::RefCell;
use std::sync::Mutex;

use candle_core::{Result, Tensor};
use rayon::prelude::*;

use self::attention::{Attend, Heads};
use self::layer::{Block, Layer, Norm, Scratch};
use self::linear::{Linear, Packing};
use self::rotary::Rotary;
use super::kernel::Processor;
use super::ops::values;
use crate::model::config::BackboneConfig;
use crate::model::sequence::Sequence;
use crate::model::weights::Reader;

pub(crate) use rows::Rows;

/// Most rows of a block: its states in the wide middle of a layer stay in the second cache.
const BLOCK_ROWS: usize = 96;
/// Fewest rows of a block: with less a product waits for the weights.
const LEAST_ROWS: usize = 12;

/// Largest `Between::qkv` that is kept: 16 MB, a full batch of a small model.
const KEPT: usize = 1 << 22;

/// An encoder with packed weights.
#[derive(Debug)]
pub(crate) struct FusedEncoder {
    /// `[vocabulary, hidden]`.
    word: Tensor,
    /// Position and token type together, `[position, hidden]`; empty where positions are rotations.
    position: Vec<f32>,
    first_position: usize,
    norm: Norm,
    layers: Vec<Layer>,
    rotations: Vec<Rotation>,
    final_norm: Option<Norm>,
    heads: Heads,
    spare: Mutex<Option<Between>>,
}

/// What lies between the steps of a layer, `[row, …]`. It is kept for the next batch: the system
/// would have to clear the memory anew.
#[derive(Debug, Default)]
struct Between {
    qkv: Vec<f32>,
    contexts: Vec<f32>,
}

/// A base frequency of rotary positions.
#[derive(Debug)]
struct Rotation {
    theta: f64,
}

impl FusedEncoder {
    /// Takes the tensors that the plain encoder takes; `None` where there is no fused form of it.
    /// With `int8` linear maps are computed in bytes.
    pub(crate) fn new(
        config: &BackboneConfig,
        weights: &Reader,
        int8: bool,
    ) -> Result<Option<FusedEncoder>> {
        let processor = Processor::here();
        let packing = Packing { processor, int8 };
        match config {
            BackboneConfig::Bert(config) => load::load_bert(config, weights, packing),
            BackboneConfig::ModernBert(config) => load::load_modernbert(config, weights, packing),
            BackboneConfig::Deberta(_) => Ok(None),
        }
    }

    /// Whether linear maps of this encoder's size are faster in bytes on this processor; measures.
    pub(crate) fn int8_is_faster(config: &BackboneConfig) -> bool {
        match config {
            BackboneConfig::Bert(c) => probe::bytes_are_faster(c.hidden_size, c.intermediate_size),
            BackboneConfig::ModernBert(c) => {
                probe::bytes_are_faster(c.hidden_size, 2 * c.intermediate_size)
            }
            BackboneConfig::Deberta(_) => false,
        }
    }

    /// Whether linear maps are computed in bytes.
    pub(crate) fn is_int8(&self) -> bool {
        let first = self.layers.first();
        first.is_some_and(|layer| matches!(layer.qkv, Linear::Int8(_)))
    }

    /// Last hidden states of all sequences, `[row, hidden]`, and which row is which token.
    pub(crate) fn forward(
        &self,
        sequences: &[&Sequence],
        isolated: bool,
    ) -> Result<(Tensor, Rows)> {
        let rows = Rows::new(sequences, isolated);
        let of_tokens = |of: fn(&Sequence) -> &[u32]| -> Vec<u32> {
            let tokens = rows.tokens.iter();
            tokens
                .map(|(sequence, place)| of(sequences[*sequence])[*place])
                .collect()
        };
        let (ids, positions) = (of_tokens(|s| &s.ids), of_tokens(|s| &s.positions));
        let (n, hidden) = (ids.len(), self.heads.hidden);
        let mut states: Vec<f32> = Vec::with_capacity(n * hidden);
        {
            let words = values(&self.word)?;
            for id in ids {
                let start = id as usize * hidden;
                states.extend_from_slice(&words[start..start + hidden]);
            }
        }
        // Within the pool: the tasks of a step are waited for where they run.
        rayon::scope(|_| self.run(&mut states, &positions, &rows));
        let states = Tensor::from_vec(states, (n, hidden), self.word.device())?;
        Ok((states, rows))
    }

    /// Word embeddings to the last states.
    fn run(&self, states: &mut [f32], positions: &[u32], rows: &Rows) {
        let hidden = self.heads.hidden;
        let n = positions.len();
        let most = positions.iter().max().map_or(0, |most| most + 1);
        let rotation = |rotation: &Rotation| Rotary::new(self.heads, rotation.theta, most);
        let rotaries: Vec<Rotary> = self.rotations.iter().map(rotation).collect();
        let mut between = self.spare.lock().ok().and_then(|mut spare| spare.take());
        let Between { qkv, contexts } = between.get_or_insert_default();
        qkv.resize(n * 3 * hidden, 0.0);
        contexts.resize(n * hidden, 0.0);
        let size = block_rows(n, rayon::current_num_threads());
        let blocks = |states: &mut [f32], qkv: &mut [f32], step: &Step| {
            let states = states.par_chunks_mut(size * hidden);
            let qkv = qkv.par_chunks_mut(size * 3 * hidden);
            let blocks = states.zip(qkv).zip(positions.par_chunks(size)).enumerate();
            blocks.for_each(|(i, ((states, qkv), positions))| {
                let first = i * size;
                let mut block = Block {
                    states,
                    qkv,
                    positions,
                    first,
                };
                SCRATCH.with_borrow_mut(|scratch| step(&mut block, scratch));
            });
        };
        blocks(states, qkv, &|block, scratch| {
            self.embed(block);
            if let Some(first) = self.layers.first() {
                first.enter(block, &rotaries, scratch);
            }
        });
        for (i, layer) in self.layers.iter().enumerate() {
            self.attend(layer, rows, positions, qkv, contexts);
            blocks(states, qkv, &|block, scratch| {
                let of_block = (block.first, block.positions.len());
                let sizes = (hidden, self.heads.dim());
                scratch.gather(contexts, &rows.sequences, of_block, sizes);
                layer.leave(block, scratch);
                match (self.layers.get(i + 1), &self.final_norm) {
                    (Some(next), _) => next.enter(block, &rotaries, scratch),
                    (None, Some(norm)) => norm.apply(block.states),
                    (None, None) => {}
                }
            });
        }
        if qkv.len() <= KEPT
            && let Ok(mut spare) = self.spare.lock()
        {
            *spare = between;
        }
    }

    fn embed(&self, block: &mut Block) {
        let hidden = self.heads.hidden;
        if !self.position.is_empty() {
            let rows = block.states.chunks_exact_mut(hidden);
            for (state, position) in rows.zip(block.positions) {
                let at = (*position as usize + self.first_position) * hidden;
                let position = &self.position[at..at + hidden];
                state.iter_mut().zip(position).for_each(|(x, p)| *x += p);
            }
        }
        self.norm.apply(block.states);
    }

    /// `qkv` to `contexts`: sequence by sequence, in each head by head, `[row, dim]`.
    fn attend(
        &self,
        layer: &Layer,
        rows: &Rows,
        positions: &[u32],
        qkv: &[f32],
        contexts: &mut [f32],
    ) {
        let heads = self.heads;
        let mut tasks = Vec::with_capacity(rows.sequences.len() * heads.n);
        let mut left = contexts;
        for sequence in &rows.sequences {
            for head in 0..heads.n {
                let (own, rest) = left.split_at_mut(sequence.all.len() * heads.dim());
                tasks.push((sequence, head, own));
                left = rest;
            }
        }
        let window = layer.window;
        tasks.into_par_iter().for_each(|(sequence, head, context)| {
            ATTENTION.with_borrow_mut(|scratch| {
                Attend {
                    heads,
                    head,
                    window,
                    sequence,
                    positions,
                    qkv,
                    context,
                    scratch,
                }
                .run();
            });
        });
    }
}

thread_local! {
    // Nothing in a task waits for other tasks, so nobody finds them in use.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
    static ATTENTION: RefCell<attention::Scratch> = RefCell::default();
}

/// What is done to a block of rows.
type Step<'a> = dyn Fn(&mut Block, &mut Scratch) + Sync + 'a;

/// Rows of a block, so that all threads have about as many.
fn block_rows(n: usize, threads: usize) -> usize {
    let blocks = n.div_ceil(BLOCK_ROWS).next_multiple_of(threads.max(1));
    n.div_ceil(blocks.max(1)).max(LEAST_ROWS)
}
