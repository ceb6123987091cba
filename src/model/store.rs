//! The checkpoints that this machine has: bundled, pulled, or a folder.
//!
//! Input: the data folder, the bundled files, a name or a path. Output: where a model's files are,
//! and a `Summary` of them. Invariant: a name means one model; a bundled name cannot be pulled over.
//! Reads configurations and sizes only; whether weights are sound is the loader's business.

use std::io;
use std::path::{Path, PathBuf};

use crate::config::{Folders, Settings, nearest};

mod checksum;
mod error;
mod record;
mod summary;

pub use checksum::Checksum;
pub use error::StoreError;
pub use record::{RECORD_FILE, Record};
pub use summary::{Dialect, FileSize, Summary, weights_sha256};

/// The name of the model that comes inside the binary.
pub const BUNDLED_NAME: &str = "gliznet-minilm-l6";

/// Below the models' folder: downloads that are not complete.
pub(super) const INCOMING: &str = ".incoming";

/// The files of the bundled model: name and content.
pub type BundledFiles = &'static [(&'static str, &'static [u8])];

/// Where the files of a model are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelSource {
    /// Inside the binary.
    Bundled,
    /// In this folder.
    Folder(PathBuf),
}

/// How a model came to this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It is part of the binary.
    Bundled,
    /// `gliznet model pull` fetched it.
    Pulled,
    /// A folder of the user's own.
    Folder,
}

/// One model of this machine.
#[derive(Debug)]
pub struct Entry {
    /// Its name; for a folder of the user's own, the path.
    pub name: String,
    /// How it came here.
    pub origin: Origin,
    /// Where its files are.
    pub source: ModelSource,
}

/// A download that was begun and not completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// The name it would have.
    pub name: String,
    /// `OWNER/NAME@REVISION`, as `pull` takes it.
    pub repository: String,
    /// Bytes that are already here.
    pub bytes: u64,
}

/// The models of this machine.
#[derive(Clone, Debug)]
pub struct Store {
    models: PathBuf,
    bundled: Option<BundledFiles>,
}

impl Store {
    /// The store in the user's data folder; `bundled` is what the binary brings along.
    pub fn new(folders: &Folders, bundled: Option<BundledFiles>) -> Store {
        Store {
            models: folders.data.join("models"),
            bundled,
        }
    }

    /// The folder that holds the pulled models.
    pub fn folder(&self) -> &Path {
        &self.models
    }

    /// All models that have a name: the bundled one first, then the pulled ones by name.
    pub fn list(&self) -> Result<Vec<Entry>, StoreError> {
        let bundled = self.bundled.map(|_| Entry {
            name: BUNDLED_NAME.to_owned(),
            origin: Origin::Bundled,
            source: ModelSource::Bundled,
        });
        let pulled = folders_in(&self.models)?
            .into_iter()
            .map(|(name, path)| Entry {
                name,
                origin: Origin::Pulled,
                source: ModelSource::Folder(path),
            });
        Ok(bundled.into_iter().chain(pulled).collect())
    }

    /// Downloads that were interrupted; pulling again goes on where they stopped.
    pub fn unfinished(&self) -> Result<Vec<Unfinished>, StoreError> {
        let mut all = Vec::new();
        for (name, path) in folders_in(&self.models.join(INCOMING))? {
            let Some(record) = Record::read(&path) else {
                continue;
            };
            all.push(Unfinished {
                name,
                repository: record.repository_at_revision(),
                bytes: summary::sizes(&path)?.iter().map(|f| f.bytes).sum(),
            });
        }
        Ok(all)
    }

    /// What `name_or_path` means: a path where it looks like one, else a name, else a folder of
    /// that name right here.
    pub fn resolve(&self, name_or_path: &str) -> Result<ModelSource, StoreError> {
        self.find(name_or_path).map(|entry| entry.source)
    }

    /// As `resolve`, with the name and how it came here.
    pub fn find(&self, name_or_path: &str) -> Result<Entry, StoreError> {
        let path = Path::new(name_or_path);
        let is_path = name_or_path.contains(['/', '\\']) || name_or_path.starts_with('.');
        if !is_path {
            let entries = self.list()?;
            if let Some(entry) = entries.into_iter().find(|e| e.name == name_or_path) {
                return Ok(entry);
            }
            if !path.join("config.json").is_file() {
                return Err(self.unknown(name_or_path)?);
            }
        }
        if path.is_file() {
            return Err(StoreError::NotFolder { path: path.into() });
        }
        if !path.is_dir() {
            return Err(StoreError::NoFolder { path: path.into() });
        }
        if !path.join("config.json").is_file() {
            return Err(StoreError::NoConfig { path: path.into() });
        }
        Ok(Entry {
            name: name_or_path.to_owned(),
            origin: Origin::Folder,
            source: ModelSource::Folder(path.into()),
        })
    }

    /// The model that tags where the command names none: what the settings choose, else the
    /// bundled one.
    pub fn current(&self, settings: &Settings) -> Result<Entry, StoreError> {
        match &settings.model {
            Some(choice) => self
                .find(&choice.value)
                .map_err(|error| StoreError::Chosen {
                    file: choice.file.clone(),
                    source: Box::new(error),
                }),
            None if self.bundled.is_some() => self.find(BUNDLED_NAME),
            None => Err(StoreError::None),
        }
    }

