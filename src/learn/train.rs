//! Training: a recipe in, a better checkpoint out.
//!
//! The command line and the learning loop call `train`; it knows neither. Everything that it writes
//! lies in one folder, and whatever happens, the last good checkpoint in it stays whole.
//! Invariant: the same recipe and data give the same bytes on the same machine, also when the
//! training was cut off and taken up again.

mod claim;
mod corpus;
mod error;
mod measure;
mod metrics;
pub(in crate::learn) mod optimizer;
mod passes;
pub mod recipe;
mod report;
mod sample;
mod state;
mod step;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use candle_core::{DType, Device};

pub use corpus::Faults;
pub use error::TrainError;
pub use metrics::StepRecord;

use crate::model::config::Layout;
use crate::model::trainee::{Trainee, TraineeOptions};
use claim::{BEGAN, Began, Claim, LOCK, METRICS};
use corpus::Corpus;
use measure::Measure;
use metrics::Records;
use optimizer::AdamW;
use passes::Passes;
use recipe::{LabelAttention, Recipe};
use state::{CHECKPOINTS, HALF_RESULTS, Progress, RESULT, Store};
use step::Stepper;

/// Bytes of stack: the library walks a graph of operations by recursion.
const STACK: usize = 256 << 20;

/// What to train, and where.
#[derive(Clone, Debug)]
pub struct TrainOptions {
    /// Every choice.
    pub recipe: Recipe,
    /// Its text, kept beside the result.
    pub recipe_text: String,
    /// The folder that everything is written to.
    pub out: PathBuf,
    /// Go on with a training that was cut off.
    pub resume: bool,
    /// Where to compute.
    pub device: Device,
    /// A file that takes what each pass reads, for another trainer.
    pub write_batches: Option<PathBuf>,
}

/// What happens, as it happens.
#[derive(Debug)]
pub enum Event<'a> {
    /// The data is read and the model loaded.
    Started {
        /// Rows to train on.
        rows: usize,
        /// Rows that are measured instead.
        held_out: usize,
        /// Rows that could not be used.
        faults: &'a Faults,
        /// Values that are trained.
        trained: usize,
        /// Steps that were done before.
        done: usize,
    },
    /// A step was made.
    Step(&'a StepRecord),
    /// The model was measured.
    Measured {
        /// After which step.
        step: usize,
        /// The recipe's metric.
        value: f64,
        /// Whether no earlier one was better.
        is_best: bool,
    },
    /// A checkpoint is on the disk.
    Saved {
        /// Of which step.
        step: usize,
    },
}

/// How a training ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// Steps that are done.
    pub steps: usize,
    /// The step that the result is of.
    pub of_step: usize,
    /// Where the result is; `None` where the observer ended the training early.
    pub model: Option<PathBuf>,
}

/// Trains. The observer may end it after any event: a checkpoint is saved then, to resume from.
///
/// # Errors
/// Bad recipes, data and disks; whatever was saved before stays.
pub fn train(
    options: &TrainOptions,
    observer: &mut (dyn FnMut(Event) -> ControlFlow<()> + Send),
) -> Result<Trained, TrainError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK);
        let thread = thread.spawn_scoped(scope, || Training::run(options, observer));
        match thread.map_err(TrainError::io(&options.out))?.join() {
            Ok(trained) => trained,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

struct Training<'a> {
    options: &'a TrainOptions,
    observer: &'a mut (dyn FnMut(Event) -> ControlFlow<()> + Send),
    store: Store,
}

