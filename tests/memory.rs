//! The memory as a user meets it: what one said of a text holds for the next question at once, in
//! the daemon, on the command line and after a restart.

#![cfg(test)]

#[path = "support/editor.rs"]
#[expect(dead_code, reason = "shared with other tests, each uses a part")]
mod editor;

use serde_json::{Value, json};

use editor::{Editor, Home};

const LABELS: [&str; 3] = ["garden", "tax", "travel"];
const TEXT: &str = "The roses want pruning before the frost.";

/// A user whose model gives no label: whatever is a tag comes from somebody else.
fn home() -> Home {
    let home = Home::new(&LABELS);
    let settings = std::fs::read_to_string(home.path("config/gliznet.toml")).unwrap();
    home.configure(&settings.replace("threshold = 0.0", "threshold = 0.999"));
    home
}

fn editor(home: &Home) -> Editor {
    let mut editor = home.editor();
    editor.initialize(json!({}));
    editor
}

fn correct(editor: &mut Editor, params: Value) {
    editor.request("gliznet/correct", params).unwrap();
}

/// The tags of a text with who gives them, as the daemon has them.
fn tags(editor: &mut Editor, text: &str) -> Vec<(String, String)> {
    let answer = editor
        .request("gliznet/tag", json!({"text": text, "format": "plain"}))
        .unwrap();
    pairs(&answer["tags"])
}

fn pairs(tags: &Value) -> Vec<(String, String)> {
    let word = |value: &Value| value.as_str().unwrap_or("model").to_owned();
    let tags = tags.as_array().unwrap().iter();
    tags.map(|tag| (word(&tag["label"]), word(&tag["origin"])))
        .collect()
}

/// The same of a file, as the command line has them.
fn tags_of_file(home: &Home, args: &[&str]) -> Vec<(String, String)> {
    let all = [&["tag", "--format", "json"], args].concat();
    let (shown, code) = home.run(&all);
    assert_eq!(code, 0, "{shown}");
    let shown: Value = serde_json::from_str(&shown).unwrap_or_else(|_| panic!("{shown}"));
    pairs(&shown[0]["tags"])
}

fn remembered(label: &str) -> Vec<(String, String)> {
    vec![(label.to_owned(), "memory".to_owned())]
}

#[test]
fn a_verdict_on_a_text_holds_at_once_wherever_the_text_turns_up_again() {
    let home = home();
    let mut script = editor(&home);
    assert_eq!(tags(&mut script, TEXT), []);
    let said =
        json!({"text": TEXT, "format": "plain", "accepted": ["garden"], "rejected": ["tax"]});
    correct(&mut script, said);
    assert_eq!(tags(&mut script, TEXT), remembered("garden"));
    // In another file, on the command line, and as a line of a stream.
    std::fs::write(home.path("notes/other.txt"), TEXT).unwrap();
    assert_eq!(tags_of_file(&home, &["other.txt"]), remembered("garden"));
    assert_eq!(tags_of_file(&home, &["other.txt", "--no-memory"]), []);
    let row = json!({"id": 1, "text": TEXT}).to_string();
    std::fs::write(home.path("notes/rows.jsonl"), row).unwrap();
    let (line, code) = home.run(&["tag", "--jsonl", "rows.jsonl"]);
    assert_eq!(code, 0, "{line}");
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(pairs(&line["tags"]), remembered("garden"));
    // After a restart.
    assert_eq!(script.quit(), 0);
    assert_eq!(home.run(&["stop"]).1, 0);
    let mut script = editor(&home);
    assert_eq!(tags(&mut script, TEXT), remembered("garden"));
    // Until it is said otherwise.
    correct(
        &mut script,
        json!({"text": TEXT, "format": "plain", "rejected": ["garden"]}),
    );
    assert_eq!(tags(&mut script, TEXT), []);
    assert_eq!(tags_of_file(&home, &["other.txt"]), []);
    assert_eq!(script.quit(), 0);
}

