//! `gliznet model rollback`: another version of the model serves, by moving the pointer; a daemon
//! that runs is told.

use std::io::Write as _;

use super::Here;
use crate::cli::{Outcome, train};
use crate::learn::versions::{By, Versions, Why};
use crate::model::Model;

/// Goes back to the version before, or to the one named; 0 is the shipped model.
#[derive(Debug, clap::Args)]
#[command(after_help = "A daemon that runs serves it at once.")]
pub(super) struct Args {
    /// The version's number, as `gliznet model history` shows it.
    #[arg(value_name = "N")]
    number: Option<u32>,
}

pub(super) fn run(args: &Args, here: &Here) -> anyhow::Result<Outcome> {
    let base = Model::fingerprint_of(&here.store.current(&here.settings()?)?.source)?;
    let why = Why {
        time: train::now(),
        by: By::Person,
        reason: String::new(),
    };
    let number = Versions::new(&here.folders).rollback(&base, args.number, why)?;
    {
        let mut out = anstream::stdout().lock();
        match number {
            0 => writeln!(out, "the shipped model serves")?,
            n => writeln!(out, "version {n} serves")?,
        }
    }
    Ok(train::reload())
}
