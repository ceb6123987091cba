//! Rows of labelled text, streamed from JSON Lines files, plain or gzipped.
//!
//! In: bytes. Out: one `Row` or one `RowFault` a line; a bad line never ends the file.
//! Invariant: memory is one line, whatever the file; blank lines are skipped but counted.
//! Knows nothing of models. A `DataSet` adds the label list; a row here is as its author wrote it.

mod error;
mod labels;
mod parquet;
mod parse;
mod set;
mod sites;
mod suite;

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

pub use error::{DatasetError, RowFault, RowProblem};
pub use labels::{LabelList, read_labels};
pub use parquet::open_any;
pub(crate) use parse::kind;
pub use set::{Case, DataSet, is_list};
pub use suite::Suite;

/// One labelled text.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What is read.
    pub text: String,
    /// The labels that it has, each once.
    pub labels: Vec<String>,
    /// Labels that it is known not to have, each once.
    pub not_labels: Vec<String>,
    /// Whose row it is: its `site`, or else its `source`.
    pub source: Option<String>,
    /// Where it is in its file, from 1.
    pub line: usize,
    /// How it was written.
    pub kind: RowKind,
}

/// The spellings of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RowKind {
    /// `labels`, and perhaps `not_labels`.
    #[default]
    Plain,
    /// `all_labels` and `true_labels`.
    Gliclass,
    /// `accepted` and `rejected`: what a person said; nothing is known of other labels.
    Correction,
}

impl Row {
    /// The labels that the row itself speaks of, with their truth: what it has, then what it has not.
    pub fn candidates(&self) -> impl Iterator<Item = (&str, bool)> {
        let has = self.labels.iter().map(|label| (label.as_str(), true));
        let has_not = self.not_labels.iter().map(|label| (label.as_str(), false));
        has.chain(has_not)
    }
}

/// The rows of one file, in order.
pub struct Rows {
    reader: Box<dyn BufRead + Send>,
    file: PathBuf,
    line: usize,
    buffer: Vec<u8>,
    is_over: bool,
}

impl Rows {
    /// Reads from anywhere; `name` is what faults call it. Whether it is gzipped is told by its first
    /// bytes.
    pub fn from_reader(reader: impl Read + Send + 'static, name: &Path) -> std::io::Result<Rows> {
        Ok(Rows {
            reader: plain(reader)?,
            file: name.to_owned(),
            line: 0,
            buffer: Vec::new(),
            is_over: false,
        })
    }

    fn fault(&self, problem: RowProblem) -> RowFault {
        RowFault {
            file: self.file.clone(),
            line: self.line,
            problem,
        }
    }
}

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The bytes of a file, unpacked where they are gzipped.
pub(super) fn unzipped(path: &Path) -> std::io::Result<Box<dyn BufRead + Send>> {
    plain(File::open(path)?)
}

fn plain(reader: impl Read + Send + 'static) -> std::io::Result<Box<dyn BufRead + Send>> {
    let mut reader = BufReader::with_capacity(1 << 16, reader);
    let is_gzip = reader.fill_buf()?.starts_with(&GZIP_MAGIC);
    Ok(match is_gzip {
        true => Box::new(BufReader::new(MultiGzDecoder::new(reader))),
        false => Box::new(reader),
    })
}

impl Iterator for Rows {
    type Item = Result<Row, RowFault>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.is_over {
            self.buffer.clear();
            self.line += 1;
            match self.reader.read_until(b'\n', &mut self.buffer) {
                Ok(0) => self.is_over = true,
                Ok(_) => {
                    let bom_is_allowed = self.line == 1;
                    match parse::line(&self.buffer, bom_is_allowed) {
                        Ok(None) => {}
                        Ok(Some(row)) => {
                            let line = self.line;
                            return Some(Ok(Row { line, ..row }));
                        }
                        Err(problem) => return Some(Err(self.fault(problem))),
                    }
                }
                Err(source) => {
                    // What a reader gives after an error is anyone's guess.
                    self.is_over = true;
                    return Some(Err(self.fault(RowProblem::Unreadable { source })));
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Write};

    fn rows(bytes: &[u8]) -> Rows {
        Rows::from_reader(Cursor::new(bytes.to_vec()), Path::new("data.jsonl")).unwrap()
    }

    fn gzipped(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    const THREE: &[u8] = b"{\"text\": \"a\", \"labels\": [\"x\"]}\n\r\n{\"text\": 7}\n\
        {\"text\": \"b\", \"labels\": []}";

    fn shown(rows: Rows) -> Vec<String> {
        rows.map(|row| match row {
            Ok(row) => format!("{} {} {:?}", row.line, row.text, row.labels),
            Err(fault) => fault.to_string(),
        })
        .collect()
    }

    #[test]
    fn a_bad_line_is_a_fault_with_its_place_and_the_rest_goes_on() {
        let shown = shown(rows(THREE));
        assert_eq!(shown.len(), 3);
        assert_eq!(
            (shown[0].as_str(), shown[2].as_str()),
            ("1 a [\"x\"]", "4 b []")
        );
        assert!(
            shown[1].starts_with("data.jsonl:3: `text` is a number"),
            "{}",
            shown[1]
        );
    }

    #[test]
    fn gzip_is_told_by_content_and_members_are_read_one_after_another() {
        let mut bytes = gzipped(&THREE[..32]);
        bytes.extend(gzipped(&THREE[32..]));
        assert_eq!(shown(rows(&bytes)), shown(rows(THREE)));
    }

    #[test]
    fn a_cut_off_archive_gives_what_it_holds_and_then_one_fault() {
        let lines = b"{\"text\": \"a\", \"labels\": []}\n".repeat(20_000);
        let whole = gzipped(&lines);
        let read: Vec<_> = rows(&whole[..whole.len() / 2]).collect();
        let (last, before) = read.split_last().unwrap();
        assert!(before.len() > 100 && before.iter().all(Result::is_ok));
        let message = last.as_ref().unwrap_err().to_string();
        assert!(
            message.contains(&format!("data.jsonl:{}", read.len())),
            "{message}"
        );
        assert!(message.contains("cut off"), "{message}");
    }

    #[test]
    fn a_byte_order_mark_at_the_start_is_no_part_of_the_first_row() {
        let mut bytes = b"\xef\xbb\xbf".to_vec();
        bytes.extend(THREE);
        assert_eq!(shown(rows(&bytes)), shown(rows(THREE)));
    }

    #[test]
    fn a_file_without_rows_has_none() {
        assert_eq!(rows(b"").count(), 0);
        assert_eq!(rows(b"\n \n").count(), 0);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().to_owned(), folder.path().join("none.jsonl")] {
            let Err(error) = open_any(&path) else {
                panic!("{} was opened", path.display())
            };
            let message = error.to_string();
            assert!(
                message.starts_with(&path.display().to_string()),
                "{message}"
            );
        }
    }
}
