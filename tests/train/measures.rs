//! What is measured while training, and what is kept for it.

use serde_json::Value;

use crate::here::{Here, RECIPE};

const MODEL: &str = "bert-isolated-proj";

#[test]
fn it_measures_in_between_keeps_the_best_and_draws_a_report() {
    let more = "[evaluation]\nevery = 3\nholdout = 0.4\nmetric = \"loss\"\n";
    let here = Here::new(&format!("{RECIPE}{more}"));
    let (code, said) = here.run("bert-isolated-proj", "out", &[]);
    assert_eq!(code, Some(0), "{said}");
    let told = said
        .lines()
        .find_map(|line| line.strip_prefix("step 3: measured "));
    let loss = told.and_then(|told| told.split([',', ' ']).next()?.parse::<f64>().ok());
    assert!(loss.is_some_and(|loss| loss > 0.0), "{said}");
    let evaluations: Vec<Value> = here
        .metrics("out")
        .into_iter()
        .filter(|line| line.get("evaluation").is_some())
        .collect();
    assert_eq!(evaluations.len(), 4);
    // The rows say which labels are theirs, and the others of the file are wrong: a model of random
    // weights cannot rank them all.
    let lrap = evaluations[0]["evaluation"]["holdout"]["lrap"].as_f64();
    assert!(
        lrap.is_some_and(|lrap| 0.0 < lrap && lrap < 1.0),
        "{lrap:?}"
    );
    // A loss is told as it is, and the smallest is the best.
    let best = evaluations.iter().min_by(|a, b| {
        a["metric"]
            .as_f64()
            .unwrap()
            .total_cmp(&b["metric"].as_f64().unwrap())
    });
    let best = best.unwrap();
    assert_eq!(best["metric"], best["evaluation"]["holdout"]["loss"]);
    assert!(best["metric"].as_f64().is_some_and(|loss| loss > 0.0));
    let step = best["step"].as_u64().unwrap();
    let kept = here
        .0
        .path()
        .join(format!("out/checkpoints/step-{step:08}/model.safetensors"));
    assert_eq!(std::fs::read(kept).unwrap(), here.weights("out"));
    let report = std::fs::read_to_string(here.0.path().join("out/report.html")).unwrap();
    assert!(report.matches("<svg").count() >= 7, "{report}");
    assert!(
        report.contains("reliability") && report.contains("<td>wind</td>"),
        "{report}"
    );
    assert!(!report.contains("src=") && !report.contains("href="));
}

#[test]
fn what_ends_a_training_early_and_which_step_the_result_is_of_are_told() {
    // What is learnt is next to nothing, so that the first evaluation stays the best.
    let recipe = RECIPE.replace("2e-3", "1e-9");
    let more = "[evaluation]\nevery = 3\nfiles = \"rows.jsonl\"\n";
    let here = Here::new(&format!("{recipe}{more}patience = 2\n"));
    let (code, said) = here.run(MODEL, "out", &[]);
    let told = "ended after step 9 of 12: none of the last 2 evaluations was better; the result is that of step 3";
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(told), "{said}");
    let here = Here::new(&format!("{recipe}{more}"));
    let (_, said) = here.run(MODEL, "out", &[]);
    assert!(
        said.contains("the result is that of step 3, the best that was measured"),
        "{said}"
    );
}

#[test]
fn where_quiet_was_asked_for_no_measure_is_told() {
    let more = "[evaluation]\nevery = 3\nholdout = 0.4\n";
    let here = Here::new(&format!("{RECIPE}{more}"));
    let (code, said) = here.run(MODEL, "out", &["--quiet"]);
    assert_eq!((code, said.as_str()), (Some(0), ""));
}

#[test]
fn where_nothing_is_measured_the_report_tells_of_rows_that_were_trained_on_and_says_so() {
    let here = Here::new(RECIPE);
    here.done(MODEL, "out", &[]);
    let report = std::fs::read_to_string(here.0.path().join("out/report.html")).unwrap();
    assert!(
        report.contains("<h2>rows it was trained on</h2>") && report.contains("6 rows; LRAP "),
        "{report}"
    );
    assert!(
        report.contains("No row was held out")
            && report.contains("reliability")
            && report.contains("<td>wind</td>"),
        "{report}"
    );
    assert_eq!(
        here.metrics("out").len(),
        12,
        "nothing but the steps is on record"
    );
}

/// The recipe measured on `rows` in a file of its own.
fn measured_on(metric: &str, rows: &str) -> Here {
    let more = format!("[evaluation]\nevery = 3\nfiles = \"test.jsonl\"\nmetric = \"{metric}\"\n");
    let here = Here::new(&format!("{RECIPE}{more}"));
    here.write("test.jsonl", rows.as_bytes());
    here
}

const ALL_TRUE: &str = r#"{"text": "Bread.", "labels": ["bread"]}
{"text": "A loaf.", "labels": ["bread"]}
"#;

#[test]
fn what_any_model_has_right_is_no_measure() {
    for metric in ["lrap", "f1"] {
        let here = measured_on(metric, ALL_TRUE);
        let said = here.stops(MODEL, "out", &[]);
        assert!(
            said.contains(&format!("\"{metric}\"")) && said.contains("2 rows"),
            "{said}"
        );
    }
}

