//! Rows of Parquet files, and the one door for files of either kind.
//!
//! In: a path. Out: the same rows and faults as from JSON Lines; the "line" is the row's number.
//! Columns that a row is not made of are somebody else's, and are not read.
//! What comes out of a pipe is put into a temporary file first: a Parquet reader jumps about.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row as Record};
use parquet::schema::types::Type;
use serde_json::{Map, Value};
use tempfile::NamedTempFile;

use super::{DatasetError, GZIP_MAGIC, Row, RowFault, RowProblem, Rows, parse};

/// What a Parquet file begins with.
const MAGIC: [u8; 4] = *b"PAR1";

/// The rows of a file, in order.
type AnyRows = Box<dyn Iterator<Item = Result<Row, RowFault>>>;

/// Opens Parquet or JSON Lines, gzipped or not, all told by content.
pub fn open_any(path: &Path) -> Result<AnyRows, DatasetError> {
    Source::open(path)?.rows()
}

/// A file whose rows can be read as often as need be.
#[derive(Clone, Debug)]
pub(super) struct Source {
    path: PathBuf,
    /// What came out of it, where it is a pipe and gives its bytes once.
    spool: Option<Arc<NamedTempFile>>,
}

impl Source {
    /// Opens a file; what is a pipe is read here.
    pub(super) fn open(path: &Path) -> Result<Source, DatasetError> {
        Ok(Source {
            path: path.to_owned(),
            spool: spool(path).map_err(unreadable(path))?.map(Arc::new),
        })
    }

    /// All rows, from the first.
    pub(super) fn rows(&self) -> Result<AnyRows, DatasetError> {
        let file = match &self.spool {
            Some(spool) => spool.reopen(),
            None => File::open(&self.path),
        };
        rows(file.map_err(unreadable(&self.path))?, &self.path)
    }
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> DatasetError + '_ {
    move |source| DatasetError::Unreadable {
        path: path.to_owned(),
        source,
    }
}

fn damaged(path: &Path, error: impl std::fmt::Display) -> DatasetError {
    DatasetError::Damaged {
        path: path.to_owned(),
        fact: error.to_string(),
    }
}

/// The bytes of what cannot be read twice; `None` where it is a file, or where opening tells better
/// what it is.
fn spool(path: &Path) -> io::Result<Option<NamedTempFile>> {
    let found = std::fs::metadata(path)?;
    if found.is_file() || found.is_dir() {
        return Ok(None);
    }
    let mut spool = NamedTempFile::new()?;
    io::copy(&mut File::open(path)?, &mut spool)?;
    Ok(Some(spool))
}

fn rows(file: File, path: &Path) -> Result<AnyRows, DatasetError> {
    let unreadable = unreadable(path);
    match parquet_file(file).map_err(&unreadable)? {
        Found::Lines(file) => {
            let rows = Rows::from_reader(file, path).map_err(unreadable)?;
            Ok(Box::new(rows))
        }
        Found::Parquet(file) => {
            let reader = SerializedFileReader::new(file).map_err(|error| damaged(path, error))?;
            let columns = columns_of_rows(reader.metadata().file_metadata().schema());
            let records = reader.into_iter().project(columns);
            let records = records.map_err(|error| damaged(path, error))?;
            let file = path.to_owned();
            let fault = move |line, problem| RowFault {
                file: file.clone(),
                line,
                problem,
            };
            // After an error the library gives the same error again and again.
            let mut is_over = false;
            let records = records.take_while(move |record| {
                let goes_on = !is_over;
                is_over |= record.is_err();
                goes_on
            });
            let rows = records.zip(1..).map(move |(record, line)| {
                let row = match record {
                    Ok(record) => value(&record).and_then(parse::value),
                    Err(error) => Err(RowProblem::Unreadable {
                        source: io::Error::other(error),
                    }),
                };
                row.map(|row| Row { line, ..row })
                    .map_err(|problem| fault(line, problem))
            });
            Ok(Box::new(rows))
        }
    }
}

/// The part of a schema that rows are made of; none, which stands for all of it, where it has no
/// such column. The library panics at columns of some kinds, which others may have.
fn columns_of_rows(schema: &Type) -> Option<Type> {
    let all = schema.get_fields().iter();
    let own = all.filter(|column| parse::FIELDS.contains(&column.name()));
    let own: Vec<_> = own.cloned().collect();
    if own.is_empty() {
        return None;
    }
    let part = Type::group_type_builder(schema.name()).with_fields(own);
    part.build().ok().filter(|part| schema.check_contains(part))
}

