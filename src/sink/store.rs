//! The places that tags are put in, as one: read, planned, written and taken back alike.
//!
//! Input: a sink and a path. Output: the bytes that hold the tags, and those bytes replaced.
//! Invariant: what is replaced is what was read, or nothing is. Knows nothing of the ledger.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::place::{Place, applied, exchanged, taken_back};
use super::plan::is_among;
use super::{ContentHash, Sink, SinkError};
use super::{attribute, note, replace, sidecar, writer};
use crate::frontmatter::Edit;

/// The bytes that hold the tags of a file: its own, its attribute's or its sidecar's.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) path: PathBuf,
    sink: Sink,
    pub(super) content: Vec<u8>,
    /// What holds the tags is there: the file, its attribute or the sidecar.
    exists: bool,
}

/// A change of them.
#[derive(Debug)]
pub(super) struct Edited {
    pub(super) places: Vec<Place>,
    pub(super) after: Vec<u8>,
    /// Of the file's text, where that is what is changed.
    pub(super) edits: Vec<Edit>,
    pub(super) unwritable: Vec<String>,
}

impl Held {
    pub(super) fn read(path: &Path, sink: Sink) -> Result<Held, SinkError> {
        let (content, exists) = match sink {
            Sink::Frontmatter => (replace::read(path)?, true),
            Sink::Xattr => {
                let read = attribute::read(path);
                let read = read
                    .map_err(|cause| SinkError::io(path, "its attributes cannot be read", cause));
                let read = read?;
                let exists = read.is_some();
                (read.unwrap_or_default(), exists)
            }
            Sink::Sidecar => match read_sidecar(&sidecar_of(path)) {
                Ok(content) => (content, true),
                Err(SinkError::Gone(_)) => (Vec::new(), false),
                Err(error) => return Err(error),
            },
            Sink::Suggest | Sink::Stdout => return Err(SinkError::NoFileSink(sink)),
        };
        Ok(Held {
            path: path.to_path_buf(),
            sink,
            content,
            exists,
        })
    }

    /// The place of a file that is gone.
    pub(super) fn nothing(path: &Path, sink: Sink) -> Held {
        Held {
            path: path.to_path_buf(),
            sink,
            content: Vec::new(),
            exists: false,
        }
    }

    /// A text that was read already, or is open in an editor.
    pub(super) fn of_text(path: &Path, text: impl Into<Vec<u8>>) -> Held {
        Held {
            path: path.to_path_buf(),
            sink: Sink::Frontmatter,
            content: text.into(),
            exists: true,
        }
    }

    /// The same place with other bytes.
    pub(super) fn with(&self, content: Vec<u8>) -> Held {
        Held {
            path: self.path.clone(),
            content,
            ..*self
        }
    }

    pub(super) fn hash(&self) -> ContentHash {
        ContentHash::of(&self.content)
    }

    pub(super) fn sink(&self) -> Sink {
        self.sink
    }

    /// What the bytes are of, for a person.
    pub(super) fn target(&self) -> String {
        match self.sink {
            Sink::Sidecar => super::error::shown(&sidecar_of(&self.path)),
            Sink::Xattr => format!("{} ({})", super::error::shown(&self.path), attribute::NAME),
            _ => super::error::shown(&self.path),
        }
    }

    /// The tags that stand in this place, and those that the file has elsewhere.
    pub(super) fn standing(&self) -> Result<(Vec<String>, Vec<String>), SinkError> {
        match self.sink {
            Sink::Frontmatter => note::standing(&self.path, &self.content),
            Sink::Xattr => Ok((
                self.attribute()?.into_iter().map(uncoloured).collect(),
                Vec::new(),
            )),
            _ => Ok((sidecar::standing(&self.content, self.name()), Vec::new())),
        }
    }

    /// Whether there is nothing at all that tags could stand in: a script has written the file
    /// anew, or a program has saved it without its attributes. Who takes out a tag leaves the rest.
    pub(super) fn is_bare(&self) -> Result<bool, SinkError> {
        match self.sink {
            Sink::Frontmatter => note::is_bare(&self.path, &self.content),
            Sink::Xattr => Ok(!self.exists), // Who empties it has taken its tags out.
            _ => Ok(!sidecar::has_line(&self.content, self.name())),
        }
    }

    /// The bytes of a sidecar in which the file has these tags and no others.
    pub(super) fn listing(&self, tags: &[String]) -> Vec<u8> {
        sidecar::listing(&self.content, self.name(), tags)
    }

    pub(super) fn edited(&self, remove: &[String], add: &[String]) -> Result<Edited, SinkError> {
        match self.sink {
            Sink::Frontmatter => note::edited(&self.path, &self.content, remove, add),
            Sink::Xattr => {
                let mut tags = self.attribute()?;
                tags.retain(|tag| !is_among(&uncoloured(tag.clone()), remove));
                tags.extend_from_slice(add);
                let (after, unwritable) = attribute::bytes(&tags);
                let changed = after != self.content;
                let place = Place {
                    at: 0,
                    before: self.content.clone(),
                    after: after.clone(),
                };
                Ok(Edited {
                    places: changed.then_some(place).into_iter().collect(),
                    after,
                    edits: Vec::new(),
                    unwritable,
                })
            }
            _ => {
                let place = sidecar::edited(&self.content, self.name(), remove, add);
                let places: Vec<Place> = place.into_iter().collect();
                Ok(Edited {
                    after: applied(&self.content, &places).unwrap_or_default(),
                    places,
                    edits: Vec::new(),
                    unwritable: Vec::new(),
                })
            }
        }
    }

