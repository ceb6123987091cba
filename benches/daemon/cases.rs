//! The cases, and the table.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gliznet::document::{Document, Format};
use gliznet::engine::{Engine, EngineOptions, Passage, Request};
use gliznet::label::LabelSet;
use gliznet::lsp::codec::frame;
use gliznet::model::{LoadOptions, Model};
use serde_json::{Value, json};

use crate::client::{Daemon, Home};

const CLIENTS: usize = 50;
const DOCUMENTS: usize = 20;
const EDITS: usize = 200;
const LABELS: [&str; 3] = ["garden", "tax", "travel"];

pub(crate) fn run() {
    anstream::println!("| what | seen | goal |\n| --- | --- | --- |");
    cold();
    overhead();
    many();
    bundled();
}

fn row(what: &str, seen: &str, goal: &str) {
    anstream::println!("| {what} | {seen} | {goal} |");
}

/// Milliseconds: the middle one and the worst.
struct Times(Vec<f64>);

impl Times {
    fn of(n: usize, mut once: impl FnMut(usize) -> Duration) -> Times {
        let mut times: Vec<f64> = (0..n).map(|i| once(i).as_secs_f64() * 1e3).collect();
        times.sort_by(f64::total_cmp);
        Times(times)
    }

    fn middle(&self) -> f64 {
        self.0[self.0.len() / 2]
    }

    fn shown(&self) -> String {
        let worst = self.0.last().copied().unwrap_or(f64::NAN);
        format!("{:.2} ms, worst {worst:.2} ms", self.middle())
    }
}

fn tiny() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parity/bert-isolated-proj")
}

/// From the start of `gliznet lsp`, where no daemon runs, to the answer of `initialize`.
fn cold() {
    let times = Times::of(10, |_| {
        let home = Home::new(None);
        let begin = Instant::now();
        let mut lsp = home.gliznet(&["lsp"]).spawn().expect("the program runs");
        let hello = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": { "capabilities": {} } });
        let mut stdin = lsp.stdin.take().expect("it is piped");
        std::io::Write::write_all(&mut stdin, &frame(hello.to_string().as_bytes()))
            .expect("it reads");
        let mut byte = [0];
        let mut stdout = lsp.stdout.take().expect("it is piped");
        std::io::Read::read_exact(&mut stdout, &mut byte).expect("it answers");
        let took = begin.elapsed();
        let _ = home.gliznet(&["stop"]).output(); // It may not even listen.
        let _ = lsp.kill();
        let _ = lsp.wait();
        took
    });
    row("`initialize`, no daemon running", &times.shown(), "50 ms");
}

/// The same texts in this process and through the socket, by turns; a tiny model, so that its own
/// time does not hide the difference.
fn overhead() {
    let home = Home::new(Some(&tiny()));
    let daemon = home.daemon();
    let mut client = daemon.client();
    let model = Model::load(&tiny(), &LoadOptions::default()).expect("the fixture is whole");
    let engine = Engine::new(Arc::new(model), EngineOptions::default());
    let set = Arc::new(LabelSet::from_names(LABELS).expect("the names differ"));
    let vocabulary = engine.vocabulary(set).expect("the labels can be tokenised");
    let text = |i: usize| format!("Note {i}. Roses want pruning in March, said number {i}.");
    let mut own = Vec::new();
    let through = Times::of(300, |i| {
        let begin = Instant::now();
        let document = Document::parse(Format::Plain, text(i));
        let passage = Passage::of(&document);
        let request = Request {
            passage: &passage,
            vocabulary: &vocabulary,
        };
        engine.score(&[request]).expect("it can be scored");
        own.push(begin.elapsed());
        let begin = Instant::now();
        client.ask("gliznet/tag", &json!({ "text": text(i), "labels": LABELS }));
        begin.elapsed()
    });
    let own = Times::of(own.len(), |i| own[i]);
    let added = through.middle() - own.middle();
    let seen = format!(
        "{added:.2} ms ({:.2} − {:.2})",
        through.middle(),
        own.middle()
    );
    row(
        "warm `gliznet/tag`, over the engine's own time",
        &seen,
        "2 ms",
    );
    let params = json!({ "text": text(0), "labels": LABELS });
    let cached = Times::of(300, |_| {
        let begin = Instant::now();
        assert_eq!(client.ask("gliznet/tag", &params)["cached"], true);
        begin.elapsed()
    });
    row("`gliznet/tag`, cached", &cached.shown(), "3 ms");
}

