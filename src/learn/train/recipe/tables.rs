//! The tables of a recipe with their defaults: values only.
//!
//! `train/recipes/README.md` says what each key means; a change here is a change there.

use candle_core::DType;
use serde::Deserialize;

use crate::model::config::LossConfig;
use crate::model::loss::LossWeights;

/// What the encoder computes in.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names are those of the number types")]
pub enum Precision {
    #[default]
    F32,
    Bf16,
    F16,
}

impl Precision {
    /// The tensor library's name for it.
    pub fn dtype(self) -> DType {
        match self {
            Precision::F32 => DType::F32,
            Precision::Bf16 => DType::BF16,
            Precision::F16 => DType::F16,
        }
    }
}

/// One path or several.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(untagged)]
pub enum Paths {
    /// One path or glob.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl Default for Paths {
    fn default() -> Paths {
        Paths::Many(Vec::new())
    }
}

impl Paths {
    /// Each of them.
    pub fn all(&self) -> &[String] {
        match self {
            Paths::One(path) => std::slice::from_ref(path),
            Paths::Many(paths) => paths,
        }
    }
}

/// How the rows of a source are written.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names are those of the formats")]
pub enum Format {
    #[default]
    Auto,
    Jsonl,
    Gliclass,
    Parquet,
    Corrections,
}

/// One `[[data]]` table.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default)]
#[expect(missing_docs, reason = "the recipes' README explains each key")]
pub struct SourceRecipe {
    pub files: Paths,
    pub exclude: Paths,
    pub format: Format,
    pub weight: f64,
    pub cap: Option<usize>,
}

impl Default for SourceRecipe {
    fn default() -> SourceRecipe {
        SourceRecipe {
            files: Paths::default(),
            exclude: Paths::default(),
            format: Format::Auto,
            weight: 1.0,
            cap: None,
        }
    }
}

/// The `[text]` table.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default)]
#[expect(missing_docs, reason = "the recipes' README explains each key")]
pub struct TextRecipe {
    pub tokens: usize,
    pub long_tokens: Option<usize>,
    pub long_share: f64,
    pub random_window: f64,
    pub label_tokens: usize,
}

impl Default for TextRecipe {
    fn default() -> TextRecipe {
        TextRecipe {
            tokens: 128,
            long_tokens: None,
            long_share: 0.0,
            random_window: 0.0,
            label_tokens: 16,
        }
    }
}

/// What is said of a label that is drawn from the row's file and not denied by the row.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Assumed {
    #[default]
    Wrong,
    Unknown,
}

/// The `[labels]` table.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default)]
#[expect(missing_docs, reason = "the recipes' README explains each key")]
pub struct LabelRecipe {
    pub min: usize,
    pub max: usize,
    pub max_true: usize,
    pub hard: f64,
    pub foreign: f64,
    pub none_apply: f64,
    pub assumed: Assumed,
    pub smoothing: f64,
    pub shuffle: bool,
    pub case: f64,
    pub separator: f64,
}

impl Default for LabelRecipe {
    fn default() -> LabelRecipe {
        LabelRecipe {
            min: 2,
            max: 16,
            max_true: 8,
            hard: 0.5,
            foreign: 0.0,
            none_apply: 0.05,
            assumed: Assumed::Wrong,
            smoothing: 0.0,
            shuffle: true,
            case: 0.1,
            separator: 0.1,
        }
    }
}

/// Which tokens a label's tokens see.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum LabelAttention {
    #[default]
    Keep,
    Full,
    Isolated,
}

/// The `[model]` table.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
#[expect(missing_docs, reason = "the recipes' README explains each key")]
pub struct ModelRecipe {
    pub label_attention: LabelAttention,
    pub hidden_dropout: f64,
    pub head_dropout: f64,
}

/// The `[freeze]` table.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default)]
#[expect(missing_docs, reason = "the recipes' README explains each key")]
pub struct FreezeRecipe {
    pub embeddings: bool,
    pub layers: usize,
}

impl Default for FreezeRecipe {
    fn default() -> FreezeRecipe {
        FreezeRecipe {
            embeddings: true,
            layers: 0,
        }
    }
}

/// The `[loss]` table; what is not given is the checkpoint's.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
#[expect(missing_docs, reason = "the recipes' README explains each key")]
pub struct LossRecipe {
    pub supcon: Option<f64>,
    pub supcon_temperature: Option<f64>,
    pub repulsion: Option<f64>,
    pub repulsion_threshold: Option<f64>,
    pub bce: Option<f64>,
    pub bce_bias: f64,
    pub embedding: f64,
    pub label_embedding: f64,
}

