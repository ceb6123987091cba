//! The thread that decides when to learn, and lets what was learnt serve.
//!
//! Input: words of clients, lines of the job, and what it finds in the journal and in the folder of
//! versions. Output: jobs, models for the worker, and the state that others read.
//! Invariant: one job at a time; what is decided holds for what is on the disk, so a daemon that was
//! killed goes on where it was.
//!
//! Length: one loop and what it does with each word; apart they would share all its state.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant, SystemTime};

use tokio::runtime::Handle;
use tokio::sync::watch;

use super::child::Child;
use super::history::History;
use super::models::{Models, Served};
use crate::desk::Desk;
use crate::desk::learning::{Doing, State};
use crate::desk::protocol::LastRecord;
use crate::engine::worker::Loading;
use crate::learn::consolidate::ConsolidateError;
use crate::learn::consolidate::report::{Ending, Line};
use crate::learn::consolidate::track::Track;
use crate::learn::consolidate::trigger::{Situation, is_due};
use crate::learn::journal::Journal;
use crate::learn::versions::manifest::Outcome;
use crate::learn::versions::{By, Versions, Why};

/// How often it looks at what nobody tells of.
const PULSE: Duration = Duration::from_secs(5);
/// The same while the model is being loaded.
const SOON: Duration = Duration::from_millis(50);
/// How long nothing begins by itself after a job that something stood in the way of.
const PAUSE: Duration = Duration::from_secs(60);

/// What the thread is told.
pub(super) enum Word {
    /// A correction was recorded.
    Heard,
    /// Learn now; whether the encoder practises too.
    Start(bool, SyncSender<Result<(), String>>),
    /// Drop what is being learnt.
    Cancel(SyncSender<bool>),
    /// Let another version serve.
    RollBack(Option<u32>, SyncSender<Result<(), String>>),
    /// Look which version should serve.
    Look(SyncSender<()>),
    /// A job says how far it is.
    Line(u64, Line),
    /// A job says nothing any more.
    Ended(u64),
    /// The daemon ends.
    Close,
}

/// What the thread knows.
pub(super) struct Course {
    desk: Arc<Desk>,
    models: Arc<Models>,
    runtime: Handle,
    /// For those who follow a job.
    words: SyncSender<Word>,
    told: watch::Sender<State>,
    journal: Option<Journal>,
    /// The numbers of all corrections, ascending.
    numbers: Vec<u64>,
    track: Track,
    /// There are verdicts that the alarm has not heard.
    is_unheard: bool,
    history: History,
    /// When the folder of versions last changed, as far as it was read.
    seen: Option<SystemTime>,
    child: Option<Child>,
    /// The newest version when the job began.
    before: Option<u32>,
    /// The highest number of the journal when it began.
    begun: u64,
    /// Corrections that a job has seen without coming to an end, or without anything to learn.
    tried: u64,
    /// What the last job had no time for may be learnt: nobody has ended a job since.
    may_go_on: bool,
    /// Something was forgotten since the job began.
    is_stale: bool,
    /// Jobs in a row that something stood in the way of.
    failures: u32,
    /// Nothing begins by itself before this moment.
    not_before: Option<Instant>,
    /// Who wants a job, and waits until there is a model.
    asked: Vec<(bool, SyncSender<Result<(), String>>)>,
    state: State,
}

impl Course {
    pub(super) fn new(
        desk: Arc<Desk>,
        models: Arc<Models>,
        runtime: Handle,
        words: SyncSender<Word>,
        told: watch::Sender<State>,
    ) -> Course {
        let state = State {
            is_automatic: models.is_automatic(),
            ..State::default()
        };
        Course {
            desk,
            models,
            runtime,
            words,
            told,
            journal: None,
            numbers: Vec::new(),
            track: Track::default(),
            is_unheard: false,
            history: History::default(),
            seen: None,
            child: None,
            before: None,
            begun: 0,
            tried: 0,
            may_go_on: true,
            is_stale: false,
            failures: 0,
            not_before: None,
            asked: Vec::new(),
            state,
        }
    }

