//! Checksums as the Hub gives them: SHA-256 of large files, Git's blob id of small ones.
//!
//! Input: an etag or a listing's fields, and a file. Output: whether they agree.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// What a file's bytes must hash to; hexadecimal, lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// SHA-256 of the content: files in large-file storage.
    Sha256(String),
    /// SHA-1 of `blob LENGTH\0` and the content: files in Git itself. It guards against accidents,
    /// as Git does; against forgery the connection guards.
    GitBlob(String),
}

impl Checksum {
    /// Reads an `ETag` of the Hub: quoted, perhaps weak. `None` where it is no checksum.
    pub fn from_etag(etag: &str) -> Option<Checksum> {
        let hex = etag.trim().trim_start_matches("W/").trim_matches('"');
        if !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let hex = hex.to_ascii_lowercase();
        match hex.len() {
            64 => Some(Checksum::Sha256(hex)),
            40 => Some(Checksum::GitBlob(hex)),
            _ => None,
        }
    }

    /// Reads what `Display` writes.
    pub fn parse(text: &str) -> Option<Checksum> {
        let (kind, hex) = text.split_once(':')?;
        let checksum = Checksum::from_etag(hex)?;
        (checksum.kind() == kind).then_some(checksum)
    }

    /// The same kind of checksum of the file at `path`; reads all of it.
    pub fn of_same_kind(&self, path: &Path) -> io::Result<Checksum> {
        Ok(match self {
            Checksum::Sha256(_) => Checksum::Sha256(sha256_of(path)?),
            Checksum::GitBlob(_) => {
                let mut hasher = Sha1::new();
                let length = path.metadata()?.len();
                hasher.update(format!("blob {length}\0"));
                feed(path, &mut hasher)?;
                Checksum::GitBlob(hex(&hasher.finalize()))
            }
        })
    }

    fn kind(&self) -> &'static str {
        match self {
            Checksum::Sha256(_) => "sha256",
            Checksum::GitBlob(_) => "git-blob",
        }
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Checksum::Sha256(hex) | Checksum::GitBlob(hex)) = self;
        write!(f, "{}:{hex}", self.kind())
    }
}

/// The SHA-256 of a file, in hexadecimal.
pub(super) fn sha256_of(path: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    feed(path, &mut hasher)?;
    Ok(hex(&hasher.finalize()))
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn feed(path: &Path, hasher: &mut impl Digest) -> io::Result<()> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 18];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(()),
            n => hasher.update(&buffer[..n]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content: &str, etag: &str, agrees: bool) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, content).unwrap();
        let expected = Checksum::from_etag(etag).unwrap();
        let found = expected.of_same_kind(&path).unwrap();
        assert_eq!(found == expected, agrees, "{found} {expected}");
        assert_eq!(Checksum::parse(&found.to_string()), Some(found));
    }

    #[test]
    fn a_small_file_has_the_id_that_git_gives_it() {
        // `printf 'test content\n' | git hash-object --stdin`
        let etag = "\"d670460b4b4aece5915caf5c68d12f560a9fe3e4\"";
        check("test content\n", etag, true);
        check("test content", etag, false);
    }

    #[test]
    fn a_large_file_has_its_sha256() {
        // `printf weights | sha256sum`
        let etag = "9A129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c";
        check("weights", etag, true);
        check("Weights", etag, false);
    }

    #[test]
    fn an_etag_that_is_no_checksum_is_none() {
        for etag in [
            "",
            "\"\"",
            "W/\"abc\"",
            "\"d41d8cd98f00b204e9800998ecf8427e\"",
        ] {
            assert_eq!(Checksum::from_etag(etag), None, "{etag}");
        }
        let weak = "W/\"d670460b4b4aece5915caf5c68d12f560a9fe3e4\"";
        assert!(Checksum::from_etag(weak).is_some());
        assert_eq!(
            Checksum::parse("sha256:d670460b4b4aece5915caf5c68d12f560a9fe3e4"),
            None
        );
    }
}
