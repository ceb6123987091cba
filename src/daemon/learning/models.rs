//! The model that the daemon serves: how it is loaded, and which version it is.
//!
//! Input: the settings that held when the daemon began. Output: models for the worker.
//! Invariant: what is said to serve is what was handed to the worker last. Knows no learning.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::{Folders, Learn, Settings};
use crate::learn::consolidate::track::Rivals;
use crate::learn::versions::{Loaded, Versions};
use crate::model::store::{ModelSource, Store};
use crate::model::{LoadOptions, Model, Precision, device};

/// Loads models, and remembers which serves.
pub struct Models {
    folders: Folders,
    settings: Settings,
    versions: Versions,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Where the model comes from, and where it runs; found out when it is first loaded.
    origin: Option<(ModelSource, LoadOptions)>,
    served: Option<Served>,
}

/// A version that serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Served {
    /// The fingerprint of the shipped model.
    pub(super) base: String,
    /// Its number; 0 is the shipped model.
    pub(super) number: u32,
    /// The version that should serve.
    pub(super) pointed: u32,
    /// Its name, as in `name+2`.
    pub(super) name: String,
    /// Its own fingerprint.
    pub(super) fingerprint: String,
    /// Why it is not the version that should serve; empty where it is.
    pub(super) notes: Vec<String>,
}

impl Models {
    /// Those of a daemon with these settings.
    pub fn new(folders: &Folders, settings: &Settings) -> Models {
        Models {
            folders: folders.clone(),
            settings: settings.clone(),
            versions: Versions::new(folders),
            state: Mutex::default(),
        }
    }

    /// Loads the version that should serve, for the worker's first question; and says where it runs.
    ///
    /// # Errors
    /// No version can be loaded, and not the shipped model either.
    pub fn first(&self) -> Result<(Arc<Model>, String), String> {
        let chosen = device::choose(self.settings.device).map_err(|error| error.of_settings())?;
        let store = Store::new(&self.folders, crate::model::bundled_files());
        let current = store
            .current(&self.settings)
            .map_err(|error| whole(&error))?;
        let options = LoadOptions {
            precision: Precision::from(self.settings.precision).on(&chosen.device),
            device: chosen.device,
            ..LoadOptions::default()
        };
        self.state().origin = Some((current.source, options));
        let (model, served) = self.load()?;
        self.serves(served);
        Ok((model, chosen.name.to_string()))
    }

    /// Loads the version that should serve now.
    pub(super) fn load(&self) -> Result<(Arc<Model>, Served), String> {
        let origin = self.state().origin.clone();
        let (source, options) = origin.ok_or("there is no model yet")?;
        let loaded = self.versions.load(&source, &options);
        let Loaded {
            model,
            number,
            pointed,
            base,
            notes,
        } = loaded.map_err(|error| whole(&error))?;
        for note in &notes {
            tracing::warn!("{note}");
        }
        let served = Served {
            base,
            number,
            pointed,
            name: model.name().to_owned(),
            fingerprint: model.fingerprint().to_owned(),
            notes,
        };
        Ok((Arc::new(model), served))
    }

    /// The worker has this one now.
    pub(super) fn serves(&self, served: Served) {
        self.state().served = Some(served);
    }

    /// What serves; none while there is no model.
    pub(super) fn served(&self) -> Option<Served> {
        self.state().served.clone()
    }

    pub(super) fn versions(&self) -> &Versions {
        &self.versions
    }

    pub(super) fn folders(&self) -> &Folders {
        &self.folders
    }

    pub(super) fn is_automatic(&self) -> bool {
        self.settings.learn == Learn::Auto
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An error with its causes.
fn whole(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |said, cause| format!("{said}: {cause}"))
}

impl Served {
    /// How corrections name this version and the one before it.
    pub(super) fn names(&self, parent: u32) -> Names {
        let short = |fingerprint: &str| fingerprint.chars().take(8).collect::<String>();
        let own = format!("+{}", self.number);
        let stem = self.name.strip_suffix(&own).unwrap_or(&self.name);
        Names {
            now: format!("{}@{}", self.name, short(&self.fingerprint)),
            before: match parent {
                0 => format!("{stem}@{}", short(&self.base)),
                parent => format!("{stem}+{parent}@"),
            },
        }
    }
}

/// How corrections name a version and the one before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names {
    now: String,
    before: String,
}

impl Names {
    pub(super) fn rivals(&self, since: u64) -> Rivals<'_> {
        Rivals {
            now: &self.now,
            before: &self.before,
            since,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_named_as_corrections_name_them() {
        let served = Served {
            base: "0123456789abcdef".to_owned(),
            number: 12,
            pointed: 12,
            name: "my+model+12".to_owned(),
            fingerprint: "fedcba9876543210".to_owned(),
            notes: Vec::new(),
        };
        let names = served.names(11);
        assert_eq!(names.now, "my+model+12@fedcba98");
        assert_eq!(names.before, "my+model+11@");
        assert_eq!(served.names(0).before, "my+model@01234567");
    }
}
