//! Tags across a workspace, with the real program and a scripted client: symbols, references,
//! renaming, progress and cancelling.

#![cfg(test)]
#![cfg(unix)]

#[path = "support/editor.rs"]
#[expect(dead_code, reason = "shared with tests/lsp.rs, each uses a part")]
mod editor;

use editor::{Editor, Home};
use serde_json::{Value, json};

/// A home with these notes, and an editor that has the folder open.
fn workspace(notes: &[(&str, &str)], capabilities: Value) -> (Home, Editor) {
    let home = Home::new(&["garden", "tax"]);
    for (name, text) in notes {
        std::fs::write(home.path("notes").join(name), text).unwrap();
    }
    let mut editor = home.editor();
    let root = home.uri("");
    let params = json!({
        "processId": null,
        "rootUri": null,
        "workspaceFolders": [{ "uri": root.trim_end_matches('/'), "name": "notes" }],
        "capabilities": capabilities,
    });
    editor.request("initialize", params).unwrap();
    editor.notify("initialized", json!({}));
    (home, editor)
}

fn at(uri: &str, line: u32, character: u32) -> Value {
    json!({ "textDocument": { "uri": uri }, "position": { "line": line, "character": character } })
}

fn with(mut params: Value, key: &str, value: Value) -> Value {
    params[key] = value;
    params
}

/// `file:line:from-to` of each place.
fn places(home: &Home, locations: &Value) -> Vec<String> {
    let locations = locations.as_array().unwrap().iter();
    locations
        .map(|location| {
            let uri = location["uri"].as_str().unwrap().replace(&home.uri(""), "");
            let (start, end) = (&location["range"]["start"], &location["range"]["end"]);
            assert_eq!(start["line"], end["line"]);
            format!(
                "{uri}:{}:{}-{}",
                start["line"], start["character"], end["character"]
            )
        })
        .collect()
}

fn annotated() -> Value {
    json!({ "workspace": { "workspaceEdit": {
        "documentChanges": true, "changeAnnotationSupport": {},
    } } })
}

const NOTES: [(&str, &str); 4] = [
    ("a.md", "---\ntags: [Garden, tax]\n---\nText\n"),
    ("b.md", "---\ntags: é, garden/roses\n---\n🌱 #garden here\n"),
    ("c.org", "#+FILETAGS: :tax:garden:\n"),
    ("d.md", "No tags.\n"),
];

#[test]
fn symbols_are_the_tags_of_files_and_of_open_documents_as_they_are_now() {
    let (home, mut editor) = workspace(&NOTES, json!({}));
    let open = home.uri("a.md");
    editor.open(&open, "---\ntags: [new-one]\n---\n");
    let mut symbols = |query: &str| -> Vec<String> {
        let answer = editor
            .request("workspace/symbol", json!({ "query": query }))
            .unwrap();
        let place = |symbol: &Value| places(&home, &json!([symbol["location"]])).remove(0);
        let symbols = answer.as_array().unwrap().iter();
        symbols
            .map(|s| {
                let name = s["name"].as_str().unwrap();
                format!(
                    "{name} ({}) {}",
                    s["containerName"].as_str().unwrap(),
                    place(s)
                )
            })
            .collect()
    };
    assert_eq!(
        symbols("gar"),
        [
            "garden (2 documents) b.md:3:4-10",
            "garden/roses (1 document) b.md:1:9-21",
        ]
    );
    assert_eq!(symbols("new"), ["new-one (1 document) a.md:1:7-14"]);
    assert_eq!(symbols("").len(), 5);
    assert_eq!(symbols("zzz"), [""; 0]);
    assert_eq!(editor.quit(), 0);
}

#[test]
fn references_are_all_places_in_the_agreed_encoding() {
    let (home, mut editor) = workspace(&NOTES, json!({}));
    let open = home.uri("b.md");
    editor.open(&open, "---\ntags: garden\n---\n🌱 #garden\n");
    for (line, column) in [(1, 6), (1, 12), (3, 3), (3, 10)] {
        let params = with(
            at(&open, line, column),
            "context",
            json!({ "includeDeclaration": true }),
        );
        let found = editor.request("textDocument/references", params).unwrap();
        assert_eq!(
            places(&home, &found),
            ["b.md:1:6-12", "b.md:3:4-10", "a.md:1:7-13", "c.org:0:17-23"]
        );
    }
    let marks = editor
        .request("textDocument/documentHighlight", at(&open, 1, 8))
        .unwrap();
    assert_eq!(marks.as_array().unwrap().len(), 2);
    let params = with(
        at(&open, 0, 0),
        "context",
        json!({ "includeDeclaration": true }),
    );
    assert_eq!(
        editor.request("textDocument/references", params),
        Ok(Value::Null)
    );
    // Folders come and go.
    let folder = json!({ "uri": home.uri("").trim_end_matches('/'), "name": "notes" });
    let event = json!({ "event": { "added": [], "removed": [folder] } });
    editor.notify("workspace/didChangeWorkspaceFolders", event);
    let params = with(
        at(&open, 1, 8),
        "context",
        json!({ "includeDeclaration": true }),
    );
    let found = editor.request("textDocument/references", params).unwrap();
    assert_eq!(found.as_array().unwrap().len(), 2);
    assert_eq!(editor.quit(), 0);
}

