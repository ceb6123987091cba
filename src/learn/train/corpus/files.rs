//! Which files a recipe names: a folder and patterns in, paths out.
//!
//! Invariant: a pattern of wanted files that names nothing is an error; a file is there once, however
//! many links and patterns lead to it; what a training writes itself is nobody's data.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

use crate::learn::train::TrainError;
use crate::learn::train::recipe::{Paths, Recipe};

/// The files that paths and patterns name, sorted; each must name one. What is `written` by the
/// training itself, files and folders, no pattern names.
pub(in crate::learn::train) fn files(
    folder: &Path,
    paths: &Paths,
    written: &[PathBuf],
) -> Result<Vec<PathBuf>, TrainError> {
    let (mut files, mut of_none) = (Vec::new(), Vec::new());
    for pattern in paths.all() {
        let found = matching(folder, pattern, written)?;
        if found.is_empty() {
            of_none.push(pattern.clone());
        }
        files.extend(found);
    }
    if !of_none.is_empty() {
        return Err(TrainError::NoFiles(of_none));
    }
    files.sort();
    let mut known = BTreeSet::new();
    files.retain(|file| known.insert(real(file)));
    Ok(files)
}

/// The same without those that `excluded` names, however it spells them; that may be none.
fn files_without(
    folder: &Path,
    paths: &Paths,
    excluded: &Paths,
    written: &[PathBuf],
) -> Result<Vec<PathBuf>, TrainError> {
    let mut unwanted = BTreeSet::new();
    for pattern in excluded.all() {
        let found = matching(folder, pattern, written)?;
        if found.is_empty() {
            // One recipe serves several machines, and not all have what it does not want.
            tracing::warn!(
                pattern,
                "no file is what `exclude` names; is it spelled right?"
            );
        }
        unwanted.extend(found.iter().map(|file| real(file)));
    }
    let mut files = files(folder, paths, written)?;
    files.retain(|file| !unwanted.contains(&real(file)));
    Ok(files)
}

/// The files of each source of a recipe, in its order.
///
/// # Errors
/// All patterns that name nothing, those of `[evaluation]` included, which are read later.
pub(super) fn of_sources(
    recipe: &Recipe,
    written: &[PathBuf],
) -> Result<Vec<Vec<PathBuf>>, TrainError> {
    let folder = &recipe.folder;
    let sources = recipe.data.iter();
    let mut looked: Vec<_> = sources
        .map(|source| files_without(folder, &source.files, &source.exclude, written))
        .collect();
    let measured = looked.len();
    looked.push(files(folder, &recipe.evaluation.files, written));
    let (mut found, mut of_none) = (Vec::new(), Vec::new());
    for files in looked {
        match files {
            Ok(files) => found.push(files),
            Err(TrainError::NoFiles(patterns)) => of_none.extend(patterns),
            Err(error) => return Err(error),
        }
    }
    if !of_none.is_empty() {
        return Err(TrainError::NoFiles(of_none));
    }
    found.truncate(measured);
    Ok(found)
}

/// One spelling of a path.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn matching(folder: &Path, pattern: &str, written: &[PathBuf]) -> Result<Vec<PathBuf>, TrainError> {
    let path = folder.join(pattern);
    if path.is_file() {
        return Ok(vec![path]);
    }
    let parts = Path::new(pattern).components();
    let parts = parts.filter(|part| *part != Component::CurDir);
    let (mut base, mut rest) = (folder.to_owned(), Vec::new());
    for part in parts {
        let text = part.as_os_str().to_string_lossy();
        if rest.is_empty() && !text.contains(['*', '?', '[', '{']) {
            base.push(part);
        } else {
            rest.push(text.into_owned());
        }
    }
    let rest = rest.join("/");
    let mut glob = GlobBuilder::new(&rest);
    let glob = glob.literal_separator(true).build();
    let glob = glob.map_err(|error| TrainError::Pattern {
        pattern: pattern.to_owned(),
        fact: error.kind().to_string(),
    })?;
    let mut walk = Walk {
        glob: glob.compile_matcher(),
        written: written.iter().map(|path| real(path)).collect(),
        open: Vec::new(),
        found: Vec::new(),
    };
    walk.enter(&base, Path::new(""));
    Ok(walk.found)
}

struct Walk {
    /// Matches paths relative to where the walk begins: folders may be called anything.
    glob: GlobMatcher,
    /// Folders and files that are not looked at.
    written: BTreeSet<PathBuf>,
    /// The folders that the walk is in: a link to one of them leads nowhere new.
    open: Vec<PathBuf>,
    found: Vec<PathBuf>,
}

