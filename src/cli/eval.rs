//! `gliznet eval`: a model on labelled data, one file or a folder of them.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use unicode_width::UnicodeWidthStr;

use super::columns::padded;
use super::setup::{ModelArgs, Surroundings};
use super::typed::{count, unit_interval};
use super::{Outcome, UsageError, complain, remark, sentence};
use crate::engine::{Engine, EngineOptions};
use crate::learn::dataset::{DataSet, Suite};
use crate::learn::evaluation::{Evaluation, Headline, Task, Thresholds, evaluate};
use crate::learn::scoring::score;

/// Measures a model on labelled data.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Rows `{"text", "labels"}`, JSON Lines or Parquet, gzipped or not
    #[arg(
        value_name = "DATA",
        required_unless_present = "suite",
        conflicts_with = "suite"
    )]
    data: Option<PathBuf>,

    /// All labels of the data, a JSON array; NAME.labels.json beside DATA if not given, else those that its rows name
    #[arg(long, value_name = "LABELS.json", conflicts_with = "suite")]
    labels: Option<PathBuf>,

    /// A folder of NAME.jsonl[.gz] or NAME.parquet with NAME.labels.json: a table over all of them and their mean
    #[arg(long, value_name = "DIR")]
    suite: Option<PathBuf>,

    /// Score every row against all labels, even where its site has a label list of its own, or the
    /// row brings its candidates (`all_labels`, or `accepted` and `rejected`)
    #[arg(long)]
    all_labels: bool,

    /// Labels exclude each other
    #[arg(long)]
    multi_class: bool,

    /// The threshold that counts as the default; the model's own if not given
    #[arg(long, value_name = "SCORE", value_parser = unit_interval)]
    threshold: Option<f32>,

    /// Only the first rows of each file
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    limit: Option<usize>,

    /// Text tokens in a window; the checkpoint's own number if not given
    #[arg(long, value_name = "TOKENS", value_parser = count, allow_negative_numbers = true)]
    window: Option<usize>,

    /// Write everything as JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    model: ModelArgs,
}

/// One data set, measured.
struct Measured {
    name: String,
    evaluation: Evaluation,
    labels: Vec<String>,
    bad_rows: usize,
    /// Labels that could not be scored, and count as absent.
    unscored: Vec<String>,
    seconds: f64,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let surroundings = Surroundings::here()?;
    let (sets, mut failed) = data_sets(args)?;
    let model = args.model.load(&surroundings)?;
    let options = EngineOptions {
        multi_class: args.multi_class,
        compat: args.model.compat,
        window_tokens: args.window,
        ..EngineOptions::default()
    };
    let engine = Engine::new(model, options);
    let mut measured = Vec::new();
    for set in sets {
        match measure(args, &engine, set) {
            Ok(one) => measured.push(one),
            Err(error) => failed.push(error),
        }
    }
    let faults = failed.len();
    if measured.is_empty()
        && let Some(last) = failed.pop()
    {
        failed.iter().for_each(|error| complain(sentence(error)));
        return Err(last);
    }
    failed.iter().for_each(|error| complain(sentence(error)));
    let mut out = anstream::stdout().lock();
    if args.json {
        writeln!(out, "{:#}", as_json(args, &engine, &measured))?;
    } else if args.suite.is_some() {
        print_table(&measured, &mut out)?;
    } else {
        measured
            .iter()
            .try_for_each(|one| print_one(one, &mut out))?;
    }
    let of_sets = measured.iter().map(|one| one.bad_rows + one.unscored.len());
    Ok(if faults + of_sets.sum::<usize>() == 0 {
        Outcome::Done
    } else {
        Outcome::SomeFailed
    })
}

