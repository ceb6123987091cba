//! `gliznet model pull`: fetches a checkpoint and shows how it goes.

use std::io::{IsTerminal as _, Write as _};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Here, size};
use crate::cli::{Outcome, UsageError};
use crate::config;
use crate::model::hub::{Change, Event, HubError, Patience, Pull, Repository};
use crate::telemetry::harmless;

/// Fetches a model from the Hugging Face Hub, or goes on with an interrupted fetch.
///
/// HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE are respected.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The repository: OWNER/NAME, with @REVISION for another branch, tag or commit than `main`.
    #[arg(value_name = "REPO[@REV]")]
    repository: String,
    /// The model's name on this machine [default: the repository's own].
    #[arg(long, value_name = "N")]
    name: Option<String>,
}

pub(super) fn run(args: &Args, here: &Here) -> anyhow::Result<Outcome> {
    let pull = Pull {
        repository: Repository::parse(&args.repository).map_err(|e| UsageError(e.to_string()))?,
        name: args.name.clone(),
        endpoint: config::hub_endpoint()?,
        token: config::hub_token(),
        offline: config::offline(),
        patience: Patience::default(),
    };
    let mut display = Display::new();
    let pulled = pull.run(&here.store, &mut |event| display.show(&event));
    display.end();
    let pulled = pulled.map_err(|error| match error {
        HubError::BadName { .. } => anyhow::Error::from(UsageError(error.to_string())),
        _ => error.into(),
    })?;
    let commit: String = pulled.commit.chars().take(12).collect();
    let change = match pulled.change {
        Change::Installed => "is here now",
        Change::Updated => "was updated",
        Change::AlreadyHere => "was here already, complete and unchanged",
    };
    let mut out = anstream::stdout().lock();
    writeln!(
        out,
        "{} {change} (commit {commit}, {})",
        pulled.name,
        pulled.folder.display()
    )?;
    for name in &pulled.kept {
        writeln!(
            out,
            "{name} there is your own and stays; delete it and pull again to have the shipped one"
        )?;
    }
    if pulled.change == Change::Installed {
        writeln!(out, "`gliznet model use {}` lets it tag", pulled.name)?;
    }
    Ok(Outcome::Done)
}

/// A bar on a terminal, a line a file elsewhere; always on standard error.
struct Display {
    bar: ProgressBar,
    is_terminal: bool,
    /// What the finished files of the bar's whole hold.
    done: u64,
    current: u64,
}

impl Display {
    fn new() -> Display {
        let is_terminal = std::io::stderr().is_terminal();
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        if is_terminal {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        Display {
            bar,
            is_terminal,
            done: 0,
            current: 0,
        }
    }

    fn show(&mut self, event: &Event<'_>) {
        match event {
            Event::Listed { files, bytes } => {
                if let Some(bytes) = bytes {
                    self.bar.set_length(*bytes + self.done);
                    let template = "{msg} {wide_bar} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta}";
                    if let Ok(style) = ProgressStyle::with_template(template) {
                        self.bar.set_style(style);
                    }
                    self.line(&format!("{files} files, {}", size(*bytes)));
                }
            }
            Event::Started { name, bytes, from } => {
                self.current = *from;
                self.bar.set_message((*name).to_owned());
                self.bar.set_position(self.done + from);
                self.bar.reset_eta(); // What was here did not come over this connection.
                if *from > 0 && *bytes != Some(*from) {
                    self.line(&format!("{name}: going on after {}", size(*from)));
                }
            }
            Event::Received(bytes) => {
                self.current += bytes;
                self.bar.set_position(self.done + self.current);
            }
            Event::Retrying { name, why } => self.line(&format!("{name}: {why}; trying again")),
            Event::Verified { name } => {
                self.done += self.current;
                self.line(&format!("{name}: verified, {}", size(self.current)));
            }
        }
    }

    fn line(&self, text: &str) {
        let text = harmless(text);
        if self.is_terminal {
            self.bar.println(text);
        } else {
            anstream::eprintln!("{text}");
        }
    }

    fn end(&self) {
        self.bar.finish_and_clear();
    }
}
