//! What goes with a tag that is taken out of a list: its separator, or its line.
//!
//! Input: the tags of a text, and which of them go. Output: the bytes that go with one of them.
//! Invariant: the holes of one list do not overlap, and what is left is a list again.

use super::occurrence::{Kind, Occurrence};
use crate::document::Span;

/// The bytes of occurrence `idx` and of the separator that goes with it, where all those that
/// `goes` says are taken out.
pub(super) fn hole(source: &str, found: &[Occurrence], goes: &[bool], idx: usize) -> Span {
    let it = &found[idx];
    let item = it.item;
    if it.kind == Kind::Block {
        return line(source, item).unwrap_or(item);
    }
    let is_near = |other: &usize| found[*other].list == it.list;
    let stays_behind = (idx + 1..found.len())
        .take_while(is_near)
        .any(|later| !goes[later]);
    let before = idx.checked_sub(1).filter(is_near);
    let has_commas = matches!(it.kind, Kind::Flow | Kind::Comma);
    if stays_behind && has_commas {
        let gap = &source[item.end..];
        let Some(rest) = gap.trim_start().strip_prefix(',') else {
            return item;
        };
        // A comment between the two stays.
        let rest = match rest.trim_start() {
            comment if comment.starts_with('#') && it.kind == Kind::Flow => rest,
            next => next,
        };
        Span::new(item.start, source.len() - rest.len())
    } else if stays_behind {
        Span::new(item.start, found[idx + 1].item.start)
    } else if has_commas {
        let gap = source[..item.start].trim_end();
        let comma = gap.strip_suffix(',').filter(|_| before.is_some());
        Span::new(comma.map_or(item.start, str::len), item.end)
    } else {
        Span::new(
            before.map_or(item.start, |before| found[before].item.end),
            item.end,
        )
    }
}

/// The line of a list's item, where nothing else but a comment is on it.
fn line(source: &str, item: Span) -> Option<Span> {
    let start = source[..item.start].rfind('\n').map_or(0, |at| at + 1);
    let rest = source[item.end..]
        .split_inclusive('\n')
        .next()
        .unwrap_or_default();
    let comment = rest.trim_start();
    let is_alone =
        source[start..item.start].trim() == "-" && (comment.is_empty() || comment.starts_with('#'));
    is_alone.then(|| Span::new(start, item.end + rest.len()))
}

/// Whether nothing is between the brackets of `list` but these tags and what separates them.
pub(super) fn is_alone_in<'a>(
    source: &str,
    list: Span,
    tags: impl Iterator<Item = &'a Occurrence>,
) -> bool {
    let mut at = list.start + 1;
    let mut is_alone = true;
    for tag in tags {
        is_alone &= tag.item.start >= at && is_separator(&source[at..tag.item.start.max(at)]);
        at = tag.item.end;
    }
    let end = list.end.saturating_sub(1).max(at);
    is_alone && is_separator(&source[at..end])
}

fn is_separator(text: &str) -> bool {
    text.chars().all(|c| c == ',' || c.is_whitespace())
}
