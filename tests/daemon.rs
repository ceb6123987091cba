//! The daemon's life, with the real program: found, started once, killed, stopped, idle.
//! Length: one sentence of a life after the other; what else may happen to it is in files of its own.

#![cfg(unix)]
#![cfg(test)]

#[path = "support/editor.rs"]
#[expect(dead_code, reason = "shared with tests/lsp.rs, each uses a part")]
mod editor;

mod daemon {
    mod ending;
    mod lost;
}

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::Stdio;

use editor::{Home, framed, read_message};
use serde_json::{Value, json};

const LABELS: [&str; 3] = ["garden", "tax", "travel"];

/// The socket of the only daemon of this home.
fn socket(home: &Home) -> PathBuf {
    let entries = std::fs::read_dir(home.path("run")).unwrap();
    let mut paths = entries.map(|entry| entry.unwrap().path());
    paths
        .find(|path| path.extension().is_some_and(|ext| ext == "sock"))
        .unwrap()
}

fn connect(home: &Home) -> UnixStream {
    let stream = UnixStream::connect(socket(home)).unwrap();
    let patience = Some(std::time::Duration::from_secs(60));
    stream.set_read_timeout(patience).unwrap();
    stream
}

#[test]
fn status_and_doctor_never_start_a_daemon() {
    let home = Home::new(&LABELS);
    let (shown, code) = home.run(&["status"]);
    assert!(shown.starts_with("no daemon runs"), "{shown}");
    assert_eq!(code, 1);
    assert_eq!(home.status(), Value::Null);
    let (shown, code) = home.run(&["doctor"]);
    assert_eq!(code, 0, "{shown}");
    assert!(
        shown.contains("no daemon runs; one would listen on"),
        "{shown}"
    );
    assert!(shown.contains("bert-isolated-proj"), "{shown}");
    let (shown, code) = home.run(&["stop"]);
    assert_eq!((shown.as_str(), code), ("no daemon runs\n", 0));
    assert_eq!(home.status(), Value::Null);
}

#[test]
fn who_chooses_another_model_is_told_that_the_daemon_keeps_its_own() {
    let home = Home::new(&LABELS);
    let choose = ["model", "use", "gliznet-minilm-l6"];
    let told = |shown: &str| shown.contains("`gliznet stop`, and the next start takes this one");
    let (shown, code) = home.run(&choose);
    assert!(code == 0 && !told(&shown), "{shown}");
    let mut editor = home.editor();
    editor.initialize(json!({}));
    let (shown, code) = home.run(&choose);
    assert!(code == 0 && told(&shown), "{shown}");
    assert_eq!(editor.quit(), 0);
}

#[test]
fn a_daemon_with_a_device_that_it_lacks_is_told_a_cure_that_it_has() {
    let home = Home::new(&LABELS);
    let other = if cfg!(feature = "metal") {
        "cuda"
    } else {
        "metal"
    };
    home.configure(&format!("device = '{other}'\n"));
    let mut editor = home.editor();
    editor.initialize(json!({}));
    let asked = json!({"text": "Roses.", "labels": ["garden"]});
    let refused = editor.request("gliznet/tag", asked).unwrap_err();
    let (told, _) = home.run(&["tag", "--labels", "a,b", "nowhere.md"]);
    for shown in [refused["message"].as_str().unwrap(), &told] {
        let fact = format!("gliznet.toml: `device` is `{other}`: this build has no ");
        assert!(shown.contains(&fact), "{shown}");
        assert!(shown.contains("or write `device = \"cpu\"`"), "{shown}");
        assert!(!shown.contains("--device"), "{shown}");
    }
    assert_eq!(editor.quit(), 0);
}

#[test]
fn doctor_names_the_problem_and_its_cure() {
    let home = Home::new(&LABELS);
    home.configure("model = 'no-such-model'\n");
    std::fs::write(home.path("data/corrections.jsonl"), "{\"v\":1").unwrap();
    let (shown, code) = home.run(&["doctor"]);
    assert_eq!(code, 1);
    assert!(
        shown.contains("problem") && shown.contains("no-such-model"),
        "{shown}"
    );
    assert!(shown.contains("its end (6 bytes) is torn"), "{shown}");
}

