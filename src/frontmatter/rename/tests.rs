//! Renaming in every form that people write tags in.

#![cfg(test)]

use proptest::prelude::*;

use super::*;

fn applied(source: &str, format: Format, from: &str, to: &str) -> Result<String, RenameError> {
    let mut after = source.to_owned();
    let edits = rename_tag(source, format, from, to)?;
    assert!(
        edits
            .windows(2)
            .all(|two| two[0].span.end <= two[1].span.start),
        "{edits:?}"
    );
    for edit in edits.iter().rev() {
        after.replace_range(edit.span.range(), &edit.text);
    }
    Ok(after)
}

/// Renames `old` to `new`.
#[track_caller]
fn check(source: &str, after: &str) {
    assert_eq!(
        applied(source, Format::Markdown, "old", "new").as_deref(),
        Ok(after)
    );
}

#[test]
fn a_tag_is_renamed_in_every_form() {
    for [source, after] in [
        ["---\ntags: old\n---\n", "---\ntags: new\n---\n"],
        [
            "---\ntags: a, Old, older\n---\n",
            "---\ntags: a, new, older\n---\n",
        ],
        ["---\ntags: 'a,OLD'\n---\n", "---\ntags: 'a,new'\n---\n"],
        [
            "---\ntags: \"#a #old\"\n---\n",
            "---\ntags: \"#a #new\"\n---\n",
        ],
        [
            "---\ntags: [old, \"old/b\", 'a/old'] # old\n---\n",
            "---\ntags: [new, \"new/b\", 'a/old'] # old\n---\n",
        ],
        [
            "---\ntags: [a,\n  old,\n]\n---\n",
            "---\ntags: [a,\n  new,\n]\n---\n",
        ],
        [
            "---\r\ntags:\r\n- old # why\r\n- 'Old/x'\r\n---\r\n",
            "---\r\ntags:\r\n- new # why\r\n- 'new/x'\r\n---\r\n",
        ],
        [
            "---\ntags: [\"ol\\u0064\"]\n---\n",
            "---\ntags: [\"new\"]\n---\n",
        ],
        [
            "---\ntitle: old\ntag: old\nold: old\n---\nold #old, #old/b #older `#old`\n",
            "---\ntitle: old\ntag: new\nold: old\n---\nold #new, #new/b #older `#old`\n",
        ],
        [
            "{\"tags\": [\"old\"]}\n\n#old",
            "{\"tags\": [\"new\"]}\n\n#new",
        ],
        [
            "\u{feff}---\ntags: [[old]]\n---\n",
            "\u{feff}---\ntags: [[new]]\n---\n",
        ],
        ["---\ntags: [x\n---\n#old\n", "---\ntags: [x\n---\n#new\n"],
        ["No tags, no #older one.\n", "No tags, no #older one.\n"],
    ] {
        check(source, after);
    }
}

#[test]
fn where_the_new_name_is_there_already_no_hole_is_left() {
    for [source, after] in [
        ["---\ntags: [old, new]\n---\n", "---\ntags: [new]\n---\n"],
        [
            "---\ntags: [a, old, new] # c\n---\n",
            "---\ntags: [a, new] # c\n---\n",
        ],
        ["---\ntags: [New, old]\n---\n", "---\ntags: [New]\n---\n"],
        [
            "---\ntags: [new,\n  old,\n  b]\n---\n",
            "---\ntags: [new,\n  b]\n---\n",
        ],
        [
            "---\ntags: [old, # why\n  new]\n---\n",
            "---\ntags: [ # why\n  new]\n---\n",
        ],
        [
            "---\ntags: [new, old, Old, 'OLD']\n---\n",
            "---\ntags: [new]\n---\n",
        ],
        [
            "---\ntags: [old, Old, x]\n---\n",
            "---\ntags: [new, x]\n---\n",
        ],
        [
            "---\ntags:\n  - new\n  - old # gone\n  - b\n---\n",
            "---\ntags:\n  - new\n  - b\n---\n",
        ],
        ["---\ntags: new, old\n---\n", "---\ntags: new\n---\n"],
        [
            "---\ntags: \"old, b, new\"\n---\n",
            "---\ntags: \"b, new\"\n---\n",
        ],
        ["---\ntags: '#old #new'\n---\n", "---\ntags: '#new'\n---\n"],
        [
            "---\ntags: [old/a, new/a]\n---\n",
            "---\ntags: [new/a]\n---\n",
        ],
        [
            "---\ntags: [old]\ntag: new\n---\n",
            "---\ntags: []\ntag: new\n---\n",
        ],
        [
            "+++\ntags = [ \"old\", \"new\", ]\n+++\n",
            "+++\ntags = [ \"new\", ]\n+++\n",
        ],
        [
            "---\ntags: [new]\n---\n#old #new\n",
            "---\ntags: [new]\n---\n#new #new\n",
        ],
        [
            "+++\ntags = ['old']\n[taxonomies]\ntags = [\"old\"]\n+++\n",
            "+++\ntags = ['new']\n[taxonomies]\ntags = []\n+++\n",
        ],
    ] {
        check(source, after);
    }
}

