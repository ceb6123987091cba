//! The numbers behind a float32 tensor on the CPU, without a copy.

use std::ops::{Deref, Range};

use candle_core::{CpuStorage, DType, Layout, Result, Storage, Tensor, bail};

/// Whether our own kernels can read this tensor.
pub(super) fn is_ours(x: &Tensor) -> bool {
    x.device().is_cpu() && x.dtype() == DType::F32
}

/// A borrowed view of a tensor's values, row-major; behind it is the storage's lock.
struct Values<G> {
    storage: G,
    range: Range<usize>,
}

/// The values of `x`, which must be contiguous, float32 and on the CPU.
pub(in crate::model::encoder) fn values(x: &Tensor) -> Result<impl Deref<Target = [f32]>> {
    let (storage, layout) = x.storage_and_layout();
    let range = range(layout)?;
    match &*storage {
        Storage::Cpu(CpuStorage::F32(_)) => Ok(Values { storage, range }),
        _ => bail!("a float32 tensor on the CPU was expected"),
    }
}

impl<G: Deref<Target = Storage>> Deref for Values<G> {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        match &*self.storage {
            Storage::Cpu(CpuStorage::F32(values)) => &values[self.range.clone()],
            _ => &[], // `values` let nothing else in.
        }
    }
}

/// The values of an argument of a custom operation.
pub(super) fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    Ok(&storage.as_slice::<f32>()?[range(layout)?])
}

fn range(layout: &Layout) -> Result<Range<usize>> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(start..end),
        None => bail!("a contiguous tensor was expected"),
    }
}
