//! The method `gliznet/train`; how far the learning is; and documents that another version serves.
//!
//! Input: the records of `desk::protocol`, and what whoever teaches tells. Output: their answers, a
//! progress that can be cancelled, and documents that are read again.
//! Invariant: no handler's thread waits for a disk; a client that does not answer loses its
//! progress bar, and nothing else.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch::Receiver;
use tower_lsp::Client;
use tower_lsp::jsonrpc::{Error, Result};
use tower_lsp::ls_types::{MessageType, ProgressToken};

use super::error::failed;
use super::session::{Session, Shared};
use super::suggest::PAUSE;
use super::words::Words;
use crate::desk::learning::{Doing, LearningError, State};
use crate::desk::protocol::{LearningRecord, TrainAction, TrainParams};
use crate::engine::worker::Loading;

/// How long a client may take to make room for a progress, or to take one message of it.
const PATIENCE: Duration = Duration::from_secs(10);
/// A progress bar need not move more often.
const STEP: Duration = Duration::from_millis(500);
/// How the tokens of our progress begin; the number of the job follows.
const TOKEN: &str = "gliznet/learning/";

impl Session {
    pub(super) async fn train(&self, params: TrainParams) -> Result<LearningRecord> {
        let learning = self.shared.desk.learning();
        let learning = learning.map_err(|error| failed(&error.to_string()))?;
        let mut state = learning.state();
        let act = move || -> std::result::Result<(), LearningError> {
            match params.action {
                TrainAction::Status => Ok(()),
                TrainAction::Start => learning.start(params.encoder),
                TrainAction::Cancel => learning.cancel().map(drop),
                TrainAction::Rollback => learning.roll_back(params.to),
                TrainAction::Reload => learning.look(),
            }
        };
        let acted = tokio::task::spawn_blocking(act).await;
        let acted = acted.map_err(|_| Error::internal_error())?;
        acted.map_err(|error| failed(&error.to_string()))?;
        if params.wait {
            let over = state.wait_for(|now| now.doing == Doing::Resting).await;
            let over = over.map(|now| now.record());
            return over.map_err(|_| failed("gliznet is stopping; ask again when it runs"));
        }
        Ok(state.borrow_and_update().record())
    }

    /// Ends the job whose progress the client shows. Says whether the token is of one.
    pub(super) async fn cancel_learning(&self, token: &ProgressToken) -> bool {
        let ProgressToken::String(token) = token else {
            return false;
        };
        if !token.starts_with(TOKEN) {
            return false;
        }
        if let Ok(learning) = self.shared.desk.learning()
            && *token == token_of(&learning.state().borrow())
        {
            // The person sees in the progress that it has ended.
            drop(tokio::task::spawn_blocking(move || learning.cancel()));
        }
        true
    }
}

fn token_of(state: &State) -> String {
    format!("{TOKEN}{}", state.job)
}

impl Shared {
    /// Reads all open documents again whenever another version of the model answers, and when the
    /// memory knows what corrections mean to it, until the client leaves.
    pub(super) async fn follow_model(self: Arc<Shared>) {
        let mut loading = self.desk.loading();
        let fingerprint = |loading: &Loading| match loading {
            Loading::Ready(facts) => Some(Arc::clone(&facts.fingerprint)),
            Loading::Underway | Loading::Failed(_) => None,
        };
        let mut learnt = self.desk.learnt();
        let mut answers = fingerprint(&loading.borrow_and_update());
        loop {
            tokio::select! {
                changed = loading.changed() => if changed.is_err() { return },
                changed = learnt.changed() => match changed {
                    Ok(()) => {
                        // Where many notes are corrected one after the other, not after each.
                        tokio::time::sleep(PAUSE).await;
                        learnt.borrow_and_update();
                        self.suggest_again();
                        continue;
                    }
                    Err(_) => return,
                },
            }
            let now = fingerprint(&loading.borrow_and_update());
            // Whoever asked before there was a model is still waiting for the first.
            if answers.is_some() && now != answers {
                self.suggest_all();
            }
            answers = now;
        }
    }