/// Many clients type at once.
fn many() {
    let home = Home::new(Some(&tiny()));
    let daemon = home.daemon();
    let before = daemon.memory();
    let begin = Instant::now();
    let worst = crowd(&daemon);
    let took = begin.elapsed().as_secs_f64();
    let (n, edits) = (CLIENTS * DOCUMENTS, CLIENTS * EDITS);
    row(
        &format!("{CLIENTS} clients, {n} documents, {edits} edits: all texts right after"),
        &format!("{took:.1} s"),
        "right",
    );
    row(
        "the slowest of their readers waited at most",
        &format!("{worst:.0} ms"),
        "no one starves",
    );
    let (then, threads) = (daemon.memory(), daemon.threads());
    let later = rested(&daemon);
    row(
        "memory before, right after, and 15 s later",
        &format!(
            "{before:.0} MB, {then:.0} MB with {threads} threads, {later:.0} MB with {}",
            daemon.threads()
        ),
        "flat",
    );
    // What stays once may be needed; what grows with every crowd is a leak.
    let crowds = [(); 3].map(|()| {
        crowd(&daemon);
        format!("{:.0}", rested(&daemon))
    });
    row(
        "memory 15 s after a second, third and fourth crowd",
        &format!("{} MB", crowds.join(", ")),
        "flat",
    );
}

/// Memory when threads that waited for files have gone, which they do after ten seconds.
fn rested(daemon: &Daemon<'_>) -> f64 {
    std::thread::sleep(Duration::from_secs(15));
    daemon.memory()
}

/// All of them at once; the longest that one waited for an answer, in milliseconds.
fn crowd(daemon: &Daemon<'_>) -> f64 {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CLIENTS)
            .map(|c| scope.spawn(move || one(daemon, c)))
            .collect();
        let worst = threads
            .into_iter()
            .map(|thread| thread.join().expect("a client's texts are right"));
        worst.fold(0.0, f64::max)
    })
}

/// One of them; the longest that it waited for an answer, in milliseconds.
fn one(daemon: &Daemon<'_>, number: usize) -> f64 {
    let mut client = daemon.client();
    let uri = |d: usize| format!("file:///bench/{number}/{d}.md");
    let mut texts: Vec<String> = (0..DOCUMENTS)
        .map(|d| format!("Client {number}, note {d}.\n"))
        .collect();
    for (d, text) in texts.iter().enumerate() {
        client.open(&uri(d), text);
    }
    let mut worst: f64 = 0.0;
    for edit in 0..EDITS {
        let d = edit % DOCUMENTS;
        let more = format!("é🌱 {edit}\n");
        client.insert(&uri(d), 2 + edit, 0, &more);
        texts[d].insert_str(0, &more);
        if edit % 10 == 0 {
            let begin = Instant::now();
            client.ask("gliznet/status", &Value::Null);
            worst = worst.max(begin.elapsed().as_secs_f64() * 1e3);
        }
    }
    for (d, text) in texts.iter().enumerate() {
        // The same text is in the cache only if it is the same.
        let params = json!({ "text": text, "format": "markdown", "labels": LABELS, "all": true });
        let expected = client.ask("gliznet/tag", &params);
        let params = json!({ "textDocument": { "uri": uri(d) }, "labels": LABELS, "all": true });
        let found = client.ask("gliznet/tag", &params);
        assert_eq!(
            (&found["cached"], &found["scores"]),
            (&json!(true), &expected["scores"])
        );
    }
    worst
}

/// What a writer feels, with the model that writers have.
fn bundled() {
    let home = Home::new(None);
    let daemon = home.daemon();
    let mut client = daemon.client();
    let uri = "file:///bench/long.md";
    let long: String = (0..5_000)
        .map(|i| format!("Line {i} of a long note on gardens and taxes.\n"))
        .collect();
    client.open(uri, &long);
    let mut asked = Vec::new();
    let typed = Times::of(100, |i| {
        if i % 20 == 0 {
            asked.push(client.post(
                "gliznet/tag",
                &json!({ "text": format!("{i} {long}"), "format": "markdown" }),
            ));
        }
        std::thread::sleep(Duration::from_millis(20));
        let begin = Instant::now();
        client.insert(uri, i + 2, 2_500, "x");
        client.ask("gliznet/status", &Value::Null);
        begin.elapsed()
    });
    row(
        "a key in a 5,000-line note while the model works, to the next answer",
        &typed.shown(),
        "never waits for it",
    );
    drop(client);
    while daemon.client().ask("gliznet/status", &Value::Null)["queue"] != 0 {
        std::thread::sleep(Duration::from_millis(200));
    }
    std::thread::sleep(Duration::from_secs(5));
    let before = daemon.cpu();
    std::thread::sleep(Duration::from_secs(10));
    let used = (daemon.cpu() - before) * 1e3;
    row(
        "idle daemon, bundled model: processor time in 10 s",
        &format!("{used:.0} ms"),
        "0 %",
    );
    row(
        "idle daemon, bundled model, after work: memory",
        &format!("{:.0} MB", daemon.memory()),
        "250 MB",
    );
    drop(daemon);
    let daemon = home.daemon();
    row(
        "idle daemon, bundled model, after one text: memory",
        &format!("{:.0} MB", daemon.memory()),
        "250 MB",
    );
}
