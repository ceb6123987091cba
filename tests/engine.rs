//! The engine on tiny checkpoints: what a prediction may depend on, and that no label is lost.

#![cfg(test)]

use std::path::Path;
use std::sync::Arc;

use gliznet::document::{Document, Format};
use gliznet::engine::{Engine, EngineOptions, Passage, Prediction, Request};
use gliznet::label::LabelSet;
use gliznet::model::{LoadOptions, Model};

const TEXTS: [&str; 5] = [
    "Fed the sourdough starter twice, then an overnight cold proof.",
    "fn main() { println!(\"naïve café – 東京 🚀\"); }",
    "One day I will see the world!",
    "The train was late again, so I read until Ghent and slept until Ostend.",
    "tax",
];
const LABELS: [&str; 6] = [
    "baking",
    "travel",
    "machine_learning",
    "personal finance",
    "C++",
    "日本語",
];

fn engine_with(checkpoint: &str, options: EngineOptions) -> Engine {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/parity")
        .join(checkpoint);
    let model = Model::load(
        &dir,
        &LoadOptions {
            compat: options.compat,
            ..LoadOptions::default()
        },
    )
    .unwrap();
    Engine::new(Arc::new(model), options)
}

fn engine(checkpoint: &str) -> Engine {
    engine_with(checkpoint, EngineOptions::default())
}

fn set<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Arc<LabelSet> {
    Arc::new(LabelSet::from_names(names).unwrap())
}

fn score(engine: &Engine, texts: &[&str], labels: &Arc<LabelSet>) -> Vec<Prediction> {
    let vocabulary = engine.vocabulary(labels.clone()).unwrap();
    let passages: Vec<Passage> = texts.iter().map(|text| Passage::plain(*text)).collect();
    let requests: Vec<Request> = passages
        .iter()
        .map(|passage| Request {
            passage,
            vocabulary: &vocabulary,
        })
        .collect();
    engine.score(&requests).unwrap()
}

fn logits(prediction: &Prediction) -> Vec<f32> {
    prediction
        .scores
        .iter()
        .map(|score| score.logit.value())
        .collect()
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
}

#[test]
fn a_text_scores_the_same_alone_and_among_others() {
    for checkpoint in [
        "bert-isolated-proj",
        "bert-cosine-proj",
        "modernbert-cosine-proj",
        "deberta-v2-cosine-proj",
    ] {
        let engine = engine(checkpoint);
        let together = score(&engine, &TEXTS, &set(LABELS));
        for (text, prediction) in TEXTS.iter().zip(&together) {
            let alone = score(&engine, &[text], &set(LABELS));
            let difference = largest_difference(&logits(&alone[0]), &logits(prediction));
            assert!(
                difference <= 1e-5,
                "{checkpoint}: {difference:e} for {text}"
            );
        }
    }
}

#[test]
fn an_isolated_label_scores_the_same_whatever_the_others_are() {
    for checkpoint in ["bert-isolated-proj", "modernbert-isolated-proj"] {
        let engine = engine(checkpoint);
        let few = score(&engine, &TEXTS, &set(LABELS));
        // Backwards, and among so many others that several passes are needed.
        let others = (0..400).map(|i| format!("another label {i}"));
        let many: Vec<String> = others
            .chain(LABELS.iter().rev().map(|l| (*l).to_owned()))
            .collect();
        let many = score(&engine, &TEXTS, &set(many));
        for (few, many) in few.iter().zip(&many) {
            let mut last: Vec<f32> = logits(many).split_off(400);
            last.reverse();
            assert!(
                largest_difference(&logits(few), &last) <= 1e-5,
                "{checkpoint}"
            );
        }
    }
}

#[test]
fn labels_that_do_not_fit_beside_the_text_are_scored_in_further_passes() {
    let names: Vec<String> = (0..300)
        .map(|i| format!("a rather long candidate label number {i}"))
        .collect();
    for checkpoint in ["bert-cosine-proj", "bert-prefix-full", "bert-isolated-proj"] {
        let prediction = &score(&engine(checkpoint), &TEXTS[..1], &set(&names))[0];
        assert_eq!(
            (prediction.scores.len(), prediction.unscored.len()),
            (300, 0),
            "{checkpoint}"
        );
    }
}

