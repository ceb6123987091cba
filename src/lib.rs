//! GliZNet: tags documents with the reader's own labels, locally.
//!
//! The data's way, which is also the order of the modules below:
//!
//! ```text
//! bytes ─ document ─ blocks ─ windows ─ tokens ─ batches ─ model ─ logits ─ scores ─ tags
//!         └ front matter     └──────── engine ────────┘   └ calibration ┘
//! ```
//!
//! Layers, and which may use which, are in `docs/architecture.md`; `tests/architecture.rs` checks
//! every `use crate::` against the table there.

// base
pub mod config;
pub mod lines;
pub mod telemetry;

// vocabulary: pure values
pub mod correction;
pub mod document;
pub mod frontmatter;
pub mod label;
pub mod score;
pub mod tag;

// model
pub mod model;

// engine
pub mod engine;

// learn
pub mod learn;

// sink
pub mod sink;

// desk
pub mod desk;

// edges
pub mod lsp;
pub mod watch;

// top
pub mod cli;
pub mod daemon;
