//! Practice: exercises in, moved weights out.
//!
//! What is minimised is the cross-entropy of the probability that is served, all views and the
//! calibration included, so that what is learnt is what tags. The layers that stay are run once an
//! exercise. Invariant: the same exercises, seed and number of steps give the same weights on the
//! same machine; weights that are no numbers end it with an error.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use candle_core::Tensor;

use super::ConsolidateError;
use crate::learn::train::optimizer::{AdamW, norm};
use crate::learn::train::recipe::{GroupRecipe, OptimizerRecipe, ScheduleRecipe};
use crate::model::calibration::Calibration;
use crate::model::loss::weighted_bce;
use crate::model::random::Random;
use crate::model::sequence::Sequence;
use crate::model::trainee::{Prepared, Trainee};

/// Scalars that no served score depends on.
const UNUSED: [&str; 2] = [
    "loss_fn.bce_scale",
    "aggregator.similarity_head.logit_scale",
];

/// A text with targets for labels, tokenised.
#[derive(Clone, Debug, Default)]
pub(super) struct Exercise {
    /// Of the text.
    pub(super) text: Vec<u32>,
    /// Of each label.
    pub(super) labels: Vec<Vec<u32>>,
    /// The probability that each label should have.
    pub(super) targets: Vec<f32>,
    /// How much that counts.
    pub(super) weights: Vec<f32>,
}

/// Everything that is practised.
#[derive(Clone, Debug, Default)]
pub(super) struct Exercises {
    /// What no version has learnt yet.
    pub(super) new: Vec<Exercise>,
    /// What an earlier one has.
    pub(super) old: Vec<Exercise>,
    /// Shipped texts, with what the shipped model says of them.
    pub(super) replay: Vec<Exercise>,
}

/// How to practise.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Start of every random choice.
    pub(super) seed: u64,
    /// How often each new exercise is seen.
    pub(super) rounds: f64,
    /// Fewest and most steps.
    pub(super) steps: [usize; 2],
    /// When to stop whatever is left.
    pub(super) limit: Duration,
    /// Learning rate of the layers.
    pub(super) rate: f64,
    /// Learning rate of the projectors.
    pub(super) head_rate: f64,
    /// The share of the way back to the shipped weights that each step goes.
    pub(super) anchor: f64,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            seed: 0,
            rounds: 8.0,
            steps: [24, 160],
            limit: Duration::from_secs(40),
            rate: 1e-4,
            head_rate: 5e-4,
            anchor: 1e-3,
        }
    }
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Practised {
    pub(super) steps: usize,
    /// Mean loss of the first and of the last steps.
    pub(super) loss: [f64; 2],
}

/// Rows of a step: new, old and shipped ones.
const MIX: [usize; 3] = [4, 2, 2];
/// The same where nothing is old.
const MIX_OF_FIRST: [usize; 3] = [5, 0, 3];
/// Steps that a mean of losses is over.
const FEW: usize = 8;

