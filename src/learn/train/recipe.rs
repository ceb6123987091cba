//! A recipe: TOML in, every choice of a training or all faults at once out.
//!
//! Invariant: a recipe that parses has only known keys, and numbers that make sense together.
//! `train/recipes/README.md` says what each key means; the defaults there are those here.

mod keys;
mod tables;

use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use tables::*;

/// Everything that a training depends on, but the data itself.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub struct Recipe {
    /// The folder that paths are relative to.
    #[serde(skip)]
    pub folder: PathBuf,
    /// Start of every random choice.
    pub seed: u64,
    /// The checkpoint to start from.
    pub init: Option<PathBuf>,
    /// What the encoder computes in.
    pub precision: Precision,
    /// Where rows come from.
    pub data: Vec<SourceRecipe>,
    /// How much of a text is read.
    pub text: TextRecipe,
    /// What is shown beside a text.
    pub labels: LabelRecipe,
    /// Layout and dropout.
    pub model: ModelRecipe,
    /// What stays as it is.
    pub freeze: FreezeRecipe,
    /// Weights of the losses.
    pub loss: LossRecipe,
    /// AdamW.
    pub optimizer: OptimizerRecipe,
    /// Learning rate over time.
    pub schedule: ScheduleRecipe,
    /// Rows of a step.
    pub batch: BatchRecipe,
    /// Measuring in between.
    pub evaluation: EvaluationRecipe,
    /// Saving in between.
    pub checkpoint: CheckpointRecipe,
}

/// Why a recipe cannot be used; lists every fault that was found.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {}", .faults.join("; "))]
pub struct RecipeError {
    /// Which recipe.
    pub path: PathBuf,
    /// Place, fact and cure of each fault.
    pub faults: Vec<String>,
}

impl Recipe {
    /// Reads a recipe; its paths are relative to its folder. Also gives its text.
    ///
    /// # Errors
    /// A file that cannot be read, is no TOML, has unknown keys or senseless values.
    pub fn read(path: &Path) -> Result<(Recipe, String), RecipeError> {
        let fail = |faults| RecipeError {
            path: path.to_owned(),
            faults,
        };
        let text = std::fs::read_to_string(path)
            .map_err(|error| fail(vec![format!("{error}; check the path")]))?;
        let mut recipe = Recipe::parse(&text).map_err(fail)?;
        recipe.folder = path.parent().unwrap_or(Path::new("")).to_owned();
        recipe.init = recipe.init.map(|init| recipe.folder.join(init));
        Ok((recipe, text))
    }

