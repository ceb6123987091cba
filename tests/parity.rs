//! Every golden folder passes every stage: PyTorch's ids, states, logits and scores are ours.

use std::path::{Path, PathBuf};

use gliznet::model::LoadOptions;
use gliznet::model::verify::{Report, verify, verify_with};

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
