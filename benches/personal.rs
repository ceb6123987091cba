//! A personal vocabulary: how much corrections teach, by memory alone.
//!
//! Input: `benches/personal/*.jsonl`, notes of one person with tags that no model can know. Output: a
//! table of micro-F1 on the held-out notes before and after 60 corrections, in three orders; what is
//! suggested on notes of other people; and how long looking up takes at 10,000 texts.
//! `-- --write-vectors FILE` writes what the bundled model makes of the memory's ordinary texts
//! (`src/learn/memory/ordinary.i8`), and nothing else.
//! A correction accepts the tags of its note and rejects what was suggested and is not among them.

use std::sync::Arc;
use std::time::Instant;

use gliznet::correction::{Correction, Said, Source};
use gliznet::desk::decision::{Facts, decide};
use gliznet::document::Format;
use gliznet::engine::{Embedding, Engine, EngineOptions, Passage, Prediction, Request, Vocabulary};
use gliznet::label::LabelSet;
use gliznet::learn::memory::{MOST_ENTRIES, Memory, ordinary};
use gliznet::model::random::Random;
use gliznet::model::{LoadOptions, Model};
use gliznet::tag::Selection;

/// So many notes are corrected.
const CORRECTIONS: usize = 60;
/// Where the table has a row.
const STEPS: [usize; 7] = [0, 1, 5, 10, 20, 40, 60];
const ORDERS: u64 = 3;

struct Note {
    text: String,
    labels: Vec<String>,
    prediction: Prediction,
}

struct Vault {
    set: Arc<LabelSet>,
    selection: Selection,
    model: String,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = Arc::new(Model::bundled(&LoadOptions::default())?);
    let options = EngineOptions {
        embedding: true,
        ..EngineOptions::default()
    };
    let engine = Engine::new(Arc::clone(&model), options);
    let corrected = rows("benches/personal/corrections.jsonl")?;
    let held_out = rows("benches/personal/held-out.jsonl")?;
    let mut names: Vec<String> = corrected.iter().flat_map(|row| row.1.clone()).collect();
    names.sort();
    names.dedup();
    let set = Arc::new(LabelSet::from_names(&names).map_err(|_| "the labels are faulty")?);
    let vocabulary = engine.vocabulary(Arc::clone(&set))?;
    let vault = Vault {
        set,
        selection: Selection {
            threshold: None,
            default_threshold: engine.default_threshold(),
            margin: engine.margin(),
            top: None,
            multi_class: false,
        },
        model: model.fingerprint().to_owned(),
    };
    let corrected = read(&engine, &vocabulary, corrected)?;
    let held_out = read(&engine, &vocabulary, held_out)?;
    let background: Vec<Embedding> = read(&engine, &vocabulary, bare(ordinary()))?
        .into_iter()
        .filter_map(|note| note.prediction.embedding)
        .collect();
    if let Some(file) = argument("--write-vectors") {
        std::fs::write(&file, codes(&background))?;
        return Ok(());
    }
    let strangers = read(&engine, &vocabulary, strangers()?)?;
    anstream::println!(
        "{} personal tags, {CORRECTIONS} of {} notes corrected, {} held out, {} of strangers\n",
        names.len(),
        corrected.len(),
        held_out.len(),
        strangers.len()
    );
    anstream::println!(
        "| corrections | micro-F1, {ORDERS} orders | mean | tags on a stranger's note |"
    );
    anstream::println!("| --- | --- | --- | --- |");
    let orders: Vec<Vec<(f64, f64)>> = (0..ORDERS)
        .map(|seed| learn(&vault, &corrected, &held_out, &strangers, &background, seed))
        .collect();
    for (row, step) in STEPS.iter().enumerate() {
        let f1: Vec<f64> = orders.iter().map(|order| order[row].0).collect();
        let strange: Vec<f64> = orders.iter().map(|order| order[row].1).collect();
        let shown: Vec<String> = f1.iter().map(|f1| format!("{f1:.3}")).collect();
        anstream::println!(
            "| {step} | {} | {:.3} | {:.2} |",
            shown.join(" / "),
            mean(&f1),
            mean(&strange)
        );
    }
    speed(&vault, &corrected, &background);
    Ok(())
}

/// What follows `name` on the command line.
fn argument(name: &str) -> Option<String> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1)
}

/// The vectors as `src/learn/memory/ordinary.i8` has them.
fn codes(vectors: &[Embedding]) -> Vec<u8> {
    let codes = vectors.iter().flat_map(Embedding::codes);
    codes.map(|code| code.cast_unsigned()).collect()
}

/// F1 on the held-out notes, and tags a note of strangers, after each of `STEPS`.
fn learn(
    vault: &Vault,
    corrected: &[Note],
    held_out: &[Note],
    strangers: &[Note],
    background: &[Embedding],
    seed: u64,
) -> Vec<(f64, f64)> {
    let mut memory = Memory::default();
    memory.begin(&vault.model, background);
    let mut order: Vec<&Note> = corrected.iter().collect();
    Random::new(&[seed]).shuffle(&mut order);
    let measure = |memory: &Memory| {
        let tags = strangers.iter().map(|note| vault.tags(memory, note).len());
        let strange = tags.sum::<usize>() as f64 / strangers.len() as f64;
        (f1(vault, memory, held_out), strange)
    };
    let mut measured = vec![measure(&memory)];
    for (done, note) in (1..).zip(order.into_iter().take(CORRECTIONS)) {
        correct(vault, &mut memory, done as u64, note);
        if STEPS.contains(&done) {
            measured.push(measure(&memory));
        }
    }
    measured
}

