//! `gliznet stop`: asks the daemon to answer what is open, and end.

use std::io::Write;
use std::time::{Duration, Instant};

use super::Outcome;
use crate::daemon::{Place, find};

/// How long the daemon may take to answer what is open.
const PATIENCE: Duration = Duration::from_secs(15);

/// Ends the daemon; open questions are answered first.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> anyhow::Result<Outcome> {
    let place = Place::of_this_build()?;
    let mut out = std::io::stdout().lock();
    let places = place.older().into_iter().chain([place]);
    let mut stopped = 0;
    for place in places {
        let asked = super::block_on(async {
            match find(&place).await {
                Some(mut control) => control.ask("gliznet/stop").await.map(Some),
                None => Ok(None),
            }
        })?;
        let Some(answer) = asked else { continue };
        if !has_ended(&place) {
            anyhow::bail!(
                "the daemon (process {}) did not end in {} seconds; end the process",
                answer["pid"],
                PATIENCE.as_secs()
            );
        }
        stopped += 1;
        writeln!(out, "stopped the daemon (process {})", answer["pid"])?;
    }
    if stopped == 0 {
        writeln!(out, "no daemon runs")?;
    }
    Ok(Outcome::Done)
}

/// Waits until the daemon has let go of its lock, the last thing it does.
fn has_ended(place: &Place) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if !place.is_taken() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}
