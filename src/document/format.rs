//! The markup a document is written in.

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
