//! Cross-validation of what a vault teaches: its notes in, what each is given by what was learnt from
//! the others out.
//!
//! Invariant: no note is scored by anything that was learnt from it; which part it is in depends on
//! its words alone. Pure: what the model says of the notes is given.

use std::fmt::Write;
use std::sync::Arc;

use super::exam::{Answer, Question, shifted};
use super::heads::{self, Taught};
use super::lesson::{FOLDS, fold};
use crate::learn::evaluation::{Evaluation, Scored, Task, Thresholds, evaluate};
use crate::learn::page;
use crate::learn::versions::manifest::CrossRecord;
use crate::model::label_head::LabelHeads;

/// What the shipped model gives the notes of a vault, and what one gives that has learnt from others.
#[derive(Clone, Debug)]
pub struct Cross {
    /// The labels; those that were not judged have no row.
    pub labels: Arc<Vec<String>>,
    /// The shipped model.
    pub before: Evaluation,
    /// What was learnt.
    pub after: Evaluation,
}

impl Cross {
    /// A page with the figures, label by label.
    ///
    /// # Errors
    /// Of the plotting library, in words.
    pub fn html(&self, vault: &str) -> Result<String, String> {
        let mut page = page::head(&format!("What {vault} teaches"));
        let record = self.record();
        let _ = write!(
            page,
            "<p>Each of {} notes was tagged by what the notes of the other {} of {} parts teach.</p>\n\
             <table><tr><th></th><th>micro-F1</th><th>macro-F1</th><th>ranking precision</th></tr>\n",
            record.notes,
            record.folds - 1,
            record.folds
        );
        for (i, who) in ["before", "after"].into_iter().enumerate() {
            let _ = writeln!(
                page,
                "<tr><td>{who}</td><td>{:.3}</td><td>{:.3}</td><td>{:.3}</td></tr>",
                record.f1[i], record.macro_f1[i], record.lrap[i]
            );
        }
        page.push_str("</table>\n");
        for (title, evaluation) in [("Before", &self.before), ("After", &self.after)] {
            let _ = writeln!(page, "<h2>{title}</h2>");
            page.push_str(&page::reliability(evaluation)?);
            page::table(&mut page, evaluation, &self.labels);
        }
        page.push_str("</html>\n");
        Ok(page)
    }

    /// Its figures.
    pub fn record(&self) -> CrossRecord {
        let both = [&self.before, &self.after];
        CrossRecord {
            notes: self.after.n_rows,
            folds: FOLDS,
            f1: both.map(|evaluation| evaluation.at_default.micro.f1),
            macro_f1: both.map(|evaluation| evaluation.at_default.macro_mean.f1),
            lrap: both.map(|evaluation| evaluation.ranking.lrap),
        }
    }
}

/// `notes` and `answers` are of all notes of a vault, by a model without heads; `taught` has all else
/// that heads are fitted to. `None` where nothing can be scored.
pub(super) fn validate(notes: &[Question], answers: &[Answer], taught: &Taught) -> Option<Cross> {
    let none = LabelHeads::default();
    let plain: Vec<Vec<f32>> = answers.iter().map(Answer::scores).collect();
    let mut scores = plain.clone();
    let folds: Vec<usize> = notes.iter().map(|note| fold(&note.text)).collect();
    for part in 0..FOLDS {
        let part_of = |is_in: bool| -> (Vec<usize>, Vec<Question>, Vec<Answer>) {
            let places = (0..notes.len()).filter(|i| (folds[*i] == part) == is_in);
            let places: Vec<usize> = places.collect();
            let questions = places.iter().map(|i| notes[*i].clone()).collect();
            let said = places.iter().map(|i| answers[*i].clone()).collect();
            (places, questions, said)
        };
        let (_, questions, said) = part_of(false);
        let heads = heads::learn(&Taught {
            lessons: (&questions, &said),
            prior: &none,
            kept: &none,
            ..*taught
        });
        let (places, questions, said) = part_of(true);
        for (place, row) in places.into_iter().zip(shifted(&questions, &said, &heads)) {
            scores[place] = row;
        }
    }
    let rows = |scores: &[Vec<f32>]| -> Vec<Scored> {
        let rows = notes.iter().zip(scores);
        rows.filter_map(|(note, scores)| {
            let judged = note.truth.iter().zip(scores).enumerate();
            let judged =
                judged.filter_map(|(i, (truth, score))| Some((i as u32, *score, (*truth)?)));
            let judged: Vec<(u32, f32, bool)> = judged.collect();
            let labels: Vec<u32> = judged.iter().map(|decision| decision.0).collect();
            let scores = judged.iter().map(|decision| decision.1).collect();
            let truth = judged.iter().map(|decision| decision.2).collect();
            Scored::new(labels, scores, truth).ok()
        })
        .collect()
    };
    let thresholds = Thresholds::single(taught.threshold);
    Some(Cross {
        labels: Arc::clone(&notes.first()?.labels),
        before: evaluate(&rows(&plain), &thresholds, Task::MultiLabel)?,
        after: evaluate(&rows(&scores), &thresholds, Task::MultiLabel)?,
    })
}
