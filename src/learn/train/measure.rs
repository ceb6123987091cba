//! Measuring while training: held-out rows and labelled files in, evaluations out.
//!
//! Probabilities are those of the trained BCE: `sigmoid(bce_scale · cos + bce_bias)`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::TrainError;
use super::corpus::{Corpus, TrainRow, files};
use super::passes::{Example, example, lay_out};
use super::recipe::{LabelRecipe, Metric, Recipe};
use crate::learn::dataset::DataSet;
use crate::learn::evaluation::{Evaluation, Scored, Task, Thresholds, evaluate};
use crate::model::loss::LossWeights;
use crate::model::random::Random;
use crate::model::trainee::{Dropouts, Trainee};

/// Most labels that are scored in one sequence.
const LABELS: usize = 64;
/// Most labels that a held-out row is measured against beyond its own, where it says of none that it
/// is wrong.
const OTHERS: usize = 30;

/// One set of rows with known truth.
struct Set {
    name: String,
    labels: Vec<String>,
    rows: Vec<(String, Arc<[u32]>, Vec<bool>)>,
}

/// What is measured again and again.
pub(super) struct Measure {
    sets: Vec<Set>,
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
    /// Each set by name, with the names of its labels.
    pub(super) sets: Vec<(String, Evaluation, Vec<String>)>,
    pub(super) loss: Option<f64>,
    /// More is better.
    pub(super) value: f64,
}

impl Measured {
    pub(super) fn record(&self, step: usize) -> Value {
        let sets: BTreeMap<&str, Value> = self
            .sets
            .iter()
            .map(|(name, e, _)| {
                let f1 = e.at_best.as_ref().map(|best| best.micro.f1);
                let mut record = json!({
                    "rows": e.n_rows, "lrap": e.ranking.lrap, "top_1": e.ranking.top_1,
                    "f1": f1, "ece": e.calibration.equal_width.error(),
                });
                if let (Some(loss), "holdout") = (self.loss, name.as_str()) {
                    record["loss"] = json!(loss);
                }
                (name.as_str(), record)
            })
            .collect();
        json!({ "step": step, "evaluation": sets, "metric": self.value })
    }
}

impl Measure {
    pub(super) fn new(
        recipe: &Recipe,
        corpus: &Corpus,
        trainee: &Trainee,
    ) -> Result<Measure, TrainError> {
        let mut sets = Vec::new();
        let mut loss = Vec::new();
        if !corpus.held_out.is_empty() {
            sets.push(held_out(corpus, recipe.seed));
            let labels = LabelRecipe {
                case: 0.0,
                separator: 0.0,
                ..recipe.labels.clone()
            };
            let recipe = Recipe {
                labels,
                ..recipe.clone()
            };
            for (row, number) in corpus.held_out.iter().zip(0_u64..) {
                let mut random = Random::new(&[recipe.seed, 6, number]);
                loss.push(example(row, corpus, &recipe, trainee, &mut random)?);
            }
        }
        for path in files(&recipe.evaluation.files)? {
            if path.to_string_lossy().ends_with(".labels.json")
                || path.to_string_lossy().ends_with(".sites.json")
            {
                continue;
            }
            let name = path
                .file_name()
                .map_or("".into(), |name| name.to_string_lossy());
            let stem = name.split(".jsonl").next().unwrap_or(&name);
            let labels = path.with_file_name(format!("{stem}.labels.json"));
            let set = if labels.exists() {
                DataSet::open(&path, &labels)?
            } else {
                DataSet::gather(&path)?
            };
            // Every n-th row, so that a sorted file is measured as a whole.
            let mut cases: Vec<_> = set.cases()?.flatten().collect();
            Random::new(&[recipe.seed, 7]).shuffle(&mut cases);
            cases.truncate(recipe.evaluation.rows);
            sets.push(Set {
                name: set.name.clone(),
                labels: set.labels.names().to_vec(),
                rows: cases
                    .into_iter()
                    .map(|case| (case.row.text, case.candidates, case.truth))
                    .collect(),
            });
        }
        Ok(Measure {
            sets,
            loss,
            bce_bias: recipe.loss.bce_bias,
            metric: recipe.evaluation.metric,
            label_tokens: recipe.text.label_tokens,
            text_tokens: recipe.text.long_tokens.unwrap_or(recipe.text.tokens),
            batch: recipe.batch.rows,
        })
    }

