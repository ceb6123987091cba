//! The filter: each input line gives one output line, in order; a bad line gives its error in its place.
//!
//! Invariant: memory stays flat: a group of lines is read, tagged and written before the next one
//! is read; and whoever writes a line and waits has the answer before another line is waited for.

mod lines;
mod row;

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::super::setup::{io_fact, shown};
use super::super::{Outcome, complain};
use super::record::{FailedLine, Tagged};
use super::{Args, Item, Tagger, paths};
use crate::engine::kept::Kept;
use crate::engine::{Passage, Vocabulary};
use crate::label::{LabelSet, NameFault};
use lines::{Line, Lines};
use row::BadRow;

/// A group is tagged when it has so many lines or bytes of text.
const GROUP_LINES: usize = 64;
const GROUP_BYTES: usize = 128 << 10;
/// Labels of all the sets that are kept for further rows.
const MOST_LABELS: usize = 4_000;

/// A line made ready, or its error.
enum Prepared {
    Ready(Ready),
    Bad { number: usize, row: BadRow },
}

struct Ready {
    number: usize,
    id: Value,
    passage: Passage,
    vocabulary: Arc<Vocabulary>,
    left_out: Vec<String>,
}

pub(super) fn run(
    tagger: &Tagger,
    args: &Args,
    default: Option<&Vocabulary>,
) -> anyhow::Result<Outcome> {
    let mut filter = Filter {
        tagger,
        all: args.all,
        default: default.cloned().map(Arc::new),
        kept: Kept::of(MOST_LABELS),
        out: BufWriter::new(io::stdout().lock()),
        outcome: Outcome::Done,
        group: Vec::new(),
        group_bytes: 0,
    };
    for path in paths(args) {
        if let Err(error) = filter.file(&path)? {
            // What comes after it may be good.
            complain(format_args!("{}: {}", place(&path), io_fact(&error)));
            filter.outcome = Outcome::SomeFailed;
        }
    }
    filter.flush()?;
    Ok(filter.outcome)
}

fn place(path: &OsStr) -> String {
    if path == "-" {
        "standard input".to_owned()
    } else {
        shown(Path::new(path))
    }
}

struct Filter<'a> {
    tagger: &'a Tagger,
    all: bool,
    default: Option<Arc<Vocabulary>>,
    /// Vocabularies of rows that brought their own labels.
    kept: Kept<Vec<String>, Vocabulary>,
    out: BufWriter<io::StdoutLock<'static>>,
    outcome: Outcome,
    group: Vec<Prepared>,
    group_bytes: usize,
}

