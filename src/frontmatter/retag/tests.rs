//! Each form that people write tags in, through every operation; then any document, any operation.

use super::*;
use proptest::prelude::*;

fn strings(tags: &[&str]) -> Vec<String> {
    tags.iter().map(|tag| (*tag).to_owned()).collect()
}

#[track_caller]
fn check_in(format: Format, source: &str, remove: &[&str], add: &[&str], after: &str) {
    let retagged = retag(source, format, &strings(remove), &strings(add)).unwrap();
    assert_eq!(retagged.applied(source), after, "{source:?}");
    assert_eq!(retagged.unwritable, [""; 0], "{source:?}");
}

#[track_caller]
fn check(source: &str, remove: &[&str], add: &[&str], after: &str) {
    check_in(Format::Markdown, source, remove, add, after);
}

#[test]
fn a_tag_is_taken_out_and_the_form_is_kept() {
    for (source, after) in [
        ("---\ntags: [a, b] # c\n---\n", "---\ntags: [b] # c\n---\n"),
        ("---\ntags: [b, a]\n---\n", "---\ntags: [b]\n---\n"),
        ("---\ntags: [a]\n---\n", "---\ntags: []\n---\n"),
        ("---\ntags: [a,]\n---\n", "---\ntags: []\n---\n"),
        ("---\ntags: [a, A, b]\n---\n", "---\ntags: [b]\n---\n"),
        (
            "---\ntags: [\n  a,\n  b, # why\n]\n---\n",
            "---\ntags: [\n  b, # why\n]\n---\n",
        ),
        ("---\ntags:\n- a # c\n- b\n---\n", "---\ntags:\n- b\n---\n"),
        (
            "---\ntags:\n  - b\n  - a\nx: 1\n---\n",
            "---\ntags:\n  - b\nx: 1\n---\n",
        ),
        ("---\ntags:\n  - a\n---\n", "---\ntags:\n---\n"),
        ("---\ntags: a\n---\n", "---\ntags: \n---\n"),
        ("---\ntags: \"a\"\n---\n", "---\ntags: \n---\n"),
        ("---\ntags: a, b\n---\n", "---\ntags: b\n---\n"),
        ("---\ntags: 'b, a'\n---\n", "---\ntags: 'b'\n---\n"),
        ("---\ntags: \"#a #b\"\n---\n", "---\ntags: \"#b\"\n---\n"),
        (
            "---\ntag: a\ntags: [a, b]\n---\n",
            "---\ntag: \ntags: [b]\n---\n",
        ),
        ("+++\ntags = ['a']\n+++\n", "+++\ntags = []\n+++\n"),
        ("+++\ntags = 'a'\n+++\n", "+++\ntags = []\n+++\n"),
        ("{\"tags\": \"a\"}\n\nx", "{\"tags\": []}\n\nx"),
        (
            "---\n{\"tags\": [\"a\", \"b\"]}\n---\n",
            "---\n{\"tags\": [\"b\"]}\n---\n",
        ),
        (
            "\u{feff}---\r\ntags:\r\n  - a\r\n  - b\r\n---\r\nx",
            "\u{feff}---\r\ntags:\r\n  - b\r\n---\r\nx",
        ),
    ] {
        check(source, &["a"], &[], after);
    }
    let org = |source: &str, after: &str| check_in(Format::Org, source, &["a-b"], &[], after);
    org("#+FILETAGS: :a_b:c:\nText\n", "#+FILETAGS: :c:\nText\n");
    org("#+FILETAGS: :c:a_b:\n", "#+FILETAGS: :c:\n");
    org(
        "#+FILETAGS: :a_b:\n* Head :a_b:\n",
        "#+FILETAGS: \n* Head :a_b:\n",
    );
}

