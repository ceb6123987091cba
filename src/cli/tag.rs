//! `gliznet tag`: files, folders, globs, standard input or JSON Lines in; tags out, as they come.

mod files;
pub(super) mod inputs;
mod jsonl;
mod print;
mod read;
mod record;
mod remembered;
mod render;
mod write;

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::sync::Arc;

use clap::ValueEnum;

use super::setup::{LabelArgs, ModelArgs, Surroundings, language_fact};
use super::typed::{count, unit_interval};
use super::{Outcome, UsageError, remark};
use crate::desk::decision::{Decision, Facts, decide};
use crate::engine::{Engine, EngineError, EngineOptions, Passage, Prediction, Request, Vocabulary};
use crate::score::Score;
use crate::tag::Selection;
use remembered::Remembered;

/// Tags notes with your own labels.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  gliznet tag notes/ --labelset personal-notes
  gliznet tag today.md --labels work,family,garden --explain
  gliznet tag 'notes/**/*.org' --labelset my-labels.toml --format jsonl
  pandoc report.docx -t markdown | gliznet tag - --labelset paperwork --all
  gliznet tag --jsonl --labels billing,bug,praise < rows.jsonl > tagged.jsonl
  gliznet tag notes/ --labelset personal-notes --write --dry-run

Folders are searched for text files; hidden files, and what .gitignore, .ignore and \
.gliznetignore name, are left out. A file that is named is read whatever it is called.")]
pub(crate) struct Args {
    /// Files, folders or patterns; `-` is standard input
    #[arg(value_name = "PATH")]
    paths: Vec<OsString>,

    #[command(flatten)]
    labels: LabelArgs,

    /// Take labels from this score on, 0 to 1; if not given, what the label set says, else the model
    #[arg(long, value_name = "SCORE", value_parser = unit_interval, allow_negative_numbers = true, help_heading = "Tags")]
    threshold: Option<f32>,

    /// Give each document at most so many tags
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true, help_heading = "Tags")]
    top: Option<usize>,

    /// Let labels exclude each other: scores add up to 1, the best label is the tag
    #[arg(long, help_heading = "Tags")]
    multi_class: bool,

    /// Leave out what corrections of other texts mean for these: the model answers by itself
    #[arg(long, help_heading = "Tags")]
    no_memory: bool,

    /// Show the score of every label
    #[arg(long, conflicts_with = "write", help_heading = "Output")]
    all: bool,

    /// Show the two sentences that speak most for each tag
    #[arg(long, conflicts_with_all = ["jsonl", "write"], help_heading = "Output")]
    explain: bool,

    /// Form of the output
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Text, help_heading = "Output")]
    format: Format,

    /// Read JSON Lines `{"id", "text", "labels"?}` and write one line for each, in order
    #[arg(long, conflicts_with_all = ["format", "write"], help_heading = "Output")]
    jsonl: bool,

    #[command(flatten)]
    writing: write::WriteArgs,

    #[command(flatten)]
    model: ModelArgs,
}

/// Form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One JSON array
    Json,
    /// One JSON object a line
    Jsonl,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let surroundings = Surroundings::of(&inputs::common_folder(&args.paths))?;
    if args.paths.is_empty() && !args.jsonl && io::stdin().is_terminal() {
        let message = "nothing to tag; name files or folders, or pipe a text in (`gliznet tag --help` has examples)";
        return Err(UsageError(message.into()).into());
    }
    args.writing.check(&paths(args))?;
    let set = if args.jsonl {
        args.labels.resolve(&surroundings)?
    } else {
        Some(args.labels.require(&surroundings)?)
    };
    if let Some(set) = &set
        && let Some(fact) = language_fact(set, &args.model.entry(&surroundings)?)
    {
        remark(fact);
    }
    let tagger = Tagger::new(args, &surroundings)?;
    let vocabulary = set
        .map(|set| tagger.engine.vocabulary(Arc::new(set)))
        .transpose()?;
    if let Some(vocabulary) = &vocabulary {
        warn_of_unscored(vocabulary);
    }
    match (args.jsonl, &vocabulary) {
        (false, Some(vocabulary)) => files::run(&tagger, args, vocabulary, &surroundings),
        (_, vocabulary) => jsonl::run(&tagger, args, vocabulary.as_ref()),
    }
}

