//! `gliznet train now`: learns from the corrections, in the daemon where one runs, else in this
//! process.

use std::io::Write;
use std::ops::ControlFlow;

use indicatif::{ProgressBar, ProgressStyle};

use super::daemon::follow;
use super::job::{job, surroundings};
use crate::cli::columns::paragraph;
use crate::cli::{Outcome, complain};
use crate::config::Folders;
use crate::desk::protocol::{LearningRecord, TrainAction, TrainParams};
use crate::learn::consolidate::{ConsolidateError, NO_CORRECTIONS, Stage, learn};
use crate::learn::journal;
use crate::learn::versions::Versions;
use crate::learn::versions::manifest::{Manifest, Outcome as Verdict};

/// Learns from your corrections now, and serves the result if it is good.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "What was learnt is a version: `gliznet model history` says what came of it, \
`gliznet model rollback` takes it back.

A daemon that runs learns in the background, beside its other work, and serves the result at once; \
`gliznet status` says how far it is, and `gliznet train cancel` ends it.
Where none runs, this command learns itself.

Exit codes: 0 learnt, begun, or nothing new to learn; 1 refused by the gate, or failed."
)]
pub(super) struct Args {
    /// Wait for the daemon, and say what came of it
    #[arg(long)]
    wait: bool,

    /// Let the encoder practise too: it takes a minute longer, and may well be refused
    #[arg(long)]
    encoder: bool,

    /// It was started by the daemon: say how far it is in lines of JSON
    #[arg(long, hide = true)]
    child: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Outcome> {
    if args.child {
        return super::child::run(args.encoder);
    }
    if !args.wait && has_no_corrections()? {
        // The daemon would find out in the background, and tell nobody.
        let fact = NO_CORRECTIONS.to_owned();
        return told(Err(ConsolidateError::Nothing { fact }));
    }
    let bar = bar();
    let params = TrainParams {
        action: TrainAction::Start,
        encoder: args.encoder,
        ..TrainParams::default()
    };
    let followed = follow(&params, args.wait, &mut |record| {
        bar.set_message(match &*record.state {
            "practising" => "practising",
            "judging" => "judging what was learnt",
            "loading" => "loading the new version",
            _ => "reading corrections",
        });
        if let (Some(step), Some(of)) = (record.step, record.of) {
            bar.set_length(of as u64);
            bar.set_position(step as u64);
        }
    });
    let Some(record) = followed? else {
        return here(&bar, args.encoder);
    };
    bar.finish_and_clear();
    if !args.wait {
        let mut out = anstream::stdout().lock();
        writeln!(
            out,
            "the daemon learns in the background; `gliznet status` says how far it is"
        )?;
        return Ok(Outcome::Done);
    }
    told_by_daemon(&record)
}

/// Whether nothing was ever corrected. What cannot be read may hold something.
fn has_no_corrections() -> anyhow::Result<bool> {
    let replay = journal::read(&Folders::of_this_user()?.data);
    Ok(replay.is_ok_and(|replay| replay.entries.is_empty() && replay.faults.is_empty()))
}

/// Learns in this process.
fn here(bar: &ProgressBar, encoder: bool) -> anyhow::Result<Outcome> {
    let (folders, settings) = surroundings()?;
    let job = job(&folders, &settings, encoder)?;
    let learnt = learn(&job, &mut |stage| show(stage, bar));
    bar.finish_and_clear();
    told(learnt)
}

/// A bar that nothing is on yet.
pub(super) fn bar() -> ProgressBar {
    let bar = ProgressBar::new(100);
    let style = "{bar:24} {msg}";
    bar.set_style(
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    bar
}

/// Shows how far learning is.
pub(super) fn show(stage: Stage, bar: &ProgressBar) -> ControlFlow<()> {
    bar.set_message(said(stage));
    let place = match stage {
        Stage::Reading { done, of } => Some((done, of)),
        Stage::Practising { step, of } => Some((step, of)),
        Stage::Preparing | Stage::Judging { .. } => None,
    };
    if let Some((done, of)) = place {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    }
    ControlFlow::Continue(())
}

/// A stage in words.
fn said(stage: Stage) -> String {
    match stage {
        Stage::Preparing => "reading corrections".to_owned(),
        Stage::Reading { .. } => "reading texts".to_owned(),
        Stage::Practising { step, of } => format!("practising, step {step} of {of}"),
        Stage::Judging { share } => format!("judging {} % of what was learnt", 100.0 * share),
    }
}

/// Says what came of learning.
fn told(learnt: Result<Manifest, ConsolidateError>) -> anyhow::Result<Outcome> {
    match learnt {
        Ok(manifest) => tell(&manifest),
        Err(error @ ConsolidateError::Nothing { .. }) => {
            complain(error);
            Ok(Outcome::Done)
        }
        Err(error) => Err(error.into()),
    }
}

/// Says what came of learning in the daemon.
fn told_by_daemon(record: &LearningRecord) -> anyhow::Result<Outcome> {
    let Some(last) = &record.last else {
        anyhow::bail!("the daemon does not say what came of it; look at `gliznet model history`");
    };
    match (&*last.outcome, last.version) {
        ("accepted" | "refused", Some(number)) => {
            let folders = Folders::of_this_user()?;
            let manifest = Versions::new(&folders).manifest(number);
            tell(&manifest.map_err(anyhow::Error::msg)?)
        }
        ("nothing", _) => {
            complain(&last.reason);
            Ok(Outcome::Done)
        }
        _ => anyhow::bail!("{}", last.reason),
    }
}

pub(super) fn tell(manifest: &Manifest) -> anyhow::Result<Outcome> {
    let mut out = anstream::stdout().lock();
    let number = manifest.number;
    let outcome = match manifest.outcome {
        Verdict::Accepted => {
            writeln!(out, "version {number} serves")?;
            Outcome::Done
        }
        Verdict::Refused => {
            writeln!(out, "version {number} was refused; nothing has changed")?;
            Outcome::SomeFailed
        }
    };
    for reason in &manifest.reasons {
        writeln!(out, "  {}", paragraph(reason, 2))?;
    }
    let training = &manifest.training;
    writeln!(
        out,
        "  {} texts ({} new), {} steps, {:.0} s",
        training.examples, training.new, training.steps, training.seconds
    )?;
    Ok(outcome)
}