#[test]
fn one_tag_for_another_keeps_the_form_even_of_a_list_of_one() {
    for (source, after) in [
        ("---\ntags: [a]\n---\n", "---\ntags: [new]\n---\n"),
        ("---\ntags: ['a']\n---\n", "---\ntags: ['new']\n---\n"),
        ("---\ntags: a\n---\n", "---\ntags: new\n---\n"),
        (
            "---\ntags: \"a\" # c\n---\n",
            "---\ntags: \"new\" # c\n---\n",
        ),
        ("---\ntags: '#a #b'\n---\n", "---\ntags: '#b #new'\n---\n"),
        ("---\ntags:\n- a\n---\n", "---\ntags:\n- new\n---\n"),
        (
            "---\ntags:\n    - \"a\" # c\n---\n",
            "---\ntags:\n    - \"new\"\n---\n",
        ),
        ("+++\ntags = [\"a\"]\n+++\n", "+++\ntags = [\"new\"]\n+++\n"),
        ("+++\ntags = \"a\"\n+++\n", "+++\ntags = [\"new\"]\n+++\n"),
    ] {
        check(source, &["a"], &["new"], after);
    }
    let org = "#+FILETAGS: :a:\n";
    check_in(Format::Org, org, &["a"], &["new"], "#+FILETAGS: :new:\n");
}

#[test]
fn what_is_json_stays_json_and_a_wiki_link_a_wiki_link() {
    check(
        "---\n{\"title\": \"x\"}\n---\n",
        &[],
        &["a", "b"],
        "---\n{\"tags\": [\"a\", \"b\"],\"title\": \"x\"}\n---\n",
    );
    check(
        "---\n{\"tags\": [\"a\"]}\n---\n",
        &[],
        &["b"],
        "---\n{\"tags\": [\"a\", \"b\"]}\n---\n",
    );
    check(
        "---\n{\"tags\": \"a\"}\n---\n",
        &[],
        &["b"],
        "---\n{\"tags\": [\"a\", \"b\"]}\n---\n",
    );
    check(
        "---\ntags: [[wiki]]\n---\n",
        &[],
        &["b"],
        "---\ntags: [[wiki], b]\n---\n",
    );
}

#[test]
fn what_cannot_be_done_is_named_and_the_rest_is_done() {
    let tags = |source: &str, remove: &[&str], add: &[&str]| {
        let retagged = retag(source, Format::Markdown, &strings(remove), &strings(add)).unwrap();
        (retagged.applied(source), retagged.unwritable.join("|"))
    };
    assert_eq!(
        tags("---\ntags: a\n---\n", &[], &["b", "c, d", "e"]),
        ("---\ntags: a, b, e\n---\n".to_owned(), "c, d".to_owned())
    );
    let compact = "---\ntags:\n- [a, b]\n---\n";
    assert_eq!(
        tags(compact, &["a"], &[]),
        (compact.to_owned(), "a".to_owned())
    );
    let broken = retag(
        "---\ntags: [a\n---\n",
        Format::Markdown,
        &[],
        &strings(&["b"]),
    );
    assert!(matches!(broken, Err(AddError::Broken(_))));
    let nowhere = retag("text", Format::Plain, &[], &strings(&["b"]));
    assert_eq!(nowhere, Err(AddError::NoPlace(Format::Plain)));
}

#[test]
fn ten_thousand_tags_are_no_burden() {
    let tags: Vec<String> = (0..10_000).map(|n| format!("tag-{n}")).collect();
    let lists = [
        format!("---\ntags: [{}]\n---\nText\n", tags.join(", ")),
        format!("---\ntags:\n  - {}\n---\nText\n", tags.join("\n  - ")),
        format!("---\ntags: {}\n---\nText\n", tags.join(", ")),
    ];
    for source in lists {
        let add = strings(&["new"]);
        let retagged = retag(&source, Format::Markdown, &tags[..5_000], &add).unwrap();
        let now = read(&retagged.applied(&source), Format::Markdown)
            .unwrap()
            .tags;
        assert_eq!((now.len(), retagged.unwritable.len()), (5_001, 0));
        let none = retag(&source, Format::Markdown, &tags, &[]).unwrap();
        let now = read(&none.applied(&source), Format::Markdown).unwrap().tags;
        assert_eq!((now.len(), none.unwritable.len()), (0, 0));
    }
    let all = retag("Text\n", Format::Markdown, &[], &tags).unwrap();
    let now = read(&all.applied("Text\n"), Format::Markdown).unwrap().tags;
    assert_eq!(now, tags);
}
