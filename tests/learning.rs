//! Learning in the background, with the real program: what starts it and what ends it, versions
//! that take over under load, and `kill -9` at random moments.

#![cfg(test)]
#![cfg(unix)]

#[path = "learning/again.rs"]
mod again;
#[path = "learning/kill.rs"]
mod kill;
#[path = "learning/pupil.rs"]
mod pupil;
#[path = "learning/swap.rs"]
mod swap;
#[path = "learning/vault.rs"]
mod vault;

#[path = "support/editor.rs"]
#[expect(dead_code, reason = "shared with other tests, each uses a part")]
mod editor;

use pupil::{LABELS, Pupil, until};
use serde_json::{Value, json};

/// How the learning is, as `gliznet status` has it.
fn learning(pupil: &Pupil) -> Value {
    pupil.home.status()["learning"].take()
}

/// The next word on the progress that has this token.
fn progress(editor: &mut editor::Editor, token: &Value) -> Value {
    loop {
        let progress = editor.notified("$/progress");
        if progress["token"] == *token {
            return progress;
        }
    }
}

#[test]
fn the_sixteenth_correction_starts_a_job_by_itself_and_a_person_can_end_it() {
    let pupil = Pupil::new("auto");
    let mut editor = pupil.home.editor();
    editor.initialize(json!({ "window": { "workDoneProgress": true } }));
    // An answer means that there is a model.
    editor
        .request("gliznet/tag", json!({ "text": "Roses" }))
        .unwrap();
    for i in 0..15 {
        pupil.correct(&mut editor, &format!("note {i}"), &["garden"], &[]);
    }
    until("15 are counted", || learning(&pupil)["new"] == 15);
    assert_eq!(learning(&pupil)["state"], "idle");
    pupil.correct(&mut editor, "note 15", &["garden"], &[]);
    // On a busy machine the loading of the model was shown, too.
    let params = loop {
        let (id, params) = editor.asked("window/workDoneProgress/create");
        editor.reply(&id, Value::Null);
        if params["token"] != "gliznet/loading" {
            break params;
        }
    };
    assert_eq!(params["token"], "gliznet/learning/1");
    let begun = progress(&mut editor, &params["token"]);
    assert_eq!(begun["value"]["kind"], "begin");
    assert_eq!(begun["value"]["cancellable"], true);
    let now = learning(&pupil);
    assert_ne!(now["state"], "idle");
    assert_eq!(now["automatic"], true);
    let child = pupil.child().expect("a process learns");
    editor.notify("window/workDoneProgress/cancel", params.clone());
    loop {
        let progress = progress(&mut editor, &params["token"]);
        if progress["value"]["kind"] == "end" {
            let message = progress["value"]["message"].as_str().unwrap();
            assert!(message.contains("cancelled"), "{message}");
            break;
        }
    }
    let now = learning(&pupil);
    assert_eq!((&now["state"], &now["new"]), (&json!("idle"), &json!(16)));
    assert_eq!(now["last"]["outcome"], "cancelled");
    until("the process is gone", || !pupil::is_alive(child));
    // What was cancelled does not begin again by itself with the next word.
    pupil.correct(&mut editor, "note 16", &["garden"], &[]);
    until("17 are counted", || learning(&pupil)["new"] == 17);
    assert_eq!(learning(&pupil)["state"], "idle");
    assert_eq!(editor.quit(), 0);
}

#[test]
fn what_was_learnt_in_the_background_serves_at_once_or_says_why_not() {
    let pupil = Pupil::with_model("manual", "bert-prefix-full");
    // Verdicts that the model agrees with, so that little changes and the gate may let it pass.
    let texts: Vec<String> = (0..4).map(|i| format!("note {i}")).collect();
    for text in &texts {
        pupil.note(text, &["garden"], None);
    }
    pupil.begin();
    assert_eq!(learning(&pupil)["new"], 4);
    let (shown, code) = pupil.home.run(&["train", "now", "--wait"]);
    let now = learning(&pupil);
    let (history, _) = pupil.home.run(&["model", "history"]);
    let model = pupil.home.status()["model"]["name"].take();
    let model = model.as_str().unwrap();
    match code {
        0 => {
            assert!(shown.starts_with("version 1 serves"), "{shown}");
            assert_eq!(now["version"], 1, "{now}");
            assert!(model.starts_with("bert-prefix-full+1@"), "{model}");
            assert!(history.contains("* 1  accepted"), "{history}");
            // And what serves can be taken back at once.
            let (shown, code) = pupil.home.run(&["model", "rollback"]);
            assert_eq!(code, 0, "{shown}");
            assert_eq!(learning(&pupil)["version"], 0);
            let (history, _) = pupil.home.run(&["model", "history"]);
            assert!(
                history.contains("by hand, to the shipped model"),
                "{history}"
            );
        }
        _ => {
            assert!(shown.contains("version 1 was refused"), "{shown}");
            assert_eq!(now["version"], 0, "{now}");
            assert!(history.contains("  1  refused"), "{history}");
        }
    }
    assert_eq!((&now["state"], &now["new"]), (&json!("idle"), &json!(0)));
    assert_eq!(now["last"]["version"], 1);
    // The next daemon knows it too.
    pupil.home.run(&["stop"]);
    pupil.begin();
    until("the history is read", || {
        learning(&pupil)["last"]["version"] == 1
    });
    assert_eq!(learning(&pupil)["new"], 0);
}

