//! What is known of a tag: a place in a document in, a few lines of Markdown out; and scores beside
//! tags.
//!
//! Invariant: the score is of the last reading, and the text says whose word the tag is.

use std::time::Duration;

use tower_lsp::jsonrpc::Result;
use tower_lsp::ls_types::{
    Hover, HoverContents, HoverParams, InlayHint, InlayHintLabel, InlayHintParams, MarkupContent,
    MarkupKind,
};

use super::documents::Open;
use super::position::LineIndex;
use super::reading::{Reading, percent};
use super::session::{Session, text_of};
use crate::desk::protocol::{DocumentName, Origin};
use crate::frontmatter::{TagPlace, settings_tags, tag_places};
use crate::label::LabelId;

/// How long the pointer rests before its reader looks elsewhere.
const PATIENCE: Duration = Duration::from_secs(4);

impl Session {
    pub(super) async fn hover_at(&self, params: HoverParams) -> Result<Option<Hover>> {
        let place = params.text_document_position_params;
        let uri = place.text_document.uri.as_str().to_owned();
        let open = self.shared.open_document(&DocumentName { uri })?;
        let index = LineIndex::new(&open.text);
        let at = index.byte(&open.text, place.position, self.shared.encoding());
        let Some(tag) = tag_at(&open, at).await else {
            return Ok(None);
        };
        let Some(reading) = self.shared.suggestions.wait_for(&open.uri, PATIENCE).await else {
            return Ok(None);
        };
        let set = reading.labels();
        let value = match set.find(&tag.name) {
            Some(label) => self.known(&open, &reading, label).await,
            None => {
                // It is shown as code, which only its own mark ends.
                let nearest = set.nearest(&tag.name);
                let nearest = nearest.map(|id| set.label(id).name.replace('`', "'"));
                let words = self.shared.traits().words;
                words.not_in_set(&plain(&tag.name), nearest.as_deref())
            }
        };
        Ok(Some(Hover {
            contents: HoverContents::Markup(MarkupContent {
                kind: MarkupKind::Markdown,
                value,
            }),
            range: Some(index.range(&open.text, tag.span, self.shared.encoding())),
        }))
    }

    async fn known(&self, open: &Open, reading: &Reading, id: LabelId) -> String {
        let label = reading.labels().label(id);
        let words = self.shared.traits().words;
        let threshold = percent(reading.threshold(id));
        let mut lines = vec![match reading.score(id) {
            Some(score) => words.scored(&plain(&label.name), &percent(score), &threshold),
            None => words.not_scored(&plain(&label.name)),
        }];
        let said = reading
            .tagged
            .tags
            .iter()
            .find(|tag| tag.label == label.name);
        lines.push(match said.map(|tag| tag.origin) {
            Some(Origin::You) => words.said_by_you(),
            Some(Origin::Memory) => words.said_by_memory(),
            Some(Origin::Model) => words.said_by_model(&reading.tagged.answer.model.name),
            None => words.written_by_you(),
        });
        if let Some(description) = &label.description {
            lines.push(plain(description));
        }
        let glossary = &reading.tagged.answer.model.glossary;
        if let Some(read) = glossary.words_of(reading.labels(), id) {
            lines.push(words.read_with(&plain(&read)));
        }
        let labels = reading.labels().clone();
        let explained = self.shared.desk.explain(text_of(open), labels, id);
        if let Ok(Ok(evidence)) = tokio::time::timeout(PATIENCE, explained).await
            && !evidence.is_empty()
        {
            let sentences = evidence
                .iter()
                .map(|found| format!("> {}", plain(found.sentence.trim())));
            lines.push(sentences.collect::<Vec<_>>().join("\n>\n"));
        }
        lines.join("\n\n")
    }

    pub(super) fn hints(&self, params: InlayHintParams) -> Result<Option<Vec<InlayHint>>> {
        let uri = params.text_document.uri.as_str().to_owned();
        let open = self.shared.open_document(&DocumentName { uri })?;
        let reading = self.shared.suggestions.of(&open.uri);
        let Some(reading) = reading.filter(|reading| reading.shown.inlay_hints) else {
            return Ok(None);
        };
        let index = LineIndex::new(&open.text);
        let hints = settings_tags(&open.text, open.format)
            .into_iter()
            .filter_map(|tag| {
                let id = reading.labels().find(&tag.name)?;
                let position = index.position(&open.text, tag.span.end, self.shared.encoding());
                let is_asked = params.range.start <= position && position <= params.range.end;
                is_asked.then_some(InlayHint {
                    position,
                    label: InlayHintLabel::String(percent(reading.score(id)?)),
                    kind: None,
                    text_edits: None,
                    tooltip: None,
                    padding_left: Some(true),
                    padding_right: None,
                    data: None,
                })
            });
        Ok(Some(hints.collect()))
    }
}

/// The tag at a byte. A long text takes milliseconds to read, which nobody else should wait for.
async fn tag_at(open: &Open, at: usize) -> Option<TagPlace> {
    let (text, format) = (open.text.clone(), open.format);
    let found = tokio::task::spawn_blocking(move || tag_places(&text, format));
    let places = found.await.ok()?;
    places
        .into_iter()
        .find(|tag| tag.span.start <= at && at <= tag.span.end)
}

/// A text that is no Markdown: it makes no image, which an editor would fetch from wherever somebody
/// else's label set or note says, and no link.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '[' | '<') {
            plain.push('\\');
        }
        plain.push(c);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use pulldown_cmark::{Event, Parser};

    #[test]
    fn what_others_wrote_makes_no_image_and_no_link() {
        for text in [
            "![x](https://example.org/x.png)",
            "\\![x](https://example.org/x.png)",
            "<img src=https://example.org/x.png>",
            "[x](command:evil) ![x][y]",
            "<https://example.org>",
        ] {
            let shown = plain(text);
            let events: Vec<Event<'_>> = Parser::new(&shown).collect();
            let mut words = String::new();
            for event in &events {
                match event {
                    Event::Text(text) => words.push_str(text),
                    Event::Start(pulldown_cmark::Tag::Paragraph) => {}
                    Event::End(pulldown_cmark::TagEnd::Paragraph) => {}
                    other => panic!("{text}: {other:?}"),
                }
            }
            assert_eq!(words, text, "it reads as it was written");
        }
        assert_eq!(plain("snake_case, a*b"), "snake_case, a*b");
    }
}
