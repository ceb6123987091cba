//! `gliznet tag --jsonl`: the filter that other programs talk to.

#![expect(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and takes what they share for library code"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use expect_test::expect;
use proptest::prelude::*;
use serde_json::{Value, json};

#[cfg(test)] // Clippy then knows that helpers may unwrap.
#[path = "support/gliznet.rs"]
mod gliznet;
#[cfg(test)]
#[path = "support/tagging.rs"]
mod tagging;

use gliznet::{Gliznet, Ran};
use tagging::tag_args;

const LABELS: [&str; 3] = ["--jsonl", "--labels", "bread,milk,oats"];

fn filter(args: &[&str], input: &str) -> Ran {
    Gliznet::new().tag_input(args, input.as_bytes())
}

/// The keys of an object in the order they were written.
fn keys(line: &str) -> Vec<String> {
    let mut keys: Vec<(usize, String)> = serde_json::from_str::<BTreeMap<String, Value>>(line)
        .unwrap()
        .into_keys()
        .map(|key| (line.find(&format!("\"{key}\":")).unwrap(), key))
        .collect();
    keys.sort();
    keys.into_iter().map(|(_, key)| key).collect()
}

#[test]
fn a_line_has_exactly_the_documented_keys() {
    let row = r#"{"id": "x", "text": "Bread from the oven.", "more": 1}"#;
    let short = filter(&LABELS, row);
    assert_eq!(
        keys(&short.out),
        ["id", "tags", "unscored", "windows", "model"]
    );
    let all = filter(&[&LABELS[..], &["--all"]].concat(), row);
    assert_eq!(
        keys(&all.out),
        ["id", "tags", "scores", "unscored", "windows", "model"]
    );

    let row = &all.rows()[0];
    assert_eq!((&row["id"], &row["windows"]), (&json!("x"), &json!(1)));
    assert!(
        row["model"]
            .as_str()
            .unwrap()
            .starts_with("bert-cosine-proj@")
    );
    let scores = row["scores"].as_array().unwrap();
    let labels: Vec<&Value> = scores.iter().map(|score| &score["label"]).collect();
    assert_eq!(labels, ["bread", "milk", "oats"]);
    for score in scores {
        let (logit, score) = (
            score["logit"].as_f64().unwrap(),
            score["score"].as_f64().unwrap(),
        );
        assert!((score - 1.0 / (1.0 + (-logit).exp())).abs() < 1e-6);
    }
    let tags = row["tags"].as_array().unwrap();
    assert!(!tags.is_empty());
    for tag in tags {
        assert!(tag["score"].as_f64().unwrap() >= 0.5);
        assert_eq!(tag.as_object().unwrap().len(), 2, "{tag}");
    }
}

