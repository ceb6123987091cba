//! `gliznet find`: the notes of watched folders that have some tags.

use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;

use super::setup::shown;
use super::typed::tag;
use super::watch::{absolute, asked_patiently};
use super::{Outcome, complain, remark};
use crate::daemon::{Place, find_or_start};
use crate::desk::name::path_of;
use crate::desk::protocol::{FindParams, FindResult, FoundRecord, TagsParams, TagsResult};
use crate::frontmatter::may_be_or_below;
use crate::label::nearest;
use crate::telemetry::harmless;

/// So many notes are asked for at once.
const PAGE: usize = 1_000;
/// How long a page may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Finds the notes of watched folders that have all of the given tags; exit code 1 where there is none.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  gliznet find garden
  gliznet find garden tax --any --not archive
  gliznet find garden --format null-separated | xargs -0 wc -w

A tag is found with those below it: `garden` finds `garden/roses`.")]
pub(crate) struct Args {
    /// The tags
    #[arg(value_name = "TAG", value_parser = tag, required_unless_present = "not")]
    tags: Vec<String>,

    /// One of the tags is enough
    #[arg(long)]
    any: bool,

    /// A tag that the notes do not have; may be given several times
    #[arg(long, value_name = "TAG", value_parser = tag)]
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
        limit: Some(PAGE),
        after: None,
    };
    let place = Place::of_this_build()?;
    let mut out: Box<dyn Write> = match args.format {
        // What is no text may not be looked at as if it were.
        Format::NullSeparated => Box::new(BufWriter::new(std::io::stdout().lock())),
        _ => Box::new(BufWriter::new(anstream::stdout().lock())),
    };
    let (found, partial) = super::block_on(pages(&place, params, args.format, &mut out))?;
    out.flush()?;
    if partial {
        complain("some notes have not been read yet; `gliznet watch list` shows how many");
    }
    Ok(match found {
        0 => Outcome::SomeFailed,
        _ => Outcome::Done,
    })
}

/// Shows what is found, page after page, so that a thousand notes are held and not all. Gives how
/// many there were, and whether some have not been read yet.
async fn pages(
    place: &Place,
    mut params: FindParams,
    format: Format,
    out: &mut dyn Write,
) -> anyhow::Result<(usize, bool)> {
    let mut control = find_or_start(place).await?;
    let mut found = 0;
    loop {
        let asked = serde_json::to_value(&params)?;
        let page: FindResult =
            asked_patiently(&mut control, "gliznet/find", &asked, PATIENCE).await?;
        for note in &page.notes {
            show(out, note, format, found == 0)?;
            found += 1;
        }
        params.after = page.notes.last().map(|note| note.uri.clone());
        if !page.more || params.after.is_none() {
            if format == Format::Json {
                writeln!(out, "{}", if found == 0 { "[]" } else { "\n]" })?;
            }
            if found == 0 {
                let folder = params.folder.clone();
                let asked = serde_json::to_value(TagsParams { folder })?;
                let usage = asked_patiently(&mut control, "gliznet/tags", &asked, PATIENCE).await?;
                slips(&params.tags, &usage).iter().for_each(remark);
            }
            control.leave().await;
            return Ok((found, page.partial));
        }
    }
}

/// What was probably meant by tags that no note has.
fn slips(tags: &[String], usage: &TagsResult) -> Vec<String> {
    let used = usage.tags.iter().map(|tag| &tag.tag);
    let known: Vec<&str> = used.chain(&usage.unused).map(String::as_str).collect();
    let is_known = |tag: &String| known.iter().any(|name| may_be_or_below(name, tag));
    let unknown = tags.iter().filter(|tag| !is_known(tag));
    let slips = unknown.map(|tag| match nearest(tag, known.iter().copied()) {
        Some(near) => format!("no note has the tag `{tag}`; did you mean `{near}`?"),
        None => format!("no note has the tag `{tag}`; `gliznet tags` shows those there are"),
    });
    slips.collect()
}

fn show(
    out: &mut dyn Write,
    note: &FoundRecord,
    format: Format,
    is_first: bool,
) -> anyhow::Result<()> {
    match format {
        Format::Json => {
            let object = serde_json::to_string_pretty(note)?.replace('\n', "\n  ");
            write!(out, "{}\n  {object}", if is_first { "[" } else { "," })?;
        }
        Format::Jsonl => writeln!(out, "{}", serde_json::to_string(note)?)?,
        Format::NullSeparated => {
            let path = path_of(&note.uri).unwrap_or_else(|| PathBuf::from(&note.path));
            out.write_all(path.as_os_str().as_encoded_bytes())?;
            out.write_all(&[0])?;
        }
        Format::Text => writeln!(out, "{}", line(note))?,
    }
    Ok(())
}

fn line(note: &FoundRecord) -> String {
    let quiet = Style::new().fg_color(Some(AnsiColor::BrightBlack.into()));
    let path = path_of(&note.uri).unwrap_or_else(|| PathBuf::from(&note.path));
    let tags = note.tags.iter().map(|tag| match tag.origin.as_str() {
        "suggested" => format!("{quiet}{}?{quiet:#}", harmless(&tag.tag)),
        _ => harmless(&tag.tag),
    });
    let tags: Vec<String> = tags.collect();
    format!("{}  {}", shown(&path), tags.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::protocol::CountedTag;

    #[test]
    fn a_slip_is_told_and_a_tag_that_is_known_is_not() {
        let usage = TagsResult {
            notes: 2,
            tags: vec![CountedTag {
                tag: "garden/roses".to_owned(),
                notes: 2,
                machine: 0,
                suggested: 0,
            }],
            together: Vec::new(),
            unused: vec!["taxes".to_owned()],
            similar: Vec::new(),
        };
        let told = |tag: &str| slips(&[tag.to_owned()], &usage);
        assert_eq!(told("garden"), [""; 0]);
        assert_eq!(
            told("taxs"),
            ["no note has the tag `taxs`; did you mean `taxes`?"]
        );
        assert!(told("weather")[0].ends_with("`gliznet tags` shows those there are"));
    }
}
