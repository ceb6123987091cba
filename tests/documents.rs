//! Documents of every format, read as people write them: expected blocks, and properties that
//! hold for any text.
//!
//! Length: the lists of hostile marks, which are data, one a line.

use std::path::Path;

use expect_test::{Expect, expect};
use gliznet::document::{BlockKind, Document, Format, Span, body_tags, decode, sentences};
use proptest::prelude::*;

fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/documents");
    std::fs::read(path.join(name)).expect("the fixture is there")
}

fn read(name: &str) -> Document {
    let decoded = decode(&fixture(name)).expect("the fixture is text");
    Document::parse(Format::from_path(Path::new(name)), decoded.text)
}

fn listing(document: &Document) -> String {
    let mut listing = format!("title: {:?}\n", document.title());
    for block in document.blocks() {
        let kind = match block.kind {
            BlockKind::Heading(level) => format!("h{level}"),
            BlockKind::Paragraph => "p".to_owned(),
            BlockKind::ListItem => "item".to_owned(),
            BlockKind::TableRow => "row".to_owned(),
            BlockKind::Quote => "quote".to_owned(),
            BlockKind::Code => "code".to_owned(),
        };
        let at = block.source_extent().map_or("?".to_owned(), |span| {
            (1 + document.source()[..span.start].matches('\n').count()).to_string()
        });
        listing += &format!("{at:>3} {kind} {:?}\n", block.text);
    }
    for (tag, _) in body_tags(document) {
        listing += &format!("#{tag}\n");
    }
    listing
}

fn check(document: &Document, expect: Expect) {
    check_mapping(document);
    expect.assert_eq(&listing(document));
}

/// The properties that every parser owes its users.
fn check_mapping(document: &Document) {
    let source = document.source();
    let mut source_at = 0;
    for (idx, block) in document.blocks().iter().enumerate() {
        assert!(!block.text.trim().is_empty());
        if block.kind != BlockKind::Code {
            assert!(!block.text.contains(['\n', '\r']), "{:?}", block.text);
            assert!(!block.text.contains("  "), "{:?}", block.text);
        }
        let mut text_at = 0;
        for piece in &block.pieces {
            assert!(text_at <= piece.text.start && source_at <= piece.source.start);
            (text_at, source_at) = (piece.text.end, piece.source.end);
            let text = &block.text[piece.text.range()];
            let original = &source[piece.source.range()];
            assert!(!text.is_empty() && !original.is_empty());
            if text.len() == original.len() {
                assert_eq!(text, original);
            }
        }
        assert!(text_at <= block.text.len());
        for heading in &block.headings {
            assert!(*heading < idx);
            assert!(matches!(
                document.blocks()[*heading].kind,
                BlockKind::Heading(_)
            ));
        }
        let mut at = 0;
        for sentence in sentences(block) {
            assert!(sentence.start >= at && !sentence.is_empty());
            assert!(block.text[at..sentence.start].trim().is_empty());
            at = sentence.end;
            document.source_span(idx, sentence);
        }
        assert!(block.text[at..].trim().is_empty());
    }
    for (tag, span) in body_tags(document) {
        assert!(source[span.range()].ends_with(tag.as_str()));
    }
    if let Some(front_matter) = document.front_matter() {
        assert!(source.get(front_matter.extent.range()).is_some());
        for value in &front_matter.tag_values {
            assert!(source.get(value.span.range()).is_some());
        }
    }
}

