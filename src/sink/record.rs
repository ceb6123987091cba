//! One line of the ledger: records in, JSON out, and back.
//!
//! Invariant: fields and kinds are only ever added; a path or a piece of a file comes back byte by
//! byte, whatever is in it. What a newer gliznet wrote is named and passed over.
//! Length: a third of it is tests, lines of older builds among them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{ContentHash, Sink};

/// The version of the records that are written; older ones are read for ever.
pub(super) const VERSION: u32 = 1;
/// The version of records that stand for others which are not there any more.
const SUMMARY_VERSION: u32 = 2;
/// The version of records of what is gone though nobody took it out.
const LOSS_VERSION: u32 = 3;
/// The version of records of what is there again.
const BACK_VERSION: u32 = 4;
/// The version of records of what an editor did not save; the newest.
const UNSAVED_VERSION: u32 = 5;

/// Who wanted a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// A person who said `gliznet tag --write`.
    Person,
    /// The daemon that watches a folder.
    Watch,
    /// A person who took something back.
    Undo,
}

#[derive(Debug, Serialize, Deserialize)]
struct Line<R> {
    v: u32,
    #[serde(flatten)]
    record: R,
}

/// What is recorded.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Record {
    /// A run begins.
    Run(RunRecord),
    /// A file is about to be written.
    Write(Box<WriteRecord>),
    /// It was, or it was not.
    Outcome {
        /// Of which write.
        write: u64,
        done: bool,
    },
    /// A person has taken these tags out of a file.
    Withdrawn {
        path: Lossless,
        sink: Sink,
        tags: Vec<String>,
        /// When the run began that found it, in seconds since 1970; 0 where nobody wrote it down.
        #[serde(default)]
        time: u64,
    },
    /// These tags are gone from a file, and nobody took them out.
    Lost {
        path: Lossless,
        sink: Sink,
        tags: Vec<String>,
    },
    /// An editor was given these writes and closed the file without saving them, so that these tags
    /// never came there and never went.
    Unsaved {
        path: Lossless,
        writes: Vec<u64>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        added: Vec<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        removed: Vec<String>,
    },
    /// There is no such file any more: what comes under its name is another.
    Gone {
        path: Lossless,
        /// Of its last bytes, where they were known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        content: Option<ContentHash>,
    },
    /// A file that was gone is there again, with its last bytes.
    Back { path: Lossless },
    /// A file or folder has another name now.
    Moved { from: Lossless, to: Lossless },
    /// Runs and writes up to these were forgotten.
    Pruned { run: u64, write: u64 },
    /// What the forgotten writes mean for a file.
    File(FileRecord),
}

/// Whose the tags of a file are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct FileRecord {
    pub(super) path: Lossless,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) machine: Vec<(Sink, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) withdrawn: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) undone: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) heard: BTreeMap<String, u64>,
    /// Of its bytes after its front matter was written last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<ContentHash>,
    /// What editors may not have saved yet: the file's bytes before, and tags. One of them at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) given: Vec<(ContentHash, Vec<String>)>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RunRecord {
    pub(super) run: u64,
    /// Seconds since 1970.
    pub(super) time: u64,
    pub(super) cause: Cause,
    pub(super) sink: Sink,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) model: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct WriteRecord {
    pub(super) write: u64,
    pub(super) run: u64,
    pub(super) path: Lossless,
    pub(super) sink: Sink,
    /// Of the bytes that are changed: the file's, its attribute's or the sidecar's.
    pub(super) before: ContentHash,
    pub(super) after: ContentHash,
    /// Of the file's own bytes, where the text that an editor changed is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<ContentHash>,
    /// Empty in an undo, which cannot be undone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) places: Vec<PlaceRecord>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) added: Vec<Added>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) removed: Vec<String>,
    /// The writes that this one takes back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) undoes: Vec<u64>,
    /// The file that the new content is written to first.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) temporary: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Added {
    pub(super) tag: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) score: Option<f32>,
    /// When a person said that it fits, where it was written for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) said: Option<u64>,
}

/// Bytes that were exchanged for others.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PlaceRecord {
    /// Where they begin, in the content before all of it.
    pub(super) at: u64,
    pub(super) before: Lossless,
    pub(super) after: Lossless,
}

/// Text where it is text, else its units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Lossless {
    Text(String),
    Bytes { bytes: Vec<u8> },
    Wide { wide: Vec<u16> },
}

