//! `gliznet stop`: asks the daemon to answer what is open, and end; by its process where no socket
//! leads to it.

use std::fmt::Display;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::Value;

use super::Outcome;
use crate::config::{Folders, is_running};
use crate::daemon::{DaemonError, Owner, Place, meet};

/// How long the daemon may take to answer what is open.
const PATIENCE: Duration = Duration::from_secs(15);

/// Ends the daemon; open questions are answered first.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> anyhow::Result<Outcome> {
    let place = Place::of_this_build()?;
    let data = Folders::of_this_user()?.data;
    let owner = Owner::of(&data);
    let mut out = std::io::stdout().lock();
    let (older, newer) = (place.older(), place.newer());
    let places = older.into_iter().chain([place]).chain(newer);
    let (mut stopped, mut faults) = (0, Vec::new());
    for place in places {
        match stop(&place, &data) {
            Ok(Some(process)) => {
                stopped += 1;
                writeln!(out, "stopped the daemon (process {process})")?;
            }
            Ok(None) => {}
            // The others are asked all the same.
            Err(error) => faults.push(error),
        }
    }
    if let Some(owner) = owner.filter(Owner::is_there)
        && (stopped == 0 || !faults.is_empty())
    {
        let process = owner.process.map_or("?".to_owned(), |pid| pid.to_string());
        if !owner.ask_to_end() {
            anyhow::bail!(
                "{}: a daemon (process {process}) works in this data folder and cannot be reached; end the process",
                data.display()
            );
        }
        wait_for(&process, || !owner.is_there())?;
        writeln!(out, "stopped the daemon (process {process})")?;
        return Ok(Outcome::Done);
    }
    match faults.into_iter().next() {
        Some(fault) => Err(fault),
        None => {
            if stopped == 0 {
                writeln!(out, "no daemon runs")?;
            }
            Ok(Outcome::Done)
        }
    }
}

/// Asks the daemon at a place to end, and waits until it has; gives its process, or none where
/// nobody answers.
fn stop(place: &Place, data: &Path) -> anyhow::Result<Option<Value>> {
    let asked = super::block_on(async {
        match meet(place).await {
            Some(mut control) => control.ask("gliznet/stop").await.map(Some),
            None => Ok(None),
        }
    });
    let answer = match asked {
        Ok(Some(mut answer)) => answer["pid"].take(),
        Ok(None) => return Ok(None),
        // It ended while it was asked.
        Err(DaemonError::Gone(_)) if !place.is_taken() => return Ok(None),
        Err(error) => {
            return Err(error).with_context(|| place.socket().display().to_string());
        }
    };
    let process = answer.as_u64().and_then(|pid| u32::try_from(pid).ok());
    // One outside of this container has a number that says nothing here.
    let process = process.filter(|process| is_running(*process));
    wait_for(&answer, || has_ended(place, data, process))?;
    Ok(Some(answer))
}

/// Whether the daemon of this process has ended. Its lock is the last thing that it lets go of,
/// unless an editor has another one take it at once.
fn has_ended(place: &Place, data: &Path, process: Option<u32>) -> bool {
    let Some(process) = process else {
        return !place.is_taken();
    };
    let of_other = |owner: Owner| owner.process.is_some_and(|owner| owner != process);
    !place.is_taken() || !is_running(process) || Owner::of(data).is_some_and(of_other)
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

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_has_ended_although_the_next_one_has_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place {
            folder: dir.path().to_path_buf(),
            build: "build".to_owned(),
        };
        let ended = |process| has_ended(&place, dir.path(), process);
        let mut gone = std::process::Command::new("true").spawn().unwrap();
        let here = std::process::id();
        assert!(ended(Some(here)) && ended(None), "nobody has the place");
        let taken = std::fs::File::create(place.lock()).unwrap();
        taken.try_lock().unwrap();
        assert!(!ended(Some(here)) && !ended(None));
        gone.wait().unwrap();
        assert!(ended(Some(gone.id())));
        // Another one has claimed the data folder, so this one has let it go.
        let mut claim = std::fs::File::create(dir.path().join("daemon.lock")).unwrap();
        writeln!(claim, "{}", gone.id()).unwrap();
        claim.try_lock().unwrap();
        assert!(ended(Some(here)));
    }
}