    /// The bytes before a change, though others may have changed since; `None` where those have.
    pub(super) fn taken_back(&self, places: &[Place], after: ContentHash) -> Option<Vec<u8>> {
        if self.hash() == after {
            return taken_back(&self.content, places);
        }
        let of_name: Vec<Place>;
        let (ranges, places) = match self.sink {
            Sink::Frontmatter => (note::located(&self.path, &self.content, places)?, places),
            Sink::Sidecar => {
                // Its line has followed the file to another name.
                let named = places
                    .iter()
                    .map(|place| sidecar::named(place, self.name()));
                of_name = named.collect();
                (sidecar::located(&self.content, &of_name)?, &of_name[..])
            }
            _ => return None, // An attribute is one place.
        };
        let before: Vec<&[u8]> = places.iter().map(|place| &place.before[..]).collect();
        exchanged(&self.content, &ranges, &before)
    }

    /// Refuses what `put` would refuse, for who asks what would be done.
    pub(super) fn check(&self, after: &[u8]) -> Result<(), SinkError> {
        if after == self.content {
            return Ok(());
        }
        match self.sink {
            Sink::Frontmatter => {
                writer::check(&self.path)?;
                replace::check(&self.path)
            }
            Sink::Sidecar if self.exists && !after.is_empty() => {
                replace::check(&sidecar_of(&self.path))
            }
            _ => Ok(()), // The system alone knows of an attribute.
        }
    }

    /// Replaces the bytes; refuses where they are no longer those that were read.
    pub(super) fn put(&self, after: &[u8], temporary: &str) -> Result<(), SinkError> {
        let before = self.exists.then_some(&self.content[..]);
        if after == self.content {
            return Ok(());
        }
        match self.sink {
            Sink::Xattr => {
                let io =
                    |cause| SinkError::io(&self.path, "its attributes cannot be written", cause);
                let now = attribute::read(&self.path).map_err(io)?;
                match now.unwrap_or_default() == self.content {
                    true => attribute::write(&self.path, after).map_err(io),
                    false => Err(SinkError::Changed(super::error::shown(&self.path))),
                }
            }
            Sink::Sidecar if after.is_empty() => {
                let sidecar = sidecar_of(&self.path);
                match read_sidecar(&sidecar)? == self.content {
                    true => replace::remove(&sidecar),
                    false => Err(SinkError::Changed(super::error::shown(&sidecar))),
                }
            }
            Sink::Sidecar => {
                let sidecar = sidecar_of(&self.path);
                check_sidecar(&sidecar)?;
                replace::replace(&sidecar, before, after, temporary)
            }
            _ => replace::replace(&self.path, before, after, temporary),
        }
    }

    fn name(&self) -> &OsStr {
        self.path.file_name().unwrap_or_default()
    }

    fn attribute(&self) -> Result<Vec<String>, SinkError> {
        attribute::tags(&self.content).ok_or_else(|| SinkError::Encoding {
            path: super::error::shown(&self.path),
            fact: format!(
                "its attribute {} cannot be read; mend or remove it",
                attribute::NAME
            ),
        })
    }
}

/// A tag of the Finder may have a colour.
fn uncoloured(tag: String) -> String {
    match tag.split_once('\n') {
        Some((name, _)) => name.to_owned(),
        None => tag,
    }
}

fn read_sidecar(sidecar: &Path) -> Result<Vec<u8>, SinkError> {
    check_sidecar(sidecar)?;
    replace::read(sidecar)
}

/// Refuses a link of a sidecar's name, which any folder of somebody else's may hold: it could lead
/// to a file that means something else, such as a shell's settings.
fn check_sidecar(sidecar: &Path) -> Result<(), SinkError> {
    match sidecar.is_symlink() {
        true => Err(SinkError::Link(super::error::shown(sidecar))),
        false => Ok(()),
    }
}

/// The sidecar of a file's folder.
fn sidecar_of(path: &Path) -> PathBuf {
    path.with_file_name(sidecar::FILE_NAME)
}

/// The file that the new bytes of a place are written to first.
pub(super) fn draft(path: &Path, temporary: &str) -> PathBuf {
    let target = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    target.with_file_name(temporary)
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sidecar_that_is_a_link_is_neither_read_nor_written() {
        let dir = tempfile::tempdir().unwrap();
        let other = dir.path().join("rc");
        std::fs::write(&other, "# settings\n").unwrap();
        let folder = dir.path().join("notes");
        std::fs::create_dir(&folder).unwrap();
        let note = folder.join("a.md");
        let held = Held::read(&note, Sink::Sidecar).unwrap();
        std::os::unix::fs::symlink(&other, folder.join(sidecar::FILE_NAME)).unwrap();
        let fault = Held::read(&note, Sink::Sidecar).unwrap_err().to_string();
        assert!(fault.contains("it is a link"), "{fault}");
        // It may have come while the tags were found.
        let after = held.edited(&[], &["x".to_owned()]).unwrap().after;
        assert!(held.put(&after, ".gliznet-tmp-1").is_err());
        assert_eq!(std::fs::read(&other).unwrap(), b"# settings\n");
    }
}
