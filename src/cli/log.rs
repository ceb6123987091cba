//! `gliznet log`: which runs have written tags into files.

use std::io::Write;
use std::path::Path;

use anstyle::Style;
use clap::ValueEnum;
use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::setup::{Surroundings, shown};
use super::{Outcome, UsageError, moment, remark};
use crate::sink::{Cause, Ledger, Pruned, RunSummary};

const HEAD: Style = Style::new().bold();
const QUIET: Style = Style::new().dimmed();

/// Lists the runs that wrote tags into files, the latest one last.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  gliznet log
  gliznet log --format json | jq '.[-1].run'
  gliznet undo --run 7
  gliznet log --prune '1 year ago'

A run that was forgotten cannot be taken back any more. Whose the tags of a file are, and which of \
them you took out, is known for ever.")]
pub(crate) struct Args {
    /// Form of the output
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    format: Format,

    /// Forget the runs before: `1 year ago`, `yesterday`, a date, an RFC 3339 time
    #[arg(long, value_name = "TIME")]
    prune: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One JSON array
    Json,
}

/// A run, for scripts. A rename inside cannot change it.
#[derive(Serialize)]
struct RunRecord<'a> {
    run: u64,
    time: Option<String>,
    by: Cause,
    sink: &'a str,
    model: &'a str,
    files: usize,
    /// Files in which it was not undone.
    standing: usize,
    added: usize,
    removed: usize,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let surroundings = Surroundings::here()?;
    if let Some(before) = &args.prune {
        return prune(&surroundings.folders.data, before);
    }
    let runs = runs(&surroundings.folders.data)?;
    let mut out = anstream::stdout().lock();
    match args.format {
        Format::Json => {
            let records: Vec<RunRecord> = runs.iter().map(RunRecord::from).collect();
            writeln!(out, "{}", serde_json::to_string_pretty(&records)?)?;
        }
        Format::Text if runs.is_empty() => {
            let fact = match Ledger::is_in(&surroundings.folders.data) {
                // There may have been runs that were forgotten.
                true => "no run is on record; `gliznet tag --write` makes one",
                false => "nothing was ever written; `gliznet tag --write` does that",
            };
            writeln!(out, "{fact}")?;
        }
        Format::Text => write!(out, "{}", table(&runs, &moment::now()))?,
    }
    Ok(Outcome::Done)
}

fn prune(data: &Path, before: &str) -> anyhow::Result<Outcome> {
    let before = moment::parse(before, &moment::now());
    let before = before.map_err(|error| UsageError(format!("--prune: {error}")))?;
    let seconds = u64::try_from(before.as_second()).unwrap_or(0);
    let pruned = match Ledger::is_in(data) {
        true => opened(data)?.prune(seconds)?,
        false => Pruned::default(),
    };
    let (kilobytes, runs) = (|bytes: u64| bytes.div_ceil(1 << 10), pruned.kept);
    remark(match pruned.forgotten {
        0 => format!("no run is older; {runs} are kept"),
        gone => format!(
            "{gone} {} forgotten, {runs} kept; the record of runs takes {} KB instead of {}",
            if gone == 1 { "run" } else { "runs" },
            kilobytes(pruned.after),
            kilobytes(pruned.before)
        ),
    });
    Ok(Outcome::Done)
}

/// All runs; a ledger is not begun only to say that there are none.
fn runs(data: &Path) -> anyhow::Result<Vec<RunSummary>> {
    if !Ledger::is_in(data) {
        return Ok(Vec::new());
    }
    Ok(opened(data)?.runs()?)
}

fn opened(data: &Path) -> anyhow::Result<Ledger> {
    let (ledger, faults) = Ledger::open(data)?;
    for fault in faults {
        tracing::warn!("{fault}");
    }
    Ok(ledger)
}

