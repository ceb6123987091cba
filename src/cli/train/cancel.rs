//! `gliznet train cancel`: ends what the daemon is learning.

use std::io::Write;

use super::daemon::ask;
use crate::cli::Outcome;
use crate::desk::protocol::{TrainAction, TrainParams};

/// Drops what the daemon is learning; what serves stays.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_args: &Args) -> anyhow::Result<Outcome> {
    let before = ask(&TrainParams::default())?;
    let was_running = before.is_some_and(|record| record.state != "idle");
    let params = TrainParams {
        action: TrainAction::Cancel,
        wait: true,
        ..TrainParams::default()
    };
    let record = if was_running { ask(&params)? } else { None };
    let mut out = anstream::stdout().lock();
    match record.and_then(|record| record.last) {
        Some(last) => writeln!(out, "{}: {}", last.outcome, last.reason)?,
        None => writeln!(out, "nothing is being learnt in the background")?,
    }
    Ok(Outcome::Done)
}
