//! The versions of a model: what was learnt on top of the shipped one, in folders that never change.
//!
//! ```text
//! versions/current        one line a shipped model: its fingerprint and the version that serves
//! versions/moves.jsonl    who moved that pointer back, and why
//! versions/0007/          delta.safetensors, manifest.json
//! ```
//!
//! Invariant: a folder with a number is whole or not there, `current` is the old one or the new one,
//! and both are on the disk before anybody is told; whatever is missing or broken, something loads.
//! Knows nothing of how a version is made.
//!
//! Length: what is written and what is read of a folder must be seen together.

mod load;
pub mod manifest;
mod moves;
mod pointer;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use crate::config::{Folders, json_fault, make_private, replace, sync_folder};
use crate::model::delta::{Delta, FILE_NAME as DELTA};

pub use load::{LoadError, Loaded};
pub use manifest::Manifest;
use manifest::Outcome;
pub use moves::{By, Move};

/// Where versions are in the data folder.
const FOLDER: &str = "versions";
const MANIFEST: &str = "manifest.json";
/// How a folder begins that is not whole yet.
const UNFINISHED: &str = ".new-";
/// Weights of so many versions are kept, whichever serves.
const KEPT: usize = 5;

/// Why versions cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum VersionError {
    /// The system refuses.
    #[error("{path}: {cause}; make room or make the folder writable, and try again")]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// There is no such version.
    #[error("there is no version {number} of this model; `gliznet model history` shows all")]
    Unknown {
        /// Its number.
        number: u32,
    },
    /// A version that did not pass the gate, or whose weights are gone or broken.
    #[error("version {number} cannot serve ({fact}); choose another from `gliznet model history`")]
    Unfit {
        /// Its number.
        number: u32,
        /// Why.
        fact: String,
    },
    /// The shipped model serves.
    #[error("the shipped model serves, and there is nothing before it")]
    Nothing,
}

/// The versions of all models of this user.
#[derive(Clone, Debug)]
pub struct Versions {
    folder: PathBuf,
}

/// A version as it is found on the disk.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its number.
    pub number: u32,
    /// What is known of it, or why nothing is.
    pub manifest: Result<Manifest, String>,
    /// Whether its weights are there.
    pub has_weights: bool,
}

/// Why another version is to serve.
#[derive(Clone, Debug)]
pub struct Why {
    /// Now, in seconds since 1970.
    pub time: u64,
    /// Who wants it so.
    pub by: By,
    /// In a sentence; empty where nobody said.
    pub reason: String,
}

/// The highest number of a correction that any version in data folder `data` has heard of.
pub fn highest_heard(data: &Path) -> u64 {
    let folder = data.join(FOLDER);
    let manifests = Versions { folder }.list().into_iter();
    let heard = manifests.filter_map(|found| Some(found.manifest.ok()?.last));
    heard.max().unwrap_or(0)
}

impl Versions {
    /// The versions in this user's data folder.
    pub fn new(folders: &Folders) -> Versions {
        Versions {
            folder: folders.data.join(FOLDER),
        }
    }

    /// The folder that holds them.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether anything was ever learnt here.
    pub fn any(&self) -> bool {
        self.folder.exists()
    }

    /// When something was last added or moved here; none where nothing ever was.
    pub fn changed(&self) -> Option<SystemTime> {
        fs::metadata(&self.folder).ok()?.modified().ok()
    }

