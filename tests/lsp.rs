//! The language server, with the real program and a scripted client: order, encodings, the
//! methods `gliznet/*`, cancellation, and every example of `docs/protocol.md`.

#![cfg(test)]
#![cfg(unix)]

#[path = "support/editor.rs"]
#[expect(dead_code, reason = "shared with other tests, each uses a part")]
mod editor;

use editor::{Editor, Home};
use serde_json::{Value, json};

const LABELS: [&str; 3] = ["garden", "tax", "travel"];

fn session(home: &Home) -> Editor {
    let mut editor = home.editor();
    editor.initialize(json!({}));
    editor
}

fn labels(result: &Value) -> Vec<&str> {
    let tags = result["tags"].as_array().unwrap();
    tags.iter()
        .map(|tag| tag["label"].as_str().unwrap())
        .collect()
}

#[test]
fn every_example_of_the_protocol_is_true() {
    let home = Home::new(&LABELS);
    let mut editor = home.editor();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/protocol.md");
    let document = std::fs::read_to_string(path).unwrap();
    let notes = home.uri("");
    let document = document.replace("file:///notes", notes.trim_end_matches('/'));
    std::fs::write(home.path("notes/beds.md"), "# Beds\n\nCompost.\n").unwrap();
    let mut asked = None;
    let mut replayed = 0;
    for line in document.lines() {
        if let Some(message) = line.strip_prefix("--> ") {
            let message: Value = serde_json::from_str(message).unwrap();
            let (method, params) = (message["method"].as_str().unwrap(), &message["params"]);
            let asks = ["initialize", "workspace/executeCommand"];
            let is_request = asks.contains(&method) || method.starts_with("gliznet/");
            if is_request {
                asked = Some(editor.ask(method, params.clone()));
            } else {
                editor.notify(method, params.clone());
            }
        } else if let Some(message) = line.strip_prefix("<-- ") {
            let message: Value = serde_json::from_str(message).unwrap();
            let (expected, actual) = match message["method"].as_str() {
                Some(method) => (&message["params"], editor.notified(method)),
                None => {
                    let id = asked.take().expect("an answer follows its question");
                    let answer = editor.answer(id).unwrap_or_else(|e| panic!("{line}: {e}"));
                    (&message["result"], answer)
                }
            };
            if let Some(difference) = unlike(expected, &actual, "") {
                panic!("{line}\n{difference}\nin {actual:#}");
            }
            replayed += 1;
        }
    }
    assert_eq!(replayed, 16);
}

/// How `actual` differs in its fields and their kinds; of a list the first element counts.
fn unlike(expected: &Value, actual: &Value, at: &str) -> Option<String> {
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => {
            let keys: Vec<&String> = expected.keys().chain(actual.keys()).collect();
            keys.into_iter().find_map(|key| {
                let at = format!("{at}.{key}");
                match (expected.get(key), actual.get(key)) {
                    (Some(expected), Some(actual)) => unlike(expected, actual, &at),
                    (Some(_), None) => Some(format!("{at} is not there")),
                    (None, _) => Some(format!("{at} is not documented")),
                }
            })
        }
        (Value::Array(expected), Value::Array(actual)) => {
            match (expected.first(), actual.first()) {
                (Some(expected), Some(actual)) => unlike(expected, actual, &format!("{at}[0]")),
                (None, None) => None,
                _ => Some(format!("{at} is empty on one side only")),
            }
        }
        (Value::String(_), Value::String(_))
        | (Value::Number(_), Value::Number(_))
        | (Value::Bool(_), Value::Bool(_))
        | (Value::Null, Value::Null) => None,
        _ => Some(format!("{at} is {actual}, and documented as {expected}")),
    }
}

#[test]
fn initialize_is_answered_while_the_model_cannot_even_be_found() {
    let home = Home::new(&LABELS);
    home.configure("model = 'no-such-model'\nlabelset = 'set.toml'\n");
    let mut editor = home.editor();
    let answer = editor.initialize(json!({}));
    assert_eq!(answer["capabilities"]["positionEncoding"], "utf-16");
    let error = editor
        .request("gliznet/tag", json!({ "text": "Roses" }))
        .unwrap_err();
    assert_eq!(error["code"], -32803);
    assert!(
        error["message"].as_str().unwrap().contains("no-such-model"),
        "{error}"
    );
    // A correction needs no model.
    let params = json!({ "text": "Roses", "accepted": ["garden"] });
    let recorded = editor.request("gliznet/correct", params).unwrap();
    assert_eq!(recorded["sequence"], 1);
    assert_eq!(home.status()["model"]["state"], "failed");
    assert_eq!(editor.quit(), 0);
}

