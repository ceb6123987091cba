//! What an encoder computes in: a name in, the tensor library's number type out.
//!
//! Sums, norms and the insides of softmax are float32 in any case, and so is the scoring head.

use candle_core::DType;

/// What an encoder's products are computed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// float32: what the reference's numbers are compared with.
    #[default]
    F32,
    /// bfloat16: for GPUs, which multiply it several times as fast; cosines move by less than 0.02.
    Bf16,
}

impl Precision {
    /// The number type.
    pub(crate) fn dtype(self) -> DType {
        match self {
            Precision::F32 => DType::F32,
            Precision::Bf16 => DType::BF16,
        }
    }
}
