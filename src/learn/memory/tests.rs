//! The memory held to its promises, with vectors made by hand.
//! Length: one small memory serves all promises.

use super::*;
use crate::correction::{Said, Source};
use crate::document::Format;
use crate::tag::LabelScore;
use proptest::prelude::*;

const MODEL: &str = "model";

fn correction(text: &str, accepted: &[&str], rejected: &[&str]) -> Correction {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let said = Said {
        accepted: names(accepted),
        rejected: names(rejected),
        source: Source::Script,
    };
    let set = LabelSet::from_names(["mopsy", "heron", "tax"]).unwrap();
    Correction::new(text.to_owned(), Format::Plain, &set, &said).unwrap()
}

/// A vector that points mostly along one axis.
fn towards(axis: usize, stray: f32) -> Embedding {
    let mut vector = vec![0.1_f32; 16];
    vector[axis] = 1.0;
    vector[15] = stray;
    Embedding::new(&vector).unwrap()
}

fn memory() -> Memory {
    let mut memory = Memory::default();
    let ordinary: Vec<Embedding> = (4..14).map(|axis| towards(axis, 0.0)).collect();
    memory.begin(MODEL, &ordinary);
    memory
}

fn remember(memory: &mut Memory, id: u64, correction: &Correction, at: &Embedding) {
    memory.add(id, correction);
    memory.learn(id, MODEL, at, |_| Score::new(0.1));
}

fn set() -> LabelSet {
    LabelSet::from_names(["mopsy", "heron", "tax"]).unwrap()
}

fn shift(memory: &Memory, at: &Embedding, label: &str) -> Option<f32> {
    let set = set();
    let recall = memory.recall("another text", Some((at, MODEL)), &set);
    recall.shifts.get(&set.find(label).unwrap()).copied()
}

#[test]
fn the_same_text_has_its_verdict_before_any_model_was_asked() {
    let mut memory = Memory::default();
    memory.add(1, &correction("Her tooth is loose.", &["mopsy"], &["tax"]));
    let recall = memory.recall("her tooth\nis loose. ", None, &set());
    assert_eq!(
        recall.pinned,
        BTreeMap::from([(LabelId(0), true), (LabelId(2), false)])
    );
    assert_eq!(memory.recall("Her tooth.", None, &set()), Recall::default());
}

#[test]
fn a_text_that_hardly_differs_has_it_too() {
    let mut memory = memory();
    remember(
        &mut memory,
        1,
        &correction("a", &["mopsy"], &[]),
        &towards(0, 0.0),
    );
    let recall = memory.recall("b", Some((&towards(0, 0.05), MODEL)), &set());
    assert_eq!(recall.pinned.get(&LabelId(0)), Some(&true));
    assert_eq!(recall.shifts, BTreeMap::new());
}

#[test]
fn a_near_text_moves_the_judged_labels_only_and_both_ways() {
    let mut memory = memory();
    remember(
        &mut memory,
        1,
        &correction("a", &["mopsy"], &["tax"]),
        &towards(0, 0.0),
    );
    let near = towards(0, 0.6);
    assert!(shift(&memory, &near, "mopsy").unwrap() > 1.0);
    assert!(shift(&memory, &near, "tax").unwrap() < 0.0);
    assert_eq!(shift(&memory, &near, "heron"), None);
    assert_eq!(shift(&memory, &towards(1, 0.0), "mopsy"), None);
}

#[test]
fn a_document_that_is_judged_tag_by_tag_weighs_as_one_that_is_judged_at_once() {
    let near = towards(0, 0.6);
    let shift_after = |said: &[(&str, Correction)]| {
        let mut memory = memory();
        for (id, (document, correction)) in (1..).zip(said) {
            let correction = of_document(correction.clone(), document);
            remember(&mut memory, id, &correction, &towards(0, 0.0));
        }
        shift(&memory, &near, "mopsy").unwrap()
    };
    let at_once = shift_after(&[("a.md", correction("a", &["mopsy", "tax"], &["heron"]))]);
    // An editor puts each accepted tag into the text, which is another one for the next verdict.
    let one_by_one = [
        ("a.md", correction("a", &["mopsy"], &[])),
        ("a.md", correction("tags: mopsy. a", &["tax"], &[])),
        ("a.md", correction("tags: mopsy, tax. a", &[], &["heron"])),
    ];
    assert!((shift_after(&one_by_one) - at_once).abs() < 1e-4);
    let of_two = [
        ("a.md", correction("a", &["mopsy"], &[])),
        ("b.md", correction("b", &["tax"], &[])),
    ];
    assert!(shift_after(&of_two) < 0.7 * at_once, "b.md has no mopsy");
}

