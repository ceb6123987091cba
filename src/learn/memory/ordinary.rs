//! Ordinary texts that nobody has judged, and what the shipped model makes of them.
//!
//! Reading them takes the model some seconds. Their vectors are shipped, so that the first
//! correction of somebody who has just begun has its effect at once.

use std::sync::Arc;

use crate::engine::Embedding;
use crate::label::LabelSet;

/// One JSON string a line.
const TEXTS: &str = include_str!("ordinary.jsonl");
/// A vector a text, in order: a byte a dimension, as `Embedding::codes` has them. Written by
/// `cargo bench --bench personal -- --write-vectors FILE`.
const VECTORS: &[u8] = include_bytes!("ordinary.i8");

/// The texts whose vectors `Memory::begin` wants.
pub fn ordinary() -> impl Iterator<Item = String> {
    let lines = TEXTS.lines();
    lines.filter_map(|line| serde_json::from_str(line).ok())
}

/// A label to ask them with: any will do, for the vector does not depend on it.
pub fn any_label() -> Option<Arc<LabelSet>> {
    LabelSet::from_names_lenient(["note"]).0.map(Arc::new)
}

/// Their vectors by the shipped model, for those that read as it does (`Model::reads_as_shipped`).
pub fn ordinary_vectors() -> Vec<Embedding> {
    let dimensions = (VECTORS.len() / TEXTS.lines().count().max(1)).max(1);
    let vectors = VECTORS.chunks_exact(dimensions);
    let codes = vectors.map(|codes| codes.iter().map(|code| code.cast_signed()).collect());
    codes.filter_map(Embedding::from_codes).collect()
}

#[cfg(all(test, feature = "bundled-model"))]
mod tests {
    use super::*;
    use crate::engine::{Engine, EngineOptions, Passage, Request};
    use crate::model::{LoadOptions, Model};

    /// When it fails, the model or the texts have changed: write them anew.
    #[test]
    fn the_shipped_vectors_are_what_the_shipped_model_makes_of_the_texts() {
        let vectors = ordinary_vectors();
        assert_eq!(vectors.len(), ordinary().count());
        let model = Arc::new(Model::bundled(&LoadOptions::default()).unwrap());
        assert!(model.reads_as_shipped());
        let options = EngineOptions {
            embedding: true,
            ..EngineOptions::default()
        };
        let engine = Engine::new(model, options);
        let vocabulary = engine.vocabulary(any_label().unwrap()).unwrap();
        // A model takes its time in a test: a few of them, from all over the file.
        for (text, vector) in ordinary().zip(&vectors).step_by(15) {
            let passage = Passage::plain(&text);
            let request = Request {
                passage: &passage,
                vocabulary: &vocabulary,
            };
            let seen = engine.score(&[request]).unwrap();
            let own = seen[0].embedding.as_ref().unwrap();
            assert!(
                own.cosine(vector) > 0.9999,
                "{text}: {}",
                own.cosine(vector)
            );
        }
    }
}
