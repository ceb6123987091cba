//! What candidates are asked and judged by: lessons and shipped texts in, rows for the gate out.
//!
//! A head adds to what the model says without it, so what a candidate will say is foreseen from one
//! reading of all texts; the one that may serve is then asked some of them. Invariant: the same texts are
//! asked of every model, in the same order.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Index, Range};
use std::sync::Arc;

use candle_core::Tensor;

use super::exam::{self, Answer, Question, answers, paired, shifted};
use super::heads::Asked;
use super::known::Known;
use super::lesson::Lesson;
use super::pins::Pin;
use super::replay::{self, Half};
use super::shipped;
use super::split::Split;
use super::{ConsolidateError, Stage, Tell, stage};
use crate::label::{Descriptions, LabelSet};
use crate::learn::gate::Row;
use crate::model::Model;
use crate::model::label_head::LabelHeads;

/// Most label sets that ordinary texts are asked about.
const MOST_SETS: usize = 4;
/// Most newly learnt texts that the gate looks at.
const MOST_NEW: usize = 256;
/// So many texts of a group are asked whether what was foreseen holds.
const SAMPLE: usize = 16;
/// Probabilities that are so near are the same: the texts' vectors are rounded to a byte.
const NEAR: f32 = 0.01;
/// Texts after which somebody is told.
const STEP: usize = 16;

/// What a text is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    /// General texts that the gate measures by.
    General,
    /// What is never learnt from.
    HeldOut,
    /// What must always be right.
    Pinned,
    /// What is learnt from: the vault's, then the new corrections, then the old ones.
    Lessons,
    /// Texts that nobody has judged.
    Ordinary,
    /// General texts that may be practised, with labels that somebody has judged too.
    Replay,
}

const GROUPS: [Group; 6] = [
    Group::General,
    Group::HeldOut,
    Group::Pinned,
    Group::Lessons,
    Group::Ordinary,
    Group::Replay,
];

/// Something for each group.
#[derive(Clone, Debug, Default)]
pub(super) struct ByGroup<T>([T; GROUPS.len()]);

impl<T> Index<Group> for ByGroup<T> {
    type Output = T;

    fn index(&self, group: Group) -> &T {
        &self.0[group as usize]
    }
}

/// The probabilities of each label, question by question.
type Scores = Vec<Vec<f32>>;

/// What the gate compares: general texts, held out, pinned, and newly learnt ones.
pub(super) type Rows = [Vec<Row>; 4];

/// All questions.
#[derive(Clone, Debug)]
pub(super) struct Sheet {
    questions: ByGroup<Vec<Question>>,
    /// Lessons and held-out texts that are a vault's, which come first.
    of_vault: [usize; 2],
    /// Lessons that are learnt from for the first time, the vault's among them.
    new: usize,
    /// Labels of lessons that general texts have too.
    shared: BTreeSet<String>,
    /// What the labels mean that somebody has judged.
    descriptions: Descriptions,
}

impl Index<Group> for Sheet {
    type Output = [Question];

    fn index(&self, group: Group) -> &[Question] {
        &self.questions[group]
    }
}

impl Sheet {
    pub(super) fn of(split: &Split, pinned: &[Pin], descriptions: Descriptions) -> Sheet {
        let asked = |lessons: &[&Lesson]| -> Vec<Question> {
            lessons.iter().map(|lesson| Question::of(lesson)).collect()
        };
        let lessons = [asked(&split.vault), asked(&split.new), asked(&split.old)].concat();
        let judged: BTreeSet<&String> = lessons
            .iter()
            .flat_map(|lesson| lesson.labels.iter().zip(&lesson.truth))
            .filter_map(|(label, truth)| truth.map(|_| label))
            .collect();
        let mut shared = BTreeSet::new();
        let mut practice = replay::spaces(Half::Practice);
        practice.retain(|space| {
            let (set, _) = LabelSet::from_names_lenient(&space.labels);
            let is_there = |label: &&&String| set.as_ref().is_some_and(|s| s.find(label).is_some());
            let found: Vec<&&String> = judged.iter().filter(is_there).collect();
            shared.extend(found.iter().map(|label| (**label).clone()));
            !found.is_empty()
        });
        Sheet {
            of_vault: [split.vault.len(), split.held_out_of_vault],
            new: split.vault.len() + split.new.len(),
            shared,
            descriptions,
            questions: ByGroup([
                Question::of_spaces(&replay::spaces(Half::Measure)),
                asked(&split.held_out),
                pinned.iter().map(|pin| Question::of(&pin.lesson)).collect(),
                lessons.clone(),
                Question::of_ordinary(&lessons, MOST_SETS),
                Question::of_spaces(&practice),
            ]),
        }
    }