#[test]
fn edits_hold_in_the_order_they_were_sent_however_many() {
    let home = Home::new(&LABELS);
    let mut editor = session(&home);
    let uris: Vec<String> = (0..8).map(|i| home.uri(&format!("{i}.md"))).collect();
    for uri in &uris {
        editor.open(uri, "");
    }
    // Each edit puts one letter at the end of what the edits before made.
    let letter = |i: u32| char::from(b'a' + (i % 26) as u8).to_string();
    for i in 0..1_000 / 8 {
        for uri in &uris {
            let end = json!({ "line": 0, "character": i });
            let edit = json!([{ "range": { "start": end, "end": end }, "text": letter(i) }]);
            editor.change(uri, i as i32 + 2, edit);
        }
    }
    let expected: String = (0..1_000 / 8).map(letter).collect();
    let text = json!({ "text": expected, "format": "markdown", "all": true });
    let same = editor.request("gliznet/tag", text).unwrap();
    for uri in &uris {
        let params = json!({ "textDocument": { "uri": uri }, "all": true });
        let tagged = editor.request("gliznet/tag", params).unwrap();
        assert_eq!(tagged["version"], 126);
        assert_eq!(tagged["cached"], true, "the text is another one");
        assert_eq!(tagged["scores"], same["scores"]);
    }
    assert_eq!(editor.quit(), 0);
}

#[test]
fn open_requests_do_not_stop_the_reader() {
    let home = Home::new(&LABELS);
    let mut editor = session(&home);
    // Far more than handlers may run at once in tower-lsp, each with a text of its own.
    let asked: Vec<u64> = (0..200)
        .map(|i| {
            let text = format!("Note {i}. {}", "Roses need pruning in March. ".repeat(20));
            editor.ask("gliznet/tag", json!({ "text": text }))
        })
        .collect();
    for id in &asked {
        editor.notify("$/cancelRequest", json!({ "id": id }));
    }
    editor.request("gliznet/status", json!({})).unwrap();
    let mut cancelled = 0;
    for id in asked {
        match editor.answer(id) {
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error["code"], -32800, "{error}");
                cancelled += 1;
            }
        }
    }
    assert!(cancelled > 0);
    assert_eq!(editor.quit(), 0);
}

#[test]
fn a_full_queue_says_so_and_recovers() {
    let home = Home::new(&LABELS);
    let mut editor = session(&home);
    let asked: Vec<u64> = (0..900)
        .map(|i| {
            let text = format!("Note {i}. {}", "Roses need pruning in March. ".repeat(40));
            editor.ask("gliznet/tag", json!({ "text": text }))
        })
        .collect();
    let answers: Vec<_> = asked.into_iter().map(|id| editor.answer(id)).collect();
    let refused = answers.iter().filter_map(|answer| answer.as_ref().err());
    let codes: Vec<&Value> = refused.map(|error| &error["code"]).collect();
    assert!(!codes.is_empty(), "nothing was refused");
    assert!(
        codes.iter().all(|code| **code == json!(-32802)),
        "{codes:?}"
    );
    assert!(answers.iter().any(Result::is_ok));
    editor
        .request("gliznet/tag", json!({ "text": "Roses" }))
        .unwrap();
    assert_eq!(editor.quit(), 0);
}

#[test]
fn a_rejected_label_never_comes_back_for_its_document() {
    let home = Home::new(&LABELS);
    let mut editor = session(&home);
    let uri = home.uri("a.md");
    let document = json!({ "uri": uri });
    editor.open(&uri, "Roses.\n");
    assert_eq!(labels(&editor.notified("gliznet/tagsChanged")).len(), 3);
    let params = json!({ "textDocument": document, "rejected": ["TAX"], "accepted": ["travel"] });
    let recorded = editor.request("gliznet/correct", params).unwrap();
    assert_eq!(recorded["rejected"], json!(["tax"]));
    let told = editor.notified("gliznet/tagsChanged");
    assert_eq!(labels(&told), ["travel", "garden"]);
    assert_eq!(told["tags"][0]["origin"], "you");
    // Another text, another daemon, another spelling of the same name.
    let pid = home.status()["pid"].take();
    home.kill(&pid);
    editor.replace(&uri, 2, "Other words entirely.\n");
    let tag = |uri: &str| json!({ "textDocument": { "uri": uri } });
    let tagged = editor.request("gliznet/tag", tag(&uri)).unwrap();
    assert_eq!(labels(&tagged), ["travel", "garden"]);
    let spelt = uri.replace("a.md", "%61.md");
    editor.open(&spelt, "Roses.\n");
    let tagged = editor.request("gliznet/tag", tag(&spelt)).unwrap();
    assert_eq!(labels(&tagged), ["travel", "garden"]);
    // Other documents are not concerned.
    let other = home.uri("b.md");
    editor.open(&other, "Roses.\n");
    let tagged = editor.request("gliznet/tag", tag(&other)).unwrap();
    assert_eq!(labels(&tagged).len(), 3);
    assert_eq!(editor.quit(), 0);
}

