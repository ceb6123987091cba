//! The filter: each input line gives one output line, in order; a bad line gives its error in its place.
//!
//! Memory stays flat: a group of lines is read, tagged and written before the next one is read.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::sync::Arc;

use anyhow::Context;
use serde::Deserialize;
use serde_json::Value;

use super::super::Outcome;
use super::record::{Failed, Tagged};
use super::{Args, Tagger};
use crate::engine::{Passage, Vocabulary};
use crate::label::LabelSet;

/// A longer line is an error: it is read past, not kept.
const LONGEST_LINE: usize = 64 << 20;
/// A group is tagged when it has so many lines or bytes of text.
const GROUP_LINES: usize = 64;
const GROUP_BYTES: usize = 128 << 10;
/// Bytes that are read at once.
const READ_AHEAD: usize = 256 << 10;
/// Label sets of earlier lines that are kept ready.
const KEPT_VOCABULARIES: usize = 64;

#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    id: Value,
    text: String,
    labels: Option<Vec<String>>,
}

/// A line made ready, or its error.
enum Line {
    Ready {
        id: Value,
        passage: Passage,
        vocabulary: Arc<Vocabulary>,
        left_out: Vec<String>,
    },
    Bad {
        number: usize,
        error: String,
    },
}

pub(super) fn run(
    tagger: &Tagger,
    args: &Args,
    default: Option<&Vocabulary>,
) -> anyhow::Result<Outcome> {
    let mut filter = Filter {
        tagger,
        args,
        default: default.cloned().map(Arc::new),
        vocabularies: HashMap::new(),
        out: BufWriter::new(io::stdout().lock()),
        outcome: Outcome::Done,
        group: Vec::new(),
        group_bytes: 0,
    };
    let paths = if args.paths.is_empty() {
        vec!["-".to_owned()]
    } else {
        args.paths.clone()
    };
    for path in &paths {
        if path == "-" {
            filter.read(io::stdin().lock()).context("standard input")?;
        } else {
            let file = File::open(path).with_context(|| path.clone())?;
            filter.read(file).with_context(|| path.clone())?;
        }
    }
    filter.flush()?;
    Ok(filter.outcome)
}

struct Filter<'a> {
    tagger: &'a Tagger,
    args: &'a Args,
    default: Option<Arc<Vocabulary>>,
    /// Ready vocabularies by their labels, for rows that bring the same ones again.
    vocabularies: HashMap<Vec<String>, Arc<Vocabulary>>,
    out: BufWriter<io::StdoutLock<'static>>,
    outcome: Outcome,
    group: Vec<Line>,
    group_bytes: usize,
}

