//! What each pass reads: the recipe's random choices made, step by step.
//!
//! Invariant: pass `n` depends on the recipe, the data and `n` alone; a training that is taken up
//! again at any step goes on with the same passes. Rows of about one length are read together.

use rayon::prelude::*;
use serde_json::{Value, json};

use super::TrainError;
use super::corpus::{Corpus, TrainRow};
use super::recipe::Recipe;
use super::sample::{shown, window};
use crate::model::random::Random;
use crate::model::sequence::Sequence;
use crate::model::trainee::Trainee;

/// No token is longer than this on the whole.
const CHARACTERS: usize = 16;

/// One row as it is read.
pub(super) struct Example {
    pub(super) text: String,
    pub(super) text_ids: Vec<u32>,
    pub(super) labels: Vec<String>,
    pub(super) label_ids: Vec<Vec<u32>>,
    pub(super) targets: Vec<f32>,
    pub(super) sequence: Sequence,
}

impl Example {
    /// The record that another trainer reads.
    pub(super) fn record(&self) -> Value {
        let s = &self.sequence;
        json!({
            "text": self.text, "labels": self.labels, "ids": s.ids, "positions": s.positions,
            "segments": s.segments, "label_mask": s.label_mask, "targets": self.targets,
        })
    }
}

/// All passes of a training, in order.
pub(super) struct Passes<'a> {
    recipe: &'a Recipe,
    corpus: &'a Corpus,
    trainee: &'a Trainee,
    picker: Picker,
    pool: usize,
    ready: std::vec::IntoIter<Vec<Example>>,
}

impl<'a> Passes<'a> {
    /// The passes from number `first` on.
    pub(super) fn new(
        recipe: &'a Recipe,
        corpus: &'a Corpus,
        trainee: &'a Trainee,
        first: usize,
    ) -> Result<Passes<'a>, TrainError> {
        let pool = first / recipe.batch.pool;
        let mut passes = Passes {
            recipe,
            corpus,
            trainee,
            picker: Picker::new(recipe.seed, corpus),
            pool,
            ready: Vec::new().into_iter(),
        };
        for _ in 0..pool * recipe.batch.pool * recipe.batch.rows {
            passes.picker.next(corpus);
        }
        for _ in 0..first % recipe.batch.pool {
            passes.next()?;
        }
        Ok(passes)
    }

    /// The next pass.
    pub(super) fn next(&mut self) -> Result<Vec<Example>, TrainError> {
        loop {
            if let Some(pass) = self.ready.next() {
                return Ok(pass);
            }
            self.ready = self.fill()?.into_iter();
        }
    }

    fn fill(&mut self) -> Result<Vec<Vec<Example>>, TrainError> {
        let batch = &self.recipe.batch;
        let n = batch.pool * batch.rows;
        let (corpus, recipe, trainee) = (self.corpus, self.recipe, self.trainee);
        let first = (self.pool * n) as u64;
        let rows: Vec<(u64, &TrainRow)> = (first..)
            .take(n)
            .map(|draw| (draw, self.picker.next(corpus)))
            .collect();
        let examples: Result<Vec<Example>, TrainError> = rows
            .into_par_iter()
            .map(|(draw, row)| {
                let mut random = Random::new(&[recipe.seed, 4, draw]);
                example(row, corpus, recipe, trainee, &mut random)
            })
            .collect();
        let mut examples = examples?;
        examples.sort_by_key(|example| example.sequence.len());
        let mut passes: Vec<Vec<Example>> = Vec::with_capacity(batch.pool);
        let mut examples = examples.into_iter();
        for _ in 0..batch.pool {
            passes.push(examples.by_ref().take(batch.rows).collect());
        }
        Random::new(&[recipe.seed, 5, self.pool as u64]).shuffle(&mut passes);
        self.pool += 1;
        Ok(passes)
    }
}

