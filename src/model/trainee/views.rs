//! The views of texts and labels with gradients: what serving calibrates, as training moves it.
//!
//! Input: sequences, each with what the frozen layers made of it once. Output: cosines that depend
//! on the trained layers. Invariant: preparing a sequence changes the time only, not the numbers.

use candle_core::{D, DType, Result, Tensor};

use super::{Dropouts, Trainee};
use crate::model::batch::{Batch, BatchOptions};
use crate::model::encoder::{EncoderInput, NEAR, TEMPERATURE};
use crate::model::head::{StateRows, normalize};
use crate::model::sequence::Sequence;

/// Tokens that are prepared together.
const TOKENS: usize = 2048;

/// A sequence, and what the layers that are not trained make of it.
pub struct Prepared {
    sequence: Sequence,
    /// `[token, hidden]`; `None` where the encoder computes everything in each pass.
    states: Option<Tensor>,
}

impl Prepared {
    /// Number of tokens.
    pub fn tokens(&self) -> usize {
        self.sequence.len()
    }

    /// Number of labels in it.
    pub fn labels(&self) -> usize {
        self.sequence.label_tokens.len()
    }
}

/// The cosines of a batch, label after label.
pub struct Views {
    /// Of the joint encoding, `[label]`.
    pub joint: Tensor,
    /// Of the plain embeddings, `[pair]`.
    pub embed: Tensor,
    /// Of single tokens, `[pair]`: what `model::token_cosines` computes for serving.
    pub tokens: Tensor,
}

impl Trainee {
    /// Runs the layers that are not trained, once for all passes to come.
    ///
    /// # Errors
    /// Of the tensor library.
    pub fn prepare(&self, sequences: Vec<Sequence>) -> Result<Vec<Prepared>> {
        let is_split = self.is_split();
        let mut prepared = Vec::with_capacity(sequences.len());
        let mut rest = sequences.into_iter().peekable();
        while rest.peek().is_some() {
            let mut group: Vec<Sequence> = Vec::new();
            let mut tokens = 0;
            while let Some(next) = rest.next_if(|s| group.is_empty() || tokens + s.len() <= TOKENS)
            {
                tokens += next.len();
                group.push(next);
            }
            let mut states = vec![None; group.len()];
            if is_split {
                let rows: Vec<&Sequence> = group.iter().collect();
                let (batch, starts) = self.packed(&rows)?;
                let whole = self
                    .encoder
                    .lower(&self.input(&batch), self.frozen_layers)?
                    .squeeze(0)?; // [token, hidden]
                for ((own, start), sequence) in states.iter_mut().zip(starts).zip(&rows) {
                    *own = Some(whole.narrow(0, start, sequence.len())?.copy()?.detach());
                }
            }
            let pairs = group.into_iter().zip(states);
            prepared.extend(pairs.map(|(sequence, states)| Prepared { sequence, states }));
        }
        Ok(prepared)
    }

