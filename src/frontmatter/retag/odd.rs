//! Documents that are easily taken for something else: templates, merge keys, anchors, line ends of
//! old, broken objects. Each one by itself, then any of them, through any operation.

use super::super::{occurrences, tag_at_cursor};
use super::tests::{prove, some_tags, strings};
use super::*;
use proptest::prelude::*;

fn added(source: &str) -> Result<String, AddError> {
    let retagged = retag(source, Format::Markdown, &[], &strings(&["new"]))?;
    assert!(retagged.unwritable.len() < 2);
    Ok(retagged.applied(source))
}

#[test]
fn a_template_between_rules_is_no_mapping_that_tags_go_into() {
    for template in [
        "{{frontmatter}}",
        "{{< figure src=\"a.png\" >}}",
        "{% include x %}",
        "{# a remark #}",
        "{: .class}",
    ] {
        let source = format!("---\n{template}\n---\n\nText on my garden.\n");
        let after = format!("---\ntags:\n  - new\n---\n\n{source}");
        assert_eq!(added(&source), Ok(after));
        // Beside keys it is front matter that is not filled in yet.
        let unfilled = format!("---\n{template}\ntitle: x\n---\nText\n");
        assert!(
            matches!(added(&unfilled), Err(AddError::Broken(_))),
            "{unfilled}"
        );
    }
    for odd in ["{[a]: b}", "{ {a}: b }", "{ : b}", "{{a: 1}}: b\nc: d"] {
        let source = format!("---\n{odd}\n---\nText\n");
        let refused = added(&source);
        assert!(matches!(refused, Err(AddError::Broken(_))), "{refused:?}");
    }
    let unnamed = "---\n{\"\": 1}\n---\n";
    assert_eq!(
        added(unnamed).unwrap(),
        "---\n{\"tags\": [\"new\"],\"\": 1}\n---\n"
    );
}

#[test]
fn an_anchored_list_gets_tags_in_whatever_form_it_is() {
    for (list, after) in [
        ("&x [a]", "&x [a, new]"),
        ("&x []", "&x [new]"),
        ("&x # why\n  [a]", "&x # why\n  [a, new]"),
        ("!!seq [a]", "!!seq [a, new]"),
        ("!!seq &x [a]", "!!seq &x [a, new]"),
        ("&x\n  - a", "&x\n  - a\n  - new"),
        ("&x\n- a", "&x\n- a\n- new"),
        ("&x a", "&x a, new"),
    ] {
        let alias = if list.contains('&') {
            "exclude: *x\n"
        } else {
            ""
        };
        let source = format!("---\ntags: {list}\n{alias}---\nText.\n");
        let expected = format!("---\ntags: {after}\n{alias}---\nText.\n");
        assert_eq!(added(&source), Ok(expected), "{source}");
    }
    let source = "---\ntags: &x [a]\nexclude: *x\n---\n";
    let emptied = retag(source, Format::Markdown, &strings(&["a"]), &[]).unwrap();
    assert_eq!(
        emptied.applied(source),
        "---\ntags: &x []\nexclude: *x\n---\n"
    );
}

