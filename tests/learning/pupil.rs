//! A user whose model learns: versions made in no time, corrections written down, a daemon.
//!
//! Versions are made here, through the library, because learning takes longer than a test should;
//! what they hold is a bias, so that each scores differently.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use candle_core::{Device, Tensor};
use gliznet::config::Folders;
use gliznet::learn::versions::manifest::{Manifest, Outcome};
use gliznet::learn::versions::{Loaded, Versions};
use gliznet::model::delta::{Delta, Parts};
use gliznet::model::store::ModelSource;
use gliznet::model::{LoadOptions, Model};
use serde_json::{Value, json};

use crate::editor::{Editor, Home};

pub(crate) const LABELS: [&str; 3] = ["garden", "tax", "travel"];
/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A user, their folders and their model.
pub(crate) struct Pupil {
    pub(crate) home: Home,
    pub(crate) source: PathBuf,
}

impl Pupil {
    /// `learn` is `auto` or `manual`.
    pub(crate) fn new(learn: &str) -> Pupil {
        Pupil::with_model(learn, "bert-isolated-proj")
    }

    pub(crate) fn with_model(learn: &str, model: &str) -> Pupil {
        let home = Home::new(&LABELS);
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parity");
        let source = source.join(model);
        // Nothing is kept, so that every answer is made by the version that it names.
        home.configure(&format!(
            "model = '{}'\nlabelset = 'set.toml'\nthreshold = 0.0\ncache_megabytes = 0\nlearn = '{learn}'\n",
            source.display()
        ));
        Pupil { home, source }
    }

    fn folders(&self) -> Folders {
        Folders {
            config: self.home.path("config"),
            data: self.home.path("data"),
            cache: self.home.path("cache"),
        }
    }

    pub(crate) fn versions(&self) -> Versions {
        Versions::new(&self.folders())
    }

    /// The fingerprint of the shipped model.
    pub(crate) fn base(&self) -> String {
        Model::fingerprint_of(&ModelSource::Folder(self.source.clone())).unwrap()
    }

    /// What serves, as the next daemon will find it.
    pub(crate) fn loaded(&self) -> Loaded {
        let source = ModelSource::Folder(self.source.clone());
        let loaded = self.versions().load(&source, &LoadOptions::default());
        loaded.unwrap()
    }

    /// How corrections name the shipped model, or the version that serves.
    pub(crate) fn model_name(&self, number: u32) -> String {
        let loaded = self.loaded();
        assert_eq!(loaded.number, number);
        format!(
            "{}@{}",
            loaded.model.name(),
            &loaded.model.fingerprint()[..8]
        )
    }

    /// Makes a version that has seen the journal's first `last` corrections, and lets it serve.
    pub(crate) fn version(&self, bias: f32, last: u64) -> u32 {
        let versions = self.versions();
        let base = self.base();
        let tensor = Tensor::full(bias, 24, &Device::Cpu).unwrap();
        let name = "aggregator.text_projector.1.bias".to_owned();
        let parts = Parts {
            tensors: BTreeMap::from([(name, tensor)]),
            ..Parts::default()
        };
        let delta = Delta::of(&parts, None).unwrap();
        let manifest = Manifest {
            parent: versions.current(&base),
            base: base.clone(),
            outcome: Outcome::Accepted,
            alpha: Some(1.0),
            last,
            time: 1_700_000_000,
            ..Manifest::default()
        };
        let number = versions.add(manifest, Some(&delta)).unwrap().number;
        versions.point(&base, number).unwrap();
        number
    }

    /// Writes a correction into the journal of a user who has no daemon yet: these labels fit;
    /// where a model is named, it had suggested them.
    pub(crate) fn note(&self, text: &str, accepted: &[&str], model: Option<&str>) {
        let mut line = json!({ "text": text, "labels": LABELS, "accepted": accepted });
        if let Some(model) = model {
            line["model"] = json!(model);
            line["suggested"] = json!(accepted);
        }
        self.write(line);
    }

    /// The same for other labels, of which some do not fit.
    pub(crate) fn verdict(&self, text: &str, labels: &[&str], fits: &[&str], others: &[&str]) {
        self.write(json!({
            "text": text, "labels": labels, "accepted": fits, "rejected": others,
        }));
    }

    fn write(&self, mut line: Value) {
        use std::io::Write as _;
        let path = self.home.path("data/corrections.jsonl");
        let known = std::fs::read_to_string(&path).unwrap_or_default();
        line["v"] = json!(1);
        line["seq"] = json!(known.lines().count() + 1);
        line["time"] = json!(1_600_000_000);
        line["format"] = json!("plain");
        line["source"] = json!("script");
        if line["rejected"].is_null() {
            line["rejected"] = json!([]);
        }
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path);
        writeln!(file.unwrap(), "{line}").unwrap();
    }

    /// Corrects a text as a script does; gives the number in the journal.
    pub(crate) fn correct(
        &self,
        editor: &mut Editor,
        text: &str,
        accepted: &[&str],
        rejected: &[&str],
    ) -> u64 {
        let params = json!({ "text": text, "accepted": accepted, "rejected": rejected });
        let recorded = editor.request("gliznet/correct", params).unwrap();
        recorded["sequence"].as_u64().unwrap()
    }

    /// Starts a daemon, and waits until its model is there.
    pub(crate) fn begin(&self) {
        let mut editor = self.home.editor();
        editor.initialize(json!({}));
        editor
            .request("gliznet/tag", json!({ "text": "Roses" }))
            .unwrap();
        until("it is known which version serves", || {
            self.home.status()["learning"]["version"] != Value::Null
        });
        assert_eq!(editor.quit(), 0);
    }

    /// The number of the process that learns.
    pub(crate) fn child(&self) -> Option<u64> {
        let daemon = self.home.status()["pid"].to_string();
        let output = std::process::Command::new("ps")
            .args(["-o", "pid=", "--ppid", &daemon])
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).trim().parse().ok()
    }
}

/// Whether a process runs.
pub(crate) fn is_alive(pid: u64) -> bool {
    let output = std::process::Command::new("ps")
        .args(["-o", "stat=", "-p", &pid.to_string()])
        .output()
        .unwrap();
    let state = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    !state.is_empty() && !state.starts_with('Z')
}

/// Waits until something is so.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "it did not come: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
