//! Which files of a folder somebody wrote: a path in, a verdict out; or all that are there.
//!
//! `.gliznetignore`, `.ignore` and `.gitignore` count as git reads them, the nearest first; what
//! editors, sync tools and version control keep for themselves is left out without being told.
//! Invariant: a walk and a question about one path agree, for both ask `is_ignored_here`; a folder
//! that is left out is never entered; links are not followed. Blocks. Knows nothing of tags.

use std::collections::HashMap;
use std::fs::Metadata;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::config::read_small;

/// The files with rules, from the most to the least particular.
pub const RULE_FILES: [&str; 3] = [".gliznetignore", ".ignore", ".gitignore"];

/// Folders that hold what nobody wrote there. Hidden ones (`.git`, `.obsidian`, `.trash`,
/// `.stversions`, `.venv`) are left out as such.
const FOREIGN_FOLDERS: [&str; 10] = [
    "node_modules",
    "target",
    "venv",
    "__pycache__",
    "$RECYCLE.BIN",
    "System Volume Information",
    "lost+found",
    "@eaDir",
    "#recycle",
    "#snapshot",
];
/// Ends of names that editors, downloads and sync tools give to files that are not finished.
const FOREIGN_ENDS: [&str; 10] = [
    "~",
    ".tmp",
    ".swp",
    ".swx",
    ".bak",
    ".part",
    ".partial",
    ".crdownload",
    ".filepart",
    ".icloud",
];
/// What sync tools write into the names of files that two machines have changed.
const CONFLICTS: [&str; 4] = [
    ".sync-conflict-",
    "conflicted copy",
    "(conflict ",
    "_conflict-",
];

/// The rules below one root. Cheap to ask: each folder's files are read once, until `forget`.
#[derive(Debug)]
pub struct Ignored {
    root: PathBuf,
    /// Rules of the folders above the root, the nearest first.
    above: Vec<Arc<Rules>>,
    folders: Mutex<HashMap<PathBuf, Arc<Rules>>>,
}

/// The rules of one folder, by file, in the order of `RULE_FILES`.
#[derive(Debug, Default)]
struct Rules([Option<Gitignore>; 3]);

/// What a walk meets.
#[derive(Debug)]
pub enum Entry<'a> {
    /// A folder, before what is in it.
    Folder(&'a Path),
    /// A file.
    File(&'a Path, &'a Metadata),
    /// A folder whose content is not known: it may not be read, or went away.
    Closed(&'a Path, &'a io::Error),
}

impl Ignored {
    /// The rules of `root`. Reads the rules of the repository that it is in.
    pub fn new(root: &Path) -> Ignored {
        let mut above = Vec::new();
        let mut is_repository = root.join(".git").exists();
        for folder in root.ancestors().skip(1) {
            if is_repository {
                break;
            }
            above.push(Arc::new(Rules::read(folder)));
            is_repository = folder.join(".git").exists();
        }
        if !is_repository {
            above.clear(); // Nobody said that a rule far above means these files.
        }
        Ignored {
            root: root.to_path_buf(),
            above,
            folders: Mutex::default(),
        }
    }

