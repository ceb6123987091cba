//! Looks for closing marks inside a paragraph, for the formats that are read by hand.
//!
//! Invariant: however many opening marks are never closed, all searches together stay linear in
//! the paragraph: a mark that was not found once is not looked for again.

/// Remembers which marks have no closing mark in the rest of the paragraph.
#[derive(Default)]
pub(super) struct Closers {
    /// A mark, and the range that was searched for it in vain.
    missing: Vec<(&'static str, usize, usize)>,
}

impl Closers {
    /// Offset of the first `mark` in `source[from..end]` that `accept` takes.
    pub(super) fn find_if(
        &mut self,
        source: &str,
        (from, end): (usize, usize),
        mark: &'static str,
        accept: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        if from >= end {
            return None;
        }
        let is_missing = |(m, f, e): &(&str, usize, usize)| *m == mark && *f <= from && end <= *e;
        if self.missing.iter().any(is_missing) {
            return None;
        }
        let found = source[from..end]
            .match_indices(mark)
            .map(|(at, _)| from + at)
            .find(|at| accept(*at));
        if found.is_none() {
            self.missing.retain(|(m, ..)| *m != mark);
            self.missing.push((mark, from, end));
        }
        found
    }

    /// Offset of the first `mark` in `source[from..end]`.
    pub(super) fn find(
        &mut self,
        source: &str,
        range: (usize, usize),
        mark: &'static str,
    ) -> Option<usize> {
        self.find_if(source, range, mark, |_| true)
    }
}

/// The character before `at`, if it is inside the paragraph that begins at `start`.
pub(super) fn before(source: &str, start: usize, at: usize) -> Option<char> {
    source[start..at].chars().next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_mark_is_looked_for_once() {
        let source = "*a *b";
        let mut closers = Closers::default();
        assert_eq!(closers.find(source, (1, 5), "]]"), None);
        assert_eq!(closers.missing, [("]]", 1, 5)]);
        // The memory must not answer for text that it has not seen.
        assert_eq!(closers.find("]] ]]", (0, 5), "]]"), Some(0));
        assert_eq!(closers.find_if(source, (1, 5), "*", |at| at > 3), None);
        assert_eq!(closers.find(source, (0, 5), "*"), Some(0));
    }
}
