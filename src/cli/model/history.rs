//! `gliznet model history`: what was learnt on top of the model, what came of it, and why.

use std::io::Write as _;

use serde::Serialize;

use super::Here;
use crate::cli::Outcome;
use crate::cli::columns::paragraph;
use crate::learn::versions::manifest::Lessons;
use crate::learn::versions::{By, Found, Manifest, Move, Versions};
use crate::model::Model;

/// Shows each version of the model with the gate's reasons; `*` marks the one that serves.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print an array of manifests instead of lines
    #[arg(long)]
    json: bool,
}

/// A version for other programs. Fields are only ever added.
#[derive(Serialize)]
struct VersionJson {
    number: u32,
    serves: bool,
    has_weights: bool,
    manifest: Option<Manifest>,
    fault: Option<String>,
    /// When somebody, or the alarm, went from it to another.
    left: Vec<Move>,
}

pub(super) fn run(args: &Args, here: &Here) -> anyhow::Result<Outcome> {
    let base = Model::fingerprint_of(&here.store.current(&here.settings()?)?.source)?;
    let versions = Versions::new(&here.folders);
    let current = versions.current(&base);
    // What was learnt on top of another model is not this one's history.
    let mut all = versions.list();
    all.retain(|found| found.manifest.as_ref().map_or(true, |m| m.base == base));
    let moves = versions.moves(&base);
    let left = |number| moves.iter().filter(move |made| made.from == number);
    let mut out = anstream::stdout().lock();
    if args.json {
        let all = all.into_iter().map(|found| VersionJson {
            number: found.number,
            serves: found.number == current,
            has_weights: found.has_weights,
            fault: found.manifest.as_ref().err().cloned(),
            manifest: found.manifest.ok(),
            left: left(found.number).cloned().collect(),
        });
        let all: Vec<VersionJson> = all.collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&all)?)?;
        return Ok(Outcome::Done);
    }
    let mark = |number| if number == current { '*' } else { ' ' };
    writeln!(out, "{} 0  the shipped model", mark(0))?;
    for found in &all {
        let headline = headline(found);
        writeln!(out, "{} {}", mark(found.number), paragraph(&headline, 7))?;
        for reason in found.manifest.iter().flat_map(|m| &m.reasons) {
            writeln!(out, "       {}", paragraph(reason, 7))?;
        }
        for made in left(found.number) {
            let to = match made.to {
                0 => "the shipped model".to_owned(),
                to => format!("version {to}"),
            };
            let why = match made.by {
                By::Alarm => format!("by itself: {}", made.reason),
                By::Person => format!("by hand, to {to}"),
            };
            let left = format!("left{}  {why}", moment(made.time));
            writeln!(out, "       {}", paragraph(&left, 7))?;
        }
    }
    if current > 0 && all.iter().all(|found| found.number != current) {
        writeln!(out, "* {current}  is gone; the one before it serves")?;
    }
    Ok(Outcome::Done)
}

fn headline(found: &Found) -> String {
    let number = found.number;
    let manifest = match &found.manifest {
        Ok(manifest) => manifest,
        Err(fault) => return format!("{number}  cannot be read: {fault}"),
    };
    let share = manifest
        .alpha
        .map_or_else(String::new, |alpha| format!(", {} % taken", 100.0 * alpha));
    let kept = match (manifest.alpha, found.has_weights) {
        (Some(_), false) => ", weights not kept",
        _ => "",
    };
    let when = moment(manifest.time);
    let training = &manifest.training;
    let outcome = match manifest.alpha {
        Some(_) => "accepted",
        None => "refused",
    };
    let from = match manifest.lessons {
        Lessons::Vault => ", with tagged notes",
        Lessons::Corrections => "",
    };
    format!(
        "{number}  {outcome}{share}{kept}{when}  after {}, {} new of {} texts{from}, {:.0} s",
        manifest.parent, training.new, training.examples, training.seconds
    )
}

/// A moment after two spaces; nothing where it is none.
fn moment(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).ok();
    let time = seconds.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    time.map_or_else(String::new, |time| format!("  {time}"))
}
