//! Linear maps with weights packed at load: float32, or bytes.

use candle_core::Result;

use crate::model::encoder::kernel::{
    BytePanels, ByteRows, Panels, Processor, Product, Rows, Start,
};
use crate::model::weights::Reader;

/// `x Wᵀ + b`.
#[derive(Debug)]
pub(super) enum Linear {
    F32 { weight: Panels, bias: Vec<f32> },
    Int8(BytePanels),
}

/// What weights are packed as, and for which processor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packing {
    pub(super) processor: Processor,
    pub(super) int8: bool,
}

/// Weights as they are read: `weight` is `[output, input]`.
pub(super) struct Unpacked {
    pub(super) weight: Vec<f32>,
    pub(super) bias: Vec<f32>,
}

impl Unpacked {
    /// Several maps of the same input, their outputs one after another.
    pub(super) fn read(
        input: usize,
        output: usize,
        has_bias: bool,
        parts: &[Reader],
    ) -> Result<Unpacked> {
        let (mut weight, mut bias) = (Vec::new(), Vec::new());
        for part in parts {
            let read = part.get("weight", &[output, input])?;
            weight.extend(read.flatten_all()?.to_vec1::<f32>()?);
            match has_bias {
                true => bias.extend(part.get("bias", &[output])?.to_vec1::<f32>()?),
                false => bias.resize(bias.len() + output, 0.0),
            }
        }
        Ok(Unpacked { weight, bias })
    }

    /// Multiplies the first `outputs` outputs by `factor`.
    pub(super) fn scale(mut self, outputs: usize, factor: f32) -> Unpacked {
        let input = self.weight.len() / self.bias.len();
        let weights = self.weight[..outputs * input].iter_mut();
        weights
            .chain(&mut self.bias[..outputs])
            .for_each(|x| *x *= factor);
        self
    }

    pub(super) fn pack(self, packing: Packing) -> Linear {
        let Packing { processor, int8 } = packing;
        if int8 {
            return Linear::Int8(BytePanels::new(processor, &self.weight, self.bias));
        }
        let input = self.weight.len() / self.bias.len();
        Linear::F32 {
            weight: Panels::of_columns(processor, input, self.weight.chunks_exact(input)),
            bias: self.bias,
        }
    }
}

impl Linear {
    pub(super) fn outputs(&self) -> usize {
        match self {
            Linear::F32 { weight, .. } => weight.columns(),
            Linear::Int8(weight) => weight.columns(),
        }
    }

    /// `x`: `[row, input]` -> `out`: `[row, output]`; `bytes` is space to work in.
    pub(super) fn apply(&self, x: &[f32], out: &mut [f32], bytes: &mut ByteRows) {
        let processor = Processor::here();
        match self {
            Linear::F32 { weight, bias } => {
                let stride = weight.depth();
                let n = x.len() / stride;
                processor.run(Product {
                    rows: Rows {
                        values: x,
                        stride,
                        step: 1,
                        n,
                    },
                    panels: weight.whole(),
                    start: Start::Bias(bias),
                    out,
                    out_stride: weight.columns(),
                });
            }
            Linear::Int8(weight) => weight.product(processor, x, bytes, out),
        }
    }
}