/// One row with its labels chosen, cut and laid out.
pub(super) fn example(
    row: &TrainRow,
    corpus: &Corpus,
    recipe: &Recipe,
    trainee: &Trainee,
    random: &mut Random,
) -> Result<Example, TrainError> {
    let shown = shown(row, &corpus.spaces, &recipe.labels, random);
    let is_long = random.chance(recipe.text.long_share);
    let limit = match recipe.text.long_tokens {
        Some(long) if is_long => long,
        _ => recipe.text.tokens,
    };
    let text = if recipe.text.random_window > 0.0 {
        &row.text
    } else {
        start(&row.text, limit)
    };
    let ids = trainee.tokenizer().tokens(text)?.ids;
    let text_ids = window(&ids, limit, recipe.text.random_window, random);
    lay_out(trainee, text, text_ids, shown, recipe.text.label_tokens)
}

/// Text and labels as the checkpoint reads them, with labels that do not fit left out.
pub(super) fn lay_out(
    trainee: &Trainee,
    text: &str,
    mut text_ids: Vec<u32>,
    shown: Vec<(String, f32)>,
    label_tokens: usize,
) -> Result<Example, TrainError> {
    let names: Vec<&str> = shown.iter().map(|(name, _)| name.as_str()).collect();
    let mut label_ids = trainee.tokenizer().ids_of_all(&names)?;
    label_ids
        .iter_mut()
        .for_each(|ids| ids.truncate(label_tokens));
    let most = trainee.max_tokens();
    if !trainee.config().layout.is_isolated() {
        // Isolated labels share their positions; others take room from the text.
        let mut used = 2;
        let mut fits = |ids: &Vec<u32>| {
            used += ids.len() + 1;
            used <= most * 3 / 4
        };
        let n = label_ids.iter().take_while(|ids| fits(ids)).count();
        label_ids.truncate(n.max(1));
        let used: usize = label_ids.iter().map(|ids| ids.len() + 1).sum();
        text_ids.truncate(most.saturating_sub(used + 2));
    }
    text_ids.truncate(most - 2);
    let kept = shown
        .into_iter()
        .zip(label_ids)
        .filter(|(_, ids)| !ids.is_empty());
    let (shown, label_ids): (Vec<(String, f32)>, Vec<Vec<u32>>) = kept.unzip();
    let (labels, targets) = shown.into_iter().unzip();
    let slices: Vec<&[u32]> = label_ids.iter().map(Vec::as_slice).collect();
    Ok(Example {
        sequence: trainee.sequence(&text_ids, &slices),
        text: text.to_owned(),
        text_ids,
        labels,
        label_ids,
        targets,
    })
}

/// The beginning of a text, with so many tokens in it at least: most of a long text is never read.
pub(super) fn start(text: &str, tokens: usize) -> &str {
    let end = text.char_indices().nth(tokens * CHARACTERS);
    end.map_or(text, |(end, _)| &text[..end])
}

/// Chooses rows: sources by their weight, rows of a source in a new random order each round.
struct Picker {
    random: Random,
    /// Upper ends of the sources' shares.
    ends: Vec<f64>,
    orders: Vec<(Vec<u32>, usize)>,
}

impl Picker {
    fn new(seed: u64, corpus: &Corpus) -> Picker {
        let mut sum = 0.0;
        let ends = corpus.sources.iter().map(|source| {
            sum += source.weight * source.rows.len() as f64;
            sum
        });
        Picker {
            random: Random::new(&[seed, 1]),
            ends: ends.collect(),
            orders: corpus.sources.iter().map(|_| (Vec::new(), 0)).collect(),
        }
    }

    fn next<'a>(&mut self, corpus: &'a Corpus) -> &'a TrainRow {
        let at = self.random.unit() * self.ends.last().copied().unwrap_or(0.0);
        let which = self.ends.iter().take_while(|end| **end <= at).count();
        let which = which.min(self.ends.len() - 1);
        let rows = &corpus.sources[which].rows;
        let (order, next) = &mut self.orders[which];
        if *next == order.len() {
            *order = (0..rows.len() as u32).collect();
            self.random.shuffle(order);
            *next = 0;
        }
        *next += 1;
        &rows[order[*next - 1] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_a_text_ends_between_characters() {
        assert_eq!(start("A loaf.", 1), "A loaf.");
        let long = "é".repeat(40);
        assert_eq!(start(&long, 2), &long[..64]);
        assert_eq!(start(&long, 3), long);
    }
}
