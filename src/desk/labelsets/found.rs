//! Where a label set stands, and what it says: a name or file in, text out.
//!
//! A file goes before a set of the user, and that before a bundled one. A set's name is that of its
//! file, whatever it calls itself.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{Choice, RulesError};
use crate::config::{Folders, Settings};
use crate::label::{self, LabelSet, is_same};

/// No label set that somebody wrote is larger.
const MOST_BYTES: u64 = 16 << 20;

/// Where a set stands.
pub(in crate::desk) enum Found {
    File(PathBuf),
    /// Its name and what it says.
    Bundled(&'static str, &'static str),
}

/// The set that holds for a document in folder `dir`; none where bare names are chosen.
pub(in crate::desk) fn chosen(
    folders: &Folders,
    dir: Option<&Path>,
    choice: &Choice,
) -> Result<Option<Found>, RulesError> {
    if choice.labels.is_some() {
        return Ok(None);
    }
    let settings = Settings::load(folders, dir.unwrap_or(&folders.config))
        .map_err(|error| RulesError::Settings(error.to_string()))?;
    let of_settings = settings.labelset.map(|chosen| chosen.value);
    match choice.labelset.clone().or(of_settings) {
        Some(name) => find(folders, &name).map(Some),
        None => Err(RulesError::NoLabels),
    }
}

/// A file where there is one of that path or it ends in `.toml`, else a set of the user, else a
/// bundled one.
pub(super) fn find(folders: &Folders, name_or_file: &str) -> Result<Found, RulesError> {
    let path = Path::new(name_or_file);
    if path.is_file() || has_toml_extension(path) {
        return Ok(Found::File(path.to_path_buf()));
    }
    let files = user_files(folders);
    if let Some(path) = of_name(&files, name_or_file) {
        return Ok(Found::File(path.clone()));
    }
    let mut bundled = label::bundled().iter();
    if let Some((name, toml)) = bundled.find(|(name, _)| name.eq_ignore_ascii_case(name_or_file)) {
        return Ok(Found::Bundled(name, toml));
    }
    let stems = files.iter().filter_map(|path| path.file_stem()?.to_str());
    let names = stems.chain(label::bundled().iter().map(|(name, _)| *name));
    let cure = match (
        called_so(name_or_file, &files),
        label::nearest(name_or_file, names),
    ) {
        (Some(file), _) => file,
        (None, Some(nearest)) => format!("did you mean `{nearest}`?"),
        (None, None) => "`gliznet labelset list` shows those there are".to_owned(),
    };
    Err(RulesError::LabelSet(format!(
        "no label set is called `{name_or_file}`; {cure}"
    )))
}

/// How the set is named that calls itself so in one of these files; none where none does.
pub fn called_so(name: &str, files: &[PathBuf]) -> Option<String> {
    let calls_itself_so = |path: &&PathBuf| {
        let set = LabelSet::parse(&toml_of(path).unwrap_or_default());
        set.is_ok_and(|set| is_same(&set.name, name))
    };
    let path = files.iter().find(calls_itself_so)?;
    let stem = path.file_stem()?.to_string_lossy();
    let path = path.display();
    Some(format!(
        "{path} calls itself so, and is found by the name of its file: `{stem}`"
    ))
}

/// What a set's file says.
pub(super) fn toml_of(path: &Path) -> Result<String, RulesError> {
    let refuse = |fact: &str| RulesError::LabelSet(format!("{}: {fact}", path.display()));
    let mut toml = String::new();
    // Nobody knows the folder in which the daemon runs.
    let cure = if path.is_relative() {
        "; give the whole path"
    } else {
        "; check the path"
    };
    // Opening a pipe would wait for somebody to write into it.
    if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        return Err(refuse("not a file; name a file in TOML"));
    }
    let file =
        File::open(path).map_err(|error| refuse(&format!("cannot be read ({error}){cure}")))?;
    file.take(MOST_BYTES + 1)
        .read_to_string(&mut toml)
        .map_err(|error| refuse(&format!("cannot be read as UTF-8 text ({error})")))?;
    if toml.len() as u64 > MOST_BYTES {
        return Err(refuse("too large; a label set is a small text file"));
    }
    Ok(toml)
}

pub(super) fn user_files(folders: &Folders) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folders.config.join("labelsets")) else {
        return Vec::new(); // Most users have none of their own.
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| has_toml_extension(path) && path.is_file())
        .collect();
    files.sort();
    files
}

/// The file of a set with this name among these. Where two have it, the one that is spelt so.
pub fn of_name<'a>(files: &'a [PathBuf], name: &str) -> Option<&'a PathBuf> {
    let is_spelt_so = |path: &&PathBuf| path.file_stem().is_some_and(|stem| *stem == *name);
    let exact = files.iter().find(is_spelt_so);
    exact.or_else(|| files.iter().find(|path| has_name(path, name)))
}

/// Whether a set's file has this name. macOS stores the accents of a file's name apart from their
/// letters, and so do copies of it on other machines.
pub(super) fn has_name(path: &Path, name: &str) -> bool {
    let stem = path.file_stem();
    stem.is_some_and(|stem| is_same(&stem.to_string_lossy(), name))
}

pub(super) fn has_toml_extension(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("toml"))
}
