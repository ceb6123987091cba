//! What a new daemon and the editor are told, of conversations as editors hold them.

#![cfg(test)]

use super::*;

fn memory(editor: &[Value]) -> Memory {
    let mut memory = Memory::default();
    for message in editor {
        memory.hear_editor(message.clone());
    }
    memory
}

/// What the editor hears of a message of the daemon.
fn heard(memory: &mut Memory, message: &Value) -> Option<Value> {
    let body = message.to_string().into_bytes();
    let heard = memory.hear_daemon(&body)?;
    Some(serde_json::from_slice(&heard).unwrap())
}

fn values(bodies: &[Vec<u8>]) -> Vec<Value> {
    let value = |body: &Vec<u8>| serde_json::from_slice(body).unwrap();
    bodies.iter().map(value).collect()
}

fn told(memory: &Memory) -> Vec<String> {
    let bodies = memory.messages();
    let message = |body: &Vec<u8>| {
        let message: Value = serde_json::from_slice(body).unwrap();
        let text = message.pointer("/params/textDocument/text");
        let text = text.and_then(Value::as_str).unwrap_or_default();
        format!(
            "{} {} {text}",
            message["id"],
            message["method"].as_str().unwrap()
        )
    };
    bodies.iter().map(message).collect()
}

#[test]
fn a_new_daemon_hears_what_counts_and_nothing_else() {
    let document = |method: &str, more: Value| {
        let mut params = json!({ "textDocument": { "uri": "file:///a.md", "version": 2 } });
        params["contentChanges"] = more;
        json!({ "method": format!("textDocument/{method}"), "params": params })
    };
    let change = json!([{
        "range": { "start": { "line": 0, "character": 1 }, "end": { "line": 0, "character": 2 } },
        "text": "B",
    }]);
    let open = |uri: &str| {
        let item = json!({ "uri": uri, "languageId": "markdown", "version": 1, "text": "abc" });
        json!({ "method": "textDocument/didOpen", "params": { "textDocument": item } })
    };
    let mut memory = memory(&[
        json!({ "id": 0, "method": "initialize", "params": {} }),
        json!({ "method": "initialized", "params": {} }),
        open("file:///a.md"),
        open("file:///b.md"),
        document("didChange", change),
        json!({ "method": "textDocument/didClose", "params": { "textDocument": { "uri": "file:///b.md" } } }),
        json!({ "id": "x", "method": "gliznet/tag", "params": {} }),
        json!({ "id": 7, "method": "gliznet/status" }),
    ]);
    let answer = json!({ "id": 0, "result": { "capabilities": { "positionEncoding": "utf-8" } } });
    assert_eq!(heard(&mut memory, &answer), Some(answer));
    let answer = json!({ "id": 7, "result": 1 });
    assert_eq!(heard(&mut memory, &answer), Some(answer));
    assert_eq!(memory.encoding, Encoding::Utf8);
    assert_eq!(
        told(&memory),
        [
            "\"gliznet/replay\" initialize ",
            "null initialized ",
            "null textDocument/didOpen aBc",
            "\"x\" gliznet/tag ",
        ]
    );
    let ours = json!({ "id": OURS, "result": { "capabilities": {} } });
    assert_eq!(heard(&mut memory, &ours), None);
    assert!(memory.is_owed());
}

#[test]
fn an_initialize_that_was_never_answered_is_asked_again_as_it_was() {
    let memory = memory(&[json!({ "id": 5, "method": "initialize", "params": {} })]);
    assert_eq!(told(&memory), ["5 initialize "]);
}

#[test]
fn a_document_whose_name_is_no_uri_by_the_letter_is_told_as_the_editor_spells_it() {
    let item =
        json!({ "uri": "file:///a[1].md", "languageId": "markdown", "version": 1, "text": "b" });
    let memory = memory(&[
        json!({ "id": 0, "method": "initialize", "params": {} }),
        json!({ "method": "textDocument/didOpen", "params": { "textDocument": item } }),
    ]);
    let told = values(&memory.messages());
    assert_eq!(told[1]["params"]["textDocument"]["uri"], "file:///a[1].md");
    assert_eq!(told[1]["params"]["textDocument"]["text"], "b");
}