    /// All versions, by number.
    pub fn list(&self) -> Vec<Found> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut numbers: Vec<u32> = entries
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect();
        numbers.sort_unstable();
        let found = numbers.into_iter().map(|number| Found {
            number,
            manifest: self.manifest(number),
            has_weights: self.of(number).join(DELTA).is_file(),
        });
        found.collect()
    }

    /// The manifest of a version, or why it cannot be read.
    ///
    /// # Errors
    /// In words.
    pub fn manifest(&self, number: u32) -> Result<Manifest, String> {
        let path = self.of(number).join(MANIFEST);
        let bytes = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let read = serde_json::from_slice::<Manifest>(&bytes);
        read.map_err(|error| format!("{}: no manifest ({})", path.display(), json_fault(&error)))
    }

    /// Stores a version and gives it the next number. When this returns, it is on the disk.
    ///
    /// # Errors
    /// The system refuses; nothing with a number was left.
    pub fn add(&self, manifest: Manifest, delta: Option<&Delta>) -> Result<Manifest, VersionError> {
        let _lock = self.lock()?;
        self.add_held(manifest, delta)
    }

    /// Stores a version as `add` does, and lets it serve if it passed the gate; none if another
    /// version should serve by now than `pointed`.
    ///
    /// # Errors
    /// As of `add` and `point`.
    pub fn add_after(
        &self,
        pointed: u32,
        manifest: Manifest,
        delta: Option<&Delta>,
    ) -> Result<Option<Manifest>, VersionError> {
        let _lock = self.lock()?;
        if self.current(&manifest.base) != pointed {
            return Ok(None);
        }
        let manifest = self.add_held(manifest, delta)?;
        if manifest.outcome == Outcome::Accepted {
            self.point_held(&manifest.base, manifest.number)?;
        }
        Ok(Some(manifest))
    }

    fn add_held(
        &self,
        mut manifest: Manifest,
        delta: Option<&Delta>,
    ) -> Result<Manifest, VersionError> {
        self.sweep();
        let all = self.list();
        let pointed = self.current(&manifest.base);
        let last = all.last().map_or(0, |found| found.number).max(pointed);
        manifest.number = last.saturating_add(1);
        manifest.v = manifest::VERSION;
        manifest.sha256 = delta.map(|delta| hexadecimal(&Sha256::digest(delta.weights())));
        let calibration = delta.and_then(Delta::calibration);
        manifest.calibration = calibration.and_then(|c| serde_json::from_str(&c.to_json()).ok());
        let io = |path: &Path| {
            let path = path.to_owned();
            move |cause| VersionError::Io { path, cause }
        };
        let unfinished = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .tempdir_in(&self.folder)
            .map_err(io(&self.folder))?;
        if let Some(delta) = delta {
            let path = unfinished.path().join(DELTA);
            write(&path, delta.weights()).map_err(io(&path))?;
        }
        let path = unfinished.path().join(MANIFEST);
        let mut json = serde_json::to_vec_pretty(&manifest).unwrap_or_default(); // Values cannot fail.
        json.push(b'\n');
        write(&path, &json).map_err(io(&path))?;
        sync_folder(unfinished.path()).map_err(io(&self.folder))?;
        let place = self.of(manifest.number);
        fs::rename(unfinished.path(), &place).map_err(io(&place))?;
        let _ = unfinished.keep(); // It has another name now.
        sync_folder(&self.folder).map_err(io(&self.folder))?;
        Ok(manifest)
    }

    /// Puts a page beside a version, whole or not at all, for people to read; says where it is.
    ///
    /// # Errors
    /// The system refuses.
    pub fn keep_report(&self, number: u32, html: &str) -> Result<PathBuf, VersionError> {
        let path = self.of(number).join("report.html");
        match replace(&path, html.as_bytes()) {
            Ok(()) => Ok(path),
            Err(cause) => Err(VersionError::Io { path, cause }),
        }
    }

    /// Removes the weights of all versions of `base` but the last five and the one that serves.
    /// Their manifests stay.
    ///
    /// # Errors
    /// The system refuses.
    pub fn prune(&self, base: &str) -> Result<(), VersionError> {
        let _lock = self.lock()?;
        let current = self.current(base);
        let all = self.list();
        let of_base = |found: &&Found| {
            found.has_weights && found.manifest.as_ref().is_ok_and(|m| m.base == base)
        };
        let kept: Vec<u32> = all.iter().filter(of_base).map(|f| f.number).collect();
        let (old, _) = kept.split_at(kept.len().saturating_sub(KEPT));
        for number in old.iter().filter(|number| **number != current) {
            let path = self.of(*number).join(DELTA);
            fs::remove_file(&path).map_err(|cause| VersionError::Io { path, cause })?;
        }
        Ok(())
    }

    /// Goes back to version `to` of the shipped model `base`, or to the one before that which serves,
    /// and writes down why. Says which version serves now.
    ///
    /// # Errors
    /// There is no such version, it cannot serve, or the system refuses.
    pub fn rollback(&self, base: &str, to: Option<u32>, why: Why) -> Result<u32, VersionError> {
        // Where nothing was ever learnt, nothing is begun.
        let _lock = self.any().then(|| self.lock()).transpose()?;
        let (current, fault) = self.pointer(base);
        let to = match to {
            Some(to) => to,
            None if current == 0 => return Err(VersionError::Nothing),
            None => self.before(base, current),
        };
        if to > 0 {
            self.loadable(base, to)?;
            let unfit = |fact| VersionError::Unfit { number: to, fact };
            self.delta(base, to).map_err(unfit)?;
        }
        if to == current {
            if fault.is_some() {
                self.point_held(base, to)?;
            }
            return Ok(to);
        }
        self.note(Move {
            time: why.time,
            base: base.to_owned(),
            from: current,
            to,
            by: why.by,
            reason: why.reason,
        })?;
        self.point_held(base, to)?;
        Ok(to)
    }

    /// Writes a move down, unless it is what was written last: a process may have been ended
    /// between its record and the pointer. The lock is held.
    fn note(&self, made: Move) -> Result<(), VersionError> {
        let same = |known: &Move| (known.from, known.to, known.by) == (made.from, made.to, made.by);
        if made.by == By::Alarm && self.moves(&made.base).last().is_some_and(same) {
            return Ok(());
        }
        moves::append(&self.folder, &made).map_err(|cause| VersionError::Io {
            path: self.folder.join(moves::FILE_NAME),
            cause,
        })
    }

    /// When versions of the shipped model `base` were taken back or chosen, oldest first.
    pub fn moves(&self, base: &str) -> Vec<Move> {
        let mut moves = moves::read(&self.folder);
        moves.retain(|made| made.base == base);
        moves
    }

    /// The version that serves where `number` is taken back.
    pub fn parent(&self, base: &str, number: u32) -> u32 {
        self.before(base, number)
    }

    /// Lets the newest version serve if it passed the gate and the process that made it was ended
    /// before it could say so. Says which that is.
    ///
    /// # Errors
    /// The system refuses.
    pub fn complete(&self, base: &str) -> Result<Option<u32>, VersionError> {
        let all = self.list();
        let newest = all.iter().rev().find_map(|found| {
            let manifest = found.manifest.as_ref().ok()?;
            (manifest.base == base).then_some(manifest)
        });
        let Some(newest) = newest else {
            return Ok(None);
        };
        let is_left = newest.outcome == Outcome::Accepted
            && newest.parent == self.current(base)
            && self.loadable(base, newest.number).is_ok()
            // It served, and somebody went back from it.
            && self.moves(base).iter().all(|made| made.from != newest.number);
        if !is_left {
            return Ok(None);
        }
        self.point(base, newest.number)?;
        Ok(Some(newest.number))
    }

    /// Whether a version may serve on top of `base`.
    fn loadable(&self, base: &str, number: u32) -> Result<Manifest, VersionError> {
        if !self.of(number).is_dir() {
            return Err(VersionError::Unknown { number });
        }
        let none = |fact: String| VersionError::Unfit { number, fact };
        let manifest = self.manifest(number).map_err(none)?;
        if manifest.base != base {
            return Err(none(format!("it was learnt on top of {}", manifest.model)));
        }
        if manifest.outcome == Outcome::Refused {
            return Err(none("it did not pass the gate".to_owned()));
        }
        if !self.of(number).join(DELTA).is_file() {
            return Err(none("only the last five are kept".to_owned()));
        }
        Ok(manifest)
    }

    /// The version to serve where `number` cannot: its parent, or the next older one that can.
    fn before(&self, base: &str, number: u32) -> u32 {
        self.before_that(number, |older| self.delta(base, older).is_ok())
    }

    /// The parent of version `number`, or the next older one, that is as it should be.
    fn before_that(&self, number: u32, is_right: impl Fn(u32) -> bool) -> u32 {
        let parent = self.manifest(number).ok().map(|manifest| manifest.parent);
        match parent.filter(|parent| *parent == 0 || is_right(*parent)) {
            Some(parent) => parent,
            // A pointer that is damaged may name any number; few are there.
            None => {
                let all = self.list().into_iter().rev().map(|found| found.number);
                let mut older = all.filter(|older| *older < number);
                older.find(|n| is_right(*n)).unwrap_or(0)
            }
        }
    }

    /// Holds off other processes that change versions, until it is dropped.
    fn lock(&self) -> Result<File, VersionError> {
        let path = self.folder.join("lock");
        let open = || {
            make_private(&self.folder)?;
            let file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)?;
            file.lock()?;
            Ok(file)
        };
        open().map_err(|cause| VersionError::Io {
            path: path.clone(),
            cause,
        })
    }

    /// Removes what a process left that was killed while it wrote. The lock is held.
    fn sweep(&self) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let is_unfinished = entry
                .file_name()
                .to_str()
                .is_some_and(|name| name.starts_with(UNFINISHED));
            if is_unfinished {
                let _ = fs::remove_dir_all(entry.path()); // It will be tried again.
            }
        }
    }

    fn of(&self, number: u32) -> PathBuf {
        self.folder.join(format!("{number:04}"))
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::delta::Parts;

    fn versions() -> (tempfile::TempDir, Versions) {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("versions");
        (dir, Versions { folder })
    }

    fn back(versions: &Versions, to: Option<u32>) -> Result<u32, VersionError> {
        let why = Why {
            time: 7,
            by: By::Person,
            reason: String::new(),
        };
        versions.rollback("aaaa", to, why)
    }

    fn accepted(versions: &Versions, base: &str) -> u32 {
        let manifest = Manifest {
            base: base.to_owned(),
            parent: versions.current(base),
            outcome: Outcome::Accepted,
            ..Manifest::default()
        };
        let number = versions.add(manifest, Some(&delta())).unwrap().number;
        versions.point(base, number).unwrap();
        versions.prune(base).unwrap();
        number
    }

    fn delta() -> Delta {
        Delta::of(&Parts::default(), None).unwrap()
    }

    #[test]
    fn each_shipped_model_has_its_own_current_version() {
        let (_dir, versions) = versions();
        assert_eq!(versions.current("aaaa"), 0);
        accepted(&versions, "aaaa");
        accepted(&versions, "bbbb");
        accepted(&versions, "aaaa");
        assert_eq!((versions.current("aaaa"), versions.current("bbbb")), (3, 2));
    }

    #[test]
    fn the_last_five_keep_their_weights_and_all_keep_their_manifests() {
        let (_dir, versions) = versions();
        for _ in 0..7 {
            accepted(&versions, "aaaa");
        }
        let kept = |versions: &Versions| -> Vec<u32> {
            let all = versions.list();
            assert!(all.iter().all(|found| found.manifest.is_ok()));
            all.iter()
                .filter(|f| f.has_weights)
                .map(|f| f.number)
                .collect()
        };
        assert_eq!(kept(&versions), [3, 4, 5, 6, 7]);
        back(&versions, Some(3)).unwrap();
        let manifest = Manifest {
            base: "aaaa".to_owned(),
            outcome: Outcome::Accepted,
            ..Manifest::default()
        };
        versions.add(manifest, Some(&delta())).unwrap();
        versions.prune("aaaa").unwrap();
        assert_eq!(
            kept(&versions),
            [3, 4, 5, 6, 7, 8],
            "the one that serves stays"
        );
    }

    #[test]
    fn going_back_goes_to_the_parent_or_where_it_is_told() {
        let (_dir, versions) = versions();
        for _ in 0..3 {
            accepted(&versions, "aaaa");
        }
        assert_eq!(back(&versions, None).unwrap(), 2);
        assert_eq!(back(&versions, Some(3)).unwrap(), 3);
        assert_eq!(back(&versions, Some(0)).unwrap(), 0);
        let message = |to| back(&versions, to).unwrap_err().to_string();
        assert!(message(None).contains("nothing before it"));
        assert!(message(Some(9)).starts_with("there is no version 9"));
        let refused = versions.add(Manifest::default(), None).unwrap().number;
        assert!(message(Some(refused)).contains("learnt on top of"));
        std::fs::write(versions.of(2).join(DELTA), b"torn").unwrap();
        let torn = message(Some(2));
        assert!(torn.starts_with("version 2 cannot serve"), "{torn}");
        assert!(torn.contains("not what was written there"), "{torn}");
        back(&versions, Some(3)).unwrap();
        assert_eq!(back(&versions, None).unwrap(), 1, "2 is torn");
        std::fs::remove_dir_all(versions.of(2)).unwrap();
        back(&versions, Some(3)).unwrap();
        assert_eq!(back(&versions, None).unwrap(), 1, "2 is gone");
    }

    #[test]
    fn a_version_whose_maker_was_ended_serves_and_one_that_was_taken_back_does_not() {
        let (_dir, versions) = versions();
        accepted(&versions, "aaaa");
        assert_eq!(versions.complete("aaaa").unwrap(), None);
        let manifest = |parent| Manifest {
            base: "aaaa".to_owned(),
            parent,
            outcome: Outcome::Accepted,
            ..Manifest::default()
        };
        versions.add(manifest(1), Some(&delta())).unwrap();
        assert_eq!(versions.complete("aaaa").unwrap(), Some(2));
        assert_eq!(versions.current("aaaa"), 2);
        assert_eq!(back(&versions, None).unwrap(), 1);
        let made = &versions.moves("aaaa")[0];
        assert_eq!((made.from, made.to, made.by), (2, 1, By::Person));
        assert_eq!(versions.complete("aaaa").unwrap(), None);
        versions.add(manifest(9), Some(&delta())).unwrap();
        assert_eq!(versions.complete("aaaa").unwrap(), None, "another's child");
    }

    #[test]
    fn a_report_takes_the_place_of_another_and_is_not_written_into_it() {
        let (dir, versions) = versions();
        let number = accepted(&versions, "aaaa");
        let path = versions.keep_report(number, "old").unwrap();
        let other = dir.path().join("other");
        std::fs::hard_link(&path, &other).unwrap();
        assert_eq!(versions.keep_report(number, "new").unwrap(), path);
        let read = |path| std::fs::read_to_string(path).unwrap();
        assert_eq!((read(&path), read(&other)), ("new".into(), "old".into()));
    }

    #[test]
    fn a_number_is_never_given_twice_and_what_was_cut_off_is_swept() {
        let (_dir, versions) = versions();
        accepted(&versions, "aaaa");
        accepted(&versions, "aaaa");
        std::fs::remove_dir_all(versions.of(2)).unwrap();
        let torn = versions.folder.join(".new-torn");
        std::fs::create_dir(&torn).unwrap();
        assert_eq!(accepted(&versions, "aaaa"), 3);
        assert!(!torn.exists());
        let read = versions.manifest(3).unwrap();
        assert_eq!((read.number, read.parent, read.v), (3, 2, 1));
        let digest = hexadecimal(&Sha256::digest(delta().weights()));
        assert_eq!(read.sha256, Some(digest));
    }
}
