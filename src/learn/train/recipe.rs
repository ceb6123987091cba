//! A recipe: TOML in, every choice of a training or all faults at once out.
//!
//! Invariant: a recipe that parses has only known keys, and numbers that make sense together.
//! `train/recipes/README.md` says what each key means; the defaults there are those here.

mod keys;
mod known;
mod ranges;
mod tables;

use std::path::{Path, PathBuf};

use serde::Deserialize;

pub(super) use ranges::unfit;
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
#[error("{path}: {}", lines(.faults))]
pub struct RecipeError {
    /// Which recipe.
    pub path: PathBuf,
    /// Place, fact and cure of each fault.
    pub faults: Vec<String>,
}

/// One fault, or each on a line of its own.
fn lines(faults: &[String]) -> String {
    match faults {
        [one] => one.clone(),
        several => {
            let lines: String = several.iter().map(|fault| format!("\n  {fault}")).collect();
            format!("{} faults:{lines}", several.len())
        }
    }
}

fn unreadable(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::InvalidData => "it is not UTF-8; save it as that".to_owned(),
        _ => format!("{error}; check the path"),
    }
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
        let text = std::fs::read_to_string(path).map_err(|error| fail(vec![unreadable(&error)]))?;
        let mut recipe = Recipe::parse(&text).map_err(fail)?;
        recipe.folder = path.parent().unwrap_or(Path::new("")).to_owned();
        recipe.init = recipe.init.map(|init| recipe.folder.join(init));
        Ok((recipe, text))
    }

    /// Parses the text of a recipe; paths are as they are written.
    ///
    /// # Errors
    /// All faults: unknown keys with what they are called here, values of a wrong kind, and senseless
    /// ones.
    pub fn parse(text: &str) -> Result<Recipe, Vec<String>> {
        let mut table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            vec![format!("not TOML: {}", error.to_string().trim_end())]
        })?;
        let mut checked = keys::check(&mut table);
        let recipe: Result<Recipe, toml::de::Error> = toml::Value::Table(table).try_into();
        let recipe = recipe.map_err(|error| {
            let mut faults = std::mem::take(&mut checked.faults);
            faults.push(error.to_string().trim_end().replace('\n', " "));
            faults
        })?;
        checked.faults.extend(ranges::faults(&recipe, &checked.bad));
        match checked.faults.is_empty() {
            true => Ok(recipe),
            false => Err(checked.faults),
        }
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
    fn several_faults_stand_on_lines_of_their_own_and_other_encodings_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recipe.toml");
        let said = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            Recipe::read(&path).unwrap_err().to_string()
        };
        let two = said(b"sede = 1\n[data]\nfiles = \"a\"\n");
        assert!(two.contains("recipe.toml: 2 faults:\n  "), "{two}");
        assert!(two.contains("`[[data]]`"), "{two}");
        assert!(!said(b"sede = 1\n[[data]]\nfiles = \"a\"\n").contains('\n'));
        assert!(said(b"# caf\xe9\n").contains("not UTF-8"));
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
