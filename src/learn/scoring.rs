//! Runs an engine over labelled rows: cases in, scored rows out, in order.
//!
//! Rows are taken in groups, so that texts of like length share batches and memory stays flat.

use std::collections::HashMap;
use std::sync::Arc;

use super::dataset::{Case, DataSet, LabelList};
use super::evaluation::{Scored, ScoredError};
use crate::engine::{Engine, EngineError, Passage, PassageViews, Prediction, Request, Vocabulary};
use crate::label::{LabelSet, NameFault};

/// Rows that are scored together.
const GROUP: usize = 128;

/// Why a data set cannot be scored.
#[derive(Debug, thiserror::Error)]
pub enum ScoringError {
    /// The label list is no label set.
    #[error("the labels cannot be used: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Labels(Vec<NameFault>),
    /// The model could not run.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A score was no probability.
    #[error(transparent)]
    Scored(#[from] ScoredError),
}

/// Vocabularies of the candidate lists of one data set, each made ready once.
pub(crate) struct Candidates<'a> {
    engine: &'a Engine,
    labels: &'a LabelList,
    embedded: bool,
    ready: HashMap<Arc<[u32]>, Arc<Vocabulary>>,
}

impl<'a> Candidates<'a> {
    /// `embedded`: give every label its plain embedding, whatever the calibration wants.
    pub(crate) fn new(engine: &'a Engine, labels: &'a LabelList, embedded: bool) -> Candidates<'a> {
        Candidates {
            engine,
            labels,
            embedded,
            ready: HashMap::new(),
        }
    }

    pub(crate) fn vocabulary(
        &mut self,
        candidates: &Arc<[u32]>,
    ) -> Result<Arc<Vocabulary>, ScoringError> {
        if let Some(vocabulary) = self.ready.get(candidates) {
            return Ok(vocabulary.clone());
        }
        let names = candidates
            .iter()
            .map(|label| &self.labels.names()[*label as usize]);
        let set = LabelSet::from_names(names).map_err(ScoringError::Labels)?;
        let mut vocabulary = self.engine.vocabulary(Arc::new(set))?;
        if self.embedded {
            self.engine.embed(&mut vocabulary)?;
        }
        let vocabulary = Arc::new(vocabulary);
        self.ready.insert(candidates.clone(), vocabulary.clone());
        Ok(vocabulary)
    }
}

/// Scores `cases` of `set`; `done` hears how many rows were scored each time a group is through.
///
/// # Errors
/// Labels that make no label set, and what the engine says.
pub fn score(
    engine: &Engine,
    set: &DataSet,
    cases: &[Case],
    mut done: impl FnMut(usize),
) -> Result<Vec<Scored>, ScoringError> {
    let mut candidates = Candidates::new(engine, &set.labels, false);
    let mut scored = Vec::with_capacity(cases.len());
    for group in cases.chunks(GROUP) {
        let passages: Vec<Passage> = group
            .iter()
            .map(|case| Passage::plain(case.row.text.as_str()))
            .collect();
        let vocabularies = vocabularies(&mut candidates, group)?;
        let predictions = engine.score(&requests(&passages, &vocabularies))?;
        for (case, prediction) in group.iter().zip(predictions) {
            scored.push(row(case, &prediction)?);
        }
        done(group.len());
    }
    Ok(scored)
}

/// Both views of every case, before calibration, with every label embedded.
///
/// # Errors
/// As `score`.
pub(crate) fn views(
    engine: &Engine,
    set: &DataSet,
    cases: &[Case],
    mut done: impl FnMut(usize),
) -> Result<Vec<PassageViews>, ScoringError> {
    let mut candidates = Candidates::new(engine, &set.labels, true);
    let mut all = Vec::with_capacity(cases.len());
    for group in cases.chunks(GROUP) {
        let passages: Vec<Passage> = group
            .iter()
            .map(|case| Passage::plain(case.row.text.as_str()))
            .collect();
        let vocabularies = vocabularies(&mut candidates, group)?;
        all.extend(engine.views(&requests(&passages, &vocabularies))?);
        done(group.len());
    }
    Ok(all)
}

fn vocabularies(
    candidates: &mut Candidates,
    group: &[Case],
) -> Result<Vec<Arc<Vocabulary>>, ScoringError> {
    group
        .iter()
        .map(|case| candidates.vocabulary(&case.candidates))
        .collect()
}

fn requests<'a>(passages: &'a [Passage], vocabularies: &'a [Arc<Vocabulary>]) -> Vec<Request<'a>> {
    passages
        .iter()
        .zip(vocabularies)
        .map(|(passage, vocabulary)| Request {
            passage,
            vocabulary,
        })
        .collect()
}

/// A label that was not scored counts as certainly absent.
fn row(case: &Case, prediction: &Prediction) -> Result<Scored, ScoredError> {
    let mut scores = vec![0.0; case.candidates.len()];
    for score in &prediction.scores {
        scores[score.label.0 as usize] = score.score.value();
    }
    Scored::new(case.candidates.clone(), scores, case.truth.clone())
}
