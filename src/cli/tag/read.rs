//! One input read and parsed: a file or standard input in; a document out, or one sentence why not.
//!
//! Invariant: of a file of any size only the beginning is held, and whoever asks is told so; a file
//! that is to be written is read whole, or refused.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::setup::{binary, io_fact, read_up_to, shown};
use super::inputs::Input;
use crate::desk::name::uri_of;
use crate::document::{DecodeError, Document, Format, decode};
use crate::engine::Passage;
use crate::sink::{self, ContentHash};

/// Bytes of a file that are read: far more than all windows of any model hold.
const MOST_BYTES: u64 = 4 << 20;

/// One input, read.
pub(super) struct Read {
    /// The file; `None` for standard input.
    pub(super) path: Option<String>,
    /// Its text, or why there is none.
    pub(super) text: Result<Text, Unread>,
}

/// Why an input has no text.
pub(super) enum Unread {
    /// The place, the fact and the cure.
    Fault(String),
    /// Nobody named it, and it is no text.
    LeftOut(String),
}

/// Why bytes are no text.
#[derive(Debug)]
enum NoText {
    Fault(String),
    Binary(DecodeError),
}

impl NoText {
    /// What it means for an input at this place.
    fn at(self, place: &str, is_found: bool) -> Unread {
        match self {
            NoText::Fault(fact) => Unread::Fault(format!("{place}: {fact}")),
            NoText::Binary(error) if is_found => {
                Unread::LeftOut(format!("{place}: {}", binary(&error)))
            }
            NoText::Binary(error) => Unread::Fault(format!("{place}: {error}")),
        }
    }
}

/// A document with what the model reads of it.
pub(super) struct Text {
    pub(super) document: Document,
    pub(super) passage: Passage,
    /// Whether the input goes on after what was read.
    pub(super) partly: bool,
    /// The file's name in the journal.
    pub(super) name: Option<Arc<str>>,
    /// The file that can be written, and what its bytes were.
    pub(super) file: Option<(PathBuf, ContentHash)>,
}

/// What inputs are read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To be shown what they are.
    Show {
        /// Texts are taken as they stand, as the reference does.
        compat: bool,
    },
    /// To be written: all of a file is read, or none.
    Write,
}

/// Reads one input.
pub(super) fn read(input: Result<Input, String>, purpose: Purpose) -> Read {
    match input {
        Ok(Input::File(path)) => Read {
            text: file(&path, purpose, false),
            path: Some(shown(&path)),
        },
        Ok(Input::Found(path)) => Read {
            text: file(&path, purpose, true),
            path: Some(shown(&path)),
        },
        Ok(Input::Stdin) => Read {
            path: None,
            text: parse(io::stdin().lock(), Format::Markdown, purpose)
                .map_err(|fact| fact.at("standard input", false)),
        },
        Err(error) => Read {
            path: None,
            text: Err(Unread::Fault(error)),
        },
    }
}

fn file(path: &Path, purpose: Purpose, is_found: bool) -> Result<Text, Unread> {
    let format = Format::from_path(path);
    let full = path.canonicalize();
    let name = full.ok().map(|full| Arc::from(uri_of(&full)));
    let at = |fact: NoText| fact.at(&shown(path), is_found);
    if purpose == Purpose::Write {
        let (bytes, hash) = sink::read(path).map_err(|error| Unread::Fault(error.to_string()))?;
        let mut text = parse(&bytes[..], format, purpose).map_err(at)?;
        text.file = Some((path.to_path_buf(), hash));
        text.name = name;
        return Ok(text);
    }
    let file = File::open(path).map_err(|error| match link_target(path) {
        Some(target) if error.kind() == io::ErrorKind::NotFound => at(NoText::Fault(format!(
            "a link to {target}, which is not there; mend or remove the link"
        ))),
        _ => at(NoText::Fault(io_fact(&error))),
    })?;
    let mut text = parse(file, format, purpose).map_err(at)?;
    text.name = name;
    Ok(text)
}

/// Where a symbolic link points.
fn link_target(path: &Path) -> Option<String> {
    std::fs::read_link(path).ok().map(|target| shown(&target))
}

fn parse(reader: impl io::Read, format: Format, purpose: Purpose) -> Result<Text, NoText> {
    let read = read_up_to(reader, MOST_BYTES);
    let (bytes, partly) = read.map_err(|error| NoText::Fault(io_fact(&error)))?;
    let decoded = decode(&bytes).map_err(NoText::Binary)?;
    let passage = match purpose {
        Purpose::Show { compat: true } => Some(Passage::plain(decoded.text.as_str())),
        _ => None,
    };
    let document = Document::parse(format, decoded.text);
    let passage = passage.unwrap_or_else(|| Passage::of(&document));
    Ok(Text {
        document,
        passage,
        partly,
        name: None,
        file: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_beginning_of_an_endless_input_is_held() {
        let endless = io::Read::chain(&b"# Words\n"[..], io::repeat(b'a'));
        let text = parse(endless, Format::Markdown, Purpose::Show { compat: false }).unwrap();
        assert!(text.partly);
        assert_eq!(text.document.source().len() as u64, MOST_BYTES);
    }

    #[test]
    fn compat_reads_the_markup_too() {
        let passage = |compat| {
            let purpose = Purpose::Show { compat };
            let text = parse(&b"# One *two*"[..], Format::Markdown, purpose).unwrap();
            text.passage.text().to_owned()
        };
        assert_eq!(passage(true), "# One *two*");
        assert_eq!(passage(false), "One two");
    }
}
