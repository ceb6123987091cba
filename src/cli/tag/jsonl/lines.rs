//! Lines of any length out of a reader: one at a time, numbered, none longer than a bound.
//!
//! Invariant: a line beyond the bound is read past, never held. Knows nothing of JSON.

use std::io::{self, BufRead, BufReader, Read};

/// Bytes of the longest line that is kept.
pub(super) const LONGEST: usize = 64 << 20;
/// Bytes that are read at once.
const READ_AHEAD: usize = 256 << 10;
/// Bytes that a line's room may keep for the next line.
const ROOM_KEPT: usize = 1 << 20;

/// What was read; the number counts from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line, without its break.
    Whole(usize),
    /// A line that is longer than may be held.
    TooLong(usize),
    /// There are no more lines.
    End,
}

/// A reader cut into lines.
pub(super) struct Lines<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
    number: usize,
    longest: usize,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(reader: R) -> Lines<R> {
        Lines::with(reader, READ_AHEAD, LONGEST)
    }

    fn with(reader: R, read_ahead: usize, longest: usize) -> Lines<R> {
        Lines {
            reader: BufReader::with_capacity(read_ahead, reader),
            line: Vec::new(),
            number: 0,
            longest,
        }
    }

    /// The line that `next` has read; empty where it was too long.
    pub(super) fn line(&self) -> &[u8] {
        match self.number {
            // Windows' editors begin a file with this mark; it is no part of the JSON.
            1 => self
                .line
                .strip_prefix(b"\xef\xbb\xbf")
                .unwrap_or(&self.line),
            _ => &self.line,
        }
    }

    /// Whether the next line would have to be waited for.
    pub(super) fn would_wait(&self) -> bool {
        !self.reader.buffer().contains(&b'\n')
    }

    /// Reads up to the next line break.
    pub(super) fn next(&mut self) -> io::Result<Line> {
        self.line.clear();
        self.line.shrink_to(ROOM_KEPT);
        let (mut any, mut too_long) = (false, false);
        loop {
            let chunk = match self.reader.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if chunk.is_empty() {
                break;
            }
            any = true;
            let (used, ended) = match chunk.iter().position(|byte| *byte == b'\n') {
                Some(at) => (at, true),
                None => (chunk.len(), false),
            };
            if self.line.len() + used > self.longest {
                too_long = true;
                self.line.clear();
            }
            if !too_long {
                self.line.extend_from_slice(&chunk[..used]);
            }
            self.reader.consume(used + usize::from(ended));
            if ended {
                break;
            }
        }
        self.number += usize::from(any);
        Ok(match (any, too_long) {
            (false, _) => Line::End,
            (true, true) => Line::TooLong(self.number),
            (true, false) => Line::Whole(self.number),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(bytes: &[u8], read_ahead: usize, longest: usize) -> Vec<(Line, Vec<u8>)> {
        let mut lines = Lines::with(bytes, read_ahead, longest);
        let mut all = Vec::new();
        loop {
            match lines.next().unwrap() {
                Line::End => return all,
                line => all.push((line, lines.line().to_vec())),
            }
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_read_past() {
        let expected = [
            (Line::Whole(1), b"ab".to_vec()),
            (Line::TooLong(2), Vec::new()),
            (Line::Whole(3), b"c".to_vec()),
        ];
        assert_eq!(all(b"ab\nabcdefgh\nc", 3, 4), expected);
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_line() {
        let lines = all(b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", 8, 64);
        assert_eq!(lines[0].1, b"a");
        assert_eq!(lines[1].1, b"\xef\xbb\xbfb");
    }

    #[test]
    fn the_rest_of_a_line_is_waited_for_but_not_a_line_that_is_there() {
        let mut lines = Lines::with(&b"a\nb\nhalf"[..], 64, 64);
        assert_eq!(lines.next().unwrap(), Line::Whole(1));
        assert!(!lines.would_wait());
        assert_eq!(lines.next().unwrap(), Line::Whole(2));
        assert!(lines.would_wait());
    }

    proptest! {
        #[test]
        fn lines_are_what_splitting_gives(
            bytes in prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..200),
            read_ahead in 1_usize..40,
        ) {
            let got: Vec<Vec<u8>> = all(&bytes, read_ahead, usize::MAX).into_iter().map(|(_, line)| line).collect();
            let mut expected: Vec<Vec<u8>> = bytes.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
            if expected.last().is_some_and(Vec::is_empty) {
                expected.pop();
            }
            if let Some(first) = expected.first_mut().filter(|first| first.starts_with(b"\xef\xbb\xbf")) {
                first.drain(..3);
            }
            prop_assert_eq!(got, expected);
        }
    }
}
