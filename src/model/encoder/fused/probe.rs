//! Whether bytes are faster than float32 here: a measurement of some milliseconds.

use std::time::{Duration, Instant};

use super::linear::{Packing, Unpacked};
use crate::model::encoder::kernel::{ByteRows, Processor};

/// Rows of the product that is measured.
const ROWS: usize = 48;
/// How often; the fastest counts, as others may be using the processor.
const ROUNDS: usize = 7;
/// How many times as fast bytes must be to be worth what they cost in exactness.
const WORTH: f64 = 1.25;

/// Measures a map of `input` to `output` numbers in both forms.
pub(super) fn bytes_are_faster(input: usize, output: usize) -> bool {
    let x: Vec<f32> = (0..ROWS * input).map(|i| (i % 31) as f32 - 15.0).collect();
    let mut out = vec![0.0; ROWS * output];
    let mut bytes = ByteRows::default();
    let mut fastest = |int8: bool| -> Duration {
        let weights = Unpacked {
            weight: (0..input * output).map(|i| (i % 17) as f32 - 8.0).collect(),
            bias: vec![0.0; output],
        };
        let linear = weights.pack(Packing {
            processor: Processor::here(),
            int8,
        });
        let rounds = (0..ROUNDS).map(|_| {
            let start = Instant::now();
            linear.apply(&x, &mut out, &mut bytes);
            start.elapsed()
        });
        rounds.min().unwrap_or(Duration::MAX)
    };
    let (float, byte) = (fastest(false), fastest(true));
    let faster = byte.mul_f64(WORTH) < float;
    tracing::debug!(?float, ?byte, faster, "int8 was tried against f32");
    faster
}
