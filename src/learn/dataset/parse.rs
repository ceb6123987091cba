//! One line of JSON in, one `Row` or what is wrong with it out.
//!
//! Three spellings: `{"text"|"sentence", "labels", "not_labels"?, "site"?, "source"?}`,
//! GLiClass's `{"text", "all_labels", "true_labels"}`, and a correction's `{"text", "accepted",
//! "rejected"}`. Other fields are somebody else's.
//! Invariant: the labels of a row are not empty, each once, and on one side only.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::{Row, RowKind, RowProblem};
use crate::document::{Document, Format};
use crate::engine::Passage;

/// What a row is made of.
pub(super) const FIELDS: [&str; 11] = [
    "text",
    "sentence",
    "labels",
    "not_labels",
    "all_labels",
    "true_labels",
    "accepted",
    "rejected",
    "format",
    "site",
    "source",
];

/// `None` where the line is blank. The row's line number is the caller's to set.
pub(super) fn line(bytes: &[u8], bom_is_allowed: bool) -> Result<Option<Row>, RowProblem> {
    let text = std::str::from_utf8(bytes).map_err(|error| RowProblem::NotUtf8 {
        at: error.valid_up_to() + 1,
    })?;
    let text = match text.strip_prefix('\u{feff}') {
        Some(rest) if bom_is_allowed => rest,
        _ => text,
    };
    if text.trim().is_empty() {
        return Ok(None);
    }
    let value = serde_json::from_str(text).map_err(|error| not_json(&error))?;
    if is_note(&value) {
        return Ok(None);
    }
    self::value(value).map(Some)
}

/// Whether a line of the journal is about the journal: that a document moved, say.
fn is_note(value: &Value) -> bool {
    let has = |field: &str| value.get(field).is_some();
    has("v") && has("kind") && !has("text")
}

/// The row of a JSON value.
pub(super) fn value(value: Value) -> Result<Row, RowProblem> {
    match value {
        Value::Object(fields) => row(fields),
        other => Err(RowProblem::NotAnObject {
            found: kind(&other),
        }),
    }
}

fn not_json(error: &serde_json::Error) -> RowProblem {
    let message = error.to_string();
    // The place is ours to say: to the parser every line is line 1.
    let fact = match message.rfind(" at line ") {
        Some(end) => message[..end].to_owned(),
        None => message,
    };
    let column = error.column();
    if fact.contains("surrogate") || fact.contains("hex escape") {
        RowProblem::LoneSurrogate { column, fact }
    } else {
        RowProblem::NotJson { column, fact }
    }
}

fn row(mut fields: Map<String, Value>) -> Result<Row, RowProblem> {
    let text = match (fields.remove("text"), fields.remove("sentence")) {
        (Some(value), _) => string("text", value)?,
        (None, Some(value)) => string("sentence", value)?,
        (None, None) => {
            return Err(RowProblem::Missing {
                field: "text",
                cure: "give the row its text",
            });
        }
    };
    // A table has the columns of all its rows: what has no value is not there.
    for field in ["labels", "true_labels", "accepted", "rejected"] {
        if fields.get(field).is_some_and(Value::is_null) {
            fields.remove(field);
        }
    }
    let has = |field: &str| fields.contains_key(field);
    let row_kind = match (has("accepted") || has("rejected"), has("labels")) {
        (true, _) => {
            // A correction's `labels` are those that were shown.
            fields.remove("labels");
            for (verdict, side) in [("accepted", "labels"), ("rejected", "not_labels")] {
                let labels = fields.remove(verdict).unwrap_or(Value::Array(Vec::new()));
                fields.insert(side.to_owned(), labels);
            }
            RowKind::Correction
        }
        (false, true) => RowKind::Plain,
        (false, false) => RowKind::Gliclass,
    };
    let side = |plain, verdict| match row_kind {
        RowKind::Correction => verdict,
        RowKind::Plain | RowKind::Gliclass => plain,
    };
    let (labels, not_labels) = match (fields.remove("labels"), fields.remove("true_labels")) {
        (Some(value), _) => {
            let labels = strings(side("labels", "accepted"), value)?;
            let not_labels = match fields.remove("not_labels") {
                None | Some(Value::Null) => Vec::new(),
                Some(value) => strings(side("not_labels", "rejected"), value)?,
            };
            let rejected: HashSet<&String> = not_labels.iter().collect();
            if let Some(both) = labels.iter().find(|label| rejected.contains(label)) {
                return Err(RowProblem::Contradiction {
                    label: both.clone(),
                    fields: match row_kind {
                        RowKind::Correction => "`accepted` and `rejected`",
                        RowKind::Plain | RowKind::Gliclass => "`labels` and `not_labels`",
                    },
                });
            }
            (labels, not_labels)
        }
        (None, Some(value)) => {
            let labels = strings("true_labels", value)?;
            let mut others = match fields.remove("all_labels") {
                Some(value) => strings("all_labels", value)?,
                None => {
                    return Err(RowProblem::Missing {
                        field: "all_labels",
                        cure: "list all candidates of the row, the true ones too",
                    });
                }
            };
            let fit: HashSet<&String> = labels.iter().collect();
            others.retain(|label| !fit.contains(label));
            (labels, others)
        }
        (None, None) => {
            return Err(RowProblem::Missing {
                field: "labels",
                cure: "give `\"labels\": []` to a text that has none",
            });
        }
    };
    let text = match (row_kind, fields.remove("format")) {
        // The document as it was written, tags and all: those must not be read off.
        (RowKind::Correction, Some(Value::String(format))) => read_as(&format, text),
        _ => text,
    };
    let site = optional("site", fields.remove("site"))?;
    let source = optional("source", fields.remove("source"))?;
    Ok(Row {
        text,
        labels,
        not_labels,
        // A correction's `source` says where it was made, not whose labels it has.
        source: match row_kind {
            RowKind::Correction => site,
            RowKind::Plain | RowKind::Gliclass => site.or(source),
        },
        line: 0,
        kind: row_kind,
    })
}

