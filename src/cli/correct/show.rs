//! What was said of notes, for people and for scripts.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::Format;
use crate::cli::whose::tell_uncounted;
use crate::cli::{complain, remark};

const FILE: Style = Style::new().bold();
const FITS: Style = AnsiColor::Green.on_default();
const FITS_NOT: Style = AnsiColor::Red.on_default();
const QUIET: Style = Style::new().dimmed();

/// What was said of a file, for scripts. A rename inside cannot change it.
#[derive(Debug, Default, Serialize)]
pub(super) struct Record {
    /// Null for standard input.
    pub(super) path: Option<String>,
    /// The number in the journal; null where nothing was recorded.
    pub(super) sequence: Option<u64>,
    pub(super) accepted: Vec<String>,
    pub(super) rejected: Vec<String>,
    /// Tags that are no labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) ignored: Vec<String>,
    /// Tags that GliZNet wrote and nobody has agreed with: they say nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) machine: Vec<String>,
    /// Why nothing was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unsaid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
}

impl Record {
    /// Whether something is said in it.
    pub(super) fn is_verdict(&self) -> bool {
        self.unsaid.is_none() && self.error.is_none()
    }

    /// The same, of which nothing is recorded.
    pub(super) fn unsaid(self, reason: String) -> Record {
        Record {
            unsaid: Some(reason),
            ..self
        }
    }
}

/// Writes records as they come.
pub(super) struct Printer {
    format: Format,
    written: usize,
}

impl Printer {
    pub(super) fn new(format: Format) -> Printer {
        Printer { format, written: 0 }
    }

    pub(super) fn record(&mut self, record: &Record) -> anyhow::Result<()> {
        if let Some(error) = &record.error {
            complain(error);
        }
        let mut out = anstream::stdout().lock();
        match self.format {
            // Of a vault most notes may be left out; how many is said at the end.
            Format::Text if record.is_verdict() || is_told(record) => {
                write!(out, "{}", text(record))?;
            }
            Format::Text => {}
            Format::Json => {
                let before = if self.written == 0 { "[\n" } else { ",\n" };
                write!(out, "{before}{}", serde_json::to_string(record)?)?;
            }
            Format::Jsonl => writeln!(out, "{}", serde_json::to_string(record)?)?,
        }
        self.written += 1;
        Ok(out.flush()?)
    }

    pub(super) fn finish(&self) -> io::Result<()> {
        let mut out = anstream::stdout().lock();
        match (self.format, self.written) {
            (Format::Json, 0) => writeln!(out, "[]"),
            (Format::Json, _) => writeln!(out, "\n]"),
            (Format::Text | Format::Jsonl, _) => Ok(()),
        }
    }
}

/// Whether a note of which nothing is recorded is named: with `--verbose`.
fn is_told(record: &Record) -> bool {
    record.error.is_none() && tracing::enabled!(tracing::Level::INFO)
}

fn text(record: &Record) -> String {
    let place = record.path.as_deref().unwrap_or("standard input");
    let mut parts = vec![format!("{FILE}{place}{FILE:#}")];
    if let Some(reason) = &record.unsaid {
        parts.push(format!("{QUIET}left out: {reason}{QUIET:#}"));
    } else {
        let fits = record.accepted.iter();
        parts.extend(fits.map(|label| format!("{FITS}+{label}{FITS:#}")));
        let fits_not = record.rejected.iter();
        parts.extend(fits_not.map(|label| format!("{FITS_NOT}-{label}{FITS_NOT:#}")));
    }
    if !record.ignored.is_empty() {
        let names = record.ignored.join(", ");
        parts.push(format!("{QUIET}(no labels: {names}){QUIET:#}"));
    }
    parts.join("  ") + "\n"
}

/// What became of the inputs.
#[derive(Debug, Default)]
pub(super) struct Tally {
    recorded: usize,
    /// Those that were left out, by why.
    unsaid: BTreeMap<String, usize>,
    /// Tags of the machine.
    machine: usize,
    pub(super) failed: usize,
}

impl Tally {
    pub(super) fn count(&mut self, record: &Record) {
        self.machine += record.machine.len();
        match (&record.error, &record.unsaid) {
            (Some(_), _) => self.failed += 1,
            (None, Some(reason)) => *self.unsaid.entry(reason.clone()).or_default() += 1,
            (None, None) => self.recorded += 1,
        }
    }

    pub(super) fn conclude(&self, dry_run: bool) {
        if self.recorded == 0 && self.unsaid.is_empty() {
            return; // All that happened was complained of.
        }
        tell_uncounted(self.machine);
        for line in self.left_out() {
            remark(line);
        }
        let corrections = match self.recorded {
            1 => "1 correction".to_owned(),
            n => format!("{n} corrections"),
        };
        let left_out = match self.unsaid.values().sum::<usize>() {
            0 => String::new(),
            n => format!(", {n} left out"),
        };
        match dry_run {
            true => remark(format!(
                "{corrections} would be recorded{left_out}; nothing was"
            )),
            false => remark(format!("{corrections} recorded{left_out}")),
        }
    }

    /// A line for each reason.
    fn left_out(&self) -> Vec<String> {
        let reasons = self.unsaid.iter().map(|(reason, notes)| match notes {
            1 => format!("left out: 1 note: {reason}"),
            n => format!("left out: {n} notes: {reason}"),
        });
        reasons.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_out_is_counted_by_reason() {
        let mut tally = Tally::default();
        for reason in ["it was said before", "no tags", "it was said before"] {
            tally.count(&Record::default().unsaid(reason.to_owned()));
        }
        assert_eq!(
            tally.left_out(),
            [
                "left out: 2 notes: it was said before",
                "left out: 1 note: no tags"
            ]
        );
    }
}
