//! Notes per second on a GPU: `benches/gpu.sh`, which runs this beside PyTorch.
//!
//! Input: a checkpoint folder, and where to write the shapes that were run. Output: a table, one
//! line a precision and a length of notes, from texts to scores and for the model alone; how far
//! cosines are from the processor's; and the shapes as JSON, for `gpu/twin.py`.
//! Knows nothing of which GPU is there: without one it measures the processor, with few notes.

#[path = "gpu/parts.rs"]
mod parts;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anstream::println;
use gliznet::config::Device as Choice;
use gliznet::engine::batcher::{self, Shape};
use gliznet::engine::{Engine, EngineOptions, Passage, Request, Vocabulary};
use gliznet::label::{LabelSet, bundled};
use gliznet::model::device::{Chosen, choose};
use gliznet::model::random::Random;
use gliznet::model::sequence::Sequence;
use gliznet::model::{LoadOptions, Model, Precision};

/// The binary's allocator, so that its numbers are these.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// Words of a note, and how many such notes a GPU gets.
const WORKLOADS: [(usize, usize); 3] = [(60, 2048), (250, 1024), (900, 256)];
const LABELS: usize = 30;
/// A workload is repeated for so long.
const LONG_ENOUGH: Duration = Duration::from_millis(1500);
/// Notes of each length whose cosines are compared with the processor's.
const COMPARED: usize = 8;
/// `EngineOptions::batch_tokens` of a GPU, for the model alone.
const BATCH_TOKENS: usize = 16_384;
/// Text tokens in a window of the model alone.
const WINDOW: usize = 480;

/// Notes of one length.
struct Workload {
    words: usize,
    notes: Vec<Passage>,
}

fn main() -> Fallible<()> {
    let mut arguments = std::env::args_os().skip(1);
    let checkpoint = PathBuf::from(arguments.next().ok_or("name a checkpoint folder")?);
    let chosen = choose(Choice::Auto)?;
    println!("the model runs on the {}: {}", chosen.name, chosen.why);
    let share = if chosen.device.is_cpu() { 128 } else { 1 };
    let workloads = WORKLOADS.map(|(words, notes)| workload(words, notes.div_ceil(share)));

    let labels = labels()?;
    let here = Engine::new(
        load(&checkpoint, None, Precision::F32)?,
        EngineOptions::default(),
    );
    let expected = cosines(&here, &labels, &workloads)?;
    let spread = |x: &[f32]| {
        x.iter().fold(f32::MIN, |a, b| a.max(*b)) - x.iter().fold(f32::MAX, |a, b| a.min(*b))
    };
    println!(
        "cosines of the processor lie within {:.3} of each other",
        spread(&expected)
    );
    println!("| precision | words | notes/s | model alone | one note, p50 | off by |");
    println!("| --- | --- | --- | --- | --- | --- |");
    let mut shapes = Vec::new();
    for (name, precision) in [
        ("f32", Precision::F32),
        ("tf32", Precision::F32),
        ("bf16", Precision::Bf16),
    ] {
        reduced_f32(name == "tf32");
        let model = load(&checkpoint, Some(&chosen), precision)?;
        let engine = Engine::new(Arc::clone(&model), EngineOptions::default());
        let off = distance(&expected, &cosines(&engine, &labels, &workloads)?);
        let vocabulary = engine.vocabulary(Arc::clone(&labels))?;
        for workload in &workloads {
            let whole = rate(workload.notes.len(), || {
                score(&engine, &vocabulary, &workload.notes)
            })?;
            let batches = batches(&model, &labels, workload)?;
            let alone = rate(workload.notes.len(), || forward(&model, &batches))?;
            let one = latency(&engine, &vocabulary, &workload.notes)?;
            let words = workload.words;
            println!(
                "| {name} | {words} | {whole:.0} | {alone:.0} | {:.1} ms | {off:.1e} |",
                one.as_secs_f64() * 1e3
            );
            if name == "f32" {
                shapes.push(shape(workload, &batches));
            }
        }
    }
    if let Some(path) = arguments.next() {
        std::fs::write(path, serde_json::to_vec(&shapes)?)?;
    }
    if !chosen.device.is_cpu() {
        reduced_f32(false);
        parts::measure(&chosen.device)?;
    }
    Ok(())
}

/// Lets float32 products round their factors to ten bits, which the product does not offer.
fn reduced_f32(on: bool) {
    candle_core::cuda::set_gemm_reduced_precision_f32(on);
}

/// The checkpoint on the chosen device, or the processor.
fn load(
    checkpoint: &std::path::Path,
    chosen: Option<&Chosen>,
    precision: Precision,
) -> Fallible<Arc<Model>> {
    let mut options = LoadOptions {
        precision,
        ..LoadOptions::default()
    };
    if let Some(chosen) = chosen {
        options.device = chosen.device.clone();
    }
    Ok(Arc::new(Model::load(checkpoint, &options)?))
}

