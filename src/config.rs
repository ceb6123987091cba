//! Where things are kept, and what the user has set.
//!
//! Input: the environment, the user's `gliznet.toml` and the workspace's. Output: `Folders` and
//! `Settings`; and the few facts that the environment says about the Hub and the log.
//! Invariant: a fault in a file is never skipped, and all faults of both files come together.
//! The only module that reads the environment. Knows nothing of models or label sets.

use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

mod edit;
mod env;
mod folders;
mod options;
mod private;
mod runtime;
mod sink;
mod small;
mod syntax;
mod words;

pub use edit::{may_write, replace, set_model, sync_folder};
pub use env::{
    DEFAULT_ENDPOINT, Instructions, Token, hub_endpoint, hub_token, instruction_limit,
    limit_threads, log_filter, offline, search_path,
};
pub use folders::Folders;
pub use options::{Device, Learn, OPTIONS, OptionText, Options, Precision};
pub use private::{make_private, private_options};
pub use runtime::{
    end, forget_pages, give_way, has_open, huge_pages, is_running, keep_memory, processor_time,
    runtime_folder, temporary_folder, user_number,
};
pub use sink::{Sink, UnknownSink};
pub use small::read_small;
pub use syntax::toml_fault;
pub use words::{json_fact, json_fault};

/// The name of the settings file, in the user's folder and in workspaces.
pub const FILE_NAME: &str = "gliznet.toml";

/// What holds here and now: the workspace's options over the user's over the defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The model that tags; the bundled one where `None`.
    pub model: Option<Choice>,
    /// The label set used where the command names none.
    pub labelset: Option<Choice>,
    /// Overrides every threshold of label sets and models.
    pub threshold: Option<f32>,
    /// Where tags are put; who asks for writing decides where `None`.
    pub sink: Option<Choice<Sink>>,
    /// Keys of the front matter that hold tags besides the usual ones.
    pub tag_keys: Vec<String>,
    /// Whether `tags: a b` are two tags.
    pub tag_spaces: bool,
    /// Where the model runs.
    pub device: Device,
    /// What the model computes in.
    pub precision: Precision,
    /// How many threads the model may use; as many as there are cores where `None`.
    pub threads: Option<NonZeroUsize>,
    /// After how many minutes without clients the daemon ends; never where 0.
    pub idle_minutes: u64,
    /// How many megabytes of answers the daemon keeps.
    pub cache_megabytes: u64,
    /// Whether the daemon learns from corrections by itself.
    pub learn: Learn,
    /// Whether editors show suggested tags in a line over the tags.
    pub code_lens: bool,
    /// Whether editors show scores beside tags.
    pub inlay_hints: bool,
    /// Whether editors mark tags that are in no label set.
    pub diagnostics: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            model: None,
            labelset: None,
            threshold: None,
            sink: None,
            tag_keys: Vec::new(),
            tag_spaces: false,
            device: Device::default(),
            precision: Precision::default(),
            threads: None,
            idle_minutes: 30,
            cache_megabytes: 64,
            learn: Learn::default(),
            code_lens: true,
            inlay_hints: false,
            diagnostics: true,
        }
    }
}

/// A name, a path or another value, and the file that chose it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice<T = String> {
    /// A name; or a path, made absolute where the file gave a relative one.
    pub value: T,
    /// The `gliznet.toml` that says so.
    pub file: PathBuf,
}

/// One thing wrong in a settings file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file.
    pub path: PathBuf,
    /// Its line, from 1.
    pub line: usize,
    /// The fact and the cure.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.line, self.message)
    }
}

/// Why settings could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The files were read, and these lines are wrong.
    #[error("{}", one_a_line(.0))]
    Faults(Vec<Fault>),
    /// A file is there and cannot be read.
    #[error("{path}: cannot read the settings ({cause}); make the file readable or remove it")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// A file could not be written.
    #[error("{path}: cannot write the settings ({cause}); nothing was changed")]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// The system names no home folder.
    #[error(
        "this user has no home folder; set GLIZNET_CONFIG_DIR, GLIZNET_DATA_DIR and GLIZNET_CACHE_DIR"
    )]
    NoHome,
    /// An environment variable has a value that means nothing.
    #[error("{variable} is `{value}`; {cure}")]
    Variable {
        /// Its name.
        variable: &'static str,
        /// Its value.
        value: String,
        /// What to write instead.
        cure: &'static str,
    },
}

fn one_a_line(faults: &[Fault]) -> String {
    let lines: Vec<String> = faults.iter().map(Fault::to_string).collect();
    lines.join("\n")
}

impl Settings {
    /// The settings that hold in the folder `dir`: those of the user, and over them those of the
    /// nearest `gliznet.toml` in `dir` or above it.
    pub fn load(folders: &Folders, dir: &Path) -> Result<Settings, ConfigError> {
        let user = folders.config.join(FILE_NAME);
        let workspace = workspace_file(dir).filter(|file| !same_file(file, &user));
        let mut settings = Settings::default();
        let mut faults = Vec::new();
        for path in [Some(user), workspace].into_iter().flatten() {
            let Some(bytes) = read_if_there(&path)? else {
                continue;
            };
            match options::parse(&path, &bytes) {
                Ok(options) => settings.lay_over(options, &path),
                Err(more) => faults.extend(more),
            }
        }
        if faults.is_empty() {
            Ok(settings)
        } else {
            Err(ConfigError::Faults(faults))
        }
    }

    /// The label set that a `gliznet.toml` in or above the folder chooses, not the user's own.
    pub fn labelset_of_workspace(&self, folders: &Folders) -> Option<&Choice> {
        let user = folders.config.join(FILE_NAME);
        self.labelset.as_ref().filter(|chosen| chosen.file != user)
    }

