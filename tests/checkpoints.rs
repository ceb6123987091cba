//! Checkpoints that are broken, mixed up or dangerous, and those that only look unusual.
//!
//! Each test takes a golden folder, changes one thing in a copy, and loads it: the refusal must
//! name the file, the fact and the cure; what is sound must load and score the same.
//!
//! Length: one list of mishaps, each a few lines.

#![cfg(test)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use gliznet::model::config::ModelConfig;
use gliznet::model::{LoadOptions, Model};
use half::{bf16, f16};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};
use tempfile::TempDir;

const WEIGHTS: &str = "model.safetensors";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/parity")
        .join(name)
}

/// A copy of a golden folder, to be changed.
fn copy(name: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(fixture(name)).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
    }
    dir
}

fn load(dir: &TempDir) -> Result<Model, String> {
    Model::load(dir.path(), &LoadOptions::default()).map_err(|error| error.to_string())
}

/// Loading must fail, and the message must have all of these parts.
fn refused(dir: &TempDir, parts: &[&str]) {
    let message = load(dir).err().expect("it was loaded");
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
    assert!(!message.ends_with('.'), "{message}");
}

fn write(dir: &TempDir, name: &str, content: impl AsRef<[u8]>) {
    fs::write(dir.path().join(name), content).unwrap();
}

fn remove(dir: &TempDir, name: &str) {
    fs::remove_file(dir.path().join(name)).unwrap();
}

/// Changes `config.json`.
fn edit_config(dir: &TempDir, edit: impl FnOnce(&mut Value)) {
    let text = fs::read_to_string(dir.path().join("config.json")).unwrap();
    let mut config = serde_json::from_str(&text).unwrap();
    edit(&mut config);
    write(dir, "config.json", config.to_string());
}

/// A tensor of a file: its type, shape and bytes.
#[derive(Clone)]
struct Stored {
    dtype: Dtype,
    shape: Vec<usize>,
    data: Vec<u8>,
}

impl Stored {
    fn f32(values: &[f32]) -> Stored {
        Stored {
            dtype: Dtype::F32,
            shape: vec![values.len()],
            data: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        }
    }

    fn values(&self) -> impl Iterator<Item = f32> + '_ {
        assert_eq!(self.dtype, Dtype::F32);
        self.data
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
    }

    /// The same values as another type.
    fn to<const N: usize>(&self, dtype: Dtype, bytes: impl Fn(f32) -> [u8; N]) -> Stored {
        Stored {
            dtype,
            shape: self.shape.clone(),
            data: self.values().flat_map(bytes).collect(),
        }
    }
}

/// Changes the tensors of `model.safetensors`.
fn edit_weights(dir: &TempDir, edit: impl FnOnce(&mut BTreeMap<String, Stored>)) {
    let bytes = fs::read(dir.path().join(WEIGHTS)).unwrap();
    let mut tensors: BTreeMap<String, Stored> = SafeTensors::deserialize(&bytes)
        .unwrap()
        .iter()
        .map(|(name, view)| {
            let stored = Stored {
                dtype: view.dtype(),
                shape: view.shape().to_vec(),
                data: view.data().to_vec(),
            };
            (name.to_owned(), stored)
        })
        .collect();
    edit(&mut tensors);
    let views = tensors.iter().map(|(name, stored)| {
        let view = TensorView::new(stored.dtype, stored.shape.clone(), &stored.data);
        (name.as_str(), view.unwrap())
    });
    let bytes = safetensors::serialize(views, None).unwrap();
    write(dir, WEIGHTS, bytes);
}

