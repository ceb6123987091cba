//! Before the model: documents, tokens, windows, batches.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use gliznet::engine::batcher::{Shape, batches};
use gliznet::engine::window::windows;

use crate::corpus::{labels, model, notes, text};

pub(crate) fn measure(criterion: &mut Criterion) {
    parse(criterion);
    tokenise(criterion);
    cut(criterion);
    batch(criterion);
}

fn parse(criterion: &mut Criterion) {
    let notes = notes("");
    let bytes: usize = notes.iter().map(|note| note.bytes.len()).sum();
    let mut group = criterion.benchmark_group("parse");
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function("all notes", |bencher| {
        bencher.iter(|| {
            notes
                .iter()
                .for_each(|note| drop(black_box(note.document())))
        });
    });
    group.finish();
}

fn tokenise(criterion: &mut Criterion) {
    let model = model();
    let text = text();
    let note = &text[..text.floor_char_boundary(1_000)];
    let set = labels(1_000);
    let names: Vec<_> = set
        .labels()
        .iter()
        .map(|label| label.name.as_str())
        .collect();
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    let mut group = criterion.benchmark_group("tokenise");
    for (name, text) in [("a note", note), ("all notes", &text)] {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| black_box(model.tokenizer().tokens(black_box(text))));
        });
    }
    group.throughput(Throughput::Elements(names.len() as u64));
    group.bench_function("1000 labels", |bencher| {
        bencher.iter(|| black_box(model.tokenizer().ids_of_all(black_box(&names))));
    });
    group.finish();
}

/// Windows of 256 tokens, with a block every 40: a short note, and the longest book there is.
fn cut(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cut into windows");
    for tokens in [1_000, 1_000_000] {
        let breaks: Vec<usize> = (0..tokens).step_by(40).collect();
        let lead = |start: usize| if start == 0 { 0 } else { 12 };
        group.throughput(Throughput::Elements(tokens as u64));
        group.bench_function(BenchmarkId::from_parameter(tokens), |bencher| {
            bencher.iter(|| windows(black_box(tokens), &breaks, 256, lead, usize::MAX));
        });
    }
    group.finish();
}

/// Sequences of 10 to 512 tokens under the engine's budget.
fn batch(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("form batches");
    for sequences in [32, 10_000] {
        let lengths: Vec<usize> = (0..sequences).map(|i| 10 + i * 7_919 % 503).collect();
        group.throughput(Throughput::Elements(sequences as u64));
        group.bench_function(BenchmarkId::from_parameter(sequences), |bencher| {
            bencher.iter(|| batches(black_box(&lengths), 2_048, Shape::Packed));
        });
    }
    group.finish();
}
