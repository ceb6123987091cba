//! Tags in a file beside the files of a folder: one JSON line each, sorted by name.
//!
//! Input: the sidecar's bytes, a file's name and a plan. Output: the place that changes.
//! Invariant: lines of other files, and lines that are not ours, stay byte by byte; nothing but
//! the tags is in a line, so that two machines write the same bytes. Pure.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::place::{Place, applied, as_lines};
use super::plan::is_among;
use super::record::Lossless;

/// The sidecar's name in each folder.
pub const FILE_NAME: &str = ".gliznet-tags.jsonl";

#[derive(Serialize, Deserialize)]
struct Line {
    file: Lossless,
    tags: Vec<String>,
}

fn line_of(bytes: &[u8]) -> Option<Line> {
    serde_json::from_slice(bytes).ok()
}

fn lossless(name: &OsStr) -> Lossless {
    Lossless::of_path(Path::new(name))
}

/// The tags of a file.
pub(super) fn standing(content: &[u8], name: &OsStr) -> Vec<String> {
    let name = lossless(name);
    let lines = content.split(|byte| *byte == b'\n').filter_map(line_of);
    let mut of_file = lines.filter(|line| line.file == name);
    of_file.next().map_or(Vec::new(), |line| line.tags)
}

/// The tags of all files that have a line, by their names.
pub(super) fn lines(content: &[u8]) -> HashMap<PathBuf, Vec<String>> {
    let mut all = HashMap::new();
    for line in content.split(|byte| *byte == b'\n').filter_map(line_of) {
        // The first line of a file counts.
        all.entry(line.file.into_path()).or_insert(line.tags);
    }
    all
}

/// Whether a file has a line, be it an empty one.
pub(super) fn has_line(content: &[u8], name: &OsStr) -> bool {
    let name = lossless(name);
    let mut lines = content.split(|byte| *byte == b'\n').filter_map(line_of);
    lines.any(|line| line.file == name)
}

/// The content in which a file has these tags and no others.
pub(super) fn listing(content: &[u8], name: &OsStr, tags: &[String]) -> Vec<u8> {
    let place = edited(content, name, &standing(content, name), tags);
    let listing = applied(content, place.as_slice());
    listing.unwrap_or_else(|| content.to_vec())
}

/// A place as it is for its file under another name.
pub(super) fn named(place: &Place, name: &OsStr) -> Place {
    let file = lossless(name);
    let named = |bytes: &[u8]| match line_of(bytes) {
        Some(line) if line.file != file => written(file.clone(), line.tags),
        _ => bytes.to_vec(),
    };
    Place {
        at: place.at,
        before: named(&place.before),
        after: named(&place.after),
    }
}

fn written(file: Lossless, tags: Vec<String>) -> Vec<u8> {
    let mut line = serde_json::to_vec(&Line { file, tags }).unwrap_or_default(); // Strings cannot fail.
    line.push(b'\n');
    line
}

/// The place that changes where tags go and come; none where nothing does.
pub(super) fn edited(
    content: &[u8],
    name: &OsStr,
    remove: &[String],
    add: &[String],
) -> Option<Place> {
    let mut tags = standing(content, name);
    let before = tags.clone();
    tags.retain(|tag| !is_among(tag, remove));
    for tag in add {
        if !is_among(tag, &tags) {
            tags.push(tag.clone());
        }
    }
    if tags == before {
        return None;
    }
    let file = lossless(name);
    let mut after = match tags.is_empty() {
        true => Vec::new(),
        false => written(file.clone(), tags),
    };
    let mut at = 0;
    let mut behind = None;
    for line in content.split_inclusive(|byte| *byte == b'\n') {
        match line_of(line) {
            Some(old) if old.file == file => {
                return Some(Place {
                    at,
                    before: line.to_vec(),
                    after,
                });
            }
            Some(old) if behind.is_none() && sorts_behind(&old.file, &file) => behind = Some(at),
            _ => {}
        }
        at += line.len();
    }
    if behind.is_none() && !content.is_empty() && !content.ends_with(b"\n") {
        after.insert(0, b'\n');
    }
    Some(Place {
        at: behind.unwrap_or(content.len()),
        before: Vec::new(),
        after,
    })
}

