//! Files and folders: read ahead on one thread, tag on another, print in order.
//!
//! Memory stays flat: a group of documents is read while the one before it is tagged, no more.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{Receiver, sync_channel};

use indicatif::{ProgressBar, ProgressStyle};

use super::super::Outcome;
use super::super::setup::{read_up_to, shown};
use super::inputs::{Input, expand};
use super::record::{Explained, Tagged};
use super::{Args, Format, Outline, Tagger, render};
use crate::document::{Document, Format as Markup, decode};
use crate::engine::{Passage, Vocabulary};

/// Bytes of a file that are read: far more than all windows of any model hold.
const MOST_BYTES: u64 = 4 << 20;
/// A group is tagged when it has so many documents or bytes of text.
const GROUP_DOCUMENTS: usize = 32;
const GROUP_BYTES: usize = 64 << 10;

/// One document that was read, or why it was not.
struct Read {
    path: Option<String>,
    document: Result<(Document, Passage, bool), String>,
}

pub(super) fn run(
    tagger: &Tagger,
    args: &Args,
    vocabulary: &Vocabulary,
) -> anyhow::Result<Outcome> {
    let paths = if args.paths.is_empty() {
        vec!["-".to_owned()]
    } else {
        args.paths.clone()
    };
    let inputs = expand(&paths);
    if inputs.is_empty() {
        anstream::eprintln!(
            "gliznet: no text files in {}; name a file to read it whatever it is called",
            paths.join(", ")
        );
        return Ok(Outcome::SomeFailed);
    }
    let progress = progress(inputs.len());
    let mut printer = Printer::new(args.format);
    let mut outcome = Outcome::Done;
    let compat = args.model.compat;
    std::thread::scope(|scope| {
        let (tx, groups) = sync_channel(1);
        scope.spawn(move || {
            let mut group = Vec::new();
            let mut bytes = 0;
            for input in inputs {
                let read = read(input, compat);
                bytes += read
                    .document
                    .as_ref()
                    .map_or(0, |(_, passage, _)| passage.text().len());
                group.push(read);
                if group.len() >= GROUP_DOCUMENTS || bytes >= GROUP_BYTES {
                    bytes = 0;
                    if tx.send(std::mem::take(&mut group)).is_err() {
                        return; // Printing has failed; nobody wants the rest.
                    }
                }
            }
            let _ = tx.send(group);
        });
        tag_groups(
            tagger,
            args,
            vocabulary,
            groups,
            &progress,
            &mut printer,
            &mut outcome,
        )
    })?;
    progress.finish_and_clear();
    printer.finish()?;
    Ok(outcome)
}

fn tag_groups(
    tagger: &Tagger,
    args: &Args,
    vocabulary: &Vocabulary,
    groups: Receiver<Vec<Read>>,
    progress: &ProgressBar,
    printer: &mut Printer,
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    for group in groups {
        let readable: Vec<_> = group
            .iter()
            .filter_map(|read| {
                read.document
                    .as_ref()
                    .ok()
                    .map(|(_, passage, _)| (passage, vocabulary))
            })
            .collect();
        let mut outlines = tagger.tag(&readable)?.into_iter();
        for read in &group {
            match &read.document {
                Ok((document, _, partly)) => {
                    let Some(mut outline) = outlines.next() else {
                        continue;
                    };
                    outline.prediction.cut |= partly;
                    let explained = if args.explain {
                        explain(tagger, document, vocabulary, &outline)?
                    } else {
                        Vec::new()
                    };
                    let mut tagged = Tagged::new(
                        &outline.prediction,
                        vocabulary.set(),
                        &outline.tags,
                        args.all,
                        &tagger.model,
                    );
                    tagged.path = read.path.as_deref();
                    tagged.explain(&explained);
                    progress.suspend(|| printer.document(&tagged, document.title(), &explained))?;
                }
                Err(error) => {
                    progress.suspend(|| anstream::eprintln!("gliznet: {error}"));
                    *outcome = Outcome::SomeFailed;
                }
            }
            progress.inc(1);
        }
    }
    Ok(())
}

/// The sentences that speak for each tag, with their lines.
fn explain(
    tagger: &Tagger,
    document: &Document,
    vocabulary: &Vocabulary,
    outline: &Outline,
) -> anyhow::Result<Vec<Explained>> {
    let tags: Vec<_> = outline.tags.iter().map(|tag| tag.label).collect();
    let line = |byte: usize| document.source()[..byte].matches('\n').count() + 1;
    let explained = tagger
        .engine
        .explain(document, vocabulary, &tags)?
        .into_iter()
        .map(|evidence| Explained {
            evidence: evidence
                .into_iter()
                .map(|evidence| {
                    let at = evidence.source.map(|span| line(span.start));
                    (evidence, at)
                })
                .collect(),
        });
    Ok(explained.collect())
}

fn read(input: Result<Input, String>, compat: bool) -> Read {
    match input {
        Ok(Input::File(path)) => {
            let document = File::open(&path)
                .map_err(|error| error.to_string())
                .and_then(|file| {
                    if path.is_dir() {
                        Err("a folder".into())
                    } else {
                        parse(file, Markup::from_path(&path), compat)
                    }
                })
                .map_err(|error| format!("{}: {error}", shown(&path)));
            Read {
                path: Some(shown(&path)),
                document,
            }
        }
        Ok(Input::Stdin) => {
            let document = parse(io::stdin().lock(), Markup::Markdown, compat);
            Read {
                path: None,
                document: document.map_err(|error| format!("standard input: {error}")),
            }
        }
        Err(error) => Read {
            path: None,
            document: Err(error),
        },
    }
}

fn parse(
    reader: impl io::Read,
    markup: Markup,
    compat: bool,
) -> Result<(Document, Passage, bool), String> {
    let (bytes, partly) = read_up_to(reader, MOST_BYTES).map_err(|error| error.to_string())?;
    let decoded = decode(&bytes).map_err(|error| error.to_string())?;
    // The reference reads a text as it stands.
    let passage = compat.then(|| Passage::plain(decoded.text.as_str()));
    let document = Document::parse(markup, decoded.text);
    let passage = passage.unwrap_or_else(|| Passage::of(&document));
    Ok((document, passage, partly))
}

fn progress(documents: usize) -> ProgressBar {
    if documents <= GROUP_DOCUMENTS || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("{bar:24} {pos}/{len} documents, {per_sec}, {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(documents as u64).with_style(style)
}

/// Writes documents in one of the forms, each as soon as it is there.
struct Printer {
    format: Format,
    written: usize,
}

impl Printer {
    fn new(format: Format) -> Printer {
        Printer { format, written: 0 }
    }

    fn document(
        &mut self,
        tagged: &Tagged,
        title: Option<&str>,
        explained: &[Explained],
    ) -> anyhow::Result<()> {
        let mut out = anstream::stdout().lock();
        match self.format {
            Format::Text => write!(out, "{}", render::document(tagged, title, explained))?,
            Format::Jsonl => writeln!(out, "{}", serde_json::to_string(tagged)?)?,
            Format::Json => {
                let separator = if self.written == 0 { "[" } else { "," };
                write!(out, "{separator}\n{}", serde_json::to_string(tagged)?)?;
            }
        }
        out.flush()?;
        self.written += 1;
        Ok(())
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        if self.format == Format::Json {
            let end = if self.written == 0 { "[]" } else { "\n]" };
            writeln!(anstream::stdout().lock(), "{end}")?;
        }
        Ok(())
    }
}