/// What is measured, and why the rest of a suite cannot be.
fn data_sets(args: &Args) -> anyhow::Result<(Vec<DataSet>, Vec<anyhow::Error>)> {
    if let Some(data) = args.data.as_ref().filter(|data| data.is_dir()) {
        let data = data.display();
        let message = format!("{data}: a folder; `--suite {data}` measures all sets in it");
        return Err(UsageError(message).into());
    }
    let mut faults = Vec::new();
    let mut sets = match (&args.suite, &args.data, &args.labels) {
        (Some(dir), ..) => {
            let suite = Suite::open(dir)?;
            faults.extend(suite.faults.into_iter().map(anyhow::Error::from));
            suite.sets
        }
        (None, Some(data), Some(labels)) => vec![DataSet::open(data, labels)?],
        (None, Some(data), None) => {
            let (set, labels) = DataSet::find(data)?;
            if let Some(labels) = labels {
                remark(format_args!(
                    "rows of {} are scored against the labels of {}",
                    data.display(),
                    labels.display()
                ));
            }
            vec![set]
        }
        (None, None, _) => {
            return Err(UsageError("no data; name a file of rows, or --suite DIR".into()).into());
        }
    };
    if args.all_labels {
        sets.iter_mut().for_each(DataSet::score_all_labels);
    }
    Ok((sets, faults))
}

fn measure(args: &Args, engine: &Engine, set: DataSet) -> anyhow::Result<Measured> {
    let limit = args.limit.unwrap_or(usize::MAX);
    // The rows are read twice, so that no text lies in memory but what is being scored.
    let (mut rows, mut bad_rows) = (0, 0);
    for case in set.cases()?.take(limit) {
        match case {
            Ok(_) => rows += 1,
            Err(fault) => {
                bad_rows += 1;
                complain(fault);
            }
        }
    }
    let progress = progress(&set.name, rows);
    let start = Instant::now();
    let cases = set.cases()?.take(limit).filter_map(Result::ok);
    let scores = score(engine, &set, cases, |n| progress.inc(n as u64))
        .with_context(|| set.data.display().to_string())?;
    let seconds = start.elapsed().as_secs_f64();
    progress.finish_and_clear();
    for reason in scores.unscored.values() {
        complain(format_args!(
            "{}: not scored, so counted as absent: {reason}",
            set.data.display()
        ));
    }
    let threshold = args
        .threshold
        .unwrap_or_else(|| engine.default_threshold().value());
    let task = if args.multi_class {
        Task::MultiClass
    } else {
        Task::MultiLabel
    };
    // Whoever asks for a threshold wants it alone.
    let margin = engine.margin().filter(|_| args.threshold.is_none());
    let thresholds = Thresholds::single(threshold).with_margin(margin);
    let evaluation = evaluate(&scores.rows, &thresholds, task).ok_or_else(|| {
        anyhow::anyhow!(
            "{}: no usable row; see docs/evaluation.md for the format",
            set.data.display()
        )
    })?;
    Ok(Measured {
        name: set.name,
        evaluation,
        labels: set.labels.names().to_vec(),
        bad_rows,
        unscored: scores
            .unscored
            .keys()
            .map(|label| set.labels.names()[*label as usize].clone())
            .collect(),
        seconds,
    })
}

fn progress(name: &str, rows: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} {bar:24} {pos}/{len} rows, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(rows)
        .with_style(style)
        .with_message(name.to_owned())
}

impl Measured {
    fn rows_per_second(&self) -> f64 {
        self.evaluation.n_rows as f64 / self.seconds.max(1e-9)
    }
}

fn as_json(args: &Args, engine: &Engine, measured: &[Measured]) -> serde_json::Value {
    let one = |m: &Measured| {
        let mut value = m.evaluation.to_json(&m.labels);
        value["name"] = json!(m.name);
        value["model"] = json!(format!(
            "{}@{}",
            engine.model().name(),
            &engine.model().fingerprint()[..8]
        ));
        value["bad_rows"] = json!(m.bad_rows);
        value["unscored"] = json!(m.unscored);
        value["documents_per_second"] = json!(m.rows_per_second());
        value
    };
    if args.suite.is_none() && measured.len() == 1 {
        return one(&measured[0]);
    }
    let headlines: Vec<Headline> = measured.iter().map(|m| m.evaluation.headline()).collect();
    json!({
        "sets": measured.iter().map(one).collect::<Vec<_>>(),
        "mean": Headline::mean(&headlines).to_json(),
    })
}

