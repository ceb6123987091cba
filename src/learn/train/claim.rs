//! The folder of a training: claimed by one process, and known again when it goes on.
//!
//! In: the folder, and what a training begins with. Out: a claim on it, or why it is not ours.
//! Invariant: nothing is changed in a folder that another process trains in, that holds something else,
//! or whose result is the checkpoint to start from; a training goes on only with what it began with.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::TrainError;
use super::state::{RESULT, steps};

pub(super) const LOCK: &str = "training.lock";
pub(super) const BEGAN: &str = "training.json";
pub(super) const METRICS: &str = "metrics.jsonl";
const RECIPE: &str = "recipe.toml";
/// What a training writes beside its checkpoints.
const RESULTS: [&str; 4] = [RECIPE, METRICS, "report.html", RESULT];

/// What a training began with; in hexadecimal digits.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Began {
    /// The checkpoint's files.
    init: String,
    /// Rows that are trained on and measured.
    data: String,
    /// Whether somebody keeps the recipe in the folder: it is not ours to replace.
    #[serde(default)]
    keeps_recipe: bool,
}

impl Began {
    /// Of a checkpoint, and of data with this identity.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub(super) fn with(init: &Path, data: u64) -> Result<Began, TrainError> {
        let entries = fs::read_dir(init).map_err(TrainError::io(init))?;
        let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        files.retain(|path| {
            path.extension()
                .is_some_and(|e| e == "json" || e == "safetensors")
        });
        files.retain(|path| !path.ends_with(BEGAN)); // A training may begin beside its checkpoint.
        files.sort();
        let mut hash = Sha256::new();
        for path in files {
            hash.update(path.file_name().unwrap_or_default().as_encoded_bytes());
            hash.update(fs::read(&path).map_err(TrainError::io(&path))?);
        }
        let digits = hash
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Ok(Began {
            init: digits,
            data: format!("{data:016x}"),
            keeps_recipe: false,
        })
    }

    /// What the training of a folder began with; none where none did.
    fn read(out: &Path) -> Option<Began> {
        serde_json::from_slice(&fs::read(out.join(BEGAN)).ok()?).ok()
    }
}

/// A folder that no other process trains in while this lives.
pub(super) struct Claim {
    out: PathBuf,
    /// The system frees it however the process ends.
    _lock: File,
}

