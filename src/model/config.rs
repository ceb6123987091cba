//! `config.json` of a checkpoint, in both dialects: text in, a `ModelConfig` or all its faults out.
//!
//! Invariant: a `ModelConfig` names a backbone that we have, and its numbers fit together.
//! Reads no files and makes no tensors.
//!
//! The *reference* dialect is what the reference Python implementation saves; *ours* is told by
//! the key `input_layout`. See `docs/architecture.md`, "Two checkpoint dialects".
//!
//! Length: each key of the record, and what it may not be, has its test at the foot.

mod backbone;
mod record;
mod sizes;

pub use backbone::{
    Activation, BackboneConfig, BertConfig, BertFamily, DebertaConfig, ModernBertConfig,
    RelativeAttention, RotaryAttention,
};

use serde::Deserialize;
use serde_json::Value;

use crate::config::json_fault;

/// How text and labels are laid out in one sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `[CLS] text [SEP] label1 [LAB] label2 [LAB] …`, every token sees every token.
    Reference,
    /// `[CLS] text [LAB] label1 [LAB] label2 … [SEP]`, every token sees every token.
    PrefixFull,
    /// The same ids; text sees text, a label sees the text and itself, and every label's
    /// positions start right after the text. Scores do not depend on the other labels.
    PrefixIsolated,
}

impl Layout {
    /// Whether a label's score is the same whatever the other labels are.
    pub fn is_isolated(self) -> bool {
        self == Layout::PrefixIsolated
    }
}

/// How a text vector and a label vector become one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Similarity {
    /// `cos(text, label)`.
    Cosine,
    /// `w · (text ∘ label) + b`, the reference's `dot`.
    Dot,
    /// `textᵀ W label + b`.
    Bilinear,
}

/// Which states stand for a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelVector {
    /// The mean over the label's own tokens, each projected first.
    MeanOfTokens,
    /// The state of the label's `[LAB]` token.
    LabToken,
}

/// Weights and temperatures of the training losses (reference: `GliZNetLoss`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LossConfig {
    /// Weight of the supervised contrastive loss.
    pub supcon: f64,
    /// Weight of the label repulsion loss.
    pub repulsion: f64,
    /// Cosine above which two different labels of a sample repel each other.
    pub repulsion_threshold: f64,
    /// Weight of the binary cross-entropy.
    pub bce: f64,
}

/// What a checkpoint's `config.json` says about the model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// The encoder.
    pub backbone: BackboneConfig,
    /// Name of the pretrained model that the backbone came from.
    pub backbone_name: String,
    /// Sequence layout and label attention.
    pub layout: Layout,
    /// Similarity of text and label vector.
    pub similarity: Similarity,
    /// Which states stand for a label.
    pub label_vector: LabelVector,
    /// Width of the projected vectors; `None`: no projectors, the states themselves are compared.
    pub projection: Option<usize>,
    /// Token id of `[LAB]`, where the config names it.
    pub lab_token_id: Option<u32>,
    /// Start value of `logit_scale` in training.
    pub logit_scale_init: f64,
    /// Whether `logit_scale` is trained.
    pub learn_temperature: bool,
    /// Dropout on the projected vectors while training.
    pub dropout: f64,
    /// Loss weights for training.
    pub loss: LossConfig,
    /// Most text tokens in one window, where the checkpoint wants fewer than fit.
    pub text_window: Option<usize>,
}

impl ModelConfig {
    /// Width of text and label vectors.
    pub fn vector_size(&self) -> usize {
        self.projection.unwrap_or(self.backbone.hidden_size())
    }
}

/// Why a `config.json` cannot be used; lists every fault that was found.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{}", .faults.join("; "))]
pub struct ConfigError {
    /// One sentence each: place, fact, cure.
    pub faults: Vec<String>,
}

/// The record of `config.json`, as the reference writes it, with our additions.
#[derive(Deserialize)]
struct Record {
    model_type: Option<String>,
    #[serde(default)]
    backbone_config: Value,
    #[serde(default)]
    backbone_model: Option<String>,
    input_layout: Option<String>,
    label_attention: Option<String>,
    similarity_metric: Option<String>,
    projected_dim: Option<usize>,
    #[serde(default)]
    use_projection_layernorm: bool,
    #[serde(default)]
    use_lab_token_for_labels: bool,
    lab_token_id: Option<u32>,
    logit_scale_init: Option<f64>,
    learn_temperature: Option<bool>,
    dropout_rate: Option<f64>,
    supcon_loss_weight: Option<f64>,
    label_repulsion_weight: Option<f64>,
    repulsion_threshold: Option<f64>,
    bce_loss_weight: Option<f64>,
    text_window: Option<usize>,
}

