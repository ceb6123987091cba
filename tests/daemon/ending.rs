//! The end of a daemon: by `gliznet stop` where something stands in its way, and by settings that are
//! mended.

use std::io::Write;
use std::os::unix::net::UnixListener;

use serde_json::{Value, json};

use crate::editor::{Home, framed, read_message};
use crate::{LABELS, connect, socket};

#[test]
fn a_client_that_does_not_read_keeps_no_daemon_from_ending() {
    let home = Home::new(&LABELS);
    let mut editor = home.editor();
    editor.initialize(json!({}));
    let mut deaf = connect(&home);
    let params = json!({ "capabilities": {} });
    let hello = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params });
    deaf.write_all(&framed(&hello)).unwrap();
    read_message(&mut deaf).unwrap();
    deaf.set_nonblocking(true).unwrap();
    // Refused at once, so that the daemon waits for the client to read the refusals.
    let question = framed(&json!({ "jsonrpc": "2.0", "id": 2, "method": "$/no/such" }));
    while deaf.write_all(&question).is_ok() {}
    let (shown, code) = home.run(&["stop"]);
    assert!(shown.starts_with("stopped the daemon"), "{shown}");
    assert_eq!(code, 0);
    assert_eq!(home.status(), Value::Null);
    drop(deaf);
    assert_eq!(editor.quit(), 0);
}

#[test]
fn a_daemon_that_hangs_keeps_no_other_from_being_stopped() {
    let home = Home::new(&LABELS);
    let mut editor = home.editor();
    editor.initialize(json!({}));
    let pid = editor.request("gliznet/status", json!({})).unwrap()["pid"].take();
    // An older one, asked first, which takes the question and says nothing.
    let older = socket(&home).with_file_name("000000000aaaaaaaa.sock");
    let _hangs = UnixListener::bind(&older).unwrap();
    let (shown, code) = home.run(&["stop"]);
    let stopped = format!("stopped the daemon (process {pid})\n");
    assert!(shown.starts_with(&stopped), "{shown}");
    assert!(shown.contains("000000000aaaaaaaa.sock"), "{shown}");
    assert_eq!(code, 1);
    assert_eq!(home.status(), Value::Null);
}

#[test]
fn an_idle_editor_has_the_next_daemon_when_the_settings_are_mended() {
    let home = Home::new(&LABELS);
    let right = std::fs::read_to_string(home.path("config/gliznet.toml")).unwrap();
    home.configure(&format!("{right}thresold = 0.4\n"));
    let mut editor = home.editor();
    editor.initialize(json!({}));
    editor.open(&home.uri("a.md"), "Roses.\n");
    editor.notified("window/showMessage");
    home.configure(&right);
    // Without another word of the editor.
    let told = editor.notified("gliznet/tagsChanged");
    assert_eq!(told["tags"].as_array().unwrap().len(), 3);
    assert_eq!(editor.quit(), 0);
}
