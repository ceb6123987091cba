//! Penalised logistic regression on cosines: samples in, the best coefficients out.
//!
//! Minimises `Σ w·loss(y, a·joint + c·embed + t·tokens + b) + ridge/2·(a² + c² + t²)` by Newton's method
//! in f64, with the bias free, as scikit-learn's `LogisticRegression(C=1/ridge)` does.
//! Invariant: with both classes present the result is finite, on separable data too, and the same on
//! every machine and number of threads. Knows nothing of why a coefficient is left out.

use rayon::prelude::*;

use super::sample::Sample;

/// How many views there are.
pub(super) const VIEWS: usize = 3;
/// How many numbers are fitted: one a view, and the bias.
const NUMBERS: usize = VIEWS + 1;

/// Which coefficients may differ from 0: `[joint, embed, tokens]`.
pub(super) type Active = [bool; VIEWS];

/// `[joint, embed, tokens, bias]`.
pub(super) type Point = [f64; NUMBERS];

/// What each number of a point is multiplied by.
fn features(sample: &Sample) -> Point {
    [sample.joint, sample.embed, sample.tokens, 1.0].map(f64::from)
}

/// Where the search ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Minimum {
    pub(super) at: Point,
    /// The penalised loss there.
    pub(super) loss: f64,
    /// How many Newton steps were made.
    pub(super) n_steps: usize,
}

/// More than separable data with a tiny ridge has ever needed; twenty are usual.
const MOST_STEPS: usize = 200;
/// Samples that one thread sums at a time. Fixed, so that sums round alike on every machine.
const CHUNK: usize = 1 << 14;

/// `log(1 + e^x)`, without overflow.
pub(super) fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// `1 / (1 + e^-x)`, without overflow.
pub(super) fn sigmoid(x: f64) -> f64 {
    let e = (-x.abs()).exp();
    if x >= 0.0 {
        1.0 / (1.0 + e)
    } else {
        e / (1.0 + e)
    }
}

/// The log-odds of a sample.
pub(super) fn log_odds(at: &Point, sample: &Sample) -> f64 {
    dot(at, &features(sample))
}

/// The samples' weight must be positive in both classes.
pub(super) fn minimise(samples: &[Sample], active: Active, ridge: f64) -> Minimum {
    let mut at = [0.0; NUMBERS];
    at[VIEWS] = base_rate(samples);
    let mut loss = penalised_loss(samples, &at, ridge);
    let mut n_steps = 0;
    while n_steps < MOST_STEPS {
        let slope = Slope::at(samples, &at, active, ridge);
        let step = slope.newton_step();
        let decrease = dot(&slope.gradient, &step);
        // What a full step can still win is half of `decrease`: below the rounding of the loss, stop.
        if decrease <= 1e-15 * (1.0 + loss.abs()) {
            break;
        }
        let Some((next, lower)) = descend(samples, &at, &step, loss, ridge) else {
            break;
        };
        (at, loss) = (next, lower);
        n_steps += 1;
    }
    Minimum { at, loss, n_steps }
}

/// Half steps until the loss falls; `None` where only rounding is left.
fn descend(
    samples: &[Sample],
    at: &Point,
    step: &Point,
    loss: f64,
    ridge: f64,
) -> Option<(Point, f64)> {
    let mut size = 1.0;
    while size > 1e-10 {
        let next = std::array::from_fn(|i| at[i] - size * step[i]);
        let lower = penalised_loss(samples, &next, ridge);
        if lower < loss {
            return Some((next, lower));
        }
        size /= 2.0;
    }
    None
}

/// The log-odds of a positive, before anything is looked at.
fn base_rate(samples: &[Sample]) -> f64 {
    let (mut positive, mut negative) = (0.0, 0.0);
    for s in samples {
        *(if s.positive {
            &mut positive
        } else {
            &mut negative
        }) += f64::from(s.weight);
    }
    f64::ln(positive / negative)
}

fn penalised_loss(samples: &[Sample], at: &Point, ridge: f64) -> f64 {
    let sums: Vec<f64> = samples
        .par_chunks(CHUNK)
        .map(|chunk| chunk.iter().map(|s| loss(at, s)).sum())
        .collect();
    let squares: f64 = at[..VIEWS].iter().map(|x| x * x).sum();
    sums.iter().sum::<f64>() + ridge / 2.0 * squares
}

fn loss(at: &Point, sample: &Sample) -> f64 {
    let z = log_odds(at, sample);
    f64::from(sample.weight) * softplus(if sample.positive { -z } else { z })
}

fn dot(a: &Point, b: &Point) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// First and second derivative of the penalised loss.
struct Slope {
    gradient: Point,
    curvature: [Point; NUMBERS],
}

