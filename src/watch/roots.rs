//! The watched folders and what was set for each: a small file beside `gliznet.toml`.
//!
//! Input: `watch.toml`, and what `gliznet watch` is told. Output: `Folder`s, and the file written
//! anew, whole or not at all.
//! Invariant: no watched folder is in another, whoever wrote the file; a file with faults is not
//! overwritten.
//! Length: a third is the table of faults and refusals in the tests.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::quiet::QuietHours;
use crate::config::{Fault, replace, toml_fault};
use crate::document::Format;
use crate::sink::Sink;

/// The file's name in the folder of settings.
pub(super) const FILE_NAME: &str = "watch.toml";
/// How long a note must be quiet before it is read.
const SETTLE: f32 = 2.0;
/// How many notes of a folder are worked at at once.
const CONCURRENCY: usize = 32;

const HEAD: &str = "# The folders that gliznet watches; `gliznet watch add --help` tells what may be set.\n\
# A folder's own gliznet.toml rules its labels.\n\n";

/// One watched folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Folder {
    pub(super) path: PathBuf,
    /// Where no `gliznet.toml` in or above a note's folder chooses one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) labelset: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) threshold: Option<f32>,
    #[serde(default)]
    pub(super) sink: Sink,
    /// Without dots, in lower case; all that are known where empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) extensions: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) quiet_hours: Option<QuietHours>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) concurrency: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) settle_seconds: Option<f32>,
    /// Look for changes every few seconds, because the system does not tell of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) poll: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) paused: bool,
}

impl Folder {
    /// A folder with nothing set.
    pub(super) fn new(path: PathBuf) -> Folder {
        Folder {
            path,
            labelset: None,
            threshold: None,
            sink: Sink::default(),
            extensions: Vec::new(),
            quiet_hours: None,
            concurrency: None,
            settle_seconds: None,
            poll: false,
            paused: false,
        }
    }

    /// How long a note must be quiet.
    pub(super) fn settle(&self) -> std::time::Duration {
        let seconds = self.settle_seconds.unwrap_or(SETTLE).clamp(0.05, 3_600.0);
        std::time::Duration::from_secs_f32(seconds)
    }

    /// How many of its notes are worked at at once.
    pub(super) fn concurrency(&self) -> usize {
        self.concurrency.unwrap_or(CONCURRENCY).max(1)
    }

    /// Whether a file of this name is a note here.
    pub(super) fn is_note(&self, path: &Path) -> bool {
        let extension = path.extension().and_then(|extension| extension.to_str());
        let Some(extension) = extension.map(str::to_ascii_lowercase) else {
            return false;
        };
        if self.extensions.is_empty() {
            return Format::from_extension(&extension).is_some();
        }
        self.extensions.contains(&extension)
    }
}

/// The file, with one table a folder.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    folder: Vec<Folder>,
}

/// Why the folders are not known, or not changed.
#[derive(Debug, thiserror::Error)]
pub(super) enum RootsError {
    /// The file is not what it should be.
    #[error("{0}")]
    Syntax(Fault),
    /// The file means nothing.
    #[error("{path}: {fact}; mend the file, or remove it and add the folders again")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        fact: String,
    },
    /// The system refuses.
    #[error("{path}: the watched folders cannot be kept here ({cause}); nothing was changed")]
    Io {
        /// The file.
        path: PathBuf,
        /// What it says.
        cause: io::Error,
    },
    /// It would be below the folder that the daemon was started in, which nobody means.
    #[error("{0}: not a whole path; name the folder from the root")]
    Relative(PathBuf),
    /// There is nothing to watch.
    #[error("{0}: no such folder; check the path")]
    NoFolder(PathBuf),
    /// Its name could not be written down.
    #[error("{}: the path is no UTF-8 text and cannot be kept in {FILE_NAME}; rename the folder", .0.display())]
    NoText(PathBuf),
    /// Nobody means all of it.
    #[error(
        "{0}: all of a home folder or a disk; name a folder of notes, or give --yes if you mean it"
    )]
    TooWide(PathBuf),
    /// It would be watched twice.
    #[error("{0}: overlaps with {1}, which is watched; `gliznet watch remove` that one first")]
    Overlap(PathBuf, PathBuf),
    /// It is not watched.
    #[error("{0}: not watched; `gliznet watch list` shows the folders that are")]
    Unknown(PathBuf),
    /// A daemon has no output.
    #[error("the sink `stdout` is for commands; watch with suggest, frontmatter, xattr or sidecar")]
    Stdout,
    /// A number out of its range.
    #[error("{0}")]
    Value(String),
}

