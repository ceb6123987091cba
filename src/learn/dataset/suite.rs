//! Data with what it is scored against: rows and a label list in, cases ready to be scored out.
//!
//! A suite is a folder of `NAME.jsonl` or `NAME.jsonl.gz` with `NAME.labels.json`, and a
//! `NAME.sites.json` where rows of different authors have different labels.
//! Invariant: every true label of a case is among its candidates. Knows nothing of models.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::labels::read_json;
use super::{DatasetError, LabelList, Row, RowFault, RowProblem, Rows, read_labels};

/// A file of rows and the labels that they are scored against.
#[derive(Clone, Debug)]
pub struct DataSet {
    /// The file's name without its endings.
    pub name: String,
    /// Where the rows are.
    pub data: PathBuf,
    /// All labels.
    pub labels: LabelList,
    all: Arc<[u32]>,
    sites: Option<BTreeMap<String, Arc<[u32]>>>,
}

/// A row with its candidates, ready to be scored.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// The row.
    pub row: Row,
    /// Indices of its candidates in the label list; shared by all rows with the same ones.
    pub candidates: Arc<[u32]>,
    /// Whether the row has each of them.
    pub truth: Vec<bool>,
}

impl DataSet {
    /// A data set of two files. A `X.sites.json` beside labels that are called `X.labels.json` counts.
    pub fn open(data: &Path, labels: &Path) -> Result<DataSet, DatasetError> {
        let stem = file_name(labels).and_then(|name| name.strip_suffix(LABELS));
        let sites = stem.map(|stem| labels.with_file_name(format!("{stem}{SITES}")));
        let name = file_name(data).map_or("data", |name| strip_data(name).unwrap_or(name));
        let list = read_labels(labels)?;
        let sites = match sites {
            Some(path) if path.exists() => Some(read_sites(&path, &list)?),
            _ => None,
        };
        Ok(DataSet {
            name: name.to_owned(),
            data: data.to_owned(),
            all: (0..list.names().len() as u32).collect(),
            labels: list,
            sites,
        })
    }

    /// Whether rows of different sites have different candidates.
    pub fn has_sites(&self) -> bool {
        self.sites.is_some()
    }

    /// All rows of its file, each with its candidates.
    pub fn cases(&self) -> Result<impl Iterator<Item = Result<Case, RowFault>> + '_, DatasetError> {
        let rows = Rows::open(&self.data)?;
        Ok(rows.map(|row| self.case(row?)))
    }

    /// A row with its candidates: its site's labels where there are sites, else all.
    pub fn case(&self, row: Row) -> Result<Case, RowFault> {
        let fault = |problem| RowFault {
            file: self.data.clone(),
            line: row.line,
            problem,
        };
        let candidates = self.candidates(&row).map_err(fault)?;
        let mut truth = vec![false; candidates.len()];
        for label in &row.labels {
            let known = self.labels.index(label).ok_or_else(|| {
                let nearest = self.labels.nearest(label).map(str::to_owned);
                fault(RowProblem::UnknownLabel {
                    label: label.clone(),
                    nearest,
                })
            })?;
            // Candidates are in ascending order: that of the list.
            let at = candidates.binary_search(&known).map_err(|_| {
                fault(RowProblem::NotOfSite {
                    label: label.clone(),
                    site: row.source.clone().unwrap_or_default(),
                })
            })?;
            truth[at] = true;
        }
        Ok(Case {
            candidates: Arc::clone(candidates),
            truth,
            row,
        })
    }

    fn candidates(&self, row: &Row) -> Result<&Arc<[u32]>, RowProblem> {
        let Some(sites) = &self.sites else {
            return Ok(&self.all);
        };
        let site = row.source.as_ref().ok_or(RowProblem::Missing {
            field: "site",
            cure: "say whose row it is: the data set has a sites file",
        })?;
        sites
            .get(site)
            .ok_or_else(|| RowProblem::UnknownSite { site: site.clone() })
    }
}

/// All data sets of a folder.
#[derive(Clone, Debug)]
pub struct Suite {
    /// In the order of their names.
    pub sets: Vec<DataSet>,
}

const LABELS: &str = ".labels.json";
const SITES: &str = ".sites.json";

/// The files of one data set, as far as they were found.
#[derive(Default)]
struct Found {
    data: Vec<PathBuf>,
    labels: Option<PathBuf>,
    sites: Option<PathBuf>,
}

