//! The name of a file in the journal and in answers: a path in, its `file:` URI out, and back.
//!
//! Invariant: of a path that is text, the URI is spelt as the language server spells it, so that a
//! verdict of an editor holds for a watched file; of any other path, every byte comes back.

use std::path::{Path, PathBuf};

/// The URI of an absolute path.
pub fn uri_of(path: &Path) -> String {
    let mut uri = "file://".to_owned();
    if cfg!(windows) {
        uri.push('/');
    }
    for byte in bytes_of(path) {
        // What may stand in a path as it is, by RFC 3986; the rest is written in hexadecimal.
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

/// The path that a `file:` URI names.
pub fn path_of(uri: &str) -> Option<PathBuf> {
    let written = uri.strip_prefix("file://")?;
    let mut bytes = Vec::with_capacity(written.len());
    let mut rest = written.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after;
    }
    from_bytes(bytes)
}

#[cfg(unix)]
fn bytes_of(path: &Path) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt;
    path.as_os_str().as_bytes().to_vec()
}

#[cfg(not(unix))]
fn bytes_of(path: &Path) -> Vec<u8> {
    path.to_string_lossy().replace('\\', "/").into_bytes()
}

#[cfg(unix)]
fn from_bytes(bytes: Vec<u8>) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    Some(PathBuf::from(std::ffi::OsString::from_vec(bytes)))
}

#[cfg(not(unix))]
fn from_bytes(bytes: Vec<u8>) -> Option<PathBuf> {
    let text = String::from_utf8(bytes).ok()?;
    Some(PathBuf::from(text.strip_prefix('/')?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_name_is_spelt_as_the_language_server_spells_it() {
        for path in ["/n/a b.md", "/n/été [1].md", "/n/x(1)'~_.md", "/n/文件.md"] {
            let of_server = tower_lsp::ls_types::Uri::from_file_path(path).unwrap();
            assert_eq!(uri_of(Path::new(path)), of_server.as_str());
        }
    }

    proptest::proptest! {
        #[cfg(unix)]
        #[test]
        fn every_byte_of_a_path_comes_back(bytes: Vec<u8>) {
            let path = from_bytes([b"/", &bytes[..]].concat()).unwrap();
            proptest::prop_assert_eq!(path_of(&uri_of(&path)), Some(path));
        }

        #[test]
        fn no_text_is_too_strange(text in ".*") {
            path_of(&text);
            path_of(&format!("file://{text}"));
        }
    }
}