fn table(runs: &[RunSummary], now: &jiff::ZonedDateTime) -> String {
    let mut rows = vec![["run", "when", "by", "where", "files", "tags", ""].map(str::to_owned)];
    rows.extend(runs.iter().map(|run| {
        [
            run.id.to_string(),
            moment::shown(run.time, now),
            by(run.cause).to_owned(),
            run.sink.to_string(),
            run.files.to_string(),
            tags(run),
            state(run),
        ]
    }));
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].width())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..6).map(width).collect();
    let mut out = String::new();
    for (idx, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let pad = widths.get(column).map_or(0, |width| width - cell.width());
            let (before, after) = match column {
                0 | 4 => (pad, 0), // Numbers end at the same column.
                _ => (0, pad),
            };
            line += &format!("{:before$}{cell}{:after$}  ", "", "");
        }
        let style = match idx {
            0 => HEAD,
            _ if runs[idx - 1].standing == 0 => QUIET,
            _ => Style::new(),
        };
        out += &format!("{style}{}{style:#}\n", line.trim_end());
    }
    out
}

fn by(cause: Cause) -> &'static str {
    match cause {
        Cause::Person => "you",
        Cause::Watch => "watch",
        Cause::Undo => "undo",
    }
}

fn tags(run: &RunSummary) -> String {
    let part = |sign: &str, count: usize| match count {
        0 => String::new(),
        n => format!("{sign}{n}"),
    };
    let (added, removed) = (part("+", run.added), part("-", run.removed));
    match added.is_empty() || removed.is_empty() {
        true => added + &removed,
        false => format!("{added} {removed}"),
    }
}

/// What there is to know of a run besides: its only file, and what of it was undone.
fn state(run: &RunSummary) -> String {
    let file = match (&run.example, run.files) {
        (Some(path), 1) => shown(path),
        _ => String::new(),
    };
    let undone = match run.files - run.standing.min(run.files) {
        _ if run.cause == Cause::Undo => String::new(),
        0 => String::new(),
        n if n == run.files => "undone".to_owned(),
        n => format!("undone in {n}"),
    };
    match file.is_empty() || undone.is_empty() {
        true => file + &undone,
        false => format!("{undone}: {file}"),
    }
}

impl<'a> From<&'a RunSummary> for RunRecord<'a> {
    fn from(run: &'a RunSummary) -> RunRecord<'a> {
        RunRecord {
            run: run.id.0,
            time: moment::record(run.time),
            by: run.cause,
            sink: run.sink.name(),
            model: &run.model,
            files: run.files,
            standing: run.standing,
            added: run.added,
            removed: run.removed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::{RunId, Sink};
    use expect_test::expect;

    fn summary(id: u64, cause: Cause, files: usize, standing: usize) -> RunSummary {
        RunSummary {
            id: RunId(id),
            time: 1_795_455_000 + id * 3600,
            cause,
            sink: Sink::Frontmatter,
            model: "m@1".to_owned(),
            files,
            standing,
            added: files * 2,
            removed: usize::from(cause == Cause::Undo),
            example: Some("/n/a.md".into()),
        }
    }

    #[test]
    fn runs_stand_below_each_other() {
        let now = "2026-11-23T18:30:00+01:00[Europe/Berlin]".parse().unwrap();
        let runs = [
            summary(1, Cause::Person, 12, 12),
            summary(2, Cause::Watch, 1, 0),
            summary(10, Cause::Person, 4, 1),
            summary(11, Cause::Undo, 1, 0),
        ];
        let plain = anstream::adapter::strip_str(&table(&runs, &now)).to_string();
        expect![[r#"
            run  when              by     where        files  tags
              1  2026-11-23 19:30  you    frontmatter     12  +24
              2  2026-11-23 20:30  watch  frontmatter      1  +2     undone: /n/a.md
             10  2026-11-24 04:30  you    frontmatter      4  +8     undone in 3
             11  2026-11-24 05:30  undo   frontmatter      1  +2 -1  /n/a.md
        "#]]
        .assert_eq(&plain);
    }
}
