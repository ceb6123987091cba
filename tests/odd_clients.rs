//! Clients that do what no client should, and strangers at the door: an error to them at most, and
//! nobody else notices. `tests/daemon.rs` has garbage and broken frames.

#![cfg(test)]
#![cfg(unix)]

#[path = "support/editor.rs"]
#[expect(dead_code, reason = "shared with tests/lsp.rs, each uses a part")]
mod editor;

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use editor::{Editor, Home, framed, read_message};
use serde_json::{Value, json};

const LABELS: [&str; 3] = ["garden", "tax", "travel"];
/// `nobody`, on every system that has users.
const STRANGER: u32 = 65_534;
/// Says hello to a socket, and what comes of it. Perl, because it is there wherever there is a shell.
const KNOCK: &str = r#"
    socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die $!;
    connect($s, sockaddr_un($ARGV[0])) or do { print "kept out: ", $! + 0; exit };
    $SIG{PIPE} = "IGNORE";
    my $hello = '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{}}}';
    syswrite($s, "Content-Length: " . length($hello) . "\r\n\r\n$hello");
    my $n = sysread($s, my $answer, 4096);
    print $n ? "answered" : "turned away";
"#;

fn session(home: &Home) -> Editor {
    let mut editor = home.editor();
    editor.initialize(json!({}));
    editor
}

fn knock_as(user: u32, socket: &Path) -> String {
    let knocked = Command::new("perl")
        .args(["-MSocket", "-e", KNOCK])
        .arg(socket)
        .current_dir("/")
        .uid(user)
        .gid(user)
        .output()
        .unwrap();
    String::from_utf8_lossy(&knocked.stdout).into_owned()
        + &String::from_utf8_lossy(&knocked.stderr)
}

#[test]
fn another_user_is_kept_out_by_the_folder_and_turned_away_at_the_socket() {
    let home = Home::new(&LABELS);
    let user = home.dir.path().metadata().unwrap().uid();
    if user != 0 || Command::new("perl").arg("-v").output().is_err() {
        anstream::eprintln!("skipped: only the administrator, with perl, can be another user");
        return;
    }
    let mut editor = session(&home);
    let entries = std::fs::read_dir(home.path("run")).unwrap();
    let mut paths = entries.map(|entry| entry.unwrap().path());
    let socket = paths.find(|path| path.extension().is_some_and(|ext| ext == "sock"));
    let socket = socket.unwrap();
    assert_eq!(
        knock_as(user, &socket),
        "answered",
        "the user's own process"
    );
    // Nothing above the folder keeps anybody out, as in /run and /tmp.
    let open = Permissions::from_mode(0o755);
    std::fs::set_permissions(home.dir.path(), open.clone()).unwrap();
    std::fs::set_permissions(&socket, Permissions::from_mode(0o777)).unwrap();
    assert_eq!(knock_as(STRANGER, &socket), "kept out: 13");
    // Where somebody opens the folder, the socket itself looks who comes.
    std::fs::set_permissions(home.path("run"), open).unwrap();
    for _ in 0..3 {
        assert_eq!(knock_as(STRANGER, &socket), "turned away");
    }
    assert_eq!(knock_as(user, &socket), "answered");
    let log = std::fs::read_to_string(socket.with_extension("log")).unwrap();
    assert!(log.contains("another user tried to connect"), "{log}");
    editor.request("gliznet/status", json!({})).unwrap();
    assert_eq!(home.status()["clients"], 1);
    assert_eq!(editor.quit(), 0);
}

