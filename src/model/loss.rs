//! The losses of GliZNet: what the head says of a batch and what is true in, one number out.
//!
//! Invariant: a label whose truth is not known counts in no loss but the repulsion, and a batch that
//! has nothing to say about a loss gives 0 for it, never NaN. (The reference's SupCon multiplies the
//! −∞ of padded columns by 0; ours masks before it sums.)

use candle_core::{D, DType, Result, Tensor};

use super::head::Similarities;

/// The target of a label of which it is not known whether it fits.
pub const UNKNOWN: f32 = -100.0;

/// Weights and temperatures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LossWeights {
    /// Of the supervised contrastive loss.
    pub supcon: f64,
    /// What cosines are divided by in it; without it, the logits with their learned temperature.
    pub supcon_temperature: Option<f64>,
    /// Of the label repulsion.
    pub repulsion: f64,
    /// Cosine above which two different labels of a row repel each other.
    pub repulsion_threshold: f64,
    /// Of the binary cross-entropy.
    pub bce: f64,
    /// Added to the scaled cosine in it.
    pub bce_bias: f64,
}

/// The losses of a batch; `total` is what is minimised, the others are without their weights.
#[derive(Clone, Debug)]
pub struct Losses {
    /// Weighted sum.
    pub total: Tensor,
    /// Supervised contrastive.
    pub supcon: Tensor,
    /// Label repulsion.
    pub repulsion: Tensor,
    /// Binary cross-entropy.
    pub bce: Tensor,
}

/// The temperatures that are trained.
pub(crate) struct Temperatures<'a> {
    /// Logit over cosine.
    pub(crate) scale: &'a Tensor,
    /// `loss_fn.bce_scale` as it is stored.
    pub(crate) bce_scale: &'a Tensor,
}

/// Computes all losses. `row_of_label` is the row of each label, ascending; `targets` its truth:
/// 1, 0 (or a little more, where it is only assumed), or `UNKNOWN`.
pub(crate) fn losses(
    similarities: &Similarities,
    row_of_label: &[u32],
    targets: &[f32],
    temperatures: &Temperatures,
    weights: &LossWeights,
) -> Result<Losses> {
    let logits = &similarities.logits;
    let raw = logits.broadcast_div(temperatures.scale)?; // The cosine, where that is the similarity.
    let contrasted = match weights.supcon_temperature {
        Some(temperature) => (&raw / temperature)?,
        None => logits.clone(),
    };
    let supcon = supcon(&contrasted, row_of_label, targets)?;
    let repulsion = repulsion(
        &similarities.labels,
        row_of_label,
        weights.repulsion_threshold,
    )?;
    let bce_scale = temperatures.bce_scale.abs()?.clamp(0.1_f32, 10_f32)?;
    let bce = bce(
        &(raw.broadcast_mul(&bce_scale)? + weights.bce_bias)?,
        targets,
    )?;
    let total = ((&supcon * weights.supcon)? + (&repulsion * weights.repulsion)?)?;
    Ok(Losses {
        total: (total + (&bce * weights.bce)?)?,
        supcon,
        repulsion,
        bce,
    })
}

