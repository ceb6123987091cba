//! Which labels a document is measured against: names and folders in, a `LabelSet` out.
//!
//! The document's own folder decides: the nearest `gliznet.toml`, then the watched folder that it is
//! in, then the user's. All files are read anew for each question, so that a saved file holds at
//! once.

mod change;
mod found;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::shelf::Shelf;
use crate::config::{FILE_NAME, Folders, Settings};
use crate::label::{self, LabelSet};
use crate::score::Score;

pub use change::{SetChangeError, change_set};
pub(super) use found::{Found, chosen};
pub use found::{called_so, of_name};
use found::{find, has_name, has_toml_extension, toml_of, user_files};

/// Who chooses, from the most to the least specific.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    /// Bare names.
    pub labels: Option<Vec<String>>,
    /// A label set's name or file.
    pub labelset: Option<String>,
    /// The lowest score that makes a label a tag.
    pub threshold: Option<Score>,
    /// Whether suggestions are shown over the tags.
    pub code_lens: Option<bool>,
    /// Whether scores are shown beside tags.
    pub inlay_hints: Option<bool>,
    /// Whether tags that are in no label set are marked.
    pub diagnostics: Option<bool>,
}

/// What an editor shows of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Suggestions over the tags.
    pub code_lens: bool,
    /// Scores beside tags.
    pub inlay_hints: bool,
    /// Marks at tags that are in no label set.
    pub diagnostics: bool,
}

/// What holds for a document.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The labels.
    pub labels: Arc<LabelSet>,
    /// Overrides every other threshold.
    pub threshold: Option<Score>,
    /// What an editor shows.
    pub shown: Shown,
}

/// Why there is nothing to choose from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// Nobody names labels.
    #[error(
        "no labels to choose from; write `labelset = \"NAME\"` into gliznet.toml (`gliznet labelset list` shows the bundled sets)"
    )]
    NoLabels,
    /// The settings are wrong.
    #[error("{0}")]
    Settings(String),
    /// The named set cannot be used.
    #[error("{0}")]
    LabelSet(String),
}

/// The rules of a document in folder `dir`, where the asker itself chooses `choice`.
///
/// # Errors
/// Of settings and label sets, and where nobody names labels.
pub(super) fn rules(
    folders: &Folders,
    shelf: &Shelf,
    dir: Option<&Path>,
    choice: &Choice,
) -> Result<Rules, RulesError> {
    // Without a folder only the user's own file counts.
    let settings = Settings::load(folders, dir.unwrap_or(&folders.config))
        .map_err(|error| RulesError::Settings(error.to_string()))?;
    let threshold = choice.threshold.or(settings.threshold.and_then(Score::new));
    let labels = match (&choice.labels, &choice.labelset, settings.labelset) {
        (Some(names), _, _) => named(shelf, names)?,
        (None, Some(name), _) => load(folders, shelf, name)?,
        (None, None, Some(chosen)) => load(folders, shelf, &chosen.value)?,
        (None, None, None) => return Err(RulesError::NoLabels),
    };
    Ok(Rules {
        labels,
        threshold,
        shown: Shown {
            code_lens: choice.code_lens.unwrap_or(settings.code_lens),
            inlay_hints: choice.inlay_hints.unwrap_or(settings.inlay_hints),
            diagnostics: choice.diagnostics.unwrap_or(settings.diagnostics),
        },
    })
}

/// The same for whoever has no desk, and asks once.
///
/// # Errors
/// As of a desk.
pub fn read_rules(
    folders: &Folders,
    dir: Option<&Path>,
    choice: &Choice,
) -> Result<Rules, RulesError> {
    rules(folders, &Shelf::default(), dir, choice)
}

/// Whether the asker names labels, or a `gliznet.toml` in or above folder `dir` does. The user's own
/// is for all folders, so what was said of a watched one goes before it.
pub(super) fn is_chosen(folders: &Folders, dir: &Path, choice: &Choice) -> bool {
    if choice.labels.is_some() || choice.labelset.is_some() {
        return true;
    }
    // Settings that cannot be read choose nothing, and whoever asks for the rules is told so.
    let settings = Settings::load(folders, dir).ok();
    settings.is_none_or(|settings| settings.labelset_of_workspace(folders).is_some())
}

