//! Label sets from outside: the bundled ones, good and bad files, and the examples of the manual.
//!
//! `tests/fixtures/labelsets/bad/NAME.toml` has its messages in `NAME.expected` beside it. After a
//! wanted change of a message, `UPDATE_EXPECT=1 cargo test --test labelsets` writes them anew.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use expect_test::expect_file;
use gliznet::label::{LabelSet, bundled};

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn toml_files(dir: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root(dir)).expect("the folder is in the repository");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the folder is readable").path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|ext| ext == "toml"));
    files.sort();
    assert!(!files.is_empty(), "no .toml in {dir}");
    files
}

/// The faults of a source, one a line; empty where it is good.
fn faults(source: &str) -> String {
    match LabelSet::parse(source) {
        Ok(_) => String::new(),
        Err(faults) => faults.iter().map(|fault| format!("{fault}\n")).collect(),
    }
}

#[test]
fn every_bad_file_gets_all_its_messages() {
    for path in toml_files("tests/fixtures/labelsets/bad") {
        let faults = faults(&fs::read_to_string(&path).unwrap());
        assert!(!faults.is_empty(), "{} was taken for good", path.display());
        expect_file![path.with_extension("expected")].assert_eq(&faults);
    }
}

#[test]
fn every_good_file_is_read_and_survives_being_written() {
    for path in toml_files("tests/fixtures/labelsets/good") {
        let source = fs::read_to_string(&path).unwrap();
        let set = LabelSet::parse(&source).unwrap_or_else(|faults| panic!("{path:?}: {faults:#?}"));
        assert_eq!(LabelSet::parse(&set.to_toml()), Ok(set), "{path:?}");
    }
}