/// Practises; `tell` hears of each step, and may end it.
pub(super) fn practise(
    trainee: &Trainee,
    calibration: &Calibration,
    exercises: &Exercises,
    anchor: &BTreeMap<String, Tensor>,
    plan: &Plan,
    tell: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<Practised, ConsolidateError> {
    let began = Instant::now();
    let mix = match exercises.old.is_empty() {
        true => MIX_OF_FIRST,
        false => MIX,
    };
    let wanted = (plan.rounds * exercises.new.len() as f64 / mix[0] as f64).ceil() as usize;
    let mut steps = wanted.clamp(plan.steps[0], plan.steps[1]);
    let bench = Bench::new(trainee, calibration, exercises)?;
    let n = [&exercises.new, &exercises.old, &exercises.replay].map(Vec::len);
    let firsts = [0, n[0], n[0] + n[1]];
    let mut decks: Vec<Deck> = (0..3)
        .map(|kind| Deck::new(firsts[kind], n[kind], &[plan.seed, kind as u64]))
        .collect();
    let recipe = OptimizerRecipe {
        learning_rate: plan.rate,
        weight_decay: 0.0, // The anchor is what weights decay to.
        groups: vec![GroupRecipe {
            prefix: "aggregator.".to_owned(),
            learning_rate: Some(plan.head_rate),
            weight_decay: None,
        }],
        ..OptimizerRecipe::default()
    };
    let schedule = |steps: usize| ScheduleRecipe {
        steps,
        warmup: steps.div_ceil(10),
        final_share: 0.05,
        ..ScheduleRecipe::default()
    };
    let mut optimizer = AdamW::new(&recipe, trainee.variables())?;
    let mut losses = Vec::with_capacity(steps);
    let mut step = 0;
    while step < steps {
        step += 1;
        if began.elapsed() > plan.limit || tell(step, steps).is_break() {
            break;
        }
        if step == FEW {
            // Weights that are still moved fast when the time is up are worth little: where the
            // time will not do for all steps, the rate falls sooner.
            steps = affordable(steps, step, began.elapsed(), plan);
        }
        let rows: Vec<usize> = decks
            .iter_mut()
            .zip(mix)
            .flat_map(|(deck, wanted)| deck.draw(wanted))
            .collect();
        let loss = bench.loss(&rows)?;
        let value = f64::from(loss.to_scalar::<f32>()?);
        let store = loss.backward()?;
        let mut gradients = BTreeMap::new();
        for (name, variable) in trainee.variables() {
            if let Some(gradient) = store.get(variable)
                && !UNUSED.contains(&name.as_str())
            {
                gradients.insert(name.clone(), gradient.clone());
            }
        }
        let norm = norm(&gradients)?;
        if !norm.is_finite() || !value.is_finite() {
            return Err(ConsolidateError::NotFinite);
        }
        let clipped = if norm > 1.0 { 1.0 / norm } else { 1.0 };
        optimizer.step(
            trainee.variables(),
            &gradients,
            clipped,
            schedule(steps).share(step),
        )?;
        if plan.anchor > 0.0 {
            for (name, variable) in trainee.variables() {
                let Some(home) = anchor.get(name).filter(|_| gradients.contains_key(name)) else {
                    continue;
                };
                let now = variable.as_tensor().detach();
                let share = plan.anchor;
                variable.set(&((now * (1.0 - share))? + (home * share)?)?)?;
            }
        }
        losses.push(value);
    }
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len().max(1) as f64;
    let done = losses.len();
    Ok(Practised {
        steps: done,
        loss: [
            mean(&losses[..done.min(FEW)]),
            mean(&losses[done.saturating_sub(FEW)..]),
        ],
    })
}

/// How many of `steps` there is time for, when `done` took `elapsed`.
fn affordable(steps: usize, done: usize, elapsed: Duration, plan: &Plan) -> usize {
    let pace = elapsed.as_secs_f64() / done as f64;
    let fit = (0.9 * plan.limit.as_secs_f64() / pace.max(1e-9)) as usize;
    steps.min(fit.max(plan.steps[0]))
}

/// Exercises as the trainee reads them, with what its lower layers make of each.
struct Bench<'a> {
    trainee: &'a Trainee,
    calibration: &'a Calibration,
    rows: Vec<Row<'a>>,
    prepared: Vec<Prepared>,
    /// Where each label alone is among `prepared`.
    alone: BTreeMap<&'a [u32], usize>,
}

struct Row<'a> {
    exercise: &'a Exercise,
    /// Where its text with its labels is.
    joint: usize,
    /// Where its text alone is; the same where labels are isolated.
    text: usize,
}

