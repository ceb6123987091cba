//! `gliznet model verify`.

use crate::cli::Outcome;

/// Compares a checkpoint's numbers with the golden cases beside it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_args: &Args) -> anyhow::Result<Outcome> {
    anyhow::bail!("this build cannot verify models")
}
