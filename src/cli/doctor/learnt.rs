//! What of the learning `gliznet doctor` looks at: the version that serves, and pinned examples.

use super::Finding;
use crate::config::{Folders, Settings};
use crate::learn::consolidate::pinned;
use crate::learn::versions::Versions;
use crate::model::Model;
use crate::model::store::Store;

/// How the version is that serves, and the examples that each version must get right. Of a user who
/// has neither, nothing is said.
pub(super) fn findings(folders: &Folders) -> Vec<Finding> {
    version(folders).into_iter().chain(pins(folders)).collect()
}

fn version(folders: &Folders) -> Option<Finding> {
    let versions = Versions::new(folders);
    if !versions.any() {
        return None;
    }
    // Where there is no model, the line on settings says so.
    let settings = Settings::load(folders, &folders.config).ok()?;
    let store = Store::new(folders, crate::model::bundled_files());
    let base = Model::fingerprint_of(&store.current(&settings).ok()?.source).ok()?;
    Some(match versions.verify(&base) {
        Ok(0) => Finding::Good("the shipped model serves".to_owned()),
        Ok(number) => Finding::Good(format!("version {number} of the model serves")),
        Err(fault) => Finding::Poor(fault),
    })
}

fn pins(folders: &Folders) -> Option<Finding> {
    let pins = pinned(&folders.data);
    match (pins.pins.len(), &*pins.faults) {
        (0, []) => None,
        (n, []) => Some(Finding::Good(format!(
            "every pinned example can be read ({n})"
        ))),
        (_, faults) => Some(Finding::Poor(faults.join("; "))),
    }
}
