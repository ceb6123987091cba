//! Data with what it is scored against: rows and a label list in, cases ready to be scored out.
//!
//! Where a sites file is beside the labels, a row's candidates are those of its site: the other sites'
//! authors never had the rest. A row of GLiClass and a correction bring their own: nobody offered or
//! judged the rest. Invariant: every true label of a case is among its candidates, and those
//! are in the order of the list. Knows nothing of models.
//!
//! Length: half of it tests, one for each way in which a row has its candidates.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::labels::key;
use super::parquet::Source;
use super::sites::{SITES, Sites, read_sites};
use super::{DatasetError, LabelList, Row, RowFault, RowKind, RowProblem, read_labels};
use crate::label::LabelSet;

/// The ending of a label list's file name.
pub(super) const LABELS: &str = ".labels.json";
/// How many faulty rows are named where no row is any good.
const NAMED: usize = 10;

/// A file of rows and the labels that they are scored against.
#[derive(Clone, Debug)]
pub struct DataSet {
    /// The file's name without its endings.
    pub name: String,
    /// Where the rows are.
    pub data: PathBuf,
    source: Source,
    /// All labels.
    pub labels: LabelList,
    all: Arc<[u32]>,
    sites: Option<Sites>,
    /// Every row is against all labels, whatever it says.
    against_all: bool,
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
        let list = read_labels(labels)?;
        let sites = match sites {
            Some(path) if path.exists() => Some(read_sites(&path, &list)?),
            _ => None,
        };
        Ok(DataSet::new(data, Source::open(data)?, list, sites))
    }

    /// A data set with the labels of the `NAME.labels.json` that lies beside it, or else, where none
    /// does, with all that its rows name. Also gives the list that was read.
    pub fn find(data: &Path) -> Result<(DataSet, Option<PathBuf>), DatasetError> {
        let beside = |ending: &str| {
            let name = strip_data(file_name(data)?)?;
            let path = data.with_file_name(format!("{name}{ending}"));
            path.exists().then_some(path)
        };
        if let Some(labels) = beside(LABELS) {
            return Ok((DataSet::open(data, &labels)?, Some(labels)));
        }
        if let Some(path) = beside(SITES) {
            let faults = vec![format!("no list of labels is beside it; add NAME{LABELS}")];
            return Err(DatasetError::Content { path, faults });
        }
        Ok((DataSet::gather(data)?, None))
    }

    /// A data set whose labels are all that any of its rows names, in the order they appear; those of
    /// a row that brings its candidates by their names, for what fits stands first there, and a
    /// label's place must not tell whether it does.
    ///
    /// Reads the file once; rows with faults are passed over here, and told by [`cases`](Self::cases).
    ///
    /// # Errors
    /// A file that cannot be read, or where no row names a label: then with the faults that are why.
    pub fn gather(data: &Path) -> Result<DataSet, DatasetError> {
        let mut seen = BTreeSet::new();
        let (mut labels, mut faults, mut n_faults) = (Vec::new(), Vec::new(), 0);
        let source = Source::open(data)?;
        for row in source.rows()? {
            match row {
                Ok(row) => {
                    let mut named: Vec<&str> = row.candidates().map(|(label, _)| label).collect();
                    if row.kind != RowKind::Plain {
                        named.sort_unstable();
                    }
                    named.retain(|label| seen.insert(key(label)));
                    labels.extend(named.into_iter().map(|label| (label.to_owned(), None)));
                }
                Err(fault) => {
                    n_faults += 1;
                    faults.extend((n_faults <= NAMED).then_some(fault));
                }
            }
        }
        let labels = LabelList::new(labels).map_err(|_| DatasetError::NoLabels {
            path: data.to_owned(),
            n_faults,
            faults,
        })?;
        Ok(DataSet::new(data, source, labels, None))
    }

    fn new(data: &Path, source: Source, labels: LabelList, sites: Option<Sites>) -> DataSet {
        let name = file_name(data).map_or("data", |name| strip_data(name).unwrap_or(name));
        DataSet {
            name: name.to_owned(),
            data: data.to_owned(),
            source,
            all: (0..labels.names().len() as u32).collect(),
            labels,
            sites,
            against_all: false,
        }
    }

    /// Scores every row against all labels, whichever site it is from and whatever it offers itself.
    pub fn score_all_labels(&mut self) {
        self.sites = None;
        self.against_all = true;
    }

    /// All rows of its file, each with its candidates.
    pub fn cases(&self) -> Result<impl Iterator<Item = Result<Case, RowFault>> + '_, DatasetError> {
        let rows = self.source.rows()?;
        Ok(rows.map(|row| self.case(row?)))
    }

    /// A row with its candidates: those that it brings, else its site's labels where there are sites,
    /// else all.
    pub fn case(&self, row: Row) -> Result<Case, RowFault> {
        let fault = |problem| RowFault {
            file: self.data.clone(),
            line: row.line,
            problem,
        };
        let candidates = self.candidates(&row).map_err(fault)?;
        let mut truth = vec![false; candidates.len()];
        for label in &row.labels {
            let known = self.known(label).map_err(fault)?;
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
            candidates,
            truth,
            row,
        })
    }

    fn candidates(&self, row: &Row) -> Result<Arc<[u32]>, RowProblem> {
        if row.text.trim().is_empty() {
            return Err(RowProblem::Missing {
                field: "text",
                cure: "it is empty: give the row its text, or remove it",
            });
        }
        if row.kind != RowKind::Plain && !self.against_all {
            return self.judged(row);
        }
        let Some(sites) = &self.sites else {
            return Ok(Arc::clone(&self.all));
        };
        let site = row.source.as_ref().ok_or(RowProblem::Missing {
            field: "site",
            cure: "say whose row it is: the data set has a sites file",
        })?;
        sites
            .get(site)
            .cloned()
            .ok_or_else(|| RowProblem::UnknownSite { site: site.clone() })
    }

    fn known(&self, label: &str) -> Result<u32, RowProblem> {
        self.labels
            .index(label)
            .ok_or_else(|| RowProblem::UnknownLabel {
                label: label.to_owned(),
                nearest: self.labels.nearest(label).map(str::to_owned),
            })
    }

    /// The labels of the list that the row itself says something of.
    fn judged(&self, row: &Row) -> Result<Arc<[u32]>, RowProblem> {
        let mut judged = BTreeSet::new();
        for (label, fits) in row.candidates() {
            match fits {
                true => judged.extend([self.known(label)?]),
                // What does not fit need not be in the list: a label that is no longer used, say.
                false => judged.extend(self.labels.index(label)),
            }
        }
        let names = judged.iter().map(|at| &self.labels.names()[*at as usize]);
        // Labels that are none cannot be scored, and would stop the rest.
        match LabelSet::from_names_lenient(names) {
            (Some(_), _) => Ok(judged.into_iter().collect()),
            (None, _) => Err(RowProblem::NothingJudged),
        }
    }
}

