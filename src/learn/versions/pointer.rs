//! Which version serves: the file `current` in, a version of each shipped model out, and back.
//!
//! Invariant: a model without a line has learnt nothing, but a file that is damaged is no reason to
//! drop what was learnt: which version served then follows from the versions and the moves.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use super::manifest::Outcome;
use super::{VersionError, Versions};
use crate::config::replace;

/// The file's name in the folder of versions.
pub(super) const FILE_NAME: &str = "current";
/// More versions nobody makes: a number beyond was not written by us.
const MOST: u32 = 1 << 24;

/// What the file says.
#[derive(Default)]
struct Pointers {
    of_base: BTreeMap<String, u32>,
    /// Why that is not all of it.
    fault: Option<String>,
    /// What is to be done before another file can take its place.
    cure: &'static str,
}

impl Versions {
    /// The version that serves on top of the shipped model `base`; 0 is that model itself.
    pub fn current(&self, base: &str) -> u32 {
        self.pointer(base).0
    }

    /// The version that serves on top of the shipped model `base`, and what is to be said of it.
    pub(super) fn pointer(&self, base: &str) -> (u32, Option<String>) {
        let pointers = self.pointers(base);
        if let Some(number) = pointers.of_base.get(base) {
            return (*number, None);
        }
        let Some(fault) = pointers.fault else {
            return (0, None);
        };
        let Some(number) = self.last_served(base) else {
            return (0, None);
        };
        let path = self.folder.join(FILE_NAME);
        let serves = match number {
            0 => "the shipped model".to_owned(),
            number => format!("version {number}"),
        };
        let note = format!(
            "{}: which version of the model serves cannot be read ({fault}); {serves} did last and serves on; {}`gliznet model rollback {number}` writes that down again",
            path.display(),
            pointers.cure
        );
        (number, Some(note))
    }

    /// Lets version `number` serve on top of the shipped model `base`.
    ///
    /// # Errors
    /// The system refuses; the old pointer stays.
    pub fn point(&self, base: &str, number: u32) -> Result<(), VersionError> {
        let _lock = self.lock()?;
        self.point_held(base, number)
    }

    /// The same, with the lock held.
    pub(super) fn point_held(&self, base: &str, number: u32) -> Result<(), VersionError> {
        let mut pointers = self.pointers(base);
        if pointers.fault.is_some() {
            // A file that is whole again tells nobody that other models have learnt, too.
            for other in self.bases() {
                if let Some(number) = self.last_served(&other) {
                    pointers.of_base.entry(other).or_insert(number);
                }
            }
        }
        pointers.of_base.insert(base.to_owned(), number);
        let lines = pointers.of_base.iter();
        let content: String = lines
            .map(|(base, number)| format!("{base} {number}\n"))
            .collect();
        let path = self.folder.join(FILE_NAME);
        replace(&path, content.as_bytes()).map_err(|cause| VersionError::Io { path, cause })
    }

    /// What the file says, to whom `base` matters.
    fn pointers(&self, base: &str) -> Pointers {
        let mut pointers = read(&self.folder.join(FILE_NAME));
        if pointers.fault.is_none() && !pointers.of_base.contains_key(base) {
            // A line of a model that has no versions may have been that of this one.
            let known = self.bases();
            let lines = pointers.of_base.len();
            pointers.of_base.retain(|base, _| known.contains(base));
            if pointers.of_base.len() < lines {
                pointers.fault = Some("a line of it names a model without versions".to_owned());
            }
        }
        pointers
    }

    /// The shipped models that have versions.
    fn bases(&self) -> BTreeSet<String> {
        let manifests = self.list().into_iter();
        let manifests = manifests.filter_map(|found| found.manifest.ok());
        manifests.map(|manifest| manifest.base).collect()
    }

    /// The version that served last on top of `base`: where somebody has moved the pointer since
    /// the newest version came, where to; else that version. None where none ever passed the gate.
    fn last_served(&self, base: &str) -> Option<u32> {
        let all = self.list();
        let newest = all.iter().rev().find_map(|found| {
            let manifest = found.manifest.as_ref().ok()?;
            let is_one = manifest.base == base && manifest.outcome == Outcome::Accepted;
            is_one.then_some(found.number)
        })?;
        let moves = self.moves(base);
        let has_left = moves.iter().any(|made| made.from == newest);
        let last = moves.last().filter(|_| has_left);
        Some(last.map_or(newest, |made| made.to))
    }
}

/// What a file says. Only a file is read: from a pipe nothing might ever come.
fn read(path: &Path) -> Pointers {
    let faulty = |fault: &str, cure| Pointers {
        fault: Some(fault.to_owned()),
        cure,
        ..Pointers::default()
    };
    let bytes = match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => return faulty("it is a folder", "remove it, then "),
        Ok(metadata) if !metadata.is_file() => return faulty("it is no file", "remove it, then "),
        Ok(_) => fs::read(path),
        Err(error) => Err(error),
    };
    match bytes {
        Ok(bytes) => parse(&bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::symlink_metadata(path) {
            Ok(_) => faulty("it is a link that leads nowhere", "remove it, then "),
            Err(_) => Pointers::default(),
        },
        Err(error) => faulty(&error.to_string(), ""),
    }
}

