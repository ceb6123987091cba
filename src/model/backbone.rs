//! Which form of the encoder a model runs: the fused one where there is one, else the plain one.

use super::config::ModelConfig;
use super::encoder::{Encoder, FusedEncoder};
use super::weights::Reader;
use super::{LoadOptions, Precision};

/// The encoder, in the form that serves fastest.
pub(super) enum Backbone {
    Plain(Encoder),
    Fused(FusedEncoder),
}

impl Backbone {
    /// What it computes in where this was asked for.
    pub(super) fn precision(&self, wanted: Precision) -> Precision {
        match self {
            Backbone::Fused(encoder) if encoder.is_int8() => Precision::Int8,
            Backbone::Plain(_) if wanted == Precision::Bf16 => Precision::Bf16,
            Backbone::Fused(_) | Backbone::Plain(_) => Precision::F32,
        }
    }

    /// The fused encoder where the device and the architecture have one, unless `plain` is asked for.
    pub(super) fn new(
        config: &ModelConfig,
        weights: &Reader,
        options: &LoadOptions,
    ) -> candle_core::Result<Backbone> {
        let int8 = || match options.precision {
            Precision::Int8 => true,
            Precision::Auto => FusedEncoder::int8_is_faster(&config.backbone),
            Precision::F32 | Precision::Bf16 => false,
        };
        if options.device.is_cpu()
            && !options.plain
            && let Some(fused) = FusedEncoder::new(&config.backbone, weights, int8())?
        {
            return Ok(Backbone::Fused(fused));
        }
        let weights = weights.clone().computing_in(options.precision.dtype());
        Ok(Backbone::Plain(Encoder::new(&config.backbone, &weights)?))
    }
}