fn logits(model: &Model) -> Vec<f32> {
    let ids = |text: &str| model.tokenizer().tokens(text).unwrap().ids;
    let labels = [ids("travel"), ids("machine learning"), ids("tax")];
    let labels: Vec<&[u32]> = labels.iter().map(Vec::as_slice).collect();
    let sequence = model.sequence(&ids("The train was late again."), &labels);
    model.forward(&[&sequence]).unwrap().remove(0).logits
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let pairs = a.iter().zip(b);
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn a_pickle_file_is_refused_by_its_name() {
    for name in [
        "pytorch_model.bin",
        "pytorch_model.bin.index.json",
        "model.pt",
        "model.pth",
    ] {
        let dir = copy("bert-cosine-proj");
        remove(&dir, WEIGHTS);
        write(&dir, name, b"\x80\x02}q\x00.");
        refused(&dir, &[name, "can run any code", "safetensors"]);
    }
}

#[test]
fn a_pickle_file_beside_safetensors_is_never_looked_at() {
    let dir = copy("bert-cosine-proj");
    write(&dir, "pytorch_model.bin", b"\x80\x02}q\x00.");
    assert!(load(&dir).is_ok());
}

#[test]
fn a_missing_file_is_named_with_what_a_folder_needs() {
    for name in ["config.json", "tokenizer.json", WEIGHTS] {
        let dir = copy("bert-cosine-proj");
        remove(&dir, name);
        refused(
            &dir,
            &[name, "no such file", "needs config.json, tokenizer.json"],
        );
    }
}

#[test]
fn a_missing_shard_is_named() {
    let dir = copy("bert-sharded");
    assert!(load(&dir).is_ok());
    remove(&dir, "model-00002-of-00002.safetensors");
    refused(&dir, &["model-00002-of-00002.safetensors", "no such file"]);
}

#[test]
fn a_shard_outside_of_the_folder_is_refused() {
    for name in [
        "../model.safetensors",
        "shards/model.safetensors",
        "/etc/passwd",
        "..",
        "",
    ] {
        let dir = copy("bert-sharded");
        let index = json!({"weight_map": {"backbone.embeddings.LayerNorm.bias": name}});
        write(&dir, "model.safetensors.index.json", index.to_string());
        refused(
            &dir,
            &[
                "model.safetensors.index.json",
                name,
                "not a plain file name",
            ],
        );
    }
}

#[test]
fn an_index_that_is_not_one_is_refused_by_name() {
    for text in ["", "[]", "{\"weight_map\": 3}", "{\"metadata\": {}}"] {
        let dir = copy("bert-sharded");
        write(&dir, "model.safetensors.index.json", text);
        refused(
            &dir,
            &["model.safetensors.index.json", "fetch the checkpoint again"],
        );
    }
}

#[test]
fn a_single_file_goes_before_an_index() {
    let dir = copy("bert-sharded");
    write(&dir, WEIGHTS, "not the shards");
    refused(&dir, &["model.safetensors: not a whole safetensors file"]);
}

#[test]
fn a_tensor_in_two_shards_is_refused() {
    let dir = copy("bert-sharded");
    let first = dir.path().join("model-00001-of-00002.safetensors");
    fs::copy(first, dir.path().join("model-00002-of-00002.safetensors")).unwrap();
    refused(
        &dir,
        &["model-00002-of-00002.safetensors", "in another shard too"],
    );
}

#[test]
fn the_tokenizer_of_another_checkpoint_is_refused() {
    let dir = copy("distilbert-cosine-proj");
    fs::copy(
        fixture("bert-cosine-proj").join("tokenizer.json"),
        dir.path().join("tokenizer.json"),
    )
    .unwrap();
    refused(&dir, &["[LAB] is token 1000", "tokenizer.json says 2000"]);
    // Where the config does not name `[LAB]`, the size of the vocabulary tells.
    edit_config(&dir, |config| config["lab_token_id"] = Value::Null);
    refused(
        &dir,
        &["2001 tokens", "1001 rows", "the tokenizer of another model"],
    );
}

#[test]
fn what_is_no_tokenizer_is_refused_by_name() {
    for file in ["tokenizer.json", "tokenizer_config.json"] {
        for bytes in [&b""[..], b"{\"model\": ", b"\xff\xfe", b"[1, 2"] {
            let dir = copy("bert-cosine-proj");
            write(&dir, file, bytes);
            refused(&dir, &[&format!("{file}: "), "fetch the checkpoint again"]);
        }
    }
}

#[test]
fn the_config_of_another_checkpoint_is_refused_with_every_tensor_it_lacks() {
    let dir = copy("bert-cosine-proj");
    edit_config(&dir, |config| {
        config["backbone_config"]["num_hidden_layers"] = 4.into();
        config["backbone_config"]["intermediate_size"] = 63.into();
    });
    refused(
        &dir,
        &[
            "`backbone.encoder.layer.3.output.dense.weight` is missing",
            "`backbone.encoder.layer.3.attention.self.query.bias` is missing",
            "`backbone.encoder.layer.0.intermediate.dense.weight` has shape [64, 32], the config says [63, 32]",
        ],
    );
}

#[test]
fn a_config_of_another_kind_of_model_or_of_none_is_refused() {
    let dir = copy("bert-cosine-proj");
    write(&dir, "config.json", b"\xff{}");
    refused(
        &dir,
        &["config.json: not UTF-8; fetch the checkpoint again"],
    );
    let dir = copy("bert-cosine-proj");
    edit_config(&dir, |config| config["model_type"] = "bert".into());
    refused(&dir, &["config.json", "`bert`, not `gliznet`"]);
}

#[test]
fn a_weight_that_is_not_a_number_is_refused_with_its_place() {
    for (value, spelt) in [(f32::NAN, "NaN"), (f32::NEG_INFINITY, "-inf")] {
        let dir = copy("bert-cosine-proj");
        edit_weights(&dir, |tensors| {
            let stored = tensors
                .get_mut("aggregator.text_projector.0.weight")
                .unwrap();
            stored.data[4 * 77..4 * 78].copy_from_slice(&value.to_le_bytes());
        });
        let place = format!("`aggregator.text_projector.0.weight` holds {spelt} at index 77");
        refused(&dir, &[WEIGHTS, &place]);
    }
}

#[test]
fn missing_extra_and_misshapen_tensors_are_all_listed() {
    let dir = copy("bert-cosine-proj");
    edit_weights(&dir, |tensors| {
        tensors.remove("backbone.encoder.layer.1.output.dense.bias");
        tensors.remove("aggregator.similarity_head.logit_scale");
        tensors.insert("classifier.weight".into(), Stored::f32(&[1.0, 2.0]));
        tensors.insert(
            "aggregator.label_projector.0.bias".into(),
            Stored::f32(&[1.0, 2.0]),
        );
    });
    refused(
        &dir,
        &[
            "`backbone.encoder.layer.1.output.dense.bias` is missing",
            "`aggregator.similarity_head.logit_scale` is missing",
            "`classifier.weight` is not a tensor of this model",
            "`aggregator.label_projector.0.bias` has shape [2], the config says [24]",
        ],
    );
}

#[test]
fn weights_that_were_cut_short_are_refused() {
    let whole = fs::read(fixture("bert-cosine-proj").join(WEIGHTS)).unwrap();
    for length in [0, 7, 8, 1000, whole.len() / 2, whole.len() - 1] {
        let dir = copy("bert-cosine-proj");
        write(&dir, WEIGHTS, &whole[..length]);
        refused(
            &dir,
            &[WEIGHTS, "not a whole safetensors file", "fetch it again"],
        );
    }
}

#[test]
fn every_precision_loads_and_scores_alike() {
    let exact =
        logits(&Model::load(&fixture("bert-cosine-proj"), &LoadOptions::default()).unwrap());
    let f16 = |stored: &Stored| stored.to(Dtype::F16, |v| f16::from_f32(v).to_le_bytes());
    let bf16 = |stored: &Stored| stored.to(Dtype::BF16, |v| bf16::from_f32(v).to_le_bytes());
    let f64 = |stored: &Stored| stored.to(Dtype::F64, |v| f64::from(v).to_le_bytes());
    type Conversion<'a> = &'a dyn Fn(&Stored) -> Stored;
    let precisions: [(&str, Conversion, f32); 3] = [
        ("f64", &f64, 0.0),
        ("f16", &f16, 0.02), // Logits of this checkpoint are cosines times 7.4.
        ("bf16", &bf16, 0.2),
    ];
    for (name, convert, tolerance) in precisions {
        let dir = copy("bert-cosine-proj");
        edit_weights(&dir, |tensors| {
            for stored in tensors.values_mut() {
                *stored = convert(stored);
            }
        });
        let apart = largest_difference(&logits(&load(&dir).unwrap()), &exact);
        assert!(apart <= tolerance, "{name}: {apart:e} apart");
        assert_eq!(apart == 0.0, tolerance == 0.0, "{name} lost nothing");
    }
}

#[test]
fn a_number_type_that_no_model_uses_is_refused() {
    let dir = copy("bert-cosine-proj");
    edit_weights(&dir, |tensors| {
        let stored = tensors
            .get_mut("backbone.embeddings.LayerNorm.bias")
            .unwrap();
        *stored = stored.to(Dtype::I8, |_| [1]);
    });
    refused(
        &dir,
        &["`backbone.embeddings.LayerNorm.bias` is of type I8", "BF16"],
    );
}

#[test]
fn transformers_4_and_5_write_the_same_config() {
    let config = |name: &str| {
        let text = fs::read_to_string(fixture(name).join("config.json")).unwrap();
        ModelConfig::parse(&text).unwrap()
    };
    let four = config("modernbert-tf4-config");
    assert_eq!(four, config("modernbert-cosine-proj"));
    // A config that says nothing new would make this test say nothing.
    assert_ne!(four, config("modernbert-cosine-labtoken"));
}

#[test]
fn a_broken_calibration_is_refused_and_a_missing_one_is_not() {
    let dir = copy("bert-cosine-proj");
    assert!(load(&dir).is_ok());
    for text in [&b""[..], b"{}", b"{\"version\": 99}", b"\xff"] {
        write(&dir, "calibration.json", text);
        refused(&dir, &["calibration.json"]);
    }
}

#[test]
fn a_broken_glossary_is_refused_with_its_line_and_a_missing_one_is_not() {
    let dir = copy("bert-cosine-proj");
    write(&dir, "glossary.tsv", "baking\tbread, dough\n");
    assert_eq!(load(&dir).unwrap().glossary().len(), 1);
    for (text, parts) in [
        (&b"baking\tbread\nno words\n"[..], ["line 2", "no tab"]),
        (b"baking\tbread\nBaking\toven\n", ["line 2", "already"]),
        (b"baking\t\n", ["line 1", "words are needed"]),
        (b"caf\xe9\tcup\n", ["UTF-8", "write it anew"]),
    ] {
        write(&dir, "glossary.tsv", text);
        refused(&dir, &[&["glossary.tsv"][..], &parts].concat());
    }
    remove(&dir, "glossary.tsv");
    assert!(load(&dir).unwrap().glossary().is_empty());
}

#[test]
fn buffers_and_poolers_of_older_versions_do_not_matter() {
    let dir = copy("bert-cosine-proj");
    let before = logits(&load(&dir).unwrap());
    edit_weights(&dir, |tensors| {
        let positions = Stored {
            dtype: Dtype::I64,
            shape: vec![1, 2],
            data: vec![0; 16],
        };
        tensors.insert("backbone.embeddings.position_ids".into(), positions);
        tensors.insert("backbone.pooler.dense.bias".into(), Stored::f32(&[0.0; 32]));
        tensors.insert("loss_fn.bce_scale".into(), Stored::f32(&[1.0]));
    });
    assert_eq!(logits(&load(&dir).unwrap()), before);
}

#[test]
fn the_fingerprint_changes_with_the_weights_and_not_with_the_place() {
    let here = load(&copy("bert-cosine-proj")).unwrap();
    let there = load(&copy("bert-cosine-proj")).unwrap();
    assert_eq!(here.fingerprint(), there.fingerprint());
    let dir = copy("bert-cosine-proj");
    edit_weights(&dir, |tensors| {
        let scale = tensors
            .get_mut("aggregator.similarity_head.logit_scale")
            .unwrap();
        scale.data = 1.5_f32.to_le_bytes().to_vec();
    });
    assert_ne!(load(&dir).unwrap().fingerprint(), here.fingerprint());
}

#[test]
fn no_tokenizer_reads_a_special_token_out_of_a_text() {
    let text = "before [CLS] <s> [SEP] </s> [PAD] <pad> [LAB] after</s> [SEP]. [[LAB]]";
    let mut faults = Vec::new();
    for entry in fs::read_dir(fixture("")).unwrap() {
        let dir = entry.unwrap().path();
        let model = Model::load(&dir, &LoadOptions::default()).unwrap();
        let special = model.tokenizer().special();
        let ids = model.tokenizer().tokens(text).unwrap().ids;
        for id in [special.cls, special.sep, special.pad, special.lab] {
            if ids.contains(&id) {
                faults.push(format!("{}: {id}", dir.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:?}");
}
