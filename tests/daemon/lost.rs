//! A daemon that is not where it is looked for: its socket removed, another runtime folder, another
//! build.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::editor::{Editor, Home};
use crate::{LABELS, socket};

/// An editor that has said hello, and the process of its daemon.
fn hello(mut editor: Editor) -> (Editor, Value) {
    editor.initialize(json!({}));
    let pid = process(&mut editor);
    (editor, pid)
}

fn process(editor: &mut Editor) -> Value {
    editor.request("gliznet/status", json!({})).unwrap()["pid"].take()
}

/// The same program, as if it had been built long ago.
fn older(home: &Home) -> PathBuf {
    let path = home.path("older-gliznet");
    std::fs::copy(env!("CARGO_BIN_EXE_gliznet"), &path).unwrap();
    let written = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(written).unwrap();
    path
}

#[test]
fn a_daemon_whose_socket_was_removed_is_met_again() {
    let home = Home::new(&LABELS);
    let (first, pid) = hello(home.editor());
    std::fs::remove_file(socket(&home)).unwrap();
    let (second, same) = hello(home.editor());
    assert_eq!(same, pid);
    assert_eq!((first.quit(), second.quit()), (0, 0));
}

#[test]
fn nobody_is_locked_out_where_the_whole_folder_was_removed() {
    let home = Home::new(&LABELS);
    let (mut first, _) = hello(home.editor());
    std::fs::remove_dir_all(home.path("run")).unwrap();
    let (second, pid) = hello(home.editor());
    assert_eq!(process(&mut first), pid, "both have the same");
    assert_eq!((first.quit(), second.quit()), (0, 0));
}

#[cfg(target_os = "linux")]
#[test]
fn a_daemon_that_no_socket_leads_to_is_named_and_ended() {
    let home = Home::new(&LABELS);
    let elsewhere = home.path("elsewhere");
    let mut start = home.gliznet(&["watch", "list"]);
    start.env("GLIZNET_RUNTIME_DIR", &elsewhere);
    assert!(start.output().unwrap().status.success());
    for command in ["status", "doctor"] {
        let (shown, code) = home.run(&[command]);
        assert!(shown.contains("cannot be reached"), "{shown}");
        assert!(shown.contains("gliznet stop") && code == 1, "{shown}");
    }
    let (shown, code) = home.run(&["stop"]);
    assert!(shown.starts_with("stopped the daemon"), "{shown}");
    assert_eq!(code, 0);
    assert_eq!(home.run(&["stop"]).0, "no daemon runs\n");
}

#[test]
fn an_older_daemon_is_asked_to_end_and_its_editor_joins_the_newer_one() {
    let home = Home::new(&LABELS);
    let older = older(&home);
    let start = |args: &[&str]| home.gliznet_at(&older, args);
    let (mut first, old) = hello(Editor::start(start(&["lsp"])));
    let (shown, code) = home.run(&["status"]);
    assert!(shown.starts_with("a daemon of an older build"), "{shown}");
    assert_eq!(code, 1);
    let (second, new) = hello(home.editor());
    assert_ne!(new, old);
    assert_eq!(process(&mut first), new);
    let (third, same) = hello(Editor::start(start(&["lsp"])));
    assert_eq!(same, new, "an older program begins none of its own");
    assert_eq!((first.quit(), second.quit(), third.quit()), (0, 0, 0));
    let stopped = start(&["stop"]).output().unwrap();
    let shown = String::from_utf8(stopped.stdout).unwrap();
    assert_eq!(shown, format!("stopped the daemon (process {new})\n"));
    assert_eq!(home.status(), Value::Null);
}

#[test]
fn a_wrong_key_in_the_users_settings_is_told_in_the_editor_until_it_is_mended() {
    let home = Home::new(&LABELS);
    let right = std::fs::read_to_string(home.path("config/gliznet.toml")).unwrap();
    home.configure(&format!("{right}thresold = 0.4\n"));
    let (mut editor, _) = hello(home.editor());
    let uri = home.uri("a.md");
    editor.open(&uri, "Roses.\n");
    let shown = editor.notified("window/showMessage")["message"].take();
    assert!(shown.as_str().unwrap().contains("thresold"), "{shown}");
    home.configure(&right);
    let asked = json!({ "textDocument": { "uri": uri } });
    let begun = std::time::Instant::now();
    while let Err(error) = editor.request("gliznet/tag", asked.clone()) {
        assert!(begun.elapsed().as_secs() < 60, "{error}");
    }
    assert_eq!(editor.quit(), 0);
}
