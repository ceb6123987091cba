//! `gliznet labelset add`, `rename`, `merge`, `drop`: a label set changed in its own file.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::{Source, find};
use crate::cli::setup::tag;
use crate::cli::{Outcome, UsageError, remark};
use crate::config::replace;
use crate::label::{Change, changed};

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

/// Make one label of two; what was learnt of either holds for both
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

pub(super) fn add(args: &Add, user_dir: Option<&Path>) -> anyhow::Result<Outcome> {
    let changes: Vec<Change> = args.labels.iter().cloned().map(Change::Add).collect();
    apply(&args.set, user_dir, &changes)
}

pub(super) fn rename(args: &Rename, user_dir: Option<&Path>) -> anyhow::Result<Outcome> {
    let change = Change::Rename {
        old: args.old.clone(),
        new: args.new.clone(),
    };
    apply(&args.set, user_dir, &[change])
}

pub(super) fn merge(args: &Merge, user_dir: Option<&Path>) -> anyhow::Result<Outcome> {
    let change = Change::Merge {
        from: args.from.clone(),
        into: args.into.clone(),
    };
    apply(&args.set, user_dir, &[change])
}

pub(super) fn remove(args: &Drop, user_dir: Option<&Path>) -> anyhow::Result<Outcome> {
    apply(&args.set, user_dir, &[Change::Drop(args.label.clone())])
}

fn apply(set: &str, user_dir: Option<&Path>, changes: &[Change]) -> anyhow::Result<Outcome> {
    let path = change_file(set, user_dir, changes)?;
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
fn change_file(set: &str, user_dir: Option<&Path>, changes: &[Change]) -> anyhow::Result<PathBuf> {
    let source: Source = find(set, user_dir)?;
    let Some(path) = &source.path else {
        let name = &source.name;
        let message = format!(
            "`{name}` comes with the program and cannot be changed; `gliznet labelset show {name} --toml > {name}.toml` makes a set of your own of it, which is changed by the name of that file"
        );
        return Err(UsageError(message).into());
    };
    let mut toml = source.toml.clone();
    for change in changes {
        let next = changed(&toml, change);
        toml = next.map_err(|error| UsageError(format!("{}: {error}", path.display())))?;
    }
    let cannot = || format!("{}: cannot be written; it is as it was", path.display());
    replace(path, toml.as_bytes()).with_context(cannot)?;
    Ok(path.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_would_change_a_bundled_set_is_told_what_to_change_instead() {
        let add = [Change::Add("x".to_owned())];
        let error = change_file("gtd", None, &add).unwrap_err().to_string();
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
        assert!(change_file(set, None, &add(&["b", "a"])).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
        change_file(set, None, &add(&["b", "c"])).unwrap();
        let after = std::fs::read_to_string(&path).unwrap();
        let set = crate::label::LabelSet::parse(&after).unwrap();
        assert_eq!(set.labels().len(), 3);
        assert_eq!(done(&add(&["b", "c"])), "`b` was added, `c` was added");
    }
}
