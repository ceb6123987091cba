//! Who sees whom: segments and positions of a batch in, additive masks out.
//!
//! Invariant: every row of a mask has at least one open place, or softmax would be NaN.

use std::ops::Range;
use std::sync::OnceLock;

use candle_core::{Device, Result, Tensor};

/// The segment of text and of everything that all tokens see.
pub(crate) const TEXT: u32 = 0;
/// The segment of padding, which nobody sees.
pub(crate) const PADDING: u32 = u32::MAX;

/// Added to a score that must not count. Large enough to vanish in softmax, far from overflow.
const CLOSED: f32 = -1e9;

/// The attention pattern of one padded batch.
///
/// A token sees text, and the tokens of its own segment; nobody sees padding. Where the
/// encoder's layer has a window, only tokens within that distance, in positions.
pub(crate) struct AttentionMask {
    batch: usize,
    tokens: usize,
    segments: Vec<u32>,
    positions: Vec<u32>,
    device: Device,
    whole: OnceLock<Tensor>,
    whole_windowed: OnceLock<(u32, Tensor)>,
}

impl AttentionMask {
    /// `segments` and `positions` are row-major `[batch, token]`.
    pub(crate) fn new(
        batch: usize,
        tokens: usize,
        segments: Vec<u32>,
        positions: Vec<u32>,
        device: &Device,
    ) -> AttentionMask {
        debug_assert_eq!(segments.len(), batch * tokens);
        debug_assert_eq!(positions.len(), batch * tokens);
        AttentionMask {
            batch,
            tokens,
            segments,
            positions,
            device: device.clone(),
            whole: OnceLock::new(),
            whole_windowed: OnceLock::new(),
        }
    }

    /// Positions, row-major `[batch, token]`.
    pub(crate) fn positions(&self) -> &[u32] {
        &self.positions
    }

    /// Number of tokens in a row.
    pub(crate) fn tokens(&self) -> usize {
        self.tokens
    }

    /// The additive mask of these query rows: `[batch, 1, rows or 1, token]`.
    pub(crate) fn rows(&self, rows: Range<usize>, window: Option<u32>) -> Result<Tensor> {
        if rows != (0..self.tokens) {
            return self.build(rows, window);
        }
        // All layers of one kind share the mask: it is made once.
        match window {
            None => cached(&self.whole, || self.build(rows, None)),
            Some(width) => {
                if let Some((cached_width, mask)) = self.whole_windowed.get() {
                    if *cached_width == width {
                        return Ok(mask.clone());
                    }
                    return self.build(rows, window);
                }
                let mask = self.build(rows, window)?;
                let _ = self.whole_windowed.set((width, mask.clone())); // Another thread's is the same.
                Ok(mask)
            }
        }
    }

    fn build(&self, rows: Range<usize>, window: Option<u32>) -> Result<Tensor> {
        let isolated = self.segments.iter().any(|s| *s != TEXT && *s != PADDING);
        if !isolated && window.is_none() {
            // Every query sees the same keys.
            let mask: Vec<f32> = self
                .segments
                .iter()
                .map(|s| if *s == PADDING { CLOSED } else { 0.0 })
                .collect();
            return Tensor::from_vec(mask, (self.batch, 1, 1, self.tokens), &self.device);
        }
        let mut mask = Vec::with_capacity(self.batch * rows.len() * self.tokens);
        for row in 0..self.batch {
            let range = row * self.tokens..(row + 1) * self.tokens;
            let (segments, positions) = (&self.segments[range.clone()], &self.positions[range]);
            for query in rows.clone() {
                mask.extend((0..self.tokens).map(|key| {
                    let seen = segments[key] == TEXT || segments[key] == segments[query];
                    let near = window
                        .is_none_or(|width| positions[query].abs_diff(positions[key]) <= width);
                    // A padding row sees itself, so that its softmax is a number.
                    if key == query || seen && near && segments[key] != PADDING {
                        0.0
                    } else {
                        CLOSED
                    }
                }));
            }
        }
        Tensor::from_vec(mask, (self.batch, 1, rows.len(), self.tokens), &self.device)
    }
}

fn cached(cell: &OnceLock<Tensor>, make: impl FnOnce() -> Result<Tensor>) -> Result<Tensor> {
    if let Some(mask) = cell.get() {
        return Ok(mask.clone());
    }
    let mask = make()?;
    let _ = cell.set(mask.clone()); // Another thread's is the same.
    Ok(mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Open places as `x`, closed as `.`, one line a query.
    fn drawn(segments: &[u32], positions: &[u32], window: Option<u32>) -> String {
        let n = segments.len();
        let mask = AttentionMask::new(1, n, segments.to_vec(), positions.to_vec(), &Device::Cpu);
        let rows = mask
            .rows(0..n, window)
            .unwrap()
            .broadcast_as((1, 1, n, n))
            .unwrap();
        let rows = rows
            .squeeze(0)
            .unwrap()
            .squeeze(0)
            .unwrap()
            .to_vec2::<f32>()
            .unwrap();
        let line = |row: &Vec<f32>| {
            row.iter()
                .map(|v| if *v == 0.0 { 'x' } else { '.' })
                .collect::<String>()
        };
        rows.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn text_sees_text_and_a_label_sees_text_and_itself() {
        let got = drawn(&[0, 0, 1, 1, 2, 0], &[0, 1, 3, 4, 3, 2], None);
        assert_eq!(got, "xx...x\nxx...x\nxxxx.x\nxxxx.x\nxx..xx\nxx...x");
    }

    #[test]
    fn nobody_sees_padding_but_padding_itself() {
        let got = drawn(&[0, 1, PADDING], &[0, 1, 0], None);
        assert_eq!(got, "x..\nxx.\nx.x");
        assert_eq!(drawn(&[0, 0, PADDING], &[0, 1, 2], None), "xx.\nxx.\nxx.");
    }

    #[test]
    fn a_window_counts_positions_not_places() {
        let got = drawn(&[0, 0, 0, 0], &[0, 1, 2, 9], Some(1));
        assert_eq!(got, "xx..\nxxx.\n.xx.\n...x");
    }

    #[test]
    fn blocks_of_rows_are_the_rows_of_the_whole() {
        let segments = vec![0, 0, 1, 1, 2, PADDING, 0, 1, 0, 0, 0, PADDING];
        let mask = AttentionMask::new(2, 6, segments, (0..12).collect(), &Device::Cpu);
        let whole = mask.rows(0..6, Some(3)).unwrap();
        let block = mask.rows(2..5, Some(3)).unwrap();
        let want = whole
            .narrow(2, 2, 3)
            .unwrap()
            .flatten_all()
            .unwrap()
            .to_vec1::<f32>()
            .unwrap();
        assert_eq!(block.flatten_all().unwrap().to_vec1::<f32>().unwrap(), want);
    }
}
