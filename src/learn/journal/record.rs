//! One line of the journal as JSON, and back.
//!
//! Input: a numbered correction or a note on the journal itself, or a line. Output: the line, or
//! what it says, or what is wrong with it. Invariant: `read` gives back what `line` was given; what
//! an older build wrote is read for ever; the corrections that this one writes an older one still
//! reads, and its notes it leaves alone. Knows nothing of files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Entry, Moved};
use crate::config::json_fact;
use crate::correction::{Correction, Shown, Source};
use crate::document::Format;
use crate::label::Descriptions;
use crate::score::Score;

/// The oldest reader that understands what is written here. Fields that were added since are
/// left out by older builds, which loses nothing but themselves.
const READER: u32 = 1;

/// As `READER`, of notes.
const NOTE_READER: u32 = 2;
/// As `READER`, of the note that a document is no more; the newest.
const GONE_READER: u32 = 3;

/// What a line says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Record {
    /// What a person said of a text.
    Correction(Entry),
    /// A document has another name, or is no more.
    Moved(Moved),
    /// The journal was written anew; numbers up to this one were given away.
    Rewritten(u64),
}

/// One note. Fields are only ever added.
#[derive(Serialize, Deserialize)]
struct Note {
    v: u32,
    kind: String,
    /// Seconds since 1970.
    time: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<u64>,
}

/// The line of a document's new name, or of its end; the line's own end included.
pub(super) fn moved_line(time: u64, moved: &Moved) -> Vec<u8> {
    let (v, kind) = match moved.to {
        Some(_) => (NOTE_READER, "moved"),
        None => (GONE_READER, "gone"),
    };
    note_line(Note {
        v,
        kind: kind.to_owned(),
        time,
        from: Some(moved.from.clone()),
        to: moved.to.clone(),
        last: None,
    })
}

/// The first line of a journal that was written anew, its end included.
pub(super) fn rewritten_line(time: u64, last: u64) -> Vec<u8> {
    note_line(Note {
        v: NOTE_READER,
        kind: "rewritten".to_owned(),
        time,
        from: None,
        to: None,
        last: Some(last),
    })
}

fn note_line(note: Note) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(&note).unwrap_or_default(); // Strings and numbers cannot fail.
    bytes.push(b'\n');
    bytes
}

/// What a line says that is no correction; none where it is no note either.
fn note(line: &[u8]) -> Option<Result<Record, String>> {
    let note: Note = serde_json::from_slice(line).ok()?;
    let newer = || format!("written by a newer gliznet (version {})", note.v);
    if note.v > GONE_READER {
        return Some(Err(newer()));
    }
    let record = match (note.kind.as_str(), note.from.clone(), note.to.clone()) {
        ("moved", Some(from), to @ Some(_)) => Ok(Record::Moved(Moved { from, to })),
        ("gone", Some(from), _) => Ok(Record::Moved(Moved { from, to: None })),
        ("rewritten", _, _) => Ok(Record::Rewritten(note.last.unwrap_or(0))),
        _ => Err(newer()),
    };
    Some(record)
}

/// One line. Fields are only ever added.
#[derive(Serialize, Deserialize)]
struct Line {
    v: u32,
    seq: u64,
    /// Seconds since 1970.
    time: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    document: Option<String>,
    text: String,
    labels: Vec<String>,
    accepted: Vec<String>,
    rejected: Vec<String>,
    #[serde(default, skip_serializing_if = "Descriptions::is_empty")]
    descriptions: Descriptions,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    format: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    scores: BTreeMap<String, f32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    suggested: Vec<String>,
}

/// The line of a correction, its end included.
pub(super) fn line(sequence: u64, time: u64, correction: &Correction) -> Vec<u8> {
    let shown = correction.shown.as_ref();
    let scores = shown.map(|shown| shown.scores.as_slice()).unwrap_or(&[]);
    let line = Line {
        v: READER,
        seq: sequence,
        time,
        document: correction.document.clone(),
        text: correction.text.clone(),
        labels: correction.labels.clone(),
        accepted: correction.accepted.clone(),
        rejected: correction.rejected.clone(),
        descriptions: correction.descriptions.clone(),
        format: Some(correction.format.name().to_owned()),
        source: Some(correction.source.name().to_owned()),
        model: shown.map(|shown| shown.model.clone()),
        suggested: shown.map_or_else(Vec::new, |shown| shown.suggested.clone()),
        scores: scores
            .iter()
            .map(|(label, score)| (label.clone(), score.value()))
            .collect(),
    };
    let mut bytes = serde_json::to_vec(&line).unwrap_or_default(); // Strings and numbers cannot fail.
    bytes.push(b'\n');
    bytes
}

