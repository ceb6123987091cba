//! Where the model computes: the wish in, a device and the reason for it out.

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

/// Takes the wanted device; `Auto` takes a GPU that answers, else the CPU.
///
/// # Errors
/// A GPU that was asked for by name and cannot be used.
pub fn choose(choice: Choice) -> Result<Chosen, DeviceError> {
    let cpu = |why: &str| Chosen {
        device: Device::Cpu,
        name: "cpu",
        why: why.to_owned(),
    };
    match choice {
        Choice::Cpu => Ok(cpu("it was asked for")),
        Choice::Cuda => cuda().map_err(|fact| DeviceError { name: "cuda", fact }),
        Choice::Metal => metal().map_err(|fact| DeviceError {
            name: "metal",
            fact,
        }),
        Choice::Auto => Ok(cuda()
            .or_else(|_| metal())
            .unwrap_or_else(|_| cpu("no GPU that this build can use"))),
    }
}

#[cfg(feature = "cuda")]
fn cuda() -> Result<Chosen, String> {
    // The driver's libraries are opened at run time, and their absence is a panic there.
    let opened = std::panic::catch_unwind(|| Device::new_cuda(0));
    match opened {
        Ok(Ok(device)) => Ok(Chosen {
            device,
            name: "cuda",
            why: "an NVIDIA GPU answers".into(),
        }),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the NVIDIA libraries are not on this machine".into()),
    }
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
    fn auto_always_finds_a_device() {
        assert!(choose(Choice::Auto).is_ok());
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
    }
}