/// One line a set, and their mean.
fn print_table(measured: &[Measured], out: &mut impl Write) -> std::io::Result<()> {
    let width = measured
        .iter()
        .map(|m| m.name.width())
        .max()
        .unwrap_or(0)
        .max("mean".len());
    let headlines: Vec<Headline> = measured.iter().map(|m| m.evaluation.headline()).collect();
    let columns: Vec<&str> = Headline::default()
        .columns()
        .iter()
        .map(|(title, _)| *title)
        .collect();
    write!(out, "{:width$}  {:>6}", "set", "rows")?;
    columns
        .iter()
        .try_for_each(|title| write!(out, "  {title:>7}"))?;
    writeln!(out, "  {:>6}", "docs/s")?;
    for (m, headline) in measured.iter().zip(&headlines) {
        write!(
            out,
            "{}  {:>6}",
            padded(&m.name, width),
            m.evaluation.n_rows
        )?;
        print_numbers(headline, &columns, out)?;
        writeln!(out, "  {:>6.1}", m.rows_per_second())?;
    }
    write!(out, "{:width$}  {:>6}", "mean", "")?;
    print_numbers(&Headline::mean(&headlines), &columns, out)?;
    writeln!(out)
}

fn print_numbers(
    headline: &Headline,
    columns: &[&str],
    out: &mut impl Write,
) -> std::io::Result<()> {
    for ((_, value), title) in headline.columns().iter().zip(columns) {
        let width = title.len().max(7);
        match value {
            Some(value) => write!(out, "  {value:>width$.3}")?,
            None => write!(out, "  {:>width$}", "–")?,
        }
    }
    Ok(())
}

fn print_one(m: &Measured, out: &mut impl Write) -> std::io::Result<()> {
    let e = &m.evaluation;
    let best = e.at_best.as_ref();
    writeln!(
        out,
        "{}: {} rows, {} labels, {:.1} documents a second",
        m.name,
        e.n_rows,
        e.n_labels,
        m.rows_per_second()
    )?;
    let mut line = |name: &str, value: Option<f64>| match value {
        Some(value) => writeln!(out, "  {name:34} {value:>7.4}"),
        None => writeln!(out, "  {name:34} {:>7}", "–"),
    };
    for (title, decisions, threshold) in [
        ("default", Some(&e.at_default), Some(e.default_threshold)),
        ("best", best, e.best_threshold),
    ] {
        let micro = decisions.map(|d| d.micro);
        let mean = decisions.map(|d| d.macro_mean);
        line(&format!("{title} threshold"), threshold.map(f64::from))?;
        line("  precision, micro", micro.map(|p| p.precision))?;
        line("  recall, micro", micro.map(|p| p.recall))?;
        line("  F1, micro", micro.map(|p| p.f1))?;
        line("  precision, macro", mean.map(|p| p.precision))?;
        line("  recall, macro", mean.map(|p| p.recall))?;
        line("  F1, macro", mean.map(|p| p.f1))?;
        line("  MCC", decisions.map(|d| d.mcc))?;
        line("  Hamming loss", decisions.map(|d| d.hamming_loss))?;
        line("  exact match", decisions.map(|d| d.exact_match))?;
        line("  tags a row", decisions.map(|d| d.mean_tags))?;
        line("  rows without a tag", decisions.map(|d| d.share_untagged))?;
    }
    line("LRAP", Some(e.ranking.lrap))?;
    line("top-1", e.ranking.top_1)?;
    line("ROC AUC, macro", e.ranking.roc_auc_macro)?;
    line("ROC AUC, micro", e.ranking.roc_auc_micro)?;
    line(
        "average precision, macro",
        e.ranking.average_precision_macro,
    )?;
    line(
        "expected calibration error",
        Some(e.calibration.equal_width.error()),
    )?;
    if let Some(classes) = &e.multi_class {
        line("accuracy", Some(classes.accuracy))?;
        line("macro-F1 of classes", Some(classes.macro_f1))?;
        line("MCC of classes", Some(classes.mcc))?;
    }
    Ok(())
}