/// A record as the JSON that `parse` reads. Text may be written as bytes; a column without a value
/// is one that the row does not have.
fn value(record: &Record) -> Result<Value, RowProblem> {
    let mut fields = Map::new();
    for (name, field) in record.get_column_iter() {
        if !matches!(field, Field::Null) && parse::FIELDS.contains(&name.as_str()) {
            fields.insert(name.clone(), field_value(name, field)?);
        }
    }
    Ok(Value::Object(fields))
}

fn field_value(name: &str, field: &Field) -> Result<Value, RowProblem> {
    match field {
        Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
            Ok(text) => Ok(Value::String(text.to_owned())),
            Err(_) => Err(RowProblem::WrongType {
                field: name.to_owned(),
                found: "bytes that are no UTF-8",
                expected: "text",
            }),
        },
        Field::ListInternal(list) => {
            let values = list.elements().iter();
            let values = values.map(|field| field_value(name, field));
            Ok(Value::Array(values.collect::<Result<_, _>>()?))
        }
        other => Ok(other.to_json_value()),
    }
}

/// A file at its beginning, and how its rows are written.
enum Found {
    Parquet(File),
    Lines(File),
}

/// What a file is; Parquet is unpacked if need be.
fn parquet_file(mut file: File) -> io::Result<Found> {
    let mut start = Vec::new();
    file.by_ref().take(4).read_to_end(&mut start)?;
    file.rewind()?;
    if start == MAGIC {
        return Ok(Found::Parquet(file));
    }
    if !start.starts_with(&GZIP_MAGIC) {
        return Ok(Found::Lines(file));
    }
    let mut decoder = MultiGzDecoder::new(&file);
    let mut inner = [0; 4];
    if decoder.read_exact(&mut inner).is_err() || inner != MAGIC {
        // Whatever is wrong with the archive, the other reader says it better.
        file.rewind()?;
        return Ok(Found::Lines(file));
    }
    let mut unpacked = tempfile::tempfile()?;
    io::Write::write_all(&mut unpacked, &inner)?;
    io::copy(&mut decoder, &mut unpacked)?;
    unpacked.rewind()?;
    Ok(Found::Parquet(unpacked))
}

#[cfg(test)]
mod tests {
    use super::*;

    use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
    use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    /// Two good rows, and one whose label is empty; text as bytes, and a column without values.
    fn bytes() -> Vec<u8> {
        packed(Compression::UNCOMPRESSED)
    }

    fn packed(packing: Compression) -> Vec<u8> {
        let properties = WriterProperties::builder().set_compression(packing);
        let properties = Arc::new(properties.build());
        let schema = "message rows {
            required binary text;
            optional group labels (list) { repeated group list { required binary element (utf8); } }
            optional group accepted (list) { repeated group list { required binary element (utf8); } }
        }";
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let mut bytes = Vec::new();
        let mut writer = SerializedFileWriter::new(&mut bytes, schema, properties).unwrap();
        let mut group = writer.next_row_group().unwrap();
        type Column<'a> = (&'a [&'a str], Option<&'a [i16]>, Option<&'a [i16]>);
        let columns: [Column; 3] = [
            (&["Snow on the hills.", "Fog.", "Ice."], None, None),
            (
                &["snow", "hills", "fog", " "],
                Some(&[2, 2, 2, 2]),
                Some(&[0, 1, 0, 0]),
            ),
            (&[], Some(&[0; 3]), Some(&[0; 3])),
        ];
        for (values, defined, repeated) in columns {
            let mut column = group.next_column().unwrap().unwrap();
            let values: Vec<ByteArray> =
                values.iter().map(|value| ByteArray::from(*value)).collect();
            let typed = column.typed::<ByteArrayType>();
            typed.write_batch(&values, defined, repeated).unwrap();
            column.close().unwrap();
        }
        group.close().unwrap();
        writer.close().unwrap();
        bytes
    }

