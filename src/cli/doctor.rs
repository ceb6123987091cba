//! `gliznet doctor`: what stands in the way of the daemon, with the cure. Changes and starts nothing.

mod learnt;

use std::fmt;
use std::io::Write;
use std::path::Path;

use super::columns::paragraph;
use super::setup::{LabelArgs, Surroundings, language_fact};
use super::{Outcome, sentence, status};
use crate::config::{self, Folders};
use crate::daemon::Place;
use crate::desk::protocol::StatusResult;
use crate::learn::journal;
use crate::model::store::Store;

/// Checks socket, settings, model, labels, watched folders, journal, limits and editors; exit code 1 where something is wrong.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// How one thing is.
enum Finding {
    Good(String),
    /// It works, but not as well as it might.
    Poor(String),
    /// The fact and the cure.
    Bad(String),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, fact) = match self {
            Finding::Good(fact) => ("ok", fact),
            Finding::Poor(fact) => ("notice", fact),
            Finding::Bad(fact) => ("problem", fact),
        };
        let fact = paragraph(fact, 9);
        // Where it is not wrapped, several lines stand below each other all the same.
        let fact = fact.lines().map(str::trim_start).collect::<Vec<_>>();
        write!(f, "{kind:<9}{}", fact.join("\n         "))
    }
}

pub(crate) fn run(_: &Args) -> anyhow::Result<Outcome> {
    let mut findings = vec![socket()];
    match Folders::of_this_user() {
        Err(error) => findings.push(Finding::Bad(sentence(&error.into()))),
        Ok(folders) => {
            findings.extend(here(&folders));
            let running = Place::of_this_build().and_then(|place| status::ask(&place));
            let running = running.ok().flatten();
            findings.extend(settings_of_daemon(&folders, running.as_ref()));
            findings.extend(watched(&folders, running));
            findings.push(writable("cache", &folders.cache));
            findings.push(writable("corrections", &folders.data));
            findings.extend(journal_file(&folders.data));
            findings.extend(learnt::findings(&folders));
        }
    }
    findings.extend(limits());
    findings.push(editors());
    let mut out = std::io::stdout().lock();
    for finding in &findings {
        writeln!(out, "{finding}")?;
    }
    let is_bad = |finding: &Finding| matches!(finding, Finding::Bad(_));
    Ok(if findings.iter().any(is_bad) {
        Outcome::SomeFailed
    } else {
        Outcome::Done
    })
}

fn socket() -> Finding {
    let place = match Place::of_this_build() {
        Ok(place) => place,
        Err(error) => return Finding::Bad(sentence(&error.into())),
    };
    if let Err(error) = place.prepare() {
        return Finding::Bad(sentence(&error.into()));
    }
    let socket = place.socket();
    match status::ask(&place) {
        Err(error) => Finding::Bad(sentence(&error.into())),
        Ok(None) => match status::absent(&place) {
            Some(fault) => Finding::Bad(sentence(&fault.into())),
            None => Finding::Good(format!(
                "no daemon runs; one would listen on {}",
                socket.display()
            )),
        },
        Ok(Some(status)) => match status.model.fault {
            Some(fault) => Finding::Bad(format!("the daemon has no model: {fault}")),
            None => Finding::Good(format!(
                "the daemon (process {}) listens on {}",
                status.pid,
                // It may be of a newer build.
                Place {
                    build: status.build,
                    ..place
                }
                .socket()
                .display()
            )),
        },
    }
}

/// What holds in the current folder, as `gliznet tag` finds it.
fn here(folders: &Folders) -> Vec<Finding> {
    let mut findings = vec![Finding::Good(format!(
        "settings in {}",
        folders.config.display()
    ))];
    let surroundings = match Surroundings::here() {
        Ok(surroundings) => surroundings,
        Err(error) => {
            findings.push(Finding::Bad(sentence(&error)));
            return findings;
        }
    };
    let store = Store::new(folders, crate::model::bundled_files());
    let mut entry = None;
    findings.push(match store.current(&surroundings.settings) {
        Err(error) => Finding::Bad(sentence(&error.into())),
        Ok(current) => {
            let fact = format!("model {}", current.name);
            entry = Some(current);
            Finding::Good(fact)
        }
    });
    let nobody_else = LabelArgs {
        labels: None,
        labelset: None,
    };
    let mut language = None;
    findings.push(match nobody_else.resolve(&surroundings) {
        Err(error) => Finding::Bad(sentence(&error)),
        Ok(Some(set)) => {
            language = entry.and_then(|entry| language_fact(&set, &entry));
            // As it is chosen: its own name may be another.
            let chosen = surroundings.settings.labelset.as_ref();
            let chosen = chosen.map_or(&set.name, |chosen| &chosen.value);
            Finding::Good(format!("label set {chosen} in this folder"))
        }
        Ok(None) => Finding::Poor(
            "no label set is chosen for this folder; write `labelset = \"NAME\"` into gliznet.toml \
             (`gliznet labelset list` shows the bundled sets)"
                .to_owned(),
        ),
    });
    findings.extend(language.map(Finding::Poor));
    findings.extend(unheeded(folders));
    findings
}

