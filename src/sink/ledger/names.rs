//! What becomes of what is known of files that have another name, or are no more.
//!
//! Input: paths before and after. Output: records, and lines of sidecars under the new names.
//! Invariant: what is known of a file follows the file and not its name.

use std::path::{Path, PathBuf};

use super::super::past::Provenance;
use super::super::record::{Lossless, Record};
use super::super::store::Held;
use super::super::{Sink, SinkError, replace};
use super::{Ledger, Open, canonical};
use crate::lines::Durability;

impl Ledger {
    /// A file or a folder has another name now: what is known of it follows, and so does its line
    /// in a sidecar.
    ///
    /// # Errors
    /// It cannot be recorded, or the sidecar cannot be written.
    pub fn moved(&self, from: &Path, to: &Path) -> Result<(), SinkError> {
        let (from, to) = (canonical(from), canonical(to));
        self.locked(|open| {
            if !open.past.knows(&from) {
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

    /// These files are no more: what comes under their names is not what they were. What was
    /// written into them can be taken back all the same, should they be there again.
    ///
    /// # Errors
    /// It cannot be recorded.
    pub fn gone(&self, paths: &[PathBuf]) -> Result<(), SinkError> {
        self.locked(|open| {
            let paths = paths.iter().map(|path| canonical(path));
            let known =
                paths.filter(|path| open.past.provenance(path, None) != Provenance::default());
            let gone = known.map(|path| Record::Gone {
                path: Lossless::of_path(&path),
            });
            match gone.collect::<Vec<Record>>() {
                gone if gone.is_empty() => Ok(()),
                gone => open.append(gone, Durability::Synced),
            }
        })
    }
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
