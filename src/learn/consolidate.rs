//! Consolidation: corrections in, a version out that has learnt them for good, or the reasons why not.
//!
//! ```text
//! journal, vault ─ lessons ─┬─ heads of labels ──┬─ candidates ─ gate ─ version ─ `current`
//! shipped texts ────────────┴─ encoder, if asked ┘     held-out lessons ─┘
//! ```
//!
//! Invariant: what serves changes only by one pointer, after the gate has passed what it points to;
//! a job that is ended at any moment changes nothing. One job at a time a user.
//! Knows no daemon: who calls decides when, in which process, and tells the model's thread.
//!
//! Length: a job is one story, from the journal to the pointer; its parts are in files of their own.

pub mod alarm;
mod candidate;
pub mod cross;
mod encoder;
mod error;
mod exam;
mod heads;
mod known;
pub mod lesson;
mod pins;
mod practice;
pub mod replay;
pub mod report;
mod shares;
pub mod shipped;
mod split;
pub mod track;
pub mod trigger;
pub mod vault;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use candle_core::{Device, Tensor};

use super::gate::{self, Evidence, Limits, Verdict};
use super::journal::{self, Entry};
use super::versions::manifest::{Candidate, Lessons, Manifest, Outcome, Training};
use super::versions::{Loaded, VersionError, Versions};
use crate::config::make_private;
use crate::label::Descriptions;
use crate::model::checkpoint::CheckpointError;
use crate::model::delta::{Delta, Parts};
use crate::model::label_head::LabelHeads;
use crate::model::store::ModelSource;
use crate::model::weights::WeightsError;
use crate::model::{LoadOptions, Model};
use candidate::{Group, Plain, Sheet};
use cross::Cross;
use known::Known;
use lesson::Lesson;
use shares::Shares;
use split::{Split, numbers};
use vault::Vault;

pub use error::ConsolidateError;
pub use pins::{Pin, Pins, pinned};
pub use split::NO_CORRECTIONS;

/// The library walks a graph of operations by recursion.
const STACK: usize = 64 << 20;

