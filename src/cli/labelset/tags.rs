//! The notes of a folder, and the tags that they already have.
//!
//! Invariant: hidden files and what `.gliznetignore`, `.ignore` and `.gitignore` name are left out, and
//! so is what has the name of a note and is no text, which is said; nothing is written.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::{UsageError, with_cure};
use crate::cli::setup::{left_out, read_up_to, shown};
use crate::cli::tag::inputs::{odd_rules, odd_rules_above};
use crate::cli::whose::Whose;
use crate::cli::{complain, remark};
use crate::document::{DecodeError, Document, Format, body_tags, decode};
use crate::label::LabelSet;

/// A longer file is no note.
const MOST_BYTES: u64 = 4 << 20;

/// The tags of the front matter, then those of the body, as they are written there, but for some of
/// the front matter that do not count.
pub(in crate::cli) fn tags_of(document: &Document, uncounted: &[String]) -> Vec<String> {
    let mut tags = in_front(document);
    tags.retain(|tag| !uncounted.contains(tag));
    tags.extend(body_tags(document).into_iter().map(|(tag, _)| tag));
    tags
}

/// The tags of a note's front matter that GliZNet wrote and nobody stands for.
pub(in crate::cli) fn uncounted(
    whose: &Whose,
    path: &Path,
    document: &Document,
    set: Option<&LabelSet>,
) -> Vec<String> {
    whose.machines(path, &in_front(document), set)
}

fn in_front(document: &Document) -> Vec<String> {
    let front = document.front_matter();
    front.map_or_else(Vec::new, |front| front.tags.clone())
}

/// The notes of a folder, in the order of their paths.
pub(in crate::cli) struct Notes {
    walk: ignore::Walk,
}

impl Notes {
    pub(in crate::cli) fn new(dir: &Path) -> anyhow::Result<Notes> {
        let place = || dir.display().to_string();
        let metadata = fs::metadata(dir).map_err(with_cure).with_context(place)?;
        if !metadata.is_dir() {
            return Err(UsageError(format!("{} is no folder; name a folder", place())).into());
        }
        if let Some(fault) = odd_rules_above(dir) {
            anyhow::bail!(fault);
        }
        let walk = ignore::WalkBuilder::new(dir)
            .require_git(false)
            .add_custom_ignore_filename(".gliznetignore")
            .sort_by_file_name(std::cmp::Ord::cmp)
            .filter_entry(|entry| {
                let fault = odd_rules(entry);
                let is_good = fault.is_none();
                fault.into_iter().for_each(complain);
                is_good
            })
            .build();
        Ok(Notes { walk })
    }
}

impl Iterator for Notes {
    type Item = anyhow::Result<(PathBuf, Document)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let entry = match self.walk.next()? {
                Ok(entry) => entry,
                Err(error) => return Some(Err(error.into())),
            };
            let path = entry.into_path();
            let extension = path.extension().and_then(|ext| ext.to_str());
            let is_note = extension.is_some_and(|ext| Format::from_extension(ext).is_some());
            if !is_note || !path.is_file() {
                continue;
            }
            let read = || {
                let (bytes, more) = read_up_to(fs::File::open(&path)?, MOST_BYTES)?;
                if more {
                    return Ok(None);
                }
                let text = decode(&bytes)?.text;
                anyhow::Ok(Some(Document::parse(Format::from_path(&path), text)))
            };
            match read() {
                Ok(Some(document)) => return Some(Ok((path, document))),
                Ok(None) => {
                    let most = MOST_BYTES >> 20;
                    remark(format!("left out: {}: more than {most} MiB", shown(&path)));
                }
                Err(error) => match error.downcast_ref::<DecodeError>() {
                    // Nobody named it: it lies among the notes as a picture may.
                    Some(error) => left_out(&shown(&path), error),
                    None => return Some(Err(error.context(path.display().to_string()))),
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_any_file_of_rules_names_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in [
            (".gliznetignore", "diary/\n"),
            (".ignore", "old.md\n"),
            (".gitignore", "drafts/\n"),
            ("a.md", "Roses.\n"),
            ("diary/b.md", "Secret.\n"),
            ("drafts/c.md", "Later.\n"),
            ("old.md", "Then.\n"),
        ] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let notes = Notes::new(dir.path()).unwrap();
        let paths: Vec<PathBuf> = notes.map(|note| note.unwrap().0).collect();
        assert_eq!(paths, [dir.path().join("a.md")]);
    }

    #[test]
    fn what_is_longer_than_any_note_is_left_out() {
        let dir = tempfile::Builder::new().prefix("vault").tempdir().unwrap();
        fs::File::create(dir.path().join("a.md")).unwrap();
        let long = fs::File::create(dir.path().join("b.md")).unwrap();
        long.set_len(MOST_BYTES + 1).unwrap();
        let notes = Notes::new(dir.path()).unwrap();
        let found: Vec<PathBuf> = notes.map(|note| note.unwrap().0).collect();
        assert_eq!(found, [dir.path().join("a.md")]);
    }
}
