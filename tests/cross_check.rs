//! A second opinion: our encoders against those of candle-transformers, on the same weights.
//!
//! The golden cases come from PyTorch, and from one script: a fixture that was made wrong would
//! be ported wrong and pass. candle-transformers was written by others, from the same papers, and
//! knows nothing of that script. Here its encoders read our tiny checkpoints and token ids; the
//! last hidden states must agree.
//!
//! It has fixed positions and no query-by-key mask, so the reference layout alone is compared.

#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::{bert, debertav2, distilbert, modernbert, xlm_roberta};
use gliznet::model::sequence::Sequence;
use gliznet::model::{LoadOptions, Model};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Both libraries round in float32; the same architecture stays well below this.
const TOLERANCE: f32 = 1e-4;

const CASES: [(&str, &[&str]); 3] = [
    (
        "Fed the sourdough starter twice, then an overnight cold proof; the crumb came out open and the crust thin.",
        &["baking", "personal finance", "machine_learning", "日本語"],
    ),
    (
        "fn main() { println!(\"naïve café – 東京 🚀\"); }",
        &["rust"],
    ),
    ("tax", &["money", "a label of rather many words", "C++"]),
];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/parity")
        .join(name)
}

/// Our model twice: as it serves, and with the plain encoder that is kept beside a fused one.
fn models(dir: &Path) -> [Model; 2] {
    [false, true].map(|plain| {
        let options = LoadOptions {
            plain,
            ..LoadOptions::default()
        };
        Model::load(dir, &options).unwrap()
    })
}

fn sequence(model: &Model, (text, labels): (&str, &[&str])) -> Sequence {
    let ids = |text: &str| model.tokenizer().tokens(text).unwrap().ids;
    let labels: Vec<Vec<u32>> = labels.iter().map(|label| ids(label)).collect();
    let labels: Vec<&[u32]> = labels.iter().map(Vec::as_slice).collect();
    model.sequence(&ids(text), &labels)
}

/// The checkpoint's tensors, as candle's own loader hands them out.
fn weights(dir: &Path) -> VarBuilder<'static> {
    let bytes = fs::read(dir.join("model.safetensors")).unwrap();
    VarBuilder::from_buffered_safetensors(bytes, DType::F32, &Device::Cpu).unwrap()
}

/// `backbone_config` as candle-transformers reads it, with the keys that only it has.
fn config<T: DeserializeOwned>(dir: &Path, more: &[(&str, Value)]) -> T {
    let text = fs::read_to_string(dir.join("config.json")).unwrap();
    let mut config = serde_json::from_str::<Value>(&text).unwrap()["backbone_config"].take();
    for (key, value) in more {
        config[*key] = value.clone();
    }
    serde_json::from_value(config).unwrap()
}

/// Holds our first and last hidden states to `theirs`: `[1, token]` ids -> `[1, token, hidden]`.
fn check(dir: &Path, theirs: impl Fn(&Tensor) -> candle_core::Result<Tensor>) {
    let models = models(dir);
    for (model, case) in models
        .iter()
        .flat_map(|model| CASES.map(|case| (model, case)))
    {
        let sequence = sequence(model, case);
        let ids = Tensor::new(sequence.ids.as_slice(), &Device::Cpu).unwrap();
        let states = theirs(&ids.unsqueeze(0).unwrap()).unwrap();
        let states = states.squeeze(0).unwrap().to_vec2::<f32>().unwrap(); // [token, hidden]
        assert_eq!(states.len(), sequence.len());
        // Padding must not be seen either: the second look is at a wider batch.
        for tokens in [0, sequence.len() + 5] {
            let ours = model.inspect(&sequence, tokens).unwrap();
            for (place, ours, theirs) in [
                ("first", &ours.hidden_cls, &states[0]),
                ("last", &ours.hidden_last, &states[states.len() - 1]),
            ] {
                assert_eq!(ours.len(), theirs.len());
                let pairs = ours.iter().zip(theirs);
                let apart = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(
                    apart <= TOLERANCE,
                    "{place} state of {:?}: {apart:e} apart",
                    case.0
                );
            }
        }
    }
}

#[test]
fn bert_agrees_with_candle_transformers() {
    let dir = fixture("bert-cosine-proj");
    let theirs = bert::BertModel::load(weights(&dir).pp("backbone"), &config(&dir, &[])).unwrap();
    check(&dir, |ids| theirs.forward(ids, &ids.zeros_like()?, None));
}

#[test]
fn roberta_and_xlm_roberta_agree_with_candle_transformers() {
    for name in ["xlm-roberta-cosine-proj", "roberta-cosine-proj"] {
        let dir = fixture(name);
        let absolute = [("position_embedding_type", "absolute".into())];
        let theirs = xlm_roberta::XLMRobertaModel::new(
            &config(&dir, &absolute),
            weights(&dir).pp("backbone"),
        )
        .unwrap();
        check(&dir, |ids| {
            let (seen, kind) = (ids.ones_like()?, ids.zeros_like()?);
            theirs.forward(ids, &seen, &kind, None, None, None)
        });
    }
}

/// candle-transformers has the tanh approximation where transformers has the exact `gelu`, so we
/// are told to approximate too: all but the non-linearity is compared here, and that in BERT.
#[test]
fn distilbert_agrees_with_candle_transformers_on_its_approximate_gelu() {
    let original = fixture("distilbert-cosine-proj");
    let approximate = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(&original).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), approximate.path().join(entry.file_name())).unwrap();
    }
    let file = approximate.path().join("config.json");
    let text = fs::read_to_string(&file).unwrap();
    let told = text.replace(r#""activation": "gelu""#, r#""activation": "gelu_new""#);
    assert_ne!(text, told);
    fs::write(file, told).unwrap();

    let theirs = distilbert::DistilBertModel::load(
        weights(&original).pp("backbone"),
        &config(&original, &[]),
    )
    .unwrap();
    check(approximate.path(), |ids| {
        let hidden = Tensor::zeros((1, ids.dim(1)?), DType::U8, ids.device())?; // 1 hides a token here.
        theirs.forward(ids, &hidden)
    });
}

#[test]
fn modernbert_agrees_with_candle_transformers() {
    let dir = fixture("modernbert-cosine-proj");
    // It reads the keys of transformers 4 and its own name for the epsilon.
    let theirs = [
        ("layer_norm_eps", 1e-5.into()),
        ("global_rope_theta", 160_000.0.into()),
        ("local_rope_theta", 10_000.0.into()),
    ];
    let weights = weights(&dir).rename_f(|name| name.replacen("model.", "backbone.", 1));
    let theirs = modernbert::ModernBert::load(weights, &config(&dir, &theirs)).unwrap();
    check(&dir, |ids| {
        theirs.forward(ids, &ids.ones_like()?.to_dtype(DType::F32)?)
    });
}

#[test]
fn deberta_agrees_with_candle_transformers() {
    let dir = fixture("deberta-v2-cosine-proj");
    let theirs =
        debertav2::DebertaV2Model::load(weights(&dir).pp("backbone"), &config(&dir, &[])).unwrap();
    check(&dir, |ids| theirs.forward(ids, None, None));
}
