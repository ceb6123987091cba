//! A note that was read and what the model said of it, as values: what to wish for, what to
//! remember, what a person said.
//!
//! Invariant: a tag is ours only where the ledger says so. Writes nothing.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use crate::desk;
use crate::desk::name::uri_of;
use crate::desk::protocol::TagRecord;
use crate::sink::{Provenance, Sink, TagWish, Wish, is_among, tag_key};
use crate::watch::corrections::{Change, Verdict, verdict};
use crate::watch::index::Index;
use crate::watch::note::{Basis, Fit, Held, Note, Stamp};
use crate::watch::read::Text;
use crate::watch::rules::InForce;

/// A note that was read, with what is known of it.
pub(super) struct Opened {
    pub(super) text: Text,
    pub(super) known: Option<Note>,
    pub(super) rules: Result<Arc<InForce>, String>,
    pub(super) provenance: Provenance,
    /// What a person said by changing it.
    pub(super) verdict: Verdict,
    /// It is what it was when it was tagged.
    pub(super) is_same: bool,
    /// Many notes changed together with it.
    pub(super) in_crowd: bool,
}

/// What the model said of a note.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    pub(super) basis: Option<Basis>,
    pub(super) fits: Vec<TagWish>,
    pub(super) fault: Option<String>,
}

impl Opened {
    pub(super) fn wish<'a>(
        &self,
        path: &'a Path,
        answer: &'a Answer,
        rules: &'a InForce,
        labels: &'a [String],
    ) -> Wish<'a> {
        Wish {
            path,
            seen: self.text.content,
            tags: &answer.fits,
            labels: Some(labels),
            set: Some(&rules.rules.labels),
            in_crowd: self.in_crowd,
        }
    }

    pub(super) fn note(&self, index: &Index, stamp: Stamp, answer: &Answer) -> Note {
        // By keys: a log of one line a day may have ten thousand tags.
        let machine = &self.provenance.machine;
        let ours: HashSet<String> = machine.iter().map(|tag| tag_key(tag)).collect();
        let mut known = HashSet::new();
        let tags = self.text.tags.iter().chain(machine).filter_map(|tag| {
            let key = tag_key(tag);
            let is_ours = ours.contains(&key);
            known.insert(key).then(|| Held {
                name: index.name(tag),
                is_ours,
            })
        });
        let fits = answer.fits.iter().map(|fit| Fit {
            name: index.name(&fit.name),
            score: fit.score.unwrap_or(1.0), // A person said so.
        });
        Note {
            stamp,
            content: self.text.content,
            tags: tags.collect(),
            fits: fits.collect(),
            basis: answer.basis,
            fault: answer.fault.as_deref().map(|fault| index.name(fault)),
        }
    }
}

/// A label that fits, as it is wished for; `said` is when a person said that it does.
pub(super) fn fit(tag: &TagRecord, said: Option<u64>) -> TagWish {
    TagWish {
        name: tag.label.clone(),
        score: tag.score,
        said,
    }
}

/// The note after some tags were added and others taken out.
pub(super) fn changed(index: &Index, note: Note, added: &[String], removed: &[String]) -> Note {
    let mut tags = note.tags.into_vec();
    tags.retain(|tag| !is_among(&tag.name, removed));
    tags.extend(added.iter().map(|tag| Held {
        name: index.name(tag),
        is_ours: true,
    }));
    Note {
        tags: tags.into(),
        ..note
    }
}

/// Whether a tag of ours was taken out that the file does not show: it stood beside it.
pub(super) fn is_taken_out_beside(known: &Note, provenance: &Provenance) -> bool {
    let mut ours = known.tags.iter().filter(|tag| tag.is_ours);
    ours.any(|tag| is_among(&tag.name, &provenance.withdrawn))
}

/// What a person said by changing a note that is `known`.
pub(super) fn said(
    sink: Sink,
    known: &Note,
    text: &Text,
    provenance: &Provenance,
    rules: &InForce,
    crowd: usize,
) -> Verdict {
    if text.is_broken {
        return Verdict::default(); // Nobody knows which tags it has.
    }
    let before: Vec<String> = known.tags.iter().map(|tag| tag.name.to_string()).collect();
    let mut ours = provenance.machine.clone();
    ours.extend(provenance.withdrawn.iter().cloned());
    // Tags beside the file are not in its text, and nobody took them out of it.
    let mut now = text.tags.clone();
    now.extend(provenance.machine.iter().cloned());
    let expected: Vec<String> = match sink.writes() {
        true => known.fits.iter().map(|fit| fit.name.to_string()).collect(),
        false => Vec::new(),
    };
    let change = Change {
        before: &before,
        now: &now,
        ours: &ours,
        expected: &expected,
        crowd,
    };
    verdict(&change, &rules.rules.labels)
}

pub(super) fn names(rules: &InForce) -> Vec<String> {
    let labels = rules.rules.labels.labels().iter();
    labels.map(|label| label.name.clone()).collect()
}

pub(super) fn desk_text(path: &Path, text: &Text) -> desk::Text {
    desk::Text {
        source: Arc::clone(&text.source),
        format: text.format,
        name: Some(uri_of(path)),
    }
}

pub(super) fn text_stamp(path: &Path) -> Stamp {
    std::fs::symlink_metadata(path).map_or(Stamp::default(), |metadata| Stamp::of(&metadata))
}