/// Whether a file lists labels of the rows that it stands beside, and holds none.
pub fn is_list(path: &Path) -> bool {
    file_name(path).is_some_and(|name| name.ends_with(LABELS) || name.ends_with(SITES))
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
    fn a_row_without_a_word_tells_nothing() {
        let cases = cases(&[
            ("d.jsonl", "{\"text\": \" \\n\", \"labels\": [\"x\"]}"),
            ("d.labels.json", r#"["x"]"#),
        ]);
        let said = cases[0].as_ref().unwrap_err();
        assert!(said.contains("d.jsonl:1: no `text`; it is empty"), "{said}");
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
    fn a_row_that_brings_its_candidates_is_measured_by_them_alone() {
        let rows = "{\"text\": \"a\", \"accepted\": [\"z\"], \"rejected\": [\"x\", \"gone\"]}\n\
            {\"text\": \"b\", \"all_labels\": [\"x\", \"y\"], \"true_labels\": [\"Y\"]}\n\
            {\"text\": \"c\", \"accepted\": [], \"rejected\": []}\n\
            {\"text\": \"d\", \"labels\": [\"x\"], \"not_labels\": [\"y\"]}\n";
        let files = [("d.jsonl", rows), ("d.labels.json", r#"["x", "y", "z"]"#)];
        let of = |case: &Result<Case, String>| {
            let case = case.as_ref().unwrap();
            (case.candidates.to_vec(), case.truth.clone())
        };
        let cases = cases(&files);
        assert_eq!(of(&cases[0]), (vec![0, 2], vec![false, true]));
        assert_eq!(of(&cases[1]), (vec![0, 1], vec![false, true]));
        assert!(
            cases[2]
                .as_ref()
                .unwrap_err()
                .contains("no label to measure it by")
        );
        assert_eq!(of(&cases[3]), (vec![0, 1, 2], vec![true, false, false]));

        let folder = folder(&files);
        let path = |name| folder.path().join(name);
        let mut set = DataSet::open(&path("d.jsonl"), &path("d.labels.json")).unwrap();
        set.score_all_labels();
        let all = set.cases().unwrap().next().unwrap().unwrap();
        assert_eq!(
            (all.candidates.len(), all.truth),
            (3, vec![false, false, true])
        );
    }

    #[test]
    fn names_that_differ_in_case_alone_are_one_label() {
        let rows = "{\"text\": \"a\", \"labels\": [\"Bread\"]}\n{\"text\": \"b\", \"labels\": [\"bread\", \"milk\"]}\n";
        let folder = folder(&[("d.jsonl", rows)]);
        let set = DataSet::gather(&folder.path().join("d.jsonl")).unwrap();
        assert_eq!(set.labels.names(), ["Bread", "milk"]);
        let second = set.cases().unwrap().nth(1).unwrap().unwrap();
        assert_eq!(second.truth, [true, true]);
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
        let of_gliclass = cases[2].as_ref().unwrap();
        assert_eq!(*of_gliclass.candidates, [1, 2]);
        assert_eq!(of_gliclass.truth, [true, false]);

        let error = DataSet::gather(&folder.path().join("empty.jsonl")).unwrap_err();
        assert!(
            error.to_string().contains("no row names a label"),
            "{error}"
        );
    }

    #[test]
    fn the_place_of_a_label_that_a_row_brings_does_not_tell_whether_it_fits() {
        let rows = "{\"text\": \"a\", \"all_labels\": [\"y\", \"z\", \"x\"], \"true_labels\": [\"y\"]}\n\
            {\"text\": \"b\", \"accepted\": [\"v\"], \"rejected\": [\"w\", \"u\"]}\n\
            {\"text\": \"c\", \"labels\": [\"t\", \"s\"]}\n";
        let folder = folder(&[("d.jsonl", rows)]);
        let set = DataSet::gather(&folder.path().join("d.jsonl")).unwrap();
        assert_eq!(set.labels.names(), ["x", "y", "z", "u", "v", "w", "t", "s"]);
        let truths = set.cases().unwrap().map(|case| case.unwrap().truth);
        let truths: Vec<Vec<bool>> = truths.take(2).collect();
        assert_eq!(truths, [[false, true, false]; 2]);
    }

    #[test]
    fn where_no_row_names_a_label_the_first_faulty_ones_are_told() {
        let rows = "{\"text\": \"a b\", \"label\": \"x\"}\n".repeat(12);
        let folder = folder(&[("d.jsonl", &rows)]);
        let error = DataSet::gather(&folder.path().join("d.jsonl")).unwrap_err();
        let said = error.to_string();
        assert!(said.contains("12 rows are faulty"), "{said}");
        assert!(
            said.contains("d.jsonl:1: no `labels`") && said.contains("d.jsonl:10:"),
            "{said}"
        );
        assert!(!said.contains("d.jsonl:11:"), "{said}");
    }

    #[test]
    fn labels_and_sites_that_lie_beside_the_data_count() {
        let folder = folder(&[
            ("d.jsonl", ROWS),
            (
                "d.labels.json",
                r#"{"x": "first", "y": null, "z": null, "w": null}"#,
            ),
            ("d.sites.json", r#"{"one": ["x", "w"], "two": ["z", "y"]}"#),
            ("e.jsonl", ROWS),
            ("f.jsonl", ROWS),
            ("f.sites.json", r#"{"one": ["x"]}"#),
        ]);
        let find = |name: &str| DataSet::find(&folder.path().join(name));
        let (set, list) = find("d.jsonl").unwrap();
        assert_eq!(list.unwrap(), folder.path().join("d.labels.json"));
        assert_eq!((set.labels.names().len(), set.sites.is_some()), (4, true));
        assert_eq!(set.labels.descriptions()[0].as_deref(), Some("first"));
        let (set, list) = find("e.jsonl").unwrap();
        assert_eq!((set.labels.names().len(), list), (3, None));
        let said = find("f.jsonl").unwrap_err().to_string();
        assert!(said.contains("f.sites.json: no list of labels"), "{said}");
    }
}