#[test]
fn org_spells_tags_in_its_own_way() {
    let org = |source: &str| applied(source, Format::Org, "old-tag", "new tag").unwrap();
    assert_eq!(
        org("#+FILETAGS: :a:old_tag:\n* Head :old_tag:b:\nText :old_tag:\n"),
        "#+FILETAGS: :a:new_tag:\n* Head :new_tag:b:\nText :old_tag:\n"
    );
    assert_eq!(
        org("#+FILETAGS: :old_tag:new_tag:\n"),
        "#+FILETAGS: :new_tag:\n"
    );
    assert_eq!(
        org("#+FILETAGS: :new_tag:old_tag:\n"),
        "#+FILETAGS: :new_tag:\n"
    );
    assert_eq!(
        org("* A :new_tag:old_tag:\n* B :old_tag:\n"),
        "* A :new_tag:\n* B :new_tag:\n"
    );
}

#[test]
fn a_tag_is_found_as_each_place_spells_it() {
    let found = |source: &str, format| -> Vec<String> {
        let places = places_of(source, format, "my tag").into_iter();
        places.map(|span| source[span.range()].to_owned()).collect()
    };
    let markdown = "---\ntags: [My Tag, my-tag, my tag/a]\n---\n#my-tag #my\n";
    assert_eq!(found(markdown, Format::Markdown), ["My Tag", "my-tag"]);
    assert_eq!(found("#+FILETAGS: :my_tag:my:\n", Format::Org), ["my_tag"]);
    assert!(may_be_or_below("MY_tag/b", "my tag") && !may_be_or_below("my tags", "my tag"));
}

#[test]
fn a_name_that_needs_quotes_gets_them() {
    let to = |source: &str, to: &str| applied(source, Format::Markdown, "old", to);
    let list = "---\ntags: [old, \"old/a\"]\n---\n";
    assert_eq!(
        to(list, "2024").as_deref(),
        Ok("---\ntags: [\"2024\", \"2024/a\"]\n---\n")
    );
    assert_eq!(
        to("---\ntags: 'old'\n---\n", "o'clock").as_deref(),
        Ok("---\ntags: \"o'clock\"\n---\n")
    );
    assert_eq!(
        to("+++\ntags = ['old']\n+++\n", "a\"b").as_deref(),
        Ok("+++\ntags = ['a\"b']\n+++\n")
    );
    assert_eq!(
        to("a #old b", "machine learning").as_deref(),
        Ok("a #machine-learning b")
    );
}

#[test]
fn what_cannot_be_written_is_refused_with_its_line() {
    for name in ["", " # ", "a,b", "a\nb", "/a", "a//b", "--"] {
        let error = rename_tag("", Format::Markdown, "old", name).unwrap_err();
        assert!(matches!(error, RenameError::NoTag(..)), "{name:?}");
    }
    let refused = |source: &str, format, to: &str| applied(source, format, "old", to).unwrap_err();
    let unwritable =
        |to: &str, line| RenameError::Unwritable(to.to_owned(), "old".to_owned(), line);
    assert_eq!(
        refused("\nText #old\n", Format::Markdown, "C++"),
        unwritable("C++", 2)
    );
    assert_eq!(
        refused("#+FILETAGS: :old:\n", Format::Org, "a:b"),
        unwritable("a:b", 1)
    );
    assert_eq!(
        refused("---\ntags: old, b\n---\n", Format::Markdown, "a: b"),
        unwritable("a: b", 2)
    );
    assert_eq!(
        refused(
            "---\ntags: \"ol\\u0064, b\"\n---\n",
            Format::Markdown,
            "new"
        ),
        unwritable("new", 2)
    );
}

