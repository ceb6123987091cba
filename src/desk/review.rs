//! The review queue: documents in, those to look at next out, with what the model says of each.
//!
//! Invariant: no document that was judged is in it, but where its verdict goes badly with those on
//! like documents, and none of which nothing can be said; a document that cannot be read is named
//! and left out; only so many are read that a person need not wait for long. Writes nothing.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use sha2::{Digest, Sha256};

use super::protocol::review::{ReviewLabel, ReviewRecord, ReviewResult, SaidBefore};
use super::{Choice, Desk, DeskError, Rules, Tagged, Text};
use crate::document::{Document, Format, decode};
use crate::engine::Embedding;
use crate::engine::scheduler::Priority;
use crate::label::{LabelId, LabelSet};
use crate::learn::memory::Suspicion;
use crate::learn::review::{
    Accuracy, Candidate, Chosen, choose, doubt, is_enough, most_again, with_again,
};

/// So many documents are read for one queue.
const MOST_READ: usize = 200;
/// So many of the texts that were judged last say what is different.
const MOST_JUDGED: usize = 1_000;
/// So many bytes of text are told at once; what is left is there the next time.
const MOST_TOLD: usize = 16 << 20;
/// So many that cannot be read are named.
const MOST_FAULTS: usize = 5;
/// A longer file is no document that somebody looks through.
const MOST_BYTES: u64 = 4 << 20;

/// A document that may be looked at.
#[derive(Clone, Debug)]
pub struct Reviewable {
    /// Its file.
    pub path: PathBuf,
    /// Its path as a person knows it.
    pub name: String,
    /// What verdicts on it are kept under.
    pub uri: String,
}

/// What was read of a document.
struct Read {
    document: Reviewable,
    source: Arc<str>,
    title: Option<String>,
    tagged: Tagged,
}

impl Desk {
    /// Chooses `count` of `documents` to look at next. Dropping the future withdraws it.
    ///
    /// # Errors
    /// No document can be tagged.
    pub async fn review(
        self: &Arc<Desk>,
        mut documents: Vec<Reviewable>,
        choice: &Choice,
        count: usize,
        seed: u64,
    ) -> Result<ReviewResult, DeskError> {
        let (sampled, verdicts, judged) = {
            let verdicts = self.verdicts.read().unwrap_or_else(PoisonError::into_inner);
            let judged = documents.extract_if(.., |document| verdicts.of(&document.uri).is_some());
            let judged: Vec<Reviewable> = judged.collect();
            (verdicts.sampled(), verdicts.count(), judged)
        };
        let mut rules = HashMap::new();
        let suspicions = self.doubtful(&judged, choice, &mut rules).await;
        let again = asked_again(&judged, &suspicions, most_again(count));
        let known = self.memory().directions(MOST_JUDGED);
        let mut open = documents.len();
        // Of many documents chance takes some, so that each queue is made of others.
        documents.sort_by_cached_key(|document| lot(seed, &document.uri));
        documents.truncate(MOST_READ.max(count));
        let fresh = documents.len();
        documents.extend(again);
        let mut faults = Vec::new();
        let mut read = Vec::new();
        let mut n_fresh = 0;
        for (place, document) in documents.into_iter().enumerate() {
            let name = document.name.clone();
            match self.look_at(document, choice, &mut rules).await {
                // Of an empty document nothing can be said, so it would come back for ever.
                Ok(document) if !document.has_labels() => open -= usize::from(place < fresh),
                Ok(document) => {
                    read.push(document);
                    n_fresh += usize::from(place < fresh);
                }
                // What is wrong with one label set or with the model is wrong for all.
                Err(Fault::Desk(error)) if read.is_empty() => return Err(error),
                Err(Fault::Desk(error)) => faults.push(format!("{name}: {error}")),
                Err(Fault::File(fact)) => faults.push(format!("{name}: {fact}")),
            }
        }
        let looked_at = n_fresh + faults.len();
        faults.truncate(MOST_FAULTS);
        let candidates: Vec<Candidate> = read[..n_fresh].iter().map(candidate).collect();
        let chosen = choose(&candidates, &known, verdicts, count, seed);
        let again: Vec<usize> = (n_fresh..read.len()).collect();
        let mut chosen = with_again(chosen, &again, count);
        let mut told = 0;
        chosen.retain(|chosen| {
            told += read[chosen.candidate].source.len();
            told <= MOST_TOLD
        });
        Ok(ReviewResult {
            queue: chosen
                .iter()
                .map(|chosen| record(&read[chosen.candidate], chosen, &suspicions))
                .collect(),
            open,
            cut: open > looked_at,
            accuracy: Accuracy::of(&sampled),
            enough: is_enough(&sampled),
            faults,
        })
    }

