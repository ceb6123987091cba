//! Whose the tags in front matters are: the ledger and the journal in; those that no person stands for out.
//!
//! Invariant: a tag that GliZNet wrote by itself counts for nothing before somebody says that it
//! fits, for otherwise its guesses would become what it is taught. Changes nothing.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::remark;
use crate::correction::{Verdict, Verdicts};
use crate::desk::name::uri_of;
use crate::label::LabelSet;
use crate::learn::journal;
use crate::sink::{self, ContentHash, Ledger, Sink, is_among, known_path};

/// What is known of whose tags are.
#[derive(Debug, Default)]
pub(super) struct Whose {
    written: HashMap<PathBuf, Vec<String>>,
    /// The same by the bytes that files had after it.
    left: HashMap<ContentHash, Vec<String>>,
    verdicts: Verdicts,
}

impl Whose {
    /// What the data folder knows.
    pub(super) fn of(data: &Path) -> anyhow::Result<Whose> {
        let mut whose = Whose::default();
        if Ledger::is_in(data) {
            let (ledger, faults) = Ledger::open(data)?;
            for fault in faults {
                tracing::warn!("{fault}");
            }
            whose.written = ledger.machine_tags_in(Sink::Frontmatter)?;
            whose.left = ledger.machine_tags_by_content()?;
        }
        match journal::read(data) {
            Ok(replay) => {
                for entry in replay.entries {
                    whose.verdicts.apply(&entry.correction, entry.time);
                }
            }
            Err(error) => tracing::warn!("corrections do not count: {error}"),
        }
        Ok(whose)
    }

    /// What a person said of a file.
    pub(super) fn said(&self, path: &Path) -> Option<&Verdict> {
        self.verdicts.of(&uri_of(&known_path(path)))
    }

    /// Those of the tags in a file's front matter that GliZNet wrote, and of which nobody has said
    /// that they fit; as they are spelled there. One that was moved while nobody watched is known by
    /// its bytes.
    pub(super) fn machines(
        &self,
        path: &Path,
        tags: &[String],
        set: Option<&LabelSet>,
    ) -> Vec<String> {
        let path = known_path(path);
        let moved = || match self.left.is_empty() || tags.is_empty() {
            true => None,
            false => self.left.get(&sink::read(&path).ok()?.1),
        };
        let Some(written) = self.written.get(&path).or_else(moved) else {
            return Vec::new();
        };
        let said = self.verdicts.of(&uri_of(&path));
        let fits = |tag: &String| said.is_some_and(|said| verdict_on(said, tag, set) == Some(true));
        let is_ours = |tag: &&String| is_among(tag, written);
        let ours = tags.iter().filter(is_ours);
        ours.filter(|tag| !fits(tag)).cloned().collect()
    }
}

/// Whether somebody said that the label of a tag fits, or that it does not.
pub(super) fn verdict_on(said: &Verdict, tag: &str, set: Option<&LabelSet>) -> Option<bool> {
    if let Some(label) = set.and_then(|set| Some(set.label(set.find(tag)?))) {
        return said.of(label);
    }
    let alone = LabelSet::from_names([tag]).ok()?; // Without a set it has no other name.
    said.of(alone.labels().first()?)
}

/// Says how many tags do not count, where there are any.
pub(super) fn tell_uncounted(tags: usize) {
    match tags {
        0 => {}
        1 => remark(
            "1 tag that GliZNet wrote was not counted; `gliznet correct FILE --add` says that it fits",
        ),
        n => remark(format!(
            "{n} tags that GliZNet wrote were not counted; `gliznet correct FILE --add` says that they fit"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::correction::{Correction, Said, Source};
    use crate::document::Format;

    #[test]
    fn a_tag_of_ours_counts_once_somebody_says_that_it_fits() {
        let path = PathBuf::from("/nowhere/a.md");
        let tags = ["Finance", "garden", "soil"].map(str::to_owned);
        let source = "[[label]]\nname = 'finance'\n[[label]]\nname = 'earth'\naliases = ['soil']\n";
        let set = LabelSet::parse(source).unwrap();
        let mut whose = Whose::default();
        assert_eq!(whose.machines(&path, &tags, Some(&set)), [""; 0]);
        let ours = ["finance", "soil"].map(str::to_owned).to_vec();
        whose.written.insert(path.clone(), ours);
        assert_eq!(
            whose.machines(&path, &tags, Some(&set)),
            ["Finance", "soil"]
        );
        let said = Said {
            accepted: vec!["earth".to_owned()],
            rejected: Vec::new(),
            source: Source::Editor,
        };
        let said = Correction::new("a".into(), Format::Markdown, &set, &said);
        let mut said = said.unwrap();
        said.document = Some(uri_of(&path));
        whose.verdicts.apply(&said, 1);
        assert_eq!(whose.machines(&path, &tags, Some(&set)), ["Finance"]);
    }

    #[test]
    fn a_file_that_was_moved_is_known_by_its_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("moved.md");
        let text = "---\ntags: [garden, tax]\n---\n";
        crate::config::replace(&path, text.as_bytes()).unwrap();
        let tags = ["garden", "tax"].map(str::to_owned);
        let mut whose = Whose::default();
        let left = (ContentHash::of(text.as_bytes()), vec!["tax".to_owned()]);
        whose.left.extend([left]);
        assert_eq!(whose.machines(&path, &tags, None), ["tax"]);
        crate::config::replace(&path, b"Another one").unwrap();
        assert_eq!(whose.machines(&path, &tags, None), [""; 0]);
    }
}
