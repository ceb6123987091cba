//! What the daemon adds to the model: `cargo bench --bench daemon`, a table on standard output.
//!
//! Starts daemons of its own in temporary folders, and ends them. Asserts that texts are right, and
//! no time: a shared machine decides no test.

#[cfg(unix)]
#[path = "daemon/cases.rs"]
mod cases;
#[cfg(unix)]
#[path = "daemon/client.rs"]
#[expect(dead_code, reason = "shared with `watch`, each uses a part")]
mod client;

/// The binary's allocator, so that the engine's own numbers are these.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(unix)]
fn main() {
    cases::run();
}

#[cfg(not(unix))]
fn main() {
    anstream::println!("the daemon is measured over a Unix socket");
}
