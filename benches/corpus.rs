//! What is measured on: the bundled model, the example notes, and labels by the thousand.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gliznet::document::{Document, Format, decode};
use gliznet::label::{LabelSet, bundled};
use gliznet::model::{LoadOptions, Model};

/// A file in memory, as it comes from the disk.
pub(crate) struct File {
    pub(crate) format: Format,
    pub(crate) bytes: Vec<u8>,
}

impl File {
    pub(crate) fn document(&self) -> Document {
        let decoded = decode(&self.bytes).expect("the example notes are text");
        Document::parse(self.format, decoded.text)
    }
}

/// The example notes below `folder` (empty: all of them), in the order of their paths.
pub(crate) fn notes(folder: &str) -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/notes");
    let mut paths = Vec::new();
    list(&root.join(folder), &mut paths);
    paths.sort();
    let read = |path: &PathBuf| File {
        format: Format::from_path(path),
        bytes: fs::read(path).expect("an example note can be read"),
    };
    paths.iter().map(read).collect()
}

fn list(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder of examples is there") {
        let path = entry.expect("the folder of examples can be listed").path();
        if path.is_dir() {
            list(&path, paths);
        } else if path.file_name().is_some_and(|name| name != ".ignore") {
            paths.push(path);
        }
    }
}

/// The text of all example notes, one after the other.
pub(crate) fn text() -> String {
    let texts: Vec<String> = notes("")
        .iter()
        .map(|note| note.document().text())
        .collect();
    texts.join("\n\n")
}

pub(crate) fn model() -> Arc<Model> {
    let model = Model::bundled(&LoadOptions::default());
    Arc::new(model.expect("the bundled checkpoint is whole"))
}

/// A bundled label set.
pub(crate) fn labelset(name: &str) -> Arc<LabelSet> {
    let found = bundled().iter().find(|(known, _)| *known == name);
    let (_, source) = found.expect("the label set is bundled");
    Arc::new(LabelSet::parse(source).expect("a bundled label set has no faults"))
}

/// `n` different labels of one to three words, as a large vocabulary has them.
pub(crate) fn labels(n: usize) -> Arc<LabelSet> {
    let sets: Vec<Arc<LabelSet>> = bundled().iter().map(|(name, _)| labelset(name)).collect();
    let mut names: Vec<&str> = sets
        .iter()
        .flat_map(|set| set.labels())
        .map(|label| label.name.as_str())
        .collect();
    names.sort_unstable();
    names.dedup();
    let single = names.iter().map(|name| (*name).to_owned());
    let pairs = names.windows(2).map(|pair| pair.join(" and "));
    let triples = names.windows(3).map(|three| three.join(" "));
    let set = LabelSet::from_names(single.chain(pairs).chain(triples).take(n));
    let set = set.expect("names that were made different are different");
    assert_eq!(set.labels().len(), n);
    Arc::new(set)
}
