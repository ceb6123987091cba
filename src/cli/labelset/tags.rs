//! The tags that a note already has.
//!
//! Input: a note's path and text. Output: its tags as they are written there.

use std::path::Path;

/// Endings of files that may be notes.
const NOTE_EXTENSIONS: [&str; 9] = [
    "md", "markdown", "mdx", "org", "rst", "txt", "tex", "html", "htm",
];

pub(super) fn is_note(path: &Path) -> bool {
    let extension = path.extension().and_then(|ext| ext.to_str());
    extension.is_some_and(|ext| {
        NOTE_EXTENSIONS
            .iter()
            .any(|known| ext.eq_ignore_ascii_case(known))
    })
}

/// Reads `tags: [a, b]` of a YAML block at the head of the note.
pub(super) fn tags_of(_path: &Path, source: &str) -> Vec<String> {
    let mut lines = source.lines();
    if lines.next().is_none_or(|line| line.trim_end() != "---") {
        return Vec::new();
    }
    let mut block = lines.take_while(|line| line.trim_end() != "---");
    let list = block
        .find_map(|line| line.strip_prefix("tags:"))
        .unwrap_or_default()
        .trim();
    let list = list
        .strip_prefix('[')
        .and_then(|list| list.strip_suffix(']'))
        .unwrap_or_default();
    let tags = list
        .split(',')
        .map(|tag| tag.trim().trim_matches(['"', '\'']));
    tags.filter(|tag| !tag.is_empty())
        .map(str::to_owned)
        .collect()
}