    /// What the files of a model say about it.
    pub fn summary(&self, source: &ModelSource) -> Result<Summary, StoreError> {
        match (source, self.bundled) {
            (ModelSource::Folder(folder), _) => Summary::read(folder),
            (ModelSource::Bundled, Some(files)) => Summary::of_bundled(files),
            (ModelSource::Bundled, None) => Err(StoreError::None),
        }
    }

    /// The SHA-256 of each weights file, in hexadecimal; reads all of them.
    pub fn weights_sha256(
        &self,
        source: &ModelSource,
    ) -> Result<Vec<(String, String)>, StoreError> {
        match (source, self.bundled) {
            (ModelSource::Folder(folder), _) => weights_sha256(folder),
            (ModelSource::Bundled, Some(files)) => Ok(summary::bundled_sha256(files)),
            (ModelSource::Bundled, None) => Err(StoreError::None),
        }
    }

    fn unknown(&self, name: &str) -> Result<StoreError, StoreError> {
        let names: Vec<String> = self.list()?.into_iter().map(|e| e.name).collect();
        let near = nearest(name, names.iter().map(String::as_str)).map(str::to_owned);
        Ok(StoreError::Unknown {
            name: name.to_owned(),
            near,
        })
    }
}

/// The visible folders in `folder`, by name; none where it is not there.
fn folders_in(folder: &Path) -> Result<Vec<(String, PathBuf)>, StoreError> {
    let unreadable = |cause| StoreError::Unreadable {
        path: folder.to_path_buf(),
        cause,
    };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() && !name.starts_with('.') {
            found.push((name, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Choice;

    const CONFIG: &[u8] = br#"{"model_type": "gliznet", "backbone_config": {"model_type": "bert",
        "hidden_size": 32, "num_hidden_layers": 3}}"#;
    const FILES: BundledFiles = &[("config.json", CONFIG), ("model.safetensors", b"weights")];

    fn store(root: &Path, bundled: bool) -> Store {
        let folders = Folders {
            config: root.join("config"),
            data: root.join("data"),
            cache: root.join("cache"),
        };
        Store::new(&folders, bundled.then_some(FILES))
    }

    fn add(folder: &Path) {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join("config.json"), CONFIG).unwrap();
    }

    #[test]
    fn the_bundled_model_is_first_and_unfinished_downloads_are_no_models() {
        let root = tempfile::tempdir().unwrap();
        let store = store(root.path(), true);
        add(&store.folder().join("zeta"));
        add(&store.folder().join("alpha"));
        add(&store.folder().join(INCOMING).join("half"));
        let names: Vec<String> = store.list().unwrap().into_iter().map(|e| e.name).collect();
        assert_eq!(names, [BUNDLED_NAME, "alpha", "zeta"]);
    }

    #[test]
    fn a_name_is_a_model_and_a_path_is_a_folder() {
        let root = tempfile::tempdir().unwrap();
        let store = store(root.path(), true);
        add(&store.folder().join("tiny"));
        let own = root.path().join("own");
        add(&own);
        assert_eq!(store.resolve(BUNDLED_NAME).unwrap(), ModelSource::Bundled);
        let tiny = ModelSource::Folder(store.folder().join("tiny"));
        assert_eq!(store.resolve("tiny").unwrap(), tiny);
        let path = own.display().to_string();
        assert_eq!(store.resolve(&path).unwrap(), ModelSource::Folder(own));
    }

    #[test]
    fn what_is_not_there_is_named_with_the_cure() {
        let root = tempfile::tempdir().unwrap();
        let store = store(root.path(), true);
        let message = |name: &str| store.resolve(name).unwrap_err().to_string();
        assert_eq!(
            message("gliznet-minilm"),
            "no model `gliznet-minilm` on this machine (did you mean `gliznet-minilm-l6`?); `gliznet model list` shows all"
        );
        assert!(message("owner/name").contains("gliznet model pull OWNER/NAME"));
        let file = root.path().join("weights.bin");
        std::fs::write(&file, "x").unwrap();
        assert!(message(&file.display().to_string()).contains("give the folder it is in"));
        assert!(message(&root.path().display().to_string()).contains("no config.json"));
    }

    #[test]
    fn the_settings_choose_and_the_bundled_model_is_the_default() {
        let root = tempfile::tempdir().unwrap();
        let mut settings = Settings::default();
        let with = store(root.path(), true);
        assert_eq!(with.current(&settings).unwrap().origin, Origin::Bundled);
        assert!(matches!(
            store(root.path(), false).current(&settings),
            Err(StoreError::None)
        ));
        settings.model = Some(Choice {
            value: "gone".to_owned(),
            file: "gliznet.toml".into(),
        });
        let error = with.current(&settings).unwrap_err();
        assert!(error.to_string().starts_with("gliznet.toml: "), "{error}");
    }

    #[test]
    fn the_bundled_model_has_a_summary_too() {
        let root = tempfile::tempdir().unwrap();
        let store = store(root.path(), true);
        let summary = store.summary(&ModelSource::Bundled).unwrap();
        assert_eq!((summary.layers, summary.hidden_size), (Some(3), Some(32)));
        assert_eq!(summary.bytes(), CONFIG.len() as u64 + 7);
        let hashes = store.weights_sha256(&ModelSource::Bundled).unwrap();
        assert_eq!(hashes[0].0, "model.safetensors");
        assert!(hashes[0].1.starts_with("9a129038"), "{hashes:?}");
    }
}
