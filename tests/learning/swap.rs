//! Another version takes over while questions are asked.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::pupil::{Pupil, until};

const TEXTS: usize = 12;

fn question(i: usize) -> Value {
    let text = format!("Note {}. Roses need pruning in March.", i % TEXTS);
    json!({ "text": text, "all": true })
}

#[test]
fn no_question_fails_and_none_is_answered_by_two_versions() {
    let pupil = Pupil::new("manual");
    for bias in [0.1, 0.2, 0.3] {
        pupil.version(bias, 0);
    }
    let mut editor = pupil.home.editor();
    editor.initialize(json!({}));
    // An answer means that there is a model.
    editor.request("gliznet/tag", question(0)).unwrap();
    // Many questions are open while versions come and go. Each swap is over before the next one is
    // asked for, so that no machine is fast enough to answer everything by one version.
    let mut asked = Vec::new();
    for round in 0..24 {
        let to = [1, 2, 0, 3][round % 4];
        let swap = editor.ask("gliznet/train", json!({ "action": "rollback", "to": to }));
        for i in 0..15 {
            asked.push((
                15 * round + i,
                editor.ask("gliznet/tag", question(15 * round + i)),
            ));
        }
        editor.answer(swap).unwrap();
    }
    let mut seen: BTreeMap<String, BTreeMap<usize, Value>> = BTreeMap::new();
    for (i, id) in asked {
        let answer = editor.answer(id).unwrap();
        let model = answer["model"].as_str().unwrap().to_owned();
        let of_model = seen.entry(model).or_default();
        let scores = of_model
            .entry(i % TEXTS)
            .or_insert(answer["scores"].clone());
        assert_eq!(*scores, answer["scores"]);
    }
    assert!(seen.len() > 1, "all was answered by {:?}", seen.keys());
    // Each version, when it serves alone, says what it said then.
    let mut compared = 0;
    for to in 0..4 {
        let params = json!({ "action": "rollback", "to": to });
        let now = editor.request("gliznet/train", params).unwrap();
        assert_eq!(now["version"], to);
        for i in 0..TEXTS {
            let answer = editor.request("gliznet/tag", question(i)).unwrap();
            let model = answer["model"].as_str().unwrap();
            let name = match to {
                0 => "bert-isolated-proj@".to_owned(),
                to => format!("bert-isolated-proj+{to}@"),
            };
            assert!(model.starts_with(&name), "{model}");
            if let Some(scores) = seen.get(model).and_then(|of_model| of_model.get(&i)) {
                assert_eq!(*scores, answer["scores"], "{model}: text {i}");
                compared += 1;
            }
        }
    }
    assert!(compared >= TEXTS, "{compared} answers were compared");
    assert_eq!(editor.quit(), 0);
}

#[test]
fn open_documents_and_watched_notes_are_read_again() {
    let pupil = Pupil::new("manual");
    pupil.version(0.3, 0);
    let notes = pupil.home.path("notes");
    for i in 0..5 {
        let text = format!("Roses {i} need pruning.\n");
        std::fs::write(notes.join(format!("{i}.md")), text).unwrap();
    }
    let mut editor = pupil.home.editor();
    editor.initialize(json!({}));
    let uri = pupil.home.uri("open.md");
    editor.open(&uri, "Roses in the garden.\n");
    let told = editor.notified("gliznet/tagsChanged");
    assert!(told["model"].as_str().unwrap().contains("+1@"), "{told}");
    let params = json!({ "action": "add", "path": notes });
    editor.request("gliznet/watch", params).unwrap();
    let mut scores = || -> Option<Vec<Value>> {
        let found = editor
            .request("gliznet/find", json!({ "tags": ["garden"] }))
            .ok()?;
        let found = found["notes"].as_array()?.clone();
        let score = |note: &Value| {
            let mut tags = note["tags"].as_array().unwrap().iter();
            tags.find(|tag| tag["tag"] == "garden").unwrap()["score"].clone()
        };
        (found.len() == 5).then(|| found.iter().map(score).collect())
    };
    let mut before = None;
    until("all notes are tagged", || {
        before = scores();
        before.is_some()
    });
    let before = before.unwrap();
    let (shown, code) = pupil.home.run(&["model", "rollback"]);
    assert_eq!((shown.as_str(), code), ("the shipped model serves\n", 0));
    until("all notes are tagged by the other version", || {
        scores().is_some_and(|now| now.iter().zip(&before).all(|(now, then)| now != then))
    });
    let told = editor.notified("gliznet/tagsChanged");
    assert!(told["model"].as_str().unwrap().contains("proj@"), "{told}");
    assert_eq!((&told["uri"], &told["version"]), (&json!(uri), &json!(1)));
    assert_eq!(editor.quit(), 0);
}
