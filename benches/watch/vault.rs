//! What is asked for, and a user with a folder of notes that a daemon watches.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::{Client, Daemon, Home};

pub(crate) const USAGE: &str = "\
cargo bench --bench watch -- [first] [saved] [restart] [storm] [--notes N] [--words N] [--many N] [FILE.jsonl]

first    the notes of FILE, one JSON object with a `text` a line, cut into pieces of --words words
         (the example notes without it): first tagging against the engine alone
saved    one saved note at a time
restart  --many notes and a tiny model: index, restart, find, tags
storm    the same, and as many changes at once
All of them where none is named.";

/// The case's name, and how much of it.
pub(crate) struct Asked {
    cases: Vec<String>,
    pub(crate) notes: usize,
    pub(crate) words: usize,
    pub(crate) many: usize,
    pub(crate) file: Option<PathBuf>,
}

impl Asked {
    /// None where help is asked for, or what is asked means nothing.
    pub(crate) fn from_arguments() -> Option<Asked> {
        let mut asked = Asked {
            cases: Vec::new(),
            notes: 300,
            words: 120,
            many: 100_000,
            file: None,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut number = || arguments.next()?.parse::<usize>().ok();
            match argument.as_str() {
                "--bench" => {} // Cargo says so.
                "--notes" => asked.notes = number()?,
                "--words" => asked.words = number()?,
                "--many" => asked.many = number()?,
                "first" | "saved" | "restart" | "storm" => asked.cases.push(argument),
                file if !file.starts_with('-') => asked.file = Some(file.into()),
                _ => return None,
            }
        }
        Some(asked)
    }

    pub(crate) fn has(&self, case: &str) -> bool {
        self.cases.is_empty() || self.cases.iter().any(|named| named == case)
    }
}

pub(crate) fn row(what: &str, seen: &str, goal: &str) {
    anstream::println!("| {what} | {seen} | {goal} |");
}

/// A user with notes.
pub(crate) struct Vault {
    pub(crate) home: Home,
    pub(crate) notes: PathBuf,
}

impl Vault {
    /// With the bundled model and labels, or a tiny model and three labels, all of which fit.
    pub(crate) fn new(tiny: bool) -> Vault {
        let model =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parity/bert-isolated-proj");
        let home = Home::new(tiny.then_some(model.as_path()));
        if tiny {
            let set =
                "[[label]]\nname = 'garden'\n[[label]]\nname = 'tax'\n[[label]]\nname = 'travel'\n";
            write(&home.path("config/set.toml"), set);
            let settings = format!(
                "model = '{}'\nlabelset = 'set.toml'\nthreshold = 0.0\n",
                model.display()
            );
            write(&home.path("config/gliznet.toml"), &settings);
        }
        let notes = home.path("notes");
        std::fs::create_dir_all(&notes).expect("a folder");
        let notes = notes.canonicalize().expect("it is there");
        Vault { home, notes }
    }

    /// Writes note `number`, in one of a thousand folders.
    pub(crate) fn put(&self, number: usize, text: &str) {
        let path = self.path(number);
        std::fs::create_dir_all(path.parent().expect("it is in a folder")).expect("a folder");
        write(&path, text);
    }

    pub(crate) fn path(&self, number: usize) -> PathBuf {
        self.notes.join(format!("{}/{number}.md", number % 1_000))
    }
}

/// Has a folder watched; a note is read when it was quiet for `settle` seconds.
pub(crate) fn watch(client: &mut Client, notes: &Path, settle: f32, sink: &str) {
    let params = json!({
        "action": "add", "path": notes.display().to_string(),
        "settleSeconds": settle, "sink": sink,
    });
    client.ask("gliznet/watch", &params);
}

/// Waits until so many notes of the only folder are known, all are tagged, and nothing is to be done.
pub(crate) fn wait(client: &mut Client, notes: usize, pause: Duration) {
    let begin = Instant::now();
    loop {
        let list = client.ask("gliznet/watch", &json!({ "action": "list" }));
        let folder = &list["folders"][0];
        let is_over = folder["busy"] == false && folder["state"] == "watching";
        if is_over && folder["notes"] == notes && folder["tagged"] == notes {
            return;
        }
        assert!(begin.elapsed() < Duration::from_secs(3_600), "{list}");
        std::thread::sleep(pause);
    }
}

/// Runs a command to its end: how long it took, and the most memory that it was seen to have, in MB.
pub(crate) fn measured(mut command: std::process::Command) -> (Duration, f64) {
    let begin = Instant::now();
    let mut child = command
        .stdout(std::process::Stdio::null())
        .stdin(std::process::Stdio::null())
        .spawn()
        .expect("the program runs");
    let mut most: f64 = 0.0;
    let status = format!("/proc/{}/status", child.id());
    while child.try_wait().expect("it is ours").is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        most = most.max(megabytes(&text, "VmHWM:").unwrap_or(0.0));
        std::thread::sleep(Duration::from_millis(2));
    }
    (begin.elapsed(), most)
}

fn megabytes(status: &str, field: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kilobytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes / 1024.0)
}

/// The memory that a daemon has, and the most that it had since it was last forgotten, in MB.
pub(crate) fn memory(daemon: &Daemon<'_>) -> (f64, f64) {
    let status = daemon.proc("status");
    let of = |field| megabytes(&status, field).unwrap_or(f64::NAN);
    (of("VmRSS:"), of("VmHWM:"))
}

/// Forgets the most memory that a daemon had.
pub(crate) fn forget_peak(daemon: &Daemon<'_>) {
    write(Path::new(&format!("/proc/{}/clear_refs", daemon.id())), "5");
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).expect("it can be written");
}
