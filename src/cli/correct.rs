//! `gliznet correct`: files and what is right or wrong of their tags in; records in the journal out.
//!
//! Invariant: a file is named on standard output only when what was said of it is on disk. No file
//! is changed. Knows no model: the daemon is asked, which learns at once.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;

use super::setup::{LabelArgs, Surroundings, io_fact, read_up_to, shown, tag, tag_name};
use super::tag::inputs::{Input, expand};
use super::{Outcome, UsageError, complain, remark};
use crate::daemon::{Control, DaemonError, Place, find_or_start};
use crate::desk::name::uri_of;
use crate::desk::protocol::{CorrectParams, CorrectResult};
use crate::document::{Document, Format as Markup, decode};

const FILE: Style = Style::new().bold();
const FITS: Style = AnsiColor::Green.on_default();
const FITS_NOT: Style = AnsiColor::Red.on_default();
const QUIET: Style = Style::new().dimmed();

/// A note that somebody wrote is smaller.
const MOST_BYTES: u64 = 4 << 20;
/// How long an answer may take. The daemon may have been started just now, and loads its model.
const PATIENCE: Duration = Duration::from_secs(120);

/// Says which tags of notes are right and which wrong; holds from the next answer on.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  gliznet correct today.md --add garden --remove tax
  gliznet correct notes/ --from-frontmatter
  gliznet correct notes/ --from-frontmatter --dry-run
  pandoc report.docx -t markdown | gliznet correct - --add lease --labelset paperwork

The files are not changed: what is said is kept in the journal and learnt from, and
`gliznet tag --write` writes tags. A label that was removed never comes back for that file,
until it is added again. With --from-frontmatter, notes without a list of tags are left out.")]
pub(crate) struct Args {
    /// Files or patterns, with --from-frontmatter folders too; `-` is standard input
    #[arg(value_name = "FILE")]
    paths: Vec<OsString>,

    /// A label that fits; may be given more than once
    #[arg(short, long, value_name = "LABEL", value_parser = tag, value_delimiter = ',')]
    add: Vec<String>,

    /// A label that does not fit; may be given more than once
    #[arg(short, long, value_name = "LABEL", value_parser = tag, value_delimiter = ',')]
    remove: Vec<String>,

    /// What stands in each front matter is right: what is suggested besides is wrong
    #[arg(long, alias = "from-front-matter", conflicts_with_all = ["add", "remove"])]
    from_frontmatter: bool,

    /// Show what would be recorded, and record nothing
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    labels: LabelArgs,

    /// Form of the output
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    format: Format,
}

/// Form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One JSON array
    Json,
    /// One JSON object a line
    Jsonl,
}

/// What was said of a file, for scripts. A rename inside cannot change it.
#[derive(Debug, Default, Serialize)]
struct Record {
    /// Null for standard input.
    path: Option<String>,
    /// The number in the journal; null where nothing was recorded.
    sequence: Option<u64>,
    accepted: Vec<String>,
    rejected: Vec<String>,
    /// Tags that are no labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ignored: Vec<String>,
    /// Why nothing was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    unsaid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    args.check()?;
    let surroundings = Surroundings::here()?;
    let labelset = args.labelset(&surroundings);
    let place = Place::of_this_build()?;
    let mut tally = Tally::default();
    let mut printer = Printer::new(args);
    let mut daemon: Option<Control> = None;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    for input in expand(&args.paths()) {
        let record = match note(input) {
            Err(error) => Record {
                error: Some(error),
                ..Record::default()
            },
            Ok(note) => {
                let params = note.params(args, labelset.as_deref(), &surroundings);
                let daemon = match &mut daemon {
                    Some(daemon) => daemon,
                    // Whoever names only files that cannot be read needs no daemon.
                    none => none.insert(runtime.block_on(find_or_start(&place))?),
                };
                let params = serde_json::to_value(&params)?;
                let asked = daemon.request("gliznet/correct", params, PATIENCE);
                match runtime.block_on(asked) {
                    Ok(answer) => record(&note, answer)?,
                    Err(DaemonError::Refused(reason)) => note.failed(&reason),
                    Err(error) => return Err(error.into()), // None of the others would fare better.
                }
            }
        };
        tally.count(&record);
        printer.record(&record)?;
    }
    printer.finish()?;
    if let Some(mut daemon) = daemon {
        // All is on disk; whether the daemon hears of the end changes nothing.
        let left = daemon.request::<Value>("shutdown", Value::Null, Duration::from_secs(1));
        let _ = runtime.block_on(left);
    }
    tally.conclude(args);
    Ok(match tally.failed {
        0 => Outcome::Done,
        _ => Outcome::SomeFailed,
    })
}

