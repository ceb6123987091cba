//! How well a calibration carries over to label sets that it has not seen.
//!
//! In: samples with their label space, and those for the level. Out: quality on each held-out part,
//! and on all of them.
//! Invariant: a label space is never in the fit and in the test of the same fold; every sample is
//! tested once. Deterministic: the folds follow from the sizes of the label spaces.

use std::collections::BTreeMap;

use super::fit::{Fit, FitError, Options, fit};
use super::level::levelled;
use super::newton;
use super::quality::{Quality, quality};
use super::sample::Sample;

/// One held-out part.
#[derive(Clone, Debug, PartialEq)]
pub struct Fold {
    /// The label spaces in it.
    pub groups: Vec<u32>,
    /// Its decisions.
    pub n_decisions: usize,
    /// What was fitted on the rest.
    pub fit: Fit,
    /// How good that fit is here.
    pub quality: Quality,
}

/// Quality on label spaces that the fit had not seen.
#[derive(Clone, Debug, PartialEq)]
pub struct CrossValidation {
    /// The parts.
    pub folds: Vec<Fold>,
    /// All decisions together, each scored by the fit that had not seen it.
    ///
    /// Label spaces that are too sure and ones that are not sure enough partly cancel out here, as
    /// they do for a user with several label sets; `mean_error` has no such comfort.
    pub pooled: Quality,
    /// The mean of the folds' calibration errors.
    pub mean_error: f64,
}

/// Fits on all label spaces but some, tests on those; `None` where there is only one label space.
///
/// The spaces of `level` are held out in the same way, so what is tested is what is shipped: a fit
/// and its level, on label spaces that neither has seen.
pub fn run(
    samples: &[Sample],
    level: &[Sample],
    options: &Options,
) -> Result<Option<CrossValidation>, FitError> {
    let all = [samples, level].concat();
    let assignment = assign(&all, options.n_folds);
    let n_folds = assignment.values().max().map_or(0, |last| last + 1);
    if n_folds < 2 {
        return Ok(None);
    }
    let mut folds = Vec::with_capacity(n_folds);
    for fold in 0..n_folds {
        let split = |of: &[Sample]| -> (Vec<Sample>, Vec<Sample>) {
            of.iter().partition(|s| assignment[&s.group] == fold)
        };
        let ((mut held_out, rest), (held_out_level, rest_level)) = (split(samples), split(level));
        held_out.extend(held_out_level);
        let fit = levelled(fit(&rest, options)?, &rest, &rest_level, options)?;
        folds.push(Fold {
            groups: assignment
                .iter()
                .filter(|(_, of)| **of == fold)
                .map(|(group, _)| *group)
                .collect(),
            n_decisions: held_out.len(),
            fit,
            quality: quality(&held_out, |s| newton::log_odds(&fit.point(), s)),
        });
    }
    let unseen = |s: &Sample| newton::log_odds(&folds[assignment[&s.group]].fit.point(), s);
    let pooled = quality(&all, unseen);
    let mean_error = folds.iter().map(|f| f.quality.error).sum::<f64>() / folds.len() as f64;
    Ok(Some(CrossValidation {
        pooled,
        mean_error,
        folds,
    }))
}

/// The fold of each label space: the heaviest first, each into the fold that is lightest so far.
fn assign(samples: &[Sample], n_folds: usize) -> BTreeMap<u32, usize> {
    let mut weights: BTreeMap<u32, f64> = BTreeMap::new();
    for s in samples {
        *weights.entry(s.group).or_default() += f64::from(s.weight);
    }
    let mut groups: Vec<(u32, f64)> = weights.into_iter().collect();
    groups.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let mut filled = vec![0.0_f64; n_folds.min(groups.len()).max(1)];
    groups
        .into_iter()
        .map(|(group, weight)| {
            let lightest = (0..filled.len())
                .min_by(|&a, &b| filled[a].total_cmp(&filled[b]))
                .unwrap_or(0);
            filled[lightest] += weight;
            (group, lightest)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(sizes: &[usize]) -> Vec<Sample> {
        sizes
            .iter()
            .enumerate()
            .flat_map(|(group, &n)| {
                (0..n).map(move |i| Sample {
                    joint: (i % 10) as f32 / 10.0,
                    embed: 0.0,
                    tokens: 0.0,
                    positive: i % 10 > 6 || i % 7 == 1,
                    weight: 1.0,
                    group: group as u32,
                    row: i as u32,
                })
            })
            .collect()
    }

    #[test]
    fn label_spaces_are_spread_over_folds_of_like_size() {
        let folds = assign(&samples(&[100, 20, 30, 50, 10]), 2);
        assert_eq!(
            folds,
            BTreeMap::from([(0, 0), (3, 1), (2, 1), (1, 1), (4, 0)])
        );
    }

    #[test]
    fn every_decision_is_tested_once_and_never_on_its_own_fit() {
        let samples = samples(&[40, 60, 50, 30]);
        let report = run(&samples, &[], &Options::default()).unwrap().unwrap();
        assert_eq!(report.folds.len(), 4);
        let tested: usize = report.folds.iter().map(|f| f.n_decisions).sum();
        assert_eq!(tested, samples.len());
        let fold = &report.folds[0];
        let rest: Vec<Sample> = samples
            .iter()
            .filter(|s| !fold.groups.contains(&s.group))
            .copied()
            .collect();
        assert_eq!(fold.fit, fit(&rest, &Options::default()).unwrap());
    }

    #[test]
    fn a_label_space_of_another_kind_shows_in_the_held_out_error() {
        // The last space turns everything round: fitted together nobody sees it, held out one does.
        let mut samples = samples(&[300, 300, 300]);
        for s in samples.iter_mut().filter(|s| s.group == 2) {
            s.positive = !s.positive;
        }
        let report = run(&samples, &[], &Options::default()).unwrap().unwrap();
        let odd = report.folds.iter().find(|f| f.groups == [2]).unwrap();
        assert!(odd.quality.error > 0.3, "{odd:?}");
    }

    #[test]
    fn what_moves_the_level_is_held_out_with_its_label_space() {
        let all = samples(&[300, 300, 300, 300]);
        // Of what fits in the last two spaces, nobody gave a third.
        let (own, level): (Vec<Sample>, Vec<Sample>) = all.iter().partition(|s| s.group < 2);
        let level: Vec<Sample> = level
            .into_iter()
            .map(|s| Sample {
                positive: s.positive && s.row % 3 != 0,
                ..s
            })
            .collect();
        let options = Options::default();
        let report = run(&own, &level, &options).unwrap().unwrap();
        let tested: usize = report.folds.iter().map(|f| f.n_decisions).sum();
        assert_eq!((report.folds.len(), tested), (4, 1200));
        for fold in &report.folds {
            let seen = |of: &[Sample]| -> Vec<Sample> {
                let seen = of.iter().filter(|s| !fold.groups.contains(&s.group));
                seen.copied().collect()
            };
            let (own, level) = (seen(&own), seen(&level));
            let plain = fit(&own, &options).unwrap();
            let expected = levelled(plain, &own, &level, &options).unwrap();
            assert_eq!(fold.fit, expected);
            assert_ne!(fold.fit, plain);
        }
    }

    #[test]
    fn one_label_space_cannot_be_held_out() {
        assert_eq!(
            run(&samples(&[50]), &[], &Options::default()).unwrap(),
            None
        );
    }
}
