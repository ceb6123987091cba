//! The bundled model alone: how its time grows with length, batch and labels.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use gliznet::engine::{Engine, EngineOptions, Passage, Request};
use gliznet::model::sequence::{Sequence, overhead};

use crate::corpus::{labels, model, text};

pub(crate) fn measure(criterion: &mut Criterion) {
    lengths(criterion);
    label_counts(criterion);
}

/// Sequences of exactly so many tokens, without labels.
fn lengths(criterion: &mut Criterion) {
    let model = model();
    let tokens = model.tokenizer().tokens(&text());
    let tokens = tokens.expect("the notes can be tokenised").ids;
    let mut group = criterion.benchmark_group("forward");
    group.sampling_mode(SamplingMode::Flat);
    for batch in [1, 8] {
        for length in [64, 128, 256, 512] {
            let text = length - overhead(0);
            let sequences: Vec<Sequence> = tokens
                .chunks_exact(text)
                .take(batch)
                .map(|ids| model.sequence(ids, &[]))
                .collect();
            assert_eq!((sequences.len(), sequences[0].len()), (batch, length));
            let sequences: Vec<&Sequence> = sequences.iter().collect();
            group.throughput(Throughput::Elements((batch * length) as u64));
            let id = BenchmarkId::new(format!("batch {batch}"), format!("{length} tokens"));
            group.bench_function(id, |bencher| {
                bencher.iter(|| black_box(model.forward(black_box(&sequences))));
            });
        }
    }
    group.finish();
}

/// One text of a single window and more and more labels, under isolated attention.
fn label_counts(criterion: &mut Criterion) {
    let engine = Engine::new(model(), EngineOptions::default());
    let text = text();
    let passage = Passage::plain(&text[..text.floor_char_boundary(500)]);
    let mut group = criterion.benchmark_group("score a text of 500 bytes");
    group.sampling_mode(SamplingMode::Flat);
    for n in [20, 100, 1_000] {
        let vocabulary = engine.vocabulary(Arc::clone(&labels(n)));
        let vocabulary = vocabulary.expect("the labels can be tokenised");
        let request = Request {
            passage: &passage,
            vocabulary: &vocabulary,
        };
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(format!("{n} labels"), |bencher| {
            bencher.iter(|| black_box(engine.score(&[black_box(request)])));
        });
    }
    group.finish();
}