impl Args {
    fn check(&self) -> Result<(), UsageError> {
        let refuse = |message: String| Err(UsageError(message));
        if !self.from_frontmatter && self.add.is_empty() && self.remove.is_empty() {
            return refuse(
                "nothing is said; give --add LABEL, --remove LABEL or --from-frontmatter".into(),
            );
        }
        if self.paths.is_empty() && io::stdin().is_terminal() {
            return refuse("no note is named; name files, or pipe a text in".into());
        }
        let folder = self.paths.iter().find(|path| Path::new(path).is_dir());
        match folder {
            Some(folder) if !self.from_frontmatter => refuse(format!(
                "{}: a folder, and a verdict is on one note; name files in it, or use --from-frontmatter",
                shown(Path::new(folder))
            )),
            _ => Ok(()),
        }
    }

    /// What is corrected: the arguments, or standard input where there are none.
    fn paths(&self) -> Vec<OsString> {
        match self.paths.is_empty() {
            true => vec!["-".into()],
            false => self.paths.clone(),
        }
    }

    /// The label set as the daemon, which runs elsewhere, understands it.
    fn labelset(&self, surroundings: &Surroundings) -> Option<String> {
        let name = self.labels.labelset.as_ref()?;
        let path = Path::new(name).canonicalize();
        let is_file = path.as_ref().is_ok_and(|path| path.is_file());
        tracing::debug!(settings = ?surroundings.settings.labelset, is_file, "label set");
        match path {
            Ok(path) if is_file => Some(path.display().to_string()),
            _ => Some(name.clone()),
        }
    }
}

/// A text that something is said of.
struct Note {
    path: Option<String>,
    uri: Option<String>,
    markup: Markup,
    text: String,
}

/// Reads an input; or says place, fact and cure.
fn note(input: Result<Input, String>) -> Result<Note, String> {
    let (path, place) = match input? {
        Input::Stdin => (None, "standard input".to_owned()),
        Input::File(path) => {
            let place = shown(&path);
            (Some(path), place)
        }
    };
    let at = |fact: String| format!("{place}: {fact}");
    let read = match &path {
        None => read_up_to(io::stdin().lock(), MOST_BYTES),
        Some(path) => File::open(path).and_then(|file| read_up_to(file, MOST_BYTES)),
    };
    let (bytes, more) = read.map_err(|error| at(io_fact(&error)))?;
    if more {
        let most = MOST_BYTES >> 20;
        return Err(at(format!(
            "more than {most} MiB; give the part of it that matters on standard input"
        )));
    }
    let text = decode(&bytes).map_err(|error| at(error.to_string()))?.text;
    let markup = path.as_deref().map_or(Markup::Markdown, Markup::from_path);
    let document = Document::parse(markup, text.as_str());
    if document.text().trim().is_empty() {
        let fact =
            "there is no text, so there is nothing to learn from; write some, or leave it out";
        return Err(at(fact.to_owned()));
    }
    let full = path.as_ref().map(|path| path.canonicalize());
    let full = full.transpose().map_err(|error| at(io_fact(&error)))?;
    Ok(Note {
        uri: full.map(|full| uri_of(&full)),
        path: path.map(|_| place),
        markup,
        text,
    })
}

impl Note {
    fn params(
        &self,
        args: &Args,
        labelset: Option<&str>,
        surroundings: &Surroundings,
    ) -> CorrectParams {
        let labels = args.labels.labels.as_ref();
        let names = |list: &str| list.split(',').map(tag_name).collect();
        // A file's own folder says what its labels are; a text without one is of this folder.
        let of_here = surroundings.settings.labelset.as_ref();
        let of_here = of_here.filter(|_| self.uri.is_none() && labels.is_none());
        CorrectParams {
            text: Some(self.text.clone()),
            format: Some(self.markup.name().to_owned()),
            uri: self.uri.clone(),
            source: Some("command-line".to_owned()),
            labels: labels.map(|list| names(list)),
            labelset: labelset
                .map(str::to_owned)
                .or_else(|| of_here.map(|chosen| chosen.value.clone())),
            accepted: args.add.clone(),
            rejected: args.remove.clone(),
            front_matter: args.from_frontmatter,
            dry_run: args.dry_run,
            ..CorrectParams::default()
        }
    }