#[test]
fn what_is_learnt_for_good_is_known_without_the_memory_until_it_is_taken_back() {
    // Labels that no shipped text has, so that nothing general is touched.
    let labels = ["zork", "quux"];
    let pupil = Pupil::with_model("manual", "bert-prefix-full");
    let kinds = ["mulch spade seeds compost", "invoice refund receipt tax"];
    for round in 0..12 {
        for (label, words) in labels.iter().zip(kinds) {
            let other: &[&str] = if *label == "zork" {
                &["quux"]
            } else {
                &["zork"]
            };
            pupil.verdict(&format!("{words} {round}"), &labels, &[label], other);
        }
    }
    std::fs::write(pupil.home.path("notes/new.md"), "seeds spade compost again").unwrap();
    let scores = || -> [f64; 2] {
        let asked = "tag new.md --labels zork,quux --no-memory --format json";
        let asked: Vec<&str> = asked.split(' ').collect();
        let (shown, code) = pupil.home.run(&asked);
        assert_eq!(code, 0, "{shown}");
        let mut values = serde_json::Deserializer::from_str(&shown).into_iter::<Value>();
        let answer = values.next().unwrap().unwrap();
        let tags = answer[0]["tags"].as_array().unwrap();
        labels.map(|label| {
            let tag = tags.iter().find(|tag| tag["label"] == label);
            tag.map_or(0.0, |tag| tag["score"].as_f64().unwrap())
        })
    };
    let before = scores();
    let (shown, code) = pupil.home.run(&["train", "now"]);
    assert_eq!(code, 0, "{shown}");
    assert!(shown.starts_with("version 1 serves"), "{shown}");
    assert!(
        shown.contains("0 steps"),
        "the encoder has practised: {shown}"
    );
    let [zork, quux] = scores();
    assert!(
        zork > 0.5 && quux < 0.5,
        "{before:?} became {zork} and {quux}"
    );
    // A heads' version is small, and is a version like any other.
    let delta = pupil.home.path("data/versions/0001/delta.safetensors");
    assert!(delta.metadata().unwrap().len() < 4096);
    let (shown, code) = pupil.home.run(&["model", "rollback"]);
    assert_eq!(code, 0, "{shown}");
    assert_eq!(scores(), before);
}

#[test]
fn nothing_new_is_said_and_a_second_job_is_refused() {
    let pupil = Pupil::new("manual");
    pupil.begin();
    let (shown, code) = pupil.home.run(&["train", "now"]);
    assert_eq!(code, 0, "{shown}");
    assert!(
        shown.contains("`gliznet correct FILE --add LABEL`"),
        "{shown}"
    );
    assert_eq!(learning(&pupil)["last"], Value::Null, "nothing was begun");
    let (shown, code) = pupil.home.run(&["train", "now", "--wait"]);
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("there are no corrections"), "{shown}");
    assert_eq!(learning(&pupil)["last"]["outcome"], "nothing");
    let (shown, _) = pupil.home.run(&["train", "cancel"]);
    assert!(shown.contains("nothing is being learnt"), "{shown}");
    // Somebody else learns.
    let path = pupil.home.path("data/versions/job.lock");
    let lock = std::fs::File::open(path).unwrap();
    lock.lock().unwrap();
    let (shown, code) = pupil.home.run(&["train", "now", "--wait"]);
    assert_eq!(code, 1, "{shown}");
    assert!(shown.contains("the model learns already"), "{shown}");
    drop(lock);
}

