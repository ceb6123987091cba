//! One note from its file to its tags: read, corrected, asked about, written, remembered.
//!
//! Input: a path that was quiet. Output: what came of it; the note in the index.
//! Invariant: a note whose content and rules are those that it was tagged by asks no model; a file
//! that is open in an editor is changed by that editor alone; what is remembered of a note that we
//! wrote is looked at again, so that nothing that came after it is missed.
//!
//! Length: one note's way; each step is a method, and none is used elsewhere.

mod answer;
mod survey;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use answer::{
    Answer, Opened, changed, desk_text, fit, is_taken_out_beside, names, said, text_stamp,
};

use super::corrections::{CROWD, Verdict};
use super::index::Index;
use super::note::{Basis, Note, Stamp};
use super::queue::{Job, Urgency};
use super::read::{NoText, Text, locked_by, read};
use super::roots::Folder;
use super::rules::{InForce, RuleBook, number};
use crate::correction::{Said, Source};
use crate::desk::editors::denied::standing;
use crate::desk::editors::{Closed, Editor};
use crate::desk::name::uri_of;
use crate::desk::protocol::TagRecord;
use crate::desk::{Desk, DeskError, Tagged};
use crate::engine::scheduler::Priority;
use crate::engine::worker::{Loading, WorkerError};
use crate::sink::{
    Cause, ContentHash, Ledger, Provenance, Run, Sink, SinkError, TagWish, is_among, moved_path,
};

/// When to ask again after the queue was full.
const RETRY: Duration = Duration::from_millis(200);
/// When to look again at what stands in the way.
const LATER: Duration = Duration::from_secs(30);
/// A note that another program has open is looked at again.
const LOCKED: Duration = Duration::from_secs(5);
/// How long an editor may take to apply an edit.
const EDITOR: Duration = Duration::from_secs(20);

/// What came of a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is up to date.
    Done,
    /// It is not there.
    Gone,
    /// It changed meanwhile: look again when it is quiet.
    Unsettled,
    /// There is no model, and there will be a look for what is behind when there is one.
    Stuck(String),
    /// Something stands in the way, which concerns more than this note.
    Later(Duration, String),
}

/// What all notes need.
pub(super) struct Tagger {
    pub(super) desk: Arc<Desk>,
    pub(super) index: Arc<Index>,
    pub(super) rules: Arc<RuleBook>,
    pub(super) ledger: Result<Arc<Ledger>, String>,
}

/// The run that the notes of a folder are written in until it has nothing to do.
#[derive(Debug, Default)]
pub(super) struct CurrentRun(Mutex<Option<Arc<Run>>>);

