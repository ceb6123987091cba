//! `gliznet labelset list`.

use std::io::Write;
use std::path::Path;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::cli::columns::{padded, paragraph};

use super::{Outcome, Source, bundled_sources, counted, user_files};

/// Lists the label sets that can be used by name.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Write one JSON array.
    #[arg(long)]
    json: bool,
}

/// One set, as scripts get it. Fields are only ever added.
#[derive(Serialize)]
struct Row {
    name: String,
    /// Absent where the set is bundled.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    labels: usize,
    language: Option<String>,
    description: Option<String>,
    /// Why the set cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

pub(super) fn run(
    args: &Args,
    user_dir: Option<&Path>,
    out: &mut dyn Write,
) -> anyhow::Result<Outcome> {
    let mut rows = Vec::new();
    for path in user_files(user_dir)? {
        rows.push(match Source::read(&path) {
            Ok(source) => row(&source),
            Err(error) => {
                let name = path
                    .file_stem()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                faulty(name, Some(&path), format!("{error:#}"))
            }
        });
    }
    let n_own = rows.len();
    // A set of the user hides the bundled one of its name.
    let bundled = bundled_sources().filter(|source| {
        rows[..n_own]
            .iter()
            .all(|own| !own.name.eq_ignore_ascii_case(&source.name))
    });
    let bundled: Vec<Row> = bundled.map(|source| row(&source)).collect();
    rows.extend(bundled);

    if args.json {
        serde_json::to_writer_pretty(&mut *out, &rows)?;
        writeln!(out)?;
    } else {
        table(&rows, out)?;
    }
    let all_good = rows.iter().all(|row| row.error.is_none());
    Ok(if all_good {
        Outcome::Done
    } else {
        Outcome::SomeFailed
    })
}

fn row(source: &Source) -> Row {
    match source.parse() {
        Ok(set) => Row {
            name: source.name.clone(),
            path: source
                .path
                .as_deref()
                .map(|path| path.display().to_string()),
            labels: set.labels().len(),
            language: set.language.clone(),
            description: set.description,
            error: None,
        },
        Err(_) => {
            let error = format!(
                "has faults; see `gliznet labelset check {}`",
                source.place()
            );
            faulty(source.name.clone(), source.path.as_deref(), error)
        }
    }
}

fn faulty(name: String, path: Option<&Path>, error: String) -> Row {
    Row {
        name,
        path: path.map(|path| path.display().to_string()),
        labels: 0,
        language: None,
        description: None,
        error: Some(error),
    }
}

fn table(rows: &[Row], out: &mut dyn Write) -> anyhow::Result<()> {
    const NAME: Style = AnsiColor::Cyan.on_default().bold();
    const FAINT: Style = Style::new().dimmed();
    const BAD: Style = AnsiColor::Red.on_default();
    let width = rows
        .iter()
        .map(|row| unicode_width::UnicodeWidthStr::width(&*row.name))
        .max();
    let width = width.unwrap_or(0);
    for row in rows {
        write!(out, "{NAME}{}{NAME:#}  ", padded(&row.name, width))?;
        if let Some(error) = &row.error {
            writeln!(out, "{BAD}{error}{BAD:#}")?;
            continue;
        }
        let labels = counted(row.labels, "label");
        let language = row.language.as_deref().unwrap_or("");
        write!(
            out,
            "{FAINT}{labels:>10}  {}{FAINT:#}  ",
            padded(language, 2)
        )?;
        let mut told = row.description.clone().unwrap_or_default();
        if row.path.is_some() {
            told += " (yours)";
        }
        // Behind the name, ten columns of labels and two of a language.
        writeln!(out, "{}", paragraph(told.trim_start(), width + 18))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_sets_come_first_and_hide_bundled_ones_of_their_name() {
        let dir = tempfile::tempdir().unwrap();
        for (name, toml) in [("GTD", "[[label]]\nname = 'a'\n"), ("bad", "")] {
            let mut file = std::fs::File::create(dir.path().join(format!("{name}.toml"))).unwrap();
            file.write_all(toml.as_bytes()).unwrap();
        }
        let mut out = Vec::new();
        let outcome = run(&Args { json: true }, Some(dir.path()), &mut out).unwrap();
        assert_eq!(outcome, Outcome::SomeFailed);
        let rows: Vec<serde_json::Value> = serde_json::from_slice(&out).unwrap();
        let names: Vec<_> = rows
            .iter()
            .map(|row| row["name"].as_str().unwrap())
            .collect();
        assert_eq!(names[..3], ["GTD", "bad", "emotions"]);
        assert!(!names.contains(&"gtd"));
        assert!(rows[1]["error"].as_str().unwrap().contains("bad.toml"));
    }
}
