//! AdamW: gradients in, moved variables out; its whole state can be saved and restored.
//!
//! Weight decay is decoupled (Loshchilov and Hutter), moments are float32, and a variable's group
//! is found by its name. On a CPU one pass over memory does it all.

use std::cell::RefCell;
use std::collections::BTreeMap;

use candle_core::{CpuStorage, InplaceOp2, Layout, Result, Tensor, Var, bail};
use rayon::prelude::*;

use super::recipe::OptimizerRecipe;

/// Values that one task takes.
const BLOCK: usize = 1 << 14;

/// The optimiser with its state.
pub(in crate::learn) struct AdamW {
    recipe: OptimizerRecipe,
    steps: usize,
    moments: BTreeMap<String, Moments>,
}

/// Means of a variable's gradient and of its square.
enum Moments {
    Cpu(RefCell<(Vec<f32>, Vec<f32>)>),
    Device(Tensor, Tensor),
}

impl AdamW {
    pub(in crate::learn) fn new(
        recipe: &OptimizerRecipe,
        variables: &BTreeMap<String, Var>,
    ) -> Result<AdamW> {
        let moments = variables.iter().map(|(name, variable)| {
            let moments = if variable.device().is_cpu() {
                let zeros = vec![0.0; variable.elem_count()];
                Moments::Cpu(RefCell::new((zeros.clone(), zeros)))
            } else {
                let zeros = variable.as_tensor().zeros_like()?;
                Moments::Device(zeros.clone(), zeros)
            };
            Ok((name.clone(), moments))
        });
        Ok(AdamW {
            recipe: recipe.clone(),
            steps: 0,
            moments: moments.collect::<Result<_>>()?,
        })
    }

    /// Moves every variable that has a gradient. Each gradient is multiplied by `factor` first;
    /// learning rates by `share`.
    pub(in crate::learn) fn step(
        &mut self,
        variables: &BTreeMap<String, Var>,
        gradients: &BTreeMap<String, Tensor>,
        factor: f64,
        share: f64,
    ) -> Result<()> {
        self.steps += 1;
        let recipe = &self.recipe;
        for (name, variable) in variables {
            let (Some(gradient), Some(moments)) = (gradients.get(name), self.moments.get_mut(name))
            else {
                continue;
            };
            let group = recipe
                .groups
                .iter()
                .find(|group| name.starts_with(&group.prefix));
            let rate = group
                .and_then(|group| group.learning_rate)
                .unwrap_or(recipe.learning_rate);
            let decay = group
                .and_then(|group| group.weight_decay)
                .unwrap_or(recipe.weight_decay);
            let rate = rate * share;
            let update = Update {
                factor: factor as f32,
                beta1: recipe.beta1 as f32,
                beta2: recipe.beta2 as f32,
                // Biases, norms and scales are not decayed: they have one dimension or none.
                kept: (1.0
                    - if variable.rank() >= 2 {
                        rate * decay
                    } else {
                        0.0
                    }) as f32,
                rate: (rate / (1.0 - recipe.beta1.powf(self.steps as f64))) as f32,
                correction: (1.0 / (1.0 - recipe.beta2.powf(self.steps as f64)).sqrt()) as f32,
                epsilon: recipe.epsilon as f32,
            };
            match moments {
                Moments::Cpu(moments) => {
                    let op = OnCpu { update, moments };
                    variable
                        .as_tensor()
                        .inplace_op2(&gradient.contiguous()?, &op)?;
                }
                Moments::Device(first, second) => {
                    (*first, *second) = update.composed(variable, gradient, (first, second))?;
                }
            }
        }
        Ok(())
    }

    /// Number of steps made.
    pub(in crate::learn) fn steps(&self) -> usize {
        self.steps
    }

    /// The moments as tensors, `first.NAME` and `second.NAME`.
    pub(in crate::learn) fn state(
        &self,
        variables: &BTreeMap<String, Var>,
    ) -> Result<BTreeMap<String, Tensor>> {
        let mut state = BTreeMap::new();
        for (name, moments) in &self.moments {
            let (first, second) = match moments {
                Moments::Device(first, second) => (first.clone(), second.clone()),
                Moments::Cpu(moments) => {
                    let Some(variable) = variables.get(name) else {
                        continue;
                    };
                    let moments = moments.borrow();
                    let tensor = |values: &[f32]| {
                        Tensor::from_slice(values, variable.shape(), variable.device())
                    };
                    (tensor(&moments.0)?, tensor(&moments.1)?)
                }
            };
            state.insert(format!("first.{name}"), first);
            state.insert(format!("second.{name}"), second);
        }
        Ok(state)
    }