#[test]
fn what_a_verdict_means_for_other_open_notes_is_shown_there_at_once() {
    let home = home();
    let mut editor = editor(&home);
    let notes = [home.uri("one.txt"), home.uri("other.txt")];
    for uri in &notes {
        editor.open(uri, TEXT);
        editor.notified("gliznet/tagsChanged");
    }
    let shown_in_other = |editor: &mut Editor| -> Vec<(String, String)> {
        loop {
            let told = editor.notified("gliznet/tagsChanged");
            if told["uri"] == notes[1].as_str() {
                return pairs(&told["tags"]);
            }
        }
    };
    let document = json!({"uri": notes[0]});
    let said = json!({"textDocument": document, "accepted": ["garden"]});
    correct(&mut editor, said);
    assert_eq!(shown_in_other(&mut editor), remembered("garden"));
    // By now the memory knows the model, and does not learn in the background any more.
    let said = json!({"textDocument": document, "accepted": ["tax"], "rejected": ["garden"]});
    correct(&mut editor, said);
    assert_eq!(shown_in_other(&mut editor), remembered("tax"));
    assert_eq!(home.run(&["journal", "forget", "one.txt"]).1, 0);
    assert_eq!(shown_in_other(&mut editor), []);
    assert_eq!(editor.quit(), 0);
}

#[test]
fn what_was_said_of_an_unsaved_note_holds_until_it_is_closed_and_not_for_the_next_one() {
    let home = home();
    let mut editor = editor(&home);
    let document = json!({"uri": "untitled:Untitled-1"});
    let shown = |editor: &mut Editor| {
        let asked = editor.request("gliznet/tag", json!({"textDocument": document}));
        pairs(&asked.unwrap()["tags"])
    };
    editor.open("untitled:Untitled-1", TEXT);
    let said = json!({"textDocument": document, "accepted": ["garden"]});
    correct(&mut editor, said);
    let you = [("garden".to_owned(), "you".to_owned())];
    assert_eq!(shown(&mut editor), you);
    editor.replace(
        "untitled:Untitled-1",
        2,
        "I flew to Lisbon for the weekend.",
    );
    assert_eq!(shown(&mut editor), you);
    editor.notify("textDocument/didClose", json!({"textDocument": document}));
    editor.open("untitled:Untitled-1", "I flew to Lisbon for the weekend.");
    let next = shown(&mut editor);
    assert!(next.iter().all(|(_, origin)| origin != "you"), "{next:?}");
    assert_eq!(editor.quit(), 0);
}

#[test]
fn a_described_label_is_remembered_after_a_restart_as_it_was_corrected() {
    let home = Home::new(&LABELS);
    let set = "[[label]]\nname = 'garden'\ndescription = 'Roses, beds, what grows.'\n\
               [[label]]\nname = 'tax'\n";
    std::fs::write(home.path("config/set.toml"), set).unwrap();
    // A model that reads descriptions: of this one it says 0.8, and 0.2 of the name alone.
    let model = home.path("model");
    std::fs::create_dir(&model).unwrap();
    let fixture = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let fixture = fixture.join("tests/fixtures/parity/bert-isolated-proj");
    for file in std::fs::read_dir(fixture).unwrap().map(Result::unwrap) {
        std::fs::copy(file.path(), model.join(file.file_name())).unwrap();
    }
    let calibration = r#"{"version":1,"joint":0.0,"embed":60.0,"bias":-55.2,"threshold":0.5}"#;
    std::fs::write(model.join("calibration.json"), calibration).unwrap();
    let settings = std::fs::read_to_string(home.path("config/gliznet.toml")).unwrap();
    let place = model.display().to_string();
    let rest = settings.split_once('\n').unwrap().1;
    home.configure(&format!("model = '{place}'\n{rest}"));

    // So little alike that the verdict itself does not hold for it, to this model.
    let like = "I flew to Lisbon and walked along the river for hours.";
    std::fs::write(home.path("notes/like.txt"), like).unwrap();
    let score = |answer: &Value| {
        let tags = answer["tags"].as_array().unwrap().iter();
        let garden = tags.clone().find(|tag| tag["label"] == "garden");
        garden.unwrap_or_else(|| panic!("{answer}"))["score"]
            .as_f64()
            .unwrap()
    };
    // The memory learns in the background where it does not know the model yet.
    let asked = |script: &mut Editor, until: &dyn Fn(f64) -> bool| {
        let mut scores = (0..200).map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(50));
            let params = json!({"text": like, "format": "plain"});
            score(&script.request("gliznet/tag", params).unwrap())
        });
        scores.find(|score| until(*score)).unwrap()
    };
    let mut script = editor(&home);
    let before = asked(&mut script, &|_| true);
    // The answer is known when it is corrected, so what the memory learns is what a person saw.
    tags(&mut script, TEXT);
    let said = json!({"text": TEXT, "format": "plain", "rejected": ["garden"]});
    correct(&mut script, said);
    let corrected = asked(&mut script, &|score| (score - before).abs() > 0.02);
    assert_eq!(script.quit(), 0);
    assert_eq!(home.run(&["stop"]).1, 0);
    // Read again from the journal: by the command line, and by the next daemon.
    let (shown, _) = home.run(&["tag", "--format", "json", "like.txt"]);
    let shown: Value = serde_json::from_str(&shown).unwrap_or_else(|_| panic!("{shown}"));
    let alone = score(&shown[0]);
    assert!((alone - corrected).abs() < 1e-3, "{alone} {corrected}");
    let mut script = editor(&home);
    asked(&mut script, &|score| (score - corrected).abs() < 1e-3);
    assert_eq!(script.quit(), 0);
}

