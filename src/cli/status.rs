//! `gliznet status`: how the daemon is. Never starts one.

use std::io::Write;

use super::Outcome;
use super::columns::paragraph;
use crate::config::Folders;
use crate::daemon::{DaemonError, Owner, Place, find, meet};
use crate::desk::protocol::{LearningRecord, StatusResult};

/// Says whether the daemon runs and how it is; exit code 1 where none runs.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print an object instead of lines
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let place = Place::of_this_build()?;
    let status = ask(&place)?;
    let mut out = std::io::stdout().lock();
    match (&status, args.json) {
        (Some(status), true) => writeln!(out, "{}", serde_json::to_string_pretty(status)?)?,
        (None, true) => writeln!(out, "null")?,
        (Some(status), false) => write!(out, "{}", shown(status))?,
        (None, false) => match absent(&place) {
            Some(fault) => writeln!(out, "{fault}")?,
            None => writeln!(out, "no daemon runs; an editor or `gliznet lsp` starts one")?,
        },
    }
    Ok(if status.is_some() {
        Outcome::Done
    } else {
        Outcome::SomeFailed
    })
}

/// The status of the daemon at `place`; `None` where none runs.
pub(super) fn ask(place: &Place) -> Result<Option<StatusResult>, DaemonError> {
    let answer = super::block_on(async {
        let Some(mut control) = find(place).await else {
            return Ok(None);
        };
        match control.ask("gliznet/status").await {
            // It is being ended, and its socket still took the connection: what is there now?
            Err(DaemonError::Gone(_)) => match find(place).await {
                Some(mut next) => next.ask("gliznet/status").await.map(Some),
                None => Ok(None),
            },
            answer => answer.map(Some),
        }
    })?;
    let status = answer.map(serde_json::from_value).transpose();
    status.map_err(|error| DaemonError::Odd(error.to_string()))
}

/// Which daemon runs where none of this build does: an older one, or one that does not answer here.
pub(super) fn absent(place: &Place) -> Option<DaemonError> {
    if let Some(older) = place.older().into_iter().rev().find(answers) {
        return Some(DaemonError::Older { build: older.build });
    }
    let data = Folders::of_this_user().ok()?.data;
    Some(Owner::of(&data)?.unreachable())
}

fn answers(place: &Place) -> bool {
    let asked = super::block_on(async {
        match meet(place).await {
            Some(mut control) => control.ask("gliznet/status").await.map(|_| true),
            None => Ok(false),
        }
    });
    asked.unwrap_or(false)
}

fn shown(status: &StatusResult) -> String {
    let model = &status.model;
    let model = match (&model.name, &model.fault) {
        (Some(name), _) => format!("{name} on {}", model.device.as_deref().unwrap_or("?")),
        (None, Some(fault)) => format!("none: {fault}"),
        (None, None) => "loading".to_owned(),
    };
    let cache = match &status.cache {
        Some(cache) => format!(
            "{} answers, {}; {} hits, {} misses",
            cache.entries,
            megabytes(cache.bytes),
            cache.hits,
            cache.misses
        ),
        None => "off".to_owned(),
    };
    let journal = match &status.journal.fault {
        Some(fault) => format!("none: {fault}"),
        None => format!("{} corrections", status.journal.corrections),
    };
    let watch = status.watch.as_ref().map_or_else(String::new, |watch| {
        let doing = match (watch.searching, watch.waiting) {
            (true, _) => "searching".to_owned(),
            (false, 0) => "up to date".to_owned(),
            (false, waiting) => format!("{} of {} read", watch.done, watch.done + waiting),
        };
        let mut shown = format!(
            "watch    {}, {}, {doing}; index {}\n",
            counted(watch.folders, "folder"),
            counted(watch.notes, "note"),
            megabytes(watch.bytes)
        );
        for fault in &watch.faults {
            shown.push_str(&format!("         {}\n", paragraph(fault, 9)));
        }
        shown
    });
    let learning = status.learning.as_ref().map_or_else(String::new, learning);
    let memory = status.memory.map_or_else(|| "?".to_owned(), megabytes);
    format!(
        "daemon   {} (build {}), process {}\nuptime   {}\nmodel    {model}\nclients  {}\nqueue    {}, and {} in the background\ncache    {cache}\njournal  {journal}\n{learning}{watch}memory   {memory}\n",
        status.version,
        status.build,
        status.pid,
        duration(status.uptime),
        status.clients,
        status.queue,
        status.background,
    )
}

/// How the learning is: what is done, what happened last, what is wrong.
fn learning(learning: &LearningRecord) -> String {
    let serves = match learning.version {
        None => "no model".to_owned(),
        Some(0) => "the shipped model serves".to_owned(),
        Some(version) => format!("version {version} serves"),
    };
    let doing = match (&*learning.state, learning.step, learning.of, learning.share) {
        ("practising", Some(step), Some(of), _) => format!("practising, step {step} of {of}"),
        ("judging", _, _, Some(share)) => {
            format!("judging {} % of what was learnt", 100.0 * share)
        }
        ("idle", ..) if learning.automatic => "idle".to_owned(),
        ("idle", ..) => "idle, not by itself".to_owned(),
        (doing, ..) => doing.to_owned(),
    };
    let mut shown = format!(
        "learning {doing}; {} new corrections; {serves}\n",
        learning.new
    );
    if let Some(last) = &learning.last {
        // The gate's figures fill a page.
        let last = match last.version {
            Some(version) => format!(
                "{} version {version}; `gliznet model history` has the reasons",
                last.outcome
            ),
            None => format!("{}: {}", last.outcome, last.reason),
        };
        shown.push_str(&format!("         last: {}\n", paragraph(&last, 9)));
    }
    if let Some(fault) = &learning.fault {
        shown.push_str(&format!("         {}\n", paragraph(fault, 9)));
    }
    shown
}

fn counted(n: usize, what: &str) -> String {
    match n {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

fn duration(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_read_at_a_glance() {
        let shown: Vec<_> = [5, 65, 3_700].map(duration).to_vec();
        assert_eq!(shown, ["5 s", "1 min 5 s", "1 h 1 min"]);
    }
}
