//! Consolidation: corrections in, a version out that has learnt them for good, or the reasons why not.
//!
//! ```text
//! journal ─ lessons ─┬─ practice ─ candidates (α = 1, ½, ¼) ─ gate ─ version ─ `current`
//! shipped texts ─────┘                    held-out lessons ─────┘
//! ```
//!
//! Invariant: what serves changes only by one pointer, after the gate has passed what it points to;
//! a job that is ended at any moment changes nothing. One job at a time a user.
//! Knows no daemon: who calls decides when, in which process, and tells the model's thread.
//!
//! Length: a job is one story, from the journal to the pointer; its parts are in files of their own.

pub mod alarm;
mod exam;
pub mod lesson;
mod pins;
mod practice;
mod replay;
pub mod report;
pub mod track;
pub mod trigger;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use candle_core::Tensor;

use super::gate::{self, Evidence, Limits, Verdict};
use super::versions::manifest::{Candidate, Lessons, Manifest, Outcome, Training};
use super::versions::{Loaded, VersionError, Versions};
use crate::engine::EngineError;
use crate::model::checkpoint::CheckpointError;
use crate::model::config::BackboneConfig;
use crate::model::delta::{Delta, between};
use crate::model::store::ModelSource;
use crate::model::tokenizer::TokenizerError;
use crate::model::trainee::{SaveError, Trainee, TraineeOptions};
use crate::model::weights::WeightsError;
use crate::model::{LoadOptions, Model};
use exam::{Question, answers, paired};
use lesson::Lesson;
use practice::{Exercise, Exercises, Plan, practise};
use replay::Half;

pub use pins::pinned;

/// Shares of what was learnt that are tried, the largest first.
const SHARES: [f64; 3] = [1.0, 0.5, 0.25];
/// Layers at the top that learn.
const TOP_LAYERS: usize = 2;
/// Tokens of a text that are practised.
const TEXT_TOKENS: usize = 128;
/// Most labels of a text that are practised.
const LABELS: usize = 20;
/// Most new texts of one job; the rest is left to the next.
const MOST_NEW: usize = 256;
/// Most texts that were learnt before and are practised again.
const MOST_OLD: usize = 128;
/// What a label should have at most that nobody gave to a text whose tags somebody looked through,
/// and how much that counts.
const ASSUMED: (f32, f32) = (0.02, 0.3);
/// The library walks a graph of operations by recursion.
const STACK: usize = 64 << 20;

/// What is to be learnt, and on top of what.
#[derive(Clone, Debug)]
pub struct Job {
    /// The shipped model.
    pub source: ModelSource,
    /// Where its versions are.
    pub versions: Versions,
    /// Everything that somebody has ever said.
    pub lessons: Vec<Lesson>,
    /// What must always be right.
    pub pinned: Vec<Lesson>,
    /// Where the lessons come from.
    pub kind: Lessons,
    /// The highest number of the journal.
    pub last: u64,
    /// Start of every random choice.
    pub seed: u64,
    /// Now, in seconds since 1970.
    pub time: u64,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stage {
    /// Models are loaded and asked what they say now.
    Preparing,
    /// A step of so many is being made.
    Practising {
        /// Which, from 1.
        step: usize,
        /// Of how many.
        of: usize,
    },
    /// The gate looks at a candidate.
    Judging {
        /// The share of what was learnt.
        share: f64,
    },
}

/// Why nothing was learnt.
#[derive(Debug, thiserror::Error)]
pub enum ConsolidateError {
    /// Nothing that the model does not know.
    #[error("nothing new to learn: {fact}")]
    Nothing {
        /// Why.
        fact: String,
    },
    /// Another job runs.
    #[error("the model learns already; wait until it has")]
    Busy,
    /// Somebody ended it.
    #[error("learning was cancelled; nothing has changed")]
    Cancelled,
    /// Another version serves now than at the start.
    #[error(
        "another version of the model was chosen meanwhile; what was learnt is dropped, learn again"
    )]
    Overtaken,
    /// Weights broke.
    #[error(
        "step {step} of learning gave numbers that are none; nothing has changed, please report it"
    )]
    NotFinite {
        /// Which.
        step: usize,
    },
    /// The model cannot be loaded.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The model cannot be run.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A text cannot be read.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// What was learnt cannot be written.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// What was learnt cannot be laid out.
    #[error(transparent)]
    Save(#[from] SaveError),
    /// What was learnt cannot be read back.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The tensor library failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// The system gives no thread.
    #[error("learning could not be started: {0}")]
    Thread(std::io::Error),
}

