//! The client's section `gliznet`: as it was sent, or asked for; and files whose change matters.
//!
//! Invariant: what means nothing in it is as if it were not there; a setting that holds is used
//! for the next answer, without a restart.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tower_lsp::ls_types::{ConfigurationItem, Uri};

use super::documents::Open;
use super::session::Shared;
use crate::desk::Choice;
use crate::score::Score;

/// The section's name, in all editors.
const SECTION: &str = "gliznet";
/// How long a client may take to tell its settings.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often files of settings are looked at. A look costs some microseconds.
const LOOK: Duration = Duration::from_secs(2);

/// The choice that a section makes; bare, or under its name.
pub(super) fn choice(settings: &Value) -> Choice {
    let section = settings.get(SECTION).unwrap_or(settings);
    let text = |key: &str| section.get(key)?.as_str().map(str::to_owned);
    let flag = |key: &str| section.get(key).and_then(Value::as_bool);
    let threshold = section.get("threshold").and_then(Value::as_f64);
    Choice {
        labels: section
            .get("labels")
            .and_then(|labels| serde_json::from_value(labels.clone()).ok())
            .filter(|labels: &Vec<String>| !labels.is_empty()),
        labelset: text("labelset").filter(|name| !name.is_empty()),
        threshold: threshold.and_then(|value| Score::new(value as f32)),
        code_lens: flag("codeLens"),
        inlay_hints: flag("inlayHints"),
        diagnostics: flag("diagnostics"),
    }
}

/// A label set as settings name it, so that it means the same in the daemon's folder: a file from
/// the home, or from the first of `folders` that has it. A name stays as it is.
fn located(named: &str, home: Option<&Path>, folders: &[PathBuf]) -> String {
    let path = Path::new(named);
    let is_file = path.components().count() > 1
        || path
            .extension()
            .is_some_and(|ending| ending.eq_ignore_ascii_case("toml"));
    let found = match (path.strip_prefix("~"), home) {
        (Ok(below), Some(home)) => Some(home.join(below)),
        _ if is_file && path.is_relative() => {
            let mut files = folders.iter().map(|folder| folder.join(path));
            let there = files.clone().find(|file| file.is_file());
            there.or_else(|| files.next())
        }
        _ => None,
    };
    let found = found.and_then(|found| found.into_os_string().into_string().ok());
    found.unwrap_or_else(|| named.to_owned())
}

impl Shared {
    /// The folder whose settings hold for a document: its own; the workspace's for what is no file.
    pub(super) fn folder_of(&self, open: &Open) -> Option<PathBuf> {
        let of_workspace = || self.navigation.roots().into_iter().next();
        open.folder().or_else(of_workspace)
    }

    /// What the client chose, for a document in a folder.
    pub(super) fn choice_in(&self, folder: Option<&Path>) -> Choice {
        let mut choice = self.choice().clone();
        choice.labelset = choice.labelset.map(|named| {
            let home = directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_path_buf());
            let mut folders = self.navigation.roots();
            folders.extend(folder.map(Path::to_path_buf));
            located(&named, home.as_deref(), &folders)
        });
        choice
    }

    /// Takes settings that the client sent; null means that it wants to be asked.
    pub(super) fn configure(self: &Arc<Shared>, settings: &Value) {
        if settings.is_null() {
            return self.ask_for_settings();
        }
        *self.choice() = choice(settings);
        self.suggest_all();
    }

    /// Asks the client for its settings, and waits for them elsewhere.
    pub(super) fn ask_for_settings(self: &Arc<Shared>) {
        if !self.traits().has_configuration {
            return;
        }
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            let Some(client) = shared.client.get() else {
                return;
            };
            let asked = client.configuration(vec![ConfigurationItem {
                scope_uri: None,
                section: Some(SECTION.to_owned()),
            }]);
            let Ok(Ok(sections)) = tokio::time::timeout(PATIENCE, asked).await else {
                return tracing::debug!("a client does not tell its settings");
            };
            let Some(section) = sections.first().filter(|section| section.is_object()) else {
                return; // It has none; what was said in `initialize` holds.
            };
            let told = choice(section);
            if *shared.choice() != told {
                *shared.choice() = told;
                shared.suggest_all();
            }
        });
    }

    /// Looks at the files that the rules of open documents came from, until the client leaves, and
    /// reads those documents again whose files have changed.
    pub(super) async fn watch_settings(self: Arc<Shared>) {
        loop {
            tokio::time::sleep(LOOK).await;
            let known = self.suggestions.sources();
            let look = move || -> Vec<Uri> {
                let is_other = |sources: &Sources| *sources != sources.look_again();
                let changed = known.into_iter().filter(|(_, sources)| is_other(sources));
                changed.map(|(uri, _)| uri).collect()
            };
            let Ok(changed) = tokio::task::spawn_blocking(look).await else {
                continue;
            };
            for uri in changed {
                tracing::debug!(uri = uri.as_str(), "its settings have changed");
                self.suggest_soon(&uri, Duration::ZERO);
            }
        }
    }
}

