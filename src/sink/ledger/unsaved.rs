//! What editors were given and have not saved: it is recorded when it is given, and counts no more
//! where an editor leaves without saving.
//!
//! Input: texts that editors have, what these say when they are closed, and what the files hold
//! then. Output: a record where nothing came of it.
//! Invariant: what a person did to a text before it was closed is the person's word all the same.
//! What an editor had when a daemon ended is not known to the next.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard, PoisonError};

use super::super::plan::{is_among, is_same_tag};
use super::super::record::{Lossless, Record};
use super::super::store::Held;
use super::super::{ContentHash, Sink, SinkError, moved_path};
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
    /// The editor that had it has closed the file, which others, or itself again, may have open.
    was_closed: bool,
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
            was_closed: false,
        };
        let mut all = self.unsaved();
        let unsaved = all.entry(path.to_path_buf()).or_insert_with(nothing);
        if unsaved.before != seen {
            *unsaved = nothing(); // What was given before is saved.
        }
        let Some((write, wanted)) = write else { return };
        unsaved.writes.push(write);
        unsaved.was_closed = false;
        for tag in &wanted.removed {
            pass(tag, &mut unsaved.added, &mut unsaved.removed);
        }
        for added in &wanted.added {
            pass(&added.tag, &mut unsaved.removed, &mut unsaved.added);
        }
    }

    /// The files that were open in an editor when they were to get tags, and may be so still.
    pub fn in_editors(&self) -> Vec<PathBuf> {
        self.unsaved().keys().cloned().collect()
    }

    /// An editor has closed a file, with this text; the last one that has it, or not. Which of the tags
    /// that it was given do not stand there, a person has taken out.
    ///
    /// Of two editors only one was given them: that the other never had them says nothing, and neither
    /// does that they are gone from one which has read the file again.
    pub fn closed(&self, path: &Path, text: &str, is_last: bool) {
        let path = canonical(path);
        if let Some(unsaved) = self.unsaved().get_mut(&path)
            && let Ok((standing, _)) = Held::of_text(&path, text).standing()
            && (unsaved.is_in(&standing) || (is_last && !unsaved.was_closed))
        {
            unsaved.added.retain(|tag| is_among(tag, &standing));
            unsaved.removed.retain(|tag| !is_among(tag, &standing));
            unsaved.was_closed = true;
        }
    }

    /// Whether a file, which holds these bytes and has these texts in editors, has to be given its
    /// tags anew, because the editor that was given them is gone and has not saved them.
    ///
    /// # Errors
    /// It cannot be recorded; ask again, for until then its tags would count as taken out.
    pub fn is_left_unsaved(
        &self,
        path: &Path,
        now: ContentHash,
        open: &[Arc<str>],
    ) -> Result<bool, SinkError> {
        let path = canonical(path);
        let has_it = |unsaved: &Unsaved, text: &str| {
            let standing = Held::of_text(&path, text).standing();
            standing.is_ok_and(|(standing, _)| unsaved.is_in(&standing))
        };
        let unsaved = {
            let mut all = self.unsaved();
            let Some(unsaved) = all.get_mut(&path) else {
                return Ok(false);
            };
            unsaved.was_closed &= !open.iter().any(|text| has_it(unsaved, text));
            let is_held = !open.is_empty() && !unsaved.was_closed;
            if unsaved.before != now {
                // Of two editors the one may save what only the other was given.
                let may_be_unsaved = !open.is_empty() || unsaved.was_closed;
                if !may_be_unsaved || !unsaved.is_nowhere_in(&path) {
                    all.remove(&path); // It was saved.
                    return Ok(false);
                }
                unsaved.before = now;
            }
            match is_held {
                true => return Ok(false),
                false => all.remove(&path),
            }
        };
        let Some(unsaved) = unsaved.filter(|unsaved| !unsaved.writes.is_empty()) else {
            return Ok(true);
        };
        let record = Record::Unsaved {
            path: Lossless::of_path(&path),
            writes: unsaved.writes.clone(),
            added: unsaved.added.clone(),
            removed: unsaved.removed.clone(),
        };
        let recorded = self.locked(|open| open.append(vec![record], Durability::Synced));
        if recorded.is_err() {
            self.unsaved().insert(path, unsaved);
        }
        recorded.map(|()| true)
    }

    /// A file or a folder has another name, and editors have the texts still.
    pub(super) fn carry_unsaved(&self, from: &Path, to: &Path) {
        let mut all = self.unsaved();
        let carried = all.extract_if(|path, _| path.starts_with(from));
        let carried: Vec<(PathBuf, Unsaved)> = carried
            .map(|(path, unsaved)| (moved_path(&path, from, to), unsaved))
            .collect();
        all.extend(carried);
    }
}

