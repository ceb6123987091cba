//! A checkpoint's glossary: which labels its words are read with, and what that may change.

#![cfg(test)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gliznet::engine::{Engine, EngineOptions, Passage, Request};
use gliznet::label::LabelSet;
use gliznet::model::{LoadOptions, Model};

const TEXT: &str = "Fed the sourdough starter twice, then an overnight cold proof.";

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parity/bert-isolated-proj")
}

fn engine(checkpoint: &Path) -> Engine {
    let model = Model::load(checkpoint, &LoadOptions::default()).unwrap();
    Engine::new(Arc::new(model), EngineOptions::default())
}

/// The golden checkpoint with a glossary beside it.
fn engine_with_glossary(glossary: &str) -> Engine {
    let dir = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(golden()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
    }
    std::fs::write(dir.path().join("glossary.tsv"), glossary).unwrap();
    engine(dir.path())
}

/// What each label's text view and token view say of the first text.
fn alone(engine: &Engine, set: &Arc<LabelSet>) -> Vec<(f32, f32)> {
    let mut vocabulary = engine.vocabulary(Arc::clone(set)).unwrap();
    engine.read_alone(&mut vocabulary).unwrap();
    let passage = Passage::plain(TEXT);
    let request = Request {
        passage: &passage,
        vocabulary: &vocabulary,
    };
    let row = engine.views(&[request]).unwrap()[0].windows[0].clone();
    let views = row.into_iter().map(Option::unwrap);
    views
        .map(|view| (view.embed.unwrap(), view.tokens.unwrap()))
        .collect()
}

#[test]
fn a_label_that_nobody_described_is_read_with_the_glossary_and_without() {
    let parsed = |source: &str| Arc::new(LabelSet::parse(source).unwrap());
    let names = "[[label]]\nname = 'Baking'\n[[label]]\nname = 'travel'\n";
    let with = alone(
        &engine_with_glossary("baking\tbread, dough\n"),
        &parsed(names),
    );
    let plain = alone(&engine(&golden()), &parsed(names));
    let told = "[[label]]\nname = 'Baking'\ndescription = 'bread, dough'\n";
    let told = alone(&engine(&golden()), &parsed(told))[0];
    let ((embed, tokens), (name_embed, name_tokens)) = (with[0], plain[0]);
    assert!(tokens >= name_tokens, "{tokens} {name_tokens}");
    assert!(
        embed != name_embed && embed != told.0,
        "{embed} {name_embed} {told:?}"
    );
    // It is nearer to the bare name than to what its author's own words would make of it.
    assert!((embed - name_embed).abs() < (embed - told.0).abs());
    assert_eq!(with[1], plain[1], "the glossary does not have it");
}

#[test]
fn meanings_are_read_apart_and_the_nearest_counts() {
    let set = Arc::new(LabelSet::parse("[[label]]\nname = 'spring'\n").unwrap());
    let of = |words: &str| alone(&engine_with_glossary(&format!("spring\t{words}\n")), &set)[0];
    let (season, code) = (of("dough, cold"), of("fed, twice"));
    let both = of("dough, cold; fed, twice");
    assert_eq!(both.1, season.1.max(code.1), "by tokens");
    assert_eq!(both, of("fed, twice; dough, cold"), "in any order");
    assert!(
        both.0 != season.0 && both.0 != code.0,
        "the embedding has both"
    );
    assert_ne!(both, of("dough, cold, fed, twice"));
}

#[test]
fn a_glossary_leaves_described_labels_and_other_languages_alone() {
    let glossary = "baking\tbread, dough\npain\tache, sore\n";
    for source in [
        "[[label]]\nname = 'baking'\ndescription = 'What I sell.'\n",
        "language = 'fr'\n[[label]]\nname = 'pain'\n",
    ] {
        let set = Arc::new(LabelSet::parse(source).unwrap());
        let plain = alone(&engine(&golden()), &set);
        assert_eq!(
            alone(&engine_with_glossary(glossary), &set),
            plain,
            "{source}"
        );
    }
}

#[test]
fn another_glossary_is_another_model() {
    let of = |glossary| {
        engine_with_glossary(glossary)
            .model()
            .fingerprint()
            .to_owned()
    };
    assert_eq!(of("baking\tbread\n"), of("baking\tbread\n"));
    assert_ne!(of("baking\tbread\n"), of("baking\tdough\n"));
    assert_ne!(
        of("baking\tbread\n"),
        engine(&golden()).model().fingerprint()
    );
}

#[test]
fn a_label_that_was_read_for_another_set_has_the_same_bits_in_this_one() {
    let glossary = "baking\tbread, dough\ntravel\ttrain, hotel\n";
    let shared = engine_with_glossary(glossary);
    for source in [
        "[[label]]\nname = 'baking'\n[[label]]\nname = 'garden'\n",
        "[[label]]\nname = 'travel'\n[[label]]\nname = 'baking'\n[[label]]\nname = 'garden'\n",
        "[[label]]\nname = 'baking'\ndescription = 'What I sell.'\n[[label]]\nname = 'travel'\n",
        "language = 'fr'\n[[label]]\nname = 'baking'\n[[label]]\nname = 'travel'\n",
        "[[label]]\nname = 'garden'\n[[label]]\nname = 'baking'\n",
    ] {
        let set = Arc::new(LabelSet::parse(source).unwrap());
        let fresh = engine_with_glossary(glossary);
        assert_eq!(alone(&shared, &set), alone(&fresh, &set), "{source}");
    }
}
