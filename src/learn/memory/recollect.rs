//! A memory for a program that runs for a moment: the journal and a model in, what they teach out.
//!
//! Invariant: the same memory as the daemon's; each text is read by the model once, however often
//! the program is started. Knows no threads.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::impressions::{Impression, Impressions, Kind};
use super::{Memory, TextKey, any_label, ordinary, ordinary_vectors, untaught};
use crate::document::Document;
use crate::engine::{Engine, EngineError, Passage, Request, Vocabulary};
use crate::label::{Descriptions, Label, LabelSet};
use crate::learn::journal::{self, Entry};
use crate::score::Score;

/// So many texts are read at a time.
const GROUP: usize = 16;

/// Why there is no memory.
#[derive(Debug, thiserror::Error)]
pub enum RecollectError {
    /// The model does not read a text.
    #[error("corrections are not remembered: {0}")]
    Engine(#[from] EngineError),
    /// What the model made of texts cannot be read.
    #[error(
        "corrections are not remembered: the cache folder {folder}: {cause}; free it, or set GLIZNET_CACHE_DIR"
    )]
    Cache {
        /// The folder.
        folder: String,
        /// What the system said.
        cause: io::Error,
    },
}

/// What the corrections in a journal mean to the model of `engine`, which must give embeddings.
/// `tell` hears how many texts are to be read, where that is any.
///
/// # Errors
/// See [`RecollectError`].
pub fn recollect(
    entries: &[Entry],
    engine: &Engine,
    cache: &Path,
    tell: impl FnOnce(usize),
) -> Result<Memory, RecollectError> {
    let fingerprint = engine.model().fingerprint();
    let at_cache = |cause| RecollectError::Cache {
        folder: cache.display().to_string(),
        cause,
    };
    let mut memory = Memory::default();
    for entry in entries {
        memory.add(entry.sequence, &entry.correction);
    }
    let mut impressions =
        Impressions::open(cache, fingerprint, Kind::Untaught).map_err(at_cache)?;
    let reads_as_shipped = engine.model().reads_as_shipped();
    let mut wanted: Vec<Wanted> = match reads_as_shipped {
        true => Vec::new(),
        false => any_label().map_or_else(Vec::new, |any| {
            ordinary()
                .map(|text| Wanted::ordinary(text, &any))
                .collect()
        }),
    };
    let n_ordinary = wanted.len();
    let unlearnt = memory.unlearnt();
    let descriptions = journal::descriptions(entries);
    for entry in entries.iter().filter(|e| unlearnt.contains(&e.sequence)) {
        let judged = memory.judged(entry.sequence);
        wanted.extend(Wanted::corrected(entry, &judged, &descriptions));
    }
    let missing: Vec<&Wanted> = wanted
        .iter()
        .filter(|text| impressions.of(text.key, &text.labels).is_none())
        .collect();
    if !missing.is_empty() {
        tell(missing.len());
    }
    for group in missing.chunks(GROUP) {
        let read = look(engine, group)?;
        if let Err(cause) = impressions.keep(read) {
            tracing::warn!("{}", at_cache(cause)); // It is read again next time.
        }
    }
    let background: Vec<_> = match reads_as_shipped {
        true => ordinary_vectors(),
        false => wanted[..n_ordinary]
            .iter()
            .filter_map(|text| Some(impressions.of(text.key, &text.labels)?.embedding.clone()))
            .collect(),
    };
    memory.begin(fingerprint, &background);
    for text in &wanted[n_ordinary..] {
        if let Some(seen) = impressions.of(text.key, &text.labels) {
            let score = |name: &str| {
                let label = text.labels.label(text.labels.find(name)?);
                seen.scores.get(&*label.described()).copied()
            };
            memory.learn(text.id, fingerprint, &seen.embedding, score);
        }
    }
    Ok(memory)
}

/// A text that the model is to read.
struct Wanted {
    /// The correction's number; 0 for an ordinary text.
    id: u64,
    key: TextKey,
    passage: Passage,
    labels: Arc<LabelSet>,
}

impl Wanted {
    fn ordinary(text: String, any: &Arc<LabelSet>) -> Wanted {
        Wanted {
            id: 0,
            key: TextKey::new(&text),
            passage: Passage::plain(text.as_str()),
            labels: Arc::clone(any),
        }
    }

    /// None where no judged label has a name.
    fn corrected(entry: &Entry, judged: &[String], meant: &Descriptions) -> Option<Wanted> {
        let correction = &entry.correction;
        let document = Document::parse(correction.format, correction.text.as_str());
        let (labels, _) = LabelSet::from_names_lenient(judged);
        Some(Wanted {
            id: entry.sequence,
            key: TextKey::new(&correction.text),
            passage: Passage::of(&document),
            labels: Arc::new(labels?.with_descriptions(meant)),
        })
    }
}

/// What the model makes of texts; one that it makes nothing of is left out.
fn look(engine: &Engine, texts: &[&Wanted]) -> Result<Vec<(TextKey, Impression)>, EngineError> {
    let vocabularies: Vec<Vocabulary> = texts
        .iter()
        .map(|text| engine.vocabulary(Arc::clone(&text.labels)))
        .collect::<Result<_, _>>()?;
    let both = texts.iter().zip(&vocabularies);
    let requests = both.map(|(text, vocabulary)| Request {
        passage: &text.passage,
        vocabulary,
    });
    let predictions = engine.score(&requests.collect::<Vec<_>>())?;
    let mut seen = Vec::new();
    for (text, prediction) in texts.iter().zip(predictions) {
        let Some(embedding) = prediction.embedding.clone() else {
            continue;
        };
        let said = untaught(&prediction, &text.labels, engine.model().label_heads());
        // What the model cannot score it knows nothing of.
        let score = |label: &Label| {
            let score = said(&label.name).or(Score::new(0.5))?;
            Some((label.described().into_owned(), score))
        };
        let labels = text.labels.labels().iter();
        let scores: BTreeMap<_, _> = labels.filter_map(score).collect();
        seen.push((text.key, Impression { embedding, scores }));
    }
    Ok(seen)
}