#[test]
fn a_client_that_answers_nothing_is_served_all_the_same() {
    let home = Home::new(&LABELS);
    let mut editor = home.editor();
    editor.initialize(json!({
        "workspace": { "applyEdit": true, "configuration": true, "codeLens": { "refreshSupport": true } },
        "window": { "workDoneProgress": true },
    }));
    let uri = home.uri("note.md");
    editor.open(&uri, "Roses.\n");
    editor.notified("gliznet/tagsChanged");
    // Each of these waits for an answer of the client that never comes.
    let mut waiting = Vec::new();
    for _ in 0..20 {
        let argument = json!({ "uri": uri, "labels": ["garden"] });
        let params = json!({ "command": "gliznet.accept", "arguments": [argument] });
        waiting.push(editor.ask("workspace/executeCommand", params));
        let params = json!({ "command": "gliznet.review", "arguments": [{ "uri": uri }] });
        waiting.push(editor.ask("workspace/executeCommand", params));
    }
    for _ in 0..20 {
        editor.asked("workspace/applyEdit");
        editor.asked("window/showMessageRequest");
    }
    for version in 2..402 {
        let end = json!({ "line": 0, "character": 0 });
        let edit = json!([{ "range": { "start": end, "end": end }, "text": "x" }]);
        editor.change(&uri, version, edit);
    }
    let params = json!({ "textDocument": { "uri": uri } });
    let tagged = editor.request("gliznet/tag", params).unwrap();
    assert_eq!(tagged["version"], 401);
    assert_eq!(editor.quit(), 0);
}

#[test]
fn places_that_are_nowhere_are_answered() {
    let home = Home::new(&LABELS);
    let mut editor = session(&home);
    let uri = home.uri("note.md");
    editor.open(&uri, "---\ntags: [garden]\n---\nRoses. 🌱\n");
    editor.notified("gliznet/tagsChanged");
    let document = json!({ "uri": uri });
    let place = |line: u32, character: u32| json!({ "line": line, "character": character });
    let nowhere = [
        (0, u32::MAX),
        (u32::MAX, 0),
        (u32::MAX, u32::MAX),
        (1, 5_000),
        (3, 8), // Between the halves of the seedling.
    ];
    for (line, character) in nowhere {
        let at = json!({ "textDocument": document, "position": place(line, character) });
        for method in [
            "hover",
            "completion",
            "references",
            "documentHighlight",
            "prepareRename",
        ] {
            let mut params = at.clone();
            params["context"] = json!({ "includeDeclaration": true, "triggerKind": 1 });
            let method = format!("textDocument/{method}");
            editor.request(&method, params).unwrap();
        }
        let range = json!({ "start": place(line, character), "end": place(0, 0) });
        let params = json!({
            "textDocument": document, "range": range, "context": { "diagnostics": [] },
        });
        editor
            .request("textDocument/codeAction", params.clone())
            .unwrap();
        editor.request("textDocument/inlayHint", params).unwrap();
    }
    assert_eq!(editor.quit(), 0);
}

#[test]
fn a_stale_edit_is_left_out_and_the_next_one_holds() {
    let home = Home::new(&LABELS);
    let mut editor = session(&home);
    let uri = home.uri("note.md");
    editor.open(&uri, "Roses.\n");
    editor.replace(&uri, 7, "Tulips.\n");
    editor.replace(&uri, 6, "What was typed before.\n");
    editor.replace(&uri, -1, "Nonsense.\n");
    let params = json!({ "textDocument": { "uri": uri }, "all": true });
    let found = editor.request("gliznet/tag", params.clone()).unwrap();
    assert_eq!(found["version"], 7);
    let text = json!({ "text": "Tulips.\n", "format": "markdown", "all": true });
    let same = editor.request("gliznet/tag", text).unwrap();
    assert_eq!(same["scores"], found["scores"]);
    editor.replace(&uri, 8, "Lilies.\n");
    assert_eq!(editor.request("gliznet/tag", params).unwrap()["version"], 8);
    assert_eq!(editor.quit(), 0);
}

#[test]
fn a_document_that_is_no_file_is_a_document() {
    let home = Home::new(&LABELS);
    let mut editor = session(&home);
    for uri in [
        "untitled:Untitled-1",
        "untitled:Ein%20Zettel.md",
        "git:/notes/a.md?%7B%22ref%22%3A%22HEAD%22%7D",
        "vscode-notebook-cell:/notes/a.ipynb#ch0000",
        "http://127.0.0.1/a.md",
        "file://server/share/a.md",
    ] {
        editor.open(uri, "---\ntags: [gardn]\n---\nRoses.\n");
        let params = json!({ "textDocument": { "uri": uri } });
        let tagged = editor.request("gliznet/tag", params.clone()).unwrap();
        assert_eq!(tagged["tags"].as_array().unwrap().len(), 3, "{uri}");
        editor
            .request("textDocument/codeLens", params.clone())
            .unwrap();
        let verdict = json!({ "textDocument": { "uri": uri }, "rejected": ["tax"] });
        editor.request("gliznet/correct", verdict).unwrap();
        let tagged = editor.request("gliznet/tag", params.clone()).unwrap();
        assert_eq!(tagged["tags"].as_array().unwrap().len(), 2, "{uri}");
        editor.notify("textDocument/didClose", params);
    }
    assert_eq!(editor.quit(), 0);
}

