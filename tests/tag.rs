//! `gliznet tag` as a user meets it: the real binary on small folders of notes.
//!
//! The tiny checkpoint tags at random but always alike; only what it says of real notes is asked
//! of the bundled model.

use std::io::{BufRead, BufReader};
use std::path::Path;

use expect_test::expect;
use serde_json::{Value, json};

#[cfg(test)] // Clippy then knows that helpers may unwrap.
#[path = "support/gliznet.rs"]
mod gliznet;
#[path = "tag/manual.rs"]
mod manual;
#[cfg(test)]
#[path = "support/tagging.rs"]
mod tagging;
#[cfg(test)]
#[path = "support/text_form.rs"]
mod text_form;

use gliznet::{Gliznet, Ran, tiny};
use tagging::tag_args;
use text_form::headings;

fn notes() -> Gliznet {
    Gliznet::with(&[
        (
            "notes/bread.md",
            "---\ntitle: Overnight bread\n---\nFlour, water, salt. Knead it well.\n",
        ),
        (
            "notes/deep/cow.org",
            "#+TITLE: The cow\nMilk in the morning.\n",
        ),
        ("notes/photo.png", "no text"),
        ("notes/.secret.md", "hidden"),
        ("notes/drafts/letter.md", "unfinished"),
        ("notes/.ignore", "drafts/\n"),
    ])
}

fn tagged(user: &Gliznet, args: &[&str]) -> Ran {
    let ran = user.tag(args);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:#?}");
    ran
}

#[test]
fn the_settings_of_the_folder_that_is_tagged_hold() {
    let user = notes();
    user.write("notes/mine.toml", b"[[label]]\nname = \"kitchen\"\n");
    user.write(
        "notes/gliznet.toml",
        b"labelset = 'mine.toml'\nthreshold = 0.0\n",
    );
    let tagged = |paths: &[&str]| {
        let model = tiny().to_str().unwrap();
        let args = [&["tag", "--model", model], paths].concat();
        user.run(&args)
    };
    user.write("other/gliznet.toml", b"threshold = 1.0\n");
    for path in [
        "notes",
        "notes/bread.md",
        "notes/*.md",
        "other/../notes/bread.md",
        "other/../notes/*.md",
    ] {
        let ran = tagged(&[path]);
        assert!(
            ran.code == 0 && ran.out.contains("kitchen"),
            "{path}: {}",
            ran.said()
        );
    }
    let nobody = tagged(&["."]);
    assert_eq!(nobody.code, 2, "{}", nobody.said());
}

#[test]
fn the_bundled_model_tags_the_example_notes_out_of_the_box() {
    let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/notes/recipes");
    let recipes = recipes.to_str().unwrap();
    let args = [
        "tag",
        recipes,
        "--labels",
        "food,football",
        "--format",
        "jsonl",
    ];
    let ran = Gliznet::new().run(&args);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let rows = ran.rows();
    assert_eq!(rows.len(), 2);
    for row in rows {
        let tags = row["tags"].as_array().unwrap();
        let labels: Vec<&Value> = tags.iter().map(|tag| &tag["label"]).collect();
        assert_eq!(labels, ["food"], "{row}");
        assert!(
            row["model"]
                .as_str()
                .unwrap()
                .starts_with("gliznet-minilm-l6@")
        );
    }
}

#[test]
fn a_folder_is_tagged_in_order_without_hidden_ignored_and_other_files() {
    let ran = tagged(&notes(), &["notes", "--labels", "bread,milk"]);
    let expected = [
        "notes/bread.md  Overnight bread",
        "notes/deep/cow.org  The cow",
    ];
    assert_eq!(headings(&ran), expected);
}

#[test]
fn files_patterns_and_standard_input_are_tagged_as_they_are_named() {
    let user = notes();
    let args = [
        "notes/**/*.org",
        "notes/photo.png",
        "-",
        "notes/{bread,wine}.md",
        "--labels",
        "milk",
    ];
    let ran = user.tag_input(&args, b"# A title\n\nMilk.\n");
    let expected = [
        "notes/deep/cow.org  The cow",
        "notes/photo.png",
        "(standard input)  A title",
        "notes/bread.md  Overnight bread",
    ];
    assert_eq!(headings(&ran), expected, "{ran:#?}");
    let piped = user.tag_input(&["--labels", "milk", "--format", "jsonl"], b"Milk.");
    assert_eq!(piped.rows()[0].get("path"), None);
}