#[test]
fn folders_are_told_as_they_are_now() {
    let folder = |uri: &str| json!({ "uri": uri, "name": "x" });
    let change = |added: Value, removed: Value| {
        let event = json!({ "added": added, "removed": removed });
        json!({ "method": "workspace/didChangeWorkspaceFolders", "params": { "event": event } })
    };
    let folders = |memory: &Memory| {
        let initialize = values(&memory.messages()).swap_remove(0);
        assert_eq!(initialize["params"]["rootUri"], Value::Null);
        let listed = initialize["params"]["workspaceFolders"].clone();
        let uri = |folder: &Value| folder["uri"].as_str().unwrap().to_owned();
        listed
            .as_array()
            .unwrap()
            .iter()
            .map(uri)
            .collect::<Vec<_>>()
    };
    let params = json!({ "rootUri": "file:///a", "workspaceFolders": [folder("file:///a")] });
    let mut several = memory(&[
        json!({ "id": 0, "method": "initialize", "params": params }),
        change(json!([folder("file:///b")]), json!([])),
    ]);
    assert_eq!(folders(&several), ["file:///a", "file:///b"]);
    several.hear_editor(change(
        json!([folder("file:///b")]),
        json!([folder("file:///a")]),
    ));
    assert_eq!(folders(&several), ["file:///b"]);
    several.hear_editor(change(json!([]), json!([folder("file:///b")])));
    assert_eq!(folders(&several), [""; 0], "not the root either");
    let root = json!({ "rootUri": "file:///a" });
    let one = memory(&[
        json!({ "id": 0, "method": "initialize", "params": root }),
        change(json!([folder("file:///b")]), json!([])),
    ]);
    assert_eq!(folders(&one), ["file:///a", "file:///b"]);
}

#[test]
fn what_does_more_the_second_time_is_refused_and_all_else_is_asked_again() {
    let mut memory = memory(&[
        json!({ "id": 1, "method": "gliznet/tag" }),
        json!({ "id": 2, "method": "workspace/executeCommand" }),
        json!({ "id": "s", "method": "gliznet/stop" }),
        json!({ "id": "c", "method": "gliznet/correct" }),
    ]);
    heard(
        &mut memory,
        &json!({ "id": 7, "method": "workspace/applyEdit" }),
    );
    // This one has not come to an edit.
    memory.hear_editor(json!({ "id": 3, "method": "workspace/executeCommand" }));
    let refused = values(&memory.lose());
    let of = |refusal: &Value| (refusal["id"].clone(), refusal["error"]["code"].clone());
    let codes: Vec<_> = refused.iter().map(of).collect();
    assert_eq!(
        codes,
        [(json!(2), json!(-32803)), (json!("s"), json!(-32803))]
    );
    assert_eq!(
        told(&memory),
        [
            "1 gliznet/tag ",
            "\"c\" gliznet/correct ",
            "3 workspace/executeCommand "
        ]
    );
    assert_eq!(memory.lose(), [[0; 0]; 0]);
}

#[test]
fn an_answer_reaches_only_the_daemon_that_asked() {
    let mut memory = Memory::default();
    let question = json!({ "id": 0, "method": "workspace/applyEdit" });
    let first = heard(&mut memory, &question).unwrap()["id"].take();
    memory.lose();
    let second = heard(&mut memory, &question).unwrap()["id"].take();
    assert_ne!(first, second);
    let answer = |id: &Value| json!({ "id": id, "result": null });
    assert_eq!(memory.answer(answer(&first)), None);
    let body = memory.answer(answer(&second)).unwrap();
    assert_eq!(values(&[body]), [answer(&json!(0))]);
    assert_eq!(memory.answer(answer(&second)), None, "it has answered");
}

#[test]
fn only_what_can_be_answered_is_owed() {
    let asked = |id: Value| memory(&[json!({ "id": id, "method": "gliznet/status" })]);
    for id in [json!(1.5), Value::Null, json!({}), json!(u64::MAX)] {
        assert!(!asked(id.clone()).is_owed(), "{id}");
    }
    assert!(asked(json!(-1)).is_owed() && asked(json!("x")).is_owed());
}

#[test]
fn a_progress_that_nobody_else_ends_is_ended() {
    let mut memory = Memory::default();
    let progress = |token: &str, kind: &str| {
        let params = json!({ "token": token, "value": { "kind": kind } });
        json!({ "jsonrpc": "2.0", "method": "$/progress", "params": params })
    };
    for (token, kind) in [
        ("a", "begin"),
        ("b", "begin"),
        ("a", "end"),
        ("b", "report"),
    ] {
        heard(&mut memory, &progress(token, kind));
    }
    assert_eq!(values(&memory.lose()), [progress("b", "end")]);
    assert_eq!(memory.lose(), [[0; 0]; 0]);
}

#[test]
fn an_editor_that_gets_no_daemon_hears_why() {
    let mut memory = memory(&[json!({ "id": 0, "method": "initialize", "params": {} })]);
    let told = values(&memory.give_up("no room"));
    assert_eq!(told[0]["params"]["message"], "gliznet: no room");
    assert_eq!(told[1]["id"], 0);
    assert_eq!(told[1]["error"]["message"], "no room");
    assert!(!memory.is_owed());
}

