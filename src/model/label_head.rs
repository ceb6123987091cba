//! What one person means by a label: a direction in the space of texts, beside what the model says.
//!
//! In: a text's plain embedding. Out: what is added to the label's log-odds. Heads are learnt on top
//! of a checkpoint and travel in its delta, one tensor a label (the weights and then the bias). Invariant: every number is finite, and no head speaks of another label's texts.
//! Knows nothing of how they are fitted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use candle_core::{Device, Tensor};

/// Adds `weights · text + bias` to a label's log-odds.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelHead {
    weights: Vec<f32>,
    bias: f32,
}

impl LabelHead {
    /// A head of these numbers; `None` where one of them is not finite.
    pub fn new(weights: Vec<f32>, bias: f32) -> Option<LabelHead> {
        let finite = bias.is_finite() && weights.iter().all(|w| w.is_finite());
        finite.then_some(LabelHead { weights, bias })
    }

    /// One number a dimension of the text's embedding.
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// What every text gets.
    pub fn bias(&self) -> f32 {
        self.bias
    }

    /// What is added for a text, given as a vector of length 1; 0 for one of another space.
    pub fn shift(&self, text: &[f32]) -> f32 {
        if text.len() != self.weights.len() {
            return 0.0;
        }
        let products = self.weights.iter().zip(text).map(|(w, x)| w * x);
        self.bias + products.sum::<f32>()
    }

    /// `own · self + share · other`, number by number.
    fn mixed(&self, own: f32, other: &LabelHead, share: f32) -> LabelHead {
        let mixed = |a: f32, b: f32| own * a + share * b;
        let both = self.weights.iter().zip(&other.weights);
        LabelHead {
            weights: both.map(|(a, b)| mixed(*a, *b)).collect(),
            bias: mixed(self.bias, other.bias),
        }
    }
}

/// Heads by the name that their label was judged under.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LabelHeads(BTreeMap<String, Arc<LabelHead>>);

