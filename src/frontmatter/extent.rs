//! Where front matter between fences begins and ends.
//!
//! An opening fence without its closing one is a rule, and so are fences around what is no
//! mapping. The content goes to the reader of its syntax.

use super::fields::Fields;
use super::{Syntax, toml, yaml};
use crate::document::{Format, Span};

/// Where front matter was found.
pub(super) struct Extent {
    pub(super) syntax: Syntax,
    pub(super) content: Span,
    /// One past the line of the closing fence.
    pub(super) end: usize,
}

/// Finds and reads front matter that begins at `start`, before which there is nothing.
pub(super) fn read(source: &str, start: usize, format: Format) -> Option<(Extent, Fields)> {
    let text = &source[start..];
    if text.starts_with('{') {
        return json(source, start, format);
    }
    let (syntax, closing): (_, &[&str]) = match text.get(..3)? {
        "---" => (Syntax::Yaml, &["---", "..."]),
        "+++" => (Syntax::Toml, &["+++"]),
        ";;;" => (Syntax::Json, &[";;;"]),
        _ => return None,
    };
    if is_old_mac(&text[3..]) {
        return Some(old_mac(start, syntax));
    }
    if !text[3..].lines().next()?.trim().is_empty() {
        return None;
    }
    let content_start = start + text.find('\n')? + 1;
    let mut at = content_start;
    for line in source[content_start..].split_inclusive('\n') {
        let end = at + line.len();
        if closing.contains(&line.trim_end()) {
            let content = Span::new(content_start, at);
            let extent = Extent {
                syntax,
                content,
                end,
            };
            let fields = match syntax {
                Syntax::Toml => toml::read(source, content),
                Syntax::Json => yaml::read_json(source, content),
                _ => yaml::read(source, content)?,
            };
            return Some((extent, fields));
        }
        at = end;
    }
    None
}

/// Whether the text begins like settings that nothing closes: a fence, and then a key. Rules around
/// a list are closed, and one above a list begins a text: settings are no list.
pub(super) fn is_open(source: &str) -> bool {
    let mut lines = source.trim_start_matches('\u{feff}').lines();
    let (is_key, closing): (fn(&str) -> bool, &[&str]) = match lines.next().map(str::trim_end) {
        Some("---") => (
            |line| !line.starts_with("- ") && yaml::looks_like_a_key(line),
            &["---", "..."],
        ),
        Some("+++") => (|line| line.contains('='), &["+++"]),
        _ => return false,
    };
    lines.next().is_some_and(is_key) && !lines.any(|line| closing.contains(&line.trim_end()))
}

/// Whether a line ends here, but for blanks, in a carriage return without a line feed.
fn is_old_mac(rest: &str) -> bool {
    let end = rest.trim_start_matches([' ', '\t']);
    end.starts_with('\r') && !end.trim_start_matches('\r').starts_with('\n')
}

/// Lines that end as those of the Mac did until 2001. Nobody writes such settings any more, and a
/// second block above them would make text of them.
fn old_mac(start: usize, syntax: Syntax) -> (Extent, Fields) {
    let fault = "line 1: its lines end in a lone carriage return; let an editor write line feeds";
    broken(syntax, Span::new(start, start), fault.to_owned())
}

fn broken(syntax: Syntax, content: Span, fault: String) -> (Extent, Fields) {
    let extent = Extent {
        syntax,
        content,
        end: content.end,
    };
    let fields = Fields {
        fault: Some(fault),
        ..Fields::default()
    };
    (extent, fields)
}

/// Hugo's JSON front matter: one object at the very start.
fn json(source: &str, start: usize, format: Format) -> Option<(Extent, Fields)> {
    let text = &source[start..];
    let mut values = serde_json::Deserializer::from_str(text)
        .into_iter::<serde_json::Map<String, serde_json::Value>>();
    if let Err(error) = values.next()? {
        // Into other documents nothing is written, so there it is a text like any other.
        let is_settings = format == Format::Markdown;
        return is_settings
            .then(|| broken_json(source, start, &error))
            .flatten();
    }
    let content = Span::new(start, start + values.byte_offset());
    let rest = &source[content.end..];
    let line = rest.split_inclusive('\n').next().unwrap_or_default();
    if !line.trim().is_empty() {
        return is_old_mac(rest).then(|| old_mac(start, Syntax::Json));
    }
    let extent = Extent {
        syntax: Syntax::Json,
        content,
        end: content.end + line.len(),
    };
    Some((extent, yaml::read_json(source, content)))
}

