//! `gliznet labelset add`, `rename`, `merge`, `drop`: a label set changed in its own file.

use std::path::{Path, PathBuf};

use super::find;
use crate::cli::typed::tag;
use crate::cli::{Outcome, UsageError, remark};
use crate::desk::{SetChangeError, change_set};
use crate::label::Change;

/// Add labels to a set
#[derive(Debug, clap::Args)]
pub(super) struct Add {
    /// The label set: its name, or a file
    #[arg(value_name = "SET")]
    set: String,
    /// The new labels
    #[arg(value_name = "LABEL", value_parser = tag, required = true)]
    labels: Vec<String>,
}

/// Give a label another name; what was learnt of it holds under the new one
#[derive(Debug, clap::Args)]
pub(super) struct Rename {
    /// The label set: its name, or a file
    #[arg(value_name = "SET")]
    set: String,
    /// The label
    #[arg(value_name = "OLD", value_parser = tag)]
    old: String,
    /// Its name from now on
    #[arg(value_name = "NEW", value_parser = tag)]
    new: String,
}

/// Make one label of two; what was said of either holds for both
#[derive(Debug, clap::Args)]
pub(super) struct Merge {
    /// The label set: its name, or a file
    #[arg(value_name = "SET")]
    set: String,
    /// The label that goes
    #[arg(value_name = "FROM", value_parser = tag)]
    from: String,
    /// The label that stays
    #[arg(value_name = "INTO", value_parser = tag)]
    into: String,
}

/// Take a label out of a set; what was learnt of it counts no more
#[derive(Debug, clap::Args)]
pub(super) struct Drop {
    /// The label set: its name, or a file
    #[arg(value_name = "SET")]
    set: String,
    /// The label
    #[arg(value_name = "LABEL", value_parser = tag)]
    label: String,
}

/// Where sets are, and where it is held who changes one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// The user's own sets.
    pub(super) user_dir: Option<&'a Path>,
    pub(super) data: Option<&'a Path>,
}

pub(super) fn add(args: &Add, place: Place) -> anyhow::Result<Outcome> {
    let changes: Vec<Change> = args.labels.iter().cloned().map(Change::Add).collect();
    apply(&args.set, place, &changes)
}

pub(super) fn rename(args: &Rename, place: Place) -> anyhow::Result<Outcome> {
    let change = Change::Rename {
        old: args.old.clone(),
        new: args.new.clone(),
    };
    apply(&args.set, place, &[change])
}

pub(super) fn merge(args: &Merge, place: Place) -> anyhow::Result<Outcome> {
    let change = Change::Merge {
        from: args.from.clone(),
        into: args.into.clone(),
    };
    apply(&args.set, place, &[change])
}

pub(super) fn remove(args: &Drop, place: Place) -> anyhow::Result<Outcome> {
    apply(&args.set, place, &[Change::Drop(args.label.clone())])
}

fn apply(set: &str, place: Place, changes: &[Change]) -> anyhow::Result<Outcome> {
    let path = change_file(set, place, changes)?;
    let path = path.display();
    remark(format!("{path}: {}; it holds at once", done(changes)));
    Ok(Outcome::Done)
}

/// What was changed, in words.
fn done(changes: &[Change]) -> String {
    let done = changes.iter().map(|change| match change {
        Change::Add(label) => format!("`{label}` was added"),
        Change::Rename { old, new } => format!("`{old}` is called `{new}` now"),
        Change::Merge { from, into } => format!("`{from}` is a part of `{into}` now"),
        Change::Drop(label) => format!("`{label}` was taken out"),
    });
    done.collect::<Vec<_>>().join(", ")
}

/// Makes all changes in the file of a set, or none; and says which file it is.
fn change_file(set: &str, place: Place, changes: &[Change]) -> anyhow::Result<PathBuf> {
    let source = find(set, place.user_dir)?;
    let Some(path) = source.path else {
        let name = source.name;
        let message = format!(
            "`{name}` comes with the program and cannot be changed; `gliznet labelset show {name} --toml > {name}.toml` makes a set of your own of it, which is changed by the name of that file"
        );
        return Err(UsageError(message).into());
    };
    match change_set(place.data, &path, None, changes) {
        Ok(()) => Ok(path),
        Err(error @ SetChangeError::Change { .. }) => Err(UsageError(error.to_string()).into()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::replace;

    const NOWHERE: Place = Place {
        user_dir: None,
        data: None,
    };

    #[test]
    fn who_would_change_a_bundled_set_is_told_what_to_change_instead() {
        let add = [Change::Add("x".to_owned())];
        let error = change_file("gtd", NOWHERE, &add).unwrap_err().to_string();
        assert!(
            error.contains("`gliznet labelset show gtd --toml > gtd.toml`"),
            "{error}"
        );
        assert!(error.ends_with("by the name of that file"), "{error}");
    }

    #[test]
    fn several_labels_are_added_or_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mine.toml");
        let before = "[[label]]\nname = 'a'\n";
        replace(&path, before.as_bytes()).unwrap();
        let set = path.to_str().unwrap();
        let add = |labels: &[&str]| -> Vec<Change> {
            let labels = labels.iter().map(|label| (*label).to_owned());
            labels.map(Change::Add).collect()
        };
        assert!(change_file(set, NOWHERE, &add(&["b", "a"])).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
        change_file(set, NOWHERE, &add(&["b", "c"])).unwrap();
        let after = std::fs::read_to_string(&path).unwrap();
        let set = crate::label::LabelSet::parse(&after).unwrap();
        assert_eq!(set.labels().len(), 3);
        assert_eq!(done(&add(&["b", "c"])), "`b` was added, `c` was added");
    }
}
