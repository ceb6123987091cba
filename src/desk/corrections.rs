//! Takes a verdict: what was said in, a record on disk out.
//!
//! Invariant: a verdict is acknowledged only when it is on disk, and holds for every answer from
//! then on; whoever leaves before the answer is recorded all the same.
//! Knows nothing of who says it, but the word that is written down.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

use super::editors::denied;
use super::{Desk, DeskError, Rules, Tagged, Text};
use crate::correction::{Correction, CorrectionFault, Said, Shown, Verdict, Verdicts};
use crate::engine::scheduler::Priority;
use crate::engine::worker::Loading;
use crate::label::Label;
use crate::learn::journal::{Journal, JournalError, Moved, Replay};
use crate::learn::memory::Memory;

/// How long a verdict waits for the scores it is about. Mostly they are known; where the model is
/// busy, the verdict matters more than they do.
const PATIENCE: Duration = Duration::from_millis(300);

impl Desk {
    /// Records a verdict. Waits for the disk. Gives its number in the journal, and the verdict as
    /// it was understood.
    ///
    /// # Errors
    /// The verdict means nothing, or could not be recorded.
    pub async fn correct(
        self: &Arc<Desk>,
        text: Text,
        rules: Rules,
        said: Said,
    ) -> Result<(u64, Correction), DeskError> {
        let desk = Arc::clone(self);
        let recorded = tokio::spawn(async move { desk.record(text, rules, &said).await });
        recorded.await.unwrap_or(Err(DeskError::Broken))
    }

    async fn record(
        self: &Arc<Desk>,
        text: Text,
        rules: Rules,
        said: &Said,
    ) -> Result<(u64, Correction), DeskError> {
        let source = text.source.to_string();
        if source.trim().is_empty() && text.name.is_none() {
            return Err(CorrectionFault::Empty.into());
        }
        let mut correction = Correction::new(source, text.format, &rules.labels, said)?;
        correction.document = text.name.clone();
        let labels = Arc::clone(&rules.labels);
        let answered = self.answered(text, rules).await;
        correction.shown = answered.as_ref().map(|tagged| shown(tagged, &correction));
        let desk = Arc::clone(self);
        let written = tokio::task::spawn_blocking(move || {
            let standing = match correction.rejected.is_empty() {
                true => Vec::new(), // Only what is rejected is looked for.
                false => denied::standing(&correction.text, correction.format, &labels),
            };
            desk.write(correction, answered, &standing)
        });
        written.await.unwrap_or(Err(DeskError::Broken))
    }

    /// What is answered for a text before the verdict on it; none where that would take long.
    async fn answered(&self, text: Text, rules: Rules) -> Option<Tagged> {
        if !matches!(&*self.loading().borrow(), Loading::Ready(_)) {
            return None;
        }
        let asked = self.tag(text, rules, Priority::Interactive);
        tokio::time::timeout(PATIENCE, asked).await.ok()?.ok()
    }

    /// Writes a correction down, and learns from it; `standing` are labels that stand in its text.
    /// Waits for the disk.
    fn write(
        &self,
        correction: Correction,
        answered: Option<Tagged>,
        standing: &[String],
    ) -> Result<(u64, Correction), DeskError> {
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        if journal.is_err() {
            // What stood in the way, a full disk for instance, may be gone.
            *journal = self.reopened();
        }
        let journal = journal
            .as_mut()
            .map_err(|error| DeskError::Journal(error.to_string()))?;
        let time = now();
        let recorded = journal
            .append(&correction, time)
            .map_err(|error| DeskError::Journal(error.to_string()))?;
        let mut verdicts = self
            .verdicts
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        hear(&mut verdicts, &mut self.memory_mut(), &recorded.missed);
        verdicts.apply(&correction, time);
        drop(verdicts);
        self.editors.denied.heard(&correction, standing);
        self.memorise(recorded.sequence, &correction, answered.as_ref());
        if let Some(name) = &correction.document {
            let _ = self.corrected.send(name.as_str().into()); // Nobody may listen.
        }
        if let Ok(learning) = self.learning() {
            learning.heard();
        }
        Ok((recorded.sequence, correction))
    }

    fn reopened(&self) -> Result<Journal, JournalError> {
        let (journal, replay) = Journal::open(&self.folders.data)?;
        let all = Replay {
            was_replaced: true,
            ..replay
        };
        let mut verdicts = self
            .verdicts
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        hear(&mut verdicts, &mut self.memory_mut(), &all);
        Ok(journal)
    }

