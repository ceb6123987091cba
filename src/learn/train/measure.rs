//! Measuring while training: sets of rows with their truth in, evaluations out.
//!
//! Probabilities are those of the trained BCE: `sigmoid(bce_scale · cos + bce_bias)`.
//! Invariant: what any model has right counts for nothing: not a row that has all labels there are,
//! and no set of such rows.

mod sets;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::TrainError;
use super::corpus::{Corpus, Faults, files, hash};
use super::passes::{Example, example, lay_out, start};
use super::recipe::{LabelRecipe, Metric, Recipe};
use crate::learn::dataset::is_list;
use crate::learn::evaluation::{Evaluation, Ranking, Scored, Task, Thresholds, evaluate};
use crate::model::loss::LossWeights;
use crate::model::random::Random;
use crate::model::trainee::{Dropouts, Trainee};
use sets::{HELD_OUT, Set, is_mixed};

/// Most labels that are scored in one sequence.
const LABELS: usize = 64;

/// What is measured again and again.
pub(super) struct Measure {
    sets: Vec<Set>,
    /// What the report tells of where nothing else is measured.
    seen: Option<Set>,
    /// Held-out rows as they would be shown in training, but always the same.
    loss: Vec<Example>,
    bce_bias: f64,
    metric: Metric,
    label_tokens: usize,
    text_tokens: usize,
    batch: usize,
}

/// The outcome of one evaluation.
pub(super) struct Measured {
    pub(super) sets: Vec<MeasuredSet>,
    pub(super) loss: Option<f64>,
    /// The recipe's metric; no number where nothing could be told.
    pub(super) value: f64,
    /// The same as a number of which more is better.
    pub(super) merit: f64,
}

/// How one set was answered.
pub(super) struct MeasuredSet {
    pub(super) name: String,
    pub(super) labels: Vec<String>,
    pub(super) evaluation: Evaluation,
    /// Of the rows that have labels that are true and labels that are not; none where there are none.
    pub(super) ranking: Option<Ranking>,
    /// Whether it was trained on these rows.
    pub(super) is_seen: bool,
}

impl MeasuredSet {
    fn new(set: &Set, scored: &[Scored]) -> Option<MeasuredSet> {
        let evaluate = |rows: &[Scored]| evaluate(rows, &Thresholds::single(0.5), Task::MultiLabel);
        let mixed = scored.iter().filter(|row| {
            let truth: Vec<bool> = row.decisions().map(|(_, _, truth)| truth).collect();
            is_mixed(&truth)
        });
        let mixed: Vec<Scored> = mixed.cloned().collect();
        Some(MeasuredSet {
            name: set.name.clone(),
            labels: set.labels.clone(),
            evaluation: evaluate(scored)?,
            ranking: evaluate(&mixed).map(|of_mixed| of_mixed.ranking),
            is_seen: set.is_seen,
        })
    }

    /// The best micro-F1 of one threshold; none where all is true or nothing.
    pub(super) fn best_f1(&self) -> Option<f64> {
        let e = &self.evaluation;
        let best = e.at_best.as_ref().filter(|_| e.n_positives < e.n_decisions);
        best.map(|best| best.micro.f1)
    }

    fn record(&self) -> Value {
        let ranking = self.ranking.as_ref();
        json!({
            "rows": self.evaluation.n_rows,
            "lrap": ranking.map(|ranking| ranking.lrap),
            "top_1": ranking.map(|ranking| ranking.top_1),
            "f1": self.best_f1(),
            "ece": self.evaluation.calibration.equal_width.error(),
        })
    }
}

impl Measured {
    pub(super) fn record(&self, step: usize) -> Value {
        let mut sets: BTreeMap<&str, Value> = BTreeMap::new();
        for set in &self.sets {
            let mut record = set.record();
            if let (Some(loss), HELD_OUT) = (self.loss, set.name.as_str()) {
                record["loss"] = json!(loss);
            }
            sets.insert(&set.name, record);
        }
        json!({ "step": step, "evaluation": sets, "metric": self.value })
    }
}