fn sorts_behind(one: &Lossless, other: &Lossless) -> bool {
    one.clone().into_path() > other.clone().into_path()
}

/// Where the line of a change stands now; `None` where it has changed itself.
pub(super) fn located(content: &[u8], places: &[Place]) -> Option<Vec<Range<usize>>> {
    let [place] = places else { return None };
    match as_lines(content, &place.after).as_slice() {
        [one] => Some(vec![one.clone()]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::place::{applied, taken_back};

    fn strings(tags: &[&str]) -> Vec<String> {
        tags.iter().map(|tag| (*tag).to_owned()).collect()
    }

    #[track_caller]
    fn check(before: &str, name: &str, remove: &[&str], add: &[&str], after: &str) {
        let name = OsStr::new(name);
        let place = edited(before.as_bytes(), name, &strings(remove), &strings(add)).unwrap();
        let places = [place];
        let made = applied(before.as_bytes(), &places).unwrap();
        assert_eq!(String::from_utf8(made.clone()).unwrap(), after);
        assert_eq!(taken_back(&made, &places).unwrap(), before.as_bytes());
        assert_eq!(edited(&made, name, &strings(remove), &strings(add)), None);
    }

    #[test]
    fn lines_are_sorted_and_those_of_others_stay() {
        let b = "{\"file\":\"b.md\",\"tags\":[\"x\"]}\n";
        check("", "b.md", &[], &["x"], b);
        let a = "{\"file\":\"a.md\",\"tags\":[\"y\",\"z\"]}\n";
        check(b, "a.md", &[], &["y", "z"], &format!("{a}{b}"));
        let odd = format!("# mine\n{{ \"file\": \"a.md\" , \"tags\": [] }}\n{b}");
        check(
            &odd,
            "b.md",
            &["X"],
            &["y"],
            "# mine\n{ \"file\": \"a.md\" , \"tags\": [] }\n{\"file\":\"b.md\",\"tags\":[\"y\"]}\n",
        );
        check(b, "b.md", &["x"], &[], "");
        check(
            "no line",
            "c",
            &[],
            &["x"],
            "no line\n{\"file\":\"c\",\"tags\":[\"x\"]}\n",
        );
    }

    #[test]
    fn a_file_takes_its_line_along_to_another_name_and_it_is_taken_back_there() {
        let (a, b) = (OsStr::new("a"), OsStr::new("b"));
        let old = edited(b"", a, &[], &strings(&["x"])).unwrap();
        let content = applied(b"", std::slice::from_ref(&old)).unwrap();
        let both = listing(&content, b, &strings(&["x"]));
        let moved = listing(&both, a, &[]);
        assert_eq!(moved, b"{\"file\":\"b\",\"tags\":[\"x\"]}\n");
        assert!(has_line(&moved, b) && !has_line(&moved, a));
        assert_eq!(located(&moved, std::slice::from_ref(&old)), None);
        let found = located(&moved, &[named(&old, b)]);
        assert_eq!(
            found.as_deref(),
            Some(std::slice::from_ref(&(0..moved.len())))
        );
    }

    #[test]
    fn a_line_is_found_though_others_came_and_changed() {
        let place = edited(b"", OsStr::new("b\n.md"), &[], &strings(&["x"])).unwrap();
        let places = [place];
        let line = "{\"file\":\"b\\n.md\",\"tags\":[\"x\"]}\n";
        let now = format!("{{\"file\":\"a\",\"tags\":[]}}\n{line}");
        let found = located(now.as_bytes(), &places).and_then(|mut ranges| ranges.pop());
        assert_eq!(found, Some(23..23 + line.len()));
        let changed = now.replace("[\"x\"]", "[\"x\",\"mine\"]");
        assert_eq!(located(changed.as_bytes(), &places), None);
    }
}