#[test]
fn an_obsidian_note_is_read_as_its_writer_sees_it() {
    check(
        &read("obsidian.md"),
        expect![[r##"
        title: Some("Sourdough, week 3")
          7 h1 "Sourdough, week 3"
          9 p "Fed the levain with 50 g of rye & 50 g of water, see the care sheet and this guide. #baking #project/house-2 but not #123 or a#b."
         13 quote "Window pane test Stretch the dough until light shines through."
         17 p "A loaf cut in half"
         19 h2 "To do"
         21 item "buy flour"
         22 item "clean banneton"
         23 item "rice flour first"
         24 item "then rye"
         26 row "Day | Temp | Notes"
         28 row "Mon | 24 °C | slow"
         29 row "Tue | 27 °C | see log 🍞"
         32 code "# #notatag\nhydration = water / flour"
         36 p "Old notes"
         37 p "Too wet — 85 %."
         41 p "It costs $5, or n loaves where ."
         43 p "Prices of last week."
        #baking
        #project/house-2
    "##]],
    );
}

#[test]
fn an_org_notebook_is_read_without_its_machinery() {
    check(
        &read("notes.org"),
        expect![[r#"
        title: Some("Garden notebook")
          1 h1 "Garden notebook"
          4 p "What grew, what did not"
          6 h1 "Sow broad beans"
         11 p "Under fleece, see the bean page and seeds.org. It is +5 °C at night, a path like /usr/bin stays."
         14 item "soil"
         15 item "seeds"
         16 item "Aquadulce :: early"
         17 item "DEADLINE in text stays"
         19 h2 "Compost"
         21 code "echo \"turn the heap\""
         25 quote "Feed the soil, not the plant."
         28 row "Crop | Row"
         30 row "Leek | 3"
         33 code "fixed width"
         39 h1 "Été"
         40 p "Récolte à 17h environ."
         42 p "By the thermometer."
        #spring
        #veg
    "#]],
    );
}

#[test]
fn headlines_of_an_org_file_have_tags_of_any_script() {
    let tags = |source: &str| -> Vec<String> {
        let document = Document::parse(Format::Org, source);
        let found = body_tags(&document).into_iter();
        found.map(|(tag, _)| tag).collect()
    };
    assert_eq!(
        tags("* Head :हिन्दी:ที่เที่ยว:cafe\u{301}:\n"),
        ["हिन्दी", "ที่เที่ยว", "cafe\u{301}"]
    );
    assert_eq!(tags("* Head :a b: :(c):\n"), [""; 0]);
}

#[test]
fn a_restructuredtext_guide_is_read_through_its_directives() {
    check(
        &read("guide.rst"),
        expect![[r#"
        title: Some("The Guide")
          5 h1 "The Guide"
         10 p "Welcome to the guide of tool, made by its authors and others. See and Python."
         13 h2 "Install"
         16 p "Run this:"
         18 code "pip install tool\n  --user"
         21 p "Needs Python."
         23 p "And a network."
         28 code "import tool"
         34 p "The logo"
         36 item "First goes on"
         38 item "Second"
         41 row "Input | Output"
         43 row "a | b"
         47 row "x | y"
         50 item "oats: how many"
         53 p "A footnote."
         55 h3 "Deeper"
         58 p "Escaped *stars*."
    "#]],
    );
}

#[test]
fn a_latex_paper_is_read_without_its_commands() {
    check(
        &read("paper.tex"),
        expect![[r#"
        title: Some("On Oats & Milk")
          5 h1 "On Oats & Milk"
         10 p "We study oats ."
         12 h2 "Introduction"
         13 p "Porridge is goodfor you; it costs $5. See Figure . Les écoles d'ête à François, « bien sûr »."
         20 p "We write n for the number, not ."
         22 item "First thing"
         23 item "Second: thing with a link"
         26 row "Grain | Price"
         28 row "Oats | 3"
         31 code "let x = {1};"
         33 quote "“Eat oats.”"
    "#]],
    );
}

#[test]
fn a_web_page_is_read_without_its_menus() {
    check(
        &read("page.html"),
        expect![[r#"
            title: Some("Oats & more | Site")
              2 h1 "Oats & more | Site"
              5 h1 "Oats"
              6 p "Buy rolled oats — they're cheap. Really."
              7 item "one"
              7 item "nested <b>"
              7 item "two"
              8 row "Kind | Price"
              8 row "Steel cut | 3€"
              9 code "fn main() {\n    a && b\n}"
             12 quote "Eat."
             13 p "A bowl of oats"
             14 h2 "Café 🥣"
        "#]],
    );
}

#[test]
fn a_plain_note_is_read_by_paragraphs_and_items() {
    check(
        &read("plain.txt"),
        expect![[r#"
        title: None
          1 p "Meeting, 23 November"
          3 p "We agreed to move the release by a week, because the tests on the old laptop are too slow."
          5 item "Anna: profile"
          6 item "Ben: write to the printers about the new date"
          8 p "Next time: Monday. #planning"
        #planning
    "#]],
    );
}

#[test]
fn line_ends_marks_and_encodings_change_no_word() {
    for name in [
        "obsidian.md",
        "notes.org",
        "guide.rst",
        "paper.tex",
        "page.html",
        "plain.txt",
    ] {
        let text = String::from_utf8(fixture(name)).unwrap();
        let format = Format::from_path(Path::new(name));
        let expected = Document::parse(format, text.as_str()).text();
        let windows = format!("\u{feff}{}", text.replace('\n', "\r\n"));
        let document = Document::parse(format, windows.as_str());
        check_mapping(&document);
        assert_eq!(document.text(), expected, "{name}");
        let utf16: Vec<u8> = windows.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let decoded = decode(&utf16).unwrap();
        assert_eq!(
            Document::parse(format, decoded.text).text(),
            expected,
            "{name}"
        );
    }
}

#[test]
fn a_french_note_in_latin_1_is_read() {
    let text = "---\ntitle: Cr\u{e8}me br\u{fb}l\u{e9}e\ntags: cuisine, g\u{e2}teau\n---\nChauffer le lait \u{e0} feu doux, c'est pr\u{ea}t d\u{e8}s qu'il fr\u{e9}mit.\n";
    let bytes: Vec<u8> = text.chars().map(|c| c as u8).collect();
    let decoded = decode(&bytes).unwrap();
    assert_eq!(decoded.encoding, "windows-1252");
    let document = Document::parse(Format::Markdown, decoded.text);
    assert_eq!(document.title(), Some("Crème brûlée"));
    assert_eq!(document.front_matter().unwrap().tags, ["cuisine", "gâteau"]);
}

/// Inputs on which parsers are known to recurse, to go quadratic, or to lose everything.
fn hostile(n: usize) -> Vec<String> {
    let units = [
        "*a /b ",
        "*/_+=",
        "[[",
        "](",
        "[a](",
        "> ",
        "- ",
        "\\textbf{",
        "\\begin{itemize}",
        "{",
        "}",
        "#+begin_src\n",
        ":drawer:\n",
        "`a ",
        "**a ",
        "$a \n",
        "$a\n\n",
        "<div>",
        "<nav>",
        "<!--",
        "<b ",
        "&",
        "&amp",
        "%%",
        "{{<",
        "{%",
        "[^1]: ",
        "| ",
        "|-",
        ".. note::\n",
        "::\n\n ",
        ".. image:: x\n",
        "=\n",
        "a\n=\n",
        "\\verb|",
        "\\[",
        "\\title{",
        "[fn:",
        "<<",
        "~~a ",
        "\u{1f600}",
        "\0",
        "# ",
        "* a\n",
        "* COMMENT a\n",
        "\\item[",
        "_",
        "`",
        "![[",
        "\\'",
        "\t",
        "\\begin{equation}",
        "%",
        "<pre>",
        "<table><tr><td>",
        "a:b::",
        "`a <",
        ":a:`",
        "\r",
    ];
    let mut inputs: Vec<String> = units.iter().map(|unit| unit.repeat(n)).collect();
    inputs.push(
        (0..n / 10)
            .map(|i| format!("{}- x\n", " ".repeat(i % 300)))
            .collect(),
    );
    inputs.push(
        (0..n / 10)
            .map(|i| format!("{}> x\n", ">".repeat(i % 300)))
            .collect(),
    );
    inputs.push(format!("---\n{}: {}", "a", "[".repeat(n)));
    inputs.push(format!("---\na: {}\n---\n", "{a: ".repeat(n)));
    inputs.push(format!("+++\na = {}\n+++\n", "[".repeat(n)));
    inputs.push("{\"a\":".repeat(n));
    inputs
}

#[test]
fn hostile_text_is_text() {
    for source in hostile(20_000) {
        for format in Format::ALL {
            let document = Document::parse(format, source.as_str());
            check_mapping(&document);
        }
    }
}

#[test]
fn ten_megabytes_on_one_line_are_read() {
    let source = "Some words of *prose*, [here](x) and `there` $x$ {a} <b>c</b>. ".repeat(160_000);
    for format in Format::ALL {
        let document = Document::parse(format, source.as_str());
        assert_eq!(document.blocks().len(), 1, "{format}");
        assert!(document.text().len() > 5_000_000);
    }
}

fn any_markup() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "a",
        "b c",
        "é",
        "🍞",
        " ",
        "\n",
        "\r\n",
        "\n\n",
        "  ",
        "\t",
        "*",
        "**",
        "_",
        "`",
        "``",
        "```\n",
        "#",
        "# ",
        "## ",
        "#tag",
        "- ",
        "1. ",
        "> ",
        "[[",
        "]]",
        "[",
        "](",
        "]",
        "(",
        ")",
        "|",
        "\n|-",
        "---\n",
        "+++\n",
        "title: x\n",
        "tags: [a]\n",
        "tags:\n  - a\n",
        "&amp;",
        "&",
        ";",
        "<b>",
        "</b>",
        "<p>",
        "<pre>",
        "</pre>",
        "<nav>",
        "</nav>",
        "<!--",
        "-->",
        "<",
        ">",
        "\\",
        "{",
        "}",
        "$",
        "$$",
        "%",
        "%%",
        "\\textbf{",
        "\\'e",
        "\\begin{verbatim}\n",
        "\\end{verbatim}",
        "\\item ",
        "\\\\",
        "&",
        "\\section{",
        "\\title{",
        "#+TITLE: ",
        "#+begin_src\n",
        "#+end_src\n",
        ":a:\n",
        ":END:\n",
        "* ",
        "** TODO ",
        ".. note:: ",
        ".. code::\n",
        "::\n\n",
        "    ",
        "====",
        "\n====\n",
        "----\n",
        ":role:`",
        "`_",
        "[^1]",
        "[^1]: ",
        "{{<",
        ">}}",
        "{%",
        "%}",
        "^id\n",
        "[fn:",
        "<title>",
        "</title>",
        "<td>",
        "<tr>",
        "</table>",
        "\0",
        "\u{feff}",
        "\u{a0}",
        "~",
        "=",
        "+",
        "/",
        "<2026-01-01>",
        "---",
        "''",
    ]);
    prop::collection::vec(token, 0..60).prop_map(|tokens| tokens.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1500) })]

    #[test]
    fn any_text_maps_back_to_its_source(source in any_markup()) {
        for format in Format::ALL {
            check_mapping(&Document::parse(format, source.as_str()));
        }
    }

    #[test]
    fn any_bytes_are_a_text_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(decoded) = decode(&bytes) {
            prop_assert!(decoded.bom_len <= bytes.len());
            check_mapping(&Document::parse(Format::Markdown, decoded.text));
        }
    }

    #[test]
    fn any_part_of_a_block_comes_from_inside_the_source(
        source in any_markup(), start in 0usize..80, len in 0usize..80,
    ) {
        let document = Document::parse(Format::Markdown, source.as_str());
        for idx in 0..document.blocks().len() {
            if let Some(span) = document.source_span(idx, Span::new(start, start + len)) {
                prop_assert!(span.end <= source.len());
            }
        }
    }
}
