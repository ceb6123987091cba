//! What editors were given and have not saved: it is recorded when it is given, and counts no more
//! where an editor leaves without saving.
//!
//! Input: texts that editors have, what these say when they are closed, and what the files hold
//! then. Output: a record where nothing came of it.
//! Invariant: what a person did to a text before it was closed is the person's word all the same.
//! What an editor had when a daemon ended is not known to the next.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{MutexGuard, PoisonError};

use super::super::plan::key;
use super::super::record::{Lossless, Record};
use super::super::store::Held;
use super::super::{ContentHash, SinkError};
use super::{Ledger, Wanted, canonical};
use crate::lines::Durability;

/// What an editor was given since its file was written last.
#[derive(Debug)]
pub(super) struct Unsaved {
    /// Of the bytes that the file has meanwhile.
    before: ContentHash,
    writes: Vec<u64>,
    added: Vec<String>,
    removed: Vec<String>,
}

/// By file.
pub(super) type AllUnsaved = HashMap<PathBuf, Unsaved>;

impl Ledger {
    fn unsaved(&self) -> MutexGuard<'_, AllUnsaved> {
        self.unsaved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An editor has the text of a file with these bytes, and may have been given a write.
    pub(super) fn given(&self, path: &Path, seen: ContentHash, write: Option<(u64, &Wanted)>) {
        let nothing = || Unsaved {
            before: seen,
            writes: Vec::new(),
            added: Vec::new(),
            removed: Vec::new(),
        };
        let mut all = self.unsaved();
        let unsaved = all.entry(path.to_path_buf()).or_insert_with(nothing);
        if unsaved.before != seen {
            *unsaved = nothing(); // What was given before is saved.
        }
        let Some((write, wanted)) = write else { return };
        unsaved.writes.push(write);
        for tag in &wanted.removed {
            pass(tag, &mut unsaved.added, &mut unsaved.removed);
        }
        for added in &wanted.added {
            pass(&added.tag, &mut unsaved.removed, &mut unsaved.added);
        }
    }

    /// The last editor that has a file has closed it, with this text. Which of the tags that it was
    /// given do not stand there, a person has taken out.
    pub fn closed(&self, path: &Path, text: &str) {
        let path = canonical(path);
        if let Some(unsaved) = self.unsaved().get_mut(&path)
            && let Ok((standing, _)) = Held::of_text(&path, text).standing()
        {
            let stands = |tag: &String| standing.iter().any(|other| key(other) == key(tag));
            unsaved.added.retain(stands);
            unsaved.removed.retain(|tag| !stands(tag));
        }
    }

    /// Whether a file, which holds these bytes, has to be given its tags anew, because no editor
    /// has it any more and none has saved what it was given.
    ///
    /// # Errors
    /// It cannot be recorded.
    pub fn is_left_unsaved(
        &self,
        path: &Path,
        now: ContentHash,
        is_open: bool,
    ) -> Result<bool, SinkError> {
        let path = canonical(path);
        let unsaved = {
            let mut all = self.unsaved();
            let is_as_before = |unsaved: &Unsaved| unsaved.before == now;
            match all.get(&path).map(is_as_before) {
                None => return Ok(false),
                Some(true) if is_open => return Ok(false),
                Some(true) => all.remove(&path),
                Some(false) => {
                    all.remove(&path); // It was saved.
                    return Ok(false);
                }
            }
        };
        let Some(unsaved) = unsaved.filter(|unsaved| !unsaved.writes.is_empty()) else {
            return Ok(true);
        };
        let record = Record::Unsaved {
            path: Lossless::of_path(&path),
            writes: unsaved.writes,
            added: unsaved.added,
            removed: unsaved.removed,
        };
        self.locked(|open| open.append(vec![record], Durability::Synced))?;
        Ok(true)
    }

    /// A file has another name, and its editor has the text still.
    pub(super) fn carry_unsaved(&self, from: &Path, to: &Path) {
        let mut all = self.unsaved();
        if let Some(unsaved) = all.remove(from) {
            all.insert(to.to_path_buf(), unsaved);
        }
    }
}

