//! One line of input in; a row, or what is wrong with it in plain words.
//!
//! Invariant: a line that is no row keeps its id wherever that can be read, so that whoever wrote
//! it knows which one is meant.

use std::fmt;

use serde::Deserializer;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::learn::dataset::{RowProblem, kind};

const FORM: &str = "each line is an object {\"id\", \"text\", \"labels\"?}";

#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: Value,
    pub(super) text: String,
    pub(super) labels: Option<Vec<String>>,
}

/// Why a line has no tags.
#[derive(Debug)]
pub(super) struct BadRow {
    /// Null where it cannot be read.
    pub(super) id: Value,
    pub(super) error: String,
}

pub(super) fn read(line: &[u8]) -> Result<Row, BadRow> {
    parsed(line).and_then(row).map_err(|error| BadRow {
        id: id_of(line).unwrap_or_default(),
        error,
    })
}

fn parsed(line: &[u8]) -> Result<Value, String> {
    if line.trim_ascii().is_empty() {
        return Err("an empty line; each line is an object {\"id\", \"text\"}".into());
    }
    let text = std::str::from_utf8(line).map_err(|error| {
        let column = error.valid_up_to() + 1;
        format!("not UTF-8 (column {column}); convert the file to UTF-8")
    })?;
    serde_json::from_str(text).map_err(|error| not_json(&error))
}

fn row(value: Value) -> Result<Row, String> {
    let Value::Object(mut fields) = value else {
        return Err(format!("{}, where a row should be; {FORM}", kind(&value)));
    };
    Ok(Row {
        text: text(&mut fields)?,
        labels: labels(&mut fields)?,
        id: fields.remove("id").unwrap_or_default(),
    })
}

fn text(fields: &mut Map<String, Value>) -> Result<String, String> {
    match fields.remove("text") {
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(wrong_type("text".to_owned(), &other, "a string")),
        None => Err(format!("no `text`; {FORM}")),
    }
}

fn labels(fields: &mut Map<String, Value>) -> Result<Option<Vec<String>>, String> {
    let values = match fields.remove("labels") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(values)) => values,
        Some(other) => return Err(wrong_type("labels".into(), &other, "a list of strings")),
    };
    let named = values.into_iter().enumerate().map(|(idx, value)| {
        let Value::String(name) = value else {
            let field = format!("labels[{idx}]");
            return Err(wrong_type(field, &value, "a string, in quotes"));
        };
        Ok(name)
    });
    named.collect::<Result<_, _>>().map(Some)
}

/// In the words of `gliznet eval`.
fn wrong_type(field: String, value: &Value, expected: &'static str) -> String {
    let found = kind(value);
    let problem = RowProblem::WrongType {
        field,
        found,
        expected,
    };
    problem.to_string()
}

/// serde's message counts lines of the one line we gave it: only the column says something.
fn not_json(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let fact = message.split(" at line ").next().unwrap_or(&message);
    let column = error.column();
    // It says of a half pair what it expected, not what it found.
    let is_half_pair = fact.contains("surrogate") || fact == "unexpected end of hex escape";
    if is_half_pair {
        let cure = "write the character itself, or both halves as in \\ud83d\\ude00";
        return format!("half of a surrogate pair (column {column}); {cure}");
    }
    format!("not JSON: {fact} (column {column}); {FORM}")
}

/// The id of a line that need not be whole: all else is passed over, and what stands before a
/// break is read.
fn id_of(line: &[u8]) -> Option<Value> {
    struct Id(Option<Value>);
    impl<'de> Visitor<'de> for &mut Id {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
            while let Some(name) = fields.next_key::<String>()? {
                if name == "id" {
                    self.0 = Some(fields.next_value()?);
                } else {
                    fields.next_value::<IgnoredAny>()?;
                }
            }
            Ok(())
        }
    }
    let mut id = Id(None);
    // What is wrong with the line is said already.
    let _ = serde_json::Deserializer::from_slice(line).deserialize_map(&mut id);
    id.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn bad(line: &[u8]) -> (Value, String) {
        let BadRow { id, error } = read(line).unwrap_err();
        (id, error)
    }

    #[test]
    fn a_fault_of_json_has_a_column_and_a_cure() {
        assert_eq!(
            bad(b"{\"id\": 1, x}").1,
            "not JSON: key must be a string (column 11); each line is an object {\"id\", \"text\", \"labels\"?}"
        );
        assert_eq!(
            bad(br#"{"text": "\ud83d!"}"#).1,
            r"half of a surrogate pair (column 17); write the character itself, or both halves as in \ud83d\ude00"
        );
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_named_in_plain_words() {
        for (line, error) in [
            (r#"{"text": 7}"#, "`text` is a number; it must be a string"),
            (r#"{"text": null}"#, "`text` is null; it must be a string"),
            (
                r#"{"text": "a", "labels": "x,y"}"#,
                "`labels` is a string; it must be a list of strings",
            ),
            (
                r#"{"text": "a", "labels": ["x", true]}"#,
                "`labels[1]` is a truth value; it must be a string, in quotes",
            ),
            (
                "[1]",
                "a list, where a row should be; each line is an object {\"id\", \"text\", \"labels\"?}",
            ),
            (
                "{}",
                "no `text`; each line is an object {\"id\", \"text\", \"labels\"?}",
            ),
        ] {
            assert_eq!(bad(line.as_bytes()).1, error);
        }
    }

    #[test]
    fn a_bad_row_keeps_the_id_that_can_be_read() {
        for (line, id) in [
            (&br#"{"id": 4}"#[..], json!(4)),
            (br#"{"text": 7, "id": "a"}"#, json!("a")),
            (br#"{"text": "half \ud83d", "id": [1]}"#, json!([1])),
            (br#"{"id": 5, "text": "broken off"#, json!(5)),
            (b"{\"text\": \"caf\xe9\", \"id\": 6}", json!(6)),
            (br#"{"text": "broken off, "id": 7}"#, Value::Null),
            (br#"{"id": "\ud83d", "text": ""}"#, Value::Null),
            (b"not json", Value::Null),
            (b"", Value::Null),
        ] {
            assert_eq!(bad(line).0, id, "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn what_else_a_row_has_is_somebody_elses() {
        let row = read(br#"{"more": 1, "text": "a", "labels": null}"#).unwrap();
        assert_eq!((row.id, row.labels), (Value::Null, None));
        assert_eq!(row.text, "a");
    }
}
