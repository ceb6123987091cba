//! The line of suggestions over the tags: a reading and a text in, code lenses out.
//!
//! Pure. Invariant: every lens stands on one line, that of the tags, else of the settings, else the
//! first; what is suggested is not in the text.

use serde_json::json;
use tower_lsp::ls_types::{CodeLens, Command, Position, Range};

use super::command::acceptance;
use super::documents::Open;
use super::position::{Encoding, LineIndex};
use super::reading::{Reading, percent};
use super::words::Words;
use crate::desk::protocol::{Origin, TagRecord};
use crate::frontmatter::{self, AddError};
use crate::score::Score;

/// So many suggestions have a lens of their own.
const MOST: usize = 5;

/// The lenses of a document.
pub(super) fn lenses(
    open: &Open,
    reading: &Reading,
    encoding: Encoding,
    words: Words,
) -> Vec<CodeLens> {
    let suggested = reading.suggested(open);
    let labels: Vec<String> = suggested.iter().take(1).map(|t| t.label.clone()).collect();
    // What the settings are too broken for is not offered. One label that cannot be written there,
    // such as one with a colon in Org, keeps nobody from the others.
    let is_broken = || matches!(acceptance(open, &labels), Err(AddError::Broken(_)));
    if labels.is_empty() || !reading.shown.code_lens || is_broken() {
        return Vec::new();
    }
    let uri = open.uri.as_str();
    let line = tags_line(open, encoding);
    // Editors sort lenses of one line by their columns, some of them not stably.
    let mut column = 0;
    let mut lens = |title: String, command: &str, argument| {
        let place = Position::new(line, column);
        column += 1;
        CodeLens {
            range: Range::new(place, place),
            command: Some(Command {
                title,
                command: command.to_owned(),
                arguments: Some(vec![argument]),
            }),
            data: None,
        }
    };
    let mut lenses: Vec<CodeLens> = suggested
        .iter()
        .take(MOST)
        .map(|tag| {
            let argument = json!({ "uri": uri, "labels": [tag.label] });
            lens(format!("+ {}", shown(tag)), "gliznet.accept", argument)
        })
        .collect();
    if suggested.len() > 1 {
        let all = json!({ "uri": uri });
        lenses.push(lens(words.accept_all(), "gliznet.acceptAll", all));
    }
    lenses.push(lens(
        words.review(),
        "gliznet.review",
        json!({ "uri": uri }),
    ));
    lenses
}

/// A suggestion with its score.
pub(super) fn shown(tag: &TagRecord) -> String {
    match (tag.origin, tag.score.and_then(Score::new)) {
        (Origin::You, _) | (_, None) => tag.label.clone(),
        (Origin::Model | Origin::Memory, Some(score)) => {
            format!("{} {}", tag.label, percent(score))
        }
    }
}

/// The line of the tags key, else of the settings' beginning, else the first.
pub(super) fn tags_line(open: &Open, encoding: Encoding) -> u32 {
    let found = frontmatter::read(&open.text, open.format);
    let value = found.as_ref().and_then(|found| found.place());
    let Some(value) = value else { return 0 };
    let index = LineIndex::new(&open.text);
    let line = index.position(&open.text, value.span.start, encoding).line;
    // A block list begins on the line after its key.
    let key = value.key.to_lowercase();
    let lines: Vec<&str> = open.text.lines().take(line as usize + 1).collect();
    let has_key = |row: &&str| {
        row.to_lowercase()
            .trim_start_matches(['#', '+', '"'])
            .starts_with(&key)
    };
    lines.iter().rposition(has_key).map_or(line, |at| at as u32)
}
