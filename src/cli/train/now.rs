//! `gliznet train now`: learns from the corrections, in this process.

use std::io::Write;
use std::ops::ControlFlow;

use indicatif::{ProgressBar, ProgressStyle};

use super::job::{job, surroundings};
use crate::cli::{Outcome, complain};
use crate::learn::consolidate::{ConsolidateError, Stage, learn};
use crate::learn::versions::manifest::{Manifest, Outcome as Verdict};

/// Learns from your corrections now, and serves the result if it is good.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "What was learnt is a version: `gliznet model history` says what came of it, \
`gliznet model rollback` takes it back.

A daemon that runs serves the result after its next start.

Exit codes: 0 learnt, or nothing new to learn; 1 refused by the gate, or failed."
)]
pub(super) struct Args {}

pub(super) fn run(_args: &Args) -> anyhow::Result<Outcome> {
    let (folders, settings) = surroundings()?;
    let job = job(&folders, &settings)?;
    let bar = ProgressBar::new(100);
    let style = "{bar:24} {msg}";
    bar.set_style(
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let learnt = learn(&job, &mut |stage| {
        bar.set_message(said(stage));
        if let Stage::Practising { step, of } = stage {
            bar.set_length(of as u64);
            bar.set_position(step as u64);
        }
        ControlFlow::Continue(())
    });
    bar.finish_and_clear();
    told(learnt)
}

/// A stage in words.
fn said(stage: Stage) -> String {
    match stage {
        Stage::Preparing => "reading corrections".to_owned(),
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

fn tell(manifest: &Manifest) -> anyhow::Result<Outcome> {
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
        writeln!(out, "  {reason}")?;
    }
    let training = &manifest.training;
    writeln!(
        out,
        "  {} texts ({} new), {} steps, {:.0} s",
        training.examples, training.new, training.steps, training.seconds
    )?;
    Ok(outcome)
}
