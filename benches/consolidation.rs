//! Corrections learnt for good: what sixty teach at once, what ten rounds do, and what that costs.
//!
//! Input: the notes of one person with tags that no model can know (`benches/personal`), mixed with
//! shipped texts under labels that the gate's texts have too. Output: two tables, in three orders: micro-F1 on
//! the person's held-out notes, by the memory of the shipped model, by the model that has learnt and
//! by that with its memory; the mean ranking precision on general texts that the gate measures; how
//! long it took. `-- --rounds 1` stops sooner, `-- --orders 1` too, and `--first 1` leaves
//! the first order out. `-- --write-answers FILE` writes
//! what the bundled model says of the gate's texts (`src/learn/consolidate/shipped.bin`), and nothing else.
//! A correction accepts the tags of its note and rejects what was suggested and is not among them.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use gliznet::config::Folders;
use gliznet::correction::{Correction, Said, Source};
use gliznet::desk::decision::{Facts, decide};
use gliznet::document::Format;
use gliznet::engine::{Engine, EngineOptions, Passage, Prediction, Request, Vocabulary};
use gliznet::label::LabelSet;
use gliznet::learn::consolidate::lesson::{Renamed, lessons};
use gliznet::learn::consolidate::replay::{Half, spaces};
use gliznet::learn::consolidate::shipped::said_by;
use gliznet::learn::consolidate::{Job, Pins, learn};
use gliznet::learn::journal::{self, Entry};
use gliznet::learn::memory::{Memory, Recall, recollect};
use gliznet::learn::versions::Versions;
use gliznet::learn::versions::manifest::Manifest;
use gliznet::model::random::Random;
use gliznet::model::store::ModelSource;
use gliznet::model::{LoadOptions, Model};
use gliznet::tag::Selection;

/// So many corrections a round.
const CORRECTIONS: usize = 16;
const ROUNDS: usize = 10;
const ORDERS: u64 = 3;
/// And so many at once.
const SIXTY: usize = 60;
const HEADER: &str = "\
| order | round | corrections | F1, memory of the shipped model | F1, model | F1, with memory | general ranking | outcome | seconds |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |";
type Error = Box<dyn std::error::Error>;

#[derive(Clone)]
struct Note {
    text: String,
    labels: Vec<String>,
    set: Arc<LabelSet>,
}

fn main() -> Result<(), Error> {
    let mut words = std::env::args().skip_while(|word| word != "--write-answers");
    if let Some(file) = words.nth(1) {
        let model = Arc::new(Model::bundled(&LoadOptions::default())?);
        std::fs::write(&file, said_by(&model)?)?;
        return Ok(());
    }
    let rounds = argument("--rounds").unwrap_or(ROUNDS);
    let orders = argument("--first").unwrap_or(0)..argument("--orders").unwrap_or(ORDERS);
    let own = notes("benches/personal/corrections.jsonl")?;
    let set = Arc::clone(&own.first().ok_or("no notes")?.set);
    let held_out = notes("benches/personal/held-out.jsonl")?;
    let mut others = Vec::new();
    // The other half is what the gate measures by.
    for space in spaces(Half::Practice) {
        let set = LabelSet::from_names(&space.labels).map_err(|_| "the labels are faulty")?;
        let set = Arc::new(set);
        others.extend(space.rows.into_iter().map(|(text, fits)| {
            let labels = space.labels.iter().zip(fits);
            Note {
                text,
                labels: labels
                    .filter(|(_, fits)| *fits)
                    .map(|(l, _)| l.clone())
                    .collect(),
                set: Arc::clone(&set),
            }
        }));
    }
    anstream::println!("Sixty corrections at once\n\n{HEADER}");
    for order in orders.clone() {
        let mut own = own.clone();
        Random::new(&[order]).shuffle(&mut own);
        own.truncate(SIXTY);
        let data = tempfile::tempdir()?;
        let mut vault = Vault::new(data.path())?;
        vault.row(order, 0, None, &held_out, &set)?;
        vault.correct(own)?;
        let manifest = vault.learn()?;
        vault.row(order, 1, Some(&manifest), &held_out, &set)?;
    }
    anstream::println!(
        "\nRounds of {CORRECTIONS}, half of them this person's as long as there are such notes\n\n{HEADER}"
    );
    for order in orders {
        let (mut own, mut others) = (own.clone(), others.clone());
        Random::new(&[order]).shuffle(&mut own);
        Random::new(&[order, 1]).shuffle(&mut others);
        let data = tempfile::tempdir()?;
        let mut vault = Vault::new(data.path())?;
        for round in 1..=rounds {
            let mut drawn = own.split_off(own.len().saturating_sub(CORRECTIONS / 2));
            drawn.extend(others.split_off(others.len().saturating_sub(CORRECTIONS - drawn.len())));
            vault.correct(drawn)?;
            let manifest = vault.learn()?;
            vault.row(order, round, Some(&manifest), &held_out, &set)?;
        }
    }
    Ok(())
}

