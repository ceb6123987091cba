//! Examples that must always be right: a file of the user's in, lessons out.
//!
//! `pinned.jsonl` in the data folder has one a line: `text`, `accepted`, `rejected`. Invariant: a line
//! that cannot be read is told, and the others count.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::lesson::Lesson;
use crate::config::json_fact;

/// Its name in the data folder.
const FILE_NAME: &str = "pinned.jsonl";

#[derive(Deserialize)]
struct Line {
    text: String,
    #[serde(default)]
    accepted: Vec<String>,
    #[serde(default)]
    rejected: Vec<String>,
}

/// The pinned examples of a user.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pins {
    /// Those that can be read.
    pub pins: Vec<Pin>,
    /// What is wrong with the others.
    pub faults: Vec<String>,
}

/// An example that must always be right.
#[derive(Clone, Debug, PartialEq)]
pub struct Pin {
    /// Its line in the file, from 1.
    pub line: usize,
    /// The text and its verdicts.
    pub lesson: Lesson,
}

impl Pins {
    /// What each verdict is called, example by example, in the order of its labels.
    pub(super) fn names(&self) -> Vec<Vec<String>> {
        let names = self.pins.iter().map(|pin| {
            let labels = pin.lesson.labels.iter();
            labels
                .map(|label| format!("line {}, `{label}`", pin.line))
                .collect()
        });
        names.collect()
    }
}

/// The pinned examples in folder `dir`, and what of the file could not be read.
pub fn pinned(dir: &Path) -> Pins {
    let mut pins = Pins::default();
    let path = dir.join(FILE_NAME);
    let lines = match std::fs::read_to_string(&path) {
        Ok(lines) => lines,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => {
            pins.faults.push(format!("{}: {error}", path.display()));
            return pins;
        }
    };
    for (number, line) in (1..).zip(lines.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        let read = serde_json::from_str::<Line>(line).map_err(|error| json_fact(&error));
        match read.and_then(lesson) {
            Ok(lesson) => pins.pins.push(Pin {
                line: number,
                lesson,
            }),
            Err(fact) => pins.faults.push(format!(
                "{}:{number}: no pinned example ({fact}); write text, accepted and rejected",
                path.display()
            )),
        }
    }
    pins
}

fn lesson(line: Line) -> Result<Lesson, String> {
    let rejects = |name: &&String| line.rejected.iter().any(|other| other == *name);
    if let Some(both) = line.accepted.iter().find(rejects) {
        return Err(format!("`{both}` is both accepted and rejected"));
    }
    let accepted = line.accepted.into_iter().map(|name| (name, true));
    let rejected = line.rejected.into_iter().map(|name| (name, false));
    let verdicts: BTreeMap<String, bool> = accepted.chain(rejected).collect();
    if verdicts.is_empty() {
        return Err("nothing is accepted or rejected".to_owned());
    }
    Ok(Lesson {
        text: line.text,
        labels: Arc::new(verdicts.keys().cloned().collect()),
        verdicts,
        corrections: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_line_is_told_and_the_others_count() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(pinned(dir.path()), Pins::default());
        let lines = r#"{"text":"Roses.","accepted":["garden"]}

nonsense
{"text":"Roses.","accepted":["garden"],"rejected":["tax","garden"]}
{"text":"Roses."}
{"text":"Duty.","rejected":["garden"]}"#;
        std::fs::write(dir.path().join(FILE_NAME), lines).unwrap();
        let Pins { pins, faults } = pinned(dir.path());
        assert!(pins[0].lesson.verdicts["garden"]);
        assert_eq!((pins[0].line, pins[1].line), (1, 6));
        let expected = [
            ("pinned.jsonl:3", "expected"),
            ("pinned.jsonl:4", "`garden` is both accepted and rejected"),
            ("pinned.jsonl:5", "nothing is accepted"),
        ];
        assert_eq!(faults.len(), expected.len(), "{faults:?}");
        for (fault, (place, fact)) in faults.iter().zip(expected) {
            assert!(fault.contains(place) && fault.contains(fact), "{fault}");
        }
    }
}