impl Slope {
    fn at(samples: &[Sample], at: &Point, active: Active, ridge: f64) -> Slope {
        let sums: Vec<Slope> = samples
            .par_chunks(CHUNK)
            .map(|chunk| {
                let mut sum = Slope::default();
                chunk.iter().for_each(|s| sum.add(at, s));
                sum
            })
            .collect();
        let mut total = Slope::default();
        for sum in &sums {
            for i in 0..NUMBERS {
                total.gradient[i] += sum.gradient[i];
                for j in 0..NUMBERS {
                    total.curvature[i][j] += sum.curvature[i][j];
                }
            }
        }
        for i in 0..VIEWS {
            total.gradient[i] += ridge * at[i];
            total.curvature[i][i] += ridge;
            if !active[i] {
                // A coefficient that stays where it is: no slope, and nothing to do with the others.
                total.gradient[i] = 0.0;
                for j in 0..NUMBERS {
                    total.curvature[i][j] = 0.0;
                    total.curvature[j][i] = 0.0;
                }
                total.curvature[i][i] = 1.0;
            }
        }
        // The bias has no ridge; this only keeps the division possible where every sample is certain.
        total.curvature[VIEWS][VIEWS] += 1e-12;
        total
    }

    fn add(&mut self, at: &Point, sample: &Sample) {
        let x = features(sample);
        let weight = f64::from(sample.weight);
        let p = sigmoid(log_odds(at, sample));
        let error = weight * (p - f64::from(u8::from(sample.positive)));
        let curve = weight * p * (1.0 - p);
        for i in 0..NUMBERS {
            self.gradient[i] += error * x[i];
            for j in 0..NUMBERS {
                self.curvature[i][j] += curve * x[i] * x[j];
            }
        }
    }

    /// Solves `curvature · step = gradient` by Cholesky: the curvature is symmetric and positive.
    fn newton_step(&self) -> Point {
        let mut lower = [[0.0; NUMBERS]; NUMBERS];
        for i in 0..NUMBERS {
            for j in 0..=i {
                let known: f64 = (0..j).map(|k| lower[i][k] * lower[j][k]).sum();
                let rest = self.curvature[i][j] - known;
                lower[i][j] = if i == j {
                    rest.max(1e-12).sqrt()
                } else {
                    rest / lower[j][j]
                };
            }
        }
        let mut step = self.gradient;
        for i in 0..NUMBERS {
            let known: f64 = (0..i).map(|k| lower[i][k] * step[k]).sum();
            step[i] = (step[i] - known) / lower[i][i];
        }
        for i in (0..NUMBERS).rev() {
            let known: f64 = (i + 1..NUMBERS).map(|k| lower[k][i] * step[k]).sum();
            step[i] = (step[i] - known) / lower[i][i];
        }
        step
    }
}

impl Default for Slope {
    fn default() -> Slope {
        Slope {
            gradient: [0.0; NUMBERS],
            curvature: [[0.0; NUMBERS]; NUMBERS],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(joint: f32, embed: f32, positive: bool) -> Sample {
        Sample {
            joint,
            embed,
            tokens: 0.0,
            positive,
            weight: 1.0,
            group: 0,
            row: 0,
        }
    }

    #[test]
    fn without_features_the_bias_is_the_base_rate() {
        let samples: Vec<Sample> = (0..10).map(|i| sample(0.3, 0.1, i < 2)).collect();
        let minimum = minimise(&samples, [false; VIEWS], 1e-3);
        assert!((sigmoid(minimum.at[VIEWS]) - 0.2).abs() < 1e-9);
        assert_eq!(minimum.at[..VIEWS], [0.0; VIEWS]);
    }

    #[test]
    fn separable_data_ends_at_a_finite_point() {
        let samples: Vec<Sample> = (-5..5)
            .map(|i| sample(i as f32 / 5.0 + 0.1, i as f32 / 10.0, i >= 0))
            .collect();
        for ridge in [1e-6, 1e-3, 1.0] {
            let minimum = minimise(&samples, [true, true, false], ridge);
            assert!(minimum.at.iter().all(|x| x.is_finite()), "{minimum:?}");
            assert!(minimum.n_steps < MOST_STEPS, "{minimum:?}");
            let slope = Slope::at(&samples, &minimum.at, [true, true, false], ridge);
            let steepest = slope.gradient.iter().fold(0.0, |m: f64, g| m.max(g.abs()));
            assert!(steepest < 1e-6, "{steepest} at ridge {ridge}");
        }
    }

    #[test]
    fn two_views_that_say_the_same_share_the_weight() {
        let samples: Vec<Sample> = (0..100)
            .map(|i| {
                let x = (i % 10) as f32 / 10.0;
                sample(x, x, i % 10 > 3 || i % 7 == 0)
            })
            .collect();
        let [joint, embed, ..] = minimise(&samples, [true, true, false], 1e-3).at;
        assert!((joint - embed).abs() < 1e-3, "{joint} {embed}");
    }

    #[test]
    fn the_stable_forms_agree_with_the_plain_ones_and_do_not_overflow() {
        for x in [-3.0, -0.1, 0.0, 0.1, 3.0_f64] {
            assert!((softplus(x) - (1.0 + x.exp()).ln()).abs() < 1e-12);
            assert!((sigmoid(x) - 1.0 / (1.0 + (-x).exp())).abs() < 1e-12);
        }
        assert_eq!(softplus(1e6), 1e6);
        assert_eq!((sigmoid(1e6), sigmoid(-1e6)), (1.0, 0.0));
    }
}
