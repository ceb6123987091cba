//! `gliznet eval`.

use super::Outcome;

/// Measures the model on labelled data.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args) -> anyhow::Result<Outcome> {
    Ok(Outcome::Done)
}