/// What is tagged: the arguments, or standard input where there are none.
fn paths(args: &Args) -> Vec<OsString> {
    if args.paths.is_empty() {
        vec!["-".into()]
    } else {
        args.paths.clone()
    }
}

/// The engine with the rules that make tags of scores.
struct Tagger {
    engine: Engine,
    model: String,
    selection: Selection,
    remembered: Remembered,
}

/// What is to be tagged.
#[derive(Clone, Copy)]
struct Item<'a> {
    passage: &'a Passage,
    vocabulary: &'a Vocabulary,
    /// The text as a person corrects it.
    source: &'a str,
    /// The document's name in the journal.
    document: Option<&'a Arc<str>>,
}

/// A prediction with its tags.
struct Outline {
    prediction: Prediction,
    tags: Vec<Decision>,
}

impl Tagger {
    fn new(args: &Args, surroundings: &Surroundings) -> anyhow::Result<Tagger> {
        let model = args.model.load(surroundings)?;
        let name = format!("{}@{}", model.name(), &model.fingerprint()[..8]);
        let is_exact = args.model.compat;
        let folders = &surroundings.folders;
        let entries = match is_exact {
            true => Vec::new(),
            false => remembered::entries(&folders.data),
        };
        // Where labels exclude each other, a verdict on one is not one on its score.
        let has_memory = !(entries.is_empty() || args.no_memory || args.multi_class);
        let options = EngineOptions {
            multi_class: args.multi_class,
            compat: is_exact,
            embedding: has_memory,
            ..EngineOptions::default()
        };
        let engine = Engine::new(model, options);
        let selection = Selection {
            threshold: args
                .threshold
                .or(surroundings.settings.threshold)
                .and_then(Score::new),
            default_threshold: engine.default_threshold(),
            margin: engine.margin(),
            top: args.top,
            multi_class: args.multi_class,
        };
        let mut remembered = Remembered::of_documents(&entries);
        if has_memory {
            remembered = remembered.with_memory(entries, &folders.cache);
        }
        Ok(Tagger {
            engine,
            model: name,
            selection,
            remembered,
        })
    }

    /// Tags a group of passages, each with its own vocabulary; where one fails, only that one.
    fn tag(&self, group: &[Item]) -> Vec<Result<Outline, EngineError>> {
        match self.tag_all(group) {
            Ok(outlines) => outlines.into_iter().map(Ok).collect(),
            // The engine fails a whole group; its other passages shall not suffer for one.
            Err(_) if group.len() > 1 => group.iter().flat_map(|one| self.tag(&[*one])).collect(),
            Err(error) => vec![Err(error)],
        }
    }

    fn tag_all(&self, group: &[Item]) -> Result<Vec<Outline>, EngineError> {
        let requests: Vec<Request> = group
            .iter()
            .map(|item| Request {
                passage: item.passage,
                vocabulary: item.vocabulary,
            })
            .collect();
        let predictions = self.engine.score(&requests)?.into_iter();
        let outlines = predictions.zip(group);
        Ok(outlines
            .map(|(raw, item)| self.outline(raw, item))
            .collect())
    }

    fn outline(&self, raw: Prediction, item: &Item) -> Outline {
        let set = item.vocabulary.set();
        let remembered = &self.remembered;
        let recall = remembered.recall(item.source, &raw, set, &self.engine);
        let prediction = recall.applied_to(&raw);
        let facts = Facts {
            raw: &raw.scores,
            adjusted: &prediction.scores,
            recall: &recall,
            said: remembered.said(item.document),
        };
        let tags = decide(set, &self.selection, facts);
        Outline { prediction, tags }
    }
}

/// Unscored labels that are named one by one before the rest is only counted.
const MOST_NAMED: usize = 5;

/// Labels that this model cannot score stay unscored for every document: said once, not in each.
fn warn_of_unscored(vocabulary: &Vocabulary) {
    let unscored = vocabulary.unscored();
    for unscored in unscored.iter().take(MOST_NAMED) {
        let name = &vocabulary.set().label(unscored.label).name;
        let name = super::columns::shortened(name, 40);
        tracing::warn!("label `{name}` is not scored: {}", unscored.reason);
    }
    if unscored.len() > MOST_NAMED {
        let more = unscored.len() - MOST_NAMED;
        tracing::warn!("{more} more labels are not scored; --format json names them all");
    }
}
