//! A text that something is said of: an input in; what the daemon is told of it, and what it
//! answered, out.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use serde_json::Value;

use super::show::Record;
use crate::cli::setup::{Surroundings, binary, io_fact, read_up_to, shown};
use crate::cli::tag::inputs::Input;
use crate::cli::typed::tag_names;
use crate::daemon::DaemonError;
use crate::desk::name::uri_of;
use crate::desk::protocol::{CorrectParams, CorrectResult};
use crate::document::{Document, Format as Markup, decode};

/// A note that somebody wrote is smaller.
const MOST_BYTES: u64 = 4 << 20;

/// A text that something is said of.
pub(super) struct Note {
    path: Option<String>,
    /// Its file, as the journal names it.
    uri: Option<String>,
    /// The same, where it is one.
    pub(super) file: Option<PathBuf>,
    markup: Markup,
    text: String,
    /// The tags in its front matter.
    pub(super) tags: Vec<String>,
}

/// Why there is no note.
pub(super) enum NoNote {
    /// Place, fact and cure.
    Fault(String),
    /// The file was met in a folder, and is none that somebody tags.
    Odd { path: String, reason: String },
    /// There is no text in it.
    Empty { path: Option<String> },
}

impl NoNote {
    /// The same, where a note may have nothing to say.
    pub(super) fn of_front_matter(self) -> NoNote {
        match self {
            NoNote::Empty { path: Some(path) } => NoNote::Odd {
                path,
                reason: "there is no text".to_owned(),
            },
            other => other,
        }
    }

    pub(super) fn record(self) -> Record {
        match self {
            NoNote::Fault(error) => Record {
                error: Some(error),
                ..Record::default()
            },
            NoNote::Odd { path, reason } => Record {
                path: Some(path),
                unsaid: Some(reason),
                ..Record::default()
            },
            NoNote::Empty { path } => Record {
                error: Some(format!(
                    "{}: there is no text, so there is nothing to learn from; write some, or leave it out",
                    path.as_deref().unwrap_or("standard input")
                )),
                ..Record::default()
            },
        }
    }
}

/// Reads an input; or says place, fact and cure.
pub(super) fn note(input: Result<Input, String>) -> Result<Note, NoNote> {
    let (path, is_found) = match input.map_err(NoNote::Fault)? {
        Input::Stdin => (None, false),
        Input::File(path) => (Some(path), false),
        Input::Found(path) => (Some(path), true),
    };
    let place = path.as_deref().map(shown);
    let place = place.unwrap_or_else(|| "standard input".to_owned());
    let at = |fact: String| NoNote::Fault(format!("{place}: {fact}"));
    // What nobody named is no fault, whatever it is.
    let odd = |reason: String, fault: String| match is_found {
        true => NoNote::Odd {
            path: place.clone(),
            reason,
        },
        false => at(fault),
    };
    let read = match &path {
        None => read_up_to(io::stdin().lock(), MOST_BYTES),
        Some(path) => File::open(path).and_then(|file| read_up_to(file, MOST_BYTES)),
    };
    let (bytes, more) = read.map_err(|error| at(io_fact(&error)))?;
    if more {
        let fact = format!("more than {} MiB", MOST_BYTES >> 20);
        let cure = "give the part of it that matters on standard input";
        return Err(odd(fact.clone(), format!("{fact}; {cure}")));
    }
    let decoded = decode(&bytes).map_err(|error| odd(binary(&error), error.to_string()));
    let text = decoded?.text;
    let markup = path.as_deref().map_or(Markup::Markdown, Markup::from_path);
    let document = Document::parse(markup, text.as_str());
    if document.text().trim().is_empty() {
        let path = path.map(|_| place.clone());
        return Err(NoNote::Empty { path });
    }
    let full = path.as_ref().map(|path| path.canonicalize());
    let full = full.transpose().map_err(|error| at(io_fact(&error)))?;
    let front = document.front_matter();
    Ok(Note {
        tags: front.map_or_else(Vec::new, |front| front.tags.clone()),
        uri: full.as_deref().map(uri_of),
        file: full,
        path: path.map(|_| place),
        markup,
        text,
    })
}

impl Note {
    /// What the daemon is told of it, but for what is said.
    pub(super) fn params(
        &self,
        labels: Option<&str>,
        labelset: Option<&str>,
        surroundings: &Surroundings,
    ) -> CorrectParams {
        let names = |list: &str| tag_names(list).collect();
        // A file's own folder says what its labels are; a text without one is of this folder.
        let of_here = surroundings.settings.labelset.as_ref();
        let of_here = of_here.filter(|_| self.uri.is_none() && labels.is_none());
        CorrectParams {
            text: Some(self.text.clone()),
            format: Some(self.markup.name().to_owned()),
            uri: self.uri.clone(),
            source: Some("command-line".to_owned()),
            labels: labels.map(names),
            labelset: labelset
                .map(str::to_owned)
                .or_else(|| of_here.map(|chosen| chosen.value.clone())),
            ..CorrectParams::default()
        }
    }

    /// Of which nobody was asked.
    pub(super) fn unasked(&self) -> Record {
        Record {
            path: self.path.clone(),
            ..Record::default()
        }
    }

    pub(super) fn failed(&self, reason: &str) -> Record {
        let place = self.path.as_deref().unwrap_or("standard input");
        Record {
            error: Some(format!("{place}: {reason}")),
            ..self.unasked()
        }
    }

    /// What the daemon answered.
    pub(super) fn record(&self, answer: Value) -> Result<Record, DaemonError> {
        let odd = |error: serde_json::Error| DaemonError::Odd(error.to_string());
        let result: CorrectResult = serde_json::from_value(answer).map_err(odd)?;
        Ok(Record {
            sequence: (result.sequence > 0).then_some(result.sequence),
            accepted: result.accepted,
            rejected: result.rejected,
            ignored: result.ignored,
            unsaid: result.unsaid,
            ..self.unasked()
        })
    }
}
