//! What can be wrong with labelled data: place, fact, cure.
//!
//! Invariant: a fault names what it is about, and says what to do.

use std::path::PathBuf;

/// What is wrong with one row, and where.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{line}: {problem}")]
pub struct RowFault {
    /// The file's path, or what its reader was called.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and what to do about it.
    pub problem: RowProblem,
}

/// What can be wrong with one row.
#[derive(Debug, thiserror::Error)]
pub enum RowProblem {
    /// Reading failed; nothing after this line is known.
    #[error(
        "cannot read on: {source}; the file may be cut off or damaged: copy or compress it anew"
    )]
    Unreadable {
        /// What the system or the decompressor said.
        source: std::io::Error,
    },
    /// Not text in the encoding that JSON has.
    #[error("byte {at} of the line is not UTF-8; save the file as UTF-8")]
    NotUtf8 {
        /// Which byte, from 1.
        at: usize,
    },
    /// Not JSON.
    #[error("not JSON at column {column}: {fact}; each line must be one JSON object")]
    NotJson {
        /// Which byte, from 1.
        column: usize,
        /// What the parser said.
        fact: String,
    },
    /// Half of a character that takes two escapes.
    #[error(
        "column {column}: a lone surrogate is no character ({fact}); \
         write the character itself, or both of its `\\u` escapes"
    )]
    LoneSurrogate {
        /// Which byte, from 1.
        column: usize,
        /// What the parser said.
        fact: String,
    },
    /// JSON, but no row.
    #[error("{found}, where a row should be; each line must be one JSON object")]
    NotAnObject {
        /// What it is.
        found: &'static str,
    },
    /// A row without something that every row has.
    #[error("no `{field}`; {cure}")]
    Missing {
        /// What is missing.
        field: &'static str,
        /// What to add.
        cure: &'static str,
    },
    /// Something of the wrong kind.
    #[error("`{field}` is {found}; it must be {expected}")]
    WrongType {
        /// What.
        field: String,
        /// What it is.
        found: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// A label without a name.
    #[error("`{field}` has an empty label; remove it")]
    EmptyLabel {
        /// In which list.
        field: &'static str,
    },
    /// The same label on both sides.
    #[error("label `{label}` is in both {fields}; remove it from one")]
    Contradiction {
        /// Which.
        label: String,
        /// The two lists.
        fields: &'static str,
    },
    /// A true label that could not be predicted.
    #[error("label `{label}` is not in the label list{}; add it there, or correct the row", spelled_like(.nearest))]
    UnknownLabel {
        /// Which.
        label: String,
        /// The label of the list that is spelled most like it.
        nearest: Option<String>,
    },
    /// A row that says of no label whether it fits, or only of such as cannot be scored.
    #[error("no label to measure it by; say which label fits or does not, or remove the row")]
    NothingJudged,
    /// A true label that this site does not use.
    #[error(
        "label `{label}` is not among those of site `{site}`; add it in the sites file, or correct the row"
    )]
    NotOfSite {
        /// Which.
        label: String,
        /// Whose labels.
        site: String,
    },
    /// A row whose candidates are not known.
    #[error("site `{site}` is not in the sites file; add it there with its labels")]
    UnknownSite {
        /// Which.
        site: String,
    },
}

fn spelled_like(nearest: &Option<String>) -> String {
    nearest
        .as_ref()
        .map_or(String::new(), |name| format!(" (`{name}` is)"))
}

/// Why a data set or its labels cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// A file or folder that cannot be read.
    #[error("{path}: {source}; check the path and its permissions")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A Parquet file that has no end, or none that can be read.
    #[error("{path}: {fact}; it may be cut off or damaged: copy it anew")]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What its reader said.
        fact: String,
    },
    /// A JSON file that is not what it should be.
    #[error("{path}:{line}:{column}: {fact}; {cure}")]
    Malformed {
        /// Which.
        path: PathBuf,
        /// Where, from 1; 0 where that is not known.
        line: usize,
        /// Where, from 1.
        column: usize,
        /// What is wrong.
        fact: String,
        /// How it should be.
        cure: &'static str,
    },
    /// A label list or sites file whose content makes no sense. All of its faults at once.
    #[error("{path}: {}", .faults.join("; "))]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong, each with its cure.
        faults: Vec<String>,
    },
    /// Data that names no label at all.
    #[error("{path}: no row names a label; {}", why_none(*.n_faults, .faults))]
    NoLabels {
        /// Which.
        path: PathBuf,
        /// Rows with faults.
        n_faults: usize,
        /// The first of them.
        faults: Vec<RowFault>,
    },
    /// A folder that is no suite. All of its faults at once.
    #[error("{folder}: {}", .faults.join("; "))]
    Suite {
        /// Which.
        folder: PathBuf,
        /// What is wrong, each with its cure.
        faults: Vec<String>,
    },
    /// Several files of a suite.
    #[error("{}", list(.0))]
    Several(Vec<DatasetError>),
}

fn why_none(n_faults: usize, faults: &[RowFault]) -> String {
    if faults.is_empty() {
        return "give the labels in a file of their own".to_owned();
    }
    let lines: String = faults.iter().map(|fault| format!("\n  {fault}")).collect();
    match n_faults {
        1 => format!("1 row is faulty, correct it:{lines}"),
        n => format!("{n} rows are faulty, correct them:{lines}"),
    }
}

fn list(errors: &[DatasetError]) -> String {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
