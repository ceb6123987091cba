//! Org keywords at the head of a file to fields.
//!
//! The head ends with the first line that is neither a keyword, a comment, a property drawer nor
//! blank. A drawer ends at a headline, closed or not. `#+FILETAGS` may be given several times; `#+TAGS` only lists choices and is no tag.

use super::extent::Extent;
use super::fields::{Field, Fields, Scalar};
use super::{Syntax, TagsForm};
use crate::document::Span;

pub(super) fn read(source: &str, start: usize) -> Option<(Extent, Fields)> {
    let mut fields = Vec::new();
    let mut at = start;
    let mut end = None;
    let mut in_drawer = false;
    for line in source[start..].split_inclusive('\n') {
        let text = line.trim();
        if line.starts_with('*') {
            break;
        } else if in_drawer || text.eq_ignore_ascii_case(":properties:") {
            in_drawer = !text.eq_ignore_ascii_case(":end:");
        } else if let Some((key, value)) = keyword(text) {
            let value_at = at + (line.len() - line.trim_start().len()) + (text.len() - value.len());
            fields.push(field(key, value, value_at));
            end = Some(at + line.len());
        } else if !(text.is_empty() || text == "#" || text.starts_with("# ")) {
            break;
        }
        at += line.len();
    }
    let extent = Extent {
        syntax: Syntax::Org,
        content: Span::new(start, end?),
        end: end?,
    };
    Some((
        extent,
        Fields {
            fields,
            fault: None,
        },
    ))
}

/// Where a keyword may stand at the earliest: behind a property drawer, which counts only where
/// nothing but comments is before it, and behind an editor's `-*-` line, which counts only at the top.
pub(super) fn first_place(source: &str, start: usize) -> usize {
    let mut at = start;
    let mut place = start;
    let mut in_drawer = false;
    for line in source[start..].split_inclusive('\n') {
        let text = line.trim();
        let is_mode_line = at == start && text.starts_with('#') && text.contains("-*-");
        at += line.len();
        if line.starts_with('*') {
            break;
        } else if in_drawer {
            if text.eq_ignore_ascii_case(":end:") {
                return at;
            }
        } else if text.eq_ignore_ascii_case(":properties:") {
            in_drawer = true;
        } else if is_mode_line {
            place = at;
        } else if !(text.is_empty() || text == "#" || text.starts_with("# ")) {
            break;
        }
    }
    place
}

/// Splits `#+KEY: value`.
pub(crate) fn keyword(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.strip_prefix("#+")?.split_once(':')?;
    let is_key = !key.is_empty() && !key.contains(char::is_whitespace);
    is_key.then(|| (key, value.trim_start()))
}

fn field(key: &str, value: &str, at: usize) -> Field {
    let span = Span::new(at, at + value.len());
    let lower = key.to_ascii_lowercase();
    // `#+TAGS` declares the tags of a file's menu. A key that is never asked for holds it.
    let key = if lower == "tags" { "tags-menu" } else { key };
    let is_list = matches!(lower.as_str(), "filetags" | "tags[]" | "hugo_tags");
    Field {
        key: key.to_owned(),
        form: if is_list {
            TagsForm::Org
        } else {
            TagsForm::Scalar
        },
        span,
        scalars: vec![Scalar {
            text: value.to_owned(),
            span,
            is_null: value.is_empty(),
        }],
    }
}
