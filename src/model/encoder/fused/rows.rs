//! Sequences laid end to end: which row of the packed states is which token.
//!
//! Text first, then the labels of a sequence, so that the text's keys and values are contiguous.

use std::ops::Range;

use crate::model::sequence::Sequence;

/// The rows of one sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SequenceRows {
    /// All its rows.
    pub(super) all: Range<usize>,
    /// The rows that everyone sees: the text's, or all under full attention.
    pub(super) shared: Range<usize>,
    /// The rows of each label, which only that label sees.
    pub(super) labels: Vec<Range<usize>>,
}

/// Where every token of some sequences is.
pub(crate) struct Rows {
    /// `(sequence, place)` of every row.
    pub(super) tokens: Vec<(usize, usize)>,
    pub(super) sequences: Vec<SequenceRows>,
    /// Row of every place, sequence by sequence.
    rows: Vec<Vec<usize>>,
}

impl Rows {
    pub(crate) fn new(sequences: &[&Sequence], isolated: bool) -> Rows {
        let mut rows = Rows {
            tokens: Vec::new(),
            sequences: Vec::new(),
            rows: Vec::new(),
        };
        for (number, sequence) in sequences.iter().enumerate() {
            rows.add(number, sequence, isolated);
        }
        rows
    }

    /// The row of a sequence's place.
    pub(crate) fn row(&self, sequence: usize, place: usize) -> usize {
        self.rows[sequence][place]
    }

    fn add(&mut self, number: usize, sequence: &Sequence, isolated: bool) {
        let start = self.tokens.len();
        let mut places: Vec<usize> = (0..sequence.len()).collect();
        if isolated {
            places.sort_by_key(|place| sequence.segments[*place]); // Stable: order within a label stays.
        }
        let mut row_of = vec![0; sequence.len()];
        let mut shared = start..start;
        let mut labels: Vec<Range<usize>> = Vec::new();
        let mut last = 0;
        for (row, place) in (start..).zip(places) {
            row_of[place] = row;
            self.tokens.push((number, place));
            let segment = if isolated {
                sequence.segments[place]
            } else {
                0
            };
            match labels.last_mut() {
                _ if segment == 0 => shared.end = row + 1,
                Some(label) if segment == last => label.end = row + 1,
                _ => labels.push(row..row + 1),
            }
            last = segment;
        }
        self.rows.push(row_of);
        self.sequences.push(SequenceRows {
            all: start..self.tokens.len(),
            shared,
            labels,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::config::{LabelVector, Layout};
    use crate::model::tokenizer::SpecialTokens;

    #[test]
    fn the_closing_sep_stands_with_the_text_and_labels_follow() {
        let special = SpecialTokens {
            cls: 1,
            sep: 2,
            pad: 0,
            lab: 9,
        };
        let labels: &[&[u32]] = &[&[5], &[6, 7]];
        let layout = Layout::PrefixIsolated;
        let s = Sequence::new(layout, LabelVector::MeanOfTokens, &special, &[3, 4], labels);
        let rows = Rows::new(&[&s, &s], true);
        assert_eq!(rows.sequences[1].shared, 9..13);
        assert_eq!(rows.sequences[1].labels, [13..15, 15..18]);
        assert_eq!((rows.row(1, 8), rows.row(1, 3)), (12, 13));
        let full = Rows::new(&[&s, &s], false);
        assert_eq!(
            (full.sequences[1].shared.clone(), full.row(1, 8)),
            (9..18, 17)
        );
    }
}
