//! Why a training stops: place, fact, cure.

use std::path::PathBuf;

use crate::learn::dataset::DatasetError;
use crate::model::checkpoint::CheckpointError;
use crate::model::tokenizer::TokenizerError;
use crate::model::trainee::SaveError;

use super::corpus::Faults;
use super::recipe::RecipeError;

/// Why a training does not start, or stops.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The recipe.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The checkpoint to start from.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The data.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A text.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// Writing a checkpoint.
    #[error(transparent)]
    Save(#[from] SaveError),
    /// The tensor library: out of memory, a device that went away.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// No checkpoint is named.
    #[error("no checkpoint to start from; give --init, or `init` in the recipe")]
    NoInit,
    /// A CPU computes in float32.
    #[error("`precision` other than \"f32\" needs a GPU; set it to \"f32\"")]
    Precision,
    /// Patterns that match no file.
    #[error("no file matches {}; paths are relative to the recipe's folder", .0.join(", "))]
    NoFiles(Vec<String>),
    /// A pattern that is none.
    #[error("`{pattern}` is not a path pattern: {fact}")]
    Pattern {
        /// Which.
        pattern: String,
        /// What is wrong.
        fact: String,
    },
    /// Nothing to train on.
    #[error("no usable row in {files} files ({} faulty rows, {held_out} held out); {}{}", .faults.count, where_to_look(*.files), list(&.faults.named))]
    NoRows {
        /// Files that were read.
        files: usize,
        /// Rows that are measured instead.
        held_out: usize,
        /// Rows with faults.
        faults: Faults,
    },
    /// A recipe measures, and nothing can be told.
    #[error(
        "`evaluation.metric` is \"{metric}\", and of {rows} rows none tells it: it takes {needs}; raise `evaluation.holdout`, name `files`, or measure another metric"
    )]
    NothingToMeasure {
        /// The metric.
        metric: &'static str,
        /// Rows that would be measured.
        rows: usize,
        /// What the metric takes.
        needs: &'static str,
    },
    /// The loss is no number any more.
    #[error("the loss of step {step} is {loss}; {}", why_no_number(*.step))]
    NotFinite {
        /// Which step.
        step: usize,
        /// What it is.
        loss: f32,
    },
    /// Weights are no numbers any more.
    #[error(
        "after step {step} the weights, or what they give, are no numbers; lower `optimizer.learning_rate`, or raise `schedule.warmup`"
    )]
    Diverged {
        /// Which step.
        step: usize,
    },
    /// What stopped a training that had begun, and what is left of it.
    #[error("{error}; {}", what_is_kept(.kept))]
    Stopped {
        /// What.
        error: Box<TrainError>,
        /// The step of the last checkpoint.
        kept: Option<usize>,
    },
    /// A group of the optimizer that changes nothing.
    #[error(
        "`optimizer.groups`: no tensor that is trained begins with `{prefix}`; correct or remove it"
    )]
    Group {
        /// Which.
        prefix: String,
    },
    /// A folder that holds another training.
    #[error(
        "{path} holds a training already; add --resume to go on with it, or choose another folder"
    )]
    Occupied {
        /// Which.
        path: PathBuf,
    },
    /// Another recipe than the one that was begun with.
    #[error(
        "{path} was begun with another recipe; resume with the same one, or choose another folder"
    )]
    OtherRecipe {
        /// Which folder.
        path: PathBuf,
    },
    /// Another process is at it.
    #[error("another process trains in {path}; wait for it, or choose another folder")]
    Running {
        /// Which folder.
        path: PathBuf,
    },
    /// A folder that holds something else.
    #[error("{path} is there already and would be replaced; choose another folder for --out")]
    Foreign {
        /// What is there.
        path: PathBuf,
    },
    /// The result would take the place of what it is made from.
    #[error(
        "{path}, the checkpoint to start from, would be replaced by the result; choose another folder for --out"
    )]
    InitReplaced {
        /// The checkpoint.
        path: PathBuf,
    },
    /// A file that would be lost to batches.
    #[error(
        "{path} is there already and would be replaced; name another file for --write-batches, or remove it"
    )]
    Batches {
        /// Which.
        path: PathBuf,
    },
    /// A recipe that asks of the checkpoint what it has not.
    #[error("the recipe does not fit its checkpoint: {}", .faults.join("; "))]
    Unfit {
        /// Fact and cure of each fault.
        faults: Vec<String>,
    },
    /// Checkpoints of a training, all of them broken.
    #[error(
        "{error}; no checkpoint in {folder} can be read: put a good one there, or begin anew in another folder"
    )]
    NoneGood {
        /// Where they are.
        folder: PathBuf,
        /// What is wrong with the oldest.
        error: Box<TrainError>,
    },
    /// Other weights or rows than those that were begun with.
    #[error(
        "{path} was begun with {what}; resume with the same, or begin anew in another folder, with a checkpoint of this one as --init"
    )]
    OtherStart {
        /// Which folder.
        path: PathBuf,
        /// What is another.
        what: &'static str,
    },
    /// A file of the training's folder.
    #[error("{path}: {error}; {}", cure(.error.kind()))]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// A report that could not be drawn.
    #[error("the report could not be drawn: {0}")]
    Report(String),
}

impl TrainError {
    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> TrainError {
        let path = path.into();
        move |error| TrainError::Io { path, error }
    }

    /// The same of a training that had begun, whose last checkpoint is of step `kept`.
    pub(super) fn stopped(self, kept: Option<usize>) -> TrainError {
        match self {
            TrainError::Save(_)
            | TrainError::Tensor(_)
            | TrainError::NotFinite { .. }
            | TrainError::Diverged { .. }
            | TrainError::Io { .. } => TrainError::Stopped {
                error: Box::new(self),
                kept,
            },
            other => other,
        }
    }
}

fn what_is_kept(step: &Option<usize>) -> String {
    match step {
        Some(step) => format!("the last good checkpoint, of step {step}, is kept"),
        None => "no checkpoint had been saved".to_owned(),
    }
}

fn why_no_number(step: usize) -> &'static str {
    match step {
        1 => {
            "nothing was learnt yet: lower what stands under `[loss]`, or start from another checkpoint"
        }
        _ => "lower `optimizer.learning_rate`, or raise `schedule.warmup`",
    }
}

fn where_to_look(files: usize) -> &'static str {
    match files {
        0 => "`exclude` leaves out all that `files` names",
        _ => "check the data",
    }
}

fn cure(kind: std::io::ErrorKind) -> &'static str {
    match kind {
        std::io::ErrorKind::StorageFull => "free some space, or choose another folder",
        std::io::ErrorKind::PermissionDenied => "check who may read and write there",
        std::io::ErrorKind::NotFound => "put it back, or choose another folder",
        _ => "check the path, or choose another folder",
    }
}

/// Faults on lines of their own.
fn list(faults: &[String]) -> String {
    faults.iter().map(|fault| format!("\n  {fault}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cure_is_of_what_went_wrong() {
        let said = |error: TrainError| error.to_string();
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        assert!(
            said(TrainError::io("out/recipe.toml")(full))
                .ends_with("; free some space, or choose another folder")
        );
        let loss = f32::NAN;
        let first = said(TrainError::NotFinite { step: 1, loss });
        assert!(!first.contains("learning_rate"), "{first}");
        let second = said(TrainError::NotFinite { step: 2, loss });
        assert!(second.contains("learning_rate"), "{second}");
        let none = said(TrainError::NoRows {
            files: 0,
            held_out: 0,
            faults: Faults::default(),
        });
        assert!(none.contains("`exclude` leaves out"), "{none}");
    }
}