fn labels() -> Fallible<Arc<LabelSet>> {
    let found = bundled().iter().find(|(name, _)| *name == "personal-notes");
    let (_, source) = found.ok_or("the label set is not bundled")?;
    let set = LabelSet::parse(source).map_err(|_| "the label set has faults")?;
    let names = set
        .labels()
        .iter()
        .map(|label| label.name.as_str())
        .take(LABELS);
    let set = LabelSet::from_names(names).map_err(|_| "the labels have faults")?;
    Ok(Arc::new(set))
}

/// Notes of about so many words, each a stretch of an example from another place.
fn workload(words: usize, notes: usize) -> Workload {
    let source: Vec<&str> = include_str!("../examples/notes/a-year-of-repairing-things.md")
        .split_whitespace()
        .collect();
    let mut random = Random::new(&[words as u64]);
    let mut note = || {
        let (start, length) = (
            random.below(source.len()),
            words - words / 5 + random.below(2 * words / 5),
        );
        let words: Vec<&str> = source
            .iter()
            .cycle()
            .skip(start)
            .take(length)
            .copied()
            .collect();
        Passage::plain(words.join(" "))
    };
    Workload {
        words,
        notes: (0..notes).map(|_| note()).collect(),
    }
}

fn requests<'a>(notes: &'a [Passage], vocabulary: &'a Vocabulary) -> Vec<Request<'a>> {
    notes
        .iter()
        .map(|passage| Request {
            passage,
            vocabulary,
        })
        .collect()
}

fn score(engine: &Engine, vocabulary: &Vocabulary, notes: &[Passage]) -> Fallible<()> {
    let predictions = engine.score(&requests(notes, vocabulary))?;
    assert_eq!(predictions.len(), notes.len());
    Ok(())
}

/// Cosines of the first notes of each length with every label.
fn cosines(engine: &Engine, labels: &Arc<LabelSet>, workloads: &[Workload]) -> Fallible<Vec<f32>> {
    let vocabulary = engine.vocabulary(Arc::clone(labels))?;
    let mut cosines = Vec::new();
    for workload in workloads {
        let notes = &workload.notes[..COMPARED.min(workload.notes.len())];
        for views in engine.views(&requests(notes, &vocabulary))? {
            cosines.extend(
                views
                    .windows
                    .iter()
                    .flatten()
                    .flatten()
                    .filter_map(|view| view.joint),
            );
        }
    }
    Ok(cosines)
}

fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
}

/// The sequences of a workload, laid out and grouped as the engine does.
fn batches(model: &Model, labels: &LabelSet, workload: &Workload) -> Fallible<Vec<Vec<Sequence>>> {
    let names: Vec<&str> = labels
        .labels()
        .iter()
        .map(|label| label.name.as_str())
        .collect();
    let labels = model.tokenizer().ids_of_all(&names)?;
    let labels: Vec<&[u32]> = labels.iter().map(Vec::as_slice).collect();
    let mut sequences = Vec::new();
    for note in &workload.notes {
        let ids = model.tokenizer().tokens(note.text())?.ids;
        let windows = ids.len().div_ceil(WINDOW).max(1);
        let windows = ids.chunks(ids.len().div_ceil(windows).max(1));
        sequences.extend(windows.map(|window| model.sequence(window, &labels)));
    }
    let lengths: Vec<usize> = sequences.iter().map(Sequence::len).collect();
    let batches = batcher::batches(&lengths, BATCH_TOKENS, Shape::Padded).into_iter();
    Ok(batches
        .map(|batch| batch.into_iter().map(|i| sequences[i].clone()).collect())
        .collect())
}

fn forward(model: &Model, batches: &[Vec<Sequence>]) -> Fallible<()> {
    for batch in batches {
        model.forward(&batch.iter().collect::<Vec<_>>())?;
    }
    Ok(())
}

/// Rows, tokens of a row, and tokens that are text, of every batch; and how many notes they are.
fn shape(workload: &Workload, batches: &[Vec<Sequence>]) -> serde_json::Value {
    let of_batch = |batch: &Vec<Sequence>| {
        let tokens = batch.iter().map(Sequence::len).max().unwrap_or(0);
        let text = batch
            .iter()
            .map(|s| s.segments.iter().filter(|s| **s == 0).count())
            .max();
        (batch.len(), tokens, text.unwrap_or(0))
    };
    let batches: Vec<_> = batches.iter().map(of_batch).collect();
    serde_json::json!({ "words": workload.words, "notes": workload.notes.len(), "labels": LABELS, "batches": batches })
}

/// Notes per second: the middle of the runs after the first.
fn rate(notes: usize, mut run: impl FnMut() -> Fallible<()>) -> Fallible<f64> {
    run()?;
    let (begin, mut times) = (Instant::now(), Vec::new());
    while times.len() < 3 || begin.elapsed() < LONG_ENOUGH && times.len() < 50 {
        let start = Instant::now();
        run()?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    Ok(notes as f64 / times[times.len() / 2].as_secs_f64())
}

/// The middle of the times that single notes take.
fn latency(engine: &Engine, vocabulary: &Vocabulary, notes: &[Passage]) -> Fallible<Duration> {
    let mut times = Vec::new();
    for note in notes.iter().cycle().take(40) {
        let start = Instant::now();
        score(engine, vocabulary, std::slice::from_ref(note))?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}
