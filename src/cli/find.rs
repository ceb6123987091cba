//! `gliznet find`: the notes of watched folders that have some tags.

use std::io::Write;
use std::path::PathBuf;

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;

use super::setup::shown;
use super::watch::{absolute, asked};
use super::{Outcome, complain};
use crate::desk::name::path_of;
use crate::desk::protocol::{FindParams, FindResult, FoundRecord};

/// Finds the notes of watched folders that have all of the given tags; exit code 1 where there is none.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  gliznet find garden
  gliznet find garden tax --any --not archive
  gliznet find garden --format null-separated | xargs -0 wc -w

A tag is found with those below it: `garden` finds `garden/roses`.")]
pub(crate) struct Args {
    /// The tags
    #[arg(value_name = "TAG", required_unless_present = "not")]
    tags: Vec<String>,

    /// One of the tags is enough
    #[arg(long)]
    any: bool,

    /// A tag that the notes do not have; may be given several times
    #[arg(long, value_name = "TAG")]
    not: Vec<String>,

    /// Only notes below this folder
    #[arg(long, value_name = "PATH")]
    folder: Option<PathBuf>,

    /// Only tags that stand in the notes, not those that are suggested for them
    #[arg(long)]
    written: bool,

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
    /// Paths as they are, each ended by a null byte
    NullSeparated,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let params = FindParams {
        tags: args.tags.clone(),
        any: args.any,
        not: args.not.clone(),
        folder: args.folder.as_deref().map(absolute).transpose()?,
        written: args.written,
    };
    let result: FindResult = asked("gliznet/find", &params)?;
    let mut out = anstream::stdout().lock();
    match args.format {
        Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(&result.notes)?)?,
        Format::Jsonl => {
            for note in &result.notes {
                writeln!(out, "{}", serde_json::to_string(note)?)?;
            }
        }
        Format::NullSeparated => {
            drop(out);
            let mut out = std::io::stdout().lock();
            for note in &result.notes {
                let path = path_of(&note.uri).unwrap_or_else(|| PathBuf::from(&note.path));
                out.write_all(path.as_os_str().as_encoded_bytes())?;
                out.write_all(&[0])?;
            }
        }
        Format::Text => {
            for note in &result.notes {
                writeln!(out, "{}", line(note))?;
            }
        }
    }
    if result.partial {
        complain("some notes have not been read yet; `gliznet watch list` shows how many");
    }
    Ok(match result.notes.is_empty() {
        true => Outcome::SomeFailed,
        false => Outcome::Done,
    })
}

fn line(note: &FoundRecord) -> String {
    let quiet = Style::new().fg_color(Some(AnsiColor::BrightBlack.into()));
    let path = path_of(&note.uri).unwrap_or_else(|| PathBuf::from(&note.path));
    let tags = note.tags.iter().map(|tag| match tag.origin.as_str() {
        "suggested" => format!("{quiet}{}?{quiet:#}", tag.tag),
        _ => tag.tag.clone(),
    });
    let tags: Vec<String> = tags.collect();
    format!("{}  {}", shown(&path), tags.join(" "))
}
