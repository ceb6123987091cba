//! The inner loops of the way back: gradients of what the parent computes, slices in and out.

use super::{LANES, Processor, dot_here, erf, exp, lanes};

/// `gradient *= gelu'(x)`, with `gelu'(x) = Φ(x) + x φ(x)`.
pub(in crate::model::encoder) fn gelu_backward(x: &[f32], gradient: &mut [f32]) {
    const DENSITY: f32 = 0.398_942_3; // 1 / sqrt(2 π)
    Processor::here().vectorize(
        #[inline(always)]
        || {
            for (x, gradient) in x.iter().zip(gradient.iter_mut()) {
                let below = 0.5 * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2));
                *gradient *= below + x * DENSITY * exp(-0.5 * x * x);
            }
        },
    );
}

/// The way back through `norm`, row by row. `input`'s gradient is written to `out`; those of
/// weight and bias are added to `of_weight` and `of_bias`.
pub(in crate::model::encoder) fn norm_backward(
    input: &[f32],
    gradient: &[f32],
    (weight, eps): (&[f32], f32),
    out: &mut [f32],
    (of_weight, of_bias): (&mut [f32], &mut [f32]),
) {
    Processor::here().vectorize(
        #[inline(always)]
        || {
            let width = weight.len();
            let n = width as f32;
            let rows = input
                .chunks_exact(width)
                .zip(gradient.chunks_exact(width))
                .zip(out.chunks_exact_mut(width));
            for ((x, gradient), out) in rows {
                let mean = lanes(x, 0.0, |acc, v| acc + v, |a, b| a + b) / n;
                let variance =
                    lanes(x, 0.0, |acc, v| acc + (v - mean) * (v - mean), |a, b| a + b) / n;
                let scale = 1.0 / (variance + eps).sqrt();
                // `out` holds the gradient of the normalised value for a moment.
                for (((x, gradient), out), (w, (dw, db))) in
                    x.iter().zip(gradient).zip(out.iter_mut()).zip(
                        weight
                            .iter()
                            .zip(of_weight.iter_mut().zip(of_bias.iter_mut())),
                    )
                {
                    *out = gradient * w;
                    *dw += gradient * (x - mean) * scale;
                    *db += gradient;
                }
                let sum = lanes(out, 0.0, |acc, v| acc + v, |a, b| a + b) / n;
                let along = along(out, x, mean, scale) / n;
                for (x, out) in x.iter().zip(out.iter_mut()) {
                    *out = scale * (*out - sum - (x - mean) * scale * along);
                }
            }
        },
    );
}

/// `Σ gradient · (x − mean) · scale`, in lanes.
#[inline(always)]
fn along(gradient: &[f32], x: &[f32], mean: f32, scale: f32) -> f32 {
    let mut acc = [0.0_f32; LANES];
    let (gradients, xs) = (gradient.chunks_exact(LANES), x.chunks_exact(LANES));
    let rest = gradients.remainder().iter().zip(xs.remainder());
    let rest: f32 = rest.map(|(g, x)| g * (x - mean) * scale).sum();
    for (gradient, x) in gradients.zip(xs) {
        for ((acc, g), x) in acc.iter_mut().zip(gradient).zip(x) {
            *acc += g * (x - mean) * scale;
        }
    }
    acc.into_iter().sum::<f32>() + rest
}

/// `out += Σ rows`.
pub(in crate::model::encoder) fn sum_rows(rows: &[f32], out: &mut [f32]) {
    Processor::here().vectorize(
        #[inline(always)]
        || {
            for row in rows.chunks_exact(out.len()) {
                for (out, value) in out.iter_mut().zip(row) {
                    *out += value;
                }
            }
        },
    );
}

/// The way back through a softmax, row by row, in place: `scale · shares · (gradient − Σ shares · gradient)`.
pub(in crate::model::encoder) fn softmax_backward(
    shares: &[f32],
    gradient: &mut [f32],
    width: usize,
    scale: f32,
) {
    Processor::here().vectorize(
        #[inline(always)]
        || {
            let rows = gradient.chunks_exact_mut(width);
            for (gradient, shares) in rows.zip(shares.chunks_exact(width)) {
                let mean = dot_here(gradient, shares);
                for (gradient, share) in gradient.iter_mut().zip(shares) {
                    *gradient = scale * share * (*gradient - mean);
                }
            }
        },
    );
}
