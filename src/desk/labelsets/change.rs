//! A label set changed in its own file: changes in, the file with all of them out, or with none.
//!
//! Invariant: whoever changes a set reads it when nobody else writes it, so that of two labels that
//! are added at the same time, by an editor and on the command line, neither is lost.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::RulesError;
use super::found::toml_of;
use crate::config::{make_private, private_options, replace};
use crate::label::{Change, ChangeError, changed};

/// Held in the data folder while a set is changed. Not the set's own file: that is replaced, and lies
/// among somebody's notes.
const LOCK: &str = "labelsets.lock";

/// Why a set could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum SetChangeError {
    /// The file cannot be read.
    #[error(transparent)]
    Read(#[from] RulesError),
    /// The set would be none with it.
    #[error("{}: {error}", .path.display())]
    Change {
        /// The set's file.
        path: PathBuf,
        /// What is wrong with it.
        error: ChangeError,
    },
    /// The file cannot be written.
    #[error("{}: cannot be written ({error}); it is as it was", .path.display())]
    Write {
        /// The set's file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// Makes all changes in the file of a set, or none. A file that is not there is made of the bundled
/// set `base`, where that is given. `data` is the user's data folder, if there is one.
///
/// # Errors
/// See [`SetChangeError`]; nothing is changed by halves.
pub fn change_set(
    data: Option<&Path>,
    path: &Path,
    base: Option<&str>,
    changes: &[Change],
) -> Result<(), SetChangeError> {
    let _turn = data.and_then(turn);
    let mut toml = match base {
        Some(base) if !path.exists() => base.to_owned(),
        _ => toml_of(path)?,
    };
    for change in changes {
        toml = changed(&toml, change).map_err(|error| SetChangeError::Change {
            path: path.to_owned(),
            error,
        })?;
    }
    replace(path, toml.as_bytes()).map_err(|error| SetChangeError::Write {
        path: path.to_owned(),
        error,
    })
}

/// The turn of whoever changes a set now, until it is dropped. Where the data folder may not be
/// written a label can still be added: that somebody else adds one at the same moment is rare.
fn turn(data: &Path) -> Option<File> {
    let path = data.join(LOCK);
    let open = || -> io::Result<File> {
        make_private(data)?;
        let mut options = private_options();
        let options = options.create(true).truncate(false).write(true);
        let file = options.open(&path)?;
        file.lock()?;
        Ok(file)
    };
    let warn = |error: &io::Error| {
        let path = path.display();
        tracing::warn!("{path}: cannot be locked ({error}); the label set is changed all the same");
    };
    open().inspect_err(warn).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::label::LabelSet;

    #[test]
    fn of_labels_that_are_added_at_the_same_time_none_is_lost() {
        let root = tempfile::tempdir().unwrap();
        let (data, path) = (root.path().join("data"), root.path().join("mine.toml"));
        let add = |label: String| {
            let base = Some("[[label]]\nname = 'a'\n");
            change_set(Some(&data), &path, base, &[Change::Add(label)]).unwrap();
        };
        std::thread::scope(|scope| {
            for n in 0..8 {
                scope.spawn(move || add(format!("label {n}")));
            }
        });
        let set = LabelSet::parse(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(set.labels().len(), 9);
    }

    #[cfg(unix)]
    #[test]
    fn a_set_that_may_not_be_written_is_left_alone_and_named_with_the_cure() {
        use std::os::unix::fs::PermissionsExt as _;
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("mine.toml");
        let before = "[[label]]\nname = 'a'\n";
        std::fs::write(&path, before).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o444)).unwrap();
        let change = [Change::Add("b".to_owned())];
        let refused = change_set(None, &path, None, &change).unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!(
                "{}: cannot be written (its permissions forbid it; change them); it is as it was",
                path.display()
            )
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
    }
}