#[test]
fn a_version_that_is_corrected_more_often_is_taken_back_by_itself() {
    let pupil = Pupil::new("auto");
    let shipped = pupil.model_name(0);
    let all: Vec<&str> = LABELS.to_vec();
    for i in 0..20 {
        pupil.note(&format!("old {i}"), &all, Some(&shipped));
    }
    assert_eq!(pupil.version(0.3, 20), 1);
    let mut editor = pupil.home.editor();
    editor.initialize(json!({}));
    let tagged = editor.request("gliznet/tag", json!({ "text": "Roses" }));
    let model = tagged.unwrap()["model"].take();
    assert!(model.as_str().unwrap().contains("+1@"), "{model}");
    for i in 0..8 {
        pupil.correct(&mut editor, &format!("new {i}"), &[], &LABELS);
        if learning(&pupil)["version"] == 0 {
            break;
        }
    }
    let warned = editor.notified("window/showMessage")["message"].take();
    let warned = warned.as_str().unwrap();
    assert!(warned.contains("version 1 was taken back"), "{warned}");
    assert!(
        warned.contains("0 of 60 under the version before"),
        "{warned}"
    );
    let now = learning(&pupil);
    assert_eq!(
        (&now["version"], &now["state"]),
        (&json!(0), &json!("idle"))
    );
    assert_eq!(now["last"]["outcome"], "taken-back");
    let (history, _) = pupil.home.run(&["model", "history"]);
    assert!(history.contains("by itself: version 1"), "{history}");
    // Whoever chooses it in spite of that keeps it.
    let (shown, code) = pupil.home.run(&["model", "rollback", "1"]);
    assert_eq!(code, 0, "{shown}");
    pupil.home.run(&["stop"]);
    pupil.begin();
    until("the history is read", || {
        learning(&pupil)["last"] != Value::Null
    });
    assert_eq!(learning(&pupil)["version"], 1);
    assert_eq!(editor.quit(), 0);
}

#[test]
fn a_version_that_was_deleted_by_hand_is_passed_over_and_that_is_said() {
    let pupil = Pupil::new("manual");
    let (first, second) = (pupil.version(0.1, 0), pupil.version(0.2, 0));
    pupil.begin();
    assert_eq!(learning(&pupil)["version"], second);
    std::fs::remove_dir_all(pupil.home.path("data/versions/0002")).unwrap();
    // It goes on serving as long as the daemon runs; the next one cannot load it.
    assert_eq!(learning(&pupil)["version"], second);
    pupil.home.run(&["stop"]);
    pupil.begin();
    let now = learning(&pupil);
    assert_eq!(now["version"], first);
    let fault = now["fault"].as_str().unwrap();
    assert!(
        fault.contains("version 2 of the model cannot be loaded"),
        "{fault}"
    );
    let (shown, code) = pupil.home.run(&["model", "rollback", "2"]);
    assert_eq!(code, 1);
    assert!(shown.contains("there is no version 2"), "{shown}");
    let (_, code) = pupil.home.run(&["model", "rollback", "1"]);
    assert_eq!(code, 0);
    assert_eq!(learning(&pupil)["fault"], Value::Null);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_and_changes_nothing() {
    let pupil = Pupil::new("manual");
    for i in 0..4 {
        pupil.note(&format!("note {i}"), &["garden"], None);
    }
    let script = "cp data/corrections.jsonl kept && mount -t tmpfs -o size=64k none data || exit 77
        cp kept data/corrections.jsonl
        mkdir data/versions; : > data/versions/job.lock; : > data/versions/lock
        head -c 100000 /dev/zero > data/fill 2> fill-said
        \"$0\" train now; code=$?
        cmp kept data/corrections.jsonl && ls -A data/versions; exit $code";
    let mut command = std::process::Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]);
    command.arg(env!("CARGO_BIN_EXE_gliznet"));
    let of_home = pupil.home.gliznet(&[]);
    for (name, value) in of_home.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    let ran = command.current_dir(pupil.home.path("")).output();
    let Ok(ran) = ran else {
        return anstream::eprintln!("skipped: no unshare here");
    };
    let err = String::from_utf8_lossy(&ran.stderr);
    if ran.status.code() == Some(77) || err.starts_with("unshare:") {
        return anstream::eprintln!("skipped: no file system of our own ({err})");
    }
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    assert!(err.contains("No space left on device"), "{ran:?}");
    assert!(err.contains("make room"), "{ran:?}");
    let left = String::from_utf8_lossy(&ran.stdout);
    assert_eq!(left, "job.lock\nlock\n", "{ran:?}");
}