    /// Parses the text of a recipe; paths are as they are written.
    ///
    /// # Errors
    /// All faults: unknown keys with the closest known one, and senseless values.
    pub fn parse(text: &str) -> Result<Recipe, Vec<String>> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            vec![format!("not TOML: {}", error.to_string().trim_end())]
        })?;
        let mut faults = keys::unknown(&table);
        let recipe: Result<Recipe, toml::de::Error> = toml::from_str(text);
        match recipe {
            Ok(recipe) => {
                faults.extend(recipe.faults());
                if faults.is_empty() {
                    Ok(recipe)
                } else {
                    Err(faults)
                }
            }
            Err(error) => {
                faults.push(error.to_string().trim_end().replace('\n', " "));
                Err(faults)
            }
        }
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut need = |holds: bool, fact: &str| {
            if !holds {
                faults.push(fact.to_owned());
            }
        };
        need(
            !self.data.is_empty(),
            "no data; add a `[[data]]` table with `files`",
        );
        for source in &self.data {
            need(
                !source.files.all().is_empty(),
                "a `[[data]]` table has no `files`; name some",
            );
            need(
                source.weight > 0.0 && source.weight.is_finite(),
                "`data.weight` must be more than 0",
            );
            need(
                source.cap != Some(0),
                "`data.cap` is 0; leave the table out instead",
            );
        }
        need(
            self.text.tokens > 0 && self.text.label_tokens > 0,
            "`text.tokens` and `text.label_tokens` must be more than 0",
        );
        need(
            self.text.long_tokens != Some(0),
            "`text.long_tokens` is 0; leave it out, or give it a number",
        );
        need(
            self.labels.min > 0 && self.labels.min <= self.labels.max,
            "`labels.min` must be from 1 to `labels.max`",
        );
        need(
            self.labels.max_true > 0,
            "`labels.max_true` must be more than 0",
        );
        need(
            (0.0..=0.5).contains(&self.labels.smoothing),
            "`labels.smoothing` must be from 0 to 0.5",
        );
        for (key, share) in [
            ("text.long_share", self.text.long_share),
            ("text.random_window", self.text.random_window),
            ("labels.hard", self.labels.hard),
            ("labels.foreign", self.labels.foreign),
            ("labels.none_apply", self.labels.none_apply),
            ("labels.case", self.labels.case),
            ("labels.separator", self.labels.separator),
            ("schedule.final", self.schedule.final_share),
        ] {
            need(
                (0.0..=1.0).contains(&share),
                &format!("`{key}` is {share}; it must be from 0 to 1"),
            );
        }
        for (key, share) in [
            ("model.hidden_dropout", self.model.hidden_dropout),
            ("model.head_dropout", self.model.head_dropout),
        ] {
            need(
                (0.0..1.0).contains(&share),
                &format!("`{key}` is {share}; it must be from 0 to below 1"),
            );
        }
        let loss = &self.loss;
        let weights = [
            loss.supcon,
            loss.repulsion,
            loss.bce,
            Some(loss.embedding),
            Some(loss.label_embedding),
        ];
        need(
            weights.iter().flatten().all(|w| *w >= 0.0 && w.is_finite()),
            "weights under `[loss]` must be 0 or more",
        );
        need(
            loss.supcon_temperature.is_none_or(|t| t > 0.0),
            "`loss.supcon_temperature` must be more than 0",
        );
        let adam = &self.optimizer;
        need(
            adam.learning_rate > 0.0 && adam.learning_rate.is_finite(),
            "`optimizer.learning_rate` must be more than 0",
        );
        need(
            (0.0..1.0).contains(&adam.beta1) && (0.0..1.0).contains(&adam.beta2),
            "`optimizer.beta1` and `beta2` must be from 0 to below 1",
        );
        need(
            adam.epsilon > 0.0 && adam.weight_decay >= 0.0 && adam.clip >= 0.0,
            "`optimizer.epsilon` must be more than 0, `weight_decay` and `clip` 0 or more",
        );
        let rates = adam.groups.iter().map(|group| group.learning_rate);
        let decays = adam.groups.iter().map(|group| group.weight_decay);
        need(
            rates
                .chain(decays)
                .flatten()
                .all(|x| x >= 0.0 && x.is_finite()),
            "`learning_rate` and `weight_decay` under `[[optimizer.groups]]` must be 0 or more",
        );
        need(
            self.schedule.steps > 0 && self.schedule.warmup <= self.schedule.steps,
            "`schedule.steps` must be more than 0, and `warmup` no more than it",
        );
        need(
            self.batch.rows > 0 && self.batch.accumulation > 0 && self.batch.pool > 0,
            "numbers under `[batch]` must be more than 0",
        );
        need(
            (0.0..=0.5).contains(&self.evaluation.holdout),
            "`evaluation.holdout` must be from 0 to 0.5",
        );
        need(
            self.evaluation.rows > 0,
            "`evaluation.rows` must be more than 0",
        );
        let measured = self.evaluation.holdout > 0.0 || !self.evaluation.files.all().is_empty();
        need(
            self.evaluation.every == 0 || measured,
            "`evaluation.every` is set, but nothing is measured; set `holdout` or `files`",
        );
        need(
            self.evaluation.patience == 0 || self.evaluation.every > 0,
            "`evaluation.patience` is set, but not `every`; say after how many steps to measure",
        );
        need(
            self.evaluation.metric != Metric::Loss
                || self.evaluation.every == 0
                || self.evaluation.holdout > 0.0,
            "`evaluation.metric = \"loss\"` needs a `holdout`",
        );
        need(
            self.checkpoint.every > 0 && self.checkpoint.keep > 0,
            "numbers under `[checkpoint]` must be more than 0",
        );
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "[[data]]\nfiles = \"a.jsonl\"\n";

    #[test]
    fn wrong_keys_are_told_all_at_once_with_the_closest_name() {
        let text = format!("sede = 1\n{LEAST}wieght = 2\n[optimiser]\n[schedule]\nstepps = 3\n");
        let faults = Recipe::parse(&text).unwrap_err().join("\n");
        for told in [
            "`sede`",
            "`seed`",
            "`data.wieght`",
            "`weight`",
            "`optimizer`",
            "`schedule.stepps`",
            "`steps`",
        ] {
            assert!(faults.contains(told), "{told} in {faults}");
        }
    }

    #[test]
    fn senseless_values_are_told_all_at_once() {
        let text =
            "[labels]\nmin = 9\nmax = 3\n[model]\nhidden_dropout = 1.0\n[evaluation]\nevery = 5\n";
        let faults = Recipe::parse(text).unwrap_err();
        assert_eq!(faults.len(), 4, "{faults:?}");
    }

    #[test]
    fn what_a_recipe_leaves_out_has_the_documented_default() {
        let recipe = Recipe::parse(LEAST).unwrap();
        assert_eq!(
            (recipe.labels.max, recipe.batch.rows, recipe.schedule.steps),
            (16, 16, 1000)
        );
        assert!(recipe.freeze.embeddings && recipe.optimizer.clip == 1.0);
    }

    #[test]
    fn the_learning_rate_rises_and_falls_as_documented() {
        let schedule = ScheduleRecipe {
            steps: 10,
            warmup: 2,
            decay: Decay::Linear,
            final_share: 0.5,
        };
        let shares: Vec<f64> = [1, 2, 6, 10].map(|step| schedule.share(step)).to_vec();
        assert_eq!(shares, [0.5, 1.0, 0.75, 0.5]);
        let cosine = ScheduleRecipe {
            decay: Decay::Cosine,
            final_share: 0.0,
            ..schedule
        };
        assert!((cosine.share(6) - 0.5).abs() < 1e-12 && cosine.share(10).abs() < 1e-12);
    }

    #[test]
    fn every_recipe_beside_the_readme_parses() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("train/recipes");
        let recipes = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let recipes = recipes.filter(|path| path.extension().is_some_and(|e| e == "toml"));
        let read: Vec<_> = recipes.map(|path| Recipe::read(&path).unwrap()).collect();
        assert!(!read.is_empty());
    }
}