#[test]
fn a_name_that_is_no_uri_by_the_letter_stays_as_the_client_spells_it() {
    let home = Home::new(&LABELS);
    let mut editor = home.editor();
    editor.initialize(json!({ "workspace": { "applyEdit": true } }));
    let uri = home.uri("a [1]|^.md");
    editor.open(&uri, "---\ntags: [gardn]\n---\nRoses.\n");
    for method in ["textDocument/publishDiagnostics", "gliznet/tagsChanged"] {
        assert_eq!(editor.notified(method)["uri"], uri, "{method}");
    }
    let document = json!({ "textDocument": { "uri": uri } });
    let lenses = editor.request("textDocument/codeLens", document).unwrap();
    let command = &lenses[0]["command"];
    assert_eq!(command["arguments"][0]["uri"], uri);
    let accepted = editor.ask("workspace/executeCommand", command.clone());
    let (id, asked) = editor.asked("workspace/applyEdit");
    assert!(asked["edit"]["changes"][&uri].is_array(), "{asked}");
    editor.reply(&id, json!({ "applied": true }));
    assert_eq!(editor.answer(accepted).unwrap()["applied"], true);
    assert_eq!(editor.quit(), 0);
}

#[test]
fn a_client_that_vanishes_takes_its_questions_along() {
    let home = Home::new(&LABELS);
    let mut other = session(&home);
    let mut gone = session(&home);
    for i in 0..20 {
        gone.open(&home.uri(&format!("{i}.md")), "Roses.\n");
    }
    for i in 0..200 {
        let text = format!("Note {i}. {}", "Roses need pruning in March. ".repeat(40));
        gone.ask("gliznet/tag", json!({ "text": text }));
    }
    let params = json!({ "text": "The last word.", "accepted": ["garden"] });
    gone.request("gliznet/correct", params).unwrap();
    gone.vanish();
    other
        .request("gliznet/tag", json!({ "text": "Tulips." }))
        .unwrap();
    // It is noticed a moment later; asking takes longer than that.
    let is_gone = |status: Value| (&status["clients"], &status["queue"]) == (&json!(1), &json!(0));
    let noticed = (0..200).any(|_| is_gone(other.request("gliznet/status", json!({})).unwrap()));
    assert!(noticed, "{}", home.status());
    assert_eq!(home.status()["journal"]["corrections"], 1);
    assert_eq!(other.quit(), 0);
}

#[test]
fn a_client_that_says_exit_without_shutdown_is_told_by_the_exit_code() {
    let home = Home::new(&LABELS);
    let mut other = session(&home);
    let mut rude = session(&home);
    rude.send(&json!({ "jsonrpc": "2.0", "method": "exit" }));
    assert_eq!(rude.vanish(), 1);
    let mut early = home.editor();
    early.send(&json!({ "jsonrpc": "2.0", "method": "exit" }));
    assert_eq!(early.vanish(), 1);
    other.request("gliznet/status", json!({})).unwrap();
    assert_eq!(other.quit(), 0);
}

#[test]
fn a_server_ends_with_its_editor_although_something_keeps_its_input_open() {
    let home = Home::new(&LABELS);
    let mut process = Command::new("sleep").arg("600").spawn().unwrap();
    let hello = |process: u32| json!({ "processId": process, "capabilities": {} });
    let mut orphan = home.editor();
    orphan.request("initialize", hello(process.id())).unwrap();
    process.kill().unwrap();
    process.wait().unwrap();
    assert_eq!(orphan.ended(), 1);
    // A number that never was one here, as of an editor outside a container.
    let mut outside = home.editor();
    outside.request("initialize", hello(process.id())).unwrap();
    outside.request("gliznet/status", json!({})).unwrap();
    assert_eq!(outside.quit(), 0);
}

