//! `gliznet tag --write`: the tags of each document go into its file, as one run.
//!
//! Invariant: what is written is recorded first and can be undone; a dry run changes no file. Tags
//! that a person has rejected for a file are not written into it.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::sync::Arc;

use clap::ValueEnum;

use super::super::setup::{Surroundings, shown};
use super::super::{UsageError, diff, moment};
use super::read::Text;
use super::record::WrittenRecord;
use super::{Format, Outline, Tagger};
use crate::config::{Settings, Sink};
use crate::correction::Verdict;
use crate::engine::Vocabulary;
use crate::score::Score;
use crate::sink::{Cause, Ledger, Run, TagWish, Wish};

/// Options of writing.
#[derive(Debug, clap::Args)]
pub(super) struct WriteArgs {
    /// Write the tags into the files; `gliznet undo` takes them back
    #[arg(long, help_heading = "Writing")]
    write: bool,

    /// Show as a diff what would be written, and write nothing
    #[arg(long, requires = "write", help_heading = "Writing")]
    dry_run: bool,

    /// Where the tags are put; if not given, what the settings say, else the front matter
    #[arg(
        long,
        value_enum,
        value_name = "SINK",
        requires = "write",
        help_heading = "Writing"
    )]
    sink: Option<SinkArg>,
}

/// Where the tags are put.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SinkArg {
    /// Nowhere: they are shown
    Suggest,
    /// Into the settings at the head of each file
    Frontmatter,
    /// Into each file's extended attribute
    Xattr,
    /// Into a file `.gliznet-tags.jsonl` in each folder
    Sidecar,
    /// To standard output, as JSON Lines
    Stdout,
}

impl SinkArg {
    fn sink(self) -> Sink {
        match self {
            SinkArg::Suggest => Sink::Suggest,
            SinkArg::Frontmatter => Sink::Frontmatter,
            SinkArg::Xattr => Sink::Xattr,
            SinkArg::Sidecar => Sink::Sidecar,
            SinkArg::Stdout => Sink::Stdout,
        }
    }
}

impl WriteArgs {
    /// Standard input has no place for tags.
    pub(super) fn check(&self, paths: &[OsString]) -> Result<(), UsageError> {
        match self.write && paths.iter().any(|path| path == "-") {
            true => Err(UsageError(
                "--write: standard input cannot be written into; name files or folders".into(),
            )),
            false => Ok(()),
        }
    }

    fn sink(&self, settings: &Settings) -> Sink {
        let named = self.sink.map(SinkArg::sink);
        let chosen = settings.sink.as_ref().map(|chosen| chosen.value);
        named.or(chosen).unwrap_or(Sink::Frontmatter)
    }

    /// The form of the output: one sink has its own.
    pub(super) fn format(&self, format: Format, settings: &Settings) -> Format {
        match self.write && self.sink(settings) == Sink::Stdout {
            true => Format::Jsonl,
            false => format,
        }
    }

    /// Who writes; nobody where nothing is to be written.
    pub(super) fn writer(
        &self,
        tagger: &Tagger,
        vocabulary: &Vocabulary,
        surroundings: &Surroundings,
    ) -> anyhow::Result<Option<Writer>> {
        let sink = self.sink(&surroundings.settings);
        if !self.write || !sink.writes() {
            return Ok(None);
        }
        let (ledger, faults) = Ledger::open(&surroundings.folders.data)?;
        for fault in faults {
            tracing::warn!("{fault}");
        }
        let set = vocabulary.set();
        let is_scored = |id: usize| {
            vocabulary
                .unscored()
                .iter()
                .all(|u| u.label.0 as usize != id)
        };
        let labels = set.labels().iter().enumerate();
        let labels = labels.filter(|(id, _)| is_scored(*id));
        Ok(Some(Writer {
            ledger,
            run: Run::new(
                Cause::Person,
                sink,
                tagger.model.clone(),
                moment::seconds_now(),
            ),
            labels: labels.map(|(_, label)| label.name.clone()).collect(),
            dry: self.dry_run,
            files: 0,
            changed: 0,
            tags: 0,
            seen: BTreeSet::new(),
            unwritable: 0,
            failed: 0,
        }))
    }
}

