//! What a model would say of a corrected text if it had not been taught on it.
//!
//! A version was fitted to the very texts that the memory asks it about, so of these its heads say
//! more than they will say of others; taken at its word it misses nothing, and the memory would
//! forget what the version has only half learnt. Pure. Why the share: `docs/decisions.md`.

use crate::engine::{Prediction, heads_of};
use crate::label::LabelSet;
use crate::model::label_head::LabelHeads;
use crate::score::{Logit, Score};

/// The share of what a head adds to its own texts that it does not add to others like them.
const FLATTERY: f32 = 0.3;

/// The scores of the labels of `set` in `prediction`, by name, less what flatters the heads of the
/// model that made it.
pub fn untaught(
    prediction: &Prediction,
    set: &LabelSet,
    heads: &LabelHeads,
) -> impl Fn(&str) -> Option<Score> {
    let text: Vec<f32> = prediction.embedding.iter().flat_map(|e| e.unit()).collect();
    let heads = heads_of(set, heads);
    move |name| {
        let label = set.find(name)?;
        let scored = prediction.scores.iter().find(|s| s.label == label)?;
        let Some(head) = heads.get(&label) else {
            return Some(scored.score);
        };
        let less = scored.logit.value() - FLATTERY * head.shift(&text);
        Logit::new(less).map(Logit::sigmoid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Embedding;
    use crate::label::LabelId;
    use crate::model::label_head::LabelHead;
    use crate::tag::LabelScore;

    #[test]
    fn what_a_head_says_of_a_text_counts_for_less_and_other_labels_as_they_are() {
        let set = LabelSet::from_names(["oompa", "tax"]).unwrap();
        let scored = |label, logit| LabelScore {
            label: LabelId(label),
            logit: Logit::new(logit).unwrap(),
            score: Logit::new(logit).unwrap().sigmoid(),
        };
        let prediction = Prediction {
            scores: vec![scored(0, 2.0), scored(1, -1.0)],
            embedding: Embedding::new(&[1.0, 0.0]),
            unscored: Vec::new(),
            windows: 1,
            cut: false,
        };
        let head = LabelHead::new(vec![4.0, 7.0], 1.0).unwrap();
        let heads = [("oompa".to_owned(), head)].into_iter().collect();
        let said = untaught(&prediction, &set, &heads);
        let logit = |name| {
            said(name).map(|score| {
                let p = score.value();
                (p / (1.0 - p)).ln()
            })
        };
        assert!((logit("oompa").unwrap() - 0.5).abs() < 1e-4);
        assert!((logit("tax").unwrap() + 1.0).abs() < 1e-4);
        assert_eq!(logit("heron"), None);
    }
}