#[test]
fn a_tag_is_renamed_in_open_documents_by_version_and_in_all_files_at_once() {
    let (home, mut editor) = workspace(&NOTES, annotated());
    let open = home.uri("a.md");
    editor.open(&open, "---\ntags: [\"garden\", beds]\n---\n");
    editor.change(
        &open,
        7,
        json!([{ "text": "---\ntags: [\"garden\", tax, beds]\n---\n" }]),
    );
    let prepared = editor
        .request("textDocument/prepareRename", at(&open, 1, 9))
        .unwrap();
    assert_eq!(prepared["placeholder"], "garden");
    assert_eq!(
        prepared["range"]["start"],
        json!({ "line": 1, "character": 8 })
    );
    assert_eq!(
        editor.request("textDocument/prepareRename", at(&open, 1, 2)),
        Ok(Value::Null)
    );
    let params = with(at(&open, 1, 9), "newName", json!("beds"));
    let edit = editor.request("textDocument/rename", params).unwrap();
    let changes = edit["documentChanges"].as_array().unwrap();
    let shown: Vec<String> = changes
        .iter()
        .map(|change| {
            let document = &change["textDocument"];
            let uri = document["uri"].as_str().unwrap().replace(&home.uri(""), "");
            let edits = change["edits"].as_array().unwrap().iter();
            let edits: Vec<String> = edits
                .map(|edit| {
                    let (start, end) = (&edit["range"]["start"], &edit["range"]["end"]);
                    let note = edit["annotationId"].as_str().unwrap_or("-");
                    format!(
                        "{}:{}-{} {:?} {note}",
                        start["line"],
                        start["character"],
                        end["character"],
                        edit["newText"].as_str().unwrap()
                    )
                })
                .collect();
            format!("{uri} {}: {}", document["version"], edits.join("; "))
        })
        .collect();
    assert_eq!(
        shown,
        [
            // It is there already, so the other goes.
            "a.md 7: 1:7-17 \"\" -",
            "b.md null: 1:9-21 \"beds/roses\" gliznet.closed; 3:4-10 \"beds\" gliznet.closed",
            "c.org null: 0:17-23 \"beds\" gliznet.closed",
        ]
    );
    assert_eq!(
        edit["changeAnnotations"]["gliznet.closed"]["needsConfirmation"],
        false
    );
    // The files are as they were.
    for (name, text) in NOTES {
        assert_eq!(
            std::fs::read_to_string(home.path("notes").join(name)).unwrap(),
            text
        );
    }
    assert_eq!(editor.quit(), 0);
}

#[test]
fn a_name_that_cannot_be_written_everywhere_is_refused_with_its_place() {
    let (home, mut editor) = workspace(&NOTES, json!({}));
    let open = home.uri("a.md");
    editor.open(&open, NOTES[0].1);
    let mut refused = |new_name: &str| {
        let params = with(at(&open, 1, 9), "newName", json!(new_name));
        let error = editor.request("textDocument/rename", params).unwrap_err();
        (
            error["code"].as_i64().unwrap(),
            error["message"].as_str().unwrap().to_owned(),
        )
    };
    let (code, message) = refused("a, b");
    assert_eq!(code, -32602);
    assert!(message.contains("a comma separates tags"), "{message}");
    let (code, message) = refused("C++");
    assert_eq!(code, -32803);
    assert!(
        message.contains("b.md: ") && message.contains("line 4"),
        "{message}"
    );
    // Without `documentChanges` the edit is a map.
    let params = with(at(&open, 1, 9), "newName", json!("beds"));
    let edit = editor.request("textDocument/rename", params).unwrap();
    assert_eq!(edit["changes"].as_object().unwrap().len(), 3);
    let params = with(at(&open, 3, 1), "newName", json!("beds"));
    let error = editor.request("textDocument/rename", params).unwrap_err();
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("no tag stands here")
    );
    assert_eq!(editor.quit(), 0);
}

