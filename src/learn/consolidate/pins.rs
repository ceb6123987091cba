//! Examples that must always be right: a file of the user's in, lessons out.
//!
//! `pinned.jsonl` in the data folder has one a line: `text`, `accepted`, `rejected`. Invariant: a line
//! that cannot be read is told, and the others count.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::lesson::Lesson;

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

/// The pinned examples in folder `dir`, and what of the file could not be read.
pub fn pinned(dir: &Path) -> (Vec<Lesson>, Vec<String>) {
    let path = dir.join(FILE_NAME);
    let lines = match std::fs::read_to_string(&path) {
        Ok(lines) => lines,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return (Vec::new(), vec![format!("{}: {error}", path.display())]),
    };
    let (mut lessons, mut faults) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(lines.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        match serde_json::from_str::<Line>(line) {
            Ok(line) => lessons.push(lesson(line)),
            Err(error) => faults.push(format!(
                "{}:{number}: no pinned example ({error}); write text, accepted and rejected",
                path.display()
            )),
        }
    }
    (lessons, faults)
}

fn lesson(line: Line) -> Lesson {
    let accepted = line.accepted.into_iter().map(|name| (name, true));
    let rejected = line.rejected.into_iter().map(|name| (name, false));
    let verdicts: BTreeMap<String, bool> = accepted.chain(rejected).collect();
    Lesson {
        text: line.text,
        labels: Arc::new(verdicts.keys().cloned().collect()),
        verdicts,
        corrections: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_line_is_told_and_the_others_count() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(pinned(dir.path()), (Vec::new(), Vec::new()));
        let lines = "{\"text\":\"Roses.\",\"accepted\":[\"garden\"]}\n\nnonsense\n";
        std::fs::write(dir.path().join(FILE_NAME), lines).unwrap();
        let (lessons, faults) = pinned(dir.path());
        assert!(lessons[0].verdicts["garden"]);
        assert!(faults[0].contains("pinned.jsonl:3"), "{faults:?}");
    }
}
