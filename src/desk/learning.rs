//! What edges may ask of whoever teaches the model. The daemon brings the two together.
//!
//! Invariant: nobody here knows who teaches or how; where nobody does, the asker is told so.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::Desk;
use super::protocol::{LastRecord, LearningRecord};

/// What is being done.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Doing {
    /// Nothing.
    #[default]
    Resting,
    /// A job reads corrections, and asks the model what it says now.
    Preparing,
    /// A job makes one of so many steps.
    Practising {
        /// Which, from 1.
        step: usize,
        /// Of how many.
        of: usize,
    },
    /// A job's result is judged.
    Judging {
        /// The share of what was learnt.
        share: f64,
    },
    /// Another version is loaded, to serve from then on.
    Loading,
}

impl Doing {
    /// Whether a job runs.
    pub fn is_job(self) -> bool {
        !matches!(self, Doing::Resting | Doing::Loading)
    }

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Doing::Resting => "idle",
            Doing::Preparing => "preparing",
            Doing::Practising { .. } => "practising",
            Doing::Judging { .. } => "judging",
            Doing::Loading => "loading",
        }
    }
}

/// How the learning is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// What is being done.
    pub doing: Doing,
    /// How many jobs were begun: tells one from the next.
    pub job: u64,
    /// Corrections since the last job.
    pub new: usize,
    /// It begins by itself.
    pub is_automatic: bool,
    /// The version that serves; 0 is the shipped model, none while there is no model.
    pub version: Option<u32>,
    /// What happened last.
    pub last: Option<LastRecord>,
    /// What is wrong, with its cure.
    pub fault: Option<String>,
}

impl State {
    /// It for clients.
    pub fn record(&self) -> LearningRecord {
        let (step, of, share) = match self.doing {
            Doing::Practising { step, of } => (Some(step), Some(of), None),
            Doing::Judging { share } => (None, None, Some(share)),
            Doing::Resting | Doing::Preparing | Doing::Loading => (None, None, None),
        };
        LearningRecord {
            state: self.doing.name().to_owned(),
            automatic: self.is_automatic,
            new: self.new,
            version: self.version,
            step,
            of,
            share,
            last: self.last.clone(),
            fault: self.fault.clone(),
        }
    }
}

/// Why what was asked was not done: fact and cure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LearningError(pub String);

/// Somebody who teaches the model. All but `heard` and `state` may wait for a disk.
pub trait Learning: Send + Sync {
    /// Begins a job, unless one runs; `encoder` says whether the encoder practises too.
    ///
    /// # Errors
    /// It cannot be begun.
    fn start(&self, encoder: bool) -> Result<(), LearningError>;
    /// Ends the job that runs; says whether one did.
    ///
    /// # Errors
    /// Nobody answers.
    fn cancel(&self) -> Result<bool, LearningError>;
    /// Lets an earlier version serve, or the one that is named; returns when it does.
    ///
    /// # Errors
    /// There is no such version, or it cannot be loaded.
    fn roll_back(&self, to: Option<u32>) -> Result<(), LearningError>;
    /// Looks which version should serve: somebody may have chosen another. Returns when it does.
    ///
    /// # Errors
    /// Nobody answers.
    fn look(&self) -> Result<(), LearningError>;
    /// A correction was recorded.
    fn heard(&self);
    /// How it is, now and later.
    fn state(&self) -> watch::Receiver<State>;
}

impl Desk {
    /// Says who teaches the model.
    pub fn set_learning(&self, learning: Option<Arc<dyn Learning>>) {
        let place = self.learning.write();
        *place.unwrap_or_else(PoisonError::into_inner) = learning;
    }

    /// Who teaches the model.
    ///
    /// # Errors
    /// Nobody does.
    pub fn learning(&self) -> Result<Arc<dyn Learning>, LearningError> {
        let place = self.learning.read();
        let place = place.unwrap_or_else(PoisonError::into_inner);
        place.clone().ok_or_else(|| {
            LearningError("this gliznet learns nothing; ask again when it has started".to_owned())
        })
    }

    /// Somebody writes, or asks for something.
    pub fn touch(&self) {
        let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        *touched = std::time::Instant::now();
    }

    /// How long nobody has written or asked for anything.
    pub fn quiet(&self) -> Duration {
        let touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        touched.elapsed()
    }
}