impl Walk {
    fn enter(&mut self, folder: &Path, inside: &Path) {
        let here = match folder.as_os_str().is_empty() {
            true => Path::new("."),
            false => folder,
        };
        let own = real(here);
        if self.written.contains(&own) || self.open.contains(&own) {
            return;
        }
        self.open.push(own);
        for entry in std::fs::read_dir(here).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let (path, inside) = (folder.join(&name), inside.join(&name));
            if path.is_dir() {
                self.enter(&path, &inside);
            } else if self.glob.is_match(&inside) && !self.written.contains(&real(&path)) {
                self.found.push(path);
            }
        }
        self.open.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "w [x]/a.jsonl",
            "w [x]/deep/b.jsonl",
            "w [x]/out/metrics.jsonl",
            "w [x]/out/model/notes.jsonl",
        ] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        folder
    }

    fn found(pattern: &str, excluded: &[&str]) -> Vec<String> {
        let folder = folder();
        let base = folder.path().join("w [x]");
        let excluded = excluded.iter().map(|one| (*one).to_owned()).collect();
        let excluded = Paths::Many(excluded);
        let pattern = Paths::One(pattern.to_owned());
        let written = [base.join("out/metrics.jsonl"), base.join("out/model")];
        let files = files_without(&base, &pattern, &excluded, &written).unwrap();
        let inside = files.iter().map(|file| file.strip_prefix(&base).unwrap());
        inside.map(|file| file.display().to_string()).collect()
    }

    #[test]
    fn patterns_are_read_in_a_folder_of_any_name_and_leave_out_what_a_training_writes() {
        assert_eq!(found("*.jsonl", &[]), ["a.jsonl"]);
        assert_eq!(found("./*.jsonl", &[]), ["a.jsonl"]);
        assert_eq!(found("a.jsonl", &[]), ["a.jsonl"]);
        let both = [
            "a.jsonl",
            &format!("deep{}b.jsonl", std::path::MAIN_SEPARATOR),
        ];
        assert_eq!(found("**/*.jsonl", &[]), both);
        assert_eq!(found("deep/../deep/b*", &[]).len(), 1);
    }

    #[test]
    fn what_is_excluded_is_so_by_any_spelling() {
        assert_eq!(found("**/*.jsonl", &["deep/../a.jsonl"]).len(), 1);
    }

    #[test]
    fn a_pattern_that_names_nothing_is_told_and_one_of_what_is_excluded_may() {
        let folder = folder();
        let named = |paths: &str, excluded: &str| {
            let (paths, excluded) = (
                Paths::One(paths.to_owned()),
                Paths::One(excluded.to_owned()),
            );
            files_without(folder.path(), &paths, &excluded, &[])
        };
        assert_eq!(named("*/a.jsonl", "*/c.jsonl").unwrap().len(), 1);
        let said = named("*/c.jsonl", "*/a.jsonl").unwrap_err().to_string();
        assert!(said.contains("*/c.jsonl"), "{said}");
    }

    #[test]
    fn all_patterns_that_name_nothing_are_told_at_once() {
        let folder = folder();
        let text = "[[data]]\nfiles = [\"*/a.jsonl\", \"none-1\", \"none-2\"]\n\
            [[data]]\nfiles = \"none-3\"\n[evaluation]\nfiles = \"none-4\"\n";
        let recipe = Recipe {
            folder: folder.path().to_owned(),
            ..Recipe::parse(text).unwrap()
        };
        let said = of_sources(&recipe, &[]).unwrap_err().to_string();
        assert!(said.contains("none-1, none-2, none-3, none-4;"), "{said}");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_beside_a_folder_hides_nothing_and_doubles_nothing() {
        let folder = folder();
        std::os::unix::fs::symlink(folder.path().join("w [x]"), folder.path().join("a")).unwrap();
        for (pattern, n) in [("w*/a.jsonl", 1), ("a/a.jsonl", 1), ("*/a.jsonl", 1)] {
            let paths = Paths::One(pattern.to_owned());
            assert_eq!(
                files(folder.path(), &paths, &[]).unwrap().len(),
                n,
                "{pattern}"
            );
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_a_folder_above_is_not_entered_again() {
        let folder = folder();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("w [x]/self")).unwrap();
        let all = Paths::One("**/a.jsonl".to_owned());
        assert_eq!(files(folder.path(), &all, &[]).unwrap().len(), 1);
    }
}
