//! Which sequences must run for a passage: its windows, with the labels. Pure, but for tokenising.
//!
//! Invariant: a window meets each label at most once, the first window all of them; no sequence is
//! longer than the model can read.

use std::ops::Range;

use super::passage::Passage;
use super::vocabulary::Vocabulary;
use super::window::{Windows, windows};
use super::{EngineError, EngineOptions};
use crate::model::Model;
use crate::model::config::Layout;
use crate::model::sequence::{Sequence, overhead, truncate_like_reference};

/// Label tokens that one isolated sequence takes, where scores of labels with each other are masked:
/// labels add no positions there, only work.
const ISOLATED_LABEL_TOKENS: usize = 512;
/// The same where those scores are never computed: the text is read once for all labels.
const UNPADDED_LABEL_TOKENS: usize = 8192;
/// Bytes of text read for each token there is room for. English has 4 to 5; nothing sane has 16.
const BYTES_PER_TOKEN: usize = 16;
/// The share of a window that title and headings may take.
const LEAD_SHARE: usize = 4;

/// One sequence of a passage.
pub struct Pass {
    /// Which window of the passage.
    pub window: usize,
    /// Which of the vocabulary's labels; empty where only the text's embedding is wanted.
    pub labels: Range<usize>,
    /// What the encoder reads.
    pub sequence: Sequence,
}

/// Which windows are read with labels, and which without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Each with all labels.
    Together,
    /// Each with all labels, and once more without, for the text's embedding.
    Apart,
    /// The first with all labels, the others without: of these the embedding counts. Labels are
    /// most of what a window costs, and what a text is about stands at its beginning.
    LabelsOnce,
}

/// All sequences of a passage.
pub(super) struct Plan {
    pub(super) passes: Vec<Pass>,
    pub(super) windows: usize,
    /// Whether a part of the text was left out.
    pub(super) cut: bool,
}

/// Plans the passes of `passage` with the labels of `vocabulary`.
pub(super) fn plan(
    model: &Model,
    passage: &Passage,
    vocabulary: &Vocabulary,
    options: &EngineOptions,
    reading: Reading,
) -> Result<Plan, EngineError> {
    if options.compat {
        return plan_like_reference(model, passage, vocabulary);
    }
    let groups = label_groups(model, vocabulary);
    let full = text_room(model, vocabulary, &groups);
    let wanted = options.window_tokens.or(model.config().text_window);
    let room = wanted.map_or(full, |wanted| full.min(wanted)).max(1);
    // Windows that are short because the checkpoint wants them so are as many more.
    let at_most = match options.window_tokens {
        None => options.max_windows.saturating_mul(full.div_ceil(room)),
        Some(_) => options.max_windows,
    };
    let text = Text::read(model, passage, room, at_most)?;
    let mut passes = Vec::new();
    for (window, range) in text.windows.ranges.iter().enumerate() {
        let ids = text.window(range);
        let has_labels = window == 0 || reading != Reading::LabelsOnce;
        let with_labels = if has_labels { &groups[..] } else { &[] };
        for labels in with_labels {
            let names: Vec<&[u32]> = vocabulary.labels[labels.clone()]
                .iter()
                .map(|l| l.tokens.as_slice())
                .collect();
            passes.push(Pass {
                window,
                labels: labels.clone(),
                sequence: model.sequence(&ids, &names),
            });
        }
        if reading == Reading::Apart || !has_labels {
            passes.push(Pass {
                window,
                labels: 0..0,
                sequence: model.sequence(&ids, &[]),
            });
        }
    }
    Ok(Plan {
        passes,
        windows: text.windows.ranges.len(),
        cut: text.windows.cut,
    })
}

/// One pass, cut as the reference cuts; labels that do not fit get no pass.
fn plan_like_reference(
    model: &Model,
    passage: &Passage,
    vocabulary: &Vocabulary,
) -> Result<Plan, EngineError> {
    let text = model.tokenizer().tokens(passage.text())?.ids;
    let lengths: Vec<usize> = vocabulary
        .labels
        .iter()
        .map(|label| label.tokens.len())
        .collect();
    let (n_text, n_labels) = truncate_like_reference(text.len(), &lengths, model.max_tokens());
    let names: Vec<&[u32]> = vocabulary.labels[..n_labels]
        .iter()
        .map(|l| l.tokens.as_slice())
        .collect();
    let sequence = model.sequence(&text[..n_text], &names);
    let pass = Pass {
        window: 0,
        labels: 0..n_labels,
        sequence,
    };
    Ok(Plan {
        passes: vec![pass],
        windows: 1,
        cut: n_text < text.len(),
    })
}