#[test]
fn what_was_said_of_labels_that_are_not_in_the_set_changes_nothing() {
    let mut memory = memory();
    let here = towards(0, 0.0);
    remember(&mut memory, 1, &correction("a", &["mopsy"], &[]), &here);
    let near = towards(0, 0.6);
    let set = LabelSet::from_names(["mopsy"]).unwrap();
    let recall = |memory: &Memory| memory.recall("c", Some((&near, MODEL)), &set);
    let before = recall(&memory);
    remember(
        &mut memory,
        2,
        &correction("b", &["tax"], &["heron"]),
        &here,
    );
    assert_eq!(recall(&memory), before);
}

#[test]
fn the_latest_verdict_on_a_text_or_a_document_holds() {
    let mut memory = memory();
    memory.add(1, &correction("a", &["mopsy"], &["tax"]));
    memory.add(2, &correction("a", &["tax"], &[]));
    let recall = memory.recall("a", None, &set());
    assert_eq!(
        recall.pinned,
        BTreeMap::from([(LabelId(0), true), (LabelId(2), true)])
    );
    assert_eq!(memory.len(), 1);
    // The document was written on meanwhile: what was said of it before is void.
    let of_document = |text: &str, accepted: &[&str], rejected: &[&str]| Correction {
        document: Some("file:///a.md".to_owned()),
        ..correction(text, accepted, rejected)
    };
    memory.add(3, &of_document("first", &["heron"], &[]));
    memory.add(4, &of_document("first and second", &[], &["heron"]));
    assert_eq!(memory.recall("first", None, &set()), Recall::default());
}

#[test]
fn what_another_model_saw_does_not_count() {
    let mut memory = memory();
    remember(
        &mut memory,
        1,
        &correction("a", &["mopsy"], &[]),
        &towards(0, 0.0),
    );
    let near = towards(0, 0.6);
    let of_other = memory.recall("b", Some((&near, "other")), &set());
    assert_eq!(of_other, Recall::default());
    memory.begin("other", &[towards(4, 0.0), towards(5, 0.0)]);
    assert_eq!(memory.unlearnt(), BTreeSet::from([1]));
    memory.learn(1, MODEL, &towards(0, 0.0), |_| Score::new(0.1));
    assert_eq!(memory.unlearnt(), BTreeSet::from([1]), "it came too late");
    // The new model knows it by itself: there is hardly anything left to add.
    memory.learn(1, "other", &towards(0, 0.0), |_| Score::new(0.99));
    let left = memory.recall("b", Some((&near, "other")), &set());
    assert!(left.shifts[&LabelId(0)] < 0.5, "{left:?}");
}

#[test]
fn a_label_that_was_renamed_or_merged_keeps_what_was_learnt_and_a_dropped_one_is_gone() {
    let mut memory = memory();
    remember(
        &mut memory,
        1,
        &correction("a", &["mopsy"], &["heron"]),
        &towards(0, 0.0),
    );
    let near = towards(0, 0.6);
    let recall = |source: &str| {
        let set = LabelSet::parse(source).unwrap();
        memory.recall("b", Some((&near, MODEL)), &set).shifts
    };
    let renamed = recall("[[label]]\nname = 'Daughter'\naliases = ['Mopsy']\n");
    assert!(renamed[&LabelId(0)] > 1.0);
    let merged = recall("[[label]]\nname = 'both'\naliases = ['mopsy', 'heron']\n");
    assert_eq!(merged, renamed);
    assert_eq!(recall("[[label]]\nname = 'tax'\n"), BTreeMap::new());
}

