//! The process that the daemon has learn: whether the encoder practises in, lines of JSON out.
//!
//! Invariant: it ends at once when its standard input does, so that it never outlives the daemon;
//! it lets every other process go first. Whatever it is doing then, nothing is half done.

use std::io::{Read as _, Write as _};
use std::ops::ControlFlow;

use super::job::{job, surroundings};
use crate::cli::Outcome;
use crate::config::{Settings, give_way, huge_pages, limit_threads};
use crate::learn::consolidate::learn;
use crate::learn::consolidate::report::Line;

/// The exit code of a process that was told to end.
const TOLD: i32 = 3;

pub(super) fn run(encoder: bool) -> anyhow::Result<Outcome> {
    give_way();
    huge_pages(true); // The daemon does without them; this one is gone in minutes.
    let (folders, settings) = surroundings()?;
    limit_threads(threads(&settings));
    std::thread::spawn(end_with_daemon);
    let learnt = learn(&job(&folders, &settings, encoder)?, &mut |stage| {
        say(&Line::from(stage))
    });
    let _ = say(&Line::of(&learnt)); // Where nobody listens, nobody needs it.
    Ok(match learnt {
        Ok(_) => Outcome::Done,
        Err(_) => Outcome::SomeFailed,
    })
}

/// Ends this process when the daemon closes its end of standard input, or has itself ended.
#[expect(
    clippy::disallowed_methods,
    reason = "the model's thread cannot be asked to return; an unfinished version is swept by the next job"
)]
fn end_with_daemon() {
    let mut byte = [0];
    // Nothing ever comes; what comes first is the end.
    while std::io::stdin().read(&mut byte).is_ok_and(|n| n > 0) {}
    std::process::exit(TOLD);
}

/// Half of the processors, so that the daemon has the other half; of two one.
fn threads(settings: &Settings) -> usize {
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    let most = settings.threads.map_or(all, usize::from);
    most.min(all / 2).max(1)
}

fn say(line: &Line) -> ControlFlow<()> {
    let mut out = std::io::stdout().lock();
    let said = out.write_all(&line.bytes()).and_then(|()| out.flush());
    match said {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    }
}