impl Lossless {
    pub(super) fn of_bytes(bytes: &[u8]) -> Lossless {
        match std::str::from_utf8(bytes) {
            Ok(text) => Lossless::Text(text.to_owned()),
            Err(_) => Lossless::Bytes {
                bytes: bytes.to_vec(),
            },
        }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        match self {
            Lossless::Text(text) => text.into_bytes(),
            Lossless::Bytes { bytes } => bytes,
            Lossless::Wide { .. } => Vec::new(), // Only paths are wide.
        }
    }

    #[cfg(unix)]
    pub(super) fn of_path(path: &Path) -> Lossless {
        use std::os::unix::ffi::OsStrExt as _;
        Lossless::of_bytes(path.as_os_str().as_bytes())
    }

    #[cfg(windows)]
    pub(super) fn of_path(path: &Path) -> Lossless {
        use std::os::windows::ffi::OsStrExt as _;
        match path.to_str() {
            Some(text) => Lossless::Text(text.to_owned()),
            None => Lossless::Wide {
                wide: path.as_os_str().encode_wide().collect(),
            },
        }
    }

    #[cfg(unix)]
    pub(super) fn into_path(self) -> PathBuf {
        use std::os::unix::ffi::OsStringExt as _;
        std::ffi::OsString::from_vec(self.into_bytes()).into()
    }

    #[cfg(windows)]
    pub(super) fn into_path(self) -> PathBuf {
        use std::os::windows::ffi::OsStringExt as _;
        match self {
            Lossless::Wide { wide } => std::ffi::OsString::from_wide(&wide).into(),
            other => String::from_utf8_lossy(&other.into_bytes())
                .into_owned()
                .into(),
        }
    }
}

impl Record {
    /// The record as a line of the ledger.
    pub(super) fn line(&self) -> Vec<u8> {
        let version = match self {
            Record::Pruned { .. } | Record::File(_) => SUMMARY_VERSION,
            Record::Lost { .. } | Record::Gone { .. } => LOSS_VERSION,
            Record::Back { .. } => BACK_VERSION,
            Record::Unsaved { .. } => UNSAVED_VERSION,
            _ => VERSION,
        };
        let line = Line {
            v: version,
            record: self,
        };
        let mut bytes = serde_json::to_vec(&line).unwrap_or_default(); // Strings and numbers cannot fail.
        bytes.push(b'\n');
        bytes
    }
}

