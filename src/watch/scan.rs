//! A look at all of a folder, and what it means for what is known.
//!
//! Input: a folder and the index. Output: which notes are new or look other than they did, which
//! are gone, and which of both are one note with another name. Opens no file.
//! Invariant: what may not be looked at is as it was; a folder that cannot be found, or has become
//! empty all at once, loses no note: it is a disk that is away.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::index::{Index, below};
use super::mount::is_placeholder;
use super::note::Stamp;
use super::notifier::{Deaf, Notifier};
use super::roots::Folder;
use crate::desk::ignored::{Entry, Ignored};
use crate::sink::moved_path;

/// What is looked at, and how.
pub(super) struct Look {
    pub(super) folder: Arc<Folder>,
    /// The folder itself, or one in it.
    pub(super) from: PathBuf,
    pub(super) ignored: Arc<Ignored>,
    pub(super) index: Arc<Index>,
    /// Whether files may be elsewhere until they are opened.
    pub(super) is_deaf: bool,
    /// Told of every folder before it is looked into, so that no change falls between.
    pub(super) notifier: Arc<Notifier>,
    /// Whether the system is to tell of them at all.
    pub(super) tells: bool,
    pub(super) cancelled: Arc<AtomicBool>,
}

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) from: PathBuf,
    /// Notes that are new or look other than they did.
    pub(super) changed: Vec<(PathBuf, Stamp)>,
    /// Notes that are not there any more.
    pub(super) gone: Vec<PathBuf>,
    /// How many notes there are.
    pub(super) notes: usize,
    /// Folders that may not be looked into, and why.
    pub(super) closed: Vec<String>,
    /// Files that are elsewhere until they are opened.
    pub(super) elsewhere: usize,
    /// Why the system does not tell of some folders.
    pub(super) deaf: Option<Deaf>,
    /// The folder is away; nothing else is said then.
    pub(super) is_away: Option<&'static str>,
    pub(super) is_cancelled: bool,
}

impl Look {
    /// Looks. Blocks.
    pub(super) fn look(&self) -> Seen {
        let mut seen = Seen {
            from: self.from.clone(),
            ..Seen::default()
        };
        if !self.from.is_dir() {
            seen.is_away = Some("it is not there");
            return seen;
        }
        let mut there: HashSet<PathBuf> = HashSet::new();
        let mut closed: Vec<PathBuf> = Vec::new();
        let mut n_entries = 0;
        self.ignored.walk(&self.from, &mut |entry| {
            if self.cancelled.load(Ordering::Relaxed) {
                seen.is_cancelled = true;
                return ControlFlow::Break(());
            }
            n_entries += 1;
            match entry {
                Entry::Folder(path) => {
                    if self.tells && seen.deaf.is_none() {
                        seen.deaf = self.notifier.watch(path).err();
                    }
                }
                Entry::Closed(path, error) => {
                    closed.push(path.to_path_buf());
                    seen.closed.push(format!(
                        "{}: cannot be looked into ({error}); change its permissions",
                        path.display()
                    ));
                }
                Entry::File(path, metadata) if self.folder.is_note(path) => {
                    if is_placeholder(metadata, self.is_deaf) {
                        seen.elsewhere += 1;
                        closed.push(path.to_path_buf()); // What is known of it holds.
                        return ControlFlow::Continue(());
                    }
                    let stamp = Stamp::of(metadata);
                    let known = self.index.notes().get(path).map(|note| note.stamp);
                    if known != Some(stamp) {
                        seen.changed.push((path.to_path_buf(), stamp));
                    }
                    there.insert(path.to_path_buf());
                }
                Entry::File(..) => {}
            }
            ControlFlow::Continue(())
        });
        seen.notes = there.len();
        if seen.is_cancelled {
            return seen;
        }
        let notes = self.index.notes();
        let is_root = self.from == self.folder.path;
        if is_root && n_entries <= 1 && below(&notes, &self.from).next().is_some() {
            seen.is_away = Some("it is empty all at once, as if its disk were away");
            return seen;
        }
        let is_closed = |path: &PathBuf| closed.iter().any(|closed| path.starts_with(closed));
        seen.gone = below(&notes, &self.from)
            .map(|(path, _)| path)
            .filter(|path| !there.contains(*path) && !is_closed(path))
            .cloned()
            .collect();
        seen
    }
}

