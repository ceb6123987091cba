//! `gliznet man`: the manual as man pages, made from the same words as `--help`.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::CommandFactory;

use super::setup::{io_fact, shown};
use super::{Cli, Outcome};

/// Writes the manual: the first page to standard output, or all pages into a folder.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  gliznet man | man -l -
  gliznet man ~/.local/share/man/man1 && man gliznet-tag")]
pub(crate) struct Args {
    /// Where one page for each command goes; made if it is not there
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    match &args.dir {
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page)?;
            io::stdout().lock().write_all(&page)?;
        }
        Some(dir) => {
            let place = |error: io::Error| anyhow::anyhow!("{}: {}", shown(dir), io_fact(&error));
            fs::create_dir_all(dir).map_err(place)?;
            clap_mangen::generate_to(Cli::command(), dir)
                .map_err(place)
                .context("the manual could not be written")?;
        }
    }
    Ok(Outcome::Done)
}
