//! Runs an engine over labelled rows: cases in, scored rows out, in order.
//!
//! Rows are taken in groups, so that texts of like length share batches; of rows that were scored
//! their scores are left, and no text.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::dataset::{Case, DataSet, LabelList};
use super::evaluation::{Scored, ScoredError};
use crate::engine::{Engine, EngineError, Passage, PassageViews, Prediction, Request, Vocabulary};
use crate::label::{Descriptions, LabelId, LabelSet, NameFault, shown};

/// Rows that are scored together.
const GROUP: usize = 128;
/// Candidate lists that are kept ready between groups: of rows that bring their own each has another.
const MOST_READY: usize = 512;

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

/// The candidates of a row as a vocabulary.
pub(crate) struct Candidates {
    pub(crate) vocabulary: Vocabulary,
    /// The label that each candidate is; two that differ in case only are one label.
    pub(crate) labels: Vec<Option<LabelId>>,
    /// Those that are no label, by their place in the label list, with the reason.
    faulty: Vec<(u32, String)>,
}

/// What a model says of labelled rows.
#[derive(Debug, Default)]
pub struct Scores {
    /// Every row, in order.
    pub rows: Vec<Scored>,
    /// Labels that some row could not be scored against, by their place in the label list, with the
    /// reason: they count as absent there.
    pub unscored: BTreeMap<u32, String>,
}

/// Candidate lists of one data set, each made ready once.
struct CandidateLists<'a> {
    engine: &'a Engine,
    labels: &'a LabelList,
    descriptions: Descriptions,
    /// Read every label alone, whatever the calibration wants.
    alone: bool,
    ready: HashMap<Arc<[u32]>, Arc<Candidates>>,
}

impl<'a> CandidateLists<'a> {
    fn new(engine: &'a Engine, labels: &'a LabelList, alone: bool) -> CandidateLists<'a> {
        let both = labels.names().iter().zip(labels.descriptions());
        let described = both.filter_map(|(name, meant)| Some((name.clone(), meant.clone()?)));
        CandidateLists {
            engine,
            labels,
            descriptions: described.collect(),
            alone,
            ready: HashMap::new(),
        }
    }

    fn of(&mut self, list: &Arc<[u32]>) -> Result<Arc<Candidates>, ScoringError> {
        if let Some(candidates) = self.ready.get(list) {
            return Ok(candidates.clone());
        }
        let names: Vec<&str> = list
            .iter()
            .map(|label| self.labels.names()[*label as usize].as_str())
            .collect();
        let (set, faults) = LabelSet::from_names_lenient(&names);
        let Some(set) = set else {
            return Err(ScoringError::Labels(faults));
        };
        let set = set.with_descriptions(&self.descriptions);
        // One that repeats another has its score.
        let faulty = faults.iter().filter(|fault| !fault.is_duplicate());
        let faulty = faulty.filter_map(|fault| {
            let label = list.get(fault.position()?.checked_sub(1)?)?;
            Some((*label, fault.to_string()))
        });
        let faulty = faulty.collect();
        let labels = names.iter().map(|name| set.find(name)).collect();
        let mut vocabulary = self.engine.vocabulary(Arc::new(set))?;
        if self.alone {
            self.engine.read_alone(&mut vocabulary)?;
        }
        let candidates = Arc::new(Candidates {
            vocabulary,
            labels,
            faulty,
        });
        self.ready.insert(list.clone(), candidates.clone());
        Ok(candidates)
    }
}

/// Scores `cases` of `set`, and holds no more of them than are scored together; `done` hears how many
/// rows were scored each time a group is through.
///
/// # Errors
/// Labels that make no label set, and what the engine says.
pub fn score(
    engine: &Engine,
    set: &DataSet,
    cases: impl IntoIterator<Item = Case>,
    mut done: impl FnMut(usize),
) -> Result<Scores, ScoringError> {
    let mut lists = CandidateLists::new(engine, &set.labels, false);
    let mut scores = Scores::default();
    let mut cases = cases.into_iter();
    loop {
        let group: Vec<Case> = cases.by_ref().take(GROUP).collect();
        if group.is_empty() {
            return Ok(scores);
        }
        let (passages, candidates) = ready(&mut lists, &group)?;
        let predictions = engine.score(&requests(&passages, &candidates))?;
        for ((case, candidates), prediction) in group.iter().zip(&candidates).zip(predictions) {
            scores.rows.push(row(case, candidates, &prediction)?);
            for (label, reason) in unscored(case, candidates, &prediction) {
                scores.unscored.entry(label).or_insert(reason);
            }
        }
        done(group.len());
    }
}

