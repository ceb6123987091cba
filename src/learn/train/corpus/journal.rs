//! A journal of corrections as rows to train on: a file in, a row a text out.
//!
//! Invariant: the latest verdict on a label of a text or document holds, as for the learning loop; the
//! document's own tags are no part of its text.

use std::io::{BufRead as _, Read as _};
use std::path::Path;

use crate::learn::consolidate::lesson::{Lesson, Renamed, lessons};
use crate::learn::dataset::{Row, RowKind, unzipped};
use crate::learn::journal::{is_record, unpack};

/// Rows, and what is wrong with a line.
pub(super) type Rows = Box<dyn Iterator<Item = Result<Row, String>>>;

/// The rows of a journal; `None` where the first line that is not blank is none of a journal, or
/// cannot be read: the file is read as any other then, and told of.
pub(super) fn rows(path: &Path) -> Option<Rows> {
    let mut reader = unzipped(path).ok()?;
    let (mut bytes, mut from) = (Vec::new(), 0);
    loop {
        let n = reader.read_until(b'\n', &mut bytes).ok()?;
        let line = bytes[from..].trim_ascii();
        let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        match line.is_empty() && n > 0 {
            true => from = bytes.len(),
            false if is_record(line) => break,
            false => return None,
        }
    }
    let cut = reader.read_to_end(&mut bytes).err();
    let parcel = unpack(&bytes);
    let name = path.display().to_string();
    let cut = cut.map(|error| Err(format!("{name}: cannot read on: {error}; copy it anew")));
    let faults = parcel.foreign.into_iter();
    let faults = faults.map(move |fault| Err(format!("{name}:{}: {}", fault.line, fault.fact)));
    let lessons = lessons(&parcel.entries, &Renamed::default()).into_iter();
    let rows = lessons.map(|lesson| Ok(row(lesson)));
    Some(Box::new(rows.chain(faults).chain(cut)))
}

fn row(lesson: Lesson) -> Row {
    let those = |fits: bool| {
        let verdicts = lesson.verdicts.iter().filter(|(_, is)| **is == fits);
        verdicts.map(|(name, _)| name.clone()).collect()
    };
    Row {
        labels: those(true),
        not_labels: those(false),
        source: None,
        line: lesson.corrections.first().copied().unwrap_or(0) as usize,
        kind: RowKind::Correction,
        text: lesson.text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTE: &str = r#"{"v":2,"kind":"moved","time":2,"from":"a.md","to":"b.md"}"#;

    fn line(seq: u64, document: &str, text: &str, accepted: &str, rejected: &str) -> String {
        format!(
            r#"{{"v":1,"seq":{seq},"time":1,"document":"{document}","text":"{text}","labels":["bread","sea"],"accepted":[{accepted}],"rejected":[{rejected}],"format":"markdown"}}"#
        )
    }

    fn shown(lines: &[String]) -> Option<Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("corrections.jsonl");
        std::fs::write(&path, lines.join("\n")).unwrap();
        let rows = rows(&path)?.map(|row| match row {
            Ok(row) => format!("{} {:?} {:?}", row.text, row.labels, row.not_labels),
            Err(fault) => fault,
        });
        Some(rows.collect())
    }

    #[test]
    fn the_latest_verdict_holds_and_a_notes_own_tags_are_not_read() {
        let tagged = r"---\ntags: [bread]\n---\nA loaf.";
        let shown = shown(&[
            line(1, "a.md", tagged, r#""sea""#, ""),
            NOTE.to_owned(),
            line(2, "b.md", tagged, r#""bread""#, r#""sea""#),
        ]);
        assert_eq!(shown.unwrap(), [r#"A loaf. ["bread"] ["sea"]"#]);
    }

    #[test]
    fn a_byte_order_mark_and_blank_lines_may_stand_before_the_first_record() {
        let good = line(1, "a.md", "A loaf.", r#""bread""#, "");
        let shown = shown(&["\u{feff}".to_owned(), String::new(), good]);
        assert_eq!(shown.unwrap(), [r#"A loaf. ["bread"] []"#]);
    }

    #[test]
    fn of_a_journal_that_is_cut_off_the_rest_is_read_and_the_end_told() {
        let lines: Vec<String> = (0..2_000)
            .map(|n| line(n, "a.md", &format!("Loaf {n}."), r#""bread""#, ""))
            .collect();
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut packed, lines.join("\n").as_bytes()).unwrap();
        let packed = packed.finish().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("corrections.jsonl.gz");
        std::fs::write(&path, &packed[..packed.len() / 2]).unwrap();
        let rows: Vec<_> = rows(&path).unwrap().collect();
        assert!(rows[0].is_ok());
        let last = rows.last().unwrap().as_ref().unwrap_err();
        assert!(last.contains("cannot read on"), "{last}");
    }

    #[test]
    fn a_line_that_is_none_is_named_and_rows_of_others_are_left_to_their_reader() {
        let good = line(1, "a.md", "A loaf.", r#""bread""#, "");
        let two = shown(&[good.clone(), "{}".to_owned()]).unwrap();
        assert_eq!(two.len(), 2);
        assert!(two[1].contains("corrections.jsonl:2:"), "{two:?}");
        let other = r#"{"text": "A loaf.", "labels": ["bread"]}"#.to_owned();
        assert_eq!(shown(&[other, good]), None);
    }
}