    /// The doubtful verdicts on these documents, the most doubtful first, in the labels that hold for
    /// each. Where none can be told, nothing is doubtful.
    async fn doubtful(
        self: &Arc<Desk>,
        judged: &[Reviewable],
        choice: &Choice,
        rules: &mut HashMap<PathBuf, Rules>,
    ) -> Vec<Suspicion> {
        let mut of_set: Vec<(Arc<LabelSet>, HashSet<&str>)> = Vec::new();
        for document in judged {
            let Ok(rules) = self.rules_of(document, choice, rules).await else {
                continue;
            };
            let known = of_set
                .iter_mut()
                .find(|(set, _)| Arc::ptr_eq(set, &rules.labels) || **set == *rules.labels);
            match known {
                Some((_, documents)) => {
                    documents.insert(&document.uri);
                }
                None => of_set.push((rules.labels, HashSet::from([document.uri.as_str()]))),
            }
        }
        let memory = self.memory();
        let mut doubtful: Vec<Suspicion> = Vec::new();
        for (set, documents) in of_set {
            let of_documents = memory.suspicions(&set).into_iter();
            doubtful.extend(of_documents.filter(|one| documents.contains(&*one.document)));
        }
        doubtful.sort_by(|a, b| b.against.total_cmp(&a.against));
        doubtful
    }

    /// The rules that hold for a document; of each folder they are read once.
    async fn rules_of(
        self: &Arc<Desk>,
        document: &Reviewable,
        choice: &Choice,
        rules: &mut HashMap<PathBuf, Rules>,
    ) -> Result<Rules, DeskError> {
        let dir = document.path.parent().unwrap_or(Path::new(".")).to_owned();
        if let Some(known) = rules.get(&dir) {
            return Ok(known.clone());
        }
        let (desk, choice, folder) = (Arc::clone(self), choice.clone(), dir.clone());
        let found = tokio::task::spawn_blocking(move || desk.rules(Some(&folder), &choice));
        let found = found.await.map_err(|_| DeskError::Broken)??;
        rules.insert(dir, found.clone());
        Ok(found)
    }

    async fn look_at(
        self: &Arc<Desk>,
        document: Reviewable,
        choice: &Choice,
        rules: &mut HashMap<PathBuf, Rules>,
    ) -> Result<Read, Fault> {
        let of_folder = self.rules_of(&document, choice, rules).await;
        let of_folder = of_folder.map_err(Fault::Desk)?;
        let path = document.path.clone();
        let format = Format::from_path(&path);
        let source = tokio::task::spawn_blocking(move || -> Result<_, String> {
            let source: Arc<str> = text(&path)?.into();
            let title = Document::parse(format, Arc::clone(&source));
            let title = title.title().map(str::to_owned);
            Ok((source, title))
        });
        let source = source.await.map_err(|_| Fault::Desk(DeskError::Broken))?;
        let (source, title) = source.map_err(Fault::File)?;
        let asked = Text {
            source: Arc::clone(&source),
            format,
            name: Some(document.uri.clone()),
        };
        let tagged = self.tag(asked, of_folder, Priority::Bulk).await;
        Ok(Read {
            document,
            source,
            title,
            tagged: tagged.map_err(Fault::Desk)?,
        })
    }
}

/// The text of a file, in whatever encoding; or why there is none.
fn text(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| format!("cannot be read ({error})"))?;
    let read = file.take(MOST_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| format!("cannot be read ({error})"))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(format!("larger than {} MiB", MOST_BYTES >> 20));
    }
    let decoded = decode(&bytes).map_err(|error| error.to_string())?;
    Ok(decoded.text)
}

