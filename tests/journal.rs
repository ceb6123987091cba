//! The journal of corrections with the real program: carried, forgotten, moved along, and kept
//! through kills, a full disk and a second daemon.

#![cfg(test)]
#![cfg(unix)]

#[path = "support/editor.rs"]
#[expect(dead_code, reason = "shared with other tests, each uses a part")]
mod editor;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use editor::{Editor, Home};
use serde_json::{Value, json};

const LABELS: [&str; 3] = ["garden", "tax", "travel"];
/// How often the daemon is killed.
const ROUNDS: usize = 100;

fn note(home: &Home, name: &str, text: &str) -> String {
    let path = home.path("notes").join(name);
    std::fs::write(&path, text).unwrap();
    format!("file://{}", path.canonicalize().unwrap().display())
}

#[test]
fn a_file_of_which_nothing_was_said_is_named() {
    let home = Home::new(&LABELS);
    note(&home, "a.md", "Roses.");
    let (shown, code) = home.run(&["journal", "show", "a.md"]);
    assert!(shown.starts_with("nothing was said of a.md; "), "{shown}");
    assert_eq!(code, 0);
    let (shown, _) = home.run(&["journal", "show"]);
    assert!(shown.starts_with("nothing was corrected yet; "), "{shown}");
}

fn session(home: &Home) -> Editor {
    let mut editor = home.editor();
    editor.initialize(json!({}));
    editor
}

fn suggested(editor: &mut Editor, uri: &str, text: &str) -> Vec<String> {
    let asked = json!({ "text": text, "uri": uri });
    let tagged = editor.request("gliznet/tag", asked).unwrap();
    let tags = tagged["tags"].as_array().unwrap();
    let names = tags
        .iter()
        .map(|tag| tag["label"].as_str().unwrap().to_owned());
    names.collect()
}

fn journal(home: &Home) -> String {
    std::fs::read_to_string(home.path("data/corrections.jsonl")).unwrap_or_default()
}

/// Whether any file below a folder holds these bytes.
fn holds(folder: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => holds(&path, bytes),
            false => {
                let content = std::fs::read(&path).unwrap_or_default();
                content.windows(bytes.len()).any(|part| part == bytes)
            }
        }
    })
}

#[test]
fn corrections_are_carried_to_another_machine_once() {
    let (here, there) = (Home::new(&LABELS), Home::new(&LABELS));
    let uri = note(&here, "a.md", "Roses in June.\n");
    here.run(&["correct", "a.md", "--add", "garden", "--remove", "tax"]);
    let file = here.path("out.jsonl");
    let file = file.to_str().unwrap();
    let (shown, code) = here.run(&["journal", "export", "--out", file]);
    assert!(shown.contains("1 correction in ") && code == 0, "{shown}");
    assert_eq!(std::fs::read_to_string(file).unwrap(), journal(&here));
    let (later, _) = here.run(&["journal", "export", "--since", "2999-01-01"]);
    assert_eq!(later, "");

    let mut editor = session(&there);
    assert_eq!(suggested(&mut editor, &uri, "Other words.").len(), 3);
    let (shown, code) = there.run(&["journal", "import", file]);
    assert_eq!((shown.as_str(), code), ("1 correction imported\n", 0));
    // The daemon was told.
    assert_eq!(suggested(&mut editor, &uri, "Other words.").len(), 2);
    let (shown, _) = there.run(&["journal", "import", file]);
    assert_eq!(shown, "0 corrections imported, 1 were known\n");
    assert_eq!(journal(&there).lines().count(), 1);

    let bytes = std::fs::read_to_string(file).unwrap() + "\nno record\n[1]\n";
    std::fs::write(file, bytes.replace("garden", "travel")).unwrap();
    let (shown, code) = there.run(&["journal", "import", file]);
    assert!(
        shown.contains("out.jsonl:3: not a correction") && code == 1,
        "{shown}"
    );
    assert!(
        shown.contains("out.jsonl:4: ") && shown.contains("--lenient"),
        "{shown}"
    );
    assert_eq!(journal(&there).lines().count(), 1);
    let (shown, code) = there.run(&["journal", "import", file, "--lenient"]);
    assert!(
        shown.contains("1 correction imported") && code == 1,
        "{shown}"
    );
    assert_eq!(editor.quit(), 0);
}

