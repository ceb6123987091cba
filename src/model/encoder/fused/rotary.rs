//! Rotary positions (transformers: `rotate_half`) on packed rows of queries, keys and values.

use super::attention::Heads;

/// Cosines and sines of one base frequency, up to the largest position of a batch.
#[derive(Debug)]
pub(super) struct Rotary {
    heads: Heads,
    /// `[position, dim]`: half of them cosines, then the sines.
    table: Vec<f32>,
}

impl Rotary {
    /// Angles are computed in f64: float32 loses the phase of far positions.
    pub(super) fn new(heads: Heads, theta: f64, positions: u32) -> Rotary {
        let half = heads.dim() / 2;
        let frequency = |i: usize| theta.powf(-(i as f64) / half as f64);
        let frequencies: Vec<f64> = (0..half).map(frequency).collect();
        let of = |position: u32, f: fn(f64) -> f64| {
            let angles = frequencies.iter().map(move |by| f64::from(position) * by);
            angles.map(move |angle| f(angle) as f32)
        };
        let table = (0..positions).flat_map(|p| of(p, f64::cos).chain(of(p, f64::sin)));
        Rotary {
            heads,
            table: table.collect(),
        }
    }

    /// Rotates the queries and keys of `[row, 3 · hidden]` by the positions of the rows.
    pub(super) fn turn(&self, qkv: &mut [f32], positions: &[u32]) {
        let Heads { hidden, .. } = self.heads;
        let dim = self.heads.dim();
        for (row, position) in qkv.chunks_exact_mut(3 * hidden).zip(positions) {
            let start = *position as usize * dim;
            let (cosines, sines) = self.table[start..start + dim].split_at(dim / 2);
            for head in row[..2 * hidden].chunks_exact_mut(dim) {
                let (left, right) = head.split_at_mut(dim / 2);
                let angles = cosines.iter().zip(sines);
                for ((left, right), (cos, sin)) in left.iter_mut().zip(right).zip(angles) {
                    (*left, *right) = (*left * cos - *right * sin, *right * cos + *left * sin);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_turn_by_the_position_and_values_stay() {
        let heads = Heads { n: 1, hidden: 4 };
        let rotary = Rotary::new(heads, 100.0, 4);
        let mut row = [1.0, 2.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 5.0, 6.0, 7.0, 8.0];
        rotary.turn(&mut row, &[3]);
        let ((s, c), (t, d)) = (3.0_f32.sin_cos(), 0.3_f32.sin_cos());
        let want = [
            c,
            2.0 * d - t,
            s,
            d + 2.0 * t,
            -s,
            d,
            c,
            t,
            5.0,
            6.0,
            7.0,
            8.0,
        ];
        for (got, want) in row.iter().zip(want) {
            assert!((got - want).abs() < 1e-6, "{row:?}");
        }
    }
}