#[test]
fn a_set_with_every_key_is_read_as_written() {
    let path = root("tests/fixtures/labelsets/good/everything.toml");
    let set = LabelSet::parse(&fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(set.description.as_deref(), Some("Spread over two lines."));
    assert_eq!(set.threshold.map(|t| t.value()), Some(1.0));
    let inner = set.find("Inner").unwrap();
    assert_eq!(set.label(inner).parent.as_deref(), Some("outer"));
    assert!(set.label(inner).manual);
    // A parent may be named by an alias, and the alias wins over one that only looks like it.
    let named_by_alias = set.find("日本語").unwrap();
    assert_eq!(set.parent(named_by_alias), set.find("with in"));
}

#[test]
fn a_label_is_one_however_its_accents_are_stored() {
    let apart = "[[label]]\nname = \"cafe\\u0301\"\n";
    let set = LabelSet::parse(apart).unwrap();
    let found = set.find("CAFÉ").unwrap();
    // It is written as its author stored it.
    assert_eq!(set.label(found).name, "cafe\u{301}");
    assert_eq!(
        faults(&format!("{apart}[[label]]\nname = 'café'\n")),
        "line 4: label `café` is defined twice (first on line 2); rename or remove one\n"
    );
}

#[test]
fn no_bundled_set_is_forgotten() {
    let files: Vec<String> = toml_files("labelsets")
        .iter()
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let names: Vec<&str> = bundled().iter().map(|(name, _)| *name).collect();
    assert_eq!(names, files);
}

#[test]
fn every_bundled_set_is_good_and_complete() {
    for (name, source) in bundled() {
        let set = LabelSet::parse(source).unwrap_or_else(|faults| panic!("{name}: {faults:#?}"));
        assert_eq!(set.name, *name);
        assert!(
            set.description.is_some() && set.language.is_some(),
            "{name}"
        );
        assert!(
            source.starts_with('#') && source.contains("MIT OR Apache-2.0"),
            "{name}"
        );
        assert!(
            (15..=40).contains(&set.labels().len()),
            "{name}: {}",
            set.labels().len()
        );
        for label in set.labels() {
            assert!(
                label.description.is_some(),
                "{name}: {} says nothing",
                label.name
            );
        }
    }
}

#[test]
fn labels_of_a_bundled_set_read_differently_to_the_model() {
    for (name, source) in bundled() {
        let set = LabelSet::parse(source).unwrap();
        let texts: BTreeSet<String> = set
            .labels()
            .iter()
            .map(|label| label.described().into_owned())
            .collect();
        assert_eq!(texts.len(), set.labels().len(), "{name}");
    }
}

#[test]
fn ten_thousand_labels_are_read_and_judged() {
    let label = |i: usize| {
        format!(
            "[[label]]\nname = \"label {i}\"\nparent = \"label {}\"\n",
            i / 2
        )
    };
    let good: String =
        (1..=10_000).map(label).collect::<String>() + "[[label]]\nname = \"label 0\"\n";
    assert_eq!(LabelSet::parse(&good).unwrap().labels().len(), 10_001);

    let bad = good.replace("parent = \"label", "parent = \"lable");
    assert_eq!(LabelSet::parse(&bad).unwrap_err().len(), 10_000);
}

#[test]
fn every_example_of_the_manual_is_read() {
    let manual = fs::read_to_string(root("docs/labelsets.md")).unwrap();
    let mut n_examples = 0;
    let mut rest = manual.as_str();
    while let Some((_, from_fence)) = rest.split_once("\n```toml\n") {
        let (example, after) = from_fence.split_once("\n```").expect("the fence is closed");
        assert_eq!(faults(example), "", "{example}");
        n_examples += 1;
        rest = after;
    }
    assert!(n_examples >= 3, "{n_examples} examples in the manual");
}

/// `gliznet labelset ARGS`, run in the root of the repository.
fn labelset(args: &[&str]) -> (Output, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gliznet"));
    command.arg("labelset").args(args).current_dir(root("."));
    // No such folder: sets of whoever runs the tests must not show.
    command.env(
        "GLIZNET_CONFIG_DIR",
        root("tests/fixtures/labelsets/nobody"),
    );
    let output = command
        .env_remove("CLICOLOR_FORCE")
        .output()
        .expect("the binary was built");
    let text = String::from_utf8(output.stdout.clone()).expect("output is UTF-8");
    (output, text)
}

#[test]
fn check_says_where_each_fault_is_and_ends_with_one() {
    let bad = "tests/fixtures/labelsets/bad/circle.toml";
    let (output, text) = labelset(&["check", bad, "labelsets/gtd.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text.starts_with(&format!("{bad}:3: parents run in a circle: ")),
        "{text}"
    );
    assert!(
        text.ends_with("labelsets/gtd.toml: good, 32 labels\n"),
        "{text}"
    );

    let all: Vec<String> = toml_files("labelsets")
        .iter()
        .map(|p| p.display().to_string())
        .collect();
    let args: Vec<&str> = ["check"]
        .into_iter()
        .chain(all.iter().map(String::as_str))
        .collect();
    assert_eq!(labelset(&args).0.status.code(), Some(0));
}

#[test]
fn an_unknown_set_is_a_wrong_command() {
    let (output, _) = labelset(&["show", "recipies"]);
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8(output.stderr).expect("messages are UTF-8");
    assert_eq!(
        message,
        "gliznet: no label set is called `recipies`; did you mean `recipes`?\n"
    );
}

#[test]
fn output_that_is_no_terminal_has_no_colours() {
    for args in [
        &["list"][..],
        &["show", "gtd"],
        &["check", "labelsets/gtd.toml"],
    ] {
        let (output, text) = labelset(args);
        assert!(
            output.status.success() && !text.contains('\u{1b}'),
            "{text}"
        );
    }
}

#[test]
fn the_example_notes_give_a_set_of_their_own() {
    let (output, text) = labelset(&["from-vault", "examples/notes", "--min-count", "1"]);
    assert!(output.status.success());
    let set = LabelSet::parse(&text).expect("a derived set is good");
    // It is called as the file is that somebody puts it into.
    assert_eq!(set.name, "");
    assert!(set.find("baking").is_some(), "{text}");
}

/// The notes that `gliznet tag examples/notes` shows.
fn example_notes() -> Vec<PathBuf> {
    let walk = ignore::WalkBuilder::new(root("examples/notes"))
        .require_git(false)
        .build();
    let entries = walk.map(|entry| entry.expect("the folder is readable").into_path());
    entries.filter(|path| path.is_file()).collect()
}

#[test]
fn the_example_notes_have_one_of_each_kind() {
    let notes = example_notes();
    assert!(notes.len() >= 24, "{} notes", notes.len());
    for extension in ["md", "txt", "org", "rst", "tex", "html"] {
        assert!(
            notes
                .iter()
                .any(|path| path.extension().is_some_and(|e| e == extension))
        );
    }
    assert!(
        notes
            .iter()
            .all(|path| !path.starts_with(root("examples/notes/drafts")))
    );
    let texts: Vec<String> = notes
        .iter()
        .map(|path| fs::read_to_string(path).expect("a note is UTF-8"))
        .collect();
    assert!(texts.iter().any(String::is_empty), "an empty note");
    assert!(
        texts.iter().any(|text| text.starts_with("+++")),
        "a note with TOML front matter"
    );
    assert!(
        texts
            .iter()
            .any(|text| text.split_whitespace().count() > 2_000),
        "a long note"
    );
}