    fn lay_over(&mut self, options: Options, file: &Path) {
        let choice = |value: String| Choice {
            value: anchored(&value, file),
            file: file.to_path_buf(),
        };
        self.model = options.model.map(choice).or(self.model.take());
        self.labelset = options.labelset.map(choice).or(self.labelset.take());
        self.threshold = options.threshold.or(self.threshold);
        let sink = options.sink.map(|value| Choice {
            value,
            file: file.to_path_buf(),
        });
        self.sink = sink.or(self.sink.take());
        self.tag_keys = options
            .tag_keys
            .unwrap_or(std::mem::take(&mut self.tag_keys));
        self.tag_spaces = options.tag_spaces.unwrap_or(self.tag_spaces);
        self.device = options.device.unwrap_or(self.device);
        self.precision = options.precision.unwrap_or(self.precision);
        self.threads = options.threads.or(self.threads);
        self.idle_minutes = options.idle_minutes.unwrap_or(self.idle_minutes);
        self.cache_megabytes = options.cache_megabytes.unwrap_or(self.cache_megabytes);
        self.learn = options.learn.unwrap_or(self.learn);
        self.code_lens = options.code_lens.unwrap_or(self.code_lens);
        self.inlay_hints = options.inlay_hints.unwrap_or(self.inlay_hints);
        self.diagnostics = options.diagnostics.unwrap_or(self.diagnostics);
    }
}

/// The nearest `gliznet.toml` in `dir` or above it.
pub fn workspace_file(dir: &Path) -> Option<PathBuf> {
    let dir = std::path::absolute(dir).ok()?;
    dir.ancestors()
        .map(|folder| folder.join(FILE_NAME))
        .find(|file| file.is_file())
}

/// The nearest `gliznet.toml` in `dir` or above it, with those of its keys that count in the user's
/// own file only; none where it has no such key, or is that file.
pub fn unheeded(folders: &Folders, dir: &Path) -> Option<(PathBuf, Vec<&'static str>)> {
    let user = folders.config.join(FILE_NAME);
    let file = workspace_file(dir).filter(|file| !same_file(file, &user))?;
    let bytes = read_if_there(&file).ok().flatten()?;
    let options = options::parse(&file, &bytes).ok()?;
    let keys = options.of_user();
    (!keys.is_empty()).then_some((file, keys))
}

/// Among `known`, the word most like `given`; `None` where none is like it.
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_lowercase();
    known
        .into_iter()
        .map(|word| (strsim::jaro_winkler(&given, &word.to_lowercase()), word))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word)
}

/// A relative path in a settings file is meant from the file's own folder. A word without a
/// separator is a name, unless it ends as a label set's file does.
fn anchored(value: &str, file: &Path) -> String {
    if let Some(below) = value.strip_prefix("~/")
        && let Some(home) = directories::BaseDirs::new()
    {
        return home.home_dir().join(below).display().to_string();
    }
    let is_path = value.contains(['/', '\\']) || value.starts_with('.') || value.ends_with(".toml");
    match file.parent() {
        Some(folder) if is_path => folder.join(value).display().to_string(),
        _ => value.to_owned(),
    }
}

fn same_file(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, ConfigError> {
    match read_small(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(ConfigError::Unreadable {
            path: path.to_path_buf(),
            cause,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders(root: &Path) -> Folders {
        Folders {
            config: root.join("config"),
            data: root.join("data"),
            cache: root.join("cache"),
        }
    }

    fn write(path: &Path, text: &str) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn without_any_file_the_defaults_hold() {
        let root = tempfile::tempdir().unwrap();
        let settings = Settings::load(&folders(root.path()), root.path()).unwrap();
        assert_eq!(settings, Settings::default());
    }

    #[test]
    fn the_nearest_workspace_wins_key_by_key_over_the_user() {
        let root = tempfile::tempdir().unwrap();
        let notes = root.path().join("notes");
        let deep = notes.join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        write(
            &root.path().join("config/gliznet.toml"),
            "model = \"big\"\nthreads = 3\ndevice = \"cpu\"\n",
        );
        write(&root.path().join("gliznet.toml"), "threads = 9\n");
        write(
            &notes.join("gliznet.toml"),
            "labelset = \"sets/own.toml\"\nthreads = 2\nthreshold = 1\n",
        );
        let settings = Settings::load(&folders(root.path()), &deep).unwrap();
        assert_eq!(settings.model.unwrap().value, "big");
        assert_eq!(settings.device, Device::Cpu);
        assert_eq!(settings.threads.unwrap().get(), 2, "the nearest file alone");
        assert_eq!(settings.threshold, Some(1.0), "an integer is a number too");
        let own = notes.join("sets/own.toml").display().to_string();
        assert_eq!(settings.labelset.unwrap().value, own);
    }

    #[test]
    fn faults_of_both_files_come_together() {
        let root = tempfile::tempdir().unwrap();
        write(&root.path().join("config/gliznet.toml"), "modle = \"x\"\n");
        write(&root.path().join("gliznet.toml"), "\nthreads = 0\n");
        let error = Settings::load(&folders(root.path()), root.path()).unwrap_err();
        let ConfigError::Faults(faults) = error else {
            panic!("{error}")
        };
        let places: Vec<_> = faults.iter().map(|f| (f.path.clone(), f.line)).collect();
        let user = root.path().join("config/gliznet.toml");
        assert_eq!(places, [(user, 1), (root.path().join("gliznet.toml"), 2)]);
    }

    #[test]
    fn the_nearest_word_is_near_or_there_is_none() {
        let known = ["gliznet-minilm-l6", "tiny"];
        let near = nearest("gliznet-minilm", known);
        assert_eq!(near, Some("gliznet-minilm-l6"));
        assert_eq!(nearest("zebra", known), None);
    }
}