impl Filter<'_> {
    /// Filters one file; the inner error is the file's own, the outer one ends the run.
    fn file(&mut self, path: &OsStr) -> anyhow::Result<io::Result<()>> {
        if path == "-" {
            return self.read(io::stdin().lock());
        }
        match File::open(path) {
            Ok(file) => self.read(file),
            Err(error) => Ok(Err(error)),
        }
    }

    fn read(&mut self, reader: impl Read) -> anyhow::Result<io::Result<()>> {
        let mut lines = Lines::new(reader);
        loop {
            match lines.next() {
                Ok(Line::End) => return Ok(Ok(())),
                Ok(Line::TooLong(number)) => {
                    let most = lines::LONGEST >> 20;
                    let error = format!("longer than {most} MiB; split the text");
                    let id = Value::Null; // Its beginning is not held either.
                    let row = BadRow { id, error };
                    self.group.push(Prepared::Bad { number, row });
                }
                Ok(Line::Whole(number)) => {
                    let prepared = self.prepare(number, lines.line());
                    self.group.push(match prepared {
                        Ok(ready) => Prepared::Ready(ready),
                        Err(row) => Prepared::Bad { number, row },
                    });
                }
                Err(error) => return Ok(Err(error)),
            }
            self.group_bytes += lines.line().len();
            let full = self.group.len() >= GROUP_LINES || self.group_bytes >= GROUP_BYTES;
            if full || lines.would_wait() {
                self.flush()?;
            }
        }
    }

    fn prepare(&mut self, number: usize, line: &[u8]) -> Result<Ready, BadRow> {
        let row = row::read(line)?;
        let chosen = match row.labels {
            Some(labels) => self.vocabulary(labels),
            None => {
                let default = self.default.clone().map(|default| (default, Vec::new()));
                default.ok_or_else(|| {
                    "no labels; add \"labels\" to the line, or give --labels or --labelset"
                        .to_owned()
                })
            }
        };
        let (vocabulary, left_out) = match chosen {
            Ok(chosen) => chosen,
            Err(error) => return Err(BadRow { id: row.id, error }),
        };
        Ok(Ready {
            number,
            id: row.id,
            passage: Passage::plain(row.text),
            vocabulary,
            left_out,
        })
    }

    /// The vocabulary of a row's own labels, and those of them that cannot be scored.
    fn vocabulary(
        &mut self,
        labels: Vec<String>,
    ) -> Result<(Arc<Vocabulary>, Vec<String>), String> {
        let (set, faults) = LabelSet::from_names_lenient(&labels);
        let set = set.ok_or_else(|| no_labels(&faults))?;
        let left_out = left_out(&labels, &set, &faults);
        if let Some(vocabulary) = self.kept.get(&labels) {
            return Ok((vocabulary, left_out));
        }
        let vocabulary = self
            .tagger
            .engine
            .vocabulary(Arc::new(set))
            .map_err(|error| error.to_string())?;
        let vocabulary = Arc::new(vocabulary);
        let n_labels = labels.len();
        self.kept.keep(labels, n_labels, vocabulary.clone());
        Ok((vocabulary, left_out))
    }

    /// Tags and writes the group.
    fn flush(&mut self) -> anyhow::Result<()> {
        let group = std::mem::take(&mut self.group);
        self.group_bytes = 0;
        let ready: Vec<Item> = group
            .iter()
            .filter_map(|line| match line {
                Prepared::Ready(ready) => Some(Item {
                    passage: &ready.passage,
                    vocabulary: &ready.vocabulary,
                    source: ready.passage.text(),
                    document: None,
                }),
                Prepared::Bad { .. } => None,
            })
            .collect();
        let mut outlines = self.tagger.tag(&ready).into_iter();
        for line in &group {
            let (number, id, error) = match line {
                Prepared::Bad { number, row } => (*number, &row.id, row.error.clone()),
                Prepared::Ready(ready) => match outlines.next() {
                    Some(Ok(outline)) => {
                        let mut tagged = Tagged::new(
                            &outline.prediction,
                            ready.vocabulary.set(),
                            &outline.tags,
                            self.all,
                            &self.tagger.model,
                        );
                        tagged.id = Some(&ready.id);
                        tagged.unscored.extend(ready.left_out.iter().cloned());
                        self.write(&serde_json::to_string(&tagged)?)?;
                        continue;
                    }
                    Some(Err(error)) => (ready.number, &ready.id, error.to_string()),
                    None => continue,
                },
            };
            self.outcome = Outcome::SomeFailed;
            let failed = FailedLine {
                id,
                line: number,
                error: &error,
            };
            self.write(&serde_json::to_string(&failed)?)?;
        }
        self.out.flush()?;
        Ok(())
    }

    fn write(&mut self, json: &str) -> io::Result<()> {
        self.out.write_all(json.as_bytes())?;
        self.out.write_all(b"\n")
    }
}

/// Why a row's own labels are no set: of many faults the first, which is the cause.
fn no_labels(faults: &[NameFault]) -> String {
    faults
        .first()
        .map_or("no labels".into(), ToString::to_string)
}

/// Labels that have no score of their own under the name they were given by.
fn left_out(labels: &[String], set: &LabelSet, faults: &[NameFault]) -> Vec<String> {
    let has_score = |name: &str| {
        let id = set.find(name.trim());
        id.is_some_and(|id| set.label(id).name == name.trim())
    };
    faults
        .iter()
        .filter_map(|fault| labels.get(fault.position()? - 1))
        // The label that it repeats may be spelt otherwise: `US` and `us`.
        .filter(|name| !has_score(name))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_without_a_score_of_its_own_is_named() {
        let labels = ["US", "us", "a", "a", " ", "b\u{7}"].map(str::to_owned);
        let (set, faults) = LabelSet::from_names_lenient(&labels);
        let left_out = left_out(&labels, &set.unwrap(), &faults);
        assert_eq!(left_out, ["us", " ", "b\u{7}"]);
    }
}