    fn failed(&self, reason: &str) -> Record {
        let place = self.path.as_deref().unwrap_or("standard input");
        Record {
            path: self.path.clone(),
            error: Some(format!("{place}: {reason}")),
            ..Record::default()
        }
    }
}

fn record(note: &Note, answer: Value) -> Result<Record, DaemonError> {
    let odd = |error: serde_json::Error| DaemonError::Odd(error.to_string());
    let result: CorrectResult = serde_json::from_value(answer).map_err(odd)?;
    Ok(Record {
        path: note.path.clone(),
        sequence: (result.sequence > 0).then_some(result.sequence),
        accepted: result.accepted,
        rejected: result.rejected,
        ignored: result.ignored,
        unsaid: result.unsaid,
        error: None,
    })
}

/// Writes records as they come.
struct Printer {
    format: Format,
    written: usize,
}

impl Printer {
    fn new(args: &Args) -> Printer {
        Printer {
            format: args.format,
            written: 0,
        }
    }

    fn record(&mut self, record: &Record) -> anyhow::Result<()> {
        if let Some(error) = &record.error {
            complain(error);
        }
        let mut out = anstream::stdout().lock();
        match self.format {
            Format::Text if record.error.is_none() => write!(out, "{}", text(record))?,
            Format::Text => {}
            Format::Json => {
                let before = if self.written == 0 { "[\n" } else { ",\n" };
                write!(out, "{before}{}", serde_json::to_string(record)?)?;
            }
            Format::Jsonl => writeln!(out, "{}", serde_json::to_string(record)?)?,
        }
        self.written += 1;
        Ok(out.flush()?)
    }

    fn finish(&self) -> io::Result<()> {
        let mut out = anstream::stdout().lock();
        match (self.format, self.written) {
            (Format::Json, 0) => writeln!(out, "[]"),
            (Format::Json, _) => writeln!(out, "\n]"),
            (Format::Text | Format::Jsonl, _) => Ok(()),
        }
    }
}

fn text(record: &Record) -> String {
    let place = record.path.as_deref().unwrap_or("standard input");
    let mut parts = vec![format!("{FILE}{place}{FILE:#}")];
    if let Some(reason) = &record.unsaid {
        parts.push(format!("{QUIET}left out: {reason}{QUIET:#}"));
    } else {
        let fits = record.accepted.iter();
        parts.extend(fits.map(|label| format!("{FITS}+{label}{FITS:#}")));
        let fits_not = record.rejected.iter();
        parts.extend(fits_not.map(|label| format!("{FITS_NOT}-{label}{FITS_NOT:#}")));
    }
    if !record.ignored.is_empty() {
        let names = record.ignored.join(", ");
        parts.push(format!("{QUIET}(no labels: {names}){QUIET:#}"));
    }
    parts.join("  ") + "\n"
}

/// What became of the inputs.
#[derive(Debug, Default)]
struct Tally {
    recorded: usize,
    unsaid: usize,
    failed: usize,
}

impl Tally {
    fn count(&mut self, record: &Record) {
        match (&record.error, &record.unsaid) {
            (Some(_), _) => self.failed += 1,
            (None, Some(_)) => self.unsaid += 1,
            (None, None) => self.recorded += 1,
        }
    }

    fn conclude(&self, args: &Args) {
        if self.recorded + self.unsaid == 0 {
            return; // All that happened was complained of.
        }
        let corrections = match self.recorded {
            1 => "1 correction".to_owned(),
            n => format!("{n} corrections"),
        };
        let left_out = match self.unsaid {
            0 => String::new(),
            n => format!(", {n} left out"),
        };
        match args.dry_run {
            true => remark(format!(
                "{corrections} would be recorded{left_out}; nothing was"
            )),
            false => remark(format!("{corrections} recorded{left_out}")),
        }
    }
}
