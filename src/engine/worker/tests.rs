//! A worker with a tiny model: questions, batches, swaps and refusals.

use super::*;
use crate::engine::Vocabulary;
use crate::label::LabelSet;
use crate::model::LoadOptions;
use crate::model::delta::Delta;
use crate::model::delta::Parts;
use crate::model::store::ModelSource;
use std::collections::HashMap;
use std::path::Path;

fn tiny() -> Result<(Arc<Model>, String), String> {
    let dir =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parity/bert-isolated-proj");
    let model = Model::load(&dir, &LoadOptions::default()).map_err(|e| e.to_string())?;
    Ok((Arc::new(model), "cpu".to_owned()))
}

fn options(cache: Option<Cache>, interactive: usize) -> WorkerOptions {
    WorkerOptions {
        engine: EngineOptions::default(),
        limits: Limits {
            interactive,
            bulk: 4,
        },
        cache,
    }
}

fn question(text: &str) -> Question {
    Question {
        passage: Arc::new(Passage::plain(text)),
        labels: Arc::new(LabelSet::from_names(["garden", "tax"]).unwrap()),
        priority: Priority::Interactive,
    }
}

fn in_bulk(text: &str) -> Question {
    Question {
        priority: Priority::Bulk,
        ..question(text)
    }
}

/// Asks at once, with a model that is loaded only when all wait; answers in the same order.
async fn asked_together(questions: Vec<Question>) -> Vec<Result<Answer, WorkerError>> {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let load = move || {
        let _ = wait.recv();
        tiny()
    };
    let mut options = options(None, questions.len());
    options.limits.bulk = questions.len();
    let worker = Arc::new(Worker::start(options, load).unwrap());
    let n = questions.len();
    let askers: Vec<_> = questions
        .into_iter()
        .map(|question| {
            let worker = Arc::clone(&worker);
            tokio::spawn(async move { worker.ask(question).await })
        })
        .collect();
    let open = || worker.open(Priority::Interactive) + worker.open(Priority::Bulk);
    while open() < n {
        tokio::task::yield_now().await;
    }
    go.send(()).unwrap();
    let mut answers = Vec::new();
    for asker in askers {
        answers.push(asker.await.unwrap());
    }
    worker.stop();
    answers
}

#[tokio::test]
async fn what_is_asked_in_bulk_is_answered_as_if_it_were_asked_alone() {
    let texts: Vec<String> = (1..40)
        .map(|n| format!("Note {n}. {}", "Roses want pruning. ".repeat(n % 7)))
        .collect();
    let alone = Worker::start(options(None, 4), tiny).unwrap();
    let together = asked_together(texts.iter().map(|text| in_bulk(text)).collect()).await;
    for (text, answer) in texts.iter().zip(together) {
        let (answer, alone) = (answer.unwrap(), alone.ask(question(text)).await.unwrap());
        let scores = answer.prediction.scores.iter();
        for (score, alone) in scores.zip(&alone.prediction.scores) {
            assert_eq!(score.label, alone.label);
            // Products of other shapes are summed in another order.
            let off = (score.logit.value() - alone.logit.value()).abs();
            assert!(off < 1e-5, "{text}: off by {off}");
        }
    }
    alone.stop();
}

#[tokio::test]
async fn the_same_text_labels_and_model_never_run_twice() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..2 {
        let cache = Cache::open(dir.path(), 1 << 20).unwrap();
        let worker = Worker::start(options(Some(cache), 4), tiny).unwrap();
        let first = worker.ask(question("Roses need pruning.")).await.unwrap();
        let again = worker.ask(question("Roses need pruning.")).await.unwrap();
        assert_eq!(first.cached, round == 1);
        assert!(again.cached);
        assert_eq!(again.prediction, first.prediction);
        assert_eq!(first.prediction.scores.len(), 2);
        worker.stop();
    }
}

#[tokio::test]
async fn questions_wait_for_the_model_and_a_full_queue_refuses() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let load = move || {
        let _ = wait.recv();
        tiny()
    };
    let worker = Arc::new(Worker::start(options(None, 2), load).unwrap());
    let ask = |text: &'static str| {
        let worker = Arc::clone(&worker);
        tokio::spawn(async move { worker.ask(question(text)).await })
    };
    let (first, second) = (ask("one"), ask("two"));
    while worker.open(Priority::Interactive) < 2 {
        tokio::task::yield_now().await;
    }
    let refused = worker.ask(question("three")).await;
    assert!(matches!(refused, Err(WorkerError::Overloaded(_))));
    // A withdrawn question gives its place away.
    second.abort();
    assert!(second.await.unwrap_err().is_cancelled());
    let third = ask("three");
    go.send(()).unwrap();
    assert!(first.await.unwrap().is_ok());
    assert!(third.await.unwrap().is_ok());
    worker.stop();
}

/// A question with so many labels that the model stops to look up while it reads them.
fn with_many_labels(kind: &str, text: &str) -> Question {
    let names = (0..4_000).map(|n| format!("{kind} {n}"));
    Question {
        labels: Arc::new(LabelSet::from_names(names.collect::<Vec<_>>()).unwrap()),
        ..question(text)
    }
}

