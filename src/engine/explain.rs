//! Which sentences speak for a tag: each sentence is scored alone, the best two are shown.

use super::{Engine, EngineError, Passage, Request, Vocabulary};
use crate::document::{BlockKind, Document, Span, sentences};
use crate::label::LabelId;
use crate::score::Logit;

/// Sentences that are scored of one document; a long one is judged by its beginning.
const AT_MOST: usize = 64;
/// Shorter sentences say too little to be shown.
const SHORTEST: usize = 12;

/// A sentence that speaks for a tag.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The sentence.
    pub sentence: String,
    /// Where it stands in the document's source; absent where none of it does.
    pub source: Option<Span>,
    /// What it says for the tag, alone.
    pub logit: Logit,
}

impl Engine {
    /// The two sentences of `document` that speak most for each of `tags`, best first.
    ///
    /// # Errors
    /// As `score`.
    pub fn explain(
        &self,
        document: &Document,
        vocabulary: &Vocabulary,
        tags: &[LabelId],
    ) -> Result<Vec<Vec<Evidence>>, EngineError> {
        let sentences = candidates(document);
        if tags.is_empty() || sentences.is_empty() {
            return Ok(vec![Vec::new(); tags.len()]);
        }
        let vocabulary = vocabulary.subset(tags);
        let passages: Vec<Passage> = sentences
            .iter()
            .map(|(sentence, _)| Passage::plain(*sentence))
            .collect();
        let requests: Vec<Request> = passages
            .iter()
            .map(|passage| Request {
                passage,
                vocabulary: &vocabulary,
            })
            .collect();
        let predictions = self.score(&requests)?;
        let of_tag = |tag: &LabelId| {
            let mut evidence: Vec<Evidence> = sentences
                .iter()
                .zip(&predictions)
                .filter_map(|((sentence, source), prediction)| {
                    let score = prediction.scores.iter().find(|score| score.label == *tag)?;
                    Some(Evidence {
                        sentence: (*sentence).to_owned(),
                        source: *source,
                        logit: score.logit,
                    })
                })
                .collect();
            evidence.sort_by(|a, b| b.logit.value().total_cmp(&a.logit.value()));
            evidence.truncate(2);
            evidence
        };
        Ok(tags.iter().map(of_tag).collect())
    }
}

/// The sentences worth showing, with their places in the source.
fn candidates(document: &Document) -> Vec<(&str, Option<Span>)> {
    let blocks = document
        .blocks()
        .iter()
        .enumerate()
        .filter(|(_, block)| block.kind != BlockKind::Code);
    blocks
        .flat_map(|(i, block)| {
            sentences(block)
                .into_iter()
                .map(move |span| (i, &block.text[span.range()], span))
        })
        .filter(|(_, sentence, _)| sentence.len() >= SHORTEST)
        .take(AT_MOST)
        .map(|(i, sentence, span)| (sentence, document.source_span(i, span)))
        .collect()
}
