//! What serde says of a value, in words of somebody who has not read its source.
//!
//! Input: its message, of TOML or JSON. Output: the fact, on one line; the cure is for those who know
//! the file. A message of another kind stays as it is.

/// Of TOML.
pub(super) fn toml_fact(message: &str) -> String {
    fact(message, "a table")
}

/// Of JSON, without its place.
pub fn json_fact(error: &serde_json::Error) -> String {
    let message = error.to_string();
    fact(&message[..end_of_fact(error, &message)], "an object")
}

/// Of JSON, with its place; a value that had been read before has none.
pub fn json_fault(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let (said, place) = message.split_at(end_of_fact(error, &message));
    format!("{}{place}", fact(said, "an object"))
}

fn end_of_fact(error: &serde_json::Error, message: &str) -> usize {
    let place = (error.line() > 0).then(|| message.rfind(" at line "));
    place.flatten().unwrap_or(message.len())
}

/// `object` is what the file calls a value with keys.
fn fact(message: &str, object: &str) -> String {
    let message = message.trim().replace('\n', " ");
    // The last one: a text that was found may hold such words.
    let known = match message.rsplit_once(", expected ") {
        Some((said, expected)) => unexpected(said, expected, object),
        None => unnamed(&message),
    };
    known.unwrap_or(message)
}

fn unnamed(message: &str) -> Option<String> {
    if message == "wanted string or table" {
        return Some("not a text in quotes".to_owned()); // One of some words.
    }
    let missing = message.strip_prefix("missing field ");
    let twice = message.strip_prefix("duplicate field ");
    missing
        .map(|name| format!("{name} is missing"))
        .or_else(|| twice.map(|name| format!("{name} is there twice")))
}

fn unexpected(said: &str, expected: &str, object: &str) -> Option<String> {
    if let Some(name) = said.strip_prefix("unknown variant ") {
        let others = match (
            expected.strip_prefix("one of "),
            expected.split_once(" or "),
        ) {
            (Some(all), _) => format!("none of {all}"),
            (None, Some((one, other))) => format!("neither {one} nor {other}"),
            (None, None) => format!("not {expected}"),
        };
        return Some(format!("{name} is {others}"));
    }
    if let Some(name) = said.strip_prefix("unknown field ") {
        let all = expected.strip_prefix("one of ").unwrap_or(expected);
        let all = all.replace(" or ", ", ");
        return Some(format!("no key {name} is known; there are {all}"));
    }
    let is_record = expected.starts_with("struct ");
    if is_record && said.starts_with("invalid length ") {
        return Some(format!("a list is not {object}"));
    }
    let of_kind = said.strip_prefix("invalid value: ");
    let found = of_kind.or_else(|| said.strip_prefix("invalid type: "))?;
    let found = match found {
        "sequence" => "a list",
        "map" => object,
        // "integer `7`", "string \"x\"": what was written is enough.
        _ => found
            .split_once(['`', '"'])
            .map_or(found, |(kind, _)| found[kind.len()..].trim_matches('`')),
    };
    let wanted = match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" | "i8" | "i16" | "i32" | "i64"
            if of_kind.is_some() && found.starts_with(|c: char| c.is_ascii_digit()) =>
        {
            return Some(format!("{found} is too large"));
        }
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number of 0 or more",
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a string" | "path string" | "string or map" => "a text in quotes",
        "a sequence" => "a list",
        "a map" => object,
        _ if is_record => object,
        other => other,
    };
    Some(format!("{found} is not {wanted}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Two {
        One,
        Other,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "it is only read into")]
    struct Record {
        name: String,
        size: Option<u32>,
        distance: Option<i64>,
        two: Option<Two>,
        parts: Option<BTreeMap<String, f64>>,
    }

    #[test]
    fn what_is_wrong_with_a_value_is_said_without_the_names_of_types() {
        for (json, said) in [
            (r#"{}"#, "`name` is missing"),
            (r#"{"name": 7}"#, "7 is not a text in quotes"),
            (r#"{"name": "a", "name": "b"}"#, "`name` is there twice"),
            (
                r#"{"nmae": "a"}"#,
                "no key `nmae` is known; there are `name`, `size`, `distance`, `two`, `parts`",
            ),
            (
                r#"{"name": "a", "size": "b"}"#,
                "\"b\" is not a whole number of 0 or more",
            ),
            (
                r#"{"name": "a", "size": -1}"#,
                "-1 is not a whole number of 0 or more",
            ),
            (
                r#"{"name": "a", "size": 4294967296}"#,
                "4294967296 is too large",
            ),
            (
                r#"{"name": "a", "distance": 9223372036854775808}"#,
                "9223372036854775808 is too large",
            ),
            (
                r#"{"name": "a", "size": "one, expected two"}"#,
                "\"one, expected two\" is not a whole number of 0 or more",
            ),
            (
                r#"{"name": "a", "two": "three"}"#,
                "`three` is neither `one` nor `other`",
            ),
            (r#"{"name": "a", "parts": [1]}"#, "a list is not an object"),
            (
                r#"{"name": "a", "parts": {"x": null}}"#,
                "null is not a number",
            ),
            (r#""a""#, "\"a\" is not an object"),
            (r#"[]"#, "a list is not an object"),
        ] {
            let error = serde_json::from_str::<Record>(json).unwrap_err();
            assert_eq!(json_fact(&error), said, "{error}");
            let place = format!(" at line 1 column {}", error.column());
            assert_eq!(json_fault(&error), format!("{said}{place}"));
        }
        let error = Record::deserialize(&serde_json::json!({"name": 7})).unwrap_err();
        assert_eq!(json_fault(&error), "7 is not a text in quotes");
        let error = Record::deserialize(&serde_json::json!({"name": "a", "two": 3})).unwrap_err();
        assert_eq!(json_fact(&error), "3 is not a text in quotes");
        let error = toml::from_str::<Record>("name = 'a'\ntwo = 3\n").unwrap_err();
        assert_eq!(toml_fact(error.message()), "not a text in quotes");
        let error = toml::from_str::<Record>("name = { a = 1 }\n").unwrap_err();
        assert_eq!(
            toml_fact(error.message()),
            "a table is not a text in quotes"
        );
    }

    #[test]
    fn what_is_no_json_at_all_is_said_as_its_reader_says_it() {
        let error = serde_json::from_str::<Record>("{\"name\": ").unwrap_err();
        assert_eq!(json_fault(&error), error.to_string());
        assert_eq!(json_fact(&error), "EOF while parsing a value");
    }
}
