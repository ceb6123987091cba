//! Checkpoints of a training: saved whole or not at all, found again after a crash.
//!
//! Invariant: a folder under its final name is complete and on the disk: it is written beside, synced,
//! and renamed, and renamed again before it is removed. What a crash leaves behind has another name,
//! and is removed by the next training.
//! Knows nothing of who may write to the folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::TrainError;
use super::optimizer::AdamW;
use crate::config::sync_folder;
use crate::model::trainee::{Trainee, write_tensors};
use crate::model::weights::Weights;

/// Where a training stands, beside its weights and moments.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(super) struct Progress {
    /// Steps that are done.
    pub(super) step: usize,
    /// Updates that were made: steps less those that half precision overflowed in.
    pub(super) updates: usize,
    /// The best evaluation so far, as a number of which more is better, and its step.
    pub(super) best: Option<(f64, usize)>,
    /// Evaluations since the best one.
    pub(super) worse: usize,
    /// What half-precision losses are multiplied by.
    pub(super) loss_scale: f64,
    /// Steps since that changed.
    pub(super) since_scaled: usize,
}

/// The folder of a training's output.
pub(super) struct Store {
    out: PathBuf,
}

pub(super) const CHECKPOINTS: &str = "checkpoints";
/// The result.
pub(super) const RESULT: &str = "model";
/// A result that is not whole yet, and one that is being removed.
pub(super) const HALF_RESULTS: [&str; 2] = ["model.part", ".model.part"];
const MOMENTS: &str = "trainer.safetensors";
const PROGRESS: &str = "trainer.json";

impl Store {
    /// The checkpoints in a folder that nobody else trains in; what a crash left behind goes.
    pub(super) fn new(out: &Path) -> Result<Store, TrainError> {
        let store = Store {
            out: out.to_owned(),
        };
        let folder = store.checkpoints();
        fs::create_dir_all(&folder).map_err(TrainError::io(&folder))?;
        for entry in fs::read_dir(&folder)
            .map_err(TrainError::io(&folder))?
            .flatten()
        {
            if entry.file_name().to_string_lossy().ends_with(".part") {
                fs::remove_dir_all(entry.path()).map_err(TrainError::io(entry.path()))?;
            }
        }
        for half in HALF_RESULTS.map(|name| out.join(name)) {
            if half.exists() {
                fs::remove_dir_all(&half).map_err(TrainError::io(half))?;
            }
        }
        for entry in fs::read_dir(out).map_err(TrainError::io(out))?.flatten() {
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
            if is_file && is_unfinished(&entry.file_name()) {
                fs::remove_file(entry.path()).map_err(TrainError::io(entry.path()))?;
            }
        }
        Ok(store)
    }

    fn checkpoints(&self) -> PathBuf {
        self.out.join(CHECKPOINTS)
    }

    /// Where the checkpoint of a step is.
    pub(super) fn of_step(&self, step: usize) -> PathBuf {
        self.checkpoints().join(format!("step-{step:08}"))
    }

    /// Steps with a checkpoint, ascending.
    pub(super) fn steps(&self) -> Vec<usize> {
        steps(&self.out)
    }

    /// Saves weights, moments and progress, and removes checkpoints that are not kept.
    pub(super) fn save(
        &self,
        trainee: &Trainee,
        optimizer: &AdamW,
        progress: &Progress,
        keep: usize,
    ) -> Result<(), TrainError> {
        let path = self.of_step(progress.step);
        if !path.exists() {
            let part = path.with_extension("part");
            fs::create_dir_all(&part).map_err(TrainError::io(&part))?;
            let saved = self.fill(&part, trainee, optimizer, progress);
            if saved.is_err() {
                let _ = fs::remove_dir_all(&part); // It holds the room that others may need.
            }
            saved?;
            rename(&part, &path)?;
        }
        let steps = self.steps();
        let best = progress.best.map(|(_, step)| step);
        let old = steps
            .iter()
            .rev()
            .skip(keep)
            .filter(|step| Some(**step) != best);
        old.map(|step| self.of_step(*step))
            .try_for_each(|path| Store::remove(&path))
    }

