//! The scoring head: hidden states in, one similarity a label out.
//!
//! Port of the reference's `LabelAggregator` and `SimilarityHead`.
//! Invariant: on a CPU a label's similarity has the same bits whatever labels and texts are beside it.
//!
//! Length: every formula has a case worked out by hand at the foot.

mod gather;

use candle_core::{D, Device, Result, Tensor};

use self::gather::Gather;
use super::config::{ModelConfig, Similarity};
use super::encoder::{Dropout, LayerNorm, LinearByRow, affine, linear};
use super::sequence::Sequence;
use super::weights::Reader;

/// Epsilon of the projectors' LayerNorm (PyTorch's default; the config has no key for it).
const PROJECTOR_EPS: f64 = 1e-5;
/// Smallest norm that a vector is divided by (PyTorch: `F.normalize`).
const MIN_NORM: f64 = 1e-12;
/// How far from 0 a `logit_scale` counts.
const MOST: f32 = 10.0;

/// Projectors and similarity.
#[derive(Debug)]
pub(crate) struct ScoringHead {
    text_projector: Option<Projector>,
    label_projector: Option<Projector>,
    /// `logit_scale` as it is stored: what training moves.
    temperature: Tensor,
    similarity: SimilarityHead,
}

/// Linear, then LayerNorm.
#[derive(Debug)]
struct Projector {
    linear: LinearByRow,
    norm: LayerNorm,
}

#[derive(Debug)]
enum SimilarityHead {
    /// `exp(logit_scale) · cos(text, label)`.
    Cosine { scale: f32 },
    /// `w · (text ∘ label) + b`.
    Dot(LinearByRow),
    /// `textᵀ W label + b`; `weight` is `[1, size, size]`, `bias` `[1]`.
    Bilinear { weight: Tensor, bias: Tensor },
}

/// Which rows of the states stand for what, in a batch of sequences.
pub(crate) struct StateRows {
    /// Each sequence's `[CLS]`.
    cls: Tensor, // [sequence], u32
    /// The tokens that stand for each label; labels are numbered through the batch.
    labels: Gather,
    /// The sequence of each label.
    sequence_of_label: Tensor, // [label], u32
    /// The text's own tokens of each sequence.
    texts: Gather,
    /// The same without `[CLS]` and `[SEP]`, each sequence's rows.
    text_tokens: Vec<Vec<u32>>,
    /// Each sequence's first and last token.
    ends: Vec<(usize, usize)>,
}

impl StateRows {
    /// `row(i, place)` is the row of the state at a place of the `i`-th sequence.
    pub(crate) fn new(
        sequences: &[&Sequence],
        row: impl Fn(usize, usize) -> usize,
        device: &Device,
    ) -> Result<StateRows> {
        let rows = |i: usize, places: &[usize]| {
            places
                .iter()
                .map(|place| row(i, *place) as u32)
                .collect::<Vec<u32>>()
        };
        let numbered = || sequences.iter().enumerate();
        let cls: Vec<u32> = numbered().map(|(i, _)| row(i, 0) as u32).collect();
        let labels: Vec<Vec<u32>> = numbered()
            .flat_map(|(i, s)| s.label_tokens.iter().map(move |own| (i, own)))
            .map(|(i, own)| rows(i, own))
            .collect();
        let sequence_of_label: Vec<u32> = numbered()
            .flat_map(|(i, s)| s.label_tokens.iter().map(move |_| i as u32))
            .collect();
        let texts: Vec<Vec<u32>> = numbered().map(|(i, s)| rows(i, &s.text_tokens)).collect();
        let without_ends = |text: &Vec<u32>| match &text[..] {
            [_, tokens @ .., _] => tokens.to_vec(),
            _ => Vec::new(),
        };
        Ok(StateRows {
            cls: Tensor::new(cls, device)?,
            labels: Gather::new(&labels, device)?,
            sequence_of_label: Tensor::new(sequence_of_label, device)?,
            texts: Gather::new(&texts, device)?,
            text_tokens: texts.iter().map(without_ends).collect(),
            ends: numbered()
                .map(|(i, s)| (row(i, 0), row(i, s.len() - 1)))
                .collect(),
        })
    }

