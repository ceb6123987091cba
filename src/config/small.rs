//! Small text files that lie in folders of other people: settings, and rules of what to leave out.
//!
//! Invariant: whatever the name leads to, no more than a small file is held, and nobody is waited for.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// No file of settings or rules that somebody wrote is larger.
const MOST_BYTES: u64 = 1 << 20;

/// All bytes of a file, which may be a link.
///
/// # Errors
/// It cannot be read, is no file, or is too large: a link in a folder that was fetched from elsewhere
/// may lead to a device, or to a file of the system's that has no end.
pub fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    // Opening a pipe would wait for somebody to write into it.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        let most = MOST_BYTES >> 20;
        return Err(io::Error::other(format!("it is larger than {most} MB")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_file_is_read_and_a_large_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, "text").unwrap();
        assert_eq!(read_small(&path).unwrap(), b"text");
        File::create(&path).unwrap().set_len(4 << 30).unwrap();
        let error = read_small(&path).unwrap_err().to_string();
        assert!(error.contains("larger than 1 MB"), "{error}");
        assert!(read_small(dir.path()).is_err());
        let error = read_small(&dir.path().join("b")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_link_to_what_has_no_end_is_not_read_to_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        for endless in ["/dev/zero", "/proc/self/pagemap"] {
            std::os::unix::fs::symlink(endless, &link).unwrap();
            assert!(read_small(&link).is_err(), "{endless}");
            std::fs::remove_file(&link).unwrap();
        }
    }
}
