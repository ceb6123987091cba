//! What an editor shows and does with suggestions: lenses, actions, commands, completion, hover,
//! hints, marks and settings, with the real program and a scripted client.
//! Length: one conversation for each thing that an editor shows.

#![cfg(test)]

#[path = "suggestions/completion.rs"]
mod completion;
#[path = "support/editor.rs"]
#[expect(dead_code, reason = "shared with other tests, each uses a part")]
mod editor;

use editor::{Editor, Home};
use serde_json::{Value, json};

const LABELS: [&str; 3] = ["garden", "tax", "travel"];

/// A client that can do all that matters here.
fn able() -> Value {
    json!({
        "workspace": {
            "applyEdit": true,
            "configuration": true,
            "codeLens": { "refreshSupport": true },
            "workspaceEdit": {
                "documentChanges": true,
                "changeAnnotationSupport": { "groupsOnLabel": true },
            },
        },
        "textDocument": { "codeAction": {
            "dataSupport": true, "resolveSupport": { "properties": ["edit", "command"] },
        } },
        "window": { "workDoneProgress": true },
    })
}

/// An editor that can do nothing but ask, with one note open that has been read.
fn plain(home: &Home, text: &str) -> (Editor, String) {
    let mut editor = home.editor();
    editor.initialize(json!({}));
    let uri = home.uri("note.md");
    editor.open(&uri, text);
    editor.notified("gliznet/tagsChanged");
    (editor, uri)
}

fn lenses(editor: &mut Editor, uri: &str) -> Vec<(u64, String, Value)> {
    let params = json!({ "textDocument": { "uri": uri } });
    let lenses = editor.request("textDocument/codeLens", params).unwrap();
    let lenses = lenses.as_array().unwrap().iter().map(|lens| {
        let line = lens["range"]["start"]["line"].as_u64().unwrap();
        let title = lens["command"]["title"].as_str().unwrap().to_owned();
        (line, title, lens["command"].clone())
    });
    lenses.collect()
}

/// Labels of lenses, without scores.
fn titles(editor: &mut Editor, uri: &str) -> Vec<String> {
    let shown = lenses(editor, uri).into_iter();
    let mut titles: Vec<String> = shown
        .map(|(_, title, _)| title.split(' ').take(2).collect::<Vec<_>>().join(" "))
        .collect();
    titles.sort();
    titles
}

fn at(uri: &str, line: u32, character: u32) -> Value {
    json!({
        "textDocument": { "uri": uri },
        "position": { "line": line, "character": character },
    })
}

/// Applies the edits of a `WorkspaceEdit` that has one insertion or replacement.
fn edited(text: &str, edit: &Value) -> String {
    let edit = &edit["documentChanges"][0]["edits"][0];
    let offset = |place: &Value| {
        let (line, column) = (
            place["line"].as_u64().unwrap(),
            place["character"].as_u64().unwrap(),
        );
        let before: usize = text
            .split_inclusive('\n')
            .take(line as usize)
            .map(str::len)
            .sum();
        before + column as usize
    };
    let mut text = text.to_owned();
    let (start, end) = (
        offset(&edit["range"]["start"]),
        offset(&edit["range"]["end"]),
    );
    text.replace_range(start..end, edit["newText"].as_str().unwrap());
    text
}

#[test]
fn suggestions_stand_over_the_tags_and_leave_out_what_is_there() {
    let home = Home::new(&LABELS);
    let text = "---\ntitle: Roses\ntags:\n  - Garden\n---\nThey want pruning. #tax\n";
    let (mut editor, uri) = plain(&home, text);
    let shown = lenses(&mut editor, &uri);
    assert!(shown.iter().all(|(line, _, _)| *line == 2), "{shown:?}");
    assert_eq!(titles(&mut editor, &uri), ["+ travel", "review…"]);
    let other = home.uri("other.md");
    editor.open(&other, "Roses want pruning.\n");
    editor.notified("gliznet/tagsChanged");
    assert_eq!(
        titles(&mut editor, &other),
        ["+ garden", "+ tax", "+ travel", "accept all", "review…"]
    );
    assert_eq!(editor.quit(), 0);
}

