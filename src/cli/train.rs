//! `gliznet train`: a recipe into a checkpoint, with progress on standard error; below it, what
//! learns from corrections.

mod cancel;
mod child;
mod daemon;
mod ending;
mod from_vault;
mod job;
mod now;

pub(super) use daemon::reload;
pub(super) use job::now;

use ending::Ending;

use std::io::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Subcommand;
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

use super::setup::DeviceArg;
use super::{Outcome, UsageError, complain, remark};
use crate::config::keep_memory;
use crate::learn::train::recipe::Recipe;
use crate::learn::train::{Event, Faults, StepRecord, TrainOptions, Trained, train};
use crate::model::device::choose;

/// Trains a model on labelled texts as a recipe says, or on your own corrections.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "train/recipes/README.md lists every key of a recipe.

Examples:
  gliznet train --recipe train/recipes/sample.toml --out runs/first
  gliznet train --recipe train/recipes/sample.toml --out runs/first --resume
  gliznet train now --wait
  gliznet train from-vault notes/ --labelset mine.toml"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,

    /// The recipe, a TOML file
    #[arg(long, value_name = "FILE", required = true)]
    recipe: Option<PathBuf>,

    /// The folder for checkpoints, metrics, report and the result
    #[arg(long, value_name = "DIR", required = true)]
    out: Option<PathBuf>,

    /// The checkpoint to start from; the recipe's `init` if not given
    #[arg(long, value_name = "CHECKPOINT")]
    init: Option<PathBuf>,

    /// Go on with the training in DIR that was cut off
    #[arg(long)]
    resume: bool,

    /// Where to compute
    #[arg(long, value_name = "DEVICE")]
    device: Option<DeviceArg>,

    /// Write what each pass reads, for another trainer; a file that holds something else is not replaced
    #[arg(long, value_name = "FILE")]
    write_batches: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Now(now::Args),
    FromVault(from_vault::Args),
    Cancel(cancel::Args),
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    match &args.command {
        Some(Command::Now(args)) => return now::run(args),
        Some(Command::FromVault(args)) => return from_vault::run(args),
        Some(Command::Cancel(args)) => return cancel::run(args),
        None => {}
    }
    let (Some(recipe), Some(out)) = (&args.recipe, &args.out) else {
        let message = "give --recipe FILE and --out DIR, or run `gliznet train now`";
        return Err(UsageError(message.to_owned()).into());
    };
    keep_memory();
    let (mut recipe, recipe_text) = Recipe::read(recipe)?;
    if let Some(init) = &args.init {
        recipe.init = Some(init.clone());
    }
    let choice = args
        .device
        .map_or(crate::config::Device::Auto, DeviceArg::choice);
    let device = choose(choice).map_err(|error| UsageError(error.to_string()))?;
    let bar = ProgressBar::new(recipe.schedule.steps as u64);
    let style = "{bar:24} {pos}/{len} {msg} {eta} left";
    bar.set_style(
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let options = TrainOptions {
        recipe,
        recipe_text,
        out: out.clone(),
        resume: args.resume,
        device: device.device,
        write_batches: args.write_batches.clone(),
    };
    let mut said = Said::new(args.resume, bar.is_hidden());
    let asking = bar.clone();
    let ending = Ending::heard(move || {
        asking.suspend(|| {
            remark("it ends after this step, with a checkpoint; once more ends it now")
        });
    });
    let trained = train(&options, &mut |event| {
        said.event(&event, &bar);
        match ending.is_asked() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    bar.finish_and_clear();
    let trained = trained?;
    tell_end(&trained, &options.recipe);
    if trained.model.is_none() {
        return Ok(Outcome::SomeFailed);
    }
    if let Some(model) = trained.model {
        let mut out = anstream::stdout().lock();
        writeln!(out, "{}", model.display())?;
    }
    Ok(if said.faults > 0 {
        Outcome::SomeFailed
    } else {
        Outcome::Done
    })
}

/// Says which step the result is of, where it is not the last one, and why there are no more.
fn tell_end(trained: &Trained, recipe: &Recipe) {
    let (steps, of_step) = (trained.steps, trained.of_step);
    let all = recipe.schedule.steps;
    if trained.model.is_none() {
        complain(format_args!(
            "ended after step {steps} of {all}, as you asked; the same command with --resume goes on"
        ));
    } else if steps < all {
        let patience = recipe.evaluation.patience;
        remark(format_args!(
            "ended after step {steps} of {all}: none of the last {patience} evaluations was better; the result is that of step {of_step}"
        ));
    } else if of_step < steps {
        remark(format_args!(
            "the result is that of step {of_step}, the best that was measured"
        ));
    }
}

/// How often a line tells how far it is, where no terminal shows a bar.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// What was said so far.
struct Said {
    faults: usize,
    /// Examples per second, of late.
    pace: f64,
    /// Whether there should be something to go on with.
    resumes: bool,
    /// Where no bar is shown.
    lines: Option<Lines>,
}

/// What tells how far it is where no terminal shows a bar.
#[derive(Default)]
struct Lines {
    /// When the first step here was done, and which it was.
    first: Option<(Instant, usize)>,
    /// When a line was said last.
    said: Option<Instant>,
}

impl Lines {
    /// Says it, now and then.
    fn tell(&mut self, step: &StepRecord, of: usize, pace: f64) {
        let (now, at) = (Instant::now(), step.step);
        let (began, first) = *self.first.get_or_insert((now, at));
        let is_early = |said: Instant| now.duration_since(said) < LINE_EVERY;
        if self.said.is_some_and(is_early) && at != of {
            return;
        }
        self.said = Some(now);
        let message = message(step, pace);
        let left = match (at - first) as u32 {
            0 => String::new(),
            done => {
                let each = now.duration_since(began) / done;
                format!(
                    ", {} left",
                    HumanDuration(each * of.saturating_sub(at) as u32)
                )
            }
        };
        remark(format_args!("step {at}/{of}: {message}{left}"));
    }
}

impl Said {
    fn new(resumes: bool, is_hidden: bool) -> Said {
        Said {
            faults: 0,
            pace: 0.0,
            resumes,
            lines: is_hidden.then(Lines::default),
        }
    }

    fn event(&mut self, event: &Event, bar: &ProgressBar) {
        match event {
            Event::Started {
                rows,
                held_out,
                faults,
                trained,
                done,
            } => {
                self.faults = faults.count;
                tell_faults(faults);
                if self.resumes && *done == 0 {
                    remark("nothing to go on with is there: the training begins at its first step");
                }
                tracing::info!(rows, held_out, trained, done, "training");
                bar.set_position(*done as u64);
                bar.reset_eta();
                bar.enable_steady_tick(Duration::from_secs(1));
            }
            Event::Step(step) => {
                let pace = step.rows as f64 / step.seconds.max(1e-9);
                self.pace = if self.pace == 0.0 {
                    pace
                } else {
                    0.95 * self.pace + 0.05 * pace
                };
                bar.set_position(step.step as u64);
                bar.set_message(message(step, self.pace));
                if let Some(lines) = &mut self.lines {
                    lines.tell(step, bar.length().unwrap_or(0) as usize, self.pace);
                }
            }
            Event::Measured {
                step,
                value,
                is_best,
            } => {
                let best = if *is_best { ", the best so far" } else { "" };
                bar.suspend(|| remark(format_args!("step {step}: measured {value:.4}{best}")));
            }
            Event::Saved { .. } => {}
        }
    }
}

fn message(step: &StepRecord, pace: f64) -> String {
    let mut message = format!(
        "loss {:.3} (supcon {:.3}, bce {:.3}, repulsion {:.3}",
        step.loss, step.supcon, step.bce, step.repulsion
    );
    for (name, value) in [
        ("embedding", step.embedding),
        ("label embedding", step.label_embedding),
    ] {
        if value != 0.0 {
            message += &format!(", {name} {value:.3}");
        }
    }
    message + &format!(") {pace:.1} examples/s")
}

fn tell_faults(faults: &Faults) {
    for fault in &faults.named {
        complain(fault);
    }
    if faults.count > 0 {
        complain(format_args!("{} faulty rows are left out", faults.count));
    }
}