impl ModelConfig {
    /// Parses the text of a `config.json`.
    ///
    /// # Errors
    /// All faults at once: not JSON, another model's config, unknown values, numbers that do
    /// not fit together.
    pub fn parse(json: &str) -> Result<ModelConfig, ConfigError> {
        let record: Record = serde_json::from_str(json).map_err(|e| {
            let value = serde_json::from_str(json).ok();
            let key = value.and_then(|value| record::culprit::<Record>(&value));
            let key = key.map_or_else(String::new, |key| format!("`{key}`: "));
            let fault = format!(
                "not a readable config: {key}{}; is it the config.json of a GliZNet checkpoint?",
                json_fault(&e)
            );
            ConfigError {
                faults: vec![fault],
            }
        })?;
        let mut faults = Vec::new();
        match record.model_type.as_deref() {
            Some("gliznet") => {}
            Some(other) => faults.push(format!(
                "`model_type` is `{other}`, not `gliznet`: this is the config of another kind of model; give the folder of a GliZNet checkpoint"
            )),
            None => faults.push("`model_type` is missing; a GliZNet checkpoint says `\"model_type\": \"gliznet\"`".into()),
        }
        if !faults.is_empty() {
            // The other keys of a foreign config mean something else: naming them would mislead.
            return Err(ConfigError { faults });
        }
        let layout = layout(&record, &mut faults);
        let similarity = one_of(
            "similarity_metric",
            record.similarity_metric.as_deref().unwrap_or("cosine"),
            &[
                ("cosine", Similarity::Cosine),
                ("dot", Similarity::Dot),
                ("bilinear", Similarity::Bilinear),
            ],
            &mut faults,
        );
        let backbone = record::read_backbone(&record.backbone_config, &mut faults);
        if record.projected_dim == Some(0) {
            faults.push("`projected_dim` is 0; give a width, or null for none".into());
        }
        if record.text_window == Some(0) {
            faults.push("`text_window` is 0; give a number of tokens, or leave it out".into());
        }
        let (Some(layout), Some(similarity), Some(backbone), true) =
            (layout, similarity, backbone, faults.is_empty())
        else {
            return Err(ConfigError { faults });
        };
        // The reference builds projectors only for `use_projection_layernorm`, whatever `projected_dim` says.
        let projection = record
            .use_projection_layernorm
            .then(|| record.projected_dim.unwrap_or(backbone.hidden_size()));
        Ok(ModelConfig {
            backbone_name: record.backbone_model.unwrap_or_default(),
            layout,
            similarity,
            label_vector: if record.use_lab_token_for_labels {
                LabelVector::LabToken
            } else {
                LabelVector::MeanOfTokens
            },
            projection,
            lab_token_id: record.lab_token_id,
            logit_scale_init: record.logit_scale_init.unwrap_or(2.0),
            learn_temperature: record.learn_temperature.unwrap_or(true),
            dropout: record.dropout_rate.unwrap_or(0.1),
            loss: LossConfig {
                supcon: record.supcon_loss_weight.unwrap_or(1.0),
                repulsion: record.label_repulsion_weight.unwrap_or(0.1),
                repulsion_threshold: record.repulsion_threshold.unwrap_or(0.3),
                bce: record.bce_loss_weight.unwrap_or(1.0),
            },
            text_window: record.text_window,
            backbone,
        })
    }
}

fn layout(record: &Record, faults: &mut Vec<String>) -> Option<Layout> {
    let Some(input_layout) = record.input_layout.as_deref() else {
        if let Some(attention) = &record.label_attention {
            faults.push(format!("`label_attention` is `{attention}` but `input_layout` is missing; add `\"input_layout\": \"lab_prefix\"`"));
            return None;
        }
        return Some(Layout::Reference);
    };
    let prefix = one_of("input_layout", input_layout, &[("lab_prefix", ())], faults);
    let attention = one_of(
        "label_attention",
        record.label_attention.as_deref().unwrap_or("full"),
        &[
            ("full", Layout::PrefixFull),
            ("isolated", Layout::PrefixIsolated),
        ],
        faults,
    );
    prefix.and(attention)
}

