//! Which files a command line means: paths, folders and globs in, files in a stable order out.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use globset::{GlobBuilder, GlobMatcher};
use ignore::{DirEntry, WalkBuilder};

use super::super::setup::{io_fact, shown};
use crate::config::read_small;
use crate::desk::ignored::RULE_FILES;
use crate::document::Format;

/// One thing to tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Input {
    /// A file that was named.
    File(PathBuf),
    /// A file that was met in a folder: where it is no text, it is left out.
    Found(PathBuf),
    /// Standard input.
    Stdin,
}

/// The inputs that `paths` mean, in order, or why one means nothing.
pub(in crate::cli) fn expand(paths: &[OsString]) -> Vec<Result<Input, String>> {
    paths.iter().flat_map(|path| expand_one(path)).collect()
}

fn expand_one(path: &OsStr) -> Vec<Result<Input, String>> {
    if path == "-" {
        return vec![Ok(Input::Stdin)];
    }
    let as_path = Path::new(path);
    if as_path.is_dir() {
        let found = walk(as_path, None);
        return or_nothing(found, || {
            format!(
                "{}: no text files in this folder; name a file to read it whatever it is called",
                shown(as_path)
            )
        });
    }
    match path.to_str().filter(|path| is_pattern(path)) {
        Some(pattern) if !as_path.exists() => matching(pattern),
        // A missing file is named where it is opened.
        _ => vec![Ok(Input::File(as_path.to_owned()))],
    }
}

/// The folder that all of `paths` lie in, whose settings hold for them; the current one where none
/// lies anywhere.
pub(in crate::cli) fn common_folder(paths: &[OsString]) -> PathBuf {
    let folders = paths.iter().filter(|path| *path != "-").map(|path| {
        let path = std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path));
        let path = straight(path);
        match path.is_dir() {
            true => path,
            false if path.exists() => path.parent().map(Path::to_owned).unwrap_or(path),
            false => {
                let plain = |part: &Component| !is_pattern(&part.as_os_str().to_string_lossy());
                let parts = path.components().take_while(plain);
                parts.collect::<PathBuf>()
            }
        }
    });
    let common = folders.reduce(|a, b| {
        let both = a.components().zip(b.components());
        both.take_while(|(a, b)| a == b).map(|(a, _)| a).collect()
    });
    common.unwrap_or_else(|| PathBuf::from("."))
}

/// The same path without `..`, as far as it is there.
fn straight(path: PathBuf) -> PathBuf {
    if !path.components().any(|part| part == Component::ParentDir) {
        return path;
    }
    let there = path.ancestors().find_map(|above| {
        let real = above.canonicalize().ok()?;
        Some(real.join(path.strip_prefix(above).ok()?))
    });
    there.unwrap_or(path)
}

fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '[', '{'])
}

/// The files that a pattern means.
fn matching(pattern: &str) -> Vec<Result<Input, String>> {
    let glob = match GlobBuilder::new(pattern.trim_start_matches("./"))
        .literal_separator(true)
        .build()
    {
        Ok(glob) => glob.compile_matcher(),
        Err(error) => {
            let fact = format!(
                "{pattern}: no such file, and no pattern ({}); check the path",
                error.kind()
            );
            return vec![Err(shown(Path::new(&fact)))];
        }
    };
    let mut root: PathBuf = Path::new(pattern)
        .components()
        .take_while(|c| !is_pattern(&c.as_os_str().to_string_lossy()))
        .collect();
    if root.as_os_str().is_empty() {
        root = PathBuf::from(".");
    }
    let found = if root.is_dir() {
        walk(&root, Some(&glob))
    } else {
        Vec::new()
    };
    or_nothing(found, || {
        format!(
            "{}: no file matches; check the pattern, hidden and ignored files are left out",
            shown(Path::new(pattern))
        )
    })
}

fn or_nothing(
    found: Vec<Result<Input, String>>,
    fault: impl FnOnce() -> String,
) -> Vec<Result<Input, String>> {
    if found.is_empty() {
        vec![Err(fault())]
    } else {
        found
    }
}

/// The text files under `root`, by path; hidden files and what ignore files name are left out.
fn walk(root: &Path, glob: Option<&GlobMatcher>) -> Vec<Result<Input, String>> {
    if let Some(fault) = odd_rules_above(root) {
        return vec![Err(fault)];
    }
    let odd = Arc::new(Mutex::new(Vec::new()));
    let said = Arc::clone(&odd);
    let mut walk = WalkBuilder::new(root);
    walk.require_git(false)
        .add_custom_ignore_filename(".gliznetignore")
        .sort_by_file_path(Ord::cmp)
        .filter_entry(move |entry| {
            let fault = odd_rules(entry);
            let is_good = fault.is_none();
            let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
            said.extend(fault);
            is_good
        });
    let mut found: Vec<Result<Input, String>> = walk
        .build()
        .filter_map(|entry| match entry {
            Ok(entry) if entry.file_type().is_some_and(|kind| kind.is_file()) => {
                let path = entry.into_path();
                let wanted = match glob {
                    Some(glob) => glob.is_match(path.strip_prefix(".").unwrap_or(&path)),
                    None => is_text(&path),
                };
                let found = match glob {
                    Some(_) => Input::File,
                    None => Input::Found,
                };
                wanted.then(|| Ok(found(path)))
            }
            Ok(_) => None,
            Err(error) => Some(Err(unread(root, &error))),
        })
        .collect();
    let mut odd = odd.lock().unwrap_or_else(PoisonError::into_inner);
    found.extend(odd.drain(..).map(Err));
    found
}

