//! Forgets old runs, so that the ledger does not grow for ever.
//!
//! Input: the lines of a ledger and a moment. Output: fewer lines that say the same of every file,
//! and of every run that began since then.
//! Invariant: whose a tag is, and which tags never return, is known as before; a run is kept whole
//! or not at all; what cannot be read is kept. Pure, but for `Ledger::prune`.

use std::collections::{BTreeMap, BTreeSet};

use super::SinkError;
use super::ledger::Ledger;
use super::past::Past;
use super::record::{Record, parse};

/// What became of a ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// How many runs were forgotten: they can not be taken back any more.
    pub forgotten: usize,
    /// How many are kept.
    pub kept: usize,
    /// Bytes of the ledger before.
    pub before: u64,
    /// And after.
    pub after: u64,
}

impl Ledger {
    /// Forgets the runs that began before `time`, in seconds since 1970.
    ///
    /// # Errors
    /// The ledger cannot be written; it is as it was.
    pub fn prune(&self, time: u64) -> Result<Pruned, SinkError> {
        self.locked(|open| {
            let bytes = open.all()?;
            let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
            let count = |past: &Past| past.runs().len();
            let runs = count(open.past);
            let (kept, is_less) = pruned(&lines, time);
            let before = bytes.len() as u64;
            if !is_less {
                return Ok(Pruned {
                    forgotten: 0,
                    kept: runs,
                    before,
                    after: before,
                });
            }
            open.replace(&kept)?;
            let after = kept.iter().map(|line| line.len() as u64).sum();
            let kept = count(open.past);
            Ok(Pruned {
                forgotten: runs.saturating_sub(kept),
                kept,
                before,
                after,
            })
        })
    }
}

/// What the lines say of each run: where it begins, and where it wrote last.
struct Extent {
    begin: usize,
    end: usize,
    time: u64,
}

/// The lines of the ledger without the runs before `time`, and whether they are any fewer.
fn pruned(lines: &[&[u8]], time: u64) -> (Vec<Vec<u8>>, bool) {
    let cut = cut(lines, time);
    let mut past = Past::default();
    let mut unread = Vec::new();
    let mut is_less = false;
    for (at, line) in lines[..cut].iter().enumerate() {
        match parse(line) {
            Ok(record) => {
                is_less |= matches!(record, Record::Write(_));
                past.apply(record, (at as u64, line.len()));
            }
            Err(_) if line.trim_ascii().is_empty() => {}
            Err(_) => unread.push(line.to_vec()),
        }
    }
    let mut kept: Vec<Vec<u8>> = past.summary().iter().map(Record::line).collect();
    kept.extend(unread);
    kept.extend(lines[cut..].iter().map(|line| line.to_vec()));
    (kept, is_less)
}