/// The value named `given`, or a fault that lists the names there are.
fn one_of<T: Copy>(
    key: &str,
    given: &str,
    known: &[(&str, T)],
    faults: &mut Vec<String>,
) -> Option<T> {
    let found = known.iter().find(|(name, _)| *name == given);
    if found.is_none() {
        let names: Vec<String> = known.iter().map(|(name, _)| format!("`{name}`")).collect();
        faults.push(format!(
            "`{key}` is `{given}`; known are {}",
            names.join(", ")
        ));
    }
    found.map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A small valid config with these keys added or replaced at its top.
    fn with(more: Value) -> Result<ModelConfig, ConfigError> {
        let mut config = json!({
            "model_type": "gliznet",
            "backbone_config": {
                "model_type": "bert", "vocab_size": 30, "hidden_size": 8, "num_hidden_layers": 1,
                "num_attention_heads": 2, "intermediate_size": 16, "max_position_embeddings": 64,
            },
        });
        for (key, value) in more.as_object().unwrap() {
            config[key] = value.clone();
        }
        ModelConfig::parse(&config.to_string())
    }

    fn faults(more: Value) -> Vec<String> {
        with(more).unwrap_err().faults
    }

    #[test]
    fn the_dialects_are_told_apart_by_input_layout_alone() {
        for (keys, layout) in [
            (json!({}), Layout::Reference),
            (json!({"input_layout": null}), Layout::Reference),
            (json!({"input_layout": "lab_prefix"}), Layout::PrefixFull),
            (
                json!({"input_layout": "lab_prefix", "label_attention": "full"}),
                Layout::PrefixFull,
            ),
            (
                json!({"input_layout": "lab_prefix", "label_attention": "isolated"}),
                Layout::PrefixIsolated,
            ),
        ] {
            let config = with(keys.clone()).unwrap();
            assert_eq!(config.layout, layout, "{keys}");
        }
    }

    #[test]
    fn isolated_attention_without_its_layout_is_a_fault_and_not_ignored() {
        let faults = faults(json!({"label_attention": "isolated"}));
        assert_eq!(faults.len(), 1);
        assert!(
            faults[0].contains("`input_layout` is missing"),
            "{faults:?}"
        );
    }

    #[test]
    fn projectors_exist_only_where_the_reference_builds_them() {
        for (keys, projection, vector) in [
            (json!({}), None, 8),
            (json!({"projected_dim": 4}), None, 8),
            (json!({"use_projection_layernorm": true}), Some(8), 8),
            (
                json!({"use_projection_layernorm": true, "projected_dim": 4}),
                Some(4),
                4,
            ),
            (
                json!({"use_projection_layernorm": true, "projected_dim": null}),
                Some(8),
                8,
            ),
        ] {
            let config = with(keys.clone()).unwrap();
            assert_eq!(config.projection, projection, "{keys}");
            assert_eq!(config.vector_size(), vector, "{keys}");
        }
    }

    #[test]
    fn what_a_config_leaves_out_is_what_the_reference_assumes() {
        let config = with(json!({})).unwrap();
        assert_eq!(config.similarity, Similarity::Cosine);
        assert_eq!(config.label_vector, LabelVector::MeanOfTokens);
        assert_eq!(
            (config.logit_scale_init, config.learn_temperature),
            (2.0, true)
        );
        assert_eq!((config.lab_token_id, config.text_window), (None, None));
        let loss = LossConfig {
            supcon: 1.0,
            repulsion: 0.1,
            repulsion_threshold: 0.3,
            bce: 1.0,
        };
        assert_eq!(config.loss, loss);
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let faults = faults(json!({
            "input_layout": "suffix", "label_attention": "sparse", "similarity_metric": "euclid",
            "projected_dim": 0, "text_window": 0, "backbone_config": {"model_type": "gpt2"},
        }));
        for part in [
            "`input_layout` is `suffix`; known are `lab_prefix`",
            "`label_attention` is `sparse`; known are `full`, `isolated`",
            "`similarity_metric` is `euclid`; known are `cosine`, `dot`, `bilinear`",
            "`backbone_config.model_type` is `gpt2`",
            "`projected_dim` is 0",
            "`text_window` is 0",
        ] {
            assert!(
                faults.iter().any(|fault| fault.starts_with(part)),
                "{part} is not in {faults:?}"
            );
        }
        assert_eq!(faults.len(), 6, "{faults:?}");
    }

    #[test]
    fn the_config_of_another_model_is_named_and_not_picked_apart() {
        let faults = faults(json!({"model_type": "bert", "similarity_metric": "euclid"}));
        assert_eq!(faults.len(), 1);
        assert!(faults[0].contains("`bert`, not `gliznet`"), "{faults:?}");
        let none = ModelConfig::parse("{}").unwrap_err().to_string();
        assert!(none.contains("`model_type` is missing"), "{none}");
    }

    #[test]
    fn what_is_not_a_config_is_refused_with_its_place() {
        for text in [
            "",
            "[]",
            "{\"model_type\": ",
            "\u{0}",
            "{\"model_type\": 3}",
        ] {
            let error = ModelConfig::parse(text).unwrap_err().to_string();
            assert!(error.contains("line 1 column"), "{text:?}: {error}");
        }
        let keyed = with(json!({"projected_dim": "24"}))
            .unwrap_err()
            .to_string();
        assert!(
            keyed.contains("`projected_dim`: \"24\" is not a whole number"),
            "{keyed}"
        );
    }
}
