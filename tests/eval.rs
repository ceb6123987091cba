//! `gliznet eval` as a user meets it: one file, a folder of sets, JSON, and bad rows.

#![expect(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and takes what they share for library code"
)]

use serde_json::Value;

#[cfg(test)] // Clippy then knows that helpers may unwrap.
#[path = "support/gliznet.rs"]
mod gliznet;

use gliznet::{Gliznet, Ran, tiny};

const ROWS: &str = r#"{"text": "Bread from the oven.", "labels": ["bread"]}
{"text": "Milk from the cow.", "labels": ["milk"]}
{"text": "Bread and milk.", "labels": ["bread", "milk"]}
{"text": "Nothing of all this.", "labels": []}
"#;
const LABELS: &str = r#"["bread", "milk", "oats"]"#;

fn suite() -> Gliznet {
    Gliznet::with(&[
        ("sets/food.jsonl", ROWS),
        ("sets/food.labels.json", LABELS),
        (
            "sets/half.jsonl",
            ROWS.split_inclusive('\n').next().unwrap(),
        ),
        ("sets/half.labels.json", LABELS),
    ])
}

fn eval(user: &Gliznet, args: &[&str]) -> Ran {
    let model = tiny().to_str().unwrap();
    user.run(&[&["eval", "--model", model, "--threads", "1"], args].concat())
}

fn done(user: &Gliznet, args: &[&str]) -> Ran {
    let ran = eval(user, args);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:#?}");
    ran
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:#?}"))
}

/// The cells of the line that begins with `name`; heads of columns hold single blanks.
fn row<'a>(table: &'a str, name: &str) -> Vec<&'a str> {
    let row = table.lines().find(|line| line.starts_with(name));
    let row = row.unwrap_or_else(|| panic!("no {name} in\n{table}"));
    let cells = row.split("  ").map(str::trim);
    cells.filter(|cell| !cell.is_empty()).collect()
}

#[test]
fn a_suite_is_a_table_with_a_mean() {
    let table = done(&suite(), &["--suite", "sets"]).out;
    let (heads, food, half) = (row(&table, "set"), row(&table, "food"), row(&table, "half"));
    assert_eq!(heads[..4], ["set", "rows", "top-1", "LRAP"]);
    assert_eq!((food[1], half[1]), ("4", "1"));
    assert_eq!(
        (food.len(), half.len()),
        (heads.len(), heads.len()),
        "{table}"
    );
    let mean = row(&table, "mean"); // Without rows and documents a second.
    assert_eq!(mean.len(), heads.len() - 2, "{table}");
    let number = |cell: &str| cell.parse::<f64>().ok();
    let mut compared = 0;
    for i in 2..heads.len() - 1 {
        if let (Some(a), Some(b), Some(mean)) =
            (number(food[i]), number(half[i]), number(mean[i - 1]))
        {
            assert!((mean - (a + b) / 2.0).abs() < 2e-3, "{}: {table}", heads[i]);
            compared += 1;
        }
    }
    assert!(compared > 5, "{table}");
    assert!(table.lines().all(|line| line.trim_end() == line), "{table}");
}

/// Every path of an object, with what stands there.
fn leaves<'a>(value: &'a Value, path: &str, all: &mut Vec<(String, &'a Value)>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                leaves(value, &format!("{path}.{key}"), all);
            }
        }
        value => all.push((path.to_owned(), value)),
    }
}

#[test]
fn json_holds_every_measure_of_the_manual() {
    let user = suite();
    user.write("labels.json", LABELS.as_bytes());
    let args = ["sets/food.jsonl", "--labels", "labels.json", "--json"];
    let measured = json(&done(&user, &args));
    let mut all = Vec::new();
    leaves(&measured, "", &mut all);
    let paths: Vec<&str> = all.iter().map(|(path, _)| path.as_str()).collect();
    for measure in [
        "precision",
        "recall",
        "f1",
        "micro",
        "macro",
        "default",
        "best",
        "lrap",
        "top_1",
        "mcc",
        "roc_auc",
        "hamming",
        "calibration",
        "documents_per_second",
        "model",
        "bad_rows",
    ] {
        assert!(
            paths.iter().any(|path| path.contains(measure)),
            "{measure}: {paths:#?}"
        );
    }
    assert_eq!(measured["bad_rows"], 0);
    let suite = json(&done(&user, &["--suite", "sets", "--json"]));
    assert_eq!(suite["sets"].as_array().unwrap().len(), 2);
    assert!(suite["mean"].is_object());
}