#[test]
fn what_was_said_last_holds_whatever_the_label_was_called_then() {
    let toml = "[[label]]\nname = 'beds'\naliases = ['mopsy', 'heron']\n";
    let set = LabelSet::parse(toml).unwrap();
    let renamed = |text: &str, accepted: &[&str], rejected: &[&str]| {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Correction {
            accepted: names(accepted),
            rejected: names(rejected),
            ..correction(text, &["tax"], &[])
        }
    };
    let mut memory = memory();
    remember(
        &mut memory,
        1,
        &correction("a", &["mopsy"], &["heron"]),
        &towards(0, 0.0),
    );
    assert_eq!(
        memory.recall("a", None, &set).pinned,
        BTreeMap::from([(LabelId(0), true)])
    );
    remember(
        &mut memory,
        2,
        &renamed("a", &[], &["beds"]),
        &towards(0, 0.0),
    );
    assert_eq!(
        memory.recall("a", None, &set).pinned,
        BTreeMap::from([(LabelId(0), false)])
    );
    let recall = memory.recall("b", Some((&towards(0, 0.6), MODEL)), &set);
    assert!(recall.shifts[&LabelId(0)] < 0.0);
    // The document was written on meanwhile.
    memory.add(
        3,
        &of_document(correction("first", &["mopsy", "tax"], &[]), "a.md"),
    );
    memory.add(
        4,
        &of_document(renamed("first and second", &[], &["beds"]), "a.md"),
    );
    assert_eq!(memory.recall("first", None, &set), Recall::default());
}

#[test]
fn what_is_forgotten_has_no_effect() {
    let mut memory = memory();
    remember(
        &mut memory,
        1,
        &correction("a", &["mopsy"], &[]),
        &towards(0, 0.0),
    );
    assert!(memory.forget(1) && !memory.forget(1));
    assert_eq!(shift(&memory, &towards(0, 0.6), "mopsy"), None);
    assert_eq!(memory.recall("a", None, &set()), Recall::default());
}

#[test]
fn it_is_bounded_by_label_and_the_oldest_go() {
    let mut memory = memory();
    for id in 1..=500 {
        memory.add(id, &correction(&format!("note {id}"), &["mopsy"], &[]));
    }
    assert_eq!(memory.len(), MOST_OF_A_LABEL);
    assert_eq!(memory.recall("note 1", None, &set()), Recall::default());
    assert_eq!(memory.recall("note 500", None, &set()).pinned.len(), 1);
}

#[test]
fn only_what_is_remembered_moves() {
    let logit = Logit::new(-1.0).unwrap();
    let prediction = Prediction {
        scores: (0..4)
            .map(|label| LabelScore {
                label: LabelId(label),
                logit,
                score: logit.sigmoid(),
            })
            .collect(),
        unscored: Vec::new(),
        windows: 1,
        cut: false,
        embedding: None,
    };
    let recall = Recall {
        pinned: BTreeMap::from([(LabelId(0), true), (LabelId(1), false)]),
        shifts: BTreeMap::from([(LabelId(2), 3.0), (LabelId(9), 3.0)]),
    };
    let adjusted = recall.applied_to(&prediction);
    let logits: Vec<f32> = adjusted.scores.iter().map(|s| s.logit.value()).collect();
    assert_eq!(logits, [8.0, -8.0, 2.0, -1.0]);
    assert_eq!(adjusted.scores[2].score, Logit::new(2.0).unwrap().sigmoid());
    assert_eq!(adjusted.scores[3], prediction.scores[3]);
}

proptest! {
    #[test]
    fn whatever_is_said_the_latest_word_on_a_text_is_what_is_recalled(
        said in prop::collection::vec((0u8..4, 0usize..3, any::<bool>()), 1..40)
    ) {
        let (mut memory, set) = (memory(), set());
        let mut expected: BTreeMap<(u8, usize), bool> = BTreeMap::new();
        for (id, (text, label, fits)) in (1..).zip(said) {
            let name = set.labels()[label].name.as_str();
            let (yes, no): (&[&str], &[&str]) = if fits { (&[name], &[]) } else { (&[], &[name]) };
            memory.add(id, &correction(&format!("text {text}"), yes, no));
            expected.insert((text, label), fits);
        }
        for text in 0..4 {
            let pinned = memory.recall(&format!("text {text}"), None, &set).pinned;
            let pinned: Vec<_> = pinned.into_iter().map(|(id, fits)| (id.0 as usize, fits)).collect();
            let wanted: Vec<_> = expected
                .iter()
                .filter(|((of, _), _)| *of == text)
                .map(|((_, label), fits)| (*label, *fits))
                .collect();
            prop_assert_eq!(pinned, wanted);
        }
    }
}

fn of_document(mut correction: Correction, name: &str) -> Correction {
    correction.document = Some(name.to_owned());
    correction
}

