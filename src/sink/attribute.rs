//! Tags in a file's extended attribute: the attribute's bytes and a plan in, new bytes out.
//!
//! Linux desktops read `user.xdg.tags`, a list with commas; the Finder of macOS a property list.
//! Invariant: tags that are there and not taken out stay, in order. Reads and writes attributes,
//! never a file's content.

use std::io;
use std::path::Path;

#[cfg(any(target_os = "macos", test))]
mod finder;

/// The attribute's name.
#[cfg(not(target_os = "macos"))]
pub(super) const NAME: &str = "user.xdg.tags";
/// The attribute's name.
#[cfg(target_os = "macos")]
pub(super) const NAME: &str = "com.apple.metadata:_kMDItemUserTags";

/// The attribute's bytes, where the file has one.
#[cfg(unix)]
pub(super) fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    xattr::get(path, NAME)
}

/// The attribute with other bytes; without any it is taken away.
#[cfg(unix)]
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match bytes {
        [] if xattr::get(path, NAME)?.is_some() => xattr::remove(path, NAME)?,
        [] => {}
        bytes => xattr::set(path, NAME, bytes)?,
    }
    std::fs::File::open(path)?.sync_all()
}

#[cfg(not(unix))]
pub(super) fn read(_path: &Path) -> io::Result<Option<Vec<u8>>> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(unix))]
pub(super) fn write(_path: &Path, _bytes: &[u8]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The tags in an attribute's bytes; none where they cannot be read.
#[cfg(not(target_os = "macos"))]
pub(super) fn tags(bytes: &[u8]) -> Option<Vec<String>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let tags = text.split(',').map(str::trim).filter(|tag| !tag.is_empty());
    Some(tags.map(str::to_owned).collect())
}

/// The bytes of an attribute with these tags; a tag with a comma has no place in it.
#[cfg(not(target_os = "macos"))]
pub(super) fn bytes(tags: &[String]) -> (Vec<u8>, Vec<String>) {
    let (odd, plain): (Vec<&String>, Vec<&String>) = tags
        .iter()
        .partition(|tag| tag.contains(',') || tag.contains('\0'));
    let plain: Vec<&str> = plain.into_iter().map(String::as_str).collect();
    (
        plain.join(",").into_bytes(),
        odd.into_iter().cloned().collect(),
    )
}

#[cfg(target_os = "macos")]
pub(super) use finder::{bytes, tags};

#[cfg(all(test, not(target_os = "macos")))]
mod tests {
    use super::*;

    #[test]
    fn a_list_with_commas_is_read_back() {
        let list: Vec<String> = ["a", "b c", "é"].map(str::to_owned).into();
        let (written, odd) = bytes(&list);
        assert_eq!((written.as_slice(), odd.len()), ("a,b c,é".as_bytes(), 0));
        assert_eq!(tags(&written), Some(list));
        assert_eq!(tags(b""), Some(Vec::new()));
        assert_eq!(tags(b"\xff"), None);
        assert_eq!(
            bytes(&["a,b".to_owned()]),
            (Vec::new(), vec!["a,b".to_owned()])
        );
    }
}
