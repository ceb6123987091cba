//! `gliznet review`: documents to look at next, one key for a verdict.
//!
//! Invariant: what was judged is recorded before the next verdict is taken, and the terminal is as
//! it was however the review ends. What a key means is decided in `state`, what is seen in `screen`.

mod screen;
mod state;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::ValueEnum;
use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, read};
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
    enable_raw_mode, size,
};
use crossterm::{cursor, execute, queue};
use serde_json::{Value, json};

use super::{Outcome, UsageError, complain};
use crate::daemon::{Control, DaemonError, Place, find_or_start};
use crate::desk::protocol::CorrectParams;
use crate::desk::protocol::review::{ReviewParams, ReviewResult};
use crate::learn::review::Why;

use screen::screen;
use state::{Key, Review, Step, Verdict};

/// How long the first reading of many documents may take.
const READING: Duration = Duration::from_secs(600);
/// How long a verdict may take until it is on disk.
const RECORDING: Duration = Duration::from_secs(30);

/// Shows the documents that are worth a look, and learns from your verdicts.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  gliznet review notes/
  gliznet review notes/ --count 50 --labelset personal-notes
  gliznet review notes/ --format json

One key is a verdict: Enter says that the ticked tags are right, digits tick others first.
Most documents are those the model is unsure of; every fifth is drawn by chance, and from these \
it is estimated how often tags are right.")]
pub(crate) struct Args {
    /// Folders or files; the current folder if not given
    #[arg(value_name = "PATH")]
    paths: Vec<OsString>,

    /// How many documents to look at
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=200), allow_negative_numbers = true)]
    count: u16,

    /// The label set: a name from `gliznet labelset list`, or a file
    #[arg(long, value_name = "NAME|FILE")]
    labelset: Option<String>,

    /// Which documents chance brings; others each day if not given
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Form of the output; `json` shows the queue and asks nothing
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    format: Format,
}

/// Form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people, key by key
    Text,
    /// The queue as one JSON object
    Json,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let is_asking = args.format == Format::Text;
    if is_asking && !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
        let message = "a review needs a terminal to ask in; `--format json` shows the queue";
        return Err(UsageError(message.to_owned()).into());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let place = Place::of_this_build()?;
    let mut daemon = runtime.block_on(find_or_start(&place))?;
    let params = params(args)?;
    if is_asking {
        anstream::eprintln!("reading…");
    }
    let asked = daemon.request("gliznet/review", serde_json::to_value(&params)?, READING);
    let answer = runtime.block_on(asked)?;
    if !is_asking {
        let mut out = io::stdout().lock();
        writeln!(out, "{}", serde_json::to_string_pretty(&answer)?)?;
        return Ok(Outcome::Done);
    }
    let found: ReviewResult =
        serde_json::from_value(answer).map_err(|error| DaemonError::Odd(error.to_string()))?;
    for fault in &found.faults {
        complain(fault);
    }
    if found.queue.is_empty() {
        anstream::println!("Nothing is left to review here: {}.", nothing(&found));
        return Ok(Outcome::Done);
    }
    let mut record = |review: &Review, verdict: &Verdict| {
        let params = correction(review, verdict, params.labelset.as_deref());
        runtime.block_on(daemon.request("gliznet/correct", params, RECORDING))
    };
    let judged = ask(found, &mut record)?;
    let documents = if judged == 1 { "document" } else { "documents" };
    anstream::println!("{judged} {documents} reviewed.");
    runtime.block_on(leave(&mut daemon));
    Ok(Outcome::Done)
}

fn nothing(found: &ReviewResult) -> &'static str {
    match found.open {
        0 => "every document has your verdict, or there is none",
        _ => "no document could be read",
    }
}