/// The number behind a flag.
fn argument<T: std::str::FromStr>(flag: &str) -> Option<T> {
    let mut arguments = std::env::args();
    arguments.by_ref().find(|argument| argument == flag)?;
    arguments.next()?.parse().ok()
}

struct Vault {
    folders: Folders,
    versions: Versions,
    entries: Vec<Entry>,
}

impl Vault {
    fn new(data: &Path) -> Result<Vault, Error> {
        let folders = Folders {
            data: data.join("data"),
            cache: data.join("cache"),
            ..Folders::of_this_user()?
        };
        std::fs::create_dir_all(&folders.cache)?;
        Ok(Vault {
            versions: Versions::new(&folders),
            folders,
            entries: Vec::new(),
        })
    }

    /// The model that serves.
    fn engine(&self) -> Result<Engine, Error> {
        self.engine_of(
            self.versions
                .load(&ModelSource::Bundled, &LoadOptions::default())?
                .model,
        )
    }

    fn engine_of(&self, model: Model) -> Result<Engine, Error> {
        let options = EngineOptions {
            embedding: true,
            ..EngineOptions::default()
        };
        Ok(Engine::new(Arc::new(model), options))
    }

    fn memory(&self, engine: &Engine) -> Result<Memory, Error> {
        Ok(recollect(
            &self.entries,
            engine,
            &self.folders.cache,
            |_| (),
        )?)
    }

    fn correct(&mut self, notes: Vec<Note>) -> Result<(), Error> {
        let engine = self.engine()?;
        let memory = self.memory(&engine)?;
        for note in notes {
            let vocabulary = engine.vocabulary(Arc::clone(&note.set))?;
            let prediction = read(&engine, &vocabulary, &note.text)?;
            let mut rejected = tags(&engine, Some(&memory), &note.text, &prediction, &note.set);
            rejected.retain(|tag| !note.labels.contains(tag));
            let said = Said {
                accepted: note.labels.clone(),
                rejected,
                source: Source::Script,
            };
            // A note without tags that was given none leaves nothing to say.
            let made = Correction::new(note.text, Format::Plain, &note.set, &said);
            self.entries.extend(made.ok().map(|correction| Entry {
                sequence: self.entries.len() as u64 + 1,
                time: 0,
                correction,
            }));
        }
        Ok(())
    }

    fn learn(&self) -> Result<Manifest, Error> {
        let job = Job {
            source: ModelSource::Bundled,
            versions: self.versions.clone(),
            cache: self.folders.cache.clone(),
            lessons: lessons(&self.entries, &Renamed::default()),
            journal: None,
            pinned: Pins::default(),
            descriptions: journal::descriptions(&self.entries),
            vault: None,
            last: self.entries.len() as u64,
            encoder: false,
            seed: self.entries.len() as u64,
            time: 0,
        };
        Ok(learn(&job, &mut |_| ControlFlow::Continue(()))?)
    }

