//! The tags of folders: roots in, every document with its tags out.
//!
//! Invariant: what version control and sync tools keep for themselves is not searched, a file is
//! read again only when its time or size has changed, and there is a limit to all of it.
//! Blocks: its callers run it beside the asynchronous threads. Knows nothing of open documents,
//! except that their files are left out of `merged`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{File, Metadata};
use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::ignored::{Entry, Ignored};
use crate::document::{Format, Span};
use crate::frontmatter::occurrences;

/// More documents are no notebook, and would take the memory of a model.
pub const MOST_DOCUMENTS: usize = 20_000;
/// A longer text is not written by hand.
pub const MOST_BYTES: u64 = 1 << 20;

/// The tags of one document, in order, each with its bytes.
pub type Tags = Arc<[(String, Span)]>;

/// A document with its tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tagged {
    /// Its file.
    pub path: PathBuf,
    /// Its tags.
    pub tags: Tags,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// All documents, by path.
    pub documents: Vec<Tagged>,
    /// There are more than were looked at.
    pub cut: bool,
}

/// Why folders are not searched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// Somebody does not want to wait.
    #[error("the search was cancelled")]
    Cancelled,
    /// Nobody means all of it.
    #[error("{0}: all of a home folder or a disk is not searched for tags; open a folder of notes")]
    TooWide(PathBuf),
}

/// What was read, so that it need not be read again.
#[derive(Debug, Default)]
pub struct Index {
    known: Mutex<HashMap<PathBuf, Known>>,
}

#[derive(Debug)]
struct Known {
    changed: Option<SystemTime>,
    len: u64,
    tags: Tags,
}

impl Index {
    /// Searches `roots`. `report` is told how many of how many files that are new or
    /// have changed were read.
    ///
    /// # Errors
    /// It was cancelled, or a root is too wide.
    pub fn scan(
        &self,
        roots: &[PathBuf],
        cancelled: &AtomicBool,
        report: &mut dyn FnMut(usize, usize),
    ) -> Result<Scan, ScanError> {
        let (files, cut) = files(roots, cancelled)?;
        let mut documents = Vec::with_capacity(files.len());
        let is_new = |file: &(&PathBuf, &Metadata)| self.known(file.0, file.1).is_none();
        let total = files.iter().filter(is_new).count();
        let mut n_read = 0;
        for (path, metadata) in files {
            if cancelled.load(Ordering::Relaxed) {
                return Err(ScanError::Cancelled);
            }
            let mut tags = self.known(&path, &metadata);
            if tags.is_none() {
                report(n_read, total);
                n_read += 1;
                tags = self.read(&path, &metadata);
            }
            if let Some(tags) = tags {
                documents.push(Tagged { path, tags });
            }
        }
        let there: HashSet<&PathBuf> = documents.iter().map(|document| &document.path).collect();
        self.lock().retain(|path, _| there.contains(path));
        Ok(Scan { documents, cut })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tags of a file that has not changed since it was read.
    fn known(&self, path: &Path, metadata: &Metadata) -> Option<Tags> {
        let is_same = |known: &&Known| {
            // A file without a time is read each time.
            known.changed.is_some()
                && known.changed == metadata.modified().ok()
                && known.len == metadata.len()
        };
        let known = self.lock();
        let known = known.get(path).filter(is_same)?;
        Some(Arc::clone(&known.tags))
    }

    fn read(&self, path: &Path, metadata: &Metadata) -> Option<Tags> {
        let text = text(path)?;
        let tags: Tags = occurrences(&text, Format::from_path(path)).into();
        let known = Known {
            changed: metadata.modified().ok(),
            len: metadata.len(),
            tags: Arc::clone(&tags),
        };
        self.lock().insert(path.to_owned(), known);
        Some(tags)
    }
}

/// The text of a file as an editor shows it: without its byte order mark. None of what is no
/// UTF-8 text, for its columns could not be told.
pub fn text(path: &Path) -> Option<String> {
    let mut text = String::new();
    let file = File::open(path).ok()?;
    file.take(MOST_BYTES + 1).read_to_string(&mut text).ok()?;
    match text.strip_prefix('\u{feff}') {
        Some(rest) => Some(rest.to_owned()),
        None => Some(text),
    }
}

/// The documents under `roots` in order, and whether there are more.
///
/// # Errors
/// As `Index::scan`.
pub fn documents(
    roots: &[PathBuf],
    cancelled: &AtomicBool,
) -> Result<(Vec<PathBuf>, bool), ScanError> {
    let (files, cut) = files(roots, cancelled)?;
    Ok((files.into_keys().collect(), cut))
}

/// The documents under `roots` by path, and whether there are more.
fn files(
    roots: &[PathBuf],
    cancelled: &AtomicBool,
) -> Result<(BTreeMap<PathBuf, Metadata>, bool), ScanError> {
    let home = directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_path_buf());
    if let Some(root) = roots.iter().find(|root| is_too_wide(root, home.as_deref())) {
        return Err(ScanError::TooWide(root.clone()));
    }
    let mut files = BTreeMap::new(); // One root may be inside another.
    let mut cut = false;
    for root in roots {
        if let Some(metadata) = std::fs::metadata(root).ok().filter(Metadata::is_file) {
            // Somebody named it: it is a document, whatever it is called.
            files.insert(root.clone(), metadata);
            continue;
        }
        Ignored::new(root).walk(root, &mut |entry| {
            if cancelled.load(Ordering::Relaxed) {
                return ControlFlow::Break(());
            }
            // What cannot be read is not there.
            if let Entry::File(path, metadata) = entry
                && is_document(path)
                && metadata.len() <= MOST_BYTES
            {
                if files.len() >= MOST_DOCUMENTS {
                    cut = true;
                    return ControlFlow::Break(());
                }
                files.insert(path.to_path_buf(), metadata.clone());
            }
            ControlFlow::Continue(())
        });
        if cancelled.load(Ordering::Relaxed) {
            return Err(ScanError::Cancelled);
        }
        if cut {
            break;
        }
    }
    Ok((files, cut))
}