/// The line of a correction that stands in `stored`, its end included, with another number and
/// another name of its document, or, where that is no more, the one that it `had`. What newer builds
/// have written there stays.
pub(super) fn rewritten(stored: &[u8], entry: &Entry, had: Option<&str>) -> Vec<u8> {
    let fields = serde_json::from_slice(without_mark(stored));
    let Ok(serde_json::Value::Object(mut fields)) = fields else {
        return line(entry.sequence, entry.time, &entry.correction);
    };
    fields.insert("seq".to_owned(), entry.sequence.into());
    // How the text is read may follow from the name that goes.
    let format = entry.correction.format.name();
    fields.insert("format".to_owned(), format.into());
    match &entry.correction.document {
        Some(name) => fields.insert("document".to_owned(), name.as_str().into()),
        None => fields.remove("document"),
    };
    if let Some(had) = had {
        fields.insert("ended".to_owned(), had.into());
    }
    let mut bytes = serde_json::Value::Object(fields).to_string().into_bytes();
    bytes.push(b'\n');
    bytes
}

/// The name that the document of a correction had when it ended, where `rewritten` wrote it down.
pub(super) fn ended(line: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Ended {
        ended: Option<String>,
    }
    serde_json::from_slice::<Ended>(without_mark(line))
        .ok()?
        .ended
}

/// The line without the byte order mark that an editor may have put before it.
fn without_mark(line: &[u8]) -> &[u8] {
    line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line)
}

/// What a line says; or what is wrong with it.
pub(super) fn read(line: &[u8]) -> Result<Record, String> {
    let line = without_mark(line);
    let line: Line = match serde_json::from_slice(line) {
        Ok(line) => line,
        Err(error) => {
            let no_correction = || Err(format!("not a correction ({})", json_fact(&error)));
            return note(line).unwrap_or_else(no_correction);
        }
    };
    if line.v > READER {
        return Err(format!("written by a newer gliznet (version {})", line.v));
    }
    let scores = line.scores.into_iter();
    let scores = scores.filter_map(|(label, score)| Some((label, Score::new(score)?)));
    let scores = scores.collect();
    Ok(Record::Correction(Entry {
        sequence: line.seq,
        time: line.time,
        correction: Correction {
            format: format(line.format.as_deref(), line.document.as_deref()),
            document: line.document,
            text: line.text,
            labels: line.labels,
            accepted: line.accepted,
            rejected: line.rejected,
            descriptions: line.descriptions,
            // The first records had no source, and only editors to come from.
            source: line
                .source
                .and_then(|word| word.parse().ok())
                .unwrap_or(Source::Editor),
            shown: line.model.map(|model| Shown {
                model,
                scores,
                suggested: line.suggested,
            }),
        },
    }))
}