    /// Removes a checkpoint or the result. Its name goes first: who is ended meanwhile leaves nothing
    /// half under it, and the rest to the next training.
    fn remove(path: &Path) -> Result<(), TrainError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let part = path.with_file_name(format!(".{name}.part"));
        rename(path, &part)?;
        fs::remove_dir_all(&part).map_err(TrainError::io(part))
    }

    fn fill(
        &self,
        part: &Path,
        trainee: &Trainee,
        optimizer: &AdamW,
        progress: &Progress,
    ) -> Result<(), TrainError> {
        trainee.save(part)?;
        let state = optimizer.state(trainee.variables())?;
        let tensors = state.iter().map(|(name, tensor)| (name.as_str(), tensor));
        write_tensors(&part.join(MOMENTS), tensors)?;
        let json = serde_json::to_vec(progress).map_err(|e| TrainError::Report(e.to_string()))?;
        crate::config::replace(&part.join(PROGRESS), &json).map_err(TrainError::io(part))?;
        sync(part)
    }

    /// Takes up the newest checkpoint that can be read; `None` where there is none. One that cannot
    /// is put aside.
    ///
    /// # Errors
    /// Where no checkpoint can be read: what is wrong with the oldest.
    pub(super) fn resume(
        &self,
        trainee: &Trainee,
        optimizer: &mut AdamW,
        device: &Device,
    ) -> Result<Option<Progress>, TrainError> {
        let mut steps = self.steps();
        while let Some(step) = steps.pop() {
            match self.take_up(step, trainee, optimizer, device) {
                Ok(progress) => return Ok(Some(self.with_best(progress, device))),
                Err(error) if steps.is_empty() => {
                    return Err(TrainError::NoneGood {
                        folder: self.checkpoints(),
                        error: Box::new(error),
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, step, "this checkpoint cannot be read; an older one is taken");
                    let broken = self.of_step(step).with_extension("broken");
                    let _ = fs::remove_dir_all(&broken); // Of an earlier time, if there is one.
                    rename(&self.of_step(step), &broken)?;
                }
            }
        }
        Ok(None)
    }

    /// Forgets the best evaluation where its weights cannot be read: the result would be none.
    fn with_best(&self, mut progress: Progress, device: &Device) -> Progress {
        if let Some((_, step)) = progress.best
            && let Err(error) = self.weights(step, device)
        {
            tracing::warn!(%error, step, "the best checkpoint cannot be read; the next evaluation takes its place");
            progress.best = None;
            progress.worse = 0;
        }
        progress
    }

    fn take_up(
        &self,
        step: usize,
        trainee: &Trainee,
        optimizer: &mut AdamW,
        device: &Device,
    ) -> Result<Progress, TrainError> {
        let folder = self.of_step(step);
        let path = folder.join(PROGRESS);
        let json = fs::read(&path).map_err(TrainError::io(&path))?;
        let progress: Progress = serde_json::from_slice(&json)
            .map_err(|error| TrainError::io(&path)(std::io::Error::other(error)))?;
        trainee.restore(&self.weights(step, device)?)?;
        optimizer.restore(progress.updates, &tensors(&folder.join(MOMENTS), device)?)?;
        Ok(progress)
    }

    /// Puts the weights of a step's checkpoint back into the trainee.
    pub(super) fn restore(
        &self,
        step: usize,
        trainee: &Trainee,
        device: &Device,
    ) -> Result<(), TrainError> {
        trainee.restore(&self.weights(step, device)?)?;
        Ok(())
    }

    fn weights(
        &self,
        step: usize,
        device: &Device,
    ) -> Result<BTreeMap<String, Tensor>, TrainError> {
        tensors(&self.of_step(step).join("model.safetensors"), device)
    }

    /// Writes the result.
    pub(super) fn finish(&self, trainee: &Trainee) -> Result<PathBuf, TrainError> {
        let path = self.out.join(RESULT);
        let part = self.out.join(HALF_RESULTS[0]);
        fs::create_dir_all(&part).map_err(TrainError::io(&part))?;
        trainee.save(&part)?;
        sync(&part)?;
        if path.exists() {
            Store::remove(&path)?;
        }
        rename(&part, &path)?;
        Ok(path)
    }
}

