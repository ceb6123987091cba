//! Data with what it is scored against: rows and a label list in, cases ready to be scored out.
//!
//! Where a sites file is beside the labels, a row's candidates are those of its site: the other sites'
//! authors never had the rest. Invariant: every true label of a case is among its candidates, and those
//! are in the order of the list. Knows nothing of models.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::labels::read_json;
use super::{DatasetError, LabelList, Row, RowFault, RowProblem, open_any, read_labels};

/// The ending of a label list's file name.
pub(super) const LABELS: &str = ".labels.json";
/// The ending of a sites file's name.
pub(super) const SITES: &str = ".sites.json";

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

    /// A data set whose labels are all that any of its rows names, in the order they appear.
    ///
    /// Reads the file once; rows with faults are passed over here, and told by [`cases`](Self::cases).
    pub fn gather(data: &Path) -> Result<DataSet, DatasetError> {
        let mut seen = BTreeSet::new();
        let mut labels = Vec::new();
        for row in open_any(data)?.flatten() {
            for (label, _) in row.candidates() {
                if seen.insert(label.to_owned()) {
                    labels.push((label.to_owned(), None));
                }
            }
        }
        let labels = LabelList::new(labels).map_err(|_| DatasetError::Content {
            path: data.to_owned(),
            faults: vec!["no row names a label; give the labels in a file of their own".to_owned()],
        })?;
        let name = file_name(data).map_or("data", |name| strip_data(name).unwrap_or(name));
        Ok(DataSet {
            name: name.to_owned(),
            data: data.to_owned(),
            all: (0..labels.names().len() as u32).collect(),
            labels,
            sites: None,
        })
    }

    /// Scores every row against all labels, whichever site it is from.
    pub fn ignore_sites(&mut self) {
        self.sites = None;
    }

    /// Whether rows of different sites have different candidates.
    pub fn has_sites(&self) -> bool {
        self.sites.is_some()
    }

    /// All rows of its file, each with its candidates.
    pub fn cases(&self) -> Result<impl Iterator<Item = Result<Case, RowFault>> + '_, DatasetError> {
        let rows = open_any(&self.data)?;
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

pub(super) fn file_name(path: &Path) -> Option<&str> {
    path.file_name().and_then(|name| name.to_str())
}

/// `NAME` of `NAME.jsonl`, `NAME.parquet`, and of these with `.gz`.
pub(super) fn strip_data(name: &str) -> Option<&str> {
    let name = name.strip_suffix(".gz").unwrap_or(name);
    let known = name.strip_suffix(".jsonl");
    known.or_else(|| name.strip_suffix(".parquet"))
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

    const ROWS: &str = "{\"text\": \"a\", \"labels\": [\"x\"], \"site\": \"one\"}\n\
        {\"text\": \"b\", \"labels\": [\"z\", \"y\"], \"site\": \"two\"}\n";

    fn cases(files: &[(&str, &str)]) -> Vec<Result<Case, String>> {
        let folder = folder(files);
        let path = |name| folder.path().join(name);
        let set = DataSet::open(&path("d.jsonl"), &path("d.labels.json")).unwrap();
        let cases = set.cases().unwrap();
        let shown = |fault: RowFault| fault.to_string();
        cases.map(|case| case.map_err(shown)).collect()
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
    fn without_a_list_the_labels_are_those_that_rows_name() {
        let rows = "{\"text\": \"a\", \"labels\": [\"x\"], \"not_labels\": [\"z\"]}\n{\n\
            {\"text\": \"b\", \"all_labels\": [\"y\", \"z\"], \"true_labels\": [\"z\"]}\n";
        let folder = folder(&[("d.jsonl", rows), ("empty.jsonl", "")]);
        let set = DataSet::gather(&folder.path().join("d.jsonl")).unwrap();
        assert_eq!((set.name.as_str(), set.labels.names().len()), ("d", 3));
        let cases: Vec<_> = set.cases().unwrap().collect();
        assert_eq!(cases[0].as_ref().unwrap().truth, [true, false, false]);
        assert!(cases[1].is_err());
        assert_eq!(cases[2].as_ref().unwrap().truth, [false, true, false]);

        let error = DataSet::gather(&folder.path().join("empty.jsonl")).unwrap_err();
        assert!(
            error.to_string().contains("no row names a label"),
            "{error}"
        );
    }
}
