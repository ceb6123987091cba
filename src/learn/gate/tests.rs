//! The gate held to its promises: each way to be worse, and what must not matter.

use super::*;
use proptest::prelude::*;

fn row(decisions: &[(f32, f32, Option<bool>)]) -> Row {
    let decision = |(before, after, truth): &(f32, f32, Option<bool>)| Decision {
        before: *before,
        after: *after,
        truth: *truth,
    };
    Row {
        space: 0,
        decisions: decisions.iter().map(decision).collect(),
    }
}

fn evidence() -> Evidence {
    let right = [(0.9, 0.9, Some(true)), (0.1, 0.1, Some(false))];
    Evidence {
        general: vec![row(&right); 40],
        held_out: Vec::new(),
        pinned: Vec::new(),
        pinned_names: Vec::new(),
        pinned_unread: 0,
        new: vec![row(&[(0.1, 0.8, Some(true)), (0.9, 0.2, Some(false))])],
        thresholds: [0.5, 0.5],
    }
}

#[test]
fn pinned_verdicts_that_are_wrong_are_named() {
    let names = (1..=4).map(|line| vec![format!("line {line}, `tax`")]);
    let mut evidence = Evidence {
        pinned: vec![row(&[(0.9, 0.1, Some(true))]); 4],
        pinned_names: names.collect(),
        pinned_unread: 2,
        ..evidence()
    };
    let finding = |evidence: &Evidence| pinned(evidence).finding;
    assert_eq!(
        finding(&evidence),
        "4 of 4 pinned verdicts are wrong (line 1, `tax`; line 2, `tax`; line 3, `tax`; …), 2 cannot be read (`gliznet doctor` names them)"
    );
    evidence.pinned_unread = 0;
    evidence.pinned[0].decisions[0].after = 0.9;
    evidence.pinned[2].decisions[0].after = 0.9;
    assert_eq!(
        finding(&evidence),
        "2 of 4 pinned verdicts are wrong (line 2, `tax`; line 4, `tax`)"
    );
}

/// The subjects that object to the evidence after a change of it.
fn objections(change: impl FnOnce(&mut Evidence)) -> Vec<&'static str> {
    let mut evidence = evidence();
    change(&mut evidence);
    let verdict = judge(&evidence, &Limits::default());
    verdict.objections().map(|c| c.subject.name()).collect()
}

#[test]
fn each_way_to_be_worse_is_told_by_its_name() {
    let lost = row(&[(0.9, 0.4, Some(true)), (0.1, 0.1, Some(false))]);
    let swapped = row(&[(0.9, 0.55, Some(true)), (0.1, 0.6, Some(false))]);
    let unsure = row(&[(0.9, 0.6, Some(true)), (0.1, 0.3, Some(false))]);
    let flipped = row(&[
        (0.6, 0.4, None),
        (0.9, 0.9, Some(true)),
        (0.1, 0.1, Some(false)),
    ]);
    let held = |before, after| row(&[(before, after, Some(true))]);
    type Case = (
        &'static str,
        Box<dyn FnOnce(&mut Evidence)>,
        Vec<&'static str>,
    );
    let cases: Vec<Case> = vec![
        ("nothing is worse", Box::new(|_| ()), vec![]),
        (
            "one general tag of forty is lost",
            Box::new({
                let lost = lost.clone();
                move |e| e.general[0] = lost
            }),
            vec!["general-f1"],
        ),
        (
            "four are",
            Box::new(move |e| e.general[..4].fill(lost)),
            vec!["general-f1", "general-errors", "general-calibration"],
        ),
        (
            "a wrong label overtakes the right one",
            Box::new(move |e| e.general[0] = swapped),
            vec!["general-ranking"],
        ),
        (
            "probabilities do not come true any more",
            Box::new(move |e| e.general.fill(unsure)),
            vec!["general-calibration"],
        ),
        (
            "tags without a known truth change too",
            Box::new(move |e| e.general[..9].fill(flipped)),
            vec!["general-flips"],
        ),
        (
            "held-out corrections get worse",
            Box::new(move |e| e.held_out = vec![held(0.9, 0.1); 10]),
            vec!["held-out"],
        ),
        (
            "but nine are too few",
            Box::new(move |e| e.held_out = vec![held(0.9, 0.1); 9]),
            vec![],
        ),
        (
            "a pinned example is wrong",
            Box::new(move |e| e.pinned = vec![held(0.1, 0.2)]),
            vec!["pinned"],
        ),
        (
            "what was taught is not learnt",
            Box::new(move |e| e.new = vec![held(0.1, 0.2), held(0.1, 0.2), held(0.1, 0.9)]),
            vec!["new-corrections"],
        ),
        (
            "a score is no number, and nothing else is believed",
            Box::new(move |e| e.new = vec![held(0.1, f32::NAN)]),
            vec!["finite"],
        ),
    ];
    for (name, change, expected) in cases {
        assert_eq!(objections(change), expected, "{name}");
    }
}

