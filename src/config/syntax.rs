//! What is wrong with a file of TOML, in one plain line with place and cure: for settings, and for
//! files that others keep beside them.

use std::path::Path;

use super::Fault;
use super::words::toml_fact;

/// What the parser says of `text`, the content of the file `path`; `cure` is for values that are
/// TOML and still wrong.
pub fn toml_fault(path: &Path, text: &str, error: &toml::de::Error, cure: &str) -> Fault {
    let offset = error.span().map_or(0, |span| span.start).min(text.len());
    let fact = toml_fact(error.message());
    let message = match syntax_cure(error.message()) {
        None => format!("{fact}; {cure}"),
        Some(cure) => match key_of_line(text, offset) {
            Some(key) => format!("`{key}`: not TOML: {fact}; {cure}"),
            None => format!("not TOML: {fact}; {cure}"),
        },
    };
    Fault {
        path: path.to_path_buf(),
        line: line_of(text.as_bytes(), offset),
        message,
    }
}

/// The line of an offset, from 1.
pub(super) fn line_of(bytes: &[u8], offset: usize) -> usize {
    1 + bytes[..offset].iter().filter(|b| **b == b'\n').count()
}

/// The key of the line in which `offset` lies.
fn key_of_line(text: &str, offset: usize) -> Option<&str> {
    let start = text.as_bytes()[..offset]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let (key, _) = text.get(start..)?.lines().next()?.split_once('=')?;
    let key = key.trim();
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    (!key.is_empty() && key.chars().all(is_bare)).then_some(key)
}

/// What to do about what the parser cannot read; none where it has read it, and it means nothing.
fn syntax_cure(message: &str) -> Option<&'static str> {
    const CURES: [(&str, &str); 10] = [
        ("must be quoted", "put the text in double quotes"),
        ("duplicate key", "keep one of the two"),
        ("key with no value", "write it as `key = value`"),
        ("missing value", "write a value behind the `=`"),
        ("missing comma", "put a comma between the parts"),
        ("unclosed table", "close every `[` with a `]`"),
        ("unclosed array", "close every `[` with a `]`"),
        (
            "escape",
            "write a backslash as `\\\\`, or put the text in single quotes",
        ),
        ("quote", "close the quotes on the line that opens them"),
        (
            "basic string",
            "close the quotes on the line that opens them",
        ),
    ];
    let is_value = ["invalid type", "invalid value", "unknown ", "missing field"]
        .iter()
        .any(|start| message.starts_with(start));
    if is_value {
        return None;
    }
    let cure = CURES.iter().find(|(part, _)| message.contains(part));
    cure.map(|(_, cure)| *cure)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        #[derive(Debug, serde::Deserialize)]
        #[expect(dead_code, reason = "it is only read into")]
        struct File {
            name: String,
            hours: Option<u64>,
        }
        let error = toml::from_str::<File>(text).unwrap_err();
        toml_fault(Path::new("x.toml"), text, &error, "mend it").to_string()
    }

    #[test]
    fn a_fault_is_one_line_with_place_key_and_cure() {
        for (text, fault) in [
            (
                "name = \"x\nhours = 2\n",
                "x.toml:1: `name`: not TOML: invalid basic string, expected `\"`; close the quotes on the line that opens them",
            ),
            (
                "name = 'x'\nhours = 1\nhours = 2\n",
                "x.toml:3: `hours`: not TOML: duplicate key; keep one of the two",
            ),
            (
                "name = 'x'\nhours = -1\n",
                "x.toml:2: -1 is not a whole number of 0 or more; mend it",
            ),
            (
                "name = ['x']\n",
                "x.toml:1: a list is not a text in quotes; mend it",
            ),
            ("hours = 1\n", "x.toml:1: `name` is missing; mend it"),
        ] {
            assert_eq!(shown(text), fault);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_has_a_fault_in_one_line(text in "([\\[\\]na=\"'#{}, \n\\\\é]|name = 'x'\n){0,20}") {
            if let Err(error) = toml::from_str::<toml::Table>(&text) {
                let fault = toml_fault(Path::new("x"), &text, &error, "mend it");
                proptest::prop_assert!(!fault.message.contains('\n'), "{}", fault);
                let n_lines = 1 + text.matches('\n').count();
                proptest::prop_assert!((1..=n_lines).contains(&fault.line), "{}", fault);
            }
        }
    }
}