/// Consecutive labels that share a sequence: half a window of them where they take positions.
fn label_groups(model: &Model, vocabulary: &Vocabulary) -> Vec<Range<usize>> {
    let budget = match model.config().layout {
        Layout::PrefixIsolated if model.reads_unpadded() => UNPADDED_LABEL_TOKENS,
        Layout::PrefixIsolated => ISOLATED_LABEL_TOKENS,
        Layout::Reference | Layout::PrefixFull => {
            model.max_tokens().saturating_sub(overhead(0)) / 2
        }
    };
    let mut groups: Vec<Range<usize>> = Vec::new();
    let mut used = 0;
    for (i, label) in vocabulary.labels.iter().enumerate() {
        let needed = label.tokens.len() + 1;
        match groups.last_mut() {
            Some(group) if used + needed <= budget => {
                group.end = i + 1;
                used += needed;
            }
            _ => {
                groups.push(i..i + 1);
                used = needed;
            }
        }
    }
    groups
}

/// Text tokens that fit beside the labels.
fn text_room(model: &Model, vocabulary: &Vocabulary, groups: &[Range<usize>]) -> usize {
    let tokens = |labels: &Range<usize>| {
        vocabulary.labels[labels.clone()]
            .iter()
            .map(|l| l.tokens.len() + 1)
    };
    let taken = match model.config().layout {
        // All labels start at the same position: the longest one counts.
        Layout::PrefixIsolated => groups.iter().flat_map(tokens).max(),
        Layout::Reference | Layout::PrefixFull => {
            groups.iter().map(|group| tokens(group).sum()).max()
        }
    };
    let room = model.max_tokens();
    room.saturating_sub(overhead(0) + taken.unwrap_or(0)).max(1)
}

/// A tokenised passage, cut into windows.
struct Text {
    ids: Vec<u32>,
    windows: Windows,
    /// Tokens of title and headings that a window starting at this token is led by.
    leads: Vec<(usize, Vec<u32>)>,
}

impl Text {
    fn read(
        model: &Model,
        passage: &Passage,
        room: usize,
        max_windows: usize,
    ) -> Result<Text, EngineError> {
        let whole = passage.text();
        let most = room
            .saturating_mul(max_windows)
            .saturating_mul(BYTES_PER_TOKEN);
        let text = &whole[..whole.floor_char_boundary(most)];
        let tokens = model.tokenizer().tokens(text)?;
        let starts: Vec<usize> = tokens.offsets.iter().map(|(start, _)| *start).collect();
        let breaks: Vec<usize> = passage
            .breaks()
            .map(|byte| starts.partition_point(|start| *start < byte))
            .collect();
        let heading = |token: usize| passage.heading_at(starts.get(token).copied().unwrap_or(0));
        // Where a window will start depends on its lead, so every heading's length is known first.
        let mut leads: Vec<(usize, Vec<u32>)> = Vec::new();
        if tokens.ids.len() > room {
            for at in &breaks {
                let mut lead = model.tokenizer().tokens(heading(*at))?.ids;
                lead.truncate(room / LEAD_SHARE);
                leads.push((*at, lead));
            }
        }
        let length = |start: usize| {
            if start == 0 {
                0
            } else {
                lead_at(&leads, start).len()
            }
        };
        let mut windows = windows(tokens.ids.len(), &breaks, room, length, max_windows);
        windows.cut |= text.len() < whole.len();
        Ok(Text {
            ids: tokens.ids,
            windows,
            leads,
        })
    }

    /// The token ids of a window, led by its title and headings unless it is the first.
    fn window(&self, range: &Range<usize>) -> Vec<u32> {
        let lead = if range.start == 0 {
            &[]
        } else {
            lead_at(&self.leads, range.start)
        };
        [lead, &self.ids[range.clone()]].concat()
    }
}

fn lead_at(leads: &[(usize, Vec<u32>)], token: usize) -> &[u32] {
    let after = leads.partition_point(|(start, _)| *start <= token);
    leads[..after].last().map_or(&[], |(_, lead)| lead)
}
