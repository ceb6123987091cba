//! `gliznet tag`: files, folders, globs, standard input or JSON Lines in; tags out, as they come.

mod files;
mod inputs;
mod jsonl;
mod record;
mod render;

use std::io::{self, IsTerminal};
use std::sync::Arc;

use clap::ValueEnum;

use super::setup::{LabelArgs, ModelArgs, Surroundings};
use super::{Outcome, UsageError};
use crate::engine::{Engine, EngineOptions, Passage, Prediction, Request, Vocabulary};
use crate::label::LabelSet;
use crate::score::Score;
use crate::tag::{Selection, Tag, select};

/// Tags notes with your own labels.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  gliznet tag notes/ --labelset personal-notes
  gliznet tag today.md --labels work,family,garden --explain
  cat rows.jsonl | gliznet tag --jsonl --labels billing,bug,praise > tagged.jsonl")]
pub(crate) struct Args {
    /// Files, folders or patterns; `-` is standard input
    #[arg(value_name = "PATH")]
    paths: Vec<String>,

    #[command(flatten)]
    labels: LabelArgs,

    /// Lowest score that makes a label a tag, from 0 to 1; default: the label set's, else the model's
    #[arg(long, value_name = "SCORE", value_parser = unit_interval, help_heading = "Tags")]
    threshold: Option<f32>,

    /// At most so many tags for each document
    #[arg(long, value_name = "N", help_heading = "Tags")]
    top: Option<usize>,

    /// Labels exclude each other: scores add up to 1, the best label is the tag
    #[arg(long, help_heading = "Tags")]
    multi_class: bool,

    /// Show the score of every label
    #[arg(long, help_heading = "Output")]
    all: bool,

    /// Show the two sentences that speak most for each tag
    #[arg(long, conflicts_with = "jsonl", help_heading = "Output")]
    explain: bool,

    /// Form of the output
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Text, help_heading = "Output")]
    format: Format,

    /// Read JSON Lines `{"id", "text", "labels"?}` and write one line for each, in order
    #[arg(long, conflicts_with = "format", help_heading = "Output")]
    jsonl: bool,

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
    let surroundings = Surroundings::here()?;
    if args.paths.is_empty() && !args.jsonl && io::stdin().is_terminal() {
        let message = "nothing to tag; name files or folders, or pipe a text in (`gliznet tag --help` has examples)";
        return Err(UsageError(message.into()).into());
    }
    let set = if args.jsonl {
        args.labels.resolve(&surroundings)?
    } else {
        Some(args.labels.require(&surroundings)?)
    };
    let tagger = Tagger::new(args, &surroundings)?;
    let vocabulary = set
        .map(|set| tagger.engine.vocabulary(Arc::new(set)))
        .transpose()?;
    match (args.jsonl, &vocabulary) {
        (false, Some(vocabulary)) => {
            tagger.warn_of_unscored(vocabulary);
            files::run(&tagger, args, vocabulary)
        }
        (_, vocabulary) => jsonl::run(&tagger, args, vocabulary.as_ref()),
    }
}

/// The engine with the rules that make tags of scores.
struct Tagger {
    engine: Engine,
    model: String,
    selection: Selection,
}

/// A prediction with its tags.
struct Outline {
    prediction: Prediction,
    tags: Vec<Tag>,
}

impl Tagger {
    fn new(args: &Args, surroundings: &Surroundings) -> anyhow::Result<Tagger> {
        let model = args.model.load(surroundings)?;
        let name = format!("{}@{}", model.name(), &model.fingerprint()[..8]);
        let options = EngineOptions {
            multi_class: args.multi_class,
            compat: args.model.compat,
            ..EngineOptions::default()
        };
        let engine = Engine::new(model, options);
        let selection = Selection {
            threshold: args
                .threshold
                .or(surroundings.settings.threshold)
                .and_then(Score::new),
            default_threshold: engine.default_threshold(),
            top: args.top,
            multi_class: args.multi_class,
        };
        Ok(Tagger {
            engine,
            model: name,
            selection,
        })
    }

    /// Tags a group of passages, each with its own vocabulary.
    fn tag(&self, group: &[(&Passage, &Vocabulary)]) -> anyhow::Result<Vec<Outline>> {
        let requests: Vec<Request> = group
            .iter()
            .map(|(passage, vocabulary)| Request {
                passage,
                vocabulary,
            })
            .collect();
        let predictions = self.engine.score(&requests)?;
        let outline = |(prediction, request): (Prediction, &Request)| {
            let tags = self.select(&prediction, request.vocabulary.set());
            Outline { prediction, tags }
        };
        Ok(predictions
            .into_iter()
            .zip(&requests)
            .map(outline)
            .collect())
    }

    fn select(&self, prediction: &Prediction, set: &LabelSet) -> Vec<Tag> {
        select(&prediction.scores, set, &self.selection)
    }

    fn warn_of_unscored(&self, vocabulary: &Vocabulary) {
        for unscored in vocabulary.unscored() {
            let name: String = vocabulary
                .set()
                .label(unscored.label)
                .name
                .chars()
                .take(40)
                .collect();
            anstream::eprintln!("gliznet: label `{name}` is not scored: {}", unscored.reason);
        }
    }
}

fn unit_interval(text: &str) -> Result<f32, String> {
    let value: f32 = text
        .parse()
        .map_err(|_| "not a number; give one from 0 to 1".to_owned())?;
    Score::new(value)
        .map(Score::value)
        .ok_or_else(|| "not from 0 to 1".to_owned())
}
