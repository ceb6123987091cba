//! What labels were called before: the sets in use in, the names of today out.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::{Source, load, user_files};
use crate::cli::setup::Surroundings;
use crate::config::Folders;
use crate::desk::name::path_of;
use crate::label::LabelSet;
use crate::learn::consolidate::lesson::Renamed;
use crate::learn::journal::Entry;

/// What the labels of the user's sets are called today, by their aliases: of those in the folder of
/// sets, and of those that are chosen where the corrected documents lie. A set that cannot be read
/// is passed over: whoever uses it is told.
pub(in crate::cli) fn renamed(folders: &Folders, entries: &[Entry]) -> Renamed {
    let user_dir = folders.config.join("labelsets");
    let documents = entries.iter().filter_map(|entry| {
        let path = path_of(entry.correction.document.as_deref()?)?;
        Some(path.parent()?.to_path_buf())
    });
    let dirs: BTreeSet<PathBuf> = documents.collect();
    let chosen = dirs.iter().filter_map(|dir| {
        let settings = Surroundings::with(folders.clone(), dir).ok()?.settings;
        Some(settings.labelset?.value)
    });
    let chosen: BTreeSet<String> = chosen.collect();
    let files = user_files(Some(&user_dir)).unwrap_or_default();
    let of_user = files.iter().filter_map(|path| Source::read(path).ok());
    let of_user = of_user.filter_map(|source| LabelSet::parse(&source.toml).ok());
    let chosen = chosen.iter();
    let chosen = chosen.filter_map(|name| load(name, Some(&user_dir)).ok());
    let sets: Vec<LabelSet> = of_user.chain(chosen).collect();
    Renamed::of(sets.iter().flat_map(LabelSet::labels))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::correction::{Correction, Source};
    use crate::desk::name::uri_of;
    use crate::document::Format;
    use crate::label::Descriptions;

    #[test]
    fn a_set_beside_the_notes_tells_what_its_labels_were_called_before() {
        let root = tempfile::tempdir().unwrap();
        let folders = Folders {
            config: root.path().join("config"),
            data: root.path().join("data"),
            cache: root.path().join("cache"),
        };
        let notes = root.path().join("notes");
        fs::create_dir_all(notes.join("sub")).unwrap();
        let mine = "[[label]]\nname = 'egret'\naliases = ['heron']\n";
        fs::write(notes.join("mine.toml"), mine).unwrap();
        fs::write(notes.join("gliznet.toml"), "labelset = 'mine.toml'\n").unwrap();
        let entry = Entry {
            sequence: 1,
            time: 7,
            correction: Correction {
                document: Some(uri_of(&notes.join("sub/a.md"))),
                text: "text".to_owned(),
                format: Format::Markdown,
                labels: vec!["heron".to_owned()],
                accepted: vec!["heron".to_owned()],
                rejected: Vec::new(),
                descriptions: Descriptions::new(),
                source: Source::Editor,
                shown: None,
            },
        };
        let set = LabelSet::parse(mine).unwrap();
        assert_eq!(renamed(&folders, &[entry]), Renamed::of(set.labels()));
        assert_eq!(renamed(&folders, &[]), Renamed::default());
    }
}