#[test]
fn what_is_forgotten_is_nowhere_and_has_no_effect() {
    let home = Home::new(&LABELS);
    let secret = "Doctor Miller found nothing.\n";
    let uri = note(&home, "a.md", secret);
    note(&home, "b.md", "Roses.\n");
    let mut editor = session(&home);
    home.run(&["correct", "a.md", "b.md", "--remove", "tax"]);
    assert!(!suggested(&mut editor, &uri, secret).contains(&"tax".to_owned()));
    let (shown, _) = home.run(&["journal", "show", "a.md"]);
    assert!(
        shown.contains("-tax") && shown.lines().count() == 1,
        "{shown}"
    );
    home.run(&["tag", "b.md"]);
    let vectors = home.path("cache/impressions");
    assert!(vectors.is_dir(), "no text was read for the memory");
    let (shown, _) = home.run(&["journal", "forget", "--text", "Miller", "--dry-run"]);
    assert!(shown.contains("1 correction would be forgotten"), "{shown}");
    std::fs::write(home.path("data/corrections.torn"), secret).unwrap();
    std::fs::remove_file(home.path("notes/a.md")).unwrap();
    let (shown, code) = home.run(&["journal", "forget", "a.md"]);
    assert!(
        shown.contains("1 correction forgotten") && code == 0,
        "{shown}"
    );
    assert!(!holds(&home.path("data"), b"Miller"));
    assert!(!holds(&home.path("cache"), b"Miller"));
    assert!(!vectors.exists(), "a forgotten text's vector stays");
    assert!(suggested(&mut editor, &uri, secret).contains(&"tax".to_owned()));
    let (shown, code) = home.run(&["journal", "forget", "a.md"]);
    assert!(
        shown.contains("nothing of that kind is in the journal") && code == 0,
        "{shown}"
    );
    let (shown, _) = home.run(&["journal", "stat", "--format", "json"]);
    let stat: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(
        (&stat["corrections"], &stat["labels"]["tax"]["rejected"]),
        (&1.into(), &1.into())
    );
    assert_eq!(home.status()["journal"]["corrections"], 1);
    assert_eq!(editor.quit(), 0);
}