#[test]
fn an_answer_says_which_tags_the_document_has_however_they_are_spelt() {
    let home = Home::new(&["machine-learning", "tax", "travel"]);
    let mut editor = home.editor();
    editor.initialize(json!({}));
    let uri = home.uri("note.md");
    editor.open(&uri, "---\ntags: [Machine Learning]\n---\nRoses. #tax\n");
    let present = |told: &Value| -> Vec<String> {
        let tags = told["tags"].as_array().unwrap();
        let mut present: Vec<String> = tags
            .iter()
            .filter(|tag| tag["present"] == true)
            .map(|tag| tag["label"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(tags.len(), 3);
        present.sort();
        present
    };
    let told = editor.notified("gliznet/tagsChanged");
    assert_eq!(present(&told), ["machine-learning", "tax"]);
    // A tag that comes or goes is news, although the same labels fit.
    editor.replace(&uri, 2, "---\ntags: [travel]\n---\nRoses.\n");
    let told = editor.notified("gliznet/tagsChanged");
    assert_eq!(present(&told), ["travel"]);
    // Org writes `_` for `-`; a plain text has no place but the person's word.
    let org = home.uri("note.org");
    let item = json!({ "uri": org, "languageId": "org", "version": 1, "text": "#+FILETAGS: :machine_learning:\nRoses.\n" });
    editor.notify("textDocument/didOpen", json!({ "textDocument": item }));
    let told = editor.notified("gliznet/tagsChanged");
    assert_eq!(present(&told), ["machine-learning"]);
    let params = json!({ "text": "Roses.\n", "uri": home.uri("note.txt"), "accepted": ["tax"] });
    editor.request("gliznet/correct", params).unwrap();
    let params = json!({ "text": "Roses.\n", "uri": home.uri("note.txt") });
    let tagged = editor.request("gliznet/tag", params).unwrap();
    assert_eq!(present(&tagged), ["tax"]);
    assert_eq!(editor.quit(), 0);
}

#[test]
fn an_accepted_tag_is_one_versioned_edit_and_recorded_once_it_is_applied() {
    let home = Home::new(&LABELS);
    let mut editor = home.editor();
    editor.initialize(able());
    let (id, asked) = editor.asked("workspace/configuration");
    assert_eq!(asked["items"][0]["section"], "gliznet");
    editor.reply(&id, json!([null]));
    let uri = home.uri("note.md");
    let text = "---\ntags: [a] # mine\n---\nRoses.\n";
    editor.open(&uri, text);
    let (id, _) = editor.asked("workspace/codeLens/refresh");
    editor.reply(&id, Value::Null);
    let argument = json!({ "uri": uri, "labels": ["garden"] });
    let params = json!({ "command": "gliznet.accept", "arguments": [argument] });
    let command = editor.ask("workspace/executeCommand", params.clone());
    let (id, asked) = editor.asked("workspace/applyEdit");
    assert_eq!(
        asked["edit"]["documentChanges"][0]["textDocument"]["version"],
        1
    );
    let annotation = &asked["edit"]["changeAnnotations"]["gliznet"];
    assert_eq!(annotation["label"], "Add tag garden");
    assert_eq!(
        edited(text, &asked["edit"]),
        "---\ntags: [a, garden] # mine\n---\nRoses.\n"
    );
    editor.reply(&id, json!({ "applied": true }));
    let done = editor.answer(command).unwrap();
    assert_eq!(
        done,
        json!({ "applied": true, "accepted": ["garden"], "rejected": [] })
    );
    let journal = home.path("data/corrections.jsonl");
    assert_eq!(
        std::fs::read_to_string(&journal).unwrap().lines().count(),
        1
    );
    // An edit that the editor does not take is no verdict.
    let command = editor.ask("workspace/executeCommand", params);
    let (id, _) = editor.asked("workspace/applyEdit");
    let refusal = json!({ "applied": false, "failureReason": "the buffer cannot be changed" });
    editor.reply(&id, refusal);
    let error = editor.answer(command).unwrap_err();
    assert_eq!(error["code"], -32803);
    let message = error["message"].as_str().unwrap();
    assert!(message.ends_with("the buffer cannot be changed"), "{error}");
    assert_eq!(
        std::fs::read_to_string(&journal).unwrap().lines().count(),
        1
    );
    assert_eq!(editor.quit(), 0);
}

#[test]
fn a_verdict_holds_at_once_and_in_every_editor() {
    let home = Home::new(&LABELS);
    let (mut first, uri) = plain(&home, "Roses.\n");
    let (mut second, _) = plain(&home, "Roses.\n");
    let argument = json!({ "uri": uri, "labels": ["tax"] });
    let params = json!({ "command": "gliznet.reject", "arguments": [argument] });
    first.request("workspace/executeCommand", params).unwrap();
    assert!(!titles(&mut first, &uri).contains(&"+ tax".to_owned()));
    let told = second.notified("gliznet/tagsChanged");
    let tags = told["tags"].as_array().unwrap();
    assert!(tags.iter().all(|tag| tag["label"] != "tax"), "{told}");
    assert_eq!(first.quit(), 0);
    assert_eq!(second.quit(), 0);
}

#[test]
fn what_is_in_no_label_set_is_never_written() {
    let home = Home::new(&LABELS);
    let mut editor = home.editor();
    editor.initialize(json!({ "workspace": { "applyEdit": true } }));
    let uri = home.uri("note.txt");
    let item = json!({ "uri": uri, "languageId": "plaintext", "version": 1, "text": "Roses.\n" });
    editor.notify("textDocument/didOpen", json!({ "textDocument": item }));
    editor.notified("gliznet/tagsChanged");
    let mut accept = |label: &str| {
        let argument = json!({ "uri": uri, "labels": [label] });
        let params = json!({ "command": "gliznet.accept", "arguments": [argument] });
        editor.request("workspace/executeCommand", params)
    };
    let error = accept("gardn").unwrap_err();
    assert_eq!(error["code"], -32602);
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("did you mean `garden`"),
        "{error}"
    );
    // A text has no place for tags; the verdict counts all the same.
    let done = accept("Garden").unwrap();
    assert_eq!(
        done,
        json!({ "applied": false, "unwritten": true, "accepted": ["garden"], "rejected": [] })
    );
    assert_eq!(editor.quit(), 0);
}

#[test]
fn a_tag_is_replaced_by_one_of_the_set_as_its_place_demands() {
    let home = Home::new(&["no", "garden"]);
    let mut editor = home.editor();
    editor.initialize(json!({ "workspace": { "applyEdit": true } }));
    let uri = home.uri("note.md");
    let text = "---\ntags: [gardn, gardn/beds]\n---\nIn the #gardn.\n";
    editor.open(&uri, text);
    let params = |to: &str| {
        let argument = json!({ "uri": uri, "from": "gardn", "to": to });
        json!({ "command": "gliznet.replaceTag", "arguments": [argument] })
    };
    let refused = editor.request("workspace/executeCommand", params("gardens"));
    let refused = refused.unwrap_err();
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains("did you mean `garden`"), "{refused}");
    for (to, written) in [("Garden", "garden"), ("no", "\"no\"")] {
        let command = editor.ask("workspace/executeCommand", params(to));
        let (id, asked) = editor.asked("workspace/applyEdit");
        let edits = asked["edit"]["changes"][&uri].as_array().unwrap();
        assert_eq!(edits.len(), 1, "{edits:?}");
        assert_eq!(edits[0]["newText"], written);
        editor.reply(&id, json!({ "applied": true }));
        assert_eq!(editor.answer(command).unwrap()["applied"], true);
    }
    let command = editor.ask("workspace/executeCommand", params("garden"));
    let (id, _) = editor.asked("workspace/applyEdit");
    editor.reply(&id, json!({ "applied": false }));
    assert_eq!(editor.answer(command).unwrap_err()["code"], -32803);
    assert_eq!(editor.quit(), 0);
}

