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
    let stays_behind =
        stays_behind || it.kind == Kind::Flow && is_node_behind(source, found, goes, idx);
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
        // What is before it may be no tag: an empty string, for instance.
        let comma = source[..item.start].trim_end().strip_suffix(',');
        Span::new(comma.map_or(item.start, str::len), item.end)
    } else {
        Span::new(
            before.map_or(item.start, |before| found[before].item.end),
            item.end,
        )
    }
}

/// Whether something that is no tag, a null for instance, follows those that go with this one.
fn is_node_behind(source: &str, found: &[Occurrence], goes: &[bool], idx: usize) -> bool {
    let is_next = |next: &usize| {
        let gap = source.get(found[*next - 1].item.end..found[*next].item.start);
        let is_gap = |gap: &str| gap.chars().all(|c| c == ',' || c.is_whitespace());
        goes[*next] && found[*next].list == found[idx].list && gap.is_some_and(is_gap)
    };
    let last = (idx + 1..found.len()).take_while(is_next).last();
    let rest = source[found[last.unwrap_or(idx)].item.end..].trim_start();
    let next = rest.strip_prefix(',').map(str::trim_start);
    next.is_some_and(|next| !next.is_empty() && !next.starts_with([']', '#', ',']))
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

/// What is left between the brackets of `list` when all these tags go, and the commas with them:
/// nothing, or comments. `None` where something else is there, which is nobody's tag, and stays.
pub(super) fn left_between<'a>(
    source: &str,
    list: Span,
    tags: impl Iterator<Item = &'a Occurrence>,
) -> Option<String> {
    let mut at = list.start + 1;
    let mut left = String::new();
    let mut gaps = Vec::new();
    for tag in tags {
        gaps.push(source.get(at..tag.item.start)?);
        at = tag.item.end;
    }
    gaps.push(source.get(at..list.end - 1)?);
    for line in gaps.iter().flat_map(|gap| gap.split_inclusive('\n')) {
        let code = line.split('#').next().unwrap_or_default();
        if !code.chars().all(|c| c == ',' || c.is_whitespace()) {
            return None;
        }
        left += &code.replace(',', "");
        left += &line[code.len()..];
    }
    Some(if left.trim().is_empty() {
        String::new()
    } else {
        left
    })
}
