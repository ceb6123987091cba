//! Which tags a file gets and loses: what stands, what was done and what fits in; a plan out.
//!
//! Invariant: only tags that the machine wrote are taken out; a tag that a person wrote is the
//! person's; one that a person took out is never added again. A plan that was carried out is
//! followed by an empty one. Pure.

use std::collections::BTreeSet;

use super::Wish;
use super::record::Cause;
use crate::label::{LabelSet, lower};

/// A tag that fits a file.
#[derive(Clone, Debug, PartialEq)]
pub struct TagWish {
    /// The label.
    pub name: String,
    /// How sure the model is, where a model says it.
    pub score: Option<f32>,
    /// When a person said that it fits, in seconds since 1970, where one did. It counts for more
    /// than what was done to the file before.
    pub said: Option<u64>,
}

/// What is known of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// Tags in the place that is written.
    pub(super) standing: Vec<String>,
    /// Tags that the file has elsewhere, in its text for instance.
    pub(super) elsewhere: Vec<String>,
    /// Tags that the machine wrote into that place.
    pub(super) machine: Vec<String>,
    /// Tags that a person took out.
    pub(super) withdrawn: Vec<String>,
    /// Tags that were taken back by an undo.
    pub(super) undone: Vec<String>,
    /// From when on it counts that a person says that a tag fits: what was said before has had its
    /// effect.
    pub(super) heard: Vec<(String, u64)>,
    /// There is nothing left that tags could stand in.
    pub(super) is_bare: bool,
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Plan {
    pub(super) add: Vec<TagWish>,
    pub(super) remove: Vec<String>,
    /// Tags that a person has taken out since, which is to be remembered.
    pub(super) withdrawn: Vec<String>,
    /// Tags that are gone though no person took them out: they may be written again.
    pub(super) lost: Vec<String>,
}

/// How two spellings of a tag are compared: see `lower`; separators do not count either.
pub fn key(tag: &str) -> String {
    let tag = tag.trim().trim_start_matches('#');
    lower(tag).replace([' ', '-'], "_")
}

/// Whether two spellings are of one tag.
pub fn is_same_tag(a: &str, b: &str) -> bool {
    a == b || key(a) == key(b)
}

/// Whether a tag is one of these, however they are spelled.
pub fn is_among(tag: &str, tags: &[String]) -> bool {
    tags.iter().any(|other| is_same_tag(other, tag))
}

/// The same as `key`, with an alias taken for the label that it is of.
fn meaning(tag: &str, set: Option<&LabelSet>) -> String {
    let bare = tag.trim().trim_start_matches('#');
    match set.and_then(|set| Some(set.label(set.find(bare)?))) {
        Some(label) => key(&label.name),
        None => key(tag),
    }
}

