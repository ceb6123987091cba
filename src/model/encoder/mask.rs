//! Who sees whom: segments and positions of a batch in, additive masks out.
//!
//! Invariant: every row of a mask has at least one open place, or softmax would be NaN.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use candle_core::{DType, Device, Result, Tensor};

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
    /// Rows of the sequences that lie end to end in the one row of a packed batch.
    packed: Option<Vec<Range<usize>>>,
    whole: OnceLock<Tensor>,
    whole_windowed: OnceLock<(u32, Tensor)>,
    columns: OnceLock<((usize, DType), (Tensor, Tensor))>,
    plan: OnceLock<Arc<Plan>>,
    plan_windowed: OnceLock<(u32, Arc<Plan>)>,
}

/// The sequences of a batch, each attending to itself only.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Their rows in `[batch · token]`.
    pub(crate) sequences: Vec<Range<usize>>,
    /// What is added to a sequence's scores, `[query, key]`; `None` where nothing is closed.
    pub(crate) closed: Vec<Option<Vec<f32>>>,
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
            packed: None,
            whole: OnceLock::new(),
            whole_windowed: OnceLock::new(),
            columns: OnceLock::new(),
            plan: OnceLock::new(),
            plan_windowed: OnceLock::new(),
        }
    }

    /// Sequences end to end in one row of tokens, without padding.
    pub(crate) fn packed(
        sequences: Vec<Range<usize>>,
        segments: Vec<u32>,
        positions: Vec<u32>,
        device: &Device,
    ) -> AttentionMask {
        let tokens = segments.len();
        AttentionMask {
            packed: Some(sequences),
            ..AttentionMask::new(1, tokens, segments, positions, device)
        }
    }

    /// Whether `rows` has no meaning here, because only `plan` knows where sequences end.
    pub(crate) fn is_packed(&self) -> bool {
        self.packed.is_some()
    }

    /// The mask sequence by sequence. Made once for each kind of layer.
    pub(crate) fn plan(&self, window: Option<u32>) -> Arc<Plan> {
        match window {
            None => self.plan.get_or_init(|| self.make_plan(None)).clone(),
            Some(width) => {
                let make = || (width, self.make_plan(window));
                let (cached_width, plan) = self.plan_windowed.get_or_init(make);
                if *cached_width == width {
                    plan.clone()
                } else {
                    self.make_plan(window)
                }
            }
        }
    }

    fn make_plan(&self, window: Option<u32>) -> Arc<Plan> {
        let whole_rows = || (0..self.batch).map(|row| row * self.tokens..(row + 1) * self.tokens);
        let sequences: Vec<Range<usize>> = match &self.packed {
            Some(sequences) => sequences.clone(),
            None => whole_rows().collect(),
        };
        let closed = sequences.iter().map(|rows| {
            let added = self.added(rows.clone(), 0..rows.len(), window);
            added.iter().any(|x| *x != 0.0).then_some(added)
        });
        Arc::new(Plan {
            closed: closed.collect(),
            sequences,
        })
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

    /// The mask as a part of the product of queries and keys: columns that each of them gets more,
    /// `[batch, heads, token, column]`. For a GPU, where adding a mask to all heads takes longer than
    /// all else together; `None` elsewhere, and where a window is no product.
    pub(crate) fn columns(
        &self,
        heads: usize,
        dtype: DType,
        window: Option<u32>,
    ) -> Result<Option<(Tensor, Tensor)>> {
        if window.is_some() || self.device.is_cpu() {
            return Ok(None);
        }
        if let Some((known, columns)) = self.columns.get()
            && *known == (heads, dtype)
        {
            return Ok(Some(columns.clone()));
        }
        let columns = self.build_columns(heads, dtype)?;
        let _ = self.columns.set(((heads, dtype), columns.clone())); // Another thread's is the same.
        Ok(Some(columns))
    }

    /// A query points to its own segment; a key is closed in the columns of all segments that do not
    /// see it. Padding points nowhere and sees everything; nobody reads its states.
    fn build_columns(&self, heads: usize, dtype: DType) -> Result<(Tensor, Tensor)> {
        let last = self.segments.iter().filter(|s| **s != PADDING).max();
        // Products like widths that are multiples of eight.
        let count = (last.copied().unwrap_or(TEXT) + 1).next_multiple_of(8);
        let shape = (self.batch, self.tokens, 1);
        let segments = Tensor::from_slice(&self.segments, shape, &self.device)?;
        let numbers = Tensor::arange(0, count, &self.device)?.reshape((1, 1, ()))?;
        let own = segments.broadcast_eq(&numbers)?; // [batch, token, column], u8
        let open = own
            .broadcast_maximum(&segments.eq(TEXT)?)?
            .to_dtype(DType::F32)?;
        let closed = f64::from(-CLOSED);
        let of_heads = |columns: Tensor| {
            let shape = (self.batch, heads, self.tokens, count as usize);
            let columns = columns.to_dtype(dtype)?.unsqueeze(1)?;
            columns.broadcast_as(shape)?.contiguous()
        };
        Ok((of_heads(own)?, of_heads(open.affine(closed, -closed)?)?))
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
        if !self.device.is_cpu() {
            return self.build_there(rows, window);
        }
        let sequences = (0..self.batch).map(|row| row * self.tokens..(row + 1) * self.tokens);
        let mask: Vec<f32> = sequences
            .flat_map(|range| self.added(range, rows.clone(), window))
            .collect();
        Tensor::from_vec(mask, (self.batch, 1, rows.len(), self.tokens), &self.device)
    }

    /// What `added` says, computed on the device: there are too many places to send them there.
    /// Padding sees more here than itself; nobody reads its states.
    fn build_there(&self, rows: Range<usize>, window: Option<u32>) -> Result<Tensor> {
        let shape = (self.batch, self.tokens);
        let there = |values: &[u32]| Tensor::from_slice(values, shape, &self.device);
        let sides = |of: &Tensor| -> Result<(Tensor, Tensor)> {
            let queries = of.narrow(1, rows.start, rows.len())?.unsqueeze(2)?;
            Ok((queries.contiguous()?, of.unsqueeze(1)?)) // [batch, rows, 1], [batch, 1, token]
        };
        let (queries, keys) = sides(&there(&self.segments)?)?;
        let mut open = queries
            .broadcast_eq(&keys)?
            .broadcast_maximum(&keys.eq(TEXT)?)?; // [batch, rows, token], u8
        if let Some(width) = window {
            let (queries, keys) = sides(&there(&self.positions)?.to_dtype(DType::F32)?)?;
            let near = queries.broadcast_sub(&keys)?.abs()?.le(f64::from(width))?;
            open = (open * near)?;
        }
        let closed = f64::from(-CLOSED);
        open.to_dtype(DType::F32)?
            .affine(closed, -closed)?
            .unsqueeze(1)
    }

    /// What is added to the scores of these `queries` of one sequence, `[query, key]`.
    fn added(&self, range: Range<usize>, queries: Range<usize>, window: Option<u32>) -> Vec<f32> {
        let (segments, positions) = (&self.segments[range.clone()], &self.positions[range]);
        let mut mask = Vec::with_capacity(queries.len() * segments.len());
        for query in queries {
            mask.extend((0..segments.len()).map(|key| {
                let seen = segments[key] == TEXT || segments[key] == segments[query];
                let near =
                    window.is_none_or(|width| positions[query].abs_diff(positions[key]) <= width);
                // A padding row sees itself, so that its softmax is a number.
                if key == query || seen && near && segments[key] != PADDING {
                    0.0
                } else {
                    CLOSED
                }
            }));
        }
        mask
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

    #[test]
    fn the_device_draws_what_the_processor_draws_but_for_padding() {
        let segments = vec![0, 0, 1, 1, 2, PADDING, 0, 1, 0, 0, 0, 0];
        let positions = vec![0, 1, 2, 3, 2, 0, 0, 4, 1, 2, 3, 9];
        let mask = AttentionMask::new(2, 6, segments.clone(), positions, &Device::Cpu);
        for window in [None, Some(1), Some(3)] {
            let (here, there) = (mask.build(1..6, window), mask.build_there(1..6, window));
            let rows = |mask: Result<Tensor>| mask.unwrap().flatten(0, 2).unwrap().to_vec2::<f32>();
            let (here, there) = (rows(here).unwrap(), rows(there).unwrap());
            let queries = segments.chunks(6).flat_map(|row| &row[1..]);
            for ((here, there), query) in here.iter().zip(&there).zip(queries) {
                assert!(*query == PADDING || here == there, "{here:?} {there:?}");
                assert!(there.contains(&0.0), "{there:?}");
            }
        }
    }

    #[test]
    fn columns_close_what_the_mask_closes_but_for_padding() {
        let segments = vec![0, 0, 1, 1, 2, PADDING, 0, 9, 0, 0, 0, 0];
        let mask = AttentionMask::new(2, 6, segments.clone(), vec![0; 12], &Device::Cpu);
        let (queries, keys) = mask.build_columns(1, DType::F32).unwrap();
        assert_eq!(queries.dims(), [2, 1, 6, 16]);
        let product = queries.matmul(&keys.t().unwrap()).unwrap();
        let rows = |mask: Tensor| mask.flatten(0, 2).unwrap().to_vec2::<f32>().unwrap();
        let (got, want) = (rows(product), rows(mask.rows(0..6, None).unwrap()));
        for ((got, want), query) in got.iter().zip(&want).zip(&segments) {
            assert!(*query == PADDING || got == want, "{got:?} {want:?}");
        }
        assert!(mask.columns(1, DType::F32, None).unwrap().is_none());
    }
}