#[test]
fn a_rejected_tag_goes_and_stays_away_after_reopening() {
    let home = Home::new(&LABELS);
    let (mut editor, uri) = plain(&home, "Roses.\n");
    let argument = json!({ "uri": uri, "labels": ["tax"] });
    let params = json!({ "command": "gliznet.reject", "arguments": [argument] });
    let done = editor.request("workspace/executeCommand", params).unwrap();
    assert_eq!(done["rejected"], json!(["tax"]));
    editor.notified("gliznet/tagsChanged");
    assert_eq!(
        titles(&mut editor, &uri),
        ["+ garden", "+ travel", "accept all", "review…"]
    );
    editor.notify(
        "textDocument/didClose",
        json!({ "textDocument": { "uri": uri } }),
    );
    editor.open(&uri, "Roses.\n");
    editor.notified("gliznet/tagsChanged");
    assert_eq!(
        titles(&mut editor, &uri),
        ["+ garden", "+ travel", "accept all", "review…"]
    );
    assert_eq!(editor.quit(), 0);
}

fn actions(editor: &mut Editor, uri: &str, line: u32, context: Value) -> Vec<Value> {
    let place = json!({ "line": line, "character": 0 });
    let params = json!({
        "textDocument": { "uri": uri },
        "range": { "start": place, "end": place },
        "context": context,
    });
    let actions = editor.request("textDocument/codeAction", params).unwrap();
    actions.as_array().cloned().unwrap_or_default()
}

