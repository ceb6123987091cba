//! Notes that are open in an editor: changed by the editor, never under it.

use serde_json::{Value, json};

use crate::User;
use crate::editor::Editor;

fn editor(user: &User) -> Editor {
    let mut editor = user.home.editor();
    editor.initialize(json!({
        "workspace": { "applyEdit": true, "workspaceEdit": { "documentChanges": true } },
    }));
    editor
}

fn uri(user: &User, name: &str) -> String {
    format!("file://{}", user.path(name).display())
}

/// The version and the text that an edit of a whole document's start makes.
fn edited(params: &Value, text: &str) -> (Value, String) {
    let change = &params["edit"]["documentChanges"][0];
    let edits = change["edits"].as_array().unwrap();
    assert_eq!(edits.len(), 1, "{params}");
    let start = json!({ "line": 0, "character": 0 });
    assert_eq!(
        edits[0]["range"],
        json!({ "start": start, "end": start }),
        "{params}"
    );
    let new = edits[0]["newText"].as_str().unwrap();
    (
        change["textDocument"]["version"].clone(),
        format!("{new}{text}"),
    )
}

#[test]
fn an_open_note_is_changed_by_its_editor_and_never_on_disk() {
    let user = User::new();
    let text = "Roses want pruning.\n";
    user.write("open.md", text);
    user.write("closed.md", text);
    let mut editor = editor(&user);
    editor.open(&uri(&user, "open.md"), text);
    user.watch(&["--sink", "frontmatter"]);
    let (id, params) = editor.asked("workspace/applyEdit");
    user.until_tagged("closed.md");
    assert_eq!(user.read("open.md"), text);
    let (version, new) = edited(&params, text);
    assert_eq!(version, 1, "an edit is for the text that it was made for");
    assert!(new.contains("- garden") && new.contains("- tax"), "{new}");
    editor.reply(&id, json!({ "applied": true }));
    editor.replace(&uri(&user, "open.md"), 2, &new);
    user.settled();
    assert_eq!(
        user.read("open.md"),
        text,
        "saving is its writer's business"
    );
    // Its writer saves and goes: nothing is to be done, and whose the tags are is known.
    user.write("open.md", &new);
    let closed = json!({ "textDocument": { "uri": uri(&user, "open.md") } });
    editor.notify("textDocument/didClose", closed);
    user.settled();
    assert_eq!(user.read("open.md"), new);
    assert_eq!(user.home.status()["journal"]["corrections"], 0);
    editor.quit();
    let (shown, code) = user.home.run(&["undo", "--since", "1970-01-02"]);
    assert_eq!(code, 0, "{shown}");
    assert_eq!(
        (user.read("open.md"), user.read("closed.md")),
        (text.to_owned(), text.to_owned())
    );
}

#[test]
fn a_tag_that_its_writer_accepts_is_put_in_once_though_the_editor_tells_late() {
    let user = User::new();
    let text = "Roses want pruning.\n";
    user.write("a.md", text);
    user.watch(&["--sink", "frontmatter"]);
    user.until_tagged("a.md");
    let (shown, code) = user.home.run(&["undo", "--since", "1970-01-02"]);
    assert_eq!(code, 0, "{shown}");
    user.settled();
    let mut editor = editor(&user);
    editor.open(&uri(&user, "a.md"), text);
    let argument = json!({ "uri": uri(&user, "a.md"), "labels": ["garden"] });
    let params = json!({ "command": "gliznet.accept", "arguments": [argument] });
    let command = editor.ask("workspace/executeCommand", params);
    let (id, params) = editor.asked("workspace/applyEdit");
    let (_, new) = edited(&params, text);
    editor.reply(&id, json!({ "applied": true }));
    editor.answer(command).unwrap();
    // The watcher hears of the verdict, and looks before the editor tells what became of the text.
    std::thread::sleep(std::time::Duration::from_secs(1));
    editor.replace(&uri(&user, "a.md"), 2, &new);
    user.settled();
    assert!(!editor.was_asked("workspace/applyEdit"));
}

