//! What the daemon says of learning: asked once, or until nothing is being learnt.
//!
//! Invariant: never starts a daemon.

use std::time::Duration;

use serde_json::Value;

use crate::cli::{Outcome, complain};
use crate::daemon::{Control, DaemonError, Place, find};
use crate::desk::protocol::{LearningRecord, TrainAction, TrainParams};

/// How long the daemon may take to answer; it may be loading a version.
const PATIENCE: Duration = Duration::from_secs(70);
/// How often it is asked how far it is.
const STEP: Duration = Duration::from_millis(150);

/// Asks the daemon that runs; none where none does.
pub(in crate::cli) fn ask(params: &TrainParams) -> Result<Option<LearningRecord>, DaemonError> {
    follow(params, false, &mut |_| {})
}

/// Has a daemon that runs serve what the pointer says now; says what it cannot.
pub(in crate::cli) fn reload() -> Outcome {
    let params = TrainParams {
        action: TrainAction::Reload,
        ..TrainParams::default()
    };
    let fault = match ask(&params) {
        Ok(record) => record.and_then(|record| record.fault),
        Err(error) => {
            complain(format_args!("the daemon was not told ({error})"));
            return Outcome::SomeFailed;
        }
    };
    match fault {
        Some(fault) => {
            complain(format_args!("the daemon: {fault}"));
            Outcome::SomeFailed
        }
        None => Outcome::Done,
    }
}

/// Asks the daemon that runs, and with `wait` asks on until nothing is being learnt any more.
pub(super) fn follow(
    params: &TrainParams,
    wait: bool,
    tell: &mut dyn FnMut(&LearningRecord),
) -> Result<Option<LearningRecord>, DaemonError> {
    let place = Place::of_this_build()?;
    crate::cli::block_on(async {
        let Some(mut control) = find(&place).await else {
            return Ok(None);
        };
        let mut record = once(&mut control, params).await?;
        while wait && record.state != "idle" {
            tell(&record);
            tokio::time::sleep(STEP).await;
            let status = TrainParams {
                action: TrainAction::Status,
                ..TrainParams::default()
            };
            record = once(&mut control, &status).await?;
        }
        Ok(Some(record))
    })
}

async fn once(control: &mut Control, params: &TrainParams) -> Result<LearningRecord, DaemonError> {
    let params = serde_json::to_value(params).unwrap_or(Value::Null); // Words cannot fail.
    control.request("gliznet/train", params, PATIENCE).await
}
