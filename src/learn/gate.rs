//! The gate: what two models say of the same decisions in, a verdict with reasons out.
//!
//! Invariant: pure; the same evidence gives the same verdict. A check that has too little to judge by
//! passes and says so; a score that is no probability passes nothing.
//! Knows nothing of models, texts and files, and of how the candidate was made.
//! Length: a check is a few lines, and there are nine.

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
    /// What their decisions are called, row by row.
    pub pinned_names: Vec<Vec<String>>,
    /// How many such examples cannot be read.
    pub pinned_unread: usize,
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

/// So many pinned verdicts that are wrong are named.
const NAMED: usize = 3;

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
    let mut finding = match (tally.verdicts, tally.wrong) {
        (0, _) => "nothing is pinned".to_owned(),
        (n, 0) => format!("all {n} pinned verdicts are right"),
        (n, wrong) => {
            let named = first_wrong(evidence);
            format!("{wrong} of {n} pinned verdicts are wrong ({named})")
        }
    };
    if evidence.pinned_unread > 0 {
        let unread = evidence.pinned_unread;
        finding += &format!(", {unread} cannot be read (`gliznet doctor` names them)");
    }
    Check {
        subject: Subject::Pinned,
        passed: tally.wrong == 0,
        finding,
    }
}

/// The first pinned verdicts that are wrong after, by name.
fn first_wrong(evidence: &Evidence) -> String {
    let rows = evidence.pinned.iter().zip(&evidence.pinned_names);
    let decisions = rows.flat_map(|(row, names)| row.decisions.iter().zip(names));
    let is_wrong = |decision: &Decision| {
        let after = decision.after >= evidence.thresholds[1];
        decision.truth.is_some_and(|truth| truth != after)
    };
    let mut names = decisions.filter(|(decision, _)| is_wrong(decision));
    let first = names.by_ref().take(NAMED).map(|(_, name)| name.as_str());
    let mut named: Vec<&str> = first.collect();
    named.extend(names.next().map(|_| "…"));
    named.join("; ")
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
mod tests;
