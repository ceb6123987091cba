//! Bytes that were exchanged for others, so that they can be exchanged back.
//!
//! Invariant: taking back what was applied gives the bytes there were before. Pure; knows nothing
//! of files or formats.

use std::ops::Range;

use super::record::{Lossless, PlaceRecord};

/// Bytes of a content, and what stands there instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Where they begin in the content before all changes.
    pub(super) at: usize,
    pub(super) before: Vec<u8>,
    pub(super) after: Vec<u8>,
}

impl Place {
    pub(super) fn record(&self) -> PlaceRecord {
        PlaceRecord {
            at: self.at as u64,
            before: Lossless::of_bytes(&self.before),
            after: Lossless::of_bytes(&self.after),
        }
    }

    pub(super) fn of_record(record: PlaceRecord) -> Place {
        Place {
            at: usize::try_from(record.at).unwrap_or(usize::MAX),
            before: record.before.into_bytes(),
            after: record.after.into_bytes(),
        }
    }
}

/// The content after the changes; `None` where they are not for it.
pub(super) fn applied(content: &[u8], places: &[Place]) -> Option<Vec<u8>> {
    let ranges: Option<Vec<Range<usize>>> = places
        .iter()
        .map(|place| {
            let range = place.at..place.at.checked_add(place.before.len())?;
            (content.get(range.clone())? == place.before).then_some(range)
        })
        .collect();
    let after: Vec<&[u8]> = places.iter().map(|place| &place.after[..]).collect();
    exchanged(content, &ranges?, &after)
}

/// The content before the changes, where the content after them is untouched.
pub(super) fn taken_back(content: &[u8], places: &[Place]) -> Option<Vec<u8>> {
    let mut shift = 0_isize;
    let mut ranges = Vec::new();
    for place in places {
        let start = place.at.checked_add_signed(shift)?;
        let range = start..start.checked_add(place.after.len())?;
        if content.get(range.clone())? != place.after {
            return None;
        }
        ranges.push(range);
        shift += place.after.len() as isize - place.before.len() as isize;
    }
    let before: Vec<&[u8]> = places.iter().map(|place| &place.before[..]).collect();
    exchanged(content, &ranges, &before)
}

/// The content with other bytes in these ranges, which are in order and apart.
pub(super) fn exchanged(
    content: &[u8],
    ranges: &[Range<usize>],
    instead: &[&[u8]],
) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(content.len());
    let mut at = 0;
    for (range, bytes) in ranges.iter().zip(instead) {
        out.extend_from_slice(content.get(at..range.start)?);
        out.extend_from_slice(bytes);
        at = range.end;
    }
    out.extend_from_slice(content.get(at..)?);
    Some(out)
}

/// Where `wanted` stands in `content` as whole lines.
pub(super) fn as_lines(content: &[u8], wanted: &[u8]) -> Vec<Range<usize>> {
    if wanted.is_empty() {
        return Vec::new();
    }
    let ends = wanted.ends_with(b"\n");
    let starts = content.iter().enumerate();
    let starts = starts
        .filter(|(_, byte)| **byte == b'\n')
        .map(|(at, _)| at + 1);
    let bom = if content.starts_with("\u{feff}".as_bytes()) {
        3
    } else {
        0
    };
    [bom]
        .into_iter()
        .chain(starts)
        .map(|start| start..start + wanted.len())
        .filter(|range| {
            content.get(range.clone()) == Some(wanted)
                && (ends || matches!(content.get(range.end), None | Some(b'\n' | b'\r')))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_whole_lines_are_found() {
        let content = b"tags: [a]\nx: 1\ntags: [a]\n";
        assert_eq!(as_lines(content, b"tags: [a]\n"), [0..10, 15..25]);
        assert!(as_lines(content, b"tags: [a").is_empty());
        assert!(as_lines(content, b"1\n").is_empty());
        let one = |content: &str, wanted: &[u8]| as_lines(content.as_bytes(), wanted).pop();
        assert_eq!(one("\u{feff}a\r\nb", b"a"), Some(3..4));
        assert_eq!(one("a\nb", b"b"), Some(2..3));
    }

    proptest! {
        #[test]
        fn what_was_applied_is_taken_back(
            pieces in prop::collection::vec((any::<Vec<u8>>(), any::<Vec<u8>>(), any::<Vec<u8>>()), 0..4),
            end: Vec<u8>,
        ) {
            let (mut content, mut places) = (Vec::new(), Vec::new());
            for (gap, before, after) in pieces {
                content.extend(gap);
                places.push(Place { at: content.len(), before: before.clone(), after });
                content.extend(before);
            }
            content.extend(end);
            let after = applied(&content, &places).unwrap();
            prop_assert_eq!(taken_back(&after, &places), Some(content));
        }
    }
}
