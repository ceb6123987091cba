//! Completion as people write: each case has `|` where the cursor is.

#![cfg(test)]

use super::*;
use crate::document::{Document, body_tags};

/// The source with `|` for the cursor, and what it becomes when `new-tag` is chosen.
#[track_caller]
fn check(format: Format, marked: &str, becomes: Option<&str>) {
    let at = marked.find('|').unwrap();
    let source = marked.replacen('|', "", 1);
    let chosen = tag_at_cursor(&source, format, at).map(|cursor| {
        let mut after = source.clone();
        after.replace_range(cursor.span.range(), &cursor.written("new-tag").unwrap());
        after
    });
    assert_eq!(chosen.as_deref(), becomes, "{marked:?}");
}

#[test]
fn every_form_of_a_yaml_value_is_completed() {
    for (marked, becomes) in [
        ("---\ntags: [|]\n---\n", "---\ntags: [new-tag]\n---\n"),
        (
            "---\ntags: [a, ne|]\n---\n",
            "---\ntags: [a, new-tag]\n---\n",
        ),
        (
            "---\ntags: [a, n|e, b]\n---\n",
            "---\ntags: [a, new-tag, b]\n---\n",
        ),
        (
            "---\ntags: [\"n|\"]\n---\n",
            "---\ntags: [\"new-tag\"]\n---\n",
        ),
        (
            "---\ntags: [a,\n  n|\n]\n---\n",
            "---\ntags: [a,\n  new-tag\n]\n---\n",
        ),
        ("---\ntags: [a, n|", "---\ntags: [a, new-tag"),
        ("---\ntags:|\n---\n", "---\ntags: new-tag\n---\n"),
        ("---\ntags: n|\n---\n", "---\ntags: new-tag\n---\n"),
        ("---\ntags: a, n|\n---\n", "---\ntags: a, new-tag\n---\n"),
        (
            "---\ntitle: x\ntags:\n  - a\n  - n|\n---\n",
            "---\ntitle: x\ntags:\n  - a\n  - new-tag\n---\n",
        ),
        ("---\ntags:\n- n|\n---\n", "---\ntags:\n- new-tag\n---\n"),
        ("---\ntags:\n  -|\n---\n", "---\ntags:\n  - new-tag\n---\n"),
        ("---\ntags:\n  |\n---\n", "---\ntags:\n  - new-tag\n---\n"),
        (
            "---\r\ntags: [n|]\r\n---\r\n",
            "---\r\ntags: [new-tag]\r\n---\r\n",
        ),
    ] {
        check(Format::Markdown, marked, Some(becomes));
    }
}

#[test]
fn a_comment_behind_a_tag_stays_where_it_is() {
    for (marked, becomes) in [
        (
            "---\ntags: n| # keep, me\n---\n",
            "---\ntags: new-tag # keep, me\n---\n",
        ),
        (
            "---\ntags: a, n|\t# keep\n---\n",
            "---\ntags: a, new-tag\t# keep\n---\n",
        ),
        (
            "---\ntags: [a, n| # keep\n---\n",
            "---\ntags: [a, new-tag # keep\n---\n",
        ),
        (
            "---\ntags:\n  - n| # keep\n---\n",
            "---\ntags:\n  - new-tag # keep\n---\n",
        ),
        (
            "---\ntags:\n  - \"n|\" # keep\n---\n",
            "---\ntags:\n  - \"new-tag\" # keep\n---\n",
        ),
        (
            "---\ntags:\n  - | # keep\n---\n",
            "---\ntags:\n  - new-tag # keep\n---\n",
        ),
        (
            "+++\ntags = [\"a\", n| # keep, this\n]\n+++\n",
            "+++\ntags = [\"a\", \"new-tag\" # keep, this\n]\n+++\n",
        ),
    ] {
        check(Format::Markdown, marked, Some(becomes));
    }
}

#[test]
fn a_quote_that_is_not_closed_yet_leaves_the_rest_of_the_line_alone() {
    for (marked, becomes) in [
        (
            "---\ntags: [\"n|, b] # keep\n---\n",
            "---\ntags: [\"new-tag, b] # keep\n---\n",
        ),
        (
            "---\ntags: [\"n|, \"b\"]\n---\n",
            "---\ntags: [\"new-tag, \"b\"]\n---\n",
        ),
        (
            "---\ntags: ['n|, b']\n---\n",
            "---\ntags: ['new-tag']\n---\n",
        ),
        (
            "---\ntags:\n  - \"n| # keep\n---\n",
            "---\ntags:\n  - \"new-tag # keep\n---\n",
        ),
        (
            "---\ntags: \"a, n| # keep\n---\n",
            "---\ntags: \"a, new-tag # keep\n---\n",
        ),
        (
            "---\ntags: \"n| # say \"x\"\n---\n",
            "---\ntags: \"new-tag # say \"x\"\n---\n",
        ),
        (
            "+++\ntags = [\"n|, \"b\"]\n+++\n",
            "+++\ntags = [\"new-tag, \"b\"]\n+++\n",
        ),
    ] {
        check(Format::Markdown, marked, Some(becomes));
    }
}

#[test]
fn one_tag_of_a_string_is_completed_and_the_others_stay() {
    for (marked, becomes) in [
        ("---\ntags: n|, b\n---\n", "---\ntags: new-tag, b\n---\n"),
        (
            "---\ntags: \"n|, b\"\n---\n",
            "---\ntags: \"new-tag, b\"\n---\n",
        ),
        (
            "---\ntags: \"a, n|\" # keep\n---\n",
            "---\ntags: \"a, new-tag\" # keep\n---\n",
        ),
        (
            "---\ntags: '#n| #b'\n---\n",
            "---\ntags: '#new-tag #b'\n---\n",
        ),
    ] {
        check(Format::Markdown, marked, Some(becomes));
    }
}

