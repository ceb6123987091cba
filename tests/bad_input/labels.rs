//! Labels that are none, too long, too many, repeated or hostile.

use expect_test::{Expect, expect};

use super::gliznet::{Gliznet, Ran};

fn tag(labels: &str, more: &[&str]) -> Ran {
    let user = Gliznet::with(&[("a.md", "Bread from the oven.")]);
    user.tag(&[&["a.md", "--labels", labels], more].concat())
}

/// The command is refused as a whole.
fn refused(labels: &str, said: Expect) {
    let ran = tag(labels, &[]);
    said.assert_eq(&ran.err);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
}

#[test]
fn no_labels_are_a_usage_error() {
    for labels in ["", " ", ",,"] {
        refused(
            labels,
            expect![[r#"
                gliznet: --labels: no labels; give at least one, as in --labels travel,cooking
            "#]],
        );
    }
    let ran = Gliznet::with(&[("a.md", "Bread.")]).tag(&["a.md"]);
    expect![[r#"
        gliznet: no labels to choose from; give --labels a,b,c or --labelset NAME (`gliznet labelset list` shows the bundled sets)
    "#]]
    .assert_eq(&ran.err);
    assert_eq!(ran.code, 2);
}

#[test]
fn repeated_and_empty_labels_are_left_out_with_a_warning() {
    let ran = tag("bread,,milk,Bread", &["--all", "--format", "jsonl"]);
    expect![[r#"
        gliznet: warning: --labels: label 2 is empty; remove it or give it a name (left out)
        gliznet: warning: --labels: label 4 `Bread` repeats label 1; remove one (left out)
    "#]]
    .assert_eq(&ran.err);
    assert_eq!(ran.rows()[0]["scores"].as_array().unwrap().len(), 2);
    assert_eq!(ran.code, 0);
    let quiet = tag("bread,,milk,Bread", &["-q"]);
    assert_eq!((quiet.code, quiet.err.as_str()), (0, ""));
}

#[test]
fn every_label_with_a_control_character_is_named_and_shown_harmlessly() {
    refused(
        "bread,mi\u{7}lk,\u{1b}[2Joats",
        expect![[r#"
            gliznet: --labels: label 2 `mi\u{7}lk` holds the invisible character U+0007; remove it
            --labels: label 3 `\u{1b}[2Joats` holds the invisible character U+001B; remove it
        "#]],
    );
}

#[test]
fn a_label_of_ten_thousand_characters_is_named_and_the_others_are_scored() {
    let long = "flour and water ".repeat(625);
    let ran = tag(
        &format!("bread,{long},milk"),
        &["--all", "--format", "jsonl"],
    );
    let warning = "gliznet: warning: label `flour and water flour and water flour a…` is not scored: its name is ";
    assert!(ran.err.starts_with(warning), "{}", ran.err);
    assert!(ran.err.trim_end().ends_with("; shorten it"), "{}", ran.err);
    assert_eq!(ran.err.lines().count(), 1);
    let row = &ran.rows()[0];
    assert_eq!(row["scores"].as_array().unwrap().len(), 2);
    assert_eq!(row["unscored"], serde_json::json!([long.trim()]));
    assert_eq!(ran.code, 0);
}

#[test]
fn ten_thousand_labels_are_all_scored() {
    let user = Gliznet::with(&[("a.md", "Bread.")]);
    let set: String = (0..10_000)
        .map(|i| format!("[[label]]\nname = \"l{i}\"\n"))
        .collect();
    user.write("many.toml", set.as_bytes());
    let ran = user.tag(&[
        "a.md",
        "--labelset",
        "many.toml",
        "--all",
        "--format",
        "jsonl",
    ]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let row = &ran.rows()[0];
    assert_eq!(row["scores"].as_array().unwrap().len(), 10_000);
    assert_eq!(row["unscored"], serde_json::json!([]));
}

#[test]
fn an_unknown_set_is_a_usage_error_and_a_faulty_one_has_all_its_lines() {
    let user = Gliznet::with(&[("a.md", "Bread."), ("bad.toml", "[[label]]\n\nnme = 'x'\n")]);
    let unknown = user.tag(&["a.md", "--labelset", "recipies"]);
    expect![[r#"
        gliznet: no label set is called `recipies`; did you mean `recipes`?
    "#]]
    .assert_eq(&unknown.err);
    assert_eq!(unknown.code, 2);
    let missing = user.tag(&["a.md", "--labelset", "nope.toml"]);
    expect![[r#"
        gliznet: nope.toml: no such file or folder; check the path
    "#]]
    .assert_eq(&missing.err);
    assert_eq!(missing.code, 2);
    let faulty = user.tag(&["a.md", "--labelset", "bad.toml"]);
    expect![[r#"
        gliznet: the label set cannot be used
        bad.toml:1: a label without a name; add `name = "…"` below this `[[label]]`
        bad.toml:3: unknown key `nme`; did you mean `name`?
    "#]]
    .assert_eq(&faulty.err);
    assert_eq!(faulty.code, 1);
}