    /// Takes up a saved state after `steps` steps.
    pub(in crate::learn) fn restore(
        &mut self,
        steps: usize,
        state: &BTreeMap<String, Tensor>,
    ) -> Result<()> {
        self.steps = steps;
        for (name, moments) in &mut self.moments {
            let (Some(first), Some(second)) = (
                state.get(&format!("first.{name}")),
                state.get(&format!("second.{name}")),
            ) else {
                bail!("the saved optimiser has no moments of `{name}`");
            };
            match moments {
                Moments::Device(a, b) => (*a, *b) = (first.clone(), second.clone()),
                Moments::Cpu(moments) => {
                    let values = |x: &Tensor| x.flatten_all()?.to_vec1::<f32>();
                    *moments.borrow_mut() = (values(first)?, values(second)?);
                }
            }
        }
        Ok(())
    }
}

/// The numbers of one update.
#[derive(Clone, Copy)]
struct Update {
    factor: f32,
    beta1: f32,
    beta2: f32,
    kept: f32,
    rate: f32,
    correction: f32,
    epsilon: f32,
}

impl Update {
    fn apply(
        &self,
        values: &mut [f32],
        gradient: &[f32],
        (first, second): (&mut [f32], &mut [f32]),
    ) {
        for (((value, gradient), first), second) in
            values.iter_mut().zip(gradient).zip(first).zip(second)
        {
            let gradient = gradient * self.factor;
            *first = self.beta1 * *first + (1.0 - self.beta1) * gradient;
            *second = self.beta2 * *second + (1.0 - self.beta2) * gradient * gradient;
            let size = second.sqrt() * self.correction + self.epsilon;
            *value = *value * self.kept - self.rate * *first / size;
        }
    }

    fn composed(
        &self,
        variable: &Var,
        gradient: &Tensor,
        (first, second): (&Tensor, &Tensor),
    ) -> Result<(Tensor, Tensor)> {
        let wide = f64::from;
        let gradient = (gradient * wide(self.factor))?;
        let first = ((first * wide(self.beta1))? + (&gradient * (1.0 - wide(self.beta1)))?)?;
        let second =
            ((second * wide(self.beta2))? + (gradient.sqr()? * (1.0 - wide(self.beta2)))?)?;
        let size = ((second.sqrt()? * wide(self.correction))? + wide(self.epsilon))?;
        let value = variable.as_tensor().detach();
        variable.set(&((value * wide(self.kept))? - ((&first / size)? * wide(self.rate))?)?)?;
        Ok((first, second))
    }
}

struct OnCpu<'a> {
    update: Update,
    moments: &'a RefCell<(Vec<f32>, Vec<f32>)>,
}

impl InplaceOp2 for OnCpu<'_> {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn cpu_fwd(
        &self,
        value: &mut CpuStorage,
        layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> Result<()> {
        let (Some((start, end)), Some((from, to))) = (
            layout.contiguous_offsets(),
            gradient_layout.contiguous_offsets(),
        ) else {
            bail!("a contiguous variable and gradient were expected");
        };
        let CpuStorage::F32(values) = value else {
            bail!("a float32 variable was expected");
        };
        let gradient = &gradient.as_slice::<f32>()?[from..to];
        let mut moments = self.moments.borrow_mut();
        let (first, second) = &mut *moments;
        let update = self.update;
        values[start..end]
            .par_chunks_mut(BLOCK)
            .zip(gradient.par_chunks(BLOCK))
            .zip(
                first
                    .par_chunks_mut(BLOCK)
                    .zip(second.par_chunks_mut(BLOCK)),
            )
            .for_each(|((values, gradient), moments)| update.apply(values, gradient, moments));
        Ok(())
    }
}

