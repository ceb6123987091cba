//! What each step from bytes to tags costs: `cargo bench --bench pipeline`, and `benches/README.md` to read it.
//!
//! ```text
//! bytes ─ document ─ windows ─ tokens ─ batches ─ model ─ logits ─ scores ─ tags
//!         └ text ─────────────────────────────┘   └ forward ┘       end_to_end: all of it
//! ```
//!
//! Measures and asserts nothing: a shared machine decides no test.

mod corpus;
mod end_to_end;
mod forward;
mod text;

use std::time::Duration;

use criterion::Criterion;

/// The binary's allocator, so that its numbers are these.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    text::measure(&mut criterion);
    forward::measure(&mut criterion);
    end_to_end::measure(&mut criterion);
    criterion.final_summary();
}