/// Learns, and puts the result in place if the gate lets it. `tell` may end it at any stage.
///
/// # Errors
/// Nothing to learn, or whatever stands in the way; what serves stays.
pub fn learn(
    job: &Job,
    tell: &mut (dyn FnMut(Stage) -> ControlFlow<()> + Send),
) -> Result<Manifest, ConsolidateError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK);
        let thread = thread
            .spawn_scoped(scope, || run(job, tell))
            .map_err(ConsolidateError::Thread)?;
        thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// What is to be learnt from what, and what it is measured by.
struct Split<'a> {
    new: Vec<&'a Lesson>,
    old: Vec<&'a Lesson>,
    held_out: Vec<&'a Lesson>,
}

impl<'a> Split<'a> {
    fn of(lessons: &'a [Lesson], learnt: &BTreeSet<u64>, seed: u64) -> Split<'a> {
        let (held_out, taught): (Vec<&Lesson>, Vec<&Lesson>) =
            lessons.iter().partition(|lesson| lesson.is_held_out());
        let (mut new, mut old): (Vec<&Lesson>, Vec<&Lesson>) =
            taught.into_iter().partition(|lesson| lesson.is_new(learnt));
        new.truncate(MOST_NEW);
        // Any of the old ones is as good as another.
        crate::model::random::Random::new(&[seed, 3]).shuffle(&mut old);
        old.truncate(MOST_OLD);
        Split { new, old, held_out }
    }
}

fn run(
    job: &Job,
    tell: &mut (dyn FnMut(Stage) -> ControlFlow<()> + Send),
) -> Result<Manifest, ConsolidateError> {
    let began = Instant::now();
    let _only = alone(&job.versions)?;
    stage(tell, Stage::Preparing)?;
    let options = LoadOptions::default();
    let Loaded {
        model,
        number,
        base,
        notes,
        pointed,
    } = job.versions.load(&job.source, &options)?;
    let served = Arc::new(model);
    let shipped = match number {
        0 => Arc::clone(&served),
        _ => Arc::new(Model::with_version(&job.source, None, &options)?),
    };
    let (delta, parent) = match number {
        0 => (None, Manifest::default()),
        n => {
            let known = job.versions.delta(&base, n);
            let (delta, manifest) = known.map_err(|fact| ConsolidateError::Nothing { fact })?;
            (Some(delta), manifest)
        }
    };
    let learnt: BTreeSet<u64> = parent.corrections.iter().copied().collect();
    let split = Split::of(&job.lessons, &learnt, job.seed);
    if split.new.is_empty() {
        let fact = match job.lessons.len() {
            0 => "there are no corrections".to_owned(),
            n => format!(
                "of {n} corrected texts, none has a verdict that is not learnt yet and not kept for measuring"
            ),
        };
        return Err(ConsolidateError::Nothing { fact });
    }
    let practised_spaces = replay::spaces(Half::Practice);
    // What a text's beginning is to say is what the shipped model says of that, not of all of it.
    let practised: Vec<Question> = Question::of_spaces(&practised_spaces)
        .into_iter()
        .map(|question| question.cut(&served, text_tokens(&served)))
        .collect::<Result<_, _>>()?;
    let asked = |lessons: &[&Lesson]| -> Vec<Question> {
        lessons.iter().map(|lesson| Question::of(lesson)).collect()
    };
    let general = Question::of_spaces(&replay::spaces(Half::Measure));
    let (new, old) = (asked(&split.new), asked(&split.old));
    let held_out = asked(&split.held_out);
    let pinned: Vec<Question> = job.pinned.iter().map(Question::of).collect();
    let replayed = answers(&shipped, &practised)?;
    let general_before = answers(&shipped, &general)?;
    drop(shipped);
    stage(tell, Stage::Preparing)?;
    let (new_before, old_before) = (answers(&served, &new)?, answers(&served, &old)?);
    let held_out_before = answers(&served, &held_out)?;
    let pinned_before = answers(&served, &pinned)?;
    let exercises = Exercises {
        new: exercises(&served, &new, &new_before, job.seed)?,
        old: exercises(&served, &old, &old_before, job.seed)?,
        replay: imitations(&served, &practised, &replayed, job.seed)?,
    };
    let calibration = served.calibration().clone();
    let threshold = calibration.threshold().value();
    let own_calibration = delta.as_ref().and_then(Delta::calibration).cloned();
    let trainee_options = TraineeOptions {
        freeze_embeddings: true,
        freeze_layers: layers(&served).saturating_sub(TOP_LAYERS),
        ..TraineeOptions::default()
    };
    drop(served);
    let trainee = Trainee::with_delta(&job.source, delta, &trainee_options)?;
    let start = values(&trainee)?;
    let home = match number {
        0 => start.clone(),
        _ => values(&Trainee::with_delta(&job.source, None, &trainee_options)?)?,
    };
    let plan = Plan {
        seed: job.seed,
        ..Plan::default()
    };
    let practised = practise(
        &trainee,
        &calibration,
        &exercises,
        &home,
        &plan,
        &mut |step, of| tell(Stage::Practising { step, of }),
    )?;
    stage(tell, Stage::Preparing)?;
    let end = values(&trainee)?;
    drop(trainee);

    let mut judged: Vec<(f64, Verdict)> = Vec::new();
    let mut passed = None;
    for share in SHARES {
        stage(tell, Stage::Judging { share })?;
        let delta = Delta::of(&between(&start, &end, share)?, own_calibration.clone())?;
        let candidate = (0, delta.clone());
        let model = match Model::with_version(&job.source, Some(candidate), &options) {
            Ok(model) => Arc::new(model),
            Err(CheckpointError::Weights {
                error: WeightsError::NotFinite { .. },
                ..
            }) => {
                return Err(ConsolidateError::NotFinite {
                    step: practised.steps,
                });
            }
            Err(error) => return Err(error.into()),
        };
        let after = |questions: &[Question]| answers(&model, questions);
        let evidence = Evidence {
            general: paired(&general, &general_before, &after(&general)?),
            held_out: paired(&held_out, &held_out_before, &after(&held_out)?),
            pinned: paired(&pinned, &pinned_before, &after(&pinned)?),
            new: paired(&new, &new_before, &after(&new)?),
            thresholds: [threshold, threshold],
        };
        let verdict = gate::judge(&evidence, &Limits::default());
        let is_good = verdict.passed();
        judged.push((share, verdict));
        if is_good {
            passed = Some((share, delta));
            break; // Smaller shares would pass too, and learn less.
        }
    }
    stage(tell, Stage::Preparing)?;
    let numbers = |lessons: &[&Lesson]| -> Vec<u64> {
        let mut all: Vec<u64> = lessons
            .iter()
            .flat_map(|lesson| lesson.corrections.iter().copied())
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    };
    let mut corrections = numbers(&split.new);
    if passed.is_some() {
        corrections.extend(&parent.corrections);
        corrections.sort_unstable();
        corrections.dedup();
    }
    let manifest = Manifest {
        parent: number,
        base: base.clone(),
        model: name(&job.source),
        time: job.time,
        lessons: job.kind,
        outcome: match passed {
            Some(_) => Outcome::Accepted,
            None => Outcome::Refused,
        },
        reasons: reasons(&judged, notes),
        alpha: passed.as_ref().map(|(share, _)| *share),
        seed: job.seed,
        corrections,
        held_out: numbers(&split.held_out),
        last: job.last,
        candidates: judged
            .iter()
            .map(|(share, verdict)| Candidate::new(*share, verdict))
            .collect(),
        training: Training {
            examples: split.new.len() + split.old.len(),
            new: split.new.len(),
            replayed: exercises.replay.len(),
            steps: practised.steps,
            loss: practised.loss,
            seconds: began.elapsed().as_secs_f64(),
        },
        program: env!("CARGO_PKG_VERSION").to_owned(),
        ..Manifest::default()
    };
    if job.versions.current(&base) != pointed {
        return Err(ConsolidateError::Overtaken);
    }
    let manifest = job
        .versions
        .add(manifest, passed.as_ref().map(|(_, delta)| delta))?;
    if passed.is_some() {
        job.versions.point(&base, manifest.number)?;
        job.versions.prune(&base)?;
    }
    Ok(manifest)
}

/// Holds the place of the only job, until it is dropped or the process ends.
fn alone(versions: &Versions) -> Result<File, ConsolidateError> {
    let path = versions.folder().join("job.lock");
    let open = || {
        std::fs::create_dir_all(versions.folder())?;
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
    };
    let io = |cause| VersionError::Io {
        path: path.clone(),
        cause,
    };
    let file = open().map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(ConsolidateError::Busy),
        Err(std::fs::TryLockError::Error(cause)) => Err(io(cause).into()),
    }
}

