//! What an editor shows and says where settings are wrong, missing, or a document's own settings
//! cannot be read, with the real program and a scripted client.

#![cfg(test)]

#[path = "support/editor.rs"]
#[expect(dead_code, reason = "shared with other tests, each uses a part")]
mod editor;

use editor::{Editor, Home};
use serde_json::{Value, json};

const LABELS: [&str; 3] = ["garden", "tax", "travel"];
const NOTE: &str = "---\ntags: [gardn]\n---\nRoses.\n";

fn command(editor: &mut Editor, uri: &str, name: &str) -> Result<Value, Value> {
    let params = json!({ "command": name, "arguments": [{ "uri": uri }] });
    editor.request("workspace/executeCommand", params)
}

/// Titles of what is offered when a person asks by hand, with the actions.
fn actions(editor: &mut Editor, uri: &str) -> Vec<(String, Value)> {
    let place = json!({ "line": 0, "character": 0 });
    let params = json!({
        "textDocument": { "uri": uri },
        "range": { "start": place, "end": place },
        "context": { "diagnostics": [], "triggerKind": 1 },
    });
    let offered = editor.request("textDocument/codeAction", params).unwrap();
    let offered = offered.as_array().unwrap().iter();
    offered
        .map(|action| (action["title"].as_str().unwrap().to_owned(), action.clone()))
        .collect()
}

#[test]
fn when_settings_break_what_was_shown_goes_and_each_break_is_told() {
    let home = Home::new(&LABELS);
    let file = home.path("notes/gliznet.toml");
    let mut editor = home.editor();
    editor.initialize(json!({ "workspace": { "codeLens": { "refreshSupport": true } } }));
    let uri = home.uri("note.md");
    editor.open(&uri, NOTE);
    let expect = |editor: &mut Editor, marks: usize, tags: usize| {
        let told = editor.notified("textDocument/publishDiagnostics");
        assert_eq!(told["diagnostics"].as_array().unwrap().len(), marks);
        let told = editor.notified("gliznet/tagsChanged");
        assert_eq!(told["tags"].as_array().unwrap().len(), tags);
        let (id, _) = editor.asked("workspace/codeLens/refresh");
        editor.reply(&id, Value::Null);
    };
    expect(&mut editor, 1, 3);
    let look = |editor: &mut Editor| {
        editor.notify("workspace/didChangeWatchedFiles", json!({ "changes": [] }));
    };
    for _ in 0..2 {
        std::fs::write(&file, "labelset = 'x\n").unwrap();
        look(&mut editor);
        expect(&mut editor, 0, 0);
        let said = editor.notified("window/showMessage");
        let said = said["message"].as_str().unwrap();
        assert!(said.contains("gliznet.toml"), "{said}");
        let lenses = json!({ "textDocument": { "uri": uri } });
        assert_eq!(
            editor.request("textDocument/codeLens", lenses),
            Ok(Value::Null)
        );
        std::fs::remove_file(&file).unwrap();
        look(&mut editor);
        expect(&mut editor, 1, 3);
    }
    assert_eq!(editor.quit(), 0);
}

#[test]
fn a_command_without_labels_says_what_is_missing() {
    let home = Home::new(&LABELS);
    home.configure("");
    let mut editor = home.editor();
    editor.initialize(json!({}));
    let uri = home.uri("note.md");
    editor.open(&uri, NOTE);
    for name in ["gliznet.acceptAll", "gliznet.review"] {
        let error = command(&mut editor, &uri, name).unwrap_err();
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("labelset"), "{name}: {message}");
    }
    assert_eq!(editor.quit(), 0);
}

#[test]
fn a_note_that_is_no_file_follows_the_folders_of_the_workspace() {
    let home = Home::new(&LABELS);
    let write = |name: &str, text: &str| std::fs::write(home.path(name), text).unwrap();
    write("notes/gliznet.toml", "labelset = 'mine.toml'\n");
    write("notes/mine.toml", "[[label]]\nname = 'roses'\n");
    let mut editor = home.editor();
    editor.initialize(json!({}));
    editor.open("untitled:Untitled-1", "Roses.\n");
    let expect = |editor: &mut Editor, tags: usize| {
        let told = editor.notified("gliznet/tagsChanged");
        assert_eq!(told["tags"].as_array().unwrap().len(), tags);
    };
    expect(&mut editor, LABELS.len());
    let uri = home.uri("");
    let folder = json!([{ "uri": uri.trim_end_matches('/'), "name": "notes" }]);
    let none = json!([]);
    for (added, removed, tags) in [(&folder, &none, 1), (&none, &folder, LABELS.len())] {
        let event = json!({ "added": added, "removed": removed });
        editor.notify(
            "workspace/didChangeWorkspaceFolders",
            json!({ "event": event }),
        );
        expect(&mut editor, tags);
    }
    assert_eq!(editor.quit(), 0);
}

#[test]
fn hints_of_a_server_that_is_gone_are_taken_back() {
    let home = Home::new(&LABELS);
    let mut editor = home.editor();
    editor.initialize(json!({}));
    let uri = home.uri("note.md");
    editor.open(&uri, NOTE);
    let told = editor.notified("textDocument/publishDiagnostics");
    assert_eq!(told["diagnostics"].as_array().unwrap().len(), 1);
    home.kill(&home.status()["pid"]);
    editor.replace(&uri, 2, "---\ntags: [garden]\n---\nRoses.\n");
    // A question has another server started, which is told the document as it is now.
    editor.request("gliznet/status", json!({})).unwrap();
    let told = editor.notified("textDocument/publishDiagnostics");
    assert_eq!(told["diagnostics"], json!([]));
    assert_eq!(editor.quit(), 0);
}

