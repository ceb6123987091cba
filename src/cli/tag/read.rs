//! One input read and parsed: a file or standard input in; a document out, or one sentence why not.
//!
//! Invariant: of a file of any size only the beginning is held, and whoever asks is told so.

use std::fs::File;
use std::io;
use std::path::Path;

use super::super::setup::{io_fact, read_up_to, shown};
use super::inputs::Input;
use crate::document::{Document, Format, decode};
use crate::engine::Passage;

/// Bytes of a file that are read: far more than all windows of any model hold.
const MOST_BYTES: u64 = 4 << 20;

/// One input, read.
pub(super) struct Read {
    /// The file; `None` for standard input.
    pub(super) path: Option<String>,
    /// Its text, or the place, the fact and the cure.
    pub(super) text: Result<Text, String>,
}

/// A document with what the model reads of it.
pub(super) struct Text {
    pub(super) document: Document,
    pub(super) passage: Passage,
    /// Whether the input goes on after what was read.
    pub(super) partly: bool,
}

/// Reads one input; `compat` takes a text as it stands, as the reference does.
pub(super) fn read(input: Result<Input, String>, compat: bool) -> Read {
    match input {
        Ok(Input::File(path)) => Read {
            text: file(&path, compat).map_err(|fact| format!("{}: {fact}", shown(&path))),
            path: Some(shown(&path)),
        },
        Ok(Input::Stdin) => Read {
            path: None,
            text: parse(io::stdin().lock(), Format::Markdown, compat)
                .map_err(|fact| format!("standard input: {fact}")),
        },
        Err(error) => Read {
            path: None,
            text: Err(error),
        },
    }
}

fn file(path: &Path, compat: bool) -> Result<Text, String> {
    let file = File::open(path).map_err(|error| match link_target(path) {
        Some(target) if error.kind() == io::ErrorKind::NotFound => {
            format!("a link to {target}, which is not there; mend or remove the link")
        }
        _ => io_fact(&error),
    })?;
    parse(file, Format::from_path(path), compat)
}

/// Where a symbolic link points.
fn link_target(path: &Path) -> Option<String> {
    std::fs::read_link(path).ok().map(|target| shown(&target))
}

fn parse(reader: impl io::Read, format: Format, compat: bool) -> Result<Text, String> {
    let (bytes, partly) = read_up_to(reader, MOST_BYTES).map_err(|error| io_fact(&error))?;
    let decoded = decode(&bytes).map_err(|error| error.to_string())?;
    let passage = compat.then(|| Passage::plain(decoded.text.as_str()));
    let document = Document::parse(format, decoded.text);
    let passage = passage.unwrap_or_else(|| Passage::of(&document));
    Ok(Text {
        document,
        passage,
        partly,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_beginning_of_an_endless_input_is_held() {
        let endless = io::Read::chain(&b"# Words\n"[..], io::repeat(b'a'));
        let text = parse(endless, Format::Markdown, false).unwrap();
        assert!(text.partly);
        assert_eq!(text.document.source().len() as u64, MOST_BYTES);
    }

    #[test]
    fn compat_reads_the_markup_too() {
        let passage = |compat| {
            let text = parse(&b"# One *two*"[..], Format::Markdown, compat).unwrap();
            text.passage.text().to_owned()
        };
        assert_eq!(passage(true), "# One *two*");
        assert_eq!(passage(false), "One two");
    }
}