    /// What the labels of a group mean: those of shipped texts are known by name alone, so that what
    /// somebody describes changes nothing of what the gate measures by.
    fn descriptions(&self, group: Group) -> &Descriptions {
        static NONE: Descriptions = Descriptions::new();
        match group {
            Group::General | Group::Replay => &NONE,
            _ => &self.descriptions,
        }
    }

    /// The part that the shipped model is asked too, where it is not what is learnt on.
    pub(super) fn of_shipped(&self) -> Sheet {
        let mut part = self.clone();
        for group in [Group::HeldOut, Group::Pinned, Group::Lessons] {
            part.questions.0[group as usize].clear();
        }
        part
    }

    /// Whether general texts have one of the labels that somebody has judged.
    pub(super) fn is_shared(&self) -> bool {
        !self.shared.is_empty()
    }

    /// Whether a new verdict is on a label that general texts do not have.
    pub(super) fn has_own(&self) -> bool {
        let new = self[Group::Lessons][..self.new].iter();
        let mut judged = new.flat_map(|lesson| lesson.labels.iter().zip(&lesson.truth));
        judged.any(|(label, truth)| truth.is_some() && !self.shares(label))
    }

    /// Whether general texts have this label.
    pub(super) fn shares(&self, label: &str) -> bool {
        self.shared.contains(label)
    }

    /// The lessons that are corrections.
    pub(super) fn corrected(&self) -> Range<usize> {
        self.of_vault[0]..self[Group::Lessons].len()
    }

    /// What the vault teaches, and what a model says of it.
    pub(super) fn vault<'a>(&'a self, plain: &'a Plain) -> Asked<'a> {
        let (questions, answers) = plain.asked(self, Group::Lessons);
        (&questions[..self.of_vault[0]], &answers[..self.of_vault[0]])
    }

    /// What corrections teach, and what a model says of that.
    pub(super) fn corrections<'a>(&'a self, plain: &'a Plain) -> Asked<'a> {
        let (questions, answers) = plain.asked(self, Group::Lessons);
        (&questions[self.corrected()], &answers[self.corrected()])
    }

    /// All notes of the vault, whether they are learnt from or held out.
    pub(super) fn whole_vault(&self, plain: &Plain) -> (Vec<Question>, Vec<Answer>) {
        let (taught, said) = self.vault(plain);
        let (held_out, of_held_out) = plain.asked(self, Group::HeldOut);
        let end = self.of_vault[1];
        (
            [taught, &held_out[..end]].concat(),
            [said, &of_held_out[..end]].concat(),
        )
    }

    /// What each text was given before: general ones by the shipped model, others by what serves.
    pub(super) fn before(
        &self,
        shipped: &Plain,
        own: &Plain,
        heads: &LabelHeads,
    ) -> ByGroup<Scores> {
        ByGroup(GROUPS.map(|group| match group {
            Group::General | Group::Ordinary | Group::Replay => {
                shipped.answers[group].iter().map(Answer::scores).collect()
            }
            _ => shifted(&self[group], &own.answers[group], heads),
        }))
    }

    /// What a candidate with these heads will say.
    pub(super) fn foreseen(&self, plain: &Plain, heads: &LabelHeads) -> [Scores; 4] {
        let said = |group| shifted(&self[group], &plain.answers[group], heads);
        [
            said(Group::General),
            said(Group::HeldOut),
            said(Group::Pinned),
            shifted(
                &self[Group::Lessons][self.judged_new()],
                &plain.answers[Group::Lessons][self.judged_new()],
                heads,
            ),
        ]
    }