/// A tag comes to one list, or leaves the other, where it stood before.
fn pass(tag: &str, from: &mut Vec<String>, to: &mut Vec<String>) {
    match from.iter().position(|other| key(other) == key(tag)) {
        Some(at) => drop(from.remove(at)),
        None => to.push(tag.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::{Cause, Run, Sink, TagWish, Wish};

    /// A file with a tag of ours and one that its editor is given, which is not saved.
    struct Case {
        dir: tempfile::TempDir,
        ledger: Ledger,
        path: PathBuf,
        seen: ContentHash,
        text: String,
    }

    fn wishes(tags: &[&str]) -> Vec<TagWish> {
        let wish = |tag: &&str| TagWish {
            name: (*tag).to_owned(),
            score: None,
            said: None,
        };
        tags.iter().map(wish).collect()
    }

    fn wish<'a>(path: &'a Path, seen: ContentHash, tags: &'a [TagWish]) -> Wish<'a> {
        Wish {
            path,
            seen,
            tags,
            labels: None,
            set: None,
            in_crowd: false,
        }
    }

    fn case() -> Case {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap().join("a.md");
        std::fs::write(&path, "---\ntags: [mine]\n---\n").unwrap();
        let (ledger, _) = Ledger::open(dir.path()).unwrap();
        let run = || Run::new(Cause::Watch, Sink::Frontmatter, String::new(), 1);
        let seen = ContentHash::of(&std::fs::read(&path).unwrap());
        let old = ledger.write(&run(), &wish(&path, seen, &wishes(&["old"])));
        let seen = old.unwrap().after;
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "---\ntags: [mine, old]\n---\n");
        let tags = wishes(&["new"]);
        let wish = wish(&path, seen, &tags);
        let run = run();
        let change = ledger.change(&run, &wish, &text).unwrap();
        ledger.applied(&run, &wish, &text, &change).unwrap();
        Case {
            dir,
            ledger,
            path: path.clone(),
            seen,
            text,
        }
    }

    /// The machine's tags, and those that a person took out, here and for who reads the ledger anew.
    fn known(case: &Case) -> (Vec<String>, Vec<String>) {
        let known = case.ledger.provenance(&case.path).unwrap();
        let (again, faults) = Ledger::open(case.dir.path()).unwrap();
        assert!(faults.is_empty(), "{faults:?}");
        assert_eq!(again.provenance(&case.path).unwrap(), known);
        (known.machine, known.withdrawn)
    }

    #[test]
    fn what_an_editor_did_not_save_was_never_there() {
        let case = case();
        let is_left = |is_open| case.ledger.is_left_unsaved(&case.path, case.seen, is_open);
        assert!(!is_left(true).unwrap());
        case.ledger
            .closed(&case.path, "---\ntags: [mine, new]\n---\n");
        assert!(is_left(false).unwrap());
        assert_eq!(known(&case), (vec!["old".to_owned()], Vec::new()));
        assert!(!is_left(false).unwrap());
        let runs = case.ledger.runs().unwrap();
        assert_eq!(runs.iter().map(|run| run.standing).sum::<usize>(), 1);
    }

    #[test]
    fn what_a_person_did_to_the_text_counts_though_it_was_not_saved() {
        let case = case();
        // The person has put back the one and taken out the other, by the editor's own undo.
        case.ledger.closed(&case.path, &case.text);
        let is_left = case.ledger.is_left_unsaved(&case.path, case.seen, false);
        assert!(is_left.unwrap());
        assert_eq!(known(&case), (Vec::new(), vec!["new".to_owned()]));
    }

    #[test]
    fn who_writes_a_file_before_its_editor_saves_it_takes_nothing_for_taken_out() {
        let case = case();
        let (other, _) = Ledger::open(case.dir.path()).unwrap();
        let run = Run::new(Cause::Person, Sink::Frontmatter, String::new(), 2);
        let tags = wishes(&["new"]);
        let wish = wish(&case.path, case.seen, &tags);
        let written = other.write(&run, &wish).unwrap();
        assert_eq!(written.withdrawn, [""; 0]);
        assert_eq!(written.added, ["new"]);
        let text = std::fs::read_to_string(&case.path).unwrap();
        assert_eq!(text, "---\ntags: [mine, old, new]\n---\n");
    }

    #[test]
    fn what_was_saved_stands() {
        let case = case();
        let saved = "---\ntags: [mine, new]\n---\n";
        std::fs::write(&case.path, saved).unwrap();
        let saved = ContentHash::of(saved.as_bytes());
        let is_left = |now| case.ledger.is_left_unsaved(&case.path, now, false);
        assert!(!is_left(saved).unwrap());
        assert_eq!(known(&case), (vec!["new".to_owned()], Vec::new()));
        // It is as it was before, by a person's hand.
        std::fs::write(&case.path, &case.text).unwrap();
        assert!(!is_left(case.seen).unwrap());
        assert_eq!(known(&case), (Vec::new(), vec!["new".to_owned()]));
    }
}
