//! `gliznet lsp`: what an editor starts. Bytes between it and the daemon, which is started if there is none.

use super::Outcome;
use crate::daemon::{Ended, Place, pump};
use crate::telemetry;

/// Speaks the language server protocol on standard input and output, for editors.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Editors say so by habit; there is no other way
    #[arg(long, hide = true)]
    stdio: bool,
}

pub(crate) fn run(_: &Args) -> anyhow::Result<Outcome> {
    telemetry::init(0);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let ended = runtime.block_on(pump(
        tokio::io::stdin(),
        tokio::io::stdout(),
        Place::of_this_build,
    ));
    // A read of standard input cannot be taken back; it must not hold the process.
    runtime.shutdown_background();
    Ok(match ended? {
        Ended::InOrder => Outcome::Done,
        Ended::Abruptly => Outcome::SomeFailed,
    })
}
