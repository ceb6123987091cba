//! A folder with data and a recipe, in which the real binary trains.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// A folder with data, and what was said by a run in it.
pub(crate) struct Here(pub(crate) tempfile::TempDir);

pub(crate) const ROWS: &str = r#"{"text": "Bread from the oven, still warm.", "labels": ["bread"], "not_labels": ["milk"]}
{"text": "Milk from the cow.", "labels": ["milk"]}
{"text": "Bread and milk for breakfast.", "labels": ["bread", "milk"], "not_labels": ["rain"]}
{"text": "Rain all day, and wind.", "labels": ["rain", "wind"]}
{"text": "A walk in the wind along the sea, with the dog and no hat.", "labels": ["wind", "sea"]}
{"text": "The sea is calm.", "labels": ["sea"], "not_labels": ["wind"]}
"#;

pub(crate) const RECIPE: &str = r#"
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

pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/parity")
        .join(name)
}

impl Here {
    pub(crate) fn new(recipe: &str) -> Here {
        let here = Here(tempfile::tempdir().unwrap());
        here.write("rows.jsonl", ROWS.as_bytes());
        here.write("recipe.toml", recipe.as_bytes());
        here
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.0.path().join(name), bytes).unwrap();
    }

    pub(crate) fn command(&self, model: &str, out: &str, more: &[&str]) -> Command {
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

    pub(crate) fn run(&self, model: &str, out: &str, more: &[&str]) -> (Option<i32>, String) {
        let output = self.command(model, out, more).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said)
    }

    pub(crate) fn done(&self, model: &str, out: &str, more: &[&str]) {
        let (code, said) = self.run(model, out, more);
        assert_eq!(code, Some(0), "{said}");
    }

    pub(crate) fn weights(&self, out: &str) -> Vec<u8> {
        std::fs::read(self.0.path().join(out).join("model/model.safetensors")).unwrap()
    }

    pub(crate) fn metrics(&self, out: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.0.path().join(out).join("metrics.jsonl")).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// What a run that stops says.
    pub(crate) fn stops(&self, model: &str, out: &str, more: &[&str]) -> String {
        let (code, said) = self.run(model, out, more);
        assert!(matches!(code, Some(1 | 2)), "{code:?}: {said}");
        said
    }
}