#[test]
fn a_verdict_that_near_texts_contradict_is_asked_again_until_it_is_said_twice() {
    let mut memory = memory();
    let yes = |text| correction(text, &["mopsy"], &["tax"]);
    let no = |text| correction(text, &["tax"], &["mopsy"]);
    for (id, text) in [(1, "a"), (2, "b")] {
        let stray = 0.1 * id as f32;
        remember(&mut memory, id, &yes(text), &towards(0, stray));
    }
    assert_eq!(memory.suspicions(&set()), []);
    let odd = of_document(no("c"), "file:///c");
    remember(&mut memory, 3, &odd, &towards(0, 0.3));
    let asked: Vec<(String, bool)> = memory
        .suspicions(&set())
        .into_iter()
        .map(|suspicion| {
            assert_eq!(suspicion.document, "file:///c");
            (suspicion.label, suspicion.fits)
        })
        .collect();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(asked.contains(&("mopsy".to_owned(), false)));
    // Said again of the same document, it is meant.
    remember(&mut memory, 4, &odd, &towards(0, 0.3));
    assert_eq!(memory.suspicions(&set()), []);
    // The other way round it goes with the others.
    remember(
        &mut memory,
        5,
        &of_document(yes("c"), "file:///c"),
        &towards(0, 0.3),
    );
    assert_eq!(memory.suspicions(&set()), []);
}

#[test]
fn a_verdict_that_holds_no_more_is_not_asked_again_whatever_its_label_is_called_now() {
    let renamed = "[[label]]\nname = 'beds'\naliases = ['mopsy']\n";
    let renamed = LabelSet::parse(renamed).unwrap();
    let mut memory = memory();
    for (id, text) in [(1, "a"), (2, "b")] {
        let no = correction(text, &["tax"], &["mopsy"]);
        remember(&mut memory, id, &no, &towards(0, 0.1 * id as f32));
    }
    let odd = of_document(correction("c", &["mopsy"], &[]), "file:///c");
    remember(&mut memory, 3, &odd, &towards(0, 0.3));
    let asked = |memory: &Memory| -> Vec<(String, bool)> {
        let suspicions = memory.suspicions(&renamed).into_iter();
        suspicions.map(|one| (one.label, one.fits)).collect()
    };
    assert_eq!(asked(&memory), [("beds".to_owned(), true)]);
    // A set without the label asks nothing about it.
    let others = LabelSet::from_names(["tax"]).unwrap();
    assert_eq!(memory.suspicions(&others), []);
    let mut under = |id, accepted: &[&str], rejected: &[&str]| {
        let mut said = odd.clone();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        (said.accepted, said.rejected) = (names(accepted), names(rejected));
        remember(&mut memory, id, &said, &towards(0, 0.3));
        asked(&memory)
    };
    // Said again under the new name, it is meant; and it holds no more where it is taken back.
    assert_eq!(under(4, &["beds"], &[]), []);
    assert_eq!(under(5, &[], &["beds"]), []);
}

#[test]
fn texts_that_are_far_contradict_nothing() {
    let mut memory = memory();
    let one = of_document(correction("a", &["mopsy"], &[]), "file:///a");
    let other = of_document(correction("b", &[], &["mopsy"]), "file:///b");
    remember(&mut memory, 1, &one, &towards(0, 0.0));
    remember(&mut memory, 2, &other, &towards(1, 0.0));
    assert_eq!(memory.suspicions(&set()), []);
    assert_eq!(memory.directions(9).len(), 2);
    assert_eq!(memory.directions(1).len(), 1);
}

#[test]
fn of_many_texts_those_that_were_used_last_are_kept() {
    let mut memory = Memory::default();
    for id in 0..MOST_ENTRIES as u64 + 500 {
        // Each label is judged so seldom that only the number of texts counts.
        let name = format!("label {}", id / 100);
        let set = LabelSet::from_names([name.as_str()]).unwrap();
        let said = Said {
            accepted: vec![name],
            rejected: Vec::new(),
            source: Source::Script,
        };
        let correction = Correction::new(format!("note {id}"), Format::Plain, &set, &said);
        memory.add(id, &correction.unwrap());
        assert!(memory.len() <= MOST_ENTRIES);
    }
    let set = LabelSet::from_names(["label 0", "label 104"]).unwrap();
    let pins = |text: &str| memory.recall(text, None, &set).pinned;
    assert_eq!(pins("note 0"), BTreeMap::new());
    assert_eq!(pins("note 10499"), BTreeMap::from([(LabelId(1), true)]));
    assert!(memory.len() > MOST_ENTRIES - SPARE);
}