/// Mean over the rows with a true label of the mean of −log softmax at the true ones.
fn supcon(logits: &Tensor, row_of_label: &[u32], targets: &[f32]) -> Result<Tensor> {
    /// Added to a column that is not there; large enough to vanish in the softmax.
    const CLOSED: f32 = -1e9;
    let mut rows: Vec<Vec<usize>> = Vec::new(); // Known labels of each row.
    for (label, row) in row_of_label.iter().enumerate() {
        let row = *row as usize;
        if rows.len() <= row {
            rows.resize(row + 1, Vec::new());
        }
        if targets[label] != UNKNOWN {
            rows[row].push(label);
        }
    }
    rows.retain(|labels| labels.iter().any(|label| targets[*label] == 1.0));
    let width = rows.iter().map(Vec::len).max().unwrap_or(0);
    if rows.is_empty() {
        return Tensor::zeros((), DType::F32, logits.device());
    }
    let (mut index, mut closed, mut share) = (Vec::new(), Vec::new(), Vec::new());
    for labels in &rows {
        let positives = labels.iter().filter(|label| targets[**label] == 1.0);
        let each = 1.0 / (positives.count() * rows.len()) as f32;
        for place in 0..width {
            let label = labels.get(place);
            index.push(label.map_or(0, |label| *label as u32));
            closed.push(if label.is_some() { 0.0 } else { CLOSED });
            let is_positive = label.is_some_and(|label| targets[*label] == 1.0);
            share.push(if is_positive { each } else { 0.0 });
        }
    }
    let shape = (rows.len(), width);
    let device = logits.device();
    let dense = logits
        .index_select(&Tensor::new(index, device)?, 0)?
        .reshape(shape)?;
    let dense = (dense + Tensor::from_vec(closed, shape, device)?)?; // [row, label]
    // The largest is a constant: a softmax does not change when it does.
    let centred = dense.broadcast_sub(&dense.max_keepdim(D::Minus1)?.detach())?;
    let sums = centred.exp()?.sum_keepdim(D::Minus1)?.log()?;
    let logs = centred.broadcast_sub(&sums)?;
    (logs * Tensor::from_vec(share, shape, device)?)?
        .sum_all()?
        .neg()
}

/// Mean of `relu(cos − threshold)` over ordered pairs of different labels of a row.
fn repulsion(labels: &Tensor, row_of_label: &[u32], threshold: f64) -> Result<Tensor> {
    let mut rows: Vec<Vec<u32>> = Vec::new(); // Labels of each row.
    for (label, row) in row_of_label.iter().enumerate() {
        let row = *row as usize;
        if rows.len() <= row {
            rows.resize(row + 1, Vec::new());
        }
        rows[row].push(label as u32);
    }
    rows.retain(|labels| labels.len() > 1);
    let pairs: usize = rows.iter().map(|row| row.len() * (row.len() - 1)).sum();
    if pairs == 0 {
        return Tensor::zeros((), DType::F32, labels.device());
    }
    let width = rows.iter().map(Vec::len).max().unwrap_or(0);
    let each = 1.0 / pairs as f32;
    let (mut index, mut share) = (Vec::new(), Vec::new());
    for labels in &rows {
        let n = labels.len();
        index.extend((0..width).map(|place| labels.get(place).copied().unwrap_or(0)));
        let pairs = (0..width).flat_map(|i| (0..width).map(move |j| (i, j)));
        share.extend(pairs.map(|(i, j)| if i != j && i < n && j < n { each } else { 0.0 }));
    }
    // Only labels of one row meet: all pairs of a pass would take gigabytes where rows have hundreds.
    let device = labels.device();
    let unit = super::head::normalize(labels)?;
    let unit = unit.index_select(&Tensor::new(index, device)?, 0)?;
    let unit = unit.reshape((rows.len(), width, labels.dim(1)?))?; // [row, label, projected]
    let cosines = unit.matmul(&unit.t()?)?; // [row, label, label]
    let above = (cosines - threshold)?.relu()?;
    let share = Tensor::from_vec(share, (rows.len(), width, width), device)?;
    (above * share)?.sum_all()
}

/// Mean over the known labels of the cross-entropy, in the form that no logit overflows.
fn bce(logits: &Tensor, targets: &[f32]) -> Result<Tensor> {
    let known = targets
        .iter()
        .map(|target| f32::from(u8::from(*target != UNKNOWN)));
    weighted_bce(logits, targets, &known.collect::<Vec<f32>>())
}

