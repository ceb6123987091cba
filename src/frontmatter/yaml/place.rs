//! Where a value begins and ends in the source, where the scanner's markers do not say it. Pure.

use super::TagsForm;
use crate::document::Span;

/// How a list is written that begins at `start`, and where its value does: an anchor or a type
/// before a bracket is not part of it. The bracket may be the first item of a block list.
pub(super) fn list_form(source: &str, start: usize) -> (TagsForm, usize) {
    let (before, rest) = source.split_at(start);
    let is_item = before.trim_end_matches([' ', '\t']).ends_with('-');
    let mut node = rest;
    while let Some(property) = node.strip_prefix(['&', '!', '#']) {
        let is_remark = node.starts_with('#');
        let ends = |c: char| c == '\n' || !is_remark && c.is_whitespace();
        node = property[property.find(ends).unwrap_or(property.len())..].trim_start();
    }
    match node.starts_with('[') && !is_item {
        true => (TagsForm::Flow, source.len() - node.len()),
        false => (TagsForm::Block, start),
    }
}

/// From the opening quote of a string to its closing one.
pub(super) fn quoted(source: &str, span: Span) -> Span {
    let mut chars = source[span.range()].char_indices().peekable();
    let Some((_, quote @ ('"' | '\''))) = chars.next() else {
        return span;
    };
    while let Some((at, c)) = chars.next() {
        let is_doubled = |next: Option<&(usize, char)>| next.is_some_and(|(_, c)| *c == quote);
        match c {
            '\\' if quote == '"' => drop(chars.next()),
            '\'' if quote == '\'' && is_doubled(chars.peek()) => drop(chars.next()),
            _ if c == quote => return Span::new(span.start, span.start + at + 1),
            _ => {}
        }
    }
    span
}

/// From the dash of the first item to the end of the last: the scanner's list begins behind the
/// dash where the list is not indented, and it knows no place for empty items.
pub(super) fn block_extent(source: &str, content: Span, items: Span) -> Span {
    let is_empty_item = |line: &str| line.trim() == "-";
    let mut start = items.start;
    let mut lines = source[content.start..start].split('\n').rev();
    let head = lines.next().unwrap_or_default();
    if head.trim_start().starts_with('-') {
        start -= head.trim_start().len();
    }
    let mut line_start = items.start - head.len();
    for line in lines.take_while(|line| is_empty_item(line)) {
        line_start -= line.len() + 1;
        start = line_start + (line.len() - line.trim_start().len());
    }
    // A lone empty item has no bytes of its own but its dash.
    let is_bare = items.is_empty() && source[start..].starts_with('-');
    let mut end = items.end.max(start + usize::from(is_bare));
    let mut at = end;
    for (idx, line) in source[end..content.end].split_inclusive('\n').enumerate() {
        at += line.len();
        match idx {
            0 => {} // The rest of the last item's line is a comment at most.
            _ if is_empty_item(line) => end = at - line.len() + line.trim_end().len(),
            _ => break,
        }
    }
    Span::new(start, end)
}