impl LabelHeads {
    /// The head of a label that was judged under this name.
    pub fn get(&self, name: &str) -> Option<&Arc<LabelHead>> {
        self.0.get(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Arc<LabelHead>)> {
        self.0.iter().map(|(name, head)| (name.as_str(), head))
    }

    /// How many labels have one.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no label has one.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes what is stored for a label.
    pub(super) fn take(&mut self, label: &str, tensor: &Tensor) -> candle_core::Result<()> {
        let mut numbers: Vec<f32> = tensor.flatten_all()?.to_vec1()?;
        let Some(head) = numbers.pop().and_then(|bias| LabelHead::new(numbers, bias)) else {
            candle_core::bail!("what is stored for the label `{label}` is no head");
        };
        self.0.insert(label.to_owned(), Arc::new(head));
        Ok(())
    }

    /// As they are stored, under names that begin so.
    ///
    /// # Errors
    /// Of the tensor library.
    pub fn tensors(&self, prefix: &str) -> candle_core::Result<BTreeMap<String, Tensor>> {
        let tensors = self.iter().map(|(name, head)| {
            let mut numbers = head.weights.clone();
            numbers.push(head.bias);
            Ok((
                format!("{prefix}{name}"),
                Tensor::new(numbers, &Device::Cpu)?,
            ))
        });
        tensors.collect()
    }

    /// `self + share · (to - self)`, label by label, each with a share of its own; a label without a
    /// head has one of zeros.
    pub fn towards(&self, to: &LabelHeads, share: impl Fn(&str) -> f32) -> LabelHeads {
        self.mixed(to, |name| (1.0 - share(name), share(name)))
    }

    /// `self + share · other`, label by label; a label without a head has one of zeros.
    pub fn plus(&self, other: &LabelHeads, share: f32) -> LabelHeads {
        self.mixed(other, |_| (1.0, share))
    }

    fn mixed(&self, other: &LabelHeads, shares: impl Fn(&str) -> (f32, f32)) -> LabelHeads {
        let names: BTreeSet<&str> = self.iter().chain(other.iter()).map(|(n, _)| n).collect();
        let mixed = names.into_iter().filter_map(|name| {
            let (own, share) = shares(name);
            let head = match (self.get(name), other.get(name)) {
                (Some(a), Some(b)) => a.mixed(own, b, share),
                (Some(a), None) => a.mixed(own, a, 0.0),
                (None, Some(b)) => b.mixed(share, b, 0.0),
                (None, None) => return None,
            };
            Some((name.to_owned(), Arc::new(head)))
        });
        LabelHeads(mixed.collect())
    }
}

impl FromIterator<(String, LabelHead)> for LabelHeads {
    fn from_iter<I: IntoIterator<Item = (String, LabelHead)>>(heads: I) -> LabelHeads {
        let shared = heads.into_iter().map(|(name, head)| (name, Arc::new(head)));
        LabelHeads(shared.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads(all: &[(&str, &[f32], f32)]) -> LabelHeads {
        let head = |(name, weights, bias): &(&str, &[f32], f32)| {
            (
                (*name).to_owned(),
                LabelHead::new(weights.to_vec(), *bias).unwrap(),
            )
        };
        all.iter().map(head).collect()
    }

    #[test]
    fn a_head_speaks_for_texts_in_its_direction_and_is_silent_about_another_space() {
        let heads = heads(&[("work", &[2.0, -1.0], 0.5)]);
        let head = heads.get("work").unwrap();
        assert_eq!(head.shift(&[1.0, 0.0]), 2.5);
        assert_eq!(head.shift(&[0.0, 1.0]), -0.5);
        assert_eq!(head.shift(&[1.0, 0.0, 0.0]), 0.0);
        assert!(heads.get("Work").is_none());
    }

    #[test]
    fn what_is_stored_comes_back_whatever_the_label_is_called() {
        let heads = heads(&[("a/b \"c\" é", &[1.0, 2.0], -3.0), ("x", &[0.0, 0.5], 0.0)]);
        let mut back = LabelHeads::default();
        for (name, tensor) in heads.tensors("head/").unwrap() {
            back.take(name.strip_prefix("head/").unwrap(), &tensor)
                .unwrap();
        }
        assert_eq!(back, heads);
    }

    #[test]
    fn numbers_that_are_none_are_refused() {
        assert_eq!(LabelHead::new(vec![f32::NAN], 0.0), None);
        assert_eq!(LabelHead::new(vec![0.0], f32::INFINITY), None);
        let broken = Tensor::new(&[1.0_f32, f32::NAN], &Device::Cpu).unwrap();
        assert!(LabelHeads::default().take("x", &broken).is_err());
    }

    #[test]
    fn halfway_is_the_mean_and_a_missing_head_is_one_of_zeros() {
        let from = heads(&[("a", &[2.0], 2.0), ("old", &[4.0], 0.0)]);
        let to = heads(&[("a", &[4.0], 0.0), ("new", &[0.0], 8.0)]);
        let half = heads(&[
            ("a", &[3.0], 1.0),
            ("new", &[0.0], 4.0),
            ("old", &[2.0], 0.0),
        ]);
        assert_eq!(from.towards(&to, |_| 0.5), half);
        assert_eq!(from.towards(&from, |_| 0.25), from);
        let one = from.towards(&to, |name| if name == "new" { 1.0 } else { 0.0 });
        assert_eq!(one.get("new"), to.get("new"));
        assert_eq!(one.get("a"), from.get("a"));
    }

    #[test]
    fn what_was_added_can_be_taken_off() {
        let base = heads(&[("a", &[2.0], 2.0), ("old", &[4.0], 0.0)]);
        let more = heads(&[("a", &[1.0], -4.0), ("new", &[2.0], 8.0)]);
        let sum = base.plus(&more, 0.5);
        assert_eq!(sum.get("a").unwrap().weights(), [2.5]);
        assert_eq!(sum.get("new").unwrap().bias(), 4.0);
        let back = sum.plus(&more, -0.5);
        assert_eq!(back.get("a"), base.get("a"));
        assert_eq!(back.get("new").unwrap().weights(), [0.0]);
    }
}