#[test]
fn without_any_evidence_there_is_nothing_against_a_candidate() {
    assert_eq!(
        objections(|e| {
            e.general.clear();
            e.new.clear();
        }),
        [""; 0]
    );
}

#[test]
fn another_threshold_after_is_what_the_candidate_is_judged_at() {
    let lower = |e: &mut Evidence| {
        for decision in e.general.iter_mut().flat_map(|row| &mut row.decisions) {
            decision.after = decision.before * 0.5;
        }
        e.new = vec![row(&[(0.1, 0.4, Some(true))])];
    };
    let objected = objections(|e| {
        lower(e);
        e.thresholds = [0.5, 0.3];
    });
    assert_eq!(objected, ["general-calibration"]);
}

fn any_rows() -> impl Strategy<Value = Vec<Row>> {
    let score = || (0_u8..=10).prop_map(|n| f32::from(n) / 10.0);
    let truth = prop_oneof![Just(None), any::<bool>().prop_map(Some)];
    let decision = (score(), score(), truth).prop_map(|(before, after, truth)| Decision {
        before,
        after,
        truth,
    });
    let row = prop::collection::vec(decision, 1..5).prop_map(|decisions| Row {
        space: 0,
        decisions,
    });
    prop::collection::vec(row, 0..12)
}

proptest! {
    #[test]
    fn a_candidate_that_changes_nothing_passes_unless_a_pin_is_wrong(
        (mut general, mut held_out, mut new) in (any_rows(), any_rows(), any_rows()),
    ) {
        for decision in [&mut general, &mut held_out, &mut new]
            .into_iter().flatten().flat_map(|row| &mut row.decisions) {
            decision.after = decision.before;
        }
        let limits = Limits { fixed: 0.0, ..Limits::default() };
        let thresholds = [0.5, 0.5];
        let evidence = Evidence { general, held_out, new, thresholds, ..evidence() };
        prop_assert!(judge(&evidence, &limits).passed());
    }

    #[test]
    fn looser_limits_never_refuse_what_stricter_ones_let_pass(
        general in any_rows(), held_out in any_rows(), new in any_rows(), by in 0.0_f64..0.5,
    ) {
        let thresholds = [0.5, 0.5];
        let evidence = Evidence { general, held_out, new, thresholds, ..evidence() };
        let strict = Limits::default();
        let loose = Limits {
            ranking_drop: strict.ranking_drop + by,
            f1_drop: strict.f1_drop + by,
            errors: strict.errors + 3,
            error_share: strict.error_share + by,
            held_out: strict.held_out + 4,
            fixed: strict.fixed * (1.0 - by),
            flips: strict.flips + by,
            calibration_rise: strict.calibration_rise + by,
        };
        if judge(&evidence, &strict).passed() {
            prop_assert!(judge(&evidence, &loose).passed());
        }
    }

    #[test]
    fn the_order_of_texts_changes_nothing(general in any_rows(), new in any_rows()) {
        let thresholds = [0.5, 0.5];
        let pinned = Vec::new();
        let one = Evidence { general, new, pinned, thresholds, ..evidence() };
        let mut other = one.clone();
        other.general.reverse();
        other.new.reverse();
        let passed = |e: &Evidence| judge(e, &Limits::default()).passed();
        prop_assert_eq!(passed(&one), passed(&other));
    }
}
