//! Spellings that the scanner does not take, though they are right: the same text in others.
//!
//! Invariant: what comes out is byte for byte as long, so that every place in it is one in the
//! source. Pure.

/// The same text, byte for byte as long, with closing brackets that begin a line on the line above:
/// the scanner does not take them there behind a quoted string, though YAML does.
pub(super) fn with_brackets_joined(text: &str) -> Option<String> {
    if !text.contains("\n]") {
        return None;
    }
    let mut joined = String::with_capacity(text.len());
    let mut is_remarked = false;
    for line in text.split_inclusive('\n') {
        // Behind a comment the bracket would be part of it.
        if line.starts_with(']') && !is_remarked {
            let above = joined.trim_end_matches(['\n', '\r']).len();
            let blanks = " ".repeat(joined.len() - above);
            joined.replace_range(above.., &blanks);
        }
        // An empty line is no row of its own.
        if !line.trim_matches(['\n', '\r']).is_empty() {
            is_remarked = line.contains('#');
        }
        joined += line;
    }
    Some(joined)
}

/// Stands behind a character that was written as two escapes, so that no byte moves. Unicode has
/// not assigned it.
pub(super) const FILLER: char = '\u{7ff}';

/// The same text, byte for byte as long, with the characters that JSON writes as a pair of
/// escapes (`\ud83c\udf31`), which are not YAML. `None` where there are none.
pub(super) fn with_pairs_joined(text: &str) -> Option<String> {
    let mut joined = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        joined += before;
        let unit = |at: usize| {
            let digits = escape.get(at..at + 6)?.strip_prefix("\\u")?;
            u16::from_str_radix(digits, 16).ok()
        };
        let pair = unit(0).zip(unit(6));
        let pair = pair.and_then(|(high, low)| String::from_utf16(&[high, low]).ok());
        // Two characters of one unit each are as YAML has them.
        let length = match pair.filter(|pair| pair.chars().count() == 1) {
            Some(pair) => {
                joined += &pair;
                joined.extend([FILLER; 4]);
                12
            }
            None => {
                let length = 1 + escape[1..].chars().next().map_or(0, char::len_utf8);
                joined += &escape[..length];
                length
            }
        };
        rest = &escape[length..];
    }
    joined += rest;
    (joined != text).then_some(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_of_escapes_becomes_one_character_and_all_else_stays() {
        let joined = |text: &str| with_pairs_joined(text).map(|text| text.replace(FILLER, ""));
        let written = r#"{"a": "\ud83c\udf31\n", "b": "\\ud83c\udf31"}"#;
        let read = joined(written).unwrap();
        assert_eq!(read, r#"{"a": "🌱\n", "b": "\\ud83c\udf31"}"#);
        assert_eq!(with_pairs_joined(written).unwrap().len(), written.len());
        for text in [
            r"\u00e9\u00e9",
            r"\\ud83c\udf31",
            r"\ud83c",
            "\\",
            "a",
            "é\\é",
        ] {
            assert_eq!(joined(text), None, "{text}");
        }
    }
}