impl Measure {
    /// Draws what is measured; rows of labelled files that cannot be used are among `faults`.
    ///
    /// # Errors
    /// Files that cannot be read, and a recipe that measures where nothing can be told.
    pub(super) fn new(
        recipe: &Recipe,
        corpus: &Corpus,
        trainee: &Trainee,
        written: &[PathBuf],
        faults: &mut Faults,
    ) -> Result<Measure, TrainError> {
        let mut named = Vec::new();
        for path in files(&recipe.folder, &recipe.evaluation.files, written)? {
            if !is_list(&path) {
                let set = sets::of_file(&path, recipe.evaluation.rows, recipe.seed, faults)?;
                named.push((path, set));
            }
        }
        sets::name_apart(&mut named);
        let mut sets: Vec<Set> = named.into_iter().map(|(_, set)| set).collect();
        if !corpus.held_out.is_empty() {
            sets.insert(0, sets::held_out(corpus, recipe.seed));
        }
        let is_none = sets.iter().all(|set| set.rows.is_empty());
        let (most, seed) = (recipe.evaluation.rows, recipe.seed);
        let measure = Measure {
            seen: is_none.then(|| sets::seen(corpus, most, seed)),
            sets,
            loss: as_shown(recipe, corpus, trainee)?,
            bce_bias: recipe.loss.bce_bias,
            metric: recipe.evaluation.metric,
            label_tokens: recipe.text.label_tokens,
            text_tokens: recipe.text.long_tokens.unwrap_or(recipe.text.tokens),
            batch: recipe.batch.rows,
        };
        let tells = match measure.metric {
            Metric::Lrap => measure.sets.iter().any(Set::can_be_ranked),
            Metric::F1 => measure.sets.iter().any(Set::can_be_decided),
            Metric::Loss => measure
                .loss
                .iter()
                .any(|example| !example.labels.is_empty()),
        };
        if recipe.evaluation.every > 0 && !tells {
            let (metric, needs) = match measure.metric {
                Metric::Lrap => (
                    "lrap",
                    "a row with labels that fit it and labels that do not",
                ),
                Metric::F1 => ("f1", "labels that fit and labels that do not"),
                Metric::Loss => ("loss", "a held-out row with a label"),
            };
            let rows = measure.sets.iter().map(|set| set.rows.len()).sum();
            return Err(TrainError::NothingToMeasure {
                metric,
                rows,
                needs,
            });
        }
        Ok(measure)
    }

    /// A number that is another one for other rows.
    pub(super) fn identity(&self) -> u64 {
        let rows = self.sets.iter().flat_map(|set| {
            let names: Vec<u64> = set.labels.iter().map(|name| hash(name)).collect();
            set.rows.iter().map(move |(text, candidates, truth)| {
                let labels = candidates.iter().zip(truth);
                labels.fold(hash(text), |sum, (label, truth)| {
                    Random::new(&[sum, names[*label as usize], u64::from(*truth)]).bits()
                })
            })
        });
        rows.fold(0, |sum, row| Random::new(&[sum, row]).bits())
    }

    pub(super) fn run(
        &self,
        trainee: &Trainee,
        weights: &LossWeights,
    ) -> Result<Measured, TrainError> {
        let mut sets = Vec::new();
        for set in &self.sets {
            let scored = self.set(set, trainee)?;
            sets.extend(MeasuredSet::new(set, &scored));
        }
        let loss = self.loss(trainee, weights)?;
        let mean = |value: fn(&MeasuredSet) -> Option<f64>| {
            let values: Vec<f64> = sets.iter().filter_map(value).collect();
            values.iter().sum::<f64>() / values.len() as f64
        };
        let value = match self.metric {
            Metric::Lrap => mean(|set| Some(set.ranking.as_ref()?.lrap)),
            Metric::F1 => mean(MeasuredSet::best_f1),
            Metric::Loss => loss.unwrap_or(f64::NAN),
        };
        let merit = match self.metric {
            Metric::Lrap | Metric::F1 => value,
            Metric::Loss => -value,
        };
        Ok(Measured {
            sets,
            loss,
            value,
            merit,
        })
    }

