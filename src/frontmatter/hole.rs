//! What goes with a tag that is taken out of a list: its separator, or its line.
//!
//! Input: the tags of a text, and which of them go. Output: the bytes that go with one of them.
//! Invariant: the holes of one list do not overlap, and what is left is a list again.

use super::occurrence::{Kind, Occurrence};
use crate::document::Span;

/// The bytes of each occurrence that `goes` says is taken out, and of the separator that goes with
/// it; in the order of `found`.
pub(super) fn holes(source: &str, found: &[Occurrence], goes: &[bool]) -> Vec<(usize, Span)> {
    let mut holes = Vec::new();
    // What is behind one of them is known from the next, so from the last to the first.
    let mut behind = Behind::default();
    for idx in (0..found.len()).rev() {
        behind = Behind::of(source, found, goes, idx, behind);
        if goes[idx] {
            holes.push((idx, hole(source, found, idx, behind)));
        }
    }
    holes.reverse();
    holes
}

/// What follows a tag in its list.
#[derive(Clone, Copy, Default)]
struct Behind {
    /// A tag that stays.
    stays: bool,
    /// Right behind those that go with this one, something that is no tag: a null, for instance.
    is_node: bool,
}

impl Behind {
    /// What follows `idx`, from what follows the one behind it.
    fn of(source: &str, found: &[Occurrence], goes: &[bool], idx: usize, next: Behind) -> Behind {
        let it = &found[idx];
        let near = found.get(idx + 1).filter(|near| near.list == it.list);
        let is_gap = |gap: &str| gap.chars().all(|c| c == ',' || c.is_whitespace());
        let gap = near.and_then(|near| source.get(it.item.end..near.item.start));
        let goes_along = gap.is_some_and(is_gap) && goes[idx + 1];
        Behind {
            stays: near.is_some() && (!goes[idx + 1] || next.stays),
            is_node: match goes_along {
                true => next.is_node,
                false => {
                    let rest = source[it.item.end..].trim_start().strip_prefix(',');
                    let rest = rest.map(str::trim_start);
                    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with([']', '#', ',']))
                }
            },
        }
    }
}

fn hole(source: &str, found: &[Occurrence], idx: usize, behind: Behind) -> Span {
    let it = &found[idx];
    let item = it.item;
    if it.kind == Kind::Block {
        return line(source, item).unwrap_or(item);
    }
    let is_near = |other: &usize| found[*other].list == it.list;
    let stays_behind = behind.stays || it.kind == Kind::Flow && behind.is_node;
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
