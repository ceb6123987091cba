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

/// The same where a list of labels lies beside the data, which is told.
fn done_with_list(user: &Gliznet, args: &[&str]) -> Ran {
    let ran = eval(user, args);
    assert_eq!(ran.code, 0, "{ran:#?}");
    assert!(
        ran.err.contains("against the labels of") && ran.err.lines().count() == 1,
        "{ran:#?}"
    );
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
fn a_folder_in_the_place_of_a_file_is_told_the_option_for_folders() {
    let ran = eval(&suite(), &["sets"]);
    assert_eq!(ran.code, 2, "{ran:#?}");
    assert_eq!(
        ran.err,
        "gliznet: sets: a folder; `--suite sets` measures all sets in it\n"
    );
}

#[test]
fn text_and_json_say_the_same() {
    let user = suite();
    let text = done_with_list(&user, &["sets/food.jsonl"]).out;
    let measured = json(&done_with_list(&user, &["sets/food.jsonl", "--json"]));
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
fn labels_that_cannot_be_scored_are_named_once_and_the_exit_code_says_so() {
    let long = "word ".repeat(600);
    let rows = format!(
        "{ROWS}{{\"text\": \"Oats.\", \"labels\": [\"oa\\u200bts\", \"{}\"]}}\n",
        long.trim()
    );
    let user = Gliznet::with(&[("rows.jsonl", &rows)]);
    let ran = eval(&user, &["rows.jsonl", "--json"]);
    assert_eq!(ran.code, 1, "{ran:#?}");
    let lines: Vec<&str> = ran.err.lines().collect();
    assert_eq!(lines.len(), 2, "{ran:#?}");
    assert!(
        lines.iter().all(|line| line.contains("counted as absent")),
        "{lines:?}"
    );
    assert!(
        lines[0].contains("U+200B") && lines[1].contains("tokens long"),
        "{lines:?}"
    );
    let measured = json(&ran);
    assert_eq!(measured["unscored"].as_array().unwrap().len(), 2);
    assert_eq!(measured["bad_rows"], 0);
    let args = ["sets/food.jsonl", "--json"];
    assert_eq!(
        json(&done_with_list(&suite(), &args))["unscored"],
        serde_json::json!([])
    );
}

#[test]
fn one_set_without_a_usable_row_does_not_cost_the_others_their_table() {
    let user = suite();
    user.write("sets/bad.jsonl", b"rubbish\n");
    user.write("sets/bad.labels.json", LABELS.as_bytes());
    let ran = eval(&user, &["--suite", "sets"]);
    assert_eq!(ran.code, 1, "{ran:#?}");
    assert!(
        ran.err.contains("sets/bad.jsonl: no usable row"),
        "{}",
        ran.err
    );
    assert_eq!(row(&ran.out, "food")[1], "4");
    std::fs::remove_file(user.path("sets/food.jsonl")).unwrap();
    std::fs::remove_file(user.path("sets/food.labels.json")).unwrap();
    std::fs::remove_file(user.path("sets/half.jsonl")).unwrap();
    std::fs::remove_file(user.path("sets/half.labels.json")).unwrap();
    let ran = eval(&user, &["--suite", "sets"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
}

#[test]
fn one_faulty_set_of_a_suite_does_not_cost_the_others_their_table() {
    let user = suite();
    user.write("sets/none.jsonl", ROWS.as_bytes());
    user.write("sets/odd.jsonl", ROWS.as_bytes());
    user.write("sets/odd.labels.json", b"[");
    let ran = eval(&user, &["--suite", "sets"]);
    assert_eq!(ran.code, 1, "{ran:#?}");
    assert_eq!(row(&ran.out, "food")[1], "4");
    assert!(
        ran.err.contains("add none.labels.json") && ran.err.contains("sets/odd.labels.json:1:"),
        "{}",
        ran.err
    );
}

#[test]
fn labels_that_lie_beside_the_data_are_those_it_is_scored_against() {
    let user = Gliznet::with(&[
        ("two.jsonl", ROWS),
        (
            "two.labels.json",
            r#"["bread", "milk", "oats", "rain", "sea"]"#,
        ),
    ]);
    let ran = done_with_list(&user, &["two.jsonl", "--json"]);
    assert!(
        ran.err
            .contains("rows of two.jsonl are scored against the labels of two.labels.json"),
        "{}",
        ran.err
    );
    user.write(
        "elsewhere.json",
        &std::fs::read(user.path("two.labels.json")).unwrap(),
    );
    let given = done(
        &user,
        &["two.jsonl", "--labels", "elsewhere.json", "--json"],
    );
    for measure in ["lrap", "decisions", "at_default", "roc_auc"] {
        assert_eq!(json(&ran)[measure], json(&given)[measure], "{measure}");
    }
    // Four rows, each against five labels.
    assert_eq!(json(&ran)["decisions"], 20);
}

#[test]
fn a_file_without_a_usable_row_is_told_with_its_faults() {
    let user = Gliznet::with(&[("rows.jsonl", "{\"text\": \"a b\", \"label\": \"x\"}\n")]);
    let ran = eval(&user, &["rows.jsonl"]);
    assert_eq!(ran.code, 1, "{ran:#?}");
    assert!(ran.err.contains("rows.jsonl:1: no `labels`"), "{}", ran.err);
}

#[test]
fn a_calibration_goes_beside_its_model_and_of_the_bundled_one_where_one_says() {
    let user = suite();
    for file in std::fs::read_dir(tiny()).unwrap() {
        let file = file.unwrap();
        let name = format!("model/{}", file.file_name().display());
        user.write(&name, &std::fs::read(file.path()).unwrap());
    }
    let calibrate = |more: &[&str]| {
        let args = ["model", "calibrate", "sets/food.jsonl", "--threads", "1"];
        user.run(&[&args, more].concat())
    };
    let ran = calibrate(&["--model", "model"]);
    assert_eq!(ran.code, 0, "{ran:#?}");
    assert!(
        ran.out.contains("written to model/calibration.json"),
        "{}",
        ran.out
    );
    assert!(user.path("model/calibration.json").exists());
    let ran = calibrate(&[]);
    assert_eq!(ran.code, 2, "{ran:#?}");
    assert!(ran.err.contains("--out FILE"), "{}", ran.err);
    assert!(!user.path("calibration.json").exists());
}

#[test]
fn gzipped_rows_are_read() {
    let user = suite();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut gzip, ROWS.as_bytes()).unwrap();
    user.write("rows.jsonl.gz", &gzip.finish().unwrap());
    user.write("rows.labels.json", LABELS.as_bytes());
    let of = |file: &str| {
        let mut measured = json(&done_with_list(&user, &[file, "--json"]));
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
