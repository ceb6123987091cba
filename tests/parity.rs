//! Every golden folder passes every stage: PyTorch's ids, states, logits and scores are ours.

#![expect(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and takes what they share for library code"
)]

use std::path::{Path, PathBuf};

use gliznet::model::LoadOptions;
use gliznet::model::verify::{Report, verify, verify_with};
use serde_json::Value;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parity")
}

fn failed(report: &Report) -> String {
    let stages = report.stages.iter().filter(|stage| !stage.passed);
    stages
        .map(|s| {
            format!(
                "  {}: {:e} > {:e} at {:?}\n",
                s.name, s.deviation, s.tolerance, s.worst
            )
        })
        .collect()
}

#[test]
fn every_golden_folder_passes_every_stage() {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(fixtures())
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    folders.sort();
    assert!(folders.len() >= 18, "only {} folders", folders.len());
    let mut faults = String::new();
    let mut with_gradients = 0;
    for folder in folders {
        match verify(&folder, &LoadOptions::default()) {
            Ok(report) if report.passed() => {
                assert!(report.stages.len() >= 8, "{}", folder.display());
                with_gradients += usize::from(report.stages.iter().any(|s| s.name == "gradients"));
            }
            Ok(report) => faults += &format!("{}\n{}", folder.display(), failed(&report)),
            Err(error) => faults += &format!("{}: {error}\n", folder.display()),
        }
    }
    assert!(faults.is_empty(), "{faults}");
    // BERT, RoBERTa, DistilBERT, ModernBERT and DeBERTa among them, in both layouts.
    assert!(
        with_gradients >= 13,
        "gradients in {with_gradients} folders"
    );
}

#[test]
fn the_bundled_checkpoint_gives_what_pytorch_computes_of_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let report = verify_with(
        &root.join("train/checkpoints/gliznet-minilm-l6"),
        &root.join("tests/fixtures/bundled-model/cases.json"),
        &LoadOptions::default(),
    )
    .unwrap();
    assert!(report.passed(), "{}", failed(&report));
    assert!(report.stages.iter().any(|stage| stage.name == "isolation"));
}

/// What a verification says of a folder's own checkpoint and of altered cases: the stages that
/// failed, or why there was none.
fn of_altered(folder: &str, alter: &dyn Fn(&mut Value)) -> Result<Vec<&'static str>, String> {
    let folder = fixtures().join(folder);
    let text = std::fs::read_to_string(folder.join("cases.json")).unwrap();
    let mut cases: Value = serde_json::from_str(&text).unwrap();
    alter(&mut cases);
    let elsewhere = tempfile::tempdir().unwrap();
    let path = elsewhere.path().join("cases.json");
    std::fs::write(&path, cases.to_string()).unwrap();
    let report = verify_with(&folder, &path, &LoadOptions::default());
    let report = report.map_err(|error| error.to_string())?;
    let failed = report.stages.iter().filter(|stage| !stage.passed);
    Ok(failed.map(|stage| stage.name).collect())
}

#[test]
fn cases_that_were_altered_do_not_pass() {
    type Alter = fn(&mut Value);
    let altered: [(&str, Alter); 9] = [
        ("batch ids", |batch| {
            // The third row is short: this is beyond its end.
            let row = batch["input_ids"][2].as_array_mut().unwrap();
            *row.last_mut().unwrap() = 77.into();
        }),
        ("batch mask", |batch| {
            batch["attention_mask"][0][2] = 0.into()
        }),
        ("batch positions", |batch| {
            batch["positions"][1][3] = 9.into()
        }),
        ("batch segments", |batch| batch["segments"][1][3] = 9.into()),
        ("batch label_ids", |batch| batch["label_ids"][4] = 9.into()),
        ("batch indices", |batch| {
            batch["batch_indices"][4] = 9.into()
        }),
        ("trained tensors", |batch| {
            let gradients = batch["gradients"].as_object_mut().unwrap();
            let name = gradients.keys().next().unwrap().clone();
            gradients.remove(&name);
        }),
        ("trained tensors", |batch| {
            batch["gradients"]["nope"] = serde_json::json!({"norm": 1.0, "head": [1.0]});
        }),
        ("gradients", |batch| {
            for gradient in batch["gradients"].as_object_mut().unwrap().values_mut() {
                for value in gradient["head"].as_array_mut().unwrap() {
                    *value = (value.as_f64().unwrap() * 1.01).into();
                }
            }
        }),
    ];
    for (stage, alter) in altered {
        let failed = of_altered("bert-isolated-proj", &|cases| {
            alter(&mut cases["batches"]["ragged"])
        });
        assert_eq!(failed.unwrap(), [stage]);
    }
}

#[test]
fn cosines_are_cosines_whatever_the_similarity_is() {
    let failed = |cosines: [f32; 5]| {
        of_altered("bert-dot-proj", &|cases| {
            cases["cases"][0]["cosines"] = serde_json::json!(cosines);
        })
    };
    let pytorch = [-0.402281, -0.397421, -0.480055, -0.408124, -0.404889];
    assert_eq!(failed(pytorch).unwrap(), [""; 0]);
    assert_eq!(failed([-0.4; 5]).unwrap(), ["cosines"]);
}

#[test]
fn a_tensor_that_nothing_depends_on_need_not_be_named() {
    let key_bias = "backbone.encoder.layer.0.attention.self.key.bias";
    let failed = of_altered("bert-cosine-proj", &|cases| {
        let gradients = cases["batches"]["ragged"]["gradients"].as_object_mut();
        gradients.unwrap().remove(key_bias).unwrap();
    });
    assert_eq!(failed.unwrap(), [""; 0]);
}

#[test]
fn cases_that_lack_a_row_or_a_value_are_refused_with_a_sentence() {
    let without_a_row = of_altered("bert-isolated-proj", &|cases| {
        let targets = &mut cases["batches"]["ragged"]["targets"];
        targets.as_array_mut().unwrap().pop();
    });
    let said = without_a_row.unwrap_err();
    assert!(
        said.contains("batch ragged: `targets` has 2 rows for 3 examples"),
        "{said}"
    );
    let without_a_value = of_altered("bert-isolated-proj", &|cases| {
        cases["cases"][0]["logits"] = Value::Null;
    });
    let said = without_a_value.unwrap_err();
    assert!(said.contains("`cases[0].logits` is null"), "{said}");
}