/// What is to be learnt, and on top of what.
#[derive(Clone, Debug)]
pub struct Job {
    /// The shipped model.
    pub source: ModelSource,
    /// Where its versions are.
    pub versions: Versions,
    /// The cache folder, where what the model says is kept for the next job.
    pub cache: PathBuf,
    /// Everything that somebody has ever said.
    pub lessons: Vec<Lesson>,
    /// The data folder whose journal says so; none where no journal does.
    pub journal: Option<PathBuf>,
    /// What must always be right.
    pub pinned: Pins,
    /// What the labels mean that somebody has judged.
    pub descriptions: Descriptions,
    /// Tagged notes to learn from as well, in place of all that they have taught before.
    pub vault: Option<Vault>,
    /// The highest number of the journal.
    pub last: u64,
    /// Whether the encoder practises too, which takes most of a minute.
    pub encoder: bool,
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
    /// Notes are read by the model.
    Reading {
        /// How many have been.
        done: usize,
        /// Of how many.
        of: usize,
    },
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

/// Who is told how far a job is, and may end it at any stage.
pub type Tell<'a> = dyn FnMut(Stage) -> ControlFlow<()> + Send + 'a;

/// Learns, and puts the result in place if the gate lets it. `tell` may end it at any stage.
///
/// # Errors
/// Nothing to learn, or whatever stands in the way; what serves stays.
pub fn learn(job: &Job, tell: &mut Tell) -> Result<Manifest, ConsolidateError> {
    learn_and_validate(job, tell).map(|(manifest, _)| manifest)
}

/// The same, with what cross-validation says of a vault.
///
/// # Errors
/// As `learn`.
pub fn learn_and_validate(
    job: &Job,
    tell: &mut Tell,
) -> Result<(Manifest, Option<Cross>), ConsolidateError> {
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

/// What serves at the start of a job.
struct Start {
    shipped: Arc<Model>,
    served: Arc<Model>,
    delta: Option<Delta>,
    /// What it has learnt on top of the shipped model.
    parts: Parts,
    manifest: Manifest,
    number: u32,
    base: String,
    notes: Vec<String>,
    pointed: u32,
}

impl Start {
    fn of(job: &Job) -> Result<Start, ConsolidateError> {
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
        let (delta, manifest) = match number {
            0 => (None, Manifest::default()),
            n => {
                let known = job.versions.delta(&base, n);
                let (delta, manifest) = known.map_err(|fact| ConsolidateError::Nothing { fact })?;
                (Some(delta), manifest)
            }
        };
        Ok(Start {
            parts: match &delta {
                Some(delta) => delta.parts(&Device::Cpu)?,
                None => Parts::default(),
            },
            shipped,
            served,
            delta,
            manifest,
            number,
            base,
            notes,
            pointed,
        })
    }

    /// The shipped model with these parts.
    fn with(&self, job: &Job, parts: &Parts) -> Result<(Arc<Model>, Delta), ConsolidateError> {
        let calibration = self.delta.as_ref().and_then(Delta::calibration).cloned();
        let delta = Delta::of(parts, calibration)?;
        let options = LoadOptions::default();
        match Model::with_version(&job.source, Some((0, delta.clone())), &options) {
            Ok(model) => Ok((Arc::new(model), delta)),
            Err(CheckpointError::Weights {
                error: WeightsError::NotFinite { .. },
                ..
            }) => Err(ConsolidateError::NotFinite),
            Err(error) => Err(error.into()),
        }
    }

    /// What these tensors say without any heads.
    fn plain(
        &self,
        job: &Job,
        tensors: &BTreeMap<String, Tensor>,
        sheet: &Sheet,
        tell: &mut Tell,
    ) -> Result<Plain, ConsolidateError> {
        let is_shipped = tensors.is_empty()
            && self
                .delta
                .as_ref()
                .is_none_or(|delta| delta.calibration().is_none());
        let model = match is_shipped {
            true => Arc::clone(&self.shipped),
            false => {
                let parts = Parts {
                    tensors: tensors.clone(),
                    ..Parts::default()
                };
                self.with(job, &parts)?.0
            }
        };
        let is_known = is_shipped && model.reads_as_shipped();
        // Notes of a vault are seldom read again, and tensors that were only tried never are.
        let is_lasting = is_shipped && job.vault.is_none();
        let known = match is_lasting {
            true => Known::open(&job.cache, model.fingerprint()),
            false => Known::default(),
        };
        Plain::of(&model, tensors.clone(), is_known, known, sheet, tell)
    }
}

fn run(job: &Job, tell: &mut Tell) -> Result<(Manifest, Option<Cross>), ConsolidateError> {
    let began = Instant::now();
    let _only = alone(&job.versions)?;
    stage(tell, Stage::Preparing)?;
    let start = Start::of(job)?;
    let learnt: BTreeSet<u64> = start.manifest.corrections.iter().copied().collect();
    let of_vault = job.vault.as_ref().map_or(&[][..], |vault| &vault.lessons);
    let split = Split::of(&job.lessons, of_vault, &learnt, job.seed);
    if let Some(fact) = split.lacks() {
        return Err(ConsolidateError::Nothing { fact });
    }
    let mut descriptions = job.descriptions.clone();
    descriptions.extend(
        job.vault
            .iter()
            .flat_map(|vault| vault.descriptions.clone()),
    );
    let sheet = Sheet::of(&split, &job.pinned.pins, descriptions);
    let threshold = start.served.calibration().threshold().value();
    let own = start.plain(job, &start.parts.tensors, &sheet, tell)?;
    let has_changed = !start.parts.tensors.is_empty()
        || start
            .delta
            .as_ref()
            .is_some_and(|delta| delta.calibration().is_some());
    // General texts are compared with the shipped model, so that versions do not drift away.
    let shipped = match has_changed {
        true => start.plain(job, &BTreeMap::new(), &sheet.of_shipped(), tell)?,
        false => own.clone(),
    };
    let before = sheet.before(&shipped, &own, &start.parts.heads);
    let encoder = match job.encoder {
        false => None,
        true => {
            let (corrected, scores) = (sheet.corrected(), &before[Group::Lessons]);
            let scores = &scores[corrected.start..];
            let questions = &sheet[Group::Lessons][corrected.start..];
            let (new, old) = questions.split_at(split.new.len());
            let (new_scores, old_scores) = scores.split_at(split.new.len());
            let pupil = encoder::Pupil {
                shipped: &start.shipped,
                served: &start.served,
                delta: start.delta.as_ref(),
                new: (new, new_scores),
                old: (old, old_scores),
            };
            Some(encoder::learn(job, &pupil, tell)?)
        }
    };
    let practised = encoder.as_ref().map(|learnt| learnt.practised);
    let practised = practised.unwrap_or_default();
    // Of folders that are not learnt now, and no notes of which are here, the heads stay.
    let mut vaults = start.manifest.vaults.clone();
    if let Some(vault) = &job.vault {
        vaults.remove(&vault.name);
    }
    let none = LabelHeads::default();
    let of_others = match vaults.is_empty() {
        true if job.vault.is_some() => &none,
        _ => &start.parts.of_vault,
    };
    let mut cross = None;
    let mut judged: Vec<(Shares, Verdict)> = Vec::new();
    let mut passed = None;
    let mut fitted: Option<(f64, Plain, LabelHeads, LabelHeads)> = None;
    let shared = sheet.is_shared();
    for shares in Shares::to_try(encoder.is_some(), shared) {
        // What was learnt of labels that general texts have too is left out.
        let own_alone = shares.general == 0.0;
        if own_alone && !sheet.has_own() {
            continue; // Nothing would be new.
        }
        let judging = Stage::Judging {
            share: shares.heads,
        };
        stage(tell, judging)?;
        if fitted
            .as_ref()
            .is_none_or(|known| known.0 != shares.encoder)
        {
            let plain = match &encoder {
                Some(learnt) if shares.encoder > 0.0 => {
                    start.plain(job, &learnt.at(shares.encoder)?, &sheet, tell)?
                }
                _ => own.clone(),
            };
            let mut taught = heads::Taught {
                lessons: sheet.vault(&plain),
                ordinary: plain.asked(&sheet, Group::Ordinary),
                shipped: &before[Group::Ordinary],
                replay: plain.asked(&sheet, Group::Replay),
                replay_shipped: &before[Group::Replay],
                threshold,
                prior: of_others,
                kept: of_others,
            };
            let of_vault = match &job.vault {
                Some(_) => heads::learn(&taught),
                None => start.parts.of_vault.clone(),
            };
            stage(tell, judging)?;
            if job.vault.is_some() && cross.is_none() {
                let (notes, answers) = sheet.whole_vault(&plain);
                cross = cross::validate(&notes, &answers, &taught);
                stage(tell, judging)?;
            }
            // Corrections are learnt on top of what a vault has taught.
            let corrected = start.parts.heads.plus(&start.parts.of_vault, -1.0);
            let prior = of_vault.plus(&corrected, split.untold);
            let kept = of_vault.plus(&corrected, 1.0);
            taught.lessons = sheet.corrections(&plain);
            (taught.prior, taught.kept) = (&prior, &kept);
            let heads = heads::learn(&taught);
            fitted = Some((shares.encoder, plain, of_vault, heads));
        }
        let Some((_, plain, of_vault, heads)) = &fitted else {
            continue;
        };
        let share = |name: &str| match sheet.shares(name) {
            true => shares.general as f32,
            false => shares.heads as f32,
        };
        let parts = Parts {
            tensors: plain.tensors.clone(),
            heads: start.parts.heads.towards(heads, share),
            of_vault: start.parts.of_vault.towards(of_vault, share),
        };
        let judge = |rows: candidate::Rows| {
            let [general, held_out, pinned, new] = rows;
            gate::judge(
                &Evidence {
                    general,
                    held_out,
                    pinned,
                    pinned_names: job.pinned.names(),
                    pinned_unread: job.pinned.faults.len(),
                    new,
                    thresholds: [threshold, threshold],
                },
                &Limits::default(),
            )
        };
        stage(tell, judging)?;
        let foreseen = sheet.foreseen(plain, &parts.heads);
        let verdict = judge(sheet.rows(&before, &foreseen, own_alone));
        if !verdict.passed() {
            judged.push((shares, verdict));
            continue;
        }
        let (model, delta) = start.with(job, &parts)?;
        let after = sheet.asked(&model, foreseen, tell)?;
        let verdict = judge(sheet.rows(&before, &after, own_alone));
        let is_good = verdict.passed();
        judged.push((shares, verdict));
        if is_good {
            passed = Some((shares, delta));
            break; // Those that are left learn less.
        }
    }
    stage(tell, Stage::Preparing)?;
    let mut corrections = numbers(&split.new);
    if passed.is_some() {
        corrections.extend(&start.manifest.corrections);
        corrections.sort_unstable();
        corrections.dedup();
        if let Some(vault) = &job.vault {
            vaults.insert(vault.name.clone(), vault.lessons.len());
        }
    } else {
        vaults.clone_from(&start.manifest.vaults);
    }
    let general = |shares: &Shares| (shares.general != shares.heads).then_some(shares.general);
    let taken = passed.as_ref().map(|(shares, _)| shares);
    let manifest = Manifest {
        parent: start.number,
        base: start.base.clone(),
        model: name(&job.source),
        time: job.time,
        lessons: match job.vault {
            Some(_) => Lessons::Vault,
            None => Lessons::Corrections,
        },
        outcome: match passed {
            Some(_) => Outcome::Accepted,
            None => Outcome::Refused,
        },
        reasons: reasons(&judged, cross.as_ref(), start.notes.clone()),
        alpha: taken.map(|shares| shares.heads),
        encoder: taken.map_or(0.0, |shares| shares.encoder),
        general: taken.and_then(general),
        vaults,
        cross: cross.as_ref().map(Cross::record),
        seed: job.seed,
        corrections,
        held_out: numbers(&split.held_out),
        left: split.left,
        last: job.last,
        candidates: judged
            .iter()
            .map(|(shares, verdict)| {
                Candidate::new(shares.heads, shares.encoder, general(shares), verdict)
            })
            .collect(),
        training: Training {
            examples: sheet[Group::Lessons].len(),
            new: split.vault.len() + split.new.len(),
            replayed: encoder.as_ref().map_or(0, |learnt| learnt.replayed),
            steps: practised.steps,
            loss: practised.loss,
            seconds: began.elapsed().as_secs_f64(),
        },
        program: env!("CARGO_PKG_VERSION").to_owned(),
        ..Manifest::default()
    };
    if let Some(data) = &job.journal
        && was_forgotten(&job.lessons, &journal::read(data)?.entries)
    {
        return Err(ConsolidateError::Forgotten);
    }
    let delta = passed.as_ref().map(|(_, delta)| delta);
    let added = job.versions.add_after(start.pointed, manifest, delta)?;
    let manifest = added.ok_or(ConsolidateError::Overtaken)?;
    if passed.is_some() {
        job.versions.prune(&start.base)?;
    }
    Ok((manifest, cross))
}

/// Whether a correction behind these lessons is in the journal no more.
fn was_forgotten(lessons: &[Lesson], entries: &[Entry]) -> bool {
    let there: BTreeSet<u64> = entries.iter().map(|entry| entry.sequence).collect();
    let mut numbers = lessons.iter().flat_map(|lesson| &lesson.corrections);
    numbers.any(|number| !there.contains(number))
}

/// Holds the place of the only job, until it is dropped or the process ends.
fn alone(versions: &Versions) -> Result<File, ConsolidateError> {
    let path = versions.folder().join("job.lock");
    let open = || {
        make_private(versions.folder())?;
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

fn stage(tell: &mut Tell, stage: Stage) -> Result<(), ConsolidateError> {
    match tell(stage) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(ConsolidateError::Cancelled),
    }
}

fn name(source: &ModelSource) -> String {
    match source {
        ModelSource::Bundled => crate::model::store::BUNDLED_NAME.to_owned(),
        ModelSource::Folder(dir) => dir.display().to_string(),
    }
}

/// Why the result is what it is, in sentences.
fn reasons(judged: &[(Shares, Verdict)], cross: Option<&Cross>, notes: Vec<String>) -> Vec<String> {
    let mut reasons = notes;
    reasons.extend(cross.map(|cross| cross.record().words()));
    for (shares, verdict) in judged {
        let what = shares.words();
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
