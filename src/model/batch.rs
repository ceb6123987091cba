//! Sequences of different lengths, padded to one rectangle.
//!
//! Padding is on the right, belongs to no segment, and changes no score.

use candle_core::{Device, Result, Tensor};

use super::encoder::{AttentionMask, PADDING, TEXT};
use super::sequence::Sequence;

/// What padding needs to know of the model.
pub(crate) struct BatchOptions<'a> {
    /// Padding token.
    pub(crate) pad: u32,
    /// Whether a label sees only the text and itself.
    pub(crate) isolated: bool,
    /// Where the tensors go.
    pub(crate) device: &'a Device,
}

/// Tensors of one padded batch.
pub(crate) struct Batch {
    /// `[batch, token]`, u32.
    pub(crate) ids: Tensor,
    /// `[batch, token]`, u32.
    pub(crate) positions: Tensor,
    /// Who sees whom.
    pub(crate) mask: AttentionMask,
}

impl Batch {
    /// Pads `sequences` (at least one) to the longest of them, or to `at_least` tokens.
    pub(crate) fn new(
        sequences: &[&Sequence],
        at_least: usize,
        options: &BatchOptions,
    ) -> Result<Batch> {
        let BatchOptions {
            pad,
            isolated,
            device,
        } = *options;
        let tokens = sequences.iter().map(|s| s.len()).fold(at_least, usize::max);
        let rows = sequences.len();
        let padded = |row: fn(&Sequence) -> &[u32], fill: u32| -> Vec<u32> {
            let mut values = Vec::with_capacity(rows * tokens);
            for sequence in sequences {
                values.extend_from_slice(row(sequence));
                values.resize(values.len() + tokens - sequence.len(), fill);
            }
            values
        };
        let positions = padded(|s| &s.positions, 0);
        let segments = seen(padded(|s| &s.segments, PADDING), isolated);
        Ok(Batch {
            ids: Tensor::from_vec(padded(|s| &s.ids, pad), (rows, tokens), device)?,
            positions: Tensor::from_vec(positions.clone(), (rows, tokens), device)?,
            mask: AttentionMask::new(rows, tokens, segments, positions, device),
        })
    }

    /// Lays `sequences` end to end, without padding, and says where each begins.
    pub(crate) fn packed(
        sequences: &[&Sequence],
        options: &BatchOptions,
    ) -> Result<(Batch, Vec<usize>)> {
        let joined = |row: fn(&Sequence) -> &[u32]| -> Vec<u32> {
            let rows = sequences.iter().map(|sequence| row(sequence));
            rows.collect::<Vec<_>>().concat()
        };
        let mut starts = Vec::with_capacity(sequences.len());
        let mut rows = Vec::with_capacity(sequences.len());
        let mut tokens = 0;
        for sequence in sequences {
            starts.push(tokens);
            rows.push(tokens..tokens + sequence.len());
            tokens += sequence.len();
        }
        let device = options.device;
        let positions = joined(|s| &s.positions);
        let segments = seen(joined(|s| &s.segments), options.isolated);
        let batch = Batch {
            ids: Tensor::from_vec(joined(|s| &s.ids), (1, tokens), device)?,
            positions: Tensor::from_vec(positions.clone(), (1, tokens), device)?,
            mask: AttentionMask::packed(rows, segments, positions, device),
        };
        Ok((batch, starts))
    }
}

/// Segments as the mask takes them: under full attention everything is seen as text is.
fn seen(mut segments: Vec<u32>, isolated: bool) -> Vec<u32> {
    if !isolated {
        let there = segments.iter_mut().filter(|s| **s != PADDING);
        there.for_each(|s| *s = TEXT);
    }
    segments
}
