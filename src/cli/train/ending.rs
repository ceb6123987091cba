//! A training that somebody ends: the first Ctrl-C or end signal in, a flag to look at out.
//!
//! Invariant: the first asks, and a checkpoint is saved; the second ends the process at once, which
//! loses what was learnt since the last one. Knows nothing of trainings.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether somebody asked for the end.
#[derive(Clone, Default)]
pub(super) struct Ending(Arc<AtomicBool>);

impl Ending {
    /// Hears signals from now on; `tell` is called once, when the first one comes.
    pub(super) fn heard(tell: impl FnOnce() + Send + 'static) -> Ending {
        let ending = Ending::default();
        let asked = ending.clone();
        let listener = std::thread::Builder::new().spawn(move || {
            if let Err(error) = listen(&asked, tell) {
                tracing::warn!(%error, "Ctrl-C is not heard: it ends the training without a checkpoint");
            }
        });
        if let Err(error) = listener {
            tracing::warn!(%error, "Ctrl-C is not heard: it ends the training without a checkpoint");
        }
        ending
    }

    pub(super) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

fn listen(asked: &Ending, tell: impl FnOnce()) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        signal().await?;
        asked.0.store(true, Ordering::Relaxed);
        tell();
        signal().await?;
        die()
    })
}

/// Ends the process as `kill -9` does, which no training loses a checkpoint by.
#[cfg(unix)]
fn die() -> io::Result<()> {
    use rustix::process::{Signal, getpid, kill_process};
    Ok(kill_process(getpid(), Signal::KILL)?)
}

#[cfg(not(unix))]
fn die() -> io::Result<()> {
    std::process::abort()
}

#[cfg(unix)]
async fn signal() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        heard = tokio::signal::ctrl_c() => heard,
    }
}

#[cfg(not(unix))]
async fn signal() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}
