//! `backbone_config` as transformers 4 and 5 write it, read into a `BackboneConfig`.
//!
//! Defaults are those of the transformers configuration classes. Every fault is collected.
//!
//! Length: records with one purpose, and the spellings that each must read.

mod modernbert;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::modernbert::ModernBertRecord;
use super::backbone::{
    Activation, BackboneConfig, BertConfig, BertFamily, DebertaConfig, RelativeAttention,
};
use super::sizes;
use crate::config::json_fact;

/// Reads `backbone_config`; faults are added to `faults` and give `None`.
pub(super) fn read_backbone(value: &Value, faults: &mut Vec<String>) -> Option<BackboneConfig> {
    let before = faults.len();
    sizes::check_written(value, faults);
    check_choices(value, faults);
    if faults.len() > before {
        return None;
    }
    let config = match value.get("model_type").and_then(Value::as_str) {
        Some("bert") => read::<BertRecord>(value, faults)?.build(BertFamily::Bert),
        Some("roberta" | "xlm-roberta" | "camembert") => {
            read::<BertRecord>(value, faults)?.build(BertFamily::Roberta)
        }
        Some("distilbert") => read::<DistilBertRecord>(value, faults)?.build(),
        Some("modernbert") => {
            BackboneConfig::ModernBert(read::<ModernBertRecord>(value, faults)?.build(faults)?)
        }
        Some("deberta-v2") => {
            BackboneConfig::Deberta(read::<DebertaRecord>(value, faults)?.build(faults)?)
        }
        Some(other) => {
            faults.push(format!(
                "`backbone_config.model_type` is `{other}`; known are `bert`, `roberta`, \
                 `xlm-roberta`, `camembert`, `distilbert`, `modernbert`, `deberta-v2`"
            ));
            return None;
        }
        None => {
            faults.push(
                "`backbone_config.model_type` is missing: the config does not say which encoder it has".into(),
            );
            return None;
        }
    };
    sizes::check(&config, faults);
    (faults.len() == before).then_some(config)
}

/// What transformers computes otherwise than any encoder here, by the key that says so.
fn check_choices(value: &Value, faults: &mut Vec<String>) {
    let key = match value.get("model_type").and_then(Value::as_str) {
        Some("distilbert") => "activation",
        Some("modernbert") => "hidden_activation",
        _ => "hidden_act",
    };
    if let Some(name) = value.get(key).and_then(Value::as_str)
        && let Err(error) = Activation::deserialize(&Value::from(name))
    {
        faults.push(format!(
            "`backbone_config.{key}`: {}; use a checkpoint with one of these",
            json_fact(&error)
        ));
    }
    if value.get("is_decoder").and_then(Value::as_bool) == Some(true) {
        faults.push(
            "`backbone_config.is_decoder` is true: each token sees only those before it, which no \
             encoder here computes; use a checkpoint in which it is false"
                .into(),
        );
    }
}

fn read<T: DeserializeOwned>(value: &Value, faults: &mut Vec<String>) -> Option<T> {
    let error = match T::deserialize(value) {
        Ok(record) => return Some(record),
        Err(error) => error,
    };
    let fact = json_fact(&error);
    faults.push(match culprit::<T>(value) {
        Some(key) => format!("`backbone_config.{key}`: {fact}; give it such a value"),
        None => format!("`backbone_config`: {fact}; give the checkpoint its own config.json"),
    });
    None
}

/// The key whose value keeps `value` from being read: without it there is another fault, or none.
pub(super) fn culprit<T: DeserializeOwned>(value: &Value) -> Option<String> {
    let fault = |value: &Value| T::deserialize(value).err().map(|error| error.to_string());
    let found = fault(value)?;
    // What is missing is named already, and without another key that one would be missing.
    if found.starts_with("missing field") {
        return None;
    }
    let object = value.as_object()?;
    let is_it = |key: &&String| {
        let mut others = object.clone();
        others.remove(*key);
        fault(&Value::Object(others)).as_ref() != Some(&found)
    };
    object.keys().find(is_it).cloned()
}

