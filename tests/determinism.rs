//! The same note, labels, machine and precision give the same scores to the last bit: whatever shares
//! the batch, in which order, on how many threads, and beside which other labels. With
//! fewer of the processor's instructions they are near.

#![cfg(test)]

#[path = "support/gliznet.rs"]
mod gliznet;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::gliznet::engine::{Engine, EngineOptions, Passage, Request, Vocabulary};
use ::gliznet::label::LabelSet;
use ::gliznet::model::{LoadOptions, Model, Precision};
use gliznet::{Gliznet, Ran, tiny};

const TEXTS: [&str; 5] = [
    "Fed the sourdough starter twice, then an overnight cold proof; 230 °C with steam.",
    "The train was late again, so I read until Ghent and slept until Ostend. Next time the boat.",
    "tax",
    "Interest on the savings account fell to 1.2 %, and the bank wants a new form for the mortgage.",
    "Pruned the roses and the apple tree, hard, as every February. The pears can wait another week.",
];

fn engine(precision: Precision) -> Engine {
    let options = LoadOptions {
        precision,
        ..LoadOptions::default()
    };
    let model = Arc::new(Model::bundled(&options).unwrap());
    assert_eq!(model.precision(), precision);
    Engine::new(model, EngineOptions::default())
}

const LABELS: [&str; 5] = [
    "baking",
    "travel",
    "personal finance",
    "garden",
    "machine learning",
];

fn vocabulary(engine: &Engine, names: &[&str]) -> Vocabulary {
    let set = LabelSet::from_names(names).unwrap();
    engine.vocabulary(Arc::new(set)).unwrap()
}

/// Scores of texts, in one call, on so many threads.
fn scores(
    engine: &Engine,
    vocabulary: &Vocabulary,
    texts: &[&str],
    threads: usize,
) -> Vec<Vec<f32>> {
    let passages: Vec<Passage> = texts.iter().copied().map(Passage::plain).collect();
    let request = |passage| Request {
        passage,
        vocabulary,
    };
    let requests: Vec<Request> = passages.iter().map(request).collect();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let predictions = pool.unwrap().install(|| engine.score(&requests).unwrap());
    let scores = predictions.iter().map(|p| p.scores.iter());
    scores
        .map(|of| of.map(|s| s.score.value()).collect())
        .collect()
}

fn largest_difference(a: &[Vec<f32>], b: &[Vec<f32>]) -> f32 {
    assert_eq!(a.len(), b.len());
    let pairs = a.iter().zip(b).flat_map(|(a, b)| a.iter().zip(b));
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn check(precision: Precision) {
    let engine = engine(precision);
    let set = vocabulary(&engine, &LABELS);
    let scores = |texts: &[&str], threads| scores(&engine, &set, texts, threads);
    let together = scores(&TEXTS, 1);
    assert!(together.iter().all(|scores| scores.len() == 5));
    for threads in [2, 3, 7] {
        assert_eq!(together, scores(&TEXTS, threads), "{threads} threads");
    }
    let alone: Vec<Vec<f32>> = TEXTS.iter().flat_map(|text| scores(&[text], 2)).collect();
    assert_eq!(together, alone, "alone");
    let mut reversed = TEXTS;
    reversed.reverse();
    let mut reversed = scores(&reversed, 2);
    reversed.reverse();
    assert_eq!(together, reversed, "reversed");
    let others: Vec<String> = (0..40).map(|i| format!("other {i}")).collect();
    let more: Vec<&str> = LABELS
        .into_iter()
        .chain(others.iter().map(String::as_str))
        .collect();
    for names in [&LABELS[..1], &LABELS[..2], &more] {
        let set = vocabulary(&engine, names);
        let scores = self::scores(&engine, &set, &TEXTS, 2);
        for (all, some) in together.iter().zip(&scores) {
            let n = all.len().min(some.len());
            assert_eq!(all[..n], some[..n], "{} labels", names.len());
        }
    }
}

#[test]
fn f32_scores_depend_on_nothing_but_text_and_labels() {
    check(Precision::F32);
}

#[test]
fn int8_scores_depend_on_nothing_but_text_and_labels() {
    check(Precision::Int8);
}

#[test]
fn int8_scores_are_near_those_of_f32_and_never_taken_for_them() {
    let [f32, int8] = [Precision::F32, Precision::Int8].map(engine);
    let of = |engine: &Engine| scores(engine, &vocabulary(engine, &LABELS), &TEXTS, 2);
    let apart = largest_difference(&of(&f32), &of(&int8));
    assert!(apart > 0.0 && apart < 0.1, "{apart}");
    let (f32, int8) = (f32.model(), int8.model());
    // What is kept under a fingerprint is another one's; what is learnt on top fits both.
    assert_ne!(f32.fingerprint(), int8.fingerprint());
    assert_eq!(f32.checkpoint_fingerprint(), int8.checkpoint_fingerprint());
}

#[test]
fn auto_is_one_of_the_two() {
    let options = LoadOptions {
        precision: Precision::Auto,
        ..LoadOptions::default()
    };
    let model = Model::bundled(&options).unwrap();
    assert!([Precision::F32, Precision::Int8].contains(&model.precision()));
}

#[test]
fn golden_cases_pass_without_avx512_and_without_avx2() {
    let parity = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parity");
    let isolated = ["bert", "modernbert"].map(|name| parity.join(format!("{name}-isolated-proj")));
    for limit in ["plain", "avx2"] {
        for folder in isolated.iter().map(PathBuf::as_path).chain([tiny()]) {
            for precision in ["f32", "int8"] {
                let user = Gliznet::new();
                let mut command = user.command(&["model", "verify", "--precision", precision]);
                command.env("GLIZNET_SIMD", limit).arg(folder);
                let ran = Ran::from(command.output().unwrap());
                assert_eq!(
                    ran.code,
                    0,
                    "{limit} {} {precision}: {}",
                    folder.display(),
                    ran.out
                );
                assert!(ran.out.contains("served logits"), "{}", ran.out);
            }
        }
    }
}

#[test]
fn one_thread_gives_the_scores_of_many() {
    let user = Gliznet::with(&[("note.md", &TEXTS.join("\n\n"))]);
    let tagged = |threads: &str| {
        let ran = user.run(&[
            "tag",
            "--format",
            "jsonl",
            "--labelset",
            "personal-notes",
            "--threads",
            threads,
            "note.md",
        ]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.out
    };
    let one = tagged("1");
    assert!(one.contains("note.md"), "{one}");
    assert_eq!(one, tagged("2"));
}
