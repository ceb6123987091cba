//! What a layer's parts cost on this GPU: a device in, a table of milliseconds out.
//!
//! One full batch of the bundled model's width. The rows beside each other are ways to compute the
//! same: they decide how `src/model/encoder/ops.rs` does it. Knows nothing of checkpoints.

use std::time::Instant;

use anstream::println;
use candle_core::{D, DType, Device, Result, Tensor};

const BATCH: usize = 26;
const TOKENS: usize = 632;
const HEADS: usize = 12;
const HIDDEN: usize = 384;
const INNER: usize = 1536;
const RUNS: u32 = 10;

pub(crate) fn measure(device: &Device) -> Result<()> {
    println!("\n| part of a layer, {BATCH} × {TOKENS} tokens | f32 | bf16 |\n| --- | --- | --- |");
    let times = [times(device, DType::F32)?, times(device, DType::BF16)?];
    for ((name, f32), (_, bf16)) in times[0].iter().zip(&times[1]) {
        println!("| {name} | {f32:.3} ms | {bf16:.3} ms |");
    }
    Ok(())
}

fn times(device: &Device, dtype: DType) -> Result<Vec<(&'static str, f64)>> {
    let random = |shape: &[usize]| Tensor::randn(0.0_f32, 0.1, shape, device)?.to_dtype(dtype);
    let rows = BATCH * TOKENS;
    let (states, inner) = (random(&[rows, HIDDEN])?, random(&[rows, INNER])?);
    let (weight, bias) = (random(&[INNER, HIDDEN])?, random(&[INNER])?);
    let (ones, column) = (random(&[rows, 8])?, random(&[INNER, 8])?);
    let wide = Tensor::cat(&[&weight, &column], 1)?;
    let scale = random(&[HIDDEN])?;
    let scale32 = scale.to_dtype(DType::F32)?;
    let heads = random(&[BATCH, HEADS, TOKENS, HIDDEN / HEADS])?;
    let columns = random(&[BATCH, HEADS, TOKENS, 32])?;
    let wide_heads = Tensor::cat(&[&heads, &columns], 3)?;
    let mask = random(&[BATCH, 1, TOKENS, TOKENS])?;
    let scores = heads.matmul(&heads.t()?)?;
    let mut out = Vec::new();
    let mut part = |name, run: &dyn Fn() -> Result<Tensor>| -> Result<()> {
        run()?;
        device.synchronize()?;
        let start = Instant::now();
        for _ in 0..RUNS {
            run()?;
        }
        device.synchronize()?;
        out.push((name, start.elapsed().as_secs_f64() * 1e3 / f64::from(RUNS)));
        Ok(())
    };
    part("product 384 → 1536", &|| states.matmul(&weight.t()?))?;
    part("bias, as a matrix", &|| inner.broadcast_add(&bias))?;
    part("bias, as a batch", &|| {
        inner.reshape((BATCH, TOKENS, INNER))?.broadcast_add(&bias)
    })?;
    part("product with the bias as columns", &|| {
        Tensor::cat(&[&states, &ones], 1)?.matmul(&wide.t()?)
    })?;
    part("GELU", &|| inner.gelu_erf())?;
    part("residual", &|| &states + &states)?;
    part("norm in its own type", &|| {
        candle_nn::ops::layer_norm(&states, &scale, &scale, 1e-5)
    })?;
    part("norm in float32", &|| {
        let wide = states.to_dtype(DType::F32)?;
        candle_nn::ops::layer_norm(&wide, &scale32, &scale32, 1e-5)?.to_dtype(dtype)
    })?;
    part("heads apart", &|| {
        let apart = states.reshape((BATCH, TOKENS, HEADS, HIDDEN / HEADS))?;
        apart.transpose(1, 2)?.contiguous()
    })?;
    part("scores", &|| heads.matmul(&heads.t()?))?;
    part("scores with the mask as columns", &|| {
        let queries = Tensor::cat(&[&heads, &columns], 3)?;
        queries.matmul(&wide_heads.t()?)
    })?;
    part("mask added to all heads", &|| scores.broadcast_add(&mask))?;
    part("softmax", &|| candle_nn::ops::softmax_last_dim(&scores))?;
    part("shares times values", &|| scores.matmul(&heads))?;
    part("upload of 4 MB", &|| {
        Tensor::zeros((1 << 20, 1), DType::F32, &Device::Cpu)?.to_device(device)
    })?;
    part("starting a kernel", &|| scale.sum(D::Minus1))?;
    Ok(out)
}