fn stage(
    tell: &mut (dyn FnMut(Stage) -> ControlFlow<()> + Send),
    stage: Stage,
) -> Result<(), ConsolidateError> {
    match tell(stage) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(ConsolidateError::Cancelled),
    }
}

/// Copies of what is trained.
fn values(trainee: &Trainee) -> candle_core::Result<BTreeMap<String, Tensor>> {
    let copies = trainee.variables().iter();
    copies
        .map(|(name, variable)| Ok((name.clone(), variable.as_tensor().copy()?.detach())))
        .collect()
}

/// Tokens of a text that this model practises.
fn text_tokens(model: &Model) -> usize {
    TEXT_TOKENS.min(model.max_tokens() / 2)
}

fn layers(model: &Model) -> usize {
    match &model.config().backbone {
        BackboneConfig::Bert(config) => config.layers,
        BackboneConfig::ModernBert(config) => config.layers.len(),
        BackboneConfig::Deberta(config) => config.layers,
    }
}

fn name(source: &ModelSource) -> String {
    match source {
        ModelSource::Bundled => crate::model::store::BUNDLED_NAME.to_owned(),
        ModelSource::Folder(dir) => dir.display().to_string(),
    }
}

/// Why the result is what it is, in sentences.
fn reasons(judged: &[(f64, Verdict)], notes: Vec<String>) -> Vec<String> {
    let mut reasons = notes;
    for (share, verdict) in judged {
        let what = format!("{} % of what was learnt", 100.0 * share);
        match verdict.passed() {
            true => {
                let findings = verdict.checks.iter().map(|check| check.finding.as_str());
                let findings: Vec<&str> = findings.skip(1).collect();
                reasons.push(format!("{what} passed: {}", findings.join("; ")));
            }
            false => {
                let objections: Vec<&str> =
                    verdict.objections().map(|c| c.finding.as_str()).collect();
                reasons.push(format!("{what} was refused: {}", objections.join("; ")));
            }
        }
    }
    reasons
}

