//! GliZNet itself: checkpoint in, logits out.

pub mod calibration;
pub mod hub;
pub mod store;