impl<'a> Bench<'a> {
    fn new(
        trainee: &'a Trainee,
        calibration: &'a Calibration,
        exercises: &'a Exercises,
    ) -> Result<Bench<'a>, ConsolidateError> {
        let mut sequences: Vec<Sequence> = Vec::new();
        let mut rows = Vec::new();
        let mut alone = BTreeMap::new();
        let is_isolated = trainee.config().layout.is_isolated();
        let all = [&exercises.new, &exercises.old, &exercises.replay];
        for exercise in all.into_iter().flatten() {
            let labels: Vec<&[u32]> = exercise.labels.iter().map(Vec::as_slice).collect();
            let joint = sequences.len();
            sequences.push(trainee.sequence(&exercise.text, &labels));
            let needs_more = calibration.needs_alone();
            let mut text = joint;
            if needs_more && !is_isolated {
                text = sequences.len();
                sequences.push(trainee.sequence(&exercise.text, &[]));
            }
            for label in labels.into_iter().filter(|_| needs_more) {
                alone.entry(label).or_insert_with(|| {
                    sequences.push(trainee.sequence(label, &[]));
                    sequences.len() - 1
                });
            }
            rows.push(Row {
                exercise,
                joint,
                text,
            });
        }
        Ok(Bench {
            prepared: trainee.prepare(sequences)?,
            trainee,
            calibration,
            rows,
            alone,
        })
    }

    /// The cross-entropy of these rows.
    fn loss(&self, rows: &[usize]) -> Result<Tensor, ConsolidateError> {
        let rows: Vec<&Row> = rows.iter().map(|row| &self.rows[*row]).collect();
        // Each sequence once, the rows' own first: the joint cosines come in that order.
        let mut places: Vec<usize> = rows.iter().map(|row| row.joint).collect();
        let mut at = |place: usize| {
            let known = places.iter().position(|known| *known == place);
            known.unwrap_or_else(|| {
                places.push(place);
                places.len() - 1
            }) as u32
        };
        let mut pairs = Vec::new();
        let (mut targets, mut weights) = (Vec::new(), Vec::new());
        for (i, row) in rows.iter().enumerate() {
            let text = match row.text == row.joint {
                true => i as u32,
                false => at(row.text),
            };
            targets.extend_from_slice(&row.exercise.targets);
            weights.extend_from_slice(&row.exercise.weights);
            for label in &row.exercise.labels {
                if let Some(place) = self.alone.get(label.as_slice()) {
                    pairs.push((text, at(*place)));
                }
            }
        }
        let sequences: Vec<&Prepared> = places.iter().map(|place| &self.prepared[*place]).collect();
        let coefficients = self.calibration.coefficients();
        let views = self.trainee.views(&sequences, &pairs)?;
        let mut logits = (views.joint * f64::from(coefficients.joint))?;
        if !pairs.is_empty() {
            logits = (logits + (views.embed * f64::from(coefficients.embed))?)?;
            logits = (logits + (views.tokens * f64::from(coefficients.tokens))?)?;
        }
        let logits = (logits + f64::from(coefficients.bias))?;
        Ok(weighted_bce(&logits, &targets, &weights)?)
    }
}

/// Numbers that are drawn one after another, and shuffled anew when all have been.
struct Deck {
    cards: Vec<usize>,
    drawn: usize,
    random: Random,
}

impl Deck {
    fn new(first: usize, n: usize, seeds: &[u64]) -> Deck {
        Deck {
            cards: (first..first + n).collect(),
            drawn: n, // Shuffled before the first is drawn.
            random: Random::new(seeds),
        }
    }

    fn draw(&mut self, wanted: usize) -> Vec<usize> {
        let mut drawn = Vec::with_capacity(wanted);
        // Nobody needs the same card twice in one hand.
        for _ in 0..wanted.min(self.cards.len()) {
            if self.drawn == self.cards.len() {
                self.random.shuffle(&mut self.cards);
                self.drawn = 0;
            }
            drawn.push(self.cards[self.drawn]);
            self.drawn += 1;
        }
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_steps_are_planned_than_there_is_time_for() {
        let plan = Plan {
            steps: [24, 160],
            limit: Duration::from_secs(40),
            ..Plan::default()
        };
        let after = |millis| affordable(100, 8, Duration::from_millis(millis), &plan);
        assert_eq!(after(800), 100); // 0.1 s a step: 360 would fit.
        assert_eq!(after(4000), 72); // 0.5 s a step.
        assert_eq!(after(40_000), 24); // Never fewer than the least.
    }

    #[test]
    fn every_card_is_drawn_before_one_comes_again() {
        let mut deck = Deck::new(10, 5, &[1]);
        let mut drawn = [deck.draw(3), deck.draw(2)].concat();
        drawn.sort_unstable();
        assert_eq!(drawn, [10, 11, 12, 13, 14]);
        assert_eq!(deck.draw(9).len(), 5);
        assert_eq!(Deck::new(0, 0, &[1]).draw(4), [0; 0]);
    }
}