#[derive(Deserialize)]
struct BertRecord {
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    hidden_act: Option<Activation>,
    max_position_embeddings: usize,
    type_vocab_size: Option<usize>,
    layer_norm_eps: Option<f64>,
    pad_token_id: Option<u32>,
}

impl BertRecord {
    fn build(self, family: BertFamily) -> BackboneConfig {
        let default_pad = if family == BertFamily::Roberta { 1 } else { 0 };
        BackboneConfig::Bert(BertConfig {
            family,
            vocab_size: self.vocab_size,
            hidden_size: self.hidden_size,
            layers: self.num_hidden_layers,
            heads: self.num_attention_heads,
            intermediate_size: self.intermediate_size,
            activation: self.hidden_act.unwrap_or(Activation::Gelu),
            max_positions: self.max_position_embeddings,
            type_vocab_size: self.type_vocab_size.unwrap_or(2),
            norm_eps: self.layer_norm_eps.unwrap_or(1e-12),
            pad_token_id: self.pad_token_id.unwrap_or(default_pad),
        })
    }
}

#[derive(Deserialize)]
struct DistilBertRecord {
    vocab_size: usize,
    dim: usize,
    n_layers: usize,
    n_heads: usize,
    hidden_dim: usize,
    activation: Option<Activation>,
    max_position_embeddings: usize,
    pad_token_id: Option<u32>,
}

impl DistilBertRecord {
    fn build(self) -> BackboneConfig {
        BackboneConfig::Bert(BertConfig {
            family: BertFamily::DistilBert,
            vocab_size: self.vocab_size,
            hidden_size: self.dim,
            layers: self.n_layers,
            heads: self.n_heads,
            intermediate_size: self.hidden_dim,
            activation: self.activation.unwrap_or(Activation::Gelu),
            max_positions: self.max_position_embeddings,
            type_vocab_size: 0,
            norm_eps: 1e-12, // Fixed in the transformers class.
            pad_token_id: self.pad_token_id.unwrap_or(0),
        })
    }
}

#[derive(Deserialize)]
struct DebertaRecord {
    vocab_size: usize,
    embedding_size: Option<usize>,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    hidden_act: Option<Activation>,
    max_position_embeddings: usize,
    position_biased_input: Option<bool>,
    type_vocab_size: Option<usize>,
    layer_norm_eps: Option<f64>,
    #[serde(default)]
    relative_attention: bool,
    max_relative_positions: Option<i64>,
    position_buckets: Option<i64>,
    #[serde(default)]
    pos_att_type: Value,
    #[serde(default)]
    share_att_key: bool,
    norm_rel_ebd: Option<String>,
    conv_kernel_size: Option<usize>,
    pad_token_id: Option<u32>,
}

impl DebertaRecord {
    fn build(self, faults: &mut Vec<String>) -> Option<DebertaConfig> {
        if let Some(size) = self.conv_kernel_size.filter(|size| *size > 0) {
            faults.push(format!(
                "`backbone_config.conv_kernel_size` is {size}: DeBERTa with a convolution (v2 xlarge) \
                 is not supported; use a v3 model"
            ));
            return None;
        }
        // Both spellings occur: a list of names, or one string with `|` between them.
        let kinds: Vec<String> = match &self.pos_att_type {
            Value::Array(names) => names
                .iter()
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect(),
            Value::String(names) => listed(names),
            _ => Vec::new(),
        };
        let has = |kind: &str| kinds.iter().any(|name| name == kind);
        let (c2p, p2c) = (has("c2p"), has("p2c"));
        let at_least_one = |value: Option<i64>| {
            value
                .and_then(|n| usize::try_from(n).ok())
                .filter(|n| *n >= 1)
        };
        let relative = self.relative_attention.then(|| RelativeAttention {
            max_distance: at_least_one(self.max_relative_positions)
                .unwrap_or(self.max_position_embeddings),
            buckets: at_least_one(self.position_buckets).unwrap_or(0),
            c2p,
            p2c,
            share_att_key: self.share_att_key,
            norm: self
                .norm_rel_ebd
                .as_deref()
                .is_some_and(|names| listed(names).iter().any(|name| name == "layer_norm")),
        });
        Some(DebertaConfig {
            vocab_size: self.vocab_size,
            embedding_size: self.embedding_size.unwrap_or(self.hidden_size),
            hidden_size: self.hidden_size,
            layers: self.num_hidden_layers,
            heads: self.num_attention_heads,
            intermediate_size: self.intermediate_size,
            activation: self.hidden_act.unwrap_or(Activation::Gelu),
            max_positions: self.max_position_embeddings,
            position_biased_input: self.position_biased_input.unwrap_or(true),
            type_vocab_size: self.type_vocab_size.unwrap_or(0),
            norm_eps: self.layer_norm_eps.unwrap_or(1e-7),
            score_terms: 1 + usize::from(c2p) + usize::from(p2c),
            relative,
            pad_token_id: self.pad_token_id.unwrap_or(0),
        })
    }
}

