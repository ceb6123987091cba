//! The `backbone_config` of ModernBERT: which layers slide, and how far they rotate.
//!
//! Defaults are those of the transformers configuration class, for each key that is not there.

use serde::Deserialize;
use serde_json::Value;

use crate::model::config::backbone::{Activation, ModernBertConfig, RotaryAttention};

#[derive(Deserialize)]
pub(super) struct ModernBertRecord {
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    hidden_activation: Option<Activation>,
    max_position_embeddings: Option<usize>,
    norm_eps: Option<f64>,
    #[serde(default)]
    norm_bias: bool,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
    local_attention: Option<u32>,
    global_attn_every_n_layers: Option<usize>,
    global_rope_theta: Option<f64>,
    /// A key that is not there is the class's default; null is the base of the full layers.
    #[serde(default = "local_theta")]
    local_rope_theta: Option<f64>,
    rope_parameters: Option<RopeParameters>,
    #[serde(default)]
    rope_scaling: Value,
    layer_types: Option<Vec<LayerType>>,
    pad_token_id: Option<u32>,
}

#[derive(Deserialize)]
struct RopeParameters {
    full_attention: Option<RopeRecord>,
    sliding_attention: Option<RopeRecord>,
}

#[derive(Deserialize)]
struct RopeRecord {
    rope_theta: Option<f64>,
    #[serde(alias = "type")]
    rope_type: Option<String>,
}

const GLOBAL_THETA: f64 = 160_000.0;
const LOCAL_THETA: f64 = 10_000.0;

fn local_theta() -> Option<f64> {
    Some(LOCAL_THETA)
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum LayerType {
    FullAttention,
    SlidingAttention,
}

impl ModernBertRecord {
    pub(super) fn build(self, faults: &mut Vec<String>) -> Option<ModernBertConfig> {
        let before = faults.len();
        let (global, local) = self.thetas(faults);
        let types = self.layer_types();
        if types.len() != self.num_hidden_layers {
            faults.push(format!(
                "`backbone_config.layer_types` names {} layers, `num_hidden_layers` says {}",
                types.len(),
                self.num_hidden_layers
            ));
        }
        let layers = types
            .iter()
            .map(|kind| match kind {
                LayerType::FullAttention => RotaryAttention {
                    theta: global,
                    sliding: false,
                },
                LayerType::SlidingAttention => RotaryAttention {
                    theta: local,
                    sliding: true,
                },
            })
            .collect();
        (faults.len() == before).then_some(ModernBertConfig {
            vocab_size: self.vocab_size,
            hidden_size: self.hidden_size,
            heads: self.num_attention_heads,
            intermediate_size: self.intermediate_size,
            activation: self.hidden_activation.unwrap_or(Activation::Gelu),
            max_positions: self.max_position_embeddings.unwrap_or(8192),
            norm_eps: self.norm_eps.unwrap_or(1e-5),
            norm_bias: self.norm_bias,
            attention_bias: self.attention_bias,
            mlp_bias: self.mlp_bias,
            window: self.local_attention.unwrap_or(128) / 2,
            layers,
            pad_token_id: self.pad_token_id.unwrap_or(50_283),
        })
    }

    /// Rotary bases of full and sliding layers: transformers 5 writes `rope_parameters`, 4 two thetas.
    fn thetas(&self, faults: &mut Vec<String>) -> (f64, f64) {
        if !self.rope_scaling.is_null() {
            faults.push(
                "`backbone_config.rope_scaling` is set; only rotations that are not scaled are known: \
                 use a checkpoint without it"
                    .into(),
            );
        }
        let global = self.global_rope_theta.unwrap_or(GLOBAL_THETA);
        let local = self.local_rope_theta.unwrap_or(global);
        let Some(rope) = &self.rope_parameters else {
            return (global, local);
        };
        let mut of = |name: &str, record: &Option<RopeRecord>, otherwise: f64| {
            let Some(record) = record else {
                return otherwise;
            };
            if let Some(kind) = record
                .rope_type
                .as_deref()
                .filter(|kind| *kind != "default")
            {
                faults.push(format!(
                    "`backbone_config.rope_parameters.{name}.rope_type` is `{kind}`; only `default` \
                     is known: use a checkpoint with it"
                ));
            }
            record.rope_theta.unwrap_or(otherwise)
        };
        (
            of("full_attention", &rope.full_attention, global),
            of("sliding_attention", &rope.sliding_attention, local),
        )
    }

    /// Which layers slide: transformers 5 lists them, 4 writes the period of the full ones.
    fn layer_types(&self) -> Vec<LayerType> {
        let period = self.global_attn_every_n_layers.unwrap_or(3).max(1);
        self.layer_types.clone().unwrap_or_else(|| {
            (0..self.num_hidden_layers)
                .map(|i| {
                    if i.is_multiple_of(period) {
                        LayerType::FullAttention
                    } else {
                        LayerType::SlidingAttention
                    }
                })
                .collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::read_backbone;
    use super::*;
    use crate::model::config::BackboneConfig;
    use serde_json::json;

    /// Four layers, the first and the last full, with these keys; or what is wrong with them.
    fn thetas(keys: Value) -> Result<[f64; 2], Vec<String>> {
        let mut config = json!({
            "model_type": "modernbert", "vocab_size": 30, "hidden_size": 8, "num_hidden_layers": 4,
            "num_attention_heads": 2, "intermediate_size": 12,
        });
        for (key, value) in keys.as_object().unwrap() {
            config[key] = value.clone();
        }
        let mut faults = Vec::new();
        match read_backbone(&config, &mut faults) {
            Some(BackboneConfig::ModernBert(config)) => {
                Ok([config.layers[0].theta, config.layers[1].theta])
            }
            _ => Err(faults),
        }
    }

    #[test]
    fn a_base_that_is_not_written_is_the_class_s_own() {
        for (keys, want) in [
            (json!({}), [160_000.0, 10_000.0]),
            (json!({"global_rope_theta": 5e4}), [5e4, 10_000.0]),
            (json!({"local_rope_theta": 3e3}), [160_000.0, 3e3]),
            // transformers 4: sliding layers rotate as the full ones do.
            (
                json!({"global_rope_theta": 5e4, "local_rope_theta": null}),
                [5e4, 5e4],
            ),
            (
                json!({"rope_parameters": {"full_attention": {"rope_theta": 7.0}}}),
                [7.0, 10_000.0],
            ),
            (
                json!({"rope_parameters": {"sliding_attention": {"rope_type": "default"}}}),
                [160_000.0, 10_000.0],
            ),
        ] {
            assert_eq!(thetas(keys.clone()), Ok(want), "{keys}");
        }
    }

    #[test]
    fn a_rotation_that_is_scaled_is_refused_by_its_key() {
        for (keys, key) in [
            (
                json!({"rope_scaling": {"type": "linear", "factor": 2.0}}),
                "rope_scaling",
            ),
            (
                json!({"rope_parameters": {"full_attention": {"type": "yarn", "rope_theta": 1e4}}}),
                "rope_parameters.full_attention.rope_type",
            ),
        ] {
            let faults = thetas(keys).unwrap_err();
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert!(
                faults[0].contains(key) && faults[0].contains("use a checkpoint"),
                "{faults:?}"
            );
        }
    }
}
