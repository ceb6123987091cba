//! What the names of LaTeX's commands and environments mean to a reader of the text.
//!
//! Total: an unknown command goes and its arguments stay, an unknown environment is text.

pub(super) enum Command {
    Begin,
    End,
    Title,
    Heading(u8),
    Item,
    Paragraph,
    Verb,
    /// Its argument is said beside the text: a note.
    Aside,
    /// Takes out all up to its `\fi`.
    False,
    /// Puts an accent on the next letter.
    Accent(char),
    /// Stands for this text.
    Spelled(&'static str),
    /// Goes with so many arguments.
    Dropped(usize),
    /// Goes; its arguments are text.
    Kept,
}

pub(super) fn lookup(name: &str) -> Command {
    use Command::{
        Accent, Aside, Begin, Dropped, End, False, Heading, Item, Kept, Paragraph, Spelled, Title,
        Verb,
    };
    match name {
        "begin" => Begin,
        "end" => End,
        "title" => Title,
        "part" | "chapter" => Heading(1),
        "section" => Heading(2),
        "subsection" | "frametitle" => Heading(3),
        "subsubsection" => Heading(4),
        "paragraph" => Heading(5),
        "subparagraph" => Heading(6),
        "item" | "bibitem" => Item,
        "par" | "newpage" | "clearpage" | "maketitle" | "hline" | "caption" => Paragraph,
        "verb" | "lstinline" => Verb,
        "footnote" | "footnotetext" | "marginpar" | "sidenote" | "todo" => Aside,
        "iffalse" => False,
        "c" | "v" | "u" | "H" | "k" | "r" => Accent(name.chars().next().unwrap_or('c')),
        "ss" => Spelled("ß"),
        "ae" => Spelled("æ"),
        "AE" => Spelled("Æ"),
        "oe" => Spelled("œ"),
        "OE" => Spelled("Œ"),
        "o" => Spelled("ø"),
        "O" => Spelled("Ø"),
        "l" => Spelled("ł"),
        "L" => Spelled("Ł"),
        "aa" => Spelled("å"),
        "AA" => Spelled("Å"),
        "i" => Spelled("i"),
        "j" => Spelled("j"),
        "og" => Spelled("« "),
        "fg" => Spelled(" »"),
        "ldots" | "dots" | "textellipsis" => Spelled("…"),
        "textendash" => Spelled("–"),
        "textemdash" => Spelled("—"),
        "textquoteright" => Spelled("’"),
        "textbackslash" => Spelled("\\"),
        "textasciitilde" => Spelled("~"),
        "textasciicircum" => Spelled("^"),
        "LaTeX" => Spelled("LaTeX"),
        "TeX" => Spelled("TeX"),
        "BibTeX" => Spelled("BibTeX"),
        "S" => Spelled("§"),
        "pounds" => Spelled("£"),
        "euro" => Spelled("€"),
        "copyright" => Spelled("©"),
        "degree" => Spelled("°"),
        "today" | "tableofcontents" | "listoffigures" | "listoftables" | "appendix" => Dropped(0),
        "newcommand"
        | "renewcommand"
        | "providecommand"
        | "setlength"
        | "addtolength"
        | "setcounter"
        | "addtocounter"
        | "newtheorem"
        | "DeclareMathOperator"
        | "rule"
        | "definecolor"
        | "addcontentsline" => Dropped(2),
        "newenvironment" | "renewenvironment" => Dropped(3),
        "multicolumn" | "multirow" | "parbox" | "textcolor" | "colorbox" | "href" | "raisebox"
        | "foreignlanguage" | "scalebox" | "resizebox" | "rotatebox" | "fontsize" => {
            Dropped(match name {
                "multicolumn" | "multirow" | "resizebox" | "fontsize" => 2,
                _ => 1, // The last argument is the text.
            })
        }
        "label" | "input" | "include" | "includegraphics" | "bibliography"
        | "bibliographystyle" | "usepackage" | "documentclass" | "vspace" | "hspace"
        | "pagestyle" | "thispagestyle" | "index" | "glossary" | "url" | "hypersetup" | "color"
        | "graphicspath" | "addbibresource" | "selectlanguage" | "author" | "date"
        | "institute" | "affiliation" | "email" | "thanks" | "pagenumbering" | "newcounter"
        | "usetikzlibrary" | "tikzset" | "geometry" | "lstset" | "gls" | "includepdf"
        | "nocite" | "phantom" | "vphantom" | "hphantom" | "cline" | "cmidrule"
        | "lstinputlisting" | "stepcounter" => Dropped(1),
        "ref" | "eqref" | "pageref" | "autoref" | "nameref" | "cref" | "Cref" | "vref" => {
            Dropped(1)
        }
        _ if name.starts_with("cite") || name.ends_with("cite") || name.ends_with("citep") => {
            Dropped(1)
        }
        _ => Kept,
    }
}

pub(super) enum Environment {
    /// Formulas and drawings.
    Dropped,
    /// Code.
    Verbatim,
    /// Rows of cells, after so many arguments.
    Table(usize),
    List,
    Quote,
    /// Text, after so many arguments.
    Kept(usize),
}

pub(super) fn environment(name: &str) -> Environment {
    match name.trim_end_matches('*') {
        "tabular" | "longtable" | "supertabular" => Environment::Table(1),
        "tabularx" | "tabulary" => Environment::Table(2),
        "itemize" | "enumerate" | "description" => Environment::List,
        "quote" | "quotation" | "verse" | "displayquote" => Environment::Quote,
        "verbatim" | "Verbatim" | "lstlisting" | "minted" | "alltt" => Environment::Verbatim,
        "minipage" | "multicols" | "wrapfigure" => Environment::Kept(1),
        _ if end_mark(name).is_some() => Environment::Dropped,
        _ => Environment::Kept(0),
    }
}

/// The `\end` of an environment that is skipped or copied as a whole.
pub(super) fn end_mark(name: &str) -> Option<&'static str> {
    const MARKS: [&str; 31] = [
        "\\end{equation}",
        "\\end{equation*}",
        "\\end{align}",
        "\\end{align*}",
        "\\end{gather}",
        "\\end{gather*}",
        "\\end{multline}",
        "\\end{multline*}",
        "\\end{eqnarray}",
        "\\end{eqnarray*}",
        "\\end{alignat}",
        "\\end{alignat*}",
        "\\end{flalign}",
        "\\end{flalign*}",
        "\\end{displaymath}",
        "\\end{math}",
        "\\end{array}",
        "\\end{tikzpicture}",
        "\\end{pgfpicture}",
        "\\end{picture}",
        "\\end{axis}",
        "\\end{comment}",
        "\\end{thebibliography}",
        "\\end{filecontents}",
        "\\end{filecontents*}",
        "\\end{verbatim}",
        "\\end{Verbatim}",
        "\\end{lstlisting}",
        "\\end{minted}",
        "\\end{alltt}",
        "\\end{verbatim*}",
    ];
    MARKS.into_iter().find(|mark| {
        mark.strip_prefix("\\end{")
            .and_then(|m| m.strip_suffix('}'))
            == Some(name)
    })
}