impl LossRecipe {
    /// The weights, with the checkpoint's where the recipe has none.
    pub fn weights(&self, checkpoint: &LossConfig) -> LossWeights {
        LossWeights {
            supcon: self.supcon.unwrap_or(checkpoint.supcon),
            supcon_temperature: self.supcon_temperature,
            repulsion: self.repulsion.unwrap_or(checkpoint.repulsion),
            repulsion_threshold: self
                .repulsion_threshold
                .unwrap_or(checkpoint.repulsion_threshold),
            bce: self.bce.unwrap_or(checkpoint.bce),
            bce_bias: self.bce_bias,
        }
    }
}

/// Own values for tensors whose name starts with `prefix`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[expect(missing_docs, reason = "the recipes' README explains each key")]
pub struct GroupRecipe {
    pub prefix: String,
    pub learning_rate: Option<f64>,
    pub weight_decay: Option<f64>,
}

/// The `[optimizer]` table.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default)]
#[expect(missing_docs, reason = "the recipes' README explains each key")]
pub struct OptimizerRecipe {
    pub learning_rate: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    pub weight_decay: f64,
    pub clip: f64,
    pub groups: Vec<GroupRecipe>,
}

impl Default for OptimizerRecipe {
    fn default() -> OptimizerRecipe {
        OptimizerRecipe {
            learning_rate: 1e-4,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.01,
            clip: 1.0,
            groups: Vec::new(),
        }
    }
}

/// How the learning rate falls.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Decay {
    #[default]
    Cosine,
    Linear,
    Constant,
}

/// The `[schedule]` table.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default)]
#[expect(missing_docs, reason = "the recipes' README explains each key")]
pub struct ScheduleRecipe {
    pub steps: usize,
    pub warmup: usize,
    pub decay: Decay,
    #[serde(rename = "final")]
    pub final_share: f64,
}

impl Default for ScheduleRecipe {
    fn default() -> ScheduleRecipe {
        ScheduleRecipe {
            steps: 1000,
            warmup: 0,
            decay: Decay::Cosine,
            final_share: 0.0,
        }
    }
}

impl ScheduleRecipe {
    /// The share of the learning rate that step `step`, counted from 1, has.
    pub fn share(&self, step: usize) -> f64 {
        if step <= self.warmup {
            return step as f64 / self.warmup as f64;
        }
        let decaying = self.steps.saturating_sub(self.warmup).max(1);
        let progress = ((step - self.warmup) as f64 / decaying as f64).min(1.0);
        let left = match self.decay {
            Decay::Constant => return 1.0,
            Decay::Linear => 1.0 - progress,
            Decay::Cosine => (1.0 + (std::f64::consts::PI * progress).cos()) / 2.0,
        };
        self.final_share + (1.0 - self.final_share) * left
    }
}

/// The `[batch]` table.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default)]
#[expect(missing_docs, reason = "the recipes' README explains each key")]
pub struct BatchRecipe {
    pub rows: usize,
    pub accumulation: usize,
    pub pool: usize,
}

impl Default for BatchRecipe {
    fn default() -> BatchRecipe {
        BatchRecipe {
            rows: 16,
            accumulation: 1,
            pool: 32,
        }
    }
}

/// What "better" means.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Metric {
    #[default]
    Lrap,
    F1,
    Loss,
}

/// The `[evaluation]` table.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default)]
#[expect(missing_docs, reason = "the recipes' README explains each key")]
pub struct EvaluationRecipe {
    pub every: usize,
    pub holdout: f64,
    pub files: Paths,
    pub rows: usize,
    pub metric: Metric,
    pub patience: usize,
}

impl Default for EvaluationRecipe {
    fn default() -> EvaluationRecipe {
        EvaluationRecipe {
            every: 0,
            holdout: 0.0,
            files: Paths::default(),
            rows: 500,
            metric: Metric::Lrap,
            patience: 0,
        }
    }
}

/// The `[checkpoint]` table.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default)]
#[expect(missing_docs, reason = "the recipes' README explains each key")]
pub struct CheckpointRecipe {
    pub every: usize,
    pub keep: usize,
}

impl Default for CheckpointRecipe {
    fn default() -> CheckpointRecipe {
        CheckpointRecipe {
            every: 200,
            keep: 2,
        }
    }
}