#[test]
fn outside_of_tags_nothing_is_completed() {
    for marked in [
        "---\ntitle: n|\n---\n",
        "---\ntags: [a]|\n---\n",
        "---\ntitle: x\nlist:\n  - n|\n---\n",
        "---\ntags: [a]\n---\nplain n|\n",
        "---\ntags: [a]\n---\n|",
        "# n|\n",
        "#|\n",
        "a `#n|`\n",
        "```\n#n|\n```\n",
        "http://x/y#n|\n",
        "[x](#n|ame)\n",
        "[[#n|ame]]\n",
        "---\ntags: a # n|\n---\n",
        "---\ntags: [a] # n|\n---\n",
        "---\ntags:\n  - a |# n\n---\n",
        "---\ntags:\n  - # n|\n---\n",
        "---\ntags: \"a\" n|\n---\n",
        "+++\ntags = [\"a\", # n|\n]\n+++\n",
        "tags: [n|]\n",
    ] {
        check(Format::Markdown, marked, None);
    }
    check(Format::Plain, "#n|", None);
}

#[test]
fn toml_org_and_the_text_are_completed_in_their_own_way() {
    check(
        Format::Markdown,
        "+++\ntags = [\"a\", \"n|\"]\n+++\n",
        Some("+++\ntags = [\"a\", \"new-tag\"]\n+++\n"),
    );
    check(
        Format::Markdown,
        "+++\ntags = [|]\n+++\n",
        Some("+++\ntags = [\"new-tag\"]\n+++\n"),
    );
    check(
        Format::Markdown,
        "+++\ntags = [\n  \"a\",\n  n|\n]\n+++\n",
        Some("+++\ntags = [\n  \"a\",\n  \"new-tag\"\n]\n+++\n"),
    );
    check(Format::Markdown, "+++\ntitle = \"n|\"\n+++\n", None);
    check(
        Format::Org,
        "#+FILETAGS: :a:n|:\n",
        Some("#+FILETAGS: :a:new_tag:\n"),
    );
    check(
        Format::Org,
        "#+filetags: :a:|\n",
        Some("#+filetags: :a:new_tag:\n"),
    );
    check(
        Format::Org,
        "#+FILETAGS:|\n",
        Some("#+FILETAGS: :new_tag:\n"),
    );
    check(Format::Org, "#+TITLE: n|\n", None);
    check(
        Format::Markdown,
        "Text #n|e and\n",
        Some("Text #new-tag and\n"),
    );
    check(Format::Markdown, "#n|\n", Some("#new-tag\n"));
    check(Format::Markdown, "A list: #|\n", Some("A list: #new-tag\n"));
}

#[test]
fn a_word_of_the_text_may_be_of_any_script_or_an_emoji() {
    for marked in [
        "Text #हिन्|दी and\n",
        "Text #ที่|\n",
        "Text #cafe\u{301}|\n",
        "Text #👩\u{200d}|🍳\n",
    ] {
        let after = marked.split_once(' ').unwrap().1.split_once('|').unwrap().1;
        let rest = after.trim_start_matches(|c: char| !c.is_whitespace());
        check(
            Format::Markdown,
            marked,
            Some(&format!("Text #new-tag{rest}")),
        );
    }
}

#[test]
fn a_word_of_the_text_is_completed_where_it_is_read_as_a_tag() {
    let is_tag = |before: &str| {
        let source = format!("Text {before}#n");
        let cursor = tag_at_cursor(&source, Format::Markdown, source.len());
        let document = Document::parse(Format::Markdown, source.as_str());
        assert_eq!(
            cursor.is_some(),
            !body_tags(&document).is_empty(),
            "{source}"
        );
        cursor.is_some()
    };
    for before in ["", "(", "[", "{", "\"", "«", "（", "「"] {
        assert!(is_tag(before), "{before}");
    }
    for before in ["x", ",", "/", "#", "庭", "、"] {
        assert!(!is_tag(before), "{before}");
    }
}

#[test]
fn what_cannot_stand_there_is_not_offered() {
    let at = |source: &str| tag_at_cursor(source, Format::Markdown, source.len()).unwrap();
    for tag in ["हिन्दी", "ที่เที่ยว", "🍳"] {
        assert_eq!(at("text #n").written(tag), Some(format!("#{tag}")));
    }
    assert_eq!(at("text #n").written("2024"), None);
    assert_eq!(at("text #n").written("C++"), None);
    assert_eq!(
        at("text #n").written("machine learning").as_deref(),
        Some("#machine-learning")
    );
    assert_eq!(
        at("---\ntags: [n").written("2024").as_deref(),
        Some("\"2024\"")
    );
    assert_eq!(at("---\ntags: [\"n").written("a\"b"), None);
    let of_string = at("---\ntags: garden, 20");
    assert_eq!(of_string.written("2024"), None);
    assert_eq!(
        of_string.written("machine learning").as_deref(),
        Some("machine learning")
    );
    assert_eq!(at("---\ntags: '#a #n").written("machine learning"), None);
    assert_eq!(
        at("---\ntags: 20").written("2024").as_deref(),
        Some("\"2024\"")
    );
}

#[test]
fn no_cursor_is_too_strange() {
    let source = "\u{feff}---\ntags: [é, \"🌱\n  - x:\n#a\n---\n#é🌱 ```\n";
    for format in [Format::Markdown, Format::Org, Format::Plain] {
        for at in 0..=source.len() + 1 {
            if let Some(cursor) = tag_at_cursor(source, format, at) {
                assert!(source.get(cursor.span.range()).is_some());
            }
        }
    }
}
