//! `gliznet journal`: what was ever said of tags, shown, carried elsewhere, and forgotten.
//!
//! Input: the journal of this user. Output: corrections as lines, for people or programs; a journal
//! with more of them, or fewer. Invariant: works without a daemon, and tells the one that runs.

mod carry;
mod forget;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use serde::Serialize;
use serde_json::json;

use super::setup::{Surroundings, shown};
use super::typed::count;
use super::{Outcome, UsageError, block_on, complain, moment};
use crate::daemon::{DaemonError, Place, find};
use crate::desk::name::{path_of, uri_of};
use crate::learn::journal::{self, Entry, FILE_NAME, Replay};
use crate::telemetry::harmless;

const FITS: Style = AnsiColor::Green.on_default();
const FITS_NOT: Style = AnsiColor::Red.on_default();
const QUIET: Style = Style::new().dimmed();

/// Shows, carries and forgets what was ever said of tags.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  gliznet journal show --last 20
  gliznet journal export --out corrections.jsonl
  gliznet journal import corrections.jsonl
  gliznet journal forget notes/diary.md
  gliznet journal forget --text 'Dr. Miller' --dry-run

The journal is a file of JSON Lines in the data folder; it holds the texts of the notes that were \
corrected. What is forgotten is taken out of that file, and out of the running daemon.")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Show(Show),
    Stat(Stat),
    Export(carry::Export),
    Import(carry::Import),
    Forget(forget::Args),
}

/// Show corrections, the latest last
#[derive(Debug, clap::Args)]
struct Show {
    /// Only those of this file
    #[arg(value_name = "FILE|URI")]
    document: Option<String>,

    /// At most so many
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true, default_value_t = 50)]
    last: usize,

    /// Form of the output
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    format: Format,
}

/// Count corrections by label and source
#[derive(Debug, clap::Args)]
struct Stat {
    /// Form of the output
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    format: Format,
}

/// Form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// JSON
    Json,
}

/// A correction, for scripts. A rename inside cannot change it.
#[derive(Serialize)]
struct EntryRecord<'a> {
    sequence: u64,
    time: Option<String>,
    document: Option<&'a str>,
    source: &'a str,
    accepted: &'a [String],
    rejected: &'a [String],
    text: &'a str,
}

/// What there is, for scripts.
#[derive(Default, Serialize)]
struct StatRecord {
    path: String,
    bytes: u64,
    corrections: usize,
    documents: usize,
    first: Option<String>,
    latest: Option<String>,
    sources: BTreeMap<String, usize>,
    labels: BTreeMap<String, LabelCount>,
    /// What cannot be read.
    faults: Vec<String>,
}

#[derive(Clone, Copy, Default, Serialize)]
struct LabelCount {
    accepted: usize,
    rejected: usize,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let folders = Surroundings::here()?.folders;
    let data = &folders.data;
    match &args.command {
        Command::Show(args) => show(args, data),
        Command::Stat(args) => stat(args, data),
        Command::Export(args) => carry::export(args, data),
        Command::Import(args) => carry::import(args, &folders),
        Command::Forget(args) => forget::run(args),
    }
}

/// All that is kept; what cannot be read is said.
fn kept(data: &Path) -> anyhow::Result<Replay> {
    let replay = journal::read(data)?;
    for fault in &replay.faults {
        tracing::warn!("{}: {fault}", shown(&data.join(FILE_NAME)));
    }
    Ok(replay)
}

fn show(args: &Show, data: &Path) -> anyhow::Result<Outcome> {
    let mut entries = kept(data)?.entries;
    if let Some(document) = &args.document {
        let names = names_of(document)?;
        entries.retain(|entry| is_of(entry, &names));
    }
    entries.drain(..entries.len().saturating_sub(args.last));
    let mut out = anstream::stdout().lock();
    match args.format {
        Format::Json => {
            let records: Vec<EntryRecord> = entries.iter().map(EntryRecord::from).collect();
            writeln!(out, "{}", serde_json::to_string_pretty(&records)?)?;
        }
        Format::Text if entries.is_empty() => {
            let whose = match &args.document {
                Some(document) => format!("nothing was said of {}", shown(Path::new(document))),
                None => "nothing was corrected yet".to_owned(),
            };
            writeln!(out, "{whose}; `gliznet correct` and editors do that")?;
        }
        Format::Text => {
            let now = moment::now();
            for entry in &entries {
                writeln!(out, "{}", line(entry, &now))?;
            }
        }
    }
    Ok(Outcome::Done)
}

fn line(entry: &Entry, now: &jiff::ZonedDateTime) -> String {
    let mut parts = vec![format!(
        "{QUIET}{:>5}  {}  {:<12}{QUIET:#}",
        entry.sequence,
        moment::shown(entry.time, now),
        entry.correction.source.name()
    )];
    parts.push(place(entry));
    parts.extend(entry.correction.verdicts().map(|(label, fits)| match fits {
        true => format!("{FITS}+{}{FITS:#}", harmless(label)),
        false => format!("{FITS_NOT}-{}{FITS_NOT:#}", harmless(label)),
    }));
    parts.join("  ")
}

