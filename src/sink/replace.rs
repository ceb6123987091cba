//! Reads a file whole, and replaces it as a whole or not at all.
//!
//! Input: a path; then the bytes that were read and those that are to be there. Output: the file,
//! replaced durably.
//! Invariant: at every moment the path holds the old content or the new one; permissions, owner
//! and extended attributes stay; a link stays a link; what changed meanwhile is not overwritten.
//! Leaves no temporary file behind but in a crash, and then the ledger knows its name.

use std::ffi::OsStr;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::SinkError;
use super::error::shown;
use crate::config::{may_write, private_options, sync_folder};

/// The largest file that is rewritten: longer than any note, and a moment's work.
pub const MOST_BYTES: u64 = 16 << 20;
/// What our temporary files are called; a watcher passes them over.
const TEMPORARY: &str = ".gliznet-tmp-";

/// Whether a file of this name is one that gliznet is about to rename, or has left in a crash.
pub fn is_temporary(name: &OsStr) -> bool {
    name.to_string_lossy().starts_with(TEMPORARY)
}

/// The name of the temporary file of a write.
pub(super) fn temporary(write: u64) -> String {
    // Two machines may write into one folder, each with a ledger of its own.
    format!("{TEMPORARY}{write}-{}", std::process::id())
}

/// All bytes of a file that is not too large; refused before anything is read.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, SinkError> {
    let unread = |cause| SinkError::io(path, "cannot be read", cause);
    // Opening a pipe would wait for somebody to write into it.
    check_kind(path, &std::fs::metadata(path).map_err(unread)?)?;
    let file = File::open(path).map_err(unread)?;
    let mut bytes = Vec::new();
    let read = file.take(MOST_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(unread)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(too_large(path, bytes.len() as u64)); // It has just grown.
    }
    Ok(bytes)
}

fn check_kind(path: &Path, metadata: &Metadata) -> Result<(), SinkError> {
    if !metadata.is_file() {
        return Err(SinkError::NoFile(shown(path)));
    }
    match metadata.len() {
        size if size > MOST_BYTES => Err(too_large(path, size)),
        _ => Ok(()),
    }
}

fn too_large(path: &Path, size: u64) -> SinkError {
    SinkError::TooLarge {
        path: shown(path),
        // Up, or a file that is a little too large would be as large as the largest.
        megabytes: size.div_ceil(1 << 20),
        most: MOST_BYTES >> 20,
    }
}

/// Puts `after` where `before` is; a file that was not there (`before` is `None`) is made.
pub(super) fn replace(
    path: &Path,
    before: Option<&[u8]>,
    after: &[u8],
    temporary: &str,
) -> Result<(), SinkError> {
    let target = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let folder = target.parent().unwrap_or(Path::new("."));
    let old = match before {
        Some(_) => Some(writable(&target)?),
        None => None,
    };
    let draft = Draft(folder.join(temporary));
    draft
        .write(after, old.as_ref(), &target)
        .map_err(|cause| SinkError::io(path, "cannot be written", cause))?;
    // The last moment: what another program has saved meanwhile stays.
    let now = match read(&target) {
        Ok(bytes) => Some(bytes),
        Err(SinkError::Gone(_)) => None,
        Err(error) => return Err(error),
    };
    if now.as_deref() != before {
        return Err(match now {
            Some(_) => SinkError::Changed(shown(path)),
            None => SinkError::Gone(shown(path)),
        });
    }
    std::fs::rename(&draft.0, &target)
        .map_err(|cause| SinkError::io(path, "cannot be replaced", cause))?;
    sync(folder, path)
}

/// Refuses a file that `replace` would refuse whatever is put there.
pub(super) fn check(path: &Path) -> Result<(), SinkError> {
    let target = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    writable(&target).map(drop)
}

/// Takes a file away that nothing is left in.
pub(super) fn remove(path: &Path) -> Result<(), SinkError> {
    let removed = std::fs::remove_file(path);
    removed.map_err(|cause| SinkError::io(path, "cannot be removed", cause))?;
    sync(path.parent().unwrap_or(Path::new(".")), path)
}

/// The old file, if its owner wants it written.
fn writable(path: &Path) -> Result<Metadata, SinkError> {
    let metadata = std::fs::metadata(path);
    let metadata = metadata.map_err(|cause| SinkError::io(path, "cannot be read", cause))?;
    check_kind(path, &metadata)?;
    if may_write(path, &metadata).is_err() {
        return Err(SinkError::ReadOnly(shown(path)));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        if metadata.nlink() > 1 {
            return Err(SinkError::Links {
                path: shown(path),
                links: metadata.nlink(),
            });
        }
    }
    Ok(metadata)
}

/// The new content before it has its name; taken away where that never comes.
struct Draft(PathBuf);

impl Draft {
    fn begin(&self, takes_place: bool) -> io::Result<File> {
        // The old file may be closed to others, and so is this one until it has its permissions.
        let mut options = match takes_place {
            true => private_options(),
            false => OpenOptions::new(),
        };
        options.write(true).create_new(true).open(&self.0)
    }

    fn write(&self, content: &[u8], old: Option<&Metadata>, target: &Path) -> io::Result<()> {
        let mut file = self.begin(old.is_some())?;
        file.write_all(content)?;
        if let Some(old) = old {
            keep_owner(&file, old);
            keep_attributes(&self.0, target);
            file.set_permissions(old.permissions())?;
        }
        file.sync_all()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After the rename it is gone, and there is nothing to do.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Only the superuser may give files away; for others the file is theirs already, or their group's.
#[cfg(unix)]
fn keep_owner(file: &File, old: &Metadata) {
    use std::os::unix::fs::MetadataExt as _;
    let owner = rustix::fs::Uid::from_raw(old.uid());
    let group = rustix::fs::Gid::from_raw(old.gid());
    if rustix::fs::fchown(file, Some(owner), Some(group)).is_err() {
        let _ = rustix::fs::fchown(file, None, Some(group)); // The group at least, where it may be.
    }
}

#[cfg(not(unix))]
fn keep_owner(_file: &File, _old: &Metadata) {}

/// Tags, comments and access lists that hang on the file.
#[cfg(unix)]
fn keep_attributes(draft: &Path, old: &Path) {
    let names = xattr::list(old).into_iter().flatten();
    for name in names {
        if let Ok(Some(value)) = xattr::get(old, &name) {
            // What only the system may set, it sets itself.
            let _ = xattr::set(draft, &name, &value);
        }
    }
}

#[cfg(not(unix))]
fn keep_attributes(_draft: &Path, _old: &Path) {}

/// Makes durable what was done to a file of a folder.
fn sync(folder: &Path, path: &Path) -> Result<(), SinkError> {
    sync_folder(folder).map_err(|cause| SinkError::Io {
        path: shown(path),
        what: "was changed, and may not be on disk yet",
        cause,
        cure: "check the disk, or let its folder be read",
    })
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_closed_file_is_closed_while_it_is_written_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("note.md");
        std::fs::write(&path, "secret").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let draft = Draft(dir.path().join("draft"));
        let mut file = draft.begin(true).unwrap();
        file.write_all(b"secret").unwrap();
        assert_eq!(
            mode(&draft.0),
            0o600,
            "before it has the permissions of the old one"
        );
        drop((file, draft));
        replace(&path, Some(b"secret"), b"new", "draft").unwrap();
        assert_eq!(
            (std::fs::read(&path).unwrap(), mode(&path)),
            (b"new".to_vec(), 0o644)
        );
    }
}
