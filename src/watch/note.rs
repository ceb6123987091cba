//! What is known of one note, as a value, and as the bytes that the index keeps.
//!
//! Invariant: `decode` gives back what `encode` was given, and nothing for any other bytes.
//! Knows nothing of where notes are kept.

use std::collections::HashSet;
use std::fs::Metadata;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use crate::sink::ContentHash;

/// The form of the bytes; another one means another folder.
pub(super) const FORM: u8 = 1;

/// A file as it looks from outside. Compared for equality only: clocks jump.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Stamp {
    pub(super) size: u64,
    /// Nanoseconds since 1970, before it negative.
    pub(super) modified: i128,
    /// What stays when a file gets another name; 0 where the system does not say.
    pub(super) inode: u64,
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Stamp {
        let modified = metadata.modified().ok().map(|time| {
            let after = time.duration_since(UNIX_EPOCH);
            after.map_or_else(
                |before| -(before.duration().as_nanos() as i128),
                |after| after.as_nanos() as i128,
            )
        });
        Stamp {
            size: metadata.len(),
            modified: modified.unwrap_or(0),
            inode: inode(metadata),
        }
    }
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> u64 {
    0
}

/// A tag that a note has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) name: Arc<str>,
    /// We put it there; else a person did.
    pub(super) is_ours: bool,
}

/// A label that fits a note.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fit {
    pub(super) name: Arc<str>,
    pub(super) score: f32,
}

/// What labels were chosen by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Basis {
    /// Tells one version of the model from another.
    pub(super) model: u64,
    /// Tells label sets and thresholds.
    pub(super) rules: u64,
}

/// A note.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Note {
    /// What it looked like when it was read.
    pub(super) stamp: Stamp,
    /// Of all its bytes.
    pub(super) content: ContentHash,
    /// The tags that it has.
    pub(super) tags: Box<[Held]>,
    /// The labels that fit, best first.
    pub(super) fits: Box<[Fit]>,
    /// What `fits` stands on; none where no model was asked.
    pub(super) basis: Option<Basis>,
    /// Why nothing was written to it, or not even read.
    pub(super) fault: Option<Arc<str>>,
}

/// Names that many notes share are held once.
#[derive(Debug, Default)]
pub(super) struct Names(HashSet<Arc<str>>);

impl Names {
    pub(super) fn of(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.0.get(name) {
            return Arc::clone(known);
        }
        let new: Arc<str> = name.into();
        self.0.insert(Arc::clone(&new));
        new
    }
}

/// Little-endian: form, stamp, content, tags, fits, basis, fault.
pub(super) fn encode(note: &Note) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(128);
    bytes.push(FORM);
    bytes.extend(note.stamp.size.to_le_bytes());
    bytes.extend(note.stamp.modified.to_le_bytes());
    bytes.extend(note.stamp.inode.to_le_bytes());
    bytes.extend(note.content.as_bytes());
    count(&mut bytes, note.tags.len());
    for tag in &note.tags {
        text(&mut bytes, &tag.name);
        bytes.push(u8::from(tag.is_ours));
    }
    count(&mut bytes, note.fits.len());
    for fit in &note.fits {
        text(&mut bytes, &fit.name);
        bytes.extend(fit.score.to_le_bytes());
    }
    bytes.push(u8::from(note.basis.is_some()));
    if let Some(basis) = note.basis {
        bytes.extend(basis.model.to_le_bytes());
        bytes.extend(basis.rules.to_le_bytes());
    }
    bytes.push(u8::from(note.fault.is_some()));
    if let Some(fault) = &note.fault {
        text(&mut bytes, fault);
    }
    bytes
}

fn count(bytes: &mut Vec<u8>, n: usize) {
    bytes.extend((n as u32).to_le_bytes());
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    count(bytes, text.len());
    bytes.extend(text.as_bytes());
}