/// The first records did not say how their text is read; its document's name does.
fn format(word: Option<&str>, document: Option<&str>) -> Format {
    let said = word.and_then(|word| word.parse().ok());
    said.unwrap_or_else(|| document.map_or(Format::Plain, |name| Format::from_path(name.as_ref())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn correction() -> Correction {
        Correction {
            document: Some("file:///a.org".to_owned()),
            text: "é\n🌱".to_owned(),
            format: Format::Org,
            labels: vec!["garden".to_owned(), "tax".to_owned()],
            accepted: vec!["garden".to_owned()],
            rejected: Vec::new(),
            descriptions: [("garden".to_owned(), "What grows.".to_owned())].into(),
            source: Source::Folder,
            shown: Some(Shown {
                model: "minilm@01234567".to_owned(),
                scores: vec![
                    ("garden".to_owned(), Score::new(0.25).unwrap()),
                    ("tax".to_owned(), Score::new(0.75).unwrap()),
                ],
                suggested: vec!["garden".to_owned()],
            }),
        }
    }

    fn entry(line: &[u8]) -> Entry {
        match read(line) {
            Ok(Record::Correction(entry)) => entry,
            other => panic!("no correction: {other:?}"),
        }
    }

    #[test]
    fn a_note_comes_back_as_it_went_in_and_is_none_of_the_first_builds_business() {
        let moved = Moved {
            from: "file:///a.md".to_owned(),
            to: Some("file:///ä.md".to_owned()),
        };
        let gone = Moved {
            to: None,
            ..moved.clone()
        };
        for moved in [moved, gone] {
            let line = moved_line(7, &moved);
            assert_eq!(read(&line), Ok(Record::Moved(moved)));
            assert!(serde_json::from_slice::<Line>(&line).is_err());
        }
        assert_eq!(read(&rewritten_line(7, 9)), Ok(Record::Rewritten(9)));
        let later = br#"{"v":2,"kind":"pinned","time":1}"#;
        assert!(read(later).unwrap_err().starts_with("written by a newer"));
    }

    #[test]
    fn a_record_comes_back_as_it_went_in() {
        let bare = Correction {
            document: None,
            descriptions: Descriptions::new(),
            shown: None,
            ..correction()
        };
        for correction in [correction(), bare] {
            let line = line(7, 9, &correction);
            assert_eq!(line.iter().filter(|b| **b == b'\n').count(), 1);
            let entry = entry(&line);
            assert_eq!((entry.sequence, entry.time), (7, 9));
            assert_eq!(entry.correction, correction);
        }
    }

    #[test]
    fn a_line_gets_another_number_and_name_and_keeps_all_else() {
        let stored = br#"{"v":1,"seq":3,"time":5,"document":"file:///b.org","text":"* b","labels":["x"],"accepted":["x"],"rejected":[],"mood":"?"}"#;
        let mut entry = entry(&[&b"\xEF\xBB\xBF"[..], stored].concat());
        entry.sequence = 7;
        entry.correction.document = None;
        let line = rewritten(stored, &entry, Some("file:///b.org"));
        assert!(line.ends_with(b"}\n"));
        let fields: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(fields["mood"], "?");
        let Ok(Record::Correction(again)) = read(&line) else {
            panic!("no correction");
        };
        assert_eq!(again, entry);
        assert_eq!(again.correction.format, Format::Org);
        assert_eq!(ended(&line).as_deref(), Some("file:///b.org"));
        assert_eq!(ended(stored), None);
        entry.correction.document = Some("file:///c.md".to_owned());
        assert_eq!(
            read(&rewritten(stored, &entry, None)),
            Ok(Record::Correction(entry))
        );
    }

    #[test]
    fn the_first_form_is_still_read() {
        let old = br#"{"v":1,"seq":3,"time":5,"document":"file:///b.md","text":"b","labels":["x"],"accepted":["x"],"rejected":[]}"#;
        let correction = entry(old).correction;
        assert_eq!(correction.format, Format::Markdown);
        assert_eq!(
            (correction.source, correction.shown),
            (Source::Editor, None)
        );
    }

    #[test]
    fn the_first_builds_read_what_this_one_writes() {
        /// The fields that the first build knew; it refused versions over 1.
        #[derive(Deserialize)]
        struct First {
            v: u32,
            seq: u64,
            text: String,
            accepted: Vec<String>,
        }
        let first: First = serde_json::from_slice(&line(7, 9, &correction())).unwrap();
        assert_eq!((first.v, first.seq, first.text.as_str()), (1, 7, "é\n🌱"));
        assert_eq!(first.accepted, ["garden"]);
    }

    #[test]
    fn what_is_no_record_says_so() {
        let newer =
            br#"{"v":9,"seq":1,"time":1,"text":"","labels":[],"accepted":[],"rejected":[]}"#;
        assert!(read(newer).unwrap_err().starts_with("written by a newer"));
        assert!(read(b"[1]").unwrap_err().starts_with("not a correction"));
        // A word from the future is no reason to lose a verdict.
        let odd = br#"{"v":1,"seq":1,"time":1,"text":"","labels":[],"accepted":[],"rejected":[],"source":"mail","format":"docx","model":"m","scores":{"a":7}}"#;
        let correction = entry(odd).correction;
        assert_eq!(
            (correction.source, correction.format),
            (Source::Editor, Format::Plain)
        );
        assert_eq!(correction.shown.unwrap().scores, []);
    }
}
