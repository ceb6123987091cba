//! One text window and its labels as a sequence of token ids, in either dialect.
//!
//! Pure: token ids in, token ids, positions and segments out. Nothing is cut here, except by
//! `truncate_like_reference`, which is what `--compat` asks for.

use super::config::{LabelVector, Layout};
use super::tokenizer::SpecialTokens;

/// What the encoder reads for one text window with some labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// Token ids.
    pub ids: Vec<u32>,
    /// Position of each token, counted from 0.
    pub positions: Vec<u32>,
    /// 0: text, `[CLS]` and `[SEP]`; `k`: the `k`-th label with its `[LAB]`.
    pub segments: Vec<u32>,
    /// 0: no label's token; `k`: one of the tokens of the `k`-th label's name. The reference's `lmask`.
    pub label_mask: Vec<u32>,
    /// Places of the tokens whose states stand for each label, in label order; never empty.
    pub label_tokens: Vec<Vec<usize>>,
    /// Places of the text's own tokens with `[CLS]` and `[SEP]`: what a text embedding is the mean of.
    pub text_tokens: Vec<usize>,
}

impl Sequence {
    /// Lays out `text` and `labels`; every label must have at least one token.
    pub fn new(
        layout: Layout,
        vector: LabelVector,
        special: &SpecialTokens,
        text: &[u32],
        labels: &[&[u32]],
    ) -> Sequence {
        let mut builder = Builder {
            layout,
            vector,
            sequence: Sequence::empty(),
            text_length: text.len(),
        };
        builder.text(&[special.cls]);
        builder.text(text);
        if layout == Layout::Reference {
            builder.text(&[special.sep]);
        }
        for (i, label) in labels.iter().enumerate() {
            builder.label(i as u32 + 1, label, special.lab);
        }
        if layout != Layout::Reference {
            builder.last_sep(special.sep);
        }
        builder.sequence
    }

    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no token; never so for a sequence that `new` made.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    fn empty() -> Sequence {
        Sequence {
            ids: Vec::new(),
            positions: Vec::new(),
            segments: Vec::new(),
            label_mask: Vec::new(),
            label_tokens: Vec::new(),
            text_tokens: Vec::new(),
        }
    }
}

struct Builder {
    layout: Layout,
    vector: LabelVector,
    sequence: Sequence,
    text_length: usize,
}

impl Builder {
    fn push(&mut self, id: u32, position: u32, segment: u32, label_mask: u32) -> usize {
        let sequence = &mut self.sequence;
        sequence.ids.push(id);
        sequence.positions.push(position);
        sequence.segments.push(segment);
        sequence.label_mask.push(label_mask);
        sequence.ids.len() - 1
    }

    fn text(&mut self, ids: &[u32]) {
        for id in ids {
            let place = self.push(*id, self.sequence.ids.len() as u32, 0, 0);
            self.sequence.text_tokens.push(place);
        }
    }

    /// The `k`-th label and its `[LAB]`, before the name in our layouts, after it in the reference's.
    fn label(&mut self, k: u32, ids: &[u32], lab: u32) {
        let isolated = self.layout.is_isolated();
        // Isolated labels all start right after the text's `[SEP]`, which stands at `text_length + 1`.
        let start = if isolated {
            self.text_length as u32 + 2
        } else {
            self.sequence.ids.len() as u32
        };
        let before = self.layout != Layout::Reference;
        let mut own = Vec::with_capacity(ids.len());
        let mut lab_place = 0;
        if before {
            lab_place = self.push(lab, start, k, 0);
        }
        for (i, id) in ids.iter().enumerate() {
            own.push(self.push(*id, start + i as u32 + u32::from(before), k, k));
        }
        if !before {
            lab_place = self.push(lab, start + ids.len() as u32, k, 0);
        }
        self.sequence.label_tokens.push(match self.vector {
            LabelVector::MeanOfTokens => own,
            LabelVector::LabToken => vec![lab_place],
        });
    }