/// The files that rules came from, as they were then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sources(Vec<(PathBuf, Option<(SystemTime, u64)>)>);

impl Sources {
    /// The files as they are now.
    pub(super) fn look(files: impl IntoIterator<Item = PathBuf>) -> Sources {
        let state = |file: &PathBuf| {
            let metadata = std::fs::metadata(file).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        };
        let files = files.into_iter();
        Sources(
            files
                .map(|file| {
                    let now = state(&file);
                    (file, now)
                })
                .collect(),
        )
    }

    fn look_again(&self) -> Sources {
        Sources::look(self.0.iter().map(|(file, _)| file.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_means_nothing_is_as_if_it_were_not_there() {
        let settings = json!({ "gliznet": {
            "labels": [], "labelset": "", "threshold": 7, "codeLens": "yes", "diagnostics": false,
        } });
        let expected = Choice {
            diagnostics: Some(false),
            ..Choice::default()
        };
        assert_eq!(choice(&settings), expected);
        assert_eq!(choice(&json!(null)), Choice::default());
        let bare = choice(&json!({ "labels": ["a"], "threshold": 0.5 }));
        assert_eq!(bare.labels, Some(vec!["a".to_owned()]));
        assert_eq!(bare.threshold, Score::new(0.5));
    }

    #[test]
    fn a_file_of_labels_is_found_from_the_home_and_from_the_workspace() {
        let dir = tempfile::tempdir().unwrap();
        let [first, second] = ["first", "second"].map(|name| dir.path().join(name));
        std::fs::create_dir_all(second.join("sets")).unwrap();
        std::fs::write(second.join("sets/mine.toml"), "").unwrap();
        let folders = [first.clone(), second.clone()];
        let home = Path::new("/home/me");
        let of = |named: &str| PathBuf::from(located(named, Some(home), &folders));
        assert_eq!(of("~/mine.toml"), home.join("mine.toml"));
        assert_eq!(of("sets/mine.toml"), second.join("sets/mine.toml"));
        assert_eq!(of("other.toml"), first.join("other.toml"));
        for same in ["/sets/mine.toml", "personal-notes"] {
            assert_eq!(of(same), PathBuf::from(same));
        }
        assert_eq!(located("mine.toml", None, &[]), "mine.toml");
    }

    #[test]
    fn a_file_that_comes_grows_or_goes_is_a_change() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("gliznet.toml");
        let none = Sources::look([file.clone()]);
        assert_eq!(none, none.look_again());
        std::fs::write(&file, "threshold = 0.5\n").unwrap();
        let some = none.look_again();
        assert_ne!(none, some);
        std::fs::write(&file, "threshold = 0.25\n").unwrap();
        assert_ne!(some, some.look_again());
        std::fs::remove_file(&file).unwrap();
        assert_eq!(none, some.look_again());
    }
}