    /// Shows how far the learning is whenever a job runs, and says what the person should know,
    /// until the client leaves.
    pub(super) async fn show_learning(self: Arc<Shared>) {
        let Ok(learning) = self.desk.learning() else {
            return;
        };
        let begun = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let begun = begun.map_or(0, |since| since.as_secs());
        let mut state = learning.state();
        drop(learning);
        let mut known = state.borrow_and_update().clone();
        // What the client can do is known when it has introduced itself.
        while self.client.get().is_none() || self.traits.get().is_none() {
            tokio::time::sleep(STEP).await;
        }
        let now = state.borrow_and_update().clone();
        self.say_news(&known, &now, begun).await;
        known = now;
        let mut shown = 0; // A client that takes no progress of a job is not asked again for it.
        loop {
            if known.doing.is_job() && known.job != shown && self.traits().shows_progress {
                shown = known.job;
                let Some(client) = self.client.get() else {
                    return;
                };
                show(client, &known, self.traits().words, &mut state).await;
            } else if state.changed().await.is_err() {
                return;
            }
            let now = state.borrow_and_update().clone();
            self.say_news(&known, &now, begun).await;
            known = now;
        }
    }

    /// Says what went wrong since then, and not before the client came.
    async fn say_news(&self, before: &State, now: &State, begun: u64) {
        let last = now.last.as_ref().filter(|last| last.time >= begun);
        if let Some(last) = last.filter(|last| last.outcome == "taken-back")
            && now.last != before.last
        {
            self.say_once(MessageType::WARNING, &last.reason).await;
        }
        if let Some(fault) = &now.fault
            && now.fault != before.fault
        {
            self.say_once(MessageType::WARNING, fault).await;
        }
    }
}

/// Shows one job until it ends.
async fn show(client: &Client, job: &State, words: Words, state: &mut Receiver<State>) {
    let token = ProgressToken::String(token_of(job));
    let created = client.create_work_done_progress(token.clone());
    if !matches!(tokio::time::timeout(PATIENCE, created).await, Ok(Ok(()))) {
        return;
    }
    let bar = client
        .progress(token, words.learning())
        .with_percentage(0)
        .with_cancel_button()
        .begin()
        .await;
    loop {
        let now = state.borrow_and_update().clone();
        if now.job != job.job || !now.doing.is_job() {
            break;
        }
        let (message, percentage) = said(now.doing);
        let told = bar.report_with_message(message, percentage, None);
        if tokio::time::timeout(PATIENCE, told).await.is_err() {
            return;
        }
        let over = state.wait_for(|now| now.job != job.job || !now.doing.is_job());
        let _ = tokio::time::timeout(STEP, over).await; // It goes on.
        if state.has_changed().is_err() {
            break;
        }
    }
    let last = state.borrow().last.clone();
    let message = last.map_or_else(String::new, |last| match (&*last.outcome, last.version) {
        ("accepted", Some(version)) => format!("version {version} serves"),
        ("refused", _) => "what was learnt did not pass; nothing has changed".to_owned(),
        _ => last.reason,
    });
    let told = bar.finish_with_message(message);
    let _ = tokio::time::timeout(PATIENCE, told).await; // It has gone, then.
}

/// A stage in words, and how much of a job is behind it.
fn said(doing: Doing) -> (String, u32) {
    match doing {
        Doing::Practising { step, of } => {
            let done = 10 + 70 * step / of.max(1);
            let percentage = u32::try_from(done).unwrap_or(80).min(80);
            (format!("step {step} of {of}"), percentage)
        }
        Doing::Judging { share } => (format!("judging {} % of it", 100.0 * share), 85),
        Doing::Preparing | Doing::Loading | Doing::Resting => ("reading corrections".to_owned(), 5),
    }
}