impl Unsaved {
    /// Whether the file has nothing of what was given.
    fn is_nowhere_in(&self, path: &Path) -> bool {
        let standing = Held::read(path, Sink::Frontmatter).and_then(|held| held.standing());
        standing.is_ok_and(|(standing, _)| !self.is_in(&standing))
    }

    /// Whether a text with these tags has any of what was given.
    fn is_in(&self, standing: &[String]) -> bool {
        self.added.iter().any(|tag| is_among(tag, standing))
            || self.removed.iter().any(|tag| !is_among(tag, standing))
    }
}

/// A tag comes to one list, or leaves the other, where it stood before.
fn pass(tag: &str, from: &mut Vec<String>, to: &mut Vec<String>) {
    match from.iter().position(|other| is_same_tag(other, tag)) {
        Some(at) => drop(from.remove(at)),
        None => to.push(tag.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::{Cause, Run, TagWish, Wish};

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
        case_of(str::to_owned)
    }

    /// The same where the editor's text is another one than the file's.
    fn case_of(editors: impl Fn(&str) -> String) -> Case {
        let dir = tempfile::tempdir().unwrap();
        let notes = dir.path().canonicalize().unwrap().join("notes");
        std::fs::create_dir(&notes).unwrap();
        let path = notes.join("a.md");
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
        let open = editors(&text);
        let change = ledger.change(&run, &wish, &open).unwrap();
        ledger.applied(&run, &wish, &open, &change).unwrap();
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
        let is_left = |open: &[Arc<str>]| case.ledger.is_left_unsaved(&case.path, case.seen, open);
        assert!(!is_left(&[case.text.as_str().into()]).unwrap());
        let given = "---\ntags: [mine, new]\n---\n";
        case.ledger.closed(&case.path, given, true);
        assert!(is_left(&[]).unwrap());
        assert_eq!(known(&case), (vec!["old".to_owned()], Vec::new()));
        assert!(!is_left(&[]).unwrap());
        let runs = case.ledger.runs().unwrap();
        assert_eq!(runs.iter().map(|run| run.standing).sum::<usize>(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn what_cannot_be_recorded_yet_is_known_until_it_is() {
        let case = case();
        let is_left = || case.ledger.is_left_unsaved(&case.path, case.seen, &[]);
        case.ledger
            .closed(&case.path, "---\ntags: [mine, new]\n---\n", true);
        let runs = case.dir.path().join(crate::sink::LEDGER_NAME);
        let aside = case.dir.path().join("aside");
        std::fs::rename(&runs, &aside).unwrap();
        std::fs::create_dir(&runs).unwrap(); // Nothing can be written there.
        is_left().unwrap_err();
        std::fs::remove_dir(&runs).unwrap();
        std::fs::rename(&aside, &runs).unwrap();
        assert!(is_left().unwrap());
        assert_eq!(known(&case), (vec!["old".to_owned()], Vec::new()));
    }

    #[test]
    fn what_an_editor_had_that_nobody_heard_close_it_is_left_too() {
        let case = case();
        assert_eq!(case.ledger.in_editors(), std::slice::from_ref(&case.path));
        let is_left = case.ledger.is_left_unsaved(&case.path, case.seen, &[]);
        assert!(is_left.unwrap());
        assert_eq!(known(&case), (vec!["old".to_owned()], Vec::new()));
        assert!(case.ledger.in_editors().is_empty());
    }

    #[test]
    fn what_an_editor_did_not_save_follows_the_folder_of_its_note() {
        let case = case();
        let (notes, kept) = (case.path.parent().unwrap(), case.dir.path().join("kept"));
        std::fs::rename(notes, &kept).unwrap();
        case.ledger.moved(notes, &kept).unwrap();
        let path = kept.join("a.md");
        let given = "---\ntags: [mine, new]\n---\n";
        case.ledger.closed(&path, given, true);
        assert!(case.ledger.is_left_unsaved(&path, case.seen, &[]).unwrap());
        let case = Case { path, ..case };
        assert_eq!(known(&case), (vec!["old".to_owned()], Vec::new()));
    }

    #[test]
    fn what_a_person_did_to_the_text_counts_though_it_was_not_saved() {
        let case = case();
        // The person has put back the one and taken out the other, by the editor's own undo.
        case.ledger.closed(&case.path, &case.text, true);
        let is_left = case.ledger.is_left_unsaved(&case.path, case.seen, &[]);
        assert!(is_left.unwrap());
        assert_eq!(known(&case), (Vec::new(), vec!["new".to_owned()]));
    }

    #[test]
    fn what_one_of_two_editors_was_given_the_other_one_has_not_taken_out() {
        let given = "---\ntags: [mine, new]\n---\n";
        for closes_too in [false, true] {
            let case = case();
            let other: Arc<str> = case.text.as_str().into();
            let is_left =
                |open: &[Arc<str>]| case.ledger.is_left_unsaved(&case.path, case.seen, open);
            assert!(!is_left(&[other.clone(), given.into()]).unwrap());
            case.ledger.closed(&case.path, given, false);
            // It is opened again with all that it had, as where its language is changed.
            assert!(!is_left(&[other.clone(), given.into()]).unwrap());
            case.ledger.closed(&case.path, given, false);
            if closes_too {
                case.ledger.closed(&case.path, &other, true);
            }
            let open: &[Arc<str>] = if closes_too { &[] } else { &[other] };
            assert!(is_left(open).unwrap());
            assert_eq!(known(&case), (vec!["old".to_owned()], Vec::new()));
        }
        // An editor reads the file again, and so has none of it any more.
        let case = case_of(str::to_owned);
        case.ledger.closed(&case.path, given, true);
        let again = [case.text.as_str().into()];
        let is_left = case.ledger.is_left_unsaved(&case.path, case.seen, &again);
        assert!(is_left.unwrap());
        assert_eq!(known(&case), (vec!["old".to_owned()], Vec::new()));
        // The one that was not given them goes first.
        let case = case_of(str::to_owned);
        case.ledger.closed(&case.path, &case.text, false);
        case.ledger.closed(&case.path, given, true);
        let is_left = case.ledger.is_left_unsaved(&case.path, case.seen, &[]);
        assert!(is_left.unwrap());
        assert_eq!(known(&case), (vec!["old".to_owned()], Vec::new()));
    }

    #[test]
    fn what_one_editor_was_given_is_left_where_another_saves_the_file_and_stays() {
        let case = case();
        let is_left = |now, open: &[Arc<str>]| case.ledger.is_left_unsaved(&case.path, now, open);
        let given = "---\ntags: [mine, new]\n---\n";
        let saved = "---\ntags: [mine, old]\n---\nMore.\n";
        std::fs::write(&case.path, saved).unwrap();
        let now = ContentHash::of(saved.as_bytes());
        let both: [Arc<str>; 2] = [saved.into(), given.into()];
        assert!(!is_left(now, &both).unwrap(), "the one has it still");
        case.ledger.closed(&case.path, given, false);
        assert!(is_left(now, &both[..1]).unwrap());
        assert_eq!(known(&case), (vec!["old".to_owned()], Vec::new()));
    }

    #[test]
    fn who_writes_a_file_before_its_editor_saves_it_takes_nothing_for_taken_out() {
        let typed = |text: &str| format!("{text}More, which is not saved.\n");
        for case in [case_of(str::to_owned), case_of(typed)] {
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
    }

    #[test]
    fn what_was_saved_stands() {
        let case = case();
        let saved = "---\ntags: [mine, new]\n---\n";
        std::fs::write(&case.path, saved).unwrap();
        let saved = ContentHash::of(saved.as_bytes());
        let is_left = |now| case.ledger.is_left_unsaved(&case.path, now, &[]);
        assert!(!is_left(saved).unwrap());
        assert_eq!(known(&case), (vec!["new".to_owned()], Vec::new()));
        // It is as it was before, by a person's hand.
        std::fs::write(&case.path, &case.text).unwrap();
        assert!(!is_left(case.seen).unwrap());
        assert_eq!(known(&case), (Vec::new(), vec!["new".to_owned()]));
    }
}