    /// Learns until it is told to close.
    pub(super) fn run(mut self, inbox: &Receiver<Word>) {
        loop {
            self.look();
            self.publish();
            self.answer_asked();
            let pause = if self.is_loading() { SOON } else { PULSE };
            match inbox.recv_timeout(pause) {
                Ok(Word::Close) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(word) => self.hear(word),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        if let Some(child) = self.child.take() {
            child.wait();
        }
    }

    /// Whether there is no model yet, but there may be in a moment.
    fn is_loading(&self) -> bool {
        let has_failed = matches!(*self.desk.loading().borrow(), Loading::Failed(_));
        self.models.served().is_none() && !has_failed
    }

    /// Begins the job that somebody asked for, or says why not.
    fn answer_asked(&mut self) {
        if self.is_loading() {
            return;
        }
        for (encoder, tell) in std::mem::take(&mut self.asked) {
            let started = self.start(encoder);
            self.publish(); // Whoever asks next is told that it runs.
            let _ = tell.send(started); // The asker may have left.
        }
    }

    fn hear(&mut self, word: Word) {
        match word {
            Word::Heard | Word::Close => {}
            Word::Start(encoder, tell) => {
                self.asked.push((encoder, tell));
                self.answer_asked();
            }
            Word::Cancel(tell) => {
                let child = self.child.as_mut();
                let was_running = child.is_some();
                if let Some(child) = child {
                    child.cancel();
                }
                let _ = tell.send(was_running); // The asker may have left; so below.
            }
            Word::RollBack(to, tell) => {
                let _ = tell.send(self.roll_back(to));
            }
            Word::Look(tell) => {
                self.look();
                self.publish();
                let _ = tell.send(());
            }
            Word::Line(job, line) => {
                if let Some(child) = self.child.as_mut().filter(|child| child.number == job) {
                    match line {
                        Line::Preparing => self.state.doing = Doing::Preparing,
                        Line::Practising { step, of } => {
                            self.state.doing = Doing::Practising { step, of };
                        }
                        Line::Judging { share } => self.state.doing = Doing::Judging { share },
                        Line::Ended { .. } => child.last = Some(line),
                    }
                }
            }
            Word::Ended(job) => {
                if self.child.as_ref().is_some_and(|child| child.number == job) {
                    self.ended();
                }
            }
        }
    }

    /// Looks at the disk and the clock, and does what is due.
    fn look(&mut self) {
        let Some(served) = self.models.served() else {
            return; // Nothing can be learnt before there is a model.
        };
        self.read_journal();
        self.read_versions(&served);
        if self.versions().current(&served.base) != served.pointed {
            self.take_over(&served);
        }
        if let Some(child) = &mut self.child {
            return child.hurry();
        }
        if !self.state.is_automatic {
            return;
        }
        self.listen_to_alarm();
        let left = match self.may_go_on {
            true => self.left(),
            false => 0,
        };
        let situation = Situation {
            new: self.after(self.history.finished.max(self.tried)) + left,
            idle: self.desk.quiet(),
            refusals: self.history.refusals.saturating_add(self.failures),
        };
        let may_begin = self
            .not_before
            .is_none_or(|moment| moment <= Instant::now());
        if may_begin && is_due(situation) {
            tracing::info!(new = situation.new, "learning from corrections");
            if let Err(fault) = self.start(false) {
                self.not_before = Some(Instant::now() + PAUSE);
                self.state.fault = Some(fault);
            }
        }
    }

    /// Takes note of what was recorded since it last looked, by whomever.
    fn read_journal(&mut self) {
        let data = &self.models.folders().data;
        let replay = match &mut self.journal {
            Some(journal) => journal.news(),
            None => Journal::open(data).map(|(journal, replay)| {
                self.journal = Some(journal);
                replay
            }),
        };
        let Ok(replay) = replay else {
            return; // Those who record are told so.
        };
        if replay.was_replaced {
            // Something was forgotten: all that is left is told anew.
            self.numbers.clear();
            self.track = Track::default();
            self.is_stale = true;
            if let Some(child) = &mut self.child {
                child.cancel();
            }
        }
        self.is_unheard |= !replay.entries.is_empty();
        for entry in &replay.entries {
            self.numbers.push(entry.sequence);
            self.track.hear(entry);
        }
    }

    /// Reads the folder of versions again if it has changed, and completes what was cut off there.
    fn read_versions(&mut self, served: &Served) {
        let changed = self.versions().changed();
        if self.seen.is_some() && self.seen == changed {
            return;
        }
        if self.child.is_none() {
            match self.versions().complete(&served.base) {
                Ok(Some(number)) => tracing::info!(number, "a version that was cut off serves"),
                Ok(None) => {}
                Err(error) => tracing::warn!("{error}"),
            }
        }
        self.seen = self.versions().changed();
        self.history = History::read(self.versions(), &served.base);
        if self.state.last.is_none() {
            self.state.last.clone_from(&self.history.last);
        }
    }

    fn versions(&self) -> &Versions {
        self.models.versions()
    }

    /// How many corrections were recorded after that number.
    fn after(&self, number: u64) -> usize {
        let old = self.numbers.partition_point(|known| *known <= number);
        self.numbers.len() - old
    }

    /// How many the last job had no time for.
    fn left(&self) -> usize {
        let left = self.history.left.iter();
        let there = left.filter(|number| self.numbers.binary_search(number).is_ok());
        there.count()
    }

    /// Begins a job, unless one runs.
    fn start(&mut self, encoder: bool) -> Result<(), String> {
        if self.child.is_some() {
            return Ok(());
        }
        if self.models.served().is_none() {
            return Err("there is no model yet; `gliznet status` says why".to_owned());
        }
        self.read_journal(); // What is forgotten from now on ends the job.
        self.is_stale = false;
        let number = self.state.job + 1;
        let child = Child::start(number, encoder, self.words.clone());
        let child = child.map_err(|error| {
            format!("learning could not be started ({error}); run `gliznet train now` to see why")
        })?;
        self.state.job = number;
        self.state.fault = None;
        self.state.doing = Doing::Preparing;
        self.before = self.history.newest.map(|(number, _)| number);
        self.begun = self.numbers.last().copied().unwrap_or(0);
        self.child = Some(child);
        Ok(())
    }

    /// The job has ended: what came of it is looked up, and serves.
    fn ended(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        let (was_cancelled, last) = (child.is_cancelled(), child.last.take());
        let status = child.wait();
        self.state.doing = Doing::Resting;
        self.read_journal(); // It may know of something forgotten before we do.
        let is_stale = std::mem::take(&mut self.is_stale);
        if let Some(served) = self.models.served() {
            self.seen = None; // It may have been ended after its work, and before its last word.
            self.read_versions(&served);
        }
        let made = self.history.newest;
        let made = made.filter(|(number, _)| Some(*number) > self.before);
        let (how, version, reason) = match (last, made) {
            (
                Some(Line::Ended {
                    how,
                    version,
                    reason,
                }),
                _,
            ) => (how, version, reason),
            (_, Some((number, outcome))) => {
                let how = match outcome {
                    Outcome::Accepted => Ending::Accepted,
                    Outcome::Refused => Ending::Refused,
                };
                let known = self.history.last.as_ref();
                let reason = known.map_or_else(String::new, |last| last.reason.clone());
                (how, Some(number), reason)
            }
            _ if is_stale => (
                Ending::Cancelled,
                None,
                ConsolidateError::Forgotten.to_string(),
            ),
            _ if was_cancelled => (
                Ending::Cancelled,
                None,
                "it was cancelled; nothing has changed".to_owned(),
            ),
            _ => (
                Ending::Failed,
                None,
                format!(
                    "the process that learns was ended ({status}); nothing has changed, and it is tried again later"
                ),
            ),
        };
        tracing::info!(how = how.name(), version, reason, "learning has ended");
        match how {
            // What is left is as new as it was.
            Ending::Cancelled if is_stale => self.failures = 0,
            Ending::Accepted | Ending::Refused | Ending::Nothing | Ending::Cancelled => {
                self.may_go_on = how == Ending::Accepted;
                self.failures = 0;
                // The manifest says so too, unless the settings name another model by now.
                self.tried = self.begun;
            }
            Ending::Busy => self.not_before = Some(Instant::now() + PAUSE),
            Ending::Failed => {
                self.failures = self.failures.saturating_add(1);
                self.not_before = Some(Instant::now() + PAUSE);
            }
        }
        self.happened(how.name(), version, reason);
        if how == Ending::Accepted
            && let Some(served) = self.models.served()
        {
            self.take_over(&served);
        }
    }

    fn happened(&mut self, outcome: &str, version: Option<u32>, reason: String) {
        self.state.last = Some(LastRecord {
            outcome: outcome.to_owned(),
            version,
            reason,
            time: now(),
        });
    }

    /// Lets the version serve that should.
    fn take_over(&mut self, served: &Served) {
        let pointed = self.versions().current(&served.base);
        let was_doing = std::mem::replace(&mut self.state.doing, Doing::Loading);
        self.publish();
        let taken = self.models.load().and_then(|(model, other)| {
            // The same weights under another number need no swap.
            if other.fingerprint != served.fingerprint {
                let swapped = self.runtime.block_on(self.desk.swap(model));
                swapped.map_err(|error| error.to_string())?;
            }
            Ok(other)
        });
        self.state.doing = was_doing;
        self.is_unheard = true;
        match taken {
            Ok(other) => {
                self.state.fault = (!other.notes.is_empty()).then(|| other.notes.join("; "));
                self.models.serves(other);
            }
            Err(fault) => {
                tracing::warn!("version {pointed} of the model cannot serve: {fault}");
                self.state.fault = Some(fault);
                // It is tried again when another one should serve.
                self.models.serves(Served {
                    pointed,
                    ..served.clone()
                });
            }
        }
    }

    fn roll_back(&mut self, to: Option<u32>) -> Result<(), String> {
        let served = self.models.served();
        let served = served.ok_or("there is no model yet; `gliznet status` says why")?;
        let why = Why {
            time: now(),
            by: By::Person,
            reason: String::new(),
        };
        let gone = self.versions().rollback(&served.base, to, why);
        gone.map_err(|error| error.to_string())?;
        let is_pointed = self.versions().current(&served.base) == served.pointed;
        if is_pointed && !served.notes.is_empty() {
            self.take_over(&served); // What was to be said of it may hold no more.
        }
        self.look();
        self.publish();
        match (&self.state.fault, self.models.served()) {
            (Some(fault), Some(now)) if now.number != now.pointed => Err(fault.clone()),
            _ => Ok(()),
        }
    }

    /// Goes back where the version that serves has to be corrected more often than the one before.
    fn listen_to_alarm(&mut self) {
        if !std::mem::take(&mut self.is_unheard) {
            return;
        }
        let Some(served) = self.models.served().filter(|served| served.number > 0) else {
            return;
        };
        let parent = self.versions().parent(&served.base, served.number);
        let since = self.history.chosen(served.number);
        let objection = self.track.objection(&served.names(parent).rivals(since));
        let Some(objection) = objection else { return };
        let reason = format!(
            "version {} was taken back: {objection}; {} serves again",
            served.number,
            match parent {
                0 => "the shipped model".to_owned(),
                parent => format!("version {parent}"),
            }
        );
        tracing::warn!("{reason}");
        let why = Why {
            time: now(),
            by: By::Alarm,
            reason: reason.clone(),
        };
        match self.versions().rollback(&served.base, Some(parent), why) {
            Ok(_) => {
                self.happened("taken-back", Some(served.number), reason);
                self.take_over(&served);
            }
            Err(error) => self.state.fault = Some(error.to_string()),
        }
    }

    /// Tells others how it is.
    fn publish(&mut self) {
        let served = self.models.served();
        self.state.version = served.as_ref().map(|served| served.number);
        if self.state.fault.is_none()
            && let Some(served) = served.filter(|served| !served.notes.is_empty())
        {
            self.state.fault = Some(served.notes.join("; "));
        }
        self.state.new = self.after(self.history.finished) + self.left();
        self.told.send_if_modified(|known| {
            let is_news = *known != self.state;
            known.clone_from(&self.state);
            is_news
        });
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs())
}
