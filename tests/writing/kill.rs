//! `kill -9` at random moments of writing and undoing, 200 rounds: the same notes, ledger and
//! program all along.
//!
//! Every note is at every moment what it was or what it should be, what was acknowledged stays,
//! and the next run puts the rest right: no tag doubled, no temporary file left.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use crate::LABELS;
use crate::gliznet::{Gliznet, tiny};

const ROUNDS: usize = 50;

const NOTES: [(&str, &str); 8] = [
    ("a.md", "# Title\nText of a note\n"),
    ("b.md", "---\ntags: [mine, garden] # why\n---\nMore text\n"),
    (
        "c.md",
        "\u{feff}---\r\ntitle: x\r\ntags:\r\n  - mine\r\n---\r\nText\r\n",
    ),
    ("d.md", "+++\ntitle = 'x'\n+++\nText without an end"),
    ("e.org", "#+TITLE: x\n#+FILETAGS: :mine:\nText\n"),
    ("f.md", "---\ntags: \"#mine\"\naliases: &x [y]\n---\nText\n"),
    ("g.md", "{\"title\": \"x\"}\n\nText\n"),
    ("h.md", "---\ntags:\nother: |\n  tags: [no]\n...\nText\n"),
];

type Notes = BTreeMap<String, Vec<u8>>;

struct Rounds {
    user: Gliznet,
    before: Notes,
    after: Notes,
    /// How long a whole run takes.
    usual: Duration,
    random: u64,
}

impl Rounds {
    fn new(seed: u64) -> Rounds {
        let user = Gliznet::new();
        for (name, text) in NOTES {
            user.write(&format!("notes/{name}"), text.as_bytes());
        }
        let mut rounds = Rounds {
            before: BTreeMap::new(),
            after: BTreeMap::new(),
            usual: Duration::ZERO,
            random: seed,
            user,
        };
        rounds.before = rounds.notes();
        let begun = Instant::now();
        rounds.finish(WRITE);
        rounds.usual = begun.elapsed();
        rounds.after = rounds.notes();
        assert!(
            rounds
                .after
                .iter()
                .all(|(name, text)| rounds.before[name] != *text)
        );
        rounds.finish(UNDO);
        rounds
    }

    /// A number below `end`, the next of a row that the seed decides.
    fn next(&mut self, end: u64) -> u64 {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % end
    }

    fn start(&self, command: &[&str]) -> Child {
        let model = tiny().to_str().unwrap();
        let args: Vec<&str> = command
            .iter()
            .map(|arg| if *arg == "MODEL" { model } else { arg })
            .collect();
        self.user.command(&args).spawn().unwrap()
    }

    fn finish(&self, command: &[&str]) {
        let output = self.start(command).wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// All files of the folder, hidden ones too.
    fn notes(&self) -> Notes {
        let entries = std::fs::read_dir(self.user.path("notes")).unwrap();
        let entry = |e: std::io::Result<std::fs::DirEntry>| {
            let e = e.unwrap();
            (
                e.file_name().into_string().unwrap(),
                std::fs::read(e.path()).unwrap(),
            )
        };
        entries.map(entry).collect()
    }

    fn ledger(&self) -> PathBuf {
        self.user.path("../data/runs.jsonl")
    }

    /// Kills the program at some moment: of its whole life, or soon after it has begun to write.
    /// Gives back what it has printed.
    fn kill(&mut self, command: &[&str]) -> String {
        let length = |path: PathBuf| path.metadata().map_or(0, |metadata| metadata.len());
        let begun = length(self.ledger());
        let mut child = self.start(command);
        let micros = u64::try_from(self.usual.as_micros()).unwrap();
        if self.next(4) == 0 {
            std::thread::sleep(Duration::from_micros(self.next(micros)));
        } else {
            let give_up = Instant::now() + self.usual * 20;
            while length(self.ledger()) == begun && Instant::now() < give_up {
                std::thread::sleep(Duration::from_micros(100));
            }
            std::thread::sleep(Duration::from_micros(self.next(micros / 3 + 1)));
        }
        let _ = child.kill(); // It may have ended by itself.
        child.wait().unwrap();
        let mut out = String::new();
        child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut out)
            .unwrap();
        out
    }

    /// Every note is as it was or as it should be; says how many are as they should be.
    fn check(&self, round: usize) -> usize {
        let now = self.notes();
        let mut n_after = 0;
        for (name, text) in &self.before {
            let held = &now[name];
            let is_after = *held == self.after[name];
            assert!(
                is_after || held == text,
                "round {round}: {name} is damaged: {held:?}"
            );
            n_after += usize::from(is_after);
        }
        n_after
    }
}

const WRITE: &[&str] = &[
    "tag",
    "--write",
    "--model",
    "MODEL",
    "--labels",
    LABELS,
    "--threshold",
    "0",
    "--format",
    "jsonl",
    "notes",
];
const UNDO: &[&str] = &["undo", "--since", "1970-01-02"];

fn kill_at_random(seed: u64) {
    let mut rounds = Rounds::new(seed);
    let (mut in_writing, mut in_undoing) = (0, 0);
    for round in 0..ROUNDS {
        let out = rounds.kill(WRITE);
        let n_after = rounds.check(round);
        in_writing += usize::from((1..NOTES.len()).contains(&n_after));
        let now = rounds.notes();
        for line in out.lines() {
            // A line that is whole was acknowledged.
            let Ok(line) = serde_json::from_str::<serde_json::Value>(line) else {
                continue;
            };
            let name = line["path"].as_str().unwrap().trim_start_matches("notes/");
            assert_eq!(
                now[name], rounds.after[name],
                "round {round}: {name} was acknowledged"
            );
        }
        rounds.finish(WRITE);
        assert_eq!(
            rounds.notes(),
            rounds.after,
            "round {round}: after the next run"
        );
        rounds.kill(UNDO);
        let n_after = rounds.check(round);
        in_undoing += usize::from((1..NOTES.len()).contains(&n_after));
        rounds.finish(UNDO);
        assert_eq!(
            rounds.notes(),
            rounds.before,
            "round {round}: after the next undo"
        );
    }
    anstream::eprintln!("killed in the middle of {in_writing} writings and {in_undoing} undoings");
    assert!(
        in_writing + in_undoing > 0,
        "no round met the program at work"
    );
}

#[test]
fn killed_at_any_moment_nothing_is_lost_or_doubled_1() {
    kill_at_random(1);
}

#[test]
fn killed_at_any_moment_nothing_is_lost_or_doubled_2() {
    kill_at_random(2);
}

#[test]
fn killed_at_any_moment_nothing_is_lost_or_doubled_3() {
    kill_at_random(3);
}

#[test]
fn killed_at_any_moment_nothing_is_lost_or_doubled_4() {
    kill_at_random(4);
}
