//! Both views of texts and labels with gradients: what serving calibrates, as training moves it.
//!
//! Input: sequences, each with what the frozen layers made of it once. Output: cosines that depend
//! on the trained layers. Invariant: preparing a sequence changes the time only, not the numbers.

use candle_core::{D, DType, Result, Tensor};

use super::{Dropouts, Trainee};
use crate::model::batch::{Batch, BatchOptions};
use crate::model::encoder::EncoderInput;
use crate::model::head::StateRows;
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

    /// The joint cosine of every label of `sequences`, and the cosine of the mean states of every
    /// pair of them: `pairs[i]` are the rows of a text and of a label alone.
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
        Ok(Views { joint, embed })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::trainee::TraineeOptions;
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
        let prepared = trainee.prepare(sequences).unwrap();
        let rows: Vec<&Prepared> = prepared.iter().collect();
        let views = trainee.views(&rows, &[(0, 2), (1, 2)]).unwrap();
        let gradients = views.joint.sum_all().unwrap().backward().unwrap();
        assert!(
            trainee
                .variables()
                .values()
                .any(|v| gradients.get(v).is_some())
        );
        Tensor::cat(&[views.joint, views.embed], 0)
            .unwrap()
            .to_vec1()
            .unwrap()
    }

    #[test]
    fn what_was_prepared_gives_the_same_cosines() {
        for fixture in [
            "bert-isolated-proj",
            "modernbert-isolated-proj",
            "deberta-v2-cosine-proj",
        ] {
            let (whole, split) = (joint(fixture, 0), joint(fixture, 1));
            assert_eq!(whole.len(), 6);
            for (a, b) in whole.iter().zip(&split) {
                assert!((a - b).abs() < 1e-5, "{fixture}: {whole:?} {split:?}");
            }
        }
    }
}
