//! A tag that is in no label set becomes a label of the set, from the editor, with the real program and
//! a scripted client.

#![cfg(test)]

#[path = "support/editor.rs"]
#[expect(dead_code, reason = "shared with other tests, each uses a part")]
mod editor;

use editor::{Editor, Home};
use serde_json::{Value, json};

const NOTE: &str = "---\ntags: [weaving, tax]\n---\nRoses.\n";

/// An editor with the note open, and the hint at its tag that nobody knows.
fn opened(home: &Home) -> (Editor, String, Value) {
    let mut editor = home.editor();
    editor.initialize(json!({}));
    let uri = home.uri("note.md");
    editor.open(&uri, NOTE);
    let mut told = editor.notified("textDocument/publishDiagnostics");
    assert_eq!(told["diagnostics"].as_array().unwrap().len(), 1);
    (editor, uri, told["diagnostics"][0].take())
}

/// The action that adds the tag, among those at the hint.
fn adding(editor: &mut Editor, uri: &str, hint: &Value) -> Option<Value> {
    let params = json!({
        "textDocument": { "uri": uri },
        "range": hint["range"],
        "context": { "diagnostics": [hint] },
    });
    let offered = editor.request("textDocument/codeAction", params).unwrap();
    let mut offered = offered.as_array().unwrap().iter();
    let is_it = |action: &&Value| action["command"]["command"] == "gliznet.addLabel";
    offered.find(is_it).cloned()
}

fn run(editor: &mut Editor, action: &Value) -> Result<Value, Value> {
    let command = &action["command"];
    let params = json!({ "command": command["command"], "arguments": command["arguments"] });
    editor.request("workspace/executeCommand", params)
}

#[test]
fn a_tag_becomes_a_label_of_ones_own_set_and_holds_at_once() {
    let home = Home::new(&["garden", "tax"]);
    let file = home.path("config/set.toml");
    let before = std::fs::read_to_string(&file).unwrap();
    let (mut editor, uri, hint) = opened(&home);
    let action = adding(&mut editor, &uri, &hint).unwrap();
    assert_eq!(action["title"], "Add weaving to the label set set");
    assert_eq!(action["kind"], "quickfix");
    let done = run(&mut editor, &action).unwrap();
    assert_eq!(done["labels"], json!(["weaving"]));
    assert_eq!(done["file"], json!(file));
    let after = std::fs::read_to_string(&file).unwrap();
    assert!(
        after.starts_with(&before) && after.contains("name = \"weaving\""),
        "{after}"
    );
    let said = editor.notified("window/showMessage");
    assert!(
        said["message"].as_str().unwrap().contains("set.toml"),
        "{said}"
    );
    let told = editor.notified("textDocument/publishDiagnostics");
    assert_eq!(told["diagnostics"], json!([]));
    // Asked again, it says why not, and the file stays.
    let error = run(&mut editor, &action).unwrap_err();
    assert!(
        error["message"].as_str().unwrap().contains("set.toml"),
        "{error}"
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), after);
    assert_eq!(editor.quit(), 0);
}

#[test]
fn a_bundled_set_becomes_ones_own_with_the_first_label() {
    let home = Home::new(&["unused"]);
    std::fs::write(home.path("notes/gliznet.toml"), "labelset = 'paperwork'\n").unwrap();
    let mut editor = home.editor();
    editor.initialize(json!({}));
    let uri = home.uri("note.md");
    editor.open(&uri, "---\ntags: [weaving]\n---\nRoses.\n");
    let mut told = editor.notified("textDocument/publishDiagnostics");
    let hint = told["diagnostics"][0].take();
    let action = adding(&mut editor, &uri, &hint).unwrap();
    assert_eq!(action["title"], "Add weaving to the label set paperwork");
    run(&mut editor, &action).unwrap();
    let own = home.path("config/labelsets/paperwork.toml");
    assert!(std::fs::read_to_string(own).unwrap().contains("weaving"));
    let told = editor.notified("textDocument/publishDiagnostics");
    assert_eq!(told["diagnostics"], json!([]));
    assert_eq!(editor.quit(), 0);
}

#[test]
fn labels_that_the_editors_settings_list_are_not_added_to() {
    let home = Home::new(&["garden"]);
    let mut editor = home.editor();
    let params = json!({
        "processId": null, "rootUri": null, "capabilities": {},
        "initializationOptions": { "labels": ["garden", "tax"] },
    });
    editor.request("initialize", params).unwrap();
    editor.notify("initialized", json!({}));
    let uri = home.uri("note.md");
    editor.open(&uri, NOTE);
    let mut told = editor.notified("textDocument/publishDiagnostics");
    let hint = told["diagnostics"][0].take();
    assert_eq!(adding(&mut editor, &uri, &hint), None);
    assert_eq!(editor.quit(), 0);
}
