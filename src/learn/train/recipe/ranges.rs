//! Numbers of a recipe that make no sense, alone or together: a recipe in, sentences out.
//!
//! Knows nothing of TOML; what only the checkpoint tells is asked once that is read.

use std::collections::BTreeSet;

use super::{Metric, Recipe};
use crate::model::loss::LossWeights;

/// No model reads more.
const MOST_TOKENS: usize = 1_000_000;
/// Each is looked for among a file's labels, for each row.
const MOST_LABELS: usize = 10_000;
/// Rows with their tokens take some kilobytes each.
const MOST_AT_ONCE: usize = 1_000_000;
/// What the passes of one step read is held until it is done.
const MOST_PASSES: usize = 100_000;

/// All that makes no sense, but where it is about a key among the `unread`: what stands there is a
/// fault that was told.
pub(super) fn faults(recipe: &Recipe, unread: &BTreeSet<String>) -> Vec<String> {
    let mut faults = Faults {
        unread,
        told: Vec::new(),
    };
    faults.of_data(recipe);
    faults.of_what_is_shown(recipe);
    faults.of_losses(recipe);
    faults.of_steps(recipe);
    faults.of_measuring(recipe);
    faults.told
}

/// What a recipe asks that its checkpoint, with so many layers and these weights where the recipe
/// has none, does not have.
pub(in crate::learn::train) fn unfit(
    recipe: &Recipe,
    layers: usize,
    weights: &LossWeights,
) -> Vec<String> {
    let mut faults = Vec::new();
    if recipe.freeze.layers > layers {
        faults.push(format!(
            "`freeze.layers` is {}, and it has {layers}; freeze so many at most",
            recipe.freeze.layers
        ));
    }
    let loss = &recipe.loss;
    let all = [
        weights.supcon,
        weights.repulsion,
        weights.bce,
        loss.embedding,
        loss.label_embedding,
    ];
    if all.iter().all(|weight| *weight == 0.0) {
        faults.push("all weights under `[loss]` are 0, so nothing is learnt; raise one".to_owned());
    }
    faults
}

struct Faults<'a> {
    unread: &'a BTreeSet<String>,
    told: Vec<String>,
}