#[test]
fn a_daemon_that_is_asked_to_stop_answers_first_and_what_is_left_is_asked_again() {
    let home = Home::new(&LABELS);
    let mut editor = session(&home);
    let socket = std::fs::read_dir(home.path("run")).unwrap();
    let mut paths = socket.map(|entry| entry.unwrap().path());
    let socket = paths.find(|path| path.extension().is_some_and(|ext| ext == "sock"));
    // Without `gliznet lsp`, which would ask the next daemon.
    let mut stream = UnixStream::connect(socket.unwrap()).unwrap();
    let mut say = |id: u32, method: &str, params: Value| {
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        stream.write_all(&framed(&message)).unwrap();
    };
    say(1, "initialize", json!({ "capabilities": {} }));
    say(2, "gliznet/tag", json!({ "text": "Roses." }));
    let verdict = json!({ "text": "Tulips.", "accepted": ["tax"] });
    say(3, "gliznet/correct", verdict);
    let asked: Vec<u64> = (0..20)
        .map(|i| {
            let text = format!("Note {i}. {}", "Roses need pruning in March. ".repeat(40));
            editor.ask("gliznet/tag", json!({ "text": text }))
        })
        .collect();
    say(4, "gliznet/stop", Value::Null);
    let mut answered = std::collections::BTreeMap::new();
    while let Some(message) = read_message(&mut stream) {
        if message.get("method").is_none() {
            let id = message["id"].as_u64().unwrap();
            answered.insert(id, message.get("error").cloned());
        }
    }
    let whole: Vec<(u64, Option<Value>)> = (1..5).map(|id| (id, None)).collect();
    assert_eq!(answered.into_iter().collect::<Vec<_>>(), whole);
    for id in asked {
        editor.answer(id).unwrap();
    }
    let status = editor.request("gliznet/status", json!({})).unwrap();
    assert_eq!(status["journal"]["corrections"], 1);
    assert_eq!(editor.quit(), 0);
}

#[test]
fn settings_of_every_odd_kind_are_read_shown_and_completed() {
    let home = Home::new(&LABELS);
    let mut editor = session(&home);
    let heads = [
        "tags:",
        "tags: ~",
        "tags: 2024",
        "tags: 1.5e3",
        "tags: yes",
        "tags:\n  -\n  - \n  - garden",
        "tags: [garden, , 7, null, 'a''b', \"c\\\"d\"]",
        "tags: {a: b}",
        "tags: [[garden]]",
        "tags: &x [garden]\nother: *x",
        "tags: |\n  garden\n  tax",
        "tags: [garden",
        "tags: \"[[garden]]\"",
        "\ttags: garden",
        "tags: garden\ntags: tax",
        "? tags\n: [garden]",
    ];
    for (i, head) in heads.iter().enumerate() {
        let uri = home.uri(&format!("{i}.md"));
        let text = format!("---\n{head}\n---\nRoses.\n");
        editor.open(&uri, &text);
        let document = json!({ "uri": uri });
        let ask = |editor: &mut Editor, method: &str, params: Value| {
            let answered = editor.request(method, params);
            answered.unwrap_or_else(|error| panic!("{head}: {method}: {error}"));
        };
        for (line, row) in text.lines().enumerate() {
            for character in [0, row.len() / 2, row.len()] {
                let place = json!({ "line": line, "character": character });
                let at = json!({ "textDocument": document, "position": place });
                ask(&mut editor, "textDocument/completion", at.clone());
                ask(&mut editor, "textDocument/hover", at);
            }
        }
        let params = json!({ "textDocument": document });
        ask(&mut editor, "textDocument/codeLens", params.clone());
        ask(&mut editor, "gliznet/tag", params);
    }
    ask_symbols(&mut editor);
    assert_eq!(editor.quit(), 0);
}

fn ask_symbols(editor: &mut Editor) {
    let found = editor
        .request("workspace/symbol", json!({ "query": "" }))
        .unwrap();
    let found = found.as_array().unwrap();
    assert!(
        found.iter().any(|symbol| symbol["name"] == "garden"),
        "{found:?}"
    );
}
