//! The markup a document is written in: from a file name or a word to a `Format`.
//!
//! Total: what is not known is plain text. Looks at names only, never at files.

use std::path::Path;
use std::str::FromStr;

/// A markup language that `Document::parse` understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// CommonMark with tables, footnotes, wiki links and front matter.
    Markdown,
    /// Emacs Org.
    Org,
    /// reStructuredText.
    Rst,
    /// LaTeX.
    Latex,
    /// HTML.
    Html,
    /// No markup: paragraphs separated by blank lines.
    Plain,
}

impl Format {
    /// All of them, in the order they are told to people.
    pub const ALL: [Format; 6] = [
        Format::Markdown,
        Format::Org,
        Format::Rst,
        Format::Latex,
        Format::Html,
        Format::Plain,
    ];

    /// By the file name's extension; `Plain` where it has none or an unknown one.
    pub fn from_path(path: &Path) -> Format {
        path.extension()
            .and_then(|extension| extension.to_str())
            .and_then(Format::from_extension)
            .unwrap_or(Format::Plain)
    }

    /// By an extension without its dot, in any case; `None` where it is unknown.
    pub fn from_extension(extension: &str) -> Option<Format> {
        Some(match extension.to_ascii_lowercase().as_str() {
            "md" | "markdown" | "mdown" | "mkd" | "mdx" | "qmd" | "rmd" => Format::Markdown,
            "org" => Format::Org,
            "rst" | "rest" => Format::Rst,
            "tex" | "latex" | "ltx" => Format::Latex,
            "html" | "htm" | "xhtml" => Format::Html,
            "txt" | "text" => Format::Plain,
            _ => return None,
        })
    }

    /// The word for it, which `FromStr` reads back.
    pub fn name(self) -> &'static str {
        match self {
            Format::Markdown => "markdown",
            Format::Org => "org",
            Format::Rst => "rst",
            Format::Latex => "latex",
            Format::Html => "html",
            Format::Plain => "plain",
        }
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// A word that names no format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no format is called `{0}`; use one of markdown, org, rst, latex, html, plain")]
pub struct UnknownFormat(String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(word: &str) -> Result<Format, UnknownFormat> {
        Format::ALL
            .into_iter()
            .find(|format| format.name().eq_ignore_ascii_case(word))
            .or_else(|| Format::from_extension(word))
            .ok_or_else(|| UnknownFormat(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_known_by_its_file_name() {
        for (path, format) in [
            ("notes/a.md", Format::Markdown),
            ("analysis.Rmd", Format::Markdown),
            ("report.QMD", Format::Markdown),
            ("inbox.org", Format::Org),
            ("README.rest", Format::Rst),
            ("thesis.ltx", Format::Latex),
            ("page.xhtml", Format::Html),
            ("README", Format::Plain),
            ("data.csv", Format::Plain),
            (".md", Format::Plain), // A dot file has no extension.
        ] {
            assert_eq!(Format::from_path(Path::new(path)), format, "{path}");
        }
    }

    #[test]
    fn a_name_reads_back_and_an_unknown_one_names_the_cure() {
        for format in Format::ALL {
            assert_eq!(format.name().parse(), Ok(format));
        }
        assert_eq!("tex".parse(), Ok(Format::Latex));
        let fault = "docx".parse::<Format>().unwrap_err().to_string();
        assert_eq!(
            fault,
            "no format is called `docx`; use one of markdown, org, rst, latex, html, plain"
        );
    }
}
