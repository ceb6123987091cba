//! A tag as it is written in front matter: quoted only where its bare spelling means something else.

use crate::document::is_tag_char;

/// A YAML scalar; quoted where its bare spelling would mean something else.
pub(crate) fn yaml(tag: &str, in_flow: bool) -> String {
    let is_word = |c: char| is_tag_char(c) || c.is_alphanumeric() || matches!(c, ' ' | '.' | '+');
    let begins_well = tag.starts_with(|c: char| {
        // Signs and numbers mean something in YAML only where they are ASCII.
        c.is_alphabetic() || c == '_' || (!c.is_ascii() && is_tag_char(c))
    });
    let is_other = matches!(
        tag.to_ascii_lowercase().as_str(),
        "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "y" | "n"
    );
    let bare = begins_well && tag.chars().all(is_word) && !tag.ends_with(' ') && !is_other;
    if bare || (!in_flow && begins_well && !is_other && tag.chars().all(|c| is_word(c) || c == '&'))
    {
        tag.to_owned()
    } else {
        serde_json::Value::from(tag).to_string() // JSON's strings are YAML's.
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_would_mean_something_else_is_quoted() {
        for bare in [
            "garden",
            "a/b",
            "machine learning",
            "C++",
            "été",
            "cafe\u{301}",
            "हिन्दी",
            "ที่เที่ยว",
            "👩\u{200d}🍳 ❤\u{fe0f}",
        ] {
            assert_eq!(yaml(bare, true), bare);
        }
        for other in [
            "2024", "no", "a, b", "a: b", "#a", "[x]", "-", "a\u{a0}b", "「x」",
        ] {
            assert_eq!(yaml(other, true), format!("\"{other}\""));
        }
        assert_eq!(yaml("R&D", false), "R&D");
        assert_eq!(yaml("R&D", true), "\"R&D\"");
    }
}