impl Claim {
    /// Claims `out` for a training of this recipe.
    ///
    /// # Errors
    /// See the invariant; and a folder that cannot be written to.
    pub(super) fn take(
        out: &Path,
        init: &Path,
        recipe: &str,
        resume: bool,
    ) -> Result<Claim, TrainError> {
        let path = || out.to_owned();
        if let (Ok(result), Ok(init)) = (out.join(RESULT).canonicalize(), init.canonicalize())
            && init.starts_with(&result)
        {
            return Err(TrainError::InitReplaced { path: init });
        }
        let is_begun = || !steps(out).is_empty();
        let began = Began::read(out);
        // Of a training that had saved nothing only its own recipe and metrics may be replaced.
        let is_free = |path: &Path| {
            let is_recipe = path.ends_with(RECIPE);
            let is_same = is_recipe && fs::read(path).is_ok_and(|x| x == recipe.as_bytes());
            is_same
                || began.as_ref().is_some_and(|began| match is_recipe {
                    true => !began.keeps_recipe,
                    false => path.ends_with(METRICS),
                })
        };
        let holds = |path: &PathBuf| path.exists() && !is_free(path);
        if !is_begun()
            && let Some(path) = RESULTS.iter().map(|name| out.join(name)).find(holds)
        {
            return Err(TrainError::Foreign { path });
        }
        fs::create_dir_all(out).map_err(TrainError::io(out))?;
        let lock = out.join(LOCK);
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).open(&lock);
        let file = file.map_err(TrainError::io(&lock))?;
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err(TrainError::Running { path: path() });
        }
        // Anew: until it was locked, another process may have trained here.
        if is_begun() {
            if !resume {
                return Err(TrainError::Occupied { path: path() });
            }
            let known = out.join(RECIPE);
            let known = fs::read_to_string(&known).map_err(TrainError::io(&known))?;
            if known != recipe {
                return Err(TrainError::OtherRecipe { path: path() });
            }
        }
        Ok(Claim {
            out: path(),
            _lock: file,
        })
    }

    /// Records what the training begins with, or makes sure that it goes on with the same.
    ///
    /// # Errors
    /// It began with something else.
    pub(super) fn begin(&self, began: &Began, recipe: &str) -> Result<(), TrainError> {
        let path = self.out.join(BEGAN);
        let known = Began::read(&self.out);
        let other = |what| TrainError::OtherStart {
            path: self.out.clone(),
            what,
        };
        match known {
            Some(known) if !steps(&self.out).is_empty() => {
                if known.init != began.init {
                    return Err(other("another checkpoint"));
                }
                if known.data != began.data {
                    return Err(other("other rows"));
                }
            }
            _ => {
                // Before the recipe: what is here without it, or was before it, is somebody's.
                let began = Began {
                    keeps_recipe: known.map_or(self.out.join(RECIPE).exists(), |k| k.keeps_recipe),
                    ..began.clone()
                };
                let json = serde_json::to_vec(&began).unwrap_or_default(); // Strings cannot fail.
                crate::config::replace(&path, &json).map_err(TrainError::io(&path))?;
            }
        }
        let path = self.out.join(RECIPE);
        if fs::read(&path).is_ok_and(|known| known == recipe.as_bytes()) {
            return Ok(()); // Somebody may keep it here, and let nobody write it.
        }
        crate::config::replace(&path, recipe.as_bytes()).map_err(TrainError::io(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn began(data: u64) -> Began {
        Began {
            init: "0".to_owned(),
            data: data.to_string(),
            keeps_recipe: false,
        }
    }

    fn refusal(out: &Path, init: &Path, resume: bool) -> String {
        match Claim::take(out, init, "seed = 1", resume) {
            Ok(_) => "taken".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn one_process_trains_in_a_folder_and_goes_on_with_what_it_began_with() {
        let folder = tempfile::tempdir().unwrap();
        let (out, init) = (folder.path().join("out"), folder.path().join("init"));
        let claim = Claim::take(&out, &init, "seed = 1", false).unwrap();
        claim.begin(&began(1), "seed = 1").unwrap();
        assert!(refusal(&out, &init, true).contains("another process"));
        drop(claim);
        // Nothing was saved: whatever it is to begin with now will do.
        let claim = Claim::take(&out, &init, "seed = 2", false).unwrap();
        claim.begin(&began(2), "seed = 2").unwrap();
        fs::create_dir_all(out.join("checkpoints/step-00000003")).unwrap();
        drop(claim);
        assert!(refusal(&out, &init, false).contains("--resume"));
        assert!(refusal(&out, &init, true).contains("another recipe"));
        let claim = Claim::take(&out, &init, "seed = 2", true).unwrap();
        let said = claim.begin(&began(1), "seed = 2").unwrap_err().to_string();
        assert!(said.contains("other rows"), "{said}");
        claim.begin(&began(2), "seed = 2").unwrap();
    }

    #[test]
    fn what_somebody_else_keeps_in_a_folder_stays() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        fs::create_dir_all(out.join("model")).unwrap();
        fs::write(out.join("recipe.toml"), "seed = 1").unwrap();
        let said = refusal(&out, Path::new("init"), false);
        assert!(
            said.contains("model") && said.contains("another folder"),
            "{said}"
        );
        assert_eq!(fs::read_dir(&out).unwrap().count(), 2);
        fs::create_dir_all(out.join("checkpoints/step-00000003")).unwrap();
        let said = refusal(&out, &out.join("model"), true);
        assert!(said.contains("would be replaced"), "{said}");
    }

    #[test]
    fn a_folder_may_hold_the_recipe_the_rows_and_the_checkpoint_to_start_from() {
        let folder = tempfile::tempdir().unwrap();
        let init = folder.path().join("init");
        fs::create_dir_all(&init).unwrap();
        fs::write(folder.path().join("rows.jsonl"), "").unwrap();
        fs::write(folder.path().join("recipe.toml"), "seed = 1").unwrap();
        let claim = Claim::take(folder.path(), &init, "seed = 1", false).unwrap();
        claim.begin(&began(1), "seed = 1").unwrap();
        drop(claim);
        // Nothing was saved; the recipe is still somebody's.
        let other = Claim::take(folder.path(), &init, "seed = 2", false);
        let said = other.err().unwrap().to_string();
        assert!(said.contains("recipe.toml is there"), "{said}");
        assert_eq!(refusal(folder.path(), &init, false), "taken");
    }

    #[test]
    fn a_recipe_that_nobody_may_write_is_trained_beside() {
        let folder = tempfile::tempdir().unwrap();
        let recipe = folder.path().join("recipe.toml");
        fs::write(&recipe, "seed = 1").unwrap();
        let mut permissions = fs::metadata(&recipe).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&recipe, permissions).unwrap();
        let init = folder.path().join("init");
        let claim = Claim::take(folder.path(), &init, "seed = 1", false).unwrap();
        claim.begin(&began(1), "seed = 1").unwrap();
    }

    #[test]
    fn a_result_without_its_checkpoints_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (out, init) = (folder.path().join("out"), folder.path().join("init"));
        let claim = Claim::take(&out, &init, "seed = 1", false).unwrap();
        claim.begin(&began(1), "seed = 1").unwrap();
        drop(claim);
        fs::create_dir_all(out.join("model")).unwrap();
        assert!(refusal(&out, &init, false).contains("model is there"));
    }

    #[test]
    fn another_checkpoint_is_another_beginning() {
        let init = tempfile::tempdir().unwrap();
        let of = || Began::with(init.path(), 7).unwrap();
        fs::write(init.path().join("config.json"), "{}").unwrap();
        let before = of();
        fs::write(init.path().join("README.md"), "words").unwrap();
        fs::write(init.path().join(BEGAN), "{}").unwrap();
        assert_eq!(of(), before);
        fs::write(init.path().join("model.safetensors"), "weights").unwrap();
        assert_ne!(of(), before);
    }
}