#[test]
fn what_was_accepted_and_then_rejected_before_it_was_saved_is_rejected() {
    let user = User::new();
    let text = "Roses want pruning.\n";
    user.write("a.md", text);
    user.watch(&[]);
    user.settled();
    let mut editor = editor(&user);
    editor.open(&uri(&user, "a.md"), text);
    let argument = json!({ "uri": uri(&user, "a.md"), "labels": ["tax"] });
    let params = |command: &str| json!({ "command": command, "arguments": [argument] });
    let command = editor.ask("workspace/executeCommand", params("gliznet.accept"));
    let (id, edit) = editor.asked("workspace/applyEdit");
    let (_, new) = edited(&edit, text);
    editor.reply(&id, json!({ "applied": true }));
    editor.replace(&uri(&user, "a.md"), 2, &new);
    editor.answer(command).unwrap();
    let rejected = editor.request("workspace/executeCommand", params("gliznet.reject"));
    rejected.unwrap();
    user.write("a.md", &new);
    user.settled();
    assert_eq!(user.home.status()["journal"]["corrections"], 2);
    // The person takes it out, and writes it again later: that is a new word.
    user.write("a.md", text);
    close(&mut editor, &user, "a.md");
    editor.request("gliznet/watch", json!({})).unwrap();
    user.settled();
    user.write("a.md", &new);
    let corrections = || user.home.status()["journal"]["corrections"].clone();
    user.until("accepted", corrections, |count| *count == 3);
}

#[test]
fn what_was_rejected_in_one_of_two_editors_is_not_accepted_when_that_one_saves() {
    let user = User::new();
    let text = "Roses want pruning.\n";
    let tagged = "---\ntags: [tax]\n---\nRoses want pruning.\n";
    user.write("a.md", text);
    user.watch(&[]);
    user.settled();
    let uri = uri(&user, "a.md");
    let (mut one, mut other) = (editor(&user), editor(&user));
    one.open(&uri, text);
    one.replace(&uri, 2, tagged);
    one.request("gliznet/watch", json!({})).unwrap();
    other.open(&uri, text);
    other.request("gliznet/watch", json!({})).unwrap(); // It is open there now.
    let argument = json!({ "uri": uri, "labels": ["tax"] });
    let params = json!({ "command": "gliznet.reject", "arguments": [argument] });
    one.request("workspace/executeCommand", params).unwrap();
    user.settled();
    user.write("a.md", tagged);
    user.settled();
    assert_eq!(user.home.status()["journal"]["corrections"], 1);
}

#[test]
fn an_editor_that_takes_no_edit_keeps_its_note_and_is_not_written_under() {
    let user = User::new();
    let text = "Roses want pruning.\n";
    user.write("a.md", text);
    let mut editor = editor(&user);
    editor.open(&uri(&user, "a.md"), text);
    user.watch(&["--sink", "frontmatter"]);
    let (id, _) = editor.asked("workspace/applyEdit");
    editor.reply(&id, json!({ "applied": false }));
    // It is asked again, for its writer may have been typing just then.
    let (id, _) = editor.asked("workspace/applyEdit");
    editor.reply(&id, json!({ "applied": false }));
    assert_eq!(user.read("a.md"), text);
    // When it is closed, the file is free.
    let closed = json!({ "textDocument": { "uri": uri(&user, "a.md") } });
    editor.notify("textDocument/didClose", closed);
    user.until_tagged("a.md");
}

/// A note with settings of its own, open in an editor that has taken its tags and has not saved it.
fn tagged_unsaved(user: &User) -> (Editor, String) {
    let text = "---\ntitle: Roses\n---\nRoses want pruning.\n";
    user.write("a.md", text);
    let mut editor = editor(user);
    editor.open(&uri(user, "a.md"), text);
    user.watch(&["--sink", "frontmatter"]);
    let (id, _) = editor.asked("workspace/applyEdit");
    editor.reply(&id, json!({ "applied": true }));
    let tagged = text.replace("Roses\n---", "Roses\ntags: [garden, tax]\n---");
    editor.replace(&uri(user, "a.md"), 2, &tagged);
    user.settled();
    assert_eq!(user.read("a.md"), text);
    (editor, text.to_owned())
}

