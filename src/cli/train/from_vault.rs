//! `gliznet train from-vault`: a folder of tagged notes in, a version of the model that tags like
//! them out.
//!
//! Invariant: no note is changed; what serves changes only if the gate lets it.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::job::{job, surroundings};
use super::now::{bar, show, tell};
use crate::cli::labelset::tags::{Notes, uncounted};
use crate::cli::setup::{LabelArgs, Surroundings, shown};
use crate::cli::whose::{Whose, tell_uncounted};
use crate::cli::{Outcome, complain, remark};
use crate::config::Settings;
use crate::learn::consolidate::learn_and_validate;
use crate::learn::consolidate::vault::{LEAST, Vault, VaultNote};
use crate::learn::versions::manifest::Outcome as Verdict;

/// Tags that are no label of the set are named up to so many.
const NAMED: usize = 8;

/// Learns from notes that are tagged already, and serves the result if it is good.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The labels are those of --labelset, else of the settings that hold in the folder; \
`gliznet labelset from-vault DIR --out mine.toml` makes a set of the tags that are there.
A label that a tagged note lacks is taken not to fit it. Tags that GliZNet wrote, and that nobody \
has said to fit, count neither way. Notes without any of the labels are left out.

What was learnt is a version: `gliznet model history` says what came of it, \
`gliznet model rollback` takes it back, and corrections are learnt on top of it.
Beside the version lies a report of how well each note is tagged by what the others teach.

Exit codes: 0 learnt; 1 refused by the gate, or some notes could not be read.

Examples:
  gliznet labelset from-vault notes/ --out mine.toml
  gliznet train from-vault notes/ --labelset mine.toml"
)]
pub(super) struct Args {
    /// The folder; hidden files and what `.gliznetignore`, `.ignore` and `.gitignore` name are left out
    #[arg(value_name = "DIR")]
    dir: PathBuf,

    /// Learn from no more notes than this; chance says which
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(LEAST as i64..=100_000))]
    limit: u32,

    #[command(flatten)]
    labels: LabelArgs,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let dir = std::path::absolute(&args.dir).with_context(|| shown(&args.dir))?;
    let mut notes = Notes::new(&args.dir)?.peekable();
    let (folders, settings) = surroundings()?;
    let here = Surroundings {
        settings: Settings::load(&folders, &dir)?,
        folders: folders.clone(),
    };
    let set = args.labels.require(&here)?;
    let mut job = job(&folders, &settings, false)?;
    let whose = Whose::of(&folders.data)?;
    let (mut n_failed, mut n_uncounted) = (0, 0);
    let read = std::iter::from_fn(|| notes.next()).filter_map(|note| {
        let note = note.map_err(|error| {
            n_failed += 1;
            complain(format_args!("{error:#}"));
        });
        let (path, document) = note.ok()?;
        let uncounted = uncounted(&whose, &path, &document, Some(&set));
        n_uncounted += uncounted.len();
        Some(VaultNote {
            document,
            uncounted,
        })
    });
    let name = dir.display().to_string();
    let vault = Vault::of(name, read, &set, args.limit as usize, job.seed);
    tell_uncounted(n_uncounted);
    said(&vault);
    if vault.lessons.len() < LEAST {
        anyhow::bail!(
            "{}: {} notes have tags of the label set, and {LEAST} are needed; \
             `gliznet labelset from-vault` makes a set of the tags that are there",
            shown(Path::new(&vault.name)),
            vault.lessons.len()
        );
    }
    let title = args.dir.display().to_string();
    job.vault = Some(vault);
    let bar = bar();
    let learnt = learn_and_validate(&job, &mut |stage| show(stage, &bar));
    bar.finish_and_clear();
    let (manifest, cross) = learnt?;
    let outcome = tell(&manifest)?;
    if let Some(cross) = cross {
        let html = cross.html(&title).map_err(anyhow::Error::msg)?;
        let path = job.versions.keep_report(manifest.number, &html)?;
        writeln!(anstream::stdout().lock(), "  {}", shown(&path))?;
    }
    let served = match manifest.outcome {
        Verdict::Accepted => super::reload(),
        Verdict::Refused => Outcome::Done,
    };
    Ok(match (outcome, served, n_failed) {
        (Outcome::Done, Outcome::Done, 0) => Outcome::Done,
        _ => Outcome::SomeFailed,
    })
}

/// Says what of the notes is not learnt from.
fn said(vault: &Vault) {
    let left = [
        (vault.untagged, "without a tag of the label set"),
        (
            vault.repeated,
            "that read as another one does, or hold nothing",
        ),
        (vault.left, "beyond --limit"),
    ];
    for (count, which) in left.into_iter().filter(|(count, _)| *count > 0) {
        remark(format!("left out: {count} notes {which}"));
    }
    if vault.unknown.is_empty() {
        return;
    }
    let mut unknown: Vec<(&String, &usize)> = vault.unknown.iter().collect();
    unknown.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let shown = unknown.iter().take(NAMED).map(|(tag, count)| {
        let tag: String = tag.chars().filter(|c| !c.is_control()).take(40).collect();
        format!("{tag} ({count})")
    });
    let shown: Vec<String> = shown.collect();
    let more = match unknown.len().saturating_sub(NAMED) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    remark(format!(
        "tags that are no label of the set: {}{more}",
        shown.join(", ")
    ));
}
