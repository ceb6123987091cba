//! Completion of tags: the label set ranked by what fits this document, wherever a tag is written.
//!
//! Invariant: only labels of the set are offered, and in the settings none that stands there already;
//! before the model has read the document they come in the set's own order, and the list says that
//! it is not final.

use std::time::Duration;

use tower_lsp::jsonrpc::Result;
use tower_lsp::ls_types::{
    CompletionItem, CompletionItemKind, CompletionItemLabelDetails, CompletionList,
    CompletionParams, CompletionResponse, CompletionTextEdit, Documentation, MarkupContent,
    MarkupKind, TextEdit,
};

use super::documents::Open;
use super::position::LineIndex;
use super::reading::percent;
use super::session::Session;
use crate::desk::protocol::DocumentName;
use crate::frontmatter::{TagCursor, settings_tags, tag_at_cursor};
use crate::label::{Label, LabelId, LabelSet};
use crate::score::Score;

/// A person who types does not wait longer for the ranking.
const PATIENCE: Duration = Duration::from_millis(150);

impl Session {
    pub(super) async fn complete(
        &self,
        params: CompletionParams,
    ) -> Result<Option<CompletionResponse>> {
        let place = params.text_document_position;
        let uri = place.text_document.uri.as_str().to_owned();
        let open = self.shared.open_document(&DocumentName { uri })?;
        let encoding = self.shared.encoding();
        let index = LineIndex::new(&open.text);
        let at = index.byte(&open.text, place.position, encoding);
        let Some(cursor) = tag_at_cursor(&open.text, open.format, at) else {
            return Ok(None);
        };
        let reading = self.shared.suggestions.wait_for(&open.uri, PATIENCE).await;
        let (set, ranked) = match &reading {
            Some(reading) => (reading.labels().clone(), reading.ranked()),
            None => {
                let Ok(rules) = self.rules_of(&open).await else {
                    return Ok(None); // Why there are no labels was said when it was opened.
                };
                let ids = (0..).map(LabelId).take(rules.labels.labels().len());
                let ranked = ids.map(|id| (id, None)).collect();
                (rules.labels, ranked)
            }
        };
        let range = index.range(&open.text, cursor.span, encoding);
        let written = written(&open, &cursor, &set);
        let items = ranked
            .into_iter()
            .filter(|(id, _)| !written.contains(id))
            .enumerate()
            .filter_map(|(rank, (id, score))| {
                item(&open, &cursor, set.label(id), score, rank, range)
            });
        Ok(Some(CompletionResponse::List(CompletionList {
            is_incomplete: reading.is_none(),
            items: items.collect(),
        })))
    }
}

/// The labels that the document's settings name beside the word at the cursor. They fit best, so they
/// would stand over those that are still to be chosen. In the text a tag may be named once more.
fn written(open: &Open, cursor: &TagCursor, set: &LabelSet) -> Vec<LabelId> {
    if cursor.is_in_body() {
        return Vec::new();
    }
    let tags = settings_tags(&open.text, open.format).into_iter();
    let others =
        tags.filter(|tag| tag.span.end < cursor.span.start || cursor.span.end < tag.span.start);
    others.filter_map(|tag| set.find(&tag.name)).collect()
}

fn item(
    open: &Open,
    cursor: &TagCursor,
    label: &Label,
    score: Option<Score>,
    rank: usize,
    range: tower_lsp::ls_types::Range,
) -> Option<CompletionItem> {
    let new_text = cursor.written(&label.name)?;
    // Editors match what is typed, from the start of the range on, with this.
    let typed = &open.text[cursor.span.range()];
    let mark: String = typed.chars().take_while(|c| *c == '#').collect();
    let mut alternatives = vec![label.name.clone()];
    alternatives.extend(label.aliases.iter().cloned());
    let filter = if cursor.is_in_body() {
        format!("{mark}{}", label.name)
    } else {
        alternatives.join(" ")
    };
    Some(CompletionItem {
        label: label.name.clone(),
        kind: Some(CompletionItemKind::KEYWORD),
        // The one is shown beside every row, the other in all editors.
        label_details: score.map(|score| CompletionItemLabelDetails {
            detail: None,
            description: Some(percent(score)),
        }),
        detail: score.map(percent),
        // No Markdown: an editor would fetch the images of somebody else's label set.
        documentation: label.description.clone().map(|value| {
            Documentation::MarkupContent(MarkupContent {
                kind: MarkupKind::PlainText,
                value,
            })
        }),
        preselect: (rank == 0 && score.is_some()).then_some(true),
        sort_text: Some(format!("{rank:05}")),
        filter_text: Some(filter),
        text_edit: Some(CompletionTextEdit::Edit(TextEdit { range, new_text })),
        ..CompletionItem::default()
    })
}