    /// What the report tells: as above, or, where nothing is there to be measured, how rows are
    /// answered that were trained on.
    pub(super) fn at_end(
        &self,
        trainee: &Trainee,
        weights: &LossWeights,
    ) -> Result<Measured, TrainError> {
        let mut measured = self.run(trainee, weights)?;
        if let Some(set) = &self.seen {
            let scored = self.set(set, trainee)?;
            measured.sets.extend(MeasuredSet::new(set, &scored));
        }
        Ok(measured)
    }

    fn set(&self, set: &Set, trainee: &Trainee) -> Result<Vec<Scored>, TrainError> {
        let mut scored = Vec::with_capacity(set.rows.len());
        for (text, candidates, truth) in &set.rows {
            let text = start(text, self.text_tokens);
            let mut ids = trainee.tokenizer().tokens(text)?.ids;
            ids.truncate(self.text_tokens);
            let mut scores = vec![0.0; candidates.len()];
            let mut done = 0;
            while done < candidates.len() {
                let n = candidates[done..].len().min(LABELS);
                let names = candidates[done..done + n].iter();
                let shown = names
                    .map(|label| (set.labels[*label as usize].clone(), 0.0))
                    .collect();
                let example = lay_out(trainee, text, ids.clone(), shown, self.label_tokens)?;
                if example.labels.is_empty() {
                    done += n; // Names without a token score 0.
                    continue;
                }
                let got = trainee.probabilities(&[&example.sequence], self.bce_bias)?;
                // A name without a token has no place in the sequence: match the others by name.
                let mut got = example.labels.iter().zip(got).peekable();
                let mut last = done;
                for at in done..done + n {
                    let name = &set.labels[candidates[at] as usize];
                    if let Some((_, score)) = got.next_if(|(known, _)| *known == name) {
                        scores[at] = score;
                        last = at;
                    }
                }
                done = last + 1;
            }
            if let Ok(row) = Scored::new(candidates.clone(), scores, truth.clone()) {
                scored.push(row);
            }
        }
        Ok(scored)
    }

    fn loss(&self, trainee: &Trainee, weights: &LossWeights) -> Result<Option<f64>, TrainError> {
        let (mut sum, mut n) = (0.0, 0);
        for pass in self.loss.chunks(self.batch) {
            let pass: Vec<&Example> = pass
                .iter()
                .filter(|example| !example.labels.is_empty())
                .collect();
            if pass.is_empty() {
                continue;
            }
            let sequences: Vec<_> = pass.iter().map(|example| &example.sequence).collect();
            let targets: Vec<f32> = pass
                .iter()
                .flat_map(|example| example.targets.iter().copied())
                .collect();
            let said = trainee.losses(&sequences, &targets, weights, &Dropouts::default())?;
            sum += f64::from(said.total.to_scalar::<f32>()?) * pass.len() as f64;
            n += pass.len();
        }
        Ok((n > 0).then(|| sum / n as f64))
    }
}

/// Held-out rows as they would be shown in training, each spelled as it is.
fn as_shown(
    recipe: &Recipe,
    corpus: &Corpus,
    trainee: &Trainee,
) -> Result<Vec<Example>, TrainError> {
    let labels = LabelRecipe {
        case: 0.0,
        separator: 0.0,
        ..recipe.labels.clone()
    };
    let recipe = Recipe {
        labels,
        ..recipe.clone()
    };
    let rows = corpus.held_out.iter().zip(0_u64..);
    rows.map(|(row, number)| {
        let mut random = Random::new(&[recipe.seed, 6, number]);
        example(row, corpus, &recipe, trainee, &mut random)
    })
    .collect()
}
