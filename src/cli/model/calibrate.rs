//! `gliznet model calibrate`: fits what turns a checkpoint's cosines into probabilities.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::cli::setup::{ModelArgs, Surroundings};
use crate::cli::{Outcome, UsageError, complain};
use crate::engine::{Engine, EngineOptions};
use crate::learn::calibrate::{Draw, draw, samples};
use crate::learn::dataset::DataSet;
use crate::model::calibration::FILE_NAME;
use crate::model::calibration::fit::{Options, Report, Views, calibrate};
use crate::model::store::{Entry, ModelSource};

/// Fits a model's calibration on labelled data that it was not trained on, and stores it beside it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Files of rows `{"text", "labels"}`; each file is a label space of its own
    #[arg(value_name = "DATA", required = true)]
    data: Vec<PathBuf>,

    /// Further files, tagged as their authors pleased: they move how sure the model is and from where
    /// a label is a tag, and not its ranking
    #[arg(long, value_name = "DATA")]
    level: Vec<PathBuf>,

    /// Where the calibration goes; `calibration.json` in the model's folder if not given
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Most rows drawn from one file
    #[arg(long, value_name = "N", default_value_t = 300)]
    rows: usize,

    /// Most labels that a row meets
    #[arg(long, value_name = "N", default_value_t = 60)]
    labels: usize,

    /// Use the joint score alone, without what text and label say alone
    #[arg(long)]
    joint_only: bool,

    /// What the data is, for the record
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,

    /// Text tokens in a window; the checkpoint's own number if not given
    #[arg(long, value_name = "TOKENS")]
    window: Option<usize>,

    #[command(flatten)]
    model: ModelArgs,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let surroundings = Surroundings::here()?;
    let file = file(args, &args.model.entry(&surroundings)?)?;
    let model = args.model.load(&surroundings)?;
    let before = model.calibration().clone();
    let options = EngineOptions {
        window_tokens: args.window,
        max_windows: 4,
        ..EngineOptions::default()
    };
    let engine = Engine::new(model, options);
    let limits = Draw {
        rows: args.rows,
        labels: args.labels.max(2),
    };
    let (mut all, mut level, mut faults) = (Vec::new(), Vec::new(), 0);
    for (group, file) in args.data.iter().chain(&args.level).enumerate() {
        let set = DataSet::gather(file)?;
        let rows = set.cases()?.filter_map(|case| {
            case.map_err(|fault| {
                faults += 1;
                complain(fault);
            })
            .ok()
        });
        let cases = draw(rows, &limits);
        anstream::eprintln!("{}: {} rows", set.name, cases.len());
        let of = match group < args.data.len() {
            true => &mut all,
            false => &mut level,
        };
        of.extend(samples(&engine, &set, &cases, group as u32)?);
    }
    let fit = Options {
        views: if args.joint_only {
            Views::Joint
        } else {
            Views::All
        },
        ..Options::default()
    };
    let names = args
        .data
        .iter()
        .filter_map(|file| file.file_name())
        .map(|name| name.to_string_lossy());
    let note = args
        .note
        .clone()
        .unwrap_or_else(|| names.collect::<Vec<_>>().join(", "));
    let (calibration, report) = calibrate(&all, &level, &before, &fit, &note)?;
    calibration.write(&file)?;
    print(&report, &file)?;
    Ok(if faults == 0 {
        Outcome::Done
    } else {
        Outcome::SomeFailed
    })
}

/// Where the calibration goes: beside what it calibrates, where nobody says otherwise.
fn file(args: &Args, model: &Entry) -> anyhow::Result<PathBuf> {
    match (&args.out, &model.source) {
        (Some(out), _) => Ok(out.clone()),
        (None, ModelSource::Folder(folder)) => Ok(folder.join(FILE_NAME)),
        (None, ModelSource::Bundled) => Err(UsageError(
            "the bundled model has no folder to store a calibration in; say where it goes with --out FILE, \
             or calibrate a checkpoint with --model DIR"
                .to_owned(),
        )
        .into()),
    }
}

fn print(report: &Report, file: &Path) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    let fit = &report.fit;
    writeln!(
        out,
        "{} decisions, {} of them true",
        report.n_decisions, report.n_positives
    )?;
    writeln!(
        out,
        "log-odds = {:.4} joint + {:.4} embed + {:.4} tokens {:+.4}",
        fit.joint, fit.embed, fit.tokens, fit.bias
    )?;
    for (name, quality) in [("before", &report.before), ("after", &report.after)] {
        writeln!(
            out,
            "{name:7} log loss {:.4}, calibration error {:.4}",
            quality.log_loss, quality.error
        )?;
    }
    if let Some(level) = &report.level {
        writeln!(
            out,
            "level   log loss {:.4}, calibration error {:.4} (tagged as their authors pleased)",
            level.log_loss, level.error
        )?;
    }
    if let Some(cross) = &report.cross_validation {
        writeln!(
            out,
            "unseen  log loss {:.4}, calibration error {:.4} (label sets the fit had not seen; mean of folds {:.4})",
            cross.pooled.log_loss, cross.pooled.error, cross.mean_error
        )?;
    }
    let threshold = &report.threshold;
    let near = |margin| format!(", at most {margin} behind the best label");
    writeln!(
        out,
        "default threshold {:.3}{}: F1 {:.4} (at one half {:.4})",
        threshold.threshold.value(),
        threshold.margin.map(near).unwrap_or_default(),
        threshold.f1,
        threshold.f1_at_half
    )?;
    writeln!(out, "written to {}", file.display())?;
    Ok(())
}
