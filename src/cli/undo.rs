//! `gliznet undo`: takes back what runs have written into files.

use std::io::Write;
use std::path::{Path, PathBuf};

use anstyle::{AnsiColor, Style};

use super::setup::{Surroundings, shown};
use super::{Outcome, UsageError, complain, diff, moment, remark};
use crate::sink::{FileUndone, Ledger, Mode, RunId, TakenBack, UndoSelection, Undone};

const FILE: Style = Style::new().bold();
const GONE: Style = AnsiColor::Red.on_default();
const BACK: Style = AnsiColor::Green.on_default();

/// Takes back what `gliznet tag --write` and watched folders have written, byte for byte.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  gliznet undo                         the latest run
  gliznet undo --run 7                 what run 7 wrote (`gliznet log` lists the runs)
  gliznet undo --file notes/today.md   all that was written into one file
  gliznet undo --since '2 hours ago' --dry-run

A file whose tags were changed since is left alone, and named. Edits elsewhere in a file stay.")]
pub(crate) struct Args {
    /// Only what this run wrote
    #[arg(long, value_name = "ID")]
    run: Option<u64>,

    /// Only what was written into this file
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// Only what was written since: `2 hours ago`, `yesterday`, a date, an RFC 3339 time
    #[arg(long, value_name = "TIME")]
    since: Option<String>,

    /// Show as a diff what would be taken back, and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let selection = args.selection()?;
    let data = Surroundings::here()?.folders.data;
    // A file that is gone may have been written, so the ledger is asked first.
    let missing = args.file.as_deref().filter(|file| !file.exists());
    if !Ledger::is_in(&data)
        && let Some(file) = missing
    {
        complain(nowhere(file));
        return Ok(Outcome::SomeFailed);
    }
    if !Ledger::is_in(&data) {
        remark("nothing was ever written, so there is nothing to take back");
        return Ok(Outcome::Done);
    }
    let (ledger, faults) = Ledger::open(&data)?;
    for fault in faults {
        tracing::warn!("{fault}");
    }
    let mode = match args.dry_run {
        true => Mode::Preview,
        false => Mode::Do,
    };
    let undone = ledger.undo(&selection, moment::seconds_now(), mode)?;
    let mut outcome = Outcome::Done;
    for file in &undone.files {
        match &file.outcome {
            Ok(back) if args.dry_run => {
                diff::show(&diff::unified(&back.preview, &back.preview.target))?
            }
            Ok(back) => show(file, back)?,
            Err(error) => {
                outcome = Outcome::SomeFailed;
                complain(error);
            }
        }
    }
    if let Some(file) = missing.filter(|_| undone.files.is_empty()) {
        complain(nowhere(file));
        return Ok(Outcome::SomeFailed);
    }
    remark(conclusion(&undone, mode));
    Ok(outcome)
}

impl Args {
    fn selection(&self) -> Result<UndoSelection, UsageError> {
        let since = self.since.as_deref();
        let since = since.map(|text| moment::parse(text, &moment::now()));
        let since = since.transpose();
        let since = since.map_err(|error| UsageError(format!("--since: {error}")))?;
        Ok(UndoSelection {
            run: self.run.map(RunId),
            file: self.file.clone(),
            since: since.map(|since| u64::try_from(since.as_second()).unwrap_or(0)),
        })
    }
}

fn nowhere(file: &Path) -> String {
    let file = shown(file);
    format!("{file}: no such file, and nothing was ever written into one there; check the path")
}

fn show(file: &FileUndone, back: &TakenBack) -> std::io::Result<()> {
    let mut out = anstream::stdout().lock();
    writeln!(out, "{FILE}{}{FILE:#}", shown(&file.path))?;
    for tag in &back.removed {
        writeln!(out, "  {GONE}- {tag}{GONE:#}")?;
    }
    for tag in &back.added {
        writeln!(out, "  {BACK}+ {tag}{BACK:#}")?;
    }
    Ok(())
}

fn conclusion(undone: &Undone, mode: Mode) -> String {
    if undone.files.is_empty() {
        return "there is nothing to take back; `gliznet log` lists the runs".to_owned();
    }
    let runs: Vec<String> = undone.runs.iter().map(RunId::to_string).collect();
    let runs = match runs.as_slice() {
        [run] => format!("run {run}"),
        runs if runs.len() > 5 => format!("{} runs", runs.len()),
        runs => format!("runs {}", runs.join(", ")),
    };
    let done = undone
        .files
        .iter()
        .filter(|file| file.outcome.is_ok())
        .count();
    let (all, files) = (
        undone.files.len(),
        if undone.files.len() == 1 {
            "file"
        } else {
            "files"
        },
    );
    match mode {
        Mode::Do => format!("{runs}: {done} of {all} {files} taken back"),
        Mode::Preview => {
            format!("{runs}: {done} of {all} {files} would be taken back; nothing was changed")
        }
    }
}
