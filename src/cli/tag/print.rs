//! Writes tagged documents in one of the forms, each as soon as it is there.
//!
//! Invariant: whatever happens to single documents, the JSON array is closed and every input has
//! its element.

use std::io::{self, Write};

use super::super::diff;
use super::Format;
use super::record::{Explained, FailedFile, Tagged};
use super::render::{self, Style, document};

/// The output of one run.
pub(super) struct Printer {
    format: Format,
    style: Style,
    written: usize,
}

impl Printer {
    pub(super) fn new(format: Format, style: Style) -> Printer {
        Printer {
            format,
            style,
            written: 0,
        }
    }

    pub(super) fn document(
        &mut self,
        tagged: &Tagged,
        title: Option<&str>,
        explained: &[Explained],
    ) -> anyhow::Result<()> {
        match (self.format, &tagged.written) {
            (Format::Text, Some(written)) => match &written.diff {
                Some(diff) => Ok(diff::show(diff)?),
                None => {
                    let mut out = anstream::stdout().lock();
                    write!(out, "{}", render::written(tagged, written, title))?;
                    Ok(out.flush()?)
                }
            },
            (Format::Text, None) => {
                let mut out = anstream::stdout().lock();
                // Documents of many lines are easier to tell apart with a blank line between.
                if self.written > 0 && self.style.is_tall() {
                    writeln!(out)?;
                }
                write!(out, "{}", document(tagged, title, explained, &self.style))?;
                out.flush()?;
                self.written += 1;
                Ok(())
            }
            (Format::Json | Format::Jsonl, _) => self.element(&serde_json::to_string(tagged)?),
        }
    }

    /// A script gets the failure where it would have got the tags; a person reads it on standard error.
    pub(super) fn failure(&mut self, path: Option<&str>, error: &str) -> anyhow::Result<()> {
        match self.format {
            Format::Text => Ok(()),
            Format::Json | Format::Jsonl => {
                self.element(&serde_json::to_string(&FailedFile { path, error })?)
            }
        }
    }

    fn element(&mut self, json: &str) -> anyhow::Result<()> {
        // Not through anstream: it takes what looks like terminal commands out of names.
        let mut out = io::stdout().lock();
        match (self.format, self.written) {
            (Format::Json, 0) => write!(out, "[\n{json}")?,
            (Format::Json, _) => write!(out, ",\n{json}")?,
            _ => writeln!(out, "{json}")?,
        }
        out.flush()?;
        self.written += 1;
        Ok(())
    }

    pub(super) fn finish(&mut self) -> anyhow::Result<()> {
        if self.format == Format::Json {
            let end = if self.written == 0 { "[]" } else { "\n]" };
            writeln!(io::stdout().lock(), "{end}")?;
        }
        Ok(())
    }
}