fn is_document(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let format = extension.and_then(Format::from_extension);
    format.is_some_and(|format| format != Format::Latex)
}

/// Whether a root is a disk, the home folder, or a folder above that.
fn is_too_wide(root: &Path, home: Option<&Path>) -> bool {
    root.parent().is_none() || home.is_some_and(|home| home.starts_with(root))
}

/// The documents of a scan whose files are not open, by whatever path the scan came to them; `open`
/// has the paths that lead through no link.
pub fn merged(scan: &Scan, open: &HashSet<PathBuf>) -> Vec<Tagged> {
    // The system is asked only about files that may be open.
    let names: HashSet<_> = open.iter().filter_map(|path| path.file_name()).collect();
    let is_open = |path: &Path| {
        open.contains(path)
            || path.file_name().is_some_and(|name| names.contains(name))
                && path.canonicalize().is_ok_and(|real| open.contains(&real))
    };
    let documents = scan.documents.iter();
    documents
        .filter(|document| !is_open(&document.path))
        .cloned()
        .collect()
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

    fn scan(index: &Index, dir: &Path) -> (Vec<String>, usize) {
        let mut most = 0;
        let found = index
            .scan(
                &[dir.to_owned()],
                &AtomicBool::new(false),
                &mut |_, total| most = total,
            )
            .unwrap();
        let shown = found.documents.iter().map(|document| {
            let path = document.path.strip_prefix(dir).unwrap().display();
            let tags: Vec<&str> = document
                .tags
                .iter()
                .map(|(name, _)| name.as_str())
                .collect();
            format!("{path}: {}", tags.join(" "))
        });
        (shown.collect(), most)
    }

    #[test]
    fn a_root_that_is_a_file_is_the_document() {
        let dir = folder(&[("a.md", "#one"), ("b.md", "#two"), (".hidden.md", "#three")]);
        let roots = [dir.path().join("a.md"), dir.path().join(".hidden.md")];
        let (found, _) = documents(&roots, &AtomicBool::new(false)).unwrap();
        assert_eq!(
            found,
            [dir.path().join(".hidden.md"), dir.path().join("a.md")]
        );
    }

    #[test]
    fn only_what_somebody_wrote_there_is_searched() {
        let tagged = "---\ntags: [a, b]\n---\n#c\n";
        let dir = folder(&[
            ("a.md", tagged),
            ("sub/b.org", "#+FILETAGS: :o:\n"),
            ("c.png", tagged),
            ("d.tex", tagged),
            (".obsidian/e.md", tagged),
            ("node_modules/f.md", tagged),
            ("x.sync-conflict-1.md", tagged),
            ("drafts/g.md", tagged),
            ("old/h.md", tagged),
            (".gliznetignore", "drafts/\n"),
            (".gitignore", "old/\n"),
            ("big.md", &"x".repeat(MOST_BYTES as usize + 1)),
            ("plain.txt", "no tags"),
        ]);
        std::fs::write(dir.path().join("latin.md"), b"\xe9 #x").unwrap();
        let (found, total) = scan(&Index::default(), dir.path());
        assert_eq!(found, ["a.md: a b c", "plain.txt: ", "sub/b.org: o"]);
        assert_eq!(total, 4);
    }

    #[test]
    fn a_file_is_read_again_when_it_has_changed() {
        let dir = folder(&[("a.md", "#one"), ("b.md", "#two")]);
        let index = Index::default();
        scan(&index, dir.path());
        let known = Arc::clone(&index.lock()[&dir.path().join("a.md")].tags);
        std::fs::write(dir.path().join("b.md"), "#other").unwrap();
        assert_eq!(scan(&index, dir.path()).0, ["a.md: one", "b.md: other"]);
        assert!(Arc::ptr_eq(
            &known,
            &index.lock()[&dir.path().join("a.md")].tags
        ));
        std::fs::remove_file(dir.path().join("a.md")).unwrap();
        assert_eq!(scan(&index, dir.path()).0, ["b.md: other"]);
        assert_eq!(index.lock().len(), 1);
    }

    #[test]
    fn a_search_can_be_cancelled_and_a_disk_is_refused() {
        let dir = folder(&[("a.md", "#one")]);
        let index = Index::default();
        let roots = [dir.path().to_owned()];
        let cancelled = index.scan(&roots, &AtomicBool::new(true), &mut |_, _| {});
        assert_eq!(cancelled, Err(ScanError::Cancelled));
        let root = PathBuf::from("/");
        let refused = index.scan(
            std::slice::from_ref(&root),
            &AtomicBool::new(false),
            &mut |_, _| {},
        );
        assert_eq!(refused, Err(ScanError::TooWide(root)));
        let home = Some(Path::new("/home/me"));
        assert!(is_too_wide(Path::new("/home/me"), home) && is_too_wide(Path::new("/home"), home));
        assert!(!is_too_wide(Path::new("/home/me/notes"), home));
    }

    fn tags(names: &[&str]) -> Vec<(String, Span)> {
        let tag = |(at, name): (usize, &&str)| ((*name).to_owned(), Span::new(at, at + 1));
        names.iter().enumerate().map(tag).collect()
    }

    #[test]
    fn an_open_document_hides_its_file() {
        let document = |path: &str| Tagged {
            path: path.into(),
            tags: tags(&["a"]).into(),
        };
        let scan = Scan {
            documents: vec![document("/n/a.md"), document("/n/b.md")],
            cut: false,
        };
        let open = HashSet::from([PathBuf::from("/n/a.md")]);
        assert_eq!(merged(&scan, &open), [document("/n/b.md")]);
    }

    #[cfg(unix)]
    #[test]
    fn an_open_document_hides_its_file_behind_a_link_too() {
        let dir = folder(&[("notes/a.md", "#a\n"), ("notes/b.md", "#a\n")]);
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path().join("notes"), &link).unwrap();
        let document = |name: &str| Tagged {
            path: link.join(name),
            tags: tags(&["a"]).into(),
        };
        let scan = Scan {
            documents: vec![document("a.md"), document("b.md")],
            cut: false,
        };
        let real = dir.path().canonicalize().unwrap().join("notes/a.md");
        assert_eq!(merged(&scan, &HashSet::from([real])), [document("b.md")]);
    }
}
