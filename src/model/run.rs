//! Sequences through encoder and head: logits, embeddings and the states of tokens out.
//!
//! Knows nothing of texts, calibration or windows.

use candle_core::{DType, Tensor};

use super::backbone::Backbone;
use super::batch::{Batch, BatchOptions};
use super::encoder::EncoderInput;
use super::head::StateRows;
use super::sequence::Sequence;
use super::{Inspection, Model, Output};

impl Model {
    /// Scores sequences in one padded batch, one output each, in order.
    ///
    /// # Errors
    /// Of the tensor library: out of memory, a device that went away.
    pub fn forward(&self, sequences: &[&Sequence]) -> candle_core::Result<Vec<Output>> {
        self.forward_with_tokens(sequences, false)
    }

    /// The same, with the states of each text's tokens where `tokens` are wanted.
    ///
    /// # Errors
    /// As `forward`.
    pub fn forward_with_tokens(
        &self,
        sequences: &[&Sequence],
        tokens: bool,
    ) -> candle_core::Result<Vec<Output>> {
        if sequences.is_empty() {
            return Ok(Vec::new());
        }
        let (states, rows) = self.states(sequences, 0)?;
        let labelled = sequences
            .iter()
            .any(|sequence| !sequence.label_tokens.is_empty());
        let logits = if labelled {
            self.head.forward(&states, &rows)?.logits.to_vec1::<f32>()?
        } else {
            Vec::new()
        };
        let mut logits = logits.into_iter();
        let embeddings = rows.text_embeddings(&states)?.to_vec2::<f32>()?;
        let mut tokens = match tokens {
            true => rows.token_states(&states)?.into_iter(),
            false => Vec::new().into_iter(),
        };
        Ok(sequences
            .iter()
            .zip(embeddings)
            .map(|(sequence, embedding)| Output {
                logits: logits.by_ref().take(sequence.label_tokens.len()).collect(),
                embedding,
                tokens: tokens.next(),
            })
            .collect())
    }

    /// Scores one sequence alone, padded to at least `tokens`, and shows the states behind it.
    ///
    /// # Errors
    /// As `forward`.
    pub fn inspect(&self, sequence: &Sequence, tokens: usize) -> candle_core::Result<Inspection> {
        let (states, rows) = self.states(&[sequence], tokens)?;
        let similarities = self.head.forward(&states, &rows)?;
        let (first, last) = rows.ends(&states, 0)?;
        let vector = |tensor: Tensor| tensor.flatten_all()?.to_vec1::<f32>();
        let cosines = vector(similarities.cosines()?)?;
        Ok(Inspection {
            cosines,
            hidden_cls: vector(first)?,
            hidden_last: vector(last)?,
            text_embedding: vector(similarities.text)?,
            logits: vector(similarities.logits)?,
        })
    }

    /// Last hidden states, `[row, hidden]`, and which row is which token. The plain encoders pad to
    /// `at_least` tokens.
    fn states(
        &self,
        sequences: &[&Sequence],
        at_least: usize,
    ) -> candle_core::Result<(Tensor, StateRows)> {
        let isolated = self.config.layout.is_isolated();
        match &self.encoder {
            Backbone::Fused(encoder) => {
                let (states, rows) = encoder.forward(sequences, isolated)?;
                Ok((
                    states,
                    StateRows::new(sequences, |i, place| rows.row(i, place), &self.device)?,
                ))
            }
            Backbone::Plain(encoder) => {
                let options = BatchOptions {
                    pad: self.tokenizer.special().pad,
                    isolated,
                    device: &self.device,
                };
                let batch = Batch::new(sequences, at_least, &options)?;
                let states = encoder.forward(&EncoderInput {
                    ids: &batch.ids,
                    positions: &batch.positions,
                    mask: &batch.mask,
                    dropout: None,
                    dtype: self.precision.dtype(),
                })?; // [batch, token, hidden]
                let tokens = states.dim(1)?;
                let rows = StateRows::new(sequences, |i, place| i * tokens + place, &self.device)?;
                Ok((states.flatten(0, 1)?.to_dtype(DType::F32)?, rows))
            }
        }
    }
}