/// Which notes that are gone are others that have come: `gone` and `come` with what they look
/// like, and the renames that the system told of, the earlier first.
pub(super) fn renamed(
    gone: &[(PathBuf, Stamp)],
    come: &[(PathBuf, Stamp)],
    told: &[(PathBuf, PathBuf)],
) -> Vec<(PathBuf, PathBuf)> {
    let there: HashSet<&Path> = come.iter().map(|(path, _)| path.as_path()).collect();
    let mut by_look: HashMap<Stamp, Vec<&Path>> = HashMap::new();
    for (path, stamp) in come.iter().filter(|(_, stamp)| stamp.inode != 0) {
        by_look.entry(*stamp).or_default().push(path);
    }
    let mut taken: HashSet<PathBuf> = HashSet::new();
    let mut found = Vec::new();
    for (path, stamp) in gone {
        let by_name = followed(path, told).filter(|to| there.contains(to.as_path()));
        let to = by_name.or_else(|| match by_look.get(stamp).map(Vec::as_slice) {
            // A file of the same number, time and size; of two nobody knows which.
            Some([only]) => Some(only.to_path_buf()),
            _ => None,
        });
        if let Some(to) = to.filter(|to| taken.insert(to.clone())) {
            found.push((path.clone(), to));
        }
    }
    found
}

/// Where a path leads after all renames, of it and of folders that it is in.
fn followed(path: &Path, told: &[(PathBuf, PathBuf)]) -> Option<PathBuf> {
    let mut now = path.to_path_buf();
    for (from, to) in told {
        if now.starts_with(from) {
            now = moved_path(&now, from, to);
        }
    }
    (now != path).then_some(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamped(path: &str, inode: u64) -> (PathBuf, Stamp) {
        let stamp = Stamp {
            size: 9,
            modified: 1,
            inode,
        };
        (path.into(), stamp)
    }

    fn pair(from: &str, to: &str) -> (PathBuf, PathBuf) {
        (from.into(), to.into())
    }

    #[test]
    fn a_rename_is_followed_by_what_was_told_even_when_the_note_was_changed() {
        let gone = [stamped("/n/a.md", 1), stamped("/n/d/b.md", 2)];
        let come = [stamped("/n/c.md", 7), stamped("/n/e/b.md", 8)];
        let told = [
            pair("/n/a.md", "/n/x.md"),
            pair("/n/x.md", "/n/c.md"),
            pair("/n/d", "/n/e"),
        ];
        let expected = [pair("/n/a.md", "/n/c.md"), pair("/n/d/b.md", "/n/e/b.md")];
        assert_eq!(renamed(&gone, &come, &told), expected);
    }

    #[test]
    fn a_rename_that_nobody_told_of_is_known_by_the_file() {
        let gone = [stamped("/n/a.md", 1), stamped("/n/b.md", 2)];
        let come = [stamped("/n/new.md", 3), stamped("/n/c.md", 1)];
        assert_eq!(renamed(&gone, &come, &[]), [pair("/n/a.md", "/n/c.md")]);
    }

    #[test]
    fn of_two_that_look_alike_nobody_knows_which() {
        let gone = [stamped("/n/a.md", 1)];
        let come = [stamped("/n/b.md", 1), stamped("/n/c.md", 1)];
        assert_eq!(renamed(&gone, &come, &[]), []);
        // Nor where the system numbers no files.
        assert_eq!(
            renamed(&[stamped("/n/a.md", 0)], &[stamped("/n/b.md", 0)], &[]),
            []
        );
    }

    #[test]
    fn one_note_does_not_become_two() {
        let gone = [stamped("/n/a.md", 1), stamped("/n/b.md", 2)];
        let come = [stamped("/n/c.md", 1)];
        let told = [pair("/n/b.md", "/n/c.md")];
        assert_eq!(renamed(&gone, &come, &told).len(), 1);
    }

    #[test]
    fn a_save_by_rename_leads_nowhere() {
        let come = [stamped("/n/a.md", 5)];
        assert_eq!(renamed(&[], &come, &[pair("/n/.a.tmp", "/n/a.md")]), []);
    }
}