/// Reads the file; one that is not there has no folders.
pub(super) fn read(path: &Path) -> Result<Vec<Folder>, RootsError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(cause) => {
            return Err(RootsError::File {
                path: path.to_path_buf(),
                fact: cause.to_string(),
            });
        }
    };
    let parsed: Result<File, _> = toml::from_str(&text);
    let file = parsed.map_err(|error| {
        let cure = "mend the line, or take the folder out and add it again";
        RootsError::Syntax(toml_fault(path, &text, &error, cure))
    })?;
    let mut folders = Vec::new();
    for folder in file.folder {
        let fault = |error: RootsError| RootsError::File {
            path: path.to_path_buf(),
            fact: error.to_string(),
        };
        let folder = anchored(folder).map_err(fault)?;
        // What is written there is meant.
        add(&mut folders, folder, true).map_err(fault)?;
    }
    Ok(folders)
}

/// A folder as a person may have written it down, by the path that it has.
fn anchored(folder: Folder) -> Result<Folder, RootsError> {
    let home = directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_path_buf());
    let path = match (folder.path.strip_prefix("~"), home) {
        (Ok(below), Some(home)) => home.join(below),
        _ => folder.path.clone(),
    };
    if !path.is_absolute() {
        let shown = path.display();
        let fact = format!("`{shown}` does not say where it is; write it from the root or from ~");
        return Err(RootsError::Value(fact));
    }
    // One that is away keeps its name.
    let path = path.canonicalize().unwrap_or(path);
    Ok(Folder { path, ..folder })
}

/// Writes the file.
pub(super) fn write(path: &Path, folders: &[Folder]) -> Result<(), RootsError> {
    let io = |cause| RootsError::Io {
        path: path.to_path_buf(),
        cause,
    };
    let file = File {
        folder: folders.to_vec(),
    };
    let text = toml::to_string(&file).map_err(|error| io(io::Error::other(error)))?;
    replace(path, format!("{HEAD}{text}").as_bytes()).map_err(io)
}

/// The folder as it is written down: whole, without links. It must be there.
pub(super) fn resolved(path: &Path) -> Result<PathBuf, RootsError> {
    let found = path.canonicalize().ok().filter(|path| path.is_dir());
    let found = found.ok_or_else(|| RootsError::NoFolder(path.to_path_buf()))?;
    match found.to_str() {
        Some(_) => Ok(found),
        None => Err(RootsError::NoText(found)),
    }
}

/// Adds a folder, or sets it anew.
pub(super) fn add(folders: &mut Vec<Folder>, new: Folder, yes: bool) -> Result<(), RootsError> {
    let home = directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_path_buf());
    if !yes && is_too_wide(&new.path, home.as_deref()) {
        return Err(RootsError::TooWide(new.path));
    }
    if new.sink == Sink::Stdout {
        return Err(RootsError::Stdout);
    }
    let bad = |fact: &str| Err(RootsError::Value(fact.to_owned()));
    if new
        .threshold
        .is_some_and(|value| !(0.0..=1.0).contains(&value))
    {
        return bad("the threshold is not from 0 to 1");
    }
    if new.concurrency == Some(0) {
        return bad("the concurrency is 0; give at least 1");
    }
    let is_time = |seconds: f32| (0.05..=3_600.0).contains(&seconds);
    if new.settle_seconds.is_some_and(|seconds| !is_time(seconds)) {
        return bad("the time to settle is not from 0.05 to 3600 seconds");
    }
    let others = folders.iter().filter(|known| known.path != new.path);
    let overlaps =
        |known: &&Folder| known.path.starts_with(&new.path) || new.path.starts_with(&known.path);
    if let Some(other) = others.into_iter().find(overlaps) {
        return Err(RootsError::Overlap(new.path, other.path.clone()));
    }
    match folders.iter_mut().find(|known| known.path == new.path) {
        Some(known) => *known = new,
        None => folders.push(new),
    }
    folders.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(())
}

/// Where among `folders` the folder is that somebody means by `path`; it may be gone.
pub(super) fn find(folders: &[Folder], path: &Path) -> Result<usize, RootsError> {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let found = folders
        .iter()
        .position(|known| known.path == real || known.path == path);
    found.ok_or_else(|| RootsError::Unknown(path.to_path_buf()))
}

