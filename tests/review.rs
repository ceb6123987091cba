//! The review queue: asked for by a script, and gone through by a person with keys in a terminal.

#![cfg(test)]

#[path = "support/editor.rs"]
#[expect(dead_code, reason = "shared with other tests, each uses a part")]
mod editor;

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use editor::Home;

const LABELS: [&str; 3] = ["garden", "tax", "travel"];

fn notes(home: &Home, count: usize) {
    for number in 0..count {
        let text = format!("# Note {number}\n\nThe rose of year {number} wants pruning.\n");
        std::fs::write(home.path(&format!("notes/{number}.md")), text).unwrap();
    }
}

fn queue(home: &Home, args: &[&str]) -> Value {
    let all = [&["review", "--format", "json"], args].concat();
    let (shown, code) = home.run(&all);
    assert_eq!(code, 0, "{shown}");
    serde_json::from_str(&shown).unwrap_or_else(|_| panic!("no JSON: {shown}"))
}

fn names(queue: &Value) -> Vec<&str> {
    let records = queue["queue"].as_array().unwrap().iter();
    records
        .map(|record| record["name"].as_str().unwrap())
        .collect()
}

#[test]
fn a_judged_document_leaves_the_queue_and_those_of_chance_are_counted() {
    let home = Home::new(&LABELS);
    notes(&home, 10);
    let first = queue(&home, &["--count", "5", "--seed", "1"]);
    assert_eq!(first["open"], 10);
    assert_eq!(first["accuracy"], Value::Null);
    let whys: Vec<&Value> = first["queue"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| &r["why"])
        .collect();
    assert_eq!(
        whys,
        ["different", "different", "different", "different", "random"]
    );
    assert_eq!(queue(&home, &["--count", "5", "--seed", "1"]), first);

    let mut script = home.editor();
    script.initialize(json!({}));
    for (place, source) in [(0, "review"), (4, "sample")] {
        let record = &first["queue"][place];
        let params = json!({
            "text": record["text"], "format": record["format"], "uri": record["uri"],
            "source": source, "accepted": ["garden"], "rejected": ["tax"],
        });
        script.request("gliznet/correct", params).unwrap();
    }
    assert_eq!(script.quit(), 0);
    let second = queue(&home, &["--count", "10", "--seed", "1"]);
    assert_eq!(second["open"], 8);
    assert_eq!(names(&second).len(), 8);
    for gone in [names(&first)[0], names(&first)[4]] {
        assert!(!names(&second).contains(&gone), "{gone} was judged");
    }
    // At threshold 0 all labels are suggested, and one was taken away.
    assert_eq!(second["accuracy"]["documents"], 1);
    assert_eq!(second["accuracy"]["right"], 0.0);
}