impl Suite {
    /// All data sets of a folder. What is wrong with any of them is said at once.
    pub fn open(folder: &Path) -> Result<Suite, DatasetError> {
        let found = look(folder).map_err(|source| DatasetError::Unreadable {
            path: folder.to_owned(),
            source,
        })?;
        let faults = incomplete(&found);
        if !faults.is_empty() {
            return Err(DatasetError::Suite {
                folder: folder.to_owned(),
                faults,
            });
        }
        let opened = found.values().filter_map(|files| {
            let (data, labels) = (files.data.first()?, files.labels.as_ref()?);
            Some(DataSet::open(data, labels))
        });
        let (mut sets, mut errors) = (Vec::new(), Vec::new());
        for set in opened {
            match set {
                Ok(set) => sets.push(set),
                Err(error) => errors.push(error),
            }
        }
        match errors.len() {
            0 => Ok(Suite { sets }),
            1 => Err(errors.remove(0)),
            _ => Err(DatasetError::Several(errors)),
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

fn incomplete(found: &BTreeMap<String, Found>) -> Vec<String> {
    let mut faults = Vec::new();
    if found.is_empty() {
        faults.push(
            "no data sets; put NAME.jsonl or NAME.jsonl.gz and NAME.labels.json there".to_owned(),
        );
    }
    for (name, files) in found {
        match (files.data.len(), &files.labels, &files.sites) {
            (0, Some(_), _) => faults.push(format!(
                "{name}{LABELS} has no rows; add {name}.jsonl or {name}.jsonl.gz"
            )),
            (0, None, _) => faults.push(format!(
                "{name}{SITES} is alone; add {name}.jsonl and {name}{LABELS}"
            )),
            (1, None, _) => faults.push(format!("{name} has no labels; add {name}{LABELS}")),
            (1, Some(_), _) => {}
            _ => faults.push(format!(
                "{name}.jsonl and {name}.jsonl.gz are both there; remove one"
            )),
        }
    }
    faults
}

fn file_name(path: &Path) -> Option<&str> {
    path.file_name().and_then(|name| name.to_str())
}

/// `NAME` of `NAME.jsonl` and `NAME.jsonl.gz`.
fn strip_data(name: &str) -> Option<&str> {
    name.strip_suffix(".gz")
        .unwrap_or(name)
        .strip_suffix(".jsonl")
}

fn read_sites(
    path: &Path,
    labels: &LabelList,
) -> Result<BTreeMap<String, Arc<[u32]>>, DatasetError> {
    let listed: BTreeMap<String, Vec<String>> = read_json(
        path,
        "the file must be an object of sites, each with a list of its labels",
    )?;
    let mut faults = Vec::new();
    let mut sites = BTreeMap::new();
    for (site, names) in listed {
        if names.is_empty() {
            faults.push(format!(
                "site `{site}` has no labels; add some or remove it"
            ));
        }
        let mut of_site: Vec<u32> = Vec::with_capacity(names.len());
        for name in names {
            match labels.index(&name) {
                Some(index) => of_site.push(index),
                None => faults.push(format!(
                    "label `{name}` of site `{site}` is not in the label list; add it there"
                )),
            }
        }
        of_site.sort_unstable();
        of_site.dedup();
        sites.insert(site, of_site.into());
    }
    if faults.is_empty() {
        Ok(sites)
    } else {
        Err(DatasetError::Content {
            path: path.to_owned(),
            faults,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    fn cases(files: &[(&str, &str)]) -> Vec<Result<Case, String>> {
        let folder = folder(files);
        let suite = Suite::open(folder.path()).unwrap();
        let cases = suite.sets[0].cases().unwrap();
        let shown = |fault: RowFault| fault.to_string();
        cases.map(|case| case.map_err(shown)).collect()
    }

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
    fn a_site_has_its_own_candidates() {
        let sites = r#"{"one": ["y", "x"], "two": ["z", "y"]}"#;
        let cases = cases(&[
            ("d.jsonl", ROWS),
            ("d.labels.json", r#"["x", "y", "z"]"#),
            ("d.sites.json", sites),
        ]);
        let first = cases[0].as_ref().unwrap();
        assert_eq!(*first.candidates, [0, 1]);
        assert_eq!(first.truth, [true, false]);
        assert_eq!(*cases[1].as_ref().unwrap().candidates, [1, 2]);
    }

    #[test]
    fn a_label_that_could_not_be_predicted_is_a_fault_that_names_it() {
        let unknown = cases(&[("d.jsonl", ROWS), ("d.labels.json", r#"["x", "y"]"#)]);
        assert!(unknown[0].is_ok());
        let message = unknown[1].as_ref().unwrap_err();
        assert!(message.contains("d.jsonl:2: label `z` is not in the label list"));

        let of_others = cases(&[
            ("d.jsonl", ROWS),
            ("d.labels.json", r#"["x", "y", "z"]"#),
            ("d.sites.json", r#"{"two": ["x", "y"]}"#),
        ]);
        let message = of_others[0].as_ref().unwrap_err();
        assert!(
            message.contains("site `one` is not in the sites file"),
            "{message}"
        );
        let message = of_others[1].as_ref().unwrap_err();
        assert!(
            message.contains("label `z` is not among those of site `two`"),
            "{message}"
        );
    }

    #[test]
    fn a_row_without_a_site_cannot_be_scored_per_site() {
        let cases = cases(&[
            ("d.jsonl", "{\"text\": \"a\", \"labels\": [\"x\"]}"),
            ("d.labels.json", r#"["x"]"#),
            ("d.sites.json", r#"{"one": ["x"]}"#),
        ]);
        assert!(cases[0].as_ref().unwrap_err().contains("no `site`"));
    }

    #[test]
    fn halves_that_are_missing_are_all_named() {
        let message = open_error(&[
            ("a.jsonl", ""),
            ("b.labels.json", "[]"),
            ("c.sites.json", "{}"),
            ("d.jsonl", ""),
            ("d.jsonl.gz", ""),
        ]);
        assert_eq!(
            message,
            "DIR: a has no labels; add a.labels.json; \
             b.labels.json has no rows; add b.jsonl or b.jsonl.gz; \
             c.sites.json is alone; add c.jsonl and c.labels.json; \
             d.jsonl and d.jsonl.gz are both there; remove one"
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