/// Settings of this folder that count in the user's own file only.
fn unheeded(folders: &Folders) -> Option<Finding> {
    let here = std::env::current_dir().ok()?;
    let (file, keys) = config::unheeded(folders, &here)?;
    let keys: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
    let own = folders.config.join(config::FILE_NAME);
    Some(Finding::Poor(format!(
        "{}: {} do not count here; write them into {}",
        file.display(),
        keys.join(", "),
        own.display()
    )))
}

/// Whether the user's own settings are others than those that a running daemon has read.
fn settings_of_daemon(folders: &Folders, running: Option<&StatusResult>) -> Option<Finding> {
    let file = folders.config.join(config::FILE_NAME);
    let changed = file.metadata().and_then(|file| file.modified()).ok()?;
    let since = changed.elapsed().ok()?; // A clock that was set back tells nothing.
    let is_newer = since.as_secs() < running?.uptime;
    is_newer.then(|| {
        Finding::Poor(format!(
            "{} was changed after the daemon had started, which may run with other settings; \
             `gliznet stop`, and the next start reads it",
            file.display()
        ))
    })
}

/// What stands in the way of watched folders: as the files say, and as a running daemon does.
fn watched(folders: &Folders, running: Option<StatusResult>) -> Vec<Finding> {
    let (n_folders, faults) = match crate::watch::check(folders) {
        Ok(checked) => checked,
        Err(fault) => (0, vec![fault]),
    };
    let record = running.and_then(|status| status.watch);
    let mut seen = record.map_or_else(Vec::new, |record| record.faults);
    seen.retain(|fault| !faults.contains(fault));
    if n_folders > 0 && faults.is_empty() && seen.is_empty() {
        return vec![Finding::Good(match n_folders {
            1 => "1 folder is watched".to_owned(),
            n => format!("{n} folders are watched"),
        })];
    }
    let faults = faults.into_iter().map(Finding::Bad);
    faults.chain(seen.into_iter().map(Finding::Poor)).collect()
}

fn writable(what: &str, folder: &Path) -> Finding {
    let probe = || -> std::io::Result<()> {
        config::make_private(folder)?;
        tempfile::tempfile_in(folder)?; // It goes by itself.
        Ok(())
    };
    match probe() {
        Ok(()) => Finding::Good(format!("{what} in {}", folder.display())),
        Err(error) => Finding::Bad(format!(
            "{}: {what} cannot be kept there ({error}); make it writable or make room",
            folder.display()
        )),
    }
}

/// What is wrong with the journal, read without its lock: a running daemon holds that.
fn journal_file(data: &Path) -> Option<Finding> {
    let path = data.join(journal::FILE_NAME);
    let bytes = std::fs::read(&path).ok()?;
    let faults = journal::faults(&bytes);
    Some(if faults.is_empty() {
        Finding::Good(format!("every record of {} can be read", path.display()))
    } else {
        Finding::Poor(format!("{}: {}", path.display(), faults.join("; ")))
    })
}

/// Limits of the system that a daemon meets.
fn limits() -> Option<Finding> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    let files: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(if files < 1024 {
        Finding::Poor(format!(
            "only {files} files may be open; many editors at once need more: `ulimit -n 4096`"
        ))
    } else {
        Finding::Good(format!("{files} files may be open"))
    })
}

/// An editor that is started from a menu finds only what is on the path.
fn editors() -> Finding {
    let found = |name: &str| {
        let paths = crate::config::search_path();
        paths.iter().any(|dir| dir.join(name).is_file())
    };
    let editors: Vec<&str> = [
        "code", "codium", "nvim", "hx", "emacs", "kate", "zed", "subl",
    ]
    .into_iter()
    .filter(|name| found(name))
    .collect();
    let listed = if editors.is_empty() {
        "no editor that we know".to_owned()
    } else {
        editors.join(", ")
    };
    if found("gliznet") || found("gliznet.exe") {
        Finding::Good(format!("on the path: gliznet, and {listed}"))
    } else {
        Finding::Poor(format!(
            "gliznet is not on the path ({listed} is); editors find it only by its whole path then"
        ))
    }
}