/// Mean cross-entropy, in which each decision counts as much as its weight; 0 without any weight.
///
/// # Errors
/// Of the tensor library.
pub fn weighted_bce(logits: &Tensor, targets: &[f32], weights: &[f32]) -> Result<Tensor> {
    let sum: f32 = weights.iter().sum();
    if sum <= 0.0 {
        return Tensor::zeros((), DType::F32, logits.device());
    }
    let device = logits.device();
    let share = Tensor::from_iter(weights.iter().map(|weight| weight / sum), device)?;
    let truth = Tensor::from_iter(targets.iter().map(|target| target.max(0.0)), device)?;
    let tail = (logits.abs()?.neg()?.exp()? + 1.0)?.log()?;
    let each = ((logits.relu()? - (logits * truth)?)? + tail)?;
    (each * share)?.sum_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    const WEIGHTS: LossWeights = LossWeights {
        supcon: 1.0,
        supcon_temperature: None,
        repulsion: 0.1,
        repulsion_threshold: 0.3,
        bce: 1.0,
        bce_bias: 0.0,
    };

    fn of(logits: &[f32], rows: &[u32], targets: &[f32]) -> (Losses, Var) {
        let logits = Var::new(logits, &Device::Cpu).unwrap();
        let angles = (0..rows.len()).map(|i| i as f32 * 0.4);
        let labels: Vec<f32> = angles.flat_map(|a| [a.cos(), a.sin()]).collect();
        let similarities = Similarities {
            text: Tensor::zeros((1, 2), DType::F32, &Device::Cpu).unwrap(),
            labels: Tensor::from_vec(labels, (rows.len(), 2), &Device::Cpu).unwrap(),
            logits: logits.as_tensor().clone(),
        };
        let one = Tensor::new(1.0_f32, &Device::Cpu).unwrap();
        let temperatures = Temperatures {
            scale: &one,
            bce_scale: &one,
        };
        let losses = losses(&similarities, rows, targets, &temperatures, &WEIGHTS).unwrap();
        (losses, logits)
    }

    fn value(x: &Tensor) -> f32 {
        x.to_scalar().unwrap()
    }

    #[test]
    fn rows_of_different_lengths_have_the_loss_that_each_has_alone() {
        let (a, _) = of(&[1.0, -2.0, 0.5], &[0, 0, 0], &[1.0, 0.0, 1.0]);
        let (b, _) = of(&[0.3, 2.0], &[0, 0], &[0.0, 1.0]);
        let (both, logits) = of(
            &[1.0, -2.0, 0.5, 0.3, 2.0],
            &[0, 0, 0, 1, 1],
            &[1.0, 0.0, 1.0, 0.0, 1.0],
        );
        let mean = (value(&a.supcon) + value(&b.supcon)) / 2.0;
        assert!((value(&both.supcon) - mean).abs() < 1e-6);
        let gradients = both.total.backward().unwrap();
        let gradient: Vec<f32> = gradients.get(&logits).unwrap().to_vec1().unwrap();
        assert!(
            gradient.iter().all(|g| g.is_finite() && *g != 0.0),
            "{gradient:?}"
        );
    }

    #[test]
    fn an_unknown_label_counts_in_neither_supcon_nor_bce() {
        let (without, _) = of(&[1.0, -2.0], &[0, 0], &[1.0, 0.0]);
        let (with, logits) = of(&[1.0, -2.0, 9.0], &[0, 0, 0], &[1.0, 0.0, UNKNOWN]);
        assert!((value(&with.supcon) - value(&without.supcon)).abs() < 1e-6);
        assert!((value(&with.bce) - value(&without.bce)).abs() < 1e-6);
        let gradients = with.total.backward().unwrap();
        let gradient: Vec<f32> = gradients.get(&logits).unwrap().to_vec1().unwrap();
        assert_eq!(gradient[2], 0.0);
    }

    #[test]
    fn a_batch_with_nothing_to_say_has_losses_of_zero() {
        let (none_true, _) = of(&[1.0, 2.0], &[0, 1], &[0.0, 0.0]);
        assert_eq!(
            (value(&none_true.supcon), value(&none_true.repulsion)),
            (0.0, 0.0)
        );
        assert!(value(&none_true.bce) > 0.0);
        let (unknown, _) = of(&[1.0, 2.0], &[0, 0], &[UNKNOWN, UNKNOWN]);
        assert_eq!((value(&unknown.supcon), value(&unknown.bce)), (0.0, 0.0));
        assert!(value(&unknown.repulsion) > 0.0);
    }

    #[test]
    fn no_logit_is_too_large() {
        let (losses, logits) = of(&[2e4, -2e4], &[0, 0], &[0.0, 1.0]);
        assert!((value(&losses.bce) - 2e4).abs() < 1.0);
        let gradients = losses.total.backward().unwrap();
        let gradient: Vec<f32> = gradients.get(&logits).unwrap().to_vec1().unwrap();
        assert!(gradient.iter().all(|g| g.is_finite()), "{gradient:?}");
    }
}
