//! The tags that a note already has.
//!
//! Input: a note's path and bytes. Output: its tags as they are written there.

use std::path::Path;

use crate::document::{DecodeError, Document, Format, body_tags, decode};

/// Whether a folder's file of this name may be a note.
pub(super) fn is_note(path: &Path) -> bool {
    let extension = path.extension().and_then(|ext| ext.to_str());
    extension.is_some_and(|ext| Format::from_extension(ext).is_some())
}

/// The tags of the front matter, then those of the body.
pub(super) fn tags_of(path: &Path, bytes: &[u8]) -> Result<Vec<String>, DecodeError> {
    let document = Document::parse(Format::from_path(path), decode(bytes)?.text);
    let mut tags = document
        .front_matter()
        .map_or_else(Vec::new, |front| front.tags.clone());
    tags.extend(body_tags(&document).into_iter().map(|(tag, _)| tag));
    Ok(tags)
}