impl Training<'_> {
    fn run(
        options: &TrainOptions,
        observer: &mut (dyn FnMut(Event) -> ControlFlow<()> + Send),
    ) -> Result<Trained, TrainError> {
        let recipe = &options.recipe;
        if recipe.precision.dtype() != DType::F32 && options.device.is_cpu() {
            return Err(TrainError::Precision);
        }
        let init = recipe.init.as_deref().ok_or(TrainError::NoInit)?;
        let out = &options.out;
        if let Some(path) = &options.write_batches {
            metrics::may_write(path, options.resume)?;
        }
        let claim = Claim::take(out, init, &options.recipe_text, options.resume)?;
        let written = written(options);
        let mut corpus = Corpus::read(recipe, &written)?;
        let trainee = Trainee::load(
            init,
            &trainee_options(options, recipe.freeze.embeddings, recipe.freeze.layers),
        )?;
        let config = trainee.config();
        let weights = recipe.loss.weights(&config.loss);
        let unfit = recipe::unfit(recipe, config.backbone.layers(), &weights);
        if !unfit.is_empty() {
            return Err(TrainError::Unfit { faults: unfit });
        }
        let mut faults = std::mem::take(&mut corpus.faults);
        let measure = Measure::new(recipe, &corpus, &trainee, &written, &mut faults)?;
        let data = corpus.identity() ^ measure.identity().rotate_left(1);
        claim.begin(&Began::with(init, data)?, &options.recipe_text)?;
        let mut training = Training {
            options,
            observer,
            store: Store::new(out)?,
        };
        let trained = training.steps(&corpus, &faults, &measure, &trainee, init);
        trained.map_err(|error| error.stopped(training.store.steps().last().copied()))
    }

    fn steps(
        &mut self,
        corpus: &Corpus,
        faults: &Faults,
        measure: &Measure,
        trainee: &Trainee,
        init: &Path,
    ) -> Result<Trained, TrainError> {
        let recipe = &self.options.recipe;
        let device = &self.options.device;
        let weights = recipe.loss.weights(&trainee.config().loss);
        let mut optimizer = optimizer(recipe, trainee)?;
        let start = Progress {
            loss_scale: step::first_scale(recipe.precision),
            ..Progress::default()
        };
        let mut progress = self
            .store
            .resume(trainee, &mut optimizer, device)?
            .unwrap_or(start);
        let mut metrics = Records::open(&self.options.out.join(METRICS), progress.step)?;
        let mut ended = self.tell(Event::Started {
            rows: corpus.sources.iter().map(|source| source.rows.len()).sum(),
            held_out: corpus.held_out.len(),
            faults,
            trained: trainee
                .variables()
                .values()
                .map(|variable| variable.elem_count())
                .sum(),
            done: progress.step,
        });
        let keeps_close = recipe.loss.embedding > 0.0 || recipe.loss.label_embedding > 0.0;
        let teacher = match keeps_close {
            true => Some(Trainee::load(
                init,
                &trainee_options(self.options, true, usize::MAX),
            )?),
            false => None,
        };
        let first = progress.step * recipe.batch.accumulation;
        let mut passes = Passes::new(recipe, corpus, trainee, first)?;
        let batches = self.options.write_batches.as_deref();
        let batches = batches.map(|path| Records::open(path, progress.step));
        let mut batches = batches.transpose()?;
        let mut stepper = Stepper::new(recipe, weights, trainee, teacher.as_ref());
        let is_over = |progress: &Progress| {
            let patience = recipe.evaluation.patience;
            progress.step >= recipe.schedule.steps || patience > 0 && progress.worse >= patience
        };
        while !is_over(&progress) && !ended {
            let began = Instant::now();
            let mut parts = Vec::with_capacity(recipe.batch.accumulation);
            for part in 0..recipe.batch.accumulation {
                let pass = passes.next()?;
                if let Some(batches) = &mut batches {
                    let rows: Vec<_> = pass.iter().map(passes::Example::record).collect();
                    let step = progress.step + 1;
                    batches
                        .write(&serde_json::json!({"step": step, "part": part, "rows": rows}))?;
                }
                parts.push(pass);
            }
            let mut record = stepper.step(&mut optimizer, &mut progress, &parts)?;
            record.seconds = began.elapsed().as_secs_f64();
            metrics.write(&record.to_json())?;
            ended |= self.tell(Event::Step(&record));
            let is_last = progress.step == recipe.schedule.steps;
            let every = recipe.evaluation.every;
            let mut is_best = false;
            if every > 0 && (progress.step.is_multiple_of(every) || is_last) {
                let measured = measure.run(trainee, &weights)?;
                if !measured.value.is_finite() {
                    return Err(TrainError::Diverged {
                        step: progress.step,
                    });
                }
                is_best = progress.best.is_none_or(|(best, _)| measured.merit > best);
                if is_best {
                    progress.best = Some((measured.merit, progress.step));
                    progress.worse = 0;
                } else {
                    progress.worse += 1;
                }
                metrics.write(&measured.record(progress.step))?;
                let (step, value) = (progress.step, measured.value);
                ended |= self.tell(Event::Measured {
                    step,
                    value,
                    is_best,
                });
            }
            let is_due = progress.step.is_multiple_of(recipe.checkpoint.every);
            if is_due || is_best || is_over(&progress) || ended {
                if !is_finite(trainee)? {
                    return Err(TrainError::Diverged {
                        step: progress.step,
                    });
                }
                metrics.sync()?;
                batches.as_ref().map_or(Ok(()), Records::sync)?;
                self.store
                    .save(trainee, &optimizer, &progress, recipe.checkpoint.keep)?;
                ended |= self.tell(Event::Saved {
                    step: progress.step,
                });
            }
        }
        if !is_over(&progress) {
            return Ok(Trained {
                steps: progress.step,
                of_step: progress.step,
                model: None,
            });
        }
        let mut of_step = progress.step;
        if let Some((_, best)) = progress.best {
            self.store.restore(best, trainee, device)?;
            of_step = best;
        }
        let model = self.store.finish(trainee)?;
        let measured = measure.at_end(trainee, &weights)?;
        let path = self.options.out.join("report.html");
        let html = report::html(&metrics.lines()?, &measured, of_step)?;
        crate::config::replace(&path, html.as_bytes()).map_err(TrainError::io(&path))?;
        Ok(Trained {
            steps: progress.step,
            of_step,
            model: Some(model),
        })
    }

    /// Whether the observer ends the training.
    fn tell(&mut self, event: Event) -> bool {
        (self.observer)(event).is_break()
    }
}