#[test]
fn text_lines_up_and_has_no_colours_where_nobody_sees_them() {
    let ran = tagged(
        &notes(),
        &["notes", "--labels", "bread,milk,a longer label", "--all"],
    );
    expect![[r#"
        notes/bread.md  Overnight bread
        * bread           0.51 █████▏
          milk            0.50 █████
          a longer label  0.44 ████▍

        notes/deep/cow.org  The cow
          no tag fits
          milk            0.49 ████▉
          bread           0.43 ████▎
          a longer label  0.40 ████
    "#]]
    .assert_eq(&ran.out);
    let column = |line: &str| line.find("0.").unwrap();
    let scores: Vec<&str> = ran
        .out
        .lines()
        .filter(|line| line.contains(" 0."))
        .collect();
    assert_eq!(scores.len(), 6);
    assert!(scores.iter().all(|line| column(line) == column(scores[0])));
    assert!(!ran.out.contains('\u{1b}'));
    assert!(ran.out.lines().all(|line| line.trim_end() == line));
}

#[test]
fn colours_are_shown_where_they_are_asked_for() {
    let user = notes();
    let args = tag_args(&["notes", "--labels", "bread"]);
    let run = |name: &str| Ran::from(user.command(&args).env(name, "1").output().unwrap());
    assert!(run("CLICOLOR_FORCE").out.contains('\u{1b}'));
    assert!(!run("NO_COLOR").out.contains('\u{1b}'));
}

#[test]
fn the_three_forms_say_the_same() {
    let user = notes();
    let labels = ["notes", "--labels", "bread,milk,oats", "--all", "--format"];
    let form = |format: &str| tagged(&user, &[&labels[..], &[format]].concat());
    let array: Value = serde_json::from_str(&form("json").out).unwrap();
    assert_eq!(array, Value::Array(form("jsonl").rows()));
    let tags: Vec<String> = form("text")
        .out
        .lines()
        .filter_map(|line| line.strip_prefix("* "))
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .collect();
    let rows = array.as_array().unwrap().iter();
    let expected: Vec<&str> = rows
        .flat_map(|row| row["tags"].as_array().unwrap())
        .map(|tag| tag["label"].as_str().unwrap())
        .collect();
    assert_eq!(tags, expected);
    assert!(!tags.is_empty());
}

#[test]
fn explain_shows_two_sentences_of_the_note_with_their_lines() {
    let note = "# Bread\n\nKnead the flour and the water. Then let it rest until noon.\nBake it in the oven.\n";
    let user = Gliznet::with(&[("a.md", note)]);
    let args = ["a.md", "--labels", "bread", "--threshold", "0", "--explain"];
    let rows = tagged(&user, &[&args[..], &["--format", "jsonl"]].concat()).rows();
    let evidence = rows[0]["tags"][0]["evidence"].as_array().unwrap();
    assert_eq!(evidence.len(), 2);
    for evidence in evidence {
        let (sentence, line) = (evidence["sentence"].as_str().unwrap(), &evidence["line"]);
        let line = note
            .lines()
            .nth(line.as_u64().unwrap() as usize - 1)
            .unwrap();
        assert!(line.contains(sentence), "{sentence} is not on: {line}");
    }
    let text = tagged(&user, &args).out;
    assert_eq!(
        text.lines().filter(|line| line.contains(" │ ")).count(),
        2,
        "{text}"
    );
}

#[test]
fn threshold_top_and_multi_class_choose_the_tags() {
    let user = notes();
    let tags = |args: &[&str]| -> Vec<(String, f64)> {
        let fixed = [
            "notes/bread.md",
            "--labels",
            "bread,milk,oats,rye",
            "--format",
            "jsonl",
        ];
        let row = &tagged(&user, &[&fixed[..], args].concat()).rows()[0];
        let tags = row["tags"].as_array().unwrap().iter();
        tags.map(|tag| {
            (
                tag["label"].as_str().unwrap().to_owned(),
                tag["score"].as_f64().unwrap(),
            )
        })
        .collect()
    };
    assert_eq!(tags(&["--threshold", "0"]).len(), 4);
    assert_eq!(tags(&["--threshold", "1"]).len(), 0);
    assert_eq!(
        tags(&["--threshold", "0", "--top", "2"]),
        tags(&["--threshold", "0"])[..2]
    );
    assert_eq!(tags(&["--multi-class"]).len(), 1);
    let shares = tags(&["--multi-class", "--threshold", "0", "--top", "4"]);
    assert!((shares.iter().map(|(_, share)| share).sum::<f64>() - 1.0).abs() < 1e-5);
}

#[test]
fn compat_scores_as_the_reference_does() {
    // The scores of the golden folder come from PyTorch.
    let cases = std::fs::read(tiny().join("cases.json")).unwrap();
    let cases: Value = serde_json::from_slice(&cases).unwrap();
    let cases: Vec<&Value> = cases["cases"].as_array().unwrap().iter().collect();
    let input: String = cases
        .iter()
        .map(|case| {
            format!(
                "{}\n",
                json!({"text": case["text"], "labels": case["labels"]})
            )
        })
        .collect();
    let args = ["--jsonl", "--compat", "--all"];
    let rows = Gliznet::new().tag_input(&args, input.as_bytes()).rows();
    let mut compared = 0;
    for (row, case) in rows.iter().zip(cases) {
        let labels = case["labels"].as_array().unwrap();
        let scores = row["scores"].as_array().map_or(&[][..], Vec::as_slice);
        if scores.len() != case["logits"].as_array().unwrap().len() || scores.is_empty() {
            continue; // We score a label once that the reference was given twice.
        }
        for (i, score) in scores.iter().enumerate() {
            assert_eq!(score["label"], labels[i]);
            let number = |value: &Value| value.as_f64().unwrap();
            assert!((number(&score["logit"]) - number(&case["logits"][i])).abs() < 1e-3);
            let expected = number(&case["scores_multi_label"][i]);
            assert!((number(&score["score"]) - expected).abs() < 1e-3);
            compared += 1;
        }
    }
    assert!(compared > 20, "only {compared} scores were compared");
}

#[test]
fn settings_choose_labels_and_model_where_the_command_does_not() {
    let user = notes();
    user.write(
        "sets/mine.toml",
        b"[[label]]\nname = \"bread\"\n[[label]]\nname = \"milk\"\nmanual = true\n",
    );
    let settings = format!(
        "labelset = \"./sets/mine.toml\"\nmodel = {:?}\nthreshold = 0\n",
        tiny().to_str().unwrap()
    );
    user.write("gliznet.toml", settings.as_bytes());
    let ran = user.run(&["tag", "notes/bread.md", "--all"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let lines: Vec<&str> = ran.out.lines().collect();
    assert!(lines[1].starts_with("* bread  "), "{}", ran.out);
    assert!(
        lines[2].starts_with("  milk   ") && lines[2].ends_with("  manual"),
        "{}",
        ran.out
    );
}

#[test]
fn verbose_says_what_it_does_and_why() {
    let user = notes();
    let args = ["notes", "--labels", "bread", "--format", "jsonl"];
    let ran = user.tag(&[&args[..], &["-v", "--device", "auto"]].concat());
    let device = "gliznet: info: the model runs on the cpu: no GPU that this build can use\n";
    if cfg!(not(any(feature = "cuda", feature = "metal"))) {
        assert!(ran.err.starts_with(device), "{}", ran.err);
    }
    assert!(
        ran.err
            .contains("gliznet: info: tagging (inputs=2, labels=1"),
        "{}",
        ran.err
    );
    assert_eq!(ran.out, tagged(&user, &args).out);
}

#[test]
fn the_first_document_is_printed_before_the_last_one_is_read() {
    let user = notes();
    let args = tag_args(&["notes/bread.md", "-", "--labels", "bread"]);
    let mut child = user
        .command(&args)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "notes/bread.md  Overnight bread\n");
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_reader_that_has_seen_enough_ends_it_quietly() {
    let user = Gliznet::new();
    for i in 0..200 {
        user.write(
            &format!("notes/{i}.md"),
            "Bread and milk. ".repeat(40).as_bytes(),
        );
    }
    for format in ["text", "json", "jsonl"] {
        let args = tag_args(&["notes", "--labels", "bread", "--all", "--format", format]);
        let mut child = user.command(&args).spawn().unwrap();
        drop(child.stdout.take());
        let ran = Ran::from(child.wait_with_output().unwrap());
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{format}");
    }
}
