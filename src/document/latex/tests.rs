//! What single commands do to the text.

use crate::document::{Document, Format};

fn text(source: &str) -> String {
    Document::parse(Format::Latex, source).text()
}

#[test]
fn what_iffalse_takes_out_is_no_text() {
    for (source, read) in [
        ("Cats.\n\\iffalse\nTaxes.\n\\fi\nDogs.\n", "Cats. Dogs."),
        ("Cats\\iffalse , taxes\\fi.", "Cats."),
        (
            "Cats. \\iffalse a \\ifnum1<2 b \\iffalse c\\fi \\else d\\fi taxes\\fi Dogs.",
            "Cats. Dogs.",
        ),
        (
            "Cats. \\iffalse taxes \\else dogs. \\fi Owls.",
            "Cats. dogs. Owls.",
        ),
        (
            "Cats. \\iffalse taxes % \\fi\n more taxes \\fi Dogs.",
            "Cats. Dogs.",
        ),
        (
            "Cats. \\iffalse a \\iff b \\ifthenelse{c}{d}{e} \\fi Dogs.",
            "Cats. Dogs.",
        ),
        (
            "\\newif\\ifdraft\nCats. \\iffalse taxes \\fi Dogs.",
            "Cats. Dogs.",
        ),
    ] {
        assert_eq!(text(source), read, "{source}");
    }
}

#[test]
fn an_iffalse_without_its_end_is_text() {
    assert_eq!(text("Cats. \\iffalse Dogs."), "Cats. Dogs.");
    assert_eq!(
        text("\\textbf{Cats. \\section{A \\iffalse b} Dogs.\n\nOwls. \\fi Mice.}"),
        text("\\textbf{Cats. \\section{A b} Dogs.\n\nOwls. Mice.}"),
    );
}

#[test]
fn a_title_that_is_taken_out_is_none() {
    let source = "\\iffalse\\title{Old}\\fi\\title{New}\\begin{document}Cats.\\end{document}";
    let document = Document::parse(Format::Latex, source);
    assert_eq!(document.title(), Some("New"));
}

#[test]
fn a_note_stands_apart_from_the_words_beside_it() {
    for (source, read) in [
        (
            "Our cats\\footnote{Vets agree.} sleep.",
            "Our cats Vets agree. sleep.",
        ),
        (
            "Our cats\\footnote[2]{Vets agree.}sleep.",
            "Our cats Vets agree. sleep.",
        ),
        (
            "cats\\todo{dogs\\footnote{owls}mice}",
            "cats dogs owls mice",
        ),
        ("cats\\marginpar{dogs}\\sidenote{owls}", "cats dogs owls"),
        ("cats\\footnote open", "cats open"),
    ] {
        assert_eq!(text(source), read, "{source}");
    }
}
