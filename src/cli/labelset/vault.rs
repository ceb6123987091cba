//! `gliznet labelset from-vault`.
//!
//! Invariant: an existing file is never overwritten, and a note is never written to.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::tags::{Notes, tags_of, uncounted};
use super::{Outcome, UsageError, counted};
use crate::cli::complain;
use crate::cli::whose::{Whose, tell_uncounted};
use crate::config::Folders;
use crate::document::Document;
use crate::label::derive::{self, DeriveOptions, Derived};

/// Derives a label set from the tags that a folder of notes already uses, with counts.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder; hidden files and what `.gliznetignore`, `.ignore` and `.gitignore` name are left out.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Leave out tags that fewer notes have.
    #[arg(long, value_name = "N", default_value_t = DeriveOptions::default().min_count)]
    min_count: usize,
    /// Write the set to a new file instead of standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> anyhow::Result<Outcome> {
    if let Some(file) = args.out.as_ref().filter(|file| file.exists()) {
        let file = file.display();
        return Err(UsageError(format!("{file} exists; name a new file with --out")).into());
    }
    // Without a home folder nothing was ever written.
    let folders = Folders::of_this_user().ok();
    let whose = folders
        .map(|folders| Whose::of(&folders.data))
        .transpose()?;
    let whose = whose.unwrap_or_default();
    let (mut n_failed, mut n_uncounted) = (0, 0);
    let notes = Notes::new(&args.dir)?.filter_map(|note| {
        let counted = |(path, document): (PathBuf, Document)| {
            let uncounted = uncounted(&whose, &path, &document, None);
            n_uncounted += uncounted.len();
            (path, tags_of(&document, &uncounted))
        };
        note.map(counted)
            .map_err(|error| {
                n_failed += 1;
                complain(format_args!("{error:#}"));
            })
            .ok()
    });
    let derived = derive::from_tags(
        notes,
        DeriveOptions {
            min_count: args.min_count,
        },
    );
    tell_uncounted(n_uncounted);
    if derived.labels.is_empty() {
        return Err(nothing(args, &derived));
    }
    let toml = derived.to_toml(&set_name(args));
    match &args.out {
        Some(file) => write_new(file, &toml)?,
        None => out.write_all(toml.as_bytes())?,
    }
    report(args, &derived);
    Ok(if n_failed == 0 {
        Outcome::Done
    } else {
        Outcome::SomeFailed
    })
}

/// What was done and left out, apart from the result.
fn report(args: &Args, derived: &Derived) {
    if let Some(file) = &args.out {
        let labels = counted(derived.labels.len(), "label");
        let notes = counted(derived.n_notes, "note");
        anstream::eprintln!("{}: {labels} from {notes}", file.display());
    }
    if derived.n_rare > 0 {
        let (tags, min_count) = (counted(derived.n_rare, "tag"), args.min_count);
        let notes = counted(min_count, "note");
        anstream::eprintln!("left out {tags} of fewer than {notes}; --min-count 1 keeps them all");
    }
    if !derived.unusable.is_empty() {
        let tags = counted(derived.unusable.len(), "tag");
        let shown: Vec<String> = derived
            .unusable
            .iter()
            .take(5)
            .map(|tag| format!("{:.40}", format!("{tag:?}")))
            .collect();
        anstream::eprintln!("left out {tags} that can be no label: {}", shown.join(", "));
    }
}

fn nothing(args: &Args, derived: &Derived) -> anyhow::Error {
    let dir = args.dir.display();
    let notes = counted(derived.n_notes, "note");
    if derived.n_rare > 0 {
        let tags = counted(derived.n_rare, "tag");
        anyhow::anyhow!("{dir}: {tags} in {notes}, but none often enough; lower --min-count")
    } else if derived.n_notes == 0 {
        anyhow::anyhow!("{dir}: no notes; name a folder with Markdown, Org or text files")
    } else {
        anyhow::anyhow!("{dir}: no tags in {notes}; start from a set of `gliznet labelset list`")
    }
}

/// The name of the file the set goes to. Where nobody knows that file, the set has none: it is called
/// as the file is, and a second name would only be in the way.
fn set_name(args: &Args) -> String {
    let stem = args.out.as_deref().and_then(Path::file_stem);
    let name = stem.unwrap_or_default().to_string_lossy();
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    name.trim().to_owned()
}

/// Written beside the file and renamed: there is never half a set, nor one overwritten.
fn write_new(file: &Path, toml: &str) -> anyhow::Result<()> {
    let dir = file
        .parent()
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let place = || file.display().to_string();
    let mut temporary = tempfile::NamedTempFile::new_in(dir).with_context(place)?;
    temporary.write_all(toml.as_bytes()).with_context(place)?;
    temporary
        .persist_noclobber(file)
        .map_err(|error| error.error)
        .with_context(place)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use std::fs;

    use super::*;

    fn vault(notes: &[(&str, &str)]) -> tempfile::TempDir {
        // A visible name: a hidden folder would be left out of the walk below it.
        let dir = tempfile::Builder::new().prefix("vault").tempdir().unwrap();
        for (name, text) in notes {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::File::create(path)
                .unwrap()
                .write_all(text.as_bytes())
                .unwrap();
        }
        dir
    }

    fn args(dir: &tempfile::TempDir, out: Option<&str>) -> Args {
        let out = out.map(|name| dir.path().join(name));
        Args {
            dir: dir.path().to_owned(),
            min_count: 1,
            out,
        }
    }

    #[test]
    fn tags_are_gathered_but_not_from_ignored_hidden_or_foreign_files() {
        let tagged = "---\ntags: [one]\n---\n";
        let dir = vault(&[
            ("a.md", "---\ntags: [one, \"two\"]\n---\nText.\n"),
            ("sub/b.md", tagged),
            (".hidden/c.md", tagged),
            ("drafts/d.md", tagged),
            (".ignore", "drafts/\n"),
            ("e.png", tagged),
        ]);
        let outcome = run(&args(&dir, Some("new.toml")), &mut Vec::new()).unwrap();
        assert_eq!(outcome, Outcome::Done);
        expect![[r#"
            # Derived from the tags of 2 of 2 notes.
            # A `description` of a few words makes a label sharper.

            name = "new"

            # 2 notes
            [[label]]
            name = "one"

            # 1 note
            [[label]]
            name = "two"
        "#]]
        .assert_eq(&fs::read_to_string(dir.path().join("new.toml")).unwrap());
    }

    #[test]
    fn an_existing_file_is_not_overwritten() {
        let dir = vault(&[
            ("a.md", "---\ntags: [one]\n---\n"),
            ("old.toml", "precious"),
        ]);
        let error = run(&args(&dir, Some("old.toml")), &mut Vec::new()).unwrap_err();
        assert!(error.is::<UsageError>(), "{error}");
        assert!(write_new(&dir.path().join("old.toml"), "other").is_err());
        assert_eq!(
            fs::read_to_string(dir.path().join("old.toml")).unwrap(),
            "precious"
        );
    }

    #[test]
    fn a_folder_without_tags_says_what_to_do() {
        let dir = vault(&[("a.md", "No tags.\n")]);
        let error = run(&args(&dir, None), &mut Vec::new())
            .unwrap_err()
            .to_string();
        assert!(
            error.ends_with(": no tags in 1 note; start from a set of `gliznet labelset list`")
        );
    }
}
