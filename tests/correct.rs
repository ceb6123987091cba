//! `gliznet correct`, with the real program and its daemon.

#![cfg(test)]

#[path = "support/editor.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod editor;

use std::io::Write;
use std::process::Stdio;

use editor::Home;
use serde_json::Value;

const LABELS: [&str; 3] = ["garden", "tax", "travel"];

fn note(home: &Home, name: &str, text: &str) {
    std::fs::write(home.path("notes").join(name), text).unwrap();
}

fn lines(shown: &str) -> Vec<Value> {
    let lines = shown.lines().filter(|line| line.starts_with('{'));
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn journal(home: &Home) -> Vec<Value> {
    let path = home.path("data/corrections.jsonl");
    lines(&std::fs::read_to_string(path).unwrap_or_default())
}

#[test]
fn what_is_said_of_a_file_is_recorded_and_holds_for_the_next_answer() {
    let home = Home::new(&LABELS);
    note(&home, "a.md", "Roses.\n");
    let (shown, code) = home.run(&["correct", "a.md", "--add", "Garden", "--remove", "tax"]);
    assert_eq!(
        (shown.as_str(), code),
        ("a.md  +garden  -tax\n1 correction recorded\n", 0)
    );
    let recorded = journal(&home);
    let name = home.path("notes/a.md").canonicalize().unwrap();
    assert_eq!(
        recorded[0]["document"],
        format!("file://{}", name.display())
    );
    assert_eq!(recorded[0]["source"], "command-line");
    assert_eq!(recorded[0]["accepted"], serde_json::json!(["garden"]));
    let mut editor = home.editor();
    editor.initialize(serde_json::json!({}));
    let asked = serde_json::json!({ "text": "Roses.\n", "uri": recorded[0]["document"] });
    let tagged = editor.request("gliznet/tag", asked).unwrap();
    assert_eq!(tagged["tags"][0]["label"], "garden");
    assert_eq!(tagged["tags"][0]["origin"], "you");
    let tags = tagged["tags"].as_array().unwrap();
    assert!(tags.iter().all(|tag| tag["label"] != "tax"), "{tagged}");
    assert_eq!(editor.quit(), 0);
}

#[test]
fn the_front_matter_is_the_truth_once_and_is_not_changed() {
    let home = Home::new(&LABELS);
    let tagged = "---\ntags: [garden, home]\n---\nRoses.\n";
    note(&home, "a.md", tagged);
    note(&home, "b.md", "Nobody has tagged this.\n");
    let args = [
        "correct",
        ".",
        "--from-frontmatter",
        "--format",
        "jsonl",
        "-q",
    ];
    let (dry, _) = home.run(&[&args[..], &["--dry-run"]].concat());
    assert_eq!(lines(&dry)[0]["sequence"], Value::Null);
    assert_eq!(journal(&home), [] as [Value; 0]);
    let (shown, code) = home.run(&args);
    let said = lines(&shown);
    assert_eq!(code, 0, "{shown}");
    assert_eq!(said[0]["accepted"], serde_json::json!(["garden"]));
    // The threshold is 0, so all labels are suggested.
    assert_eq!(said[0]["rejected"].as_array().unwrap().len(), 2, "{shown}");
    assert_eq!(said[0]["ignored"], serde_json::json!(["home"]));
    assert_eq!(said[1]["unsaid"], "there are no tags in its front matter");
    let (again, _) = home.run(&args);
    assert_eq!(lines(&again)[0]["unsaid"], "it was said before");
    assert_eq!(journal(&home).len(), 1);
    let kept = std::fs::read_to_string(home.path("notes/a.md")).unwrap();
    assert_eq!(kept, tagged);
}

#[test]
fn standard_input_is_a_text_without_a_name() {
    let home = Home::new(&LABELS);
    let mut command = home.gliznet(&["correct", "-", "-a", "tax", "--format", "json"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"An invoice.")
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let records: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&records[0]["path"], &records[0]["sequence"]),
        (&Value::Null, &1.into())
    );
    assert_eq!(journal(&home)[0].get("document"), None);
}

