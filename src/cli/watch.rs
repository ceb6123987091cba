//! `gliznet watch`: which folders are watched, told to the daemon.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::columns::paragraph;
use super::typed::{count, unit_interval};
use super::{Outcome, UsageError, labelset, remark};
use crate::config::Folders;
use crate::daemon::{Control, DaemonError, Place, find_or_start};
use crate::desk::protocol::{FolderRecord, WatchAction, WatchParams, WatchResult};
use crate::desk::watching::{OPENING, STARTING};
use crate::sink::Sink;
use crate::telemetry::harmless;
use crate::watch::QuietHours;

/// How often the daemon is asked how far it is.
const LOOK: Duration = Duration::from_millis(300);

/// Tags the notes of folders as they are written or arrive.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  gliznet watch add ~/notes --labelset personal-notes
  gliznet watch add ~/notes --sink frontmatter --quiet-hours 22:00-07:00
  gliznet watch list

Without --sink nothing is written: `gliznet find` and editors know what fits.
Whatever is written can be taken back with `gliznet undo`.
Leave files out with .gliznetignore, .ignore or .gitignore.")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Add(Add),
    /// Watch a folder no more; its notes stay as they are
    Remove {
        /// The folder
        #[arg(value_name = "PATH")]
        path: PathBuf,
    },
    /// Show the watched folders, and what stands in their way
    List {
        /// Print an object instead of lines
        #[arg(long)]
        json: bool,
    },
    /// Let a folder rest, or all of them
    Pause {
        /// The folder; all where it is not given
        #[arg(value_name = "PATH")]
        path: Option<PathBuf>,
    },
    /// Go on with a folder, or with all of them
    Resume {
        /// The folder; all where it is not given
        #[arg(value_name = "PATH")]
        path: Option<PathBuf>,
    },
    /// Bring a folder up to date now, or all of them, even where they rest; and wait for it
    RunOnce {
        /// The folder; all where it is not given
        #[arg(value_name = "PATH")]
        path: Option<PathBuf>,
    },
}

/// Watch a folder from now on; or set anew what holds for it
#[derive(Debug, clap::Args)]
struct Add {
    /// The folder
    #[arg(value_name = "PATH")]
    path: PathBuf,

    /// The label set where no gliznet.toml in or above a note's folder names one
    #[arg(long, value_name = "NAME|FILE")]
    labelset: Option<String>,

    /// The lowest score, from 0 to 1, that makes a label a tag
    #[arg(long, value_name = "SCORE", value_parser = unit_interval, allow_negative_numbers = true)]
    threshold: Option<f32>,

    /// Where tags are put: suggest (nowhere), frontmatter, xattr or sidecar
    #[arg(long, value_name = "SINK")]
    sink: Option<Sink>,

    /// Which files are notes; all kinds that are known where it is not given
    #[arg(long, value_name = "md,org", value_delimiter = ',')]
    extensions: Vec<String>,

    /// When nothing is tagged
    #[arg(long, value_name = "22:00-07:00")]
    quiet_hours: Option<QuietHours>,

    /// How many notes are worked at at once
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    concurrency: Option<usize>,

    /// How many seconds a note must be quiet before it is read; 2 where it is not given
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    settle: Option<f32>,

    /// Look for changes every few seconds, where the system does not tell of them
    #[arg(long)]
    poll: bool,