#[test]
fn actions_are_offered_where_tags_are_and_never_on_save() {
    let home = Home::new(&LABELS);
    let mut editor = home.editor();
    editor.initialize(able());
    let uri = home.uri("note.md");
    let text = "---\ntitle: x\ntags: [garden]\n---\nRoses.\n";
    editor.open(&uri, text);
    editor.notified("gliznet/tagsChanged");
    let automatic = json!({ "diagnostics": [], "triggerKind": 2 });
    let titles = |actions: &[Value]| -> Vec<String> {
        let titles = actions.iter().map(|a| a["title"].as_str().unwrap());
        let words = titles.map(|t| t.split(" (").next().unwrap_or(t).to_owned());
        words.collect()
    };
    let offered = actions(&mut editor, &uri, 1, automatic.clone());
    let shown = titles(&offered);
    assert!(
        shown.iter().any(|t| t.starts_with("Add tag tax")),
        "{shown:?}"
    );
    assert!(
        shown.contains(&"Add all 2 suggested tags".to_owned()),
        "{shown:?}"
    );
    assert!(
        shown.contains(&"Never suggest travel here".to_owned()),
        "{shown:?}"
    );
    assert_eq!(offered[0]["isPreferred"], true);
    assert_eq!(offered[0]["kind"], "quickfix");
    assert!(offered[0].get("edit").is_none(), "the edit comes later");
    assert!(offered[0].get("command").is_none());
    let resolved = editor
        .request("codeAction/resolve", offered[0].clone())
        .unwrap();
    assert_eq!(
        resolved["edit"]["documentChanges"][0]["textDocument"]["version"],
        1
    );
    assert_eq!(resolved["command"]["command"], "gliznet.record");
    // In the text, only when a person asks.
    assert!(actions(&mut editor, &uri, 4, automatic).is_empty());
    let by_hand = json!({ "diagnostics": [], "triggerKind": 1 });
    assert!(!actions(&mut editor, &uri, 4, by_hand).is_empty());
    for kind in [
        "source",
        "source.fixAll",
        "source.organizeImports",
        "refactor",
    ] {
        let on_save = json!({ "diagnostics": [], "only": [kind], "triggerKind": 2 });
        assert!(actions(&mut editor, &uri, 1, on_save).is_empty(), "{kind}");
    }
    assert_eq!(editor.quit(), 0);
}

