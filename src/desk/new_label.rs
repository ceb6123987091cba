//! A label that a person adds to the set of a document: rules and a name in, a set with one label more
//! out.
//!
//! A bundled set stays as it is: the first label makes a set of the user's own of it, which goes before
//! the bundled one by its name. Invariant: nothing of a set's file changes but the label at its end.

use std::path::{Path, PathBuf};

use super::labelsets::{self, Found, change_set};
use super::{Choice, Desk, RulesError, SetChangeError};
use crate::config::Folders;
use crate::label::Change;

/// Why a label could not be added.
#[derive(Debug, thiserror::Error)]
pub enum NewLabelError {
    /// There is no set to add it to.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// The labels are names that the editor's settings list.
    #[error("the labels are listed in the editor's settings (`gliznet.labels`); add it there")]
    Listed,
    /// The set cannot be changed.
    #[error(transparent)]
    Set(#[from] SetChangeError),
}

impl Desk {
    /// The name of the set that a label could be added to for documents in folder `dir`; none where
    /// there is no such set. Reads files.
    pub fn growing_set(&self, dir: Option<&Path>, choice: &Choice) -> Option<String> {
        growing_set(&self.folders, dir, &self.with_watched(dir, choice))
    }

    /// Adds a label to the set of documents in folder `dir`, and says which file has it now. Writes a
    /// file.
    ///
    /// # Errors
    /// See [`NewLabelError`]; nothing is changed by halves.
    pub fn add_label(
        &self,
        dir: Option<&Path>,
        choice: &Choice,
        label: &str,
    ) -> Result<PathBuf, NewLabelError> {
        add_label(&self.folders, dir, &self.with_watched(dir, choice), label)
    }
}

fn growing_set(folders: &Folders, dir: Option<&Path>, choice: &Choice) -> Option<String> {
    match labelsets::chosen(folders, dir, choice).ok()?? {
        Found::File(path) => Some(path.file_stem()?.to_string_lossy().into_owned()),
        Found::Bundled(name, _) => Some(name.to_owned()),
    }
}

fn add_label(
    folders: &Folders,
    dir: Option<&Path>,
    choice: &Choice,
    label: &str,
) -> Result<PathBuf, NewLabelError> {
    let found = labelsets::chosen(folders, dir, choice)?.ok_or(NewLabelError::Listed)?;
    let (path, base) = match found {
        Found::File(path) => (path, None),
        Found::Bundled(name, toml) => {
            let own = folders.config.join("labelsets");
            (own.join(format!("{name}.toml")), Some(toml))
        }
    };
    let change = [Change::Add(label.to_owned())];
    change_set(Some(&folders.data), &path, base, &change)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::FILE_NAME;
    use crate::desk::read_rules;

    #[test]
    fn a_label_goes_into_the_set_that_holds() {
        let root = tempfile::tempdir().unwrap();
        let folders = Folders {
            config: root.path().join("config"),
            data: root.path().join("data"),
            cache: root.path().join("cache"),
        };
        let notes = root.path().join("notes");
        std::fs::create_dir_all(&notes).unwrap();
        let mine = notes.join("mine.toml");
        let write = |file: &str, text: &str| std::fs::write(notes.join(file), text).unwrap();
        let read = || std::fs::read_to_string(&mine).unwrap();
        let choice = Choice::default();
        let add = |label: &str| add_label(&folders, Some(&notes), &choice, label);
        let growing = || growing_set(&folders, Some(&notes), &choice);
        let names = || -> Vec<String> {
            let rules = read_rules(&folders, Some(&notes), &choice).unwrap();
            let labels = rules.labels.labels().iter();
            labels.map(|label| label.name.clone()).collect()
        };
        let refused = add("a");
        assert!(matches!(
            refused,
            Err(NewLabelError::Rules(RulesError::NoLabels))
        ));
        assert_eq!(growing(), None);

        let before = "# mine\n[[label]]\nname = 'a' # first\n";
        write("mine.toml", before);
        write(FILE_NAME, "labelset = 'mine.toml'\n");
        assert_eq!(growing().as_deref(), Some("mine"));
        assert_eq!(add("b/c").unwrap(), mine);
        assert_eq!(names(), ["a", "b/c"]);
        let after = read();
        assert!(after.starts_with(before), "{after}");
        let error = add("A").unwrap_err().to_string();
        assert!(error.contains("mine.toml: "), "{error}");
        assert_eq!(read(), after);

        write(FILE_NAME, "labelset = 'gtd'\n");
        assert_eq!(growing().as_deref(), Some("gtd"));
        let bundled = names();
        let own = folders.config.join("labelsets/gtd.toml");
        assert_eq!(add("woodworking").unwrap(), own);
        assert_eq!(names(), [bundled, vec!["woodworking".to_owned()]].concat());
        assert_eq!(add("weaving").unwrap(), own);
        assert_eq!(names().last().unwrap(), "weaving");

        let listed = Choice {
            labels: Some(vec!["x".to_owned()]),
            ..Choice::default()
        };
        assert_eq!(growing_set(&folders, Some(&notes), &listed), None);
        let refused = add_label(&folders, Some(&notes), &listed, "y");
        assert!(matches!(refused, Err(NewLabelError::Listed)));
    }
}