#[test]
fn compat_names_the_labels_that_the_reference_drops() {
    let names: Vec<String> = (0..120)
        .map(|i| format!("a rather long candidate label, number {i} of many"))
        .collect();
    let options = EngineOptions {
        compat: true,
        ..EngineOptions::default()
    };
    let engine = engine_with("bert-cosine-proj", options);
    let prediction = &score(
        &engine,
        &["Too many labels to fit into one window."],
        &set(&names),
    )[0];
    // The golden case of the same text and labels keeps 16.
    assert_eq!(
        (prediction.scores.len(), prediction.unscored.len()),
        (16, 104)
    );
    assert!(
        prediction.unscored[0].reason.contains("did not fit"),
        "{}",
        prediction.unscored[0].reason
    );
}

#[test]
fn a_long_text_is_read_in_windows_up_to_a_cap_that_is_said() {
    let long = "The train was late again and I read until Ghent. ".repeat(200);
    let engine = engine_with(
        "bert-isolated-proj",
        EngineOptions {
            max_windows: 4,
            ..EngineOptions::default()
        },
    );
    let predictions = score(&engine, &[&long, "short"], &set(LABELS));
    assert_eq!((predictions[0].windows, predictions[0].cut), (4, true));
    assert_eq!((predictions[1].windows, predictions[1].cut), (1, false));
}

#[test]
fn the_headings_of_a_section_are_read_with_every_window_of_it() {
    let body = "word and word and word and word. ".repeat(60);
    let note = |heading: &str| {
        Document::parse(
            Format::Markdown,
            format!("# Day\n\n## {heading}\n\n{body}\n\n{body}\n\n{body}"),
        )
    };
    let engine = engine("bert-isolated-proj");
    let vocabulary = engine.vocabulary(set(LABELS)).unwrap();
    let last_window = |heading: &str| {
        let passage = Passage::of(&note(heading));
        let views = engine
            .views(&[Request {
                passage: &passage,
                vocabulary: &vocabulary,
            }])
            .unwrap();
        assert!(views[0].windows.len() > 2);
        views[0]
            .windows
            .last()
            .unwrap()
            .iter()
            .map(|view| view.unwrap().joint.unwrap())
            .collect::<Vec<f32>>()
    };
    let (a, b) = (last_window("Garden"), last_window("Accounts"));
    assert!(
        largest_difference(&a, &b) > 1e-4,
        "the heading of the section changed nothing"
    );
}

#[test]
fn where_embeddings_count_only_the_first_window_is_read_with_labels() {
    let long = "The train was late again and I read until Ghent. ".repeat(200);
    let passage = Passage::plain(&long);
    for (checkpoint, once) in [("bert-isolated-proj", true), ("bert-prefix-full", false)] {
        let engine = engine(checkpoint);
        let mut vocabulary = engine.vocabulary(set(LABELS)).unwrap();
        engine.read_alone(&mut vocabulary).unwrap();
        let request = Request {
            passage: &passage,
            vocabulary: &vocabulary,
        };
        let with_labels = engine.passes(&request).unwrap();
        let with_labels = with_labels.iter().filter(|pass| !pass.labels.is_empty());
        let windows: Vec<usize> = with_labels.map(|pass| pass.window).collect();
        let views = &engine.views(&[request]).unwrap()[0];
        assert!(views.windows.len() > 2);
        let all: Vec<usize> = (0..views.windows.len()).collect();
        let read = if once { &all[..1] } else { &all };
        assert!(windows.iter().all(|window| read.contains(window)));
        for (window, labels) in views.windows.iter().enumerate() {
            assert_eq!(labels.len(), LABELS.len());
            for view in labels.iter().flatten() {
                assert_eq!(view.joint.is_some(), read.contains(&window), "{checkpoint}");
                assert!(
                    view.embed.is_some() && view.tokens.is_some(),
                    "{checkpoint}"
                );
            }
        }
    }
}