/// The plan for a file. Tags of the machine that are of none of the labels that were asked about
/// stay; where the wish names none, all were.
pub(super) fn plan(known: &Known, wish: &Wish<'_>, cause: Cause) -> Plan {
    let means = |tag: &String| meaning(tag, wish.set);
    let meanings = |tags: &[String]| -> BTreeSet<String> { tags.iter().map(means).collect() };
    let wanted: BTreeSet<String> = wish.tags.iter().map(|tag| means(&tag.name)).collect();
    let heard = |meaning: &str| {
        let of_tag = known.heard.iter().filter(|(tag, _)| means(tag) == meaning);
        of_tag.map(|(_, from)| *from).max().unwrap_or(0)
    };
    let said = wish.tags.iter().filter_map(|tag| {
        let meaning = means(&tag.name);
        let counts = tag.said.is_some_and(|said| said >= heard(&meaning));
        counts.then_some(meaning)
    });
    let said: BTreeSet<String> = said.collect();

    let standing = meanings(&known.standing);
    let gone = known.machine.iter();
    let gone = gone.filter(|tag| !standing.contains(&means(tag))).cloned();
    let is_lost = |tag: &String| known.is_bare || wish.in_crowd || said.contains(&means(tag));
    let (lost, withdrawn): (Vec<String>, Vec<String>) = gone.partition(is_lost);

    let machine: BTreeSet<String> = known.machine.iter().map(|tag| key(tag)).collect();
    let asked = wish.labels.map(meanings);
    let goes = |tag: &String| {
        let meaning = means(tag);
        let is_asked = asked.as_ref().is_none_or(|asked| asked.contains(&meaning));
        // By another name than its label's it was written when the label was called that.
        let is_current = wanted.contains(&meaning) && key(tag) == meaning;
        machine.contains(&key(tag)) && is_asked && !is_current
    };
    let (remove, stays): (Vec<String>, Vec<String>) =
        known.standing.iter().cloned().partition(goes);

    let mut barred = meanings(&known.withdrawn);
    barred.extend(meanings(&withdrawn));
    if cause == Cause::Watch {
        // What a person took back does not come again by itself.
        barred.extend(meanings(&known.undone));
    }
    let mut taken = meanings(&stays);
    taken.extend(meanings(&known.elsewhere));
    let is_free = |tag: &&TagWish| {
        let meaning = means(&tag.name);
        (said.contains(&meaning) || !barred.contains(&meaning)) && taken.insert(meaning)
    };
    Plan {
        add: wish.tags.iter().filter(is_free).cloned().collect(),
        remove,
        withdrawn,
        lost,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::ContentHash;
    use proptest::prelude::*;
    use std::path::Path;

    fn strings(tags: &[&str]) -> Vec<String> {
        tags.iter().map(|tag| (*tag).to_owned()).collect()
    }

    fn wishes(tags: &[&str]) -> Vec<TagWish> {
        let wish = |tag: &&str| TagWish {
            name: (*tag).to_owned(),
            score: None,
            said: None,
        };
        tags.iter().map(wish).collect()
    }

    fn wish(tags: &[TagWish]) -> Wish<'_> {
        Wish {
            path: Path::new("a.md"),
            seen: ContentHash::of(b""),
            tags,
            labels: None,
            set: None,
            in_crowd: false,
        }
    }

    fn known(standing: &[&str], machine: &[&str], withdrawn: &[&str], undone: &[&str]) -> Known {
        Known {
            standing: strings(standing),
            elsewhere: Vec::new(),
            machine: strings(machine),
            withdrawn: strings(withdrawn),
            undone: strings(undone),
            heard: Vec::new(),
            is_bare: false,
        }
    }

    fn shown(plan: &Plan) -> String {
        let add = plan.add.iter().map(|wish| format!("+{}", wish.name));
        let remove = plan.remove.iter().map(|tag| format!("-{tag}"));
        let gone = plan.withdrawn.iter().map(|tag| format!("!{tag}"));
        let lost = plan.lost.iter().map(|tag| format!("?{tag}"));
        let all = add.chain(remove).chain(gone).chain(lost);
        all.collect::<Vec<_>>().join(" ")
    }

    #[track_caller]
    fn check(known: &Known, wanted: &[&str], cause: Cause, expected: &str) {
        assert_eq!(shown(&plan(known, &wish(&wishes(wanted)), cause)), expected);
    }

    #[test]
    fn machine_tags_come_and_go_and_those_of_a_person_stay() {
        let person = Cause::Person;
        check(&known(&[], &[], &[], &[]), &["a", "b"], person, "+a +b");
        check(&known(&["a"], &[], &[], &[]), &["b"], person, "+b");
        check(&known(&["a"], &["a"], &[], &[]), &["b"], person, "+b -a");
        check(&known(&["A-b"], &["a b"], &[], &[]), &["a_b"], person, "");
        check(&known(&["Mine"], &[], &[], &[]), &["mine"], person, "");
        let apart = known(&["cafe\u{301}"], &[], &[], &[]);
        check(&apart, &["Café"], person, "");
    }

    #[test]
    fn what_a_person_took_out_never_returns() {
        let person = Cause::Person;
        check(&known(&[], &["a"], &[], &[]), &["a"], person, "!a");
        check(&known(&[], &[], &["a"], &[]), &["a", "b"], person, "+b");
        // Unless the person writes it again, and then it is the person's.
        check(&known(&["a"], &[], &["a"], &[]), &[], person, "");
    }

    #[test]
    fn what_was_undone_returns_only_on_a_persons_word() {
        let undone = known(&[], &[], &[], &["a"]);
        check(&undone, &["a"], Cause::Watch, "");
        check(&undone, &["a"], Cause::Person, "+a");
    }

    #[test]
    fn tags_that_were_not_asked_about_stay() {
        let known = known(&["a", "b"], &["a", "b"], &[], &[]);
        let labels = strings(&["b", "c"]);
        let wish = Wish {
            labels: Some(&labels),
            ..wish(&[])
        };
        assert_eq!(shown(&plan(&known, &wish, Cause::Person)), "-b");
    }

    #[test]
    fn what_nobody_took_out_is_written_again() {
        let gone = known(&["b"], &["a"], &[], &["c"]);
        let wanted = wishes(&["a", "c"]);
        let crowd = Wish {
            in_crowd: true,
            ..wish(&wanted)
        };
        assert_eq!(shown(&plan(&gone, &crowd, Cause::Watch)), "+a ?a");
        let bare = Known {
            is_bare: true,
            ..known(&[], &["a", "b"], &["c"], &[])
        };
        check(&bare, &["a", "c"], Cause::Watch, "+a ?a ?b");
    }

    #[test]
    fn what_a_person_said_fits_is_written_whatever_was_before() {
        let mut wanted = wishes(&["a", "b", "c", "d"]);
        for tag in &mut wanted[..3] {
            tag.said = Some(5);
        }
        let mut known = known(&[], &["c"], &["a", "d"], &["b"]);
        let shown = |known: &Known| shown(&plan(known, &wish(&wanted), Cause::Watch));
        assert_eq!(shown(&known), "+a +b +c ?c");
        // What was done after that counts for more, each tag by itself and by whatever name.
        known.heard = vec![
            ("A".to_owned(), 5),
            ("b".to_owned(), 6),
            ("c".to_owned(), 6),
        ];
        assert_eq!(shown(&known), "+a !c");
    }

    #[test]
    fn what_a_build_heard_that_told_accents_apart_holds_for_both() {
        let mut wanted = wishes(&["Café"]);
        wanted[0].said = Some(5);
        let mut known = known(&[], &[], &["cafe\u{301}"], &[]);
        let shown = |known: &Known| shown(&plan(known, &wish(&wanted), Cause::Watch));
        assert_eq!(shown(&known), "+Café");
        known.heard = vec![("cafe\u{301}".to_owned(), 6), ("café".to_owned(), 4)];
        assert_eq!(shown(&known), "");
    }

    #[test]
    fn an_alias_is_the_same_tag_and_the_machines_own_gives_way_to_the_name() {
        let set = "[[label]]\nname = 'garden'\naliases = ['gardening', 'beds']\n";
        let set = LabelSet::parse(set).unwrap();
        let labels = strings(&["garden"]);
        let check = |known: &Known, wanted: &[&str], expected: &str| {
            let wanted = wishes(wanted);
            let wish = Wish {
                set: Some(&set),
                labels: Some(&labels),
                ..wish(&wanted)
            };
            assert_eq!(shown(&plan(known, &wish, Cause::Watch)), expected);
        };
        check(&known(&["Gardening"], &[], &[], &[]), &["garden"], "");
        let in_text = Known {
            elsewhere: strings(&["gardening"]),
            ..Known::default()
        };
        check(&in_text, &["garden"], "");
        let renamed = known(&["beds"], &["beds"], &[], &[]);
        check(&renamed, &["garden"], "+garden -beds");
        check(&renamed, &[], "-beds");
        let both = known(&["beds", "garden"], &["beds", "garden"], &[], &[]);
        check(&both, &["garden"], "-beds");
        // A person wrote it as they spell it, and what was taken out by its old name stays out.
        check(&known(&["beds"], &["garden"], &[], &[]), &["garden"], "");
        check(&known(&[], &[], &["beds"], &[]), &["garden"], "");
    }

    #[test]
    fn a_tag_in_the_text_is_not_written_again() {
        let known = Known {
            elsewhere: strings(&["Garden"]),
            ..Known::default()
        };
        check(&known, &["garden", "tax"], Cause::Person, "+tax");
    }

    fn tags() -> impl Strategy<Value = Vec<String>> {
        prop::collection::vec(
            prop::sample::select(vec!["a", "B", "c", "d e", "D-e", "f"]),
            0..5,
        )
        .prop_map(|tags| strings(&tags))
    }

    proptest! {
        #[test]
        fn no_plan_touches_what_a_person_did_and_a_second_one_is_empty(
            standing in tags(), elsewhere in tags(), machine in tags(), withdrawn in tags(),
            undone in tags(), wanted in tags(), is_bare: bool, in_crowd: bool,
        ) {
            let heard = Vec::new();
            let mut known =
                Known { standing, elsewhere, machine, withdrawn, undone, heard, is_bare };
            let names: Vec<&str> = wanted.iter().map(String::as_str).collect();
            let wanted = wishes(&names);
            let wish = Wish { in_crowd, ..wish(&wanted) };
            let keys = |tags: &[String]| -> BTreeSet<String> {
                tags.iter().map(|tag| key(tag)).collect()
            };
            let first = plan(&known, &wish, Cause::Watch);
            let machine = keys(&known.machine);
            let held = keys(&[&known.withdrawn[..], &known.undone, &known.standing].concat());
            prop_assert!(first.remove.iter().all(|tag| machine.contains(&key(tag))));
            prop_assert!(first.add.iter().all(|wish| !held.contains(&key(&wish.name))));
            known.standing.retain(|tag| !first.remove.contains(tag));
            let out = keys(&[&first.remove[..], &first.withdrawn, &first.lost].concat());
            known.machine.retain(|tag| !out.contains(&key(tag)));
            for wish in &first.add {
                known.standing.push(wish.name.clone());
                known.machine.push(wish.name.clone());
            }
            known.withdrawn.extend(first.withdrawn);
            let second = plan(&known, &wish, Cause::Watch);
            prop_assert_eq!(second, Plan::default());
        }
    }
}