fn parse(bytes: &[u8]) -> Pointers {
    let mut pointers = Pointers::default();
    for line in bytes.split(|byte| *byte == b'\n') {
        let words = std::str::from_utf8(line).unwrap_or("?").split_whitespace();
        match words.collect::<Vec<_>>()[..] {
            [] => continue,
            [base, number] if number.parse().is_ok_and(|number: u32| number <= MOST) => {
                let number = number.parse().unwrap_or_default();
                pointers.of_base.insert(base.to_owned(), number);
            }
            _ => pointers.fault = Some("a line of it is none of ours".to_owned()),
        }
    }
    if pointers.of_base.is_empty() && pointers.fault.is_none() {
        pointers.fault = Some("it is empty".to_owned());
    }
    pointers
}

#[cfg(test)]
mod tests {
    use super::super::{By, Manifest, Why};
    use super::*;
    use crate::model::delta::{Delta, Parts};

    fn accepted(versions: &Versions, base: &str) {
        let manifest = Manifest {
            base: base.to_owned(),
            parent: versions.current(base),
            outcome: Outcome::Accepted,
            ..Manifest::default()
        };
        let delta = Delta::of(&Parts::default(), None).unwrap();
        let number = versions.add(manifest, Some(&delta)).unwrap().number;
        versions.point(base, number).unwrap();
    }

    #[test]
    fn a_damaged_pointer_drops_nothing_that_was_learnt_and_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let versions = Versions {
            folder: dir.path().join("versions"),
        };
        accepted(&versions, "aaaa");
        accepted(&versions, "bbbb");
        accepted(&versions, "aaaa");
        assert_eq!(versions.pointer("aaaa"), (3, None));
        let back = |to| {
            let why = Why {
                time: 7,
                by: By::Person,
                reason: String::new(),
            };
            versions.rollback("aaaa", Some(to), why).unwrap();
        };
        let path = versions.folder.join(FILE_NAME);
        let damages: [&[u8]; 6] = [
            b"",
            b"\n",
            b"\xff\xfe\x00",
            b"aaaa x\n",
            b"aaa 3\n",
            b"aaaa 4294967295\n",
        ];
        for served in [3, 1, 0, 3] {
            back(served);
            for damage in damages {
                fs::write(&path, damage).unwrap();
                let (number, note) = versions.pointer("aaaa");
                assert_eq!(number, served, "{damage:?}");
                assert!(note.unwrap().contains("cannot be read"));
                assert_eq!(versions.current("bbbb"), 2);
                assert_eq!(versions.pointer("cccc"), (0, None), "it has learnt nothing");
                back(served);
                assert_eq!(versions.pointer("aaaa"), (served, None));
                assert_eq!(versions.pointer("bbbb"), (2, None));
            }
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(versions.pointer("aaaa"), (0, None));
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_said_with_a_cure_that_works() {
        let dir = tempfile::tempdir().unwrap();
        let versions = Versions {
            folder: dir.path().join("versions"),
        };
        accepted(&versions, "aaaa");
        let path = versions.folder.join(FILE_NAME);
        let is_said = || {
            let (number, note) = versions.pointer("aaaa");
            let note = note.unwrap();
            assert_eq!(number, 1, "{note}");
            assert!(
                note.contains("remove it, then `gliznet model rollback 1`"),
                "{note}"
            );
        };
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        is_said();
        fs::remove_dir(&path).unwrap();
        std::os::unix::fs::symlink(dir.path().join("nowhere"), &path).unwrap();
        is_said();
        fs::remove_file(&path).unwrap();
        // A socket stands for all that nothing might ever come from.
        let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
        is_said();
    }

    #[test]
    fn what_was_learnt_serves_only_where_nobody_has_chosen_another_version_meanwhile() {
        let dir = tempfile::tempdir().unwrap();
        let versions = Versions {
            folder: dir.path().join("versions"),
        };
        accepted(&versions, "aaaa");
        let delta = Delta::of(&Parts::default(), None).unwrap();
        let after = |pointed, outcome| {
            let manifest = Manifest {
                base: "aaaa".to_owned(),
                outcome,
                ..Manifest::default()
            };
            let added = versions.add_after(pointed, manifest, Some(&delta)).unwrap();
            added.map(|manifest| manifest.number)
        };
        assert_eq!(after(1, Outcome::Refused), Some(2));
        assert_eq!(versions.current("aaaa"), 1);
        assert_eq!(after(1, Outcome::Accepted), Some(3));
        assert_eq!(versions.current("aaaa"), 3);
        assert_eq!(after(1, Outcome::Accepted), None);
        assert_eq!(versions.list().len(), 3);
    }

    #[test]
    fn a_version_that_is_pointed_to_and_not_there_is_passed_over_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let versions = Versions {
            folder: dir.path().join("versions"),
        };
        accepted(&versions, "aaaa");
        fs::write(versions.folder.join(FILE_NAME), format!("aaaa {MOST}\n")).unwrap();
        assert_eq!(versions.current("aaaa"), MOST);
        let mut asked = Vec::new();
        let asked_for = std::cell::RefCell::new(&mut asked);
        let before = versions.before_that(MOST, |n| {
            asked_for.borrow_mut().push(n);
            n == 1
        });
        assert_eq!((before, asked), (1, vec![1]));
    }
}
