//! Notes for the first time: through the daemon, against the engine alone.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gliznet::document::{Document, Format};
use gliznet::engine::{Engine, EngineOptions, Passage, Request};
use gliznet::label::{LabelSet, bundled};
use gliznet::model::{LoadOptions, Model};
use serde_json::{Value, json};

use crate::vault::{Asked, Vault, row, wait, watch};

/// Both take turns, so that what else the machine does meets both.
const ROUNDS: usize = 4;

/// First tagging of notes in a watched folder, over the engine's own time for the same notes.
pub(crate) fn run(asked: &Asked) {
    let texts = texts(asked);
    let model = Model::bundled(&LoadOptions::default()).expect("the bundled model is whole");
    let options = EngineOptions {
        embedding: true, // As the daemon has it.
        ..EngineOptions::default()
    };
    let engine = Engine::new(Arc::new(model), options);
    let found = bundled().iter().find(|(name, _)| *name == "personal-notes");
    let (_, source) = found.expect("the label set is bundled");
    let set = Arc::new(LabelSet::parse(source).expect("it has no faults"));
    let vocabulary = engine.vocabulary(set).expect("the labels can be tokenised");
    let alone = |texts: &[String]| {
        let begin = Instant::now();
        let passages: Vec<Passage> = texts
            .iter()
            .map(|text| Passage::of(&Document::parse(Format::Markdown, text.as_str())))
            .collect();
        let requests: Vec<Request> = passages
            .iter()
            .map(|passage| Request {
                passage,
                vocabulary: &vocabulary,
            })
            .collect();
        engine.score(&requests).expect("they can be scored");
        begin.elapsed()
    };
    let vault = Vault::new(false);
    let daemon = vault.home.daemon();
    let mut client = daemon.client();
    let mut watched = |number: usize, texts: &[String]| {
        let notes = vault.notes.join(number.to_string());
        std::fs::create_dir(&notes).expect("a folder");
        for (at, text) in texts.iter().enumerate() {
            std::fs::write(notes.join(format!("{at}.md")), text).expect("a note");
        }
        let begin = Instant::now();
        watch(&mut client, &notes, 0.05, "suggest");
        // Each look counts all notes, so whoever looks often measures that.
        wait(&mut client, texts.len(), Duration::from_millis(250));
        let took = begin.elapsed();
        let remove = json!({ "action": "remove", "path": notes.display().to_string() });
        client.ask("gliznet/watch", &remove);
        took
    };
    let (mut own, mut through) = (Duration::ZERO, Duration::ZERO);
    for (number, part) in texts.chunks(texts.len().div_ceil(ROUNDS)).enumerate() {
        match number % 2 {
            0 => {
                own += alone(part);
                through += watched(number, part);
            }
            _ => {
                through += watched(number, part);
                own += alone(part);
            }
        }
    }
    let rate = |time: Duration| texts.len() as f64 / time.as_secs_f64();
    let words: usize = texts
        .iter()
        .map(|text| text.split_whitespace().count())
        .sum();
    let seen = format!(
        "{:.0} % ({:.2} of {:.2} notes a second)",
        100.0 * own.as_secs_f64() / through.as_secs_f64(),
        rate(through),
        rate(own)
    );
    let n = texts.len();
    row(
        &format!(
            "first tagging of {n} notes of {} words, over the engine alone",
            words / n
        ),
        &seen,
        "90 %",
    );
}

/// Pieces of so many words, as many as are asked for or there are.
fn texts(asked: &Asked) -> Vec<String> {
    let sources: Vec<String> = match &asked.file {
        Some(file) => {
            let rows = std::fs::read_to_string(file).expect("FILE can be read");
            let rows = rows.lines().map(|line| {
                let row: Value = serde_json::from_str(line).expect("each line is JSON");
                row["text"]
                    .as_str()
                    .expect("each line has a `text`")
                    .to_owned()
            });
            rows.collect()
        }
        None => {
            let mut paths = Vec::new();
            list(
                &Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/notes"),
                &mut paths,
            );
            paths.sort();
            let read = |path| std::fs::read_to_string(path).ok();
            paths.iter().filter_map(read).collect()
        }
    };
    let pieces = sources.iter().flat_map(|source| {
        let words: Vec<&str> = source.split_whitespace().collect();
        let pieces: Vec<String> = words
            .chunks(asked.words)
            .map(|piece| piece.join(" "))
            .collect();
        pieces
    });
    pieces.take(asked.notes).collect()
}

fn list(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("the folder of examples is there") {
        let path = entry.expect("it can be listed").path();
        match path.is_dir() {
            true => list(&path, paths),
            false => paths.push(path),
        }
    }
}

/// From the moment that a note is saved to the moment that it has its tags, over the time to settle.
pub(crate) fn saved() {
    let vault = Vault::new(false);
    let daemon = vault.home.daemon();
    let mut client = daemon.client();
    let settle = 0.5;
    watch(&mut client, &vault.notes, settle, "frontmatter");
    wait(&mut client, 0, Duration::from_millis(20));
    let mut times: Vec<f64> = (0..20)
        .map(|number| {
            let text = format!(
                "Note {number}. A long weekend in the garden: roses pruned, beds dug over, and the \
                 receipts of the seeds put with the papers for the tax return. {}",
                "Then we planned the journey to the sea, by train and by boat. ".repeat(6)
            );
            vault.put(number, &text);
            let path = vault.path(number);
            let begin = Instant::now();
            let patience = Duration::from_secs(60);
            let is_tagged = || std::fs::read_to_string(&path).is_ok_and(|now| now != text);
            while !is_tagged() {
                assert!(begin.elapsed() < patience, "{}", path.display());
                std::thread::sleep(Duration::from_millis(2));
            }
            begin.elapsed().as_secs_f64() - f64::from(settle)
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let seen = format!(
        "{:.0} ms, worst {:.0} ms",
        times[times.len() / 2] * 1e3,
        times[times.len() - 1] * 1e3
    );
    row(
        "one saved note, from quiet to its tags in the file",
        &seen,
        "1 s",
    );
}