#[test]
fn what_cannot_be_done_is_said_with_place_and_cure_and_the_rest_is_done() {
    let home = Home::new(&LABELS);
    note(&home, "a.md", "Roses.\n");
    note(&home, "empty.md", " \n");
    std::fs::write(home.path("notes/photo.md"), b"\x89PNG\x00\x00\x01").unwrap();
    let files = [
        "correct", "gone.md", "empty.md", "photo.md", "a.md", "-a", "garden",
    ];
    let (shown, code) = home.run(&files);
    assert_eq!(code, 1);
    for part in [
        "gone.md: no such file or folder; check the path",
        "empty.md: there is no text, so there is nothing to learn from",
        "photo.md: ",
        "a.md  +garden",
        "1 correction recorded",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let refused = |args: &[&str]| home.run(&[&["correct", "a.md"], args].concat());
    let (shown, code) = refused(&["--add", "gardn"]);
    let fault = "a.md: `gardn` is no label of the set; did you mean `garden`?";
    assert!(shown.contains(fault) && code == 1, "{shown}");
    let (shown, code) = refused(&["--add", "tax", "--remove", "TAX"]);
    let fault = "a.md: `tax` is both accepted and rejected; decide for one";
    assert!(shown.contains(fault) && code == 1, "{shown}");
    let (shown, code) = refused(&[]);
    assert!(shown.contains("nothing is said") && code == 2, "{shown}");
    let (shown, code) = home.run(&["correct", ".", "--add", "tax"]);
    assert!(
        shown.contains("a folder, and a verdict is on one note") && code == 2,
        "{shown}"
    );
    assert_eq!(journal(&home).len(), 1);
}

#[test]
fn what_gliznet_wrote_teaches_nothing_until_a_person_agrees() {
    let home = Home::new(&LABELS);
    note(&home, "a.md", "---\ntags: [garden]\n---\nRoses.\n");
    note(&home, "b.md", "Invoices.\n");
    let (shown, code) = home.run(&["tag", ".", "--write"]);
    assert_eq!(code, 0, "{shown}");
    // Where nothing else stands, nobody is asked what would be suggested.
    let (shown, code) = home.run(&["correct", "b.md", "--from-frontmatter", "--dry-run"]);
    assert!(shown.contains("1 left out") && code == 0, "{shown}");
    assert!(home.status().is_null(), "no daemon was needed");
    let args = ["correct", ".", "--from-frontmatter", "--format", "jsonl"];
    let (shown, code) = home.run(&args);
    assert_eq!(code, 0, "{shown}");
    let said = lines(&shown);
    assert_eq!(said[0]["accepted"], serde_json::json!(["garden"]));
    assert_eq!(said[0]["machine"].as_array().unwrap().len(), 2, "{shown}");
    let reason = "GliZNet wrote its tags, and nobody has said that they fit";
    assert_eq!(said[1]["unsaid"], reason);
    assert!(
        shown.contains("5 tags that GliZNet wrote were not counted"),
        "{shown}"
    );
    assert_eq!(journal(&home).len(), 1);
    let derived = || {
        home.run(&["labelset", "from-vault", ".", "--min-count", "1"])
            .0
    };
    let of_vault = derived();
    assert!(
        of_vault.contains("name = \"garden\"") && !of_vault.contains("name = \"tax\""),
        "{of_vault}"
    );
    home.run(&["correct", "b.md", "--add", "tax"]);
    let of_vault = derived();
    assert!(
        of_vault.contains("# 1 note\n[[label]]\nname = \"tax\""),
        "{of_vault}"
    );
}

#[test]
fn what_gliznet_wrote_into_a_note_teaches_nothing_though_it_was_moved_since() {
    let home = Home::new(&LABELS);
    note(&home, "a.md", "---\ntags: [mine]\n---\nRoses.\n");
    let (shown, code) = home.run(&["tag", "a.md", "--write"]);
    assert_eq!(code, 0, "{shown}");
    for (from, to) in [("a.md", "b.md"), ("b.md", "c.md")] {
        let path = |name: &str| home.path(&format!("notes/{name}"));
        std::fs::rename(path(from), path(to)).unwrap();
        let args = ["correct", to, "--from-frontmatter", "--format", "jsonl"];
        let (shown, code) = home.run(&args);
        assert_eq!(code, 0, "{shown}");
        let said = lines(&shown).remove(0);
        assert_eq!(said["machine"].as_array().unwrap().len(), 3, "{shown}");
        assert!(journal(&home).is_empty(), "{shown}");
        // It stays so when older runs are forgotten.
        home.run(&["log", "--prune", "0 seconds ago"]);
    }
}

#[test]
fn a_dry_run_shows_what_is_recorded_for_no_verdict_changes_the_next_one() {
    let home = Home::new(&LABELS);
    let settings = std::fs::read_to_string(home.path("config/gliznet.toml")).unwrap();
    home.configure(&settings.replace("threshold = 0.0", "threshold = 0.9"));
    // What is said of the first would be suggested for the second.
    note(&home, "a.md", "---\ntags: [garden]\n---\nRoses.\n");
    note(&home, "b.md", "---\ntags: [tax]\n---\nRoses.\n");
    let args = ["correct", ".", "--from-frontmatter", "--format", "jsonl"];
    let verdicts = |shown: &str| -> Vec<(Value, Value)> {
        let said = lines(shown).into_iter();
        said.map(|said| (said["accepted"].clone(), said["rejected"].clone()))
            .collect()
    };
    let (dry, _) = home.run(&[&args[..], &["--dry-run"]].concat());
    let (real, _) = home.run(&args);
    assert_eq!(verdicts(&real), verdicts(&dry), "{real}");
}

#[test]
fn an_odd_file_among_notes_is_left_out_and_no_failure() {
    let home = Home::new(&LABELS);
    note(&home, "a.md", "---\ntags: [garden]\n---\nRoses.\n");
    note(&home, "empty.md", "");
    std::fs::write(
        home.path("notes/photo.md"),
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    )
    .unwrap();
    let (shown, code) = home.run(&["correct", ".", "--from-frontmatter"]);
    assert_eq!(code, 0, "{shown}");
    for part in [
        "left out: 1 note: there is no text",
        "left out: 1 note: not text but",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    for args in [
        &["tag", "."][..],
        &["labelset", "from-vault", ".", "--min-count", "1"],
    ] {
        let (shown, code) = home.run(args);
        assert_eq!(code, 0, "{shown}");
        assert!(
            shown.contains("photo.md: not text but a PNG image"),
            "{shown}"
        );
    }
    let (shown, code) = home.run(&["tag", "photo.md"]);
    assert!(
        shown.contains("this is not text but") && code == 1,
        "{shown}"
    );
}