/// `None` for whatever `encode` does not write.
pub(super) fn decode(bytes: &[u8], names: &mut Names) -> Option<Note> {
    let mut rest = Rest(bytes);
    if rest.byte()? != FORM {
        return None;
    }
    let stamp = Stamp {
        size: u64::from_le_bytes(rest.take()?),
        modified: i128::from_le_bytes(rest.take()?),
        inode: u64::from_le_bytes(rest.take()?),
    };
    let content = ContentHash::from_bytes(rest.take()?);
    let tags = rest.list(|rest| {
        Some(Held {
            name: names.of(rest.text()?),
            is_ours: rest.flag()?,
        })
    })?;
    let fits = rest.list(|rest| {
        Some(Fit {
            name: names.of(rest.text()?),
            score: f32::from_le_bytes(rest.take()?),
        })
    })?;
    let basis = match rest.flag()? {
        true => Some(Basis {
            model: u64::from_le_bytes(rest.take()?),
            rules: u64::from_le_bytes(rest.take()?),
        }),
        false => None,
    };
    let fault = match rest.flag()? {
        true => Some(names.of(rest.text()?)),
        false => None,
    };
    rest.0.is_empty().then_some(Note {
        stamp,
        content,
        tags,
        fits,
        basis,
        fault,
    })
}

struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>()?;
        self.0 = tail;
        Some(*head)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn count(&mut self) -> Option<usize> {
        usize::try_from(u32::from_le_bytes(self.take()?)).ok()
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = self.count()?;
        let (head, tail) = self.0.split_at_checked(length)?;
        self.0 = tail;
        std::str::from_utf8(head).ok()
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Box<[T]>> {
        let n = self.count()?;
        let mut items = Vec::new(); // `n` may be nonsense, so nothing is reserved for it.
        for _ in 0..n {
            items.push(item(self)?);
        }
        Some(items.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn note() -> impl Strategy<Value = Note> {
        let stamp = (any::<u64>(), any::<i64>(), any::<u64>());
        let tags = prop::collection::vec((".{0,9}", any::<bool>()), 0..5);
        let fits = prop::collection::vec((".{0,9}", 0.0f32..1.0), 0..5);
        let basis = prop::option::of((any::<u64>(), any::<u64>()));
        let fault = prop::option::of(".{0,20}");
        (stamp, any::<[u8; 32]>(), tags, fits, basis, fault).prop_map(
            |((size, modified, inode), content, tags, fits, basis, fault)| Note {
                stamp: Stamp {
                    size,
                    modified: i128::from(modified),
                    inode,
                },
                content: ContentHash::from_bytes(content),
                tags: tags
                    .into_iter()
                    .map(|(name, is_ours)| Held {
                        name: name.into(),
                        is_ours,
                    })
                    .collect(),
                fits: fits
                    .into_iter()
                    .map(|(name, score)| Fit {
                        name: name.into(),
                        score,
                    })
                    .collect(),
                basis: basis.map(|(model, rules)| Basis { model, rules }),
                fault: fault.map(Into::into),
            },
        )
    }

    proptest! {
        #[test]
        fn a_note_comes_back_as_it_went_in(note in note()) {
            let bytes = encode(&note);
            prop_assert_eq!(decode(&bytes, &mut Names::default()), Some(note));
        }

        #[test]
        fn a_damaged_note_is_none(note in note(), cut: prop::sample::Index) {
            let bytes = encode(&note);
            let cut = cut.index(bytes.len());
            prop_assert_eq!(decode(&bytes[..cut], &mut Names::default()), None);
        }

        #[test]
        fn no_bytes_are_too_strange(bytes: Vec<u8>) {
            decode(&bytes, &mut Names::default());
        }
    }

    #[test]
    fn a_name_is_held_once() {
        let mut names = Names::default();
        assert!(Arc::ptr_eq(&names.of("garden"), &names.of("garden")));
    }

    #[test]
    fn a_file_that_was_written_looks_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.md");
        let stamp = || Stamp::of(&std::fs::metadata(&path).unwrap());
        std::fs::write(&path, "one").unwrap();
        let before = stamp();
        assert_eq!(before, stamp());
        std::fs::write(&path, "three").unwrap();
        assert_ne!(before, stamp());
        let old = UNIX_EPOCH - std::time::Duration::from_secs(5);
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(old).unwrap();
        assert_eq!(stamp().modified, -5_000_000_000);
    }
}