/// Lessons as they are practised: verdicts as they are, the other labels as they are likely to be.
fn exercises(
    model: &Model,
    questions: &[Question],
    before: &[Vec<f32>],
    seed: u64,
) -> Result<Vec<Exercise>, ConsolidateError> {
    let both = questions.iter().zip(before);
    both.map(|(question, scores)| {
        let positives = question.truth.iter().filter(|t| **t == Some(true)).count();
        let target = |i: usize| match question.truth[i] {
            Some(true) => (1.0, 1.0),
            Some(false) => (0.0, 1.0),
            // Whoever gave some tags has looked at the others.
            None if positives > 0 => (scores[i].min(ASSUMED.0), ASSUMED.1),
            None => (scores[i], ASSUMED.1),
        };
        exercise(model, question, seed, target)
    })
    .collect()
}

/// Shipped texts as they are practised: the shipped model's own probabilities.
fn imitations(
    model: &Model,
    questions: &[Question],
    before: &[Vec<f32>],
    seed: u64,
) -> Result<Vec<Exercise>, ConsolidateError> {
    let both = questions.iter().zip(before);
    both.map(|(question, scores)| exercise(model, question, seed, |i| (scores[i], 1.0)))
        .collect()
}

/// A question with a draw of its labels: those with a verdict, and then any.
fn exercise(
    model: &Model,
    question: &Question,
    seed: u64,
    target: impl Fn(usize) -> (f32, f32),
) -> Result<Exercise, ConsolidateError> {
    let mut text = model.tokenizer().tokens(&question.text)?.ids;
    text.truncate(text_tokens(model));
    let mut order: Vec<usize> = (0..question.labels.len()).collect();
    crate::model::random::Random::new(&[seed, 5, text.len() as u64]).shuffle(&mut order);
    order.sort_by_key(|i| question.truth[*i] != Some(true) && question.truth[*i].is_none());
    let mut exercise = Exercise {
        text,
        ..Exercise::default()
    };
    let names: Vec<&str> = order.iter().map(|i| question.labels[*i].as_str()).collect();
    let tokens = model.tokenizer().ids_of_all(&names)?;
    for (i, tokens) in order.into_iter().zip(tokens).take(LABELS) {
        if tokens.is_empty() || tokens.len() > model.max_tokens() / 4 {
            continue; // The engine does not score these either.
        }
        let (target, weight) = target(i);
        exercise.labels.push(tokens);
        exercise.targets.push(target);
        exercise.weights.push(weight);
    }
    Ok(exercise)
}
