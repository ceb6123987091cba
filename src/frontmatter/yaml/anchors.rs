//! What the aliases of a YAML text stand for: each anchored string once, however deep it lies.
//!
//! Invariant: what is kept is no more than the text has and what was handed out, and that is bounded,
//! though a few lines of aliases can stand for gigabytes. Pure.

use std::collections::BTreeMap;
use std::ops::Range;

/// How much the aliases of one text may stand for, in bytes: some ten thousand tags.
const ROOM: usize = 1 << 20;

/// What a string costs besides its bytes.
const COST: usize = 100;

/// The anchors of a text, as far as it was read.
#[derive(Debug)]
pub(super) struct Anchors {
    /// All anchored strings in order. Those of one anchor lie together.
    texts: Vec<String>,
    /// Which of them an anchor stands for; the end of one that is still open is not known.
    known: BTreeMap<usize, Range<usize>>,
    /// Anchored lists that are open: the anchor, and how many values are open around it.
    open: Vec<(usize, usize)>,
    /// What may still be handed out.
    room: usize,
}

impl Default for Anchors {
    fn default() -> Anchors {
        Anchors {
            texts: Vec::new(),
            known: BTreeMap::new(),
            open: Vec::new(),
            room: ROOM,
        }
    }
}

impl Anchors {
    /// A list begins, with `depth` values open around it. Anchor 0 is none, here and below.
    pub(super) fn begin(&mut self, anchor: usize, depth: usize) {
        if anchor > 0 {
            self.known.insert(anchor, self.texts.len()..usize::MAX);
            self.open.push((anchor, depth));
        }
    }

    /// The list or mapping around which `depth` values are open ends.
    pub(super) fn end(&mut self, depth: usize) {
        if let Some((anchor, _)) = self.open.pop_if(|(_, around)| *around == depth)
            && let Some(range) = self.known.get_mut(&anchor)
        {
            range.end = self.texts.len();
        }
    }

    pub(super) fn scalar(&mut self, anchor: usize, text: &str) {
        let at = self.texts.len();
        if anchor > 0 {
            self.known.insert(anchor, at..at + 1);
        }
        if anchor > 0 || !self.open.is_empty() {
            self.texts.push(text.to_owned());
        }
    }

    /// The strings that an alias stands for; `None` where all of them together are too much. The
    /// lists that it is in stand for them, too.
    pub(super) fn texts(&mut self, anchor: usize) -> Option<&[String]> {
        let range = self.known.get(&anchor).cloned().unwrap_or_default();
        let end = range.end.min(self.texts.len());
        let range = range.start.min(end)..end;
        for text in &self.texts[range.clone()] {
            self.room = self.room.checked_sub(text.len() + COST)?;
        }
        // A list in itself stands for no more.
        let is_open = self.open.iter().any(|(open, _)| *open == anchor);
        if !self.open.is_empty() && !is_open {
            self.texts.extend_from_within(range.clone());
        }
        Some(&self.texts[range])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Span;

    #[test]
    fn an_anchor_stands_for_all_strings_inside_it() {
        let mut anchors = Anchors::default();
        anchors.begin(1, 1);
        anchors.scalar(0, "a");
        anchors.begin(2, 2);
        anchors.scalar(3, "b");
        assert_eq!(anchors.texts(1), Some(&["a", "b"].map(str::to_owned)[..]));
        anchors.end(2);
        anchors.end(1);
        anchors.scalar(0, "elsewhere");
        anchors.scalar(4, "c");
        for (anchor, texts) in [(1, "a b"), (2, "b"), (3, "b"), (4, "c"), (5, "")] {
            assert_eq!(anchors.texts(anchor).unwrap().join(" "), texts);
        }
    }

    #[test]
    fn an_alias_of_a_list_with_an_alias_in_it_stands_for_both() {
        let source = "a: &a [one]\nb: &b [*a, two]\ntags: *b\n";
        let fields = super::super::read(source, Span::new(0, source.len()))
            .unwrap()
            .fields;
        let texts: Vec<&str> = fields[2].scalars.iter().map(|s| s.text.as_str()).collect();
        assert_eq!(texts, ["one", "two"]);
    }

    #[test]
    fn what_aliases_stand_for_is_bounded() {
        let mut anchors = Anchors::default();
        anchors.begin(1, 1);
        (0..1_000).for_each(|_| anchors.scalar(0, "tag"));
        anchors.end(1);
        let n_times = (0..1_000).take_while(|_| anchors.texts(1).is_some());
        assert_eq!(n_times.count(), ROOM / (1_000 * (3 + COST)));
        assert_eq!(anchors.texts(1), None);
    }
}
