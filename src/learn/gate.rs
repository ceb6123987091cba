//! The gate: what two models say of the same decisions in, a verdict with reasons out.
//!
//! Invariant: pure; the same evidence gives the same verdict. A check that has too little to judge by
//! passes and says so; a score that is no probability passes nothing.
//! Knows nothing of models, texts and files, and of how the candidate was made.
//!
//! Length: half of it is the table of ways to be worse, in the tests.

use super::evaluation::{Evaluation, Scored, Task, Thresholds, evaluate};

/// A text with one of its labels, before and after.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    /// The probability before: of the shipped model for general texts, of the served one for others.
    pub before: f32,
    /// The probability that the candidate gives.
    pub after: f32,
    /// Whether the label fits, where somebody has said so.
    pub truth: Option<bool>,
}

/// The decisions about one text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// Number of the label space that its labels are of.
    pub space: u32,
    /// One decision a label, in the space's order.
    pub decisions: Vec<Decision>,
}

/// Everything that a candidate is judged by.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// Texts that have nothing to do with this person's corrections; `before` is the shipped model.
    pub general: Vec<Row>,
    /// Corrections that are never learnt from.
    pub held_out: Vec<Row>,
    /// Examples that must always be right.
    pub pinned: Vec<Row>,
    /// Corrections that were learnt from now for the first time.
    pub new: Vec<Row>,
    /// From which score a label is a tag: before and after.
    pub thresholds: [f32; 2],
}

/// How much a candidate may cost, and what it must bring.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Most that the mean ranking precision of general texts may fall.
    pub ranking_drop: f64,
    /// Most that the macro-F1 of general texts may fall.
    pub f1_drop: f64,
    /// Net new errors on general texts that are always allowed.
    pub errors: usize,
    /// And as a share of all decisions about them.
    pub error_share: f64,
    /// Fewest held-out verdicts that are judged by.
    pub held_out: usize,
    /// Least share of the new verdicts, wrong before, that must be right after.
    pub fixed: f64,
    /// Most tags of general texts that may change, as a share of them.
    pub flips: f64,
    /// Most that the calibration error on general texts may rise.
    pub calibration_rise: f64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            ranking_drop: 0.005,
            f1_drop: 0.005,
            errors: 2,
            error_share: 0.001,
            held_out: 10,
            fixed: 0.5,
            flips: 0.10,
            calibration_rise: 0.02,
        }
    }
}

/// What was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Every score is a probability.
    Finite,
    /// How true labels of general texts are ranked.
    Ranking,
    /// What of general texts is tagged right.
    F1,
    /// Errors on general texts that are new, against those that are gone.
    Errors,
    /// Tags of general texts that change.
    Flips,
    /// Whether probabilities on general texts come true.
    Calibration,
    /// Corrections that are never learnt from.
    HeldOut,
    /// Examples that must always be right.
    Pinned,
    /// Corrections that were learnt from now.
    New,
}

impl Subject {
    /// Its name in manifests.
    pub fn name(self) -> &'static str {
        match self {
            Subject::Finite => "finite",
            Subject::Ranking => "general-ranking",
            Subject::F1 => "general-f1",
            Subject::Errors => "general-errors",
            Subject::Flips => "general-flips",
            Subject::Calibration => "general-calibration",
            Subject::HeldOut => "held-out",
            Subject::Pinned => "pinned",
            Subject::New => "new-corrections",
        }
    }
}

/// One thing that was looked at, and what was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// What.
    pub subject: Subject,
    /// Whether it may pass.
    pub passed: bool,
    /// The finding in words.
    pub finding: String,
}

/// Whether a candidate may serve.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Every check, passed or not.
    pub checks: Vec<Check>,
}

impl Verdict {
    /// Whether every check passed.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.passed)
    }

    /// The findings of checks that did not pass.
    pub fn objections(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| !check.passed)
    }
}

/// Judges a candidate.
pub fn judge(evidence: &Evidence, limits: &Limits) -> Verdict {
    let all = [
        &evidence.general,
        &evidence.held_out,
        &evidence.pinned,
        &evidence.new,
    ];
    let decisions = all.into_iter().flatten().flat_map(|row| &row.decisions);
    let broken = decisions
        .filter(|decision| !(0.0..=1.0).contains(&decision.after))
        .count();
    let finite = Check {
        subject: Subject::Finite,
        passed: broken == 0,
        finding: match broken {
            0 => "every score is a probability".to_owned(),
            n => format!("{n} scores are no probabilities"),
        },
    };
    if broken > 0 {
        return Verdict {
            checks: vec![finite],
        };
    }
    let mut checks = vec![finite];
    checks.extend(general(evidence, limits));
    checks.push(held_out(evidence, limits));
    checks.push(pinned(evidence));
    checks.push(new(evidence, limits));
    Verdict { checks }
}

