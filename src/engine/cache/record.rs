//! A prediction as bytes, and back.
//!
//! Invariant: `decode` gives back what `encode` was given, and nothing for any other bytes.
//! Knows nothing of where they are kept.

use crate::engine::{Embedding, Prediction, Unscored};
use crate::label::LabelId;
use crate::score::{Logit, Score};
use crate::tag::LabelScore;

/// The form of the entries; another one means another folder. Raised, too, where a model answers the
/// same question otherwise than the build before: what was kept is not true any more.
pub(super) const FORM: u8 = 4;

/// Little-endian: form, windows, cut, scores (label, logit, score), unscored (label, reason), and
/// the embedding, whose length is 0 where there is none.
pub(super) fn encode(prediction: &Prediction) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(14 + 12 * prediction.scores.len());
    let number = |bytes: &mut Vec<u8>, n: usize| bytes.extend((n as u32).to_le_bytes());
    bytes.push(FORM);
    number(&mut bytes, prediction.windows);
    bytes.push(u8::from(prediction.cut));
    number(&mut bytes, prediction.scores.len());
    for score in &prediction.scores {
        bytes.extend(score.label.0.to_le_bytes());
        bytes.extend(score.logit.value().to_le_bytes());
        bytes.extend(score.score.value().to_le_bytes());
    }
    number(&mut bytes, prediction.unscored.len());
    for unscored in &prediction.unscored {
        bytes.extend(unscored.label.0.to_le_bytes());
        number(&mut bytes, unscored.reason.len());
        bytes.extend(unscored.reason.as_bytes());
    }
    let embedding = prediction.embedding.as_ref();
    let codes = embedding.map_or(&[][..], |embedding| embedding.codes());
    number(&mut bytes, codes.len());
    bytes.extend(codes.iter().map(|code| code.cast_unsigned()));
    bytes
}

/// `None` for whatever `encode` does not write.
pub(super) fn decode(bytes: &[u8]) -> Option<Prediction> {
    let mut rest = bytes;
    let mut take = |n: usize| -> Option<&[u8]> {
        let (head, tail) = rest.split_at_checked(n)?;
        rest = tail;
        Some(head)
    };
    let word = |bytes: &[u8]| <[u8; 4]>::try_from(bytes).ok();
    if take(1)? != [FORM] {
        return None;
    }
    let windows = u32::from_le_bytes(word(take(4)?)?) as usize;
    let cut = take(1)? == [1];
    let n_scores = u32::from_le_bytes(word(take(4)?)?);
    let mut scores = Vec::new();
    for _ in 0..n_scores {
        scores.push(LabelScore {
            label: LabelId(u32::from_le_bytes(word(take(4)?)?)),
            logit: Logit::new(f32::from_le_bytes(word(take(4)?)?))?,
            score: Score::new(f32::from_le_bytes(word(take(4)?)?))?,
        });
    }
    let n_unscored = u32::from_le_bytes(word(take(4)?)?);
    let mut unscored = Vec::new();
    for _ in 0..n_unscored {
        let label = LabelId(u32::from_le_bytes(word(take(4)?)?));
        let length = u32::from_le_bytes(word(take(4)?)?) as usize;
        let reason = String::from_utf8(take(length)?.to_vec()).ok()?;
        unscored.push(Unscored { label, reason });
    }
    let length = u32::from_le_bytes(word(take(4)?)?) as usize;
    let codes: Vec<i8> = take(length)?.iter().map(|b| b.cast_signed()).collect();
    let embedding = match length {
        0 => None,
        _ => Some(Embedding::from_codes(codes)?),
    };
    rest.is_empty().then_some(Prediction {
        scores,
        unscored,
        windows,
        cut,
        embedding,
    })
}