/// Whether a folder is a disk, the home folder, or above that.
fn is_too_wide(path: &Path, home: Option<&Path>) -> bool {
    let home = home.map(|home| home.canonicalize().unwrap_or_else(|_| home.to_path_buf()));
    path.parent().is_none() || home.is_some_and(|home| home.starts_with(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_read_back_as_they_were_written() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config").join(FILE_NAME);
        assert_eq!(read(&file).unwrap(), []);
        let folder = Folder {
            labelset: Some("personal-notes".to_owned()),
            threshold: Some(0.4),
            sink: Sink::Frontmatter,
            extensions: vec!["md".to_owned()],
            quiet_hours: Some("22:00-07:00".parse().unwrap()),
            concurrency: Some(2),
            settle_seconds: Some(0.5),
            poll: true,
            paused: true,
            ..Folder::new("/notes".into())
        };
        let folders = [Folder::new("/a".into()), folder];
        write(&file, &folders).unwrap();
        assert_eq!(read(&file).unwrap(), folders);
    }

    #[test]
    fn a_file_that_a_person_wrote_is_taken_as_if_its_folders_were_added() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(FILE_NAME);
        let read = |text: &str| {
            std::fs::write(&file, text).unwrap();
            super::read(&file)
        };
        let notes = dir.path().canonicalize().unwrap();
        let text = format!("[[folder]]\npath = '{}/.'\n", notes.display());
        assert_eq!(read(&text).unwrap(), [Folder::new(notes)]);
        let folder = "[[folder]]\npath = ";
        for (text, fact) in [
            (format!("{folder}'notes'\n"), "from the root"),
            (format!("{folder}'/x'\nthreshold = 7\n"), "threshold"),
            (format!("{folder}'/x'\n{folder}'/x/y'\n"), "overlaps"),
            (format!("{folder}'/x'\nsink = 'stdout'\n"), "stdout"),
        ] {
            let error = read(&text).unwrap_err().to_string();
            assert!(error.contains(fact) && error.contains(FILE_NAME), "{error}");
        }
    }

    #[test]
    fn a_file_that_means_nothing_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(FILE_NAME);
        for (text, said) in [
            ("[[folder]]\n", ":1: `path` is missing; mend the line"),
            (
                "[[folder]]\npath = '/a'\nsinc = 'x'\n",
                ":3: no key `sinc` is known; there are `path`, ",
            ),
            (
                "[[folder]]\npath = \"/a\n",
                ":2: `path`: not TOML: invalid basic string, expected `\"`; close the quotes",
            ),
            ("[[folder]]\npath = 7\n", ":2: 7 is not a text in quotes; "),
            ("\u{0}", ":1: "),
        ] {
            std::fs::write(&file, text).unwrap();
            let error = read(&file).unwrap_err().to_string();
            let place = format!("{}{said}", file.display());
            assert!(error.starts_with(&place), "{error}");
            assert!(!error.contains('\n') && error.contains("; "), "{error}");
        }
    }

    #[test]
    fn a_folder_is_added_once_and_not_within_another() {
        let mut folders = Vec::new();
        let new = |path: &str| Folder::new(path.into());
        add(&mut folders, new("/x/notes"), false).unwrap();
        let again = Folder {
            threshold: Some(0.5),
            ..new("/x/notes")
        };
        add(&mut folders, again, false).unwrap();
        assert_eq!((folders.len(), folders[0].threshold), (1, Some(0.5)));
        for path in ["/x/notes/work", "/x"] {
            let error = add(&mut folders, new(path), false).unwrap_err();
            assert!(matches!(error, RootsError::Overlap(..)), "{error}");
        }
        add(&mut folders, new("/x/notes-2"), false).unwrap();
        assert_eq!(find(&folders, Path::new("/x/notes-2")).unwrap(), 1);
        assert!(find(&folders, Path::new("/x/other")).is_err());
    }

    #[test]
    fn nobody_means_all_of_a_disk_and_who_does_says_so() {
        let mut folders = Vec::new();
        let root = || Folder::new("/".into());
        let error = add(&mut folders, root(), false).unwrap_err().to_string();
        assert!(error.contains("--yes"), "{error}");
        add(&mut folders, root(), true).unwrap();
        assert!(is_too_wide(Path::new("/home"), Some(Path::new("/home/me"))));
        assert!(!is_too_wide(
            Path::new("/home/me/n"),
            Some(Path::new("/home/me"))
        ));
    }

    #[test]
    fn values_out_of_range_are_refused() {
        let folder = |change: fn(&mut Folder)| {
            let mut folder = Folder::new("/x/notes".into());
            change(&mut folder);
            add(&mut Vec::new(), folder, false).unwrap_err().to_string()
        };
        assert!(folder(|f| f.threshold = Some(1.5)).contains("threshold"));
        assert!(folder(|f| f.concurrency = Some(0)).contains("concurrency"));
        assert!(folder(|f| f.settle_seconds = Some(0.0)).contains("settle"));
        assert!(folder(|f| f.sink = Sink::Stdout).contains("stdout"));
    }

    #[test]
    fn which_files_are_notes_is_a_setting() {
        let mut folder = Folder::new("/n".into());
        assert!(folder.is_note(Path::new("/n/a.MD")) && folder.is_note(Path::new("/n/a.txt")));
        assert!(!folder.is_note(Path::new("/n/a.png")) && !folder.is_note(Path::new("/n/md")));
        folder.extensions = vec!["norg".to_owned()];
        assert!(folder.is_note(Path::new("/n/a.norg")) && !folder.is_note(Path::new("/n/a.md")));
    }
}