#[test]
fn doctor_reads_what_the_current_folder_and_the_watched_ones_say() {
    let home = Home::new(&LABELS);
    let (shown, code) = home.run(&["doctor"]);
    assert_eq!(code, 0, "{shown}");
    let config = home.path("config").display().to_string();
    assert!(shown.contains(&format!("settings in {config}")), "{shown}");
    let set = home.path("config/set.toml").display().to_string();
    assert!(
        shown.contains(&format!("label set {set} in this folder")),
        "{shown}"
    );

    let write = |name: &str, text: &str| std::fs::write(home.path(name), text).unwrap();
    write("notes/labels.toml", "[[label]]\nname = 7\n");
    write("notes/gliznet.toml", "labelset = 'labels.toml'\n");
    let (shown, code) = home.run(&["doctor"]);
    assert_eq!(code, 1, "{shown}");
    let is_told = |shown: &str, fact: &str| {
        let lines: Vec<&str> = shown.lines().collect();
        lines.iter().any(|line| line.contains(fact))
    };
    assert!(
        is_told(&shown, "labels.toml:2: `name` is a number"),
        "{shown}"
    );

    write("notes/gliznet.toml", "labelset = 'set'\nthreshold = 7\n");
    let (shown, code) = home.run(&["doctor"]);
    assert_eq!(code, 1, "{shown}");
    assert!(
        is_told(&shown, "gliznet.toml:2: `threshold`: 7 is not"),
        "{shown}"
    );
    std::fs::remove_file(home.path("notes/gliznet.toml")).unwrap();

    let notes = home.path("notes").display().to_string();
    let folder = format!("[[folder]]\npath = '{notes}'\n");
    write("config/watch.toml", &folder);
    let (shown, code) = home.run(&["doctor"]);
    assert_eq!(code, 0, "{shown}");
    assert!(is_told(&shown, "1 folder is watched"), "{shown}");
    write(
        "config/watch.toml",
        &format!("{folder}labelset = 'no-such-set'\n"),
    );
    let (shown, code) = home.run(&["doctor"]);
    assert_eq!(code, 1, "{shown}");
    let fact = format!("{notes}: no label set is called `no-such-set`");
    assert!(is_told(&shown, &fact), "{shown}");
    write("config/watch.toml", "[[folder]\n");
    let (shown, code) = home.run(&["doctor"]);
    assert_eq!(code, 1, "{shown}");
    assert!(is_told(&shown, "watch.toml:1: not TOML: "), "{shown}");
    assert_eq!(home.status(), Value::Null);
}

#[test]
fn many_editors_at_once_start_one_daemon() {
    let home = Home::new(&LABELS);
    let mut editors: Vec<_> = (0..6).map(|_| home.editor()).collect();
    let pids: Vec<Value> = editors
        .iter_mut()
        .map(|editor| {
            editor.initialize(json!({}));
            editor.request("gliznet/status", Value::Null).unwrap()["pid"].take()
        })
        .collect();
    assert!(pids.iter().all(|pid| *pid == pids[0]), "{pids:?}");
    assert_eq!(home.status()["clients"], 6);
    // One client's `shutdown` ends that client only.
    let last = editors.pop().unwrap();
    for editor in editors {
        assert_eq!(editor.quit(), 0);
    }
    let mut last = last;
    let status = last.request("gliznet/status", json!({})).unwrap();
    assert_eq!(status["pid"], pids[0]);
    assert_eq!(last.quit(), 0);
}

#[test]
fn a_second_daemon_says_that_there_is_one() {
    let home = Home::new(&LABELS);
    let mut editor = home.editor();
    editor.initialize(json!({}));
    let (shown, code) = home.run(&["daemon"]);
    assert_eq!(code, 1);
    assert!(
        shown.contains("a daemon of this build runs already"),
        "{shown}"
    );
    assert_eq!(home.run(&["daemon", "--on-demand"]).1, 0);
}

