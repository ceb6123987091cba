//! Deviations by stage. Pure.

use serde::Serialize;

/// What rounding makes of a number in the course of an encoder, as a share of it.
const ROUNDING: f64 = 1e-6;

/// One kind of comparison over all cases.
#[derive(Debug, Serialize, PartialEq)]
pub struct Stage {
    /// What was compared.
    pub name: &'static str,
    /// Largest absolute difference, less where numbers are so large that float32 is coarser than the
    /// tolerance; for ids and masks, the number of differing elements.
    pub deviation: f64,
    /// What is allowed.
    pub tolerance: f64,
    /// How many comparisons were made.
    pub compared: usize,
    /// Where the largest deviation is.
    pub worst: Option<String>,
    /// `deviation <= tolerance`.
    pub passed: bool,
}

/// Stages in the order they were first seen.
#[derive(Default)]
pub(super) struct Stages(Vec<Stage>);

impl Stages {
    /// Compares whole numbers; a missing expectation is no comparison.
    pub(super) fn equal(
        &mut self,
        name: &'static str,
        place: &str,
        got: &[u32],
        want: Option<&[u32]>,
    ) {
        let Some(want) = want else { return };
        let differing =
            got.iter().zip(want).filter(|(a, b)| a != b).count() + got.len().abs_diff(want.len());
        self.add(name, place, 0.0, differing as f64);
    }

    /// Compares numbers; lengths that differ and values that are not numbers deviate infinitely.
    /// Beside the tolerance each may be off by what float32 makes of the largest of them.
    pub(super) fn near(
        &mut self,
        name: &'static str,
        place: &str,
        tolerance: f64,
        got: &[f32],
        want: Option<&[f32]>,
    ) {
        let Some(want) = want else { return };
        let deviation = if got.len() == want.len() {
            let largest = want
                .iter()
                .fold(0.0, |most: f64, x| most.max(f64::from(x.abs())));
            let differences = got.iter().zip(want).map(|(a, b)| difference(*a, *b));
            let most = differences.fold(0.0, f64::max);
            match most.is_finite() {
                true => most / (1.0 + ROUNDING * largest / tolerance),
                false => most,
            }
        } else {
            f64::INFINITY
        };
        self.add(name, place, tolerance, deviation);
    }

    pub(super) fn finish(self) -> Vec<Stage> {
        self.0
    }

    fn add(&mut self, name: &'static str, place: &str, tolerance: f64, deviation: f64) {
        let at = self
            .0
            .iter()
            .position(|stage| stage.name == name)
            .unwrap_or_else(|| {
                self.0.push(Stage {
                    name,
                    deviation: 0.0,
                    tolerance,
                    compared: 0,
                    worst: None,
                    passed: true,
                });
                self.0.len() - 1
            });
        let stage = &mut self.0[at];
        stage.compared += 1;
        if deviation > stage.deviation {
            stage.deviation = deviation;
            stage.worst = Some(place.to_owned());
        }
        stage.passed = stage.deviation <= stage.tolerance;
    }
}

fn difference(a: f32, b: f32) -> f64 {
    let difference = (f64::from(a) - f64::from(b)).abs();
    if difference.is_nan() {
        f64::INFINITY
    } else {
        difference
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_place_decides_and_is_named() {
        let mut stages = Stages::default();
        stages.near("logits", "case 0", 0.1, &[1.0, 2.0], Some(&[1.0, 2.05]));
        stages.near("logits", "case 1", 0.1, &[1.0], Some(&[1.5]));
        stages.near("logits", "case 2", 0.1, &[1.0], None);
        let stage = stages.finish().remove(0);
        assert_eq!(
            (stage.compared, stage.worst.as_deref(), stage.passed),
            (2, Some("case 1"), false)
        );
    }

    #[test]
    fn a_missing_value_or_a_nan_is_no_agreement() {
        for got in [&[1.0_f32][..], &[1.0, f32::NAN]] {
            let mut stages = Stages::default();
            stages.near("x", "", 1.0, got, Some(&[1.0, 1.0]));
            assert!(!stages.finish()[0].passed, "{got:?}");
        }
        let mut stages = Stages::default();
        stages.equal("ids", "", &[1, 2, 3], Some(&[1, 9]));
        assert_eq!(stages.finish()[0].deviation, 2.0);
    }

    #[test]
    fn large_numbers_are_held_to_what_float32_tells_apart() {
        for (got, passed) in [(3000.002_f32, true), (3000.02, false)] {
            let mut stages = Stages::default();
            stages.near("x", "", 1e-4, &[got, 1.0], Some(&[3000.0, 1.0]));
            assert_eq!(stages.finish()[0].passed, passed, "{got}");
        }
        let mut stages = Stages::default();
        stages.near("x", "", 1e-4, &[1.0002], Some(&[1.0]));
        assert!(!stages.finish()[0].passed);
    }
}