/// The record of a line, or why it is none.
pub(super) fn parse(line: &[u8]) -> Result<Record, String> {
    #[derive(Deserialize)]
    struct Version {
        v: u32,
    }
    match serde_json::from_slice::<Line<Record>>(line) {
        Ok(line) if line.v <= UNSAVED_VERSION => Ok(line.record),
        result => {
            let version = serde_json::from_slice::<Version>(line).ok();
            Err(match (version, result) {
                (Some(Version { v }), _) if v > UNSAVED_VERSION => {
                    format!("written by a newer gliznet (version {v}); it is kept, but not read")
                }
                (_, Err(error)) => format!("not a record ({error}); it is kept, but not read"),
                (_, Ok(_)) => "not a record; it is kept, but not read".to_owned(),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_is_short_and_read_back() {
        let record = Record::Write(Box::new(WriteRecord {
            write: 3,
            run: 2,
            path: Lossless::of_path(Path::new("/a\nb.md")),
            sink: Sink::Frontmatter,
            before: ContentHash::of(b""),
            after: ContentHash::of(b"x"),
            file: None,
            places: vec![PlaceRecord {
                at: 0,
                before: Lossless::of_bytes(b""),
                after: Lossless::of_bytes(b"\xff"),
            }],
            added: vec![Added {
                tag: "a".to_owned(),
                score: Some(0.5),
                said: None,
            }],
            removed: Vec::new(),
            undoes: Vec::new(),
            temporary: String::new(),
        }));
        let line = record.line();
        let text = String::from_utf8(line.clone()).unwrap();
        assert!(text.starts_with(r#"{"v":1,"kind":"write","write":3,"run":2,"path":"/a\nb.md""#));
        assert!(text.contains(r#""after":{"bytes":[255]}"#), "{text}");
        let Ok(Record::Write(read)) = parse(&line) else {
            panic!("{text}")
        };
        assert_eq!(read.places[0].after, Lossless::of_bytes(b"\xff"));
        assert_eq!(read.added[0].score, Some(0.5));
    }

    #[test]
    fn what_is_newer_is_told_from_what_is_broken() {
        let fault = |line: &str| parse(line.as_bytes()).unwrap_err();
        assert!(fault(r#"{"v":7,"kind":"dream"}"#).starts_with("written by a newer gliznet"));
        assert!(fault(r#"{"v":1,"kind":"dream"}"#).starts_with("not a record"));
        assert!(fault("{").starts_with("not a record"));
    }

    #[test]
    fn lines_of_older_builds_are_read_and_written_as_those_did() {
        let hash = ContentHash::of(b"a");
        let write = format!(
            r#"{{"v":1,"kind":"write","write":3,"run":2,"path":"/a.md","sink":"frontmatter","before":"{hash}","after":"{hash}","places":[{{"at":0,"before":"","after":"x"}}],"added":[{{"tag":"a","score":0.5}}],"temporary":".gliznet-tmp-3"}}"#
        );
        for line in [
            r#"{"v":1,"kind":"run","run":2,"time":9,"cause":"watch","sink":"frontmatter","model":"m"}"#,
            &write,
            r#"{"v":1,"kind":"outcome","write":3,"done":true}"#,
            r#"{"v":1,"kind":"withdrawn","path":"/a.md","sink":"xattr","tags":["a"],"time":9}"#,
            r#"{"v":3,"kind":"lost","path":"/a.md","sink":"sidecar","tags":["a"]}"#,
            r#"{"v":3,"kind":"gone","path":"/a.md"}"#,
            r#"{"v":4,"kind":"back","path":"/a.md"}"#,
            r#"{"v":1,"kind":"moved","from":"/a.md","to":"/b.md"}"#,
            r#"{"v":2,"kind":"pruned","run":2,"write":3}"#,
            r#"{"v":2,"kind":"file","path":"/a.md","machine":[["frontmatter","a"]],"undone":["b"],"heard":{"c":9}}"#,
        ] {
            let read = parse(line.as_bytes()).unwrap();
            let again = String::from_utf8(read.line()).unwrap();
            assert_eq!(again, format!("{line}\n"));
        }
        // The first ones had no time.
        let first = r#"{"v":1,"kind":"withdrawn","path":"/a.md","sink":"xattr","tags":["a"]}"#;
        assert!(matches!(
            parse(first.as_bytes()),
            Ok(Record::Withdrawn { time: 0, .. })
        ));
    }

    #[test]
    fn older_builds_know_what_they_need_of_a_line_and_pass_over_what_they_do_not_know() {
        /// The fields of a file that were known before there were more.
        #[derive(Deserialize)]
        struct Older {
            v: u32,
            machine: Vec<(Sink, String)>,
        }
        let file = Record::File(FileRecord {
            path: Lossless::of_path(Path::new("/a.md")),
            machine: vec![(Sink::Frontmatter, "a".to_owned())],
            withdrawn: Vec::new(),
            undone: Vec::new(),
            heard: BTreeMap::new(),
            content: Some(ContentHash::of(b"a")),
            given: vec![(ContentHash::of(b"b"), vec!["c".to_owned()])],
        });
        let older: Older = serde_json::from_slice(&file.line()).unwrap();
        assert_eq!((older.v, older.machine.len()), (SUMMARY_VERSION, 1));
        let unsaved = Record::Unsaved {
            path: Lossless::of_path(Path::new("/a.md")),
            writes: vec![3],
            added: vec!["a".to_owned()],
            removed: Vec::new(),
        };
        let line = String::from_utf8(unsaved.line()).unwrap();
        assert!(line.starts_with(r#"{"v":5,"kind":"unsaved""#), "{line}");
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(bytes: Vec<u8>) {
            let line = serde_json::to_vec(&Lossless::of_bytes(&bytes)).unwrap();
            let back: Lossless = serde_json::from_slice(&line).unwrap();
            prop_assert_eq!(back.into_bytes(), bytes);
        }

        #[cfg(unix)]
        #[test]
        fn any_path_comes_back(bytes: Vec<u8>) {
            use std::os::unix::ffi::OsStrExt as _;
            let path = Path::new(std::ffi::OsStr::from_bytes(&bytes)).to_path_buf();
            let line = serde_json::to_vec(&Lossless::of_path(&path)).unwrap();
            let back: Lossless = serde_json::from_slice(&line).unwrap();
            prop_assert_eq!(back.into_path(), path);
        }
    }
}