/// The line from which on all is kept: no run that is kept begins before it, and none that wrote
/// after it, for then half of a run would stand.
fn cut(lines: &[&[u8]], time: u64) -> usize {
    let mut extents: BTreeMap<u64, Extent> = BTreeMap::new();
    let mut open: BTreeSet<u64> = BTreeSet::new(); // Writes without an outcome.
    let mut of_write: BTreeMap<u64, u64> = BTreeMap::new();
    for (at, line) in lines.iter().enumerate() {
        match parse(line) {
            Ok(Record::Run(run)) => {
                let extent = Extent {
                    begin: at,
                    end: at,
                    time: run.time,
                };
                extents.entry(run.run).or_insert(extent);
            }
            Ok(Record::Write(write)) => {
                open.insert(write.write);
                of_write.insert(write.write, write.run);
                if let Some(extent) = extents.get_mut(&write.run) {
                    extent.end = at;
                }
            }
            Ok(Record::Outcome { write, .. }) => {
                open.remove(&write);
                let run = of_write.get(&write);
                if let Some(extent) = run.and_then(|run| extents.get_mut(run)) {
                    extent.end = at;
                }
            }
            _ => {}
        }
    }
    // What is not settled is not forgotten.
    let unsettled: BTreeSet<&u64> = open
        .iter()
        .filter_map(|write| of_write.get(write))
        .collect();
    let is_kept = |(run, extent): &(&u64, &Extent)| extent.time >= time || unsettled.contains(run);
    let begins = extents.iter().filter(is_kept);
    let mut cut = begins
        .map(|(_, extent)| extent.begin)
        .min()
        .unwrap_or(lines.len());
    loop {
        let over = extents
            .values()
            .filter(|extent| extent.begin < cut && extent.end >= cut);
        match over.map(|extent| extent.begin).min() {
            Some(begin) => cut = begin,
            None => return cut,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::record::{Added, Cause, Lossless, RunRecord, WriteRecord};
    use crate::sink::{ContentHash, Sink};
    use std::path::{Path, PathBuf};

    fn run(run: u64, time: u64) -> Record {
        Record::Run(RunRecord {
            run,
            time,
            cause: Cause::Watch,
            sink: Sink::Frontmatter,
            model: "m".to_owned(),
        })
    }

    /// Write `write` of run `run` gives file `path` a tag, and is done.
    fn write(write: u64, run: u64, path: &str, tag: &str) -> [Record; 2] {
        let record = WriteRecord {
            write,
            run,
            path: Lossless::of_path(Path::new(path)),
            sink: Sink::Frontmatter,
            before: ContentHash::of(b""),
            after: ContentHash::of(tag.as_bytes()),
            file: None,
            places: Vec::new(),
            added: vec![Added {
                tag: tag.to_owned(),
                score: None,
                said: None,
            }],
            removed: Vec::new(),
            undoes: Vec::new(),
            temporary: String::new(),
        };
        let outcome = Record::Outcome { write, done: true };
        [Record::Write(Box::new(record)), outcome]
    }

    fn past(lines: &[Vec<u8>]) -> Past {
        let mut past = Past::default();
        for (at, line) in lines.iter().enumerate() {
            past.apply(parse(line).unwrap(), (at as u64, line.len()));
        }
        past
    }

    #[track_caller]
    fn check(records: &[Record], time: u64, runs: &[u64]) -> Vec<Vec<u8>> {
        let lines: Vec<Vec<u8>> = records.iter().map(Record::line).collect();
        let bytes: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
        let (kept, _) = pruned(&bytes, time);
        let (before, after) = (past(&lines), past(&kept));
        for path in ["/a.md", "/b.md", "/c.md"].map(PathBuf::from) {
            let known = |past: &Past| past.provenance(&path, None);
            assert_eq!(known(&after), known(&before), "{}", path.display());
            // What an editor has not saved yet, it may not save for long.
            let given = |past: &Past| past.given_to(&path, ContentHash::of(b"")).to_vec();
            assert_eq!(given(&after), given(&before), "{}", path.display());
        }
        assert_eq!(after.by_content(), before.by_content());
        assert_eq!(after.next(), before.next());
        let ids: Vec<u64> = after.runs().iter().map(|run| run.id.0).collect();
        assert_eq!(ids, runs);
        kept
    }

    #[test]
    fn what_is_known_of_files_stays_and_later_runs_stay_whole() {
        let mut records = vec![run(1, 10)];
        records.extend(write(1, 1, "/a.md", "old"));
        records.extend(write(2, 1, "/b.md", "gone"));
        records.push(Record::Withdrawn {
            path: Lossless::of_path(Path::new("/b.md")),
            sink: Sink::Frontmatter,
            tags: vec!["gone".to_owned()],
            time: 10,
        });
        records.push(run(2, 20));
        records.extend(write(3, 2, "/a.md", "new"));
        records.push(Record::Moved {
            from: Lossless::of_path(Path::new("/b.md")),
            to: Lossless::of_path(Path::new("/c.md")),
        });
        check(&records, 0, &[1, 2]);
        check(&records, 15, &[2]);
        let kept = check(&records, 99, &[]);
        assert_eq!(kept.len(), 3, "a number for the next, and two files");
    }

    #[test]
    fn what_was_known_of_a_file_that_is_gone_comes_back_with_its_bytes() {
        let path = || Lossless::of_path(Path::new("/a.md"));
        let mut records = vec![run(1, 10)];
        records.extend(write(1, 1, "/a.md", "ours"));
        let content = Some(ContentHash::of(b"its bytes"));
        records.push(Record::Gone {
            path: path(),
            content,
        });
        let kept = check(&records, 99, &[]);
        let mut past = past(&kept);
        assert_eq!(past.was(Path::new("/a.md")), content);
        past.apply(Record::Back { path: path() }, (0, 0));
        assert_eq!(past.provenance(Path::new("/a.md"), None).machine, ["ours"]);
    }

    #[test]
    fn runs_that_wrote_by_turns_are_kept_together() {
        let mut records = vec![run(1, 10)];
        records.extend(write(1, 1, "/a.md", "a"));
        records.push(run(2, 11));
        records.extend(write(2, 2, "/b.md", "b"));
        records.push(run(3, 20));
        records.extend(write(3, 3, "/c.md", "c"));
        records.extend(write(4, 2, "/a.md", "d"));
        check(&records, 15, &[2, 3]);
    }

    #[test]
    fn what_has_no_outcome_yet_is_kept() {
        let mut records = vec![run(1, 10)];
        records.extend(write(1, 1, "/a.md", "a"));
        records.push(run(2, 11));
        let [begun, _] = write(2, 2, "/b.md", "b");
        records.push(begun);
        let kept = check(&records, 99, &[]);
        assert!(past(&kept).pending().len() == 1);
    }

    #[test]
    fn what_cannot_be_read_is_kept() {
        let lines: [&[u8]; 2] = [b"{\"v\":99,\"kind\":\"dream\"}\n", b"\n"];
        let (kept, is_less) = pruned(&lines, 99);
        assert!(!is_less && kept.contains(&lines[0].to_vec()));
    }
}