#[test]
fn a_misspelt_tag_is_marked_and_can_be_replaced() {
    let home = Home::new(&LABELS);
    let (mut editor, uri) = plain(&home, "---\ntags: [\"gardn\", tax]\n---\nRoses.\n");
    let told = editor.notified("textDocument/publishDiagnostics");
    let hint = &told["diagnostics"][0];
    assert_eq!(told["version"], 1);
    assert_eq!(hint["severity"], 4);
    assert_eq!(
        hint["message"],
        "`gardn` is not in the label set; did you mean `garden`?"
    );
    assert_eq!(hint["range"]["start"], json!({ "line": 1, "character": 7 }));
    let context = json!({ "diagnostics": [hint] });
    let offered = actions(&mut editor, &uri, 1, context);
    let repair = offered
        .iter()
        .find(|a| a["title"] == "Replace gardn by garden")
        .unwrap();
    // Not every editor gives back what it was told besides.
    let mut bare = hint.clone();
    bare.as_object_mut().unwrap().remove("data");
    let again = actions(&mut editor, &uri, 1, json!({ "diagnostics": [bare] }));
    assert_eq!(again[0]["edit"], repair["edit"]);
    // The quotes stay: they are not part of the tag.
    let edits = repair["edit"]["changes"][&uri].as_array().unwrap();
    let range = json!({
        "start": { "line": 1, "character": 8 }, "end": { "line": 1, "character": 13 },
    });
    assert_eq!(edits, &[json!({ "range": range, "newText": "garden" })]);
    editor.replace(&uri, 2, "---\ntags: [garden, tax]\n---\nRoses.\n");
    let told = editor.notified("textDocument/publishDiagnostics");
    assert_eq!(told["diagnostics"], json!([]));
    assert_eq!(editor.quit(), 0);
}

#[test]
fn hover_tells_score_origin_and_the_sentences() {
    let home = Home::new(&LABELS);
    home.give_glossary("garden\tplants, soil\ntravel\ttrains\n");
    let text = "---\ntags: [garden, unheard]\n---\nThey want pruning in March. Nobody knows why.\n";
    let (mut editor, uri) = plain(&home, text);
    let hover = editor
        .request("textDocument/hover", at(&uri, 1, 8))
        .unwrap();
    let shown = hover["contents"]["value"].as_str().unwrap();
    assert!(shown.starts_with("**garden** · "), "{shown}");
    assert!(shown.contains("Read as: plants, soil."), "{shown}");
    assert!(shown.contains("The model finds it too"), "{shown}");
    assert!(shown.contains("> They want pruning in March."), "{shown}");
    let hover = editor
        .request("textDocument/hover", at(&uri, 1, 18))
        .unwrap();
    assert!(
        hover["contents"]["value"]
            .as_str()
            .unwrap()
            .contains("Not in the label set")
    );
    let nothing = editor
        .request("textDocument/hover", at(&uri, 3, 2))
        .unwrap();
    assert_eq!(nothing, Value::Null);
    assert_eq!(editor.quit(), 0);
}

#[test]
fn settings_of_the_client_and_of_files_hold_at_once() {
    let home = Home::new(&LABELS);
    let (mut editor, uri) = plain(&home, "---\ntags: [garden]\n---\nRoses.\n");
    let range = json!({
        "start": { "line": 0, "character": 0 }, "end": { "line": 9, "character": 0 },
    });
    let hints = json!({ "textDocument": { "uri": uri }, "range": range });
    let none = editor
        .request("textDocument/inlayHint", hints.clone())
        .unwrap();
    assert_eq!(none, Value::Null);
    let settings = json!({ "gliznet": { "inlayHints": true, "codeLens": false, "labels": ["garden", "sea"] } });
    editor.notify(
        "workspace/didChangeConfiguration",
        json!({ "settings": settings }),
    );
    editor.notified("gliznet/tagsChanged");
    let shown = editor.request("textDocument/inlayHint", hints).unwrap();
    assert_eq!(shown[0]["position"], json!({ "line": 1, "character": 13 }));
    assert!(lenses(&mut editor, &uri).is_empty());
    // The client's choice goes, and the folder's own file is written: no restart, no save.
    editor.notify(
        "workspace/didChangeConfiguration",
        json!({ "settings": { "gliznet": {} } }),
    );
    editor.notified("gliznet/tagsChanged");
    std::fs::write(
        home.path("notes/here.toml"),
        "[[label]]\nname = 'harbour'\n",
    )
    .unwrap();
    std::fs::write(home.path("notes/gliznet.toml"), "labelset = 'here.toml'\n").unwrap();
    let told = editor.notified("gliznet/tagsChanged");
    assert_eq!(told["tags"][0]["label"], "harbour");
    assert_eq!(editor.quit(), 0);
}