/// What is no JSON, and yet is meant to be: a text that begins with a brace is a text, but not one
/// that goes on with a quoted key and a colon.
fn broken_json(source: &str, start: usize, error: &serde_json::Error) -> Option<(Extent, Fields)> {
    let text = &source[start..];
    let inside = text.strip_prefix('{')?.trim_start();
    let key_end = string_end(inside)?;
    if !inside[key_end..].trim_start().starts_with(':') {
        return None;
    }
    // A line break that must not be there is of the line that it ends.
    let (line, place) = match error.column() {
        0 => (error.line().saturating_sub(1), "its end".to_owned()),
        column => (error.line(), format!("column {column}")),
    };
    let what = error.to_string();
    let what = what.split(" at line ").next().unwrap_or_default();
    let fault = format!("line {line}: no JSON at {place}: {what}; correct it there");
    // Where the brace is not closed, nobody knows where the text begins.
    let end = object_end(text).unwrap_or(0);
    let rest = text[end..].split_inclusive('\n').next();
    let line_end = match rest.filter(|_| end > 0) {
        Some(rest) if !rest.trim().is_empty() => {
            return is_old_mac(rest).then(|| old_mac(start, Syntax::Json));
        }
        rest => end + rest.map_or(0, str::len),
    };
    let content = Span::new(start, start + line_end);
    Some(broken(Syntax::Json, content, fault))
}

/// Where the string ends that the text begins with, on its line.
fn string_end(text: &str) -> Option<usize> {
    let mut chars = text.char_indices();
    chars.next().filter(|(_, c)| *c == '"')?;
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            '"' => return Some(at + 1),
            '\n' => return None,
            _ => {}
        }
    }
    None
}

/// Where the brace is closed that the text begins with, whatever is wrong inside.
fn object_end(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(next) = text[at..].find(['{', '}', '"']) {
        at += next;
        match text.as_bytes()[at] {
            b'{' => depth += 1,
            b'}' if depth == 1 => return Some(at + 1),
            b'}' => depth -= 1,
            _ => {}
        }
        // A string that does not end is left behind with its line.
        at += match &text[at..] {
            string if string.starts_with('"') => string_end(string)
                .or_else(|| string.find('\n'))
                .unwrap_or(string.len()),
            _ => 1,
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::{Syntax, add_tag, read as read_head};
    use crate::document::Format;

    #[test]
    fn lone_carriage_returns_are_a_fault_whatever_ends_the_text() {
        for fence in ["---", "+++", ";;;"] {
            for last in ["\r", "\n", "\r\n", ""] {
                let source = format!("{fence}\rtags\r{fence}\rText one\rmore{last}");
                let fault = read_head(&source, Format::Markdown).unwrap().fault;
                assert!(fault.unwrap().contains("carriage return"), "{source:?}");
                assert!(add_tag(&source, Format::Markdown, "new").is_err());
            }
        }
        let object = "{\"tags\": []}\rText\n";
        assert!(add_tag(object, Format::Markdown, "new").is_err());
        // What a careless conversion leaves is read as before.
        let doubled = "---\r\r\ntags: [a]\r\r\n---\r\r\nText\n";
        assert_eq!(read_head(doubled, Format::Markdown).unwrap().tags, ["a"]);
    }

    #[test]
    fn json_that_is_none_is_broken_front_matter_and_other_braces_are_text() {
        for (source, fault, rest) in [
            ("{\"t\": \"\\ud83c\"}\n\nText\n", "line 1: ", "\nText\n"),
            ("{\n  \"t\": [\"a\",]\n}\nText\n", "line 2: ", "Text\n"),
            ("{\n  \"t\": \"a}\n}\nText\n", "line 2: ", "Text\n"),
            ("{ \"t\" : {\"}\": 1},}\n", "line 1: ", ""),
        ] {
            let head = read_head(source, Format::Markdown).unwrap();
            let said = head.fault.unwrap();
            assert!(said.starts_with(fault), "{source}: {said}");
            assert!(said.ends_with("correct it there"), "{said}");
            assert_eq!(head.syntax, Syntax::Json);
            assert_eq!(read_head(source, Format::Plain), None);
            assert_eq!(&source[head.extent.end..], rest);
            assert!(add_tag(source, Format::Markdown, "new").is_err());
        }
        let open = "{\"t\": [\"a\"\n\nText\n";
        let head = read_head(open, Format::Markdown).unwrap();
        assert!(head.fault.is_some() && head.extent.is_empty());
        for text in [
            "{",
            "{\"",
            "{\"a\"",
            "{\"a\" b}\n",
            "{a: 1,}\n",
            "{\"a\": 1,} and text\n",
            "{{\"a\": 1}}\n",
        ] {
            assert_eq!(read_head(text, Format::Markdown), None, "{text}");
        }
    }
}
