//! Reads one note: a path in, its text and tags out, or why there is none.
//!
//! Invariant: what is given was in the file at one moment, and was not being written then; of a
//! file of any size no more than `MOST_BYTES` are held; a pipe or a link is not waited for.

use std::collections::HashSet;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::mount::is_placeholder;
use super::note::Stamp;
use crate::document::{Document, Format, body_tags, decode};
use crate::label::lower;
use crate::sink::ContentHash;

/// A longer file is no note.
pub(super) const MOST_BYTES: u64 = 4 << 20;

/// A note as it was read.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub(super) stamp: Stamp,
    pub(super) content: ContentHash,
    pub(super) source: Arc<str>,
    pub(super) format: Format,
    /// The tags of its settings, and those of its text.
    pub(super) tags: Vec<String>,
    /// Its settings cannot be read, so that nobody knows which tags it has.
    pub(super) is_broken: bool,
}

/// Why there is no text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoText {
    /// It is not there.
    Gone,
    /// It is being written: look again when it is quiet.
    Unsettled,
    /// It will not be read before it looks other than `Stamp`.
    Never(Stamp, String),
    /// It may be read later, when somebody lets us.
    Closed(String),
}

/// Reads a note. Blocks.
pub(super) fn read(path: &Path, is_deaf: bool) -> Result<Text, NoText> {
    let metadata = metadata(path)?;
    let stamp = Stamp::of(&metadata);
    if is_placeholder(&metadata, is_deaf) {
        let fact = "it is not on this machine; it is read when something else has fetched it";
        return Err(NoText::Closed(fact.to_owned()));
    }
    if metadata.len() > MOST_BYTES {
        let most = MOST_BYTES >> 20;
        let fact =
            format!("larger than {most} MB, which no note is; leave it out in .gliznetignore");
        return Err(NoText::Never(stamp, fact));
    }
    let bytes = open(path).and_then(|file| {
        let mut bytes = Vec::new();
        file.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    });
    let bytes = bytes.map_err(|error| fault(&error))?;
    if Stamp::of(&self::metadata(path)?) != stamp || bytes.len() as u64 != stamp.size {
        return Err(NoText::Unsettled);
    }
    let content = ContentHash::of(&bytes);
    let decoded = match decode(&bytes) {
        Ok(decoded) => decoded,
        Err(error) => return Err(NoText::Never(stamp, error.to_string())),
    };
    let format = Format::from_path(path);
    let source: Arc<str> = decoded.text.into();
    let document = Document::parse(format, Arc::clone(&source));
    let front_matter = document.front_matter();
    let mut tags = front_matter.map_or_else(Vec::new, |front_matter| front_matter.tags.clone());
    let mut known: HashSet<String> = tags.iter().map(|tag| lower(tag)).collect();
    let in_body = body_tags(&document).into_iter().map(|(tag, _)| tag);
    tags.extend(in_body.filter(|tag| known.insert(lower(tag))));
    Ok(Text {
        stamp,
        content,
        source,
        format,
        tags,
        is_broken: front_matter.is_some_and(|front_matter| front_matter.fault.is_some()),
    })
}

fn metadata(path: &Path) -> Result<Metadata, NoText> {
    let metadata = std::fs::symlink_metadata(path).map_err(|error| fault(&error))?;
    match metadata.is_file() {
        true => Ok(metadata),
        false => Err(NoText::Gone), // A folder or a link has its name now.
    }
}

fn fault(error: &io::Error) -> NoText {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => NoText::Gone,
        io::ErrorKind::PermissionDenied => {
            NoText::Closed("it may not be read; change its permissions".to_owned())
        }
        _ => NoText::Closed(format!("it cannot be read ({error})")),
    }
}

#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    // Somebody may put a pipe there, which would be waited for.
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW;
    let flags = i32::try_from(flags.bits()).unwrap_or(0);
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).open(path)
}

/// The file by which another program says that it has this note open; none where none does.
pub(super) fn locked_by(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_string_lossy();
    let locks = [
        format!(".#{name}"),       // Emacs; a link that leads nowhere.
        format!(".{name}.swp"),    // Vim.
        format!(".~lock.{name}#"), // LibreOffice.
    ];
    locks
        .into_iter()
        .map(|lock| path.with_file_name(lock))
        .find(|lock| std::fs::symlink_metadata(lock).is_ok())
}

/// The note that a lock of this name is about.
pub(super) fn note_of_lock(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let note = name
        .strip_prefix(".#")
        .or_else(|| name.strip_prefix(".~lock.")?.strip_suffix('#'))
        .or_else(|| name.strip_prefix('.')?.strip_suffix(".swp"))?;
    (!note.is_empty()).then(|| path.with_file_name(note))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_with_its_tags() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.md");
        std::fs::write(&path, "---\ntags: [a, Ö]\n---\nText #c #A #ö #O\u{308}\n").unwrap();
        let text = read(&path, false).unwrap();
        assert_eq!(text.tags, ["a", "Ö", "c"]);
        assert!(!text.is_broken);
        std::fs::write(&path, "---\ntags: [a\n---\nText\n").unwrap();
        assert!(read(&path, false).unwrap().is_broken);
    }

    #[test]
    fn what_cannot_be_read_says_why_and_whether_to_try_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        assert_eq!(read(&path("none.md"), false).unwrap_err(), NoText::Gone);
        std::fs::create_dir(path("folder.md")).unwrap();
        assert_eq!(read(&path("folder.md"), false).unwrap_err(), NoText::Gone);
        std::fs::write(path("binary.md"), [0u8, 159, 146, 150, 0, 0, 1]).unwrap();
        let binary = read(&path("binary.md"), false).unwrap_err();
        assert!(matches!(binary, NoText::Never(..)), "{binary:?}");
        let huge = std::fs::File::create(path("huge.md")).unwrap();
        huge.set_len(4 << 30).unwrap();
        let huge = read(&path("huge.md"), false).unwrap_err();
        assert!(
            matches!(&huge, NoText::Never(_, fact) if fact.contains("4 MB")),
            "{huge:?}"
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_that_is_elsewhere_is_not_opened() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.md");
        std::fs::File::create(&path).unwrap().set_len(99).unwrap();
        assert!(matches!(read(&path, true), Err(NoText::Closed(_))));
    }

    #[cfg(unix)]
    #[test]
    fn neither_a_pipe_nor_a_link_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe.md");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        assert_eq!(read(&pipe, false).unwrap_err(), NoText::Gone);
        assert!(open(&pipe).is_ok(), "it does not wait for a writer");
        let link = dir.path().join("link.md");
        std::os::unix::fs::symlink("/etc/hostname", &link).unwrap();
        assert_eq!(read(&link, false).unwrap_err(), NoText::Gone);
    }

    #[test]
    fn a_lock_names_its_note() {
        let dir = tempfile::tempdir().unwrap();
        let note = dir.path().join("a b.md");
        assert_eq!(locked_by(&note), None);
        for lock in [".#a b.md", ".a b.md.swp", ".~lock.a b.md#"] {
            let lock = dir.path().join(lock);
            std::fs::write(&lock, "").unwrap();
            assert_eq!(locked_by(&note), Some(lock.clone()));
            assert_eq!(note_of_lock(&lock), Some(note.clone()));
            std::fs::remove_file(&lock).unwrap();
        }
        assert_eq!(note_of_lock(&note), None);
    }
}