#[test]
fn the_command_line_knows_what_was_said_of_a_file_and_a_person_reads_who_gave_a_tag() {
    let home = home();
    std::fs::write(home.path("notes/rose.txt"), TEXT).unwrap();
    let mut script = editor(&home);
    correct(
        &mut script,
        json!({"text": TEXT, "format": "plain", "uri": home.uri("rose.txt"), "accepted": ["garden"]}),
    );
    assert_eq!(script.quit(), 0);
    // The verdict is on the file, so it holds when the text has become quite another one.
    std::fs::write(home.path("notes/rose.txt"), "Sold the house.").unwrap();
    let you = [("garden".to_owned(), "you".to_owned())];
    assert_eq!(tags_of_file(&home, &["rose.txt"]), you);
    assert_eq!(tags_of_file(&home, &["rose.txt", "--no-memory"]), you);
    assert_eq!(tags_of_file(&home, &["rose.txt", "--compat"]), []);
    let (shown, _) = home.run(&["tag", "rose.txt"]);
    assert!(shown.contains("you said so"), "{shown}");
    std::fs::write(home.path("notes/copy.txt"), TEXT).unwrap();
    let (shown, _) = home.run(&["tag", "copy.txt"]);
    assert!(shown.contains("from corrections"), "{shown}");
}

#[test]
fn where_the_journal_or_the_cache_cannot_be_read_the_model_answers_and_says_so() {
    let home = home();
    std::fs::write(home.path("notes/rose.txt"), TEXT).unwrap();
    let mut script = editor(&home);
    correct(
        &mut script,
        json!({"text": TEXT, "format": "plain", "accepted": ["garden"]}),
    );
    assert_eq!(script.quit(), 0);
    assert_eq!(home.run(&["stop"]).1, 0);
    // Something else stands where the impressions belong.
    std::fs::write(home.path("cache/impressions"), "").unwrap();
    let (shown, code) = home.run(&["tag", "rose.txt"]);
    assert_eq!(code, 0);
    assert!(shown.contains("no tag fits"), "{shown}");
    assert!(shown.contains("corrections are not remembered"), "{shown}");
    // Where there is no text to tag, nobody asks what is remembered.
    let (shown, code) = home.run(&["tag", "missing.txt"]);
    assert_eq!(code, 1, "{shown}");
    assert!(!shown.contains("not remembered"), "{shown}");
    std::fs::remove_file(home.path("cache/impressions")).unwrap();
    assert_eq!(tags_of_file(&home, &["rose.txt"]), remembered("garden"));
    // And a journal that is no file.
    std::fs::remove_file(home.path("data/corrections.jsonl")).unwrap();
    std::fs::create_dir(home.path("data/corrections.jsonl")).unwrap();
    let (shown, code) = home.run(&["tag", "rose.txt"]);
    assert_eq!(code, 0);
    assert!(shown.contains("no tag fits"), "{shown}");
    assert!(shown.contains("corrections do not count"), "{shown}");
}