    fn last_sep(&mut self, sep: u32) {
        let position = if self.layout.is_isolated() {
            self.text_length
        } else {
            self.sequence.ids.len() - 1
        };
        let place = self.push(sep, position as u32 + 1, 0, 0);
        self.sequence.text_tokens.push(place);
    }
}

/// Tokens that a sequence needs besides the text's and the labels' own.
pub fn overhead(n_labels: usize) -> usize {
    2 + n_labels // [CLS], [SEP], and a [LAB] for each label
}

/// What the reference keeps when text and labels exceed `max` tokens: half of the window of the
/// text, and the labels that fit in the other half. Returns (text tokens, labels) that stay.
pub fn truncate_like_reference(text: usize, labels: &[usize], max: usize) -> (usize, usize) {
    let total: usize = overhead(labels.len()) + text + labels.iter().sum::<usize>();
    if total <= max {
        return (text, labels.len());
    }
    let half = max.saturating_sub(2) / 2;
    let mut room = max.saturating_sub(2 + half);
    let fitting = labels.iter().take_while(|label| {
        let needed = **label + 1;
        let fits = needed <= room;
        if fits {
            room -= needed;
        }
        fits
    });
    (text.min(half), fitting.count())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPECIAL: SpecialTokens = SpecialTokens {
        cls: 101,
        sep: 102,
        pad: 0,
        lab: 999,
    };

    fn sequence(layout: Layout) -> Sequence {
        Sequence::new(
            layout,
            LabelVector::MeanOfTokens,
            &SPECIAL,
            &[7, 8, 9],
            &[&[1], &[2, 3]],
        )
    }

    #[test]
    fn the_reference_puts_lab_after_each_label() {
        let s = sequence(Layout::Reference);
        assert_eq!(s.ids, [101, 7, 8, 9, 102, 1, 999, 2, 3, 999]);
        assert_eq!(s.label_mask, [0, 0, 0, 0, 0, 1, 0, 2, 2, 0]);
        assert_eq!(s.positions, (0..10).collect::<Vec<u32>>());
        assert_eq!(s.segments, [0, 0, 0, 0, 0, 1, 1, 2, 2, 2]);
        assert_eq!(s.label_tokens, [vec![5], vec![7, 8]]);
        assert_eq!(s.text_tokens, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn ours_puts_lab_before_each_label_and_sep_last() {
        let s = sequence(Layout::PrefixFull);
        assert_eq!(s.ids, [101, 7, 8, 9, 999, 1, 999, 2, 3, 102]);
        assert_eq!(s.positions, (0..10).collect::<Vec<u32>>());
        assert_eq!(s.label_tokens, [vec![5], vec![7, 8]]);
    }

    #[test]
    fn isolated_labels_all_start_right_after_the_text() {
        let s = sequence(Layout::PrefixIsolated);
        assert_eq!(s.ids, [101, 7, 8, 9, 999, 1, 999, 2, 3, 102]);
        assert_eq!(s.positions, [0, 1, 2, 3, 5, 6, 5, 6, 7, 4]);
        assert_eq!(s.segments, [0, 0, 0, 0, 1, 1, 2, 2, 2, 0]);
        assert_eq!(s.text_tokens, [0, 1, 2, 3, 9]);
    }

    #[test]
    fn the_lab_token_can_stand_for_the_label() {
        let labels: &[&[u32]] = &[&[1], &[2, 3]];
        let s = Sequence::new(
            Layout::Reference,
            LabelVector::LabToken,
            &SPECIAL,
            &[7],
            labels,
        );
        assert_eq!(s.label_tokens, [vec![4], vec![7]]);
    }

    #[test]
    fn the_reference_cuts_to_half_a_window_only_on_overflow() {
        assert_eq!(truncate_like_reference(700, &[3, 3, 1], 512), (255, 3));
        assert_eq!(truncate_like_reference(400, &[3, 3, 1], 512), (400, 3));
        assert_eq!(truncate_like_reference(13, &[14; 120], 512), (13, 17));
    }
}