#[test]
fn a_search_shows_its_progress_under_the_clients_token_and_under_its_own() {
    let capabilities = json!({ "window": { "workDoneProgress": true } });
    let (home, mut editor) = workspace(&NOTES, capabilities);
    let query = json!({ "query": "", "workDoneToken": 42 });
    let id = editor.ask("workspace/symbol", query);
    let mut kinds = Vec::new();
    while kinds.last().is_none_or(|kind| kind != "end") {
        let progress = editor.notified("$/progress");
        if progress["token"] == 42 {
            kinds.push(progress["value"]["kind"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(kinds[0], "begin");
    assert!(editor.answer(id).is_ok());
    // With many files the server makes a token; a client that does not answer delays nothing.
    for i in 0..600 {
        std::fs::write(home.path("notes").join(format!("n{i}.md")), "#many").unwrap();
    }
    editor
        .request("workspace/symbol", json!({ "query": "many" }))
        .unwrap();
    let of_tags = |token: &Value| {
        token
            .as_str()
            .is_some_and(|t| t.starts_with("gliznet/tags/"))
    };
    let (number, token) = loop {
        let (number, params) = editor.asked("window/workDoneProgress/create");
        if of_tags(&params["token"]) {
            break (number, params["token"].clone());
        }
        editor.reply(&number, Value::Null);
    };
    editor.reply(&number, Value::Null);
    loop {
        let progress = editor.notified("$/progress");
        if progress["token"] == token && progress["value"]["kind"] == "end" {
            break;
        }
    }
    assert_eq!(editor.quit(), 0);
}

#[test]
fn a_cancelled_search_ends_and_the_next_one_is_whole() {
    let (home, mut editor) = workspace(&NOTES, json!({}));
    let line = "---\ntags: [garden]\n---\n".to_owned() + &"Words and #words. ".repeat(2_000);
    for i in 0..400 {
        std::fs::write(home.path("notes").join(format!("n{i}.md")), &line).unwrap();
    }
    // By the progress.
    let id = editor.ask(
        "workspace/symbol",
        json!({ "query": "", "workDoneToken": "mine" }),
    );
    while editor.notified("$/progress")["value"]["kind"] != "begin" {}
    editor.notify("window/workDoneProgress/cancel", json!({ "token": "mine" }));
    assert_eq!(editor.answer(id).unwrap_err()["code"], -32800);
    while editor.notified("$/progress")["value"]["kind"] != "end" {}
    // By the request.
    let id = editor.ask("workspace/symbol", json!({ "query": "" }));
    editor.notify("$/cancelRequest", json!({ "id": id }));
    assert_eq!(editor.answer(id).unwrap_err()["code"], -32800);
    editor.notify(
        "window/workDoneProgress/cancel",
        json!({ "token": "nobody's" }),
    );
    let found = editor
        .request("workspace/symbol", json!({ "query": "garden" }))
        .unwrap();
    assert_eq!(found[0]["containerName"], "403 documents");
    assert_eq!(editor.quit(), 0);
}

#[test]
fn a_disk_is_not_searched() {
    let home = Home::new(&["garden"]);
    let mut editor = home.editor();
    let params = json!({ "processId": null, "rootUri": "file:///", "capabilities": {} });
    editor.request("initialize", params).unwrap();
    editor.notify("initialized", json!({}));
    let error = editor
        .request("workspace/symbol", json!({ "query": "" }))
        .unwrap_err();
    assert_eq!(error["code"], -32803);
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("open a folder of notes"),
        "{error}"
    );
    assert_eq!(editor.quit(), 0);
}

#[test]
fn a_note_that_is_no_file_yet_takes_the_labels_of_the_workspace() {
    let set = "[[label]]\nname = 'roses'\n";
    let notes = [
        ("gliznet.toml", "labelset = 'mine.toml'\n"),
        ("mine.toml", set),
        ("other.toml", "[[label]]\nname = 'tulips'\n"),
    ];
    let (_home, mut editor) = workspace(&notes, json!({}));
    let uri = "untitled:Untitled-1";
    editor.open(uri, "Roses.\n");
    let labels = |told: &Value| told["tags"][0]["label"].clone();
    assert_eq!(labels(&editor.notified("gliznet/tagsChanged")), "roses");
    // A file that the editor's settings name from the workspace.
    let settings = json!({ "settings": { "gliznet": { "labelset": "other.toml" } } });
    editor.notify("workspace/didChangeConfiguration", settings);
    assert_eq!(labels(&editor.notified("gliznet/tagsChanged")), "tulips");
    assert_eq!(editor.quit(), 0);
}
