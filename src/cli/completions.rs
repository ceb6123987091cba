//! `gliznet completions`: a script for a shell, on standard output.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, Outcome};

/// Writes a shell's completion script to standard output.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples, each with its folder, which may not be there yet:
  mkdir -p ~/.local/share/bash-completion/completions
  gliznet completions bash > ~/.local/share/bash-completion/completions/gliznet

  mkdir -p ~/.config/fish/completions
  gliznet completions fish > ~/.config/fish/completions/gliznet.fish

  mkdir -p ~/.zfunc
  gliznet completions zsh > ~/.zfunc/_gliznet
Zsh looks there with `fpath+=~/.zfunc` before `compinit` in ~/.zshrc."
)]
pub(crate) struct Args {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    // The generator panics where writing fails, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "gliznet", &mut script);
    io::stdout().lock().write_all(&script)?;
    Ok(Outcome::Done)
}
