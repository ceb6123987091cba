//! What becomes of what is known of files that have another name, or are no more.
//!
//! Input: paths before and after. Output: records, and lines of sidecars under the new names.
//! Invariant: what is known of a file follows the file and not its name, and ends with it.

use std::path::{Path, PathBuf};

use super::super::past::Provenance;
use super::super::record::{Lossless, Record};
use super::super::store::Held;
use super::super::{ContentHash, Sink, SinkError, replace};
use super::{Ledger, Open, canonical};
use crate::lines::Durability;

impl Ledger {
    /// A file or a folder has another name now: what is known of it follows, and so does its line
    /// in a sidecar. What had that name before is no more, whether or not anything is known of what
    /// has it now.
    ///
    /// # Errors
    /// It cannot be recorded, or the sidecar cannot be written.
    pub fn moved(&self, from: &Path, to: &Path) -> Result<(), SinkError> {
        let (from, to) = (canonical(from), canonical(to));
        if from == to {
            return Ok(());
        }
        self.carry_unsaved(&from, &to);
        self.locked(|open| {
            let replaced = open.past.below(&to).map(|(path, _)| (path.clone(), None));
            let replaced = replaced
                .filter(|(path, _)| !path.starts_with(&from))
                .collect();
            end(open, replaced)?;
            if open.past.below(&from).next().is_none() {
                return Ok(());
            }
            let has_line = open.past.sinks_of(&from).contains(&Sink::Sidecar);
            let moved = Record::Moved {
                from: Lossless::of_path(&from),
                to: Lossless::of_path(&to),
            };
            open.append(vec![moved], Durability::Synced)?;
            match has_line {
                true => carry(open, &from, &to),
                false => Ok(()),
            }
        })
    }

    /// As `moved`, of what had tags of ours under its old name as far as the caller knows. Where the
    /// ledger knows nothing by that name, all has followed already: a daemon that was ended then had
    /// recorded it, and not kept that it had. To end what has the new name would end the same file.
    ///
    /// # Errors
    /// As of `moved`.
    pub fn moved_with_tags(&self, from: &Path, to: &Path) -> Result<(), SinkError> {
        let old = canonical(from);
        match self.locked(|open| Ok(open.past.below(&old).next().is_some()))? {
            true => self.moved(from, to),
            false => Ok(()),
        }
    }

    /// These files are no more: what comes under their names is not what they were, unless it has
    /// their last bytes, where those are known. What was written into them can be taken back all the
    /// same, should they be there again.
    ///
    /// # Errors
    /// It cannot be recorded.
    pub fn gone(&self, files: &[(PathBuf, Option<ContentHash>)]) -> Result<(), SinkError> {
        let files = files.iter();
        let files = files.map(|(path, content)| (canonical(path), *content));
        self.locked(|open| end(open, files.collect()))
    }
}

/// These files are no more.
fn end(
    open: &mut Open<'_>,
    mut files: Vec<(PathBuf, Option<ContentHash>)>,
) -> Result<(), SinkError> {
    files.retain(|(path, _)| open.past.provenance(path, None) != Provenance::default());
    if files.is_empty() {
        return Ok(());
    }
    // Before it is forgotten which tags in a sidecar are the machine's.
    let mut unlisted = Ok(());
    for (path, _) in &files {
        unlisted = unlisted.and(unlist(open, path));
    }
    let gone = files.iter().map(|(path, content)| Record::Gone {
        path: Lossless::of_path(path),
        content: *content,
    });
    open.append(gone.collect(), Durability::Synced)?;
    unlisted
}

/// Takes the machine's tags out of the line that a sidecar has of a file, or the next file of its
/// name would have them.
fn unlist(open: &Open<'_>, path: &Path) -> Result<(), SinkError> {
    let machine = open.past.provenance(path, Some(Sink::Sidecar)).machine;
    if machine.is_empty() {
        return Ok(());
    }
    let held = Held::read(path, Sink::Sidecar)?;
    let edited = held.edited(&machine, &[])?;
    held.put(&edited.after, &replace::temporary(open.past.next().1))
}

/// Puts the line of a sidecar under the name that its file has now.
fn carry(open: &Open<'_>, from: &Path, to: &Path) -> Result<(), SinkError> {
    let old = Held::read(from, Sink::Sidecar)?;
    let (tags, _) = old.standing()?;
    if tags.is_empty() {
        return Ok(());
    }
    let temporary = replace::temporary(open.past.next().1);
    let new = Held::read(to, Sink::Sidecar)?;
    let listing = new.listing(&tags);
    if from.parent() == to.parent() {
        let listing = old.with(listing).listing(&[]);
        return new.put(&listing, &temporary);
    }
    new.put(&listing, &temporary)?;
    old.put(&old.listing(&[]), &temporary)
}
