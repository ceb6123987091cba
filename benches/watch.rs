//! What watching folders costs: `cargo bench --bench watch -- CASE`, a table on standard output.
//!
//! Starts daemons of its own in temporary folders, and ends them. Asserts that the state is right
//! in the end, and no time: a shared machine decides no test.

#[cfg(unix)]
#[path = "daemon/client.rs"]
#[expect(dead_code, reason = "shared with `daemon`, each uses a part")]
mod client;
#[cfg(unix)]
#[path = "watch/first.rs"]
mod first;
#[cfg(unix)]
#[path = "watch/many.rs"]
mod many;
#[cfg(unix)]
#[path = "watch/vault.rs"]
mod vault;

/// The binary's allocator, so that the engine's own numbers are these.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(unix)]
fn main() {
    let Some(asked) = vault::Asked::from_arguments() else {
        anstream::println!("{}", vault::USAGE);
        return;
    };
    anstream::println!("| what | seen | goal |\n| --- | --- | --- |");
    if asked.has("first") {
        first::run(&asked);
    }
    if asked.has("saved") {
        first::saved();
    }
    if asked.has("restart") {
        many::restart(asked.many);
    }
    if asked.has("storm") {
        many::storm(asked.many);
    }
}

#[cfg(not(unix))]
fn main() {
    anstream::println!("the daemon is measured over a Unix socket");
}
