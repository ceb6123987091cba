//! `gliznet correct`: files and what is right or wrong of their tags in; records in the journal out.
//!
//! Invariant: a file is named on standard output only when what was said of it is on disk. No file
//! is changed. Where front matters speak, all are asked before one is recorded, for a verdict changes
//! what is suggested for the next note. Knows no model: the daemon is asked, which learns at once.

mod front;
mod note;
mod show;

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;
use serde_json::Value;
use tokio::runtime::Runtime;

use super::setup::{LabelArgs, Surroundings, shown};
use super::tag::inputs::expand;
use super::typed::tag;
use super::{Outcome, UsageError};
use crate::daemon::{Control, DaemonError, Place, find_or_start};
use crate::desk::protocol::CorrectParams;
use front::Fronts;
use note::{Note, note};
use show::{Printer, Record, Tally};

/// How long an answer may take. The daemon may have been started just now, and loads its model.
const PATIENCE: Duration = Duration::from_secs(120);

/// Says which tags of notes are right and which wrong; holds from the next answer on.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  gliznet correct today.md --add garden --remove tax
  gliznet correct notes/ --from-frontmatter
  gliznet correct notes/ --from-frontmatter --dry-run
  pandoc report.docx -t markdown | gliznet correct - --add lease --labelset paperwork

The files are not changed: what is said is kept in the journal and learnt from, and \
`gliznet tag --write` writes tags. A label that was removed never comes back for that file, \
until it is added again. With --from-frontmatter, notes without a list of tags are left out, \
and tags that GliZNet wrote by itself do not count.")]
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

pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    args.check()?;
    let surroundings = Surroundings::here()?;
    let mut said = Said {
        args,
        labelset: args.labelset(&surroundings),
        daemon: Daemon::new()?,
        surroundings,
        tally: Tally::default(),
        printer: Printer::new(args.format),
    };
    match args.from_frontmatter {
        true => said.by_front_matter()?,
        false => said.by_options()?,
    }
    said.printer.finish()?;
    said.daemon.leave();
    said.tally.conclude(args.dry_run);
    Ok(match said.tally.failed {
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

/// One run: what is said of notes, one after the other.
struct Said<'a> {
    args: &'a Args,
    /// As the daemon understands it.
    labelset: Option<String>,
    surroundings: Surroundings,
    daemon: Daemon,
    tally: Tally,
    printer: Printer,
}

impl Said<'_> {
    /// What the options say of each note, which is recorded as it is read.
    fn by_options(&mut self) -> anyhow::Result<()> {
        for input in expand(&self.args.paths()) {
            let record = match note(input) {
                Err(reason) => reason.record(),
                Ok(note) => {
                    let params = CorrectParams {
                        accepted: self.args.add.clone(),
                        rejected: self.args.remove.clone(),
                        dry_run: self.args.dry_run,
                        ..self.params(&note)
                    };
                    self.daemon.asked(&note, &params)?
                }
            };
            self.show(&record)?;
        }
        Ok(())
    }

    /// What each front matter says: first of all notes, and then it is recorded.
    fn by_front_matter(&mut self) -> anyhow::Result<()> {
        let mut fronts = Fronts::new(&self.surroundings, &self.args.labels)?;
        let mut asked: Vec<(Record, Option<Note>)> = Vec::new();
        for input in expand(&self.args.paths()) {
            let note = match note(input) {
                // There is nothing to say of it, as of one without tags.
                Err(reason) => Err(reason.of_front_matter().record()),
                Ok(note) => fronts.of_machine(&note).map_or(Ok(note), Err),
            };
            asked.push(match note {
                Err(record) => (record, None),
                Ok(note) => {
                    let params = CorrectParams {
                        front_matter: true,
                        dry_run: true,
                        ..self.params(&note)
                    };
                    let record = self.daemon.asked(&note, &params)?;
                    (fronts.without_machine(record, &note), Some(note))
                }
            });
        }
        for (record, note) in asked {
            let note = note.filter(|_| record.is_verdict() && !self.args.dry_run);
            let record = match note {
                None => record,
                Some(note) => {
                    let params = CorrectParams {
                        accepted: record.accepted.clone(),
                        rejected: record.rejected.clone(),
                        ..self.params(&note)
                    };
                    Record {
                        ignored: record.ignored,
                        machine: record.machine,
                        ..self.daemon.asked(&note, &params)?
                    }
                }
            };
            self.show(&record)?;
        }
        Ok(())
    }

    fn params(&self, note: &Note) -> CorrectParams {
        let labels = self.args.labels.labels.as_deref();
        note.params(labels, self.labelset.as_deref(), &self.surroundings)
    }

    fn show(&mut self, record: &Record) -> anyhow::Result<()> {
        self.tally.count(record);
        self.printer.record(record)
    }
}

/// The daemon, which is asked for from the first note on: whoever names only files that cannot be
/// read needs none.
struct Daemon {
    place: Place,
    runtime: Runtime,
    control: Option<Control>,
}

impl Daemon {
    fn new() -> anyhow::Result<Daemon> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(Daemon {
            place: Place::of_this_build()?,
            runtime,
            control: None,
        })
    }

    /// What it answers; or why not, where it is something about this note.
    fn asked(&mut self, note: &Note, params: &CorrectParams) -> anyhow::Result<Record> {
        let control = match &mut self.control {
            Some(control) => control,
            none => none.insert(self.runtime.block_on(find_or_start(&self.place))?),
        };
        let params = serde_json::to_value(params)?;
        let asked = control.request("gliznet/correct", params, PATIENCE);
        match self.runtime.block_on(asked) {
            Ok(answer) => Ok(note.record(answer)?),
            Err(DaemonError::Refused(reason)) => Ok(note.failed(&reason)),
            Err(error) => Err(error.into()), // None of the others would fare better.
        }
    }

    fn leave(&mut self) {
        if let Some(control) = &mut self.control {
            // All is on disk; whether the daemon hears of the end changes nothing.
            let left = control.request::<Value>("shutdown", Value::Null, Duration::from_secs(1));
            let _ = self.runtime.block_on(left);
        }
    }
}