/// A letter with its accent, where Unicode has one.
pub(super) fn accented(accent: char, letter: char) -> Option<char> {
    let (letters, composed) = match accent {
        '\'' => ("aeiouyAEIOUYcnszCNSZlrLR", "áéíóúýÁÉÍÓÚÝćńśźĆŃŚŹĺŕĹŔ"),
        '`' => ("aeiouAEIOU", "àèìòùÀÈÌÒÙ"),
        '^' => ("aeiouAEIOUcghjswyCGHJSWY", "âêîôûÂÊÎÔÛĉĝĥĵŝŵŷĈĜĤĴŜŴŶ"),
        '"' => ("aeiouyAEIOUY", "äëïöüÿÄËÏÖÜŸ"),
        '~' => ("anoANOiuIU", "ãñõÃÑÕĩũĨŨ"),
        '=' => ("aeiouAEIOU", "āēīōūĀĒĪŌŪ"),
        '.' => ("zcegZCEGI", "żċėġŻĊĖĠİ"),
        'c' => ("csteCSTE", "çşţȩÇŞŢȨ"),
        'v' => ("cdenrstzCDENRSTZ", "čďěňřšťžČĎĚŇŘŠŤŽ"),
        'u' => ("aegiouAEGIOU", "ăĕğĭŏŭĂĔĞĬŎŬ"),
        'H' => ("ouOU", "őűŐŰ"),
        'k' => ("aeiuAEIU", "ąęįųĄĘĮŲ"),
        'r' => ("auAU", "åůÅŮ"),
        _ => return None,
    };
    let idx = letters.chars().position(|c| c == letter)?;
    composed.chars().nth(idx)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_compose() {
        for (accent, letter, composed) in [('\'', 'e', 'é'), ('c', 'c', 'ç'), ('v', 'Z', 'Ž')] {
            assert_eq!(accented(accent, letter), Some(composed));
        }
        assert_eq!(accented('\'', '{'), None);
    }
}