    /// The joint cosine of every label of `sequences`, and of every pair of them the cosine of their
    /// mean states and that of their tokens: `pairs[i]` are the rows of a text and of a label alone.
    ///
    /// # Errors
    /// Of the tensor library.
    pub fn views(&self, sequences: &[&Prepared], pairs: &[(u32, u32)]) -> Result<Views> {
        let rows: Vec<&Sequence> = sequences
            .iter()
            .map(|prepared| &prepared.sequence)
            .collect();
        let lower: Option<Vec<&Tensor>> = sequences
            .iter()
            .map(|prepared| prepared.states.as_ref())
            .collect();
        let (states, state_rows) = match lower {
            Some(lower) => {
                let (batch, starts) = self.packed(&rows)?;
                let lower = Tensor::cat(&lower, 0)?.unsqueeze(0)?;
                let states = self
                    .encoder
                    .upper(lower, &self.input(&batch), self.frozen_layers)?;
                let state_rows = StateRows::new(&rows, |i, place| starts[i] + place, &self.device)?;
                (states.flatten(0, 1)?.to_dtype(DType::F32)?, state_rows)
            }
            None => self.states(&rows, &Dropouts::default())?,
        };
        let logits = self.head.forward(&states, &state_rows)?.logits;
        let joint = logits.broadcast_div(&self.head.trained_scale()?)?;
        let unit = state_rows.text_embeddings(&states)?; // [sequence, hidden]
        let column = |of: fn(&(u32, u32)) -> u32| {
            Tensor::from_iter(pairs.iter().map(of).collect::<Vec<_>>(), &self.device)
        };
        let embed = if pairs.is_empty() {
            Tensor::zeros(0, DType::F32, &self.device)?
        } else {
            let texts = unit.index_select(&column(|pair| pair.0)?, 0)?;
            let labels = unit.index_select(&column(|pair| pair.1)?, 0)?;
            (texts * labels)?.sum(D::Minus1)?
        };
        let tokens = token_cosines(&states, &state_rows, pairs)?;
        Ok(Views {
            joint,
            embed,
            tokens,
        })
    }

    fn is_split(&self) -> bool {
        self.device.is_cpu()
            && self.dtype == DType::F32
            && self.frozen_layers > 0
            && self.encoder.reads_packed()
    }

    fn packed(&self, sequences: &[&Sequence]) -> Result<(Batch, Vec<usize>)> {
        let options = BatchOptions {
            pad: self.tokenizer.special().pad,
            isolated: self.config.layout.is_isolated(),
            device: &self.device,
        };
        Batch::packed(sequences, &options)
    }

    fn input<'a>(&self, batch: &'a Batch) -> EncoderInput<'a> {
        EncoderInput {
            ids: &batch.ids,
            positions: &batch.positions,
            mask: &batch.mask,
            dropout: None,
            dtype: self.dtype,
        }
    }
}