#[tokio::test]
async fn a_short_question_is_answered_while_the_labels_of_a_large_set_are_read() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let load = move || {
        let _ = wait.recv();
        tiny()
    };
    let worker = Arc::new(Worker::start(options(None, 4), load).unwrap());
    let order = Arc::new(Mutex::new(Vec::new()));
    let ask = |name: &'static str, question: Question| {
        let (worker, order) = (Arc::clone(&worker), Arc::clone(&order));
        tokio::spawn(async move {
            let answer = worker.ask(question).await.unwrap();
            order.lock().unwrap().push(name);
            answer
        })
    };
    let large = ask("large", with_many_labels("topic", "Roses need pruning."));
    while worker.open(Priority::Interactive) < 1 {
        tokio::task::yield_now().await;
    }
    let others = [
        ask("short", question("Roses.")),
        ask("as large", with_many_labels("matter", "Tulips.")),
        ask("in bulk", in_bulk("Tulips.")),
    ];
    while worker.open(Priority::Interactive) < 3 || worker.open(Priority::Bulk) < 1 {
        tokio::task::yield_now().await;
    }
    go.send(()).unwrap();
    let large = large.await.unwrap();
    for other in others {
        other.await.unwrap();
    }
    assert_eq!(
        *order.lock().unwrap(),
        ["short", "in bulk", "large", "as large"]
    );
    assert_eq!(large.prediction.scores.len(), 4_000);
    worker.stop();
    // What was done meanwhile changes nothing of it.
    let alone = Worker::start(options(None, 4), tiny).unwrap();
    let asked = alone
        .ask(with_many_labels("topic", "Roses need pruning."))
        .await;
    assert_eq!(asked.unwrap().prediction, large.prediction);
    alone.stop();
}

#[test]
fn long_work_is_given_up_at_a_pause() {
    let engine = Engine::new(tiny().unwrap().0, EngineOptions::default());
    let many = with_many_labels("topic", "Roses.").labels;
    let mut pauses = 0;
    let given_up = engine.vocabulary_in_parts(Arc::clone(&many), &mut || {
        pauses += 1;
        pauses < 3
    });
    assert!(matches!(given_up, Err(crate::engine::EngineError::GivenUp)));
    assert_eq!(pauses, 3);
    let mut vocabulary = Vocabulary::tokenize(engine.model(), many, &mut || true).unwrap();
    let read = engine.read_in_parts(&mut vocabulary, &mut || false);
    assert!(matches!(read, Err(crate::engine::EngineError::GivenUp)));
}

/// The tiny model with another bias, as a version of it would be.
fn version(number: u32) -> Arc<Model> {
    let dir =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parity/bert-isolated-proj");
    let name = "aggregator.text_projector.1.bias".to_owned();
    let bias = candle_core::Tensor::full(number as f32 / 10.0, 24, &candle_core::Device::Cpu);
    let parts = Parts {
        tensors: [(name, bias.unwrap())].into(),
        ..Parts::default()
    };
    let delta = Delta::of(&parts, None).unwrap();
    let source = ModelSource::Folder(dir);
    let options = LoadOptions::default();
    Arc::new(Model::with_version(&source, Some((number, delta)), &options).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_swap_under_load_fails_no_question_and_mixes_no_two_models() {
    let worker = Arc::new(Worker::start(options(None, 64), tiny).unwrap());
    let mut askers = tokio::task::JoinSet::new();
    for asker in 0..4 {
        let worker = Arc::clone(&worker);
        askers.spawn(async move {
            let mut answers = Vec::new();
            for _ in 0..40 {
                let text = format!("Roses need pruning, says {asker}.");
                answers.push(worker.ask(question(&text)).await.unwrap());
                tokio::task::yield_now().await;
            }
            (asker, answers)
        });
    }
    for number in 1..=5 {
        let model = version(number);
        let facts = worker.swap(Arc::clone(&model)).await.unwrap();
        assert_eq!(&*facts.fingerprint, model.fingerprint());
        assert_eq!(*worker.loading().borrow(), Loading::Ready(facts));
    }
    while let Some(asked) = askers.join_next().await {
        let (asker, answers) = asked.unwrap();
        // What each model says of this text when it is asked alone.
        let mut alone: HashMap<Arc<str>, Arc<crate::engine::Prediction>> = HashMap::new();
        for answer in answers {
            let known = alone
                .entry(Arc::clone(&answer.model.fingerprint))
                .or_insert_with(|| Arc::clone(&answer.prediction));
            assert_eq!(*known, answer.prediction, "asker {asker}");
        }
    }
    let last = worker.ask(question("At the end.")).await.unwrap();
    assert!(last.model.name.contains("+5@"), "{}", last.model.name);
    worker.stop();
    assert!(worker.swap(version(6)).await.is_err());
}

#[tokio::test]
async fn answers_of_the_old_model_are_not_taken_from_the_cache() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(dir.path(), 1 << 20).unwrap();
    let worker = Worker::start(options(Some(cache), 4), tiny).unwrap();
    let old = worker.ask(question("Roses.")).await.unwrap();
    worker.swap(version(3)).await.unwrap();
    let new = worker.ask(question("Roses.")).await.unwrap();
    assert!(!new.cached && new.prediction != old.prediction);
    assert!(worker.ask(question("Roses.")).await.unwrap().cached);
    worker.stop();
}

#[tokio::test]
async fn without_a_model_everybody_hears_why() {
    let load = || Err("no such model; run `gliznet model list`".to_owned());
    let worker = Worker::start(options(None, 4), load).unwrap();
    for _ in 0..2 {
        let error = worker.ask(question("text")).await.unwrap_err();
        assert!(error.to_string().contains("no such model"), "{error}");
    }
    worker.stop();
    let error = worker.ask(question("text")).await.unwrap_err();
    assert!(matches!(
        error,
        WorkerError::NoModel(_) | WorkerError::Stopping
    ));
}
