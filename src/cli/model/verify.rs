//! `gliznet model verify`: a checkpoint against its golden cases, stage by stage.

use std::io::Write;
use std::path::PathBuf;

use anstyle::{AnsiColor, Style};

use super::aligned;
use crate::cli::setup::{DeviceArg, PrecisionArg};
use crate::cli::{Outcome, UsageError, remark};
use crate::model::LoadOptions;
use crate::model::device::choose;
use crate::model::verify::{Report, Stage, verify, verify_with};

const OK: Style = AnsiColor::Green.on_default();
const FAILED: Style = AnsiColor::Red.on_default().bold();

/// Compares a checkpoint's numbers with the golden cases beside it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The checkpoint folder
    dir: PathBuf,

    /// The golden cases; `cases.json` in the folder if not given
    #[arg(long, value_name = "FILE")]
    cases: Option<PathBuf>,

    /// Where the model runs; the processor if not given
    #[arg(long, value_enum, value_name = "DEVICE")]
    device: Option<DeviceArg>,

    /// What the encoder computes in
    #[arg(long, value_enum, value_name = "PRECISION", default_value_t = PrecisionArg::F32)]
    precision: PrecisionArg,

    /// Write the report as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let mut options = LoadOptions {
        precision: args.precision.precision(),
        ..LoadOptions::default()
    };
    if let Some(wanted) = args.device {
        let chosen = choose(wanted.choice()).map_err(|error| UsageError(error.to_string()))?;
        remark(format_args!(
            "the model runs on the {}: {}",
            chosen.name, chosen.why
        ));
        options.device = chosen.device;
    }
    let report = match &args.cases {
        Some(cases) => verify_with(&args.dir, cases, &options)?,
        None => verify(&args.dir, &options)?,
    };
    let mut out = anstream::stdout().lock();
    if args.json {
        let json = serde_json::json!({ "passed": report.passed(), "cases": report.cases, "stages": report.stages });
        writeln!(out, "{json:#}")?;
    } else {
        print(&report, &mut out)?;
    }
    Ok(if report.passed() {
        Outcome::Done
    } else {
        Outcome::SomeFailed
    })
}

fn print(report: &Report, out: &mut impl Write) -> std::io::Result<()> {
    let head = [
        "stage",
        "compared",
        "largest deviation",
        "tolerance",
        "worst",
    ]
    .map(str::to_owned)
    .to_vec();
    let rows = std::iter::once(head)
        .chain(report.stages.iter().map(row))
        .collect::<Vec<_>>();
    let table = aligned(&rows);
    let mut lines = table.lines();
    writeln!(out, "        {}", lines.next().unwrap_or_default())?;
    for (stage, line) in report.stages.iter().zip(lines) {
        let (style, verdict) = if stage.passed {
            (OK, "ok    ")
        } else {
            (FAILED, "FAILED")
        };
        writeln!(out, "{style}{verdict}{style:#}  {line}")?;
    }
    let failed = report.stages.iter().filter(|stage| !stage.passed).count();
    match failed {
        0 => writeln!(
            out,
            "{} cases, every stage within its tolerance",
            report.cases
        ),
        n => writeln!(
            out,
            "{} cases, {n} of {} stages out of tolerance",
            report.cases,
            report.stages.len()
        ),
    }
}

fn row(stage: &Stage) -> Vec<String> {
    let number = |value: f64| {
        if value == 0.0 {
            "0".to_owned()
        } else {
            format!("{value:.1e}")
        }
    };
    vec![
        stage.name.to_owned(),
        stage.compared.to_string(),
        number(stage.deviation),
        number(stage.tolerance),
        stage.worst.clone().unwrap_or_default(),
    ]
}
