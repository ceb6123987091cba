//! `gliznet model rollback`: another version of the model serves, by moving the pointer.

use std::io::Write as _;

use super::Here;
use crate::cli::Outcome;
use crate::learn::versions::Versions;
use crate::model::Model;

/// Goes back to the version before, or to the one named; 0 is the shipped model.
#[derive(Debug, clap::Args)]
#[command(after_help = "A daemon that runs serves it after its next start (`gliznet stop`).")]
pub(super) struct Args {
    /// The version's number, as `gliznet model history` shows it.
    #[arg(value_name = "N")]
    number: Option<u32>,
}

pub(super) fn run(args: &Args, here: &Here) -> anyhow::Result<Outcome> {
    let base = Model::fingerprint_of(&here.store.current(&here.settings()?)?.source)?;
    let number = Versions::new(&here.folders).rollback(&base, args.number)?;
    let mut out = anstream::stdout().lock();
    match number {
        0 => writeln!(out, "the shipped model serves")?,
        n => writeln!(out, "version {n} serves")?,
    }
    Ok(Outcome::Done)
}