#[test]
fn one_label_that_some_rows_lack_can_be_decided_and_not_ranked() {
    let rows = format!("{ALL_TRUE}{{\"text\": \"Rain.\", \"labels\": []}}\n");
    let here = measured_on("f1", &rows);
    here.done(MODEL, "out", &[]);
    let metrics = here.metrics("out");
    let evaluation = metrics.iter().find(|line| line.get("evaluation").is_some());
    let test = &evaluation.unwrap()["evaluation"]["test"];
    assert!(test["lrap"].is_null() && test["f1"].is_f64(), "{test}");
    let report = std::fs::read_to_string(here.0.path().join("out/report.html")).unwrap();
    assert!(
        report.contains("3 rows; LRAP –, best micro-F1 0."),
        "{report}"
    );
}

#[test]
fn a_faulty_row_of_a_measured_file_is_named() {
    let rows =
        "{\"text\": \"Bread.\", \"labels\": [\"bread\"], \"not_labels\": [\"sea\"]}\nrubbish\n";
    let here = measured_on("lrap", rows);
    let (code, said) = here.run(MODEL, "out", &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("test.jsonl:2:") && said.contains("1 faulty rows"),
        "{said}"
    );
}

#[test]
fn a_hold_out_that_catches_no_row_is_told_at_once() {
    let more = "[evaluation]\nevery = 3\nholdout = 0.0001\nmetric = \"loss\"\n";
    let here = Here::new(&format!("{RECIPE}{more}"));
    let said = here.stops(MODEL, "out", &[]);
    assert!(said.contains("raise `evaluation.holdout`"), "{said}");
    assert!(!here.0.path().join("out/model").exists());
}

#[test]
fn rows_without_any_label_are_held_out_without_harm() {
    let here = Here::new(&format!(
        "{}[evaluation]\nholdout = 0.5\n",
        RECIPE.replace("\"rows.jsonl\"", "[\"rows.jsonl\", \"none.jsonl\"]")
    ));
    let none: Vec<String> = (0..8)
        .map(|n| format!("{{\"text\": \"Nothing {n}.\", \"labels\": []}}\n"))
        .collect();
    here.write("none.jsonl", none.concat().as_bytes());
    let (code, said) = here.run(MODEL, "out", &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("no row of this file has a label"), "{said}");
    assert!(said.contains("8 faulty rows"), "{said}");
}

#[test]
fn its_own_output_is_nobodys_data() {
    let recipe = RECIPE.replace("\"rows.jsonl\"", "\"./**/*.jsonl\"");
    let here = Here::new(&recipe.replace("[labels]", "[labels]\nforeign = 0.5"));
    here.done(MODEL, "out", &[]);
    let whole = here.weights("out");
    std::fs::remove_dir_all(here.0.path().join("out/checkpoints/step-00000012")).unwrap();
    here.done(MODEL, "out", &["--resume"]);
    assert_eq!(here.weights("out"), whole);
}

#[test]
fn a_model_whose_answers_are_no_numbers_is_no_result() {
    let more = "[evaluation]\nevery = 1\nholdout = 0.4\npatience = 1\n";
    let here = Here::new(&format!("{}{more}", RECIPE.replace("2e-3", "1e30")));
    let said = here.stops(MODEL, "out", &[]);
    assert!(said.contains("no numbers"), "{said}");
    assert!(!here.0.path().join("out/model").exists());
}

#[test]
fn a_training_goes_on_with_the_labels_that_it_was_measured_against() {
    let rows = "{\"text\": \"Bread.\", \"labels\": [\"bread\"]}\n";
    let here = measured_on("lrap", rows);
    here.write("test.labels.json", br#"["bread", "sea"]"#);
    here.done(MODEL, "out", &[]);
    here.done(MODEL, "out", &["--resume"]);
    here.write("test.labels.json", br#"["bread", "sea", "rain"]"#);
    let said = here.stops(MODEL, "out", &["--resume"]);
    assert!(said.contains("other rows"), "{said}");
}

#[test]
fn labels_after_names_that_the_model_cannot_read_are_measured_too() {
    let here = measured_on("lrap", "{\"text\": \"Bread.\", \"labels\": [\"bread\"]}\n");
    // Zero-width spaces: so many names without a token as are scored at once.
    let mut labels: Vec<String> = (1..=64).map(|n| "\u{200b}".repeat(n)).collect();
    labels.extend(["sea", "bread"].map(str::to_owned));
    let labels = serde_json::to_vec(&labels).unwrap();
    here.write("test.labels.json", &labels);
    here.done(MODEL, "out", &[]);
    let metrics = here.metrics("out");
    let evaluation = metrics.iter().find(|line| line.get("evaluation").is_some());
    let lrap = evaluation.unwrap()["evaluation"]["test"]["lrap"].as_f64();
    // A name that cannot be read scores 0, so one label at most stands before the right one.
    assert!(lrap.is_some_and(|lrap| lrap >= 0.5), "{lrap:?}");
}