impl Filter<'_> {
    fn read(&mut self, reader: impl Read) -> anyhow::Result<()> {
        let mut reader = BufReader::with_capacity(READ_AHEAD, reader);
        let mut line = Vec::new();
        let mut number = 0;
        loop {
            number += 1;
            line.clear();
            let read = read_line(&mut reader, &mut line)?;
            let ready = match read {
                LineRead::End => return Ok(()),
                LineRead::TooLong => {
                    Err(format!("longer than {LONGEST_LINE} bytes; split the text"))
                }
                LineRead::Whole => self.prepare(&line),
            };
            self.group_bytes += line.len();
            self.group
                .push(ready.unwrap_or_else(|error| Line::Bad { number, error }));
            // Whoever writes a line and waits must get the answer before we wait for the next line.
            let would_wait = reader.buffer().is_empty();
            if would_wait || self.group.len() >= GROUP_LINES || self.group_bytes >= GROUP_BYTES {
                self.flush()?;
            }
        }
    }

    fn prepare(&mut self, line: &[u8]) -> Result<Line, String> {
        if line.trim_ascii().is_empty() {
            return Err("an empty line; each line is an object {\"id\", \"text\"}".into());
        }
        let text = std::str::from_utf8(line).map_err(|e| {
            format!(
                "not UTF-8 at byte {}; convert the file",
                e.valid_up_to() + 1
            )
        })?;
        let row: Row = serde_json::from_str(text).map_err(|e| explained(&e))?;
        let (vocabulary, left_out) = match row.labels {
            None => {
                let default = self.default.clone();
                let missing =
                    "no labels; add \"labels\" to the line, or give --labels or --labelset";
                (default.ok_or(missing)?, Vec::new())
            }
            Some(labels) => self.vocabulary(labels)?,
        };
        Ok(Line::Ready {
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
        let set = set.ok_or_else(|| {
            faults
                .first()
                .map_or("no labels".into(), ToString::to_string)
        })?;
        // A repeated label has its score; an empty or invisible one has none, and is said to have none.
        let left_out = faults
            .iter()
            .filter(|fault| !fault.is_duplicate())
            .filter_map(|fault| labels.get(fault.position()? - 1).cloned())
            .collect();
        if let Some(vocabulary) = self.vocabularies.get(&labels) {
            return Ok((vocabulary.clone(), left_out));
        }
        let vocabulary = self
            .tagger
            .engine
            .vocabulary(Arc::new(set))
            .map_err(|error| error.to_string())?;
        let vocabulary = Arc::new(vocabulary);
        if self.vocabularies.len() >= KEPT_VOCABULARIES {
            self.vocabularies.clear();
        }
        self.vocabularies.insert(labels, vocabulary.clone());
        Ok((vocabulary, left_out))
    }

    /// Tags and writes the group.
    fn flush(&mut self) -> anyhow::Result<()> {
        let group = std::mem::take(&mut self.group);
        self.group_bytes = 0;
        let ready: Vec<(&Passage, &Vocabulary)> = group
            .iter()
            .filter_map(|line| match line {
                Line::Ready {
                    passage,
                    vocabulary,
                    ..
                } => Some((passage, vocabulary.as_ref())),
                Line::Bad { .. } => None,
            })
            .collect();
        let mut outlines = self.tagger.tag(&ready)?.into_iter();
        for line in &group {
            match line {
                Line::Ready {
                    id,
                    vocabulary,
                    left_out,
                    ..
                } => {
                    let Some(outline) = outlines.next() else {
                        continue;
                    };
                    let mut tagged = Tagged::new(
                        &outline.prediction,
                        vocabulary.set(),
                        &outline.tags,
                        self.args.all,
                        &self.tagger.model,
                    );
                    tagged.id = Some(id);
                    tagged.unscored.extend(left_out.iter().cloned());
                    serde_json::to_writer(&mut self.out, &tagged)?;
                }
                Line::Bad { number, error } => {
                    self.outcome = Outcome::SomeFailed;
                    serde_json::to_writer(
                        &mut self.out,
                        &Failed {
                            id: None,
                            line: *number,
                            error,
                        },
                    )?;
                }
            }
            self.out.write_all(b"\n")?;
        }
        self.out.flush()?;
        Ok(())
    }
}

/// serde's message counts lines of the one line we gave it: only the column says something.
fn explained(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let fact = message.split(" at line ").next().unwrap_or(&message);
    format!(
        "{fact} (column {}); each line is an object {{\"id\", \"text\", \"labels\"?}}",
        error.column()
    )
}

enum LineRead {
    Whole,
    TooLong,
    End,
}

/// Reads up to the next line break, which is not kept; of a line that is too long nothing is.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<LineRead> {
    let (mut any, mut too_long) = (false, false);
    loop {
        let chunk = match reader.fill_buf() {
            Ok(chunk) => chunk,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if chunk.is_empty() {
            break;
        }
        any = true;
        let (used, ended) = match chunk.iter().position(|byte| *byte == b'\n') {
            Some(at) => (at, true),
            None => (chunk.len(), false),
        };
        if line.len() + used > LONGEST_LINE {
            too_long = true;
            line.clear();
        }
        if !too_long {
            line.extend_from_slice(&chunk[..used]);
        }
        reader.consume(used + usize::from(ended));
        if ended {
            break;
        }
    }
    Ok(match (any, too_long) {
        (false, _) => LineRead::End,
        (true, true) => LineRead::TooLong,
        (true, false) => LineRead::Whole,
    })
}