/// What may stand on a line, or on some, at the head of a document.
fn line() -> impl Strategy<Value = String> {
    let list = |item: &str| format!("[{}]", vec![item; 300].join(", "));
    let bomb = format!("bomb: &z {}", list("a"));
    let boom = format!("boom: {}", list("*z"));
    let deep = format!("deep: {}x{}", "&d [".repeat(100), "]".repeat(100));
    let lines = [
        "{{frontmatter}}",
        "{{< figure src=\"a.png\" >}}",
        "{% include x %}",
        "{# no #}",
        "{: .class}",
        "{\"a\": 1}",
        "{\"tags\": [\"a\"], \"t\": \"\\ud83c\"}",
        "{\"tags\": [\"a\",]}",
        "{\"tags\": [\"a\"",
        "{base: &b {tags: [q]}, <<: *b}",
        "{base: &b {tags: [q]}, \"<<\": *b, tags: [a]}",
        "base: &b {tags: [q]}",
        "base: &b\n  tags: &t [q]",
        "<<: *b",
        "<<: [*b, *b]",
        "\"<<\": *b",
        "? <<\n: *b",
        "!!merge <<: *b",
        "tags: &t [a, b]",
        "tags: &t # why\n  [a, b]",
        "tags: &t\n  - a\n  - b",
        "tags: &t\n- a",
        "tags: &t a, b",
        "tags: !!seq [a, &t b]",
        "exclude: *t",
        "tags: *t",
        "tag: [*t, c]",
        "tag:\n  - *t\n  - *z\n  - c",
        "tags:",
        "[a]: b",
        "? tags\n: [a]",
        "title: x",
        "# remark",
        "",
    ];
    let mut lines = lines.map(str::to_owned).to_vec();
    lines.extend([bomb, boom, deep]);
    prop::sample::select(lines)
}

prop_compose! {
    fn document()(
        bom: bool,
        fence in prop::sample::select(vec!["---\n", "---\n", "---\n", "+++\n", ";;;\n", ""]),
        lines in prop::collection::vec(line(), 0..6),
        body in prop::sample::select(vec!["", "Text", "Text\n", "\nText one\nmore\n"]),
        ending in prop::sample::select(vec!["\n", "\n", "\r\n", "\r"]),
        last in prop::sample::select(vec!["", "\n", "\r"]),
    ) -> String {
        let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let text = format!("{fence}{lines}{fence}{body}").replace('\n', ending);
        // Those of the Mac often end in a line feed that another program wrote.
        let last = if ending == "\r" { last } else { "" };
        format!("{}{text}{last}", if bom { "\u{feff}" } else { "" })
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn any_odd_document_is_changed_right_or_left_alone(
        source in document(), remove in some_tags(), add in some_tags(),
    ) {
        let goes: Vec<String> = remove.into_iter().filter(|tag| !add.contains(tag)).collect();
        prove(&source, Format::Markdown, &goes, &add).map_err(TestCaseError::fail)?;
        for format in Format::ALL {
            for (_, span) in occurrences(&source, format) {
                prop_assert!(source.get(span.range()).is_some());
            }
            tag_at_cursor(&source, format, source.len());
        }
        let settings = read(&source, Format::Markdown);
        let n_items = settings.iter().flat_map(|s| &s.tag_values).map(|v| v.items.len());
        prop_assert!(n_items.sum::<usize>() < 20_000);
    }

    #[test]
    fn no_second_block_is_written_above_lines_that_end_in_carriage_returns(
        lines in prop::collection::vec(line(), 0..4),
        fence in prop::sample::select(vec!["---", "+++", ";;;"]),
        last in prop::sample::select(vec!["", "\n", "\r\n", "\r"]),
    ) {
        let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let source = format!("{fence}\n{lines}{fence}\nText one\nmore").replace('\n', "\r");
        let refused = added(&format!("{source}{last}"));
        prop_assert!(matches!(refused, Err(AddError::Broken(_))), "{refused:?}");
    }

    #[test]
    fn a_merge_key_is_never_hidden(
        above in prop::collection::vec(line(), 0..3),
        key in prop::sample::select(vec!["<<: *m", "\"<<\": *m", "'<<': *m", "? <<\n: *m", "!!merge <<: *m"]),
    ) {
        let above: String = above.iter().map(|line| format!("{line}\n")).collect();
        let source = format!("---\n{above}of: &m {{tags: [mine]}}\n{key}\n---\nText\n");
        let settings = read(&source, Format::Markdown).unwrap();
        let is_bare = settings.fault.is_none() && settings.tag_values.is_empty();
        let after = added(&source);
        prop_assert!(!is_bare || after.as_ref() == Ok(&source), "{after:?}");
    }
}
