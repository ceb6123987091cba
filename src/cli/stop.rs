//! `gliznet stop`: asks the daemon to answer what is open, and end; by its process where no socket
//! leads to it.

use std::fmt::Display;
use std::io::Write;
use std::time::{Duration, Instant};

use super::Outcome;
use crate::config::Folders;
use crate::daemon::{Owner, Place, meet};

/// How long the daemon may take to answer what is open.
const PATIENCE: Duration = Duration::from_secs(15);

/// Ends the daemon; open questions are answered first.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> anyhow::Result<Outcome> {
    let place = Place::of_this_build()?;
    let mut out = std::io::stdout().lock();
    let (older, newer) = (place.older(), place.newer());
    let places = older.into_iter().chain([place]).chain(newer);
    let mut stopped = 0;
    for place in places {
        let asked = super::block_on(async {
            match meet(&place).await {
                Some(mut control) => control.ask("gliznet/stop").await.map(Some),
                None => Ok(None),
            }
        })?;
        let Some(answer) = asked else { continue };
        // The lock is the last thing that it lets go of.
        wait_for(&answer["pid"], || !place.is_taken())?;
        stopped += 1;
        writeln!(out, "stopped the daemon (process {})", answer["pid"])?;
    }
    if stopped > 0 {
        return Ok(Outcome::Done);
    }
    let data = Folders::of_this_user()?.data;
    let Some(owner) = Owner::of(&data) else {
        writeln!(out, "no daemon runs")?;
        return Ok(Outcome::Done);
    };
    let process = owner.process.map_or("?".to_owned(), |pid| pid.to_string());
    if !owner.ask_to_end() {
        anyhow::bail!(
            "{}: a daemon (process {process}) works in this data folder and cannot be reached; end the process",
            data.display()
        );
    }
    wait_for(&process, || !owner.is_there())?;
    writeln!(out, "stopped the daemon (process {process})")?;
    Ok(Outcome::Done)
}

/// Waits until the daemon has ended.
fn wait_for(process: &impl Display, has_ended: impl Fn() -> bool) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !has_ended() {
        anyhow::ensure!(
            Instant::now() < deadline,
            "the daemon (process {process}) did not end in {} seconds; end the process",
            PATIENCE.as_secs()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
