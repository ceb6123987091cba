//! The body of one message: bytes in, JSON out; and what it is about.
//!
//! Some editors cut text between the two halves of a character and send half of one, which is no
//! Unicode. Invariant: such a half becomes U+FFFD, one unit of UTF-16 for one, so that all later
//! positions mean what they meant; what could be read without that is read as it is.

use serde_json::Value;

/// Reads a body.
///
/// # Errors
/// It is no JSON.
pub fn read_message(body: &[u8]) -> serde_json::Result<Value> {
    serde_json::from_slice(body).or_else(|error| {
        let whole = without_halves(body).ok_or(error)?;
        serde_json::from_slice(&whole)
    })
}

/// Requests about a place in a document.
const OF_PLACES: [&str; 8] = [
    "textDocument/codeAction",
    "textDocument/completion",
    "textDocument/documentHighlight",
    "textDocument/hover",
    "textDocument/inlayHint",
    "textDocument/prepareRename",
    "textDocument/references",
    "textDocument/rename",
];

/// The document in which a request names a place, which is another place in any other text.
pub fn document_of_place<'a>(method: &str, params: &'a Value) -> Option<&'a str> {
    let is_it = OF_PLACES.contains(&method);
    params
        .pointer("/textDocument/uri")?
        .as_str()
        .filter(|_| is_it)
}

/// The body with `\ufffd` for each `\uXXXX` that is half a character; none where there is none.
fn without_halves(body: &[u8]) -> Option<Vec<u8>> {
    const LENGTH: usize = r"\uXXXX".len();
    let mut whole = body.to_vec();
    let mut at = 0;
    while at < body.len() {
        at += match unit(&body[at..]) {
            Some(0xD800..=0xDBFF) if is_second_half(&body[at + LENGTH..]) => 2 * LENGTH,
            Some(0xD800..=0xDFFF) => {
                whole[at..at + LENGTH].copy_from_slice(br"\ufffd");
                LENGTH
            }
            Some(_) => LENGTH,
            // `\\` is one backslash, and does not begin what follows it.
            None if body[at] == b'\\' => 2,
            None => 1,
        };
    }
    (whole != body).then_some(whole)
}

fn is_second_half(rest: &[u8]) -> bool {
    unit(rest).is_some_and(|unit| (0xDC00..=0xDFFF).contains(&unit))
}

/// The unit of UTF-16 that an escape at the beginning of `rest` says.
fn unit(rest: &[u8]) -> Option<u16> {
    let digits = rest.strip_prefix(br"\u")?.get(..4)?;
    let digits = std::str::from_utf8(digits).ok()?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn half_a_character_is_one_unit_and_a_whole_one_stays() {
        for (said, read) in [
            (r#""a\ud83cb""#, "a\u{fffd}b"),
            (r#""\udf39""#, "\u{fffd}"),
            (r#""\ud83c\ud83c\udf39""#, "\u{fffd}🌹"),
            (r#""\udf39\ud83c""#, "\u{fffd}\u{fffd}"),
            (r#""\\ud83c \uD83C""#, "\\ud83c \u{fffd}"),
            (r#""\ud83c\n\u00e9\ud83c\udf39""#, "\u{fffd}\né🌹"),
        ] {
            assert_eq!(read_message(said.as_bytes()).unwrap(), read, "{said}");
        }
        for broken in [r#""\ud83c"#, r#""\ud8"#, r#""\"#, "{", ""] {
            assert!(read_message(broken.as_bytes()).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_place_is_in_a_document() {
        let params = serde_json::json!({ "textDocument": { "uri": "file:///a.md" } });
        let of = |method: &str| document_of_place(method, &params);
        assert_eq!(of("textDocument/rename"), Some("file:///a.md"));
        assert_eq!(of("gliznet/tag"), None);
        assert_eq!(document_of_place("textDocument/hover", &Value::Null), None);
    }

    proptest! {
        #[test]
        fn any_units_are_as_many_characters_as_utf_16_says(units: Vec<u16>) {
            let escapes: String = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let read = read_message(format!("\"{escapes}\"").as_bytes()).unwrap();
            prop_assert_eq!(read, String::from_utf16_lossy(&units));
        }
    }
}
