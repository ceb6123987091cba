//! A suite of data sets: a folder in, the data sets of its files out.
//!
//! The files of a set are `NAME.jsonl` or `NAME.parquet` (or these with `.gz`), `NAME.labels.json`, and
//! a `NAME.sites.json` where rows of different authors have different labels. Other files are somebody else's.
//! Invariant: no set is passed over in silence; whatever is missing is named, all at once, and one
//! faulty set does not cost the others.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::set::{LABELS, file_name, strip_data};
use super::sites::SITES;
use super::{DataSet, DatasetError};

/// All data sets of a folder.
#[derive(Debug)]
pub struct Suite {
    /// Those that can be used, in the order of their names; one at least.
    pub sets: Vec<DataSet>,
    /// What is wrong with the others.
    pub faults: Vec<DatasetError>,
}

/// The files of one data set, as far as they were found.
#[derive(Default)]
struct Found {
    data: Vec<PathBuf>,
    labels: Option<PathBuf>,
    sites: Option<PathBuf>,
}

impl Suite {
    /// All data sets of a folder, and what is wrong with those that cannot be used.
    ///
    /// # Errors
    /// A folder that cannot be read, or where no set can be used: all that is wrong at once.
    pub fn open(folder: &Path) -> Result<Suite, DatasetError> {
        let found = look(folder).map_err(|source| DatasetError::Unreadable {
            path: folder.to_owned(),
            source,
        })?;
        let (mut sets, mut incomplete, mut faults) = (Vec::new(), Vec::new(), Vec::new());
        if found.is_empty() {
            let cure = "put NAME.jsonl or NAME.jsonl.gz and NAME.labels.json there";
            incomplete.push(format!("no data sets; {cure}"));
        }
        for (name, files) in &found {
            match files.complete(name) {
                Ok((data, labels)) => match DataSet::open(data, labels) {
                    Ok(set) => sets.push(set),
                    Err(error) => faults.push(error),
                },
                Err(fault) => incomplete.push(fault),
            }
        }
        if !incomplete.is_empty() {
            let of_folder = DatasetError::Suite {
                folder: folder.to_owned(),
                faults: incomplete,
            };
            faults.insert(0, of_folder);
        }
        match (sets.is_empty(), faults.len()) {
            (true, 1) => Err(faults.remove(0)),
            (true, _) => Err(DatasetError::Several(faults)),
            (false, _) => Ok(Suite { sets, faults }),
        }
    }
}

impl Found {
    /// Data and labels of the set `name`, or what keeps it from being one.
    fn complete(&self, name: &str) -> Result<(&Path, &Path), String> {
        match (self.data.as_slice(), &self.labels, &self.sites) {
            ([data], Some(labels), _) => Ok((data.as_path(), labels.as_path())),
            ([_], None, _) => Err(format!("{name} has no labels; add {name}{LABELS}")),
            ([], Some(_), _) => Err(format!(
                "{name}{LABELS} has no rows; add {name}.jsonl or {name}.jsonl.gz"
            )),
            ([], None, _) => Err(format!(
                "{name}{SITES} is alone; add {name}.jsonl and {name}{LABELS}"
            )),
            (several, ..) => {
                let names = several.iter().filter_map(|path| file_name(path));
                let mut names: Vec<&str> = names.collect();
                names.sort_unstable();
                Err(format!(
                    "rows of {name} are in {}; keep one",
                    names.join(" and in ")
                ))
            }
        }
    }
}

fn look(folder: &Path) -> std::io::Result<BTreeMap<String, Found>> {
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(name) = file_name(&path).map(str::to_owned) else {
            continue; // Not a name that any of ours could have.
        };
        if let Some(stem) = strip_data(&name) {
            found.entry(stem.to_owned()).or_default().data.push(path);
        } else if let Some(stem) = name.strip_suffix(LABELS) {
            found.entry(stem.to_owned()).or_default().labels = Some(path);
        } else if let Some(stem) = name.strip_suffix(SITES) {
            found.entry(stem.to_owned()).or_default().sites = Some(path);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::dataset::Case;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        folder
    }

    fn open_error(files: &[(&str, &str)]) -> String {
        let folder = folder(files);
        let message = Suite::open(folder.path()).unwrap_err().to_string();
        message.replace(&folder.path().display().to_string(), "DIR")
    }

    const ROWS: &str = "{\"text\": \"a\", \"labels\": [\"x\"], \"site\": \"one\"}\n\
        {\"text\": \"b\", \"labels\": [\"z\", \"y\"], \"site\": \"two\"}\n";

    #[test]
    fn a_suite_is_read_in_the_order_of_names() {
        let folder = folder(&[
            ("b.jsonl", ROWS),
            ("b.labels.json", r#"["x", "y", "z"]"#),
            ("a.jsonl", ""),
            ("a.labels.json", r#"["x"]"#),
            ("README.md", "not data"),
        ]);
        let suite = Suite::open(folder.path()).unwrap();
        let names: Vec<&str> = suite.sets.iter().map(|set| set.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        let cases: Vec<Case> = suite.sets[1].cases().unwrap().map(Result::unwrap).collect();
        assert_eq!(*cases[1].candidates, [0, 1, 2]);
        assert_eq!(cases[1].truth, [false, true, true]);
    }

    #[test]
    fn a_faulty_set_is_told_of_and_does_not_cost_the_others() {
        let folder = folder(&[
            ("a.jsonl", ROWS),
            ("a.labels.json", r#"["x", "y", "z"]"#),
            ("b.jsonl", ROWS),
            ("b.labels.json", "[]"),
            ("c.jsonl", ROWS),
        ]);
        let suite = Suite::open(folder.path()).unwrap();
        let names: Vec<&str> = suite.sets.iter().map(|set| set.name.as_str()).collect();
        assert_eq!(names, ["a"]);
        let said: Vec<String> = suite.faults.iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].contains("c has no labels; add c.labels.json"));
        assert!(said[1].contains("b.labels.json: no labels"), "{said:?}");
    }

    #[test]
    fn halves_that_are_missing_are_all_named() {
        let message = open_error(&[
            ("a.jsonl", ""),
            ("b.labels.json", "[]"),
            ("c.sites.json", "{}"),
            ("d.jsonl", ""),
            ("d.parquet", ""),
        ]);
        assert_eq!(
            message,
            "DIR: a has no labels; add a.labels.json; \
             b.labels.json has no rows; add b.jsonl or b.jsonl.gz; \
             c.sites.json is alone; add c.jsonl and c.labels.json; \
             rows of d are in d.jsonl and in d.parquet; keep one"
        );
        assert!(open_error(&[("README.md", "")]).starts_with("DIR: no data sets"));
    }

    #[test]
    fn faults_of_several_sets_are_said_at_once() {
        let message = open_error(&[
            ("a.jsonl", ""),
            ("a.labels.json", "[]"),
            ("b.jsonl", ""),
            ("b.labels.json", r#"["x"]"#),
            ("b.sites.json", r#"{"one": [], "two": ["y"]}"#),
        ]);
        assert_eq!(
            message,
            "DIR/a.labels.json: no labels; list at least one\n\
             DIR/b.sites.json: site `one` has no labels; add some or remove it; \
             label `y` of site `two` is not in the label list; add it there"
        );
    }
}
