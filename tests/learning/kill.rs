//! `kill -9` at random moments: of the daemon while versions take over, of the process that learns.
//!
//! Something always loads, what was acknowledged is in the journal, and the next daemon goes on.

use std::time::Duration;

use serde_json::json;

use crate::learning;
use crate::pupil::{Pupil, is_alive, until};

const ROUNDS: u64 = 26;
/// Within this time the daemon is killed; the longest that a swap takes here.
const MICROS: u64 = 60_000;

/// The next of a row of numbers below `end` that the seed decides.
fn next(random: &mut u64, end: u64) -> u64 {
    *random = random
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*random >> 33) % end
}

fn journal(pupil: &Pupil) -> String {
    std::fs::read_to_string(pupil.home.path("data/corrections.jsonl")).unwrap_or_default()
}

#[test]
fn the_daemon_is_killed_while_versions_take_over() {
    let pupil = Pupil::new("manual");
    for bias in [0.1, 0.2, 0.3] {
        pupil.version(bias, 0);
    }
    let base = pupil.base();
    let mut random = 7;
    let mut moved = 0;
    for round in 0..ROUNDS {
        let mut editor = pupil.home.editor();
        editor.initialize(json!({}));
        let text = format!("note of round {round}");
        let sequence = pupil.correct(&mut editor, &text, &["garden"], &["tax"]);
        assert_eq!(sequence, round + 1);
        let pid = pupil.home.status()["pid"].take();
        let before = pupil.versions().current(&base);
        let to = u32::try_from(next(&mut random, 4)).unwrap();
        editor.ask("gliznet/train", json!({ "action": "rollback", "to": to }));
        editor.ask("gliznet/tag", json!({ "text": text }));
        std::thread::sleep(Duration::from_micros(next(&mut random, MICROS)));
        pupil.home.kill(&pid);
        drop(editor); // It would ask the next daemon again.
        let loaded = pupil.loaded();
        assert!(loaded.notes.is_empty(), "round {round}: {:?}", loaded.notes);
        assert!(
            [before, to].contains(&loaded.number),
            "round {round}: {before} to {to} became {}",
            loaded.number
        );
        moved += usize::from(loaded.number != before);
        for earlier in 0..=round {
            let line = format!("note of round {earlier}\"");
            assert_eq!(journal(&pupil).matches(&line).count(), 1, "round {round}");
        }
    }
    anstream::eprintln!("{moved} of {ROUNDS} rounds moved the pointer before they were killed");
    pupil.begin();
    assert_eq!(learning(&pupil)["version"], pupil.loaded().number);
}

#[test]
fn the_process_that_learns_is_killed_and_the_daemon_goes_on() {
    let pupil = Pupil::new("manual");
    for i in 0..20 {
        pupil.note(&format!("note {i}"), &["garden"], None);
    }
    pupil.version(0.1, 0);
    pupil.begin();
    let known = journal(&pupil);
    let mut random = 11;
    // Mostly at once; once in the middle of the steps, and once at the gate.
    let stages = ["preparing"; 10].into_iter();
    let stages = stages.chain(["practising", "judging"]);
    let mut in_time = 0;
    for (round, stage) in stages.enumerate() {
        let encoder = (stage == "practising").then_some("--encoder");
        let asked: Vec<&str> = ["train", "now"].into_iter().chain(encoder).collect();
        let (shown, code) = pupil.home.run(&asked);
        assert_eq!(code, 0, "{shown}");
        let child = pupil.child().expect("a process learns");
        let mut over = false;
        let begun = std::time::Instant::now();
        while learning(&pupil)["state"] != stage && !over {
            over = !is_alive(child) || begun.elapsed() > Duration::from_secs(200);
            std::thread::sleep(Duration::from_millis(5));
        }
        // The gate takes a moment only.
        let longest = if stage == "judging" { 20_000 } else { 300_000 };
        std::thread::sleep(Duration::from_micros(next(&mut random, longest)));
        let killed = std::process::Command::new("kill")
            .args(["-9", &child.to_string()])
            .status()
            .unwrap();
        until("the daemon has heard of it", || {
            learning(&pupil)["state"] == "idle"
        });
        let now = learning(&pupil);
        assert_eq!(now["version"], 1, "round {round}: {now}");
        // It may have come to its end just now; then the other rounds are other chances.
        over |= !killed.success() || now["last"]["outcome"] == "refused";
        if !over {
            assert_eq!(
                now["last"]["outcome"], "failed",
                "round {round} {stage}: {now}"
            );
            assert_eq!(now["new"], 20, "round {round}");
            in_time += 1;
        }
        let loaded = pupil.loaded();
        assert_eq!((loaded.number, loaded.notes.len()), (1, 0));
        assert_eq!(journal(&pupil), known);
    }
    assert!(in_time >= 8, "only {in_time} were killed before their end");
}

#[test]
fn a_process_that_learns_never_outlives_its_daemon() {
    let pupil = Pupil::new("manual");
    for i in 0..20 {
        pupil.note(&format!("note {i}"), &["garden"], None);
    }
    for by_force in [true, false] {
        pupil.begin();
        pupil.home.run(&["train", "now"]);
        let child = pupil.child().expect("a process learns");
        match by_force {
            true => pupil.home.kill(&pupil.home.status()["pid"]),
            false => drop(pupil.home.run(&["stop"])),
        }
        until("it ends", || !is_alive(child));
        assert_eq!(pupil.loaded().number, 0);
    }
}
