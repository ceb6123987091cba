//! Which labels are offered where a tag is written, and in which order.

use serde_json::json;

use crate::editor::Home;
use crate::{LABELS, at, plain};

#[test]
fn completion_offers_the_set_best_first_wherever_a_tag_is_written() {
    let home = Home::new(&LABELS);
    let text = "---\ntags: [ta]\nmore: x\n---\nText #t\n";
    let (mut editor, uri) = plain(&home, text);
    let tag = json!({ "textDocument": { "uri": uri }, "all": true });
    let scores = editor.request("gliznet/tag", tag).unwrap()["scores"].take();
    let mut ranked: Vec<(f64, String)> = scores
        .as_array()
        .unwrap()
        .iter()
        .map(|s| {
            (
                s["score"].as_f64().unwrap(),
                s["label"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut complete = |line, column| {
        let list = editor
            .request("textDocument/completion", at(&uri, line, column))
            .unwrap();
        let mut items = list["items"].as_array().cloned().unwrap_or_default();
        items.sort_by_key(|item| item["sortText"].as_str().unwrap().to_owned());
        items
    };
    let items = complete(1, 9);
    let labels: Vec<&str> = items
        .iter()
        .map(|item| item["label"].as_str().unwrap())
        .collect();
    let best: Vec<&str> = ranked.iter().map(|(_, label)| label.as_str()).collect();
    assert_eq!(labels, best);
    assert!(items[0]["detail"].as_str().unwrap().ends_with(" %"));
    let range = &items[0]["textEdit"]["range"];
    assert_eq!(range["start"]["character"], 7);
    assert_eq!(range["end"]["character"], 9);
    let in_body = complete(4, 7);
    assert!(
        in_body[0]["textEdit"]["newText"]
            .as_str()
            .unwrap()
            .starts_with('#')
    );
    assert!(complete(2, 7).is_empty());
    assert_eq!(editor.quit(), 0);
}

#[test]
fn completion_in_the_settings_leaves_out_what_stands_there_already() {
    let home = Home::new(&LABELS);
    let text = "---\ntags: [Garden, tax, ]\n---\nText #g\n";
    let (mut editor, uri) = plain(&home, text);
    let mut complete = |line, column| {
        let list = editor
            .request("textDocument/completion", at(&uri, line, column))
            .unwrap();
        let items = list["items"].as_array().cloned().unwrap_or_default();
        let labels = items.iter().map(|item| item["label"].as_str().unwrap());
        let mut labels: Vec<String> = labels.map(str::to_owned).collect();
        labels.sort();
        labels
    };
    assert_eq!(complete(1, 20), ["travel"]);
    // What is being written is still to be chosen.
    assert_eq!(complete(1, 18), ["tax", "travel"]);
    // A text may name its tags once more.
    assert_eq!(complete(3, 7), LABELS);
    assert_eq!(editor.quit(), 0);
}
