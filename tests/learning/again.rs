//! What a job has the model read: everything the first time, and then only what is new.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use gliznet::learn::consolidate::lesson::Lesson;
use gliznet::learn::consolidate::{ConsolidateError, Job, Pins, Stage, learn};
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

/// In how many pieces, of up to sixteen texts, the model read what it was given.
fn pieces(pupil: &Pupil, lessons: &[Lesson]) -> usize {
    let job = Job {
        source: ModelSource::Folder(pupil.source.clone()),
        versions: pupil.versions(),
        cache: pupil.home.path("cache"),
        lessons: lessons.to_vec(),
        pinned: Pins::default(),
        descriptions: BTreeMap::new(),
        vault: None,
        last: lessons.len() as u64,
        encoder: false,
        seed: 1,
        time: 0,
    };
    loop {
        let mut pieces = 0;
        let learnt = learn(&job, &mut |stage| {
            pieces += usize::from(matches!(stage, Stage::Reading { .. }));
            ControlFlow::Continue(())
        });
        match learnt {
            // A process that another test is just starting holds this one's locks until it runs.
            Err(ConsolidateError::Busy) => std::thread::sleep(Duration::from_millis(20)),
            learnt => {
                learnt.unwrap();
                return pieces;
            }
        }
    }
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
