//! The command line: arguments in, results on standard output, messages on standard error.
//!
//! Exit codes: 0 all done, 1 some input failed, 2 the command was wrong. A reader that has seen
//! enough (`| head -1`) ends the program quietly, with 0.
//! Length: all commands and what they share stand in one list.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{ArgAction, Parser, Subcommand};

use crate::config::{Folders, Settings};
use crate::telemetry;

mod columns;
mod completions;
mod config;
mod correct;
mod daemon;
mod diff;
mod doctor;
mod eval;
mod find;
mod journal;
mod labelset;
mod log;
mod lsp;
mod man;
mod model;
mod moment;
mod review;
mod setup;
mod status;
mod stop;
mod tag;
mod tags;
mod train;
mod typed;
mod undo;
mod watch;
mod whose;

/// Tags your notes with your own labels, on your own machine.
#[derive(Debug, Parser)]
#[command(
    name = "gliznet",
    version,
    about,
    long_about = "Tags your notes with your own labels, on your own machine: \
                  a model that needs no training picks from your list what fits each text.",
    after_help = "Examples:
  gliznet tag notes/ --labelset personal-notes
  gliznet tag today.md --labels work,family,garden
  gliznet help tag

Exit codes: 0 all done, 1 some input failed, 2 the command was wrong."
)]
struct Cli {
    #[command(flatten)]
    loudness: Loudness,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Tag(tag::Args),
    Correct(correct::Args),
    Undo(undo::Args),
    Log(log::Args),
    Eval(eval::Args),
    Train(train::Args),
    Review(review::Args),
    Journal(journal::Args),
    Labelset(labelset::Args),
    Model(model::Args),
    Daemon(daemon::Args),
    Lsp(lsp::Args),
    Watch(watch::Args),
    Find(find::Args),
    Tags(tags::Args),
    Status(status::Args),
    Stop(stop::Args),
    Doctor(doctor::Args),
    Config(config::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// How much is said on standard error.
#[derive(Debug, clap::Args)]
struct Loudness {
    /// Say what is being done; twice says more
    #[arg(short, long, global = true, display_order = 900, action = ArgAction::Count)]
    verbose: u8,

    /// Say errors only, no warnings
    #[arg(
        short,
        long,
        global = true,
        display_order = 901,
        conflicts_with = "verbose"
    )]
    quiet: bool,
}

impl Loudness {
    fn verbosity(&self) -> i8 {
        if self.quiet {
            -1
        } else {
            i8::try_from(self.verbose).unwrap_or(i8::MAX)
        }
    }
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
    match &cli.command {
        Command::Daemon(args) => args.start_log(cli.loudness.verbosity()),
        _ => telemetry::init(cli.loudness.verbosity()),
    }
    choose_tag_keys();
    survive_size_limits();
    let outcome = match &cli.command {
        Command::Tag(args) => tag::run(args),
        Command::Correct(args) => correct::run(args),
        Command::Undo(args) => undo::run(args),
        Command::Log(args) => log::run(args),
        Command::Eval(args) => eval::run(args),
        Command::Train(args) => train::run(args),
        Command::Review(args) => review::run(args),
        Command::Journal(args) => journal::run(args),
        Command::Labelset(args) => labelset::run(args),
        Command::Model(args) => model::run(args),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args),
        Command::Daemon(args) => daemon::run(args),
        Command::Lsp(args) => lsp::run(args),
        Command::Watch(args) => watch::run(args),
        Command::Find(args) => find::run(args),
        Command::Tags(args) => tags::run(args),
        Command::Status(args) => status::run(args),
        Command::Stop(args) => stop::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Config(args) => config::run(args),
    };
    match outcome {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::SomeFailed) => ExitCode::from(1),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS, // The reader has seen enough.
        Err(error) => {
            complain(sentence(&error));
            ExitCode::from(if error.is::<UsageError>() { 2 } else { 1 })
        }
    }
}

/// Makes a file that may not grow (`ulimit -f`) an error with a sentence, and not the end of the process.
#[cfg(unix)]
fn survive_size_limits() {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build();
    if let Ok(runtime) = runtime {
        let _inside = runtime.enter();
        // Whoever listens once has taken the signal's default away for good. Where that fails, the
        // system ends the process, as it did.
        let _ = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()));
    }
}

/// Other systems have no such signal.
#[cfg(not(unix))]
fn survive_size_limits() {}

/// Which keys hold tags holds for all documents of this process. What is wrong with the settings,
/// whoever needs them says.
fn choose_tag_keys() {
    let settings = Folders::of_this_user().and_then(|folders| {
        let config = folders.config.clone();
        Settings::load(&folders, &config)
    });
    if let Ok(settings) = settings {
        crate::frontmatter::choose_tag_keys(settings.tag_keys, settings.tag_spaces);
    }
}

/// Says on standard error what failed; `--quiet` does not silence it.
pub(crate) fn complain(message: impl Display) {
    // Where standard error is gone too, nobody is left to hear of it.
    let message = telemetry::harmless(&message.to_string());
    let _ = writeln!(anstream::stderr().lock(), "gliznet: {message}");
}

/// Says on standard error what was done, unless `--quiet` is on.
pub(crate) fn remark(message: impl Display) {
    if !tracing::enabled!(tracing::Level::WARN) {
        return;
    }
    // Where standard error is gone too, nobody is left to hear of it.
    let message = telemetry::harmless(&message.to_string());
    let _ = writeln!(anstream::stderr().lock(), "{message}");
}

/// The error and its causes in one line; a cause that a message repeats is said once.
pub(crate) fn sentence(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |said, cause| {
        let cause = cause.to_string();
        match said.as_str() {
            "" => cause,
            earlier if earlier.contains(&cause) => said,
            earlier => format!("{earlier}: {cause}"),
        }
    })
}