/// The place of the candidate to serve among those that were judged: of all that pass, the one with
/// the largest share of what was learnt.
pub fn largest(judged: &[(f64, Verdict)]) -> Option<usize> {
    let passed = judged.iter().enumerate().filter(|(_, (_, v))| v.passed());
    passed
        .max_by(|(_, (a, _)), (_, (b, _))| a.total_cmp(b))
        .map(|(place, _)| place)
}

fn general(evidence: &Evidence, limits: &Limits) -> Vec<Check> {
    let [before, after] = [0, 1].map(|side| measured(&evidence.general, evidence, side));
    let (Some(before), Some(after)) = (before, after) else {
        return vec![Check {
            subject: Subject::Ranking,
            passed: true,
            finding: "there are no general texts to judge by".to_owned(),
        }];
    };
    let fall = |subject, what: &str, before: f64, after: f64, limit: f64| Check {
        subject,
        // A hair's breadth of rounding is no fall.
        passed: before - after <= limit + 1e-9,
        finding: format!(
            "{what} of general texts {} → {} (may fall by {})",
            points(before),
            points(after),
            points(limit)
        ),
    };
    let tally = Tally::of(&evidence.general, evidence.thresholds);
    let allowed = limits
        .errors
        .max((limits.error_share * tally.decisions as f64) as usize);
    let flips = tally.changed as f64 / tally.tags.max(1) as f64;
    let (ece_before, ece_after) = (calibration(&before), calibration(&after));
    vec![
        fall(
            Subject::Ranking,
            "mean ranking precision",
            before.ranking.lrap,
            after.ranking.lrap,
            limits.ranking_drop,
        ),
        fall(
            Subject::F1,
            "macro-F1",
            before.at_default.macro_mean.f1,
            after.at_default.macro_mean.f1,
            limits.f1_drop,
        ),
        Check {
            subject: Subject::Errors,
            passed: tally.losses <= tally.wins + allowed,
            finding: format!(
                "{} new errors on general texts, {} gone (net {allowed} allowed)",
                tally.losses, tally.wins
            ),
        },
        Check {
            subject: Subject::Flips,
            passed: flips <= limits.flips,
            finding: format!(
                "{} of {} tags of general texts change (at most {} %)",
                tally.changed,
                tally.tags,
                100.0 * limits.flips
            ),
        },
        Check {
            subject: Subject::Calibration,
            passed: ece_after - ece_before <= limits.calibration_rise + 1e-9,
            finding: format!(
                "calibration error on general texts {ece_before:.3} → {ece_after:.3} (may rise by {})",
                limits.calibration_rise
            ),
        },
    ]
}

fn held_out(evidence: &Evidence, limits: &Limits) -> Check {
    let tally = Tally::of(&evidence.held_out, evidence.thresholds);
    let enough = tally.verdicts >= limits.held_out;
    Check {
        subject: Subject::HeldOut,
        passed: !enough || tally.wins >= tally.losses,
        finding: match enough {
            true => format!(
                "of {} held-out verdicts {} become right, {} wrong",
                tally.verdicts, tally.wins, tally.losses
            ),
            false => format!(
                "{} held-out verdicts are too few to judge by (at least {})",
                tally.verdicts, limits.held_out
            ),
        },
    }
}

fn pinned(evidence: &Evidence) -> Check {
    let tally = Tally::of(&evidence.pinned, evidence.thresholds);
    Check {
        subject: Subject::Pinned,
        passed: tally.wrong == 0,
        finding: match (tally.verdicts, tally.wrong) {
            (0, _) => "nothing is pinned".to_owned(),
            (n, 0) => format!("all {n} pinned verdicts are right"),
            (n, wrong) => format!("{wrong} of {n} pinned verdicts are wrong"),
        },
    }
}