/// What the model reads of a document of this format; the text itself where there is no such format.
fn read_as(format: &str, text: String) -> String {
    match format.parse::<Format>() {
        Ok(format) => Passage::of(&Document::parse(format, text.as_str()))
            .text()
            .to_owned(),
        Err(_) => text,
    }
}

fn string(field: &'static str, value: Value) -> Result<String, RowProblem> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(RowProblem::WrongType {
            field: field.to_owned(),
            found: kind(&other),
            expected: "a string",
        }),
    }
}

/// A string or a number, which names things as well.
fn optional(field: &'static str, value: Option<Value>) -> Result<Option<String>, RowProblem> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(value) => string(field, value).map(Some),
    }
}

fn strings(field: &'static str, value: Value) -> Result<Vec<String>, RowProblem> {
    let Value::Array(values) = value else {
        return Err(RowProblem::WrongType {
            field: field.to_owned(),
            found: kind(&value),
            expected: "a list of strings",
        });
    };
    let mut labels: Vec<String> = Vec::with_capacity(values.len());
    let mut seen = HashSet::with_capacity(values.len());
    for (index, value) in values.into_iter().enumerate() {
        let Value::String(label) = value else {
            return Err(RowProblem::WrongType {
                field: format!("{field}[{index}]"),
                found: kind(&value),
                expected: "a string, in quotes",
            });
        };
        if label.trim().is_empty() {
            return Err(RowProblem::EmptyLabel { field });
        }
        if seen.insert(label.clone()) {
            labels.push(label);
        }
    }
    Ok(labels)
}

/// What a value is, in plain words.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(json: &str) -> Row {
        line(json.as_bytes(), true).unwrap().unwrap()
    }

    fn problem(json: &str) -> String {
        line(json.as_bytes(), true).unwrap_err().to_string()
    }

    #[test]
    fn both_spellings_of_a_row_are_read() {
        let ours = parsed(r#"{"text": "a", "labels": ["x", "y", "x"], "not_labels": ["z"]}"#);
        let gliclass =
            parsed(r#"{"text": "a", "all_labels": ["z", "x", "y"], "true_labels": ["x", "y"]}"#);
        assert_eq!(gliclass.kind, RowKind::Gliclass);
        assert_eq!(
            ours,
            Row {
                kind: RowKind::Plain,
                ..gliclass
            }
        );
        let correction = parsed(
            r#"{"v": 1, "text": "a", "labels": ["x", "y", "z", "not judged"], "source": "editor", "accepted": ["x", "y"], "rejected": ["z"]}"#,
        );
        assert_eq!(correction.kind, RowKind::Correction);
        assert_eq!(
            ours,
            Row {
                kind: RowKind::Plain,
                ..correction
            }
        );
        let candidates: Vec<_> = ours.candidates().collect();
        assert_eq!(candidates, [("x", true), ("y", true), ("z", false)]);
        assert_eq!(parsed(r#"{"sentence": "a", "labels": []}"#).text, "a");
    }

    #[test]
    fn a_site_says_whose_labels_a_row_has_and_a_source_will_do() {
        let row = |extra: &str| parsed(&format!(r#"{{"text": "a", "labels": []{extra}}}"#));
        let both = row(r#", "source": "notes", "site": "mine", "id": [7]"#);
        assert_eq!(both.source.as_deref(), Some("mine"));
        let source = row(r#", "source": "notes", "site": null"#).source;
        assert_eq!(source.as_deref(), Some("notes"));
        assert_eq!(row("").source, None);
    }

    #[test]
    fn every_problem_says_what_and_how_to_mend_it() {
        for (json, fact) in [
            ("{\"text\": \"a\"", "not JSON at column 12"),
            ("{\"text\": \"a\\ud800\", \"labels\": []}", "lone surrogate"),
            (
                "{\"text\": \"a\\ud800b\", \"labels\": []}",
                "lone surrogate",
            ),
            (
                "{\"text\": \"a\\udc00b\", \"labels\": []}",
                "lone surrogate",
            ),
            ("[1]", "a list, where a row should be"),
            ("{}", "no `text`"),
            (r#"{"text": "a"}"#, r#"give `"labels": []`"#),
            (r#"{"text": "a", "true_labels": []}"#, "no `all_labels`"),
            (r#"{"text": null, "labels": []}"#, "`text` is null"),
            (r#"{"text": "a", "labels": "x"}"#, "`labels` is a string"),
            (
                r#"{"text": "a", "labels": ["x", 3]}"#,
                "`labels[1]` is a number",
            ),
            (r#"{"text": "a", "labels": ["x", " "]}"#, "empty label"),
            (
                r#"{"text": "a", "labels": ["x"], "not_labels": ["x"]}"#,
                "label `x` is in both",
            ),
            (
                r#"{"text": "a", "labels": [], "site": []}"#,
                "`site` is a list",
            ),
            ("\0\0", "not JSON at column 1"),
        ] {
            let problem = problem(json);
            assert!(problem.contains(fact), "{json}: {problem}");
        }
        let problem = line(b"{\"text\": \"\xff\"}", true).unwrap_err().to_string();
        assert!(
            problem.starts_with("byte 11 of the line is not UTF-8"),
            "{problem}"
        );
    }

    #[test]
    fn a_byte_order_mark_is_no_json_later_on() {
        let row = "\u{feff}{\"text\": \"a\", \"labels\": []}";
        assert!(line(row.as_bytes(), true).is_ok());
        assert!(line(row.as_bytes(), false).is_err());
    }
}