#[test]
fn a_person_without_labels_is_told_what_to_do() {
    let home = Home::new(&LABELS);
    home.configure("");
    let mut editor = home.editor();
    editor.initialize(json!({}));
    editor.open(&home.uri("a.md"), "Roses.\n");
    editor.open(&home.uri("b.md"), "Roses.\n");
    let said = editor.notified("window/showMessage");
    assert!(
        said["message"].as_str().unwrap().contains("gliznet.toml"),
        "{said}"
    );
    // An editor that can offer a choice of label sets tells this from a set that cannot be read.
    let asked = json!({ "textDocument": { "uri": home.uri("a.md") } });
    for (settings, unset) in [("", json!(true)), ("labelset = 'nosuch'\n", Value::Null)] {
        home.configure(settings);
        let answer = editor.request("gliznet/labelsets", asked.clone()).unwrap();
        assert!(answer["current"]["fault"].is_string(), "{answer}");
        assert_eq!(answer["current"]["unset"], unset, "{answer}");
    }
    assert_eq!(editor.quit(), 0);
}

#[test]
fn an_editor_is_asked_with_buttons_where_it_has_no_review_of_its_own() {
    let home = Home::new(&LABELS);
    let (mut editor, uri) = plain(&home, "Roses.\n");
    let params = json!({ "command": "gliznet.review", "arguments": [{ "uri": uri }] });
    let review = editor.ask("workspace/executeCommand", params);
    let (id, asked) = editor.asked("window/showMessageRequest");
    assert_eq!(asked["actions"][1]["title"], "Never here");
    editor.reply(&id, asked["actions"][1].clone());
    let done = editor.answer(review).unwrap();
    assert_eq!(done["rejected"].as_array().unwrap().len(), 1);
    assert_eq!(editor.quit(), 0);
    let mut own = home.editor();
    let capabilities = json!({ "experimental": { "gliznet": { "review": true } } });
    let answer = own.initialize(capabilities);
    let commands = answer["capabilities"]["executeCommandProvider"]["commands"]
        .as_array()
        .unwrap();
    assert!(!commands.contains(&json!("gliznet.review")));
    assert_eq!(own.quit(), 0);
}

#[test]
fn who_reads_french_reads_lenses_and_actions_in_french() {
    let home = Home::new(&LABELS);
    let mut editor = home.editor();
    let params =
        json!({ "processId": null, "rootUri": null, "capabilities": {}, "locale": "fr-FR" });
    editor.request("initialize", params).unwrap();
    editor.notify("initialized", json!({}));
    let uri = home.uri("note.md");
    editor.open(&uri, "Roses want pruning.\n");
    editor.notified("gliznet/tagsChanged");
    let shown = titles(&mut editor, &uri);
    assert!(shown.contains(&"tout accepter".to_owned()), "{shown:?}");
    assert!(shown.contains(&"revoir…".to_owned()), "{shown:?}");
    let params = json!({
        "textDocument": { "uri": uri },
        "range": { "start": { "line": 0, "character": 0 }, "end": { "line": 0, "character": 0 } },
        "context": { "diagnostics": [], "triggerKind": 1 },
    });
    let actions = editor.request("textDocument/codeAction", params).unwrap();
    let actions = actions.to_string();
    for title in ["Ajouter l’étiquette garden", "Ne plus proposer garden ici"] {
        assert!(actions.contains(title), "{actions}");
    }
    assert_eq!(editor.quit(), 0);
}