/// Runs what is asked of a daemon, on this thread.
fn block_on<T, E: From<crate::daemon::DaemonError>>(
    task: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| crate::daemon::DaemonError::Start(error.to_string()))?;
    runtime.block_on(task)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = |cause: &(dyn std::error::Error + 'static)| match cause.downcast_ref() {
        Some(error) => Some(io::Error::kind(error)),
        // Who wrote JSON keeps to itself what the system said.
        None => cause
            .downcast_ref::<serde_json::Error>()
            .and_then(serde_json::Error::io_error_kind),
    };
    error
        .chain()
        .any(|cause| kind(cause) == Some(io::ErrorKind::BrokenPipe))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    /// Every command with its path (`gliznet model pull`), the top one first.
    fn all_commands() -> Vec<(String, clap::Command)> {
        fn walk(path: String, command: &clap::Command, all: &mut Vec<(String, clap::Command)>) {
            all.push((path.clone(), command.clone()));
            for sub in command.get_subcommands() {
                if sub.get_name() != "help" {
                    walk(format!("{path} {}", sub.get_name()), sub, all);
                }
            }
        }
        let mut command = Cli::command();
        command.build();
        let mut all = Vec::new();
        walk("gliznet".to_owned(), &command, &mut all);
        all
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_and_option_says_what_it_does_in_one_way() {
        for (path, command) in all_commands() {
            let about = command.get_about().map(ToString::to_string);
            check_sentence(&path, about.as_deref());
            let after = command.get_after_help().map(ToString::to_string);
            check_prose(&path, &after.unwrap_or_default());
            for argument in command.get_arguments() {
                let help = argument.get_help().map(ToString::to_string);
                check_sentence(&format!("{path} {}", argument.get_id()), help.as_deref());
            }
        }
    }

    /// No line end in a sentence: 80 columns would break it twice.
    fn check_prose(place: &str, help: &str) {
        for (line, next) in help.lines().zip(help.lines().skip(1)) {
            let is_prose = |line: &str| !line.is_empty() && !line.starts_with(' ');
            let goes_on = is_prose(line) && is_prose(next) && !line.ends_with('.');
            assert!(!goes_on, "{place}: {line}");
        }
    }

    /// A capital at the start, no full stop at the end.
    fn check_sentence(place: &str, help: Option<&str>) {
        let help = help.unwrap_or_else(|| panic!("{place} has no help"));
        let first = help.chars().next();
        assert!(first.is_some_and(char::is_uppercase), "{place}: {help}");
        assert!(!help.ends_with('.'), "{place}: {help}");
    }

    #[test]
    fn quiet_and_verbose_turn_one_knob() {
        let verbosity = |args: &[&str]| {
            let all = ["gliznet", "labelset", "list"].iter().chain(args);
            Cli::try_parse_from(all).map(|cli| cli.loudness.verbosity())
        };
        assert_eq!(verbosity(&[]).unwrap(), 0);
        assert_eq!(verbosity(&["-q"]).unwrap(), -1);
        assert_eq!(verbosity(&["-vv"]).unwrap(), 2);
        assert!(verbosity(&["-q", "-v"]).is_err());
    }

    #[test]
    fn a_number_out_of_its_range_is_told_the_range() {
        for (line, fact) in [
            ("tag --threshold -0.5", "not from 0 to 1"),
            ("tag --top 0", "not a whole number of 1 or more"),
            ("tag --top -3", "not a whole number of 1 or more"),
            ("tag --threads -1", "1..=1024"),
            ("watch add x --threshold -1", "not from 0 to 1"),
            (
                "watch add x --concurrency -1",
                "not a whole number of 1 or more",
            ),
            ("review --count -1", "1..=200"),
            ("journal show --last 0", "not a whole number of 1 or more"),
        ] {
            let words = ["gliznet"].into_iter().chain(line.split(' '));
            let error = Cli::try_parse_from(words).unwrap_err().to_string();
            assert!(error.contains(fact), "{line}: {error}");
        }
        // Its range is the daemon's to know.
        assert!(Cli::try_parse_from(["gliznet", "watch", "add", "x", "--settle", "-1"]).is_ok());
    }

    #[test]
    fn a_tag_may_be_given_with_its_sign() {
        let shown = |line: &str| {
            let words = ["gliznet"].into_iter().chain(line.split(' '));
            format!("{:?}", Cli::try_parse_from(words).unwrap().command)
        };
        for (signed, plain) in [
            ("find #pets --not #old", "find pets --not old"),
            (
                "correct x --add #a,#b --remove #c",
                "correct x --add a,b --remove c",
            ),
            ("labelset add s #a", "labelset add s a"),
            ("labelset rename s #a #b", "labelset rename s a b"),
            ("labelset merge s #a #b", "labelset merge s a b"),
            ("labelset drop s #a", "labelset drop s a"),
        ] {
            assert_eq!(shown(signed), shown(plain));
        }
    }

    #[test]
    fn a_cause_is_said_once() {
        let error = anyhow::anyhow!("gone").context("a.md: gone; look elsewhere");
        assert_eq!(sentence(&error), "a.md: gone; look elsewhere");
        let error = anyhow::anyhow!("gone").context("a.md");
        assert_eq!(sentence(&error), "a.md: gone");
    }

    #[test]
    fn a_broken_pipe_is_found_under_any_context() {
        let broken = io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(is_broken_pipe(
            &anyhow::Error::from(broken).context("writing")
        ));
        assert!(!is_broken_pipe(&anyhow::anyhow!("broken pipe")));

        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let of_json = serde_json::to_writer(Gone, &[1]).unwrap_err();
        assert!(is_broken_pipe(&of_json.into()));
    }
}
