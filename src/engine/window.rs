//! Cuts a long text into windows that the model can read. Pure: token counts in, ranges out.
//!
//! Invariant: windows are in order, none is longer than the room it has, and together they cover
//! the text from its start, up to the end or to the largest number of windows.

use std::ops::Range;

/// The windows of one text, in tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Token ranges, in order.
    pub ranges: Vec<Range<usize>>,
    /// Whether the text goes on after the last window.
    pub cut: bool,
}

/// Cuts `tokens` tokens into windows.
///
/// `room` is what a window holds, `lead(start)` how much of it a window that starts there gives to
/// its title and headings, `breaks` the tokens where a block starts, ascending. A window ends at
/// the last break of its second half; where there is none it overlaps the next by a quarter.
pub fn windows(
    tokens: usize,
    breaks: &[usize],
    room: usize,
    lead: impl Fn(usize) -> usize,
    at_most: usize,
) -> Windows {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut start = 0;
    while start < tokens && ranges.len() < at_most {
        let own = room.saturating_sub(lead(start)).max(1);
        let full = start + own;
        if full >= tokens {
            ranges.push(start..tokens);
            return Windows { ranges, cut: false };
        }
        let fitting = breaks.partition_point(|at| *at <= full);
        match breaks[..fitting]
            .last()
            .copied()
            .filter(|at| *at > start + own / 2)
        {
            Some(at) => {
                ranges.push(start..at);
                start = at;
            }
            None => {
                ranges.push(start..full);
                start = full - own / 4;
            }
        }
    }
    Windows {
        cut: start < tokens,
        ranges,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_text_that_fits_is_one_window() {
        let whole = windows(10, &[4], 10, |_| 0, 16);
        assert_eq!((whole.ranges.len(), whole.ranges[0].clone()), (1, 0..10));
        assert_eq!(
            windows(0, &[], 10, |_| 0, 16),
            Windows {
                ranges: vec![],
                cut: false
            }
        );
    }

    #[test]
    fn a_window_ends_where_a_block_starts() {
        assert_eq!(
            windows(20, &[3, 8, 12], 10, |_| 0, 16).ranges,
            [0..8, 8..18, 16..20]
        );
    }

    #[test]
    fn without_a_break_windows_overlap_by_a_quarter() {
        assert_eq!(windows(20, &[], 8, |_| 0, 16).ranges, [0..8, 6..14, 12..20]);
    }

    #[test]
    fn later_windows_give_room_to_their_headings() {
        let lead = |start| if start == 0 { 0 } else { 4 };
        assert_eq!(
            windows(16, &[], 8, lead, 16).ranges,
            [0..8, 6..10, 9..13, 12..16]
        );
    }

    #[test]
    fn windows_beyond_the_cap_are_reported_as_cut() {
        let got = windows(100, &[], 8, |_| 0, 2);
        assert_eq!((got.ranges.len(), got.cut), (2, true));
    }

    proptest! {
        #[test]
        fn windows_cover_the_text_and_fit_their_room(
            tokens in 0_usize..2000, mut breaks in prop::collection::vec(0_usize..2000, 0..50),
            room in 4_usize..300, lead in 0_usize..2,
        ) {
            breaks.sort_unstable();
            let got = windows(tokens, &breaks, room, |start| if start == 0 { 0 } else { lead }, usize::MAX);
            prop_assert!(!got.cut);
            let mut covered = 0;
            for range in &got.ranges {
                prop_assert!(range.start <= covered && range.end > covered, "{got:?}");
                prop_assert!(range.len() <= room);
                covered = range.end;
            }
            prop_assert_eq!(covered, tokens);
        }
    }
}
