//! The names that a recipe may use, and which of a recipe's names are none of them.

/// Tables and their keys; the first are those outside of any table.
const KEYS: [(&str, &[&str]); 12] = [
    (
        "",
        &[
            "seed",
            "init",
            "precision",
            "data",
            "text",
            "labels",
            "model",
            "freeze",
            "loss",
            "optimizer",
            "schedule",
            "batch",
            "evaluation",
            "checkpoint",
        ],
    ),
    ("data", &["files", "exclude", "format", "weight", "cap"]),
    (
        "text",
        &[
            "tokens",
            "long_tokens",
            "long_share",
            "random_window",
            "label_tokens",
        ],
    ),
    (
        "labels",
        &[
            "min",
            "max",
            "max_true",
            "hard",
            "foreign",
            "none_apply",
            "assumed",
            "smoothing",
            "shuffle",
            "case",
            "separator",
        ],
    ),
    (
        "model",
        &["label_attention", "hidden_dropout", "head_dropout"],
    ),
    ("freeze", &["embeddings", "layers"]),
    (
        "loss",
        &[
            "supcon",
            "supcon_temperature",
            "repulsion",
            "repulsion_threshold",
            "bce",
            "bce_bias",
            "embedding",
            "label_embedding",
        ],
    ),
    (
        "optimizer",
        &[
            "learning_rate",
            "beta1",
            "beta2",
            "epsilon",
            "weight_decay",
            "clip",
            "groups",
        ],
    ),
    ("schedule", &["steps", "warmup", "decay", "final"]),
    ("batch", &["rows", "accumulation", "pool"]),
    (
        "evaluation",
        &["every", "holdout", "files", "rows", "metric", "patience"],
    ),
    ("checkpoint", &["every", "keep"]),
];
const GROUP: &[&str] = &["prefix", "learning_rate", "weight_decay"];

/// A sentence for every key that is not known.
pub(super) fn unknown(recipe: &toml::Table) -> Vec<String> {
    let mut faults = Vec::new();
    let known = |table: &str| {
        KEYS.iter()
            .find(|(name, _)| *name == table)
            .map(|(_, keys)| *keys)
    };
    check("", recipe, KEYS[0].1, &mut faults);
    for (name, value) in recipe {
        let Some(keys) = known(name) else { continue };
        for table in tables(value) {
            check(name, table, keys, &mut faults);
            for group in table.get("groups").into_iter().flat_map(tables) {
                check("optimizer.groups", group, GROUP, &mut faults);
            }
        }
    }
    faults
}

fn tables(value: &toml::Value) -> Vec<&toml::Table> {
    match value {
        toml::Value::Table(table) => vec![table],
        toml::Value::Array(values) => values.iter().filter_map(|value| value.as_table()).collect(),
        _ => Vec::new(),
    }
}

fn check(place: &str, table: &toml::Table, keys: &[&str], faults: &mut Vec<String>) {
    for key in table.keys().filter(|key| !keys.contains(&key.as_str())) {
        let full = if place.is_empty() {
            key.clone()
        } else {
            format!("{place}.{key}")
        };
        let distance = |known: &&&str| strsim::damerau_levenshtein(known, key);
        let nearest = keys
            .iter()
            .min_by_key(distance)
            .copied()
            .unwrap_or_default();
        faults.push(format!(
            "`{full}` is not a key of a recipe; the closest is `{nearest}`"
        ));
    }
}
