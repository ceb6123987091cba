//! What `\iffalse` takes out: found for all of them in one pass over the source.
//!
//! Invariant: conditionals are counted, so that an inner `\fi` closes the inner one; what is never
//! closed is text.

use super::Reader;
use crate::document::Span;

pub(super) struct Conditionals {
    /// Where each `\iffalse` begins and what it takes out ends, in order; none is in another.
    skipped: Vec<(usize, usize)>,
}

impl Conditionals {
    pub(super) fn new(source: &str, body: Span) -> Conditionals {
        let bytes = &source.as_bytes()[..body.end];
        let mut skipped = Vec::new();
        // Where those begin that are open; none where what they take out is not known, or has ended.
        let mut open: Vec<Option<usize>> = Vec::new();
        let mut is_declared = false;
        let mut at = body.start;
        while at < bytes.len() {
            match bytes[at] {
                b'%' => {
                    let rest = bytes[at..].iter();
                    at += rest.take_while(|b| **b != b'\n').count();
                }
                b'\\' => {
                    let start = at;
                    let rest = &source[at + 1..body.end];
                    let len = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
                    let name = &rest[..len];
                    at += len.max(1); // What follows a backslash is named, not meant.
                    match name {
                        // What it declares begins like a conditional.
                        "newif" => {}
                        _ if is_declared => {}
                        "iffalse" => open.push(Some(start)),
                        "fi" => {
                            let ended = open.pop().flatten();
                            skipped.extend(ended.map(|start| (start, at + 1)));
                        }
                        "else" => {
                            let ended = open.last_mut().and_then(Option::take);
                            skipped.extend(ended.map(|start| (start, at + 1)));
                        }
                        // A sign of logic; and packages that take what they test in braces.
                        "iff" => {}
                        _ if bytes.get(at + 1) == Some(&b'{') => {}
                        _ if name.starts_with("if") => open.push(None),
                        _ => {}
                    }
                    is_declared = name == "newif";
                }
                _ => {}
            }
            at += 1;
        }
        skipped.sort_unstable();
        let mut taken_out = body.start;
        skipped.retain(|(start, end)| {
            let is_outermost = *start >= taken_out;
            taken_out = taken_out.max(*end);
            is_outermost
        });
        Conditionals { skipped }
    }

    /// The end of what the `\iffalse` at `at` takes out.
    fn end(&self, at: usize) -> Option<usize> {
        let idx = self.skipped.binary_search_by_key(&at, |(start, _)| *start);
        idx.ok().map(|idx| self.skipped[idx].1)
    }

    /// Whether what stands at `at` is taken out.
    pub(super) fn are_around(&self, at: usize) -> bool {
        let behind = self.skipped.partition_point(|(start, _)| *start <= at);
        self.skipped[..behind]
            .last()
            .is_some_and(|(_, end)| at < *end)
    }
}

impl Reader<'_, '_> {
    /// Goes past what the `\iffalse` at `at` takes out; its name ends at `behind`.
    pub(super) fn skip_false(&self, at: usize, behind: usize) -> usize {
        // A group that closes outside of it must still be seen to close.
        let within = self
            .stops
            .last()
            .map_or(self.end, |(stop, _)| self.end.min(*stop));
        let end = self.conditionals.end(at).filter(|end| *end <= within);
        self.skip_spaces(end.unwrap_or(behind))
    }
}