#[test]
fn a_killed_daemon_is_replaced_and_the_editor_does_not_notice() {
    let home = Home::new(&LABELS);
    let mut editor = home.editor();
    let utf8 = json!({ "general": { "positionEncodings": ["utf-8"] } });
    editor.initialize(utf8);
    let uri = home.uri("a.md");
    editor.open(&uri, "Roses für alle.\n");
    let place = json!({ "line": 0, "character": 0 });
    let range = json!({ "start": place, "end": { "line": 0, "character": 5 } });
    editor.change(&uri, 2, json!([{ "range": range, "text": "Tulips" }]));
    let tag = json!({ "textDocument": { "uri": uri }, "all": true });
    let before = editor.request("gliznet/tag", tag.clone()).unwrap();
    let pid = editor.request("gliznet/status", json!({})).unwrap()["pid"].take();
    home.kill(&pid);
    let after = editor.request("gliznet/tag", tag.clone()).unwrap();
    assert_eq!(after["version"], 2);
    assert_eq!(after["scores"], before["scores"]);
    let now = editor.request("gliznet/status", json!({})).unwrap()["pid"].take();
    assert_ne!(now, pid);
    // The columns are still bytes: `ü` is two of them.
    let range = json!({
        "start": { "line": 0, "character": 7 },
        "end": { "line": 0, "character": 11 },
    });
    editor.change(&uri, 3, json!([{ "range": range, "text": "für" }]));
    let third = editor.request("gliznet/tag", tag).unwrap();
    assert_eq!(third["version"], 3);
    let text = json!({ "text": "Tulips für alle.\n", "format": "markdown", "all": true });
    let same = editor.request("gliznet/tag", text).unwrap();
    assert_eq!(same["scores"], third["scores"]);
    assert_eq!(editor.quit(), 0);
}

#[test]
fn a_dead_socket_is_replaced() {
    let home = Home::new(&LABELS);
    let mut editor = home.editor();
    editor.initialize(json!({}));
    let pid = editor.request("gliznet/status", json!({})).unwrap()["pid"].take();
    drop(editor);
    home.kill(&pid);
    assert!(socket(&home).exists(), "a killed daemon leaves its socket");
    assert_eq!(home.status(), Value::Null);
    let mut editor = home.editor();
    editor.initialize(json!({}));
    assert_ne!(home.status()["pid"], pid);
    assert_eq!(editor.quit(), 0);
}

#[test]
fn a_daemon_that_ends_while_it_is_asked_how_it_is_does_not_run() {
    let home = Home::new(&LABELS);
    let mut editor = home.editor();
    editor.initialize(json!({}));
    let path = socket(&home);
    drop(editor);
    home.run(&["stop"]);
    // As a killed one does: the connection is taken, and then there is nobody.
    let listener = UnixListener::bind(&path).unwrap();
    let dying = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        drop(listener);
        drop(stream);
    });
    assert_eq!(home.status(), Value::Null);
    dying.join().unwrap();
}

#[test]
fn stop_ends_the_daemon_and_an_idle_editor_does_not_start_it_again() {
    let home = Home::new(&LABELS);
    let mut editor = home.editor();
    editor.initialize(json!({}));
    editor.request("gliznet/status", json!({})).unwrap();
    let (shown, code) = home.run(&["stop"]);
    assert!(shown.starts_with("stopped the daemon"), "{shown}");
    assert_eq!(code, 0);
    assert_eq!(home.status(), Value::Null);
    // The editor's next question does.
    editor.request("gliznet/status", json!({})).unwrap();
    assert_ne!(home.status(), Value::Null);
    assert_eq!(editor.quit(), 0);
}

#[test]
fn an_editor_that_leaves_starts_no_daemon_to_say_so() {
    let home = Home::new(&LABELS);
    let mut editor = home.editor();
    editor.initialize(json!({}));
    editor.request("gliznet/status", json!({})).unwrap();
    assert_eq!(home.run(&["stop"]).1, 0);
    assert_eq!(editor.quit(), 0);
    assert_eq!(home.status(), Value::Null);
}

#[test]
fn without_clients_it_ends_after_the_idle_time() {
    let home = Home::new(&LABELS);
    let mut daemon = home
        .gliznet(&["daemon", "--idle", "1", "--log-format", "json"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = String::new();
    daemon
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut log)
        .unwrap();
    assert!(daemon.wait().unwrap().success());
    let messages: Vec<String> = log
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            line["message"].as_str().unwrap().to_owned()
        })
        .collect();
    assert!(
        messages.contains(&"nobody is here; good night".to_owned()),
        "{messages:?}"
    );
}

#[test]
fn a_folder_with_a_very_long_path_works_too() {
    let home = Home::new(&LABELS);
    let deep = home.dir.path().join("x".repeat(120));
    let mut lsp = home.gliznet(&["status", "--json"]);
    let output = lsp.env("GLIZNET_RUNTIME_DIR", &deep).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "null\n");
}

