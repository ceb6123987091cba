//! Whether learning gets in the way: how long answers take while the daemon learns in the background,
//! against an idle one. `cargo bench --bench learning`.
//!
//! Starts a daemon of its own with the bundled model, gives it corrections, and asks it about new
//! texts one after the other, as somebody who types would. Asserts no time.

#[cfg(unix)]
#[path = "daemon/client.rs"]
#[allow(
    dead_code,
    reason = "shared with the daemon's bench, which uses all of it"
)]
mod client;

/// The binary's allocator, so that the engine's own numbers are these.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(unix)]
fn main() {
    use std::time::{Duration, Instant};

    use serde_json::{Value, json};

    /// One fewer than the daemon starts to learn from by itself.
    const CORRECTIONS: usize = 15;
    const ASKED: usize = 300;

    let notes: Vec<Value> = include_str!("personal/corrections.jsonl")
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let home = client::Home::new(None);
    let daemon = home.daemon();
    let mut editor = daemon.client();
    for note in notes.iter().take(CORRECTIONS) {
        let said = json!({ "text": note["text"], "labels": ["garden", "mopsy", "oompa"],
            "accepted": ["mopsy"], "rejected": ["garden"] });
        editor.ask("gliznet/correct", &said);
    }
    let mut asked = 0;
    let mut latency = || -> Duration {
        asked += 1;
        let note = &notes[asked % notes.len()]["text"];
        let text = format!("{} {asked}", note.as_str().unwrap_or_default());
        let start = Instant::now();
        editor.ask("gliznet/tag", &json!({ "text": text }));
        start.elapsed()
    };
    // The memory reads what was corrected, and the first questions warm the model up.
    std::thread::sleep(Duration::from_secs(10));
    for _ in 0..20 {
        latency();
    }
    let idle: Vec<Duration> = (0..ASKED).map(|_| latency()).collect();
    let began = Instant::now();
    let mut job = home.gliznet(&["train", "now", "--wait"]);
    let mut job = job.spawn().expect("the program runs");
    let mut busy = Vec::new();
    while matches!(job.try_wait(), Ok(None)) {
        busy.push(latency());
    }
    let seconds = began.elapsed().as_secs_f64();
    anstream::println!(
        "| | questions | p50 ms | p99 ms | worst ms |\n| --- | --- | --- | --- | --- |"
    );
    for (name, mut times) in [("idle", idle), ("while it learns", busy)] {
        times.sort();
        let at = |share: f64| -> f64 {
            let place = ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
            times.get(place).map_or(f64::NAN, |t| t.as_secs_f64() * 1e3)
        };
        anstream::println!(
            "| {name} | {} | {:.1} | {:.1} | {:.1} |",
            times.len(),
            at(0.5),
            at(0.99),
            at(1.0)
        );
    }
    anstream::println!("\nThe job took {seconds:.0} s.");
}

#[cfg(not(unix))]
fn main() {
    anstream::println!("the daemon is measured over a Unix socket");
}
