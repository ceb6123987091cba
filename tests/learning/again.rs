//! What a job has the model read: everything the first time, and then only what is new; and what it
//! keeps of what was forgotten meanwhile: nothing.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use gliznet::learn::consolidate::lesson::Lesson;
use gliznet::learn::consolidate::{ConsolidateError, Job, Pins, Stage, learn};
use gliznet::learn::versions::Manifest;
use gliznet::model::store::ModelSource;

use crate::pupil::{LABELS, Pupil};

/// The label sets that somebody tags with, a lesson each by turns.
fn lessons(n: usize, sets: &[Arc<Vec<String>>]) -> Vec<Lesson> {
    let lesson = |i: usize| {
        let labels = &sets[i % sets.len()];
        let verdicts = labels.iter().enumerate();
        let verdicts = verdicts.map(|(k, label)| (label.clone(), k == i % labels.len()));
        Lesson {
            text: format!("Number {i} of what there is to say."),
            labels: Arc::clone(labels),
            verdicts: verdicts.collect(),
            corrections: vec![i as u64 + 1],
        }
    };
    (0..n).map(lesson).collect()
}

fn job(pupil: &Pupil, lessons: &[Lesson]) -> Job {
    Job {
        source: ModelSource::Folder(pupil.source.clone()),
        versions: pupil.versions(),
        cache: pupil.home.path("cache"),
        lessons: lessons.to_vec(),
        journal: None,
        pinned: Pins::default(),
        descriptions: BTreeMap::new(),
        vault: None,
        last: lessons.len() as u64,
        encoder: false,
        seed: 1,
        time: 0,
    }
}

/// What came of a job, and in how many pieces, of up to sixteen texts, the model read.
fn done(job: &Job) -> (Result<Manifest, ConsolidateError>, usize) {
    loop {
        let mut pieces = 0;
        let learnt = learn(job, &mut |stage| {
            pieces += usize::from(matches!(stage, Stage::Reading { .. }));
            ControlFlow::Continue(())
        });
        match learnt {
            // A process that another test is just starting holds this one's locks until it runs.
            Err(ConsolidateError::Busy) => std::thread::sleep(Duration::from_millis(20)),
            learnt => return (learnt, pieces),
        }
    }
}

fn pieces(pupil: &Pupil, lessons: &[Lesson]) -> usize {
    let (learnt, pieces) = done(&job(pupil, lessons));
    learnt.unwrap();
    pieces
}

#[test]
fn what_was_forgotten_while_it_was_being_learnt_is_not_known_after_it() {
    let pupil = Pupil::new("manual");
    let own = [Arc::new(LABELS.map(str::to_owned).to_vec())];
    let lessons = lessons(20, &own);
    let data = pupil.home.path("data");
    let mut lines: Vec<String> = (1..=20)
        .map(|seq| {
            format!(
                r#"{{"v":1,"seq":{seq},"time":1,"text":"t","labels":["a"],"accepted":["a"],"rejected":[]}}"#
            )
        })
        .collect();
    let write = |lines: &[String]| {
        std::fs::write(data.join("corrections.jsonl"), lines.join("\n") + "\n").unwrap();
    };
    let job = Job {
        journal: Some(data.clone()),
        ..job(&pupil, &lessons)
    };
    let gone = lines.remove(7);
    write(&lines);
    let learnt = done(&job).0;
    assert!(
        matches!(learnt, Err(ConsolidateError::Forgotten)),
        "{learnt:?}"
    );
    assert!(pupil.versions().list().is_empty());
    lines.insert(7, gone);
    write(&lines);
    done(&job).0.unwrap();
    assert_eq!(pupil.versions().list().len(), 1);
}

#[test]
fn a_job_reads_what_is_new_and_nothing_twice() {
    let pupil = Pupil::new("manual");
    let set = |names: &[&str]| Arc::new(names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>());
    let own = [set(&LABELS)];
    let first = pieces(&pupil, &lessons(20, &own));
    assert!(first > 8, "ordinary texts and lessons: {first}");
    let second = pieces(&pupil, &lessons(24, &own));
    assert!((1..=2).contains(&second), "four lessons are new: {second}");
    assert_eq!(pieces(&pupil, &lessons(25, &own)), 1);
    // Other labels are another question.
    let other = [set(&["garden", "tax", "recipes"])];
    let changed = pieces(&pupil, &lessons(26, &other));
    assert!(changed > 8, "{changed}");
    // Whatever happens to the cache, learning goes on.
    std::fs::remove_dir_all(pupil.home.path("cache")).unwrap();
    assert!(pieces(&pupil, &lessons(27, &other)) >= changed);
}