    /// What a candidate says: what was foreseen, if it holds for some texts of each group that are
    /// asked, else what it says of all.
    pub(super) fn asked(
        &self,
        model: &Arc<Model>,
        foreseen: [Scores; 4],
        tell: &mut Tell,
    ) -> Result<[Scores; 4], ConsolidateError> {
        let groups = [
            (Group::General, &self[Group::General]),
            (Group::HeldOut, &self[Group::HeldOut]),
            (Group::Pinned, &self[Group::Pinned]),
            (Group::Lessons, &self[Group::Lessons][self.judged_new()]),
        ];
        let mut holds = true;
        for ((group, questions), foreseen) in groups.iter().zip(&foreseen) {
            let step = questions.len().div_ceil(SAMPLE).max(1);
            let sample: Vec<Question> = questions.iter().step_by(step).cloned().collect();
            let said = answers(model, &sample, self.descriptions(*group))?;
            let foreseen = foreseen.iter().step_by(step);
            holds &= said.iter().zip(foreseen).all(|(a, b)| alike(a, b));
            stage(tell, Stage::Preparing)?;
        }
        if holds {
            return Ok(foreseen);
        }
        tracing::warn!("what was learnt does not say what was foreseen; every text is asked");
        let mut said = [const { Vec::new() }; 4];
        for (said, (group, questions)) in said.iter_mut().zip(groups) {
            *said = answers(model, questions, self.descriptions(group))?;
            stage(tell, Stage::Preparing)?;
        }
        Ok(said)
    }

    /// Both answers to everything that the gate looks at. `own_alone`: what was learnt of labels that
    /// general texts have too is left out, so whether their new verdicts are right says nothing.
    pub(super) fn rows(
        &self,
        before: &ByGroup<Scores>,
        after: &[Scores; 4],
        own_alone: bool,
    ) -> Rows {
        let [general, held_out, pinned, new] = after;
        let rows = |group, after| paired(&self[group], &before[group], after);
        let lessons = &self[Group::Lessons][self.judged_new()];
        let mut new = paired(lessons, &before[Group::Lessons][self.judged_new()], new);
        if own_alone {
            for (row, lesson) in new.iter_mut().zip(lessons) {
                let decisions = row.decisions.iter_mut().zip(lesson.labels.iter());
                for (decision, _) in decisions.filter(|(_, label)| self.shares(label)) {
                    decision.truth = None;
                }
            }
        }
        [
            rows(Group::General, general),
            rows(Group::HeldOut, held_out),
            rows(Group::Pinned, pinned),
            new,
        ]
    }

    /// The newly learnt lessons that the gate looks at: corrections before notes of a vault.
    fn judged_new(&self) -> Range<usize> {
        self.new.saturating_sub(MOST_NEW)..self.new
    }
}

fn alike(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < NEAR)
}

/// What a model without any heads says of everything.
#[derive(Clone, Debug)]
pub(super) struct Plain {
    /// What tells it from the shipped model.
    pub(super) tensors: BTreeMap<String, Tensor>,
    answers: ByGroup<Vec<Answer>>,
}

impl Plain {
    /// `is_known`: what the model says of shipped texts is shipped with it. `known` is what it said in
    /// earlier jobs.
    pub(super) fn of(
        model: &Arc<Model>,
        tensors: BTreeMap<String, Tensor>,
        is_known: bool,
        mut known: Known,
        sheet: &Sheet,
        tell: &mut Tell,
    ) -> Result<Plain, ConsolidateError> {
        let of = GROUPS.iter().map(|group| sheet[*group].len()).sum();
        let mut done = 0;
        let mut answers = ByGroup::default();
        for group in GROUPS {
            let (questions, meaning) = (&sheet[group], sheet.descriptions(group));
            let is_shipped = is_known && matches!(group, Group::General | Group::Replay);
            let shipped = is_shipped.then(|| shipped::answers(questions)).flatten();
            let mut said: Vec<Option<Answer>> = match shipped {
                Some(shipped) => shipped.into_iter().map(Some).collect(),
                None => questions.iter().map(|q| known.answer(q, meaning)).collect(),
            };
            let missing: Vec<usize> = (0..said.len()).filter(|n| said[*n].is_none()).collect();
            done += said.len() - missing.len();
            for part in missing.chunks(STEP) {
                stage(tell, Stage::Reading { done, of })?;
                let part_of: Vec<Question> = part.iter().map(|n| questions[*n].clone()).collect();
                let fresh = exam::asked(model, &part_of, meaning, true)?;
                known.keep(&part_of, &fresh, meaning);
                for (n, answer) in part.iter().zip(fresh) {
                    said[*n] = Some(answer);
                }
                done += part.len();
            }
            answers.0[group as usize] = said.into_iter().flatten().collect();
        }
        Ok(Plain { tensors, answers })
    }

    /// A group's questions and what was said.
    pub(super) fn asked<'a>(&'a self, sheet: &'a Sheet, group: Group) -> Asked<'a> {
        (&sheet[group], &self.answers[group])
    }
}
