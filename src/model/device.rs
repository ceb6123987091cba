//! Where the model computes: the wish in, a device and the reason for it out.
//!
//! Invariant: `auto` always finds a device, and a GPU that is handed out has computed something.
//! Knows nothing of models.

#[cfg(any(feature = "cuda", test))]
mod cuda;

use candle_core::Device;

use crate::config::Device as Choice;

/// A device and why it was taken.
#[derive(Debug)]
pub struct Chosen {
    /// The device.
    pub device: Device,
    /// `cpu`, `cuda` or `metal`.
    pub name: &'static str,
    /// One clause for the log.
    pub why: String,
}

/// Why a wanted device cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("--device {name}: {fact}; use --device cpu")]
pub struct DeviceError {
    name: &'static str,
    fact: String,
}

impl DeviceError {
    /// The same for a device that the settings name: nobody gave the option, and a daemon has none.
    pub fn of_settings(&self) -> String {
        let DeviceError { name, fact } = self;
        format!("gliznet.toml: `device` is `{name}`: {fact}, or write `device = \"cpu\"`")
    }
}

/// Takes the wanted device; `Auto` takes a GPU that answers, else the CPU.
///
/// # Errors
/// A GPU that was asked for by name and cannot be used.
pub fn choose(choice: Choice) -> Result<Chosen, DeviceError> {
    let cpu = |why: String| Chosen {
        device: Device::Cpu,
        name: "cpu",
        why,
    };
    match choice {
        Choice::Cpu => Ok(cpu("it was asked for".to_owned())),
        Choice::Cuda => cuda().map_err(|fact| DeviceError { name: "cuda", fact }),
        Choice::Metal => metal().map_err(|fact| DeviceError {
            name: "metal",
            fact,
        }),
        Choice::Auto => Ok(auto().unwrap_or_else(cpu)),
    }
}

/// A GPU of a kind that this build can use, or why there is none.
fn auto() -> Result<Chosen, String> {
    let mut facts = Vec::new();
    if cfg!(feature = "cuda") {
        match cuda() {
            Ok(chosen) => return Ok(chosen),
            Err(fact) => facts.push(fact),
        }
    }
    if cfg!(feature = "metal") {
        match metal() {
            Ok(chosen) => return Ok(chosen),
            Err(fact) => facts.push(fact),
        }
    }
    if facts.is_empty() {
        facts.push("no GPU that this build can use".to_owned());
    }
    Err(facts.join("; "))
}

/// Whether a failure only means that less should be asked for at once.
///
/// By its text: the drivers' error types exist only in builds that have them.
pub fn is_out_of_memory(error: &candle_core::Error) -> bool {
    const WORDS: [&str; 3] = [
        "CUDA_ERROR_OUT_OF_MEMORY",   // the driver: an allocation
        "CUBLAS_STATUS_ALLOC_FAILED", // cuBLAS: its workspace
        "FailedToCreateResource",     // Metal: a buffer
    ];
    let text = format!("{error} {error:?}");
    WORDS.iter().any(|word| text.contains(word))
}

#[cfg(feature = "cuda")]
fn cuda() -> Result<Chosen, String> {
    let (device, name) = cuda::open()?;
    Ok(Chosen {
        device,
        name: "cuda",
        why: format!("{name} answers"),
    })
}

#[cfg(not(feature = "cuda"))]
fn cuda() -> Result<Chosen, String> {
    Err("this build has no CUDA; build with `--features cuda`".into())
}

#[cfg(feature = "metal")]
fn metal() -> Result<Chosen, String> {
    match Device::new_metal(0) {
        Ok(device) => Ok(Chosen {
            device,
            name: "metal",
            why: "an Apple GPU answers".into(),
        }),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(not(feature = "metal"))]
fn metal() -> Result<Chosen, String> {
    Err("this build has no Metal; build with `--features metal` on a Mac".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_always_finds_a_device_and_says_why() {
        let chosen = choose(Choice::Auto).unwrap();
        assert!(!chosen.why.is_empty() && !chosen.why.contains('\n'));
        assert_eq!(choose(Choice::Cpu).unwrap().name, "cpu");
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_device_that_this_build_lacks_is_refused_with_a_cure() {
        let message = choose(Choice::Cuda).unwrap_err().to_string();
        assert!(
            message.contains("--features cuda") && message.contains("--device cpu"),
            "{message}"
        );
        let message = choose(Choice::Cuda).unwrap_err().of_settings();
        assert_eq!(
            message,
            "gliznet.toml: `device` is `cuda`: this build has no CUDA; build with `--features cuda`, \
             or write `device = \"cpu\"`"
        );
    }

    #[test]
    fn memory_that_does_not_suffice_is_told_from_other_failures() {
        for (text, is) in [
            (
                "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")",
                true,
            ),
            ("CublasError(CUBLAS_STATUS_ALLOC_FAILED)", true),
            (
                "DriverError(CUDA_ERROR_ILLEGAL_ADDRESS, \"an illegal memory access was encountered\")",
                false,
            ),
            ("shape mismatch in matmul", false),
        ] {
            let plain = candle_core::Error::Msg(text.to_owned());
            assert_eq!(is_out_of_memory(&plain), is, "{text}");
            // As candle hands them up: a boxed cause, with a backtrace around it.
            let cause = std::io::Error::other(text);
            let wrapped = candle_core::Error::Cuda(Box::new(cause))
                .context("linear")
                .bt();
            assert_eq!(is_out_of_memory(&wrapped), is, "{text}");
        }
    }
}
