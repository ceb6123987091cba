//! `gliznet labelset check`.

use std::io::Write;
use std::path::{Path, PathBuf};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::{NOT_UTF8, NotUtf8, Outcome, Source, counted, find};
use crate::cli::setup::{Surroundings, language_fact};
use crate::label::LabelSet;
use crate::model::store::Store;

/// Says all that is wrong with label set files, each fault with its line and its cure.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Label sets: files, or names.
    #[arg(value_name = "NAME|FILE", required = true)]
    files: Vec<PathBuf>,
    /// Write one JSON array with an object for each fault.
    #[arg(long)]
    json: bool,
}

/// One fault, as scripts get it. Fields are only ever added.
#[derive(Serialize)]
struct Row {
    path: String,
    /// Absent where the file as a whole could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    message: String,
}

pub(super) fn run(
    args: &Args,
    user_dir: Option<&Path>,
    out: &mut dyn Write,
) -> anyhow::Result<Outcome> {
    const GOOD: Style = AnsiColor::Green.on_default();
    const PLACE: Style = Style::new().bold();
    let mut rows: Vec<Row> = Vec::new();
    for file in &args.files {
        let path = file.display().to_string();
        let before = rows.len();
        let read = match named(file, user_dir) {
            Some(source) => Ok(source),
            None => Source::read(file),
        };
        let mut fact = None;
        let n_labels = match read {
            Err(error) => {
                rows.push(unreadable(&error, path.clone()));
                0
            }
            Ok(source) => match LabelSet::parse(&source.toml) {
                Ok(set) => {
                    fact = of_language(&set);
                    set.labels().len()
                }
                Err(faults) => {
                    rows.extend(faults.iter().map(|fault| Row {
                        path: path.clone(),
                        line: Some(fault.line),
                        message: fault.problem.to_string(),
                    }));
                    0
                }
            },
        };
        if args.json {
            continue;
        }
        for row in &rows[before..] {
            let line = row.line.map_or_else(String::new, |line| format!(":{line}"));
            writeln!(out, "{PLACE}{path}{line}:{PLACE:#} {}", row.message)?;
        }
        if rows.len() == before {
            writeln!(
                out,
                "{path}: {GOOD}good{GOOD:#}, {}",
                counted(n_labels, "label")
            )?;
            if let Some(fact) = fact {
                writeln!(out, "{path}: notice: {fact}")?;
            }
        }
    }
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &rows)?;
        writeln!(out)?;
    }
    Ok(if rows.is_empty() {
        Outcome::Done
    } else {
        Outcome::SomeFailed
    })
}

/// What its language means for the model that tags, where there is something to say.
fn of_language(set: &LabelSet) -> Option<String> {
    if set.may_be_english() {
        return None;
    }
    let here = Surroundings::here().ok()?;
    let store = Store::new(&here.folders, crate::model::bundled_files());
    language_fact(set, &store.current(&here.settings).ok()?)
}

/// The set that is called so, where no file is.
fn named(name: &Path, user_dir: Option<&Path>) -> Option<Source> {
    let is_plain = name.components().count() == 1 && name.extension().is_none();
    if name.exists() || !is_plain {
        return None;
    }
    find(name.to_str()?, user_dir).ok()
}

/// The fault of a file that could not be read. Its message begins with the path, which a row has
/// already.
fn unreadable(error: &anyhow::Error, path: String) -> Row {
    if let Some(error) = error.downcast_ref::<NotUtf8>() {
        return Row {
            path,
            line: Some(error.line),
            message: NOT_UTF8.to_owned(),
        };
    }
    let message = format!("{error:#}");
    let rest = message.strip_prefix(&path);
    let rest = rest.map(|rest| rest.trim_start_matches([':', ' ']));
    Row {
        line: None,
        message: rest.unwrap_or(&message).to_owned(),
        path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(files: &[(&str, &[u8])], json: bool) -> (Outcome, String) {
        let dir = tempfile::tempdir().unwrap();
        for (name, toml) in files {
            let mut file = std::fs::File::create(dir.path().join(name)).unwrap();
            file.write_all(toml).unwrap();
        }
        let mut names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
        names.push("missing.toml");
        let files = names.iter().map(|name| dir.path().join(name)).collect();
        let mut out = Vec::new();
        let outcome = run(
            &Args { files, json },
            None,
            &mut anstream::StripStream::new(&mut out),
        )
        .unwrap();
        let out = String::from_utf8(out).unwrap();
        (
            outcome,
            out.replace(&format!("{}/", dir.path().display()), ""),
        )
    }

    const FILES: [(&str, &[u8]); 3] = [
        ("good.toml", b"[[label]]\nname = 'a'\n"),
        ("bad.toml", b"x = 1\n\n[[label]]\nname = ''\n"),
        ("latin.toml", b"[[label]]\nname = 'caf\xe9'\n"),
    ];

    #[test]
    fn every_fault_of_every_file_has_its_place() {
        let (outcome, out) = checked(&FILES, false);
        assert_eq!(outcome, Outcome::SomeFailed);
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines[0], "good.toml: good, 1 label");
        assert!(
            lines[1].starts_with("bad.toml:1: unknown key `x`; "),
            "{out}"
        );
        assert_eq!(lines[2], "bad.toml:4: `name` is empty; give it a name");
        assert_eq!(lines[3], "latin.toml:2: not UTF-8; save the file as UTF-8");
        assert!(lines[4].starts_with("missing.toml: no such file"), "{out}");
        assert_eq!(lines.len(), 5);
    }

    #[test]
    fn a_script_gets_one_object_for_each_fault() {
        let (_, out) = checked(&FILES, true);
        let rows: Vec<serde_json::Value> = serde_json::from_str(&out).unwrap();
        let places = rows
            .iter()
            .map(|row| (row["path"].as_str(), row["line"].as_u64()));
        assert_eq!(
            places.collect::<Vec<_>>(),
            [
                (Some("bad.toml"), Some(1)),
                (Some("bad.toml"), Some(4)),
                (Some("latin.toml"), Some(2)),
                (Some("missing.toml"), None)
            ]
        );
    }

    #[test]
    fn a_set_is_checked_by_its_name_too() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::File::create(dir.path().join("mine.toml")).unwrap();
        let checked = |name: &str| {
            let files = vec![PathBuf::from(name)];
            let mut out = Vec::new();
            let args = Args { files, json: false };
            run(
                &args,
                Some(dir.path()),
                &mut anstream::StripStream::new(&mut out),
            )
            .unwrap();
            String::from_utf8(out).unwrap()
        };
        assert!(
            checked("mine").starts_with("mine:1: "),
            "{}",
            checked("mine")
        );
        assert!(checked("gtd").starts_with("gtd: good, "));
        assert!(checked("nope").starts_with("nope: no such file"));
    }
}
