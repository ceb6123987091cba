//! `gliznet journal export` and `import`: corrections as JSON Lines, to keep or for another machine.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::{kept, tell_the_daemon};
use crate::cli::labelset::renamed;
use crate::cli::setup::{io_fact, shown};
use crate::cli::{Outcome, UsageError, complain, moment, remark};
use crate::config::{Folders, replace};
use crate::learn::journal::{self, Journal, Parcel};

/// So many foreign lines are named; a file of another kind has as many as lines.
const MOST_NAMED: usize = 20;

/// Write the corrections as JSON Lines
#[derive(Debug, clap::Args)]
pub(super) struct Export {
    /// The file; standard output where it is not given
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Only those since: `2 hours ago`, `yesterday`, a date, an RFC 3339 time
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
}

/// Add exported corrections; those that are known are left out
#[derive(Debug, clap::Args)]
pub(super) struct Import {
    /// The file; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Leave out lines that are no corrections, instead of importing nothing
    #[arg(long)]
    lenient: bool,

    /// Say what would be imported, and import nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn export(args: &Export, data: &Path) -> anyhow::Result<Outcome> {
    let since = args.since.as_deref();
    let since = since.map(|text| seconds("--since", text)).transpose()?;
    let mut entries = kept(data)?.entries;
    entries.retain(|entry| since.is_none_or(|since| entry.time >= since));
    let lines = entries.iter().map(journal::export);
    match &args.out {
        None => {
            let mut out = io::BufWriter::new(io::stdout().lock());
            for line in lines {
                out.write_all(&line)?;
            }
            out.flush()?;
        }
        Some(path) => {
            let bytes: Vec<u8> = lines.flatten().collect();
            let cannot = || {
                let path = shown(path);
                format!("{path}: cannot be written; make room or name another file")
            };
            replace(path, &bytes).with_context(cannot)?;
            remark(format!("{} in {}", counted(entries.len()), shown(path)));
        }
    }
    Ok(Outcome::Done)
}

pub(super) fn import(args: &Import, folders: &Folders) -> anyhow::Result<Outcome> {
    let place = match args.file.as_os_str() == "-" {
        true => "standard input".to_owned(),
        false => shown(&args.file),
    };
    let mut bytes = Vec::new();
    let read = match args.file.as_os_str() == "-" {
        true => io::stdin().lock().read_to_end(&mut bytes),
        false => File::open(&args.file).and_then(|mut file| file.read_to_end(&mut bytes)),
    };
    read.map_err(|error| UsageError(format!("{place}: {}", io_fact(&error))))?;
    let parcel = journal::unpack(&bytes);
    drop(bytes);
    name_foreign(&place, &parcel);
    if !parcel.foreign.is_empty() && !args.lenient {
        anyhow::bail!(
            "{place}: {} of its lines are no corrections, so nothing was imported; mend them, or leave them out with --lenient",
            parcel.foreign.len()
        );
    }
    let outcome = match parcel.foreign.is_empty() {
        true => Outcome::Done,
        false => Outcome::SomeFailed,
    };
    if args.dry_run {
        remark(format!(
            "{} in {place}; nothing was imported",
            counted(parcel.entries.len())
        ));
        return Ok(outcome);
    }
    let (mut journal, _) = Journal::open(&folders.data)?;
    let renamed = renamed(folders, &parcel.entries);
    let imported = journal.import(&parcel.entries, &renamed)?;
    drop(journal);
    tell_the_daemon();
    let known = match imported.known {
        0 => String::new(),
        n => format!(", {n} were known"),
    };
    let overruled = match imported.overruled {
        0 => String::new(),
        n => format!(", {n} say what was judged again later here, and were left out"),
    };
    remark(format!(
        "{} imported{known}{overruled}",
        counted(imported.added)
    ));
    Ok(outcome)
}

fn name_foreign(place: &str, parcel: &Parcel) {
    for foreign in parcel.foreign.iter().take(MOST_NAMED) {
        complain(format!("{place}:{}: {}", foreign.line, foreign.fact));
    }
    let more = parcel.foreign.len().saturating_sub(MOST_NAMED);
    if more > 0 {
        complain(format!("{place}: and {more} lines more"));
    }
}

fn counted(corrections: usize) -> String {
    match corrections {
        1 => "1 correction".to_owned(),
        n => format!("{n} corrections"),
    }
}

/// The moment that an option names, in seconds since 1970.
pub(super) fn seconds(option: &str, text: &str) -> Result<u64, UsageError> {
    let moment = moment::parse(text, &moment::now());
    let moment = moment.map_err(|error| UsageError(format!("{option}: {error}")))?;
    Ok(u64::try_from(moment.as_second()).unwrap_or(0))
}
