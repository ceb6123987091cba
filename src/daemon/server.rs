//! The daemon itself: waits for clients, serves each, and ends when it should.
//!
//! It ends when it is told to (`gliznet/stop`, a signal), when nobody was there for the idle time
//! and no folder is watched, when another daemon has its place, or when what it began with is over.
//! Then nobody new is let in, open questions are answered, and the socket goes.
//! Invariant: one daemon a build and user, and one a data folder, by locks that the system frees
//! whatever happens.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use super::DaemonError;
use super::claim::claim;
use super::client::start;
use super::door::{Door, lock};
use super::learning::{Learner, Models};
use super::place::Place;
use crate::desk::Desk;
use crate::desk::learning::{Learning, State};
use crate::desk::watching::Watching;
use crate::lsp;
use crate::watch::Watch;

/// How often the daemon looks whether clients still find it, and whether it is over.
const LOOK: Duration = Duration::from_secs(2);
/// How long sessions may take to end, longer than each gives its client.
const FAREWELL: Duration = Duration::from_secs(9);

/// Runs until the daemon should end, which `is_over` may say too: then it starts the next one, which
/// begins anew, since editors that are idle start none. `desk` is called once the place and the
/// `data` folder are ours.
///
/// # Errors
/// Another daemon of this build or in this data folder runs, or the socket cannot be made.
pub fn run(
    place: &Place,
    idle: Option<Duration>,
    data: &Path,
    is_over: impl Fn() -> bool,
    desk: impl FnOnce() -> Result<(Desk, Arc<Models>), DaemonError>,
) -> Result<(), DaemonError> {
    place.prepare()?;
    let mut lock = lock(place)?;
    let claim = claim(data)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        // Of the 512 that tokio would start, each keeps its own memory (benches/README.md).
        .max_blocking_threads(32)
        .thread_name("gliznet-io")
        .enable_all()
        .build()
        .map_err(|cause| place.io(cause))?;
    let is_over = runtime.block_on(async {
        let door = Door::open(place, &mut lock)?;
        let (desk, models) = desk()?;
        let desk = Arc::new(desk);
        tokio::spawn(Arc::clone(&desk).remember());
        let folders = desk.folders().clone();
        let watch = Watch::start(Arc::clone(&desk), folders, Handle::current());
        desk.set_watching(Some(Arc::clone(&watch) as Arc<dyn Watching>));
        let learner = Learner::start(Arc::clone(&desk), models, Handle::current());
        let learner = learner.map_err(|error| DaemonError::Start(error.to_string()))?;
        desk.set_learning(Some(Arc::clone(&learner) as Arc<dyn Learning>));
        tracing::info!(socket = %place.socket().display(), "listening");
        let is_over = serve(door, &desk, idle, is_over).await;
        // Closing waits for the question that runs, so it may not hold a thread of the runtime.
        let closed = tokio::task::spawn_blocking(move || {
            desk.set_watching(None);
            desk.set_learning(None);
            learner.close(); // Before the worker, which it may be waiting for.
            // What it asked is withdrawn, and what it found out is on disk before the model goes.
            watch.close();
            desk.close();
        });
        let _ = closed.await;
        Ok::<_, DaemonError>(is_over)
    })?;
    drop((runtime, claim, lock));
    if is_over {
        start(place)?;
    }
    Ok(())
}

/// Serves clients until the daemon should end. Says whether that is because `is_over`.
async fn serve(
    mut door: Door<'_>,
    desk: &Arc<Desk>,
    idle: Option<Duration>,
    is_over: impl Fn() -> bool,
) -> bool {
    let (stop, mut asked_to_stop) = mpsc::channel(1);
    let (tell_stopping, stopping) = watch::channel(false);
    let mut clients = JoinSet::new();
    let mut empty_since = Instant::now();
    let mut learning = desk.learning().ok().map(|learning| learning.state());
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_shut_out = false;
    let signal = end_signal();
    tokio::pin!(signal);
    let was_over = loop {
        let deadline = idle.map(|idle| empty_since + idle);
        let nobody_comes = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            accepted = door.listener.accept() => match accepted {
                Ok(stream) => {
                    let (desk, stop) = (Arc::clone(desk), stop.clone());
                    let stopping = stopping.clone();
                    clients.spawn(async move {
                        let (reader, writer) = tokio::io::split(stream);
                        lsp::serve(reader, writer, desk, stop, stopping).await;
                    });
                }
                Err(error) => {
                    // Too many open files, most likely: those that are here go on.
                    tracing::warn!(%error, "a client could not be let in");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(left) = clients.join_next(), if !clients.is_empty() => {
                if left.is_err_and(|error| error.is_panic()) {
                    tracing::error!("a client's session broke down; the others go on");
                }
                empty_since = Instant::now();
            }
            _ = asked_to_stop.recv() => {
                tracing::info!("asked to stop");
                break false;
            }
            () = &mut signal => break false,
            _ = look.tick() => {
                match door.mend() {
                    Ok(is_mended) => {
                        if is_mended {
                            tracing::warn!("the socket or its lock was removed, and is there again");
                        }
                        is_shut_out = false;
                    }
                    Err(DaemonError::Runs) => {
                        tracing::warn!("another daemon has taken this one's place");
                        break false;
                    }
                    Err(error) => {
                        if !std::mem::replace(&mut is_shut_out, true) {
                            tracing::warn!(%error, "the socket was removed, and cannot be made again yet");
                        }
                    }
                }
                if is_over() {
                    tracing::info!("what it began with is over; another one begins");
                    break true;
                }
            }
            // Whoever is not let go while something is learnt is let go after it.
            () = settled(&mut learning) => {}
            () = nobody_comes, if clients.is_empty() && !is_watching(desk) && !is_learning(desk) => {
                tracing::info!("nobody is here; good night");
                break false;
            }
        }
    };
    drop(door); // Whoever connects now finds nobody, and starts a new daemon.
    tell_stopping.send_replace(true);
    let all = async { while clients.join_next().await.is_some() {} };
    if tokio::time::timeout(FAREWELL, all).await.is_err() {
        tracing::warn!("a client's session does not end; it is given up");
    }
    was_over
}

/// Whether a job runs, which is not thrown away because nobody is here.
fn is_learning(desk: &Desk) -> bool {
    desk.learning()
        .is_ok_and(|learning| learning.state().borrow().doing.is_job())
}

/// Returns when a job has begun or ended.
async fn settled(learning: &mut Option<watch::Receiver<State>>) {
    if let Some(state) = learning {
        let is_job = state.borrow_and_update().doing.is_job();
        let changed = state.wait_for(|now| now.doing.is_job() != is_job).await;
        if changed.is_ok() {
            return;
        }
    }
    std::future::pending().await
}

/// Whether a folder is watched, for which the daemon stays although nobody is here.
fn is_watching(desk: &Desk) -> bool {
    desk.watching().is_ok_and(|watching| watching.is_watching())
}

#[cfg(unix)]
async fn end_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(signal) => signal,
        Err(error) => {
            tracing::warn!(%error, "signals are not heard; end the daemon with `gliznet stop`");
            return std::future::pending().await;
        }
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

#[cfg(not(unix))]
async fn end_signal() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}
