//! What this processor can do, and how much of it is used.
//!
//! Invariant: nothing is named that the processor lacks; what is found does not change while the
//! program runs.

use std::sync::OnceLock;

use pulp::{Arch, Simd, WithSimd};

use crate::config::{Instructions, instruction_limit};

/// Instructions for float32, and those for products of bytes.
#[derive(Clone, Copy, Debug)]
pub(in crate::model::encoder) struct Processor {
    pub(super) floats: Arch,
    pub(super) bytes: ByteProducts,
}

/// How sums of products of bytes are computed; all give the same whole numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByteProducts {
    /// One by one.
    Plain,
    /// 16 products of 16-bit numbers at a time.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// VNNI in registers of 256 bits: 32 products of bytes at a time.
    #[cfg(target_arch = "x86_64")]
    AvxVnni,
    /// VNNI in registers of 512 bits: 64 products of bytes at a time.
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni,
}

impl Processor {
    /// This one, within the limit that the environment sets (`GLIZNET_SIMD`).
    pub(in crate::model::encoder) fn here() -> Processor {
        static HERE: OnceLock<Processor> = OnceLock::new();
        *HERE.get_or_init(|| Processor::within(instruction_limit()))
    }

    /// Runs what is written for `pulp`.
    pub(in crate::model::encoder) fn run<O: WithSimd>(self, loops: O) -> O::Output {
        self.floats.dispatch(loops)
    }

    /// Runs a closure that is compiled for it; it must be `#[inline(always)]`.
    pub(super) fn vectorize<R, F: FnMut() -> R>(self, loops: F) -> R {
        /// `pulp` takes closures too, but calls them by `FnOnce`: through a function of its own
        /// that the compiler seldom inlines, and then the loops know of no wide registers.
        struct Loops<F>(F);
        impl<R, F: FnMut() -> R> WithSimd for Loops<F> {
            type Output = R;
            #[inline(always)]
            fn with_simd<S: Simd>(mut self, _: S) -> R {
                (self.0)()
            }
        }
        self.floats.dispatch(Loops(loops))
    }

    /// This one, used up to `limit`.
    pub(super) fn within(limit: Instructions) -> Processor {
        let found = match limit {
            Instructions::Plain => None,
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => pulp::x86::V3::try_new().map(Arch::V3),
            #[cfg(not(target_arch = "x86_64"))]
            Instructions::Avx2 => None,
            Instructions::All => Some(Arch::new()),
        };
        Processor {
            floats: found.unwrap_or(Arch::Scalar),
            bytes: ByteProducts::within(limit),
        }
    }

    /// Everything that it can be limited to here, the fastest last: for tests and measurements.
    #[cfg(test)]
    pub(super) fn all() -> Vec<Processor> {
        let limits = [Instructions::Plain, Instructions::Avx2, Instructions::All];
        let mut all: Vec<Processor> = limits.map(Processor::within).into();
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avxvnni") {
            all.push(Processor {
                bytes: ByteProducts::AvxVnni,
                ..Processor::here()
            });
        }
        all
    }
}

impl ByteProducts {
    #[cfg(target_arch = "x86_64")]
    fn within(limit: Instructions) -> ByteProducts {
        use std::arch::is_x86_feature_detected as has;
        let wide = has!("avx512f") && has!("avx512bw") && has!("avx512vl") && has!("avx512vnni");
        match limit {
            Instructions::Plain => ByteProducts::Plain,
            Instructions::All if wide => ByteProducts::Avx512Vnni,
            Instructions::All if has!("avx2") && has!("avxvnni") => ByteProducts::AvxVnni,
            Instructions::Avx2 | Instructions::All if has!("avx2") => ByteProducts::Avx2,
            Instructions::Avx2 | Instructions::All => ByteProducts::Plain,
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn within(_limit: Instructions) -> ByteProducts {
        ByteProducts::Plain
    }
}
