//! Our side of `benches/compare/run.sh`: questions on standard input, seconds on standard output.
//!
//! One JSON value a line, each answered by one:
//! `{"workload": "a60", "texts": […], "labels": […]}` makes texts and labels ready;
//! `{"sequences": "a60"}` tells the sequences that are run for it, with our float32 cosines;
//! `{"score": "a60", "precision": "f32", "from": 0, "to": 8}` scores texts and tells the seconds;
//! `{"cross": "a60", "text": 0}` runs a text once a label, as a cross-encoder has to, in float32;
//! `{"product": 1536}` tells floating-point operations per second of a large product (crate `gemm`).
//! Knows nothing of the others in the contest.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::sync::Arc;
use std::time::Instant;

use anstream::println;
use candle_core::{Device, Tensor};
use gliznet::engine::{Engine, EngineOptions, Passage, Request, Vocabulary};
use gliznet::label::LabelSet;
use gliznet::model::sequence::Sequence;
use gliznet::model::{LoadOptions, Model, Precision};
use serde_json::{Value, json};

/// The binary's allocator, so that its numbers are these.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// Texts and labels, with the labels as each engine reads them.
struct Workload {
    passages: Vec<Passage>,
    vocabularies: Vec<Vocabulary>,
}

fn main() -> Fallible<()> {
    // `cargo bench` hands its own options to every program; without questions there is no contest.
    let engines = [Precision::F32, Precision::Int8].map(engine);
    let engines = engines.into_iter().collect::<Fallible<Vec<Engine>>>()?;
    let mut workloads: BTreeMap<String, Workload> = BTreeMap::new();
    for line in std::io::stdin().lock().lines() {
        let asked: Value = serde_json::from_str(&line?)?;
        let name = |key: &str| asked[key].as_str().map(str::to_owned);
        let number = |key: &str| asked[key].as_u64().unwrap_or(0) as usize;
        let known = |name: &str| workloads.get(name).ok_or("no such workload");
        let answer = if let Some(name) = name("workload") {
            let workload = workload(&engines, &asked)?;
            let texts = workload.passages.len();
            workloads.insert(name, workload);
            json!({ "texts": texts })
        } else if let Some(name) = name("sequences") {
            sequences(&engines[0], known(&name)?)?
        } else if let Some(workload) = name("score") {
            let which = usize::from(asked["precision"] == "int8");
            let texts = number("from")..number("to");
            score(&engines[which], known(&workload)?, which, texts)?
        } else if let Some(workload) = name("cross") {
            cross(&engines[0], known(&workload)?, number("text"))?
        } else {
            product(number("product"))?
        };
        println!("{answer}");
    }
    Ok(())
}

fn engine(precision: Precision) -> Fallible<Engine> {
    let options = LoadOptions {
        precision,
        ..LoadOptions::default()
    };
    let model = Arc::new(Model::bundled(&options)?);
    Ok(Engine::new(model, EngineOptions::default()))
}

fn strings(value: &Value) -> Vec<&str> {
    let values = value.as_array().into_iter().flatten();
    values.filter_map(Value::as_str).collect()
}

fn workload(engines: &[Engine], asked: &Value) -> Fallible<Workload> {
    let names = strings(&asked["labels"]).into_iter();
    let set = LabelSet::from_names(names).map_err(|_| "the labels have faults")?;
    let set = Arc::new(set);
    let ready = engines
        .iter()
        .map(|engine| engine.vocabulary(Arc::clone(&set)));
    Ok(Workload {
        passages: strings(&asked["texts"])
            .into_iter()
            .map(Passage::plain)
            .collect(),
        vocabularies: ready.collect::<Result<_, _>>()?,
    })
}

impl Workload {
    fn requests(&self, which: usize, texts: std::ops::Range<usize>) -> Vec<Request<'_>> {
        let vocabulary = &self.vocabularies[which];
        let passages = self.passages[texts].iter();
        let request = |passage| Request {
            passage,
            vocabulary,
        };
        passages.map(request).collect()
    }
}

fn sequences(engine: &Engine, workload: &Workload) -> Fallible<Value> {
    let requests = workload.requests(0, 0..workload.passages.len());
    let views = engine.views(&requests)?;
    let mut all = Vec::new();
    for (text, (request, views)) in requests.iter().zip(views).enumerate() {
        for pass in engine.passes(request)? {
            let window = &views.windows[pass.window][pass.labels];
            let cosines: Vec<f32> = window
                .iter()
                .flatten()
                .filter_map(|view| view.joint)
                .collect();
            let Sequence {
                ids,
                positions,
                segments,
                label_tokens,
                ..
            } = pass.sequence;
            all.push(json!({
                "text": text, "ids": ids, "positions": positions, "segments": segments,
                "label_tokens": label_tokens, "cosines": cosines,
            }));
        }
    }
    Ok(all.into())
}

fn score(
    engine: &Engine,
    workload: &Workload,
    which: usize,
    texts: std::ops::Range<usize>,
) -> Fallible<Value> {
    let requests = workload.requests(which, texts);
    let start = Instant::now();
    let predictions = engine.score(&requests)?;
    let seconds = start.elapsed().as_secs_f64();
    let scores = predictions.iter().flat_map(|p| &p.scores);
    let sum: f64 = scores.map(|score| f64::from(score.score.value())).sum();
    Ok(json!({ "seconds": seconds, "sum": sum }))
}

/// `[CLS] text [SEP] label [SEP]`, once a label: as many tokens as one label beside the text has.
fn cross(engine: &Engine, workload: &Workload, text: usize) -> Fallible<Value> {
    let model = engine.model();
    let passes = engine.passes(&workload.requests(0, text..text + 1)[0])?;
    let mut pairs: Vec<Sequence> = Vec::new();
    for sequence in passes.iter().map(|pass| &pass.sequence) {
        let ids = |places: &[usize]| places.iter().map(|place| sequence.ids[*place]).collect();
        let text: Vec<u32> = ids(&sequence.text_tokens[1..sequence.text_tokens.len() - 1]);
        for label in &sequence.label_tokens {
            let label: Vec<u32> = ids(label);
            pairs.push(model.sequence(&text, &[&label]));
        }
    }
    let start = Instant::now();
    for batch in pairs.chunks(8) {
        model.forward(&batch.iter().collect::<Vec<_>>())?;
    }
    Ok(json!({ "seconds": start.elapsed().as_secs_f64(), "passes": pairs.len() }))
}

fn product(n: usize) -> Fallible<Value> {
    let n = n.max(64);
    let square = || Tensor::rand(-1.0_f32, 1.0, (n, n), &Device::Cpu);
    let (a, b) = (square()?, square()?);
    let start = Instant::now();
    let c = a.matmul(&b)?;
    let seconds = start.elapsed().as_secs_f64();
    let first = c.get(0)?.get(0)?.to_scalar::<f32>()?;
    Ok(json!({ "flops": 2.0 * (n as f64).powi(3) / seconds, "first": first }))
}
