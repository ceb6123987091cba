//! Each form that people write tags in, through every operation; then any document, any operation.
//! Length: tables of forms, and one proof for all documents.

use super::super::org;
use super::corpus::SAMPLES;
use super::*;
use proptest::prelude::*;

pub(super) fn strings(tags: &[&str]) -> Vec<String> {
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
        (
            "---\ntags: []\ntag: [\n  a,\n  \"c d\"\n]\n---\n",
            "---\ntags: []\ntag: [\n  \"c d\"\n]\n---\n",
        ),
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
fn a_tag_is_the_same_however_its_accents_are_stored() {
    let source = "---\ntags: [cafe\u{301}, b]\n---\nText\n";
    check(source, &[], &["Café"], source);
    check(source, &["Café"], &[], "---\ntags: [b]\n---\nText\n");
    check(
        source,
        &[],
        &["c"],
        "---\ntags: [cafe\u{301}, b, c]\n---\nText\n",
    );
}

#[test]
fn tags_of_any_script_have_a_place_in_every_form() {
    check(
        "---\ntags: a, b\n---\n",
        &[],
        &["हिन्दी", "ที่เที่ยว", "🍳"],
        "---\ntags: a, b, हिन्दी, ที่เที่ยว, 🍳\n---\n",
    );
    check(
        "---\ntags: [a]\n---\n",
        &[],
        &["cafe\u{301}"],
        "---\ntags: [a, cafe\u{301}]\n---\n",
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
fn what_is_no_list_of_strings_is_never_written_into() {
    for source in [
        "---\ncommon: &t [mine, yours]\ntags: *t\n---\n",
        "---\nbase: &b {tags: [mine]}\n<<: *b\n---\n",
        "---\nbase: &b {tags: [mine]}\n\"<<\": *b\n---\n",
        "---\nbase: &b {tags: [mine]}\n? <<\n: *b\n---\n",
        "---\nbase: &b {tags: [mine]}\n!!merge <<: *b\n---\n",
        "---\n{base: &b {tags: [mine]}, <<: *b}\n---\n",
        "---\ntags: {mine: 1}\n---\n",
        "---\ntags:\n  mine: 1\n---\n",
        "---\ntags: !!set {mine, yours}\n---\n",
        "+++\ntags = {mine = 1}\n+++\n",
        "{\"tags\": {\"mine\": 1}}\n\nText\n",
    ] {
        let retagged = retag(source, Format::Markdown, &[], &strings(&["new"])).unwrap();
        assert_eq!(retagged.applied(source), source);
        assert_eq!(retagged.unwritable, ["new"], "{source:?}");
    }
    let aliased = "---\ncommon: &t [mine, yours]\ntags: *t\n---\n";
    assert_eq!(
        read(aliased, Format::Markdown).unwrap().tags,
        ["mine", "yours"]
    );
    let twice = "---\nx: &x garden\ntags: [*x, b]\n---\n";
    check(twice, &[], &["garden"], twice);
    check(twice, &["b"], &[], "---\nx: &x garden\ntags: [*x]\n---\n");
    let mac = "---\rtags: [a]\r---\rText\r";
    let refused = retag(mac, Format::Markdown, &[], &strings(&["new"]));
    assert!(matches!(refused, Err(AddError::Broken(_))), "{refused:?}");
}

#[test]
fn no_empty_tag_comes_about_and_a_comment_stays_beside_its_tag() {
    for (source, after) in [
        ("---\ntags: \"\"\n---\n", "---\ntags: \"new\"\n---\n"),
        ("---\ntags: \"#\"\n---\n", "---\ntags: \"#new\"\n---\n"),
        ("---\ntags: a,\n---\n", "---\ntags: a, new\n---\n"),
        ("---\ntags: 'a, '\n---\n", "---\ntags: 'a, new'\n---\n"),
        ("+++\ntags = \"\"\n+++\n", "+++\ntags = [\"new\"]\n+++\n"),
        ("{\"tags\": \"\"}\n\nx", "{\"tags\": [\"new\"]}\n\nx"),
        (
            "---\ntags: [\n  a, # why a\n  b  # why b\n]\n---\n",
            "---\ntags: [\n  a, # why a\n  b,  # why b\n  new\n]\n---\n",
        ),
        (
            "+++\ntags = [\n  \"a\", # why a\n]\n+++\n",
            "+++\ntags = [\n  \"a\", # why a\n  \"new\",\n]\n+++\n",
        ),
        (
            "{\"title\": \"\\ud83c\\udf31\", \"tags\": [\"a\"]}\n\nx",
            "{\"title\": \"\\ud83c\\udf31\", \"tags\": [\"a\", \"new\"]}\n\nx",
        ),
    ] {
        check(source, &[], &["new"], after);
    }
    check(
        ";;;\n{\"tags\": [\"\", \"a\"]}\n;;;\n",
        &["a"],
        &[],
        ";;;\n{\"tags\": [\"\"]}\n;;;\n",
    );
    let title = read(
        "---\n{\"title\": \"\\ud83c\\udf31 sow\"}\n---\n",
        Format::Markdown,
    );
    assert_eq!(
        title.and_then(|settings| settings.title).unwrap().text,
        "🌱 sow"
    );
}

#[test]
fn an_org_keyword_stands_behind_what_counts_only_at_the_top() {
    for (source, after) in [
        (
            ":PROPERTIES:\n:ID: 1\n:END:\n#+title: x\n",
            ":PROPERTIES:\n:ID: 1\n:END:\n#+FILETAGS: :new:\n#+title: x\n",
        ),
        (
            "# mine\n\n:properties:\n:ID: 1\n:end:",
            "# mine\n\n:properties:\n:ID: 1\n:end:\n#+FILETAGS: :new:",
        ),
        (
            "# -*- mode: org -*-\n#+title: x\n",
            "# -*- mode: org -*-\n#+FILETAGS: :new:\n#+title: x\n",
        ),
        (
            ":PROPERTIES:\nnever closed\n",
            "#+FILETAGS: :new:\n:PROPERTIES:\nnever closed\n",
        ),
        (
            ":PROPERTIES:\n:ID: 1\n* H\n:PROPERTIES:\n:X: 1\n:END:\n#+FILETAGS: :a:\n",
            "#+FILETAGS: :new:\n:PROPERTIES:\n:ID: 1\n* H\n:PROPERTIES:\n:X: 1\n:END:\n#+FILETAGS: :a:\n",
        ),
        ("Text\n", "#+FILETAGS: :new:\nText\n"),
    ] {
        check_in(Format::Org, source, &[], &["new"], after);
    }
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
    let with_nulls = format!("---\ntags: [~, {}, ~]\n---\nText\n", tags.join(", "));
    let none = retag(&with_nulls, Format::Markdown, &tags, &[]).unwrap();
    let after = "---\ntags: [~, ~]\n---\nText\n";
    assert_eq!(none.applied(&with_nulls), after);
    let all = retag("Text\n", Format::Markdown, &[], &tags).unwrap();
    let now = read(&all.applied("Text\n"), Format::Markdown).unwrap().tags;
    assert_eq!(now, tags);
}

/// What of a text is no tags value: from behind each key to the end of the value's last line is
/// left out. Lines of comments, which may stand between items, are told apart from the rest.
fn rest(text: &str, format: Format) -> (Vec<String>, Vec<String>) {
    let settings = read(text, format).filter(|settings| settings.fault.is_none());
    let values = settings.map_or(Vec::new(), |settings| settings.tag_values);
    let mut rest = String::new();
    let mut at = 0;
    for value in &values {
        let key = text[at..value.span.start].rfind(&value.key).unwrap() + at;
        let behind = key + text[key..].find([':', '=']).unwrap() + 1;
        let end = text[value.span.end.max(behind)..].find('\n');
        rest += &text[at..behind];
        at = end.map_or(text.len(), |end| value.span.end.max(behind) + end);
    }
    rest += &text[at..];
    let is_remark = |line: &str| line.trim_start().starts_with("# ");
    let lines = |text: &str, remarks: bool| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let lines = lines.filter(|line| is_remark(line) == remarks);
        lines.map(|line| line.trim().to_owned()).collect()
    };
    (lines(&rest, false), lines(text, true))
}

/// Does an operation and proves all that is promised of it.
pub(super) fn prove(
    source: &str,
    format: Format,
    remove: &[String],
    add: &[String],
) -> Result<(), String> {
    let Ok(retagged) = retag(source, format, remove, add) else {
        return Ok(()); // Left alone, with a message.
    };
    let after = retagged.applied(source);
    let ensure = |is_so: bool, what: &str| match is_so {
        true => Ok(()),
        false => Err(format!(
            "{what}: -{remove:?} +{add:?}\n{source:?}\n{after:?}"
        )),
    };
    let lowered = |tags: &[String]| -> BTreeSet<String> {
        tags.iter().map(|tag| lower(&spelt(tag, format))).collect()
    };
    let tags = |text: &str| read(text, format).map_or(Vec::new(), |settings| settings.tags);
    let unwritable = lowered(&retagged.unwritable);
    let mut expected = lowered(&tags(source));
    let standing = expected.clone();
    expected.retain(|tag| !lowered(remove).contains(tag) || unwritable.contains(tag));
    let new = lowered(add)
        .into_iter()
        .filter(|tag| !unwritable.contains(tag));
    expected.extend(new.filter(|tag| !standing.contains(tag)));
    ensure(
        lowered(&tags(&after)) == expected,
        "the tags are other ones",
    )?;
    // Every byte outside of the tags values is what it was.
    let settings = read(source, format);
    let n_values =
        |settings: &Option<FrontMatter>| settings.as_ref().map_or(0, |s| s.tag_values.len());
    let bare = source.trim_start_matches('\u{feff}');
    if n_values(&settings) == n_values(&read(&after, format)) {
        let ((old, remarks), (new, remarks_now)) = (rest(source, format), rest(&after, format));
        ensure(old == new, "other bytes changed")?;
        let mut now = remarks_now.iter();
        let stays = |remark: &String| now.any(|other| other == remark);
        ensure(remarks.iter().all(stays), "a remark is gone")?;
    } else {
        let head = retagged
            .edits
            .iter()
            .map(|edit| edit.span.len())
            .sum::<usize>();
        ensure(
            head == 0 && retagged.edits.len() == 1,
            "more than an insertion",
        )?;
        let top = source.len() - bare.len();
        let place = match format {
            Format::Org => org::first_place(source, top),
            _ => top,
        };
        ensure(
            settings.is_some() || after.ends_with(&source[place..]),
            "the text moved",
        )?;
    }
    ensure(
        after.starts_with('\u{feff}') == source.starts_with('\u{feff}'),
        "the mark moved",
    )?;
    ensure(
        !source.contains("\r\n") || after.matches('\n').count() == after.matches("\r\n").count(),
        "another line end",
    )?;
    // A second time nothing is left to do.
    let again = retag(&after, format, remove, add).map_err(|error| error.to_string())?;
    let is_swap = lowered(remove).intersection(&lowered(add)).next().is_some();
    ensure(
        again.edits.is_empty() || is_swap,
        "a second time changes more",
    )?;
    // The edits backwards give the bytes there were.
    let mut back = after.clone();
    let mut shift = 0_isize;
    let mut inverse = Vec::new();
    for edit in &retagged.edits {
        let start = edit.span.start.checked_add_signed(shift).unwrap();
        inverse.push((start..start + edit.text.len(), &source[edit.span.range()]));
        shift += edit.text.len() as isize - edit.span.len() as isize;
    }
    for (range, text) in inverse.into_iter().rev() {
        back.replace_range(range, text);
    }
    ensure(back == source, "there is no way back")
}

#[test]
fn every_sample_goes_through_every_operation() {
    for sample in &SAMPLES {
        let tags = read(sample.text, sample.format).map_or(Vec::new(), |settings| settings.tags);
        let new = strings(&["new"]);
        let many = strings(&["new", "B b", "año", "2025", "a/b"]);
        let mut operations = vec![
            (Vec::new(), new.clone()),
            (Vec::new(), many.clone()),
            (tags.clone(), Vec::new()),
            (tags.clone(), new.clone()),
            (tags.clone(), many),
        ];
        operations.extend(tags.iter().map(|tag| (vec![tag.clone()], Vec::new())));
        operations.extend(
            tags.iter()
                .map(|tag| (vec![tag.to_uppercase()], new.clone())),
        );
        for (remove, add) in operations {
            prove(sample.text, sample.format, &remove, &add).unwrap();
            let retagged = retag(sample.text, sample.format, &remove, &add);
            let is_done = |tags: &Retagged| !tags.unwritable.iter().any(|tag| tag == "new");
            if sample.is_open {
                assert!(
                    retagged.as_ref().is_ok_and(is_done),
                    "{:?}: {retagged:?}",
                    sample.text
                );
            }
        }
        let added = retag(sample.text, sample.format, &[], &new);
        let is_open = added.is_ok_and(|added| added.unwritable.is_empty());
        assert!(is_open || !sample.is_open, "{:?}", sample.text);
    }
}

prop_compose! {
    /// A document with one or two tags values among other things.
    fn document()(
        bom: bool, crlf: bool, fences in prop::sample::select(vec!["---", "+++", "---\n"]),
        above in prop::sample::select(vec!["", "title: x\n", "# remark\n", "a: &b [c]\n\n", "x: |\n  tags: [no]\n"]),
        first in value(), second in prop::option::of(value()),
        below in prop::sample::select(vec!["", "# end\n", "y: *b\n", "z:\n  - tags\n"]),
        body in prop::sample::select(vec!["", "Text", "Text\n", "\n# Head\n#tag text\n", "---\ntags: [no]\n---\n"]),
    ) -> String {
        let second = second.map_or(String::new(), |value| value.replacen("tags", "tag", 1));
        let text = match fences {
            "+++" => format!("+++\ntags = ['a', \"b\"] # c\n{}+++\n{body}", "[x]\ny = 1\n"),
            fences => format!("{}\n{above}{first}{second}{below}---\n{body}", fences.trim()),
        };
        let text = if crlf { text.replace('\n', "\r\n") } else { text };
        format!("{}{text}", if bom { "\u{feff}" } else { "" })
    }
}

/// A tags value in some form.
fn value() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "a", "b", "\"c d\"", "'e'", "2024", "f/g", "é", "\"h, i\"", "~",
    ]);
    let words = prop::collection::vec(word, 0..5);
    (words, 0..8_usize, any::<bool>()).prop_map(|(words, form, remark)| {
        let remark = if remark { " # why" } else { "" };
        let plain: Vec<&str> = words
            .iter()
            .map(|word| word.trim_matches(['"', '\'', '~']))
            .collect();
        match form {
            0 => format!("tags: [{}]{remark}\n", words.join(", ")),
            1 => format!("tags: [{},]\n", words.join(",")).replace("[,]", "[]"),
            2 => format!("tags: [\n  {}\n]{remark}\n", words.join(",\n  ")),
            3 => format!(
                "tags:{remark}\n{}",
                words
                    .iter()
                    .map(|w| format!("  - {w}{remark}\n"))
                    .collect::<String>()
            ),
            4 => format!(
                "tags:\n{}",
                words
                    .iter()
                    .map(|w| format!("- {w}\n\n# more\n"))
                    .collect::<String>()
            ),
            5 => format!(
                "tags: {}{remark}\n",
                plain.join(", ").trim_matches([',', ' '])
            ),
            6 => format!("tags: \"{}\"{remark}\n", plain.join(", ")),
            _ => format!(
                "tags: '{}'\n",
                plain
                    .iter()
                    .map(|w| format!("#{w}"))
                    .collect::<Vec<_>>()
                    .join(" ")
            ),
        }
    })
}

pub(super) fn some_tags() -> impl Strategy<Value = Vec<String>> {
    let known = prop::sample::select(vec![
        "a",
        "b",
        "c d",
        "e",
        "E",
        "2024",
        "f/g",
        "é",
        "h",
        "new",
        "more-of it",
    ]);
    let any = "[\\PC]{1,8}|[a-z:#,'\"\\[\\]{}&*!| -]{1,8}";
    prop::collection::vec(
        prop_oneof![4 => known.prop_map(str::to_owned), 1 => any],
        0..5,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn any_document_goes_through_any_operation(
        source in document(), remove in some_tags(), add in some_tags(),
    ) {
        let format = Format::Markdown;
        let goes: Vec<String> = remove.into_iter().filter(|tag| !add.contains(tag)).collect();
        prove(&source, format, &goes, &add).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn any_text_is_changed_right_or_left_alone(
        text in "(---\n)?[a-z:#,'\"\\[\\]{}&*!|\n -]{0,60}(\n---\n)?.{0,20}",
        add in some_tags(),
    ) {
        for format in Format::ALL {
            prove(&text, format, &[], &add).map_err(TestCaseError::fail)?;
        }
    }
}
