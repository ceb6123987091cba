//! The command line: arguments in, results on standard output, messages on standard error.
//!
//! Exit codes: 0 all done, 1 some input failed, 2 the command was wrong.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod eval;
mod labelset;
mod model;
mod setup;
mod tag;

/// Tags your notes with your own labels, locally.
#[derive(Debug, Parser)]
#[command(name = "gliznet", version, about, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Tag(tag::Args),
    Eval(eval::Args),
    Labelset(labelset::Args),
    Model(model::Args),
}

/// How a command that did not fail as a whole has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Everything asked for was done.
    Done,
    /// Some inputs failed; each was named on standard error.
    SomeFailed,
}

/// The command itself was wrong (not its input): exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(crate) String);

/// Runs the command line of this process and says how it ended.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match &cli.command {
        Command::Tag(args) => tag::run(args),
        Command::Eval(args) => eval::run(args),
        Command::Labelset(args) => labelset::run(args),
        Command::Model(args) => model::run(args),
    };
    match outcome {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::SomeFailed) => ExitCode::from(1),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS, // The reader has seen enough.
        Err(error) => {
            anstream::eprintln!("gliznet: {error:#}");
            ExitCode::from(if error.is::<UsageError>() { 2 } else { 1 })
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