/// The files that the rules of a document in folder `dir` come from, whether they are there or not.
pub(super) fn files(folders: &Folders, dir: &Path, choice: &Choice) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = dir.ancestors().map(|dir| dir.join(FILE_NAME)).collect();
    files.push(folders.config.join(FILE_NAME));
    let settings = Settings::load(folders, dir).ok();
    let chosen = settings
        .and_then(|settings| settings.labelset)
        .map(|chosen| chosen.value);
    if let Some(name) = choice.labelset.clone().or(chosen) {
        let path = PathBuf::from(&name);
        let of_user = user_files(folders).into_iter();
        let named = of_user.filter(|file| has_name(file, &name));
        files.extend(named);
        if has_toml_extension(&path) {
            files.push(path);
        }
    }
    files
}

/// A label set that could be chosen by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The name.
    pub name: String,
    /// Its file; none where it is bundled.
    pub path: Option<PathBuf>,
    /// The names of its labels, in order; or why it cannot be used.
    pub labels: Result<Vec<String>, String>,
}

/// All sets: the user's, then the bundled ones that no set of the user hides.
pub(super) fn list(folders: &Folders, shelf: &Shelf) -> Vec<Listed> {
    let mut names: Vec<(String, Option<PathBuf>)> = user_files(folders)
        .into_iter()
        .filter_map(|path| Some((path.file_stem()?.to_str()?.to_owned(), Some(path))))
        .collect();
    for (name, _) in label::bundled() {
        if names
            .iter()
            .all(|(known, _)| !known.eq_ignore_ascii_case(name))
        {
            names.push(((*name).to_owned(), None));
        }
    }
    let listed = names.into_iter().map(|(name, path)| {
        let set = match &path {
            Some(path) => read(shelf, path),
            None => load(folders, shelf, &name),
        };
        let labels = set.map_err(|error| error.to_string()).map(|set| {
            let labels = set.labels().iter();
            labels.map(|label| label.name.clone()).collect()
        });
        Listed { name, path, labels }
    });
    listed.collect()
}

/// The set of bare names.
fn named(shelf: &Shelf, names: &[String]) -> Result<Arc<LabelSet>, RulesError> {
    let mut parts = vec!["names"];
    parts.extend(names.iter().map(String::as_str));
    let set = shelf.get(&parts, || LabelSet::from_names(names));
    set.map_err(|faults| {
        let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
        RulesError::LabelSet(lines.join("; "))
    })
}

fn load(folders: &Folders, shelf: &Shelf, name_or_file: &str) -> Result<Arc<LabelSet>, RulesError> {
    match find(folders, name_or_file)? {
        Found::File(path) => read(shelf, &path),
        Found::Bundled(name, toml) => {
            parse(shelf, &format!("bundled label set {name}"), name, toml)
        }
    }
}

fn read(shelf: &Shelf, path: &Path) -> Result<Arc<LabelSet>, RulesError> {
    let toml = toml_of(path)?;
    let name = path.file_stem().unwrap_or(path.as_os_str());
    let shown = path.display().to_string();
    parse(shelf, &shown, &name.to_string_lossy(), &toml)
}

