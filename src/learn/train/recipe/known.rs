//! The keys of a recipe with what each takes, and what other trainers call them: tables only.
//!
//! `train/recipes/README.md` says what each key means; a change here is a change there.

use Kind::{Flag, Number, OneOf, Paths, Table, Tables, Text, Whole};

/// What may stand under a key.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Whole,
    Number,
    Text,
    Flag,
    Paths,
    OneOf(&'static [&'static str]),
    Table,
    Tables,
}

/// A key with what it takes.
pub(super) type Key = (&'static str, Kind);

/// Tables and their keys; the first are those outside of any table.
pub(super) const KEYS: [(&str, &[Key]); 12] = [
    (
        "",
        &[
            ("seed", Whole),
            ("init", Text),
            ("precision", OneOf(&["f32", "bf16", "f16"])),
            ("data", Tables),
            ("text", Table),
            ("labels", Table),
            ("model", Table),
            ("freeze", Table),
            ("loss", Table),
            ("optimizer", Table),
            ("schedule", Table),
            ("batch", Table),
            ("evaluation", Table),
            ("checkpoint", Table),
        ],
    ),
    (
        "data",
        &[
            ("files", Paths),
            ("exclude", Paths),
            (
                "format",
                OneOf(&["auto", "jsonl", "gliclass", "parquet", "corrections"]),
            ),
            ("weight", Number),
            ("cap", Whole),
        ],
    ),
    (
        "text",
        &[
            ("tokens", Whole),
            ("long_tokens", Whole),
            ("long_share", Number),
            ("random_window", Number),
            ("label_tokens", Whole),
        ],
    ),
    (
        "labels",
        &[
            ("min", Whole),
            ("max", Whole),
            ("max_true", Whole),
            ("hard", Number),
            ("foreign", Number),
            ("none_apply", Number),
            ("assumed", OneOf(&["wrong", "unknown"])),
            ("smoothing", Number),
            ("shuffle", Flag),
            ("case", Number),
            ("separator", Number),
        ],
    ),
    (
        "model",
        &[
            ("label_attention", OneOf(&["keep", "full", "isolated"])),
            ("hidden_dropout", Number),
            ("head_dropout", Number),
        ],
    ),
    ("freeze", &[("embeddings", Flag), ("layers", Whole)]),
    (
        "loss",
        &[
            ("supcon", Number),
            ("supcon_temperature", Number),
            ("repulsion", Number),
            ("repulsion_threshold", Number),
            ("bce", Number),
            ("bce_bias", Number),
            ("embedding", Number),
            ("label_embedding", Number),
        ],
    ),
    (
        "optimizer",
        &[
            ("learning_rate", Number),
            ("beta1", Number),
            ("beta2", Number),
            ("epsilon", Number),
            ("weight_decay", Number),
            ("clip", Number),
            ("groups", Tables),
        ],
    ),
    (
        "schedule",
        &[
            ("steps", Whole),
            ("warmup", Whole),
            ("decay", OneOf(&["cosine", "linear", "constant"])),
            ("final", Number),
        ],
    ),
    (
        "batch",
        &[("rows", Whole), ("accumulation", Whole), ("pool", Whole)],
    ),
    (
        "evaluation",
        &[
            ("every", Whole),
            ("holdout", Number),
            ("files", Paths),
            ("rows", Whole),
            ("metric", OneOf(&["lrap", "f1", "loss"])),
            ("patience", Whole),
        ],
    ),
    ("checkpoint", &[("every", Whole), ("keep", Whole)]),
];

/// The keys of one of the optimizer's groups.
pub(super) const GROUP: &[Key] = &[
    ("prefix", Text),
    ("learning_rate", Number),
    ("weight_decay", Number),
];

/// What other trainers call it, in lower case and with `_`, and its name here.
pub(super) const ALIASES: [(&[&str], &str); 25] = [
    (&["random_seed", "random_state", "manual_seed"], "seed"),
    (
        &[
            "model_name",
            "model_name_or_path",
            "pretrained",
            "checkpoint_path",
        ],
        "init",
    ),
    (&["fp16", "bf16", "dtype", "amp"], "precision"),
    (
        &["train_file", "train_files", "dataset", "path", "paths"],
        "data.files",
    ),
    (
        &["max_length", "max_len", "max_seq_length", "max_tokens"],
        "text.tokens",
    ),
    (&["max_labels", "max_num_classes"], "labels.max"),
    (&["label_smoothing"], "labels.smoothing"),
    (&["dropout", "dropout_rate"], "model.hidden_dropout"),
    (&["temperature", "tau"], "loss.supcon_temperature"),
    (
        &["lr", "max_lr", "base_lr", "encoder_lr"],
        "optimizer.learning_rate",
    ),
    (&["adam_beta1", "betas"], "optimizer.beta1"),
    (&["adam_beta2"], "optimizer.beta2"),
    (&["eps", "adam_epsilon"], "optimizer.epsilon"),
    (&["wd"], "optimizer.weight_decay"),
    (
        &[
            "max_grad_norm",
            "grad_clip",
            "clip_grad_norm",
            "gradient_clipping",
            "clip_norm",
        ],
        "optimizer.clip",
    ),
    (
        &[
            "epoch",
            "epochs",
            "num_epochs",
            "n_epochs",
            "max_epochs",
            "num_train_epochs",
            "max_steps",
            "num_steps",
            "iterations",
        ],
        "schedule.steps",
    ),
    (
        &["warmup_steps", "num_warmup_steps", "warmup_ratio"],
        "schedule.warmup",
    ),
    (
        &["lr_scheduler", "lr_scheduler_type", "scheduler"],
        "schedule.decay",
    ),
    (
        &[
            "batch_size",
            "train_batch_size",
            "per_device_train_batch_size",
            "bs",
        ],
        "batch.rows",
    ),
    (
        &[
            "gradient_accumulation_steps",
            "gradient_accumulation",
            "grad_accum",
            "accumulate_grad_batches",
        ],
        "batch.accumulation",
    ),
    (
        &["eval_steps", "eval_every", "eval_interval"],
        "evaluation.every",
    ),
    (
        &["validation_split", "val_split", "test_size"],
        "evaluation.holdout",
    ),
    (
        &["early_stopping", "early_stopping_patience"],
        "evaluation.patience",
    ),
    (
        &["save_steps", "save_every", "save_interval"],
        "checkpoint.every",
    ),
    (&["save_total_limit"], "checkpoint.keep"),
];