/// The norm of all gradients together; not finite where one of them is not.
pub(in crate::learn) fn norm(gradients: &BTreeMap<String, Tensor>) -> Result<f64> {
    let mut sum = 0.0;
    for gradient in gradients.values() {
        sum += if gradient.device().is_cpu() {
            let values: Vec<f32> = gradient.flatten_all()?.to_vec1()?;
            let parts: Vec<f64> = values
                .par_chunks(BLOCK)
                .map(|part| part.iter().map(|g| f64::from(*g) * f64::from(*g)).sum())
                .collect();
            parts.iter().sum::<f64>()
        } else {
            f64::from(gradient.sqr()?.sum_all()?.to_scalar::<f32>()?)
        };
    }
    Ok(sum.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn variables() -> BTreeMap<String, Var> {
        let matrix = Var::new(&[[1.0_f32, -2.0], [3.0, 0.5]], &Device::Cpu).unwrap();
        let bias = Var::new(&[0.25_f32, 4.0], &Device::Cpu).unwrap();
        [("a.weight".to_owned(), matrix), ("b.bias".to_owned(), bias)].into()
    }

    fn gradients(scale: f32) -> BTreeMap<String, Tensor> {
        let matrix = Tensor::new(&[[0.1_f32, -0.2], [0.3, scale]], &Device::Cpu).unwrap();
        let bias = Tensor::new(&[scale, -0.5], &Device::Cpu).unwrap();
        [("a.weight".to_owned(), matrix), ("b.bias".to_owned(), bias)].into()
    }

    fn values(variables: &BTreeMap<String, Var>) -> Vec<f32> {
        let flat = variables
            .values()
            .map(|x| x.flatten_all().unwrap().to_vec1::<f32>().unwrap());
        flat.collect::<Vec<_>>().concat()
    }

    /// AdamW as its paper writes it, in f64, one value.
    fn by_hand(mut value: f64, gradients: &[f64], rate: f64, decay: f64) -> f64 {
        let (mut first, mut second) = (0.0, 0.0);
        for (t, g) in gradients.iter().enumerate() {
            let t = t as i32 + 1;
            first = 0.9 * first + 0.1 * g;
            second = 0.999 * second + 0.001 * g * g;
            let (m, v): (f64, f64) = (
                first / (1.0 - 0.9_f64.powi(t)),
                second / (1.0 - 0.999_f64.powi(t)),
            );
            value -= rate * decay * value;
            value -= rate * m / (v.sqrt() + 1e-8);
        }
        value
    }

    #[test]
    fn it_moves_values_as_the_formulas_say_and_decays_matrices_only() {
        let recipe = OptimizerRecipe {
            learning_rate: 0.01,
            weight_decay: 0.1,
            ..OptimizerRecipe::default()
        };
        let variables = variables();
        let mut adam = AdamW::new(&recipe, &variables).unwrap();
        for scale in [0.4, -1.0, 0.7] {
            adam.step(&variables, &gradients(scale), 0.5, 1.0).unwrap();
        }
        let got = values(&variables);
        let matrix = by_hand(0.5, &[0.2, -0.5, 0.35], 0.01, 0.1);
        let bias = by_hand(0.25, &[0.2, -0.5, 0.35], 0.01, 0.0);
        assert!(
            (f64::from(got[3]) - matrix).abs() < 1e-6,
            "{} {matrix}",
            got[3]
        );
        assert!((f64::from(got[4]) - bias).abs() < 1e-6, "{} {bias}", got[4]);
    }

    #[test]
    fn a_restored_state_goes_on_with_the_same_bits() {
        let recipe = OptimizerRecipe::default();
        let (one, other) = (variables(), variables());
        let mut adam = AdamW::new(&recipe, &one).unwrap();
        for scale in [0.4, -1.0] {
            adam.step(&one, &gradients(scale), 1.0, 1.0).unwrap();
        }
        let mut again = AdamW::new(&recipe, &other).unwrap();
        for (name, variable) in &other {
            variable
                .set(&one[name].as_tensor().copy().unwrap())
                .unwrap();
        }
        again
            .restore(adam.steps(), &adam.state(&one).unwrap())
            .unwrap();
        adam.step(&one, &gradients(0.3), 1.0, 1.0).unwrap();
        again.step(&other, &gradients(0.3), 1.0, 1.0).unwrap();
        assert_eq!(values(&one), values(&other));
    }

    #[test]
    fn a_group_has_its_own_rate() {
        let group = super::super::recipe::GroupRecipe {
            prefix: "b.".into(),
            learning_rate: Some(0.0),
            weight_decay: None,
        };
        let recipe = OptimizerRecipe {
            groups: vec![group],
            ..OptimizerRecipe::default()
        };
        let variables = variables();
        let before = values(&variables);
        AdamW::new(&recipe, &variables)
            .unwrap()
            .step(&variables, &gradients(1.0), 1.0, 1.0)
            .unwrap();
        let after = values(&variables);
        assert!(before[..4] != after[..4] && before[4..] == after[4..]);
    }
}