    /// All of a home folder or a disk is meant
    #[arg(long)]
    yes: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let at = |action: WatchAction, path: Option<&PathBuf>| -> anyhow::Result<WatchParams> {
        Ok(WatchParams {
            action,
            path: path.map(|path| absolute(path)).transpose()?,
            ..WatchParams::default()
        })
    };
    let params = match &args.command {
        Command::Add(add) => add.params()?,
        Command::Remove { path } => at(WatchAction::Remove, Some(path))?,
        Command::List { .. } => at(WatchAction::List, None)?,
        Command::Pause { path } => at(WatchAction::Pause, path.as_ref())?,
        Command::Resume { path } => at(WatchAction::Resume, path.as_ref())?,
        Command::RunOnce { path } => at(WatchAction::RunOnce, path.as_ref())?,
    };
    let before: Option<WatchResult> = match &args.command {
        // Why it cannot be asked is said next.
        Command::Add(_) => asked("gliznet/watch", &WatchParams::default()).ok(),
        _ => None,
    };
    let mut result: WatchResult = asked("gliznet/watch", &params)?;
    let changed = before.iter().flat_map(|before| left(before, &result));
    changed.for_each(remark);
    if let Command::RunOnce { path } = &args.command {
        result = wait(path.as_deref())?;
    }
    let mut out = std::io::stdout().lock();
    match &args.command {
        Command::List { json: true } => {
            writeln!(out, "{}", serde_json::to_string_pretty(&result)?)?;
        }
        _ => {
            let mut text = Vec::new();
            show(&mut text, &result)?;
            write!(out, "{}", harmless(&String::from_utf8_lossy(&text)))?;
        }
    }
    let has_faults = result.fault.is_some() || result.folders.iter().any(|f| !f.faults.is_empty());
    let fails = matches!(args.command, Command::RunOnce { .. }) && has_faults;
    Ok(match fails {
        true => Outcome::SomeFailed,
        false => Outcome::Done,
    })
}

impl Add {
    fn params(&self) -> anyhow::Result<WatchParams> {
        if let Some(name) = &self.labelset {
            // What cannot be used would leave all notes without tags, and nobody is told of it.
            let user_dir = Folders::of_this_user()?.config.join("labelsets");
            labelset::load(name, Some(&user_dir))?;
        }
        let labelset = match &self.labelset {
            // A file is meant from here; the daemon is elsewhere.
            Some(name) if Path::new(name).is_file() => Some(absolute(Path::new(name))?),
            other => other.clone(),
        };
        Ok(WatchParams {
            action: WatchAction::Add,
            path: Some(absolute(&self.path)?),
            yes: self.yes,
            labelset,
            threshold: self.threshold,
            sink: self.sink.map(|sink| sink.to_string()),
            extensions: self.extensions.clone(),
            quiet_hours: self.quiet_hours.map(|hours| hours.to_string()),
            concurrency: self.concurrency,
            settle_seconds: self.settle,
            poll: self.poll,
        })
    }
}

/// A path as the daemon, which is elsewhere, understands it.
pub(super) fn absolute(path: &Path) -> anyhow::Result<String> {
    let absolute = std::path::absolute(path)?;
    let text = absolute.to_str().map(str::to_owned);
    text.ok_or_else(|| {
        let shown = path.display();
        UsageError(format!(
            "{shown}: the path is no UTF-8 text; rename the folder"
        ))
        .into()
    })
}

/// Asks the daemon, and starts one where none runs.
pub(super) fn asked<P: serde::Serialize, R: serde::de::DeserializeOwned>(
    method: &str,
    params: &P,
) -> anyhow::Result<R> {
    let place = Place::of_this_build()?;
    let params = serde_json::to_value(params)?;
    let answer: Value = super::block_on(async {
        let mut control = find_or_start(&place).await?;
        control.ask_with(method, params).await
    })?;
    Ok(serde_json::from_value(answer).map_err(|error| DaemonError::Odd(error.to_string()))?)
}

/// How long the index may take to be opened.
const OPENED_WITHIN: Duration = Duration::from_secs(20);

/// Asks about what was found in watched folders; waits where the daemon is opening its index.
pub(super) async fn asked_patiently<R: serde::de::DeserializeOwned>(
    control: &mut Control,
    method: &'static str,
    params: &Value,
    patience: Duration,
) -> Result<R, DaemonError> {
    let deadline = Instant::now() + OPENED_WITHIN;
    loop {
        match control.request(method, params.clone(), patience).await {
            Err(DaemonError::Refused(reason))
                if is_opening(&reason) && Instant::now() < deadline =>
            {
                tokio::time::sleep(LOOK).await;
            }
            answer => return answer,
        }
    }
}

fn is_opening(reason: &str) -> bool {
    [OPENING, STARTING]
        .iter()
        .any(|known| reason.contains(known))
}

