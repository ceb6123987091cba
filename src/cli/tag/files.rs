//! Files and folders: read ahead on one thread, tag on another, print in order.
//!
//! Memory stays flat: a group of documents is read while the one before it is tagged, no more.

use std::io::{self, IsTerminal};
use std::sync::mpsc::{SyncSender, sync_channel};

use indicatif::{ProgressBar, ProgressStyle};

use super::super::labelset::tags::tags_of;
use super::super::setup::Surroundings;
use super::super::{Outcome, complain, remark};
use super::inputs::{Input, expand};
use super::print::Printer;
use super::read::{Purpose, Read, Text, Unread, read};
use super::record::{Explained, Tagged};
use super::render::Style;
use super::write::Writer;
use super::{Args, Item, Outline, Tagger, paths};
use crate::engine::Vocabulary;

/// A group is tagged when it has so many documents or bytes of text.
const GROUP_DOCUMENTS: usize = 32;
const GROUP_BYTES: usize = 64 << 10;
/// With more documents than this, a person at a terminal sees a bar.
const SHORT_WORK: usize = 32;

pub(super) fn run(
    tagger: &Tagger,
    args: &Args,
    vocabulary: &Vocabulary,
    surroundings: &Surroundings,
) -> anyhow::Result<Outcome> {
    let inputs = expand(&paths(args));
    tracing::info!(
        inputs = inputs.len(),
        labels = vocabulary.set().labels().len(),
        model = tagger.model,
        "tagging"
    );
    let format = args.writing.format(args.format, &surroundings.settings);
    let mut run = Run {
        tagger,
        args,
        vocabulary,
        progress: progress(inputs.len()),
        printer: Printer::new(format, Style::new(vocabulary, args.all, args.explain)),
        writer: args.writing.writer(tagger, vocabulary, surroundings)?,
        outcome: Outcome::Done,
    };
    let purpose = match run.writer {
        Some(_) => Purpose::Write,
        None => Purpose::Show {
            compat: args.model.compat,
        },
    };
    let ended = std::thread::scope(|scope| {
        let (tx, groups) = sync_channel(1);
        scope.spawn(move || read_ahead(inputs, purpose, &tx));
        groups.iter().try_for_each(|group| run.group(&group))
    });
    run.progress.finish_and_clear(); // However it ended: no half bar stays on the screen.
    ended?;
    run.printer.finish()?;
    if let Some(writer) = &run.writer {
        writer.conclude();
    }
    Ok(run.outcome)
}

/// Reads all inputs in groups. The first ones are small, so that something is seen at once.
fn read_ahead(inputs: Vec<Result<Input, String>>, purpose: Purpose, tx: &SyncSender<Vec<Read>>) {
    let (mut group, mut bytes, mut wanted) = (Vec::new(), 0, 1);
    for input in inputs {
        let read = read(input, purpose);
        bytes += read.text.as_ref().map_or(0, |t| t.passage.text().len());
        group.push(read);
        if group.len() >= wanted || bytes >= GROUP_BYTES {
            if tx.send(std::mem::take(&mut group)).is_err() {
                return; // Printing has failed; nobody wants the rest.
            }
            bytes = 0;
            wanted = (wanted * 2).min(GROUP_DOCUMENTS);
        }
    }
    // As above: where nobody listens, nobody wants it.
    let _ = tx.send(group);
}

/// One run over many documents.
struct Run<'a> {
    tagger: &'a Tagger,
    args: &'a Args,
    vocabulary: &'a Vocabulary,
    progress: ProgressBar,
    printer: Printer,
    /// With `--write`.
    writer: Option<Writer>,
    outcome: Outcome,
}

impl Run<'_> {
    fn group(&mut self, group: &[Read]) -> anyhow::Result<()> {
        let readable: Vec<_> = group
            .iter()
            .filter_map(|read| read.text.as_ref().ok())
            .map(|text| Item {
                passage: &text.passage,
                vocabulary: self.vocabulary,
                source: text.document.source(),
                document: text.name.as_ref(),
            })
            .collect();
        let mut outlines = self.tagger.tag(&readable).into_iter();
        for read in group {
            let path = read.path.as_deref();
            match &read.text {
                Err(Unread::Fault(error)) => self.failed(path, error)?,
                Err(Unread::LeftOut(fact)) => self.left_out(path, fact)?,
                Ok(text) => match outlines.next() {
                    Some(Ok(outline)) => self.tagged(path, text, outline)?,
                    Some(Err(error)) => {
                        let place = path.unwrap_or("standard input");
                        self.failed(path, &format!("{place}: {error}"))?;
                    }
                    None => {}
                },
            }
            self.progress.inc(1);
        }
        Ok(())
    }

    fn tagged(
        &mut self,
        path: Option<&str>,
        text: &Text,
        mut outline: Outline,
    ) -> anyhow::Result<()> {
        outline.prediction.cut |= text.partly;
        let explained = if self.args.explain {
            self.explain(text, &outline)?
        } else {
            Vec::new()
        };
        let mut tagged = Tagged::new(
            &outline.prediction,
            self.vocabulary.set(),
            &outline.tags,
            self.args.all,
            &self.tagger.model,
        );
        tagged.path = path;
        tagged.compare(
            &outline.prediction,
            self.vocabulary.set(),
            &tags_of(&text.document, &[]),
            self.tagger.remembered.said(text.name.as_ref()),
        );
        tagged.explain(&explained);
        if let Some(writer) = &mut self.writer {
            let said = self.tagger.remembered.said(text.name.as_ref());
            match writer.write(text, &outline, self.vocabulary, said) {
                Ok(written) => tagged.written = Some(written),
                Err(error) => return self.failed(path, &error),
            }
        }
        let (progress, printer) = (&self.progress, &mut self.printer);
        progress.suspend(|| printer.document(&tagged, text.document.title(), &explained))
    }

    fn failed(&mut self, path: Option<&str>, error: &str) -> anyhow::Result<()> {
        self.outcome = Outcome::SomeFailed;
        let (progress, printer) = (&self.progress, &mut self.printer);
        progress.suspend(|| {
            complain(error);
            printer.failure(path, error)
        })
    }

    /// A script finds it where the tags would be; it is no failure.
    fn left_out(&mut self, path: Option<&str>, fact: &str) -> anyhow::Result<()> {
        let (progress, printer) = (&self.progress, &mut self.printer);
        progress.suspend(|| {
            remark(format!("left out: {fact}"));
            printer.failure(path, fact)
        })
    }

    /// The sentences that speak for each tag, with their lines.
    fn explain(&self, text: &Text, outline: &Outline) -> anyhow::Result<Vec<Explained>> {
        let tags: Vec<_> = outline.tags.iter().map(|tag| tag.label).collect();
        let document = &text.document;
        let line = |byte: usize| document.source()[..byte].matches('\n').count() + 1;
        let explained = self
            .tagger
            .engine
            .explain(document, self.vocabulary, &tags)?
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
}

fn progress(documents: usize) -> ProgressBar {
    if documents <= SHORT_WORK || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:24} {pos}/{len} documents, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(documents as u64).with_style(style)
}
