//! An NVIDIA GPU, opened without trust: no library, no driver, no card and a card of another kind
//! are all a sentence, never a crash.
//!
//! Input: nothing. Output: the first GPU and its name. Invariant: it has run a kernel of this build.
//! Knows nothing of what else could be used.

#[cfg(feature = "cuda")]
use candle_core::{Device, Tensor, cuda_backend::CudaDevice};

/// Bytes of GPU memory that are kept between batches rather than fetched anew for each.
#[cfg(feature = "cuda")]
const KEPT: u64 = 2 << 30;

/// The first GPU and its name, or the fact that keeps it from use.
#[cfg(feature = "cuda")]
pub(super) fn open() -> Result<(Device, String), String> {
    // The libraries are opened at run time, and their absence is a panic there. It is no bug of
    // ours, so the hook that would report it is silent meanwhile.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let opened = std::panic::catch_unwind(try_open);
    std::panic::set_hook(hook);
    match opened {
        Ok(opened) => opened.map_err(|error| fact_of(&error.to_string())),
        Err(panic) => Err(fact_of(
            panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("the CUDA libraries cannot be opened"),
        )),
    }
}

#[cfg(feature = "cuda")]
fn try_open() -> candle_core::Result<(Device, String)> {
    // A stream of its own: the default one is another for each thread, and a model that one
    // thread loaded would be read by the next before it is there.
    let device = Device::new_cuda_with_stream(0)?;
    let cuda = device.as_cuda_device()?;
    let name = cuda.cuda_stream().context().name();
    let name = name.unwrap_or_else(|_| "an NVIDIA GPU".to_owned());
    keep_memory(cuda);
    // Kernels are compiled for one kind of GPU: another one refuses them here, not later.
    let three = (Tensor::new(1.0_f32, &device)? + 2.0)?.to_scalar::<f32>()?;
    if three != 3.0 {
        candle_core::bail!("{name} computes 1 + 2 = {three}");
    }
    Ok((device, name))
}

/// The driver would give all free memory back whenever results are read, and take it again.
#[cfg(feature = "cuda")]
#[expect(
    unsafe_code,
    reason = "cudarc has no safe door to the driver's memory pool"
)]
fn keep_memory(device: &CudaDevice) {
    use candle_core::cuda_backend::cudarc::driver::{result, sys};
    let gpu = device.cuda_stream().context().cu_device();
    let mut kept = KEPT;
    // SAFETY: the device comes from an open context, the pool is the driver's own for that device,
    // and the attribute's value is a 64-bit count that the driver only reads.
    let set = unsafe {
        result::device::get_default_mem_pool(gpu).and_then(|pool| {
            result::mem_pool::set_attribute(
                pool,
                sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD,
                (&raw mut kept).cast(),
            )
        })
    };
    if let Err(error) = set {
        tracing::debug!("the GPU's memory is not kept between batches: {error}");
    }
}

/// What a failure means, in one line.
fn fact_of(message: &str) -> String {
    const MISSING: &str = "Unable to dynamically load the \"";
    let first = message.lines().next().unwrap_or_default().trim();
    match first.split_once(MISSING).and_then(|(_, rest)| rest.split_once('"')) {
        Some(("cuda" | "nvcuda", _)) => "there is no NVIDIA driver on this machine".to_owned(),
        Some((library, _)) => format!(
            "the NVIDIA library `{library}` cannot be opened; put its folder into LD_LIBRARY_PATH"
        ),
        None if first.contains("CUDA_ERROR_NO_DEVICE") => "there is no NVIDIA GPU".to_owned(),
        None if first.contains("CUDA_ERROR_NO_BINARY_FOR_GPU")
            || first.contains("CUDA_ERROR_INVALID_PTX") =>
        {
            "this build is for another kind of NVIDIA GPU; build with CUDA_COMPUTE_CAP set for this one"
                .to_owned()
        }
        None => format!("the NVIDIA GPU cannot be used ({first})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_becomes_one_line_that_says_what_is_missing() {
        let missing = |library: &str| {
            format!(
                "Unable to dynamically load the \"{library}\" shared library - searched for library names: [\"x\"]. Ensure that"
            )
        };
        for (message, part) in [
            (missing("cuda"), "no NVIDIA driver"),
            (missing("cublas"), "`cublas` cannot be opened"),
            (
                "DriverError(CUDA_ERROR_NO_DEVICE, \"no CUDA-capable device is detected\")".into(),
                "no NVIDIA GPU",
            ),
            (
                "DriverError(CUDA_ERROR_INVALID_PTX, \"a PTX\") when loading affine\n 0: backtrace"
                    .into(),
                "another kind",
            ),
            (
                "DriverError(CUDA_ERROR_SYSTEM_NOT_READY)\n 0: backtrace".into(),
                "(DriverError(CUDA_ERROR_SYSTEM_NOT_READY))",
            ),
        ] {
            let fact = fact_of(&message);
            assert!(fact.contains(part) && !fact.contains('\n'), "{fact}");
        }
    }
}