/// Whether a file was on its way to its name: `.gliznet-` and six letters or digits.
fn is_unfinished(name: &std::ffi::OsStr) -> bool {
    let rest = name
        .to_str()
        .and_then(|name| name.strip_prefix(".gliznet-"));
    rest.is_some_and(|rest| rest.len() == 6 && rest.chars().all(|c| c.is_ascii_alphanumeric()))
}

/// Steps with a checkpoint in a training's folder, ascending.
pub(super) fn steps(out: &Path) -> Vec<usize> {
    let entries = fs::read_dir(out.join(CHECKPOINTS))
        .into_iter()
        .flatten()
        .flatten();
    let mut steps: Vec<usize> = entries
        .filter_map(|entry| {
            let name = entry.file_name();
            name.to_str()?.strip_prefix("step-")?.parse().ok()
        })
        .collect();
    steps.sort_unstable();
    steps
}

fn tensors(path: &Path, device: &Device) -> Result<BTreeMap<String, Tensor>, TrainError> {
    let bytes = fs::read(path).map_err(TrainError::io(path))?;
    let mut weights = Weights::default();
    weights
        .add(&bytes, &path.display().to_string(), device)
        .map_err(|error| TrainError::io(path)(std::io::Error::other(error)))?;
    let tensors = weights
        .iter()
        .map(|(name, tensor)| (name.to_owned(), tensor.clone()));
    Ok(tensors.collect())
}

fn rename(from: &Path, to: &Path) -> Result<(), TrainError> {
    fs::rename(from, to).map_err(TrainError::io(to))?;
    sync(to.parent().unwrap_or(Path::new(".")))
}

/// Makes the names in a folder durable.
fn sync(folder: &Path) -> Result<(), TrainError> {
    sync_folder(folder).map_err(TrainError::io(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_removed_loses_its_name_before_its_files() {
        let out = tempfile::tempdir().unwrap();
        let store = Store::new(out.path()).unwrap();
        let half_steps = store.checkpoints().join(".step-00000004.part");
        for (path, part) in [
            (store.of_step(4), half_steps),
            (out.path().join(RESULT), out.path().join(HALF_RESULTS[1])),
        ] {
            fs::create_dir(&path).unwrap();
            fs::write(path.join("model.safetensors"), "weights").unwrap();
            // While it cannot have the other name, nothing is removed.
            fs::write(&part, "a file").unwrap();
            assert!(Store::remove(&path).is_err());
            assert!(path.join("model.safetensors").exists());
            fs::remove_file(&part).unwrap();
            Store::remove(&path).unwrap();
            assert!(!path.exists() && !part.exists());
        }
    }

    #[test]
    fn what_a_crash_left_half_written_or_half_removed_goes() {
        let out = tempfile::tempdir().unwrap();
        let store = Store::new(out.path()).unwrap();
        let halves = ["step-00000012.part", ".step-00000004.part"];
        let halves = halves.map(|name| store.checkpoints().join(name));
        let results = HALF_RESULTS.map(|name| out.path().join(name));
        for half in halves.iter().chain(&results) {
            fs::create_dir(half).unwrap();
            fs::write(half.join("config.json"), "{}").unwrap();
        }
        fs::create_dir(store.of_step(8)).unwrap();
        let store = Store::new(out.path()).unwrap();
        assert_eq!(store.steps(), [8]);
        assert_eq!(fs::read_dir(store.checkpoints()).unwrap().count(), 1);
        assert!(results.iter().all(|half| !half.exists()));
    }
}
