//! Loads the version that serves, or the newest before it that can be loaded.
//!
//! Invariant: as long as the shipped model loads, something does, and what was passed over is told.

use candle_core::Device;
use sha2::{Digest, Sha256};

use super::{DELTA, Manifest, VersionError, Versions, hexadecimal};
use crate::model::checkpoint::CheckpointError;
use crate::model::delta::Delta;
use crate::model::store::ModelSource;
use crate::model::{LoadOptions, Model};

/// A model, and which version of it.
pub struct Loaded {
    /// The model.
    pub model: Model,
    /// Its version; 0 is the shipped model.
    pub number: u32,
    /// The version that should serve.
    pub pointed: u32,
    /// The fingerprint of the shipped model.
    pub base: String,
    /// What is to be said of the choice: why it is not the version that should serve, or how that
    /// was found out.
    pub notes: Vec<String>,
}

/// Why a version cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// There is no such version, or none that could serve.
    #[error(transparent)]
    Number(#[from] VersionError),
    /// What was learnt on top.
    #[error("{0}; choose another version from `gliznet model history`")]
    Version(String),
}

impl Versions {
    /// Loads version `number` of the model at `source`, and no other.
    ///
    /// # Errors
    /// It is not there, or broken.
    pub fn load_number(
        &self,
        source: &ModelSource,
        number: u32,
        options: &LoadOptions,
    ) -> Result<Loaded, LoadError> {
        let base = Model::fingerprint_of(source)?;
        let version = match number {
            0 => None,
            n => {
                self.loadable(&base, n)?;
                Some((n, self.delta(&base, n).map_err(LoadError::Version)?.0))
            }
        };
        Ok(Loaded {
            model: Model::with_version(source, version, options)?,
            number,
            pointed: number,
            base,
            notes: Vec::new(),
        })
    }

    /// Loads the version of the model at `source` that serves.
    ///
    /// # Errors
    /// The shipped model cannot be loaded.
    pub fn load(
        &self,
        source: &ModelSource,
        options: &LoadOptions,
    ) -> Result<Loaded, CheckpointError> {
        if !self.any() {
            let model = Model::with_version(source, None, options)?;
            let base = model.checkpoint_fingerprint().to_owned();
            return Ok(Loaded {
                model,
                number: 0,
                pointed: 0,
                base,
                notes: Vec::new(),
            });
        }
        let base = Model::fingerprint_of(source)?;
        let (pointed, note) = self.pointer(&base);
        let mut number = pointed;
        let mut notes: Vec<String> = note.into_iter().collect();
        while number > 0 {
            let loaded = self.delta(&base, number).and_then(|(delta, _)| {
                Model::with_version(source, Some((number, delta)), options)
                    .map_err(|error| error.to_string())
            });
            match loaded {
                Ok(model) => {
                    return Ok(Loaded {
                        model,
                        number,
                        pointed,
                        base,
                        notes,
                    });
                }
                Err(fault) => {
                    // One that is torn is tried, so that it is told, too.
                    let has_weights = |older| self.loadable(&base, older).is_ok();
                    let before = self.before_that(number, has_weights);
                    notes.push(format!(
                        "version {number} of the model cannot be loaded ({fault}); {} serves instead",
                        match before {
                            0 => "the shipped model".to_owned(),
                            n => format!("version {n}"),
                        }
                    ));
                    number = before;
                }
            }
        }
        Ok(Loaded {
            model: Model::with_version(source, None, options)?,
            number: 0,
            pointed,
            base,
            notes,
        })
    }

    /// Which version serves on top of `base`, if its weights can be read, and that it does.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn verify(&self, base: &str) -> Result<u32, String> {
        let (number, note) = self.pointer(base);
        if number > 0 {
            let delta = self.delta(base, number);
            delta.map_err(|fact| format!("version {number} of the model cannot serve: {fact}"))?;
        }
        note.map_or(Ok(number), Err)
    }

    /// What version `number` has learnt on top of `base`.
    ///
    /// # Errors
    /// In words.
    pub fn delta(&self, base: &str, number: u32) -> Result<(Delta, Manifest), String> {
        let manifest = self.loadable(base, number).map_err(|e| e.to_string())?;
        let path = self.of(number).join(DELTA);
        let weights = std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let digest = hexadecimal(&Sha256::digest(&weights));
        if manifest
            .sha256
            .as_ref()
            .is_some_and(|known| *known != digest)
        {
            return Err(format!("{}: not what was written there", path.display()));
        }
        let calibration = manifest.own_calibration().map_err(|e| e.to_string())?;
        let delta = Delta::new(weights, calibration);
        // A value that is no number must not wait for the first question.
        delta.parts(&Device::Cpu).map_err(|e| e.to_string())?;
        Ok((delta, manifest))
    }
}