    /// The states of the first and the last token of the `i`-th sequence: `[row, hidden]` -> two of `[hidden]`.
    pub(crate) fn ends(&self, states: &Tensor, i: usize) -> Result<(Tensor, Tensor)> {
        let (first, last) = self.ends[i];
        Ok((states.get(first)?, states.get(last)?))
    }

    /// Mean of each sequence's text states, of unit length: `[row, hidden]` -> `[sequence, hidden]`.
    pub(crate) fn text_embeddings(&self, states: &Tensor) -> Result<Tensor> {
        normalize(&self.texts.mean(states, |rows| Ok(rows.clone()))?)
    }

    /// The rows of the `i`-th sequence's text tokens, without `[CLS]` and `[SEP]`.
    pub(crate) fn text_tokens(&self, i: usize) -> &[u32] {
        &self.text_tokens[i]
    }

    /// The states of each sequence's text tokens, of unit length: `[row, hidden]` -> `[token, hidden]`
    /// a sequence.
    pub(crate) fn token_states(&self, states: &Tensor) -> Result<Vec<Vec<f32>>> {
        let hidden = states.dim(D::Minus1)?;
        let rows = self.text_tokens.concat();
        let mut values = Vec::new();
        if !rows.is_empty() {
            let rows = Tensor::new(rows, states.device())?;
            let tokens = normalize(&states.index_select(&rows, 0)?)?;
            values = tokens.flatten_all()?.to_vec1::<f32>()?;
        }
        let mut rest = values.into_iter();
        let of = |rows: &Vec<u32>| rest.by_ref().take(rows.len() * hidden).collect();
        Ok(self.text_tokens.iter().map(of).collect())
    }
}

/// What the head says of a batch.
pub(crate) struct Similarities {
    /// Projected, not normalised `[CLS]` states, `[sequence, size]`.
    pub(crate) text: Tensor,
    /// Projected, not normalised label vectors, `[label, size]`.
    pub(crate) labels: Tensor,
    /// What the checkpoint calls logits, `[label]`.
    pub(crate) logits: Tensor,
}

impl Similarities {
    /// The cosine of each label and the text, in a batch of one sequence, whatever its similarity is.
    pub(crate) fn cosines(&self) -> Result<Tensor> {
        let text = normalize(&self.text)?; // [1, size]
        normalize(&self.labels)?
            .broadcast_mul(&text)?
            .sum(D::Minus1)
    }
}

impl ScoringHead {
    /// Takes `aggregator.*` and `loss_fn.*` from `weights`.
    pub(crate) fn new(config: &ModelConfig, weights: &Reader) -> Result<ScoringHead> {
        weights.part("loss_fn").skip(); // Belongs to training.
        let weights = weights.part("aggregator");
        let hidden = config.backbone.hidden_size();
        let projector = |name: &str| -> Result<Option<Projector>> {
            let Some(size) = config.projection else {
                return Ok(None);
            };
            let weights = weights.part(name);
            Ok(Some(Projector {
                linear: LinearByRow::new(linear(hidden, size, true, &weights.part(0))?)?,
                norm: LayerNorm::new(size, PROJECTOR_EPS, true, &weights.part(1))?,
            }))
        };
        let similarity = weights.part("similarity_head");
        let size = config.vector_size();
        // Saved for every metric; a model with a fixed temperature may lack it.
        let scale = if config.learn_temperature && config.similarity == Similarity::Cosine {
            Some(similarity.get("logit_scale", &[])?)
        } else {
            similarity.get_if_there("logit_scale", &[])?
        };
        let start = config.logit_scale_init as f32;
        let temperature = match scale {
            Some(scale) => scale,
            None => Tensor::new(start, weights.device())?,
        };
        let scale = temperature.to_scalar::<f32>()?.clamp(-MOST, MOST).exp();
        Ok(ScoringHead {
            text_projector: projector("text_projector")?,
            label_projector: projector("label_projector")?,
            temperature,
            similarity: match config.similarity {
                Similarity::Cosine => SimilarityHead::Cosine { scale },
                Similarity::Dot => {
                    let map = linear(size, 1, true, &similarity.part("classifier"))?;
                    SimilarityHead::Dot(LinearByRow::new(map)?)
                }
                Similarity::Bilinear => SimilarityHead::Bilinear {
                    weight: similarity.get("classifier.weight", &[1, size, size])?,
                    bias: similarity.get("classifier.bias", &[1])?,
                },
            },
        })
    }

