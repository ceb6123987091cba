//! A sites file: JSON in, each author's own labels as places in the data set's list out.
//!
//! Invariant: a site has a label, and only such as are in the list. Knows nothing of rows.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::labels::read_json;
use super::{DatasetError, LabelList};

/// The ending of a sites file's name.
pub(super) const SITES: &str = ".sites.json";

/// The labels of each site, ascending.
pub(super) type Sites = BTreeMap<String, Arc<[u32]>>;

/// Reads a sites file, or says all that is wrong with it.
pub(super) fn read_sites(path: &Path, labels: &LabelList) -> Result<Sites, DatasetError> {
    let listed: BTreeMap<String, Vec<String>> = read_json(
        path,
        "the file must be an object of sites, each with a list of its labels",
    )?;
    let mut faults = Vec::new();
    let mut sites = Sites::new();
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
