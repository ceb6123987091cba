//! Measuring and improving a model: data sets, evaluation, fitting.

pub mod dataset;
pub mod evaluation;