impl CurrentRun {
    fn get(&self, sink: Sink, model: &str) -> Arc<Run> {
        let mut run = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_sink = run.as_ref().filter(|run| run.sink() == sink);
        if let Some(run) = of_sink {
            return Arc::clone(run);
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.map_or(0, |since| since.as_secs());
        let new = Arc::new(Run::new(Cause::Watch, sink, model.to_owned(), now));
        *run = Some(Arc::clone(&new));
        new
    }

    /// The next note is written in another run.
    pub(super) fn end(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Tagger {
    /// What `fits` of a note would stand on now; none while there is no model.
    fn basis(&self, path: &Path, rules: &InForce) -> Option<Basis> {
        Some(Basis {
            model: self.model()?,
            rules: self.print_of(path, rules.print),
        })
    }

    /// Tells the model that answers from others; none while there is none.
    fn model(&self) -> Option<u64> {
        match &*self.desk.loading().borrow() {
            Loading::Ready(facts) => Some(number(&facts.fingerprint)),
            _ => None,
        }
    }

    /// The number of rules together with what a person said of a note: another verdict makes it
    /// another one, so that the note is asked about again also where nobody watched it then.
    fn print_of(&self, path: &Path, print: u64) -> u64 {
        match self.desk.said_of(&uri_of(path)) {
            Some(said) => number(&format!("{print} {said:?}")),
            None => print,
        }
    }

    /// Brings one note up to date.
    pub(super) async fn run(
        self: Arc<Tagger>,
        folder: Arc<Folder>,
        run: Arc<CurrentRun>,
        is_deaf: bool,
        job: Job,
    ) -> Outcome {
        let opened = {
            let (tagger, folder, job) = (Arc::clone(&self), Arc::clone(&folder), job.clone());
            tokio::task::spawn_blocking(move || tagger.open(&folder, &job, is_deaf)).await
        };
        let opened = match opened {
            Ok(Ok(opened)) => opened,
            Ok(Err(outcome)) => return outcome,
            Err(_) => return self.broken(&job.path),
        };
        if opened.is_same {
            return Outcome::Done;
        }
        let rules = match &opened.rules {
            Ok(rules) => Arc::clone(rules),
            Err(_) => {
                // What tags it has is known all the same; `RuleBook::faults` tells the rest.
                self.remember(&job.path, &opened, opened.text.stamp, Answer::default());
                return Outcome::Done;
            }
        };
        self.record(&job.path, &opened, &rules).await;
        // Before it is asked about: a verdict that comes meanwhile may be too late for the answer.
        let print = self.print_of(&job.path, rules.print);
        let tagged = match self.ask(&job.path, &opened.text, &rules).await {
            Ok(tagged) => tagged,
            Err(Outcome::Stuck(fault)) => {
                self.remember(&job.path, &opened, opened.text.stamp, Answer::default());
                return Outcome::Stuck(fault);
            }
            Err(outcome) => return outcome,
        };
        let name = uri_of(&job.path);
        let said = |tag: &TagRecord| {
            let label = tagged.labels.find(&tag.label)?;
            let label = tagged.labels.label(label);
            self.desk.accepted_at(&name, label)
        };
        let answer = Answer {
            basis: Some(Basis {
                model: number(&tagged.answer.model.fingerprint),
                rules: print,
            }),
            fits: tagged.tags.iter().map(|tag| fit(tag, said(tag))).collect(),
            fault: None,
        };
        if !rules.sink.writes() {
            let path = Arc::clone(&job.path);
            let tagger = Arc::clone(&self);
            let remembered = tokio::task::spawn_blocking(move || {
                tagger.remember(&path, &opened, opened.text.stamp, answer);
            });
            return match remembered.await {
                Ok(()) => Outcome::Done,
                Err(_) => self.broken(&job.path),
            };
        }
        let run = run.get(rules.sink, &tagged.answer.model.name);
        if rules.sink == Sink::Frontmatter
            && let Some(editor) = self.desk.editors.of(&job.path)
        {
            return self
                .edit(&job.path, opened, answer, &rules, &run, editor)
                .await;
        }
        let (tagger, path) = (Arc::clone(&self), Arc::clone(&job.path));
        let written =
            tokio::task::spawn_blocking(move || tagger.write(&path, &opened, answer, &rules, &run));
        match written.await {
            Ok(outcome) => outcome,
            Err(_) => self.broken(&job.path),
        }
    }

    fn broken(&self, path: &Path) -> Outcome {
        tracing::error!(path = %path.display(), "a note broke down the thread that read it");
        Outcome::Done
    }

    /// Reads a note, and records what a person said by changing it. Blocks.
    fn open(&self, folder: &Folder, job: &Job, is_deaf: bool) -> Result<Opened, Outcome> {
        let path = &*job.path;
        let known = self.index.get(path);
        let text = match read(path, is_deaf) {
            Ok(text) => text,
            Err(NoText::Gone) => return Err(Outcome::Gone),
            Err(NoText::Unsettled) => return Err(Outcome::Unsettled),
            Err(NoText::Never(stamp, fact)) => {
                self.unreadable(path, stamp, &fact);
                return Err(Outcome::Done);
            }
            Err(NoText::Closed(fact)) => {
                // It looks other than this whatever it looks like, so it is tried again.
                self.unreadable(path, Stamp::default(), &fact);
                return Err(Outcome::Done);
            }
        };
        let dir = path.parent().unwrap_or(Path::new("/"));
        let rules = self.rules.of(folder, dir);
        let open = self.desk.editors.texts(path);
        let is_left_unsaved = match &self.ledger {
            Ok(ledger) => ledger.is_left_unsaved(path, text.content, &open),
            Err(_) => Ok(false),
        };
        let is_left_unsaved =
            is_left_unsaved.map_err(|error| Outcome::Later(LATER, error.to_string()))?;
        let provenance = match &self.ledger {
            Ok(ledger) => ledger.provenance(path),
            Err(_) => Ok(Provenance::default()),
        };
        let provenance = provenance.unwrap_or_else(|error| {
            tracing::debug!(%error, "nobody knows whose tags these are");
            Provenance::default()
        });
        // Of a note that a look finds for the first time nobody knows that it changed.
        let was_seen = known.is_some() || job.urgency == Urgency::Fresh;
        let has_changed = known.as_ref().is_none_or(|known| {
            known.content != text.content || is_taken_out_beside(known, &provenance)
        });
        let mut verdict = Verdict::default();
        if let (Some(known), Ok(rules)) = (&known, &rules) {
            if has_changed {
                verdict = said(rules.sink, known, &text, &provenance, rules, job.crowd);
            }
            self.without_denied(path, &text, &open, rules, &mut verdict);
        }
        let is_up_to_date = |note: &Note| match &rules {
            Ok(rules) => note.basis.is_some() && note.basis == self.basis(path, rules),
            Err(_) => note.basis.is_none(),
        };
        let is_same = !has_changed
            && !is_left_unsaved
            && known
                .as_ref()
                .is_some_and(|note| note.fault.is_none() && is_up_to_date(note));
        let opened = Opened {
            text,
            known,
            rules,
            provenance,
            verdict,
            is_same,
            in_crowd: has_changed && was_seen && job.crowd > CROWD,
        };
        if let (true, Some(known)) = (is_same, &opened.known) {
            // An echo of our own writing, or a file that was only touched.
            let fits = known.fits.iter();
            let answer = Answer {
                basis: known.basis,
                fits: fits
                    .map(|fit| TagWish {
                        name: fit.name.to_string(),
                        score: Some(fit.score),
                        said: None,
                    })
                    .collect(),
                fault: None,
            };
            self.remember(path, &opened, opened.text.stamp, answer);
        }
        Ok(opened)
    }

    /// Leaves out what a person said no to while it stood in the text that is saved only now.
    fn without_denied(
        &self,
        path: &Path,
        text: &Text,
        open: &[Arc<str>],
        rules: &InForce,
        verdict: &mut Verdict,
    ) {
        let (name, denied) = (uri_of(path), &self.desk.editors.denied);
        if !denied.has(&name) {
            return;
        }
        let standing = |source: &str| standing(source, text.format, &rules.rules.labels);
        let mut all = standing(&text.source);
        // What was saved before it was accepted says nothing of what is open.
        all.extend(open.iter().flat_map(|open| standing(open)));
        denied.seen(&name, &all);
        let is_denied = |label: &String| denied.holds(&name, label);
        verdict.accepted.retain(|label| !is_denied(label));
    }

    fn unreadable(&self, path: &Path, stamp: Stamp, fact: &str) {
        let known = self.index.get(path);
        let fault = Some(self.index.name(fact));
        let note = match known.clone() {
            Some(known) => Note {
                stamp,
                fault,
                ..known
            },
            None => Note {
                stamp,
                content: ContentHash::of(b""),
                tags: [].into(),
                fits: [].into(),
                basis: None,
                fault,
            },
        };
        if known.as_ref() != Some(&note) {
            tracing::info!(path = %path.display(), fact, "a note is left out");
            self.index.put(path, note);
        }
    }

    /// Records a verdict, durably.
    async fn record(&self, path: &Path, opened: &Opened, rules: &InForce) {
        let name = uri_of(path);
        let mut verdict = opened.verdict.clone();
        verdict
            .rejected
            .retain(|label| !self.desk.rejects(&name, label, &rules.rules.labels));
        if verdict.is_empty() {
            return;
        }
        tracing::info!(
            path = %path.display(),
            accepted = verdict.accepted.join(", "),
            rejected = verdict.rejected.join(", "),
            "a person has corrected tags"
        );
        let said = Said {
            accepted: verdict.accepted,
            rejected: verdict.rejected,
            source: Source::Folder,
        };
        let text = desk_text(path, &opened.text);
        let recorded = self.desk.correct(text, rules.rules.clone(), said);
        if let Err(error) = recorded.await {
            tracing::warn!(%error, "a correction was not recorded");
        }
    }

    async fn ask(&self, path: &Path, text: &Text, rules: &InForce) -> Result<Tagged, Outcome> {
        loop {
            let text = desk_text(path, text);
            let asked = self.desk.tag(text, rules.rules.clone(), Priority::Bulk);
            match asked.await {
                Ok(tagged) => return Ok(tagged),
                Err(DeskError::Worker(WorkerError::Overloaded(_))) => {
                    tokio::time::sleep(RETRY).await;
                }
                Err(DeskError::Worker(WorkerError::Engine(fact))) => {
                    // This text breaks the model; the others do not.
                    tracing::warn!(path = %path.display(), %fact, "a note cannot be tagged");
                    self.unreadable(path, text_stamp(path), &fact);
                    return Err(Outcome::Done);
                }
                Err(DeskError::Worker(error @ WorkerError::NoModel(_))) => {
                    return Err(Outcome::Stuck(error.to_string()));
                }
                Err(error) => return Err(Outcome::Later(LATER, error.to_string())),
            }
        }
    }

    /// Puts the tags where the folder wants them. Blocks.
    fn write(
        &self,
        path: &Path,
        opened: &Opened,
        mut answer: Answer,
        rules: &InForce,
        run: &Run,
    ) -> Outcome {
        let ledger = match &self.ledger {
            Ok(ledger) => ledger,
            Err(fault) => return self.held_up(path, opened, answer, LATER, fault.clone()),
        };
        if let Some(lock) = locked_by(path) {
            let (name, lock) = (path.display(), lock.display());
            let fault = format!(
                "{name}: another program has it open, as {lock} says; close it there, or remove that file where a crash has left it"
            );
            return self.held_up(path, opened, answer, LOCKED, fault);
        }
        let labels = names(rules);
        let wish = opened.wish(path, &answer, rules, &labels);
        let mut stamp = opened.text.stamp;
        let mut note = opened.note(&self.index, stamp, &answer);
        match ledger.write(run, &wish) {
            Ok(written) => {
                if written.changed {
                    if run.sink() == Sink::Frontmatter {
                        stamp = Stamp::default(); // Its echo tells the rest.
                    }
                    let beside = run.sink() != Sink::Frontmatter;
                    let stands = |tag: &String| is_among(tag, &opened.text.tags);
                    let removed = written.removed.iter();
                    // What is gone from beside the note may stand in it still.
                    let gone: Vec<String> = removed
                        .filter(|tag| !(beside && stands(tag)))
                        .cloned()
                        .collect();
                    note = changed(&self.index, note, &written.added, &gone);
                    note.content = written.after;
                    tracing::info!(
                        path = %path.display(),
                        added = written.added.join(", "),
                        removed = written.removed.join(", "),
                        "tagged"
                    );
                }
            }
            Err(error) if error.is_stale() => return Outcome::Unsettled,
            Err(error @ SinkError::Ledger { .. }) => {
                return self.held_up(path, opened, answer, LATER, error.to_string());
            }
            Err(error @ SinkError::InUse { .. }) => {
                return self.held_up(path, opened, answer, LOCKED, error.to_string());
            }
            Err(error) => {
                let is_passing = matches!(error, SinkError::Io { .. } | SinkError::ReadOnly(_));
                if is_passing {
                    stamp = Stamp::default();
                }
                answer.fault = Some(error.to_string());
                note = opened.note(&self.index, stamp, &answer);
                tracing::info!(path = %path.display(), %error, "tags were not written");
            }
        }
        note.stamp = stamp;
        self.index.put(path, note);
        Outcome::Done
    }

    /// Has an editor put the tags into the text that it has open.
    async fn edit(
        &self,
        path: &Path,
        opened: Opened,
        answer: Answer,
        rules: &InForce,
        run: &Run,
        editor: Arc<dyn Editor>,
    ) -> Outcome {
        let ledger = match &self.ledger {
            Ok(ledger) => Arc::clone(ledger),
            Err(fault) => return Outcome::Later(LATER, fault.clone()),
        };
        let Some(open) = editor.text(path) else {
            return Outcome::Unsettled; // It was just closed.
        };
        let labels = names(rules);
        let wish = opened.wish(path, &answer, rules, &labels);
        let change = match ledger.change(run, &wish, &open.text) {
            Ok(change) => change,
            Err(error) => {
                let fault = Some(error.to_string());
                let answer = Answer { fault, ..answer };
                self.remember(path, &opened, opened.text.stamp, answer);
                return Outcome::Done;
            }
        };
        if !change.edits.is_empty() {
            let what = "Tags by gliznet".to_owned();
            let edited = editor.apply(path, open.version, change.edits.clone(), what);
            match tokio::time::timeout(EDITOR, edited).await {
                Ok(Ok(true)) => {}
                // Its writer goes on writing: the next save asks again.
                Ok(Ok(false)) | Err(_) => {
                    let fault = format!(
                        "{}: the editor that has it open did not take its tags; they are put in when it is saved",
                        path.display()
                    );
                    return self.held_up(path, &opened, answer, LOCKED, fault);
                }
                Ok(Err(fault)) => {
                    let fault = format!(
                        "{}: the editor that has it open takes no tags ({fault}); close it there",
                        path.display()
                    );
                    return self.held_up(path, &opened, answer, LATER, fault);
                }
            }
            if let Err(error) = ledger.applied(run, &wish, &open.text, &change) {
                tracing::warn!(%error, "an edit by an editor was not recorded");
            }
        }
        // The file is still as it was; when the editor saves it, it is read again.
        self.remember(path, &opened, opened.text.stamp, answer);
        Outcome::Done
    }

    /// Something is in the way of a note that was read. What a person said by it was heard, and is
    /// not heard again when it is tried again.
    fn held_up(
        &self,
        path: &Path,
        opened: &Opened,
        answer: Answer,
        pause: Duration,
        fault: String,
    ) -> Outcome {
        let answer = Answer {
            basis: None,
            ..answer
        };
        self.remember(path, opened, opened.text.stamp, answer);
        Outcome::Later(pause, fault)
    }

    fn remember(&self, path: &Path, opened: &Opened, stamp: Stamp, answer: Answer) {
        let note = opened.note(&self.index, stamp, &answer);
        if opened.known.as_ref() != Some(&note) {
            self.index.put(path, note);
        }
    }

    /// A path has another name, and so have the notes `below` it: what was said of them holds
    /// under the new ones. Some of them may have tags of ours.
    pub(super) fn moved(&self, from: &Path, to: &Path, below: &[PathBuf], have_ours: bool) {
        let names = below.iter();
        let names = names.map(|old| (uri_of(old), uri_of(&moved_path(old, from, to))));
        self.desk.moved(&names.collect::<Vec<_>>());
        let Ok(ledger) = &self.ledger else { return };
        let moved = match have_ours {
            true => ledger.moved_with_tags(from, to),
            false => ledger.moved(from, to),
        };
        if let Err(error) = moved {
            tracing::warn!(%error, "a note has another name, and not all that is known followed");
        }
    }

    /// An editor has closed a note.
    pub(super) fn closed(&self, closed: &Closed) {
        if let (Ok(ledger), Some(text)) = (&self.ledger, &closed.text) {
            ledger.closed(&closed.path, text, closed.is_last);
        }
    }

    /// Notes are no more, and had these bytes: what comes under their names is not what they were.
    pub(super) fn gone(&self, notes: &[(PathBuf, Option<ContentHash>)]) {
        let names: Vec<String> = notes.iter().map(|(path, _)| uri_of(path)).collect();
        self.desk.gone(&names);
        if let Ok(ledger) = &self.ledger
            && let Err(error) = ledger.gone(notes)
        {
            tracing::warn!(%error, "that notes are gone was not recorded");
        }
    }
}