/// A document whose tags are `tags`, in one of many forms.
fn document(form: usize, tags: &[String]) -> String {
    let lines = |lead: &str| -> String {
        tags.iter()
            .map(|tag| format!("{lead}{tag} # c\n"))
            .collect()
    };
    let quoted: Vec<String> = tags.iter().map(|tag| format!("\"{tag}\"")).collect();
    let words: Vec<String> = tags.iter().map(|tag| format!("#{tag}")).collect();
    let head = match form {
        0 => format!("---\nx: [a, b]\ntags: [{}] # a\n---\n", tags.join(",  ")),
        1 => format!("---\ntags:\n{}y: a\n---\n", lines("  - ")),
        2 => format!("---\r\ntags: {}\r\n---\r\n", tags.join(", ")),
        3 => format!("---\ntags: '{}'\n...\n", words.join(" ")),
        4 => format!(
            "+++\ntags = [{}] # a\n[a]\nb = 1\n+++\n",
            quoted.join(" , ")
        ),
        5 => format!(
            "{{\n\t\"tags\": [\n\t\t{}\n\t]\n}}\n",
            quoted.join(",\n\t\t")
        ),
        _ => format!("---\ntags: [{}\n]\n---\n", quoted.join(",\n  ")),
    };
    format!("{head}Text a, b: {}; `#a`\n", words.join(" and "))
}

#[test]
fn a_replaced_tag_leaves_the_text_and_the_tags_below_it() {
    let replaced = |source: &str, to: &str| {
        let edits = replace_tag(source, Format::Markdown, "gardn", to).unwrap();
        let mut after = source.to_owned();
        for edit in edits.iter().rev() {
            after.replace_range(edit.span.range(), &edit.text);
        }
        after
    };
    assert_eq!(
        replaced(
            "---\ntags: [Gardn, gardn/beds]\n---\nIn the #gardn.\n",
            "garden"
        ),
        "---\ntags: [garden, gardn/beds]\n---\nIn the #gardn.\n"
    );
    // Quoted where its bare spelling would mean something else; never twice.
    assert_eq!(
        replaced("---\ntags:\n- gardn\n---\n", "no"),
        "---\ntags:\n- \"no\"\n---\n"
    );
    assert_eq!(
        replaced("---\ntags: [gardn, garden]\n---\n", "garden"),
        "---\ntags: [garden]\n---\n"
    );
    assert_eq!(replaced("#gardn\n", "garden"), "#gardn\n");
}

proptest! {
    #[test]
    fn a_name_that_is_not_there_comes_and_goes_without_a_trace(
        form in 0usize..7,
        tags in prop::collection::btree_set("[a-d](/[a-c]){0,2}", 1..5),
    ) {
        let tags: Vec<String> = tags.into_iter().collect();
        let source = document(form, &tags);
        let there = applied(&source, Format::Markdown, "a", "zé").unwrap();
        prop_assert_eq!(there != source, tags.iter().any(|tag| may_be_or_below(tag, "a")));
        let back = applied(&there, Format::Markdown, "zé", "a").unwrap();
        prop_assert_eq!(back, source);
    }

    #[test]
    fn only_tags_change_and_none_is_lost(
        form in 0usize..7,
        tags in prop::collection::vec("[abAB](/[ab]){0,1}", 1..6),
        to in "[a-c](/[ab]){0,1}",
    ) {
        let source = document(form, &tags);
        let after = applied(&source, Format::Markdown, "a", &to).unwrap();
        let names = |text: &str| -> BTreeSet<String> {
            let found = super::super::occurrences(text, Format::Markdown);
            found.into_iter().map(|(name, _)| lower(&name)).collect()
        };
        let expected: BTreeSet<String> = names(&source)
            .into_iter()
            .map(|name| lower(&renamed(&name, "a", &to).unwrap_or(name)))
            .collect();
        prop_assert_eq!(names(&after), expected);
        // What is left of both without their tags is the same.
        let rest = |text: &str| -> String {
            let mut rest = text.to_owned();
            for (_, span) in super::super::occurrences(text, Format::Markdown).iter().rev() {
                rest.replace_range(span.range(), "");
            }
            rest.lines().filter(|line| !line.trim_matches([' ', '-', ',', '"', '\'', '\t', '#', 'c']).is_empty())
                .map(|line| line.replace([',', ' ', '"', '#', '\t'], "") + "\n")
                .collect()
        };
        prop_assert_eq!(rest(&after), rest(&source));
    }

    #[test]
    fn no_text_is_too_strange(source in "(---\n|tags: |- |[a-c\"'#,:\\[\\]{}é🌱/\n ]){0,30}", to in "\\PC{1,6}") {
        for format in Format::ALL {
            for from in ["a", "b/c", "é"] {
                let _ = applied(&source, format, from, &to);
            }
        }
    }
}
