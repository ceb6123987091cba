//! Where front matter between fences begins and ends.
//!
//! An opening fence without its closing one is a rule, and so are fences around what is no
//! mapping. The content goes to the reader of its syntax.

use super::fields::Fields;
use super::{Syntax, toml, yaml};
use crate::document::Span;

/// Where front matter was found.
pub(super) struct Extent {
    pub(super) syntax: Syntax,
    pub(super) content: Span,
    /// One past the line of the closing fence.
    pub(super) end: usize,
}

/// Finds and reads front matter that begins at `start`, before which there is nothing.
pub(super) fn read(source: &str, start: usize) -> Option<(Extent, Fields)> {
    let text = &source[start..];
    if text.starts_with('{') {
        return json(source, start);
    }
    if text.starts_with("---\r") && !text.contains('\n') {
        return Some(old_mac(start));
    }
    let first = text.lines().next()?;
    let (syntax, closing): (_, &[&str]) = match first.trim_end() {
        "---" => (Syntax::Yaml, &["---", "..."]),
        "+++" => (Syntax::Toml, &["+++"]),
        ";;;" => (Syntax::Json, &[";;;"]),
        _ => return None,
    };
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

/// Lines that end as those of the Mac did until 2001. Nobody writes such settings any more, and a
/// second block above them would make text of them.
fn old_mac(start: usize) -> (Extent, Fields) {
    let fault = "line 1: its lines end in a lone carriage return; let an editor write line feeds";
    let extent = Extent {
        syntax: Syntax::Yaml,
        content: Span::new(start, start),
        end: start,
    };
    let fields = Fields {
        fault: Some(fault.to_owned()),
        ..Fields::default()
    };
    (extent, fields)
}

/// Hugo's JSON front matter: one object at the very start.
fn json(source: &str, start: usize) -> Option<(Extent, Fields)> {
    let mut values = serde_json::Deserializer::from_str(&source[start..])
        .into_iter::<serde_json::Map<String, serde_json::Value>>();
    // A text that begins with a brace is a text, so here a fault means no front matter.
    values.next()?.ok()?;
    let content = Span::new(start, start + values.byte_offset());
    let rest = &source[content.end..];
    let line = rest.split_inclusive('\n').next().unwrap_or_default();
    if !line.trim().is_empty() {
        return None;
    }
    let extent = Extent {
        syntax: Syntax::Json,
        content,
        end: content.end + line.len(),
    };
    Some((extent, yaml::read_json(source, content)))
}
