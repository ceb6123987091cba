//! `gliznet train` as a user meets it: the same bytes every time, killed and resumed, bad input.

#![expect(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and takes what they share for library code"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

/// A folder with data, and what was said by a run in it.
struct Here(tempfile::TempDir);

const ROWS: &str = r#"{"text": "Bread from the oven, still warm.", "labels": ["bread"], "not_labels": ["milk"]}
{"text": "Milk from the cow.", "labels": ["milk"]}
{"text": "Bread and milk for breakfast.", "labels": ["bread", "milk"], "not_labels": ["rain"]}
{"text": "Rain all day, and wind.", "labels": ["rain", "wind"]}
{"text": "A walk in the wind along the sea, with the dog and no hat.", "labels": ["wind", "sea"]}
{"text": "The sea is calm.", "labels": ["sea"], "not_labels": ["wind"]}
"#;

const RECIPE: &str = r#"
seed = 7
[[data]]
files = "rows.jsonl"
[labels]
min = 2
max = 4
[model]
hidden_dropout = 0.1
[freeze]
embeddings = false
[loss]
embedding = 0.5
label_embedding = 0.5
[optimizer]
learning_rate = 2e-3
[schedule]
steps = 12
warmup = 2
[batch]
rows = 3
accumulation = 2
pool = 4
[checkpoint]
every = 2
"#;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/parity")
        .join(name)
}

impl Here {
    fn new(recipe: &str) -> Here {
        let here = Here(tempfile::tempdir().unwrap());
        here.write("rows.jsonl", ROWS.as_bytes());
        here.write("recipe.toml", recipe.as_bytes());
        here
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.0.path().join(name), bytes).unwrap();
    }

    fn command(&self, model: &str, out: &str, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gliznet"));
        command.current_dir(self.0.path());
        command.args([
            "train",
            "--recipe",
            "recipe.toml",
            "--device",
            "cpu",
            "--out",
            out,
        ]);
        command.arg("--init").arg(fixture(model)).args(more);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, model: &str, out: &str, more: &[&str]) -> (Option<i32>, String) {
        let output = self.command(model, out, more).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said)
    }

    fn done(&self, model: &str, out: &str, more: &[&str]) {
        let (code, said) = self.run(model, out, more);
        assert_eq!(code, Some(0), "{said}");
    }

    fn weights(&self, out: &str) -> Vec<u8> {
        std::fs::read(self.0.path().join(out).join("model/model.safetensors")).unwrap()
    }

    fn metrics(&self, out: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.0.path().join(out).join("metrics.jsonl")).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

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
fn bad_rows_are_counted_and_named_and_the_training_goes_on() {
    let here = Here::new(RECIPE);
    let mut rows = ROWS.to_owned();
    (0..12).for_each(|_| rows += "{\"text\": 7}\n");
    here.write("rows.jsonl", rows.as_bytes());
    let (code, said) = here.run("bert-isolated-proj", "out", &[]);
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(said.matches("rows.jsonl:").count(), 10, "{said}");
    assert!(
        said.contains("rows.jsonl:7:") && said.contains("12 faulty rows"),
        "{said}"
    );
    assert!(!here.weights("out").is_empty());
}

#[test]
fn a_wrong_recipe_no_usable_row_and_an_occupied_folder_stop_it() {
    let here = Here::new(
        &RECIPE
            .replace("warmup", "warm_up")
            .replace("[optimizer]", "[optimiser]"),
    );
    let (code, said) = here.run("bert-isolated-proj", "out", &[]);
    assert_ne!(code, Some(0));
    assert!(
        said.contains("`warmup`") && said.contains("`optimizer`"),
        "{said}"
    );
    here.write("recipe.toml", RECIPE.as_bytes());
    here.write("rows.jsonl", b"{}\n");
    assert!(
        here.run("bert-isolated-proj", "out", &[])
            .1
            .contains("no usable row")
    );
    here.write("rows.jsonl", ROWS.as_bytes());
    here.done("bert-isolated-proj", "out", &[]);
    assert!(
        here.run("bert-isolated-proj", "out", &[])
            .1
            .contains("--resume")
    );
    here.write(
        "recipe.toml",
        RECIPE.replace("seed = 7", "seed = 9").as_bytes(),
    );
    assert!(
        here.run("bert-isolated-proj", "out", &["--resume"])
            .1
            .contains("another recipe")
    );
}

#[test]
fn a_loss_that_is_no_number_stops_it_and_the_last_checkpoint_is_kept() {
    let here = Here::new(
        &RECIPE
            .replace("2e-3", "1e30")
            .replace("every = 2", "every = 1"),
    );
    let (code, said) = here.run("bert-isolated-proj", "out", &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("learning_rate") && said.contains("is kept"),
        "{said}"
    );
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

#[test]
fn it_measures_in_between_keeps_the_best_and_draws_a_report() {
    let more = "[evaluation]\nevery = 3\nholdout = 0.4\nmetric = \"loss\"\n";
    let here = Here::new(&format!("{RECIPE}{more}"));
    here.done("bert-isolated-proj", "out", &[]);
    let evaluations: Vec<Value> = here
        .metrics("out")
        .into_iter()
        .filter(|line| line.get("evaluation").is_some())
        .collect();
    assert_eq!(evaluations.len(), 4);
    // The rows say which labels are theirs, and the others of the file are wrong: a model of random
    // weights cannot rank them all.
    let lrap = evaluations[0]["evaluation"]["holdout"]["lrap"].as_f64();
    assert!(
        lrap.is_some_and(|lrap| 0.0 < lrap && lrap < 1.0),
        "{lrap:?}"
    );
    let best = evaluations.iter().max_by(|a, b| {
        a["metric"]
            .as_f64()
            .unwrap()
            .total_cmp(&b["metric"].as_f64().unwrap())
    });
    let step = best.unwrap()["step"].as_u64().unwrap();
    let kept = here
        .0
        .path()
        .join(format!("out/checkpoints/step-{step:08}/model.safetensors"));
    assert_eq!(std::fs::read(kept).unwrap(), here.weights("out"));
    let report = std::fs::read_to_string(here.0.path().join("out/report.html")).unwrap();
    assert!(report.matches("<svg").count() >= 7, "{report}");
    assert!(
        report.contains("reliability") && report.contains("<td>wind</td>"),
        "{report}"
    );
    assert!(!report.contains("src=") && !report.contains("href="));
}

/// Runs where `GLIZNET_TEST_PYTHON` names a Python that imports torch.
#[test]
fn twenty_steps_have_the_losses_of_the_reference_trainer() {
    let Some(python) = std::env::var_os("GLIZNET_TEST_PYTHON") else {
        return;
    };
    let recipe = RECIPE
        .replace("hidden_dropout = 0.1", "")
        .replace("steps = 12", "steps = 20");
    let here = Here::new(&recipe);
    for model in ["bert-isolated-proj"] {
        let (ours, theirs) = (format!("{model}-ours"), format!("{model}-theirs"));
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
            assert!((a - b).abs() < 1e-3, "{model}, step {}: {a} {b}", step + 1);
        }
    }
}