#[test]
fn a_text_without_a_token_has_no_scores_and_says_why() {
    for text in ["", "  \n\t "] {
        let prediction = &score(&engine("bert-isolated-proj"), &[text], &set(LABELS))[0];
        assert_eq!((prediction.windows, prediction.scores.len()), (0, 0));
        assert_eq!(prediction.unscored.len(), LABELS.len());
        assert!(prediction.unscored[0].reason.contains("nothing to read"));
    }
}

#[test]
fn a_label_too_long_for_the_model_is_unscored_and_the_others_are_not() {
    let endless = "very ".repeat(2_000);
    let prediction = &score(
        &engine("bert-isolated-proj"),
        &TEXTS[..1],
        &set(["baking", &endless]),
    )[0];
    assert_eq!((prediction.scores.len(), prediction.unscored.len()), (1, 1));
    assert!(
        prediction.unscored[0].reason.contains("shorten it"),
        "{}",
        prediction.unscored[0].reason
    );
}

#[test]
fn a_description_sharpens_the_embedding_and_costs_no_text_a_token() {
    let described = |meaning: &str| {
        let set = format!("[[label]]\nname = 'baking'\ndescription = '{meaning}'\n");
        Arc::new(LabelSet::parse(&set).unwrap())
    };
    let sets = [
        set(["baking"]),
        described("Bread, dough, flour and what comes out of the oven."),
        described(&"bread and ".repeat(2_000)),
    ];
    for checkpoint in ["bert-isolated-proj", "bert-cosine-proj"] {
        let engine = engine(checkpoint);
        let passage = Passage::plain(TEXTS[0]);
        let seen = sets.each_ref().map(|set| {
            let mut vocabulary = engine.vocabulary(Arc::clone(set)).unwrap();
            engine.read_alone(&mut vocabulary).unwrap();
            let request = Request {
                passage: &passage,
                vocabulary: &vocabulary,
            };
            let lengths: Vec<usize> = engine
                .passes(&request)
                .unwrap()
                .iter()
                .map(|pass| pass.sequence.len())
                .collect();
            (
                engine.views(&[request]).unwrap()[0].windows[0][0].unwrap(),
                lengths,
            )
        });
        let [(plain, short), others @ ..] = &seen;
        for (view, lengths) in others {
            assert_eq!((view.joint, lengths), (plain.joint, short), "{checkpoint}");
            assert_ne!(view.embed, plain.embed, "{checkpoint}");
            // By tokens a description takes nothing from the name.
            assert!(
                view.tokens >= plain.tokens,
                "{checkpoint}: {view:?} {plain:?}"
            );
        }
    }
}

#[test]
fn text_that_spells_special_tokens_stays_text_but_for_the_reference() {
    let text = "before [SEP] after [LAB] the end";
    let (plain, compat) = (
        engine("bert-cosine-proj"),
        engine_with(
            "bert-cosine-proj",
            EngineOptions {
                compat: true,
                ..EngineOptions::default()
            },
        ),
    );
    let separator = plain.model().tokenizer().special().sep;
    let ids = |engine: &Engine| engine.model().tokenizer().tokens(text).unwrap().ids;
    assert!(!ids(&plain).contains(&separator));
    assert!(ids(&compat).contains(&separator));
}

#[test]
fn multi_class_scores_are_shares_of_one() {
    let options = EngineOptions {
        multi_class: true,
        ..EngineOptions::default()
    };
    let prediction = &score(
        &engine_with("bert-isolated-proj", options),
        &TEXTS[..1],
        &set(LABELS),
    )[0];
    let sum: f32 = prediction
        .scores
        .iter()
        .map(|score| score.score.value())
        .sum();
    assert!((sum - 1.0).abs() < 1e-5, "{sum}");
}
