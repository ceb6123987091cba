//! The environments of LaTeX: lists, tables, quotes, code, and what is passed over.
//!
//! Environments are counted, not nested, so that a lost `\end` costs no more than a wrong kind.

use super::Reader;
use super::commands::{self, Environment};
use crate::document::BlockKind;

impl Reader<'_, '_> {
    /// Goes into or past the environment whose `\begin` ends at `behind`.
    pub(super) fn begin(&mut self, behind: usize) -> usize {
        let Some(close) = self.group(behind) else {
            return behind;
        };
        let name = &self.source[behind + 1..close];
        let inside = close + 1;
        match commands::environment(name) {
            Environment::Dropped => {
                self.builder.gap();
                self.environment_end(name, inside)
                    .map_or(inside, |(_, end)| end)
            }
            Environment::Verbatim => {
                let Some((code_end, end)) = self.environment_end(name, inside) else {
                    return inside;
                };
                self.flush();
                // The rest of the `\begin` line holds options.
                let first = self.source[inside..code_end].find('\n');
                let start = first.map_or(inside, |len| inside + len + 1);
                self.builder.code(start..code_end);
                self.builder.end(BlockKind::Code);
                end
            }
            Environment::Table(n_arguments) => {
                self.flush();
                self.n_tables += 1;
                self.skip_arguments(inside, n_arguments)
            }
            Environment::List => {
                self.flush();
                self.n_lists += 1;
                self.skip_optional(inside)
            }
            Environment::Quote => {
                self.flush();
                self.n_quotes += 1;
                inside
            }
            Environment::Kept(n_arguments) => {
                self.flush();
                self.skip_arguments(inside, n_arguments)
            }
        }
    }

    pub(super) fn end_environment(&mut self, behind: usize) -> usize {
        let Some(close) = self.group(behind) else {
            return behind;
        };
        self.flush();
        let count = match commands::environment(&self.source[behind + 1..close]) {
            Environment::Table(_) => &mut self.n_tables,
            Environment::List => &mut self.n_lists,
            Environment::Quote => &mut self.n_quotes,
            _ => return close + 1,
        };
        *count = count.saturating_sub(1);
        close + 1
    }

    /// Where `\end{name}` begins and ends.
    fn environment_end(&mut self, name: &str, from: usize) -> Option<(usize, usize)> {
        let source = self.source;
        let is_it = |at: usize| {
            let rest = &source[at + "\\end{".len()..];
            rest.starts_with(name) && rest[name.len()..].starts_with('}')
        };
        let end = match self.closers.find(source, (from, self.end), "\\end{") {
            Some(first) if is_it(first) => Some(first),
            Some(first) => {
                let mark = commands::end_mark(name)?;
                self.closers.find(source, (first, self.end), mark)
            }
            None => None,
        }?;
        Some((end, end + "\\end{}".len() + name.len()))
    }

    /// Ends the block as what its environments make it.
    pub(super) fn flush(&mut self) {
        let kind = match self.kind {
            _ if self.n_tables > 0 => BlockKind::TableRow,
            BlockKind::ListItem => BlockKind::ListItem,
            _ if self.n_lists > 0 => BlockKind::ListItem,
            _ if self.n_quotes > 0 => BlockKind::Quote,
            _ => BlockKind::Paragraph,
        };
        self.builder.end(kind);
        self.kind = BlockKind::Paragraph;
    }
}
