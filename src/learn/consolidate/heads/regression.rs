//! Logistic regression on a prior: a label's rows in, the weights that fit them out.
//!
//! The descent is Nesterov's (1983). Pure; the same rows give the same weights.

use crate::model::label_head::LabelHead;
use crate::score::Logit;

/// How much a head is held back from growing; the second for the part that no text moves. Larger
/// ones learn less, see `docs/decisions.md`.
const RIDGE: f32 = 0.01;
const RIDGE_OF_BIAS: f32 = 3.0;
/// Steps of the descent.
const STEPS: usize = 300;
/// A label fits few texts: those that it does count as much together as all others, each at most so
/// much.
const MOST_OF_ONE: f32 = 16.0;

/// A text, what is said of one label, and what should be.
pub(super) struct Row<'a> {
    /// The text around the middle of all.
    pub(super) text: &'a [f32],
    pub(super) logit: f32,
    pub(super) target: f32,
    pub(super) weight: f32,
}

/// Lets the texts that a label fits count as much as the others.
pub(super) fn balance(rows: &mut [Row]) {
    let against: f32 = rows.iter().map(|row| row.weight * (1.0 - row.target)).sum();
    let fits = |row: &&mut Row| row.target == 1.0;
    let n = rows.iter().filter(|row| row.target == 1.0).count();
    let weight = (against / n.max(1) as f32).clamp(1.0, MOST_OF_ONE);
    rows.iter_mut()
        .filter(fits)
        .for_each(|row| row.weight = weight);
}

/// The weights that fit the rows, the bias last, as near to `from` as the ridge pulls them.
pub(super) fn fit(rows: &[Row], from: &[f32]) -> Vec<f32> {
    let dimensions = from.len() - 1;
    let ridge = |i: usize| if i < dimensions { RIDGE } else { RIDGE_OF_BIAS };
    let odds =
        |row: &Row, at: &[f32]| row.logit + at[dimensions] + dot(&at[..dimensions], row.text);
    // A bound on the curvature: a quarter of the sum of squares, and the ridge.
    let square = |row: &Row| row.weight * (1.0 + dot(row.text, row.text));
    let curvature = rows.iter().map(square).sum::<f32>() / 4.0;
    let step = 1.0 / (curvature + RIDGE.max(RIDGE_OF_BIAS));
    let (mut at, mut ahead) = (from.to_vec(), from.to_vec());
    for round in 0..STEPS {
        let pulled = ahead.iter().zip(from).enumerate();
        let mut slope: Vec<f32> = pulled.map(|(i, (w, from))| ridge(i) * (w - from)).collect();
        for row in rows {
            let error = row.weight * (sigmoid(odds(row, &ahead)) - row.target);
            for (slope, x) in slope.iter_mut().zip(row.text) {
                *slope += error * x;
            }
            slope[dimensions] += error;
        }
        let momentum = round as f32 / (round as f32 + 3.0);
        for ((at, ahead), slope) in at.iter_mut().zip(&mut ahead).zip(&slope) {
            let next = *ahead - step * slope;
            *ahead = next + momentum * (next - *at);
            *at = next;
        }
    }
    at
}

/// Where texts lie: around the middle of ordinary ones, at about length 1.
pub(super) struct Space {
    pub(super) middle: Vec<f32>,
    scale: f32,
}