#[test]
fn a_verdict_that_goes_against_those_on_like_notes_is_asked_again_until_it_is_repeated() {
    let home = Home::new(&LABELS);
    for (name, end) in [("a", "beans"), ("b", "peas"), ("c", "leeks")] {
        let text = format!("# Beds\n\nToday I dug the long bed over and sowed a row of {end}.\n");
        std::fs::write(home.path(&format!("notes/{name}.md")), text).unwrap();
    }
    let mut script = home.editor();
    script.initialize(json!({}));
    let mut judge = |name: &str, accepted: &str, rejected: &str| {
        let path = home.path(&format!("notes/{name}.md"));
        let text = std::fs::read_to_string(&path).unwrap();
        let uri = format!("file://{}", path.canonicalize().unwrap().display());
        let params = json!({
            "text": text, "format": "markdown", "uri": uri, "source": "review",
            "accepted": [accepted], "rejected": [rejected],
        });
        script.request("gliznet/correct", params).unwrap();
    };
    judge("a", "garden", "tax");
    judge("b", "garden", "tax");
    judge("c", "tax", "garden");
    // The memory learns in the background, one after the other.
    let asked_again = |wanted: &[&str]| -> Value {
        let mut found = Value::Null;
        for _ in 0..100 {
            found = queue(&home, &[]);
            let again = found["queue"].as_array().unwrap().iter();
            let again = again.filter(|record| record["why"] == "again");
            if again
                .map(|record| record["name"].as_str().unwrap())
                .eq(wanted.iter().copied())
            {
                return found;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("not {wanted:?}: {found}");
    };
    let found = asked_again(&["c.md"]);
    let said = found["queue"][0]["again"].as_array().unwrap();
    assert!(
        said.contains(&json!({"label": "tax", "fits": true})),
        "{found}"
    );
    judge("c", "tax", "garden");
    assert_eq!(asked_again(&[])["queue"], json!([]));
    assert_eq!(script.quit(), 0);
}

#[test]
fn a_long_document_is_told_as_a_whole_because_the_verdict_is_recorded_with_it() {
    let home = Home::new(&LABELS);
    let text = "The roses in the garden grew well.\n".repeat(3_000);
    std::fs::write(home.path("notes/long.md"), &text).unwrap();
    assert_eq!(queue(&home, &[])["queue"][0]["text"], text);
}

#[test]
fn of_a_document_without_words_nobody_is_asked() {
    let home = Home::new(&LABELS);
    notes(&home, 2);
    std::fs::write(home.path("notes/empty.md"), "").unwrap();
    std::fs::write(home.path("notes/blank.md"), "---\ntitle:\n---\n\n").unwrap();
    let queue = queue(&home, &["--count", "9"]);
    let mut found = names(&queue);
    found.sort_unstable();
    assert_eq!(found, ["0.md", "1.md"]);
    assert_eq!(queue["open"], 2);
    assert_ne!(queue["cut"], true, "{queue}");
}

#[test]
fn nobody_is_asked_about_a_label_that_is_given_by_hand_but_where_it_stands() {
    let home = Home::new(&LABELS);
    notes(&home, 1);
    std::fs::write(home.path("notes/a.md"), "---\ntags: [tax]\n---\nRoses.\n").unwrap();
    let set = "[[label]]\nname = \"garden\"\n[[label]]\nname = \"tax\"\nmanual = true\n";
    std::fs::write(home.path("notes/here.toml"), set).unwrap();
    std::fs::write(home.path("notes/gliznet.toml"), "labelset = 'here.toml'\n").unwrap();
    let asked = |file: &str| {
        let found = queue(&home, &[file]);
        let labels = found["queue"][0]["labels"].as_array().unwrap().clone();
        let mut names: Vec<String> = labels
            .iter()
            .map(|label| label["label"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(asked("0.md"), ["garden"]);
    assert_eq!(asked("a.md"), ["garden", "tax"]);
}

#[test]
fn what_stands_in_a_note_is_ticked_and_what_cannot_be_read_is_named() {
    let home = Home::new(&LABELS);
    home.configure(
        &std::fs::read_to_string(home.path("config/gliznet.toml"))
            .unwrap()
            .replace("0.0", "1.0"),
    );
    std::fs::write(
        home.path("notes/a.md"),
        "---\ntags: [tax, other]\n---\nRoses.\n",
    )
    .unwrap();
    std::fs::write(home.path("notes/b.md"), b"\x89PNG\x00\x00\x01").unwrap();
    std::fs::write(home.path("notes/c.md"), b"Caf\xe9 cr\xe8me, tr\xe8s bon.\n").unwrap();
    std::fs::write(home.path("notes/d.md"), b"\xff\xfeR\0o\0s\0e\0s\0").unwrap();
    let found = queue(&home, &[]);
    let mut queue = found["queue"].as_array().unwrap().iter();
    let tagged = queue.find(|record| record["name"] == "a.md").unwrap();
    let labels = tagged["labels"].as_array().unwrap();
    assert_eq!(
        (&labels[0]["label"], &labels[0]["suggested"]),
        (&json!("tax"), &json!(true))
    );
    assert!(
        labels[1..].iter().all(|label| label["suggested"] == false),
        "{labels:?}"
    );
    assert!(
        found["faults"][0].as_str().unwrap().starts_with("b.md: "),
        "{found}"
    );
    let (shown, code) = home.run(&["review", "no-such-folder"]);
    assert_eq!(code, 2, "{shown}");
    let (shown, code) = home.run(&["review", "--format", "json", "no-such-folder"]);
    assert_eq!(code, 1);
    assert!(shown.contains("not found"), "{shown}");
}

/// Presses keys in a terminal of its own; `script` gives one.
#[cfg(target_os = "linux")]
fn press(home: &Home, args: &str, keys: &[u8]) -> String {
    let program = home.gliznet(&[]);
    let line = format!(
        "stty rows 30 cols 90; exec '{}' review {args}",
        program.get_program().display()
    );
    let mut command = Command::new("script");
    command
        .args(["-qec", &line, "/dev/null"])
        .current_dir(home.path("notes"));
    for (name, value) in program.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    let command = command
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut process = command.spawn().unwrap();
    process.stdin.take().unwrap().write_all(keys).unwrap();
    let output = process.wait_with_output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{shown}");
    shown
}

#[cfg(target_os = "linux")]
#[test]
fn a_person_reviews_with_one_key_a_document_and_can_undo() {
    let home = Home::new(&LABELS);
    notes(&home, 5);
    // Right; first label unticked, then right; none fits, undone and skipped; leave.
    let shown = press(&home, "--seed 3 --count 5", b"\r1\rnusq");
    assert!(shown.contains("1 of 5"), "{shown}");
    assert!(shown.contains("2 documents reviewed."), "{shown}");
    assert!(
        shown.contains("\u{1b}[?1049l"),
        "the screen is as it was: {shown}"
    );
    let journal = std::fs::read_to_string(home.path("data/corrections.jsonl")).unwrap();
    let records: Vec<Value> = journal
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(records.len(), 2, "{journal}");
    assert_eq!(records[0]["rejected"], json!([]));
    assert_eq!(records[0]["accepted"].as_array().unwrap().len(), 3);
    assert_eq!(records[1]["rejected"].as_array().unwrap().len(), 1);
    assert!(
        records.iter().all(|record| record["source"] == "review"),
        "{journal}"
    );
    assert_eq!(queue(&home, &[])["open"], 3);
}