fn new(evidence: &Evidence, limits: &Limits) -> Check {
    let tally = Tally::of(&evidence.new, evidence.thresholds);
    let was_wrong = tally.wrong + tally.wins - tally.losses;
    let enough = tally.wins as f64 >= limits.fixed * was_wrong as f64;
    Check {
        subject: Subject::New,
        passed: enough && tally.losses <= tally.wins,
        finding: match was_wrong {
            0 => format!(
                "all {} new verdicts were right before; {} become wrong",
                tally.verdicts, tally.losses
            ),
            n => format!(
                "{} of {n} new verdicts that were wrong are right now, {} become wrong (at least {} % right)",
                tally.wins,
                tally.losses,
                100.0 * limits.fixed
            ),
        },
    }
}

/// What a candidate changes.
#[derive(Default)]
struct Tally {
    decisions: usize,
    verdicts: usize,
    /// Wrong before, right after.
    wins: usize,
    /// Right before, wrong after.
    losses: usize,
    /// Wrong after.
    wrong: usize,
    /// Tags before or after.
    tags: usize,
    /// Tags before or after, but not both.
    changed: usize,
}

impl Tally {
    fn of(rows: &[Row], [low, high]: [f32; 2]) -> Tally {
        let mut tally = Tally::default();
        for decision in rows.iter().flat_map(|row| &row.decisions) {
            let (before, after) = (decision.before >= low, decision.after >= high);
            tally.decisions += 1;
            tally.tags += usize::from(before || after);
            tally.changed += usize::from(before != after);
            let Some(truth) = decision.truth else {
                continue;
            };
            tally.verdicts += 1;
            tally.wrong += usize::from(after != truth);
            tally.wins += usize::from(before != truth && after == truth);
            tally.losses += usize::from(before == truth && after != truth);
        }
        tally
    }
}

/// Side 0 is before, side 1 after; only decisions whose truth is known count.
fn measured(rows: &[Row], evidence: &Evidence, side: usize) -> Option<Evaluation> {
    /// More labels than any space has: each space gets numbers of its own.
    const SPACE: u32 = 1 << 12;
    let scored = rows.iter().filter_map(|row| {
        let known = (0..).zip(&row.decisions).filter(|(_, d)| d.truth.is_some());
        let labels: Vec<u32> = known.clone().map(|(i, _)| row.space * SPACE + i).collect();
        let score = |d: &Decision| if side == 0 { d.before } else { d.after };
        let scores = known.clone().map(|(_, d)| score(d)).collect();
        let truth = known.map(|(_, d)| d.truth == Some(true)).collect();
        Scored::new(labels, scores, truth).ok()
    });
    let thresholds = Thresholds::single(evidence.thresholds[side]);
    evaluate(&scored.collect::<Vec<_>>(), &thresholds, Task::MultiLabel)
}

fn calibration(evaluation: &Evaluation) -> f64 {
    evaluation.calibration.equal_width.error()
}

/// A share as points of a hundred.
fn points(share: f64) -> String {
    format!("{:.1}", 100.0 * share)
}

#[cfg(test)]
mod tests {
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
            new: vec![row(&[(0.1, 0.8, Some(true)), (0.9, 0.2, Some(false))])],
            thresholds: [0.5, 0.5],
        }
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
    fn the_largest_candidate_that_passes_is_taken() {
        let verdict = |passed| Verdict {
            checks: vec![Check {
                subject: Subject::Finite,
                passed,
                finding: String::new(),
            }],
        };
        let judged = |all: [(f64, bool); 3]| largest(&all.map(|(a, p)| (a, verdict(p))));
        assert_eq!(judged([(1.0, false), (0.5, true), (0.25, true)]), Some(1));
        assert_eq!(judged([(0.25, true), (1.0, true), (0.5, true)]), Some(1));
        assert_eq!(judged([(1.0, false), (0.5, false), (0.25, false)]), None);
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
            let evidence = Evidence { general, held_out, new, pinned: Vec::new(), thresholds };
            prop_assert!(judge(&evidence, &limits).passed());
        }

        #[test]
        fn looser_limits_never_refuse_what_stricter_ones_let_pass(
            general in any_rows(), held_out in any_rows(), new in any_rows(), by in 0.0_f64..0.5,
        ) {
            let thresholds = [0.5, 0.5];
            let evidence = Evidence { general, held_out, new, pinned: Vec::new(), thresholds };
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
            let one = Evidence { general, held_out: Vec::new(), new, pinned, thresholds };
            let mut other = one.clone();
            other.general.reverse();
            other.new.reverse();
            let passed = |e: &Evidence| judge(e, &Limits::default()).passed();
            prop_assert_eq!(passed(&one), passed(&other));
        }
    }
}
