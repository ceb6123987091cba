//! Notes that are tagged already teach the model, with the real program.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::pupil::Pupil;

// Labels that no shipped text has, so that nothing general is touched.
const KINDS: [(&str, &str); 2] = [
    ("zork", "mulch spade seeds compost"),
    ("quux", "invoice refund receipt tax"),
];

fn vault(pupil: &Pupil, notes: usize) {
    for i in 0..notes {
        let (label, words) = KINDS[i % 2];
        let note = match i % 4 {
            0 | 1 => format!("---\ntags: [{label}, stray]\n---\n{words} {i}\n"),
            _ => format!("{words} {i} #{label}\n"),
        };
        std::fs::write(pupil.home.path(&format!("notes/{i:02}.md")), note).unwrap();
    }
    std::fs::write(pupil.home.path("notes/untagged.md"), "Nothing.\n").unwrap();
}

fn bytes(dir: &Path) -> BTreeMap<std::path::PathBuf, Vec<u8>> {
    let files = std::fs::read_dir(dir)
        .unwrap()
        .map(|file| file.unwrap().path());
    let notes = files.filter(|path| path.extension().is_some_and(|ext| ext == "md"));
    notes
        .map(|path| (path.clone(), std::fs::read(&path).unwrap()))
        .collect()
}

/// What the model alone says of a note that is not in the vault.
fn scores(pupil: &Pupil) -> [f64; 2] {
    let path = pupil.home.path("new.md");
    std::fs::write(&path, "seeds spade compost again").unwrap();
    let path = path.display().to_string();
    let asked = [
        "tag",
        &path,
        "--labels",
        "zork,quux",
        "--no-memory",
        "--format",
        "json",
    ];
    let (shown, code) = pupil.home.run(&asked);
    assert_eq!(code, 0, "{shown}");
    let mut values = serde_json::Deserializer::from_str(&shown).into_iter::<Value>();
    let answer = values.next().unwrap().unwrap();
    KINDS.map(|(label, _)| {
        let tags = answer[0]["tags"].as_array().unwrap();
        let tag = tags.iter().find(|tag| tag["label"] == label);
        tag.map_or(0.0, |tag| tag["score"].as_f64().unwrap())
    })
}

const FROM_VAULT: [&str; 5] = ["train", "from-vault", ".", "--labels", "zork,quux"];

#[test]
fn tagged_notes_teach_a_version_and_corrections_are_learnt_on_top_of_it() {
    let pupil = Pupil::with_model("manual", "bert-prefix-full");
    vault(&pupil, 24);
    let notes = bytes(&pupil.home.path("notes"));
    let before = scores(&pupil);
    // A daemon that runs takes the result up.
    pupil.begin();
    let (shown, code) = pupil.home.run(&FROM_VAULT);
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("version 1 serves"), "{shown}");
    assert!(shown.contains("stray (12)"), "{shown}");
    assert!(shown.contains("1 notes without a tag"), "{shown}");
    assert!(
        shown.contains("24 notes, each tagged by what the others teach"),
        "{shown}"
    );
    let taught = scores(&pupil);
    assert!(
        taught[0] > 0.5 && taught[1] < 0.5,
        "{before:?} became {taught:?}"
    );
    assert_eq!(pupil.home.status()["learning"]["version"], json!(1));
    assert_eq!(bytes(&pupil.home.path("notes")), notes);
    let page = pupil.home.path("data/versions/0001/report.html");
    let page = std::fs::read_to_string(page).unwrap();
    assert!(
        page.contains("<td>zork</td><td>24</td><td>12</td>"),
        "{page}"
    );
    let manifest = std::fs::read(pupil.home.path("data/versions/0001/manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let cross = &manifest["cross"];
    assert!(cross["f1"][1].as_f64() > cross["f1"][0].as_f64(), "{cross}");
    assert_eq!(manifest["lessons"], "vault");
    // A correction of something else leaves what the notes have taught.
    for i in 0..6 {
        pupil.verdict(
            &format!("kettle and cups {i}"),
            &["zork", "quux"],
            &["quux"],
            &[],
        );
    }
    let (shown, code) = pupil.home.run(&["train", "now", "--wait"]);
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("version 2 serves"), "{shown}");
    assert!(scores(&pupil)[0] > 0.5, "{:?}", scores(&pupil));
    // Whoever forgets one of the notes is told where it still has effect.
    let (shown, _) = pupil.home.run(&["journal", "forget", "00.md"]);
    assert!(shown.contains("has learnt from the notes in"), "{shown}");
    let (shown, code) = pupil.home.run(&["model", "rollback", "0"]);
    assert_eq!(code, 0, "{shown}");
    assert_eq!(scores(&pupil), before);
}

#[test]
fn too_few_tagged_notes_or_none_at_all_are_refused_with_the_cure() {
    let pupil = Pupil::with_model("manual", "bert-prefix-full");
    vault(&pupil, 4);
    let (shown, code) = pupil.home.run(&FROM_VAULT);
    assert_eq!(code, 1, "{shown}");
    assert!(
        shown.contains("4 notes have tags of the label set, and 10 are needed"),
        "{shown}"
    );
    let (shown, code) = pupil
        .home
        .run(&["train", "from-vault", "nowhere", "--labels", "a"]);
    assert_ne!(code, 0);
    assert!(shown.contains("nowhere"), "{shown}");
    assert!(!pupil.home.path("data/versions/0001").exists());
}
