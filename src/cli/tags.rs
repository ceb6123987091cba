//! `gliznet tags`: how the tags of the watched folders are used.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use unicode_width::UnicodeWidthStr;

use super::Outcome;
use super::columns::padded;
use super::watch::{absolute, asked_patiently};
use crate::daemon::{Place, find_or_start};
use crate::desk::protocol::{TagsParams, TagsResult};
use crate::telemetry::harmless;

/// Shows the tags of the watched folders: counts, pairs, unused labels, and tags that are probably one.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only notes below this folder
    #[arg(long, value_name = "PATH")]
    folder: Option<PathBuf>,

    /// Print an object instead of lines
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let params = TagsParams {
        folder: args.folder.as_deref().map(absolute).transpose()?,
    };
    let result = usage(&params)?;
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&result)?)?;
        return Ok(Outcome::Done);
    }
    let mut text = Vec::new();
    show(&mut text, &result)?;
    // What stands in notes may be a terminal's commands.
    write!(out, "{}", harmless(&String::from_utf8_lossy(&text)))?;
    Ok(Outcome::Done)
}

/// How long the daemon may take to count.
const PATIENCE: Duration = Duration::from_secs(10);

/// How the tags are used.
fn usage(params: &TagsParams) -> anyhow::Result<TagsResult> {
    let place = Place::of_this_build()?;
    let params = serde_json::to_value(params)?;
    let usage = super::block_on(async {
        let mut control = find_or_start(&place).await?;
        let usage = asked_patiently(&mut control, "gliznet/tags", &params, PATIENCE).await;
        control.leave().await;
        usage
    });
    Ok(usage?)
}

fn show(out: &mut dyn Write, result: &TagsResult) -> std::io::Result<()> {
    writeln!(out, "{} notes, {} tags", result.notes, result.tags.len())?;
    let longest = result.tags.iter().map(|tag| tag.tag.width()).max();
    let width = longest.unwrap_or(0).min(40);
    for tag in &result.tags {
        let mut of_them = Vec::new();
        if tag.machine > 0 {
            of_them.push(format!("{} by gliznet", tag.machine));
        }
        if tag.suggested > 0 {
            of_them.push(format!("{} more suggested", tag.suggested));
        }
        let line = format!(
            "  {} {:>6}  {}",
            padded(&tag.tag, width),
            tag.notes,
            of_them.join(", ")
        );
        writeln!(out, "{}", line.trim_end())?;
    }
    if !result.together.is_empty() {
        writeln!(out, "together")?;
        for pair in &result.together {
            writeln!(out, "  {:>6}  {} + {}", pair.notes, pair.tag, pair.with)?;
        }
    }
    if !result.unused.is_empty() {
        writeln!(out, "unused labels\n  {}", result.unused.join(", "))?;
    }
    if !result.similar.is_empty() {
        writeln!(out, "probably one")?;
        for similar in &result.similar {
            writeln!(out, "  {}: {}", similar.tag, similar.like.join(", "))?;
        }
    }
    Ok(())
}
