//! The label list of a data set: a JSON file in, names with their indices out.
//!
//! Invariant: names are not empty, and no two differ in case alone, as in a label set; their order is
//! the file's, because some models' scores depend on it. Knows nothing of the other rules that label
//! sets for users have.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use super::DatasetError;
use crate::config::json_fact;
use crate::label::lower;

/// The labels that a data set is scored against.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelList {
    names: Vec<String>,
    descriptions: Vec<Option<String>>,
    /// By `key`.
    indices: HashMap<String, u32>,
}

/// What makes two names one label: a label set scores them as one.
pub(super) fn key(name: &str) -> String {
    lower(name.trim())
}

impl LabelList {
    /// A list of these names and descriptions, or all that is wrong with it.
    pub fn new(
        labels: impl IntoIterator<Item = (String, Option<String>)>,
    ) -> Result<LabelList, Vec<String>> {
        let mut list = LabelList {
            names: Vec::new(),
            descriptions: Vec::new(),
            indices: HashMap::new(),
        };
        let mut faults = Vec::new();
        for (at, (name, description)) in labels.into_iter().enumerate() {
            if name.trim().is_empty() {
                faults.push(format!(
                    "label {} has no name; give it one or remove it",
                    at + 1
                ));
            } else if let Some(first) = list.index(&name) {
                let first = &list.names[first as usize];
                faults.push(match *first == name {
                    true => format!("label `{name}` is there twice; remove one"),
                    false => format!(
                        "label `{name}` is there twice, the first time as `{first}`; remove one"
                    ),
                });
            } else {
                list.indices.insert(key(&name), list.names.len() as u32);
                list.names.push(name);
                list.descriptions.push(description);
            }
        }
        if list.names.is_empty() && faults.is_empty() {
            faults.push("no labels; list at least one".to_owned());
        }
        if faults.is_empty() {
            Ok(list)
        } else {
            Err(faults)
        }
    }

    /// The names; the index of a label is its place here.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// What each label means, where its author said so; parallel to the names.
    pub fn descriptions(&self) -> &[Option<String>] {
        &self.descriptions
    }

    /// The place of a label, in whatever case it is written.
    pub fn index(&self, name: &str) -> Option<u32> {
        self.indices.get(&key(name)).copied()
    }

    /// The label that is spelled most like `name`, if any is close.
    pub(super) fn nearest(&self, name: &str) -> Option<&str> {
        let wanted = lower(name);
        self.names
            .iter()
            .map(|other| (strsim::jaro_winkler(&wanted, &lower(other)), other))
            .filter(|(likeness, _)| *likeness > 0.85)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, other)| other.as_str())
    }
}

/// Reads a label list: an array of names, or an object of names with their descriptions.
pub fn read_labels(path: &Path) -> Result<LabelList, DatasetError> {
    let Listed(labels) = read_json(
        path,
        "the file must be a list of names, or an object of names with their descriptions",
    )?;
    LabelList::new(labels).map_err(|faults| DatasetError::Content {
        path: path.to_owned(),
        faults,
    })
}

/// Reads a JSON file; `cure` says how it should look.
pub(super) fn read_json<T: for<'de> Deserialize<'de>>(
    path: &Path,
    cure: &'static str,
) -> Result<T, DatasetError> {
    let bytes = std::fs::read(path).map_err(|source| DatasetError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    let json = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    serde_json::from_slice(json).map_err(|error| DatasetError::Malformed {
        path: path.to_owned(),
        line: error.line(),
        column: error.column(),
        fact: json_fact(&error),
        cure,
    })
}

/// Names and descriptions in the order of the file, which a map would lose.
struct Listed(Vec<(String, Option<String>)>);

impl<'de> Deserialize<'de> for Listed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Listed, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Listed;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of names, or an object of names with their descriptions")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Listed, A::Error> {
                let mut listed = Vec::new();
                while let Some(name) = names.next_element()? {
                    listed.push((name, None));
                }
                Ok(Listed(listed))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut labels: A) -> Result<Listed, A::Error> {
                let mut listed = Vec::new();
                while let Some((name, description)) = labels.next_entry()? {
                    listed.push((name, description));
                }
                Ok(Listed(listed))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<LabelList, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.labels.json");
        std::fs::write(&path, json).unwrap();
        read_labels(&path).map_err(|error| {
            let message = error.to_string();
            message.replace(&path.display().to_string(), "FILE")
        })
    }

    #[test]
    fn a_list_keeps_its_order_and_an_object_its_order_and_descriptions() {
        let list = read(r#"["zebra", "ant"]"#).unwrap();
        assert_eq!(list.names(), ["zebra", "ant"]);
        assert_eq!((list.index("ant"), list.index("bee")), (Some(1), None));
        let object = read(r#"{"zebra": "has stripes", "ant": null}"#).unwrap();
        assert_eq!(object.names(), list.names());
        assert_eq!(
            object.descriptions(),
            [Some("has stripes".to_owned()), None]
        );
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        assert_eq!(
            read(r#"["a", "", "b", "a", "A"]"#).unwrap_err(),
            "FILE: label 2 has no name; give it one or remove it; \
             label `a` is there twice; remove one; \
             label `A` is there twice, the first time as `a`; remove one"
        );
        assert_eq!(
            read("[]").unwrap_err(),
            "FILE: no labels; list at least one"
        );
        let twice = read(r#"{"a": "one", "a": "two"}"#).unwrap_err();
        assert!(twice.contains("`a` is there twice"), "{twice}");
    }

    #[test]
    fn what_is_no_label_list_is_refused_with_its_place() {
        let message = read("[\n \"a\",\n 3]").unwrap_err();
        assert!(
            message.starts_with("FILE:3:2: 3 is not a text in quotes"),
            "{message}"
        );
        let message = read("\"a\"").unwrap_err();
        assert!(
            message.contains("the file must be a list of names"),
            "{message}"
        );
    }

    #[test]
    fn the_nearest_label_is_one_that_a_slip_could_have_meant() {
        let list = read(r#"["open data", "open source", "design"]"#).unwrap();
        assert_eq!(list.nearest("Open Dta"), Some("open data"));
        assert_eq!(list.nearest("kitchen"), None);
    }
}
