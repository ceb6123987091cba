//! How far a number may be from its golden one: how the model computes in, tolerances out. Pure.

use crate::model::{LoadOptions, Precision};

/// Largest deviations by what is compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tolerances {
    /// Last hidden states.
    pub(super) hidden: f64,
    /// The projected text vector.
    pub(super) text: f64,
    /// Cosines of a text and a label.
    pub(super) cosines: f64,
    /// The checkpoint's own logits.
    pub(super) logits: f64,
    /// Probabilities.
    pub(super) scores: f64,
    /// Logits of one sequence, padded and in a batch, against itself alone.
    pub(super) padding: f64,
    /// Largest change of an isolated label's logit when other labels come and go.
    pub(super) isolation: f64,
}

/// Float32, as the golden cases' README gives them.
const F32: Tolerances = Tolerances {
    hidden: 1e-4,
    text: 1e-3,
    cosines: 1e-3,
    logits: 1e-3,
    scores: 1e-3,
    padding: 1e-4,
    isolation: 1e-5,
};

/// A GPU sums a product in another order when its shape is another.
const F32_GPU: Tolerances = Tolerances {
    isolation: 1e-4,
    ..F32
};

/// bfloat16 has three digits. What counts is that cosines stay within 0.02; the golden models are
/// so narrow that their states are rounded more coarsely than a real model's.
const BF16: Tolerances = Tolerances {
    hidden: 0.2,
    text: 0.2,
    cosines: 0.02,
    logits: 0.25,
    scores: 0.05,
    padding: 0.25,
    isolation: 0.25,
};

/// Bytes have two digits; the golden models' random weights lie far from what they were made for.
const INT8: Tolerances = Tolerances {
    hidden: 0.3,
    text: 1e-3,
    cosines: 1e-3,
    logits: 0.35,
    scores: 1e-3,
    padding: 1e-4,
    isolation: 1e-5,
};

impl Tolerances {
    /// What a model loaded with these options must keep.
    pub(super) fn of(options: &LoadOptions) -> Tolerances {
        match options.precision {
            Precision::F32 if options.device.is_cpu() => F32,
            Precision::F32 => F32_GPU,
            Precision::Bf16 => BF16,
            Precision::Int8 | Precision::Auto => INT8,
        }
    }
}