    /// Takes note of what other processes have written into the journal, or taken out of it.
    /// Gives how many corrections there are. Waits for the disk.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn refresh(&self) -> Result<u64, DeskError> {
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self
            .verdicts
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if journal.is_err() {
            *journal = self.reopened();
        }
        let of_journal = |error: &JournalError| DeskError::Journal(error.to_string());
        let journal = journal.as_mut().map_err(|error| of_journal(error))?;
        let news = journal.news().map_err(|error| of_journal(&error))?;
        let mut verdicts = self
            .verdicts
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        hear(&mut verdicts, &mut self.memory_mut(), &news);
        self.unlearnt.notify_one(); // Texts that are new here are to be looked at.
        if self.memory().unlearnt().is_empty() {
            self.tell_learnt(); // Nothing will be learnt that would tell it later.
        }
        for name in verdicts.changed_since(&before) {
            let _ = self.corrected.send(name.into()); // Nobody may listen.
        }
        Ok(journal.count())
    }

    /// Documents have other names, `(from, to)`: what a person said of them holds under these, also
    /// for those who come later. Waits for the disk.
    pub fn moved(&self, names: &[(String, String)]) {
        let moved = names.iter().map(|(from, to)| Moved {
            from: from.clone(),
            to: Some(to.clone()),
        });
        self.renamed(moved.collect());
    }

    /// There are no such documents any more: what a person said of them holds for texts like theirs,
    /// and for no other document of their name. Waits for the disk.
    pub fn gone(&self, names: &[String]) {
        let gone = names.iter().map(|name| Moved {
            from: name.clone(),
            to: None,
        });
        self.renamed(gone.collect());
    }

    /// When a person said that a label fits a document, if that is what holds.
    pub fn accepted_at(&self, document: &str, label: &Label) -> Option<u64> {
        let verdicts = self.verdicts.read().unwrap_or_else(PoisonError::into_inner);
        verdicts.of(document)?.accepted_at(label)
    }

    /// What holds of a document by what a person said of it; none where nobody said anything.
    pub fn said_of(&self, document: &str) -> Option<Verdict> {
        let verdicts = self.verdicts.read().unwrap_or_else(PoisonError::into_inner);
        verdicts.of(document).cloned()
    }

    fn renamed(&self, moved: Vec<Moved>) {
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let mut verdicts = self
            .verdicts
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let judged = moved.into_iter();
        let judged = judged.filter(|moved| verdicts.of(&moved.from).is_some());
        let judged: Vec<Moved> = judged.collect();
        if judged.is_empty() {
            return;
        }
        let written = match journal.as_mut() {
            Ok(journal) => journal.moved(&judged, now()).map_err(|e| e.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match written {
            Ok(missed) => hear(&mut verdicts, &mut self.memory_mut(), &missed),
            Err(error) => tracing::warn!(error, "that a document has another name is not recorded"),
        }
        let mut memory = self.memory_mut();
        for moved in &judged {
            follow(&mut verdicts, &mut memory, moved);
            self.editors.denied.follow(&moved.from, moved.to.as_deref());
        }
    }
}

/// What the journal says counts from now on.
pub(super) fn hear(verdicts: &mut Verdicts, memory: &mut Memory, replay: &Replay) {
    if replay.was_replaced {
        // Of what was forgotten nothing may stay; the rest is learnt again.
        *verdicts = Verdicts::default();
        *memory = Memory::default();
    } else {
        for moved in &replay.moved {
            follow(verdicts, memory, moved);
        }
    }
    for entry in &replay.entries {
        verdicts.apply(&entry.correction, entry.time);
        memory.add(entry.sequence, &entry.correction);
    }
}

/// What was said of a document holds under its new name, or for no document any more.
fn follow(verdicts: &mut Verdicts, memory: &mut Memory, moved: &Moved) {
    match &moved.to {
        Some(to) => {
            verdicts.rename(&moved.from, to);
            memory.rename(&moved.from, to);
        }
        None => {
            verdicts.gone(&moved.from);
            memory.gone(&moved.from);
        }
    }
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs())
}

/// The part of an answer that a correction is about: what was suggested, and what was judged.
fn shown(tagged: &Tagged, correction: &Correction) -> Shown {
    let judged = |label: &str| correction.verdicts().any(|(name, _)| name == label);
    let scores = tagged.answer.prediction.scores.iter().filter_map(|scored| {
        let label = &tagged.labels.label(scored.label).name;
        let is_tag = tagged.tags.iter().any(|tag| tag.label == *label);
        (is_tag || judged(label)).then(|| (label.clone(), scored.score))
    });
    Shown {
        model: tagged.answer.model.name.to_string(),
        scores: scores.collect(),
        suggested: tagged.tags.iter().map(|tag| tag.label.clone()).collect(),
    }
}
