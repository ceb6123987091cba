//! `gliznet labelset`.

use super::Outcome;

/// Lists, checks and derives label sets.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args) -> anyhow::Result<Outcome> {
    Ok(Outcome::Done)
}
