//! Gradients against finite differences, for the tests of the operations beside this file.
#![cfg(test)]

use candle_core::{Device, Result, Tensor, Var};

/// Numbers between −1 and 1 that depend on `seed` alone.
pub(crate) fn random(seed: u64, shape: &[usize]) -> Tensor {
    let mut state = seed;
    let n = shape.iter().product();
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / (1 << 23) as f32) - 1.0
    };
    let values: Vec<f32> = (0..n).map(|_| next()).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// Compares the gradient of a weighted sum of `f`'s result with central differences, input by input.
pub(crate) fn check(inputs: &[Tensor], f: impl Fn(&[Tensor]) -> Result<Tensor>) {
    let scalar = |inputs: &[Tensor]| -> Tensor {
        let result = f(inputs).unwrap();
        let weights = random(99, result.dims());
        (result * weights).unwrap().sum_all().unwrap()
    };
    let value = |inputs: &[Tensor]| f64::from(scalar(inputs).to_scalar::<f32>().unwrap());
    let variables: Vec<Var> = inputs
        .iter()
        .map(|x| Var::from_tensor(x).unwrap())
        .collect();
    let tracked: Vec<Tensor> = variables.iter().map(|x| x.as_tensor().clone()).collect();
    let gradients = scalar(&tracked).backward().unwrap();
    for (which, (input, variable)) in inputs.iter().zip(&variables).enumerate() {
        let gradient = gradients.get(variable).unwrap().flatten_all().unwrap();
        let gradient: Vec<f32> = gradient.to_vec1().unwrap();
        let values: Vec<f32> = input.flatten_all().unwrap().to_vec1().unwrap();
        let largest = gradient.iter().fold(0.0_f32, |most, g| most.max(g.abs()));
        assert!(largest > 0.0, "input {which}: the gradient is zero");
        for at in 0..values.len() {
            const STEP: f32 = 1e-2;
            let moved = |by: f32| {
                let mut values = values.clone();
                values[at] += by;
                let mut inputs = inputs.to_vec();
                inputs[which] = Tensor::from_vec(values, input.shape(), &Device::Cpu).unwrap();
                value(&inputs)
            };
            let slope = (moved(STEP) - moved(-STEP)) / f64::from(2.0 * STEP);
            let difference = (slope - f64::from(gradient[at])).abs();
            assert!(
                difference <= 5e-3 * f64::from(largest.max(1.0)),
                "input {which}, value {at}: {} for {slope}",
                gradient[at]
            );
        }
    }
}
