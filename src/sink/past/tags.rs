//! Whose the tags of one file are, record after record.
//!
//! Input: what the records of the file say, in order. Output: the machine's tags with their places,
//! and what of them does not come back.
//! Invariant: a tag of the machine that was written is neither withdrawn nor undone; what a person
//! said of a tag before it was written, taken out or taken back has had its effect. Pure.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::Past;
use crate::sink::plan::{is_among, is_same_tag, key};
use crate::sink::record::{FileRecord, Lossless, WriteRecord};
use crate::sink::{ContentHash, Sink};

/// Whose the tags of a file are.
#[derive(Debug, Default)]
pub(super) struct Tags {
    /// With the place that they are in.
    pub(super) machine: Vec<(Sink, String)>,
    pub(super) withdrawn: Vec<String>,
    pub(super) undone: Vec<String>,
    /// By the key of a tag: from when on it counts that a person says that it fits.
    pub(super) heard: BTreeMap<String, u64>,
    /// The file's bytes after its front matter was written last.
    content: Option<ContentHash>,
    /// What editors were given while the file has these bytes, which it has until one saves it.
    given: Option<(ContentHash, Vec<String>)>,
}

impl Past {
    /// The machine's tags in front matters, by the bytes that these were written with, also of files
    /// that are gone: another program may have given them another name.
    pub(in crate::sink) fn by_content(&self) -> HashMap<ContentHash, Vec<String>> {
        let mut all: HashMap<ContentHash, Vec<String>> = HashMap::new();
        for file in self.by_path.values().map(|file| &self.files[*file]) {
            let was = file.was.iter().map(|(_, tags)| tags);
            for tags in was.chain([&file.tags]) {
                let ours = tags.of(Some(Sink::Frontmatter));
                if let Some(content) = tags.content.filter(|_| !ours.is_empty()) {
                    all.entry(content).or_default().extend(ours);
                }
            }
        }
        all
    }
}

impl Tags {
    pub(super) fn of_record(mut record: FileRecord) -> Tags {
        Tags {
            machine: record.machine,
            withdrawn: record.withdrawn,
            undone: record.undone,
            heard: record.heard,
            content: record.content,
            given: record.given.pop(),
        }
    }

    pub(super) fn record(&self, path: &Path) -> FileRecord {
        FileRecord {
            path: Lossless::of_path(path),
            machine: self.machine.clone(),
            withdrawn: self.withdrawn.clone(),
            undone: self.undone.clone(),
            heard: self.heard.clone(),
            content: self.content,
            given: self.given.iter().cloned().collect(),
        }
    }

    /// The machine's tags in one place, or in all.
    pub(super) fn of(&self, sink: Option<Sink>) -> Vec<String> {
        let is_there = |place: &Sink| sink.is_none_or(|sink| sink == *place);
        let there = self.machine.iter().filter(|(place, _)| is_there(place));
        there.map(|(_, tag)| tag.clone()).collect()
    }

    /// No tag is anybody's but a person's.
    pub(super) fn is_nothing(&self) -> bool {
        self.machine.is_empty() && self.withdrawn.is_empty() && self.undone.is_empty()
    }

    /// A write was done, of a run that began at `begun`.
    pub(super) fn written(&mut self, record: &WriteRecord, begun: u64) {
        if record.sink == Sink::Frontmatter {
            self.content = Some(record.after);
        }
        // What an editor does itself needs no temporary file.
        if record.temporary.is_empty() && record.undoes.is_empty() {
            let tags = record.added.iter().map(|added| added.tag.clone());
            let before = record.file.unwrap_or(record.before);
            match &mut self.given {
                Some((known, given)) if *known == before => given.extend(tags),
                // What was given for other bytes is saved.
                _ => self.given = Some((before, tags.collect())),
            }
        } else {
            self.given = None;
        }
        for tag in &record.removed {
            self.forget(tag, record.sink);
            if !record.undoes.is_empty() {
                self.undone.push(tag.clone());
                self.hear(tag, begun);
            }
        }
        for added in &record.added {
            // Within one second it is not the clock that tells what was said later.
            let after_it = added.said.map_or(0, |said| said.saturating_add(1));
            self.hear(&added.tag, begun.max(after_it));
            let is_other = |tag: &String| !is_same_tag(tag, &added.tag);
            self.withdrawn.retain(is_other);
            self.undone.retain(is_other);
            self.machine.push((record.sink, added.tag.clone()));
        }
    }

    /// A tag of the machine is not there any more.
    pub(super) fn forget(&mut self, tag: &str, sink: Sink) {
        let machine = &mut self.machine;
        machine.retain(|(place, other)| *place != sink || !is_same_tag(other, tag));
    }

    /// The tags that editors may not have saved yet, if these are the bytes of the file.
    pub(super) fn given_to(&self, now: ContentHash) -> &[String] {
        match &self.given {
            Some((before, tags)) if *before == now => tags,
            _ => &[],
        }
    }

    /// What an editor was given came to nothing: the file's own text was never changed.
    pub(super) fn unsaved(&mut self, added: &[String], removed: Vec<String>) {
        self.given = None;
        for tag in added {
            self.forget(tag, Sink::Frontmatter);
        }
        for tag in removed {
            self.forget(&tag, Sink::Frontmatter);
            self.machine.push((Sink::Frontmatter, tag));
        }
    }

    /// The file is no more, and its line has none of the machine's tags any more: nobody took them out.
    pub(super) fn leave_sidecar(&mut self) {
        self.machine.retain(|(sink, _)| *sink != Sink::Sidecar);
    }

    /// A person has taken a tag out, as a run found that began at `begun`.
    pub(super) fn withdraw(&mut self, tag: String, sink: Sink, begun: u64) {
        // What else an editor was given and has not saved yet, nobody has taken out.
        if let Some((_, given)) = &mut self.given {
            given.retain(|given| !is_same_tag(given, &tag));
        }
        self.hear(&tag, begun);
        self.forget(&tag, sink);
        if !is_among(&tag, &self.withdrawn) {
            self.withdrawn.push(tag);
        }
    }

    fn hear(&mut self, tag: &str, from: u64) {
        let known = self.heard.entry(key(tag)).or_insert(0);
        *known = from.max(*known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::record::Added;

    /// An editor is given a tag for a file with these bytes, which it does not save yet.
    fn given(bytes: &[u8], tag: &str) -> WriteRecord {
        WriteRecord {
            write: 1,
            run: 1,
            path: Lossless::of_path(Path::new("/a.md")),
            sink: Sink::Frontmatter,
            before: ContentHash::of(b"what is typed"),
            after: ContentHash::of(b"what is typed, and the tag"),
            file: Some(ContentHash::of(bytes)),
            places: Vec::new(),
            added: vec![Added {
                tag: tag.to_owned(),
                score: None,
                said: None,
            }],
            removed: Vec::new(),
            undoes: Vec::new(),
            temporary: String::new(),
        }
    }

    #[test]
    fn who_takes_one_tag_out_of_an_open_text_has_not_taken_out_the_others() {
        let (saved, other) = (ContentHash::of(b"saved"), ContentHash::of(b"other"));
        let mut tags = Tags::default();
        for tag in ["a", "b", "c"] {
            tags.written(&given(b"saved", tag), 1);
        }
        tags.withdraw("B".to_owned(), Sink::Frontmatter, 2);
        let tags = Tags::of_record(tags.record(Path::new("/a.md")));
        assert_eq!(tags.given_to(saved), ["a", "c"]);
        assert_eq!(tags.given_to(other), [""; 0]);
        assert_eq!(tags.withdrawn, ["B"]);
    }
}