fn correct(vault: &Vault, memory: &mut Memory, id: u64, note: &Note) {
    let mut rejected = vault.tags(memory, note);
    rejected.retain(|tag| !note.labels.contains(tag));
    let said = Said {
        accepted: note.labels.clone(),
        rejected,
        source: Source::Script,
    };
    let made = Correction::new(note.text.clone(), Format::Plain, &vault.set, &said);
    let (Ok(correction), Some(embedding)) = (made, &note.prediction.embedding) else {
        return;
    };
    memory.add(id, &correction);
    memory.learn(id, &vault.model, embedding, |name| {
        let label = vault.set.find(name)?;
        let mut scores = note.prediction.scores.iter();
        scores.find(|s| s.label == label).map(|s| s.score)
    });
}

impl Vault {
    fn tags(&self, memory: &Memory, note: &Note) -> Vec<String> {
        let seen = note.prediction.embedding.as_ref();
        let seen = seen.map(|embedding| (embedding, self.model.as_str()));
        let recall = memory.recall(&note.text, seen, &self.set);
        let facts = Facts {
            raw: &note.prediction.scores,
            adjusted: &recall.applied_to(&note.prediction).scores,
            recall: &recall,
            said: None,
        };
        let tags = decide(&self.set, &self.selection, facts).into_iter();
        tags.map(|tag| self.set.label(tag.label).name.clone())
            .collect()
    }
}

fn f1(vault: &Vault, memory: &Memory, notes: &[Note]) -> f64 {
    let (mut right, mut all) = (0, 0);
    for note in notes {
        let tags = vault.tags(memory, note);
        right += tags.iter().filter(|tag| note.labels.contains(tag)).count();
        all += tags.len() + note.labels.len();
    }
    2.0 * right as f64 / all.max(1) as f64
}

/// How long looking up takes when the memory is full.
fn speed(vault: &Vault, notes: &[Note], background: &[Embedding]) {
    let mut memory = Memory::default();
    memory.begin(&vault.model, background);
    let labels: Vec<String> = (0..100).map(|i| format!("label {i}")).collect();
    let Ok(set) = LabelSet::from_names(&labels) else {
        return;
    };
    let mut random = Random::new(&[1]);
    let dimensions = background.first().map_or(384, |b| b.codes().len());
    let began = Instant::now();
    for id in 0..MOST_ENTRIES {
        let said = Said {
            accepted: vec![labels[id % labels.len()].clone()],
            ..Said::default()
        };
        let made = Correction::new(format!("note {id}"), Format::Plain, &set, &said);
        let codes = (0..dimensions)
            .map(|_| random.below(255) as u8 as i8)
            .collect();
        if let (Ok(correction), Some(embedding)) = (made, Embedding::from_codes(codes)) {
            memory.add(id as u64, &correction);
            memory.learn(id as u64, &vault.model, &embedding, |_| None);
        }
    }
    let filled = began.elapsed();
    let Some(embedding) = notes
        .iter()
        .find_map(|note| note.prediction.embedding.as_ref())
    else {
        return;
    };
    let began = Instant::now();
    let rounds: u32 = 50;
    for _ in 0..rounds {
        memory.recall("another", Some((embedding, &vault.model)), &set);
    }
    anstream::println!(
        "\n{} texts of {dimensions} dimensions: filled in {filled:.1?}, looked up in {:.2?}",
        memory.len(),
        began.elapsed() / rounds
    );
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

type Row = (String, Vec<String>);

fn bare(texts: impl Iterator<Item = String>) -> Vec<Row> {
    texts.map(|text| (text, Vec::new())).collect()
}

/// Every other note that the calibration was fitted on; the memory's ordinary texts are the rest.
fn strangers() -> Result<Vec<Row>, Box<dyn std::error::Error>> {
    let known: Vec<String> = ordinary().collect();
    let mut strangers = Vec::new();
    for set in [
        "gtd",
        "journal",
        "personal-notes",
        "reading-notes",
        "recipes",
    ] {
        let rows = rows(&format!("train/calibration/{set}.jsonl"))?;
        strangers.extend(rows.into_iter().filter(|row| !known.contains(&row.0)));
    }
    Ok(strangers)
}

fn rows(path: &str) -> Result<Vec<Row>, Box<dyn std::error::Error>> {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    let mut rows = Vec::new();
    for line in std::fs::read_to_string(path)?.lines() {
        let row: serde_json::Value = serde_json::from_str(line)?;
        let text = row["text"].as_str().unwrap_or_default().to_owned();
        let labels = serde_json::from_value(row["labels"].clone())?;
        rows.push((text, labels));
    }
    Ok(rows)
}

fn read(
    engine: &Engine,
    vocabulary: &Vocabulary,
    rows: Vec<Row>,
) -> Result<Vec<Note>, Box<dyn std::error::Error>> {
    let mut notes = Vec::new();
    for (text, labels) in rows {
        let passage = Passage::plain(&text);
        let request = Request {
            passage: &passage,
            vocabulary,
        };
        let prediction = engine.score(&[request])?.pop().ok_or("no answer")?;
        notes.push(Note {
            text,
            labels,
            prediction,
        });
    }
    Ok(notes)
}