#[test]
fn a_verdict_goes_along_with_its_note_and_outlives_the_daemon() {
    let home = Home::new(&LABELS);
    note(&home, "a.md", "Roses.\n");
    let notes = home.path("notes");
    home.run(&["watch", "add", notes.to_str().unwrap(), "--settle", "0.1"]);
    home.run(&["watch", "run-once"]);
    let mut editor = session(&home);
    home.run(&["correct", "a.md", "--remove", "tax"]);
    std::fs::create_dir(notes.join("sub")).unwrap();
    std::fs::rename(notes.join("a.md"), notes.join("sub/b.md")).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !journal(&home).contains("\"moved\"") {
        assert!(Instant::now() < deadline, "{}", journal(&home));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(editor.quit(), 0);
    home.run(&["stop"]);
    editor = session(&home);
    let path = notes.join("sub/b.md").canonicalize().unwrap();
    let uri = format!("file://{}", path.display());
    let tags = suggested(&mut editor, &uri, "Roses.\n");
    assert!(!tags.contains(&"tax".to_owned()), "{tags:?}");
    let (shown, _) = home.run(&["journal", "export"]);
    assert!(
        shown.contains("sub/b.md") && !shown.contains("a.md"),
        "{shown}"
    );
    assert_eq!(editor.quit(), 0);
}

#[test]
fn a_second_daemon_in_one_data_folder_is_refused() {
    let home = Home::new(&LABELS);
    let editor = session(&home);
    let pid = home.status()["pid"].take();
    let second = home
        .gliznet(&["daemon"])
        .env("GLIZNET_RUNTIME_DIR", home.path("run2"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(1), "{said}");
    let fault = format!("another daemon (process {pid}) works in this data folder");
    assert!(said.contains(&fault), "{said}");
    assert_eq!(editor.quit(), 0);
}

#[test]
fn no_acknowledged_correction_is_lost_however_often_the_daemon_is_killed() {
    let home = Home::new(&LABELS);
    let mut state = 7_u64;
    let mut random = |end: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % end
    };
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        // A server whose daemon ends again and again gives up; an editor starts another one.
        let mut editor = session(&home);
        let status = editor.request("gliznet/status", json!({})).unwrap();
        let pid = status["pid"].clone();
        let asked: Vec<(u64, String)> = (0..6)
            .map(|i| {
                let text = format!(
                    "round {round} note {i} {}",
                    "x".repeat(random(9000) as usize)
                );
                let params = json!({ "text": text, "accepted": ["garden"] });
                (editor.ask("gliznet/correct", params), text)
            })
            .collect();
        std::thread::sleep(Duration::from_micros(random(25_000)));
        home.kill(&pid);
        for (id, text) in asked {
            if let Ok(answer) = editor.answer(id) {
                acknowledged.push((answer["sequence"].as_u64().unwrap(), text));
            }
        }
    }
    assert!(
        acknowledged.len() > ROUNDS,
        "{} of {ROUNDS} rounds",
        acknowledged.len()
    );
    let kept: std::collections::HashMap<u64, String> = journal(&home)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .map(|line| {
            (
                line["seq"].as_u64().unwrap(),
                line["text"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    for (sequence, text) in &acknowledged {
        assert_eq!(kept.get(sequence), Some(text), "{sequence}");
    }
    let (shown, _) = home.run(&["journal", "show", "--last", "1"]);
    assert!(!shown.contains("not a correction"), "{shown}");
}

#[test]
fn a_hundred_thousand_corrections_are_read_and_the_latest_hold() {
    let home = Home::new(&LABELS);
    let mut editor = session(&home);
    let params = json!({ "text": "note 0", "accepted": ["garden"] });
    editor.request("gliznet/correct", params).unwrap();
    assert_eq!(editor.quit(), 0);
    home.run(&["stop"]);
    let first: Value = serde_json::from_str(journal(&home).lines().next().unwrap()).unwrap();
    let mut lines = String::new();
    for sequence in 1..=100_000 {
        let mut line = first.clone();
        line["seq"] = json!(sequence);
        line["text"] = json!(format!("note {sequence}"));
        lines.push_str(&line.to_string());
        lines.push('\n');
    }
    std::fs::write(home.path("data/corrections.jsonl"), lines).unwrap();

    let mut editor = session(&home);
    let asked = json!({ "text": "note 100000", "all": true });
    let tagged = editor.request("gliznet/tag", asked).unwrap();
    let garden = json!("garden");
    let is_garden = |tag: &&Value| tag["label"] == garden && tag["origin"] == "memory";
    assert!(
        tagged["tags"]
            .as_array()
            .unwrap()
            .iter()
            .any(|tag| is_garden(&tag)),
        "{tagged}"
    );
    let params = json!({ "text": "one more", "accepted": ["tax"], "rejected": ["garden"] });
    let answer = editor.request("gliznet/correct", params).unwrap();
    assert_eq!(answer["sequence"], 100_001);
    // At threshold 0 nothing is left out, but what was refused comes last.
    let tags = suggested(&mut editor, "file:///other", "one more");
    assert_eq!(tags, ["tax", "travel", "garden"]);
    assert_eq!(home.status()["journal"]["corrections"], 100_001);
    assert_eq!(editor.quit(), 0);
    assert_eq!(journal(&home).lines().count(), 100_001);
}

#[test]
fn a_journal_that_may_not_be_written_still_counts_and_says_so() {
    let home = Home::new(&LABELS);
    let uri = note(&home, "a.md", "Roses.\n");
    home.run(&["correct", "a.md", "--remove", "tax"]);
    home.run(&["stop"]);
    let path = home.path("data/corrections.jsonl");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o444)).unwrap();
    if std::fs::OpenOptions::new().append(true).open(&path).is_ok() {
        return; // Whoever runs this may write everything.
    }
    let mut editor = session(&home);
    let tags = suggested(&mut editor, &uri, "Roses.\n");
    assert!(!tags.contains(&"tax".to_owned()), "{tags:?}");
    let (shown, code) = home.run(&["correct", "a.md", "--add", "garden"]);
    assert!(
        shown.contains("corrections.jsonl: cannot record corrections") && code == 1,
        "{shown}"
    );
    assert_eq!(editor.quit(), 0);
}

#[test]
fn a_full_disk_refuses_a_correction_and_loses_none() {
    let home = Home::new(&LABELS);
    note(&home, "a.md", "Roses.\n");
    note(&home, "big.md", &"Many words. ".repeat(8000));
    home.run(&["stop"]);
    let script = r#"mount -t tmpfs -o size=64k none ../data || exit 77
        "$0" correct a.md --add garden || exit 3
        "$0" correct big.md --add garden; echo "code $?"
        "$0" correct a.md --remove tax || exit 4
        "$0" journal forget big.md; "$0" journal show --format json; "$0" stop"#;
    let base = home.gliznet(&[]);
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]);
    command.arg(env!("CARGO_BIN_EXE_gliznet"));
    command.current_dir(base.get_current_dir().unwrap());
    for (name, value) in base.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let Ok(output) = command.stdin(Stdio::null()).output() else {
        return anstream::eprintln!("skipped: no unshare");
    };
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(77) || said.starts_with("unshare:") {
        return anstream::eprintln!("skipped: no file system of our own ({said})");
    }
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(shown.contains("code 1"), "{shown}{said}");
    assert!(
        said.contains("cannot record corrections") && said.contains("make room"),
        "{said}"
    );
    let kept: Vec<&str> = shown
        .lines()
        .filter(|l| l.contains("\"sequence\""))
        .collect();
    assert_eq!(kept.len(), 2, "{shown}{said}");
}