/// What is wrong with the rules of what to leave out in a folder that a walk comes to. It would read
/// them to their end, which a link in somebody else's folder may not lead to.
pub(in crate::cli) fn odd_rules(entry: &DirEntry) -> Option<String> {
    let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
    is_folder.then(|| odd_rules_of(entry.path())).flatten()
}

/// The same of the folder in which a walk begins, and of those above it.
pub(in crate::cli) fn odd_rules_above(root: &Path) -> Option<String> {
    let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
    root.ancestors().find_map(odd_rules_of)
}

fn odd_rules_of(folder: &Path) -> Option<String> {
    RULE_FILES.iter().find_map(|name| {
        let file = folder.join(name);
        let is_there = file.metadata().is_ok_and(|metadata| !metadata.is_dir());
        // A link to nothing is a way to write that nothing is left out.
        let is_there = is_there && !file.canonicalize().is_ok_and(|to| to == *"/dev/null");
        let fault = read_small(&file).err().filter(|_| is_there)?;
        // What may not be read, the walk does not read either.
        (fault.kind() == io::ErrorKind::Other)
            .then(|| format!("{}: {fault}; mend or remove it", shown(&file)))
    })
}

/// Why a part of a folder could not be searched.
fn unread(root: &Path, error: &ignore::Error) -> String {
    let place = shown(place(error).unwrap_or(root));
    match error.io_error() {
        Some(error) => format!("{place}: {}", io_fact(error)),
        None => format!("{place}: {}", shown(Path::new(&error.to_string()))),
    }
}

fn place(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
            place(err)
        }
        _ => None,
    }
}

/// Whether a folder is searched for such files; a file that is named is read whatever it is called.
fn is_text(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| Format::from_extension(extension).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path, path: &str) -> Vec<String> {
        let full = dir.join(path).into_os_string();
        let name = |input: Result<Input, String>| match input {
            Ok(Input::File(path) | Input::Found(path)) => {
                path.strip_prefix(dir).unwrap().display().to_string()
            }
            Ok(Input::Stdin) => "-".into(),
            Err(error) => format!("error: {}", error.rsplit('/').next().unwrap_or_default()),
        };
        expand(&[full]).into_iter().map(name).collect()
    }

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("b.md", ""),
            ("a.txt", ""),
            ("photo.png", ""),
            (".hidden.md", ""),
            ("sub/c.org", ""),
            ("drafts/d.md", ""),
            (".gliznetignore", "drafts/\n"),
        ] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::File::create(&path).unwrap();
            let mut file = std::fs::File::create(path).unwrap();
            std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        }
        dir
    }

    #[test]
    fn a_folder_means_its_texts_by_path_without_hidden_and_ignored_ones() {
        let dir = folder();
        assert_eq!(names(dir.path(), ""), ["a.txt", "b.md", "sub/c.org"]);
    }

    #[test]
    fn a_folder_whose_rules_have_no_end_is_left_out_and_said() {
        let dir = folder();
        let rules = std::fs::File::create(dir.path().join("sub/.gitignore")).unwrap();
        rules.set_len(2 << 20).unwrap();
        let all = names(dir.path(), "");
        assert_eq!(all[..2], ["a.txt", "b.md"]);
        assert!(
            all[2].starts_with("error: .gitignore: it is larger"),
            "{all:?}"
        );
        assert_eq!(names(dir.path(), "sub").len(), 1, "nothing but the fault");
    }

    #[cfg(unix)]
    #[test]
    fn rules_that_are_a_link_to_nothing_leave_nothing_out() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.txt"), "a").unwrap();
        std::os::unix::fs::symlink("/dev/null", dir.path().join(".ignore")).unwrap();
        assert_eq!(names(dir.path(), ""), ["a.txt"]);
    }

    #[test]
    fn a_pattern_means_what_it_matches_and_an_unmatched_one_is_a_fault() {
        let dir = folder();
        assert_eq!(names(dir.path(), "*.md"), ["b.md"]);
        assert_eq!(names(dir.path(), "**/*.{md,org}"), ["b.md", "sub/c.org"]);
        assert!(names(dir.path(), "*.xyz")[0].starts_with("error: *.xyz: no file matches"));
    }

    #[test]
    fn a_named_file_is_taken_whatever_it_is_called() {
        let dir = folder();
        assert_eq!(names(dir.path(), "photo.png"), ["photo.png"]);
        assert_eq!(names(dir.path(), "missing.md"), ["missing.md"]);
        assert_eq!(expand(&["-".into()]), [Ok(Input::Stdin)]);
    }
}