    /// Reads all rules again when they are asked for.
    pub fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, Arc<Rules>>> {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether `path` is left out, or a folder that it is in. What is not below the root is.
    pub fn is_ignored(&self, path: &Path, is_folder: bool) -> bool {
        let Ok(below) = path.strip_prefix(&self.root) else {
            return true;
        };
        let mut at = self.root.clone();
        let mut parts = below.components().peekable();
        while let Some(part) = parts.next() {
            at.push(part);
            let is_last = parts.peek().is_none();
            if self.is_ignored_here(&at, is_folder || !is_last) {
                return true;
            }
        }
        false
    }

    /// Whether `path` itself is left out, in a folder that is not.
    fn is_ignored_here(&self, path: &Path, is_folder: bool) -> bool {
        let folders: Vec<Arc<Rules>> = path
            .ancestors()
            .skip(1)
            .take_while(|folder| folder.starts_with(&self.root))
            .map(|folder| self.rules(folder))
            .chain(self.above.iter().map(Arc::clone))
            .collect();
        let says = |file: usize| {
            let rules = folders.iter().filter_map(|rules| rules.0[file].as_ref());
            let mut said = rules.map(|rules| rules.matched(path, is_folder));
            said.find(|said| !said.is_none())
        };
        // Our own file may also let in what is left out by itself.
        match says(0) {
            Some(Match::Ignore(_)) => return true,
            Some(Match::Whitelist(_)) => return false,
            _ => {}
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if is_foreign(&name, is_folder) {
            return true;
        }
        let others = [says(1), says(2)];
        matches!(others.into_iter().flatten().next(), Some(Match::Ignore(_)))
    }

    fn rules(&self, folder: &Path) -> Arc<Rules> {
        if let Some(known) = self.lock().get(folder) {
            return Arc::clone(known);
        }
        let read = Arc::new(Rules::read(folder));
        self.lock().insert(folder.to_path_buf(), Arc::clone(&read));
        read
    }

    /// Shows everything below `from` (the root or a folder in it) that is not left out, folders
    /// first, in the order of names.
    pub fn walk(&self, from: &Path, visit: &mut dyn FnMut(Entry<'_>) -> ControlFlow<()>) {
        let mut open = vec![from.to_path_buf()];
        while let Some(folder) = open.pop() {
            if visit(Entry::Folder(&folder)).is_break() {
                return;
            }
            let mut names = match names(&folder) {
                Ok(names) => names,
                Err(error) => {
                    if visit(Entry::Closed(&folder, &error)).is_break() {
                        return;
                    }
                    continue;
                }
            };
            names.sort();
            let mut below = Vec::new();
            for path in names {
                let Ok(metadata) = std::fs::symlink_metadata(&path) else {
                    continue; // It went away meanwhile.
                };
                let kind = metadata.file_type();
                if !kind.is_dir() && !kind.is_file() || self.is_ignored_here(&path, kind.is_dir()) {
                    continue;
                }
                if kind.is_dir() {
                    below.push(path);
                } else if visit(Entry::File(&path, &metadata)).is_break() {
                    return;
                }
            }
            open.extend(below.into_iter().rev());
        }
    }
}

impl Rules {
    fn read(folder: &Path) -> Rules {
        Rules(RULE_FILES.map(|name| {
            let file = folder.join(name);
            if !file.is_file() {
                return None;
            }
            let fault = |fault: &io::Error| unread(&file, fault);
            read_rules(folder, &file).inspect_err(fault).ok()
        }))
    }
}

/// The rules of a file; a line that is none is said, and the others count.
fn read_rules(folder: &Path, file: &Path) -> io::Result<Gitignore> {
    let text = String::from_utf8_lossy(&read_small(file)?).into_owned();
    let mut rules = GitignoreBuilder::new(folder);
    for line in text.trim_start_matches('\u{feff}').lines() {
        if let Err(fault) = rules.add_line(Some(file.to_path_buf()), line) {
            unread(file, &fault);
        }
    }
    rules.build().map_err(io::Error::other)
}

fn unread(file: &Path, fault: &dyn std::fmt::Display) {
    tracing::warn!(file = %file.display(), %fault, "a rule of what to leave out cannot be read");
}

fn names(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)?;
    entries.map(|entry| Ok(entry?.path())).collect()
}

/// Whether nobody wrote what has this name.
fn is_foreign(name: &str, is_folder: bool) -> bool {
    if name.starts_with('.') {
        return true;
    }
    if is_folder {
        return FOREIGN_FOLDERS.contains(&name);
    }
    let lower = name.to_lowercase();
    FOREIGN_ENDS.iter().any(|end| lower.ends_with(end))
        || CONFLICTS.iter().any(|mark| lower.contains(mark))
        || lower.starts_with("~$")
        || lower.starts_with("~syncthing~")
        || (lower.starts_with('#') && lower.ends_with('#'))
        || name == "4913" // Vim asks with it whether the folder can be written.
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::Builder::new().prefix("notes").tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        dir
    }

    /// What a walk shows; and a question about each file of the folder says the same.
    fn walked(dir: &Path, ignored: &Ignored) -> Vec<String> {
        let mut found = Vec::new();
        ignored.walk(dir, &mut |entry| {
            if let Entry::File(path, _) = entry {
                found.push(path.to_path_buf());
            }
            ControlFlow::Continue(())
        });
        let mut all = vec![dir.to_path_buf()];
        while let Some(folder) = all.pop() {
            for path in names(&folder).unwrap() {
                let metadata = std::fs::symlink_metadata(&path).unwrap();
                if metadata.is_dir() {
                    all.push(path);
                } else if metadata.is_file() {
                    assert_eq!(
                        !ignored.is_ignored(&path, false),
                        found.contains(&path),
                        "{path:?}"
                    );
                }
            }
        }
        let shown = found.iter().map(|path| path.strip_prefix(dir).unwrap());
        shown.map(|path| path.display().to_string()).collect()
    }

    #[test]
    fn only_what_somebody_wrote_is_shown() {
        let dir = folder(&[
            ("a.md", ""),
            ("b/c.md", ""),
            (".git/config", ""),
            (".obsidian/x.md", ""),
            (".trash/x.md", ""),
            (".stversions/x.md", ""),
            ("node_modules/x/y.md", ""),
            ("target/x.md", ""),
            ("x.sync-conflict-20260101.md", ""),
            ("x (Ann's conflicted copy 2026-01-01).md", ""),
            ("a.md~", ""),
            (".#a.md", ""),
            ("#a.md#", ""),
            (".a.md.swp", ""),
            ("4913", ""),
            ("a.md.tmp", ""),
            ("~$a.md", ""),
            (".b.md.icloud", ""),
        ]);
        let ignored = Ignored::new(dir.path());
        assert_eq!(walked(dir.path(), &ignored), ["a.md", "b/c.md"]);
    }

    #[test]
    fn rules_are_read_as_git_reads_them_and_ours_go_first() {
        let dir = folder(&[
            (".gitignore", "drafts/\n*.log.md\n!keep.log.md\n"),
            ("drafts/a.md", ""),
            ("x.log.md", ""),
            ("keep.log.md", ""),
            ("sub/.ignore", "only-here.md\n"),
            ("sub/only-here.md", ""),
            ("only-here.md", ""),
            (".gliznetignore", "private/\n!.notes/\n!x.log.md\n"),
            ("private/a.md", ""),
            (".notes/a.md", ""),
        ]);
        let ignored = Ignored::new(dir.path());
        let expected = ["keep.log.md", "only-here.md", "x.log.md", ".notes/a.md"];
        assert_eq!(walked(dir.path(), &ignored), expected);
        std::fs::write(dir.path().join(".gliznetignore"), "").unwrap();
        ignored.forget();
        let expected = ["keep.log.md", "only-here.md", "private/a.md"];
        assert_eq!(walked(dir.path(), &ignored), expected);
    }

    #[test]
    fn the_rules_of_the_repository_above_count() {
        let dir = folder(&[
            (".git/HEAD", ""),
            (".gitignore", "/notes/old/\n"),
            ("notes/old/a.md", ""),
            ("notes/b.md", ""),
        ]);
        let notes = dir.path().join("notes");
        assert_eq!(walked(&notes, &Ignored::new(&notes)), ["b.md"]);
        std::fs::remove_dir_all(dir.path().join(".git")).unwrap();
        assert_eq!(walked(&notes, &Ignored::new(&notes)), ["b.md", "old/a.md"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_not_followed_and_a_closed_folder_is_said() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let dir = folder(&[("a/b.md", ""), ("closed/c.md", "")]);
        symlink("..", dir.path().join("a/loop")).unwrap();
        symlink("b.md", dir.path().join("a/link.md")).unwrap();
        assert_eq!(
            walked(dir.path(), &Ignored::new(dir.path())),
            ["a/b.md", "closed/c.md"]
        );
        let closed = dir.path().join("closed");
        std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o0)).unwrap();
        let mut said = Vec::new();
        Ignored::new(dir.path()).walk(dir.path(), &mut |entry| {
            if let Entry::Closed(path, _) = entry {
                said.push(path.to_path_buf());
            }
            ControlFlow::Continue(())
        });
        let is_root = std::fs::read_dir(&closed).is_ok(); // The superuser may read everything.
        std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o700)).unwrap();
        assert!(is_root || said == [closed]);
    }

    #[test]
    fn rules_without_end_leave_nothing_out() {
        let dir = folder(&[("a.md", ""), ("b/c.md", ""), ("b/.ignore", "{\nc.md\n")]);
        let rules = std::fs::File::create(dir.path().join(".gitignore")).unwrap();
        rules.set_len(2 << 20).unwrap();
        assert_eq!(walked(dir.path(), &Ignored::new(dir.path())), ["a.md"]);
    }

    #[test]
    fn what_is_not_below_the_root_is_left_out() {
        let ignored = Ignored::new(Path::new("/notes"));
        assert!(ignored.is_ignored(Path::new("/other/a.md"), false));
        assert!(!ignored.is_ignored(Path::new("/notes"), true));
    }
}
