//! What an encoder computes in: a name in, the tensor library's number type out.
//!
//! Sums, norms and the insides of softmax are float32 in any case, and so is the scoring head.

use candle_core::{DType, Device};

use crate::config;

/// What an encoder's products are computed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// float32: what the reference's numbers are compared with.
    #[default]
    F32,
    /// bfloat16: for GPUs, which multiply it several times as fast; cosines move by less than 0.02.
    Bf16,
    /// Bytes: linear maps of BERT-like and ModernBERT encoders on a processor, each token quantised
    /// by itself; float32 elsewhere. Cosines move a little.
    Int8,
    /// `Int8` where a short measurement finds it faster on this processor, else `F32`.
    Auto,
}

impl From<config::Precision> for Precision {
    fn from(setting: config::Precision) -> Precision {
        match setting {
            config::Precision::F32 => Precision::F32,
            config::Precision::Bf16 => Precision::Bf16,
            config::Precision::Int8 => Precision::Int8,
            config::Precision::Auto => Precision::Auto,
        }
    }
}

impl Precision {
    /// What is wanted, or float32 where this device is slow at it.
    pub fn on(self, device: &Device) -> Precision {
        match self {
            Precision::Bf16 if device.is_cpu() => Precision::F32,
            _ => self,
        }
    }

    /// The number type of tensors.
    pub(crate) fn dtype(self) -> DType {
        match self {
            Precision::F32 | Precision::Int8 | Precision::Auto => DType::F32,
            Precision::Bf16 => DType::BF16,
        }
    }

    /// The name that the command line and the log know.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Bf16 => "bf16",
            Precision::Int8 => "int8",
            Precision::Auto => "auto",
        }
    }
}