fn trainee_options(
    options: &TrainOptions,
    freeze_embeddings: bool,
    freeze_layers: usize,
) -> TraineeOptions {
    TraineeOptions {
        device: options.device.clone(),
        dtype: options.recipe.precision.dtype(),
        layout: match options.recipe.model.label_attention {
            LabelAttention::Keep => None,
            LabelAttention::Full => Some(Layout::PrefixFull),
            LabelAttention::Isolated => Some(Layout::PrefixIsolated),
        },
        freeze_embeddings,
        freeze_layers,
    }
}

/// What this training writes, or one before it in the same folder.
fn written(options: &TrainOptions) -> Vec<PathBuf> {
    let names = [CHECKPOINTS, RESULT, METRICS, BEGAN, LOCK];
    let names = names.iter().chain(&HALF_RESULTS);
    let paths = names.map(|name| options.out.join(name));
    paths.chain(options.write_batches.clone()).collect()
}

/// The optimizer, each of whose groups has something to move.
fn optimizer(recipe: &Recipe, trainee: &Trainee) -> Result<AdamW, TrainError> {
    let variables = trainee.variables();
    for group in &recipe.optimizer.groups {
        let prefix = &group.prefix;
        if !variables.keys().any(|name| name.starts_with(prefix)) {
            let prefix = prefix.clone();
            return Err(TrainError::Group { prefix });
        }
    }
    Ok(AdamW::new(&recipe.optimizer, variables)?)
}

/// Whether all weights that are trained are numbers: of one that is not, the difference from itself
/// is none either.
fn is_finite(trainee: &Trainee) -> Result<bool, TrainError> {
    for variable in trainee.variables().values() {
        let none = (variable.as_tensor() - variable.as_tensor())?.sum_all()?;
        if none.to_scalar::<f32>()? != 0.0 {
            return Ok(false);
        }
    }
    Ok(true)
}
