//! `gliznet model list`: the models that are here, the chosen one marked.

use std::io::Write as _;

use serde::Serialize;

use super::{Here, aligned, same_model, size};
use crate::cli::{Outcome, complain};
use crate::model::store::{Entry, ModelSource, Origin, Summary, Unfinished};

/// Lists the models on this machine; `*` marks the one that tags.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print an array of objects instead of a table.
    #[arg(long)]
    json: bool,
}

/// A model for other programs. Fields are only ever added.
#[derive(Serialize)]
pub(super) struct ModelJson {
    pub(super) name: String,
    pub(super) current: bool,
    pub(super) origin: &'static str,
    pub(super) path: Option<String>,
    pub(super) backbone: Option<String>,
    pub(super) backbone_model: Option<String>,
    pub(super) layers: Option<u64>,
    pub(super) hidden_size: Option<u64>,
    pub(super) dialect: Option<&'static str>,
    pub(super) similarity: Option<String>,
    pub(super) label_attention: Option<String>,
    pub(super) calibrated: Option<bool>,
    pub(super) model_card: Option<bool>,
    pub(super) bytes: Option<u64>,
    pub(super) repository: Option<String>,
    pub(super) revision: Option<String>,
    pub(super) commit: Option<String>,
    pub(super) error: Option<String>,
}

pub(super) fn run(args: &Args, here: &Here) -> anyhow::Result<Outcome> {
    let current = here.store.current(&here.settings()?);
    let mut entries = here.store.list()?;
    // A folder of the user's own is listed while it is the chosen one.
    if let Ok(current) = &current
        && !entries.iter().any(|entry| same_model(entry, current))
    {
        entries.push(Entry {
            name: current.name.clone(),
            origin: current.origin,
            source: current.source.clone(),
        });
    }
    let models: Vec<Row> = entries
        .into_iter()
        .map(|entry| Row {
            summary: here.store.summary(&entry.source).map_err(|e| e.to_string()),
            is_current: current
                .as_ref()
                .is_ok_and(|current| same_model(&entry, current)),
            entry,
        })
        .collect();
    let mut out = anstream::stdout().lock();
    if args.json {
        let models: Vec<ModelJson> = models.iter().map(Row::json).collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&models)?)?;
    } else {
        let rows: Vec<Vec<String>> = models.iter().map(Row::cells).collect();
        write!(out, "{}", aligned(&rows))?;
        for unfinished in here.store.unfinished()? {
            writeln!(out, "{}", how_to_go_on(&unfinished))?;
        }
    }
    out.flush()?;
    if let Err(error) = current {
        // Not a failure of `list`: what is here was listed, and this is what to do next.
        complain(format_args!("{:#}", anyhow::Error::from(error)));
    }
    for error in models
        .iter()
        .filter_map(|model| model.summary.as_ref().err())
    {
        complain(error);
    }
    let all_good = models.iter().all(|model| model.summary.is_ok());
    Ok(if all_good {
        Outcome::Done
    } else {
        Outcome::SomeFailed
    })
}

fn how_to_go_on(unfinished: &Unfinished) -> String {
    let Unfinished {
        name,
        repository,
        bytes,
    } = unfinished;
    let name_option = match repository
        .split('@')
        .next()
        .and_then(|id| id.rsplit('/').next())
    {
        Some(last) if last == name => String::new(),
        _ => format!(" --name {name}"),
    };
    let here = size(*bytes);
    format!(
        "  {name}: unfinished, {here} are here; `gliznet model pull {repository}{name_option}` goes on"
    )
}

pub(super) struct Row {
    pub(super) entry: Entry,
    pub(super) is_current: bool,
    pub(super) summary: Result<Summary, String>,
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let mark = if self.is_current { "*" } else { " " };
        let mut cells = vec![format!("{mark} {}", self.entry.name)];
        cells.push(origin(self.entry.origin).to_owned());
        match &self.summary {
            Ok(summary) => cells.extend([
                size(summary.bytes()),
                encoder(summary),
                summary.similarity.clone(),
                format!("{} labels", summary.label_attention),
                if summary.has_calibration() {
                    "calibrated"
                } else {
                    "uncalibrated"
                }
                .to_owned(),
                summary
                    .record
                    .as_ref()
                    .map_or_else(String::new, |r| r.repository_at_revision()),
            ]),
            Err(_) => cells.push("broken".to_owned()), // Why is told below the table.
        }
        cells
    }

    pub(super) fn json(&self) -> ModelJson {
        let summary = self.summary.as_ref().ok();
        let record = summary.and_then(|s| s.record.as_ref());
        ModelJson {
            name: self.entry.name.clone(),
            current: self.is_current,
            origin: origin(self.entry.origin),
            path: match &self.entry.source {
                ModelSource::Bundled => None,
                ModelSource::Folder(path) => Some(path.display().to_string()),
            },
            backbone: summary.map(|s| s.backbone.clone()),
            backbone_model: summary.and_then(|s| s.backbone_model.clone()),
            layers: summary.and_then(|s| s.layers),
            hidden_size: summary.and_then(|s| s.hidden_size),
            dialect: summary.map(|s| super::show::dialect(s.dialect)),
            similarity: summary.map(|s| s.similarity.clone()),
            label_attention: summary.map(|s| s.label_attention.clone()),
            calibrated: summary.map(Summary::has_calibration),
            model_card: summary.map(Summary::has_card),
            bytes: summary.map(Summary::bytes),
            repository: record.map(|r| r.repository.clone()),
            revision: record.map(|r| r.revision.clone()),
            commit: record.map(|r| r.commit.clone()),
            error: self.summary.as_ref().err().cloned(),
        }
    }
}

pub(super) fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Bundled => "bundled",
        Origin::Pulled => "pulled",
        Origin::Folder => "folder",
    }
}

/// `bert 6×384`: kind, depth and width of the encoder.
pub(super) fn encoder(summary: &Summary) -> String {
    let number = |n: Option<u64>| n.map_or_else(|| "?".to_owned(), |n| n.to_string());
    let (layers, hidden) = (number(summary.layers), number(summary.hidden_size));
    format!("{} {layers}×{hidden}", summary.backbone)
}