fn close(editor: &mut Editor, user: &User, name: &str) {
    let closed = json!({ "textDocument": { "uri": uri(user, name) } });
    editor.notify("textDocument/didClose", closed);
}

#[test]
fn tags_that_an_editor_did_not_save_are_put_into_the_file_when_it_is_closed() {
    let user = User::new();
    let (mut editor, text) = tagged_unsaved(&user);
    close(&mut editor, &user, "a.md");
    user.until_tagged("a.md");
    user.settled();
    let tagged = user.read("a.md");
    assert!(
        tagged.contains("- garden") && tagged.contains("- tax"),
        "{tagged}"
    );
    let (shown, code) = user.home.run(&["undo", "--since", "1970-01-02"]);
    assert_eq!((user.read("a.md"), code), (text, 0), "{shown}");
}

#[test]
fn tags_that_a_person_took_out_of_an_open_note_stay_out_though_it_was_not_saved() {
    let user = User::new();
    let (mut editor, text) = tagged_unsaved(&user);
    let without = text.replace("Roses\n---", "Roses\ntags: [tax]\n---");
    editor.replace(&uri(&user, "a.md"), 3, &without);
    close(&mut editor, &user, "a.md");
    user.until_tagged("a.md");
    user.write("a.md", &(user.read("a.md") + "They want compost.\n"));
    user.settled();
    let tagged = user.read("a.md");
    assert!(
        tagged.contains("- tax") && !tagged.contains("- garden"),
        "{tagged}"
    );
}

#[test]
fn what_one_of_two_editors_did_not_save_is_given_to_the_other() {
    let user = User::new();
    let text = "---\ntitle: Roses\n---\nRoses want pruning.\n";
    user.write("a.md", text);
    let uri = uri(&user, "a.md");
    let (mut one, mut other) = (editor(&user), editor(&user));
    for editor in [&mut one, &mut other] {
        editor.open(&uri, text);
        editor.request("gliznet/watch", json!({})).unwrap();
    }
    user.watch(&["--sink", "frontmatter"]);
    let tagged = |text: &str| text.replace("Roses\n---", "Roses\ntags: [garden, tax]\n---");
    let (id, _) = other.asked("workspace/applyEdit");
    other.reply(&id, json!({ "applied": true }));
    other.replace(&uri, 2, &tagged(text));
    user.settled();
    // The one goes on and saves, the other is closed without saving.
    let more = text.to_owned() + "More.\n";
    one.replace(&uri, 2, &more);
    user.write("a.md", &more);
    user.settled();
    close(&mut other, &user, "a.md");
    other.request("gliznet/watch", json!({})).unwrap();
    let more = more + "And more.\n";
    one.replace(&uri, 3, &more);
    user.write("a.md", &more);
    let (id, params) = one.asked("workspace/applyEdit");
    let asked = params.to_string();
    assert!(asked.contains("garden") && asked.contains("tax"), "{asked}");
    one.reply(&id, json!({ "applied": true }));
    one.replace(&uri, 4, &tagged(&more));
    user.write("a.md", &tagged(&more));
    user.settled();
    assert_eq!(user.read("a.md"), tagged(&more));
    assert_eq!(user.home.status()["journal"]["corrections"], 0);
}