fn params(args: &Args) -> anyhow::Result<ReviewParams> {
    let paths: Vec<PathBuf> = match args.paths.is_empty() {
        true => vec![PathBuf::from(".")],
        false => args.paths.iter().map(PathBuf::from).collect(),
    };
    let mut folders = Vec::with_capacity(paths.len());
    for path in paths {
        let whole = path.canonicalize();
        let whole = whole
            .with_context(|| format!("{}: not found; name a folder of notes", path.display()))?;
        let named = whole.to_str().with_context(|| {
            format!(
                "{}: its path is not UTF-8; rename the folder",
                path.display()
            )
        })?;
        folders.push(named.to_owned());
    }
    // The daemon runs elsewhere: a file of labels is named by its whole path.
    let labelset = args
        .labelset
        .as_ref()
        .map(|name| match PathBuf::from(name).canonicalize() {
            Ok(path) if path.is_file() => path.display().to_string(),
            _ => name.clone(),
        });
    Ok(ReviewParams {
        folders,
        count: Some(args.count.into()),
        seed: args.seed,
        labelset,
    })
}

fn correction(review: &Review, verdict: &Verdict, labelset: Option<&str>) -> Value {
    let record = review.record(verdict.item);
    let source = match record.why {
        Why::Random => "sample",
        Why::Unsure | Why::Different | Why::Again => "review",
    };
    json!(CorrectParams {
        text: Some(record.text.clone()),
        format: Some(record.format.clone()),
        uri: Some(record.uri.clone()),
        source: Some(source.to_owned()),
        labelset: labelset.map(str::to_owned),
        accepted: verdict.accepted.clone(),
        rejected: verdict.rejected.clone(),
        ..CorrectParams::default()
    })
}

async fn leave(daemon: &mut Control) {
    // The verdicts are on disk; whether the daemon hears of the end changes nothing.
    let _ = daemon
        .request::<Value>("shutdown", Value::Null, Duration::from_secs(1))
        .await;
}

/// The terminal while keys are read one by one; it is as it was when this is dropped.
struct Screen;

impl Screen {
    fn enter() -> io::Result<Screen> {
        enable_raw_mode()?;
        let screen = Screen;
        execute!(io::stdout(), EnterAlternateScreen, cursor::Hide)?;
        Ok(screen)
    }

    fn draw(&self, lines: &[String]) -> io::Result<()> {
        let mut out = anstream::stdout().lock();
        queue!(out, Clear(ClearType::All))?;
        for (row, line) in (0_u16..).zip(lines) {
            queue!(out, cursor::MoveTo(0, row))?;
            write!(out, "{line}")?;
        }
        out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Nothing more can be done for a terminal that is gone.
        let _ = execute!(io::stdout(), cursor::Show, LeaveAlternateScreen);
        let _ = disable_raw_mode();
    }
}

/// Asks until all is judged and the person leaves; gives how many documents have a verdict.
fn ask(
    found: ReviewResult,
    record: &mut dyn FnMut(&Review, &Verdict) -> Result<Value, DaemonError>,
) -> anyhow::Result<usize> {
    let mut review = Review::new(found.queue);
    let screen_of = Screen::enter().context("the terminal cannot be used key by key")?;
    loop {
        let (columns, rows) = size()?;
        let size = (usize::from(columns), usize::from(rows));
        let lines = screen(&review, found.accuracy.as_ref(), found.enough, size);
        screen_of.draw(&lines)?;
        let Some(key) = key(&read()?) else {
            continue; // Another size, for instance: it is drawn anew.
        };
        match review.press(key) {
            Step::Stay => {}
            Step::Record(verdict) => {
                record(&review, &verdict)?;
            }
            Step::Leave(last) => {
                if let Some(verdict) = last {
                    record(&review, &verdict)?;
                }
                return Ok(review.judged());
            }
        }
    }
}

/// The key of an event; none for what is no key.
fn key(event: &Event) -> Option<Key> {
    let Event::Key(KeyEvent {
        code,
        modifiers,
        kind,
        ..
    }) = event
    else {
        return None;
    };
    if *kind == KeyEventKind::Release {
        return None;
    }
    let is_command = modifiers.contains(KeyModifiers::CONTROL);
    Some(match code {
        KeyCode::Char('c' | 'd') if is_command => Key::Escape,
        // What Enter is for keys that were pressed before the terminal was asked key by key.
        KeyCode::Char('j' | 'm') if is_command => Key::Enter,
        KeyCode::Char(_) if is_command => return None,
        KeyCode::Char(c) => Key::Char(*c),
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        _ => return None,
    })
}