    /// The factor between a cosine and the logit; 1 for other similarities.
    pub(crate) fn scale(&self) -> f32 {
        match self.similarity {
            SimilarityHead::Cosine { scale } => scale,
            SimilarityHead::Dot(_) | SimilarityHead::Bilinear { .. } => 1.0,
        }
    }

    /// The factor between a cosine and a logit as a tensor, of the temperature that is trained.
    pub(crate) fn trained_scale(&self) -> Result<Tensor> {
        self.temperature.clamp(-MOST, MOST)?.exp()
    }

    /// `states`: `[row, hidden]`.
    pub(crate) fn forward(&self, states: &Tensor, rows: &StateRows) -> Result<Similarities> {
        self.forward_with(states, rows, None)
    }

    /// The same with some of the projected values dropped, while training.
    pub(crate) fn forward_with(
        &self,
        states: &Tensor,
        rows: &StateRows,
        dropout: Option<&Dropout>,
    ) -> Result<Similarities> {
        let drop = |projected: Tensor| match dropout {
            Some(dropout) => dropout.forward(&projected),
            None => Ok(projected),
        };
        let cls = states.index_select(&rows.cls, 0)?;
        let text = drop(project(self.text_projector.as_ref(), &cls)?)?; // [sequence, size]
        // Projected first, averaged then, as the reference does.
        let label = rows.labels.mean(states, |states| {
            drop(project(self.label_projector.as_ref(), states)?)
        })?; // [label, size]
        let text_of_label = text.index_select(&rows.sequence_of_label, 0)?; // [label, size]
        let logits = match &self.similarity {
            SimilarityHead::Cosine { scale } => {
                let cosines = (normalize(&text_of_label)? * normalize(&label)?)?.sum(D::Minus1)?;
                if self.temperature.track_op() {
                    cosines.broadcast_mul(&self.trained_scale()?)?
                } else {
                    (cosines * f64::from(*scale))?
                }
            }
            SimilarityHead::Dot(classifier) => {
                classifier.forward(&(text_of_label * &label)?)?.squeeze(1)?
            }
            SimilarityHead::Bilinear { weight, bias } => {
                let weight = weight.squeeze(0)?.t()?.contiguous()?;
                let turned = affine(&text_of_label, &weight, None)?; // [label, size]
                (turned * &label)?.sum(D::Minus1)?.broadcast_add(bias)?
            }
        };
        Ok(Similarities {
            text,
            labels: label,
            logits,
        })
    }
}

fn project(projector: Option<&Projector>, x: &Tensor) -> Result<Tensor> {
    match projector {
        Some(Projector { linear, norm }) => norm.forward(&linear.forward(x)?),
        None => Ok(x.clone()),
    }
}

