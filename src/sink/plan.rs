//! Which tags a file gets and loses: what stands, what was done and what fits in; a plan out.
//!
//! Invariant: only tags that the machine wrote are taken out; a tag that a person wrote is the
//! person's; one that a person took out is never added again. A plan that was carried out is
//! followed by an empty one. Pure.

use std::collections::BTreeSet;

use super::record::Cause;

/// A tag that fits a file.
#[derive(Clone, Debug, PartialEq)]
pub struct TagWish {
    /// The label.
    pub name: String,
    /// How sure the model is, where a model says it.
    pub score: Option<f32>,
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
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Plan {
    pub(super) add: Vec<TagWish>,
    pub(super) remove: Vec<String>,
    /// Tags that a person has taken out since, which is to be remembered.
    pub(super) withdrawn: Vec<String>,
}

/// How two spellings of a tag are compared: case and separators do not count.
pub(super) fn key(tag: &str) -> String {
    let tag = tag.trim().trim_start_matches('#');
    tag.to_lowercase().replace([' ', '-'], "_")
}

fn keys<'a>(tags: impl IntoIterator<Item = &'a String>) -> BTreeSet<String> {
    tags.into_iter().map(|tag| key(tag)).collect()
}

/// The plan for a file. `labels` are those that were asked about: other tags of the machine stay;
/// with `None` all were.
pub(super) fn plan(
    known: &Known,
    wanted: &[TagWish],
    labels: Option<&[String]>,
    cause: Cause,
) -> Plan {
    let standing = keys(&known.standing);
    let mut taken = keys(known.standing.iter().chain(&known.elsewhere));
    let gone = |tag: &&String| !standing.contains(&key(tag));
    let withdrawn: Vec<String> = known.machine.iter().filter(gone).cloned().collect();
    taken.extend(keys(known.withdrawn.iter().chain(&withdrawn)));
    if cause == Cause::Watch {
        // What a person took back does not come again by itself.
        taken.extend(keys(&known.undone));
    }
    let add = wanted.iter().filter(|wish| taken.insert(key(&wish.name)));
    let add = add.cloned().collect();
    let wanted = keys(wanted.iter().map(|wish| &wish.name));
    let asked = labels.map(keys);
    let machine = keys(&known.machine);
    let goes = |tag: &&String| {
        let key = key(tag);
        let is_asked = asked.as_ref().is_none_or(|asked| asked.contains(&key));
        machine.contains(&key) && !wanted.contains(&key) && is_asked
    };
    Plan {
        add,
        remove: known.standing.iter().filter(goes).cloned().collect(),
        withdrawn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn strings(tags: &[&str]) -> Vec<String> {
        tags.iter().map(|tag| (*tag).to_owned()).collect()
    }

    fn wishes(tags: &[&str]) -> Vec<TagWish> {
        let wish = |tag: &&str| TagWish {
            name: (*tag).to_owned(),
            score: None,
        };
        tags.iter().map(wish).collect()
    }

    fn known(standing: &[&str], machine: &[&str], withdrawn: &[&str], undone: &[&str]) -> Known {
        Known {
            standing: strings(standing),
            elsewhere: Vec::new(),
            machine: strings(machine),
            withdrawn: strings(withdrawn),
            undone: strings(undone),
        }
    }

    fn shown(plan: &Plan) -> String {
        let add = plan.add.iter().map(|wish| format!("+{}", wish.name));
        let remove = plan.remove.iter().map(|tag| format!("-{tag}"));
        let gone = plan.withdrawn.iter().map(|tag| format!("!{tag}"));
        add.chain(remove).chain(gone).collect::<Vec<_>>().join(" ")
    }

    #[track_caller]
    fn check(known: &Known, wanted: &[&str], cause: Cause, expected: &str) {
        assert_eq!(shown(&plan(known, &wishes(wanted), None, cause)), expected);
    }

    #[test]
    fn machine_tags_come_and_go_and_those_of_a_person_stay() {
        let person = Cause::Person;
        check(&known(&[], &[], &[], &[]), &["a", "b"], person, "+a +b");
        check(&known(&["a"], &[], &[], &[]), &["b"], person, "+b");
        check(&known(&["a"], &["a"], &[], &[]), &["b"], person, "+b -a");
        check(&known(&["A-b"], &["a b"], &[], &[]), &["a_b"], person, "");
        check(&known(&["Mine"], &[], &[], &[]), &["mine"], person, "");
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
        let plan = plan(&known, &[], Some(&strings(&["b", "c"])), Cause::Person);
        assert_eq!(shown(&plan), "-b");
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
            undone in tags(), wanted in tags(),
        ) {
            let mut known = Known { standing, elsewhere, machine, withdrawn, undone };
            let wanted: Vec<TagWish> =
                wanted.into_iter().map(|name| TagWish { name, score: None }).collect();
            let first = plan(&known, &wanted, None, Cause::Watch);
            let machine = keys(&known.machine);
            let held = keys(known.withdrawn.iter().chain(&known.undone).chain(&known.standing));
            prop_assert!(first.remove.iter().all(|tag| machine.contains(&key(tag))));
            prop_assert!(first.add.iter().all(|wish| !held.contains(&key(&wish.name))));
            known.standing.retain(|tag| !first.remove.contains(tag));
            let out = keys(first.remove.iter().chain(&first.withdrawn));
            known.machine.retain(|tag| !out.contains(&key(tag)));
            for wish in &first.add {
                known.standing.push(wish.name.clone());
                known.machine.push(wish.name.clone());
            }
            known.withdrawn.extend(first.withdrawn);
            let second = plan(&known, &wanted, None, Cause::Watch);
            prop_assert_eq!(second, Plan::default());
        }
    }
}