/// The names in a string with `|` between them, as transformers reads it.
fn listed(names: &str) -> Vec<String> {
    let names = names.split('|').map(|name| name.trim().to_lowercase());
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read_one(value: Value) -> Result<BackboneConfig, Vec<String>> {
        let mut faults = Vec::new();
        let config = read_backbone(&value, &mut faults);
        assert_eq!(config.is_some(), faults.is_empty(), "{faults:?}");
        config.ok_or(faults)
    }

    fn bert(model_type: &str) -> Value {
        json!({
            "model_type": model_type, "vocab_size": 30, "hidden_size": 8, "num_hidden_layers": 2,
            "num_attention_heads": 2, "intermediate_size": 16, "max_position_embeddings": 64,
        })
    }

    fn modernbert() -> Value {
        json!({
            "model_type": "modernbert", "vocab_size": 30, "hidden_size": 8, "num_hidden_layers": 4,
            "num_attention_heads": 2, "intermediate_size": 12,
        })
    }

    /// The value with these keys added or replaced; null takes a key away.
    fn with(mut value: Value, more: Value) -> Value {
        let object = value.as_object_mut().unwrap();
        for (key, value) in more.as_object().unwrap() {
            if value.is_null() {
                object.remove(key);
            } else {
                object.insert(key.clone(), value.clone());
            }
        }
        value
    }

    #[test]
    fn transformers_4_and_5_say_the_same_of_modernbert() {
        let four = with(
            modernbert(),
            json!({
                "global_attn_every_n_layers": 3, "global_rope_theta": 160_000.0,
                "local_rope_theta": 10_000.0, "torch_dtype": "float32", "reference_compile": null,
            }),
        );
        let rope = |theta: f64| json!({"rope_theta": theta, "rope_type": "default"});
        let kinds = [
            "full_attention",
            "sliding_attention",
            "sliding_attention",
            "full_attention",
        ];
        let five = with(
            modernbert(),
            json!({
                "rope_parameters": {
                    "full_attention": rope(160_000.0), "sliding_attention": rope(10_000.0),
                },
                "layer_types": kinds, "dtype": "float32",
            }),
        );
        let four = read_one(four).unwrap();
        assert_eq!(Ok(&four), read_one(five).as_ref());
        let BackboneConfig::ModernBert(config) = four else {
            panic!("not ModernBERT");
        };
        let slides: Vec<bool> = config.layers.iter().map(|layer| layer.sliding).collect();
        let thetas: Vec<f64> = config.layers.iter().map(|layer| layer.theta).collect();
        assert_eq!(slides, [false, true, true, false]);
        assert_eq!(thetas, [160_000.0, 10_000.0, 10_000.0, 160_000.0]);
    }

    #[test]
    fn modernbert_defaults_are_those_of_its_configuration_class() {
        let BackboneConfig::ModernBert(config) = read_one(modernbert()).unwrap() else {
            panic!("not ModernBERT");
        };
        assert_eq!((config.max_positions, config.window), (8192, 64));
        assert_eq!((config.norm_eps, config.pad_token_id), (1e-5, 50_283));
        assert!(!config.norm_bias && !config.attention_bias && !config.mlp_bias);
    }

    #[test]
    fn layers_and_rotations_that_are_unknown_are_faults() {
        let rope = |kind: &str| {
            json!({
                "full_attention": {"rope_theta": 1e4, "rope_type": kind},
                "sliding_attention": {"rope_theta": 1e4},
            })
        };
        let faults = read_one(with(
            modernbert(),
            json!({"rope_parameters": rope("yarn"), "layer_types": ["full_attention"]}),
        ))
        .unwrap_err();
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(
            faults[0].contains("`yarn`; only `default` is known"),
            "{faults:?}"
        );
        assert!(
            faults[1].contains("names 1 layers, `num_hidden_layers` says 4"),
            "{faults:?}"
        );
        assert!(read_one(with(modernbert(), json!({"layer_types": ["strange"]}))).is_err());
    }

    #[test]
    fn roberta_counts_positions_after_its_padding() {
        for name in ["roberta", "xlm-roberta", "camembert"] {
            let config = read_one(bert(name)).unwrap();
            assert_eq!(
                (config.pad_token_id(), config.max_tokens()),
                (1, 62),
                "{name}"
            );
            assert_eq!(config.name(), "roberta");
        }
        let config = read_one(bert("bert")).unwrap();
        assert_eq!((config.pad_token_id(), config.max_tokens()), (0, 64));
    }

    #[test]
    fn distilbert_has_its_own_names_for_the_same_sizes() {
        let config = read_one(json!({
            "model_type": "distilbert", "vocab_size": 30, "dim": 8, "n_layers": 2, "n_heads": 2,
            "hidden_dim": 16, "max_position_embeddings": 64, "activation": "relu",
        }))
        .unwrap();
        let BackboneConfig::Bert(config) = config else {
            panic!("not of the BERT kind");
        };
        assert_eq!(config.family, BertFamily::DistilBert);
        assert_eq!(
            (config.hidden_size, config.layers, config.type_vocab_size),
            (8, 2, 0)
        );
        assert_eq!(
            (config.activation, config.norm_eps),
            (Activation::Relu, 1e-12)
        );
    }

    #[test]
    fn deberta_relations_are_read_in_every_spelling() {
        let deberta = |more| {
            let relative = json!({"relative_attention": true, "norm_rel_ebd": "layer_norm|none"});
            let config = read_one(with(with(bert("deberta-v2"), relative), more)).unwrap();
            let BackboneConfig::Deberta(config) = config else {
                panic!("not DeBERTa");
            };
            config.relative
        };
        let listed = deberta(json!({"pos_att_type": ["p2c", "c2p"], "position_buckets": 8}));
        let piped = deberta(json!({"pos_att_type": "c2p | p2c", "position_buckets": 8}));
        assert_eq!(listed, piped);
        let relative = listed.unwrap();
        assert!(relative.c2p && relative.p2c && relative.norm);
        assert_eq!((relative.buckets, relative.max_distance), (8, 64));
        // -1 means: as many as there are positions, and no buckets.
        let unset = json!({"max_relative_positions": -1, "position_buckets": -1});
        let unset = deberta(unset).unwrap();
        assert_eq!((unset.buckets, unset.max_distance), (0, 64));
        assert!(!unset.c2p && !unset.p2c);
        assert_eq!(deberta(json!({"relative_attention": false})), None);
    }

    #[test]
    fn scores_are_scaled_by_the_kinds_that_are_named_even_where_none_is_computed() {
        for (kinds, terms) in [
            (json!(["p2c", "c2p"]), 3),
            (json!("C2P|p2p"), 2),
            (json!([]), 1),
            (Value::Null, 1),
        ] {
            for relative in [true, false] {
                let keys = json!({"relative_attention": relative, "pos_att_type": kinds});
                let Ok(BackboneConfig::Deberta(config)) = read_one(with(bert("deberta-v2"), keys))
                else {
                    panic!("not DeBERTa");
                };
                assert_eq!(config.score_terms, terms, "{kinds}, {relative}");
            }
        }
    }

    #[test]
    fn what_no_encoder_computes_is_refused_by_its_key() {
        for (value, part) in [
            (
                with(bert("bert"), json!({"is_decoder": true})),
                "`backbone_config.is_decoder` is true",
            ),
            (
                with(bert("deberta-v2"), json!({"hidden_act": "mish"})),
                "`backbone_config.hidden_act`: `mish` is none of `",
            ),
            (
                with(modernbert(), json!({"hidden_activation": "quick_gelu"})),
                "`backbone_config.hidden_activation`: `quick_gelu` is none of `",
            ),
        ] {
            let faults = read_one(value).unwrap_err();
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert!(
                faults[0].contains(part) && faults[0].contains("use a checkpoint"),
                "{part}: {faults:?}"
            );
        }
        assert!(read_one(with(bert("bert"), json!({"is_decoder": false}))).is_ok());
    }

    #[test]
    fn sizes_that_do_not_fit_together_are_faults_with_their_numbers() {
        for (value, part) in [
            (
                with(bert("bert"), json!({"num_attention_heads": 3})),
                "hidden size 8 cannot be split over 3 heads",
            ),
            (
                with(bert("bert"), json!({"num_attention_heads": 0})),
                "over 0 heads",
            ),
            (
                with(modernbert(), json!({"num_attention_heads": 8})),
                "heads of 1 dimensions cannot be rotated",
            ),
            (
                with(bert("bert"), json!({"vocab_size": 0})),
                "`backbone_config.vocab_size` leaves nothing",
            ),
            (
                with(bert("roberta"), json!({"max_position_embeddings": 2})),
                "`backbone_config.max_position_embeddings` leaves nothing",
            ),
            (
                with(bert("bert"), json!({"intermediate_size": 0})),
                "`backbone_config.intermediate_size` leaves nothing",
            ),
            (
                with(
                    modernbert(),
                    json!({"num_hidden_layers": 1_000_000_000_000_000_u64}),
                ),
                "`backbone_config.num_hidden_layers` is 1000000000000000; no encoder has more than 1024",
            ),
            (
                with(
                    bert("bert"),
                    json!({"hidden_size": 1_000_000_000_000_000_u64}),
                ),
                "`backbone_config.hidden_size` is 1000000000000000",
            ),
            (
                with(bert("deberta-v2"), json!({"conv_kernel_size": 3})),
                "use a v3 model",
            ),
        ] {
            let faults = read_one(value).unwrap_err();
            assert!(
                faults.iter().any(|fault| fault.contains(part)),
                "{part}: {faults:?}"
            );
        }
    }

    #[test]
    fn a_key_that_is_missing_or_of_another_kind_is_named() {
        let missing = read_one(with(bert("bert"), json!({"hidden_size": null}))).unwrap_err();
        assert!(missing[0].contains("`hidden_size`"), "{missing:?}");
        let negative = read_one(with(bert("bert"), json!({"vocab_size": -1}))).unwrap_err();
        assert!(negative[0].contains("-1"), "{negative:?}");
        for (value, key) in [
            (with(bert("bert"), json!({"vocab_size": -1})), "vocab_size"),
            (
                with(bert("bert"), json!({"layer_norm_eps": "1e-5"})),
                "layer_norm_eps",
            ),
            (
                with(modernbert(), json!({"layer_types": ["local"]})),
                "layer_types",
            ),
            (
                with(modernbert(), json!({"local_attention": -1})),
                "local_attention",
            ),
            (
                with(
                    modernbert(),
                    json!({"rope_parameters": {"full_attention": 7}}),
                ),
                "rope_parameters",
            ),
        ] {
            let faults = read_one(value).unwrap_err();
            let start = format!("`backbone_config.{key}`: ");
            assert!(faults[0].starts_with(&start), "{key}: {faults:?}");
        }
        let unknown = read_one(with(bert("bert"), json!({"hidden_act": "mish"}))).unwrap_err();
        assert!(unknown[0].contains("`mish`"), "{unknown:?}");
        let other = read_one(json!({"model_type": "gpt2"})).unwrap_err();
        assert!(other[0].contains("`gpt2`; known are `bert`"), "{other:?}");
        let none = read_one(Value::Null).unwrap_err();
        assert!(
            none[0].contains("`backbone_config.model_type` is missing"),
            "{none:?}"
        );
    }
}