/// Rows of unit length, `[n, size]` -> `[n, size]`.
pub(crate) fn normalize(x: &Tensor) -> Result<Tensor> {
    // The bound stands before the root, which has no finite slope at 0.
    let squares = x.sqr()?.sum_keepdim(D::Minus1)?;
    x.broadcast_div(&squares.maximum(MIN_NORM * MIN_NORM)?.sqrt()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::weights::{Weights, WeightsError};
    use serde_json::{Value, json};

    /// A head over states of width 2, with these config keys and tensors.
    fn head(
        keys: Value,
        tensors: &[(&str, &[usize], &[f32])],
    ) -> std::result::Result<ScoringHead, WeightsError> {
        let mut config = json!({
            "model_type": "gliznet",
            "backbone_config": {
                "model_type": "bert", "vocab_size": 30, "hidden_size": 2, "num_hidden_layers": 1,
                "num_attention_heads": 1, "intermediate_size": 4, "max_position_embeddings": 64,
            },
        });
        for (key, value) in keys.as_object().unwrap() {
            config[key] = value.clone();
        }
        let config = ModelConfig::parse(&config.to_string()).unwrap();
        let mut weights = Weights::default();
        for (name, shape, values) in tensors {
            let tensor = Tensor::from_slice(values, *shape, &Device::Cpu)?;
            weights.insert(&format!("aggregator.{name}"), tensor);
        }
        let reader = Reader::new(&weights, &Device::Cpu);
        let head = ScoringHead::new(&config, &reader)?;
        reader.finish()?;
        Ok(head)
    }

    fn cosine(scale: f32) -> ScoringHead {
        head(
            json!({}),
            &[("similarity_head.logit_scale", &[], &[scale.ln()])],
        )
        .unwrap()
    }

    /// States of a sequence, and the places that stand for each of its labels.
    type Row<'a> = (&'a [[f32; 2]], &'a [&'a [usize]]);

    /// Logits of a batch of sequences, label by label.
    fn logits(head: &ScoringHead, rows: &[Row]) -> Vec<f32> {
        let sequences: Vec<Sequence> = rows
            .iter()
            .map(|(states, labels)| Sequence {
                ids: vec![0; states.len()],
                positions: vec![0; states.len()],
                segments: vec![0; states.len()],
                label_mask: vec![0; states.len()],
                label_tokens: labels.iter().map(|places| places.to_vec()).collect(),
                text_tokens: vec![0],
            })
            .collect();
        let starts: Vec<usize> = (0..rows.len())
            .map(|i| rows[..i].iter().map(|(states, _)| states.len()).sum())
            .collect();
        let sequences: Vec<&Sequence> = sequences.iter().collect();
        let at = StateRows::new(&sequences, |i, place| starts[i] + place, &Device::Cpu).unwrap();
        let states: Vec<f32> = rows
            .iter()
            .flat_map(|(states, _)| states.concat())
            .collect();
        let n = states.len() / 2;
        let states = Tensor::from_vec(states, (n, 2), &Device::Cpu).unwrap(); // [row, hidden]
        let similarities = head.forward(&states, &at).unwrap();
        similarities.logits.to_vec1().unwrap()
    }

    fn check(got: &[f32], expected: &[f32]) {
        assert_eq!(got.len(), expected.len());
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected).abs() <= 1e-5, "{got} for {expected}");
        }
    }

    #[test]
    fn a_cosine_is_scaled_and_a_label_is_the_mean_of_its_tokens() {
        let states = [[3.0, 0.0], [0.0, 2.0], [1.0, 5.0], [1.0, -5.0], [-7.0, 0.0]];
        let got = logits(&cosine(10.0), &[(&states, &[&[1], &[2, 3], &[4]])]);
        check(&got, &[0.0, 10.0, -10.0]);
    }

    #[test]
    fn every_label_meets_the_text_of_its_own_sequence() {
        let got = logits(
            &cosine(1.0),
            &[
                (&[[1.0, 0.0], [1.0, 0.0]], &[&[1]]),
                (&[[5.0, 5.0]], &[]),
                (&[[0.0, 1.0], [1.0, 0.0], [0.0, 3.0]], &[&[1], &[2]]),
            ],
        );
        check(&got, &[1.0, 0.0, 1.0]);
    }

    #[test]
    fn cosines_are_there_for_any_number_of_labels() {
        let cosines = |labels: Vec<f32>| -> Vec<f32> {
            let rows = labels.len() / 2;
            let similarities = Similarities {
                text: Tensor::new(&[[2.0_f32, 0.0]], &Device::Cpu).unwrap(),
                labels: Tensor::from_vec(labels, (rows, 2), &Device::Cpu).unwrap(),
                logits: Tensor::new(vec![9.0_f32; rows], &Device::Cpu).unwrap(),
            };
            similarities.cosines().unwrap().to_vec1().unwrap()
        };
        check(&cosines(vec![3.0, 4.0, 0.0, -5.0]), &[0.6, 0.0]);
        check(&cosines(Vec::new()), &[]);
    }

    #[test]
    fn a_temperature_counts_as_far_as_it_is_trained() {
        let stored = [12.0, -12.0, 9.5];
        for (stored, counts) in stored.into_iter().zip([10.0_f32, -10.0, 9.5]) {
            let head = head(
                json!({}),
                &[("similarity_head.logit_scale", &[], &[stored])],
            );
            let head = head.unwrap();
            let trained: f32 = head.trained_scale().unwrap().to_scalar().unwrap();
            for scale in [head.scale(), trained] {
                assert!(
                    (scale / counts.exp() - 1.0).abs() < 1e-6,
                    "{scale} for {stored}"
                );
            }
        }
    }

    #[test]
    fn a_vector_of_zeros_has_a_finite_score() {
        let states = [[0.0, 0.0], [0.0, 0.0], [1.0, 0.0]];
        check(
            &logits(&cosine(10.0), &[(&states, &[&[1], &[2]])]),
            &[0.0, 0.0],
        );
    }

    #[test]
    fn a_vector_of_zeros_has_a_finite_gradient() {
        let x = candle_core::Var::new(&[[0.0_f32, 0.0], [3.0, 4.0]], &Device::Cpu).unwrap();
        let unit = normalize(x.as_tensor()).unwrap();
        let gradients = unit.sum_all().unwrap().backward().unwrap();
        let gradient: Vec<Vec<f32>> = gradients.get(&x).unwrap().to_vec2().unwrap();
        assert!(gradient[0].iter().all(|g| g.is_finite()), "{gradient:?}");
        check(&gradient[1], &[0.032, -0.024]);
    }

    #[test]
    fn tokens_are_projected_before_they_are_averaged() {
        let identity: &[f32] = &[1.0, 0.0, 0.0, 1.0];
        let projector = |part: &str| {
            [
                (
                    format!("{part}_projector.0.weight"),
                    vec![2, 2],
                    identity.to_vec(),
                ),
                (format!("{part}_projector.0.bias"), vec![2], vec![0.0, 0.0]),
                (
                    format!("{part}_projector.1.weight"),
                    vec![2],
                    vec![1.0, 1.0],
                ),
                (format!("{part}_projector.1.bias"), vec![2], vec![0.0, 0.0]),
            ]
        };
        let mut tensors = [projector("text"), projector("label")].concat();
        tensors.push(("similarity_head.logit_scale".into(), vec![], vec![0.0]));
        let tensors: Vec<(&str, &[usize], &[f32])> = tensors
            .iter()
            .map(|(n, s, v)| (n.as_str(), s.as_slice(), v.as_slice()))
            .collect();
        let head = head(json!({"use_projection_layernorm": true}), &tensors).unwrap();
        // LayerNorm makes (1, -1) of (2, 0) and (-1, 1) of (0, 10): two against one. The mean of
        // the states would be projected to (-1, 1), the text's opposite.
        let states = [[2.0, 0.0], [2.0, 0.0], [0.0, 10.0], [2.0, 0.0]];
        let got = logits(&head, &[(&states, &[&[1, 2, 3], &[1], &[2]])]);
        check(&got, &[1.0, 1.0, -1.0]);
    }

    #[test]
    fn dot_and_bilinear_are_what_their_formulas_say() {
        let row: Row = (&[[1.0, 2.0], [3.0, 4.0]], &[&[1]]);
        let dot = head(
            json!({"similarity_metric": "dot"}),
            &[
                ("similarity_head.classifier.weight", &[1, 2], &[2.0, 3.0]),
                ("similarity_head.classifier.bias", &[1], &[0.5]),
            ],
        )
        .unwrap();
        check(&logits(&dot, &[row]), &[2.0 * 3.0 + 3.0 * 8.0 + 0.5]);
        let bilinear = head(
            json!({"similarity_metric": "bilinear"}),
            &[
                (
                    "similarity_head.classifier.weight",
                    &[1, 2, 2],
                    &[1.0, 2.0, 3.0, 4.0],
                ),
                ("similarity_head.classifier.bias", &[1], &[0.5]),
            ],
        )
        .unwrap();
        check(&logits(&bilinear, &[row]), &[7.0 * 3.0 + 10.0 * 4.0 + 0.5]);
        assert_eq!((dot.scale(), bilinear.scale()), (1.0, 1.0));
    }

    #[test]
    fn only_a_temperature_that_was_never_trained_may_be_missing() {
        let fixed = head(
            json!({"learn_temperature": false, "logit_scale_init": 3.0}),
            &[],
        )
        .unwrap();
        assert_eq!(fixed.scale(), 3.0_f32.exp());
        let error = head(json!({}), &[]).unwrap_err().to_string();
        assert!(
            error.contains("`aggregator.similarity_head.logit_scale` is missing"),
            "{error}"
        );
    }

    #[test]
    fn a_projector_that_the_config_does_not_have_is_an_extra_tensor() {
        let error = head(
            json!({"projected_dim": 2}),
            &[
                ("similarity_head.logit_scale", &[], &[0.0]),
                ("text_projector.0.bias", &[2], &[0.0, 0.0]),
            ],
        )
        .unwrap_err()
        .to_string();
        assert!(
            error.contains("`aggregator.text_projector.0.bias` is not a tensor"),
            "{error}"
        );
    }
}