#[test]
fn bad_clients_disturb_nobody_else() {
    let home = Home::new(&LABELS);
    let mut editor = home.editor();
    editor.initialize(json!({}));
    let refused = |bytes: &[u8]| {
        let mut stream = connect(&home);
        stream.write_all(bytes).unwrap();
        let message = read_message(&mut stream);
        // Where frames cannot be told apart any more, the connection ends.
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        message.map(|message| message["error"]["code"].clone())
    };
    let parse_error = Some(json!(-32700));
    assert_eq!(refused(b"\x16\x03\x01\x02\x00\x01"), parse_error);
    assert_eq!(refused(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), parse_error);
    assert_eq!(refused(b"Content-Length: 1073741824\r\n\r\n{"), parse_error);
    // Half a message, and gone.
    let mut half = connect(&home);
    half.write_all(b"Content-Length: 100\r\n\r\n{\"jsonrpc\"")
        .unwrap();
    drop(half);
    // One that never reads what it asks for.
    let mut deaf = connect(&home);
    deaf.set_nonblocking(true).unwrap();
    let params = json!({ "capabilities": {} });
    let hello = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params });
    deaf.write_all(&framed(&hello)).unwrap();
    let question = framed(&json!({ "jsonrpc": "2.0", "id": 2, "method": "gliznet/labelsets" }));
    let mut asked = 0;
    while asked < 20_000 && deaf.write_all(&question).is_ok() {
        asked += 1;
    }
    assert!(
        asked < 20_000,
        "the daemon hoards the questions of a client that does not read"
    );
    let status = editor.request("gliznet/status", json!({})).unwrap();
    let memory = status["memory"].as_u64().unwrap();
    assert!(memory < 600 << 20, "{memory} bytes");
    drop(deaf);
    assert_eq!(editor.quit(), 0);
}

#[test]
fn mistakes_within_a_frame_are_answered_and_the_connection_goes_on() {
    let home = Home::new(&LABELS);
    let mut editor = home.editor();
    editor.initialize(json!({}));
    let mut stream = connect(&home);
    let mut say = |bytes: &[u8]| {
        stream.write_all(bytes).unwrap();
        read_message(&mut stream).unwrap()
    };
    let body = |body: &str| format!("Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes();
    let code = |message: Value| (message["id"].clone(), message["error"]["code"].clone());
    let null = Value::Null;
    assert_eq!(
        code(say(&body("{ nonsense"))),
        (null.clone(), json!(-32700))
    );
    assert_eq!(code(say(&body("[1,2]"))), (null, json!(-32600)));
    let wrong = r#"{"jsonrpc":"1.0","id":4,"method":"initialize","params":{}}"#;
    assert_eq!(code(say(&body(wrong))), (json!(4), json!(-32600)));
    let early = json!({ "jsonrpc": "2.0", "id": 5, "method": "gliznet/status" });
    assert_eq!(code(say(&framed(&early))), (json!(5), json!(-32002)));
    let hello = json!({ "jsonrpc": "2.0", "id": 6, "method": "initialize", "params": { "capabilities": {} } });
    assert!(say(&framed(&hello))["result"].is_object());
    assert_eq!(code(say(&framed(&hello))), (json!(6), json!(-32600)));
    let unknown = json!({ "jsonrpc": "2.0", "id": 7, "method": "no/such" });
    assert_eq!(code(say(&framed(&unknown))), (json!(7), json!(-32601)));
    let reserved = json!({ "jsonrpc": "2.0", "id": 10, "method": "$/no/such" });
    assert_eq!(code(say(&framed(&reserved))), (json!(10), json!(-32601)));
    let half = r#"{"jsonrpc":"2.0","id":11,"method":"no/such","params":["\ud83c"]}"#;
    assert_eq!(code(say(&body(half))), (json!(11), json!(-32601)));
    let bye = json!({ "jsonrpc": "2.0", "id": 8, "method": "shutdown" });
    assert_eq!(say(&framed(&bye))["id"], 8);
    let late = json!({ "jsonrpc": "2.0", "id": 9, "method": "gliznet/status" });
    assert_eq!(code(say(&framed(&late))), (json!(9), json!(-32600)));
    assert_eq!(editor.quit(), 0);
}