#[test]
fn an_action_that_cannot_be_carried_out_says_so_or_is_not_offered() {
    let home = Home::new(&LABELS);
    let text = "---\ntags: [a, b\n---\n\nRoses.\n";
    let resolving = json!({ "textDocument": { "codeAction": {
        "dataSupport": true, "resolveSupport": { "properties": ["edit", "command"] },
    } } });
    for (capabilities, is_offered) in [(json!({}), false), (resolving, true)] {
        let mut editor = home.editor();
        editor.initialize(capabilities);
        let uri = home.uri("note.md");
        editor.open(&uri, text);
        editor.notified("gliznet/tagsChanged");
        let offered = actions(&mut editor, &uri);
        let adding = offered.iter().find(|(title, _)| title.starts_with("Add "));
        assert_eq!(adding.is_some(), is_offered, "{offered:?}");
        if let Some((_, action)) = adding {
            let error = editor.request("codeAction/resolve", action.clone());
            let error = error.unwrap_err();
            assert_eq!(error["code"], -32803);
            assert!(
                error["message"].as_str().unwrap().contains("broken"),
                "{error}"
            );
        }
        let never = offered
            .iter()
            .filter(|(title, _)| title.starts_with("Never"));
        assert_eq!(never.count(), 3, "{offered:?}");
        assert_eq!(home.status()["journal"]["corrections"], 0);
        assert_eq!(editor.quit(), 0);
    }
}

#[test]
fn broken_front_matter_is_marked_and_shows_no_suggestion_that_cannot_be_taken() {
    let home = Home::new(&LABELS);
    let mut editor = home.editor();
    editor.initialize(json!({}));
    let uri = home.uri("note.md");
    editor.open(&uri, "---\ntitle: x: y\ntags: [b]\n---\nRoses.\n");
    let told = editor.notified("textDocument/publishDiagnostics");
    let marks = told["diagnostics"].as_array().unwrap();
    assert_eq!(marks.len(), 1, "{marks:?}");
    assert_eq!(marks[0]["code"], "broken-front-matter");
    assert_eq!(marks[0]["severity"], 2);
    assert_eq!(marks[0]["range"]["start"]["line"], 1);
    editor.notified("gliznet/tagsChanged");
    let lenses = json!({ "textDocument": { "uri": uri } });
    let shown = editor.request("textDocument/codeLens", lenses.clone());
    assert_eq!(shown.unwrap(), json!([]));
    editor.replace(&uri, 2, "---\ntitle: 'x: y'\ntags: [tax]\n---\nRoses.\n");
    let told = editor.notified("textDocument/publishDiagnostics");
    assert_eq!(told["diagnostics"], json!([]));
    let shown = editor.request("textDocument/codeLens", lenses).unwrap();
    assert!(!shown.as_array().unwrap().is_empty());
    assert_eq!(editor.quit(), 0);
}

#[test]
fn a_label_that_cannot_be_written_hides_no_other() {
    let home = Home::new(&["garden: x", "b", "q"]);
    let mut editor = home.editor();
    editor.initialize(json!({}));
    let uri = home.uri("note.org");
    let text = "#+title: x\n\nRoses want pruning.\n";
    let item = json!({ "uri": uri, "languageId": "org", "version": 1, "text": text });
    editor.notify("textDocument/didOpen", json!({ "textDocument": item }));
    editor.notified("gliznet/tagsChanged");
    let lenses = json!({ "textDocument": { "uri": uri } });
    let shown = editor.request("textDocument/codeLens", lenses).unwrap();
    let title = |n: usize| shown[n]["command"]["title"].as_str().unwrap_or_default();
    assert!(title(0).starts_with("+ garden: x"), "{shown}");
    assert!(title(1).starts_with("+ q"), "{shown}");
    assert_eq!(editor.quit(), 0);
}

#[test]
fn who_has_labels_elsewhere_is_not_told_that_there_are_none_here() {
    let home = Home::new(&LABELS);
    let note = home.path("notes/note.md");
    std::fs::write(&note, "Roses.\n").unwrap();
    std::fs::write(
        home.path("notes/gliznet.toml"),
        "labelset = '../config/set.toml'\n",
    )
    .unwrap();
    let settings = std::fs::read_to_string(home.path("config/gliznet.toml")).unwrap();
    home.configure(&settings.replace("labelset = 'set.toml'\n", ""));
    let other = format!("file://{}", home.path("other.md").display());
    let mut editor = home.editor();
    editor.initialize(json!({}));
    editor.open(&other, "Roses.\n");
    let said = editor.notified("window/showMessage");
    assert!(said["message"].as_str().unwrap().contains("no labels yet"));
    assert_eq!(editor.quit(), 0);
    let (shown, code) = home.run(&["correct", note.to_str().unwrap(), "--add", "garden"]);
    assert_eq!(code, 0, "{shown}");
    let mut editor = home.editor();
    editor.initialize(json!({}));
    editor.open(&other, "Roses.\n");
    let error = command(&mut editor, &other, "gliznet.acceptAll").unwrap_err();
    assert!(
        error["message"].as_str().unwrap().contains("no labels yet"),
        "{error}"
    );
    assert!(!editor.was_asked("window/showMessage"));
    assert_eq!(editor.quit(), 0);
}
