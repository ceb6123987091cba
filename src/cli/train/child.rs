//! The process that the daemon has learn: whether the encoder practises in, lines of JSON out.
//!
//! Invariant: it ends at once when its standard input does, so that it never outlives the daemon;
//! it lets every other process go first, and rests where one has kept it waiting. Whatever it is
//! doing then, nothing is half done.

use std::io::{Read as _, Write as _};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::job::{job, surroundings};
use crate::cli::Outcome;
use crate::config::{Settings, give_way, huge_pages, keep_memory, limit_threads, processor_time};
use crate::learn::consolidate::learn;
use crate::learn::consolidate::report::Line;

/// This share of one processor means that nobody else wanted it.
const UNDISTURBED: f64 = 0.9;
/// Whatever else goes on, learning goes on after this.
const LONGEST_REST: Duration = Duration::from_secs(5);

/// The exit code of a process that was told to end.
const TOLD: i32 = 3;

pub(super) fn run(encoder: bool) -> anyhow::Result<Outcome> {
    give_way();
    huge_pages(true); // The daemon does without them; this one is gone in minutes.
    keep_memory();
    let (folders, settings) = surroundings()?;
    limit_threads(threads(&settings));
    std::thread::spawn(end_with_daemon);
    let mut piece = Piece::begin();
    let learnt = learn(&job(&folders, &settings, encoder)?, &mut |stage| {
        std::thread::sleep(piece.rest());
        piece = Piece::begin();
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

/// A piece of work, from one word to the next.
struct Piece {
    began: Instant,
    /// What the process had had of the processors by then.
    had: Option<Duration>,
}

impl Piece {
    fn begin() -> Piece {
        Piece {
            began: Instant::now(),
            had: processor_time(),
        }
    }

    /// How long to rest after it.
    fn rest(&self) -> Duration {
        let (Some(before), Some(now)) = (self.had, processor_time()) else {
            return Duration::ZERO;
        };
        rest(self.began.elapsed(), now.saturating_sub(before))
    }
}

/// The rest after a piece of work that took `took`, of which the process was given `had`. A process
/// of the last rank that does not get a whole processor is in somebody's way, if only in the caches:
/// whoever types should have two thirds of the time for themselves.
fn rest(took: Duration, had: Duration) -> Duration {
    match had >= took.mul_f64(UNDISTURBED) {
        true => Duration::ZERO,
        false => (2 * took).min(LONGEST_REST),
    }
}

fn say(line: &Line) -> ControlFlow<()> {
    let mut out = std::io::stdout().lock();
    let said = out.write_all(&line.bytes()).and_then(|()| out.flush());
    match said {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_kept_waiting_rests_and_who_was_not_goes_on() {
        let seconds = Duration::from_secs_f64;
        assert_eq!(rest(seconds(1.0), seconds(0.95)), Duration::ZERO);
        assert_eq!(
            rest(seconds(1.0), seconds(1.8)),
            Duration::ZERO,
            "two threads"
        );
        assert_eq!(rest(seconds(1.0), seconds(0.5)), seconds(2.0));
        assert_eq!(rest(seconds(60.0), seconds(1.0)), LONGEST_REST);
        assert_eq!(rest(Duration::ZERO, Duration::ZERO), Duration::ZERO);
    }

    // Other tests of this process may be at work: what they are given counts too, so nothing here
    // is a matter of milliseconds.
    #[cfg(unix)]
    #[test]
    fn a_process_that_was_given_next_to_nothing_rests() {
        let piece = Piece {
            began: Instant::now() - Duration::from_secs(60),
            had: processor_time(),
        };
        assert_eq!(piece.rest(), LONGEST_REST);
    }
}
