//! Measuring and improving a model: data sets, evaluation, fitting.

pub mod calibrate;
pub mod consolidate;
pub mod dataset;
pub mod evaluation;
pub mod gate;
pub mod journal;
pub mod memory;
mod page;
pub mod review;
pub mod scoring;
pub mod train;
pub mod versions;