/// The judged ones among the documents whose verdicts are doubtful, the most doubtful first.
fn asked_again(documents: &[Reviewable], suspicions: &[Suspicion], most: usize) -> Vec<Reviewable> {
    let mut again: Vec<Reviewable> = Vec::new();
    for suspicion in suspicions {
        let is_it = |document: &&Reviewable| document.uri == suspicion.document;
        if let Some(document) = documents.iter().find(is_it)
            && again.iter().all(|other| other.uri != document.uri)
        {
            again.push(document.clone());
        }
    }
    again.truncate(most);
    again
}

impl Read {
    /// Whether there is a label to say yes or no to.
    fn has_labels(&self) -> bool {
        let scores = &self.tagged.answer.prediction.scores;
        let mut asked = scores
            .iter()
            .map(|score| is_asked(&self.tagged, score.label));
        !self.tagged.tags.is_empty() || asked.any(|is_asked| is_asked)
    }
}

/// Whether somebody is asked about a label: of one that is given by hand alone only where it is there.
fn is_asked(tagged: &Tagged, label: LabelId) -> bool {
    !tagged.labels.label(label).manual || tagged.has(label)
}

enum Fault {
    Desk(DeskError),
    File(String),
}

fn candidate(read: &Read) -> Candidate {
    let tagged = &read.tagged;
    let scores = tagged.answer.prediction.scores.iter();
    let pairs = scores.filter(|score| !tagged.labels.label(score.label).manual);
    let pairs = pairs.map(|score| {
        let threshold = tagged.selection.threshold_of(score.label, &tagged.labels);
        (score.logit.value(), log_odds(threshold.value()))
    });
    let embedding: Option<&Embedding> = tagged.raw.embedding.as_ref();
    Candidate {
        document: read.document.uri.clone(),
        doubt: doubt(pairs),
        embedding: embedding.map(|embedding| embedding.unit().collect()),
    }
}

fn record(read: &Read, chosen: &Chosen, suspicions: &[Suspicion]) -> ReviewRecord {
    let tagged = &read.tagged;
    let mut labels: Vec<ReviewLabel> = tagged
        .tags
        .iter()
        .map(|tag| ReviewLabel {
            label: tag.label.clone(),
            score: tag.score,
            suggested: true,
        })
        .collect();
    let mut others: Vec<ReviewLabel> = tagged
        .answer
        .prediction
        .scores
        .iter()
        .filter(|score| is_asked(tagged, score.label))
        .map(|score| (tagged.labels.label(score.label), score.score.value()))
        .filter(|(label, _)| tagged.tags.iter().all(|tag| tag.label != label.name))
        .map(|(label, score)| ReviewLabel {
            label: label.name.clone(),
            score: Some(score),
            suggested: false,
        })
        .collect();
    others.sort_by(|a, b| b.score.unwrap_or(0.0).total_cmp(&a.score.unwrap_or(0.0)));
    labels.extend(others);
    // What somebody has written there fits, until they say otherwise.
    let tagged = &read.tagged;
    for label in &mut labels {
        let id = tagged.labels.find(&label.label);
        label.suggested |= id.is_some_and(|id| tagged.has(id));
    }
    labels.sort_by_key(|label| !label.suggested);
    ReviewRecord {
        uri: read.document.uri.clone(),
        name: read.document.name.clone(),
        title: read.title.clone(),
        format: Format::from_path(&read.document.path).name().to_owned(),
        text: read.source.to_string(), // All of it: the verdict is recorded with it.
        why: chosen.why,
        again: suspicions
            .iter()
            .filter(|suspicion| suspicion.document == read.document.uri)
            .map(|suspicion| SaidBefore {
                label: suspicion.label.clone(),
                fits: suspicion.fits,
            })
            .collect(),
        labels,
    }
}

fn log_odds(probability: f32) -> f32 {
    let inside = probability.clamp(1e-6, 1.0 - 1e-6);
    (inside / (1.0 - inside)).ln()
}

/// A number that chance gave to a document.
fn lot(seed: u64, uri: &str) -> [u8; 8] {
    let mut hash = Sha256::new();
    hash.update(b"read");
    hash.update(seed.to_le_bytes());
    hash.update(uri.as_bytes());
    let mut lot = [0; 8];
    lot.copy_from_slice(&hash.finalize()[..8]);
    lot
}