    pub(super) fn run(
        &self,
        trainee: &Trainee,
        weights: &LossWeights,
    ) -> Result<Measured, TrainError> {
        let mut sets = Vec::new();
        for set in &self.sets {
            let scored = self.set(set, trainee)?;
            if let Some(evaluation) = evaluate(&scored, &Thresholds::single(0.5), Task::MultiLabel)
            {
                sets.push((set.name.clone(), evaluation, set.labels.clone()));
            }
        }
        let loss = self.loss(trainee, weights)?;
        let mean = |value: fn(&Evaluation) -> f64| {
            sets.iter().map(|(_, e, _)| value(e)).sum::<f64>() / sets.len().max(1) as f64
        };
        let value = match self.metric {
            Metric::Lrap => mean(|e| e.ranking.lrap),
            Metric::F1 => mean(|e| e.at_best.as_ref().map_or(0.0, |best| best.micro.f1)),
            Metric::Loss => -loss.unwrap_or(f64::INFINITY),
        };
        Ok(Measured { sets, loss, value })
    }

    fn set(&self, set: &Set, trainee: &Trainee) -> Result<Vec<Scored>, TrainError> {
        let mut scored = Vec::with_capacity(set.rows.len());
        for (text, candidates, truth) in &set.rows {
            let end = text
                .char_indices()
                .nth(self.text_tokens * 16)
                .map_or(text.len(), |(at, _)| at);
            let mut ids = trainee.tokenizer().tokens(&text[..end])?.ids;
            ids.truncate(self.text_tokens);
            let mut scores = vec![0.0; candidates.len()];
            let mut done = 0;
            while done < candidates.len() {
                let names = candidates[done..].iter().take(LABELS);
                let shown = names
                    .map(|label| (set.labels[*label as usize].clone(), 0.0))
                    .collect();
                let example = lay_out(trainee, text, ids.clone(), shown, self.label_tokens)?;
                if example.labels.is_empty() {
                    break; // Names without a token score 0.
                }
                let got = trainee.probabilities(&[&example.sequence], self.bce_bias)?;
                // A name without a token has no place in the sequence: match the others by name.
                let mut got = example.labels.iter().zip(got).peekable();
                let n = candidates[done..].len().min(LABELS);
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

/// Held-out rows with the labels that each is measured against; a label's number runs over all files.
fn held_out(corpus: &Corpus, seed: u64) -> Set {
    let mut starts = vec![0_u32];
    for space in &corpus.spaces {
        starts.push(starts.last().copied().unwrap_or(0) + space.labels.len() as u32);
    }
    let row = |(row, number): (&TrainRow, u64)| {
        let wrong = wrong(row, corpus.spaces[row.space].labels.len(), seed, number);
        let both = row.labels.iter().chain(&wrong);
        let candidates: Arc<[u32]> = both.map(|label| starts[row.space] + label).collect();
        let truth = (0..candidates.len())
            .map(|at| at < row.labels.len())
            .collect();
        (row.text.clone(), candidates, truth)
    };
    Set {
        name: "holdout".to_owned(),
        labels: corpus
            .spaces
            .iter()
            .flat_map(|space| space.labels.iter().cloned())
            .collect(),
        rows: corpus.held_out.iter().zip(0..).map(row).collect(),
    }
}

/// The labels that are wrong for a row: those it says are, else the others of its file's `n_labels`,
/// at most `OTHERS`, always the same. Of what a correction does not speak, nothing is known.
fn wrong(row: &TrainRow, n_labels: usize, seed: u64, number: u64) -> Vec<u32> {
    if row.is_correction || !row.not_labels.is_empty() {
        return row.not_labels.clone();
    }
    let others = (0..n_labels as u32).filter(|label| !row.labels.contains(label));
    let mut others: Vec<u32> = others.collect();
    Random::new(&[seed, 8, number]).shuffle(&mut others);
    others.truncate(OTHERS);
    others
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(labels: &[u32], not_labels: &[u32]) -> TrainRow {
        TrainRow {
            text: "Bread.".to_owned(),
            labels: labels.to_vec(),
            not_labels: not_labels.to_vec(),
            space: 0,
            is_correction: false,
        }
    }

    #[test]
    fn a_row_that_says_of_no_label_that_it_is_wrong_is_measured_against_the_others_of_its_file() {
        let mut others = wrong(&row(&[1, 3], &[]), 5, 7, 0);
        others.sort_unstable();
        assert_eq!(others, [0, 2, 4]);
    }

    #[test]
    fn what_a_row_says_is_wrong_is_all_that_is() {
        assert_eq!(wrong(&row(&[1], &[4, 2]), 9, 7, 0), [4, 2]);
        let correction = TrainRow {
            is_correction: true,
            ..row(&[1], &[])
        };
        assert!(wrong(&correction, 9, 7, 0).is_empty());
    }

    #[test]
    fn of_many_others_some_are_taken_and_each_time_the_same() {
        let of = |number| wrong(&row(&[1], &[]), 2_000, 7, number);
        assert_eq!(of(0).len(), OTHERS);
        assert!(!of(0).contains(&1));
        assert_eq!(of(0), of(0));
        assert_ne!(of(0), of(1));
    }
}
