//! Sizes in `backbone_config` that no encoder can have.
//!
//! Invariant: what is too large is a fault before anything is made of that size. Every fault is
//! collected, with its key and number.

use serde_json::Value;

use super::backbone::BackboneConfig;

/// The most that a size may be, by its key: far above every published encoder, and far below what
/// could not be allocated.
const LARGEST: [(&str, u64); 15] = [
    ("vocab_size", 1 << 24),
    ("type_vocab_size", 1 << 20),
    ("hidden_size", 1 << 16),
    ("dim", 1 << 16),
    ("embedding_size", 1 << 16),
    ("intermediate_size", 1 << 20),
    ("hidden_dim", 1 << 20),
    ("num_hidden_layers", 1 << 10),
    ("n_layers", 1 << 10),
    ("num_attention_heads", 1 << 16),
    ("n_heads", 1 << 16),
    ("max_position_embeddings", 1 << 20),
    ("max_relative_positions", 1 << 20),
    ("position_buckets", 1 << 20),
    ("local_attention", 1 << 20),
];

/// Sizes that are absurd, before anything is made of that size.
pub(super) fn check_written(value: &Value, faults: &mut Vec<String>) {
    for (key, largest) in LARGEST {
        if let Some(size) = value.get(key).and_then(Value::as_u64)
            && size > largest
        {
            faults.push(format!(
                "`backbone_config.{key}` is {size}; no encoder has more than {largest}"
            ));
        }
    }
}

/// Sizes that do not go together, or leave nothing to work with.
pub(super) fn check(config: &BackboneConfig, faults: &mut Vec<String>) {
    let (hidden, heads) = (config.hidden_size(), config.heads());
    if heads == 0 || hidden == 0 || !hidden.is_multiple_of(heads) {
        faults.push(format!(
            "`backbone_config`: hidden size {hidden} cannot be split over {heads} heads"
        ));
    } else if matches!(config, BackboneConfig::ModernBert(_)) && !(hidden / heads).is_multiple_of(2)
    {
        faults.push(format!(
            "`backbone_config`: heads of {} dimensions cannot be rotated; the number must be even",
            hidden / heads
        ));
    }
    for (name, value) in [
        ("vocab_size", config.vocab_size()),
        ("num_hidden_layers", config.layers()),
        ("max_position_embeddings", config.max_tokens()),
        ("intermediate_size", config.intermediate_size()),
    ] {
        if value == 0 {
            faults.push(format!(
                "`backbone_config.{name}` leaves nothing to work with"
            ));
        }
    }
}