    /// One row, between columns of others: bytes that are no text, and a moment that no calendar has.
    fn among_others() -> Vec<u8> {
        let schema = "message rows {
            required binary picture;
            required binary text (utf8);
            required int64 taken (timestamp_millis);
            required int64 id;
            required group labels (list) { repeated group list { required binary element (utf8); } }
        }";
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let mut bytes = Vec::new();
        let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::default()).unwrap();
        let mut group = writer.next_row_group().unwrap();
        let (picture, text, label) = (&b"\xff"[..], &b"Fog."[..], &b"fog"[..]);
        for value in [Ok(picture), Ok(text), Err(i64::MAX), Err(7), Ok(label)] {
            let mut column = group.next_column().unwrap().unwrap();
            match value {
                Ok(value) => {
                    let levels: [Option<&[i16]>; 2] = match value == label {
                        true => [Some(&[1]), Some(&[0])],
                        false => [None, None],
                    };
                    let value = [ByteArray::from(value.to_vec())];
                    let typed = column.typed::<ByteArrayType>();
                    typed.write_batch(&value, levels[0], levels[1]).unwrap();
                }
                Err(value) => {
                    let typed = column.typed::<Int64Type>();
                    typed.write_batch(&[value], None, None).unwrap();
                }
            }
            column.close().unwrap();
        }
        group.close().unwrap();
        writer.close().unwrap();
        bytes
    }

    #[test]
    fn columns_of_others_are_not_read_whatever_they_hold() {
        assert_eq!(shown(&among_others()), [r#"1 Fog. ["fog"]"#]);
    }

    fn shown(bytes: &[u8]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows");
        std::fs::write(&path, bytes).unwrap();
        let shown = open_any(&path).unwrap().map(|row| match row {
            Ok(row) => format!("{} {} {:?}", row.line, row.text, row.labels),
            Err(fault) => format!("{} {}", fault.line, fault.problem),
        });
        shown.collect()
    }

    #[test]
    fn rows_are_those_of_json_lines_and_a_bad_one_is_named() {
        let shown = shown(&bytes());
        assert_eq!(shown[0], r#"1 Snow on the hills. ["snow", "hills"]"#);
        assert_eq!(shown[1], r#"2 Fog. ["fog"]"#);
        assert!(
            shown[2].starts_with("3 `labels` has an empty label"),
            "{shown:?}"
        );
    }

    #[test]
    fn a_gzipped_file_is_the_file() {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        io::Write::write_all(&mut packed, &bytes()).unwrap();
        assert_eq!(shown(&packed.finish().unwrap()), shown(&bytes()));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_comes_out_of_a_pipe_is_read_twice() {
        for content in [
            bytes(),
            b"{\"text\": \"a\", \"labels\": [\"x\"]}\n".to_vec(),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("pipe");
            let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
            rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0)
                .unwrap();
            let expected = shown(&content).len();
            let other_end = path.clone();
            let writer = std::thread::spawn(move || {
                let mut pipe = File::options().write(true).open(other_end).unwrap();
                io::Write::write_all(&mut pipe, &content).unwrap();
            });
            let source = Source::open(&path).unwrap();
            writer.join().unwrap();
            for _ in 0..2 {
                assert_eq!(source.rows().unwrap().count(), expected);
            }
        }
    }

    #[test]
    fn every_packing_in_use_is_read() {
        for packing in [
            Compression::SNAPPY,
            Compression::GZIP(GzipLevel::default()),
            Compression::BROTLI(BrotliLevel::default()),
            Compression::LZ4_RAW,
            Compression::ZSTD(ZstdLevel::default()),
        ] {
            assert_eq!(shown(&packed(packing)), shown(&bytes()), "{packing}");
        }
    }

    #[test]
    fn a_damaged_page_is_one_fault_and_the_end() {
        let mut bytes = packed(Compression::ZSTD(ZstdLevel::default()));
        bytes[4..60].fill(0xff);
        let shown = shown(&bytes);
        assert!(shown.len() <= 3, "{shown:?}");
        assert!(
            shown.last().unwrap().contains("cannot read on"),
            "{shown:?}"
        );
    }

    #[test]
    fn a_file_without_its_end_is_called_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows");
        let whole = bytes();
        for n in [4, 8, whole.len() / 2] {
            std::fs::write(&path, &whole[..n]).unwrap();
            let said = open_any(&path).err().unwrap().to_string();
            assert!(said.contains("cut off or damaged"), "{said}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_told() {
        let record = Record::new(vec![(
            "text".to_owned(),
            Field::Bytes(ByteArray::from(vec![0xff])),
        )]);
        let problem = value(&record).unwrap_err().to_string();
        assert!(
            problem.contains("`text` is bytes that are no UTF-8"),
            "{problem}"
        );
    }
}