    /// A row of the table.
    fn row(
        &self,
        order: u64,
        round: usize,
        manifest: Option<&Manifest>,
        notes: &[Note],
        set: &Arc<LabelSet>,
    ) -> Result<(), Error> {
        let shipped = self.engine_of(Model::bundled(&LoadOptions::default())?)?;
        let (_, by_memory) = self.measure(&shipped, notes, set)?;
        let (model, with) = self.measure(&self.engine()?, notes, set)?;
        let (ranking, outcome, seconds) = match manifest {
            Some(manifest) => (
                general(manifest),
                format!(
                    "{:?} {}",
                    manifest.outcome,
                    manifest.alpha.unwrap_or_default()
                ),
                format!("{:.0}", manifest.training.seconds),
            ),
            None => <(String, String, String)>::default(),
        };
        anstream::println!(
            "| {order} | {round} | {} | {by_memory:.3} | {model:.3} | {with:.3} | {ranking} | {outcome} | {seconds} |",
            self.entries.len(),
        );
        Ok(())
    }

    /// Micro-F1 by a model alone, and with its memory.
    fn measure(
        &self,
        engine: &Engine,
        notes: &[Note],
        set: &Arc<LabelSet>,
    ) -> Result<(f64, f64), Error> {
        let memory = self.memory(engine)?;
        let vocabulary = engine.vocabulary(Arc::clone(set))?;
        let (mut right, mut all) = ([0, 0], [0, 0]);
        for note in notes {
            let prediction = read(engine, &vocabulary, &note.text)?;
            for (i, memory) in [None, Some(&memory)].into_iter().enumerate() {
                let tags = tags(engine, memory, &note.text, &prediction, set);
                right[i] += tags.iter().filter(|tag| note.labels.contains(tag)).count();
                all[i] += tags.len() + note.labels.len();
            }
        }
        let f1 = |i: usize| 2.0 * right[i] as f64 / all[i].max(1) as f64;
        Ok((f1(0), f1(1)))
    }
}

fn read(engine: &Engine, vocabulary: &Vocabulary, text: &str) -> Result<Prediction, Error> {
    let passage = Passage::plain(text);
    let request = Request {
        passage: &passage,
        vocabulary,
    };
    Ok(engine.score(&[request])?.pop().ok_or("no answer")?)
}

fn tags(
    engine: &Engine,
    memory: Option<&Memory>,
    text: &str,
    prediction: &Prediction,
    set: &LabelSet,
) -> Vec<String> {
    let selection = Selection {
        threshold: None,
        default_threshold: engine.default_threshold(),
        margin: engine.margin(),
        top: None,
        multi_class: false,
    };
    let seen = prediction.embedding.as_ref();
    let seen = seen.map(|embedding| (embedding, engine.model().fingerprint()));
    let recall = memory.map_or_else(Recall::default, |memory| memory.recall(text, seen, set));
    let facts = Facts {
        raw: &prediction.scores,
        adjusted: &recall.applied_to(prediction).scores,
        recall: &recall,
        said: None,
    };
    let tags = decide(set, &selection, facts).into_iter();
    tags.map(|tag| set.label(tag.label).name.clone()).collect()
}

/// What the gate found of general texts, of the candidate that it looked at last.
fn general(manifest: &Manifest) -> String {
    let checks = manifest.candidates.last().map(|last| &last.checks);
    let found = checks.and_then(|all| all.iter().find(|c| c.check == "general-ranking"));
    let found = found.map_or("", |check| check.finding.as_str());
    let figures = found.split("texts ").nth(1).unwrap_or(found);
    figures.split(" (").next().unwrap_or(figures).to_owned()
}

/// Notes with tags of one set: all that occur in the file.
fn notes(path: &str) -> Result<Vec<Note>, Error> {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    let mut rows: Vec<(String, Vec<String>)> = Vec::new();
    for line in std::fs::read_to_string(path)?.lines() {
        let row: serde_json::Value = serde_json::from_str(line)?;
        let text = row["text"].as_str().unwrap_or_default().to_owned();
        rows.push((text, serde_json::from_value(row["labels"].clone())?));
    }
    let mut names: Vec<String> = rows.iter().flat_map(|row| row.1.clone()).collect();
    names.sort();
    names.dedup();
    let set = LabelSet::from_names(&names).map_err(|_| "the labels are faulty")?;
    let set = Arc::new(set);
    let note = |(text, labels): (String, Vec<String>)| Note {
        text,
        labels,
        set: Arc::clone(&set),
    };
    Ok(rows.into_iter().map(note).collect())
}
