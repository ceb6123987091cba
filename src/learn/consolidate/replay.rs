//! The shipped texts: what is practised beside corrections, and what the gate measures by.
//!
//! Input: the calibration texts, compiled in. Output: rows with their label spaces, in two halves
//! that never mix. Invariant: which half a text is in depends on its words alone.

use serde::Deserialize;
use sha2::{Digest, Sha256};

macro_rules! texts {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../train/calibration/", $name, ".jsonl")))),*]
    };
}

/// Each file is a label space of its own.
static FILES: [(&str, &str); 12] = texts![
    "emotions",
    "gtd",
    "journal",
    "news-topics",
    "notes-fr",
    "paperwork",
    "personal-notes",
    "reading-notes",
    "recipes",
    "research-notes",
    "software-engineering",
    "support-tickets",
];

/// A label space with its texts.
#[derive(Clone, Debug, PartialEq)]
pub struct Space {
    /// All labels of its texts.
    pub labels: Vec<String>,
    /// Its texts, each with whether each label fits.
    pub rows: Vec<(String, Vec<bool>)>,
}

/// Which half of the texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// Practised.
    Practice,
    /// Measured, and never practised.
    Measure,
}

#[derive(Deserialize)]
struct Line {
    text: String,
    labels: Vec<String>,
}

/// All label spaces, with the texts of one half.
pub fn spaces(half: Half) -> Vec<Space> {
    FILES.iter().map(|(_, lines)| space(lines, half)).collect()
}

fn space(lines: &str, half: Half) -> Space {
    let lines: Vec<Line> = lines
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let mut labels: Vec<String> = Vec::new();
    for label in lines.iter().flat_map(|line| &line.labels) {
        if !labels.contains(label) {
            labels.push(label.clone());
        }
    }
    let rows = lines.into_iter().filter(|line| half_of(&line.text) == half);
    let rows = rows.map(|line| {
        let truth = labels.iter().map(|label| line.labels.contains(label));
        let truth = truth.collect();
        (line.text, truth)
    });
    Space {
        rows: rows.collect(),
        labels,
    }
}

fn half_of(text: &str) -> Half {
    match Sha256::digest(text.as_bytes())[0] % 2 {
        0 => Half::Practice,
        _ => Half::Measure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_text_is_in_one_half_and_every_space_in_both() {
        let (practice, measure) = (spaces(Half::Practice), spaces(Half::Measure));
        let rows = |spaces: &[Space]| spaces.iter().map(|s| s.rows.len()).sum::<usize>();
        assert_eq!(rows(&practice) + rows(&measure), 312);
        for (a, b) in practice.iter().zip(&measure) {
            assert_eq!(a.labels, b.labels);
            assert!(a.rows.len() >= 5 && b.rows.len() >= 5);
        }
    }
}
