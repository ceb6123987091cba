//! `gliznet train` as a user meets it: the same bytes every time, killed and resumed, bad input.

#![expect(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and takes what they share for library code"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

#[cfg(test)] // Clippy then knows that helpers may unwrap.
#[path = "train/here.rs"]
mod here;
#[path = "train/measures.rs"]
mod measures;
#[path = "train/stops.rs"]
mod stops;

use here::{Here, RECIPE, fixture};

#[test]
fn the_same_recipe_gives_the_same_bytes_and_another_seed_others() {
    let here = Here::new(RECIPE);
    here.done("bert-isolated-proj", "a", &[]);
    here.done("bert-isolated-proj", "b", &[]);
    assert_eq!(here.weights("a"), here.weights("b"));
    here.write(
        "recipe.toml",
        RECIPE.replace("seed = 7", "seed = 8").as_bytes(),
    );
    here.done("bert-isolated-proj", "c", &[]);
    assert_ne!(here.weights("a"), here.weights("c"));
}

#[test]
fn a_training_killed_at_any_moment_ends_with_the_weights_of_one_that_was_not() {
    let here = Here::new(RECIPE);
    here.done("bert-isolated-proj", "whole", &[]);
    let mut killed = 0;
    for delay in [30_u64, 60, 90, 120, 150, 180, 210, 260, 320] {
        let more: &[&str] = if killed == 0 { &[] } else { &["--resume"] };
        let mut child = here
            .command("bert-isolated-proj", "cut", more)
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(delay)); // Whatever it is doing then.
        if child.try_wait().unwrap().is_none() {
            killed += 1;
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    here.done("bert-isolated-proj", "cut", &["--resume"]);
    assert!(killed > 0, "it was too quick to be killed");
    assert_eq!(here.weights("cut"), here.weights("whole"));
    let steps = |out| {
        here.metrics(out)
            .iter()
            .map(|line| line["step"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(steps("cut"), (1..=12).collect::<Vec<_>>());
    assert_eq!(steps("whole"), steps("cut"));
}

#[test]
fn every_architecture_learns_and_its_result_loads() {
    let recipe = RECIPE
        .replace("hidden_dropout = 0.1", "")
        .replace("steps = 12", "steps = 30");
    let here = Here::new(&recipe);
    for model in [
        "bert-cosine-proj",
        "modernbert-cosine-proj",
        "deberta-v2-cosine-proj",
    ] {
        here.done(model, model, &[]);
        let losses: Vec<f64> = here
            .metrics(model)
            .iter()
            .map(|line| line["loss"].as_f64().unwrap())
            .collect();
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        assert!(
            mean(&losses[24..]) < 0.9 * mean(&losses[..3]),
            "{model}: {losses:?}"
        );
        let result = here.0.path().join(model).join("model");
        gliznet::model::Model::load(&result, &gliznet::model::LoadOptions::default()).unwrap();
    }
}

#[test]
fn vectors_that_dropout_leaves_nothing_of_do_not_end_it() {
    let recipe = RECIPE.replace("hidden_dropout = 0.1", "head_dropout = 0.97");
    let here = Here::new(&recipe);
    here.done("bert-isolated-proj", "out", &[]);
    let norms = here.metrics("out");
    let mut norms = norms.iter().map(|line| line["gradient_norm"].as_f64());
    assert!(norms.all(|norm| norm.is_some_and(f64::is_finite)));
}

#[test]
fn what_is_frozen_stays_as_it_was() {
    let recipe = RECIPE.replace("embeddings = false", "layers = 2");
    let here = Here::new(&recipe);
    here.done("bert-isolated-proj", "out", &[]);
    let read = |path: PathBuf| std::fs::read(path).unwrap();
    let before = read(fixture("bert-isolated-proj").join("model.safetensors"));
    let after = here.weights("out");
    let (before, after) = (
        safetensors::SafeTensors::deserialize(&before).unwrap(),
        safetensors::SafeTensors::deserialize(&after).unwrap(),
    );
    let is_same =
        |name: &str| before.tensor(name).unwrap().data() == after.tensor(name).unwrap().data();
    let layer = |n: usize| format!("backbone.encoder.layer.{n}.output.dense.weight");
    assert!(is_same("backbone.embeddings.word_embeddings.weight"));
    assert!(is_same(&layer(0)) && is_same(&layer(1)) && !is_same(&layer(2)));
}

#[test]
fn the_result_says_what_its_numbers_are() {
    let here = Here::new(&RECIPE.replace("steps = 12", "steps = 2"));
    let init = here.0.path().join("init");
    std::fs::create_dir(&init).unwrap();
    for name in ["model.safetensors", "tokenizer.json", "config.json"] {
        std::fs::copy(fixture("bert-isolated-proj").join(name), init.join(name)).unwrap();
    }
    let config = std::fs::read(init.join("config.json")).unwrap();
    let mut config: Value = serde_json::from_slice(&config).unwrap();
    config["dtype"] = "float16".into();
    here.write("init/config.json", config.to_string().as_bytes());
    here.done(init.to_str().unwrap(), "out", &[]);
    let config = std::fs::read(here.0.path().join("out/model/config.json")).unwrap();
    let config: Value = serde_json::from_slice(&config).unwrap();
    assert_eq!(config["dtype"], "float32");
}

#[test]
fn every_format_is_read() {
    let here =
        Here::new(&RECIPE.replace("\"rows.jsonl\"", "[\"rows.jsonl\", \"data/**/*.jsonl*\"]"));
    std::fs::create_dir_all(here.0.path().join("data/deep")).unwrap();
    let gliclass = r#"{"text": "Sun.", "all_labels": ["sun", "moon"], "true_labels": ["sun"]}"#;
    let correction = r#"{"v":1,"seq":1,"at":"x","document":"d","text":"Moon.","labels":["sun","moon","sea"],"accepted":["moon"],"rejected":["sun"]}"#;
    here.write("data/gliclass.jsonl", gliclass.as_bytes());
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, correction.as_bytes()).unwrap();
    here.write("data/deep/corrections.jsonl.gz", &packed.finish().unwrap());
    here.done(
        "bert-isolated-proj",
        "out",
        &["--write-batches", "batches.jsonl"],
    );
    let batches = std::fs::read_to_string(here.0.path().join("batches.jsonl")).unwrap();
    assert_eq!(batches.lines().count(), 24);
    let passes = batches
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let rows: Vec<Value> = passes
        .flat_map(|pass| pass["rows"].as_array().unwrap().clone())
        .collect();
    let moon = rows.iter().find(|row| row["text"] == "Moon.").unwrap();
    assert_eq!(moon["labels"].as_array().unwrap().len(), 2, "{moon}");
    assert!(rows.iter().any(|row| row["text"] == "Sun."));
}

/// Runs where `GLIZNET_TEST_PYTHON` names a Python that imports torch.
#[test]
fn twenty_steps_have_the_losses_of_the_reference_trainer() {
    let Some(python) = std::env::var_os("GLIZNET_TEST_PYTHON") else {
        return;
    };
    let keep = RECIPE
        .replace("hidden_dropout = 0.1", "")
        .replace("steps = 12", "steps = 20");
    let full = keep.replace("[model]", "[model]\nlabel_attention = \"full\"");
    for (name, model, recipe) in [
        ("isolated", "bert-isolated-proj", &keep),
        ("full", "bert-prefix-full", &keep),
        ("made-full", "bert-isolated-proj", &full),
    ] {
        let here = Here::new(recipe);
        let (ours, theirs) = (format!("{name}-ours"), format!("{name}-theirs"));
        here.done(model, &ours, &["--write-batches", "batches.jsonl"]);
        let output = Command::new(&python)
            .current_dir(here.0.path())
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("train/reference/trainer.py"))
            .args([
                "--recipe",
                "recipe.toml",
                "--batches",
                "batches.jsonl",
                "--out",
                &theirs,
            ])
            .arg("--init")
            .arg(fixture(model))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let losses = |out: &str| {
            here.metrics(out)
                .iter()
                .map(|line| line["loss"].as_f64().unwrap())
                .collect::<Vec<_>>()
        };
        let (ours, theirs) = (losses(&ours), losses(&theirs));
        assert_eq!((ours.len(), theirs.len()), (20, 20));
        for (step, (a, b)) in ours.iter().zip(&theirs).enumerate() {
            assert!((a - b).abs() < 1e-3, "{name}, step {}: {a} {b}", step + 1);
        }
    }
}
