//! `gliznet model show`: one model with its files and checksums.

use std::io::Write as _;

use serde::Serialize;

use super::list::{ModelJson, Row, encoder, origin};
use super::{Here, aligned, same_model, size};
use crate::cli::Outcome;
use crate::model::store::{Dialect, ModelSource};

/// Shows what a model is: encoder, head, files and the weights' SHA-256.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name or folder of the model [default: the one that tags].
    #[arg(value_name = "NAME|DIR")]
    name: Option<String>,
    /// Print an object instead of lines.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct ShownJson {
    #[serde(flatten)]
    model: ModelJson,
    files: Vec<FileJson>,
}

#[derive(Serialize)]
struct FileJson {
    name: String,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

pub(super) fn run(args: &Args, here: &Here) -> anyhow::Result<Outcome> {
    let current = here.store.current(&here.settings()?);
    let (entry, is_current) = match &args.name {
        None => (current?, true),
        Some(name) => {
            let entry = here.store.find(name)?;
            let is_current = current.is_ok_and(|current| same_model(&entry, &current));
            (entry, is_current)
        }
    };
    let summary = here.store.summary(&entry.source)?;
    let hashes = here.store.weights_sha256(&entry.source)?;
    let mut out = anstream::stdout().lock();
    if args.json {
        let files = summary.files.iter().map(|file| FileJson {
            name: file.name.clone(),
            bytes: file.bytes,
            sha256: hashes
                .iter()
                .find(|(name, _)| *name == file.name)
                .map(|(_, h)| h.clone()),
        });
        let files = files.collect();
        let row = Row {
            entry,
            is_current,
            summary: Ok(summary),
        };
        let model = row.json();
        writeln!(
            out,
            "{}",
            serde_json::to_string_pretty(&ShownJson { model, files })?
        )?;
        return Ok(Outcome::Done);
    }
    let mark = if is_current {
        " (the one that tags)"
    } else {
        ""
    };
    writeln!(out, "{}{mark}", entry.name)?;
    let mut rows = Vec::new();
    let mut row = |key: &str, value: String| rows.push(vec![format!("  {key}"), value]);
    row("origin", origin(entry.origin).to_owned());
    if let ModelSource::Folder(path) = &entry.source {
        row("folder", path.display().to_string());
    }
    if let Some(record) = &summary.record {
        row("repository", record.repository_at_revision());
        row("commit", record.commit.clone());
        row("endpoint", record.endpoint.clone());
    }
    row("encoder", encoder(&summary));
    if let Some(model) = summary.backbone_model.clone().filter(|m| !m.is_empty()) {
        row("began as", model);
    }
    row("dialect", dialect(summary.dialect).to_owned());
    row("similarity", summary.similarity.clone());
    row("label attention", summary.label_attention.clone());
    row("calibration", yes(summary.has_calibration()));
    row("model card", yes(summary.has_card()));
    row("size", size(summary.bytes()));
    write!(out, "{}", aligned(&rows))?;
    writeln!(out, "\n  files")?;
    let files: Vec<Vec<String>> = summary
        .files
        .iter()
        .map(|file| {
            vec![
                format!("    {}", file.name),
                format!("{:>9}", size(file.bytes)),
            ]
        })
        .collect();
    write!(out, "{}", aligned(&files))?;
    for (name, hash) in hashes {
        writeln!(out, "\n  sha256 of {name}\n    {hash}")?;
    }
    out.flush()?;
    Ok(Outcome::Done)
}

pub(super) fn dialect(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Reference => "reference",
        Dialect::Own => "gliznet",
    }
}

fn yes(there: bool) -> String {
    if there { "yes" } else { "no" }.to_owned()
}