#[cfg(test)]
mod tests {
    use super::super::manifest::Outcome;
    use super::*;
    use crate::model::delta::Parts;
    use candle_core::Tensor;
    use std::collections::BTreeMap;
    use std::path::Path;

    fn source() -> ModelSource {
        let dir =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parity/bert-isolated-proj");
        ModelSource::Folder(dir)
    }

    const NAME: &str = "aggregator.text_projector.1.bias";

    fn add(versions: &Versions, base: &str, value: f32) -> u32 {
        let tensor = Tensor::full(value, 24, &Device::Cpu).unwrap();
        let parts = Parts {
            tensors: BTreeMap::from([(NAME.to_owned(), tensor)]),
            ..Parts::default()
        };
        let delta = Delta::of(&parts, None).unwrap();
        let manifest = Manifest {
            base: base.to_owned(),
            parent: versions.current(base),
            outcome: Outcome::Accepted,
            ..Manifest::default()
        };
        let number = versions.add(manifest, Some(&delta)).unwrap().number;
        versions.point(base, number).unwrap();
        number
    }

    #[test]
    fn whatever_is_broken_something_loads_and_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let versions = Versions {
            folder: dir.path().join("versions"),
        };
        let load = || versions.load(&source(), &LoadOptions::default()).unwrap();
        let shipped = load();
        assert_eq!((shipped.number, shipped.notes.len()), (0, 0));
        let base = shipped.base;
        let (first, second) = (add(&versions, &base, 0.1), add(&versions, &base, 0.2));
        let third = add(&versions, &base, f32::NAN);
        let loaded = load();
        assert_eq!(loaded.number, second);
        assert!(loaded.notes[0].contains("version 3"), "{:?}", loaded.notes);
        assert!(loaded.notes[0].contains("NaN"), "{:?}", loaded.notes);
        assert!(loaded.model.name().ends_with("+2"));
        assert_ne!(loaded.model.fingerprint(), shipped.model.fingerprint());

        let fault = versions.verify(&base).unwrap_err();
        assert!(fault.starts_with("version 3 of the model"), "{fault}");
        versions.point(&base, second).unwrap();
        assert_eq!(versions.verify(&base), Ok(second));
        versions.point(&base, third).unwrap();

        std::fs::remove_dir_all(versions.of(third)).unwrap();
        std::fs::write(versions.of(second).join(DELTA), b"torn").unwrap();
        let loaded = load();
        assert_eq!((loaded.number, loaded.notes.len()), (first, 2));
        assert_ne!(loaded.model.fingerprint(), shipped.model.fingerprint());

        std::fs::remove_dir_all(&versions.folder).unwrap();
        std::fs::create_dir(&versions.folder).unwrap();
        std::fs::write(versions.folder.join("current"), format!("{base} 2\n")).unwrap();
        let loaded = load();
        assert_eq!((loaded.number, loaded.notes.len()), (0, 1));
        assert_eq!(loaded.model.fingerprint(), shipped.model.fingerprint());
    }

    #[test]
    fn a_version_that_is_not_there_is_named_with_one_cure() {
        let dir = tempfile::tempdir().unwrap();
        let versions = Versions {
            folder: dir.path().join("versions"),
        };
        let error = versions.load_number(&source(), 9, &LoadOptions::default());
        let Err(LoadError::Number(error)) = error else {
            panic!("it is loaded, or something else is wrong");
        };
        let said = error.to_string();
        assert!(said.starts_with("there is no version 9"), "{said}");
        assert_eq!(said.matches("gliznet model history").count(), 1, "{said}");
    }
}