/// The views of every case, before calibration, with the candidates that they are of.
///
/// # Errors
/// As `score`.
pub(crate) fn views(
    engine: &Engine,
    set: &DataSet,
    cases: &[Case],
) -> Result<Vec<(Arc<Candidates>, PassageViews)>, ScoringError> {
    let mut lists = CandidateLists::new(engine, &set.labels, true);
    let mut all = Vec::with_capacity(cases.len());
    for group in cases.chunks(GROUP) {
        let (passages, candidates) = ready(&mut lists, group)?;
        let views = engine.views(&requests(&passages, &candidates))?;
        all.extend(candidates.into_iter().zip(views));
    }
    Ok(all)
}

type Ready = (Vec<Passage>, Vec<Arc<Candidates>>);

fn ready(lists: &mut CandidateLists, group: &[Case]) -> Result<Ready, ScoringError> {
    if lists.ready.len() > MOST_READY {
        lists.ready.clear();
    }
    let passages = group
        .iter()
        .map(|case| Passage::plain(case.row.text.as_str()))
        .collect();
    let candidates = group
        .iter()
        .map(|case| lists.of(&case.candidates))
        .collect::<Result<_, _>>()?;
    Ok((passages, candidates))
}

fn requests<'a>(passages: &'a [Passage], candidates: &'a [Arc<Candidates>]) -> Vec<Request<'a>> {
    let both = passages.iter().zip(candidates);
    both.map(|(passage, candidates)| Request {
        passage,
        vocabulary: &candidates.vocabulary,
    })
    .collect()
}

/// A label that was not scored counts as certainly absent.
fn row(
    case: &Case,
    candidates: &Candidates,
    prediction: &Prediction,
) -> Result<Scored, ScoredError> {
    let mut by_label = vec![0.0; candidates.vocabulary.set().labels().len()];
    for score in &prediction.scores {
        by_label[score.label.0 as usize] = score.score.value();
    }
    let scores = candidates
        .labels
        .iter()
        .map(|label| label.map_or(0.0, |label| by_label[label.0 as usize]));
    Scored::new(
        case.candidates.clone(),
        scores.collect(),
        case.truth.clone(),
    )
}

/// The candidates of a row that have no score, with the reason. Of a text without anything to read
/// none has, and no label is to blame.
fn unscored(case: &Case, candidates: &Candidates, prediction: &Prediction) -> Vec<(u32, String)> {
    if prediction.windows == 0 {
        return candidates.faulty.clone();
    }
    let unscored = prediction.unscored.iter().filter_map(|unscored| {
        let mut labels = candidates.labels.iter();
        let at = labels.position(|label| *label == Some(unscored.label))?;
        let name = &candidates.vocabulary.set().label(unscored.label).name;
        let reason = format!("label `{}`: {}", shown(name), unscored.reason);
        Some((case.candidates[at], reason))
    });
    candidates.faulty.iter().cloned().chain(unscored).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::path::Path;

    use super::*;
    use crate::engine::EngineOptions;
    use crate::model::{LoadOptions, Model};

    #[test]
    fn no_more_rows_are_read_than_are_scored_together() {
        const ROWS: usize = 2 * GROUP + 3;
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("d.jsonl");
        let rows = "{\"text\": \"Bread.\", \"labels\": [\"bread\"]}\n".repeat(ROWS);
        std::fs::write(&data, rows).unwrap();
        let set = DataSet::gather(&data).unwrap();
        let tiny =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parity/bert-isolated-proj");
        let model = Model::load(&tiny, &LoadOptions::default()).unwrap();
        let engine = Engine::new(Arc::new(model), EngineOptions::default());
        let (read, scored) = (Cell::new(0), Cell::new(0));
        let cases = set.cases().unwrap().map(|case| {
            read.set(read.get() + 1);
            case.unwrap()
        });
        let scores = score(&engine, &set, cases, |n| {
            scored.set(scored.get() + n);
            assert_eq!(read.get(), scored.get());
        });
        assert_eq!((scores.unwrap().rows.len(), scored.get()), (ROWS, ROWS));
    }
}
