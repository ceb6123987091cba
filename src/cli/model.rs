//! `gliznet model`: which models are here, what they are, and how others come.
//!
//! Input: arguments, settings, the store. Output: tables or JSON on standard output.
//! Knows the border's records (`ModelJson`); everything else is asked of `model::store` and `hub`.

use std::fmt::Write as _;

use anyhow::Context as _;
use clap::Subcommand;

use super::Outcome;
use crate::config::{Folders, Settings};
use crate::model::store::{Entry, ModelSource, Store};

mod calibrate;
mod choose;
mod history;
mod list;
mod pull;
mod rollback;
mod show;
mod verify;

/// Lists, shows, fetches, chooses and verifies models.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Args),
    Show(show::Args),
    Pull(pull::Args),
    Use(choose::Args),
    Verify(verify::Args),
    Calibrate(calibrate::Args),
    History(history::Args),
    Rollback(rollback::Args),
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    match &args.command {
        Command::List(args) => list::run(args, &Here::find()?),
        Command::Show(args) => show::run(args, &Here::find()?),
        Command::Pull(args) => pull::run(args, &Here::find()?),
        Command::Use(args) => choose::run(args, &Here::find()?),
        Command::Verify(args) => verify::run(args),
        Command::Calibrate(args) => calibrate::run(args),
        Command::History(args) => history::run(args, &Here::find()?),
        Command::Rollback(args) => rollback::run(args, &Here::find()?),
    }
}

/// This user on this machine.
struct Here {
    folders: Folders,
    store: Store,
}

impl Here {
    fn find() -> anyhow::Result<Here> {
        let folders = Folders::of_this_user()?;
        let store = Store::new(&folders, crate::model::bundled_files());
        Ok(Here { folders, store })
    }

    /// The settings that hold in the current folder.
    fn settings(&self) -> anyhow::Result<Settings> {
        let dir = std::env::current_dir().context("the current folder cannot be read")?;
        Ok(Settings::load(&self.folders, &dir)?)
    }
}

/// Whether both are the same model, however each was named.
fn same_model(a: &Entry, b: &Entry) -> bool {
    match (&a.source, &b.source) {
        (ModelSource::Bundled, ModelSource::Bundled) => true,
        (ModelSource::Folder(a), ModelSource::Folder(b)) => {
            a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
        }
        _ => false,
    }
}

/// `1234567` as `1.2 MB`.
fn size(bytes: u64) -> String {
    let units = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", units[unit])
}

/// Rows of cells as aligned lines, two spaces apart; nothing trails at the end of a line.
fn aligned(rows: &[Vec<String>]) -> String {
    use unicode_width::UnicodeWidthStr as _;
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.width()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let fill = width - cell.width() + 2;
            // Writing into a `String` cannot fail.
            let _ = write!(line, "{cell}{:fill$}", "");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_said_in_the_unit_that_fits() {
        let sizes = [0, 999, 1000, 999_949, 999_950, 45_738_968, 1_200_000_000];
        let shown = sizes.map(size);
        let expected = [
            "0 B", "999 B", "1.0 kB", "999.9 kB", "1.0 MB", "45.7 MB", "1.2 GB",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn columns_are_as_wide_as_they_look() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let text = aligned(&[row(["日本", "a"]), row(["tiny", ""]), row(["x", "b"])]);
        assert_eq!(text, "日本  a\ntiny\nx     b\n");
    }
}
