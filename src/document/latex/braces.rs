//! Finds the partner of every brace in one pass.
//!
//! Invariant: one look over the source for all groups together, so that a thousand unclosed
//! braces cost no more than a thousand closed ones.

use crate::document::Span;

pub(super) struct Braces {
    /// Opening and closing offsets, by opening offset.
    pairs: Vec<(usize, usize)>,
}

impl Braces {
    pub(super) fn new(source: &str, body: Span) -> Braces {
        let bytes = &source.as_bytes()[..body.end];
        let mut pairs = Vec::new();
        let mut open = Vec::new();
        let mut at = body.start;
        while at < bytes.len() {
            match bytes[at] {
                b'\\' => at += 1, // What follows is named, not meant.
                b'%' => {
                    let rest = bytes[at..].iter();
                    at += rest.take_while(|b| **b != b'\n').count();
                }
                b'{' => open.push(at),
                b'}' => {
                    if let Some(start) = open.pop() {
                        pairs.push((start, at));
                    }
                }
                _ => {}
            }
            at += 1;
        }
        pairs.sort_unstable();
        Braces { pairs }
    }

    /// The partner of the opening brace at `at`.
    pub(super) fn close(&self, at: usize) -> Option<usize> {
        let idx = self.pairs.binary_search_by_key(&at, |(open, _)| *open);
        idx.ok().map(|idx| self.pairs[idx].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partners_are_found_past_escapes_comments_and_lost_braces() {
        let source = "{{a\\}b% }\n}";
        let braces = Braces::new(source, Span::new(0, source.len()));
        assert_eq!((braces.close(0), braces.close(1)), (None, Some(10)));
        assert_eq!(braces.close(2), None);
    }
}