/// Waits until there is nothing to do, and shows how far it is.
fn wait(path: Option<&Path>) -> anyhow::Result<WatchResult> {
    let folder = path.map(|path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf()));
    let bar = match std::io::stderr().is_terminal() {
        true => ProgressBar::new(0),
        false => ProgressBar::hidden(),
    };
    let style = ProgressStyle::with_template("{bar:24} {pos}/{len} notes");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let list = WatchParams::default();
    loop {
        let result: WatchResult = asked("gliznet/watch", &list)?;
        let is_meant = |record: &&FolderRecord| {
            folder
                .as_ref()
                .is_none_or(|folder| Path::new(&record.path) == folder)
        };
        let folders: Vec<&FolderRecord> = result.folders.iter().filter(is_meant).collect();
        let notes: usize = folders.iter().map(|record| record.notes).sum();
        let waiting: usize = folders.iter().map(|record| record.waiting).sum();
        bar.set_length(notes.max(waiting) as u64);
        bar.set_position(notes.saturating_sub(waiting) as u64);
        if folders.iter().all(|record| !record.busy) {
            bar.finish_and_clear();
            return Ok(result);
        }
        std::thread::sleep(LOOK);
    }
}

/// Where folders have had their tags elsewhere until now: these stay, which is to be known.
fn left(before: &WatchResult, now: &WatchResult) -> Vec<String> {
    let left = |record: &FolderRecord| {
        let mut known = before.folders.iter();
        let known = known.find(|known| known.path == record.path)?;
        let writes = known.sink.parse().is_ok_and(Sink::writes);
        (writes && known.notes > 0 && known.sink != record.sink).then(|| {
            format!(
                "{}: what was put into {} stays there as it is; `gliznet undo --run N` takes it out (`gliznet log` lists the runs), once the folder is up to date",
                record.path, known.sink
            )
        })
    };
    now.folders.iter().filter_map(left).collect()
}

fn show(out: &mut dyn Write, result: &WatchResult) -> std::io::Result<()> {
    if result.folders.is_empty() {
        writeln!(
            out,
            "no folder is watched; `gliznet watch add PATH` adds one"
        )?;
    }
    for record in &result.folders {
        writeln!(out, "{}", record.path)?;
        let waiting = match record.waiting {
            0 => String::new(),
            waiting => format!(", {waiting} wait"),
        };
        let notes = match record.notes {
            1 => "1 note".to_owned(),
            n => format!("{n} notes"),
        };
        writeln!(
            out,
            "  {:<10} {notes}, {} up to date{waiting}",
            record.state, record.tagged
        )?;
        let mut set = vec![format!("sink {}", record.sink)];
        set.extend(
            record
                .labelset
                .as_ref()
                .map(|name| format!("label set {name}")),
        );
        set.extend(record.threshold.map(|score| format!("threshold {score}")));
        if !record.extensions.is_empty() {
            set.push(format!("extensions {}", record.extensions.join(",")));
        }
        set.extend(
            record
                .quiet_hours
                .as_ref()
                .map(|hours| format!("quiet {hours}")),
        );
        writeln!(out, "  {:<10} {}", "", set.join(", "))?;
        for fault in &record.faults {
            writeln!(out, "  {:<10} {}", "notice", paragraph(fault, 13))?;
        }
    }
    match &result.fault {
        Some(fault) => writeln!(out, "notice: {fault}"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(path: &str, sink: &str, notes: usize) -> WatchResult {
        let record = FolderRecord {
            path: path.to_owned(),
            state: "watching".to_owned(),
            sink: sink.to_owned(),
            labelset: None,
            threshold: None,
            extensions: Vec::new(),
            quiet_hours: None,
            notes,
            tagged: notes,
            waiting: 0,
            busy: false,
            faults: Vec::new(),
        };
        WatchResult {
            folders: vec![record],
            fault: None,
        }
    }

    #[test]
    fn what_stays_in_another_place_is_said_when_the_place_changes() {
        let said = |before: &WatchResult, sink| left(before, &folder("/n", sink, 2));
        let front = folder("/n", "frontmatter", 2);
        let shown = said(&front, "sidecar");
        assert!(shown.len() == 1 && shown[0].starts_with("/n: what was put into frontmatter"));
        assert_eq!(said(&front, "suggest").len(), 1);
        assert!(said(&front, "frontmatter").is_empty());
        assert!(said(&folder("/n", "suggest", 2), "sidecar").is_empty());
        assert!(said(&folder("/n", "xattr", 0), "sidecar").is_empty());
        assert!(said(&folder("/other", "xattr", 2), "sidecar").is_empty());
    }
}