#[test]
fn text_and_json_say_the_same() {
    let user = suite();
    let text = done(&user, &["sets/food.jsonl"]).out;
    let measured = json(&done(&user, &["sets/food.jsonl", "--json"]));
    let mut all = Vec::new();
    leaves(&measured, "", &mut all);
    let (_, lrap) = all.iter().find(|(path, _)| path.ends_with("lrap")).unwrap();
    let shown: f64 = row(&text, "  LRAP")[1].parse().unwrap();
    assert!((shown - lrap.as_f64().unwrap()).abs() < 1e-4, "{text}");
}

#[test]
fn bad_rows_are_named_the_others_measured_and_the_exit_code_says_so() {
    let user = suite();
    let rows =
        format!("{{\"text\": 1}}\n{ROWS}not json\n{{\"text\": \"x\", \"labels\": [\"wine\"]}}\n");
    user.write("bad.jsonl", rows.as_bytes());
    user.write("labels.json", LABELS.as_bytes());
    let ran = eval(&user, &["bad.jsonl", "--labels", "labels.json", "--json"]);
    assert_eq!(ran.code, 1, "{ran:#?}");
    assert_eq!(json(&ran)["bad_rows"], 3);
    let places: Vec<&str> = ran
        .err
        .lines()
        .map(|line| line.split(':').nth(2).unwrap())
        .collect();
    assert_eq!(places, ["1", "6", "7"], "{}", ran.err);
    assert!(
        ran.err
            .lines()
            .all(|line| line.starts_with("gliznet: bad.jsonl:")),
        "{}",
        ran.err
    );
}

#[test]
fn gzipped_rows_are_read() {
    let user = suite();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut gzip, ROWS.as_bytes()).unwrap();
    user.write("rows.jsonl.gz", &gzip.finish().unwrap());
    let of = |file: &str| {
        let mut measured = json(&done(&user, &[file, "--json"]));
        for changing in ["name", "documents_per_second"] {
            measured.as_object_mut().unwrap().remove(changing);
        }
        measured
    };
    assert_eq!(of("rows.jsonl.gz"), of("sets/food.jsonl"));
}

#[test]
fn multi_class_counts_classes() {
    let user = Gliznet::with(&[(
        "rows.jsonl",
        "{\"text\": \"Bread.\", \"labels\": [\"bread\"]}\n{\"text\": \"Milk.\", \"labels\": [\"milk\"]}\n",
    )]);
    let ran = done(&user, &["rows.jsonl", "--multi-class"]);
    assert!(ran.out.contains("macro-F1 of classes"), "{}", ran.out);
}

#[test]
fn what_cannot_be_measured_is_refused_with_a_sentence() {
    let user = Gliznet::with(&[
        ("empty.jsonl", ""),
        ("rows.jsonl", ROWS),
        ("labels.json", "{}"),
    ]);
    for (args, code, words) in [
        (&["nope.jsonl"][..], 1, "nope.jsonl"),
        (&["empty.jsonl"], 1, "empty.jsonl"),
        (&["rows.jsonl", "--labels", "labels.json"], 1, "labels.json"),
        (&["rows.jsonl", "--threshold", "2"], 2, "from 0 to 1"),
        (&["--suite", "nope"], 1, "nope"),
        (&[], 2, "DATA"),
    ] {
        let ran = eval(&user, args);
        assert_eq!(ran.code, code, "{args:?}: {ran:#?}");
        assert!(ran.err.contains(words), "{args:?}: {}", ran.err);
        assert_eq!(ran.out, "");
    }
}