/// The document's path, or the beginning of the text.
fn place(entry: &Entry) -> String {
    let correction = &entry.correction;
    match &correction.document {
        Some(name) => path_of(name).map_or_else(|| harmless(name), |path| shown(&path)),
        None => {
            let words: Vec<&str> = correction.text.split_whitespace().take(6).collect();
            format!("“{}…”", shown(Path::new(&words.join(" "))))
        }
    }
}

fn stat(args: &Stat, data: &Path) -> anyhow::Result<Outcome> {
    let path = data.join(FILE_NAME);
    let bytes = path.metadata().map_or(0, |metadata| metadata.len());
    let replay = journal::read(data)?;
    let entries = &replay.entries;
    let mut record = StatRecord {
        path: shown(&path),
        bytes,
        corrections: entries.len(),
        first: entries
            .iter()
            .map(|e| e.time)
            .min()
            .and_then(moment::record),
        latest: entries
            .iter()
            .map(|e| e.time)
            .max()
            .and_then(moment::record),
        faults: replay.faults,
        ..StatRecord::default()
    };
    let documents = entries
        .iter()
        .filter_map(|e| e.correction.document.as_deref());
    record.documents = documents.collect::<std::collections::BTreeSet<_>>().len();
    for entry in entries {
        let source = entry.correction.source.name().to_owned();
        *record.sources.entry(source).or_insert(0) += 1;
        for (label, fits) in entry.correction.verdicts() {
            let count = record.labels.entry(label.to_owned()).or_default();
            match fits {
                true => count.accepted += 1,
                false => count.rejected += 1,
            }
        }
    }
    let mut out = anstream::stdout().lock();
    if args.format == Format::Json {
        writeln!(out, "{}", serde_json::to_string_pretty(&record)?)?;
        return Ok(Outcome::Done);
    }
    writeln!(out, "{} ({} bytes)", record.path, record.bytes)?;
    let (corrections, documents) = (record.corrections, record.documents);
    writeln!(out, "{corrections} corrections of {documents} documents")?;
    for (source, count) in &record.sources {
        writeln!(out, "  {count:>6}  {source}")?;
    }
    let mut labels: Vec<(&String, &LabelCount)> = record.labels.iter().collect();
    labels.sort_by_key(|(_, count)| std::cmp::Reverse(count.accepted + count.rejected));
    for (label, LabelCount { accepted, rejected }) in labels {
        writeln!(
            out,
            "  {FITS}{accepted:>+6}{FITS:#} {FITS_NOT}{:>6}{FITS_NOT:#}  {}",
            format!("-{rejected}"),
            harmless(label)
        )?;
    }
    for fault in &record.faults {
        writeln!(out, "notice: {fault}")?;
    }
    Ok(Outcome::Done)
}

/// The names that a document may have in the journal: its URI, or those of a path. The file may be
/// gone.
fn names_of(document: &str) -> anyhow::Result<Vec<String>> {
    if document.contains("://") {
        // Programs escape one path in several ways; what editors said has ours.
        let ours = path_of(document).map(|path| uri_of(&path));
        return Ok([document.to_owned()].into_iter().chain(ours).collect());
    }
    if document.is_empty() {
        return Err(
            UsageError("the name of the file is empty; give a path or a URI".into()).into(),
        );
    }
    let path = std::path::absolute(document)?;
    let parent = path.parent().and_then(|parent| parent.canonicalize().ok());
    let in_parent = parent
        .zip(path.file_name())
        .map(|(parent, name)| parent.join(name));
    let all = [path.canonicalize().ok(), in_parent, Some(path)];
    let mut names: Vec<String> = all
        .iter()
        .flatten()
        .map(|path: &PathBuf| uri_of(path))
        .collect();
    names.dedup();
    Ok(names)
}

fn is_of(entry: &Entry, names: &[String]) -> bool {
    let document = entry.correction.document.as_ref();
    document.is_some_and(|document| names.contains(document))
}

/// Lets the daemon that runs, if one does, take note of the journal.
fn tell_the_daemon() {
    let told = || -> Result<(), DaemonError> {
        let place = Place::of_this_build()?;
        block_on(async {
            match find(&place).await {
                Some(mut daemon) => daemon
                    .ask_with("gliznet/refresh", json!({}))
                    .await
                    .map(|_| ()),
                None => Ok(()),
            }
        })
    };
    if let Err(error) = told() {
        complain(format!(
            "the journal is changed, but the running daemon does not know yet ({error}); end it with `gliznet stop`"
        ));
    }
}

impl<'a> From<&'a Entry> for EntryRecord<'a> {
    fn from(entry: &'a Entry) -> EntryRecord<'a> {
        EntryRecord {
            sequence: entry.sequence,
            time: moment::record(entry.time),
            document: entry.correction.document.as_deref(),
            source: entry.correction.source.name(),
            accepted: &entry.correction.accepted,
            rejected: &entry.correction.rejected,
            text: &entry.correction.text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_names_its_document_however_it_is_escaped() {
        for spelt in ["file:///n/caf%c3%a9.md", "file:///n/café.md"] {
            let names = names_of(spelt).unwrap();
            assert!(
                names.contains(&"file:///n/caf%C3%A9.md".to_owned()),
                "{names:?}"
            );
        }
        assert_eq!(names_of("git://n/a.md").unwrap(), ["git://n/a.md"]);
    }
}
