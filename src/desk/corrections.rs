//! Takes a verdict: what was said in, a record on disk out.
//!
//! Invariant: a verdict is acknowledged only when it is on disk, and holds for every answer from
//! then on; whoever leaves before the answer is recorded all the same.
//! Knows nothing of who says it, but the word that is written down.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

use super::{Desk, DeskError, Rules, Tagged, Text};
use crate::correction::{Correction, Said, Shown, Verdicts};
use crate::engine::scheduler::Priority;
use crate::engine::worker::Loading;
use crate::learn::journal::{Journal, JournalError};

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
        let mut correction = Correction::new(source, text.format, &rules.labels, said)?;
        correction.document = text.name.clone();
        let answered = self.answered(text, rules).await;
        correction.shown = answered.as_ref().map(|tagged| shown(tagged, &correction));
        let desk = Arc::clone(self);
        let written = tokio::task::spawn_blocking(move || desk.write(correction, answered));
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

    /// Writes a correction down, and learns from it. Waits for the disk.
    fn write(
        &self,
        correction: Correction,
        answered: Option<Tagged>,
    ) -> Result<(u64, Correction), DeskError> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.map_or(0, |since| since.as_secs());
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        if journal.is_err() {
            // What stood in the way, a full disk for instance, may be gone.
            *journal = self.reopened();
        }
        let journal = journal
            .as_mut()
            .map_err(|error| DeskError::Journal(error.to_string()))?;
        let recorded = journal
            .append(&correction, now)
            .map_err(|error| DeskError::Journal(error.to_string()))?;
        let mut verdicts = self
            .verdicts
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        for entry in &recorded.missed.entries {
            verdicts.apply(&entry.correction);
            self.memorise(entry.sequence, &entry.correction, None);
        }
        verdicts.apply(&correction);
        drop(verdicts);
        self.memorise(recorded.sequence, &correction, answered.as_ref());
        if let Some(name) = &correction.document {
            let _ = self.corrected.send(name.as_str().into()); // Nobody may listen.
        }
        Ok((recorded.sequence, correction))
    }

    fn reopened(&self) -> Result<Journal, JournalError> {
        let (journal, replay) = Journal::open(&self.folders.data)?;
        let mut verdicts = self
            .verdicts
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *verdicts = Verdicts::default();
        for entry in &replay.entries {
            verdicts.apply(&entry.correction);
            self.memorise(entry.sequence, &entry.correction, None);
        }
        Ok(journal)
    }
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
