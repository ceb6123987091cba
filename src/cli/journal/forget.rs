//! `gliznet journal forget`: texts taken out of all that is kept, and where they still have effect.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Serialize;

use super::{Format, carry, is_of, kept, names_of, path_of, place, tell_the_daemon};
use crate::cli::setup::{Surroundings, shown};
use crate::cli::{Outcome, UsageError, complain, moment, remark};
use crate::config::Folders;
use crate::learn::journal::{Entry, FILE_NAME, Forgotten, Journal, Selection, preview};
use crate::learn::memory::impressions::forget_all;
use crate::learn::versions::Versions;
use crate::learn::versions::manifest::Outcome as Kept;

/// Take corrections out of the journal for good, with their texts and their effect
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("which").required(true))]
pub(super) struct Args {
    /// What was said of this file; it may be gone
    #[arg(value_name = "FILE|URI", group = "which")]
    document: Option<String>,

    /// What was said of texts that hold these words
    #[arg(long, value_name = "WORDS", group = "which")]
    text: Option<String>,

    /// What was said before: `2 weeks ago`, a date, an RFC 3339 time
    #[arg(long, value_name = "TIME", group = "which")]
    before: Option<String>,

    /// Say what would be forgotten, and forget nothing
    #[arg(long)]
    dry_run: bool,

    /// Form of the output
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    format: Format,
}

/// What was forgotten, for scripts. A rename inside cannot change it.
#[derive(Serialize)]
struct Record {
    /// Numbers of the corrections.
    corrections: Vec<u64>,
    /// Versions of the model that have learnt from them.
    versions: Vec<u32>,
    /// Lines of the journal that cannot be read and stay.
    unreadable: Vec<usize>,
    dry_run: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let folders = Surroundings::here()?.folders;
    let selection = args.selection(&folders.data)?;
    let forgotten = match args.dry_run {
        true => preview(&bytes(&folders.data)?, &selection),
        false => forget(&folders.data, &selection)?,
    };
    let versions = learnt_from(&folders, &forgotten.entries);
    if !args.dry_run && !forgotten.entries.is_empty() {
        tell_the_daemon();
        // What the model made of these texts; the rest of it is made again when it is needed.
        forget_all(&folders.cache).with_context(|| {
            let cache = folders.cache.display();
            format!("the corrections are forgotten, but vectors of their texts stay in {cache}; remove that folder")
        })?;
    }
    let mut out = anstream::stdout().lock();
    match args.format {
        Format::Json => {
            let record = Record {
                corrections: forgotten
                    .entries
                    .iter()
                    .map(|entry| entry.sequence)
                    .collect(),
                versions: versions.clone(),
                unreadable: forgotten.unreadable.clone(),
                dry_run: args.dry_run,
            };
            writeln!(out, "{}", serde_json::to_string_pretty(&record)?)?;
        }
        Format::Text => {
            for entry in &forgotten.entries {
                writeln!(out, "{:>5}  {}", entry.sequence, place(entry))?;
            }
        }
    }
    out.flush()?;
    conclude(args, &folders, &forgotten, &versions);
    Ok(Outcome::Done)
}

impl Args {
    fn selection(&self, data: &Path) -> anyhow::Result<Selection> {
        if let Some(words) = &self.text {
            if words.trim().is_empty() {
                let message =
                    "--text: no words, which every text holds; give some, or use --before now";
                return Err(UsageError(message.into()).into());
            }
            return Ok(Selection::Text(words.clone()));
        }
        if let Some(time) = &self.before {
            return Ok(Selection::Before(carry::seconds("--before", time)?));
        }
        let names = names_of(self.document.as_deref().unwrap_or_default())?;
        // A path has more than one spelling; the journal knows which one it was.
        let entries = kept(data)?.entries;
        let known = entries.iter().find(|entry| is_of(entry, &names));
        let known = known.and_then(|entry| entry.correction.document.clone());
        let name = known.or_else(|| names.into_iter().next());
        Ok(Selection::Document(name.unwrap_or_default()))
    }
}

fn bytes(data: &Path) -> io::Result<Vec<u8>> {
    match std::fs::read(data.join(FILE_NAME)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read,
    }
}

fn forget(data: &Path, selection: &Selection) -> anyhow::Result<Forgotten> {
    if !data.join(FILE_NAME).is_file() {
        return Ok(Forgotten::default()); // A journal is not begun only to forget.
    }
    let (mut journal, _) = Journal::open(data)?;
    Ok(journal.forget(selection, moment::seconds_now())?)
}

/// The versions with weights that have learnt from one of these.
fn learnt_from(folders: &Folders, entries: &[Entry]) -> Vec<u32> {
    let all = Versions::new(folders).list().into_iter();
    let learnt = all.filter(|found| {
        found.has_weights
            && found.manifest.as_ref().is_ok_and(|manifest| {
                let mut of = manifest.corrections.iter();
                manifest.outcome == Kept::Accepted
                    && of.any(|number| entries.iter().any(|entry| entry.sequence == *number))
            })
    });
    learnt.map(|found| found.number).collect()
}

/// The vault that a document lies in, if a version with weights was learnt from it.
fn taught_by(args: &Args, folders: &Folders) -> Option<String> {
    let document = args.document.as_ref()?;
    let path = path_of(document).unwrap_or_else(|| PathBuf::from(document));
    let path = std::path::absolute(path).ok()?;
    let versions = Versions::new(folders).list();
    let manifests = versions.into_iter().filter(|found| found.has_weights);
    let mut vaults = manifests
        .filter_map(|found| found.manifest.ok())
        .flat_map(|m| m.vaults);
    vaults.find_map(|(vault, _)| path.starts_with(&vault).then_some(vault))
}

fn conclude(args: &Args, folders: &Folders, forgotten: &Forgotten, versions: &[u32]) {
    let count = match forgotten.entries.len() {
        0 => "nothing of that kind is in the journal".to_owned(),
        1 => "1 correction".to_owned(),
        n => format!("{n} corrections"),
    };
    remark(match (forgotten.entries.is_empty(), args.dry_run) {
        (true, _) => count,
        (false, true) => format!("{count} would be forgotten; nothing was"),
        (false, false) => format!("{count} forgotten"),
    });
    let torn = folders.data.join(FILE_NAME).with_extension("torn");
    if forgotten.entries.is_empty() && torn.exists() {
        complain(format!(
            "{}: ends of lines that were cut off stay there; remove the file if the text may be in it",
            shown(&torn)
        ));
    }
    if !forgotten.unreadable.is_empty() {
        let lines: Vec<String> = forgotten.unreadable.iter().map(usize::to_string).collect();
        complain(format!(
            "{}: line {} cannot be read and stays; look whether the text is in it",
            shown(&folders.data.join(FILE_NAME)),
            lines.join(", ")
        ));
    }
    if let Some(vault) = taught_by(args, folders) {
        complain(format!(
            "the model has learnt from the notes in {}, maybe from this one as well; \
             to be rid of that: delete the note, then `gliznet train from-vault` again",
            shown(Path::new(&vault))
        ));
    }
    if let Some(first) = versions.first() {
        let numbers: Vec<String> = versions.iter().map(u32::to_string).collect();
        let before = Versions::new(folders).manifest(*first);
        complain(format!(
            "version {} of the model has learnt from it; to be rid of that: `gliznet model rollback {}`, then `gliznet train now`",
            numbers.join(", "),
            before.map_or(0, |manifest| manifest.parent)
        ));
    }
}
