//! Very many notes, and a model so small that what is measured is not the model.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Client, Daemon};
use crate::vault::{Vault, forget_peak, measured, memory, row, wait, watch};

const PAUSE: Duration = Duration::from_millis(50);

fn text(number: usize) -> String {
    format!(
        "---\ntags: [note, n{}]\n---\nRoses want pruning in March, said number {number}.\n",
        number % 100
    )
}

/// A vault of `n` notes, all tagged, with its daemon; the time that took is shown.
fn tagged<'a>(vault: &'a Vault, n: usize) -> (Daemon<'a>, Client) {
    for number in 0..n {
        vault.put(number, &text(number));
    }
    let daemon = vault.home.daemon();
    let mut client = daemon.client();
    let begin = Instant::now();
    watch(&mut client, &vault.notes, 0.1, "suggest");
    wait(&mut client, n, PAUSE);
    let took = begin.elapsed().as_secs_f64();
    let (now, peak) = memory(&daemon);
    row(
        &format!("first tagging of {n} notes with a tiny model"),
        &format!("{took:.1} s, {now:.0} MB, at most {peak:.0} MB"),
        "",
    );
    (daemon, client)
}

/// What the index takes, how a restart goes, and searches.
pub(crate) fn restart(n: usize) {
    let vault = Vault::new(true);
    let (daemon, mut client) = tagged(&vault, n);
    std::thread::sleep(Duration::from_secs(4)); // sled writes every two seconds.
    let status = client.ask("gliznet/status", &Value::Null);
    let bytes = status["watch"]["bytes"].as_f64().unwrap_or(f64::NAN);
    row(
        "index on disk, for each note",
        &format!("{:.0} B", bytes / n as f64),
        "3 KB",
    );
    client.post("gliznet/stop", &Value::Null);
    daemon.ended();
    let begin = Instant::now();
    let daemon = vault.home.start();
    let mut client = daemon.client();
    wait(&mut client, n, Duration::from_millis(10));
    let took = begin.elapsed().as_secs_f64();
    let status = client.ask("gliznet/status", &Value::Null);
    let runs = &status["cache"]["misses"];
    let (now, peak) = memory(&daemon);
    row(
        &format!("restart over {n} notes that did not change, until nothing is to be done"),
        &format!("{took:.2} s, {runs} questions to the model"),
        "5 s, none",
    );
    row(
        "its memory",
        &format!("{now:.0} MB, at most {peak:.0} MB"),
        "400 MB",
    );
    let bytes = status["watch"]["bytes"].as_f64().unwrap_or(f64::NAN);
    row(
        "index on disk after it, for each note",
        &format!("{:.0} B", bytes / n as f64),
        "3 KB",
    );
    for (what, args) in [
        ("`find` of one note in a hundred", &["find", "n7"][..]),
        ("`find` of all of them", &["find", "note"][..]),
        ("`find` of none", &["find", "no-such-tag"][..]),
        ("`tags`", &["tags"][..]),
    ] {
        forget_peak(&daemon);
        let (before, _) = memory(&daemon);
        let runs: Vec<(Duration, f64)> =
            (0..5).map(|_| measured(vault.home.gliznet(args))).collect();
        let (_, peak) = memory(&daemon);
        let mut times: Vec<f64> = runs
            .iter()
            .map(|(time, _)| time.as_secs_f64() * 1e3)
            .collect();
        times.sort_by(f64::total_cmp);
        let most = runs.iter().map(|(_, most)| *most).fold(0.0, f64::max);
        row(
            &format!("{what}, as a command"),
            &format!(
                "{:.0} ms, worst {:.0} ms; {most:.0} MB, and the daemon {:+.0} MB",
                times[2],
                times[4],
                peak - before
            ),
            "200 ms, flat",
        );
    }
}

/// As a checkout does: half as many notes are there, and `n` changes come at once.
pub(crate) fn storm(n: usize) {
    let vault = Vault::new(true);
    let (daemon, mut client) = tagged(&vault, n / 2);
    let (before, _) = memory(&daemon);
    forget_peak(&daemon);
    let begin = Instant::now();
    // A quarter of the changes each: rewritten, removed, added twice over.
    for number in 0..n / 4 {
        vault.put(number, &format!("Changed. {}", text(number)));
    }
    for number in n / 4..n / 2 {
        std::fs::remove_file(vault.path(number)).expect("it is there");
    }
    for number in n / 2..n {
        vault.put(number, &text(number));
    }
    let made = begin.elapsed().as_secs_f64();
    wait(&mut client, n / 4 + n / 2, PAUSE);
    let took = begin.elapsed().as_secs_f64();
    let (now, peak) = memory(&daemon);
    let found = client.ask(
        "gliznet/find",
        &json!({ "tags": ["garden"], "limit": 10 * n }),
    );
    assert_eq!(found["notes"].as_array().map(Vec::len), Some(n / 4 + n / 2));
    row(
        &format!("{n} changes in {made:.1} s, until all is right"),
        &format!("{took:.1} s; {before:.0} MB before, at most {peak:.0} MB, {now:.0} MB after"),
        "right, bounded",
    );
}