impl Faults<'_> {
    /// Tells the fact where it does not hold and all of the keys that it is about were read.
    fn need(&mut self, keys: &[&str], holds: bool, fact: &str) {
        if !holds && !keys.iter().any(|key| self.unread.contains(*key)) {
            self.told.push(fact.to_owned());
        }
    }

    fn of_data(&mut self, recipe: &Recipe) {
        self.need(
            &["data"],
            !recipe.data.is_empty(),
            "no data; add a `[[data]]` table with `files`",
        );
        for source in &recipe.data {
            self.need(
                &["data.files"],
                !source.files.all().is_empty(),
                "a `[[data]]` table has no `files`; name some",
            );
            self.need(
                &["data.weight"],
                source.weight > 0.0 && source.weight.is_finite(),
                "`data.weight` must be more than 0",
            );
            self.need(
                &["data.cap"],
                source.cap != Some(0),
                "`data.cap` is 0; leave the table out instead",
            );
        }
    }

    fn of_what_is_shown(&mut self, recipe: &Recipe) {
        let (text, labels) = (&recipe.text, &recipe.labels);
        self.need(
            &["text.tokens", "text.label_tokens"],
            text.tokens > 0 && text.label_tokens > 0,
            "`text.tokens` and `text.label_tokens` must be more than 0",
        );
        for (key, number, most) in [
            ("text.tokens", text.tokens, MOST_TOKENS),
            ("text.label_tokens", text.label_tokens, MOST_TOKENS),
            (
                "text.long_tokens",
                text.long_tokens.unwrap_or(1),
                MOST_TOKENS,
            ),
            ("labels.max", labels.max, MOST_LABELS),
        ] {
            self.need(
                &[key],
                number <= most,
                &format!("`{key}` is {number}; it must be {most} at most"),
            );
        }
        self.need(
            &["text.long_tokens"],
            text.long_tokens != Some(0),
            "`text.long_tokens` is 0; leave it out, or give it a number",
        );
        self.need(
            &["labels.min", "labels.max"],
            labels.min > 0 && labels.min <= labels.max,
            "`labels.min` must be from 1 to `labels.max`",
        );
        self.need(
            &["labels.max_true"],
            labels.max_true > 0,
            "`labels.max_true` must be more than 0",
        );
        self.need(
            &["labels.smoothing"],
            (0.0..=0.5).contains(&labels.smoothing),
            "`labels.smoothing` must be from 0 to 0.5",
        );
        for (key, share) in [
            ("text.long_share", text.long_share),
            ("text.random_window", text.random_window),
            ("labels.hard", labels.hard),
            ("labels.foreign", labels.foreign),
            ("labels.none_apply", labels.none_apply),
            ("labels.case", labels.case),
            ("labels.separator", labels.separator),
            ("schedule.final", recipe.schedule.final_share),
        ] {
            self.need(
                &[key],
                (0.0..=1.0).contains(&share),
                &format!("`{key}` is {share}; it must be from 0 to 1"),
            );
        }
        for (key, share) in [
            ("model.hidden_dropout", recipe.model.hidden_dropout),
            ("model.head_dropout", recipe.model.head_dropout),
        ] {
            self.need(
                &[key],
                (0.0..1.0).contains(&share),
                &format!("`{key}` is {share}; it must be from 0 to below 1"),
            );
        }
    }

    fn of_losses(&mut self, recipe: &Recipe) {
        let loss = &recipe.loss;
        for (key, weight) in [
            ("loss.supcon", loss.supcon),
            ("loss.repulsion", loss.repulsion),
            ("loss.bce", loss.bce),
            ("loss.embedding", Some(loss.embedding)),
            ("loss.label_embedding", Some(loss.label_embedding)),
        ] {
            let weight = weight.unwrap_or(0.0);
            self.need(
                &[key],
                weight >= 0.0 && weight.is_finite(),
                &format!("`{key}` is {weight}; a weight must be 0 or more"),
            );
        }
        self.need(
            &["loss.supcon_temperature"],
            loss.supcon_temperature
                .is_none_or(|t| t > 0.0 && t.is_finite()),
            "`loss.supcon_temperature` must be more than 0",
        );
        let threshold = loss.repulsion_threshold.unwrap_or(0.0);
        self.need(
            &["loss.repulsion_threshold"],
            (-1.0..=1.0).contains(&threshold),
            &format!("`loss.repulsion_threshold` is {threshold}; a cosine is from -1 to 1"),
        );
        self.need(
            &["loss.bce_bias"],
            loss.bce_bias.is_finite(),
            &format!(
                "`loss.bce_bias` is {}; it must be a finite number",
                loss.bce_bias
            ),
        );
    }

    fn of_steps(&mut self, recipe: &Recipe) {
        let adam = &recipe.optimizer;
        self.need(
            &["optimizer.learning_rate"],
            adam.learning_rate > 0.0 && adam.learning_rate.is_finite(),
            "`optimizer.learning_rate` must be more than 0",
        );
        self.need(
            &["optimizer.beta1", "optimizer.beta2"],
            (0.0..1.0).contains(&adam.beta1) && (0.0..1.0).contains(&adam.beta2),
            "`optimizer.beta1` and `beta2` must be from 0 to below 1",
        );
        let is_amount = |number: f64| number >= 0.0 && number.is_finite();
        self.need(
            &[
                "optimizer.epsilon",
                "optimizer.weight_decay",
                "optimizer.clip",
            ],
            adam.epsilon > 0.0
                && [adam.epsilon, adam.weight_decay, adam.clip]
                    .into_iter()
                    .all(is_amount),
            "`optimizer.epsilon` must be more than 0, `weight_decay` and `clip` 0 or more",
        );
        let rates = adam.groups.iter().map(|group| group.learning_rate);
        let decays = adam.groups.iter().map(|group| group.weight_decay);
        self.need(
            &["optimizer.groups"],
            rates.chain(decays).flatten().all(is_amount),
            "`learning_rate` and `weight_decay` under `[[optimizer.groups]]` must be 0 or more",
        );
        self.need(
            &["schedule.steps", "schedule.warmup"],
            recipe.schedule.steps > 0 && recipe.schedule.warmup <= recipe.schedule.steps,
            "`schedule.steps` must be more than 0, and `warmup` no more than it",
        );
        let batch = &recipe.batch;
        self.need(
            &["batch.rows", "batch.accumulation", "batch.pool"],
            batch.rows > 0 && batch.accumulation > 0 && batch.pool > 0,
            "numbers under `[batch]` must be more than 0",
        );
        let at_once = batch.rows.checked_mul(batch.pool);
        self.need(
            &["batch.rows", "batch.pool"],
            at_once.is_some_and(|rows| rows <= MOST_AT_ONCE),
            &format!(
                "`batch.rows` × `batch.pool` rows are laid out at once, and must be {MOST_AT_ONCE} at most; lower one"
            ),
        );
        self.need(
            &["batch.accumulation"],
            batch.accumulation <= MOST_PASSES,
            &format!(
                "`batch.accumulation` is {}; it must be {MOST_PASSES} at most",
                batch.accumulation
            ),
        );
        self.need(
            &["checkpoint.every", "checkpoint.keep"],
            recipe.checkpoint.every > 0 && recipe.checkpoint.keep > 0,
            "numbers under `[checkpoint]` must be more than 0",
        );
    }

    fn of_measuring(&mut self, recipe: &Recipe) {
        let evaluation = &recipe.evaluation;
        self.need(
            &["evaluation.holdout"],
            (0.0..=0.5).contains(&evaluation.holdout),
            "`evaluation.holdout` must be from 0 to 0.5",
        );
        self.need(
            &["evaluation.rows"],
            evaluation.rows > 0,
            "`evaluation.rows` must be more than 0",
        );
        let is_measured = evaluation.holdout > 0.0 || !evaluation.files.all().is_empty();
        self.need(
            &["evaluation.every", "evaluation.holdout", "evaluation.files"],
            evaluation.every == 0 || is_measured,
            "`evaluation.every` is set, but nothing is measured; set `holdout` or `files`",
        );
        self.need(
            &["evaluation.patience", "evaluation.every"],
            evaluation.patience == 0 || evaluation.every > 0,
            "`evaluation.patience` is set, but not `every`; say after how many steps to measure",
        );
        self.need(
            &[
                "evaluation.metric",
                "evaluation.every",
                "evaluation.holdout",
            ],
            evaluation.metric != Metric::Loss || evaluation.every == 0 || evaluation.holdout > 0.0,
            "`evaluation.metric = \"loss\"` needs a `holdout`",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::config::LossConfig;

    fn of(loss: &str) -> Recipe {
        Recipe::parse(&format!("[[data]]\nfiles = \"a\"\n{loss}")).unwrap()
    }

    const CHECKPOINT: LossConfig = LossConfig {
        supcon: 1.0,
        repulsion: 0.1,
        repulsion_threshold: 0.3,
        bce: 1.0,
    };

    #[test]
    fn what_the_checkpoint_does_not_have_is_told_at_once() {
        let none = "[loss]\nsupcon = 0\nrepulsion = 0\nbce = 0\n[freeze]\nlayers = 7\n";
        let recipe = of(none);
        let faults = unfit(&recipe, 6, &recipe.loss.weights(&CHECKPOINT));
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(faults[0].contains("`freeze.layers` is 7, and it has 6"));
        assert!(faults[1].contains("all weights"), "{faults:?}");
        for enough in [
            "[loss]\nsupcon = 0\nbce = 0\n[freeze]\nlayers = 6\n",
            "[loss]\nsupcon = 0\nrepulsion = 0\nbce = 0\nembedding = 1\n",
        ] {
            let recipe = of(enough);
            let weights = recipe.loss.weights(&CHECKPOINT);
            assert!(unfit(&recipe, 6, &weights).is_empty(), "{enough}");
        }
    }

    #[test]
    fn numbers_that_are_none_and_cosines_that_cannot_be_are_refused() {
        for (loss, told) in [
            ("bce_bias = nan", "`loss.bce_bias` is NaN"),
            ("bce_bias = inf", "`loss.bce_bias` is inf"),
            (
                "repulsion_threshold = 1.5",
                "`loss.repulsion_threshold` is 1.5",
            ),
            ("repulsion_threshold = -1.01", "from -1 to 1"),
            ("supcon = -1", "`loss.supcon` is -1"),
            ("supcon_temperature = inf", "`loss.supcon_temperature`"),
        ] {
            let text = format!("[[data]]\nfiles = \"a\"\n[loss]\n{loss}\n");
            let faults = Recipe::parse(&text).unwrap_err();
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert!(faults[0].contains(told), "{told}: {faults:?}");
        }
    }

    #[test]
    fn numbers_that_no_machine_has_room_for_are_refused() {
        for (key, told) in [
            ("[text]\ntokens", "`text.tokens` is 9"),
            ("[text]\nlong_tokens", "`text.long_tokens`"),
            ("[text]\nlabel_tokens", "`text.label_tokens`"),
            ("[labels]\nmax", "10000 at most"),
            ("[batch]\nrows", "`batch.rows` × `batch.pool`"),
            ("[batch]\npool", "1000000 at most"),
            ("[batch]\naccumulation", "100000 at most"),
        ] {
            let text = format!("[[data]]\nfiles = \"a\"\n{key} = {}\n", i64::MAX);
            let faults = Recipe::parse(&text).unwrap_err();
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert!(faults[0].contains(told), "{told}: {faults:?}");
        }
        let much =
            "[text]\ntokens = 8192\n[labels]\nmax = 10000\n[batch]\nrows = 4096\npool = 128\n";
        assert_eq!(of(much).labels.max, 10_000);
    }

    #[test]
    fn values_of_a_wrong_kind_and_out_of_range_are_told_together_and_each_once() {
        let text = "[[data]]\nfiles = 3\n[labels]\nmin = \"x\"\nmax = 1\nhard = 2\n\
            [schedule]\nsteps = 0\n";
        let faults = Recipe::parse(text).unwrap_err();
        assert_eq!(faults.len(), 4, "{faults:#?}");
    }
}
