//! All of it: files in memory to tags, and what comes before the first answer.

use std::hint::black_box;

use criterion::{Criterion, SamplingMode, Throughput};
use gliznet::engine::{Engine, EngineOptions, Passage, Request};
use gliznet::tag::{Selection, Tag, select};

use crate::corpus::{File, labelset, model, notes};

pub(crate) fn measure(criterion: &mut Criterion) {
    load(criterion);
    tag(criterion);
}

/// The bundled checkpoint: tokenizer, weights widened to float32, fingerprint.
fn load(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("load");
    group.sampling_mode(SamplingMode::Flat);
    group.bench_function("the bundled model", |bencher| {
        bencher.iter_with_large_drop(model)
    });
    group.finish();
}

/// A folder of notes with the label set that fits it, as `gliznet tag FOLDER` does, but for the disk.
fn tag(criterion: &mut Criterion) {
    let engine = Engine::new(model(), EngineOptions::default());
    let mut group = criterion.benchmark_group("tag a folder");
    group.sampling_mode(SamplingMode::Flat);
    for (folder, set) in [("journal", "journal"), ("projects", "software-engineering")] {
        let files = notes(folder);
        let set = labelset(set);
        group.throughput(Throughput::Elements(files.len() as u64));
        group.bench_function(
            format!(
                "{folder}, {} notes, {} labels",
                files.len(),
                set.labels().len()
            ),
            |bencher| {
                bencher.iter(|| {
                    let vocabulary = engine
                        .vocabulary(set.clone())
                        .expect("the labels can be tokenised");
                    black_box(tags(&engine, &vocabulary, &files))
                });
            },
        );
    }
    group.finish();
}

fn tags(
    engine: &Engine,
    vocabulary: &gliznet::engine::Vocabulary,
    files: &[File],
) -> Vec<Vec<Tag>> {
    let passages: Vec<Passage> = files
        .iter()
        .map(|file| Passage::of(&file.document()))
        .collect();
    let requests: Vec<Request> = passages
        .iter()
        .map(|passage| Request {
            passage,
            vocabulary,
        })
        .collect();
    let selection = Selection {
        threshold: None,
        default_threshold: engine.default_threshold(),
        margin: engine.margin(),
        top: None,
        multi_class: false,
    };
    let predictions = engine.score(&requests).expect("the notes can be scored");
    predictions
        .iter()
        .map(|prediction| select(&prediction.scores, vocabulary.set(), &selection))
        .collect()
}