#[test]
fn an_acknowledged_correction_survives_a_killed_daemon() {
    let home = Home::new(&LABELS);
    let mut editor = session(&home);
    let mut acknowledged = 0;
    for round in 0..3 {
        for i in 0..5 {
            let params = json!({ "text": format!("{round} {i} 🌱"), "accepted": ["garden"] });
            acknowledged = editor.request("gliznet/correct", params).unwrap()["sequence"]
                .as_u64()
                .unwrap();
        }
        // More are on their way when it dies.
        for i in 0..5 {
            let params = json!({ "text": format!("{round} late {i}"), "rejected": ["tax"] });
            editor.ask("gliznet/correct", params);
        }
        let pid = home.status()["pid"].take();
        home.kill(&pid);
        let journal = std::fs::read_to_string(home.path("data/corrections.jsonl")).unwrap();
        let whole = journal
            .lines()
            .filter(|line| serde_json::from_str::<Value>(line).is_ok());
        assert!(whole.count() as u64 >= acknowledged);
        assert_eq!(journal.matches(&format!("{round} 4 🌱")).count(), 1);
    }
    assert!(acknowledged >= 15);
    assert_eq!(editor.quit(), 0);
}

#[test]
fn two_editors_share_one_model_and_one_cache_but_no_documents() {
    let home = Home::new(&LABELS);
    let (mut first, mut second) = (session(&home), session(&home));
    let uri = home.uri("a.md");
    first.open(&uri, "Roses in the garden.\n");
    second.open(&uri, "Other words.\n");
    let params = json!({ "textDocument": { "uri": uri }, "all": true });
    let one = first.request("gliznet/tag", params.clone()).unwrap();
    let two = second.request("gliznet/tag", params.clone()).unwrap();
    assert_ne!(one["scores"], two["scores"]);
    second.replace(&uri, 2, "Roses in the garden.\n");
    let two = second.request("gliznet/tag", params).unwrap();
    assert_eq!(
        (&two["scores"], &two["cached"]),
        (&one["scores"], &json!(true))
    );
    assert_eq!(first.quit(), 0);
    second.request("gliznet/status", json!({})).unwrap();
    assert_eq!(second.vanish(), 1);
}

#[test]
fn what_makes_no_sense_is_answered_with_its_cure() {
    let home = Home::new(&LABELS);
    let mut editor = session(&home);
    let mut error = |method: &str, params: Value| {
        let error = editor.request(method, params).unwrap_err();
        (
            error["code"].as_i64().unwrap(),
            error["message"].as_str().unwrap().to_owned(),
        )
    };
    let unknown = json!({ "textDocument": { "uri": "file:///no.md" } });
    let (code, message) = error("gliznet/tag", unknown);
    assert_eq!(code, -32602);
    assert!(message.contains("is not open"), "{message}");
    for params in [
        json!({}),
        json!({ "text": "a", "textDocument": { "uri": "file:///a.md" } }),
        json!({ "text": 5 }),
        json!({ "text": "a", "threshold": 7 }),
        json!({ "text": "a", "format": "docx" }),
        json!({ "text": "a", "labels": ["x"], "labelset": "gtd" }),
        json!({ "textDocument": { "uri": "no uri at all" } }),
    ] {
        assert_eq!(error("gliznet/tag", params.clone()).0, -32602, "{params}");
    }
    let (code, message) = error("gliznet/tag", json!({ "text": "a", "labelset": "emotion" }));
    assert_eq!(code, -32803);
    assert!(message.contains("did you mean `emotions`?"), "{message}");
    let (code, message) = error(
        "gliznet/correct",
        json!({ "text": "a", "accepted": ["gardn"] }),
    );
    assert_eq!(code, -32602);
    assert!(message.contains("did you mean `garden`?"), "{message}");
    let (code, message) = error("gliznet/watch", json!({ "action": "add", "path": "notes" }));
    assert_eq!(code, -32803);
    assert!(message.contains("from the root"), "{message}");
    // What needs no parameters takes none.
    let (code, message) = error("gliznet/review", Value::Null);
    assert_eq!(code, -32803);
    assert!(message.contains("no folder is open"), "{message}");
    // Notifications without sense change nothing and end nothing.
    let place = json!({ "line": 9, "character": 4_294_967_295_u32 });
    let edit = json!([{ "range": { "start": place, "end": place }, "text": "x" }]);
    editor.change("file:///no.md", 2, edit.clone());
    editor.notify("textDocument/didOpen", json!({ "textDocument": 5 }));
    editor.notify("no/such", json!({}));
    editor.open("untitled:Untitled-1", "Roses");
    editor.change("untitled:Untitled-1", 2, edit);
    let params = json!({ "textDocument": { "uri": "untitled:Untitled-1" } });
    assert_eq!(editor.request("gliznet/tag", params).unwrap()["version"], 2);
    assert_eq!(editor.quit(), 0);
}

#[test]
fn the_bundled_model_answers_over_the_socket() {
    let home = Home::new(&LABELS);
    home.configure("");
    let mut editor = session(&home);
    let params = json!({
        "text": "The tulips and roses in the flower bed need water and pruning.",
        "labels": ["gardening", "taxes"],
        "all": true,
    });
    let tagged = editor.request("gliznet/tag", params).unwrap();
    let score = |i: usize| tagged["scores"][i]["score"].as_f64().unwrap();
    assert!(score(0) > score(1), "{tagged}");
    assert!(
        tagged["model"]
            .as_str()
            .unwrap()
            .starts_with("gliznet-minilm-l6@")
    );
    assert_eq!(editor.quit(), 0);
}