/// What `model::token_cosines` computes for serving: the mean over a label's tokens of the cosine with the
/// nearest tokens of the text, `[pair]`.
fn token_cosines(states: &Tensor, rows: &StateRows, pairs: &[(u32, u32)]) -> Result<Tensor> {
    let device = states.device();
    let unit = |rows: &[u32]| normalize(&states.index_select(&Tensor::new(rows, device)?, 0)?);
    let mut of_pairs = Vec::new();
    // The pairs of one text follow each other, and are one product.
    for pairs in pairs.chunk_by(|a, b| a.0 == b.0) {
        let text = rows.text_tokens(pairs[0].0 as usize);
        let labels = pairs.iter().map(|pair| rows.text_tokens(pair.1 as usize));
        let labels: Vec<&[u32]> = labels.collect();
        if text.is_empty() || labels.iter().all(|label| label.is_empty()) {
            of_pairs.push(Tensor::zeros(pairs.len(), DType::F32, device)?);
            continue;
        }
        let cosines = unit(&labels.concat())?.matmul(&unit(text)?.t()?)?; // [label token, text token]
        let near = text.len().min(NEAR);
        let (falling, _) = cosines.contiguous()?.sort_last_dim(false)?;
        let falling = falling.narrow(D::Minus1, 0, near)?; // [label token, near]
        let warm = (falling / f64::from(TEMPERATURE))?.log_sum_exp(D::Minus1)?;
        let nearest = ((warm - (near as f64).ln())? * f64::from(TEMPERATURE))?; // [label token]
        let n = nearest.dim(0)?;
        let (mut shares, mut start) = (vec![0.0_f32; pairs.len() * n], 0);
        for (i, label) in labels.iter().enumerate() {
            let own = i * n + start..i * n + start + label.len();
            shares[own].fill(1.0 / label.len().max(1) as f32);
            start += label.len();
        }
        let shares = Tensor::from_vec(shares, (pairs.len(), n), device)?;
        of_pairs.push(shares.matmul(&nearest.unsqueeze(1)?)?.squeeze(1)?);
    }
    match of_pairs.is_empty() {
        true => Tensor::zeros(0, DType::F32, device),
        false => Tensor::cat(&of_pairs, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::trainee::TraineeOptions;
    use crate::model::{LabelStates, LoadOptions, Model};
    use std::path::Path;

    fn joint(fixture: &str, freeze_layers: usize) -> Vec<f32> {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures/parity")
            .join(fixture);
        let options = TraineeOptions {
            freeze_layers,
            ..TraineeOptions::default()
        };
        let trainee = Trainee::load(&dir, &options).unwrap();
        let texts: [&[u32]; 2] = [&[5, 6, 7, 8], &[9, 10]];
        let mut sequences: Vec<Sequence> = texts
            .iter()
            .map(|text| trainee.sequence(text, &[&[11, 12], &[13]]))
            .collect();
        sequences.push(trainee.sequence(&[13], &[]));
        sequences.push(trainee.sequence(&[11, 12], &[]));
        let prepared = trainee.prepare(sequences).unwrap();
        let rows: Vec<&Prepared> = prepared.iter().collect();
        let views = trainee.views(&rows, &[(0, 2), (0, 3), (1, 2)]).unwrap();
        let gradients = views.joint.sum_all().unwrap().backward().unwrap();
        assert!(
            trainee
                .variables()
                .values()
                .any(|v| gradients.get(v).is_some())
        );
        let gradients = views.tokens.sum_all().unwrap().backward().unwrap();
        let moved = |v: &candle_core::Var| {
            let gradient = gradients.get(v)?.abs().ok()?.sum_all().ok()?;
            gradient.to_scalar::<f32>().ok()
        };
        assert!(
            trainee
                .variables()
                .values()
                .filter_map(moved)
                .any(|g| g > 0.0)
        );
        Tensor::cat(&[views.joint, views.embed, views.tokens], 0)
            .unwrap()
            .to_vec1()
            .unwrap()
    }

    /// The token cosines of the same pairs, as they are served.
    fn served(fixture: &str) -> Vec<f32> {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures/parity")
            .join(fixture);
        let model = Model::load(&dir, &LoadOptions::default()).unwrap();
        let alone: [&[u32]; 4] = [&[5, 6, 7, 8], &[9, 10], &[13], &[11, 12]];
        let sequences = alone.map(|ids| model.sequence(ids, &[]));
        let outputs = model
            .forward_with_tokens(&sequences.each_ref(), true)
            .unwrap();
        let tokens: Vec<Vec<f32>> = outputs.into_iter().map(|o| o.tokens.unwrap()).collect();
        let labels = [&tokens[2], &tokens[3]].map(|tokens| LabelStates {
            name: tokens,
            described: &[],
            meanings: &[],
            weight: 0.0,
        });
        let hidden = model.config().backbone.hidden_size();
        let cosines = |text: &[f32]| crate::model::token_cosines(hidden, &labels, text);
        let (first, second) = (cosines(&tokens[0]), cosines(&tokens[1]));
        vec![first[0], first[1], second[0]]
    }

    #[test]
    fn what_was_prepared_gives_the_same_cosines() {
        for fixture in [
            "bert-isolated-proj",
            "modernbert-isolated-proj",
            "deberta-v2-cosine-proj",
        ] {
            let (whole, split) = (joint(fixture, 0), joint(fixture, 1));
            assert_eq!(whole.len(), 10);
            for (a, b) in whole.iter().zip(&split) {
                assert!((a - b).abs() < 1e-5, "{fixture}: {whole:?} {split:?}");
            }
            // Where labels are isolated, a text beside them is as a text alone.
            if fixture.contains("isolated") {
                for (a, b) in whole[7..].iter().zip(served(fixture)) {
                    assert!((a - b).abs() < 1e-5, "{fixture}: {a} {b}");
                }
            }
        }
    }
}