/// Writes the tags of one run.
pub(super) struct Writer {
    ledger: Ledger,
    run: Run,
    /// Labels that the model was asked about.
    labels: Vec<String>,
    dry: bool,
    files: usize,
    changed: usize,
    tags: usize,
    /// Files that had their turn: one may have been named twice, or by a link too.
    seen: BTreeSet<Arc<str>>,
    /// Tags that have no place where they should stand.
    unwritable: usize,
    /// Files that could not be written.
    failed: usize,
}

impl Writer {
    /// Gives a file its tags, or says why not. `said` is what a person said of it.
    pub(super) fn write(
        &mut self,
        text: &Text,
        outline: &Outline,
        vocabulary: &Vocabulary,
        said: Option<&Verdict>,
    ) -> Result<WrittenRecord, String> {
        let written = self.written(text, outline, vocabulary, said);
        self.failed += usize::from(written.is_err());
        written
    }

    fn written(
        &mut self,
        text: &Text,
        outline: &Outline,
        vocabulary: &Vocabulary,
        said: Option<&Verdict>,
    ) -> Result<WrittenRecord, String> {
        let mut record = WrittenRecord {
            run: None,
            added: Vec::new(),
            removed: Vec::new(),
            unwritable: Vec::new(),
            diff: self.dry.then(String::new),
        };
        if let Some(name) = &text.name
            && !self.seen.insert(Arc::clone(name))
        {
            return Ok(record);
        }
        self.files += 1;
        let Some((path, seen)) = &text.file else {
            return Ok(record);
        };
        if outline.prediction.windows == 0 {
            return Ok(record); // There was nothing to read, so nothing is known of it.
        }
        let tags = outline.tags.iter().map(|tag| TagWish {
            name: vocabulary.set().label(tag.label).name.clone(),
            score: tag.score.map(Score::value),
            said: said.and_then(|said| said.accepted_at(vocabulary.set().label(tag.label))),
        });
        let tags: Vec<TagWish> = tags.collect();
        let wish = Wish {
            path,
            seen: *seen,
            tags: &tags,
            labels: Some(&self.labels),
            set: Some(vocabulary.set()),
            in_crowd: false,
        };
        if self.dry {
            let preview = self.ledger.preview(&self.run, &wish);
            let preview = preview.map_err(|error| error.to_string())?;
            // A path as it was named; but an attribute and a sidecar have names of their own.
            let named = shown(path);
            let target = match self.run.sink() {
                Sink::Frontmatter => &named,
                _ => &preview.target,
            };
            record.diff = Some(diff::unified(&preview, target));
            record.added = preview.added;
            record.removed = preview.removed;
            record.unwritable = preview.unwritable;
        } else {
            let written = self.ledger.write(&self.run, &wish);
            let written = written.map_err(|error| error.to_string())?;
            record.run = self.run.id().map(|id| id.0).filter(|_| written.changed);
            record.added = written.added;
            record.removed = written.removed;
            record.unwritable = written.unwritable;
        }
        let count = record.added.len() + record.removed.len();
        self.changed += usize::from(count > 0);
        self.tags += count;
        self.unwritable += record.unwritable.len();
        Ok(record)
    }

    /// Says on standard error what was done.
    pub(super) fn conclude(&self) {
        let files = format!("{} of {}", self.changed, counted(self.files, "file"));
        let tags = counted(self.tags, "tag");
        let message = match (self.dry, self.run.id()) {
            (true, _) => format!("{files} would change ({tags}); nothing was written"),
            (false, Some(run)) if self.changed > 0 => {
                format!(
                    "run {run}: {files} changed ({tags}); `gliznet undo --run {run}` takes it back"
                )
            }
            _ if self.files == 0 || self.failed > 0 || self.unwritable > 0 => {
                format!("{files} changed; nothing was written")
            }
            _ => format!("{files} changed; every file has its tags already"),
        };
        super::super::remark(message);
        if self.unwritable > 0 {
            let what = match self.unwritable {
                1 => "1 tag has".to_owned(),
                n => format!("{n} tags have"),
            };
            super::super::remark(format!(
                "{what} no place where the tags of their file stand; add them by hand, or write \
                 those tags as a list"
            ));
        }
    }
}

fn counted(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    }
}