fn parse(shelf: &Shelf, place: &str, name: &str, toml: &str) -> Result<Arc<LabelSet>, RulesError> {
    shelf.get(&["file", name, toml], || {
        let mut set = LabelSet::parse(toml).map_err(|faults| {
            let faults = faults.iter();
            let lines: Vec<String> = faults
                .map(|fault| format!("{place}:{}: {}", fault.line, fault.problem))
                .collect();
            RulesError::LabelSet(lines.join("\n"))
        })?;
        if set.name.is_empty() {
            name.clone_into(&mut set.name);
        }
        Ok(set)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_of_a_watched_folder_goes_before_the_users_own_settings_alone() {
        let root = tempfile::tempdir().unwrap();
        let folders = folders(root.path());
        let notes = root.path().join("notes");
        std::fs::create_dir_all(&notes).unwrap();
        std::fs::create_dir_all(&folders.config).unwrap();
        std::fs::write(folders.config.join(FILE_NAME), "labelset = 'gtd'\n").unwrap();
        let nothing = Choice::default();
        assert!(!is_chosen(&folders, &notes, &nothing));
        let named = Choice {
            labels: Some(vec!["a".to_owned()]),
            ..Choice::default()
        };
        assert!(is_chosen(&folders, &notes, &named));
        std::fs::write(notes.join(FILE_NAME), "threshold = 0.5\n").unwrap();
        assert!(!is_chosen(&folders, &notes, &nothing));
        std::fs::write(notes.join(FILE_NAME), "labelset = 'news-topics'\n").unwrap();
        assert!(is_chosen(&folders, &notes, &nothing));
    }

    fn folders(root: &Path) -> Folders {
        Folders {
            config: root.join("config"),
            data: root.join("data"),
            cache: root.join("cache"),
        }
    }

    #[test]
    fn the_most_specific_choice_holds() {
        let root = tempfile::tempdir().unwrap();
        let folders = folders(root.path());
        let notes = root.path().join("notes");
        std::fs::create_dir_all(&notes).unwrap();
        let labels = |dir: Option<&Path>, choice: &Choice| -> Result<String, RulesError> {
            let set = rules(&folders, &Shelf::default(), dir, choice)?.labels;
            Ok(set.labels()[0].name.clone())
        };
        let nothing = Choice::default();
        assert_eq!(labels(Some(&notes), &nothing), Err(RulesError::NoLabels));
        std::fs::write(notes.join("mine.toml"), "[[label]]\nname = 'mine'\n").unwrap();
        std::fs::write(notes.join("gliznet.toml"), "labelset = 'mine.toml'\n").unwrap();
        assert_eq!(labels(Some(&notes), &nothing).unwrap(), "mine");
        assert_eq!(labels(None, &nothing), Err(RulesError::NoLabels));
        let by_name = Choice {
            labelset: Some("emotions".to_owned()),
            ..Choice::default()
        };
        assert_ne!(labels(Some(&notes), &by_name).unwrap(), "mine");
        let by_labels = Choice {
            labels: Some(vec!["bare".to_owned()]),
            ..by_name
        };
        assert_eq!(labels(Some(&notes), &by_labels).unwrap(), "bare");
    }

    #[test]
    fn a_set_of_the_user_hides_the_bundled_one_and_a_broken_one_is_listed_with_its_fault() {
        let root = tempfile::tempdir().unwrap();
        let folders = folders(root.path());
        let sets = folders.config.join("labelsets");
        std::fs::create_dir_all(&sets).unwrap();
        std::fs::write(sets.join("emotions.toml"), "[[label]]\nname = 'joy'\n").unwrap();
        std::fs::write(sets.join("broken.toml"), "label = 3\n").unwrap();
        let listed = list(&folders, &Shelf::default());
        assert!(listed[0].name == "broken" && listed[0].labels.is_err());
        let emotions: Vec<_> = listed.iter().filter(|set| set.name == "emotions").collect();
        assert_eq!(emotions.len(), 1);
        assert_eq!(emotions[0].labels, Ok(vec!["joy".to_owned()]));
        assert_eq!(listed.len(), label::bundled().len() + 1);
    }

    #[test]
    fn a_set_is_found_by_its_name_however_the_file_system_stores_its_accents() {
        let root = tempfile::tempdir().unwrap();
        let folders = folders(root.path());
        let file = folders.config.join("labelsets/ku\u{308}che.toml");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "[[label]]\nname = 'Brot'\n").unwrap();
        let choice = Choice {
            labelset: Some("Küche".to_owned()),
            ..Choice::default()
        };
        let set = rules(&folders, &Shelf::default(), None, &choice).unwrap();
        assert_eq!(set.labels.labels()[0].name, "Brot");
        // A change of it is heard of, too.
        assert!(files(&folders, root.path(), &choice).contains(&file));
    }

    #[test]
    fn of_two_sets_whose_names_differ_in_case_alone_the_one_that_is_spelt_so_is_meant() {
        let dir = Path::new("/labelsets");
        let files = ["Öl", "Work", "work", "öl"].map(|stem| dir.join(format!("{stem}.toml")));
        for (name, stem) in [
            ("work", "work"),
            ("Work", "Work"),
            ("öl", "öl"),
            ("WORK", "Work"),
        ] {
            let found = of_name(&files, name).and_then(|path| path.file_stem());
            assert_eq!(found, Some(stem.as_ref()), "{name}");
        }
        assert_eq!(of_name(&files, "oil"), None);
    }

    #[test]
    fn a_name_nobody_knows_is_answered_with_the_nearest() {
        let root = tempfile::tempdir().unwrap();
        let choice = Choice {
            labelset: Some("emotion".to_owned()),
            ..Choice::default()
        };
        let error = rules(&folders(root.path()), &Shelf::default(), None, &choice).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no label set is called `emotion`; did you mean `emotions`?"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_label_set_that_is_a_pipe_is_not_waited_for() {
        let root = tempfile::tempdir().unwrap();
        let pipe = root.path().join("pipe.toml");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let choice = Choice {
            labelset: Some(pipe.display().to_string()),
            ..Choice::default()
        };
        let fault = rules(&folders(root.path()), &Shelf::default(), None, &choice).unwrap_err();
        assert!(fault.to_string().contains("not a file"), "{fault}");
    }
}