#[test]
fn what_one_of_two_editors_did_not_save_the_other_one_has_not_taken_out() {
    let user = User::new();
    let (mut one, text) = tagged_unsaved(&user);
    let mut other = editor(&user);
    other.open(&uri(&user, "a.md"), &text);
    other.request("gliznet/watch", json!({})).unwrap(); // It is open there now.
    close(&mut one, &user, "a.md");
    // The tags that are gone with the one are given to the other, whose writer does not save them.
    let (id, params) = other.asked("workspace/applyEdit");
    let edit = params["edit"].to_string();
    assert!(edit.contains("garden") && edit.contains("tax"), "{edit}");
    other.reply(&id, json!({ "applied": true }));
    let tagged = text.replace("Roses\n---", "Roses\ntags: [garden, tax]\n---");
    other.replace(&uri(&user, "a.md"), 2, &tagged);
    user.settled();
    close(&mut other, &user, "a.md");
    user.until_tagged("a.md");
    user.settled();
    let tagged = user.read("a.md");
    assert!(
        tagged.contains("- garden") && tagged.contains("- tax"),
        "{tagged}"
    );
}

#[test]
fn what_was_rejected_in_an_editor_stays_so_under_another_name_after_a_restart() {
    let user = User::new();
    let text = "Roses want pruning.\n";
    user.write("a.md", text);
    user.watch(&[]);
    user.settled();
    let mut editor = editor(&user);
    let said = json!({
        "text": text, "format": "markdown", "uri": uri(&user, "a.md"),
        "accepted": [], "rejected": ["tax"],
    });
    editor.request("gliznet/correct", said).unwrap();
    user.until("rejected", || user.find(&["tax"]), Vec::is_empty);
    std::fs::rename(user.path("a.md"), user.path("b.md")).unwrap();
    user.until(
        "renamed",
        || user.find(&["garden"]),
        |found| *found == ["\"b.md\""],
    );
    editor.quit();
    user.home.run(&["stop"]);
    // It is another text now, so only its name tells.
    user.write("b.md", "Roses want pruning, in March at the latest.\n");
    user.settled();
    assert_eq!(user.find(&["garden"]), ["\"b.md\""]);
    assert!(user.find(&["tax"]).is_empty());
}

/// The next word of that kind on a progress.
fn said(editor: &mut Editor, token: &Value, kind: &str) -> Value {
    loop {
        let mut params = editor.notified("$/progress");
        if params["token"] == *token && params["value"]["kind"] == kind {
            break params["value"].take();
        }
    }
}

#[test]
fn tagging_a_folder_shows_its_progress_and_a_person_can_pause_it_there() {
    let user = User::new();
    let mut editor = user.home.editor();
    editor.initialize(json!({ "window": { "workDoneProgress": true } }));
    // Long notes, so that there is something left when the person has seen the progress.
    let sentence = "Roses want pruning before the frost, and the tax return wants its papers. ";
    for number in 0..300 {
        let text = format!("Note {number}. {}", sentence.repeat(800));
        user.write(&format!("{number}.md"), &text);
    }
    user.watch(&["--concurrency", "1"]);
    let token = loop {
        let (id, params) = editor.asked("window/workDoneProgress/create");
        editor.reply(&id, Value::Null);
        let token = params["token"].clone();
        if token.as_str().unwrap().starts_with("gliznet/watching/") {
            break token;
        }
    };
    assert_eq!(said(&mut editor, &token, "begin")["cancellable"], true);
    let shown = said(&mut editor, &token, "report")["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(shown.ends_with(" notes"), "{shown}");
    editor.notify("window/workDoneProgress/cancel", json!({ "token": token }));
    let shown = said(&mut editor, &token, "end")["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(shown.contains("`gliznet watch resume`"), "{shown}");
    let list = editor.request("gliznet/watch", json!({})).unwrap();
    let folder = &list["folders"][0];
    assert_eq!(folder["state"], "paused", "{list}");
    assert!(folder["waiting"].as_u64() > Some(0), "{list}");
    let (shown, code) = user.home.run(&["watch", "resume"]);
    assert_eq!(code, 0, "{shown}");
    let (id, params) = editor.asked("window/workDoneProgress/create");
    editor.reply(&id, Value::Null);
    assert_ne!(params["token"], token);
    assert_eq!(editor.quit(), 0);
}