impl Space {
    /// `None` where there are no texts, or they are all one.
    pub(super) fn of<'a>(texts: impl Iterator<Item = &'a Vec<f32>>) -> Option<Space> {
        let (mut middle, mut n) = (Vec::new(), 0.0_f32);
        for text in texts.filter(|text| !text.is_empty()) {
            middle.resize(text.len(), 0.0);
            middle.iter_mut().zip(text).for_each(|(m, x)| *m += x);
            n += 1.0;
        }
        middle.iter_mut().for_each(|m| *m /= n);
        let spread = 1.0 - dot(&middle, &middle);
        (n > 0.0 && spread > 1e-6).then(|| Space {
            scale: spread.sqrt().recip(),
            middle,
        })
    }

    pub(super) fn place(&self, text: &[f32]) -> Vec<f32> {
        if text.is_empty() {
            return vec![0.0; self.middle.len()]; // Nothing to read is as ordinary as can be.
        }
        let apart = text.iter().zip(&self.middle);
        apart.map(|(x, m)| (x - m) * self.scale).collect()
    }

    /// A head for texts as they are, as weights for texts around the middle.
    pub(super) fn inward(&self, head: &LabelHead) -> Vec<f32> {
        let weights = head.weights().iter().map(|w| w / self.scale);
        let mut inward: Vec<f32> = weights.collect();
        inward.resize(self.middle.len(), 0.0);
        inward.push(head.bias() + dot(head.weights(), &self.middle));
        inward
    }

    /// The way back.
    pub(super) fn outward(&self, at: &[f32]) -> Option<LabelHead> {
        let (bias, weights) = at.split_last()?;
        let weights: Vec<f32> = weights.iter().map(|w| w * self.scale).collect();
        let bias = bias - dot(&weights, &self.middle);
        LabelHead::new(weights, bias)
    }
}

pub(super) fn sigmoid(logit: f32) -> f32 {
    Logit::new(logit).map_or(0.5, |logit| logit.sigmoid().value())
}

pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_in_and_out_of_the_space_changes_nothing() {
        let texts = vec![
            vec![0.6, 0.8, 0.0],
            vec![0.0, 0.6, 0.8],
            vec![0.8, 0.0, 0.6],
        ];
        let space = Space::of(texts.iter()).unwrap();
        let head = LabelHead::new(vec![1.0, 2.0, -3.0], -2.0).unwrap();
        let back = space.outward(&space.inward(&head)).unwrap();
        for asked in &texts {
            assert!((head.shift(asked) - back.shift(asked)).abs() < 1e-4);
            assert_eq!(space.place(asked).len(), 3);
        }
        assert_eq!(space.place(&[]), [0.0; 3]);
        assert!(Space::of(std::iter::empty()).is_none());
        let one = [texts[0].clone(), texts[0].clone()];
        assert!(Space::of(one.iter()).is_none(), "they are all one");
    }

    #[test]
    fn the_weights_fit_what_they_were_shown() {
        let texts = [[1.0, 0.0], [0.0, 1.0], [0.0, -1.0]];
        let targets = [1.0, 0.0, 0.5];
        let rows = |weight: f32| -> Vec<Row> {
            let all = texts.iter().zip(targets);
            all.map(|(text, target)| Row {
                text,
                logit: -2.0,
                target,
                weight,
            })
            .collect()
        };
        let said = |at: &[f32], text: &[f32]| sigmoid(-2.0 + at[2] + dot(&at[..2], text));
        let at = fit(&rows(5.0), &[0.0; 3]);
        assert!(said(&at, &texts[0]) > 0.9);
        assert!(said(&at, &texts[1]) < 0.1);
        assert!((said(&at, &texts[2]) - 0.5).abs() < 0.1);
        // Rows that count for nothing leave what was there.
        assert_eq!(fit(&rows(0.0), &[1.0, 2.0, 3.0]), [1.0, 2.0, 3.0]);
    }

    #[test]
    fn few_texts_that_fit_count_as_much_as_many_that_do_not() {
        let row = |target| Row {
            text: &[],
            logit: 0.0,
            target,
            weight: 1.0,
        };
        let weights = |positive: usize, negative: usize| {
            let mut rows: Vec<Row> = (0..positive).map(|_| row(1.0)).collect();
            rows.extend((0..negative).map(|_| row(0.0)));
            balance(&mut rows);
            (rows[0].weight, rows[positive].weight)
        };
        assert_eq!(weights(2, 10), (5.0, 1.0));
        assert_eq!(weights(10, 2), (1.0, 1.0));
        assert_eq!(weights(1, 100), (MOST_OF_ONE, 1.0));
    }
}