/// The codes of what is told, by the ids; null for a result.
fn codes(told: &[Vec<u8>]) -> Vec<(Value, Value)> {
    let code = |told: Value| (told["id"].clone(), told["error"]["code"].clone());
    values(told).into_iter().map(code).collect()
}

#[test]
fn a_place_in_a_text_that_has_changed_is_not_asked_again() {
    let of = |name: &str| json!({ "uri": format!("file:///{name}.md"), "version": 2 });
    let open = |name: &str| {
        let item =
            json!({ "uri": of(name)["uri"], "languageId": "markdown", "version": 1, "text": "a" });
        json!({ "method": "textDocument/didOpen", "params": { "textDocument": item } })
    };
    let asked = |id: u64, method: &str, name: &str| json!({ "id": id, "method": method, "params": { "textDocument": of(name) } });
    let changes = json!([{ "text": "b" }]);
    let change = json!({ "textDocument": of("a"), "contentChanges": changes });
    let mut memory = memory(&[
        open("a"),
        open("b"),
        asked(1, "textDocument/rename", "a"),
        asked(2, "textDocument/rename", "b"),
        asked(3, "gliznet/tag", "a"),
        json!({ "method": "textDocument/didChange", "params": change }),
        asked(4, "textDocument/hover", "a"),
    ]);
    assert_eq!(codes(&memory.lose()), [(json!(1), json!(-32801))]);
    let asked = memory.open.iter().map(|asked| asked.id().clone());
    assert_eq!(asked.collect::<Vec<_>>(), [json!(2), json!(3), json!(4)]);
}

#[test]
fn what_the_editor_has_withdrawn_is_not_asked_again() {
    let mut memory = memory(&[
        json!({ "id": 1, "method": "gliznet/correct" }),
        json!({ "id": 2, "method": "gliznet/correct" }),
        json!({ "method": "$/cancelRequest", "params": { "id": 1 } }),
    ]);
    assert_eq!(codes(&memory.lose()), [(json!(1), json!(-32800))]);
    assert_eq!(told(&memory), ["2 gliznet/correct "]);
}

#[test]
fn a_second_initialize_changes_nothing_and_one_that_was_refused_may_be_said_otherwise() {
    let initialize = |id: u64| json!({ "id": id, "method": "initialize", "params": { "n": id } });
    let number = |memory: &Memory| {
        let first = values(&memory.messages()).swap_remove(0);
        first["params"]["n"].clone()
    };
    let mut memory = memory(&[initialize(1)]);
    let refusal = |id: u64| json!({ "id": id, "error": { "code": -32602 } });
    heard(&mut memory, &refusal(1));
    memory.hear_editor(initialize(2));
    assert_eq!(number(&memory), 2);
    heard(
        &mut memory,
        &json!({ "id": 2, "result": { "capabilities": {} } }),
    );
    memory.hear_editor(initialize(3));
    assert_eq!(
        told(&memory),
        ["\"gliznet/replay\" initialize ", "3 initialize "]
    );
    heard(&mut memory, &refusal(3));
    assert_eq!(number(&memory), 2);
}

#[test]
fn no_daemon_is_needed_after_shutdown() {
    let item = json!({ "uri": "file:///a.md", "languageId": "markdown", "version": 1, "text": "" });
    let shutdown = json!({ "id": 2, "method": "shutdown" });
    let mut said = memory(&[
        json!({ "method": "textDocument/didOpen", "params": { "textDocument": item } }),
        json!({ "id": 1, "method": "gliznet/tag" }),
    ]);
    assert!(said.has_documents());
    assert_eq!(said.farewell(&json!({ "id": 3, "method": "x" })), None);
    said.hear_editor(shutdown.clone());
    let told = codes(&said.lose());
    assert_eq!(told, [(json!(1), json!(-32803)), (json!(2), Value::Null)]);
    assert!(!said.is_owed() && !said.has_documents());
    let told = said.farewell(&json!({ "id": 3, "method": "x" })).unwrap();
    assert_eq!(codes(&told), [(json!(3), json!(-32600))]);
    let told = said.farewell(&json!({ "method": "x" })).unwrap();
    assert_eq!(told, [[0; 0]; 0]);
    // It may be the first that an editor says of it.
    let mut unsaid = Memory::default();
    assert_eq!(
        codes(&unsaid.farewell(&shutdown).unwrap()),
        [(json!(2), Value::Null)]
    );
    assert!(unsaid.is_shut_down);
}