#[test]
fn a_bad_line_gives_its_error_in_its_place_and_the_rest_goes_on() {
    let input = concat!(
        r#"{"id": 1, "text": "Bread."}"#,
        "\n",
        "not json\n",
        "\n",
        r#"{"id": 4}"#,
        "\n",
        r#"{"id": 5, "text": "half \ud83d"}"#,
        "\n",
        r#"{"id": 6, "text": 7}"#,
        "\n",
        r#"{"id": 7, "text": "Milk.", "labels": []}"#,
        "\n",
        r#"{"id": 8, "text": "Milk.", "labels": ["", " "]}"#,
        "\n",
        r#"{"id": 9, "text": "Oats."}"#,
    );
    let ran = filter(&LABELS, input);
    let mut lines: Vec<&str> = ran.out.lines().collect();
    assert!(lines[0].starts_with(r#"{"id":1,"tags":["#), "{}", lines[0]);
    assert!(lines[8].starts_with(r#"{"id":9,"tags":["#), "{}", lines[8]);
    lines.pop();
    expect![[r#"
        {"id":null,"line":2,"error":"not JSON: expected ident (column 2); each line is an object {\"id\", \"text\", \"labels\"?}"}
        {"id":null,"line":3,"error":"an empty line; each line is an object {\"id\", \"text\"}"}
        {"id":4,"line":4,"error":"no `text`; each line is an object {\"id\", \"text\", \"labels\"?}"}
        {"id":5,"line":5,"error":"half of a surrogate pair (column 31); write the character itself, or both halves as in \\ud83d\\ude00"}
        {"id":6,"line":6,"error":"`text` is a number; it must be a string"}
        {"id":7,"line":7,"error":"no labels; name at least one"}
        {"id":8,"line":8,"error":"label 1 is empty; remove it or give it a name"}"#]]
    .assert_eq(&lines[1..].join("\n"));
    assert_eq!((ran.code, ran.err.as_str()), (1, ""));
}

#[test]
fn lone_surrogates_are_named_wherever_they_stand() {
    for text in [
        r"\ud83d",
        r"\ud83d!",
        r"\ude00",
        r"\ud83d\u0041",
        r"a\udc80b",
    ] {
        let ran = filter(&LABELS, &format!("{{\"text\": \"{text}\"}}\n"));
        let error = ran.rows()[0]["error"].as_str().unwrap().to_owned();
        assert!(
            error.starts_with("half of a surrogate pair (column "),
            "{text}: {error}"
        );
    }
    let whole = filter(&LABELS, r#"{"text": "\ud83d\ude00 bread"}"#);
    assert_eq!(whole.code, 0);
}

#[test]
fn bytes_that_are_not_utf8_spoil_their_line_only() {
    let input = b"\xef\xbb\xbf{\"id\": 1, \"text\": \"Bread.\"}\r\n{\"text\": \"caf\xe9\"}\r\n{\"id\": 3, \"text\": \"a\\u0000b\"}\r\n";
    let rows = Gliznet::new().tag_input(&LABELS, input).rows();
    assert_eq!((&rows[0]["id"], &rows[2]["id"]), (&json!(1), &json!(3)));
    let error = "not UTF-8 (column 14); convert the file to UTF-8";
    assert_eq!(rows[1], json!({"id": null, "line": 2, "error": error}));
}

#[test]
fn a_row_may_bring_its_own_labels_and_any_id() {
    let input = r#"{"id": {"a": [1.5, null]}, "text": "Bread.", "labels": ["rye", "US", "us", "", "b\u0007", "rye"]}
{"text": "Bread.", "labels": null}
{"id": 18446744073709551615, "text": ""}"#;
    let ran = filter(&[&LABELS[..], &["--all"]].concat(), input);
    let rows = ran.rows();
    assert_eq!(rows[0]["id"], json!({"a": [1.5, null]}));
    let scored = |row: &Value| -> Vec<Value> {
        let scores = row["scores"].as_array().unwrap().iter();
        scores.map(|score| score["label"].clone()).collect()
    };
    assert_eq!(scored(&rows[0]), ["rye", "US"]);
    assert_eq!(rows[0]["unscored"], json!(["us", "", "b\u{7}"]));
    assert_eq!(scored(&rows[1]), ["bread", "milk", "oats"]);
    assert_eq!(rows[1]["id"], Value::Null);
    assert_eq!(rows[2]["id"], json!(u64::MAX));
    assert_eq!(rows[2]["windows"], 0, "a row without text is no fault");
    assert_eq!(rows[2]["unscored"], json!(["bread", "milk", "oats"]));
    assert_eq!(ran.code, 0);
}

#[test]
fn without_default_labels_each_line_must_bring_its_own() {
    let input = "{\"text\": \"Bread.\", \"labels\": [\"rye\"]}\n{\"text\": \"Bread.\"}\n";
    let ran = filter(&["--jsonl"], input);
    let rows = ran.rows();
    assert!(rows[0]["tags"].is_array());
    let error = "no labels; add \"labels\" to the line, or give --labels or --labelset";
    assert_eq!(rows[1]["error"], error);
    assert_eq!(ran.code, 1);
}

#[test]
fn ten_thousand_labels_and_one_of_ten_thousand_characters_are_a_row_like_any_other() {
    let mut labels: Vec<String> = (0..10_000).map(|i| format!("l{i}")).collect();
    labels[1] = "flour ".repeat(1_700).trim().to_owned();
    let row = json!({"id": 1, "text": "Bread.", "labels": labels});
    let ran = filter(&["--jsonl", "--all"], &row.to_string());
    let got = &ran.rows()[0];
    assert_eq!(got["scores"].as_array().unwrap().len(), 9_999);
    assert_eq!(got["unscored"], json!([labels[1]]));
    assert_eq!(ran.code, 0);
}

#[test]
fn a_missing_file_is_named_and_the_next_one_is_read() {
    let user = Gliznet::with(&[
        ("a.jsonl", "{\"id\": 1, \"text\": \"Bread.\"}\n"),
        ("b.jsonl", "{\"id\": 2, \"text\": \"Milk.\"}\n"),
    ]);
    let ran = user.tag(&[&LABELS[..], &["a.jsonl", "nope.jsonl", "b.jsonl", "."]].concat());
    let ids: Vec<Value> = ran.rows().iter().map(|row| row["id"].clone()).collect();
    assert_eq!(ids, [1, 2]);
    expect![[r#"
        nope.jsonl: no such file or folder; check the path
        .: a folder, not a file; name a file in it
    "#]]
    .assert_eq(&ran.said());
    assert_eq!(ran.code, 1);
}

#[test]
fn whoever_writes_a_line_and_waits_gets_the_answer() {
    let user = Gliznet::new();
    let mut command = user.command(&tag_args(&LABELS));
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    for id in 0..3 {
        // Half of the next line is on its way already: the whole one must not wait for it.
        let rest = if id == 0 { "" } else { "\"id\": " };
        let start = if id == 0 { "{\"id\": " } else { "" };
        write!(stdin, "{start}{rest}{id}, \"text\": \"Bread.\"}}\n{{").unwrap();
        stdin.flush().unwrap();
        let answer: Value = serde_json::from_str(&answers.next().unwrap().unwrap()).unwrap();
        assert_eq!(answer["id"], id);
    }
    drop(stdin);
    let last: Value = serde_json::from_str(&answers.next().unwrap().unwrap()).unwrap();
    assert_eq!(last["line"], 4, "the half line that was left: {last}");
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn a_reader_that_has_seen_enough_ends_it_quietly() {
    let user = Gliznet::new();
    let mut command = user.command(&tag_args(&LABELS));
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    drop(child.stdout.take());
    let rows = "{\"text\": \"Bread.\"}\n".repeat(1_000);
    let _ = stdin.write_all(rows.as_bytes()); // It may end before it has read all.
    drop(stdin);
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
}

/// Peak memory of the process after so many lines, in kB.
#[cfg(target_os = "linux")]
fn peak_after(lines: usize) -> u64 {
    let user = Gliznet::new();
    let mut command = user.command(&tag_args(&["--jsonl", "--labels", "bread"]));
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    let writer = std::thread::spawn(move || {
        for i in 0..lines {
            writeln!(
                stdin,
                "{{\"id\": {i}, \"text\": \"Bread.\", \"labels\": [\"l{i}\"]}}"
            )
            .unwrap();
        }
        stdin
    });
    for id in 0..lines {
        let answer = answers.next().unwrap().unwrap();
        assert!(answer.starts_with(&format!("{{\"id\":{id},")), "{answer}");
    }
    let stdin = writer.join().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    drop(stdin);
    child.wait().unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    peak.trim_end_matches("kB").trim().parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn memory_stays_flat_however_many_lines_and_label_sets_come() {
    // After 5,000 lines as many labels are kept as there is room for.
    let (full, more) = (peak_after(5_000), peak_after(20_000));
    assert!(
        more < full + 4_000,
        "{full} kB after 5000 lines, {more} kB after 20000"
    );
}

/// A line as a program might write it, good or bad.
fn line() -> impl Strategy<Value = String> {
    let words = "[a-z ]{0,60}";
    prop_oneof![
        8 => (any::<u32>(), words).prop_map(|(id, text)| json!({"id": id, "text": text}).to_string()),
        2 => (any::<u32>(), words, prop::collection::vec("[a-c]{0,2}", 0..4))
            .prop_map(|(id, text, labels)| json!({"id": id, "text": text, "labels": labels}).to_string()),
        1 => "[^\n\r]{0,20}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn every_line_has_its_answer_in_its_place(lines in prop::collection::vec(line(), 0..150)) {
        let ran = filter(&LABELS, &lines.iter().map(|line| format!("{line}\n")).collect::<String>());
        let rows = ran.rows();
        prop_assert_eq!(rows.len(), lines.len());
        for (i, (row, line)) in rows.iter().zip(&lines).enumerate() {
            match row.get("error") {
                Some(_) => prop_assert_eq!(&row["line"], i + 1),
                None => prop_assert_eq!(&row["id"], &serde_json::from_str::<Value>(line).unwrap()["id"]),
            }
        }
        let failed = rows.iter().any(|row| row.get("error").is_some());
        prop_assert_eq!(ran.code, i32::from(failed));
    }
}

#[test]
fn a_rows_result_does_not_depend_on_the_other_rows() {
    let texts = [
        "Bread.",
        "Milk from the cow, every morning.",
        "a",
        &"long words here ".repeat(90),
    ];
    let lines: Vec<String> = texts
        .iter()
        .enumerate()
        .map(|(i, text)| json!({"id": i, "text": text}).to_string() + "\n")
        .collect();
    let args = [&LABELS[..], &["--all"]].concat();
    let together = filter(&args, &lines.concat()).rows();
    for (line, together) in lines.iter().zip(&together) {
        let alone = &filter(&args, line).rows()[0];
        assert_eq!(alone["windows"], together["windows"]);
        let scores = |row: &Value| -> Vec<f64> {
            let scores = row["scores"].as_array().unwrap().iter();
            scores
                .map(|score| score["score"].as_f64().unwrap())
                .collect()
        };
        for (alone, together) in scores(alone).into_iter().zip(scores(together)) {
            assert!(
                (alone - together).abs() <= 1e-5,
                "{alone} and {together}: {line}"
            );
        }
    }
}
